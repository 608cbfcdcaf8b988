/* The methods every server has: _.ping, _.methods, _.describe,
 * _.subscribe and _.unsubscribe (server_subs.c), _.next_keys (server_next.c).
 */
#include "rpc/greenpack.h"
#include "rpc/server_int.h"
#include "rpc/topic.h"
#include "rpc/typed_int.h"

#include <string.h>

static void
ping(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len);
}

/* ---- what a method is, as a map ---- */

static enum rk_err
put_text(struct buf *b, const char *s)
{
	size_t n = strlen(s);
	uint8_t *p;
	enum rk_err r;

	if ((r = buf_reserve(b, n + 5, &p)) != RK_OK)
		return r;
	buf_commit(b, (size_t)(gp_put_str(p, s, n) - p));
	return RK_OK;
}

static enum rk_err
put_count(struct buf *b, uint32_t n, bool map)
{
	uint8_t head[5] = { map ? 0xdf : 0xdd, (uint8_t)(n >> 24),
		(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	uint8_t small = (uint8_t)((map ? 0x80 : 0x90) | (n & 15));

	if (n < 16)
		return buf_put(b, &small, 1);
	return buf_put(b, head, sizeof(head));
}

static enum rk_err
put_pair(struct buf *b, const char *key, const char *value)
{
	enum rk_err r;

	if (value == NULL)
		return RK_OK;
	if ((r = put_text(b, key)) != RK_OK)
		return r;
	return put_text(b, value);
}

/* "up", "down", "both", or more than one of them; NULL: it is a call. */
static const char *
streams_of(const struct rk_method *m)
{
	static const char *const words[] = { "up", "down", "up down", "both",
		"up both", "down both", "up down both" };

	if (m->stream == NULL || m->streams == 0 ||
	    m->streams > sizeof(words) / sizeof(words[0]))
		return NULL;
	return words[m->streams - 1];
}

static enum rk_err
put_method(struct buf *b, const struct rk_method *m, bool whole)
{
	static const uint8_t yes_no[] = { 0xc2, 0xc3 };
	bool has_schema = whole && m->typed != NULL;
	const char *streams = whole ? streams_of(m) : NULL;
	uint32_t n = 2U + has_schema;
	enum rk_err r;

	n += m->about != NULL;
	n += m->args != NULL;
	n += m->reply != NULL;
	n += m->secret != NULL;
	n += streams != NULL;
	if ((r = put_count(b, n, true)) != RK_OK ||
	    (r = put_pair(b, "name", m->name)) != RK_OK ||
	    (r = put_pair(b, "about", m->about)) != RK_OK ||
	    (r = put_pair(b, "args", m->args)) != RK_OK ||
	    (r = put_pair(b, "reply", m->reply)) != RK_OK ||
	    (r = put_pair(b, "secret", m->secret)) != RK_OK ||
	    (r = put_pair(b, "streams", streams)) != RK_OK ||
	    (r = put_text(b, "idempotent")) != RK_OK)
		return r;
	if ((r = buf_put(b, &yes_no[m->idempotent], 1)) != RK_OK ||
	    !has_schema || (r = put_text(b, "schema")) != RK_OK)
		return r;
	return typed_put_schema(b, m->typed);
}

static bool
may_call(const struct rk_method *m, const struct rk_call *call)
{
	return m->allow == NULL || m->allow(rk_call_peer(call), m->arg);
}

static void
finish(struct rk_call *call, struct buf *b, enum rk_err r)
{
	if (r == RK_OK)
		(void)rk_call_reply(call, buf_peek(b), buf_len(b));
	else
		(void)rk_call_fail(
		    call, "the list is too long for one answer", NULL, 0);
	buf_fini(b);
}

/* The caller's methods, sorted by name: what it may not call is not shown. */
static void
list(struct rk_call *call, void *arg)
{
	const struct methods *all = call->conn->worker->methods;
	enum rk_err r;
	struct buf b;
	uint32_t n = 0;

	(void)arg;
	buf_init(&b, RK_PAYLOAD_MAX);
	for (size_t i = 0; i < all->n; i++)
		n += may_call(&all->list[i], call);
	r = put_count(&b, n, false);
	for (size_t i = 0; r == RK_OK && i < all->n; i++) {
		if (may_call(&all->list[i], call))
			r = put_method(&b, &all->list[i], false);
	}
	finish(call, &b, r);
}

static void
describe(struct rk_call *call, void *arg)
{
	const struct methods *all = call->conn->worker->methods;
	struct rk_str name = topic_asked(rk_call_payload(call), "method");
	const struct rk_method *m = methods_find(all, name);
	struct buf b;

	(void)arg;
	if (m == NULL || !may_call(m, call)) {
		(void)rk_call_fail(call, "no such method", NULL, 0);
		return;
	}
	buf_init(&b, RK_PAYLOAD_MAX);
	finish(call, &b, put_method(&b, m, true));
}

const struct rk_method methods_builtin[METHODS_BUILTIN] = {
	{ .name = "_.ping",
	    .about = "answers with what it was sent",
	    .args = "raw",
	    .reply = "raw",
	    .fn = ping,
	    .idempotent = true },
	{ .name = "_.methods",
	    .about = "the methods this caller may call",
	    .args = "none",
	    .reply = "[{name, about, args, reply, secret, idempotent}]",
	    .fn = list,
	    .idempotent = true },
	{ .name = "_.describe",
	    .about = "one method: what it takes and gives",
	    .args = "{method}",
	    .reply = "{name, about, args, reply, secret, idempotent, "
	             "streams, schema}",
	    .fn = describe,
	    .idempotent = true },
	{ .name = "_.subscribe",
	    .about = "have pushes of a subject sent on this connection",
	    .args = "{subject}",
	    .reply = "none",
	    .fn = server_subscribe },
	{ .name = "_.unsubscribe",
	    .about = "and no more",
	    .args = "{subject}",
	    .reply = "none",
	    .fn = server_unsubscribe },
	{ .name = "_.next_keys",
	    .about = "the keys that will follow the server's own",
	    .args = "none",
	    .reply = "[{key, sig}]",
	    .fn = server_next_keys },
};
