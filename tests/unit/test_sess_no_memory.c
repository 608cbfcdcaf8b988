/* Every allocation of a session's life fails in turn: an error, and nothing
 * else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/session.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "anyone.h"
#include "scarce.h"

#define STEPS 400 /* more than a life takes */
#define LONG 200000
#define SHORT 500

static uint8_t data[LONG];

struct end {
	struct rk_session *s;
	struct rk_key *key;
	bool open;
	bool over;
	struct rk_error why;
	size_t heard;
	size_t read;
	unsigned sent;
	unsigned told;
};

struct life {
	int type; /* of the sockets */
	size_t len;
	struct rk_loop *loop;
	int fd[2];
	struct end end[2];
};

static void
on_state(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	struct end *e = arg;

	(void)s;
	assert_false(e->over);
	e->open = e->open || state == RK_SESSION_ESTABLISHED;
	if (state != RK_SESSION_CLOSED)
		return;
	e->over = true;
	e->why = *err;
}

static void
on_ready(struct rk_session *s, unsigned ready, void *arg)
{
	struct end *e = arg;
	uint8_t some[1000];
	size_t n;

	(void)ready;
	while (rk_session_read(s, some, sizeof(some), &n) == RK_OK)
		e->read += n;
}

static void
on_message(struct rk_session *s, uint32_t channel, const void *p, size_t len,
    void *arg)
{
	struct end *e = arg;

	(void)s;
	assert_int_equal(channel, 1);
	assert_memory_equal(p, data, len);
	e->heard += len;
}

static void
on_sent(struct rk_session *s, uint64_t id, enum rk_err r, void *arg)
{
	struct end *e = arg;

	(void)s;
	(void)id;
	(void)r;
	e->told++;
}

static enum rk_err
open_end(struct life *w, int i)
{
	struct end *e = &w->end[i];
	const struct rk_session_conf conf = { .size = sizeof(conf),
		.initiator = i == 0,
		.key = e->key,
		.judge = on_peer,
		.state = on_state,
		.ready = on_ready,
		.arg = e,
		.packet = 1200,
		.rekey_bytes = 1,
		.merge_us = RK_SESSION_AT_ONCE };
	const struct rk_session_pipe p = { .in = w->fd[i], .out = w->fd[i] };
	struct rk_error err;
	enum rk_err r = rk_session_new(w->loop, &conf, &p, &e->s, &err);

	if (r != RK_OK)
		return r;
	return rk_session_on(e->s, 1, on_message, e);
}

/* What both ends do when they are there: messages, bytes, a goodbye. */
static enum rk_err
talk(struct life *w)
{
	enum rk_err r = RK_OK;

	for (int i = 0; i < 2; i++) {
		struct end *e = &w->end[i];
		size_t n;

		for (int j = 0; j < 2 && r == RK_OK; j++) {
			r = rk_session_send(
			    e->s, 1, data, w->len, on_sent, e, NULL);
			e->sent += r == RK_OK;
		}
		if (r == RK_OK)
			r = rk_session_write(e->s, data, SHORT, &n);
		if (r != RK_OK)
			return r;
	}
	return RK_OK;
}

static bool
is_done(const struct end *e)
{
	return e->heard > 0 && e->read > 0 && rk_session_epoch(e->s) > 0;
}

static enum rk_err
live(struct life *w)
{
	bool talked = false;
	enum rk_err r = RK_OK;

	for (int i = 0; i < STEPS && r == RK_OK; i++) {
		if ((r = rk_loop_step(w->loop, 0)) != RK_OK)
			break;
		if (!talked && w->end[0].open && w->end[1].open) {
			talked = true;
			r = talk(w);
		}
		if (w->end[0].over || w->end[1].over)
			continue;
		if (talked && is_done(&w->end[0]) && is_done(&w->end[1]))
			rk_session_close(w->end[0].s);
	}
	return r;
}

static enum rk_err
verdict(const struct life *w, enum rk_err r)
{
	for (int i = 0; i < 2 && r == RK_OK; i++)
		r = w->end[i].why.code;
	for (int i = 0; i < 2; i++)
		if (w->end[i].why.code == RK_ENOMEM)
			r = RK_ENOMEM;
	if (r == RK_OK)
		for (int i = 0; i < 2; i++)
			assert_true(w->end[i].over && is_done(&w->end[i]));
	return r;
}

static enum rk_err
play(void *arg)
{
	struct life *w = arg;
	enum rk_err r;

	w->loop = NULL;
	for (int i = 0; i < 2; i++)
		w->end[i] = (struct end){ .key = w->end[i].key };
	assert_int_equal(socketpair(AF_UNIX, w->type, 0, w->fd), 0);
	r = rk_loop_new(&w->loop);
	for (int i = 0; i < 2 && r == RK_OK; i++)
		r = open_end(w, i);
	if (r == RK_OK)
		r = live(w);
	r = verdict(w, r);
	for (int i = 0; i < 2; i++) {
		rk_session_free(w->end[i].s);
		assert_int_equal(w->end[i].told, w->end[i].sent);
		assert_int_equal(close(w->fd[i]), 0);
	}
	rk_loop_free(w->loop);
	return r;
}

static void
play_all(int type, size_t len)
{
	struct life w = { .type = type, .len = len };

	for (int i = 0; i < 2; i++)
		assert_int_equal(rk_key_generate(&w.end[i].key), RK_OK);
	scarce_play(play, false, &w);
	for (int i = 0; i < 2; i++)
		rk_key_free(w.end[i].key);
}

static void
test_pipe(void **state)
{
	(void)state;
	play_all(SOCK_STREAM, LONG);
}

static void
test_datagrams(void **state)
{
	(void)state;
	play_all(SOCK_SEQPACKET, SHORT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_datagrams),
	};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i >> 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
