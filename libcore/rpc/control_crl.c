/* Keys that the CA's revocation list has put out: connections of theirs ended,
 * or never began. */
#include "rpc/control_int.h"

#include "base/str.h"

#include <time.h>

static struct control_listed *
find(struct rk_control *c, const char *fp)
{
	for (size_t i = 0; i < c->n_listed; i++) {
		if (strcmp(c->listed[i].fp, fp) == 0)
			return &c->listed[i];
	}
	return NULL;
}

static void
remove_one(struct rk_control *c, struct control_listed *l)
{
	size_t after = (size_t)(&c->listed[c->n_listed] - (l + 1));

	memmove(l, l + 1, after * sizeof(*l));
	c->n_listed--;
}

/* The newest are kept. */
static void
add(struct rk_control *c, const struct rk_cert_info *cert, const char *remote)
{
	struct control_listed *l = find(c, cert->fp);

	if (l != NULL)
		remove_one(c, l);
	else if (c->n_listed == CONTROL_LISTED)
		remove_one(c, c->listed);
	l = &c->listed[c->n_listed++];
	(void)str_copy(l->fp, sizeof(l->fp), cert->fp);
	(void)str_copy(l->email, sizeof(l->email), cert->email);
	(void)str_copy(l->ca, sizeof(l->ca), cert->issuer_cn);
	(void)str_copy(l->remote, sizeof(l->remote), remote);
	memcpy(l->pub, cert->pub, sizeof(l->pub));
	l->when = (int64_t)time(NULL);
}

/* Of no connection: id 0, no address. */
static void
push(struct rk_control *c, uint64_t id, const char *remote,
    const struct rk_cert_info *cert)
{
	struct kv k;
	struct buf b;

	if (TAILQ_EMPTY(&c->readers))
		return;
	control_event_begin(&k, &b, 6, "revoked");
	kv_pair_uint(&k, "id", id);
	kv_pair_text(&k, "address", remote);
	kv_pair_text(&k, "email", cert->email);
	kv_pair_text(&k, "fingerprint", cert->fp);
	kv_pair_text(&k, "cn", cert->cn);
	kv_pair_text(&k, "by", "list");
	control_event_push(c, &k, CONTROL_OF_TRUST);
	buf_fini(&b);
}

void
control_crl_closed(struct rk_control *c, const struct admission *a)
{
	bool listed = a->why.code == RK_EREVOKED && a->peer.proven &&
	              a->why.step != NULL &&
	              strcmp(a->why.step, "revocation") == 0;

	if (!listed)
		return;
	add(c, &a->peer.cert, a->remote);
	push(c, a->id, a->remote, &a->peer.cert);
}

/* Is its owner here, with a certificate that counts? */
static bool
is_present(const struct rk_control *c, const char *fp)
{
	const struct admission *a;

	TAILQ_FOREACH (a, &c->server->present, link) {
		if (a->peer.proven && strcmp(a->peer.cert.fp, fp) == 0)
			return true;
	}
	return false;
}

void
control_on_listed(struct server_watch *w, const struct rk_cert_info *cert)
{
	struct rk_control *c = control_of(w);

	if (find(c, cert->fp) != NULL || is_present(c, cert->fp))
		return;
	add(c, cert, "");
	push(c, 0, "", cert);
}

/* With another certificate it may be here again. */
void
control_crl_opened(struct rk_control *c, const struct admission *a)
{
	struct control_listed *l =
	    a->peer.proven ? find(c, a->peer.cert.fp) : NULL;

	if (l != NULL)
		remove_one(c, l);
}

bool
control_crl_has(const struct rk_control *c, const char *fp)
{
	for (size_t i = 0; i < c->n_listed; i++) {
		if (strcmp(c->listed[i].fp, fp) == 0)
			return true;
	}
	return false;
}

void
control_crl_entry(
    const struct rk_control *c, size_t i, struct rk_ask_entry *out)
{
	const struct control_listed *l = &c->listed[i];

	*out = (struct rk_ask_entry){
		.has_cert = true, .status = RK_ASK_REVOKED, .last_seen = l->when
	};
	(void)str_copy(out->fp, sizeof(out->fp), l->fp);
	(void)str_copy(out->email, sizeof(out->email), l->email);
	(void)str_copy(out->ca, sizeof(out->ca), l->ca);
	(void)str_copy(out->remote, sizeof(out->remote), l->remote);
	memcpy(out->pub, l->pub, sizeof(out->pub));
}
