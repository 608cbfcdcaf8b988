/* What a control answers of figures: of each method, and all for Prometheus. */
#include "rpc/control_int.h"

#include "base/error.h"

#include <inttypes.h>

/* ---- _.figures ---- */

void
control_put_figures(struct kv *k, const struct figures *f)
{
	struct figures_sum s;

	figures_sum(f, &s);
	kv_pair_uint(k, "calls", s.begun);
	kv_pair_uint(k, "running", s.running);
	kv_pair_uint(k, "ended", s.ended);
	kv_pair_uint(k, "errors", s.failed);
	kv_pair_uint(k, "p50_us", figures_percentile(&s, 50));
	kv_pair_uint(k, "p90_us", figures_percentile(&s, 90));
	kv_pair_uint(k, "p99_us", figures_percentile(&s, 99));
	kv_pair_uint(k, "max_us", s.longest);
	kv_pair_uint(k, "total_us", s.total);
}

/* One of those that are served now. */
static const struct figures *
at(const struct rk_control *c, size_t i)
{
	const struct methods *m = c->server->workers[0].methods;

	return methods_figures(m, &m->list[i]);
}

void
control_on_figures(struct rk_call *call, void *arg)
{
	const struct rk_control *c = ((const struct control_end *)arg)->control;
	size_t n = c->server->workers[0].methods->n;
	uint32_t counted = 0;
	struct buf b;
	struct kv k = { .b = &b };

	for (size_t i = 0; i < n; i++)
		counted += at(c, i) != NULL;
	buf_init(&b, RK_PAYLOAD_MAX);
	kv_map(&k, 2);
	kv_pair_uint(&k, "left_out", n - counted);
	kv_text(&k, "methods");
	kv_array(&k, counted);
	for (size_t i = 0; i < n; i++) {
		if (at(c, i) == NULL)
			continue;
		kv_map(&k, 1 + CONTROL_FIGURES_PAIRS);
		kv_pair_text(&k, "name", at(c, i)->name);
		control_put_figures(&k, at(c, i));
	}
	control_answer(call, &k);
}

/* ---- _.metrics ---- */

static enum rk_err
put_metric(struct buf *b, const char *name, const char *kind, const char *help,
    uint64_t value)
{
	return buf_printf(b,
	    "# HELP rpckit_%s %s\n# TYPE rpckit_%s %s\n"
	    "rpckit_%s %" PRIu64 "\n",
	    name, help, name, kind, name, value);
}

static enum rk_err
put_states(struct buf *b, const struct survey_sum *s)
{
	return buf_printf(b,
	    "# HELP rpckit_connections Connections by state.\n"
	    "# TYPE rpckit_connections gauge\n"
	    "rpckit_connections{state=\"new\"} %" PRIu64 "\n"
	    "rpckit_connections{state=\"active\"} %" PRIu64 "\n"
	    "rpckit_connections{state=\"idle\"} %" PRIu64 "\n"
	    "rpckit_connections{state=\"closing\"} %" PRIu64 "\n",
	    s->fresh, s->active, s->idle, s->closing);
}

static enum rk_err
put_totals(
    struct buf *b, const struct rk_control *c, const struct survey_sum *sum)
{
	struct rk_server_stats stats;
	enum rk_err r;

	rk_server_stats(c->server, &stats);
	const struct {
		const char *name;
		const char *kind;
		const char *help;
		uint64_t value;
	} all[] = {
		{ "up_seconds", "gauge", "Since it started.",
		    control_up_ms(c) / 1000 },
		{ "accepted_total", "counter", "Connections accepted.",
		    stats.accepted },
		{ "refused_total", "counter", "Connections refused.",
		    stats.refused },
		{ "calls_total", "counter", "Calls begun.", stats.calls },
		{ "calls_running", "gauge", "Calls that run.", stats.running },
		{ "received_bytes_total", "counter", "Bytes of messages in.",
		    sum->bytes_in },
		{ "sent_bytes_total", "counter", "Bytes of messages out.",
		    sum->bytes_out },
		{ "connections_max", "gauge", "Connections at most.",
		    c->server->conf.max_conns },
	};

	r = put_states(b, sum);
	for (size_t i = 0; r == RK_OK && i < sizeof(all) / sizeof(all[0]); i++)
		r = put_metric(
		    b, all[i].name, all[i].kind, all[i].help, all[i].value);
	return r;
}

/* A label's value; the name is whatever the program likes. */
static enum rk_err
put_label(struct buf *b, const char *name)
{
	enum rk_err r = RK_OK;

	for (; r == RK_OK && *name != '\0'; name++) {
		if (*name == '\n')
			r = buf_put_str(b, "\\n");
		else if (*name == '"' || *name == '\\')
			r = buf_printf(b, "\\%c", *name);
		else
			r = buf_put(b, name, 1);
	}
	return r;
}

enum metric {
	METRIC_CALLS,
	METRIC_ERRORS,
	METRIC_RUNNING,
	METRIC_SECONDS
};

static enum rk_err
put_sample(
    struct buf *b, const char *what, const struct figures *f, uint64_t value)
{
	enum rk_err r = buf_printf(b, "rpckit_method_%s{method=\"", what);

	if (r == RK_OK)
		r = put_label(b, f->name);
	return r == RK_OK ? buf_printf(b, "\"} %" PRIu64 "\n", value) : r;
}

static enum rk_err
put_seconds(struct buf *b, const char *what, const struct figures *f,
    const char *quantile, uint64_t us)
{
	enum rk_err r = buf_printf(b, "rpckit_method_%s{method=\"", what);

	if (r == RK_OK)
		r = put_label(b, f->name);
	if (r == RK_OK && quantile != NULL)
		r = buf_printf(b, "\",quantile=\"%s", quantile);
	return r == RK_OK ? buf_printf(b, "\"} %" PRIu64 ".%06" PRIu64 "\n",
	                        us / 1000000, us % 1000000)
	                  : r;
}

static enum rk_err
put_summary(struct buf *b, const struct figures *f, const struct figures_sum *s)
{
	static const struct {
		unsigned percent;
		const char *text;
	} q[] = { { 50, "0.5" }, { 90, "0.9" }, { 99, "0.99" } };
	enum rk_err r = RK_OK;

	for (size_t i = 0; r == RK_OK && i < sizeof(q) / sizeof(q[0]); i++)
		r = put_seconds(b, "seconds", f, q[i].text,
		    figures_percentile(s, q[i].percent));
	if (r == RK_OK)
		r = put_seconds(b, "seconds_sum", f, NULL, s->total);
	return r == RK_OK ? put_sample(b, "seconds_count", f, s->ended) : r;
}

static enum rk_err
put_one(struct buf *b, enum metric what, const struct figures *f)
{
	struct figures_sum s;

	figures_sum(f, &s);
	switch (what) {
	case METRIC_CALLS:
		return put_sample(b, "calls_total", f, s.begun);
	case METRIC_ERRORS:
		return put_sample(b, "errors_total", f, s.failed);
	case METRIC_RUNNING:
		return put_sample(b, "running", f, s.running);
	case METRIC_SECONDS:
		break;
	}
	return put_summary(b, f, &s);
}

static enum rk_err
put_methods(struct buf *b, const struct rk_control *c)
{
	static const char *const heads[] = {
		[METRIC_CALLS] =
		    "# HELP rpckit_method_calls_total Calls begun.\n"
		    "# TYPE rpckit_method_calls_total counter\n",
		[METRIC_ERRORS] =
		    "# HELP rpckit_method_errors_total Calls that failed.\n"
		    "# TYPE rpckit_method_errors_total counter\n",
		[METRIC_RUNNING] =
		    "# HELP rpckit_method_running Calls that run.\n"
		    "# TYPE rpckit_method_running gauge\n",
		[METRIC_SECONDS] =
		    "# HELP rpckit_method_seconds From call to answer.\n"
		    "# TYPE rpckit_method_seconds summary\n",
	};
	size_t n = c->server->workers[0].methods->n;
	enum rk_err r = RK_OK;

	for (int what = 0; r == RK_OK && what <= METRIC_SECONDS; what++) {
		r = buf_put_str(b, heads[what]);
		for (size_t i = 0; r == RK_OK && i < n; i++) {
			if (at(c, i) != NULL)
				r = put_one(b, (enum metric)what, at(c, i));
		}
	}
	return r;
}

enum rk_err
control_put_metrics(
    struct buf *b, const struct rk_control *c, const struct survey_sum *sum)
{
	enum rk_err r = put_totals(b, c, sum);

	return r == RK_OK ? put_methods(b, c) : r;
}
