/* Calls to the agent: one at a time, each with an end. */
#include "base/agent_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/agent_dial.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#define GRACE_MS 5000 /* after the time in which somebody may answer */
#define PIECE 4096

struct agent_conn {
	int fd;
	struct buf in;
	size_t shown; /* of in, by the last answer */
	uint32_t call_ms;
	bool now; /* or not at all */
};

enum rk_err
agent_dial(const char *path, uint32_t ms, struct agent_conn **out,
    struct rk_error *err)
{
	struct agent_conn *c;
	enum rk_err r;

	*out = NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return err_set(err, RK_ENOMEM, "agent: out of memory");
	if ((r = agent_sock_dial(path, ms, &c->fd, err)) != RK_OK) {
		free(c);
		return r;
	}
	buf_init(&c->in, AGENT_REPLY_MAX + PIECE);
	c->call_ms = AGENT_CALL_MS;
	*out = c;
	return RK_OK;
}

void
agent_hurry(struct agent_conn *c, uint32_t call_ms, bool now)
{
	c->call_ms = call_ms;
	c->now = now;
}

void
agent_hang_up(struct agent_conn *c)
{
	if (c == NULL)
		return;
	(void)close(c->fd);
	buf_wipe(&c->in);
	free(c);
}

static enum rk_err
wait_for(
    struct agent_conn *c, short events, uint64_t until, struct rk_error *err)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	uint64_t now = mono_ms();
	int n;

	n = now >= until ? 0 : poll(&p, 1, (int)(until - now));
	if (n == 0)
		return err_set(err, RK_ETIMEOUT, "agent: gives no answer");
	if (n < 0 && errno != EINTR)
		return err_sys(err, RK_EIO, errno, "agent");
	return RK_OK;
}

static enum rk_err
gone(struct rk_error *err)
{
	return err_set(
	    err, RK_ECLOSED, "agent: has ended, or does not talk to us");
}

static enum rk_err
send_all(struct agent_conn *c, const struct buf *b, uint64_t until,
    struct rk_error *err)
{
	size_t sent = 0;
	ssize_t n;
	enum rk_err r;

	while (sent < buf_len(b)) {
		n = send(c->fd, buf_peek(b) + sent, buf_len(b) - sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			sent += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return gone(err);
		else if ((r = wait_for(c, POLLOUT, until, err)) != RK_OK)
			return r;
	}
	return RK_OK;
}

static enum rk_err
receive(struct agent_conn *c, uint64_t until, struct rk_error *err)
{
	uint8_t *p;
	ssize_t n;
	enum rk_err r;

	if ((r = wait_for(c, POLLIN, until, err)) != RK_OK)
		return r;
	if ((r = buf_reserve(&c->in, PIECE, &p)) != RK_OK)
		return err_set(err, r, "agent: %s", rk_err_text(r));
	n = recv(c->fd, p, PIECE, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return RK_OK;
	if (n <= 0)
		return gone(err);
	buf_commit(&c->in, (size_t)n);
	return RK_OK;
}

/* One whole frame to type and body. */
static enum rk_err
next_frame(struct agent_conn *c, uint64_t until, uint8_t *type,
    struct bytes *body, struct rk_error *err)
{
	enum rk_err r;

	buf_consume(&c->in, c->shown);
	c->shown = 0;
	while ((r = agent_frame(buf_peek(&c->in), buf_len(&c->in),
	            AGENT_REPLY_MAX, type, body, &c->shown)) == RK_EAGAIN)
		if ((r = receive(c, until, err)) != RK_OK)
			return r;
	return r == RK_OK ? r
	                  : err_set(err, r, "agent: an answer that is none");
}

static void
tell_asked(struct bytes *rest, uint32_t id, agent_wait_fn *asked, void *arg)
{
	char how[AGENT_ASKS_MAX];
	char shown[4 * AGENT_ASKS_MAX];

	if (!agent_get_text(rest, how, sizeof(how)))
		how[0] = '\0';
	asked(id, str_escape(shown, sizeof(shown), how), arg);
}

static enum rk_err
take_answer(struct agent_conn *c, uint64_t until, agent_wait_fn *asked,
    void *arg, struct bytes *answer, struct rk_error *err)
{
	uint64_t ms;
	uint32_t id;
	uint8_t type;
	enum rk_err r;

	if ((r = next_frame(c, until, &type, answer, err)) != RK_OK)
		return r;
	if (type == AGENT_WAIT && bytes_get_u32(answer, &id) &&
	    bytes_get_u64(answer, &ms) && ms <= 10 * AGENT_WAIT_MS) {
		if (c->now)
			return err_set(err, RK_EDENIED,
			    "agent: wants to ask somebody first, and nobody "
			    "waits for that here");
		if (asked != NULL)
			tell_asked(answer, id, asked, arg);
		until = mono_ms() + ms + GRACE_MS;
		if ((r = next_frame(c, until, &type, answer, err)) != RK_OK)
			return r;
	}
	if (type == AGENT_FAIL)
		return agent_get_fail(answer, err);
	return type == AGENT_OK ? RK_OK
	                        : err_set(err, RK_EPROTO,
	                              "agent: an answer to something else");
}

enum rk_err
agent_call(struct agent_conn *c, enum agent_type type, struct buf *args,
    agent_wait_fn *asked, void *arg, struct bytes *answer, struct rk_error *err)
{
	size_t len = 5 + (args == NULL ? 0 : buf_len(args));
	struct buf frame;
	uint8_t *room;
	size_t at = 0;
	uint64_t until = mono_ms() + c->call_ms;
	enum rk_err r;

	/* All of it at once. */
	buf_init(&frame, len);
	r = args != NULL && args->guard != NULL
	        ? buf_guard(&frame, len)
	        : buf_reserve(&frame, len, &room);
	if (r == RK_OK && type == AGENT_GIVE)
		r = buf_guard(&c->in, PIECE);
	if (r == RK_OK &&
	    (r = agent_begin(&frame, (uint8_t)type, &at)) == RK_OK &&
	    args != NULL)
		r = buf_put(&frame, buf_peek(args), buf_len(args));
	if (r == RK_OK) {
		agent_end(&frame, at);
		r = send_all(c, &frame, until, err);
	} else
		(void)err_set(err, r, "agent: %s", rk_err_text(r));
	buf_wipe(&frame);
	if (args != NULL)
		buf_wipe(args);
	return r == RK_OK ? take_answer(c, until, asked, arg, answer, err) : r;
}
