/* Signs of life: who says them, who misses them, to the millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "memlayer.h"
#include "rpc/frame.h"
#include "rpc/session.h"
#include "vtime.h"

#define PATIENCE 8000
#define QUARTER (PATIENCE / 4)
#define KEEPALIVE 1500
#define QUEUE ((size_t)4 << 20)

/* A session, and its peer in the test's hands. */
struct world {
	struct vtime time;
	struct rk_loop *loop;
	struct mem mem;
	struct session_trust trust;
	struct rk_peer who;      /* is there: the session fills it in */
	struct session *session; /* NULL after its end */
	int peer;
	struct rk_error why;
	unsigned closed;
	unsigned messages;
	struct buf got; /* bytes of the session, not looked at */
};

static void
on_open(struct session *s, void *arg)
{
	(void)s;
	(void)arg;
}

static bool
on_message(struct session *s, const struct msg *m, void *arg)
{
	struct world *w = arg;

	(void)s;
	(void)m;
	w->messages++;
	return true;
}

static void
on_closed(struct session *s, const struct rk_error *why, void *arg)
{
	struct world *w = arg;

	(void)s;
	w->session = NULL;
	w->why = *why;
	w->closed++;
}

static const struct session_events events = {
	.open = on_open,
	.message = on_message,
	.closed = on_closed,
};

static void
begin(struct world *w, uint64_t keepalive, uint64_t patience)
{
	struct session_conf conf = {
		.events = &events,
		.arg = w,
		.trust = &w->trust,
		.timeouts = { RK_NEVER, RK_NEVER, RK_NEVER, RK_NEVER,
		    RK_NEVER },
		.max_queue = QUEUE,
		.keepalive = keepalive,
		.dead_peer = patience,
	};
	struct layer *top;

	memset(w, 0, sizeof(*w));
	buf_init(&w->got, SIZE_MAX);
	assert_int_equal(rk_loop_new(&w->loop), RK_OK);
	vtime_start(&w->time, w->loop, 1000000);
	mem_layer(&w->mem, &top, &w->peer);
	conf.loop = w->loop;
	conf.peer = &w->who;
	assert_int_equal(session_open(&conf, &top, &w->session), RK_OK);
	vtime_pass(&w->time, 1);
	assert_true(session_is_open(w->session));
}

static void
end(struct world *w)
{
	static const struct rk_error over = { .code = RK_ECANCELED };

	if (w->session != NULL)
		session_abort(w->session, &over);
	vtime_pass(&w->time, 1);
	assert_int_equal(w->closed, 1);
	(void)close(w->peer);
	rk_loop_free(w->loop);
	buf_fini(&w->got);
}

/* ---- the peer ---- */

static void
peer_say(struct world *w, const struct rk_header *h)
{
	const struct msg m = { .hdr = *h };
	struct buf b;

	buf_init(&b, SIZE_MAX);
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_OK);
	assert_int_equal(
	    write(w->peer, buf_peek(&b), buf_len(&b)), (ssize_t)buf_len(&b));
	buf_fini(&b);
	vtime_pass(&w->time, 0);
	assert_int_equal(rk_loop_step(w->loop, 0), RK_OK);
}

static void
peer_is_kin(struct world *w)
{
	peer_say(w, &(struct rk_header){ .type = RK_TYPE_REPLY, .kin = 1 });
	assert_true(session_is_kin(w->session));
}

/* At most so many bytes. */
static size_t
peer_read(struct world *w, size_t most)
{
	uint8_t tmp[65536];
	size_t all = 0;
	ssize_t n = 1;

	while (all < most && n > 0) {
		size_t cap =
		    most - all < sizeof(tmp) ? most - all : sizeof(tmp);

		n = read(w->peer, tmp, cap);
		if (n > 0) {
			assert_int_equal(
			    buf_put(&w->got, tmp, (size_t)n), RK_OK);
			all += (size_t)n;
		}
	}
	return all;
}

/* The next message, false: none.  Its views die with the next. */
static bool
peer_hear(struct world *w, struct msg *m)
{
	static struct buf kept;
	struct frame f;

	(void)peer_read(w, SIZE_MAX);
	if (frame_split(buf_peek(&w->got), buf_len(&w->got), &f, NULL, NULL) !=
	    RK_OK)
		return false;
	buf_fini(&kept);
	buf_init(&kept, SIZE_MAX);
	assert_int_equal(buf_put(&kept, f.body.ptr, f.body.len), RK_OK);
	buf_consume(&w->got, f.total);
	assert_int_equal(
	    msg_decode(buf_peek(&kept), buf_len(&kept), m, NULL), RK_OK);
	return true;
}

/* This, and nothing else. */
static void
peer_hears_only(struct world *w, int64_t type, uint64_t number)
{
	struct msg m;

	assert_true(peer_hear(w, &m));
	assert_int_equal(m.hdr.type, type);
	assert_int_equal(m.hdr.seqno, number);
	assert_false(peer_hear(w, &m));
}

static void
peer_hears_nothing(struct world *w)
{
	struct msg m;

	assert_false(peer_hear(w, &m));
}

static void
say(struct world *w, size_t len)
{
	uint8_t *bytes = calloc(1, len + 1);
	const struct msg m = { .hdr = { .type = RK_TYPE_CALL, .seqno = 2 },
		.payload = { bytes, len } };

	assert_non_null(bytes);
	assert_int_equal(session_send(w->session, &m, NULL, 0), RK_OK);
	free(bytes);
}

/* ---- who is rpckit ---- */

static void
says_once_what_it_is(void **state)
{
	struct world w;
	struct msg m;

	(void)state;
	begin(&w, RK_NEVER, RK_NEVER);
	for (int i = 0; i < 3; i++) {
		say(&w, 1);
		vtime_pass(&w.time, 1);
		assert_true(peer_hear(&w, &m));
		assert_int_equal(m.hdr.kin, i == 0 ? 1 : 0);
		assert_int_equal(m.payload.len, 1);
	}
	assert_false(session_is_kin(w.session));
	peer_say(&w, &(struct rk_header){ .type = RK_TYPE_REPLY });
	assert_false(session_is_kin(w.session));
	peer_is_kin(&w);
	assert_int_equal(w.messages, 2);
	end(&w);
}

/* A header that has not a byte to spare goes as it is. */
static void
says_nothing_where_there_is_no_room(void **state)
{
	struct world w;
	struct msg m;
	char *name = calloc(1, 70000);
	const struct msg first = { .hdr = { .type = RK_TYPE_REPLY } };
	struct msg full = { .hdr = { .type = RK_TYPE_REPLY } };
	struct buf b;

	(void)state;
	assert_non_null(name);
	begin(&w, RK_NEVER, RK_NEVER);
	buf_init(&b, SIZE_MAX);
	full.hdr.subject = (struct rk_str){ name, 65000 };
	while (msg_encode(&b, &full, NULL, 0) == RK_OK)
		full.hdr.subject.len++;
	full.hdr.subject.len--;
	buf_fini(&b);
	assert_int_equal(session_send(w.session, &full, NULL, 0), RK_OK);
	vtime_pass(&w.time, 1);
	assert_true(peer_hear(&w, &m));
	assert_int_equal(m.hdr.kin, 0);
	assert_int_equal(session_send(w.session, &first, NULL, 0), RK_OK);
	vtime_pass(&w.time, 1);
	assert_true(peer_hear(&w, &m));
	assert_int_equal(m.hdr.kin, 1);
	free(name);
	end(&w);
}

/* A server's answer may take long: kin learns at once whom it waits for. */
static void
a_busy_server_introduces_itself(void **state)
{
	struct world w;
	struct msg m;

	(void)state;
	begin(&w, RK_NEVER, RK_NEVER);
	w.trust.server = true;
	session_set_busy(w.session, true);
	vtime_pass(&w.time, 1);
	peer_hears_nothing(&w); /* a stranger */
	peer_is_kin(&w);
	for (int i = 0; i < 2; i++) {
		session_set_busy(w.session, false);
		session_set_busy(w.session, true);
	}
	vtime_pass(&w.time, 1);
	assert_true(peer_hear(&w, &m));
	assert_int_equal(m.hdr.type, RK_TYPE_PONG);
	assert_int_equal(m.hdr.kin, 1);
	peer_hears_nothing(&w);
	end(&w);
}

/* ---- keepalives ---- */

static void
keeps_alive(void **state)
{
	struct world w;
	struct msg m;
	char id[64];

	(void)state;
	begin(&w, KEEPALIVE, RK_NEVER);
	vtime_pass(&w.time, KEEPALIVE - 2);
	assert_int_equal(peer_read(&w, SIZE_MAX), 0);
	vtime_pass(&w.time, 2);
	assert_int_equal(peer_read(&w, SIZE_MAX), 111); /* as Go's */
	assert_true(peer_hear(&w, &m));
	assert_int_equal(m.hdr.type, RK_TYPE_KEEPALIVE);
	assert_int_equal(m.hdr.subject.len, 44);
	memcpy(id, m.hdr.subject.ptr, 44);
	vtime_pass(&w.time, KEEPALIVE - 100);
	say(&w, 1);
	vtime_pass(&w.time, KEEPALIVE - 100);
	assert_true(peer_hear(&w, &m));
	assert_int_equal(m.hdr.type, RK_TYPE_CALL);
	assert_int_equal(m.hdr.kin, 1);
	peer_hears_nothing(&w);
	vtime_pass(&w.time, 200);
	assert_true(peer_hear(&w, &m));
	assert_int_equal(m.hdr.type, RK_TYPE_KEEPALIVE);
	assert_memory_equal(m.hdr.subject.ptr, id, 44);
	vtime_pass(&w.time, 10 * KEEPALIVE);
	for (int i = 0; i < 9; i++)
		assert_true(peer_hear(&w, &m));
	end(&w);
}

/* Received ones are nobody's business, and not answered. */
static void
takes_keepalives(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	peer_say(&w, &(struct rk_header){
	                 .type = RK_TYPE_KEEPALIVE, .subject = { "abc", 3 } });
	vtime_pass(&w.time, 100);
	assert_int_equal(w.messages, 0);
	peer_hears_nothing(&w);
	end(&w);
}

/* ---- questions and answers ---- */

static void
answers_kin(void **state)
{
	const struct rk_header ping = { .type = RK_TYPE_PING, .seqno = 77 };
	struct world w;

	(void)state;
	begin(&w, RK_NEVER, RK_NEVER);
	peer_say(&w, &ping);
	peer_hears_nothing(&w);
	peer_is_kin(&w);
	peer_say(&w, &ping);
	peer_hears_only(&w, RK_TYPE_PONG, 77);
	peer_say(&w, &(struct rk_header){ .type = RK_TYPE_PONG, .seqno = 5 });
	peer_hears_nothing(&w);
	assert_int_equal(w.messages, 1);
	end(&w);
}

static void
check_dead(struct world *w)
{
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->why.code, RK_ETIMEOUT);
	assert_string_equal(w->why.text, "no answer from the peer for 8 s");
}

static void
gives_up_on_the_dead(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	peer_is_kin(&w);
	session_set_busy(w.session, true);
	vtime_pass(&w.time, 2 * QUARTER - 1);
	peer_hears_nothing(&w);
	vtime_pass(&w.time, 1);
	peer_hears_only(&w, RK_TYPE_PING, 1);
	vtime_pass(&w.time, 2 * QUARTER - 1);
	assert_int_equal(w.closed, 0);
	vtime_pass(&w.time, 1);
	check_dead(&w);
	end(&w);
}

/* Any byte will do, part of a message, too. */
static void
is_content_with_a_byte(void **state)
{
	struct world w;
	struct buf b;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	buf_init(&b, SIZE_MAX);
	assert_int_equal(
	    msg_encode(
	        &b, &(struct msg){ .hdr = { .type = RK_TYPE_PONG } }, NULL, 0),
	    RK_OK);
	peer_is_kin(&w);
	session_set_busy(w.session, true);
	vtime_pass(&w.time, 3 * QUARTER + QUARTER / 2);
	for (size_t i = 0; i < buf_len(&b); i++) {
		peer_hears_only(&w, RK_TYPE_PING, i + 1);
		assert_int_equal(write(w.peer, buf_peek(&b) + i, 1), 1);
		vtime_pass(&w.time, 4 * QUARTER);
	}
	assert_int_equal(w.closed, 0);
	vtime_pass(&w.time, QUARTER);
	check_dead(&w);
	buf_fini(&b);
	end(&w);
}

static void
asks_no_stranger(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	session_set_busy(w.session, true);
	vtime_pass(&w.time, 3600 * 1000);
	peer_hears_nothing(&w);
	/* It may turn out to be one of us. */
	peer_is_kin(&w);
	vtime_pass(&w.time, 5 * QUARTER);
	check_dead(&w);
	end(&w);
}

/* Where nothing is expected nobody is asked; a suspicion is not forgotten. */
static void
asks_when_it_matters(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	peer_is_kin(&w);
	vtime_pass(&w.time, 3600 * 1000);
	for (int i = 0; i < 100; i++) {
		session_set_busy(w.session, true);
		vtime_pass(&w.time, QUARTER / 3);
		session_set_busy(w.session, false);
		vtime_pass(&w.time, 2 * QUARTER);
	}
	peer_hears_nothing(&w);
	session_set_busy(w.session, true);
	vtime_pass(&w.time, 2 * QUARTER);
	peer_hears_only(&w, RK_TYPE_PING, 1);
	session_set_busy(w.session, false);
	vtime_pass(&w.time, 2 * QUARTER);
	check_dead(&w);
	end(&w);
}

/* A loop that nobody ran is no silence of the peer's. */
static void
blames_nobody_for_its_own_sleep(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	peer_is_kin(&w);
	session_set_busy(w.session, true);
	for (int i = 0; i < 3; i++) {
		w.time.now += 3600 * 1000;
		assert_int_equal(rk_loop_step(w.loop, 0), RK_OK);
	}
	assert_int_equal(w.closed, 0);
	peer_hears_only(&w, RK_TYPE_PING, 1);
	/* The answer was there all the time. */
	assert_int_equal(write(w.peer, "\xb3", 1), 1);
	w.time.now += 3600 * 1000;
	assert_int_equal(rk_loop_step(w.loop, 0), RK_OK);
	vtime_pass(&w.time, QUARTER);
	assert_int_equal(w.closed, 0);
	end(&w);
}

/* What is queued before the question takes its time, as long as it moves. */
static void
waits_for_the_question_to_arrive(void **state)
{
	struct world w;
	uint64_t begun;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	peer_is_kin(&w);
	session_set_busy(w.session, true);
	for (int i = 0; i < 4; i++)
		say(&w, 1000000);
	for (int i = 0; i < 15; i++) {
		assert_true(peer_read(&w, 200000) > 0);
		vtime_pass(&w.time, QUARTER);
		assert_int_equal(w.closed, 0);
	}
	begun = w.time.now;
	while (w.closed == 0)
		vtime_turn(&w.time);
	assert_in_range(w.time.now - begun, QUARTER, 3 * QUARTER);
	check_dead(&w);
	end(&w);
}

/* ---- who does not read ---- */

static void
shows_life_while_deaf(void **state)
{
	struct world w;
	struct msg m;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	session_pause(w.session, SESSION_PAUSE_CALLS, true);
	vtime_pass(&w.time, 1000);
	peer_hears_only(&w, RK_TYPE_KEEPALIVE, 0); /* to a stranger */
	session_pause(w.session, SESSION_PAUSE_CALLS, false);
	peer_is_kin(&w);
	session_set_busy(w.session, true);
	session_pause(w.session, SESSION_PAUSE_CALLS, true);
	vtime_pass(&w.time, 10500);
	for (int i = 0; i < 10; i++) {
		assert_true(peer_hear(&w, &m));
		assert_int_equal(m.hdr.type, RK_TYPE_PONG);
		assert_int_equal(m.hdr.seqno, 0);
	}
	peer_hears_nothing(&w);
	/* Whoever does not listen cannot call the other silent. */
	vtime_pass(&w.time, 100000);
	session_pause(w.session, SESSION_PAUSE_CALLS, false);
	while (peer_hear(&w, &m))
		assert_int_equal(m.hdr.type, RK_TYPE_PONG);
	vtime_pass(&w.time, 2 * QUARTER + QUARTER / 2);
	peer_hears_only(&w, RK_TYPE_PING, 1);
	end(&w);
}

/* The peer has enough to read already. */
static void
adds_nothing_to_what_waits(void **state)
{
	struct world w;
	struct msg m;

	(void)state;
	begin(&w, RK_NEVER, PATIENCE);
	peer_is_kin(&w);
	for (int i = 0; i < 4; i++)
		say(&w, 1000000);
	session_pause(w.session, SESSION_PAUSE_CALLS, true);
	vtime_pass(&w.time, 100000);
	while (peer_read(&w, SIZE_MAX) > 0)
		assert_int_equal(rk_loop_step(w.loop, 0), RK_OK);
	for (int i = 0; i < 4; i++) {
		assert_true(peer_hear(&w, &m));
		assert_int_equal(m.hdr.type, RK_TYPE_CALL);
	}
	peer_hears_nothing(&w);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_once_what_it_is),
		cmocka_unit_test(says_nothing_where_there_is_no_room),
		cmocka_unit_test(a_busy_server_introduces_itself),
		cmocka_unit_test(keeps_alive),
		cmocka_unit_test(takes_keepalives),
		cmocka_unit_test(answers_kin),
		cmocka_unit_test(gives_up_on_the_dead),
		cmocka_unit_test(is_content_with_a_byte),
		cmocka_unit_test(asks_no_stranger),
		cmocka_unit_test(asks_when_it_matters),
		cmocka_unit_test(blames_nobody_for_its_own_sleep),
		cmocka_unit_test(waits_for_the_question_to_arrive),
		cmocka_unit_test(shows_life_while_deaf),
		cmocka_unit_test(adds_nothing_to_what_waits),
	};

	return cmocka_run_group_tests_name("alive", tests, NULL, NULL);
}
