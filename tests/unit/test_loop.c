/* The loop: descriptors, hooks, and a loop inside another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop_int.h"

#define PAIRS 8

static struct rk_loop *
new_loop(void)
{
	struct rk_loop *loop;

	assert_int_equal(rk_loop_new(&loop), RK_OK);
	return loop;
}

static void
new_pair(int fds[2])
{
	assert_int_equal(
	    socketpair(
	        AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
}

static void
close_pair(const int fds[2])
{
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void
step(struct rk_loop *loop)
{
	assert_int_equal(rk_loop_step(loop, 0), RK_OK);
}

/* ---- watches ---- */

struct seen {
	unsigned calls;
	unsigned ready;
	int fd;
};

static void
on_seen(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct seen *s = arg;

	assert_non_null(w);
	s->calls++;
	s->ready = ready;
	s->fd = fd;
}

static void
test_watch_reports_what_is_wanted(void **state)
{
	struct rk_loop *loop = new_loop();
	struct seen s = { 0 };
	struct rk_watch *w;
	int fds[2];

	(void)state;
	new_pair(fds);
	assert_int_equal(
	    rk_watch_new(loop, fds[0], RK_READ, on_seen, &s, &w), RK_OK);
	step(loop);
	assert_int_equal(s.calls, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	step(loop);
	step(loop);
	assert_int_equal(s.calls, 2); /* level-triggered */
	assert_int_equal(s.ready, RK_READ);
	assert_int_equal(s.fd, fds[0]);
	assert_int_equal(rk_watch_set(w, RK_READ | RK_WRITE), RK_OK);
	step(loop);
	assert_int_equal(s.ready, RK_READ | RK_WRITE);
	assert_int_equal(rk_watch_set(w, RK_WRITE), RK_OK);
	step(loop);
	assert_int_equal(s.ready, RK_WRITE);
	assert_int_equal(rk_watch_set(w, 0), RK_OK);
	s.calls = 0;
	step(loop);
	assert_int_equal(s.calls, 0);
	assert_int_equal(rk_watch_set(w, RK_READ), RK_OK);
	step(loop);
	assert_int_equal(s.calls, 1);
	rk_watch_free(w);
	close_pair(fds);
	rk_loop_free(loop);
}

static void
test_hang_up_is_what_was_watched_for(void **state)
{
	struct rk_loop *loop = new_loop();
	struct seen s = { 0 };
	struct rk_watch *w;
	int fds[2];

	(void)state;
	new_pair(fds);
	assert_int_equal(rk_watch_new(loop, fds[0], 0, on_seen, &s, &w), RK_OK);
	assert_int_equal(close(fds[1]), 0);
	step(loop);
	assert_int_equal(s.calls, 0); /* else the loop would spin */
	assert_int_equal(rk_watch_set(w, RK_WRITE), RK_OK);
	step(loop);
	assert_int_equal(s.ready, RK_WRITE);
	assert_int_equal(rk_watch_set(w, RK_READ), RK_OK);
	step(loop);
	assert_int_equal(s.ready, RK_READ);
	rk_watch_free(w);
	assert_int_equal(close(fds[0]), 0);
	rk_loop_free(loop);
}

static void
test_watch_of_nothing_fails(void **state)
{
	struct rk_loop *loop = new_loop();
	struct rk_watch *w;
	int fds[2];

	(void)state;
	new_pair(fds);
	close_pair(fds);
	assert_int_equal(
	    rk_watch_new(loop, fds[0], RK_READ, on_seen, NULL, &w), RK_EIO);
	assert_null(w);
	rk_watch_free(NULL);
	rk_loop_free(loop);
}

/* The first callback of a batch frees every watch, its own among them. */
struct batch {
	struct rk_watch *w[PAIRS];
	int fds[PAIRS][2];
	unsigned calls;
};

static void
on_free_all(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct batch *b = arg;

	(void)w;
	(void)fd;
	(void)ready;
	b->calls++;
	for (size_t i = 0; i < PAIRS; i++) {
		rk_watch_free(b->w[i]);
		b->w[i] = NULL;
	}
}

static void
on_silence_others(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct batch *b = arg;

	(void)fd;
	(void)ready;
	b->calls++;
	for (size_t i = 0; i < PAIRS; i++) {
		if (b->w[i] != w)
			assert_int_equal(rk_watch_set(b->w[i], 0), RK_OK);
	}
}

static void
open_batch(struct batch *b, struct rk_loop *loop, rk_watch_fn *fn)
{
	*b = (struct batch){ 0 };
	for (size_t i = 0; i < PAIRS; i++) {
		new_pair(b->fds[i]);
		assert_int_equal(write(b->fds[i][1], "x", 1), 1);
		assert_int_equal(
		    rk_watch_new(loop, b->fds[i][0], RK_READ, fn, b, &b->w[i]),
		    RK_OK);
	}
}

static void
close_batch(struct batch *b)
{
	for (size_t i = 0; i < PAIRS; i++) {
		rk_watch_free(b->w[i]);
		close_pair(b->fds[i]);
	}
}

static void
test_freed_watches_of_a_batch_are_not_called(void **state)
{
	struct rk_loop *loop = new_loop();
	struct batch b;

	(void)state;
	open_batch(&b, loop, on_free_all);
	step(loop);
	step(loop);
	assert_int_equal(b.calls, 1);
	close_batch(&b);
	rk_loop_free(loop);
}

static void
test_events_nobody_wants_any_more_are_dropped(void **state)
{
	struct rk_loop *loop = new_loop();
	struct batch b;

	(void)state;
	open_batch(&b, loop, on_silence_others);
	step(loop);
	assert_int_equal(b.calls, 1);
	close_batch(&b);
	rk_loop_free(loop);
}

/* A descriptor number that is used again within the batch gets no old event. */
static void
on_reuse(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct batch *b = arg;

	(void)w;
	(void)fd;
	(void)ready;
	b->calls++;
	for (size_t i = 0; i < PAIRS; i++) {
		rk_watch_free(b->w[i]);
		b->w[i] = NULL;
		close_pair(b->fds[i]);
	}
	for (size_t i = 0; i < PAIRS; i++)
		new_pair(b->fds[i]);
}

static void
test_reused_descriptors_get_no_stale_events(void **state)
{
	struct rk_loop *loop = new_loop();
	struct batch b;

	(void)state;
	open_batch(&b, loop, on_reuse);
	step(loop);
	assert_int_equal(b.calls, 1);
	close_batch(&b);
	rk_loop_free(loop);
}

/* ---- hooks ---- */

struct hooked {
	struct loop_hook hook;
	struct rk_loop *loop;
	unsigned calls;
	unsigned again;      /* queue itself so many times */
	struct hooked *next; /* queue this one */
	bool later;
	bool both; /* queue the next one for the next turn, then for this */
};

static void
on_hook(struct loop_hook *h)
{
	struct hooked *k = (struct hooked *)(void *)h;

	k->calls++;
	if (k->again > 0) {
		k->again--;
		if (k->later)
			loop_hook_queue_next(k->loop, h);
		else
			loop_hook_queue(k->loop, h);
	}
	if (k->both)
		loop_hook_queue_next(k->loop, &k->next->hook);
	if (k->next != NULL)
		loop_hook_queue(k->loop, &k->next->hook);
}

static void
test_hooks_run_once_at_the_end_of_the_turn(void **state)
{
	struct rk_loop *loop = new_loop();
	struct hooked b = { .hook.fn = on_hook, .loop = loop, .again = 3 };
	struct hooked a = { .hook.fn = on_hook, .loop = loop, .next = &b };
	struct hooked gone = { .hook.fn = on_hook, .loop = loop };

	(void)state;
	assert_int_equal(rk_loop_wait_ms(loop), -1);
	loop_hook_queue(loop, &a.hook);
	loop_hook_queue(loop, &a.hook);
	loop_hook_queue(loop, &gone.hook);
	loop_hook_remove(loop, &gone.hook);
	loop_hook_remove(loop, &gone.hook);
	assert_int_equal(rk_loop_wait_ms(loop), 0);
	assert_int_equal(rk_loop_step(loop, -1), RK_OK); /* does not wait */
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 4);
	assert_int_equal(gone.calls, 0);
	assert_int_equal(rk_loop_wait_ms(loop), -1);
	rk_loop_free(loop);
}

/*
 * What was queued between turns is a turn by itself where waiting is allowed,
 * but never twice in a row: what is ready gets its turn.
 */
static void
test_hooks_queued_between_turns(void **state)
{
	struct rk_loop *loop = new_loop();
	struct hooked a = { .hook.fn = on_hook, .loop = loop };
	struct seen s = { 0 };
	struct rk_watch *w;
	int fds[2];

	(void)state;
	new_pair(fds);
	assert_int_equal(
	    rk_watch_new(loop, fds[0], RK_WRITE, on_seen, &s, &w), RK_OK);
	for (unsigned i = 1; i <= 3; i++) {
		loop_hook_queue(loop, &a.hook);
		assert_int_equal(rk_loop_step(loop, -1), RK_OK);
		assert_int_equal(a.calls, 2 * i - 1);
		assert_int_equal(s.calls, i - 1);
		loop_hook_queue(loop, &a.hook);
		assert_int_equal(rk_loop_step(loop, -1), RK_OK);
		assert_int_equal(a.calls, 2 * i);
		assert_int_equal(s.calls, i);
	}
	loop_hook_queue(loop, &a.hook);
	step(loop); /* may not wait: everything in one turn */
	assert_int_equal(a.calls, 7);
	assert_int_equal(s.calls, 4);
	rk_watch_free(w);
	rk_loop_free(loop);
	close_pair(fds);
}

static void
test_hooks_of_the_next_turn(void **state)
{
	struct rk_loop *loop = new_loop();
	struct hooked a = {
		.hook.fn = on_hook, .loop = loop, .again = 2, .later = true
	};
	struct hooked b = { .hook.fn = on_hook, .loop = loop };
	struct hooked c = {
		.hook.fn = on_hook, .loop = loop, .next = &b, .both = true
	};

	(void)state;
	loop_hook_queue_next(loop, &a.hook);
	loop_hook_queue_next(loop, &a.hook);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(rk_loop_wait_ms(loop), 0);
		assert_int_equal(rk_loop_step(loop, -1), RK_OK);
		assert_int_equal(a.calls, i);
	}
	assert_int_equal(rk_loop_wait_ms(loop), -1);
	/* Sooner wins over later, whichever was asked for first. */
	loop_hook_queue(loop, &c.hook);
	step(loop);
	assert_int_equal(b.calls, 1);
	loop_hook_queue(loop, &b.hook);
	loop_hook_queue_next(loop, &b.hook);
	step(loop);
	assert_int_equal(b.calls, 2);
	step(loop);
	assert_int_equal(b.calls, 2);
	loop_hook_queue_next(loop, &b.hook);
	loop_hook_remove(loop, &b.hook);
	step(loop);
	assert_int_equal(b.calls, 2);
	rk_loop_free(loop);
}

/* ---- a loop inside another ---- */

static void
on_count(void *arg)
{
	++*(unsigned *)arg;
}

static void
test_outer_poll_sees_every_kind_of_work(void **state)
{
	struct rk_loop *loop = new_loop();
	struct pollfd outer = { .fd = rk_loop_fd(loop), .events = POLLIN };
	struct seen s = { 0 };
	struct rk_watch *w;
	unsigned n = 0;
	int fds[2];

	(void)state;
	new_pair(fds);
	assert_int_equal(
	    rk_watch_new(loop, fds[0], RK_READ, on_seen, &s, &w), RK_OK);
	assert_int_equal(poll(&outer, 1, 0), 0);
	assert_int_equal(rk_loop_wait_ms(loop), -1);
	assert_int_equal(rk_loop_post(loop, on_count, &n), RK_OK);
	assert_int_equal(poll(&outer, 1, 0), 1);
	assert_int_equal(rk_loop_wait_ms(loop), 0);
	step(loop);
	assert_int_equal(n, 1);
	assert_int_equal(poll(&outer, 1, 0), 0);
	assert_int_equal(rk_loop_wait_ms(loop), -1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(poll(&outer, 1, 0), 1);
	step(loop);
	assert_int_equal(s.calls, 1);
	rk_watch_free(w);
	close_pair(fds);
	rk_loop_free(loop);
}

struct inner {
	struct rk_loop *loop;
	enum rk_err step;
	enum rk_err run;
};

static void
on_inner(void *arg)
{
	struct inner *i = arg;

	i->step = rk_loop_step(i->loop, 0);
	i->run = rk_loop_run(i->loop);
}

static void
test_a_turn_inside_a_turn_is_refused(void **state)
{
	struct rk_loop *loop = new_loop();
	struct inner inner = { .loop = loop };

	(void)state;
	assert_int_equal(rk_loop_post(loop, on_inner, &inner), RK_OK);
	step(loop);
	assert_int_equal(inner.step, RK_ESTATE);
	assert_int_equal(inner.run, RK_ESTATE);
	rk_loop_free(loop);
}

/* ---- looking before sleeping ---- */

/* It is left out more and more often while it is in vain. */
static void
test_looking_in_vain_becomes_rare(void **state)
{
	static const unsigned skips[] = { 1, 0, 3, 2, 1, 0, 7 };
	struct rk_loop *loop = new_loop();
	struct rk_watch *w;
	struct seen s = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(rk_loop_step(loop, 1), RK_OK);
	assert_int_equal(loop->look_back, 0);
	loop_set_keen(loop, true);
	for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++) {
		assert_int_equal(rk_loop_step(loop, 1), RK_OK);
		assert_int_equal(loop->look_skip, skips[i]);
	}
	loop->look_back = LOOK_SKIP_MAX;
	loop->look_skip = 0;
	assert_int_equal(rk_loop_step(loop, 1), RK_OK);
	assert_int_equal(loop->look_skip, LOOK_SKIP_MAX);
	/* What is there is served. */
	loop->look_skip = 0;
	new_pair(fds);
	assert_int_equal(
	    rk_watch_new(loop, fds[0], RK_READ, on_seen, &s, &w), RK_OK);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(rk_loop_step(loop, -1), RK_OK);
	assert_int_equal(s.calls, 1);
	rk_watch_free(w);
	close_pair(fds);
	rk_loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch_reports_what_is_wanted),
		cmocka_unit_test(test_hang_up_is_what_was_watched_for),
		cmocka_unit_test(test_watch_of_nothing_fails),
		cmocka_unit_test(test_freed_watches_of_a_batch_are_not_called),
		cmocka_unit_test(test_events_nobody_wants_any_more_are_dropped),
		cmocka_unit_test(test_reused_descriptors_get_no_stale_events),
		cmocka_unit_test(test_hooks_run_once_at_the_end_of_the_turn),
		cmocka_unit_test(test_hooks_queued_between_turns),
		cmocka_unit_test(test_hooks_of_the_next_turn),
		cmocka_unit_test(test_outer_poll_sees_every_kind_of_work),
		cmocka_unit_test(test_a_turn_inside_a_turn_is_refused),
		cmocka_unit_test(test_looking_in_vain_becomes_rare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
