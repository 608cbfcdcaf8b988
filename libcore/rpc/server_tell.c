/* What a server tells: lines about who was refused, and figures. */
#include "base/error.h"
#include "rpc/server_int.h"

#define LINES_MAX 10 /* a second */

/* Is there one left?  *dropped: how many were too many since the last time. */
static bool
take_line(struct rk_server *s, const struct rk_loop *loop, struct log_budget *b,
    unsigned *dropped)
{
	uint64_t second = rk_loop_now(loop) / 1000;
	bool say;

	*dropped = 0;
	(void)pthread_mutex_lock(&s->log_lock);
	/* Loops differ in what they call now: never back. */
	if (second > b->second) {
		*dropped = b->dropped;
		*b = (struct log_budget){ .second = second };
	}
	say = b->lines < LINES_MAX;
	if (say)
		b->lines++;
	else
		b->dropped++;
	(void)pthread_mutex_unlock(&s->log_lock);
	return say;
}

void
server_log_refusal(
    struct rk_server *s, const struct rk_loop *loop, const char *text)
{
	unsigned dropped;
	bool say = take_line(s, loop, &s->log_refusals, &dropped);

	if (dropped != 0)
		log_event(RK_LOG_WARN, "server",
		    "%u lines about refused peers left out", dropped);
	if (say)
		log_event(RK_LOG_WARN, "server", "%s", text);
}

void
server_log_end(
    struct rk_server *s, const struct rk_loop *loop, const char *text)
{
	unsigned dropped;
	bool say = take_line(s, loop, &s->log_ends, &dropped);

	if (dropped != 0)
		log_event(RK_LOG_INFO, "server",
		    "%u lines about broken connections left out", dropped);
	if (say)
		log_event(RK_LOG_INFO, "server", "%s", text);
}

void
server_tell_replaced(struct rk_server *s)
{
	struct server_watch *w;

	TAILQ_FOREACH (w, &s->watches, link) {
		if (w->replaced != NULL)
			w->replaced(w);
	}
}

void
rk_server_stats(const struct rk_server *server, struct rk_server_stats *out)
{
	*out = (struct rk_server_stats){ 0 };
	out->accepted =
	    atomic_load_explicit(&server->accepted, memory_order_relaxed);
	out->refused =
	    atomic_load_explicit(&server->refused, memory_order_relaxed);
	for (unsigned i = 0; i < server->n_workers; i++) {
		const struct worker *w = &server->workers[i];

		out->conns +=
		    atomic_load_explicit(&w->n_conns, memory_order_relaxed);
		out->calls +=
		    atomic_load_explicit(&w->calls, memory_order_relaxed);
		out->running +=
		    atomic_load_explicit(&w->running, memory_order_relaxed);
	}
}
