/* Which key an order is about: an entry, a line, a row of the store, a peer. */
#include "trust/policy_int.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/ask_disk.h"
#include "trust/store.h"

/* A key of the file whose fingerprint begins so, and its line.  RK_ENOENT,
 * RK_EINVAL, errors of known_read(); RK_EBUSY: the key without its line. */
static enum rk_err
find_line(const struct rk_trust *t, const char *key, struct rk_ask_entry *out,
    struct rk_error *err)
{
	char fp[RK_FP_LEN];

	out->fp[0] = '\0';
	for (size_t i = 0; i < t->known.n; i++) {
		rk_fp_of_key(t->known.keys[i], fp);
		if (!rk_fp_match(fp, key, true) || strcmp(fp, out->fp) == 0)
			continue;
		if (out->fp[0] != '\0')
			return err_set(err, RK_EINVAL,
			    "%s and %s both begin so", out->fp, fp);
		(void)str_copy(out->fp, sizeof(out->fp), fp);
		memcpy(out->pub, t->known.keys[i], sizeof(out->pub));
	}
	if (out->fp[0] == '\0')
		return RK_ENOENT;
	out->has_cert = true;
	out->status = RK_ASK_KNOWN;
	return policy_read_line(t, out, err);
}

/* "SHA256: aBc..." as it is kept; false: not a whole fingerprint. */
static bool
normal_fp(const char *given, char fp[RK_FP_LEN])
{
	size_t n = 0;

	(void)str_copy(fp, RK_FP_LEN, "SHA256:");
	n = strlen(fp);
	while (*given == ' ' || *given == '\t')
		given++;
	if (strncmp(given, fp, n) == 0)
		given += n;
	for (; *given != '\0'; given++) {
		if (*given == ' ' || *given == '\t' || *given == '\n')
			continue;
		if (n == RK_FP_LEN - 1 || strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		                                 "abcdefghijklmnopqrstuvwxyz"
		                                 "0123456789+/",
		                              *given) == NULL)
			return false;
		fp[n++] = *given;
	}
	fp[n] = '\0';
	return n == RK_FP_LEN - 1;
}

enum rk_err
policy_find_key(const struct rk_trust *t, const char *key,
    enum policy_look lines, struct rk_ask_entry *e, struct rk_error *err)
{
	struct rk_ask_entry line = { 0 };
	enum rk_err of_line, r;

	memset(e, 0, sizeof(*e));
	r = room_find(t->room, key, e, err);
	if (r != RK_OK && r != RK_ENOENT)
		return r;
	of_line = lines != POLICY_NO_LINES ? find_line(t, key, &line, err)
	                                   : RK_ENOENT;
	if (of_line == RK_EBUSY && lines == POLICY_KEYS) {
		err_clear(err);
		of_line = RK_OK;
	}
	if (of_line != RK_OK && of_line != RK_ENOENT)
		return of_line;
	if (r == RK_OK && of_line == RK_OK && strcmp(e->fp, line.fp) != 0)
		return err_set(
		    err, RK_EINVAL, "%s and %s both begin so", e->fp, line.fp);
	if (r == RK_OK)
		return RK_OK;
	if (of_line == RK_OK) {
		*e = line;
		return RK_OK;
	}
	return err_set(err, RK_ENOENT, "no such key");
}

/* A row that neither table nor file has: who waited long ago, or lost its line.
 */
static enum rk_err
find_row(const struct rk_trust *t, const char *key, struct rk_ask_entry *e,
    struct rk_error *err)
{
	struct rk_store *s = ask_disk_store(t->room);
	struct store_row row;
	enum rk_err r;

	if (s == NULL || !store_is_long_enough(key))
		return RK_ENOENT;
	(void)pthread_mutex_lock(&s->mutex);
	r = store_resolve(s, key, &row, err);
	(void)pthread_mutex_unlock(&s->mutex);
	if (r != RK_OK)
		return r;
	ask_disk_text(&row.e, e);
	e->status = RK_ASK_NEW;
	return RK_OK;
}

static void
take_peer(const struct rk_peer *peer, struct rk_ask_entry *e)
{
	*e = (struct rk_ask_entry){ .has_cert = true, .status = RK_ASK_NEW };
	(void)str_copy(e->fp, sizeof(e->fp), peer->cert.fp);
	memcpy(e->pub, peer->cert.pub, sizeof(e->pub));
	(void)str_copy(e->email, sizeof(e->email), peer->cert.email);
	(void)str_copy(e->cn, sizeof(e->cn), peer->cert.cn);
	(void)str_copy(e->ca, sizeof(e->ca), peer->cert.issuer_cn);
	(void)str_copy(e->remote, sizeof(e->remote), peer->remote);
	e->cert_from = peer->cert.not_before;
	e->cert_until = peer->cert.not_after;
}

enum rk_err
policy_find_old(const struct rk_trust *t, const struct rk_ask_order *o,
    const struct rk_peer *met, struct rk_ask_entry *e, struct rk_error *err)
{
	const bool bars = o->verb == RK_ASK_REJECT || o->verb == RK_ASK_REVOKE;
	const bool stored = room_store(t->room).decide != NULL;
	/* Forgetting takes the line out, which the store does. */
	const bool forgets = o->verb == RK_ASK_FORGET && stored;
	const bool others =
	    forgets || o->verb == RK_ASK_REPLACE || o->verb == RK_ASK_NOTE;
	/* Who lets in a key that is known by now is told so. */
	const bool admits = o->verb == RK_ASK_APPROVE ||
	                    o->verb == RK_ASK_APPROVE_ONCE ||
	                    o->verb == RK_ASK_APPROVE_UNTIL;
	enum rk_err r = policy_find_key(t, o->key,
	    bars || admits ? POLICY_KEYS
	    : others       ? POLICY_LINES
	                   : POLICY_NO_LINES,
	    e, err);

	if (r == RK_ENOENT && (bars || forgets))
		r = find_row(t, o->key, e, err);
	if (r == RK_OK && bars && met != NULL && strcmp(e->fp, met->cert.fp))
		return err_set(err, RK_EINVAL, "%s and %s both begin so", e->fp,
		    met->cert.fp);
	if (r != RK_ENOENT)
		return r;
	if (bars && met != NULL)
		take_peer(met, e);
	else if (admits && normal_fp(o->key, e->fp))
		/* A line has the key itself, which a fingerprint is not. */
		return err_set(err, RK_ENOENT,
		    "no such key: it does not wait; it has to come (again), or "
		    "its line be put into the list");
	else if (!bars || !normal_fp(o->key, e->fp))
		return err_set(err, RK_ENOENT, "no such key");
	err_clear(err);
	return RK_OK;
}
