/* The loop and other threads: posts in order, stopping; signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "net/loop.h"

static struct rk_loop *
new_loop(void)
{
	struct rk_loop *loop;

	assert_int_equal(rk_loop_new(&loop), RK_OK);
	return loop;
}

static void
step(struct rk_loop *loop)
{
	assert_int_equal(rk_loop_step(loop, 0), RK_OK);
}

/* ---- posts ---- */

#define THREADS 4
#define POSTS 10000

struct poster {
	struct rk_loop *loop;
	struct counts *counts;
	unsigned index;
	pthread_t thread;
};

struct counts {
	struct rk_loop *loop;
	unsigned next[THREADS];
	unsigned total;
	bool wrong;
};

struct item {
	struct counts *counts;
	unsigned thread;
	unsigned n;
};

static void
on_item(void *arg)
{
	struct item *item = arg;
	struct counts *c = item->counts;

	if (c->next[item->thread]++ != item->n)
		c->wrong = true;
	if (++c->total == THREADS * POSTS)
		rk_loop_stop(c->loop);
	free(item);
}

static void *
post_all(void *arg)
{
	struct poster *p = arg;
	struct item *item;

	for (unsigned i = 0; i < POSTS; i++) {
		item = malloc(sizeof(*item));
		if (item == NULL)
			abort();
		*item = (struct item){
			.counts = p->counts, .thread = p->index, .n = i
		};
		if (rk_loop_post(p->loop, on_item, item) != RK_OK)
			abort();
	}
	return NULL;
}

static void
test_posts_of_each_thread_run_in_order(void **state)
{
	struct rk_loop *loop = new_loop();
	struct counts counts = { .loop = loop };
	struct poster p[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		p[i] = (struct poster){
			.loop = loop, .counts = &counts, .index = i
		};
		assert_int_equal(
		    pthread_create(&p[i].thread, NULL, post_all, &p[i]), 0);
	}
	assert_int_equal(rk_loop_run(loop), RK_OK);
	assert_int_equal(counts.total, THREADS * POSTS);
	assert_false(counts.wrong);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(p[i].thread, NULL), 0);
	rk_loop_free(loop);
}

static void
on_count(void *arg)
{
	++*(unsigned *)arg;
}

struct chain {
	struct rk_loop *loop;
	unsigned left;
};

static void
on_chain(void *arg)
{
	struct chain *c = arg;

	if (c->left-- > 1)
		assert_int_equal(rk_loop_post(c->loop, on_chain, c), RK_OK);
}

static unsigned hooked;

static void
on_hook(struct loop_hook *h)
{
	(void)h;
	hooked++;
}

static void
test_free_runs_what_was_posted(void **state)
{
	struct rk_loop *loop = new_loop();
	struct chain chain = { .loop = loop, .left = 5 };
	struct loop_hook h = { .fn = on_hook };
	unsigned n = 0;

	(void)state;
	hooked = 0;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rk_loop_post(loop, on_count, &n), RK_OK);
	assert_int_equal(rk_loop_post(loop, on_chain, &chain), RK_OK);
	loop_hook_queue(loop, &h);
	rk_loop_free(loop);
	assert_int_equal(n, 100);
	assert_int_equal(chain.left, 0);
	assert_int_equal(hooked, 1);
	rk_loop_free(NULL);
}

static void *
stop_it(void *arg)
{
	rk_loop_stop(arg);
	return NULL;
}

/* A stop that comes before the run is not lost; the next run is not stopped. */
static void
test_stop_before_and_during_run(void **state)
{
	struct rk_loop *loop = new_loop();
	pthread_t thread;
	unsigned n = 0;

	(void)state;
	rk_loop_stop(loop);
	assert_int_equal(rk_loop_run(loop), RK_OK);
	assert_int_equal(rk_loop_post(loop, on_count, &n), RK_OK);
	assert_int_equal(pthread_create(&thread, NULL, stop_it, loop), 0);
	assert_int_equal(rk_loop_run(loop), RK_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	step(loop);
	assert_int_equal(n, 1);
	rk_loop_free(loop);
}

/* The thread that posts the last word may still be in the call when the loop
 * is freed because of it. */
struct last_word {
	struct rk_loop *loop;
	bool said;
};

static void
on_last_word(void *arg)
{
	struct last_word *l = arg;

	l->said = true;
	rk_loop_stop(l->loop);
}

static void *
say_last_word(void *arg)
{
	struct last_word *l = arg;

	if (rk_loop_post(l->loop, on_last_word, l) != RK_OK)
		abort();
	return NULL;
}

static void
test_free_while_the_poster_leaves(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct last_word l = { .loop = new_loop() };
		pthread_t thread;

		assert_int_equal(
		    pthread_create(&thread, NULL, say_last_word, &l), 0);
		assert_int_equal(rk_loop_run(l.loop), RK_OK);
		rk_loop_free(l.loop);
		assert_true(l.said);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
}

/* ---- signals ---- */

struct caught {
	unsigned calls;
	int signo;
};

static void
on_signal(int signo, void *arg)
{
	struct caught *c = arg;

	c->calls++;
	c->signo = signo;
}

static bool
is_blocked(int signo)
{
	sigset_t now;

	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
	return sigismember(&now, signo) == 1;
}

static void
test_signals(void **state)
{
	struct rk_loop *loop = new_loop();
	struct caught a = { 0 };
	struct caught b = { 0 };
	struct caught c = { 0 };

	(void)state;
	assert_int_equal(rk_loop_signal(loop, 12345, on_signal, &a), RK_EIO);
	assert_int_equal(rk_loop_signal(loop, SIGUSR1, on_signal, &a), RK_OK);
	assert_int_equal(rk_loop_signal(loop, SIGUSR2, on_signal, &b), RK_OK);
	assert_int_equal(rk_loop_signal(loop, SIGUSR2, on_signal, &c), RK_OK);
	assert_true(is_blocked(SIGUSR1));
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(raise(SIGUSR2), 0);
	step(loop);
	step(loop);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.signo, SIGUSR1);
	assert_int_equal(b.calls, 1);
	assert_int_equal(c.calls, 1);
	assert_int_equal(c.signo, SIGUSR2);
	rk_loop_free(loop);
	assert_false(is_blocked(SIGUSR1));
	assert_false(is_blocked(SIGUSR2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_posts_of_each_thread_run_in_order),
		cmocka_unit_test(test_free_runs_what_was_posted),
		cmocka_unit_test(test_stop_before_and_during_run),
		cmocka_unit_test(test_free_while_the_poster_leaves),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
