/* TLS: peers that send something else, too little, too much, or go away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rawtls.h"
#include "stacks.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define CLIENT 0
#define SERVER 1

static struct stack_world world;
static struct certs_cert *leaf;

static int
set_up(void **state)
{
	(void)state;
	stack_world_init(&world);
	leaf = certs_new_leaf(world.ca, "raw", "raw@example.org");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_free(leaf);
	stack_world_fini(&world);
	return 0;
}

static void
contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void
meet(struct meeting *m, int who)
{
	const struct raw_conf conf = {
		.server = who == CLIENT,
		.cert = leaf,
	};

	tls_ctx_forget(world.ctx[CLIENT]);
	meeting_init(m, world.ctx[who], world.loop, &conf);
}

static void
put(int fd, const void *src, size_t len)
{
	assert_int_equal(send(fd, src, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* A layer in the role of `who` gets these bytes, and then the end. */
static enum rk_err
feed(int who, const void *src, size_t len, struct rk_error *err)
{
	struct mem mem = { 0 };
	struct layer *l;
	enum rk_err r;
	int fd;

	mem_layer(&mem, &l, &fd);
	assert_int_equal(
	    tls_layer_new(world.ctx[who], world.loop, l, &l), RK_OK);
	if (who == CLIENT)
		assert_int_equal(l->ops->handshake(l, err), RK_EAGAIN);
	put(fd, src, len);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	do
		r = l->ops->handshake(l, err);
	while (r == RK_EAGAIN);
	assert_int_equal(ERR_peek_error(), 0);
	layer_free(l);
	assert_int_equal(close(fd), 0);
	return r;
}

/* ---- no TLS ---- */

static void
tells_what_it_is(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
		{ "\xb3\x5d\x18\x39\0\0\0\0\0\0\0\0", 12,
		    "plain rpc25519 bytes on a TLS port?" },
		{ "GET / HTTP/1.0\r\n\r\n", 18, "HTTP" },
		{ "CONNECT x:1 HTTP/1.0\r\n\r\n", 24, "HTTP" },
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", 28, "HTTP" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", 21, "this is not TLS" },
		{ "\0\0\0\0\0\0\0\0\0\0", 10, "this is not TLS" },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "this is not TLS" },
		{ "", 0, "the peer closed the connection during" },
		{ "\x16\x03\x01", 3, "the peer closed the connection during" },
	};
	struct rk_error err;

	(void)state;
	for (int i = 0; i < (int)N(cases) * 2; i++) {
		memset(&err, 0, sizeof(err));
		assert_int_equal(
		    feed(i % 2, cases[i / 2].bytes, cases[i / 2].len, &err),
		    RK_ETLS);
		assert_int_equal(err.code, RK_ETLS);
		assert_string_equal(err.step, "tls");
		contains(err.text, cases[i / 2].text);
	}
	/* What a server may say before anything else. */
	assert_int_equal(
	    feed(CLIENT, "\x15\x03\x03\x00\x02\x02\x28", 7, &err), RK_ETLS);
	contains(err.text, "(alert handshake failure)");
	assert_int_equal(
	    feed(CLIENT, "\x15\x03\x03\x00\x02\x02\x46", 7, &err), RK_ETLS);
	contains(err.text, "TLS 1.2 or older (alert protocol version)");
}

/* The first flight of a client of ours. */
static size_t
get_hello(uint8_t *dst, size_t cap)
{
	struct mem mem = { 0 };
	struct layer *l;
	ssize_t n;
	int fd;

	mem_layer(&mem, &l, &fd);
	assert_int_equal(
	    tls_layer_new(world.ctx[CLIENT], world.loop, l, &l), RK_OK);
	assert_int_equal(l->ops->handshake(l, NULL), RK_EAGAIN);
	n = recv(fd, dst, cap, 0);
	assert_true(n > 100);
	layer_free(l);
	assert_int_equal(close(fd), 0);
	return (size_t)n;
}

static void
survives_cut_hello(void **state)
{
	uint8_t hello[2048];
	size_t len = get_hello(hello, sizeof(hello));
	struct rk_error err;

	(void)state;
	for (size_t n = 0; n <= len; n++) {
		assert_int_equal(feed(SERVER, hello, n, &err), RK_ETLS);
		contains(err.text, "the peer closed the connection during");
	}
}

static void
survives_damaged_hello(void **state)
{
	uint8_t hello[2048];
	size_t len = get_hello(hello, sizeof(hello));
	struct rk_error err;

	(void)state;
	for (size_t i = 0; i < len; i++) {
		for (unsigned bit = 0; bit < 8; bit += 3) {
			enum rk_err r;

			hello[i] ^= (uint8_t)(1u << bit);
			r = feed(SERVER, hello, len, &err);
			hello[i] ^= (uint8_t)(1u << bit);
			assert_int_equal(r, RK_ETLS);
			assert_true(err.text[0] != '\0');
		}
	}
}

static void
survives_noise(void **state)
{
	uint8_t noise[600];
	uint32_t seed = 1;
	struct rk_error err;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] =
			    (uint8_t)((seed = seed * 1664525 + 1013904223) >>
			              24);
		/* Every other time as the body of a record. */
		if (i % 2 == 0)
			memcpy(noise, "\x16\x03\x01\x02\x53\x01\0\x02\x4f", 9);
		assert_true(feed((int)(i / 2 % 2), noise, 600, &err) != RK_OK);
	}
}

static void
dribbles(void **state)
{
	struct meeting m;

	(void)state;
	for (int who = 0; who < 2; who++) {
		meet(&m, who);
		m.mem.recv_max = m.mem.send_max = 1;
		raw_connect(&m.p, m.l);
		raw_say(m.l, "hello");
		raw_expect(&m.p, m.l, "hello");
		meeting_fini(&m);
	}
}

/* ---- ends ---- */

static void
tells_how_it_ended(void **state)
{
	struct meeting m;
	struct rk_error err;
	uint8_t byte;
	size_t n;

	(void)state;
	for (int i = 0; i < 4; i++) {
		meet(&m, i % 2);
		raw_connect(&m.p, m.l);
		raw_send(&m.p, "last", 4);
		if (i / 2 == 0)
			assert_int_equal(SSL_shutdown(m.p.ssl), 0);
		assert_int_equal(shutdown(m.p.fd, SHUT_WR), 0);
		raw_deliver(m.l, "last");
		assert_int_equal(m.l->ops->recv(m.l, &byte, 1, &n), RK_ECLOSED);
		assert_true(layer_query(m.l, LAYER_Q_ERROR, &err));
		contains(err.text, i / 2 == 0 ? "closed by the peer"
		                              : "ended without close_notify");
		meeting_fini(&m);
	}
}

/* The end came with the last bytes, and the descriptor may never stir again:
 * pending() tells that recv() has more to say. */
static void
end_is_pending(void **state)
{
	struct meeting m;
	uint8_t text[64];
	size_t n;

	(void)state;
	meet(&m, SERVER);
	raw_connect(&m.p, m.l);
	assert_false(m.l->ops->pending(m.l));
	raw_send(&m.p, "last", 4);
	assert_int_equal(SSL_shutdown(m.p.ssl), 0);
	assert_int_equal(m.l->ops->recv(m.l, text, sizeof(text), &n), RK_OK);
	assert_int_equal(n, 4);
	assert_true(m.l->ops->pending(m.l));
	assert_int_equal(
	    m.l->ops->recv(m.l, text, sizeof(text), &n), RK_ECLOSED);
	assert_false(m.l->ops->pending(m.l));
	/* Only their half is closed. */
	raw_say(m.l, "still here");
	raw_expect(&m.p, m.l, "still here");
	m.l->ops->close(m.l, NULL);
	assert_int_equal(raw_recv(&m.p, text, 1), 0);
	meeting_fini(&m);
}

static void
says_goodbye(void **state)
{
	struct meeting m;
	char text[64];
	uint8_t byte;
	size_t n;

	(void)state;
	for (int who = 0; who < 2; who++) {
		meet(&m, who);
		raw_connect(&m.p, m.l);
		raw_say(m.l, "last");
		m.l->ops->close(m.l, NULL); /* which flushes */
		assert_int_equal(raw_recv(&m.p, text, sizeof(text)), 4);
		assert_int_equal(raw_recv(&m.p, text, sizeof(text)), 0);
		assert_int_equal(m.p.alert, SSL_AD_CLOSE_NOTIFY);
		assert_int_equal(m.mem.closes, 1);
		assert_int_equal(m.l->ops->recv(m.l, &byte, 1, &n), RK_ECLOSED);
		meeting_fini(&m);
	}
}

/* The layer below breaks at its k-th call, whatever it is for. */
static void
passes_failures_on(void **state)
{
	struct meeting m;
	struct rk_error err;
	enum rk_err r;
	size_t n;

	(void)state;
	for (unsigned at = 1; at < 5; at++) {
		meet(&m, SERVER);
		m.mem.recv_fail = (struct mem_fail){ RK_EIO, at };
		r = raw_shake(&m.p, m.l, &err);
		if (r == RK_OK) {
			uint8_t byte;

			r = m.l->ops->recv(m.l, &byte, 1, &n);
			assert_true(layer_query(m.l, LAYER_Q_ERROR, &err));
		}
		assert_int_equal(r, RK_EIO);
		contains(err.text, "the connection broke");
		meeting_fini(&m);
	}
	meet(&m, SERVER);
	raw_connect(&m.p, m.l);
	m.mem.send_fail = (struct mem_fail){ RK_EIO, 1 };
	raw_say(m.l, "hello");
	assert_int_equal(m.l->ops->flush(m.l), RK_EIO);
	assert_true(layer_query(m.l, LAYER_Q_ERROR, &err));
	contains(err.text, "the connection broke");
	meeting_fini(&m);
	meet(&m, SERVER);
	m.mem.handshake_fail = (struct mem_fail){ RK_ECONNECT, 1 };
	m.mem.fail_text = "cannot connect";
	assert_int_equal(m.l->ops->handshake(m.l, &err), RK_ECONNECT);
	assert_string_equal(err.text, "cannot connect");
	meeting_fini(&m);
}

/* ---- after the handshake ---- */

static void
refuses_damage(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int alert;
	} cases[] = {
		{ "\x17\x03\x03\x00\x20"
		  "0123456789abcdef0123456789abcdef",
		    37, SSL_AD_BAD_RECORD_MAC },
		{ "\x17\x03\x03\xff\xff", 5, SSL_AD_RECORD_OVERFLOW },
		{ "\x16\x03\x03\x00\x01\x01", 6, SSL_AD_UNEXPECTED_MESSAGE },
		{ "GET / HTTP/1.0\r\n\r\n", 18, -1 },
	};
	struct meeting m;
	struct rk_error err;
	uint8_t byte;
	size_t n;

	(void)state;
	for (int i = 0; i < (int)N(cases) * 2; i++) {
		meet(&m, i % 2);
		raw_connect(&m.p, m.l);
		raw_send(&m.p, "good", 4);
		put(m.p.fd, cases[i / 2].bytes, cases[i / 2].len);
		raw_deliver(m.l, "good");
		assert_true(m.l->ops->pending(m.l));
		assert_int_equal(m.l->ops->recv(m.l, &byte, 1, &n), RK_EPROTO);
		assert_true(layer_query(m.l, LAYER_Q_ERROR, &err));
		assert_int_equal(err.code, RK_EPROTO);
		assert_true(err.text[0] != '\0');
		assert_int_equal(ERR_peek_error(), 0);
		assert_int_equal(m.l->ops->send(m.l, &byte, 1, &n), RK_EPROTO);
		raw_step(&m.p);
		assert_true(m.p.failed);
		if (cases[i / 2].alert >= 0)
			assert_int_equal(m.p.alert, cases[i / 2].alert);
		meeting_fini(&m);
	}
}

static void
update_key(struct raw *p, int kind)
{
	assert_int_equal(SSL_key_update(p->ssl, kind), 1);
	assert_int_equal(SSL_do_handshake(p->ssl), 1);
}

static void
follows_key_updates(void **state)
{
	struct meeting m;

	(void)state;
	for (int who = 0; who < 2; who++) {
		meet(&m, who);
		raw_connect(&m.p, m.l);
		for (int i = 0; i < 8; i++) {
			update_key(&m.p, i % 2 == 0
			                     ? SSL_KEY_UPDATE_REQUESTED
			                     : SSL_KEY_UPDATE_NOT_REQUESTED);
			raw_send(&m.p, "ping", 4);
			raw_deliver(m.l, "ping");
			assert_int_equal(m.l->ops->want(m.l), RK_READ);
			raw_say(m.l, "pong");
			/* With AUTO_RETRY the raw end skips our update. */
			(void)SSL_set_mode(m.p.ssl, SSL_MODE_AUTO_RETRY);
			raw_expect(&m.p, m.l, "pong");
		}
		meeting_fini(&m);
	}
}

static void
bounds_key_updates(void **state)
{
	struct meeting m;
	struct rk_error err;
	uint8_t byte;
	size_t n;

	(void)state;
	meet(&m, SERVER);
	raw_connect(&m.p, m.l);
	for (int i = 0; i < 50; i++)
		update_key(&m.p, SSL_KEY_UPDATE_REQUESTED);
	raw_send(&m.p, "ping", 4);
	raw_deliver(m.l, "ping");
	for (int i = 0; i < 150; i++)
		update_key(&m.p, SSL_KEY_UPDATE_NOT_REQUESTED);
	raw_send(&m.p, "ping", 4);
	assert_int_equal(m.l->ops->recv(m.l, &byte, 1, &n), RK_EPROTO);
	assert_true(layer_query(m.l, LAYER_Q_ERROR, &err));
	contains(err.text, "without data");
	meeting_fini(&m);
}

/* A peer that makes us answer and reads no answer does not fill our memory. */
static void
bounds_answers(void **state)
{
	struct meeting m;
	enum rk_err r = RK_OK;
	uint8_t byte;
	size_t n;
	int i;

	(void)state;
	meet(&m, SERVER);
	raw_connect(&m.p, m.l);
	m.mem.send_fail = (struct mem_fail){ RK_EAGAIN, 1 };
	for (i = 0; i < 100000 && r == RK_OK; i++) {
		update_key(&m.p, SSL_KEY_UPDATE_REQUESTED);
		raw_send(&m.p, "x", 1);
		r = m.l->ops->recv(m.l, &byte, 1, &n);
	}
	assert_int_equal(r, RK_EPROTO);
	assert_true(i > 1000);
	meeting_fini(&m);
}

/* What others leave in the library's queue of errors is not ours. */
static void
ignores_foreign_errors(void **state)
{
	struct meeting m;
	uint8_t byte;
	size_t n;

	(void)state;
	meet(&m, SERVER);
	ERR_raise(ERR_LIB_SSL, SSL_R_HTTP_REQUEST);
	raw_connect(&m.p, m.l);
	ERR_raise(ERR_LIB_SSL, SSL_R_HTTP_REQUEST);
	assert_int_equal(m.l->ops->recv(m.l, &byte, 1, &n), RK_EAGAIN);
	ERR_raise(ERR_LIB_SSL, SSL_R_HTTP_REQUEST);
	raw_say(m.l, "hello");
	raw_expect(&m.p, m.l, "hello");
	ERR_raise(ERR_LIB_SSL, SSL_R_HTTP_REQUEST);
	m.l->ops->close(m.l, NULL);
	assert_int_equal(raw_recv(&m.p, &byte, 1), 0);
	meeting_fini(&m);
}

/* Full records, however the caller cuts its bytes. */
static void
fills_records(void **state)
{
	uint8_t *src = calloc(1, 300000);
	struct meeting m;
	uint8_t dst[20000];
	unsigned sends;
	size_t n;

	(void)state;
	assert_non_null(src);
	meet(&m, SERVER);
	raw_connect(&m.p, m.l);
	sends = m.mem.sends;
	assert_int_equal(m.l->ops->send(m.l, src, 50000, &n), RK_OK);
	assert_int_equal(n, 50000);
	assert_int_equal(m.mem.sends, sends);
	assert_int_equal(m.l->ops->flush(m.l), RK_OK);
	assert_int_equal(m.mem.sends, sends + 1);
	for (size_t left = 50000; left > 0; left -= n) {
		n = (size_t)raw_recv(&m.p, dst, sizeof(dst));
		assert_int_equal(n, left < 16384 ? left : 16384);
	}
	/* Unflushed it takes this much and no more. */
	m.mem.send_fail = (struct mem_fail){ RK_EAGAIN, 1 };
	assert_int_equal(m.l->ops->send(m.l, src, 300000, &n), RK_OK);
	assert_int_equal(n, 262144);
	assert_int_equal(m.l->ops->send(m.l, src, 300000, &n), RK_EAGAIN);
	assert_int_equal(m.l->ops->want(m.l), RK_READ | RK_WRITE);
	meeting_fini(&m);
	free(src);
}

static void
send_and_flush(
    struct meeting *m, const uint8_t *src, size_t len, enum rk_err flushed)
{
	size_t n;

	assert_int_equal(m->l->ops->send(m->l, src, len, &n), RK_OK);
	assert_int_equal(n, len);
	assert_int_equal(m->l->ops->flush(m->l), flushed);
}

/* What is a record or less leaves without waiting for others, as far as it
 * goes, and the rest is not lost. */
static void
sends_one_record_at_once(void **state)
{
	static const uint8_t src[16384] = { 1, 2, 3 };
	uint8_t dst[20000];
	struct meeting m;
	unsigned sends;
	size_t n;

	(void)state;
	meet(&m, SERVER);
	raw_connect(&m.p, m.l);
	sends = m.mem.sends;
	assert_int_equal(m.l->ops->send(m.l, src, sizeof(src), &n), RK_OK);
	assert_int_equal(m.mem.sends, sends + 1);
	assert_int_equal(raw_recv(&m.p, dst, sizeof(dst)), sizeof(src));
	m.mem.send_max = 100;
	send_and_flush(&m, src, 1000, RK_OK);
	assert_true(m.mem.sends > sends + 10);
	assert_int_equal(raw_recv(&m.p, dst, sizeof(dst)), 1000);
	m.mem.send_fail = (struct mem_fail){ RK_EAGAIN, 1 };
	send_and_flush(&m, src, 500, RK_EAGAIN);
	assert_int_equal(m.l->ops->want(m.l), RK_READ | RK_WRITE);
	m.mem.send_fail = (struct mem_fail){ 0 };
	send_and_flush(&m, src, 200, RK_OK);
	assert_int_equal(raw_recv(&m.p, dst, sizeof(dst)), 500);
	assert_int_equal(raw_recv(&m.p, dst, sizeof(dst)), 200);
	assert_memory_equal(dst, src, 200);
	m.mem.send_fail = (struct mem_fail){ RK_EIO, 1 };
	send_and_flush(&m, src, 500, RK_EIO);
	meeting_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_it_is),
		cmocka_unit_test(survives_cut_hello),
		cmocka_unit_test(survives_damaged_hello),
		cmocka_unit_test(survives_noise),
		cmocka_unit_test(dribbles),
		cmocka_unit_test(tells_how_it_ended),
		cmocka_unit_test(end_is_pending),
		cmocka_unit_test(says_goodbye),
		cmocka_unit_test(passes_failures_on),
		cmocka_unit_test(refuses_damage),
		cmocka_unit_test(follows_key_updates),
		cmocka_unit_test(bounds_key_updates),
		cmocka_unit_test(bounds_answers),
		cmocka_unit_test(ignores_foreign_errors),
		cmocka_unit_test(fills_records),
		cmocka_unit_test(sends_one_record_at_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
