/* Loop 0 and the processes of commands: start, time limits, ends. */
#include "super.h"

#include "base/error.h"
#include "base/str.h"
#include "exec.h"

#include <sys/wait.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 1000 /* between SIGTERM and SIGKILL */
#define LINE_LEN 200     /* of standard error, shown to the caller */

/* What travels with super_submit() and super_cancel(). */
struct note {
	struct super *super;
	uint64_t id;
	enum rk_cancel_why why;
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

/* Tell the caller and the log "METHOD: what". */
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
	reply(job, what, NULL, 0); /* the caller knows whom it called */
	log_event(RK_LOG_INFO, "exec", "%s: %s (called by %s)", name, what,
	    job->caller);
}

static void
succeed(struct job *job)
{
	const struct method *m = job->command->conf;
	struct rk_bytes text = { buf_peek(&job->out), buf_len(&job->out) };
	struct rk_error err;
	uint8_t *payload;
	char name[160];
	const char *why;
	size_t len;

	why = exec_output(m, text, &payload, &len, &err);
	if (why != NULL) {
		fail(job, "bad output: %s", why);
		return;
	}
	reply(job, NULL, payload, len);
	free(payload);
	log_event(RK_LOG_INFO, "exec",
	    "%s: done in %" PRIu64 " ms (called by %s)",
	    str_escape(name, sizeof(name), m->name),
	    rk_loop_now(job->super->loop) - job->began, job->caller);
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
		    sigabbrev_np(WTERMSIG(status)) == NULL
		        ? "?"
		        : sigabbrev_np(WTERMSIG(status)),
		    colon, line);
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

/* Free it, and be done when it was the last. */
static void
drop(struct job *job)
{
	struct super *s = job->super;

	for (int i = 0; i < 3; i++)
		job_close(job, (enum job_end)i);
	rk_timer_free(job->timer);
	job_free(job);
	if (s->stopping && TAILQ_EMPTY(&s->jobs) && s->idle != NULL)
		s->idle(s->arg);
}

static void
kill_now(struct job *job)
{
	job->state = JOB_KILLED;
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
	for (int i = 0; i < 3; i++)
		job_close(job, (enum job_end)i);
	signal_group(job, SIGTERM);
	if (rk_timer_set(job->timer, now + PATIENCE_MS) != RK_OK)
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
	if (waitpid(job->pid, &status, 0) != job->pid)
		return false;
	TAILQ_REMOVE(&job->super->jobs, job, link);
	job->pid = -1;
	if (job->state == JOB_RUNNING) {
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

static void
start(struct super *s, struct job *job)
{
	uint64_t limit = job->command->conf->timeout;
	struct rk_error err;
	enum rk_err r;

	job->began = rk_loop_now(s->loop);
	r = rk_timer_new(s->loop, on_timer, job, &job->timer);
	if (r == RK_OK && limit != RK_NEVER)
		r = rk_timer_set(job->timer, job->began + limit);
	if (r != RK_OK) {
		fail(job, "out of memory");
		drop(job);
		return;
	}
	r = job_spawn(job, s->loop, &err);
	if (job->pid > 0)
		TAILQ_INSERT_TAIL(&s->jobs, job, link);
	/* Where the limit cannot be set it is higher, which does no harm. */
	if (job->pid > 0 && s->descriptors.rlim_cur != 0)
		(void)prlimit(job->pid, RLIMIT_NOFILE, &s->descriptors, NULL);
	if (r == RK_OK)
		return;
	fail(job, "%s", err.text);
	if (job->pid > 0)
		end(job);
	else
		drop(job);
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

/* ---- cancelling ---- */

static void
on_cancel(void *arg)
{
	static const char *const texts[] = {
		[RK_CANCEL_CALLER] = "canceled",
		[RK_CANCEL_DEADLINE] = "the caller's deadline has passed",
		[RK_CANCEL_CLOSED] = "the caller is gone",
	};
	struct note *n = arg;
	struct job *job;

	TAILQ_FOREACH (job, &n->super->jobs, link) {
		if (job->id == n->id && job->state == JOB_RUNNING) {
			fail(job, "%s", texts[n->why]);
			end(job);
			break;
		}
	}
	free(n);
}

void
super_cancel(struct super *s, uint64_t id, enum rk_cancel_why why)
{
	struct note *n = malloc(sizeof(*n));

	if (n != NULL) {
		*n = (struct note){ .super = s, .id = id, .why = why };
		if (rk_loop_post(s->loop, on_cancel, n) == RK_OK)
			return;
	}
	free(n);
	/* Its own time limit ends it. */
	log_event(RK_LOG_ERROR, "exec", "no memory to end a command");
}

/* ---- the whole ---- */

enum rk_err
super_init(struct super *s, struct rk_loop *loop)
{
	*s = (struct super){ .loop = loop };
	TAILQ_INIT(&s->jobs);
	return rk_loop_signal(loop, SIGCHLD, on_child, s);
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
	if (TAILQ_EMPTY(&s->jobs))
		idle(arg);
}
