/* Go's net/rpc with a peer that is a socket: captures, order, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "base/buf.h"
#include "rawpeer.h"
#include "rpc/frame.h"
#include "rpc/netrpc.h"
#include "vectors.h"

/* ---- frames ---- */

/* A captured message; *frame holds its bytes. */
static struct msg
captured(const char *name, size_t n, uint8_t **frame)
{
	struct msg m;
	size_t len;

	*frame = vectors_frame(name, n, &len);
	assert_int_equal(
	    msg_decode(*frame + FRAME_HEAD_LEN, len - FRAME_HEAD_LEN, &m, NULL),
	    RK_OK);
	return m;
}

static void
put_msg(int fd, const struct msg *m)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	assert_int_equal(msg_encode(&b, m, NULL, 0), RK_OK);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
}

/* What a peer may choose: who it says it is, what it speaks, and when. */
static void
clear_chosen(struct msg *m)
{
	m->hdr.created = (struct rk_time){ 0 };
	m->hdr.from = m->hdr.to = (struct rk_str){ 0 };
	m->hdr.serial = 0;
	m->hdr.kin = 0;
}

/* The same to the byte, as far as nobody chose. */
static void
check_same(struct msg got, struct msg want)
{
	struct buf x, y;

	clear_chosen(&got);
	clear_chosen(&want);
	buf_init(&x, SIZE_MAX);
	buf_init(&y, SIZE_MAX);
	assert_int_equal(msg_encode(&x, &got, NULL, 0), RK_OK);
	assert_int_equal(msg_encode(&y, &want, NULL, 0), RK_OK);
	assert_int_equal(buf_len(&x), buf_len(&y));
	assert_memory_equal(buf_peek(&x), buf_peek(&y), buf_len(&x));
	buf_fini(&x);
	buf_fini(&y);
}

/* ---- captures ---- */

/* We are the server: Go's client, byte for byte. */
static void
serves_the_capture(void **state)
{
	struct rpcrig rig;
	uint8_t *all, *frame;
	struct msg got, want;
	size_t len;
	int fd;

	rpcrig_begin(&rig, *state);
	arith_serve(&rig);
	all = vectors_load("netrpc-c2s", &len);
	fd = raw_dial(&rig);
	raw_put(fd, all, len);
	for (size_t i = 0; i < 3; i++) {
		raw_get(fd, &got);
		want = captured("netrpc-s2c", i, &frame);
		check_same(got, want);
		free(frame);
	}
	raw_close(fd);
	free(all);
	rpcrig_end(&rig);
}

struct result {
	unsigned n;
	enum rk_err code;
	char text[64];
	size_t len;
};

static void
on_result(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct result *r = arg;
	struct rk_str text = { (const char *)reply->payload.ptr,
		reply->payload.len };

	(void)c;
	r->n++;
	r->code = reply->code;
	if (reply->code == RK_EREMOTE)
		text = reply->remote_error;
	else if (reply->code == RK_ENOMETHOD)
		text = reply->hdr.subject;
	r->len = text.len;
	if (text.len != 0 && text.len < sizeof(r->text))
		memcpy(r->text, text.ptr, text.len);
}

struct world {
	struct rk_client *c;
	int listener;
	int fd;
};

static void
meet(struct world *w)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	char url[128];

	w->listener = raw_listen(url);
	conf.url = url;
	assert_int_equal(rk_client_new(&conf, &w->c, NULL), RK_OK);
	assert_int_equal(rk_client_connect(w->c, NULL), RK_OK);
	w->fd = raw_accept(w->listener);
}

static void
part(struct world *w)
{
	rk_client_free(w->c);
	raw_close(w->fd);
	raw_close(w->listener);
}

static uint64_t
submit(struct world *w, const char *method, const char *value, size_t len,
    uint64_t timeout, struct result *r)
{
	const struct rk_request req = { .method = method,
		.payload = value,
		.payload_len = len,
		.timeout = timeout,
		.netrpc = true };
	uint64_t id;

	*r = (struct result){ 0 };
	assert_int_equal(
	    rk_client_submit(w->c, &req, on_result, r, &id), RK_OK);
	return id;
}

/* The client's loop goes on until the peer has a message. */
static void
get(struct world *w, struct msg *m)
{
	struct pollfd p = { w->fd, POLLIN, 0 };
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (poll(&p, 1, 1) == 0) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_client_process(w->c), RK_OK);
	}
	raw_get(w->fd, m);
}

/* We are the client: what Go's sent, and what Go's server answered. */
static void
sends_the_capture(void **state)
{
	static const struct {
		const char *method;
		const char *value;
		size_t len;
		enum rk_err code;
		const char *answer;
	} rows[] = {
		{ "Arith.Add",
		    "\x82\xab"
		    "A_zid00_int\x07\xab"
		    "B_zid01_int\xd1\x01\x2c",
		    29, RK_OK,
		    "\x81\xab"
		    "C_zid00_int\xd1\x01\x33" },
		{ "Arith.Div",
		    "\x81\xab"
		    "A_zid00_int\x07",
		    14, RK_EREMOTE, "divide by zero" },
		{ "Arith.Nope",
		    "\x81\xab"
		    "A_zid00_int\x07",
		    14, RK_ENOMETHOD, "rpc: can't find method Arith.Nope" },
	};
	struct world w;

	(void)state;
	meet(&w);
	for (size_t i = 0; i < 3; i++) {
		struct result r;
		uint8_t *frame;
		struct msg got, want;

		(void)submit(
		    &w, rows[i].method, rows[i].value, rows[i].len, 0, &r);
		get(&w, &got);
		want = captured("netrpc-c2s", i, &frame);
		want.hdr.call_id = got.hdr.call_id; /* random */
		check_same(got, want);
		free(frame);
		want = captured("netrpc-s2c", i, &frame);
		want.hdr.call_id = got.hdr.call_id;
		put_msg(w.fd, &want);
		rpcrig_turn(w.c, &r.n, 1);
		assert_int_equal(r.code, rows[i].code);
		assert_int_equal(r.len, strlen(rows[i].answer));
		assert_memory_equal(r.text, rows[i].answer, r.len);
		free(frame);
	}
	part(&w);
}

/* ---- one at a time ---- */

static void
answer(struct world *w, const struct msg *request, uint64_t seq, char digit)
{
	const struct netrpc h = { .method = request->hdr.to_service,
		.seq = seq };
	const uint8_t value = (uint8_t)digit;
	struct msg m = { .hdr = { .type = RK_TYPE_REPLY,
		             .seqno = request->hdr.seqno } };
	struct buf b;

	buf_init(&b, SIZE_MAX);
	assert_int_equal(
	    netrpc_encode(&b, &h, (struct rk_bytes){ &value, 1 }), RK_OK);
	m.payload = (struct rk_bytes){ buf_peek(&b), buf_len(&b) };
	put_msg(w->fd, &m);
	buf_fini(&b);
}

/* A message to tell by what comes before it. */
static void
put_mark(struct world *w)
{
	const struct rk_request req = { .method = "mark" };

	assert_int_equal(rk_client_send(w->c, &req), RK_OK);
}

static void
expect(struct world *w, const char *method, struct msg *m)
{
	get(w, m);
	assert_int_equal(m->hdr.to_service.len, strlen(method));
	assert_memory_equal(
	    m->hdr.to_service.ptr, method, m->hdr.to_service.len);
}

static void
sends_one_at_a_time(void **state)
{
	struct result r[4];
	uint64_t second;
	struct msg m;
	struct world w;

	(void)state;
	meet(&w);
	(void)submit(&w, "S.One", "\x01", 1, 0, &r[0]);
	second = submit(&w, "S.Two", "\x02", 1, 0, &r[1]);
	(void)submit(&w, "S.Three", "\x03", 1, 0, &r[2]);
	(void)submit(&w, "S.Four", "\x04", 1, 0, &r[3]);
	put_mark(&w);
	expect(&w, "S.One", &m);
	assert_int_equal(rk_client_cancel(w.c, second), RK_OK);
	rpcrig_turn(w.c, &r[1].n, 1);
	assert_int_equal(r[1].code, RK_ECANCELED);
	answer(&w, &m, 2, 1);
	expect(&w, "mark", &m);
	get(&w, &m); /* the second is known to have ended */
	assert_int_equal(m.hdr.type, RK_TYPE_CANCEL);
	expect(&w, "S.Three", &m);
	assert_int_equal(r[0].n, 1);
	put_mark(&w);
	expect(&w, "mark", &m);
	/* Ordinary messages do not wait, and the end ends all. */
	rk_client_shutdown(w.c);
	rpcrig_turn(w.c, &r[3].n, 1);
	assert_int_equal(r[2].code, RK_ECANCELED);
	assert_int_equal(r[3].code, RK_ECANCELED);
	part(&w);
}

/* Whose time is over still runs there. */
static void
waits_for_late_answers(void **state)
{
	struct result r[2];
	struct msg one, m;
	struct world w;
	uint64_t seq;

	(void)state;
	meet(&w);
	(void)submit(&w, "S.One", "\x01", 1, 30, &r[0]);
	(void)submit(&w, "S.Two", "\x02", 1, 0, &r[1]);
	expect(&w, "S.One", &one);
	rpcrig_turn(w.c, &r[0].n, 1);
	assert_int_equal(r[0].code, RK_ETIMEOUT);
	get(&w, &m);
	assert_int_equal(m.hdr.type, RK_TYPE_CANCEL);
	put_mark(&w);
	expect(&w, "mark", &m);
	one.hdr.to_service = (struct rk_str){ "S.One", 5 };
	one.hdr.seqno = 3;
	answer(&w, &one, 2, 1);
	expect(&w, "S.Two", &m);
	seq = m.hdr.seqno - 1;
	answer(&w, &m, seq, 2);
	rpcrig_turn(w.c, &r[1].n, 1);
	assert_int_equal(r[1].code, RK_OK);
	assert_int_equal(r[0].n, 1);
	part(&w);
}

/* ---- damage ---- */

static void
refuses_bad_answers(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum rk_err code;
	} rows[] = {
#define ROW(code, text) { text, sizeof(text) - 1, code }
		ROW(RK_EPROTO, ""),
		ROW(RK_EPROTO, "\x80"),
		ROW(RK_EPROTO, "\x90\x80"),
		ROW(RK_EPROTO, "\x81\xadSeq_zid01_u64\x63\x80"),
		ROW(RK_EPROTO, "\x81\xadSeq_zid01_u64"),
		ROW(RK_EPROTO, "\x81\xadSeq_zid01_u64\xa1x\x80"),
		ROW(RK_EREMOTE, "\x82\xadSeq_zid01_u64%\xaf"
		                "Error_zid02_str\xa1!\x80"),
		ROW(RK_OK, "\x81\xadSeq_zid01_u64%\x80"),
#undef ROW
	};
	struct world w;

	(void)state;
	meet(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[128];
		struct msg reply = { .hdr = { .type = RK_TYPE_REPLY } };
		struct result r;
		struct msg m;
		uint8_t *mark;

		(void)submit(&w, "S.One", "\x01", 1, 0, &r);
		expect(&w, "S.One", &m);
		memcpy(bytes, rows[i].bytes, rows[i].len);
		mark = memchr(bytes, '%', rows[i].len);
		if (mark != NULL)
			*mark = (uint8_t)(m.hdr.seqno - 1);
		reply.hdr.seqno = m.hdr.seqno;
		reply.payload = (struct rk_bytes){ bytes, rows[i].len };
		put_msg(w.fd, &reply);
		rpcrig_turn(w.c, &r.n, 1);
		assert_int_equal(r.code, rows[i].code);
	}
	part(&w);
}

static void
put_request(int fd, uint64_t seqno, const void *payload, size_t len)
{
	struct msg m = { .hdr = { .type = RK_TYPE_NETRPC,
		             .to_service = { "Arith.Add", 9 },
		             .from_service = { "me", 2 },
		             .seqno = seqno } };

	m.payload = (struct rk_bytes){ payload, len };
	put_msg(fd, &m);
}

static void
survives_bad_requests(void **state)
{
	static const char good[] = "\x82\xb7ServiceMethod_zid00_str\xa9"
	                           "Arith.Add"
	                           "\xadSeq_zid01_u64\x05\x81\xab"
	                           "A_zid00_int\x07";
	const size_t header = 1 + 24 + 10 + 14 + 1;
	struct rk_bytes value;
	struct rpcrig rig;
	struct netrpc h;
	struct msg m;
	int fd;

	rpcrig_begin(&rig, *state);
	arith_serve(&rig);
	fd = raw_dial(&rig);
	/* Cut off at every byte: an answer each time, on one connection. */
	for (size_t n = 0; n < sizeof(good); n++) {
		put_request(fd, 10 + n, good, n);
		raw_get(fd, &m);
		assert_int_equal(
		    m.hdr.type, n < header ? RK_TYPE_ERROR : RK_TYPE_REPLY);
		assert_int_equal(m.hdr.seqno, 10 + n);
		assert_int_equal(m.error.len, 0);
		if (n < header)
			continue;
		assert_int_equal(netrpc_decode(m.payload, &h, &value), RK_OK);
		assert_int_equal(h.seq, 5);
		assert_int_equal(
		    h.error.len == 0, n == header || n == sizeof(good) - 1);
		assert_int_equal(m.hdr.to_service.len, 2);
		assert_memory_equal(m.hdr.from_service.ptr, "Arith.Add", 9);
	}
	raw_check_echo(fd, 4242);
	raw_close(fd);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "serves the capture", serves_the_capture, RPC_ONLY(RPC_TCP) },
		{ "sends the capture", sends_the_capture, RPC_ONLY(RPC_TCP) },
		{ "one at a time", sends_one_at_a_time, RPC_ONLY(RPC_TCP) },
		{ "late answers", waits_for_late_answers, RPC_ONLY(RPC_TCP) },
		{ "bad answers", refuses_bad_answers, RPC_ONLY(RPC_TCP) },
		{ "bad requests", survives_bad_requests, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "net/rpc raw", cases, sizeof(cases) / sizeof(cases[0]));
}
