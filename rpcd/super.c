/* Loop 0 and the processes of commands: start, time limits, ends. */
#include "super.h"

#include "base/error.h"
#include "base/str.h"
#include "exec.h"
#include "live.h"

#include <sys/wait.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 1000 /* between SIGTERM and SIGKILL */
#define LINE_LEN 200     /* of standard error, shown to the caller */

/* What travels with super_end(). */
struct note {
	struct super *super;
	uint64_t id;
	const char *why;
};

/* ---- answering ---- */

static void
reply(struct job *job, const char *error, const void *payload, size_t len)
{
	struct super *s = job->super;

	if (s->server != NULL &&
	    rk_server_reply(s->server, job->id, error, payload, len) != RK_OK)
		log_event(RK_LOG_ERROR, "exec", "no memory for an answer");
}

/* Tell the caller (that of a stream later) and the log "METHOD: what". */
RK_PRINTF(2, 3)
static void
fail(struct job *job, const char *fmt, ...)
{
	char name[160];
	char what[RK_ERROR_TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(what, sizeof(what), fmt, ap) < 0)
		what[0] = '\0';
	va_end(ap);
	str_escape(name, sizeof(name), job->command->conf->name);
	if (job->live == NULL) /* the caller knows whom it called */
		reply(job, what, NULL, 0);
	else
		(void)str_copy(job->why, sizeof(job->why), what);
	log_event(RK_LOG_INFO, "exec", "%s: %s (called by %s)", name, what,
	    job->caller);
}

static void
log_done(const struct job *job)
{
	char name[160];

	log_event(RK_LOG_INFO, "exec",
	    "%s: done in %" PRIu64 " ms (called by %s)",
	    str_escape(name, sizeof(name), job->command->conf->name),
	    rk_loop_now(job->super->loop) - job->began, job->caller);
}

static void
succeed(struct job *job)
{
	const struct method *m = job->command->conf;
	struct rk_bytes text = { buf_peek(&job->out), buf_len(&job->out) };
	struct rk_error err;
	uint8_t *payload;
	const char *why;
	size_t len;

	why = exec_output(m, text, &payload, &len, &err);
	if (why != NULL) {
		fail(job, "bad output: %s", why);
		return;
	}
	reply(job, NULL, payload, len);
	free(payload);
	log_done(job);
}

static const char *
signal_name(int signo)
{
	const char *name = sigabbrev_np(signo);

	return name == NULL ? "?" : name;
}

static void
report_end(struct job *job, int status)
{
	char line[LINE_LEN];
	const char *colon;

	(void)job_last_line(job, line, sizeof(line));
	colon = line[0] == '\0' ? "" : ": ";
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		succeed(job);
	else if (WIFEXITED(status))
		fail(job, "exit status %d%s%s", WEXITSTATUS(status), colon,
		    line);
	else
		fail(job, "killed by signal %d (SIG%s)%s%s", WTERMSIG(status),
		    signal_name(WTERMSIG(status)), colon, line);
}

/* How a stream ended is for its caller to judge: no failure of ours. */
static void
log_live_end(const struct job *job)
{
	char name[160];
	int status = job->status;

	str_escape(name, sizeof(name), job->command->conf->name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		log_done(job);
	else if (WIFEXITED(status))
		log_event(RK_LOG_INFO, "exec",
		    "%s: exit status %d (called by %s)", name,
		    WEXITSTATUS(status), job->caller);
	else
		log_event(RK_LOG_INFO, "exec",
		    "%s: killed by signal %d (SIG%s) (called by %s)", name,
		    WTERMSIG(status), signal_name(WTERMSIG(status)),
		    job->caller);
}

/* ---- ending ---- */

static void
signal_group(const struct job *job, int signo)
{
	/* The group lasts until its leader is waited for, and we do that. */
	if (job->pid > 0 && kill(-job->pid, signo) != 0 && errno != ESRCH)
		log_event(RK_LOG_WARN, "exec", "cannot signal process %d",
		    (int)job->pid);
}

static void
close_pipes(struct job *job)
{
	for (int i = 0; i < 3 && job->live == NULL; i++)
		job_close(job, (enum job_end)i);
}

/* Free it, or hand it back, and be done when it was the last. */
static void
drop(struct job *job)
{
	struct super *s = job->super;

	close_pipes(job);
	rk_timer_free(job->timer);
	job->timer = NULL;
	if (job->live == NULL)
		job_free(job);
	else
		live_hand_back(job->live);
	if (s->stopping && super_is_idle(s) && s->idle != NULL)
		s->idle(s->arg);
}

static void
kill_now(struct job *job)
{
	job->state = JOB_KILLED;
	if (job->timer != NULL)
		rk_timer_clear(job->timer);
	signal_group(job, SIGKILL);
}

/* The caller has its answer: the rest is to be rid of the process. */
static void
end(struct job *job)
{
	uint64_t now = rk_loop_now(job->super->loop);

	if (job->state != JOB_RUNNING)
		return;
	job->state = JOB_ENDING;
	close_pipes(job);
	signal_group(job, SIGTERM);
	if (job->timer == NULL ||
	    rk_timer_set(job->timer, now + PATIENCE_MS) != RK_OK)
		kill_now(job);
}

void
job_overflow(struct job *job)
{
	fail(job, "more than %" PRIu64 " bytes of output",
	    job->command->conf->max_output);
	end(job);
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct job *job = arg;
	char tmp[32];

	(void)t;
	if (job->state != JOB_RUNNING) {
		kill_now(job);
		return;
	}
	fail(job, "timed out after %s",
	    settings_time(job->command->conf->timeout, tmp));
	end(job);
}

/* True: the process is gone, and so is the job. */
static bool
reap(struct job *job)
{
	siginfo_t info = { 0 };
	int status = 0;

	if (waitid(P_PID, (id_t)job->pid, &info, WEXITED | WNOHANG | WNOWAIT) !=
	        0 ||
	    info.si_pid == 0)
		return false;
	/* While it is not waited for its number cannot be another's: the
	 * rest of its group goes with it. */
	signal_group(job, SIGKILL);
	keeper_remove(&job->super->keeper, job->pid);
	if (waitpid(job->pid, &status, 0) != job->pid)
		return false;
	TAILQ_REMOVE(&job->super->jobs, job, link);
	job->pid = -1;
	job->status = status;
	if (job->state == JOB_RUNNING && job->live != NULL) {
		log_live_end(job);
	} else if (job->state == JOB_RUNNING) {
		if (job_drain(job))
			report_end(job, status);
		else
			fail(job, "more than %" PRIu64 " bytes of output",
			    job->command->conf->max_output);
	}
	drop(job);
	return true;
}

static void
on_child(int signo, void *arg)
{
	struct super *s = arg;
	struct job *job = TAILQ_FIRST(&s->jobs);
	struct job *next;

	(void)signo;
	for (; job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		(void)reap(job);
	}
}

/* ---- starting ---- */

static enum rk_err
start_clock(struct super *s, struct job *job)
{
	uint64_t limit = job->command->conf->timeout;
	enum rk_err r;

	job->began = rk_loop_now(s->loop);
	r = rk_timer_new(s->loop, on_timer, job, &job->timer);
	if (r == RK_OK && limit != RK_NEVER)
		r = rk_timer_set(job->timer, job->began + limit);
	return r;
}

static void
take_in(struct super *s, struct job *job)
{
	TAILQ_INSERT_TAIL(&s->jobs, job, link);
	/* Where the limit cannot be set it is higher, which does no harm. */
	if (s->descriptors.rlim_cur != 0)
		(void)prlimit(job->pid, RLIMIT_NOFILE, &s->descriptors, NULL);
}

static void
start(struct super *s, struct job *job)
{
	struct rk_error err;

	if (start_clock(s, job) != RK_OK) {
		fail(job, "out of memory");
		drop(job);
		return;
	}
	if (job_spawn(job, &err) != RK_OK) {
		fail(job, "%s", err.text);
		drop(job);
		return;
	}
	keeper_add(&s->keeper, job->pid);
	take_in(s, job);
	if (job_watch(job, s->loop) == RK_OK)
		return;
	fail(job, "out of memory");
	end(job);
}

static void
on_submit(void *arg)
{
	struct job *job = arg;

	if (!job->super->stopping) {
		start(job->super, job);
		return;
	}
	reply(job, "the server is stopping", NULL, 0);
	job_free(job);
}

enum rk_err
super_submit(struct super *s, struct job *job)
{
	return rk_loop_post(s->loop, on_submit, job);
}

/* It may have ended before anybody looked. */
static void
on_adopt(void *arg)
{
	struct job *job = arg;
	struct super *s = job->super;
	bool timed = start_clock(s, job) == RK_OK;

	atomic_fetch_sub(&s->coming, 1);
	take_in(s, job);
	if (reap(job) || (timed && !s->stopping))
		return;
	fail(job, timed ? "the server is stopping" : "out of memory");
	end(job);
}

enum rk_err
super_adopt(struct super *s, struct job *job)
{
	enum rk_err r;

	/* Calls have the other half of the numbers. */
	job->id = UINT64_C(1) << 63 | atomic_fetch_add(&s->adopted, 1);
	atomic_fetch_add(&s->coming, 1);
	keeper_add(&s->keeper, job->pid);
	r = rk_loop_post(s->loop, on_adopt, job);
	if (r != RK_OK) {
		keeper_remove(&s->keeper, job->pid);
		atomic_fetch_sub(&s->coming, 1);
	}
	return r;
}

/* ---- cancelling ---- */

static void
on_end(void *arg)
{
	struct note *n = arg;
	struct job *job;

	TAILQ_FOREACH (job, &n->super->jobs, link) {
		if (job->id == n->id && job->state == JOB_RUNNING) {
			fail(job, "%s", n->why);
			end(job);
			break;
		}
	}
	free(n);
}

void
super_end(struct super *s, uint64_t id, const char *why)
{
	struct note *n = malloc(sizeof(*n));

	if (n != NULL) {
		*n = (struct note){ .super = s, .id = id, .why = why };
		if (rk_loop_post(s->loop, on_end, n) == RK_OK)
			return;
	}
	free(n);
	/* Its own time limit ends it. */
	log_event(RK_LOG_ERROR, "exec", "no memory to end a command");
}

void
super_cancel(struct super *s, uint64_t id, enum rk_cancel_why why)
{
	static const char *const texts[] = {
		[RK_CANCEL_CALLER] = "canceled",
		[RK_CANCEL_DEADLINE] = "the caller's deadline has passed",
		[RK_CANCEL_CLOSED] = "the caller is gone",
		[RK_CANCEL_OPERATOR] = "canceled by an operator",
	};

	super_end(s, id, texts[why]);
}

/* ---- the whole ---- */

enum rk_err
super_init(struct super *s, struct rk_loop *loop)
{
	*s = (struct super){ .loop = loop, .keeper = s->keeper };
	atomic_init(&s->coming, 0);
	atomic_init(&s->adopted, 0);
	TAILQ_INIT(&s->jobs);
	return rk_loop_signal(loop, SIGCHLD, on_child, s);
}

bool
super_is_idle(const struct super *s)
{
	return TAILQ_EMPTY(&s->jobs) && atomic_load(&s->coming) == 0;
}

void
super_stop(struct super *s, bool now, void (*idle)(void *arg), void *arg)
{
	struct job *job;

	s->stopping = true;
	s->idle = idle;
	s->arg = arg;
	TAILQ_FOREACH (job, &s->jobs, link) {
		if (job->state == JOB_RUNNING)
			fail(job, "the server is stopping");
		end(job);
		if (now)
			kill_now(job);
	}
	if (super_is_idle(s))
		idle(arg);
}
