/* What Go's programs sent, to a server and to a client of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rawpeer.h"
#include "rpc/frame.h"
#include "rpc/s2.h"
#include "vectors.h"

#define FRAMES_MAX 64

/* The messages of a stream, and what they point to. */
struct stream {
	uint8_t *data;
	size_t len;
	struct buf unpacked[FRAMES_MAX];
	struct msg m[FRAMES_MAX];
	size_t n;
};

static void
add_frame(struct stream *s, const struct frame *f)
{
	struct buf *b = &s->unpacked[s->n];
	struct rk_bytes body = f->body;
	struct rk_error err = { 0 };

	assert_true(s->n < FRAMES_MAX);
	buf_init(b, RK_BODY_MAX);
	if (f->code == FRAME_S2) {
		assert_int_equal(
		    s2_decode(f->body.ptr, f->body.len, RK_BODY_MAX, b, &err),
		    RK_OK);
		body = (struct rk_bytes){ buf_peek(b), buf_len(b) };
	}
	if (msg_decode(body.ptr, body.len, &s->m[s->n], &err) != RK_OK)
		fail_msg("%s", err.text);
	s->n++;
}

static void
split(struct stream *s)
{
	struct rk_error err = { 0 };
	struct frame f;

	s->n = 0;
	for (size_t at = 0; at < s->len; at += f.total) {
		if (frame_split(s->data + at, s->len - at, &f, NULL, &err) !=
		    RK_OK)
			fail_msg("byte %zu: %s", at, err.text);
		add_frame(s, &f);
	}
}

static void
drop(struct stream *s)
{
	for (size_t i = 0; i < s->n; i++)
		buf_fini(&s->unpacked[i]);
	free(s->data);
}

static bool
ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n >= k && strcmp(name + n - k, end) == 0;
}

static void
load(struct stream *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->data = vectors_load(name, &s->len);
	split(s);
}

/* ---- to a server ---- */

static void
receive_all(int fd, struct stream *s)
{
	struct buf b;

	memset(s, 0, sizeof(*s));
	buf_init(&b, SIZE_MAX);
	raw_drain(fd, &b);
	assert_int_equal(buf_take(&b, &s->data, &s->len), RK_OK);
	split(s);
}

/* The second opinion: would Go accept these bytes? */
static void
ask_godec(const struct stream *s)
{
	const char *script = getenv("TEST_GODEC");
	char path[512];
	char python[] = "python3";
	char file[512];
	char *argv[] = { python, file, NULL };
	char *env[] = { NULL };
	posix_spawn_file_actions_t acts;
	pid_t pid;
	int status, fd;

	(void)snprintf(file, sizeof(file), "%s",
	    script != NULL ? script : "tests/lib/godec.py");
	rpcworld_path(path, "replies.bin");
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, s->data, s->len), (ssize_t)s->len);
	(void)close(fd);
	(void)posix_spawn_file_actions_init(&acts);
	(void)posix_spawn_file_actions_addopen(&acts, 0, path, O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(
	    &acts, 1, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawnp(&pid, python, &acts, NULL, argv, env), 0);
	(void)posix_spawn_file_actions_destroy(&acts);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool
wants_an_answer(const struct msg *m)
{
	switch (m->hdr.type) {
	case RK_TYPE_CALL:
	case RK_TYPE_NETRPC:
	case RK_TYPE_BISTREAM:
	case RK_TYPE_UPLOAD_BEGIN:
	case RK_TYPE_DOWNLOAD:
	case RK_TYPE_ONEWAY: /* of a method that is not here */
		return true;
	default:
		return false;
	}
}

static void
same_str(struct rk_str a, struct rk_str b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.ptr, b.ptr, a.len);
}

static bool
is_echo(const struct msg *m)
{
	return m->hdr.type == RK_TYPE_CALL && m->hdr.to_service.len == 10 &&
	       memcmp(m->hdr.to_service.ptr, "customEcho", 10) == 0;
}

static void
check_answer(const struct msg *asked, const struct msg *got)
{
	assert_int_equal(got->hdr.seqno, asked->hdr.seqno);
	same_str(got->hdr.call_id, asked->hdr.call_id);
	if (asked->hdr.type == RK_TYPE_NETRPC) {
		/* Its errors are inside, where test_netrpc_raw looks. */
		assert_int_equal(got->hdr.type, RK_TYPE_REPLY);
		same_str(got->hdr.to_service, asked->hdr.from_service);
		same_str(got->hdr.from_service, asked->hdr.to_service);
		assert_true(got->payload.len > 0);
		return;
	}
	same_str(got->hdr.to_service, asked->hdr.to_service);
	if (!is_echo(asked)) {
		assert_int_equal(got->hdr.type, RK_TYPE_ERROR);
		same_str(got->hdr.from, asked->hdr.to);
		same_str(got->hdr.to, asked->hdr.from);
		assert_int_equal(got->payload.len, 0);
		return;
	}
	assert_int_equal(got->hdr.type, RK_TYPE_REPLY);
	assert_int_equal(got->hdr.deadline.is_set, asked->hdr.deadline.is_set);
	assert_int_equal(got->hdr.deadline.sec, asked->hdr.deadline.sec);
	/* Their deadlines passed long ago. */
	if (asked->hdr.deadline.is_set &&
	    asked->hdr.deadline.sec < (int64_t)time(NULL)) {
		assert_true(got->error.len > 0);
		return;
	}
	assert_int_equal(got->payload.len, asked->payload.len);
	assert_memory_equal(
	    got->payload.ptr, asked->payload.ptr, got->payload.len);
}

static void
serve(struct rpcrig *rig, const char *name)
{
	struct stream asked, got;
	size_t k = 0;
	int fd = raw_dial(rig);

	load(&asked, name);
	raw_put(fd, asked.data, asked.len);
	raw_finish(fd);
	receive_all(fd, &got);
	for (size_t i = 0; i < asked.n; i++) {
		if (!wants_an_answer(&asked.m[i]))
			continue;
		assert_true(k < got.n);
		check_answer(&asked.m[i], &got.m[k++]);
	}
	assert_int_equal(k, got.n);
	if (got.n > 0)
		ask_godec(&got);
	raw_close(fd);
	drop(&asked);
	drop(&got);
}

static void
serves_go_clients(void **state)
{
	struct rpcrig rig;

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; vectors_names[i] != NULL; i++) {
		if (ends_in(vectors_names[i], "-c2s"))
			serve(&rig, vectors_names[i]);
	}
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

/* ---- to a client ---- */

static void
on_pushed(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	unsigned *n = arg;

	(void)c;
	(void)payload;
	assert_int_equal(hdr->type, RK_TYPE_ONEWAY);
	(*n)++;
}

/* The answer as Go gave it, with our call's number and id. */
static void
answer_as(int fd, struct msg m, const struct msg *call)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	m.hdr.seqno = call->hdr.seqno;
	m.hdr.call_id = call->hdr.call_id;
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_OK);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
}

static void
check_told(const struct msg *m, const struct rpcanswer *a)
{
	assert_int_equal(a->n, 1);
	if (m->hdr.type == RK_TYPE_ERROR)
		assert_int_equal(a->code, RK_ENOMETHOD);
	else if (m->error.len > 0)
		assert_int_equal(a->code, RK_EREMOTE);
	else
		assert_int_equal(a->code, RK_OK);
	assert_int_equal(a->len, m->payload.len);
}

static void
answer_call(struct rk_client *c, int fd, const struct msg *with)
{
	struct rpcanswer a = { 0 };
	struct msg call;

	(void)rpcrig_submit(c, "customEcho", "x", 1, &a);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	raw_get(fd, &call);
	answer_as(fd, *with, &call);
	rpcrig_turn(c, &a.n, 1);
	check_told(with, &a);
}

static void
play_to_client(const char *name)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	struct rpcanswer a = { 0 };
	struct rpcanswer b = { 0 };
	struct rk_client *c;
	struct stream s;
	struct msg call;
	char url[128];
	unsigned pushed = 0;
	unsigned want = 0;
	int l = raw_listen(url);
	int fd;

	load(&s, name);
	conf.url = url;
	conf.pushed = on_pushed;
	conf.arg = &pushed;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	(void)rpcrig_submit(c, "customEcho", "x", 1, &a); /* number 2 */
	fd = raw_accept(l);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	raw_get(fd, &call);
	raw_put(fd, s.data, s.len);
	for (size_t i = 0; i < s.n; i++)
		want += s.m[i].hdr.type == RK_TYPE_ONEWAY;
	/* The numbers fit, the ids do not: none of it answers our call. */
	(void)rpcrig_submit(c, "last", NULL, 0, &b);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	raw_get(fd, &call);
	answer_as(fd, (struct msg){ .hdr = { .type = RK_TYPE_REPLY } }, &call);
	rpcrig_turn(c, &b.n, 1);
	assert_int_equal(a.n, 0);
	assert_int_equal(pushed, want);
	for (size_t i = 0; i < s.n; i++) {
		if (s.m[i].hdr.type == RK_TYPE_REPLY ||
		    s.m[i].hdr.type == RK_TYPE_ERROR)
			answer_call(c, fd, &s.m[i]);
	}
	raw_close(fd);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_ECLOSED);
	rk_client_free(c);
	raw_close(l);
	drop(&s);
}

static void
hears_go_servers(void **state)
{
	(void)state;
	for (size_t i = 0; vectors_names[i] != NULL; i++) {
		if (ends_in(vectors_names[i], "-s2c"))
			play_to_client(vectors_names[i]);
	}
}

/* Nonsense ends the connection, and every call with it. */
static void
leaves_bad_servers(void **state)
{
	static const char *const bad[] = { "HTTP/1.0 200 OK\r\n\r\n",
		"\xb3\x5d\x18\x39\xac\x8e\x1d\x09\0\0\0\0\0\0\0\1x",
		"\xb3\x5d\x18\x39\xac\x8e\x1d\0\0\0\0\0\0\0\0\1\xc1" };
	static const size_t lens[] = { 19, 17, 17 };
	struct rk_client_conf conf = { .size = sizeof(conf) };
	struct rk_client *c;
	struct msg call;
	char url[128];
	int l, fd;

	(void)state;
	l = raw_listen(url);
	conf.url = url;
	for (size_t i = 0; i < 3; i++) {
		struct rpcanswer a = { 0 };

		c = rpcrig_client_with(&conf);
		assert_int_equal(rk_client_connect(c, NULL), RK_OK);
		fd = raw_accept(l);
		(void)rpcrig_submit(c, "echo", NULL, 0, &a);
		assert_int_equal(rk_client_flush(c, NULL), RK_OK);
		raw_get(fd, &call);
		raw_put(fd, bad[i], lens[i]);
		rpcrig_turn(c, &a.n, 1);
		assert_int_equal(a.code, RK_EPROTO);
		assert_true(a.maybe_executed);
		assert_null(rk_client_peer(c));
		rk_client_free(c);
		raw_expect_end(fd);
	}
	raw_close(l);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "Go's clients", serves_go_clients, RPC_ONLY(RPC_TCP) },
		{ "Go's servers", hears_go_servers, RPC_ONLY(RPC_TCP) },
		{ "bad servers", leaves_bad_servers, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "rpc replay", cases, sizeof(cases) / sizeof(cases[0]));
}
