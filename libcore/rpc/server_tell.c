/* What a server tells: lines about who was refused, and figures. */
#include "base/error.h"
#include "rpc/server_int.h"

#define REFUSAL_LINES 10 /* a second */

void
server_log_refusal(
    struct rk_server *s, const struct rk_loop *loop, const char *text)
{
	uint64_t second = rk_loop_now(loop) / 1000;
	unsigned dropped = 0;
	bool say;

	(void)pthread_mutex_lock(&s->log_lock);
	/* Loops differ in what they call now: never back. */
	if (second > s->log_second) {
		dropped = s->log_dropped;
		s->log_second = second;
		s->log_lines = 0;
		s->log_dropped = 0;
	}
	say = s->log_lines < REFUSAL_LINES;
	if (say)
		s->log_lines++;
	else
		s->log_dropped++;
	(void)pthread_mutex_unlock(&s->log_lock);
	if (dropped != 0)
		log_event(RK_LOG_WARN, "server",
		    "%u lines about refused peers left out", dropped);
	if (say)
		log_event(RK_LOG_WARN, "server", "%s", text);
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
