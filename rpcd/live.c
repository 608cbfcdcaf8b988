/* A command with live input and output: its parts to and from its pipes. */
#include "live.h"

#include "base/error.h"
#include "exec.h"
#include "super.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_SIZE (256 * 1024) /* fewer turns; the kernel may refuse */
#define READS_A_TURN 4
/* Until a pipe of the largest kind (1 MiB) is empty, and some. */
#define READS_OF_REST ((1u << 20) / LIVE_CHUNK + 1)

/* ---- ending ---- */

static void
close_all(struct live *l)
{
	for (int i = 0; i < 3; i++)
		job_close(l->job, (enum job_end)i);
	buf_wipe(&l->job->in);
}

static void
finish(struct live *l)
{
	close_all(l);
	job_free(l->job);
}

/*
 * Nobody needs it any more.  Its pipes stay open until it has ended: what ends
 * it, and is logged, is the signal and not that they are closed.
 */
static void
leave(struct live *l, const char *why)
{
	l->stream = NULL;
	for (int i = 0; i < 3; i++) {
		rk_watch_free(l->job->ends[i].watch);
		l->job->ends[i].watch = NULL;
	}
	if (l->ended)
		finish(l);
	else
		super_end(l->job->super, l->job->id, why);
}

static void
fail(struct live *l, const char *text, const char *why)
{
	(void)rk_stream_fail(l->stream, text, NULL, 0); /* leave() is due */
	leave(l, why);
}

/* All of its output is sent. */
static void
answer(struct live *l)
{
	struct job *job = l->job;
	struct rk_stream *s = l->stream;
	uint8_t *payload = NULL;
	size_t len = 0;

	/* Whoever is to be told is told by the library, if at all. */
	if (job->why[0] != '\0')
		(void)rk_stream_fail(s, job->why, NULL, 0);
	else if (exec_status(job->status, &payload, &len) == RK_OK)
		(void)rk_stream_reply(s, payload, len);
	else
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
	free(payload);
	leave(l, NULL);
}

/* ---- output ---- */

static void
want_output(struct live *l, bool wanted)
{
	for (int i = JOB_OUT; i <= JOB_ERR; i++) {
		struct rk_watch *w = l->job->ends[i].watch;

		/* What cannot be watched ends with the process. */
		if (w != NULL && rk_watch_set(w, wanted ? RK_READ : 0) != RK_OK)
			job_close(l->job, (enum job_end)i);
	}
}

/* What was held is sent, unless an error says why not. */
static enum rk_err
send_held(struct live *l)
{
	static const struct rk_str names[] = {
		[JOB_OUT] = { "stdout", 6 }, [JOB_ERR] = { "stderr", 6 }
	};
	struct rk_part part = { .payload = { l->chunk, l->held },
		.subject = names[l->from] };
	enum rk_err r;

	if (l->held == 0)
		return RK_OK;
	r = rk_stream_send(l->stream, &part);
	if (r == RK_OK)
		l->held = 0;
	return r;
}

/* No more than it may write. */
static void
count(struct live *l)
{
	if (l->job->command->conf->max_output == METHOD_NO_LIMIT)
		return;
	if (l->held > l->room) {
		l->held = (size_t)l->room;
		l->over = true;
	}
	l->room -= l->held;
}

/* One read, sent on, or held and an error of rk_stream_send().  With nothing
 * held: RK_EAGAIN, nothing is there; RK_ECLOSED, the pipe has ended. */
static enum rk_err
pass_on(struct live *l, enum job_end which)
{
	ssize_t n;

	do
		n = read(l->job->ends[which].fd, l->chunk, sizeof(l->chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return RK_EAGAIN;
	if (n <= 0)
		return RK_ECLOSED;
	l->from = which;
	l->held = (size_t)n;
	count(l);
	return send_held(l);
}

/* What each pipe of a dead process holds; whoever else has one open may go on
 * writing, and is not waited for. */
static enum rk_err
pass_rest(struct live *l)
{
	enum rk_err r = RK_OK;

	for (int i = JOB_OUT; i <= JOB_ERR; i++) {
		while (l->job->ends[i].fd >= 0 && !l->over && l->reads[i] > 0) {
			l->reads[i]--;
			r = pass_on(l, (enum job_end)i);
			if (l->held > 0)
				return r; /* not taken */
			if (r != RK_OK)
				job_close(l->job, (enum job_end)i);
		}
	}
	return RK_OK;
}

/* What is next, once something has happened: l may be gone after. */
static void
go_on(struct live *l)
{
	char text[80];
	enum rk_err r = send_held(l);

	if (r == RK_OK && l->ended)
		r = pass_rest(l);
	if (r == RK_EAGAIN || r == RK_ECLOSED || r == RK_ESTATE) {
		want_output(l, false); /* on_room() or on_ended() comes */
		return;
	}
	if (r != RK_OK) {
		fail(l, rk_err_text(r), rk_err_text(r));
	} else if (l->over) {
		(void)snprintf(text, sizeof(text),
		    "more than %" PRIu64 " bytes of output",
		    l->job->command->conf->max_output);
		fail(l, text, "too much output");
	} else if (l->ended) {
		answer(l);
	} else {
		want_output(l, true);
	}
}

static void
on_readable(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct live *l = arg;
	enum job_end which = fd == l->job->ends[JOB_OUT].fd ? JOB_OUT : JOB_ERR;
	enum rk_err r = RK_OK;

	(void)w;
	(void)ready;
	if (l->held > 0)
		return;
	for (int i = 0; i < READS_A_TURN && r == RK_OK && !l->over; i++)
		r = pass_on(l, which);
	if (r == RK_ECLOSED && l->held == 0)
		job_close(l->job, which);
	if (l->held > 0 || l->over)
		go_on(l);
}

/* ---- input ---- */

/* A command need not read what it is sent. */
static void
drop_input(struct live *l)
{
	job_close(l->job, JOB_IN);
	buf_wipe(&l->job->in);
	rk_stream_pause(l->stream, false);
}

/* As much as the pipe takes; the caller waits meanwhile. */
static void
feed(struct live *l)
{
	struct job *job = l->job;
	struct pipe_end *end = &job->ends[JOB_IN];
	ssize_t n = 0;

	if (end->fd < 0)
		return;
	while (buf_len(&job->in) > 0) {
		n = write(end->fd, buf_peek(&job->in), buf_len(&job->in));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		buf_consume(&job->in, (size_t)n);
	}
	if (n < 0 && errno != EAGAIN) {
		drop_input(l);
		return;
	}
	if (rk_watch_set(end->watch, n < 0 ? RK_WRITE : 0) != RK_OK ||
	    (n >= 0 && l->last)) {
		drop_input(l);
		return;
	}
	rk_stream_pause(l->stream, n < 0);
}

static void
on_writable(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	(void)w;
	(void)fd;
	(void)ready;
	feed(arg);
}

/* ---- the stream's events ---- */

static void
on_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct live *l = arg;
	bool used = l->taken;

	(void)s;
	l->taken = false;
	l->last = part->last;
	if (l->job->ends[JOB_IN].fd < 0)
		return;
	if (!used && buf_put(&l->job->in, part->payload.ptr,
	                 part->payload.len) != RK_OK) {
		fail(l, "out of memory", "out of memory");
		return;
	}
	feed(l);
}

static void
on_room(struct rk_stream *s, void *arg)
{
	(void)s;
	go_on(arg);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	static const char *const whys[RK_ERR_COUNT] = {
		[RK_ECANCELED] = "canceled",
		[RK_ETIMEOUT] = "the caller's deadline has passed",
		[RK_ECLOSED] = "the caller is gone",
	};
	const char *why = whys[reply->code];

	(void)s;
	leave(arg, why != NULL ? why : "the caller broke the rules of streams");
}

static const struct rk_stream_events events = { on_part, on_room, on_ended };

static void
on_handed_back(void *arg)
{
	struct live *l = arg;

	l->ended = true;
	l->reads[JOB_OUT] = l->reads[JOB_ERR] = READS_OF_REST;
	if (l->stream == NULL) {
		finish(l);
		return;
	}
	drop_input(l);
	if (l->held == 0)
		go_on(l);
}

void
live_hand_back(struct live *l)
{
	if (rk_loop_post(l->loop, on_handed_back, l) != RK_OK)
		log_event(RK_LOG_ERROR, "exec", "no memory to end a stream");
}

/* ---- starting ---- */

static enum rk_err
watch(struct live *l)
{
	struct pipe_end *ends = l->job->ends;
	enum rk_err r = RK_OK;

	for (int i = 0; i < 3 && r == RK_OK; i++) {
		if (ends[i].fd < 0)
			continue;
		(void)fcntl(ends[i].fd, F_SETPIPE_SZ, PIPE_SIZE);
		r = rk_watch_new(l->loop, ends[i].fd, i == JOB_IN ? 0 : RK_READ,
		    i == JOB_IN ? on_writable : on_readable, l, &ends[i].watch);
	}
	return r;
}

/* Loop 0 will not: there was no memory to tell it. */
static void
kill_at_once(struct job *job)
{
	(void)kill(-job->pid, SIGKILL); /* there until it is waited for */
	while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* RK_OK: the process runs, and loop 0 waits for its end. */
static enum rk_err
run(struct job *job, struct rk_error *err)
{
	enum rk_err r;

	if ((r = job_spawn(job, err)) != RK_OK)
		return r;
	if ((r = super_adopt(job->super, job)) == RK_OK)
		return RK_OK;
	kill_at_once(job);
	return err_set(err, r, "out of memory");
}

static struct live *
make_live(struct job *job, struct rk_stream *s)
{
	struct live *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->job = job;
	l->stream = s;
	l->loop = rk_stream_loop(s);
	l->room = job->command->conf->max_output;
	job->live = l;
	return l;
}

static void
refuse(struct rk_stream *s, const struct command *c, const char *why)
{
	exec_log_refusal(c, rk_stream_peer(s), why);
	(void)rk_stream_fail(s, why, NULL, 0);
}

/* What is not JSON goes to the command as it comes, the first part as well. */
static struct asked
asked_for(const struct rk_stream *s, const struct command *c)
{
	struct asked q = { .peer = rk_stream_peer(s),
		.hdr = rk_stream_header(s) };

	if (c->conf->args != ARGS_RAW)
		q.payload = rk_stream_request(s);
	return q;
}

void
exec_stream(struct rk_stream *s, void *arg)
{
	struct command *c = arg;
	struct asked q = asked_for(s, c);
	struct rk_error err = { .code = RK_ENOMEM };
	struct live *l = NULL;
	struct job *job = exec_job(&q, c, err.text);

	if (job != NULL && (l = make_live(job, s)) == NULL)
		(void)err_set(&err, RK_ENOMEM, "out of memory");
	if (l == NULL || run(job, &err) != RK_OK) {
		refuse(s, c, err.text);
		if (l != NULL)
			close_all(l);
		job_free(job);
		return;
	}
	l->taken = q.payload.len > 0;
	rk_stream_listen(s, &events, l);
	if (watch(l) == RK_OK)
		feed(l);
	else
		fail(l, "out of memory", "out of memory");
}
