/* rpcsh bench: how fast a method answers, and how long it takes. */
#include "base/error.h"
#include "base/str.h"
#include "bench_show.h"
#include "confirm.h"
#include "dry.h"
#include "held.h"
#include "progress.h"
#include "request.h"
#include "rpcsh.h"
#include "typed.h"

#include "cli/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINES_MAX 1000000 /* of --in */
#define USUAL_MS 10000
#define AT_A_RATE 100 /* outstanding then */
#define FINISH_MS 1000

const struct opt bench_opts[] = {
	REQUEST_COUNT_OPT(1000000000000, "so many calls"),
	REQUEST_FOR_OPT("so long (10s without -n)"),
	{ .name = "rate",
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .min = 1,
	    .max = BENCH_RATE_MAX,
	    .about = "calls a second in all (as answers come)" },
	{ .name = "conns",
	    .letter = 'c', /* behind the verb; before it, a context's */
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .min = 1,
	    .max = BENCH_CONNS_MAX,
	    .about = "connections (1)" },
	{ .name = "outstanding",
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .min = 1,
	    .max = BENCH_OUTSTANDING_MAX,
	    .about = "calls of each under way (1; with --rate: at most 100)" },
	{ .name = "in",
	    .kind = OPT_TEXT,
	    .meta = "FILE|-",
	    .complete = COMPLETE_FILE,
	    .about = "arguments, one in JSON a line, taken in turns" },
	REQUEST_DATA_OPT,
	REQUEST_RAW_OPT,
	REQUEST_HEADER_OPTS,
	TRACE_OPTS,
	PROGRESS_OPT,
	DRY_RUN_OPT,
	{ 0 },
};

/* ---- arguments ---- */

struct payloads {
	struct rk_bytes *list;
	size_t n;
	size_t room;
};

static void
payloads_free(struct payloads *p)
{
	for (size_t i = 0; i < p->n; i++) {
		rk_wipe((void *)(uintptr_t)p->list[i].ptr, p->list[i].len);
		free((void *)(uintptr_t)p->list[i].ptr);
	}
	free(p->list);
}

/* Takes the bytes, also when it fails. */
static enum rk_err
add(struct payloads *p, uint8_t *bytes, size_t len, struct rk_error *err)
{
	struct rk_bytes *list = p->list;

	if (p->n == p->room) {
		p->room = p->room == 0 ? 16 : 2 * p->room;
		list = realloc(p->list, p->room * sizeof(*list));
	}
	if (list == NULL) {
		free(bytes);
		return err_set(err, RK_ENOMEM, "out of memory");
	}
	p->list = list;
	p->list[p->n++] = (struct rk_bytes){ bytes, len };
	return RK_OK;
}

static enum rk_err
add_line(struct payloads *p, const char *where, const char *text, size_t len,
    struct rk_error *err)
{
	struct rk_value_doc *doc;
	uint8_t *bytes = NULL;
	size_t n = 0;
	enum rk_err r = json_parse(where, text, len, &doc, err);

	if (r != RK_OK) /* it is wrong use, as on the command line */
		return err->code = r == RK_EFORMAT ? RK_EINVAL : r;
	r = rk_value_encode(rk_value_root(doc), &bytes, &n);
	rk_value_free(doc);
	if (r == RK_OK && n > RK_PAYLOAD_MAX) {
		free(bytes);
		r = RK_ETOOBIG;
	}
	if (r != RK_OK)
		return err_set(err, r, "%s: %s", where, rk_err_text(r));
	return add(p, bytes, n, err);
}

static bool
is_blank(const char *text, size_t len)
{
	while (len > 0 && memchr(" \t\r", text[len - 1], 3) != NULL)
		len--;
	return len == 0;
}

static enum rk_err
add_lines(struct payloads *p, const char *name, const char *text, size_t len,
    struct rk_error *err)
{
	char where[160], shown[128];
	unsigned long line = 0;
	enum rk_err r = RK_OK;

	(void)str_escape(shown, sizeof(shown), name);
	for (size_t at = 0, n; r == RK_OK && at < len; at += n + 1) {
		const char *nl = memchr(text + at, '\n', len - at);

		n = nl == NULL ? len - at : (size_t)(nl - text) - at;
		(void)snprintf(where, sizeof(where), "%s:%lu", shown, ++line);
		if (p->n == LINES_MAX)
			return err_set(err, RK_ELIMIT,
			    "%s: more than %d arguments", where, LINES_MAX);
		if (!is_blank(text + at, n))
			r = add_line(p, where, text + at, n, err);
	}
	if (r == RK_OK && p->n == 0)
		return err_set(err, RK_EINVAL, "--in %s: there is none", shown);
	return r;
}

static enum rk_err
read_lines(const struct args *a, const struct caller *by, struct payloads *p,
    struct rk_error *err)
{
	const char *file = args_text(a, "in", "-");
	struct items in = { .stdin_used = caller_has_input(by) };
	bool is_stdin = strcmp(file, "-") == 0;
	char spec[PATH_LEN + 1];
	uint8_t *text = NULL;
	size_t len = 0, n;
	enum rk_err r;

	(void)args_operands(a, &n);
	if (n > 1 || args_given(a, "data") || args_given(a, "raw"))
		return err_set(err, RK_EINVAL,
		    "--in has the whole arguments: no items, no -d and no "
		    "--raw beside it");
	if (strlen(file) >= PATH_LEN)
		return err_set(err, RK_EINVAL, "--in: the name is too long");
	(void)snprintf(spec, sizeof(spec), "@%s", file);
	r = items_read(&in, is_stdin ? "-" : spec, &text, &len, err);
	if (r != RK_OK)
		return r;
	r = add_lines(p, is_stdin ? "standard input" : file, (const char *)text,
	    len, err);
	free(text);
	return r;
}

static enum rk_err
build(const struct args *a, const struct caller *by, struct request *q,
    struct payloads *p, struct rk_error *err)
{
	enum rk_err r;

	if ((r = request_head(a, q, err)) != RK_OK)
		return r;
	if (args_given(a, "in"))
		return read_lines(a, by, p, err);
	if ((r = request_build(a, by, q, err)) != RK_OK)
		return r;
	return add(p, q->payload, q->req.payload_len, err);
}

/* ---- the load ---- */

static enum rk_err
how_much(const struct args *a, struct bench *b, struct rk_error *err)
{
	uint64_t ms =
	    args_number(a, "for", args_given(a, "count") ? 0 : USUAL_MS);

	b->rate = args_number(a, "rate", 0);
	b->count = args_number(a, "count", 0);
	b->limit_ns = ms * 1000000;
	b->conns = (unsigned)args_number(a, "conns", 1);
	b->outstanding = (unsigned)args_number(
	    a, "outstanding", b->rate == 0 ? 1 : AT_A_RATE);
	if (args_given(a, "for") && ms == 0)
		return err_set(err, RK_EINVAL, "--for: no time at all");
	if ((uint64_t)b->conns * b->outstanding > BENCH_CALLS_MAX)
		return err_set(err, RK_EINVAL,
		    "at most %d calls under way: fewer --conns or "
		    "--outstanding",
		    BENCH_CALLS_MAX);
	return RK_OK;
}

/* One connection first: it asks about keys, and whether these calls make
 * sense. */
static bool
may_begin(struct target *t, const struct out *o, const struct bench *b,
    bool raw, int *status)
{
	struct rk_value_doc *doc = NULL;
	bool may;

	if (!target_connect(t, o, status) ||
	    !confirm_call(t, o, b->req->method, status))
		return false;
	may = raw || typed_may_call(t, o, b->req->method, b->payloads,
	                 b->n_payloads, &doc, status);
	rk_value_free(doc);
	if (!may)
		return false;
	if (rk_client_finish(t->client, FINISH_MS, NULL) != RK_OK) {
		/* What it means is the load's to find out. */
	}
	return true;
}

static int
load(struct target *t, const struct args *a, const struct out *o,
    struct bench *b)
{
	struct rk_error err = { 0 };
	struct sigaction before;
	struct bench_line line;
	int status;

	bench_line_begin(&line, a, o, b);
	held_hear_interrupt(&before);
	b->t = t;
	if (bench_run(b, &err) != RK_OK) {
		bench_line_end(&line);
		status = held_interrupted() ? 128 + SIGINT
		                            : target_failed(t, o, &err, NULL);
	} else {
		bench_line_end(&line);
		status = bench_show(o, b);
	}
	held_unhear_interrupt(&before);
	return status;
}

static int
connect_and_load(const struct args *a, const struct out *o, struct request *q,
    struct payloads *p, struct bench *b)
{
	struct target t;
	int status = 0;

	if (!target_open(&t, a, o, &status))
		return status;
	if (t.timeout_given)
		q->req.timeout = t.timeout;
	b->req = &q->req;
	b->payloads = p->list;
	b->n_payloads = p->n;
	if (may_begin(&t, o, b, q->raw, &status))
		status = load(&t, a, o, b);
	target_close(&t);
	return status;
}

static int
run(const struct args *a, const struct out *o, struct request *q,
    struct payloads *p, struct bench *b)
{
	struct rk_error err = { 0 };
	struct trace tr;

	if (progress_check(a, o, &err) != RK_OK ||
	    how_much(a, b, &err) != RK_OK ||
	    trace_open(&tr, a, o, &err) != RK_OK)
		return request_failed(o, &err, "rpcsh bench -h");
	tr.many = true;
	b->trace = &tr;
	return trace_close(&tr, connect_and_load(a, o, q, p, b));
}

/* The arguments, each once. */
static int
dry_run(const struct out *o, const struct request *q, const struct payloads *p)
{
	const struct show show = { .out = o, .raw = q->raw };
	int status = 0;

	for (size_t i = 0; status == 0 && i < p->n; i++)
		status = dry_show(&show, q->req.method, p->list[i]);
	return status;
}

int
cmd_bench(struct args *a, void *ctx)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct rk_error err = { 0 };
	struct request q = { 0 };
	struct payloads p = { 0 };
	struct out o;
	int status;

	out_init(&o, a);
	if (b == NULL)
		return out_fail(&o, RK_ENOMEM, rk_err_text(RK_ENOMEM), NULL);
	if (build(a, ctx, &q, &p, &err) != RK_OK)
		status = request_failed(&o, &err, "rpcsh bench -h");
	else if (args_flag(a, "dry-run"))
		status = dry_run(&o, &q, &p);
	else
		status = run(a, &o, &q, &p, b);
	payloads_free(&p);
	free(b);
	return status;
}
