/* The TLS side of QUIC, as far as it is the same for every library. */
#include "net/quic_tls_base.h"

#include "base/error.h"
#include "net/tls_int.h"

#include <pthread.h>
#include <stdio.h>

/* They begin with it. */
static struct quic_tls_base *
base_of(struct quic_tls *t)
{
	return (struct quic_tls_base *)t;
}

static const struct quic_tls_base *
base_of_const(const struct quic_tls *t)
{
	return (const struct quic_tls_base *)t;
}

void
quic_tls_base_fini(struct quic_tls_base *b)
{
	buf_fini(&b->peer);
	quic_kept_fini(&b->used);
	quic_kept_fini(&b->next);
}

/* ---- what is remembered ---- */

void
quic_tls_base_give_up(struct quic_tls_base *b)
{
	buf_wipe(&b->used.session);
	buf_fini(&b->peer);
	b->offers_early = false;
}

/* What the context remembers.  Without a session when its time is over or the
 * server is no longer trusted: a whole handshake tells why. */
static void
recall(struct quic_tls_base *b)
{
	const struct buf *leaf = &b->used.leaf;

	quic_slot_take(&b->ctx->slot, &b->used);
	b->offers_early = b->ctx->early && buf_len(&b->used.params) > 0;
	if (!quic_kept_usable(&b->used) ||
	    !quic_tls_ctx_recalls(b->ctx, leaf) ||
	    quic_kept_set(&b->peer, buf_peek(leaf), buf_len(leaf)) != RK_OK)
		quic_tls_base_give_up(b);
}

void
quic_tls_base_init(struct quic_tls_base *b, struct quic_tls_ctx_base *ctx)
{
	(void)atomic_fetch_add(&ctx->refs, 1);
	b->ctx = ctx;
	buf_init(&b->peer, QUIC_LEAF_LEN_MAX);
	quic_kept_init(&b->used);
	quic_kept_init(&b->next);
	if (!ctx->server)
		recall(b);
}

void
quic_tls_base_remember(struct quic_tls_base *b, const void *session, size_t len,
    uint32_t seconds, bool early)
{
	const struct buf *params = &b->next.params;
	const struct buf *token = &b->next.token;
	struct quic_kept k;

	quic_kept_init(&k);
	if (quic_kept_set(&k.session, session, len) == RK_OK &&
	    quic_kept_set(&k.token, buf_peek(token), buf_len(token)) == RK_OK &&
	    quic_kept_set(&k.params, buf_peek(params),
	        early ? buf_len(params) : 0) == RK_OK &&
	    quic_kept_set(&k.leaf, buf_peek(&b->peer), buf_len(&b->peer)) ==
	        RK_OK) {
		quic_kept_stamp(&k, seconds);
		quic_slot_give(&b->ctx->slot, &k);
	}
	quic_kept_fini(&k);
}

void
quic_tls_remembered(
    const struct quic_tls *t, struct rk_bytes *params, struct rk_bytes *token)
{
	const struct quic_tls_base *b = base_of_const(t);
	const struct buf *p = &b->used.params;
	const struct buf *k = &b->used.token;

	*params = (struct rk_bytes){ NULL, 0 };
	*token = (struct rk_bytes){ buf_peek(k), buf_len(k) };
	if (b->offers_early)
		*params = (struct rk_bytes){ buf_peek(p), buf_len(p) };
}

void
quic_tls_keep_params(struct quic_tls *t, const uint8_t *p, size_t len)
{
	struct buf *params = &base_of(t)->next.params;

	if (quic_kept_set(params, p, len) != RK_OK)
		buf_wipe(params); /* none: no early data */
}

void
quic_tls_keep_token(struct quic_tls *t, const uint8_t *p, size_t len)
{
	struct quic_tls_base *b = base_of(t);

	if (quic_kept_set(&b->next.token, p, len) != RK_OK)
		buf_wipe(&b->next.token); /* none: the server asks again */
	quic_slot_give_token(&b->ctx->slot, p, len);
}

/* ---- what is told ---- */

bool
quic_tls_peer_cert(struct quic_tls *t, struct rk_bytes *out)
{
	const struct buf *peer = &base_of(t)->peer;

	*out = (struct rk_bytes){ buf_peek(peer), buf_len(peer) };
	return out->len > 0;
}

static enum rk_err
tell(const struct quic_tls_base *b, uint64_t code, bool by_peer,
    struct rk_error *err)
{
	int alert = (int)(code & UINT8_MAX);

	if (b->refused.code != RK_OK)
		return err_set(err, b->refused.code, "%s", b->refused.text);
	if (code < NGTCP2_CRYPTO_ERROR ||
	    code > (NGTCP2_CRYPTO_ERROR | UINT8_MAX))
		return err_set(err, RK_EPROTO, "QUIC error 0x%llx%s",
		    (unsigned long long)code, by_peer ? " from the peer" : "");
	if (by_peer)
		return tls_explain_alert(RK_ETLS, alert, err);
	if (b->own.code != RK_OK)
		return err_set(err, b->own.code, "%s", b->own.text);
	return err_set(err, RK_ETLS, "%s", tls_alert_name(alert));
}

enum rk_err
quic_tls_explain(
    const struct quic_tls *t, uint64_t code, bool by_peer, struct rk_error *err)
{
	enum rk_err r = tell(base_of_const(t), code, by_peer, err);

	if (err != NULL)
		err->step = "tls";
	return r;
}

/* ---- what is the library's ---- */

void
quic_tls_base_callbacks(bool server, ngtcp2_callbacks *cb)
{
	if (server) {
		cb->recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
	} else {
		cb->client_initial = ngtcp2_crypto_client_initial_cb;
		cb->recv_retry = ngtcp2_crypto_recv_retry_cb;
	}
	cb->get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
	cb->version_negotiation = ngtcp2_crypto_version_negotiation_cb;
}

static char library[32 + QUIC_TLS_VERSIONS_LEN];

static void
write_library(void)
{
	char versions[QUIC_TLS_VERSIONS_LEN];

	quic_tls_versions(versions);
	(void)snprintf(library, sizeof(library), "ngtcp2 %.20s, %s",
	    ngtcp2_version(0)->version_str, versions);
}

const char *
quic_tls_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, write_library);
	return library;
}
