/* Channels: an end of bytes joined to descriptors. */
#include "rpc/chan_int.h"

#include "base/container.h"
#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes on their way between a descriptor and the end. */
struct half {
	int fd; /* -1: none, or done */
	struct rk_watch *watch;
	size_t at;
	size_t len;
	uint8_t bytes[CHAN_PIECE];
};

struct rk_chan_joint {
	struct rk_loop *loop;
	struct rk_chan *c; /* NULL: ended */
	struct half in;    /* from the descriptor to the end */
	struct half out;
	/* What cannot be watched, as files cannot, is read once a turn. */
	bool by_turns;
	struct loop_hook hook;
	bool drop;    /* nowhere to write to */
	bool no_more; /* will come */
	struct rk_error why;
	void (*done)(const struct rk_error *why, void *arg);
	void *arg;
};

static void
half_end(struct half *h)
{
	rk_watch_free(h->watch);
	h->watch = NULL;
	h->fd = -1;
	h->at = h->len = 0;
}

static void
end_in(struct rk_chan_joint *j)
{
	loop_hook_remove(j->loop, &j->hook);
	half_end(&j->in);
}

static void
free_joint(struct rk_chan_joint *j)
{
	end_in(j);
	half_end(&j->out);
	free(j);
}

static void
finish(struct rk_chan_joint *j)
{
	const struct rk_error why = j->why;
	void (*done)(const struct rk_error *, void *) = j->done;
	void *arg = j->arg;

	free_joint(j);
	done(&why, arg);
}

/* A descriptor broke: so does the channel. */
static void
fail(struct rk_chan_joint *j, const char *what, int errnum)
{
	(void)err_sys(&j->why, RK_EIO, errnum, "%s", what);
	rk_chan_reset(&j->c, RK_EFAIL, j->why.text);
	finish(j);
}

/* false: it is over with j. */
static bool
want(struct rk_chan_joint *j, struct half *h, unsigned what)
{
	if (h->watch == NULL || rk_watch_set(h->watch, what) == RK_OK)
		return true;
	fail(j, "cannot watch a descriptor", EIO);
	return false;
}

/* ---- from the descriptor ---- */

static void
pass_in(struct rk_chan_joint *j)
{
	struct half *h = &j->in;
	enum rk_err r = RK_OK;
	size_t n;

	while (h->at < h->len && r == RK_OK) {
		r = rk_chan_write(j->c, h->bytes + h->at, h->len - h->at, &n);
		h->at += n;
	}
	if (r == RK_ENOMEM)
		fail(j, "cannot send", ENOMEM);
	else if (r != RK_OK && r != RK_EAGAIN)
		end_in(j); /* nobody reads; the end tells why */
	else if (!j->by_turns)
		(void)want(j, h, r == RK_OK ? RK_READ : 0);
	else if (r == RK_OK && h->fd >= 0)
		loop_hook_queue_next(j->loop, &j->hook);
}

static void
read_in(struct rk_chan_joint *j)
{
	struct half *h = &j->in;
	ssize_t n = read(h->fd, h->bytes, sizeof(h->bytes));

	if (n < 0 && (j->by_turns || (errno != EAGAIN && errno != EINTR)))
		fail(j, "cannot read", errno);
	if (n < 0)
		return;
	h->at = 0;
	h->len = (size_t)n;
	if (n == 0) {
		end_in(j);
		rk_chan_finish(j->c);
	} else {
		pass_in(j);
	}
}

static void
on_input(struct rk_watch *watch, int fd, unsigned ready, void *arg)
{
	(void)watch;
	(void)fd;
	(void)ready;
	read_in(arg);
}

static void
on_turn(struct loop_hook *hook)
{
	read_in(container_of(hook, struct rk_chan_joint, hook));
}

static void
on_writable(struct rk_chan *c, void *arg)
{
	(void)c;
	pass_in(arg);
}

/* ---- to the descriptor ---- */

/* Write what there is; false: it is over with j, or it must wait. */
static bool
pass_out(struct rk_chan_joint *j)
{
	struct half *h = &j->out;
	ssize_t n;

	while (h->at < h->len) {
		n = j->drop ? (ssize_t)(h->len - h->at)
		            : write(h->fd, h->bytes + h->at, h->len - h->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			(void)want(j, h, RK_WRITE);
			return false;
		}
		if (n < 0) {
			fail(j, "cannot write", errno);
			return false;
		}
		h->at += (size_t)n;
	}
	return want(j, h, 0);
}

/* As much as goes. */
static void
pump_out(struct rk_chan_joint *j)
{
	struct half *h = &j->out;

	while (pass_out(j)) {
		h->at = 0;
		if (j->c == NULL || rk_chan_read(j->c, h->bytes,
		                        sizeof(h->bytes), &h->len) != RK_OK)
			h->len = 0;
		if (h->len == 0 && j->no_more) {
			finish(j);
			return;
		}
		if (h->len == 0)
			return;
	}
}

static void
on_output(struct rk_watch *watch, int fd, unsigned ready, void *arg)
{
	(void)watch;
	(void)fd;
	(void)ready;
	pump_out(arg);
}

static void
on_readable(struct rk_chan *c, void *arg)
{
	struct rk_chan_joint *j = arg;

	(void)c;
	/* Else it waits for its descriptor. */
	if (j->out.at == j->out.len)
		pump_out(j);
}

static void
on_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct rk_chan_joint *j = arg;

	j->c = NULL;
	j->why = *why;
	j->no_more = true;
	end_in(j);
	/* With the link everything is lost: what waits for a descriptor that
	 * may never take it, too. */
	if (j->out.at == j->out.len || c->lost)
		finish(j);
}

static const struct rk_chan_events events = {
	.readable = on_readable,
	.writable = on_writable,
	.ended = on_ended,
};

static enum rk_err
watch(struct rk_chan_joint *j, int from, int to)
{
	enum rk_err r = RK_OK;

	j->in.fd = from;
	j->out.fd = to;
	j->drop = to < 0;
	j->hook.fn = on_turn;
	if (from >= 0)
		r = rk_watch_new(
		    j->loop, from, RK_READ, on_input, j, &j->in.watch);
	j->by_turns = r == RK_EIO;
	if (j->by_turns) {
		loop_hook_queue_next(j->loop, &j->hook);
		r = RK_OK;
	}
	if (r == RK_OK && to >= 0)
		r = rk_watch_new(j->loop, to, 0, on_output, j, &j->out.watch);
	return r;
}

enum rk_err
rk_chan_joint_new(struct rk_chan **c, int from, int to,
    void (*done)(const struct rk_error *why, void *arg), void *arg,
    struct rk_chan_joint **out)
{
	struct rk_chan *e = *c;
	struct rk_chan_joint *j;
	enum rk_err r = RK_EINVAL;

	*c = NULL;
	*out = NULL;
	if (e == NULL)
		return RK_EINVAL;
	if (e->kind != RK_CHAN_BYTES || !e->owned || done == NULL ||
	    (from >= 0 && from == to)) {
		rk_chan_close(&e);
		return RK_EINVAL;
	}
	j = calloc(1, sizeof(*j));
	if (j == NULL) {
		rk_chan_close(&e);
		return RK_ENOMEM;
	}
	j->loop = e->loop;
	if ((r = watch(j, from, to)) == RK_OK)
		r = rk_chan_listen(e, &events, j);
	if (r != RK_OK) {
		free_joint(j);
		rk_chan_close(&e);
		return r;
	}
	j->c = e;
	j->done = done;
	j->arg = arg;
	if (from < 0)
		rk_chan_finish(e);
	*out = j;
	return RK_OK;
}

enum rk_err
rk_chan_join(struct rk_chan **c, int from, int to,
    void (*done)(const struct rk_error *why, void *arg), void *arg)
{
	struct rk_chan_joint *j;

	return rk_chan_joint_new(c, from, to, done, arg, &j);
}

void
rk_chan_joint_abort(
    struct rk_chan_joint **joint, enum rk_err code, const char *text)
{
	struct rk_chan_joint *j = *joint;

	*joint = NULL;
	if (j == NULL)
		return;
	rk_chan_reset(&j->c, code, text);
	free_joint(j);
}
