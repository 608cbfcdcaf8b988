/* What a session does with the descriptors of others: it leaves them as they
 * were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "scratch.h"
#include "sessrig.h"

static struct sessrig rig;

#define SOME 100000

static bool
blocks(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	assert_true(flags >= 0);
	return (flags & O_NONBLOCK) == 0;
}

static void
check_all_block(void)
{
	for (int i = 0; i < 2; i++) {
		assert_true(blocks(rig.end[i].in));
		assert_true(blocks(rig.end[i].out));
	}
}

static int
count_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A terminal's bytes come when its driver's turn is. */
static void
await(const char *states, size_t got)
{
	for (unsigned turns = 0; turns < 6000; turns++) {
		if (strcmp(rig.end[0].states, states) == 0 &&
		    strcmp(rig.end[1].states, states) == 0 &&
		    buf_len(&rig.end[1].got) >= got)
			return;
		assert_int_equal(rk_loop_step(rig.loop, 10), RK_OK);
	}
	fail_msg("%s %s, not %s; %zu bytes", rig.end[0].states,
	    rig.end[1].states, states, buf_len(&rig.end[1].got));
}

/* More than the pipe takes at once, so that it is found full. */
static void
talk(void)
{
	static uint8_t data[SOME];
	size_t n;

	memset(data, 'x', sizeof(data));
	sessrig_start(&rig);
	await("IENO", 0);
	assert_int_equal(
	    rk_session_write(rig.end[0].s, data, sizeof(data), &n), RK_OK);
	await("IENO", n);
	assert_int_equal(buf_len(&rig.end[1].got), n);
}

static void
finish(void)
{
	rk_session_close(rig.end[0].s);
	await("IENOCX", 0);
}

/* They never change: who is killed leaves nothing behind, either. */
static void
test_left_alone(void **state)
{
	int before;

	sessrig_open(&rig, (enum sessrig_pipe)(uintptr_t)*state);
	if (rig.kind == SESSRIG_UDP || rig.kind == SESSRIG_LOCAL ||
	    rig.kind == SESSRIG_SEQPACKET) {
		/* A datagram is a piece; one is enough. */
		sessrig_start(&rig);
		sessrig_settle(&rig);
		assert_string_equal(rig.end[0].states, "IENO");
		check_all_block();
		sessrig_close(&rig);
		return;
	}
	before = count_open();
	talk();
	check_all_block();
	finish();
	check_all_block();
	/* And what was opened once more is closed with the session. */
	assert_int_equal(count_open(), before);
	sessrig_close(&rig);
}

static void
open_terminal(void)
{
	struct termios raw;
	int fds[2];

	sessrig_open(&rig, SESSRIG_STREAM);
	assert_int_equal(openpty(&fds[0], &fds[1], NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(fds[1], &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(fds[1], TCSANOW, &raw), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(close(rig.end[i].in), 0);
		rig.end[i].in = rig.end[i].out = fds[i];
	}
}

/* The terminal is left alone, its master given back; also by who frees a
 * session that goes on. */
static void
test_terminal(void **state)
{
	const bool freed = *state != NULL;

	open_terminal();
	talk();
	assert_true(blocks(rig.end[1].in));
	assert_false(blocks(rig.end[0].in));
	if (freed) {
		for (int i = 0; i < 2; i++) {
			rk_session_free(rig.end[i].s);
			rig.end[i].s = NULL;
		}
	} else {
		finish();
	}
	check_all_block();
	sessrig_close(&rig);
}

/* A pipe with a name is given back, too, and left alone if it is to be so. */
static void
test_named(void **state)
{
	static const char *const path[2] = { "up", "down" };

	(void)state;
	sessrig_open(&rig, SESSRIG_PIPES);
	for (int i = 0; i < 2; i++) {
		struct sessend *from = &rig.end[i];
		struct sessend *to = &rig.end[1 - i];
		int fds[2];

		assert_int_equal(mkfifo(path[i], 0600), 0);
		fds[0] = open(path[i], O_RDONLY | O_NONBLOCK);
		fds[1] = open(path[i], O_WRONLY);
		assert_true(fds[0] >= 0 && fds[1] >= 0);
		if (i == 0)
			assert_int_equal(fcntl(fds[0], F_SETFL, 0), 0);
		assert_int_equal(close(to->in) | close(from->out), 0);
		to->in = fds[0];
		from->out = fds[1];
	}
	talk();
	assert_false(blocks(rig.end[1].in));
	finish();
	assert_true(blocks(rig.end[1].in));
	assert_true(blocks(rig.end[0].out));
	assert_true(blocks(rig.end[1].out));
	assert_false(blocks(rig.end[0].in)); /* as it was */
	sessrig_close(&rig);
}

/* Nothing of a session that could not begin stays, either. */
static void
test_not_begun(void **state)
{
	struct rk_session_pipe p = { .in = -1, .out = -1 };
	struct rk_session *s;
	int before;

	(void)state;
	sessrig_open(&rig, SESSRIG_PIPES);
	p.in = rig.end[0].in;
	p.out = 250; /* nobody's */
	before = count_open();
	assert_int_not_equal(
	    rk_session_new(rig.loop, &rig.end[0].conf, &p, &s, NULL), RK_OK);
	assert_null(s);
	check_all_block();
	assert_int_equal(count_open(), before);
	sessrig_close(&rig);
}

#define ON(kind)                                                       \
	{                                                              \
		"test_left_alone " #kind, test_left_alone, NULL, NULL, \
		    (void *)(uintptr_t)(kind)                          \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON(SESSRIG_STREAM),
		ON(SESSRIG_PIPES),
		ON(SESSRIG_UDP),
		ON(SESSRIG_LOCAL),
		ON(SESSRIG_SEQPACKET),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test_prestate(test_terminal, &rig),
		cmocka_unit_test_setup_teardown(
		    test_named, scratch_enter, scratch_leave),
		cmocka_unit_test(test_not_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
