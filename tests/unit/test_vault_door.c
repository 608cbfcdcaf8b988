/* keyvault's agent on its sockets, under a clock of the test's: peers that say
 * little, too much, or are too many; and the place of an agent that was killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agentrig.h"
#include "base/fs.h"
#include "keyvault/agent_io.h"
#include "keyvault/agent_note.h"
#include "keyvault/agent_sock.h"
#include "net/loop.h"
#include "scratch.h"

static uint64_t
test_clock(void *arg)
{
	return *(const uint64_t *)arg;
}

struct house {
	struct agentrig rig;
	struct rk_loop *loop;
	struct agent_io *io;
	uint64_t now;
	int door;
	int lock;
	char path[AGENT_PATH_MAX];
};

static void
house_init(struct house *h)
{
	char cwd[AGENT_PATH_MAX - 16];
	struct rk_error err;

	agentrig_init(&h->rig);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	(void)snprintf(h->path, sizeof(h->path), "%s/d/s", cwd);
	assert_int_equal(agent_sock_claim(h->path, &h->lock, &err), RK_OK);
	assert_int_equal(agent_sock_listen(h->path, &h->door, &err), RK_OK);
	h->now = 1000;
	assert_int_equal(rk_loop_new(&h->loop), RK_OK);
	loop_set_clock(h->loop, test_clock, &h->now);
	assert_int_equal(
	    agent_io_new(h->loop, h->rig.agent, h->door, -1, NULL, &h->io),
	    RK_OK);
}

static void
house_fini(struct house *h)
{
	agent_io_free(h->io);
	rk_loop_free(h->loop);
	(void)close(h->door);
	(void)close(h->lock);
	agentrig_fini(&h->rig);
}

/* Until nothing is left to do. */
static void
turn(struct house *h)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(rk_loop_step(h->loop, 0), RK_OK);
}

static int
dial(struct house *h)
{
	struct rk_error err;
	int fd;

	assert_int_equal(agent_sock_dial(h->path, 5000, &fd, &err), RK_OK);
	turn(h);
	return fd;
}

static void
say(struct house *h, int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
	turn(h);
}

/* 0: it was ended; -1: it is open and silent. */
static ssize_t
hear(int fd)
{
	uint8_t b[4096];

	return recv(fd, b, sizeof(b), MSG_DONTWAIT);
}

static void
test_slow(void **state)
{
	static const uint8_t ask_status[] = { 0, 0, 0, 1, AGENT_STATUS };
	struct house h;
	int half;
	int mute;
	int idle;
	int fd;

	(void)state;
	house_init(&h);
	half = dial(&h);
	mute = dial(&h);
	idle = dial(&h);
	say(&h, idle, ask_status, sizeof(ask_status));
	assert_true(hear(idle) > 5);
	say(&h, half, ask_status, 2);
	h.now += AGENT_STALL_MS / 2;
	say(&h, half, ask_status + 2, 1);
	h.now += AGENT_STALL_MS / 2 - 1;
	turn(&h);
	assert_int_equal(hear(half), -1);
	h.now++;
	turn(&h);
	assert_int_equal(hear(half), 0);
	h.now += AGENT_MUTE_MS;
	turn(&h);
	assert_int_equal(hear(mute), 0);
	assert_int_equal(hear(idle), -1);
	/* What is no frame ends it at once, and nothing else. */
	fd = dial(&h);
	say(&h, fd, "\0\0\x40\x01\x01", 5);
	assert_int_equal(hear(fd), 0);
	(void)close(fd);
	fd = dial(&h);
	say(&h, fd, "\0\0\0\0", 4);
	assert_int_equal(hear(fd), 0);
	say(&h, idle, ask_status, sizeof(ask_status));
	assert_true(hear(idle) > 5);
	(void)close(fd);
	(void)close(half);
	(void)close(mute);
	(void)close(idle);
	house_fini(&h);
}

static void
test_crowd(void **state)
{
	static const uint8_t two[] = { 0, 0, 0, 1, AGENT_STATUS, 0, 0, 0, 1,
		AGENT_WAITING };
	int fds[AGENT_CLIENTS_MAX + 36];
	const size_t n = sizeof(fds) / sizeof(fds[0]);
	struct rk_error err;
	struct house h;
	int lock;

	(void)state;
	house_init(&h);
	for (size_t i = 0; i < n; i++) {
		h.now++;
		fds[i] = dial(&h);
		say(&h, fds[i], two, i % 2 == 0 ? 3 : sizeof(two));
	}
	/* Those that did nothing for longest had to go. */
	for (size_t i = 0; i < 36; i++)
		while (hear(fds[i]) > 0)
			continue;
	for (size_t i = 0; i < 36; i++)
		assert_int_equal(hear(fds[i]), 0);
	for (size_t i = 36; i < n; i++)
		assert_true(i % 2 == 0 ? hear(fds[i]) == -1 : hear(fds[i]) > 0);
	/* Nobody else listens there meanwhile. */
	assert_int_equal(agent_sock_claim(h.path, &lock, &err), RK_EEXIST);
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	turn(&h);
	house_fini(&h);
	/* Its socket is still there, as if it had been killed. */
	assert_int_equal(access(h.path, F_OK), 0);
	assert_int_equal(
	    agent_sock_dial(h.path, 5000, &lock, &err), RK_ECONNECT);
	house_init(&h);
	fds[0] = dial(&h);
	say(&h, fds[0], two, sizeof(two));
	assert_true(hear(fds[0]) > 0);
	(void)close(fds[0]);
	house_fini(&h);
}

/* ---- a long list to be signed ---- */

/* The to-be-signed part of a revocation list of many. */
static void
put_list(struct buf *b, size_t n)
{
	static const uint8_t head[] = { 0x02, 0x01, 0x01, 0x30, 0x05, 0x06,
		0x03, 0x2b, 0x65, 0x70, 0x30, 0x00, 0x17, 0x0d, '2', '6', '0',
		'1', '0', '1', '0', '0', '0', '0', '0', '0', 'Z' };
	static const uint8_t entry[] = { 0x30, 0x12, 0x02, 0x01, 0x05, 0x17,
		0x0d, '2', '6', '0', '1', '0', '1', '0', '0', '0', '0', '0',
		'0', 'Z' };
	uint32_t in = (uint32_t)(n * sizeof(entry));
	uint32_t all = in + 5 + (uint32_t)sizeof(head);

	assert_int_equal(bytes_put_u32(b, 0x30830000 | all >> 8), RK_OK);
	assert_int_equal(bytes_put_u8(b, (uint8_t)all), RK_OK);
	assert_int_equal(buf_put(b, head, sizeof(head)), RK_OK);
	assert_int_equal(bytes_put_u32(b, 0x30830000 | in >> 8), RK_OK);
	assert_int_equal(bytes_put_u8(b, (uint8_t)in), RK_OK);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_put(b, entry, sizeof(entry)), RK_OK);
}

static void
put_request(struct buf *b, const struct buf *list)
{
	size_t at;

	assert_int_equal(agent_begin(b, AGENT_SIGN, &at), RK_OK);
	assert_int_equal(agent_put_text(b, "a"), RK_OK);
	assert_int_equal(
	    bytes_put_string(b, buf_peek(list), buf_len(list)), RK_OK);
	agent_end(b, at);
}

static void
say_in_pieces(struct house *h, int fd, const struct buf *b, size_t len)
{
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		n = len - at < 32768 ? len - at : 32768;
		say(h, fd, buf_peek(b) + at, n);
	}
}

/* Its signature is good, and there is one more of it behind. */
static void
is_signed(struct house *h, int fd, const struct buf *list)
{
	uint8_t reply[256];
	uint8_t sig[AGENT_SIG_LEN];
	struct bytes body;
	uint8_t type;
	size_t used;
	ssize_t n;

	turn(h);
	n = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
	assert_true(n > 0);
	assert_int_equal(
	    agent_frame(reply, (size_t)n, sizeof(reply), &type, &body, &used),
	    RK_OK);
	assert_int_equal(type, AGENT_OK);
	assert_true(agent_get_signature(&body, sig));
	assert_true(rk_key_verify(
	    h->rig.rec[0].pub, buf_peek(list), buf_len(list), sig));
}

static void
open_ca(struct house *h)
{
	struct buf reply;

	(void)snprintf(
	    h->rig.rec[0].tags, sizeof(h->rig.rec[0].tags), "use:ca");
	h->rig.ms = AGENT_FOREVER;
	buf_init(&reply, AGENT_REPLY_MAX);
	assert_int_equal(
	    agentrig_unlock(&h->rig, "a", h->now, AGENT_FOREVER, false, &reply),
	    RK_OK);
	buf_fini(&reply);
}

static void
test_long(void **state)
{
	static const uint8_t ask_status[] = { 0, 0, 0, 1, AGENT_STATUS };
	int fds[AGENT_LONG_MAX];
	struct house h;
	struct buf list;
	struct buf request;
	int fd;

	(void)state;
	house_init(&h);
	open_ca(&h);
	buf_init(&list, AGENT_SIGN_MAX);
	buf_init(&request, AGENT_SIGN_MAX + 4);
	put_list(&list, 50000);
	assert_true(buf_len(&list) > AGENT_SIGN_MAX - 64 * 1024);
	put_request(&request, &list);
	fd = dial(&h);
	say(&h, fd, ask_status, sizeof(ask_status));
	assert_true(hear(fd) > 5);
	/* Behind another, and twice. */
	say(&h, fd, ask_status, sizeof(ask_status));
	say_in_pieces(&h, fd, &request, buf_len(&request));
	assert_true(hear(fd) > 5);
	say_in_pieces(&h, fd, &request, buf_len(&request));
	is_signed(&h, fd, &list);
	/* So many at a time have room for one; who does not go on, goes. */
	for (size_t i = 0; i < AGENT_LONG_MAX; i++) {
		fds[i] = dial(&h);
		say_in_pieces(&h, fds[i], &request, 100000);
		assert_int_equal(hear(fds[i]), -1);
	}
	say(&h, fd, buf_peek(&request), 100);
	assert_int_equal(hear(fd), 0);
	(void)close(fd);
	h.now += AGENT_STALL_MS;
	turn(&h);
	for (size_t i = 0; i < AGENT_LONG_MAX; i++) {
		assert_int_equal(hear(fds[i]), 0);
		(void)close(fds[i]);
	}
	/* Longer, or of another kind: none of it is read. */
	fd = dial(&h);
	say(&h, fd, "\0\x10\0\x01\x0a", 5);
	assert_int_equal(hear(fd), 0);
	(void)close(fd);
	buf_fini(&request);
	buf_fini(&list);
	house_fini(&h);
}

/* ---- somebody is told ---- */

/* Who waits two seconds is told of, once; and no sooner. */
static void
test_note(void **state)
{
	static const uint8_t ask[] = { 0, 0, 0, 18, AGENT_SIGN_FILE, 0, 0, 0, 1,
		'a', 0, 0, 0, 1, 'x', 0, 0, 0, 0 };
	time_t end = time(NULL) + 60;
	struct agent_waiting w;
	struct house h;
	struct buf b;
	char want[64];
	int fd;

	(void)state;
	house_init(&h);
	scratch_make("note",
	    "#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT $1\" "
	    ">told.new && mv told.new told\n",
	    0700);
	agent_io_notify(h.io, "./note");
	h.rig.ms = AGENT_FOREVER;
	buf_init(&b, AGENT_REPLY_MAX);
	assert_int_equal(
	    agentrig_unlock(&h.rig, "a", h.now, AGENT_FOREVER, true, &b),
	    RK_OK);
	buf_consume(&b, buf_len(&b));
	assert_int_equal(buf_put(&b, ask, sizeof(ask) - 1), RK_OK);
	b.data[b.head + 3] = 15 + 64;
	assert_int_equal(buf_put(&b, (const uint8_t[65]){ 64 }, 65), RK_OK);
	fd = dial(&h);
	say(&h, fd, buf_peek(&b), buf_len(&b));
	assert_true(agent_waits(h.rig.agent, 0, h.now, &w));
	h.now += AGENT_NOTE_MS - 1;
	turn(&h);
	assert_int_not_equal(access("told", F_OK), 0);
	h.now++;
	while (access("told", F_OK) != 0 && time(NULL) < end)
		turn(&h);
	(void)snprintf(want, sizeof(want),
	    "none Key a waits for a yes: keyvault allow %u\n", w.id);
	buf_consume(&b, buf_len(&b));
	assert_int_equal(fs_read("told", FS_ANY, 4096, &b, NULL), RK_OK);
	assert_memory_equal(buf_peek(&b), want, strlen(want));
	buf_fini(&b);
	(void)close(fd);
	turn(&h);
	house_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_slow, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_crowd, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_long, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_note, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
