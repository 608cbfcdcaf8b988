/* A server's credentials: made, replaced, let go when nobody uses them. */
#include "base/container.h"
#include "base/error.h"
#include "rpc/server_int.h"
#include "trust/ident.h"
#include "trust/policy.h"
#include "trust/psks.h"

#include <stdlib.h>

void
server_creds_free(struct creds *c)
{
	if (c == NULL)
		return;
	rk_ask_watch_free(c->watch);
	tls_ctx_free(c->tls);
	quic_ctx_free(c->quic);
	rk_psks_free(c->psk.keys);
	if (c->retired != NULL)
		c->retired(c->arg);
	free(c);
}

/* TLS's part of them; who can send early cannot be bound to a key. */
static enum rk_err
equip(struct rk_server *s, struct creds *c, struct rk_error *err)
{
	struct replay *replay = c->psk.keys == NULL ? s->replay : NULL;
	struct tls_conf tc = { .server = true,
		.mode = c->trust.mode,
		.ident = c->trust.ident,
		.verify = session_verify,
		.resume = session_resume,
		.arg = &c->trust,
		.seed = s->seed,
		.replay = replay };
	enum rk_err r = RK_OK;

	/* Without certificates there may be sessions only, which check for
	 * themselves. */
	if (c->psk.keys != NULL && (tc.ident != NULL || c->sess.key == NULL) &&
	    (r = psk_conf_check(&c->psk, err)) != RK_OK)
		return r;
	if (tc.ident == NULL && tc.mode != RK_TLS_SKIP_VERIFY)
		return RK_OK;
	r = tls_ctx_new(&tc, &c->tls, err);
	if (r == RK_OK && quic_supported(NULL) == RK_OK)
		r = quic_ctx_new(&tc, s->seed, replay != NULL, &c->quic, err);
	return r;
}

enum rk_err
server_creds_new(struct rk_server *s, const struct rk_ident *ident,
    struct rk_trust *trust, struct creds **out, struct rk_error *err)
{
	const enum rk_tls_mode mode = s->conf.tls_mode;
	struct creds *c;
	enum rk_err r;

	*out = NULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(err, RK_ENOMEM, "server: out of memory");
	c->trust = (struct session_trust){
		.server = true,
		.mode = mode,
		.ident = ident,
		.trust = trust,
		.peers = s->conf.session_peers,
	};
	server_crl_hear(s, c);
	c->psk = (struct psk_conf){ .server = true,
		.mode = mode,
		.ident = ident,
		.keys = psks_ref(s->conf.psks),
		.verify = session_verify,
		.arg = &c->trust };
	c->sess = (struct sess_layer_conf){ .server = true,
		.key = s->conf.session_key,
		.psks = c->psk.keys,
		.verify = session_verify_key,
		.arg = &c->trust };
	if (c->sess.key == NULL && ident != NULL)
		c->sess.key = ident_key(ident);
	c->list_version = ident != NULL ? ident_list_version(ident) : 0;
	r = session_check_own(&c->trust, err);
	if (r == RK_OK)
		r = server_ask_watch(s, c, err);
	if (r == RK_OK)
		r = equip(s, c, err);
	if (r != RK_OK) {
		server_creds_free(c);
		return r;
	}
	*out = c;
	return RK_OK;
}

static void
creds_retire_unused(struct rk_server *s)
{
	struct creds *c = TAILQ_NEXT(TAILQ_FIRST(&s->creds), link);
	struct creds *next;

	for (; c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->users != 0)
			continue;
		TAILQ_REMOVE(&s->creds, c, link);
		server_creds_free(c);
	}
}

void
creds_on_unused(struct mail *m)
{
	creds_retire_unused(container_of(m, struct rk_server, unused));
}

/* `retired` is never called from inside a call of the user's. */
static void
retire_soon(struct rk_server *s)
{
	mailbox_put(s->workers[0].box, &s->unused);
}

void
creds_release(struct rk_server *s, struct creds *c)
{
	c->users--;
	if (c->users == 0 && c != TAILQ_FIRST(&s->creds))
		retire_soon(s);
}

static bool
has_session_listener(const struct rk_server *s)
{
	const struct listener *l;

	TAILQ_FOREACH (l, &s->listeners, link) {
		if (addr_is_session(l->scheme))
			return true;
	}
	return server_udp_serves(s, ADDR_SSH_UDP);
}

static bool
has_tls_listener(const struct rk_server *s)
{
	const struct listener *l;

	TAILQ_FOREACH (l, &s->listeners, link) {
		if (l->scheme == ADDR_TLS)
			return true;
	}
	return server_udp_serves(s, ADDR_QUIC);
}

enum rk_err
rk_server_identity(struct rk_server *server, const struct rk_ident *ident,
    struct rk_trust *trust, void (*retired)(void *arg), void *arg,
    struct rk_error *err)
{
	const struct creds *before = TAILQ_FIRST(&server->creds);
	struct creds *c;
	bool changes;
	enum rk_err r;

	err_clear(err);
	r = server_creds_new(server, ident, trust, &c, err);
	if (r != RK_OK)
		return r;
	if (c->tls == NULL && has_tls_listener(server)) {
		server_creds_free(c);
		return err_set(err, RK_EINVAL,
		    "server: TLS needs a certificate and a key");
	}
	if (c->sess.key == NULL && has_session_listener(server)) {
		server_creds_free(c);
		return err_set(err, RK_EINVAL, "server: sessions need a key");
	}
	changes = policy_note_successor(
	    before != NULL ? before->trust.trust : NULL, trust);
	c->retired = retired;
	c->arg = arg;
	TAILQ_INSERT_HEAD(&server->creds, c, link);
	server_udp_require(server, c->psk.keys);
	server_tell_replaced(server);
	if (changes)
		policy_tell_mode(trust);
	server_ask_replaced(server);
	server_crl_watch(server);
	retire_soon(server);
	return RK_OK;
}

void
rk_server_psks(struct rk_server *server, struct rk_psks *psks)
{
	struct rk_psks *old = server->conf.psks;

	server->conf.psks = psks_ref(psks);
	rk_psks_free(old);
}
