/* Known servers: keys that they announce, kept beside the present ones. */
#include "trust/servers_int.h"

#include "base/error.h"

/* What their lines are to say. */
struct announced {
	const struct servers_query *q;
	char next[RK_NEXT_KEYS_MAX * RK_FP_LEN];
	bool changed;
};

static enum rk_err
check(const struct rk_peer *peer, const struct rk_next_key *keys, size_t n,
    struct announced *a, struct rk_error *err)
{
	size_t len = 0;

	if (!peer->proven)
		return err_set(
		    err, RK_ECERT, "the peer has not proven any key");
	if (n > RK_NEXT_KEYS_MAX)
		return err_set(err, RK_ELIMIT, "%zu next keys are too many", n);
	for (size_t i = 0; i < n; i++) {
		if (!rk_next_key_ok(peer->cert.pub, &keys[i]))
			return err_set(
			    err, RK_ECERT, "a next key has not proven itself");
		if (i > 0)
			a->next[len++] = ',';
		rk_fp_of_key(keys[i].pub, a->next + len);
		len += strlen(a->next + len);
	}
	return RK_OK;
}

/* The line by which the peer is known here? */
static bool
is_own(const struct known_line *line, const struct servers_query *q)
{
	bool tied;
	struct rk_str at = servers_at(line, &tied);

	return memcmp(line->pub, q->pub, sizeof(line->pub)) == 0 &&
	       (!tied || servers_has(at, q->address));
}

static enum rk_err
put_line(struct servers_list *l, struct announced *a, struct rk_str text)
{
	struct rk_str next = { a->next, strlen(a->next) }, old;
	struct known_line line;

	if (known_line(text, &line) != RK_OK || !is_own(&line, a->q))
		return servers_copy_line(l, text);
	old = servers_next(&line);
	if (old.len == next.len && memcmp(old.ptr, next.ptr, old.len) == 0)
		return servers_copy_line(l, text);
	a->changed = true;
	return servers_put_field(l, &line, text.ptr, "next=", next);
}

static enum rk_err
note(struct servers_list *l, struct announced *a, struct rk_error *err)
{
	struct rk_server_view view;
	size_t at = 0;
	bool ended;
	enum rk_err r = RK_OK;

	servers_judge(servers_text(l), buf_len(&l->text), a->q, &view);
	if (view.is != RK_SERVER_KNOWN)
		return err_set(err, RK_EUNKNOWNKEY,
		    "%s: key %s is not known for %s", l->name, a->q->fp,
		    a->q->address);
	while (r == RK_OK && at < buf_len(&l->text))
		r = put_line(l, a,
		    known_next_line(
		        servers_text(l), buf_len(&l->text), &at, &ended));
	if (r != RK_OK)
		return err_set(err, r, "%s: cannot note a next key: %s",
		    l->name, rk_err_text(r));
	if (!a->changed)
		return RK_OK;
	if ((r = servers_may_write(l, err)) == RK_OK)
		r = servers_commit(l, false, err);
	return r;
}

enum rk_err
rk_servers_next(const char *path, const char *address,
    const struct rk_peer *peer, const struct rk_next_key *keys, size_t n,
    bool *changed, struct rk_error *err)
{
	struct announced a = { .changed = false };
	struct servers_query q;
	struct servers_list l;
	enum rk_err r;

	*changed = false;
	err_clear(err);
	if ((r = check(peer, keys, n, &a, err)) != RK_OK ||
	    (r = servers_ask(address, peer, &q, err)) != RK_OK)
		return r;
	r = servers_hold(path, &l, err);
	if (r == RK_ENOENT)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is not known for %s", q.fp, q.address);
	if (r != RK_OK)
		return r;
	a.q = &q;
	r = note(&l, &a, err);
	*changed = r == RK_OK && a.changed;
	servers_let_go(&l);
	return r;
}
