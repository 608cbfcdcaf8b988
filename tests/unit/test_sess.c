/* Sessions over pipes of bytes: begun, refused, damaged, closed; keys that
 * change while bytes flow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sessrig.h"

static struct sessrig rig;

#define PUT_MAX ((size_t)3 << 20)

static enum sessrig_pipe
kind_of(void **state)
{
	return (enum sessrig_pipe)(uintptr_t)*state;
}

static void
expect_end(struct sessend *e, enum rk_err r, const char *text)
{
	assert_int_equal(e->states[strlen(e->states) - 1], 'X');
	assert_int_equal(e->why.code, r);
	if (text != NULL && strstr(e->why.text, text) == NULL)
		fail_msg("\"%s\", not \"%s\"", e->why.text, text);
}

/* ---- as it should be ---- */

static void
test_whole_life(void **state)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];

	sessrig_establish(&rig, kind_of(state));
	for (int i = 0; i < 2; i++) {
		assert_true(rk_session_peer(rig.end[i].s, pub));
		assert_memory_equal(pub, rig.end[1 - i].pub, sizeof(pub));
		assert_int_equal(rig.end[i].asked, 1);
		assert_string_equal(rig.end[i].states, "IENO");
		assert_null(rk_session_psk(rig.end[i].s));
	}
	sessrig_write(&rig.end[0], "hello", 5);
	sessrig_write(&rig.end[1], "yes?", 4);
	sessrig_settle(&rig);
	assert_int_equal(buf_len(&rig.end[1].got), 5);
	assert_memory_equal(buf_peek(&rig.end[1].got), "hello", 5);
	assert_memory_equal(buf_peek(&rig.end[0].got), "yes?", 4);
	sessrig_write(&rig.end[0], "bye", 3);
	rk_session_close(rig.end[0].s);
	sessrig_settle(&rig);
	assert_memory_equal(buf_peek(&rig.end[1].got), "hellobye", 8);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(rig.end[i].states, "IENOCX");
		expect_end(&rig.end[i], RK_OK, NULL);
	}
	sessrig_close(&rig);
}

/* All of it, though neither pipe nor reader takes much at once. */
static void
test_many_bytes(void **state)
{
	uint8_t *data = malloc(PUT_MAX);
	size_t put = 0;

	assert_non_null(data);
	for (size_t i = 0; i < PUT_MAX; i++)
		data[i] = (uint8_t)(i * i >> 7);
	sessrig_open(&rig, kind_of(state));
	rig.end[1].lazy = true;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	while (buf_len(&rig.end[1].got) < PUT_MAX) {
		uint8_t some[50000];
		size_t n = 0;
		enum rk_err r = RK_EAGAIN;

		if (put < PUT_MAX)
			r = rk_session_write(
			    rig.end[0].s, data + put, PUT_MAX - put, &n);
		assert_true(r == RK_OK || (r == RK_EAGAIN && n == 0));
		put += n;
		sessrig_settle(&rig);
		r = rk_session_read(rig.end[1].s, some, sizeof(some), &n);
		assert_int_equal(r, RK_OK);
		assert_int_equal(buf_put(&rig.end[1].got, some, n), RK_OK);
	}
	assert_memory_equal(buf_peek(&rig.end[1].got), data, PUT_MAX);
	assert_true(rig.end[0].writable > 1);
	sessrig_close(&rig);
	free(data);
}

static void
test_psk(void **state)
{
	static const uint8_t secret[RK_PSK_LEN] = { 7, 1, 9 };
	struct rk_psks *psks;

	assert_int_equal(rk_psks_new(&psks), RK_OK);
	assert_int_equal(rk_psks_add(psks, secret, "lab", NULL), RK_OK);
	sessrig_open(&rig, kind_of(state));
	rig.end[0].conf.psks = rig.end[1].conf.psks = psks;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	for (int i = 0; i < 2; i++)
		assert_string_equal(rk_session_psk(rig.end[i].s), "lab");
	sessrig_close(&rig);
	rk_psks_free(psks);
}

/* Each minute, or after so many bytes, and what is under way arrives. */
static void
test_rekey(void **state)
{
	sessrig_open(&rig, kind_of(state));
	rig.end[0].conf.rekey_bytes = 5000;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	sessrig_pass(&rig, 59000);
	assert_int_equal(rk_session_epoch(rig.end[0].s), 0);
	sessrig_pass(&rig, 2000);
	for (int i = 0; i < 2; i++)
		assert_int_equal(rk_session_epoch(rig.end[i].s), 1);
	sessrig_pass(&rig, 60000);
	assert_int_equal(rk_session_epoch(rig.end[1].s), 2);
	for (unsigned i = 0; i < 200; i++) {
		char some[100];

		memset(some, (int)i, sizeof(some));
		sessrig_write(&rig.end[i % 2], some, sizeof(some));
		if (i % 3 == 0)
			sessrig_settle(&rig);
	}
	sessrig_settle(&rig);
	for (int i = 0; i < 2; i++) {
		assert_true(rk_session_epoch(rig.end[i].s) >= 5);
		assert_int_equal(buf_len(&rig.end[i].got), 10000);
		for (size_t at = 0; at < 10000; at++)
			assert_int_equal(buf_peek(&rig.end[i].got)[at],
			    (at / 100 * 2 + (i == 0)) & 255);
	}
	sessrig_close(&rig);
}

/* ---- who it is ---- */

static void
test_wanted(void **state)
{
	char fp[RK_FP_LEN];
	char ours[RK_FP_LEN];

	for (int i = 0; i < 4; i++) {
		sessrig_open(&rig, kind_of(state));
		rk_session_fp(rig.end[1].pub, fp);
		rk_fp_of_key(rig.end[i < 2 ? 1 : 0].pub, ours);
		rig.end[0].conf.judge = NULL;
		rig.end[0].conf.peer = i % 2 == 0 ? fp : ours;
		sessrig_start(&rig);
		sessrig_settle(&rig);
		if (i == 3) {
			expect_end(&rig.end[0], RK_EDENIED, "another key");
			expect_end(&rig.end[1], RK_EDENIED, "refuses our key");
		} else {
			assert_string_equal(rig.end[0].states, "IENO");
		}
		sessrig_close(&rig);
	}
}

static void
test_refused(void **state)
{
	for (int i = 0; i < 2; i++) {
		sessrig_open(&rig, kind_of(state));
		rig.end[i].verdict = RK_EUNKNOWNKEY;
		sessrig_start(&rig);
		sessrig_settle(&rig);
		expect_end(&rig.end[i], RK_EUNKNOWNKEY, "SHA256:");
		expect_end(&rig.end[1 - i], RK_EDENIED, "refuses our key");
		assert_null(strchr(rig.end[0].states, 'O'));
		assert_null(strchr(rig.end[1].states, 'O'));
		sessrig_close(&rig);
	}
}

/* A responder says nothing to who has no pre-shared key, or another. */
static void
test_psk_missing(void **state)
{
	static const uint8_t secret[2][RK_PSK_LEN] = { { 1 }, { 2 } };
	struct rk_psks *psks[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(rk_psks_new(&psks[i]), RK_OK);
		assert_int_equal(
		    rk_psks_add(psks[i], secret[i], "k", NULL), RK_OK);
	}
	for (int i = 0; i < 3; i++) {
		sessrig_open(&rig, SESSRIG_STREAM);
		rig.end[0].conf.psks = i == 0 ? NULL : psks[0];
		rig.end[1].conf.psks = i == 1 ? NULL : psks[1];
		sessrig_start(&rig);
		sessrig_settle(&rig);
		expect_end(&rig.end[1], RK_EPSK, NULL);
		assert_int_equal(shutdown(rig.end[1].out, SHUT_WR), 0);
		sessrig_settle(&rig);
		expect_end(&rig.end[0], i == 0 ? RK_ECLOSED : RK_EPSK, NULL);
		sessrig_close(&rig);
	}
	for (int i = 0; i < 2; i++)
		rk_psks_free(psks[i]);
	(void)state;
}

/* ---- what is wrong on the way ---- */

static void
feed(struct rk_session *s, const uint8_t *data, size_t len)
{
	enum rk_err r = rk_session_feed(s, data, len);

	assert_true(r == RK_OK || r == RK_ECLOSED);
}

static size_t bad_at; /* of all that the initiator says */
static size_t passed;
static bool cut;

static void
spoil(struct sessrig *r, unsigned from, struct buf *said)
{
	const size_t n = buf_len(said);

	if (from != 0)
		return;
	if (bad_at >= passed && bad_at < passed + n) {
		if (cut) {
			buf_uncommit(said, passed + n - bad_at);
			r->tamper = NULL;
			if (r->end[1].s != NULL)
				feed(
				    r->end[1].s, buf_peek(said), buf_len(said));
			buf_consume(said, buf_len(said));
			feed(r->end[1].s, NULL, 0);
			return;
		}
		said->data[said->head + bad_at - passed] ^= 1;
	}
	passed += n;
}

static void
try_spoiled(size_t at, bool is_cut)
{
	bad_at = at;
	cut = is_cut;
	passed = 0;
	sessrig_open(&rig, SESSRIG_FUNCTION);
	rig.tamper = spoil;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	if (strchr(rig.end[0].states, 'O') != NULL) {
		sessrig_write(&rig.end[0], "some words", 10);
		sessrig_settle(&rig);
	}
	/* What is left is a wait for bytes that do not come. */
	sessrig_pass(&rig, 11000);
	if (rk_session_get_state(rig.end[0].s) == RK_SESSION_ESTABLISHED) {
		rk_session_close(rig.end[0].s);
		sessrig_pass(&rig, 6000);
	}
	if (rk_session_get_state(rig.end[1].s) != RK_SESSION_CLOSED) {
		/* A length that grew: the pipe ends before it is there. */
		feed(rig.end[1].s, NULL, 0);
		sessrig_settle(&rig);
	}
}

/* Never a word that was not said, never a wait without end. */
static void
test_spoiled(void **state)
{
	size_t all;

	(void)state;
	try_spoiled(SIZE_MAX, false);
	all = passed;
	assert_memory_equal(buf_peek(&rig.end[1].got), "some words", 10);
	sessrig_close(&rig);
	assert_true(all > SESS_HELLO_LEN + SESS_PROOF_LEN);
	for (size_t i = 0; i < 2 * all; i++) {
		try_spoiled(i / 2, i % 2 == 0);
		/* But for the goodbye all was there before. */
		if (buf_len(&rig.end[1].got) > 0)
			assert_memory_equal(
			    buf_peek(&rig.end[1].got), "some words", 10);
		assert_int_not_equal(rig.end[1].why.code, RK_OK);
		assert_int_equal(
		    rk_session_get_state(rig.end[0].s), RK_SESSION_CLOSED);
		sessrig_close(&rig);
	}
}

/* What one end says comes back to it. */
static void
reflect(struct sessrig *r, unsigned from, struct buf *said)
{
	feed(r->end[from].s, buf_peek(said), buf_len(said));
	buf_consume(said, buf_len(said));
}

static void
test_reflected(void **state)
{
	(void)state;
	sessrig_open(&rig, SESSRIG_FUNCTION);
	rig.tamper = reflect;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	expect_end(&rig.end[0], RK_EPROTO, NULL);
	sessrig_close(&rig);
	sessrig_establish(&rig, SESSRIG_FUNCTION);
	rig.tamper = reflect;
	sessrig_write(&rig.end[1], "mirror", 6);
	sessrig_settle(&rig);
	expect_end(&rig.end[1], RK_EPROTO, "damaged");
	assert_int_equal(buf_len(&rig.end[1].got), 0);
	sessrig_close(&rig);
}

/* The same packet once more. */
static void
repeat(struct sessrig *r, unsigned from, struct buf *said)
{
	if (from == 0)
		feed(r->end[1].s, buf_peek(said), buf_len(said));
}

static void
test_replayed(void **state)
{
	(void)state;
	sessrig_establish(&rig, SESSRIG_FUNCTION);
	rig.tamper = repeat;
	sessrig_write(&rig.end[0], "once", 4);
	sessrig_settle(&rig);
	expect_end(&rig.end[1], RK_EPROTO, "damaged");
	assert_int_equal(buf_len(&rig.end[1].got), 4);
	expect_end(&rig.end[0], RK_EPROTO, "damaged");
	sessrig_close(&rig);
}

/* ---- the end ---- */

static void
test_cut_off(void **state)
{
	sessrig_establish(&rig, kind_of(state));
	sessrig_write(&rig.end[0], "last", 4);
	sessrig_settle(&rig);
	rk_session_free(rig.end[0].s);
	rig.end[0].s = NULL;
	assert_int_equal(close(rig.end[0].out), 0);
	if (rig.end[0].in != rig.end[0].out)
		assert_int_equal(close(rig.end[0].in), 0);
	rig.end[0].in = rig.end[0].out = -1;
	sessrig_settle(&rig);
	expect_end(&rig.end[1], RK_ECLOSED, "without a goodbye");
	assert_int_equal(buf_len(&rig.end[1].got), 4);
	sessrig_close(&rig);
}

static void
test_nobody_there(void **state)
{
	for (int i = 0; i < 2; i++) {
		sessrig_open(&rig, kind_of(state));
		sessrig_start(&rig);
		rk_session_free(rig.end[1 - i].s);
		rig.end[1 - i].s = NULL;
		rig.end[i].free_at_end = true;
		sessrig_pass(&rig, 9900);
		assert_string_equal(rig.end[i].states, "IE");
		sessrig_pass(&rig, 200);
		expect_end(&rig.end[i], RK_ETIMEOUT, NULL);
		assert_null(rig.end[i].s);
		sessrig_close(&rig);
	}
}

static void
test_given_up(void **state)
{
	sessrig_open(&rig, kind_of(state));
	sessrig_start(&rig);
	rk_session_close(rig.end[0].s);
	assert_string_equal(rig.end[0].states, "");
	sessrig_settle(&rig);
	assert_string_equal(rig.end[0].states, "IX");
	expect_end(&rig.end[0], RK_ECANCELED, NULL);
	sessrig_close(&rig);
}

/* Who does not answer a goodbye is waited for five seconds. */
static void
swallow(struct sessrig *r, unsigned from, struct buf *said)
{
	(void)r;
	(void)from;
	buf_consume(said, buf_len(said));
}

static void
test_no_goodbye(void **state)
{
	(void)state;
	sessrig_establish(&rig, SESSRIG_FUNCTION);
	rig.tamper = swallow;
	rk_session_close(rig.end[0].s);
	sessrig_pass(&rig, 4900);
	assert_string_equal(rig.end[0].states, "IENOC");
	sessrig_pass(&rig, 200);
	expect_end(&rig.end[0], RK_ETIMEOUT, NULL);
	sessrig_close(&rig);
}

static void
test_last_counter(void **state)
{
	sessrig_establish(&rig, kind_of(state));
	rig.end[0].s->keys.packets_max = rig.end[0].s->keys.sent;
	sessrig_write(&rig.end[0], "x", 1);
	sessrig_settle(&rig);
	expect_end(&rig.end[0], RK_ELIMIT, NULL);
	assert_int_equal(buf_len(&rig.end[1].got), 0);
	sessrig_close(&rig);
}

static void
expect_conf(const struct rk_session_conf *conf, int fd, enum rk_err want)
{
	const struct rk_session_pipe p = { .in = fd, .out = fd };
	struct rk_session *s;
	struct rk_error err;

	assert_int_equal(rk_session_new(rig.loop, conf, &p, &s, &err), want);
	assert_null(s);
	assert_int_equal(err.code, want);
}

/* However much of a packet is there already, the most that may be given at once
 * is taken; more is refused for what it is. */
static void
test_fed(void **state)
{
	static uint8_t data[RK_SESSION_FEED_MAX + 1];
	struct sessend *e = &rig.end[0];
	struct rk_session *to;
	size_t n;

	(void)state;
	sessrig_establish(&rig, SESSRIG_FUNCTION);
	to = rig.end[1].s;
	assert_int_equal(rk_session_feed(to, data, sizeof(data)), RK_ETOOBIG);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    rk_session_write(e->s, data, 65000, &n), RK_OK);
		assert_int_equal(n, 65000);
		assert_int_equal(rk_loop_step(rig.loop, 0), RK_OK);
	}
	/* What is left over is nearly a packet. */
	for (size_t first = 65010; buf_len(&e->said) > 0; first = n) {
		n = buf_len(&e->said) < RK_SESSION_FEED_MAX
		        ? buf_len(&e->said)
		        : RK_SESSION_FEED_MAX;
		if (first < n)
			n = first;
		assert_int_equal(
		    rk_session_feed(to, buf_peek(&e->said), n), RK_OK);
		buf_consume(&e->said, n);
		n = RK_SESSION_FEED_MAX;
		assert_int_equal(rk_loop_step(rig.loop, 0), RK_OK);
	}
	assert_int_equal(buf_len(&rig.end[1].got), 3 * 65000);
	assert_int_equal(rk_session_feed(to, data, sizeof(data)), RK_ETOOBIG);
	sessrig_close(&rig);
}

static void
test_bad_conf(void **state)
{
	struct rk_session_conf c;
	int fds[2];

	(void)state;
	sessrig_open(&rig, SESSRIG_STREAM);
	c = rig.end[0].conf;
	c.size--;
	expect_conf(&c, rig.end[0].in, RK_EINVAL);
	c = rig.end[0].conf;
	c.key = NULL;
	expect_conf(&c, rig.end[0].in, RK_EINVAL);
	c = rig.end[0].conf;
	c.judge = NULL;
	expect_conf(&c, rig.end[0].in, RK_EINVAL);
	c.peer = "SHA256:short";
	expect_conf(&c, rig.end[0].in, RK_EFORMAT);
	c.peer = "ssh-rsa AAAA";
	expect_conf(&c, rig.end[0].in, RK_EUNSUPPORTED);
	c = rig.end[0].conf;
	c.packet = 100;
	expect_conf(&c, rig.end[0].in, RK_EINVAL);
	c = rig.end[0].conf;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(close(fds[0]), 0);
	expect_conf(&c, fds[0], RK_EIO);
	assert_int_equal(close(fds[1]), 0);
	sessrig_close(&rig);
}

#define ON(f, kind)                                                    \
	{                                                              \
#f " " #kind, f, NULL, NULL, (void *)(uintptr_t)(kind) \
	}
#define EVERY(f) \
	ON(f, SESSRIG_STREAM), ON(f, SESSRIG_PIPES), ON(f, SESSRIG_FUNCTION)
#define FDS(f) ON(f, SESSRIG_STREAM), ON(f, SESSRIG_PIPES)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_whole_life),
		EVERY(test_many_bytes),
		EVERY(test_psk),
		EVERY(test_rekey),
		EVERY(test_wanted),
		EVERY(test_refused),
		ON(test_psk_missing, SESSRIG_STREAM),
		ON(test_spoiled, SESSRIG_FUNCTION),
		ON(test_reflected, SESSRIG_FUNCTION),
		ON(test_replayed, SESSRIG_FUNCTION),
		FDS(test_cut_off),
		EVERY(test_nobody_there),
		EVERY(test_given_up),
		ON(test_no_goodbye, SESSRIG_FUNCTION),
		EVERY(test_last_counter),
		cmocka_unit_test(test_fed),
		ON(test_bad_conf, SESSRIG_STREAM),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
