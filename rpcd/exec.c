/* A call of a command, on the loop of the call: checked, copied, handed on. */
#include "exec.h"

#include "base/error.h"
#include "base/str.h"
#include "super.h"

#include <stdio.h>
#include <stdlib.h>

/* Its count is taken before anything costs memory. */
static bool
take_slot(const struct command *c)
{
	unsigned n = atomic_fetch_add(&c->slot->running, 1);

	if (n < c->conf->concurrency)
		return true;
	atomic_fetch_sub(&c->slot->running, 1);
	return false;
}

void
name_caller(const struct rk_peer *peer, char dst[CALLER_LEN])
{
	const char *who =
	    peer->cert.email[0] != '\0' ? peer->cert.email : peer->cert.fp;

	if (peer->proven)
		(void)snprintf(dst, CALLER_LEN, "%s %s", who, peer->remote);
	else
		(void)snprintf(dst, CALLER_LEN, "%s", peer->remote);
}

void
job_free(struct job *job)
{
	if (job == NULL)
		return;
	atomic_fetch_sub(&job->command->slot->running, 1);
	commands_release(job->command->set);
	buf_wipe(&job->in);
	buf_wipe(&job->out);
	free(job->envp);
	free(job->live);
	free(job);
}

struct job *
exec_job(const struct asked *q, struct command *c, char why[RK_ERROR_TEXT_LEN])
{
	const char *fault;
	struct job *job;

	if (!take_slot(c)) {
		(void)snprintf(why, RK_ERROR_TEXT_LEN,
		    "busy: %u already running", (unsigned)c->conf->concurrency);
		return NULL;
	}
	if ((job = calloc(1, sizeof(*job))) == NULL) {
		atomic_fetch_sub(&c->slot->running, 1);
		(void)str_copy(why, RK_ERROR_TEXT_LEN, "out of memory");
		return NULL;
	}
	job->command = c;
	commands_hold(c->set);
	job->super = c->set->super;
	job->pid = -1;
	job->ends[JOB_IN].fd = job->ends[JOB_OUT].fd = -1;
	job->ends[JOB_ERR].fd = -1;
	name_caller(q->peer, job->caller);
	buf_init(&job->in, JOB_INPUT_MAX);
	buf_init(&job->out, c->conf->max_output);
	fault = exec_input(c->conf, q->payload, &job->in);
	if (fault == NULL)
		fault = exec_env(q, c, &job->envp);
	if (fault == NULL)
		return job;
	(void)str_copy(why, RK_ERROR_TEXT_LEN, fault);
	job_free(job);
	return NULL;
}

/* rk_cancel_fn, also for the caller's deadline: the job may be gone, so that
 * only its number travels. */
static void
on_cancel(uint64_t id, enum rk_cancel_why why, void *arg)
{
	super_cancel(arg, id, why);
}

void
exec_log_refusal(
    const struct command *c, const struct rk_peer *peer, const char *why)
{
	char name[160];

	log_event(RK_LOG_DEBUG, "exec", "%s: %s (called by %s)",
	    str_escape(name, sizeof(name), c->conf->name), why, peer->remote);
}

static void
refuse(struct rk_call *call, const struct command *c, const char *why)
{
	exec_log_refusal(c, rk_call_peer(call), why);
	(void)rk_call_fail(call, why, NULL, 0);
}

void
exec_call(struct rk_call *call, void *arg)
{
	struct command *c = arg;
	struct super *super = c->set->super;
	struct asked q = { .peer = rk_call_peer(call),
		.hdr = rk_call_header(call),
		.payload = rk_call_payload(call),
		.early = rk_call_is_early(call) };
	char why[RK_ERROR_TEXT_LEN];
	struct job *job;

	job = exec_job(&q, c, why);
	if (job == NULL) {
		refuse(call, c, why);
		return;
	}
	job->id = rk_call_defer(call);
	if (job->id == 0) {
		job_free(job);
		return;
	}
	rk_call_on_cancel(call, on_cancel, super);
	if (super_submit(super, job) != RK_OK) {
		refuse(call, c, "out of memory");
		job_free(job);
	}
}
