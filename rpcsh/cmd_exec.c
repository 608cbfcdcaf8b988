/* rpcsh exec: a command at the server, its streams and its exit status. */
#include "base/error.h"
#include "confirm.h"
#include "dry.h"
#include "remote.h"
#include "request.h"
#include "rpcsh.h"

#include <stdlib.h>
#include <unistd.h>

const struct opt exec_opts[] = {
	{ .name = "no-stdin",
	    .letter = 'n',
	    .about = "leave standard input alone; the command finds its end" },
	{ .name = "escape",
	    .kind = OPT_CHOICE,
	    .meta = "auto|always|never",
	    .complete = COMPLETE_WORDS,
	    .about = "show control characters as \\xNN (auto: on a terminal)" },
	REQUEST_DATA_OPT,
	REQUEST_HEADER_OPTS,
	TRACE_OPTS,
	DRY_RUN_OPT,
	{ 0 },
};

/* *input: what the command reads; -1 when it was used up for the argument. */
static enum rk_err
build(const struct args *a, const struct caller *by, struct request *q,
    int *input, struct rk_error *err)
{
	struct items in;
	enum rk_err r;

	*input = args_flag(a, "no-stdin") ? -1 : STDIN_FILENO;
	if ((r = request_head(a, q, err)) != RK_OK ||
	    (r = items_init(&in, err)) != RK_OK)
		return r;
	in.no_input = args_flag(a, "no-input");
	in.dry = args_flag(a, "dry-run");
	in.stdin_used = caller_has_input(by);
	r = request_value(a, &in, q, err);
	if (in.stdin_used)
		*input = -1;
	items_fini(&in);
	q->req.payload = q->payload;
	return r == RK_OK ? request_fits(q, err) : r;
}

static bool
escapes(const struct args *a, const struct out *o, int fd)
{
	const char *when = args_text(a, "escape", "auto");

	if (o->form == OUT_JSON) /* it has none that is not escaped */
		return false;
	if (strcmp(when, "auto") == 0)
		return isatty(fd) == 1;
	return strcmp(when, "always") == 0;
}

static int
run(struct target *t, const struct caller *by, const struct args *a,
    const struct out *o, const struct request *q, int input, struct trace *tr)
{
	struct remote m = { .target = t,
		.out = o,
		.method = q->req.method,
		.input = input,
		.says_status = by != NULL && by->held != NULL,
		.trace = tr };
	int status;

	sink_open(
	    &m.sinks[REMOTE_OUT], STDOUT_FILENO, escapes(a, o, STDOUT_FILENO));
	sink_open(
	    &m.sinks[REMOTE_ERR], STDERR_FILENO, escapes(a, o, STDERR_FILENO));
	status = remote_run(&m, &q->req);
	sink_close(&m.sinks[REMOTE_OUT]);
	sink_close(&m.sinks[REMOTE_ERR]);
	return status;
}

static int
connect_and_run(const struct caller *by, const struct args *a,
    const struct out *o, struct request *q, int input)
{
	struct rk_error err = { 0 };
	struct target own, *t;
	struct trace tr;
	int status = 0;

	if (trace_open(&tr, a, o, &err) != RK_OK)
		return request_failed(o, &err, "rpcsh exec -h");
	if ((t = target_use(&own, by, a, o, &status)) != NULL) {
		/* It takes its time, unless somebody has said how much. */
		if (t->timeout_given && t->timeout != RK_NEVER)
			q->req.timeout = t->timeout;
		if (target_connect(t, o, &status) &&
		    confirm_call(t, o, q->req.method, &status))
			status = run(t, by, a, o, q, input, &tr);
		target_done(t, by);
	}
	return trace_close(&tr, status);
}

int
cmd_exec(struct args *a, void *ctx)
{
	struct rk_error err = { 0 };
	struct request q = { 0 };
	int input = -1, status;
	struct out o;

	out_init(&o, a);
	if (build(a, ctx, &q, &input, &err) != RK_OK) {
		status = request_failed(&o, &err, "rpcsh exec -h");
	} else if (args_flag(a, "dry-run")) {
		status = dry_call(&o, &q);
	} else {
		status = connect_and_run(ctx, a, &o, &q, input);
	}
	free(q.payload);
	return status;
}
