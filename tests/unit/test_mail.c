/* Letters: in order, once, from any thread, and not after the box is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "rpc/mail.h"

struct letter {
	struct mail mail;
	struct mailbox *box;
	struct letter *next; /* put by this one */
	unsigned *count;
	unsigned order; /* when it was read; 0: not yet */
	unsigned times;
};

static void
read_letter(struct mail *m)
{
	struct letter *l = (struct letter *)(void *)m;

	l->order = ++*l->count;
	l->times++;
	if (l->next != NULL)
		mailbox_put(l->box, &l->next->mail);
}

static struct letter
letter(struct mailbox *box, unsigned *count)
{
	return (struct letter){
		.mail = { .fn = read_letter }, .box = box, .count = count
	};
}

static void
turns(struct rk_loop *loop, int n)
{
	while (n-- > 0)
		assert_int_equal(rk_loop_step(loop, 0), RK_OK);
}

static void
delivers_in_order_once(void **state)
{
	struct rk_loop *loop;
	struct mailbox *box;
	struct letter l[3];
	unsigned count = 0;

	(void)state;
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	assert_int_equal(mailbox_new(loop, &box), RK_OK);
	for (size_t i = 0; i < 3; i++)
		l[i] = letter(box, &count);
	mailbox_put(box, &l[1].mail);
	mailbox_put(box, &l[0].mail);
	mailbox_put(box, &l[1].mail); /* waits already */
	assert_int_equal(count, 0);
	turns(loop, 2);
	assert_int_equal(l[1].order, 1);
	assert_int_equal(l[0].order, 2);
	assert_int_equal(l[1].times, 1);
	mailbox_put(box, &l[1].mail); /* has been read */
	turns(loop, 2);
	assert_int_equal(l[1].times, 2);
	assert_int_equal(rk_loop_wait_ms(loop), -1);
	mailbox_free(box);
	rk_loop_free(loop);
}

/* A letter that puts another, and itself. */
static void
may_be_put_while_read(void **state)
{
	struct rk_loop *loop;
	struct mailbox *box;
	struct letter l[2];
	unsigned count = 0;

	(void)state;
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	assert_int_equal(mailbox_new(loop, &box), RK_OK);
	l[0] = letter(box, &count);
	l[1] = letter(box, &count);
	l[0].next = &l[1];
	mailbox_put(box, &l[0].mail);
	turns(loop, 4);
	assert_int_equal(l[1].times, 1);
	l[0].next = &l[0];
	mailbox_put(box, &l[0].mail);
	turns(loop, 5); /* others had their turn: it does not hang here */
	assert_true(l[0].times >= 3);
	l[0].next = NULL;
	turns(loop, 2);
	mailbox_free(box);
	rk_loop_free(loop);
}

/* The box goes: what waits is read, and the loop hears no more of it. */
static void
ends_before_its_loop(void **state)
{
	struct rk_loop *loop;
	struct mailbox *box;
	struct letter l[2];
	unsigned count = 0;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		count = 0;
		assert_int_equal(rk_loop_new(&loop), RK_OK);
		assert_int_equal(mailbox_new(loop, &box), RK_OK);
		l[0] = letter(box, &count);
		l[1] = letter(box, &count);
		l[0].next = &l[1];
		mailbox_put(box, &l[0].mail);
		mailbox_free(box);
		assert_int_equal(count, 2);
		if (turn == 1)
			turns(loop, 3);
		rk_loop_free(loop);
		assert_int_equal(count, 2);
	}
	mailbox_free(NULL);
}

enum {
	THREADS = 4,
	EACH = 2000
};

struct sender {
	pthread_t thread;
	struct letter *letters;
	struct mailbox *box;
};

static void *
send_all(void *arg)
{
	struct sender *s = arg;

	for (int i = 0; i < EACH; i++)
		mailbox_put(s->box, &s->letters[i].mail);
	return NULL;
}

static void
hears_every_thread(void **state)
{
	struct sender s[THREADS];
	struct rk_loop *loop;
	struct mailbox *box;
	unsigned count = 0;

	(void)state;
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	assert_int_equal(mailbox_new(loop, &box), RK_OK);
	for (int t = 0; t < THREADS; t++) {
		s[t].box = box;
		s[t].letters = calloc(EACH, sizeof(*s[t].letters));
		assert_non_null(s[t].letters);
		for (int i = 0; i < EACH; i++)
			s[t].letters[i] = letter(box, &count);
		assert_int_equal(
		    pthread_create(&s[t].thread, NULL, send_all, &s[t]), 0);
	}
	while (count < THREADS * EACH)
		assert_int_equal(rk_loop_step(loop, 1000), RK_OK);
	for (int t = 0; t < THREADS; t++) {
		(void)pthread_join(s[t].thread, NULL);
		for (int i = 0; i < EACH; i++) {
			assert_int_equal(s[t].letters[i].times, 1);
			assert_true(i == 0 || s[t].letters[i].order >
			                          s[t].letters[i - 1].order);
		}
		free(s[t].letters);
	}
	mailbox_free(box);
	rk_loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers_in_order_once),
		cmocka_unit_test(may_be_put_while_read),
		cmocka_unit_test(ends_before_its_loop),
		cmocka_unit_test(hears_every_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
