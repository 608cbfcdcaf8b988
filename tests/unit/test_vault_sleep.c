/* A machine that slept: keyvault's agent has no key open when it wakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agentrig.h"
#include "keyvault/agent_io.h"
#include "keyvault/agent_sock.h"
#include "net/loop.h"
#include "scratch.h"

static int64_t slept; /* seconds, which only one of the clocks counts */
static uint64_t now = 1000;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && id == CLOCK_BOOTTIME)
		ts->tv_sec += slept;
	return rc;
}

static uint64_t
tell_now(void *arg)
{
	(void)arg;
	return now;
}

struct sleeper {
	struct agentrig rig;
	struct rk_loop *loop;
	struct agent_io *io;
	int door;
	int fd;
};

static void
open_keys(struct sleeper *s, bool confirm)
{
	struct buf reply;

	buf_init(&reply, 4096);
	assert_int_equal(
	    agentrig_unlock(&s->rig, NULL, now, AGENT_FOREVER, confirm, &reply),
	    RK_OK);
	buf_fini(&reply);
	assert_true(agent_is_open(s->rig.agent));
	agent_io_changed(s->io);
}

/* A request, and its answer, or with want 0 none. */
static void
ask(struct sleeper *s, const void *frame, size_t len, uint8_t want)
{
	uint8_t got[4096];
	ssize_t n = -1;

	assert_int_equal(send(s->fd, frame, len, 0), (ssize_t)len);
	for (int i = 0; i < 100 && n < 0; i++) {
		assert_int_equal(rk_loop_step(s->loop, 0), RK_OK);
		n = recv(s->fd, got, sizeof(got), MSG_DONTWAIT);
	}
	assert_true(n > 4);
	assert_int_equal(got[4], want);
}

static void
ask_status(struct sleeper *s)
{
	static const uint8_t frame[] = { 0, 0, 0, 1, AGENT_STATUS };

	ask(s, frame, sizeof(frame), AGENT_OK);
}

static void
begin(struct sleeper *s)
{
	struct rk_error err;

	memset(s, 0, sizeof(*s));
	slept = 0;
	agentrig_init(&s->rig);
	assert_int_equal(agent_sock_listen("s", &s->door, &err), RK_OK);
	assert_int_equal(rk_loop_new(&s->loop), RK_OK);
	loop_set_clock(s->loop, tell_now, NULL);
	assert_int_equal(
	    agent_io_new(s->loop, s->rig.agent, s->door, -1, NULL, &s->io),
	    RK_OK);
	assert_int_equal(agent_sock_dial("s", 5000, &s->fd, &err), RK_OK);
	assert_int_equal(rk_loop_step(s->loop, 0), RK_OK);
}

static void
end(struct sleeper *s)
{
	(void)close(s->fd);
	agent_io_free(s->io);
	rk_loop_free(s->loop);
	(void)close(s->door);
	agentrig_fini(&s->rig);
}

static void
test_request(void **state)
{
	struct sleeper s;

	(void)state;
	begin(&s);
	open_keys(&s, false);
	ask_status(&s);
	assert_true(agent_is_open(s.rig.agent));
	slept = 100;
	ask_status(&s);
	assert_false(agent_is_open(s.rig.agent));
	assert_true(s.rig.locked);
	/* Once: what is opened after it stays open. */
	open_keys(&s, false);
	ask_status(&s);
	assert_true(agent_is_open(s.rig.agent));
	end(&s);
}

/* Nobody asks anything: it is looked at every five seconds. */
static void
test_timer(void **state)
{
	struct sleeper s;

	(void)state;
	begin(&s);
	s.rig.ms = 1000000;
	open_keys(&s, false);
	now += 5000;
	assert_int_equal(rk_loop_step(s.loop, 0), RK_OK);
	assert_true(agent_is_open(s.rig.agent));
	slept = 100;
	now += 4999;
	assert_int_equal(rk_loop_step(s.loop, 0), RK_OK);
	assert_true(agent_is_open(s.rig.agent));
	now++;
	assert_int_equal(rk_loop_step(s.loop, 0), RK_OK);
	assert_false(agent_is_open(s.rig.agent));
	end(&s);
}

/* A yes that comes after it, from a program that has asked before. */
static void
test_answer(void **state)
{
	static const uint8_t hash[64] = { 1 };
	struct agent_waiting w;
	struct sleeper s;
	struct buf b;
	size_t at;

	(void)state;
	begin(&s);
	open_keys(&s, true);
	buf_init(&b, 1024);
	assert_int_equal(agent_begin(&b, AGENT_SIGN_FILE, &at), RK_OK);
	assert_int_equal(agent_put_text(&b, "a"), RK_OK);
	assert_int_equal(agent_put_text(&b, "mail"), RK_OK);
	assert_int_equal(bytes_put_string(&b, hash, sizeof(hash)), RK_OK);
	agent_end(&b, at);
	ask(&s, buf_peek(&b), buf_len(&b), AGENT_WAIT);
	buf_fini(&b);
	assert_true(agent_waits(s.rig.agent, 0, now, &w));
	slept = 100;
	assert_int_equal(
	    agent_answer(s.rig.agent, w.id, true, now, 0, "a test"), RK_OK);
	agent_io_changed(s.io);
	assert_int_equal(s.rig.uses, 0);
	assert_false(agent_is_open(s.rig.agent));
	end(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_request),
		TEST(test_timer),
		TEST(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
