/* Threads for methods that may wait: a bounded queue, answers posted back. */
#include "rpc/pool.h"

#include "base/clock.h"
#include "base/container.h"
#include "rpc/server_int.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#define ERROR_MAX 4096 /* bytes of an error text that are sent */

/*
 * A job is a call's copy for a thread.  The call and everything that holds it
 * stay on their loop; of the two, a job is first QUEUED, then either taken out
 * again by its loop, or RUNNING on a thread until that has posted it back.  It
 * is freed on its loop, after the call was answered there, so that the call's
 * cancel callback never meets one that is gone.
 */
enum job_state {
	JOB_QUEUED,
	JOB_RUNNING
};

struct rk_job {
	TAILQ_ENTRY(rk_job) link;
	struct mail mail; /* to the call's loop: answer it */
	struct pool *pool;
	enum job_state state; /* the pool's lock */
	/* the loop's */
	struct rk_call *call;
	struct worker *worker;
	struct methods *set; /* held */
	/* the thread's, until it is posted */
	const struct rk_method *method;
	struct rk_server *server;
	struct rk_peer peer;
	uint64_t conn_id;
	struct rk_bytes payload;
	struct rk_str subject;
	struct rk_args args;
	bool oneway;
	uint64_t deadline; /* monotonic ms; RK_NEVER: none */
	atomic_bool canceled;
	bool answered;
	char *error; /* NULL: none */
	void *reply;
	size_t reply_len;
	const char *lost; /* why there is no answer of the method's; or NULL */
	uint8_t bytes[];  /* what the views point to */
};
TAILQ_HEAD(job_list, rk_job);

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job_list jobs; /* queued */
	unsigned n_queued;
	unsigned max_queued;
	bool closed; /* nothing more is begun */
	bool ending;
	unsigned running; /* threads */
	unsigned n_threads;
	struct mailbox *box;
	struct mail *ended;
	pthread_t threads[];
};

/* ---- on the call's loop ---- */

static void
free_job(struct rk_job *j)
{
	methods_leave(j->set);
	free(j->error);
	free(j->reply);
	free(j);
}

/* The letter of a job that was run, or that nobody will run. */
static void
on_done(struct mail *m)
{
	struct rk_job *j = container_of(m, struct rk_job, mail);

	if (j->lost != NULL)
		(void)rk_call_fail(j->call, j->lost, NULL, 0);
	else if (j->error != NULL)
		(void)rk_call_fail(j->call, j->error, j->reply, j->reply_len);
	else
		(void)rk_call_reply(j->call, j->reply, j->reply_len);
	free_job(j);
}

/* Nobody needs the answer any more: it is not run if it was not begun. */
static void
on_cancel(uint64_t id, enum rk_cancel_why why, void *arg)
{
	struct rk_job *j = arg;
	struct pool *p = j->pool;
	bool taken;

	(void)id;
	atomic_store(&j->canceled, true);
	(void)pthread_mutex_lock(&p->lock);
	taken = j->state == JOB_QUEUED;
	if (taken) {
		TAILQ_REMOVE(&p->jobs, j, link);
		p->n_queued--;
	}
	(void)pthread_mutex_unlock(&p->lock);
	if (!taken)
		return;
	(void)rk_call_fail(j->call,
	    why == RK_CANCEL_DEADLINE
	        ? "the deadline passed before a thread was free"
	        : "canceled",
	    NULL, 0);
	free_job(j);
}

static void
keep(uint8_t **at, const void *src, size_t len)
{
	if (len != 0)
		memcpy(*at, src, len);
	*at += len;
}

static struct rk_job *
new_job(struct pool *p, struct rk_call *call, const struct rk_method *m)
{
	const struct rk_header *h = rk_call_header(call);
	struct rk_bytes payload = rk_call_payload(call);
	uint64_t left = rk_call_time_left(call);
	struct rk_job *j =
	    malloc(sizeof(*j) + payload.len + h->subject.len + h->args.raw.len);
	uint8_t *at;

	if (j == NULL)
		return NULL;
	*j = (struct rk_job){ .mail = { .fn = on_done },
		.pool = p,
		.call = call,
		.worker = call->conn->worker,
		.set = call->conn->worker->methods,
		.method = m,
		.server = rk_call_server(call),
		.peer = *rk_call_peer(call),
		.conn_id = rk_call_conn_id(call),
		.payload = { j->bytes, payload.len },
		.oneway = rk_call_is_oneway(call),
		.deadline = left == RK_NEVER ? RK_NEVER : mono_ms() + left };
	atomic_init(&j->canceled, false);
	at = j->bytes;
	keep(&at, payload.ptr, payload.len);
	j->subject = (struct rk_str){ (const char *)at, h->subject.len };
	keep(&at, h->subject.ptr, h->subject.len);
	j->args = (struct rk_args){ { at, h->args.raw.len }, h->args.count };
	keep(&at, h->args.raw.ptr, h->args.raw.len);
	return j;
}

static bool
is_full(struct pool *p)
{
	bool full;

	(void)pthread_mutex_lock(&p->lock);
	full = p->n_queued >= p->max_queued;
	(void)pthread_mutex_unlock(&p->lock);
	return full;
}

void
pool_take(struct pool *p, struct rk_call *call, const struct rk_method *m)
{
	struct rk_job *j;

	/* Loops that look at once may exceed it by one each. */
	if (is_full(p)) {
		(void)rk_call_fail(
		    call, "too many calls wait for a thread", NULL, 0);
		return;
	}
	if ((j = new_job(p, call, m)) == NULL) {
		(void)rk_call_fail(call, "out of memory", NULL, 0);
		return;
	}
	methods_hold(j->set);
	if (rk_call_defer(call) == 0) { /* the caller has been told */
		free_job(j);
		return;
	}
	rk_call_on_cancel(call, on_cancel, j);
	(void)pthread_mutex_lock(&p->lock);
	TAILQ_INSERT_TAIL(&p->jobs, j, link);
	p->n_queued++;
	(void)pthread_cond_signal(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
}

/* ---- on the threads ---- */

/* The next that waits; NULL: there will be none. */
static struct rk_job *
next_job(struct pool *p)
{
	struct rk_job *j;

	(void)pthread_mutex_lock(&p->lock);
	while ((j = TAILQ_FIRST(&p->jobs)) == NULL && !p->ending)
		(void)pthread_cond_wait(&p->changed, &p->lock);
	if (j != NULL) {
		TAILQ_REMOVE(&p->jobs, j, link);
		p->n_queued--;
		j->state = JOB_RUNNING;
		if (p->closed || p->ending)
			j->lost = "the server is stopping";
	}
	(void)pthread_mutex_unlock(&p->lock);
	return j;
}

static void
run_job(struct rk_job *j)
{
	/* The loop may be late to tell. */
	if (j->lost == NULL && rk_job_time_left(j) == 0)
		j->lost = "the deadline passed before a thread was free";
	if (j->lost == NULL)
		j->method->work(j, j->method->arg);
	/* From here on it is the loop's, which may free it. */
	mailbox_put(j->worker->box, &j->mail);
}

static void *
run_thread(void *arg)
{
	struct pool *p = arg;
	struct rk_job *j;
	bool last;

	while ((j = next_job(p)) != NULL)
		run_job(j);
	(void)pthread_mutex_lock(&p->lock);
	last = --p->running == 0;
	(void)pthread_mutex_unlock(&p->lock);
	if (last)
		mailbox_put(p->box, p->ended);
	return NULL;
}

/* ---- its life, on loop 0 ---- */

enum rk_err
pool_new(unsigned threads, unsigned max_queued, struct mailbox *box,
    struct mail *ended, struct pool **out)
{
	struct pool *p =
	    calloc(1, sizeof(*p) + threads * sizeof(p->threads[0]));

	*out = p;
	if (p == NULL)
		return RK_ENOMEM;
	/* Plain: cannot fail. */
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->changed, NULL);
	TAILQ_INIT(&p->jobs);
	p->max_queued = max_queued;
	p->n_threads = threads;
	p->box = box;
	p->ended = ended;
	return RK_OK;
}

static void
join_some(struct pool *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(p->threads[i], NULL);
}

int
pool_start(struct pool *p)
{
	sigset_t all, before;
	unsigned n = 0;
	int e = 0;

	/* As many as there should be, so that no early end is the last. */
	p->running = p->n_threads + 1;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (n < p->n_threads && e == 0) {
		e = pthread_create(&p->threads[n], NULL, run_thread, p);
		n += e == 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_mutex_lock(&p->lock);
	if (e == 0)
		p->running--;
	else
		p->ending = true;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
	if (e != 0) {
		join_some(p, n);
		p->ending = false;
		p->running = 0;
	}
	return e;
}

void
pool_close(struct pool *p)
{
	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->closed = true;
	(void)pthread_mutex_unlock(&p->lock);
}

void
pool_end(struct pool *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->ending = true;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
}

void
pool_join(struct pool *p)
{
	join_some(p, p->n_threads);
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	assert(p->running == 0 && TAILQ_EMPTY(&p->jobs));
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

/* ---- what a handler may ask and say ---- */

struct rk_bytes
rk_job_payload(const struct rk_job *job)
{
	return job->payload;
}

struct rk_str
rk_job_subject(const struct rk_job *job)
{
	return job->subject;
}

const struct rk_args *
rk_job_args(const struct rk_job *job)
{
	return &job->args;
}

uint64_t
rk_job_conn_id(const struct rk_job *job)
{
	return job->conn_id;
}

const struct rk_peer *
rk_job_peer(const struct rk_job *job)
{
	return &job->peer;
}

bool
rk_job_is_oneway(const struct rk_job *job)
{
	return job->oneway;
}

uint64_t
rk_job_time_left(const struct rk_job *job)
{
	uint64_t now = mono_ms();

	if (job->deadline == RK_NEVER)
		return RK_NEVER;
	return job->deadline > now ? job->deadline - now : 0;
}

bool
rk_job_is_canceled(const struct rk_job *job)
{
	return atomic_load(&job->canceled) || rk_job_time_left(job) == 0;
}

struct rk_server *
rk_job_server(const struct rk_job *job)
{
	return job->server;
}

static enum rk_err
put_reply(struct rk_job *job, const void *payload, size_t len)
{
	if (job->answered)
		return RK_ESTATE;
	job->answered = true;
	if (len > RK_PAYLOAD_MAX) {
		job->lost = "the answer is too large";
		return RK_ETOOBIG;
	}
	if (len == 0)
		return RK_OK;
	job->reply = malloc(len);
	if (job->reply == NULL) {
		job->lost = "out of memory";
		return RK_ENOMEM;
	}
	memcpy(job->reply, payload, len);
	job->reply_len = len;
	return RK_OK;
}

enum rk_err
rk_job_reply(struct rk_job *job, const void *payload, size_t len)
{
	return put_reply(job, payload, len);
}

enum rk_err
rk_job_fail(
    struct rk_job *job, const char *text, const void *payload, size_t len)
{
	enum rk_err r = put_reply(job, payload, len);

	if (r != RK_OK)
		return r;
	if (text == NULL || text[0] == '\0')
		text = "failed";
	job->error = strndup(text, ERROR_MAX);
	if (job->error != NULL)
		return RK_OK;
	job->lost = "out of memory";
	return RK_ENOMEM;
}
