/* An agent of a test's own, on a thread: honest, or in some way not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/agent_dial.h"
#include "base/agent_frame.h"
#include "fakeagent.h"

#define LOOK_MS 10 /* for the end of the test */

/* ---- answers; what goes wrong here shows at the other end ---- */

static void
say(struct buf *out, uint8_t type, const void *data, size_t len)
{
	size_t at;

	if (agent_begin(out, type, &at) != RK_OK ||
	    bytes_put_string(out, data, len) != RK_OK)
		return;
	agent_end(out, at);
}

static void
say_fail(struct buf *out, const char *code, const char *text)
{
	size_t at;

	if (agent_begin(out, AGENT_FAIL, &at) != RK_OK ||
	    agent_put_text(out, code) != RK_OK ||
	    agent_put_text(out, text) != RK_OK)
		return;
	agent_end(out, at);
}

static void
say_public(const struct fakeagent *f, struct bytes *body, struct buf *out)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	bool more = body->left > 0;
	size_t at;

	if (more && f->old) {
		say_fail(out, "RK_EPROTO", "cannot be read");
		return;
	}
	rk_key_public(f->key, pub);
	if (agent_begin(out, AGENT_OK, &at) != RK_OK ||
	    bytes_put_string(out, pub, sizeof(pub)) != RK_OK ||
	    bytes_put_u8(out, f->confirm) != RK_OK ||
	    (more && bytes_put_u8(out, (uint8_t)f->uses) != RK_OK))
		return;
	agent_end(out, at);
}

static void
say_wait(struct buf *out)
{
	size_t at;

	if (agent_begin(out, AGENT_WAIT, &at) != RK_OK ||
	    bytes_put_u32(out, 7) != RK_OK ||
	    bytes_put_u64(out, 60000) != RK_OK)
		return;
	agent_end(out, at);
}

/* False: hang up when that is sent. */
static bool
say_signature(struct fakeagent *f, const struct bytes *msg, struct buf *out)
{
	enum fakeagent_mode mode = (enum fakeagent_mode)atomic_load(&f->mode);
	uint8_t sig[RK_KEY_SIG_LEN + 1] = { 0 };

	rk_key_sign(f->key, msg->at, msg->left, sig);
	switch (mode) {
	case FAKEAGENT_ASKS:
		say_wait(out);
		say(out, AGENT_OK, sig, RK_KEY_SIG_LEN);
		break;
	case FAKEAGENT_SIGNS:
		say(out, AGENT_OK, sig, RK_KEY_SIG_LEN);
		break;
	case FAKEAGENT_REFUSES:
		say_fail(out, "RK_EDENIED", "node: not\033today");
		break;
	case FAKEAGENT_HANGS:
		break;
	case FAKEAGENT_HALF:
		say(out, AGENT_OK, sig, RK_KEY_SIG_LEN);
		buf_uncommit(out, 5);
		return false;
	case FAKEAGENT_GARBAGE:
		if (buf_put(out, "\xff\xff\xff\xff garbage", 12) != RK_OK)
			return false;
		break;
	case FAKEAGENT_OTHER:
		rk_key_sign(f->key, "else", 4, sig);
		say(out, AGENT_OK, sig, RK_KEY_SIG_LEN);
		break;
	case FAKEAGENT_SHORT:
		say(out, AGENT_OK, sig, RK_KEY_SIG_LEN - 1);
		break;
	case FAKEAGENT_LONG:
		say(out, AGENT_OK, sig, RK_KEY_SIG_LEN + 1);
		break;
	case FAKEAGENT_STRANGE:
		say(out, 77, sig, RK_KEY_SIG_LEN);
		break;
	case FAKEAGENT_HANGS_UP:
		return false;
	}
	return true;
}

/* Whole requests in `in`. */
static bool
serve(struct fakeagent *f, struct buf *in, struct buf *out)
{
	struct bytes body;
	struct bytes name;
	struct bytes msg;
	uint8_t type;
	size_t used;
	bool go_on = true;

	while (go_on && agent_frame(buf_peek(in), buf_len(in), AGENT_SIGN_MAX,
	                    &type, &body, &used) == RK_OK) {
		if (!bytes_get_string(&body, &name) ||
		    !bytes_are(&name, "node"))
			return false;
		if (type == AGENT_PUBLIC)
			say_public(f, &body, out);
		else if (type != AGENT_SIGN || !bytes_get_string(&body, &msg))
			return false;
		else {
			go_on = say_signature(f, &msg, out);
			(void)atomic_fetch_add(&f->asked, 1);
		}
		buf_consume(in, used);
	}
	return go_on;
}

/* ---- connections, one at a time ---- */

static bool
readable(struct fakeagent *f, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (!atomic_load(&f->over))
		if (poll(&p, 1, LOOK_MS) > 0)
			return true;
	return false;
}

static void
talk(struct fakeagent *f, int fd)
{
	struct buf in;
	struct buf out;
	uint8_t *p;
	ssize_t n = 1;
	bool go_on = true;

	buf_init(&in, AGENT_SIGN_MAX + 8192);
	buf_init(&out, 65536);
	while (go_on && readable(f, fd) &&
	       buf_reserve(&in, 4096, &p) == RK_OK &&
	       (n = recv(fd, p, 4096, 0)) > 0) {
		buf_commit(&in, (size_t)n);
		go_on = serve(f, &in, &out);
		while (
		    buf_len(&out) > 0 && (n = send(fd, buf_peek(&out),
		                              buf_len(&out), MSG_NOSIGNAL)) > 0)
			buf_consume(&out, (size_t)n);
	}
	(void)close(fd);
	buf_fini(&in);
	buf_fini(&out);
}

static void *
run(void *arg)
{
	struct fakeagent *f = arg;
	int fd;

	while (readable(f, f->fd)) {
		fd = accept(f->fd, NULL, NULL);
		if (fd < 0)
			continue;
		(void)atomic_fetch_add(&f->conns, 1);
		talk(f, fd);
	}
	return NULL;
}

void
fakeagent_start(struct fakeagent *f, const char *path)
{
	struct sockaddr_un sun;

	if (f->key == NULL)
		assert_int_equal(rk_key_generate(&f->key), RK_OK);
	assert_true(strlen(path) < sizeof(f->path));
	memcpy(f->path, path, strlen(path) + 1);
	atomic_store(&f->over, false);
	(void)unlink(path);
	assert_true(agent_path_address(path, &sun));
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(f->fd >= 0);
	assert_int_equal(
	    bind(f->fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(f->fd, 8), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

void
fakeagent_stop(struct fakeagent *f)
{
	atomic_store(&f->over, true);
	(void)pthread_join(f->thread, NULL);
	(void)close(f->fd);
}

void
fakeagent_free(struct fakeagent *f)
{
	rk_key_free(f->key);
	f->key = NULL;
}
