/* The methods every server has: _.ping, _.methods, _.describe,
 * _.subscribe and _.unsubscribe (server_subs.c), _.next_keys (server_next.c).
 */
#include "rpc/kv.h"
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

/* Not where there is nothing to say. */
static void
put_pair(struct kv *k, const char *key, const char *value)
{
	if (value != NULL)
		kv_pair_text(k, key, value);
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

static void
put_method(struct kv *k, const struct rk_method *m, bool whole)
{
	bool has_schema = whole && m->typed != NULL;
	const char *streams = whole ? streams_of(m) : NULL;
	uint32_t n = 2U + has_schema;

	n += m->about != NULL;
	n += m->args != NULL;
	n += m->reply != NULL;
	n += m->secret != NULL;
	n += streams != NULL;
	kv_map(k, n);
	kv_pair_text(k, "name", m->name);
	put_pair(k, "about", m->about);
	put_pair(k, "args", m->args);
	put_pair(k, "reply", m->reply);
	put_pair(k, "secret", m->secret);
	put_pair(k, "streams", streams);
	kv_pair_bool(k, "idempotent", m->idempotent);
	if (!has_schema)
		return;
	kv_text(k, "schema");
	typed_put_schema(k, m->typed);
}

static bool
may_call(const struct rk_method *m, const struct rk_call *call)
{
	return m->allow == NULL || m->allow(rk_call_peer(call), m->arg);
}

static void
finish(struct rk_call *call, struct kv *k)
{
	if (k->r == RK_OK)
		(void)rk_call_reply(call, buf_peek(k->b), buf_len(k->b));
	else
		(void)rk_call_fail(
		    call, "the list is too long for one answer", NULL, 0);
	buf_fini(k->b);
}

/* The caller's methods, sorted by name: what it may not call is not shown. */
static void
list(struct rk_call *call, void *arg)
{
	const struct methods *all = call->conn->worker->methods;
	struct buf b;
	struct kv k = { .b = &b };
	uint32_t n = 0;

	(void)arg;
	buf_init(&b, RK_PAYLOAD_MAX);
	for (size_t i = 0; i < all->n; i++)
		n += may_call(&all->list[i], call);
	kv_array(&k, n);
	for (size_t i = 0; i < all->n; i++) {
		if (may_call(&all->list[i], call))
			put_method(&k, &all->list[i], false);
	}
	finish(call, &k);
}

static void
describe(struct rk_call *call, void *arg)
{
	const struct methods *all = call->conn->worker->methods;
	struct rk_str name = topic_asked(rk_call_payload(call), "method");
	const struct rk_method *m = methods_find(all, name);
	struct buf b;
	struct kv k = { .b = &b };

	(void)arg;
	if (m == NULL || !may_call(m, call)) {
		(void)rk_call_fail(call, "no such method", NULL, 0);
		return;
	}
	buf_init(&b, RK_PAYLOAD_MAX);
	put_method(&k, m, true);
	finish(call, &k);
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
