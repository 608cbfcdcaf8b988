/* Streams with arguments in their answer, work a turn later, and Go's capture
 * of one both ways played to our client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rawpeer.h"
#include "rpcrig.h"
#include "streamrig.h"
#include "vectors.h"

#define MANY (RK_ARGS_MAX + 1)

static struct rk_arg many[MANY];

static struct rk_arg
arg_of(const char *key, const char *value)
{
	return (
	    struct rk_arg){ { key, strlen(key) }, { value, strlen(value) } };
}

/* ---- a server that answers with arguments, a turn later ---- */

struct late {
	struct rk_stream *s;
	size_t n;
};

static void
answer(void *arg)
{
	struct late *l = arg;
	struct rk_arg args[] = { arg_of("k", "v"), arg_of("sum", "42") };

	if (l->s != NULL && l->n == 0)
		(void)rk_stream_reply_args(l->s, args, 2, "text", 4);
	else if (l->s != NULL)
		(void)rk_stream_reply_args(l->s, many, l->n, NULL, 0);
	free(l);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)reply;
	((struct late *)arg)->s = NULL;
	(void)s;
}

static void
open_late(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .ended = on_ended };
	struct rk_bytes p = rk_stream_request(s);
	struct late *l = calloc(1, sizeof(*l));

	(void)arg;
	assert_non_null(l);
	l->s = s;
	l->n = p.len > 0 ? MANY : 0;
	rk_stream_listen(s, &events, l);
	assert_int_equal(rk_loop_post(rk_stream_loop(s), answer, l), RK_OK);
}

static void
serve_late(struct rpcrig *r, void *arg)
{
	static const struct rk_method method = {
		.name = "late", .stream = open_late, .streams = RK_STREAM_DOWN
	};

	(void)arg;
	assert_int_equal(
	    rk_server_methods(r->server, &method, 1, NULL, NULL, NULL), RK_OK);
}

static bool
has_arg(const struct rk_reply *reply, const char *key, const char *value)
{
	struct rk_str v;

	return rk_args_get(&reply->hdr.args, key, &v) &&
	       v.len == strlen(value) && memcmp(v.ptr, value, v.len) == 0;
}

static void
answers_with_arguments(void **state)
{
	struct rk_reply reply;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;

	rpcrig_begin(&rig, *state);
	rpcrig_do(&rig, serve_late, NULL);
	c = rpcrig_client(&rig);
	for (int i = 0; i < 3; i++) {
		s = streamrig_open(c, RK_STREAM_DOWN, "late", "", 0);
		assert_int_equal(rk_stream_finish(s, &reply, NULL), RK_OK);
		assert_true(has_arg(&reply, "k", "v"));
		assert_true(has_arg(&reply, "sum", "42"));
		assert_int_equal(reply.payload.len, 4);
		rk_reply_free(&reply);
	}
	/* Too many: the caller is told, and the connection goes on. */
	for (size_t i = 0; i < MANY; i++)
		many[i] = arg_of("key", "value");
	s = streamrig_open(c, RK_STREAM_DOWN, "late", "x", 0);
	streamrig_finish(s, RK_EREMOTE, "the answer is too large");
	s = streamrig_open(c, RK_STREAM_DOWN, "late", "", 0);
	streamrig_finish(s, RK_OK, "text");
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- Go's server, from its capture ---- */

/* What it sent, with our number and id in place of its client's. */
static void
play(int fd, const struct rk_header *hdr)
{
	static const char key[] = "Seqno_zid09_u64";
	static const char id[] = "_2ORBaKReB4FpaoR30OW_qfy_9WW_rvoZRyYu_NwRZgj";
	uint8_t *data, *at;
	size_t len;

	assert_true(hdr->seqno < 128);
	assert_int_equal(hdr->call_id.len, strlen(id));
	data = vectors_load("bistream-s2c", &len);
	at = data;
	while ((at = memmem(at, len - (size_t)(at - data), key, strlen(key))) !=
	       NULL) {
		at += strlen(key);
		*at = (uint8_t)hdr->seqno;
	}
	at = data;
	while ((at = memmem(at, len - (size_t)(at - data), id, strlen(id))) !=
	       NULL)
		memcpy(at, hdr->call_id.ptr, hdr->call_id.len);
	raw_put(fd, data, len);
	free(data);
}

static void
takes_go(void **state)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	struct msg m = { 0 };
	struct rk_client *c;
	struct rk_stream *s;
	struct rk_part p;
	char url[128];
	int listening = raw_listen(url), fd;

	(void)state;
	conf.url = url;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	s = streamrig_open(
	    c, RK_STREAM_BOTH, "echoBistreamFunc", "0123456789", 0);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	fd = raw_accept(listening);
	raw_get(fd, &m);
	assert_int_equal(m.hdr.type, RK_TYPE_BISTREAM);
	play(fd, &m.hdr);
	assert_int_equal(rk_stream_next(s, &p, NULL), RK_OK);
	assert_int_equal(p.payload.len, 10);
	assert_memory_equal(p.payload.ptr, "0123456789", 10);
	assert_int_equal(p.hdr->args.count, 2);
	assert_int_equal(rk_stream_next(s, &p, NULL), RK_OK);
	assert_true(p.last);
	assert_int_equal(p.payload.len, 0);
	assert_int_equal(rk_stream_next(s, &p, NULL), RK_ENOENT);
	streamrig_finish(s, RK_OK, "");
	rk_client_free(c);
	raw_close(fd);
	raw_close(listening);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "args", answers_with_arguments, RPC_ALL },
		{ "go", takes_go, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "rpc stream args", cases, sizeof(cases) / sizeof(cases[0]));
}
