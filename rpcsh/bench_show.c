/* What is said about a load: a line while it runs, and its figures. */
#include "bench_show.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/graph.h"
#include "progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX (1u << 20)
#define TIME_LEN 24
#define PATIENCE_NS 300000000u
#define FINE_ROWS 16 /* more than that: fewer bounds */
#define ROWS_MAX 64
#define LABELS 24 /* columns before the bars */
#define BARS_MAX 60

/* In the unit that fits. */
static const char *
time_text(char dst[TIME_LEN], double ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	size_t i = 0;

	while (ns >= 999.5 && i < 3) {
		ns /= 1000;
		i++;
	}
	(void)snprintf(dst, TIME_LEN, "%.*f %s",
	    i == 0 || ns >= 99.95 ? 0
	    : ns >= 9.995         ? 1
	                          : 2,
	    ns, units[i]);
	return dst;
}

static double
per_second(uint64_t n, uint64_t ns)
{
	return ns == 0 ? 0 : (double)n * 1e9 / (double)ns;
}

/* ---- while it runs ---- */

/* Of the time, and of the calls at the rate so far: what is over first. */
static void
left_text(const struct bench *b, uint64_t ns, char dst[32])
{
	uint64_t over = b->latency.n + b->failed;
	double rate = per_second(over, ns), left = -1;

	if (b->limit_ns > ns)
		left = (double)(b->limit_ns - ns) / 1e9;
	if (b->count > over && rate > 0 &&
	    (left < 0 || (double)(b->count - over) / rate < left))
		left = (double)(b->count - over) / rate;
	dst[0] = '\0';
	if (left >= 0 && left < 1e9)
		progress_left((uint64_t)left, dst);
}

static void
tick(const struct bench *b, uint64_t ns, void *arg)
{
	struct bench_line *line = arg;
	char text[200], p99[TIME_LEN], left[32];
	int room = (int)graph_columns(STDERR_FILENO) - 1;

	if (ns < PATIENCE_NS ||
	    (line->shown && line->lines &&
	        ns - line->last < PROGRESS_LINES_US * UINT64_C(1000)))
		return;
	left_text(b, ns, left);
	(void)snprintf(text, sizeof(text),
	    "%" PRIu64 " answers  %.0f/s  p99 %s  %" PRIu64
	    " failed  %s%s(Ctrl-C ends it)",
	    b->latency.n, per_second(b->latency.n, ns),
	    time_text(p99, (double)histo_at(&b->latency, 99000)), b->failed,
	    left, left[0] == '\0' ? "" : "  ");
	line->last = ns;
	/* A terminal that is gone shows nothing. */
	if (line->lines)
		(void)fprintf(stderr, "%s\n", text);
	else
		(void)fprintf(stderr, "\r%-*.*s\r", room, room, text);
	(void)fflush(stderr);
	line->shown = true;
}

void
bench_line_begin(struct bench_line *line, const struct args *a,
    const struct out *o, struct bench *b)
{
	line->shown = false;
	b->arg = line;
	if (progress_wanted(a, o, &line->lines))
		b->tick = tick;
}

void
bench_line_end(struct bench_line *line)
{
	if (!line->shown || line->lines)
		return;
	(void)fprintf(
	    stderr, "\r%*s\r", (int)graph_columns(STDERR_FILENO) - 1, "");
	(void)fflush(stderr);
	line->shown = false;
}

/* ---- figures ---- */

struct share {
	const char *name; /* in JSON */
	const char *title;
	unsigned per_100000;
};

static const struct share shares[] = {
	{ "min_ns", "min", 0 },
	{ "p50_ns", "p50", 50000 },
	{ "p90_ns", "p90", 90000 },
	{ "p99_ns", "p99", 99000 },
	{ "p999_ns", "p99.9", 99900 },
	{ "max_ns", "max", 100000 },
};
#define SHARES (sizeof(shares) / sizeof(shares[0]))

/* The rows of the histogram: their upper bounds, and how many are in each. */
struct row {
	uint64_t upto;
	uint64_t n;
};

static size_t
fill_rows(const struct histo *h, struct row rows[ROWS_MAX], int coarse)
{
	uint64_t bound, before = 0;
	size_t n = 0;

	if (h->n == 0)
		return 0;
	bound = histo_bound(h->min > 0 ? h->min - 1 : 0, coarse);
	while (n < ROWS_MAX) {
		uint64_t upto = histo_upto(h, bound);

		rows[n++] = (struct row){ bound, upto - before };
		if (bound >= h->max)
			break;
		before = upto;
		bound = histo_bound(bound, coarse);
	}
	return n;
}

static size_t
rows_of(const struct histo *h, struct row rows[ROWS_MAX])
{
	size_t n = fill_rows(h, rows, 0);

	return n > FINE_ROWS ? fill_rows(h, rows, 1) : n;
}

/* ---- for people ---- */

static enum rk_err
put_heads(struct buf *b, const struct bench *x)
{
	char name[256], took[TIME_LEN];
	enum rk_err r;

	r = buf_printf(b, "%s  %u connection%s, %s%u outstanding%s",
	    str_escape(name, sizeof(name), x->req->method), x->conns,
	    x->conns == 1 ? "" : "s", x->rate == 0 ? "" : "at most ",
	    x->outstanding, x->conns == 1 ? "" : " on each");
	if (r == RK_OK && x->rate != 0)
		r = buf_printf(b, ", %" PRIu64 " calls a second", x->rate);
	if (r == RK_OK)
		r = buf_printf(b,
		    "\nsent      %" PRIu64 " in %s\nanswered  %" PRIu64
		    "  (%.0f/s)\n",
		    x->sent, time_text(took, (double)x->took_ns), x->latency.n,
		    per_second(x->latency.n, x->took_ns));
	if (r == RK_OK && x->unanswered != 0)
		r = buf_printf(
		    b, "given up  %" PRIu64 " (Ctrl-C)\n", x->unanswered);
	if (r == RK_OK && x->unsent != 0)
		r = buf_printf(b,
		    "not sent  %" PRIu64
		    ": the server, or this end, did not keep up with the "
		    "rate\n",
		    x->unsent);
	if (r == RK_OK && x->lost != 0)
		r = buf_printf(b, "lost      %u connection%s\n", x->lost,
		    x->lost == 1 ? "" : "s");
	return r;
}

static enum rk_err
put_failures(struct buf *b, const struct bench *x)
{
	enum rk_err r = RK_OK;
	char name[OUT_CODE_LEN];

	if (x->failed == 0)
		return RK_OK;
	r = buf_printf(b, "failed    %" PRIu64, x->failed);
	for (int i = 1; r == RK_OK && i < RK_ERR_COUNT; i++) {
		if (x->errors[i] != 0)
			r = buf_printf(b, "  %s %" PRIu64,
			    out_code_name((enum rk_err)i, name), x->errors[i]);
	}
	return r == RK_OK ? buf_put_str(b, "\n") : r;
}

static enum rk_err
put_latency(struct buf *b, const struct histo *h)
{
	char text[TIME_LEN];
	enum rk_err r;

	if (h->n == 0)
		return RK_OK;
	r = buf_printf(b, "latency   mean %s", time_text(text, histo_mean(h)));
	for (size_t i = 0; r == RK_OK && i < SHARES; i++)
		r = buf_printf(b, "%s%s %s", i == 2 ? "\n          " : "  ",
		    shares[i].title,
		    time_text(text, (double)histo_at(h, shares[i].per_100000)));
	return r == RK_OK ? buf_put_str(b, "\n") : r;
}

static enum rk_err
put_graph(struct buf *b, const struct histo *h)
{
	struct row rows[ROWS_MAX];
	size_t n = rows_of(h, rows);
	unsigned room = graph_columns(STDOUT_FILENO);
	enum graph_signs signs = graph_signs();
	uint64_t most = 0;
	char text[TIME_LEN];
	enum rk_err r = n == 0 ? RK_OK : buf_put_str(b, "\n");

	room = room > LABELS + 2 ? room - LABELS - 1 : 1;
	room = room > BARS_MAX ? BARS_MAX : room;
	for (size_t i = 0; i < n; i++)
		most = rows[i].n > most ? rows[i].n : most;
	for (size_t i = 0; r == RK_OK && i < n; i++) {
		r = buf_printf(b, "%10s %10" PRIu64 "%s",
		    time_text(text, (double)rows[i].upto), rows[i].n,
		    rows[i].n == 0 ? "" : "  ");
		if (r == RK_OK)
			r = graph_bar(b, signs, room, rows[i].n, most);
		if (r == RK_OK)
			r = buf_put_str(b, "\n");
	}
	return r;
}

static enum rk_err
put_text(struct buf *b, const struct bench *x)
{
	enum rk_err r;

	if ((r = put_heads(b, x)) != RK_OK ||
	    (r = put_failures(b, x)) != RK_OK ||
	    (r = put_latency(b, &x->latency)) != RK_OK)
		return r;
	return put_graph(b, &x->latency);
}

/* ---- for programs ---- */

struct number {
	const char *name;
	uint64_t value;
};
#define NUMBERS 10

static void
numbers_of(const struct bench *x, struct number out[NUMBERS])
{
	const struct number all[NUMBERS] = {
		{ "conns", x->conns },
		{ "outstanding", x->outstanding },
		{ "rate", x->rate },
		{ "took_ns", x->took_ns },
		{ "sent", x->sent },
		{ "answered", x->latency.n },
		{ "failed", x->failed },
		{ "unanswered", x->unanswered },
		{ "unsent", x->unsent },
		{ "lost_conns", x->lost },
	};

	memcpy(out, all, sizeof(all));
}

static enum rk_err
put_errors_json(struct buf *b, const struct bench *x)
{
	const char *comma = "";
	char name[OUT_CODE_LEN];
	enum rk_err r = buf_put_str(b, ",\"errors\":[");

	for (int i = 1; r == RK_OK && i < RK_ERR_COUNT; i++) {
		if (x->errors[i] == 0)
			continue;
		r = buf_printf(b,
		    "%s{\"code\":\"%s\",\"exit\":%d,\"count\":%" PRIu64 "}",
		    comma, out_code_name((enum rk_err)i, name),
		    rk_err_exit((enum rk_err)i), x->errors[i]);
		comma = ",";
	}
	return r == RK_OK ? buf_put_str(b, "]") : r;
}

static enum rk_err
put_latency_json(struct buf *b, const struct histo *h)
{
	struct row rows[ROWS_MAX];
	size_t n = rows_of(h, rows);
	enum rk_err r = buf_printf(
	    b, ",\"latency\":{\"mean_ns\":%" PRIu64, (uint64_t)histo_mean(h));

	for (size_t i = 0; r == RK_OK && i < SHARES; i++)
		r = buf_printf(b, ",\"%s\":%" PRIu64, shares[i].name,
		    histo_at(h, shares[i].per_100000));
	if (r == RK_OK)
		r = buf_put_str(b, ",\"histogram\":[");
	for (size_t i = 0; r == RK_OK && i < n; i++)
		r = buf_printf(b,
		    "%s{\"upto_ns\":%" PRIu64 ",\"count\":%" PRIu64 "}",
		    i == 0 ? "" : ",", rows[i].upto, rows[i].n);
	return r == RK_OK ? buf_put_str(b, "]}}\n") : r;
}

static enum rk_err
put_json(struct buf *b, const struct bench *x)
{
	const char *method = x->req->method;
	struct number all[NUMBERS];
	enum rk_err r;

	numbers_of(x, all);
	if ((r = buf_put_str(b, "{\"schema\":1,\"method\":")) != RK_OK ||
	    (r = out_json_string(b, method, strlen(method))) != RK_OK)
		return r;
	for (size_t i = 0; r == RK_OK && i < NUMBERS; i++)
		r = buf_printf(
		    b, ",\"%s\":%" PRIu64, all[i].name, all[i].value);
	if (r == RK_OK)
		r = buf_printf(b, ",\"per_second\":%.3f",
		    per_second(x->latency.n, x->took_ns));
	if (r == RK_OK)
		r = put_errors_json(b, x);
	return r == RK_OK ? put_latency_json(b, &x->latency) : r;
}

static enum rk_err
put_plain(struct buf *b, const struct bench *x)
{
	struct number all[NUMBERS];
	char name[OUT_CODE_LEN];
	enum rk_err r = RK_OK;

	numbers_of(x, all);
	for (size_t i = 0; r == RK_OK && i < NUMBERS; i++)
		r = buf_printf(
		    b, "%s\t%" PRIu64 "\n", all[i].name, all[i].value);
	for (size_t i = 0; r == RK_OK && i < SHARES; i++)
		r = buf_printf(b, "%s\t%" PRIu64 "\n", shares[i].name,
		    histo_at(&x->latency, shares[i].per_100000));
	for (int i = 1; r == RK_OK && i < RK_ERR_COUNT; i++) {
		if (x->errors[i] != 0)
			r = buf_printf(b, "error %s\t%" PRIu64 "\n",
			    out_code_name((enum rk_err)i, name), x->errors[i]);
	}
	return r;
}

int
bench_show(const struct out *o, const struct bench *x)
{
	enum rk_err r = RK_OK;
	int status = 0;
	struct buf b;

	buf_init(&b, TEXT_MAX);
	switch (o->form) {
	case OUT_TEXT:
		r = put_text(&b, x);
		break;
	case OUT_JSON:
		r = put_json(&b, x);
		break;
	case OUT_PLAIN:
		r = put_plain(&b, x);
		break;
	}
	if (r == RK_OK)
		out_bytes(o, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	if (r != RK_OK)
		return out_fail(o, r, rk_err_text(r), NULL);
	if (x->first.code != RK_OK)
		status = out_error(o, &x->first, NULL);
	return x->interrupted ? 128 + SIGINT : status;
}
