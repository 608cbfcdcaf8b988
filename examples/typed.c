/* Structs as arguments: typed serve|serve-old|order|order-old URL [ITEM N]. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

#define GRACE_MS 5000
#define TIMEOUT_MS 5000

/* ---- the first version: what programs of last year were built with ---- */

struct old_order {
	char *item;
	int64_t count;
	char *coupon;
};
static const struct rk_field old_order_fields[] = {
	RK_FIELD(struct old_order, item, STR, "Item", 0, .required = true),
	RK_FIELD(struct old_order, count, INT, "Count", 1, .initial = 1),
	RK_FIELD(struct old_order, coupon, STR, "Coupon", 2),
};
static const struct rk_record old_order =
    RK_RECORD(struct old_order, "order", old_order_fields);

struct old_bill {
	double total;
};
static const struct rk_field old_bill_fields[] = {
	RK_FIELD(struct old_bill, total, F64, "Total", 0),
};
static const struct rk_record old_bill =
    RK_RECORD(struct old_bill, "bill", old_bill_fields);

/* ---- the second: no coupons any more, but extras, and a bill of lines ---- */

struct order {
	char *item;
	int64_t count;
	RK_LIST(char *) extras;
	int64_t wait;
};
static const struct rk_field order_fields[] = {
	RK_FIELD(struct order, item, STR, "Item", 0, .required = true, .min = 1,
	    .max = 40, .about = "what is bought"),
	RK_FIELD(struct order, count, INT, "Count", 1, .initial = 1, .min = 1,
	    .max = 100),
	RK_FIELD_RETIRED(2),
	RK_FIELD_LIST(struct order, extras, STR, "Extras", 3, .max = 5),
	RK_FIELD(struct order, wait, DURATION, "Wait", 4,
	    .initial = INT64_C(3600000000000),
	    .about = "how long the order stands"),
};
static const struct rk_record order =
    RK_RECORD(struct order, "order", order_fields);

struct line {
	char *text;
	double price;
};
static const struct rk_field line_fields[] = {
	RK_FIELD(struct line, text, STR, "Text", 0),
	RK_FIELD(struct line, price, F64, "Price", 1),
};
static const struct rk_record line =
    RK_RECORD(struct line, "line", line_fields);

struct bill {
	double total;
	RK_LIST(struct line) lines;
};
static const struct rk_field bill_fields[] = {
	RK_FIELD(struct bill, total, F64, "Total", 0),
	RK_FIELD_RECORDS(struct bill, lines, struct line, line, "Lines", 1),
};
static const struct rk_record bill =
    RK_RECORD(struct bill, "bill", bill_fields);

/* ---- the server ---- */

static void
sell_old(struct rk_call *call, void *args, void *reply, void *arg)
{
	const struct old_order *in = args;
	struct old_bill *out = reply;

	(void)call;
	(void)arg;
	out->total = 2.5 * (double)in->count;
	if (in->coupon != NULL)
		out->total -= 1;
}

/* What the caller sent is as the table says: nothing is left to check. */
static void
sell(struct rk_call *call, void *args, void *reply, void *arg)
{
	struct order *in = args;
	struct bill *out = reply;
	size_t n = 1 + in->extras.count;

	(void)arg;
	out->lines.items = calloc(n, sizeof(*out->lines.items));
	if (out->lines.items == NULL) {
		(void)rk_call_fail(call, "out of memory", NULL, 0);
		return;
	}
	out->lines.count = n;
	/* The strings change hands: who has them frees them. */
	out->lines.items[0].text = in->item;
	in->item = NULL;
	out->lines.items[0].price = 2.5 * (double)in->count;
	for (size_t i = 1; i < n; i++) {
		out->lines.items[i].text = in->extras.items[i - 1];
		in->extras.items[i - 1] = NULL;
		out->lines.items[i].price = 0.5;
	}
	for (size_t i = 0; i < n; i++)
		out->total += out->lines.items[i].price;
}

static const struct rk_typed shop_old = { &old_order, &old_bill, sell_old };
static const struct rk_typed shop = { &order, &bill, sell };

struct app {
	struct rk_loop *loop;
	struct rk_server *server;
};

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

static void
on_signal(int signo, void *arg)
{
	struct app *app = arg;

	(void)signo;
	rk_server_stop(app->server, GRACE_MS, on_stopped, app->loop);
}

static enum rk_err
serve(const struct rk_typed *typed, const char *url, struct rk_error *err)
{
	const struct rk_method method = {
		.name = "Shop.Order",
		.about = "what it costs",
		.typed = typed,
		.idempotent = true,
	};
	struct rk_server_conf conf = { .size = sizeof(conf) };
	struct app app = { .loop = NULL };
	char bound[128];
	enum rk_err r;

	if ((r = rk_loop_new(&app.loop)) != RK_OK)
		return r;
	conf.loop = app.loop;
	if ((r = rk_loop_signal(app.loop, SIGTERM, on_signal, &app)) == RK_OK &&
	    (r = rk_server_new(&conf, &app.server, err)) == RK_OK &&
	    (r = rk_server_methods(app.server, &method, 1, NULL, NULL, err)) ==
	        RK_OK &&
	    (r = rk_server_listen(app.server, url, bound, err)) == RK_OK &&
	    (r = rk_server_start(app.server, err)) == RK_OK) {
		(void)printf("listening %s\n", bound);
		(void)fflush(stdout);
		r = rk_loop_run(app.loop);
	}
	rk_server_free(app.server);
	rk_loop_free(app.loop);
	return r;
}

/* ---- the client ---- */

static enum rk_err
buy_old(struct rk_client *c, const struct rk_request *req, char *item,
    int64_t count, struct rk_error *err)
{
	static char coupon[] = "spring";
	const struct old_order in = { item, count, coupon };
	struct old_bill out;
	enum rk_err r;

	r = rk_client_call_typed(c, req, &shop_old, &in, &out, err);
	if (r == RK_OK)
		(void)printf("total %.2f\n", out.total);
	rk_typed_free(&old_bill, &out);
	return r;
}

static enum rk_err
buy(struct rk_client *c, const struct rk_request *req, char *item,
    int64_t count, struct rk_error *err)
{
	static char ribbon[] = "ribbon";
	char *extras[] = { ribbon };
	const struct order in = {
		.item = item,
		.count = count,
		.extras = { extras, 1 },
	};
	struct bill out;
	char text[64];
	enum rk_err r;

	r = rk_client_call_typed(c, req, &shop, &in, &out, err);
	for (size_t i = 0; i < out.lines.count; i++) {
		const char *s = out.lines.items[i].text;

		s = s == NULL ? "" : s;
		(void)printf("%s %.2f\n",
		    rk_escape(text, sizeof(text), s, strlen(s)),
		    out.lines.items[i].price);
	}
	if (r == RK_OK)
		(void)printf("total %.2f\n", out.total);
	rk_typed_free(&bill, &out);
	return r;
}

/* Twice: as rpckit's programs call, and as Go's net/rpc does. */
static enum rk_err
order_from(bool is_old, char **argv, int argc, struct rk_error *err)
{
	struct rk_client_conf conf = { .size = sizeof(conf), .url = argv[0] };
	struct rk_request req = { .method = "Shop.Order",
		.timeout = TIMEOUT_MS };
	static char item[] = "tea";
	struct rk_client *c;
	enum rk_err r;

	if ((r = rk_client_new(&conf, &c, err)) != RK_OK)
		return r;
	r = rk_client_connect(c, err);
	for (int i = 0; r == RK_OK && i < 2; i++) {
		req.netrpc = i == 1;
		r = (is_old ? buy_old : buy)(c, &req, argc > 1 ? argv[1] : item,
		    argc > 2 ? strtol(argv[2], NULL, 10) : 1, err);
	}
	rk_client_free(c);
	return r;
}

int
main(int argc, char **argv)
{
	struct rk_error err = { .code = RK_OK };
	const char *verb = argc > 2 ? argv[1] : "";
	enum rk_err r = RK_EINVAL;

	if (strcmp(verb, "serve") == 0)
		r = serve(&shop, argv[2], &err);
	else if (strcmp(verb, "serve-old") == 0)
		r = serve(&shop_old, argv[2], &err);
	else if (strcmp(verb, "order") == 0 || strcmp(verb, "order-old") == 0)
		r = order_from(verb[5] != '\0', argv + 2, argc - 2, &err);
	if (r != RK_OK)
		(void)fprintf(stderr, "typed: %s\n",
		    err.code == r ? err.text : rk_err_text(r));
	return rk_err_exit(r);
}
