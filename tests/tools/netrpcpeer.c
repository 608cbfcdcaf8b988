/* Both ends of Go's net/rpc, for tests against a Go peer. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

#include "base/str.h"

#define CALLS_MAX 10000

/*
 * netrpcpeer serve URL CERTDIR|- NAME: serves Arith.Add and Arith.Div until it
 * is terminated; prints where.
 * netrpcpeer call URL CERTDIR|- NAME CALLS: so many Arith.Add at once, and then
 * what must fail; prints what came back.
 */
struct pair {
	int64_t a;
	int64_t b;
};
static const struct rk_field pair_fields[] = {
	RK_FIELD(struct pair, a, INT, "A", 0),
	RK_FIELD(struct pair, b, INT, "B", 1),
};
static const struct rk_record pair =
    RK_RECORD(struct pair, "pair", pair_fields);

struct result {
	int64_t c;
};
static const struct rk_field result_fields[] = {
	RK_FIELD(struct result, c, INT, "C", 0),
};
static const struct rk_record result =
    RK_RECORD(struct result, "result", result_fields);

static void
add(struct rk_call *call, void *args, void *reply, void *arg)
{
	const struct pair *in = args;
	struct result *out = reply;

	(void)call;
	(void)arg;
	out->c = in->a + in->b;
}

static void
divide(struct rk_call *call, void *args, void *reply, void *arg)
{
	const struct pair *in = args;
	struct result *out = reply;

	(void)arg;
	if (in->b == 0)
		(void)rk_call_fail(call, "divide by zero", NULL, 0);
	else
		out->c = in->a / in->b;
}

static const struct rk_typed add_typed = { &pair, &result, add };
static const struct rk_typed div_typed = { &pair, &result, divide };

/* ---- serve ---- */

static struct rk_loop *loop;
static struct rk_server *server;

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

static void
on_signal(int signo, void *arg)
{
	(void)signo;
	rk_server_stop(arg, 1000, on_stopped, loop);
}

static enum rk_err
serve(const char *url, struct rk_ident *ident, struct rk_error *err)
{
	const struct rk_method methods[] = {
		{ .name = "Arith.Add", .typed = &add_typed },
		{ .name = "Arith.Div", .typed = &div_typed },
	};
	struct rk_server_conf conf = { .size = sizeof(conf) };
	char bound[128];
	enum rk_err r;

	if ((r = rk_loop_new(&loop)) != RK_OK)
		return r;
	conf.loop = loop;
	conf.ident = ident;
	if ((r = rk_server_new(&conf, &server, err)) == RK_OK &&
	    (r = rk_loop_signal(loop, SIGTERM, on_signal, server)) == RK_OK &&
	    (r = rk_server_methods(server, methods, 2, NULL, NULL, err)) ==
	        RK_OK &&
	    (r = rk_server_listen(server, url, bound, err)) == RK_OK &&
	    (r = rk_server_start(server, err)) == RK_OK) {
		(void)printf("listening %s\n", bound);
		(void)fflush(stdout);
		r = rk_loop_run(loop);
	}
	rk_server_free(server);
	rk_loop_free(loop);
	return r;
}

/* ---- call ---- */

struct one {
	uint64_t number;
	uint64_t *waiting;
	uint64_t *good;
};

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct one *one = arg;
	struct result out;

	(void)c;
	(*one->waiting)--;
	if (reply->code == RK_OK &&
	    rk_typed_decode(&result, reply->payload.ptr, reply->payload.len,
	        &out, NULL) == RK_OK &&
	    out.c == (int64_t)one->number - 500 + 300)
		(*one->good)++;
}

static enum rk_err
submit(struct rk_client *c, struct one *one)
{
	const struct pair in = { (int64_t)one->number - 500, 300 };
	struct rk_request req = { .method = "Arith.Add", .netrpc = true };
	uint8_t *bytes;
	enum rk_err r;

	r = rk_typed_encode(&pair, &in, &bytes, &req.payload_len, NULL);
	if (r != RK_OK)
		return r;
	req.payload = bytes;
	r = rk_client_submit(c, &req, on_reply, one, NULL);
	if (r == RK_OK)
		(*one->waiting)++;
	free(bytes);
	return r;
}

static void
show_failure(struct rk_client *c, const char *method)
{
	const struct pair in = { 7, 0 };
	const struct rk_request req = { .method = method, .netrpc = true };
	struct result out;
	struct rk_error err;
	enum rk_err r;

	r = rk_client_call_typed(c, &req, &div_typed, &in, &out, &err);
	(void)printf("%s %s\n", rk_err_name(r), err.text);
}

static enum rk_err
call_many(struct rk_client *c, uint64_t calls)
{
	struct one *all = calloc((size_t)calls, sizeof(*all));
	uint64_t waiting = 0, good = 0;
	enum rk_err r = all == NULL ? RK_ENOMEM : RK_OK;

	for (uint64_t i = 0; r == RK_OK && i < calls; i++) {
		all[i] = (struct one){ i, &waiting, &good };
		r = submit(c, &all[i]);
	}
	show_failure(c, "Arith.Div"); /* which runs the others, too */
	while (r == RK_OK && waiting > 0)
		r = rk_client_process(c);
	(void)printf("good %" PRIu64 "\n", good);
	show_failure(c, "Arith.Nope");
	show_failure(c, "Nope.Add");
	show_failure(c, "Add");
	free(all);
	return r;
}

static enum rk_err
call(const char *url, struct rk_ident *ident, uint64_t calls,
    struct rk_error *err)
{
	struct rk_client_conf conf = {
		.size = sizeof(conf), .url = url, .ident = ident
	};
	struct rk_client *c;
	enum rk_err r;

	if ((r = rk_client_new(&conf, &c, err)) != RK_OK)
		return r;
	if ((r = rk_client_connect(c, err)) == RK_OK)
		r = call_many(c, calls);
	rk_client_free(c);
	return r;
}

int
main(int argc, char **argv)
{
	struct rk_error err = { .code = RK_OK };
	struct rk_ident *ident = NULL;
	enum rk_err r = RK_EINVAL;
	uint64_t calls = 0;

	if (argc < 5 || (argc == 6 && str_parse_u64(argv[5], 1, CALLS_MAX,
	                                  &calls) != RK_OK)) {
		(void)fprintf(stderr, "usage: netrpcpeer serve|call URL "
		                      "CERTDIR|- NAME [CALLS]\n");
		return rk_err_exit(r);
	}
	r = RK_OK;
	if (strcmp(argv[3], "-") != 0)
		r = rk_ident_load_dir(
		    argv[3], argv[4], NULL, NULL, &ident, &err);
	if (r == RK_OK)
		r = calls == 0 ? serve(argv[2], ident, &err)
		               : call(argv[2], ident, calls, &err);
	rk_ident_free(ident);
	if (r != RK_OK)
		(void)fprintf(stderr, "netrpcpeer: %s\n",
		    err.code == r ? err.text : rk_err_text(r));
	return rk_err_exit(r);
}
