/* A server with a method of structs: what it was sent, it says; and pushes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

/*
 * typedserver: listens on plain TCP, says where as rpcd does, and serves until
 * SIGTERM.
 */

struct order {
	char *item;
	int64_t count;
	bool gift;
	double weight;
	RK_LIST(char *) extras;
	char *password;
};
static const struct rk_field fields[] = {
	RK_FIELD(struct order, item, STR, "Item", 0, .required = true, .min = 1,
	    .max = 40, .about = "what is bought"),
	RK_FIELD(struct order, count, INT, "Count", 1, .initial = 1, .min = 1,
	    .max = 100),
	RK_FIELD(struct order, gift, BOOL, "Gift", 2),
	RK_FIELD(struct order, weight, F64, "Weight", 3),
	RK_FIELD_LIST(struct order, extras, STR, "Extras", 4, .max = 5),
	RK_FIELD(struct order, password, STR, "Password", 5),
};
static const struct rk_record order = RK_RECORD(struct order, "order", fields);

/* The strings change hands: who has them frees them. */
static void
sell(struct rk_call *call, void *args, void *reply, void *arg)
{
	(void)call;
	(void)arg;
	memcpy(reply, args, sizeof(struct order));
	memset(args, 0, sizeof(struct order));
}

static const struct rk_typed shop = { &order, &order, sell };

/* Keys that are data, beside and below structs. */
struct shelf {
	RK_LIST(struct order) orders;
	struct order *last;
	struct rk_map notes;
	struct rk_time since;
};
static const struct rk_field shelf_fields[] = {
	RK_FIELD_RECORDS(
	    struct shelf, orders, struct order, order, "Orders", 0),
	RK_FIELD_MAYBE_RECORD(
	    struct shelf, last, struct order, order, "Last", 1),
	RK_FIELD(struct shelf, notes, MAP, "Notes", 2),
	RK_FIELD(struct shelf, since, TIME, "Since", 3),
};
static const struct rk_record shelf =
    RK_RECORD(struct shelf, "shelf", shelf_fields);

static void
keep(struct rk_call *call, void *args, void *reply, void *arg)
{
	(void)call;
	(void)arg;
	memcpy(reply, args, sizeof(struct shelf));
	memset(args, 0, sizeof(struct shelf));
}

static const struct rk_typed store = { &shelf, &shelf, keep };

/* What was called with a subject goes to all who subscribed to it. */
static void
tell(struct rk_call *call, void *arg)
{
	const struct rk_push_target to = { .to = RK_PUSH_SUBSCRIBERS };
	struct rk_bytes p = rk_call_payload(call);
	struct rk_str s = rk_call_header(call)->subject;
	char subject[RK_TOPIC_MAX + 1];
	struct rk_arg args[8];
	struct rk_push push = { .subject = subject,
		.payload = p.ptr,
		.payload_len = p.len,
		.args = args };
	size_t at = 0;

	(void)arg;
	while (push.n_args < 8 && rk_args_next(&rk_call_header(call)->args, &at,
	                              &args[push.n_args]))
		push.n_args++;
	if (s.len > RK_TOPIC_MAX)
		s.len = RK_TOPIC_MAX;
	if (s.len > 0)
		memcpy(subject, s.ptr, s.len);
	subject[s.len] = '\0';
	if (s.len > 0 && rk_server_push(rk_call_server(call), &to, &push, NULL,
	                     NULL) != RK_OK)
		(void)rk_call_fail(call, "it cannot be pushed", NULL, 0);
	else
		(void)rk_call_reply(call, p.ptr, p.len);
}

/* What comes in a stream is counted. */
static void
on_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	uint64_t *count = arg;
	char text[32];

	*count += part->payload.len;
	if (!part->last)
		return;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)*count);
	(void)rk_stream_reply(s, text, strlen(text));
}

static void
count(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .part = on_part };
	static uint64_t bytes;

	(void)arg;
	bytes = 0;
	rk_stream_listen(s, &events, &bytes);
}

/* ---- streams both ways ---- */

struct held {
	uint8_t *bytes; /* taken, not sent back yet */
	size_t len;
	bool last;
};

static void
let_go(struct rk_stream *s)
{
	struct held *h = rk_stream_data(s);

	free(h->bytes);
	free(h);
}

static void
send_back(struct rk_stream *s, void *arg)
{
	struct held *h = rk_stream_data(s);
	const struct rk_part part = { .payload = { h->bytes, h->len },
		.last = h->last };
	enum rk_err r = rk_stream_send(s, &part);

	(void)arg;
	rk_stream_pause(s, r == RK_EAGAIN);
	if (r == RK_EAGAIN)
		return;
	free(h->bytes);
	h->bytes = NULL;
	if (r == RK_OK && !h->last)
		return;
	let_go(s);
	(void)rk_stream_reply(s, NULL, 0);
}

static void
on_mirrored(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct held *h = rk_stream_data(s);

	h->last = part->last;
	h->len = part->payload.len;
	h->bytes = malloc(h->len + 1);
	if (h->bytes == NULL) {
		let_go(s);
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
		return;
	}
	if (h->len > 0)
		memcpy(h->bytes, part->payload.ptr, h->len);
	send_back(s, arg);
}

static void
on_left(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)reply;
	(void)arg;
	let_go(s);
}

static void
mirror(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = {
		.part = on_mirrored, .writable = send_back, .ended = on_left
	};
	struct held *h = calloc(1, sizeof(*h));

	rk_stream_set_data(s, h);
	if (h == NULL)
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
	else
		rk_stream_listen(s, &events, arg);
}

/* ---- and down: 1, 2, 3 ... ---- */

static void
go_on(struct rk_stream *s, void *arg)
{
	uint8_t *at = rk_stream_data(s);
	struct rk_part part = { .payload = { at, 1 } };
	enum rk_err r;

	(void)arg;
	while ((r = rk_stream_send(s, &part)) == RK_OK)
		*at = (uint8_t)(*at % 100 + 1);
	if (r != RK_EAGAIN)
		(void)rk_stream_fail(s, "it cannot go on", NULL, 0);
}

static void
forever(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .writable = go_on };
	static uint8_t at;

	at = 1;
	rk_stream_set_data(s, &at);
	rk_stream_listen(s, &events, arg);
	go_on(s, arg);
}

static struct rk_server *server;

static void
on_done(void *arg)
{
	rk_loop_stop(arg);
}

static void
on_term(int signo, void *arg)
{
	(void)signo;
	rk_server_stop(server, 0, on_done, arg);
}

/* At the URL it is given, or anywhere; with odd methods, too. */
int
main(int argc, char **argv)
{
	const struct rk_method methods[] = {
		{ .name = "Shop.Order", .typed = &shop, .secret = "Weight" },
		{ .name = "tell", .fn = tell },
		{ .name = "count", .stream = count, .streams = RK_STREAM_UP },
		{ .name = "mirror",
		    .stream = mirror,
		    .streams = RK_STREAM_BOTH },
		{ .name = "lines",
		    .args = "raw",
		    .stream = mirror,
		    .streams = RK_STREAM_BOTH },
		{ .name = "forever",
		    .stream = forever,
		    .streams = RK_STREAM_DOWN },
		/* A field that a command line would take for an option. */
		{ .name = "odd", .fn = tell, .args = "{-dx:str}" },
		{ .name = "Shop.Keep", .typed = &store },
	};
	/* The last ones only for who asks for them. */
	const size_t n = argc > 2 ? 8 : 6;
	struct rk_server_conf conf = { .size = sizeof(conf) };
	struct rk_ident *ident = NULL;
	struct rk_error err;
	char url[128];

	/* Where there is TLS. */
	if (argc > 3 && rk_ident_load_dir(
	                    argv[3], "node", NULL, NULL, &ident, &err) != RK_OK)
		return 1;
	conf.ident = ident;
	if (rk_loop_new(&conf.loop) != RK_OK ||
	    rk_loop_signal(conf.loop, SIGTERM, on_term, conf.loop) != RK_OK ||
	    rk_server_new(&conf, &server, &err) != RK_OK ||
	    rk_server_methods(server, methods, n, NULL, NULL, &err) != RK_OK ||
	    rk_server_listen(server, argc > 1 ? argv[1] : "tcp://127.0.0.1:0",
	        url, &err) != RK_OK ||
	    rk_server_start(server, &err) != RK_OK)
		return 1;
	url[strcspn(url, ":")] = '\0';
	(void)printf(
	    "listening %s %s\n", url, url + strlen(url) + strlen("://"));
	(void)fflush(stdout);
	if (rk_loop_run(conf.loop) != RK_OK)
		return 1;
	rk_server_free(server);
	rk_loop_free(conf.loop);
	rk_ident_free(ident);
	return 0;
}
