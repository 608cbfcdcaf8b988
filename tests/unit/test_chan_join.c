/* Channels: ends of bytes joined to pipes, and what becomes of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chanrig.h"

/* One end joined to two pipes, of which the test has the other sides. */
struct side {
	int to_it, from_it;
	int in, out;
	unsigned done;
	enum rk_err code;
	char text[RK_ERROR_TEXT_LEN];
};

static void
on_done(const struct rk_error *why, void *arg)
{
	struct side *s = arg;

	s->done++;
	s->code = why->code;
	memcpy(s->text, why->text, sizeof(s->text));
}

static void
make_pipe(int *from, int *to)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	*from = fds[0];
	*to = fds[1];
}

static void
drop(int *fd)
{
	if (*fd >= 0)
		assert_int_equal(close(*fd), 0);
	*fd = -1;
}

static void
join(struct side *s, struct rk_chan **c)
{
	memset(s, 0, sizeof(*s));
	make_pipe(&s->in, &s->to_it);
	make_pipe(&s->from_it, &s->out);
	assert_int_equal(rk_chan_join(c, s->in, s->out, on_done, s), RK_OK);
	assert_null(*c);
}

static void
side_fini(struct side *s)
{
	assert_int_equal(s->done, 1);
	drop(&s->in);
	drop(&s->out);
	drop(&s->to_it);
	drop(&s->from_it);
}

/* Two sides of a channel across a link. */
struct bridge {
	struct chanrig r;
	struct side a, b;
};

static void
bridge_init(struct bridge *br)
{
	struct chanuser mine, sent;

	chanrig_init(&br->r, NULL, NULL);
	chanrig_pair(&br->r, RK_CHAN_BYTES, "pipe", &mine, &sent);
	chanrig_send(&br->r.first[0], "", &sent);
	chanrig_settle(&br->r);
	join(&br->a, &mine.c);
	join(&br->b, &br->r.first[1].took[0]->c);
}

static void
bridge_fini(struct bridge *br)
{
	side_fini(&br->a);
	side_fini(&br->b);
	assert_int_equal(br->r.link[0].ids.count, 1);
	assert_int_equal(br->r.link[1].ids.count, 1);
	chanrig_fini(&br->r);
}

/* Descriptors are ready without the loop's knowing before. */
static void
settle(struct bridge *br)
{
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(rk_loop_step(br->r.loop, 0), RK_OK);
		chanrig_settle(&br->r);
	}
}

static size_t
fill(int fd, size_t want)
{
	static const uint8_t bytes[10000];
	size_t sum = 0;

	while (sum < want) {
		size_t n =
		    want - sum < sizeof(bytes) ? want - sum : sizeof(bytes);
		ssize_t got = write(fd, bytes, n);

		if (got < 0) {
			assert_int_equal(errno, EAGAIN);
			break;
		}
		sum += (size_t)got;
	}
	return sum;
}

static size_t
empty(int fd)
{
	uint8_t bytes[10000];
	size_t sum = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		sum += (size_t)n;
	return sum;
}

static void
carries_both_ways(void **state)
{
	struct bridge br;
	char got[16] = "";

	(void)state;
	bridge_init(&br);
	assert_int_equal(write(br.a.to_it, "there", 5), 5);
	assert_int_equal(write(br.b.to_it, "back", 4), 4);
	settle(&br);
	assert_int_equal(read(br.b.from_it, got, sizeof(got)), 5);
	assert_memory_equal(got, "there", 5);
	assert_int_equal(read(br.a.from_it, got, sizeof(got)), 4);
	assert_memory_equal(got, "back", 4);
	/* One way ends, and the other goes on. */
	drop(&br.a.to_it);
	settle(&br);
	assert_int_equal(br.a.done + br.b.done, 0);
	assert_int_equal(write(br.b.to_it, "more", 4), 4);
	settle(&br);
	assert_int_equal(read(br.a.from_it, got, sizeof(got)), 4);
	drop(&br.b.to_it);
	settle(&br);
	assert_int_equal(br.a.code, RK_OK);
	assert_int_equal(br.b.code, RK_OK);
	bridge_fini(&br);
}

/* Nobody reads at the far end: at the near one nothing is read either. */
static void
waits_for_the_reader(void **state)
{
	struct bridge br;
	size_t put = 0;
	size_t got = 0;
	size_t n;

	(void)state;
	bridge_init(&br);
	while ((n = fill(br.a.to_it, 1000000)) > 0) {
		put += n;
		settle(&br);
	}
	assert_in_range(put, 2 * 65536, 1u << 20);
	drop(&br.a.to_it);
	drop(&br.b.to_it);
	do {
		n = empty(br.b.from_it);
		got += n;
		settle(&br);
	} while (n > 0);
	assert_int_equal(got, put);
	assert_int_equal(br.b.code, RK_OK);
	bridge_fini(&br);
}

static void
ends_with_its_writer(void **state)
{
	struct bridge br;

	(void)state;
	bridge_init(&br);
	drop(&br.b.from_it); /* what is written there fails */
	assert_int_equal(write(br.a.to_it, "x", 1), 1);
	settle(&br);
	assert_int_equal(br.b.done, 1);
	assert_int_equal(br.b.code, RK_EIO);
	assert_string_equal(br.b.text, "cannot write: Broken pipe");
	assert_int_equal(br.a.done, 1);
	assert_int_equal(br.a.code, RK_EFAIL);
	assert_string_equal(br.a.text, "cannot write: Broken pipe");
	bridge_fini(&br);
}

static void
ends_with_the_link(void **state)
{
	const struct rk_error why = { .code = RK_ECLOSED, .text = "cut" };
	struct bridge br;

	(void)state;
	bridge_init(&br);
	(void)fill(br.a.to_it, 50000);
	settle(&br);
	for (unsigned i = 0; i < 2; i++)
		chan_link_fail(&br.r.link[i], &why);
	assert_int_equal(br.a.done, 1);
	assert_int_equal(br.a.code, RK_ECLOSED);
	assert_string_equal(br.a.text, "cut");
	side_fini(&br.a);
	side_fini(&br.b);
	chanrig_fini(&br.r);
}

/* With the link all is lost: nobody waits for a descriptor that takes nothing,
 * perhaps for ever. */
static void
waits_for_nobody_when_lost(void **state)
{
	const struct rk_error why = { .code = RK_ECLOSED, .text = "cut" };
	struct bridge br;

	(void)state;
	bridge_init(&br);
	while (fill(br.a.to_it, 1000000) > 0)
		settle(&br);
	for (unsigned i = 0; i < 2; i++)
		chan_link_fail(&br.r.link[i], &why);
	assert_int_equal(br.a.done, 1);
	assert_int_equal(br.b.done, 1);
	assert_int_equal(br.b.code, RK_ECLOSED);
	assert_string_equal(br.b.text, "cut");
	side_fini(&br.a);
	side_fini(&br.b);
	chanrig_fini(&br.r);
}

/* Whoever goes away at the other side of a descriptor that is not looked at,
 * because there is nothing to do with it, costs nothing. */
static void
does_not_spin(void **state)
{
	struct bridge br;

	(void)state;
	bridge_init(&br);
	while (fill(br.a.to_it, 1000000) > 0)
		settle(&br);
	drop(&br.a.to_it);   /* not read further: its window is full */
	drop(&br.a.from_it); /* nothing to write there */
	settle(&br);
	assert_int_equal(br.a.done + br.b.done, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct pollfd p = { .fd = rk_loop_fd(br.r.loop),
			.events = POLLIN };

		assert_int_equal(poll(&p, 1, 0), 0);
		assert_int_equal(rk_loop_wait_ms(br.r.loop), -1);
	}
	drop(&br.b.from_it); /* who was to read all that is gone */
	settle(&br);
	assert_int_equal(br.b.code, RK_EIO);
	assert_int_equal(br.a.code, RK_EFAIL);
	bridge_fini(&br);
}

/* Its user has had enough: the other end is told why, the descriptors are free
 * at once, whatever was to go there, and nobody is called. */
static void
is_aborted(void **state)
{
	static const uint8_t bytes[300000];
	struct side s = { .done = 0 };
	struct rk_chan_joint *j = NULL;
	struct chanuser a, b;
	struct chanrig r;
	size_t n;

	(void)state;
	rk_chan_joint_abort(&j, RK_ECANCELED, NULL);
	chanrig_init(&r, NULL, NULL);
	for (unsigned late = 0; late < 3; late++) {
		make_pipe(&s.in, &s.to_it);
		make_pipe(&s.from_it, &s.out);
		chanrig_pair(&r, RK_CHAN_BYTES, "cut", &a, &b);
		assert_int_equal(
		    rk_chan_joint_new(&b.c, s.in, s.out, on_done, &s, &j),
		    RK_OK);
		assert_null(b.c);
		assert_int_equal(write(s.to_it, "x", 1), 1);
		if (late > 0) { /* the pipe is full, and more waits for it */
			assert_int_equal(
			    rk_chan_write(a.c, bytes, sizeof(bytes), &n),
			    RK_OK);
			chanrig_step(&r);
		}
		if (late > 1) { /* and the other end has gone before */
			rk_chan_close(&a.c);
			chanrig_step(&r);
		}
		rk_chan_joint_abort(&j, RK_ECANCELED, "enough");
		assert_null(j);
		drop(&s.in);
		drop(&s.out);
		chanrig_step(&r);
		if (late < 2) {
			assert_int_equal(a.ends, 1);
			assert_int_equal(a.code, RK_ECANCELED);
		}
		drop(&s.to_it);
		drop(&s.from_it);
		assert_int_equal(s.done, 0);
	}
	chanrig_fini(&r);
}

static void
tells_of_closed_descriptors(void **state)
{
	struct side s = { .in = -1, .out = -1, .to_it = -1, .from_it = -1 };
	struct chanuser a, b;
	struct chanrig r;
	int from, to;
	size_t n;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	for (unsigned i = 0; i < 2; i++) {
		make_pipe(&from, &to);
		assert_int_equal(close(from), 0);
		assert_int_equal(close(to), 0);
		chanrig_pair(&r, RK_CHAN_BYTES, "gone", &a, &b);
		s.done = 0;
		assert_int_equal(rk_chan_join(&b.c, i == 0 ? from : -1,
		                     i == 0 ? -1 : to, on_done, &s),
		    RK_OK);
		if (i == 1)
			assert_int_equal(rk_chan_write(a.c, "x", 1, &n), RK_OK);
		chanrig_step(&r);
		assert_int_equal(s.done, 1);
		assert_int_equal(s.code, RK_EIO);
		assert_int_equal(a.ends, 1);
		/* Who has finished cannot say more. */
		assert_int_equal(a.code, i == 0 ? RK_EFAIL : RK_ECLOSED);
	}
	chanrig_fini(&r);
}

/* Without descriptors: nothing is sent, what comes is dropped. */
static void
needs_no_descriptors(void **state)
{
	static const uint8_t bytes[300000];
	struct chanuser a, b;
	struct side s = { .in = -1, .out = -1, .to_it = -1, .from_it = -1 };
	struct chanrig r;
	size_t n;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_BYTES, "null", &a, &b);
	assert_int_equal(rk_chan_join(&b.c, -1, -1, on_done, &s), RK_OK);
	chanrig_step(&r);
	assert_int_equal(a.eofs, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
		    rk_chan_write(a.c, bytes, sizeof(bytes), &n), RK_OK);
		assert_true(n > 100000);
		chanrig_step(&r);
	}
	rk_chan_finish(a.c);
	chanrig_step(&r);
	assert_int_equal(s.code, RK_OK);
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(a.ends, 1);
	side_fini(&s);
	chanrig_fini(&r);
}

/* Nobody can wait for a file, nor has to. */
static void
reads_files(void **state)
{
	static const uint8_t bytes[300000];
	struct side s = { .in = -1, .out = -1, .to_it = -1, .from_it = -1 };
	struct chanuser a, b;
	struct chanrig r;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
	rewind(file);
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_BYTES, "file", &a, &b);
	a.no_read = true;
	assert_int_equal(
	    rk_chan_join(&b.c, fileno(file), -1, on_done, &s), RK_OK);
	chanrig_step(&r); /* as much as the reader's window takes */
	a.no_read = false;
	chanrig_events.readable(a.c, &a);
	rk_chan_finish(a.c);
	chanrig_step(&r);
	assert_int_equal(a.bytes, sizeof(bytes));
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(s.code, RK_OK);
	assert_int_equal(s.done, 1);
	assert_int_equal(fclose(file), 0);
	/* A directory is opened, and cannot be read. */
	s.in = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s.in >= 0);
	chanrig_pair(&r, RK_CHAN_BYTES, "file", &a, &b);
	assert_int_equal(rk_chan_join(&b.c, s.in, -1, on_done, &s), RK_OK);
	chanrig_step(&r);
	assert_int_equal(s.done, 2);
	assert_int_equal(s.code, RK_EIO);
	assert_string_equal(s.text, "cannot read: Is a directory");
	assert_int_equal(a.code, RK_EFAIL);
	drop(&s.in);
	chanrig_fini(&r);
}

static void
refuses_what_makes_no_sense(void **state)
{
	struct chanuser a, b;
	struct chanrig r;
	struct rk_chan *none = NULL;
	int fds[2];

	(void)state;
	chanrig_init(&r, NULL, NULL);
	make_pipe(&fds[0], &fds[1]);
	assert_int_equal(rk_chan_join(&none, -1, -1, on_done, NULL), RK_EINVAL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "messages", &a, &b);
	assert_int_equal(rk_chan_join(&b.c, -1, -1, on_done, NULL), RK_EINVAL);
	assert_null(b.c);
	chanrig_step(&r);
	assert_int_equal(a.code, RK_ECLOSED);
	chanrig_pair(&r, RK_CHAN_BYTES, "bytes", &a, &b);
	assert_int_equal(
	    rk_chan_join(&b.c, fds[0], fds[0], on_done, NULL), RK_EINVAL);
	chanrig_step(&r);
	assert_int_equal(a.code, RK_ECLOSED);
	drop(&fds[1]);
	drop(&fds[0]);
	chanrig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_both_ways),
		cmocka_unit_test(waits_for_the_reader),
		cmocka_unit_test(ends_with_its_writer),
		cmocka_unit_test(ends_with_the_link),
		cmocka_unit_test(waits_for_nobody_when_lost),
		cmocka_unit_test(does_not_spin),
		cmocka_unit_test(is_aborted),
		cmocka_unit_test(tells_of_closed_descriptors),
		cmocka_unit_test(needs_no_descriptors),
		cmocka_unit_test(reads_files),
		cmocka_unit_test(refuses_what_makes_no_sense),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
