/* rpcsh ping: is it there, and how far away. */
#include "base/error.h"
#include "figures.h"
#include "held.h"
#include "rpcsh.h"
#include "target.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#define INTERVAL_MAX 86400000 /* ms */
#define FINISH_MS 1000

const struct opt ping_opts[] = {
	{ .name = "count",
	    .letter = 'n',
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .min = 1,
	    .max = 1000000,
	    .about = "how many (1)" },
	{ .name = "interval",
	    .letter = 'i',
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .max = INTERVAL_MAX,
	    .about = "between them, at most a day (1s)" },
	{ .name = "connect-only",
	    .about = "connect and prove keys, call nothing" },
	{ 0 },
};

struct tally {
	bool unknown; /* the server has no such method */
	uint64_t n;
	uint64_t sum;
	uint64_t min;
	uint64_t max;
};

static enum rk_err
put_connection_json(
    struct buf *b, const struct rk_peer *p, const struct rk_timing *tm)
{
	enum rk_err r;

	if ((r = buf_put_str(
	         b, "{\"schema\":1,\"connected\":true,\"remote\":")) != RK_OK ||
	    (r = out_json_string(b, p->remote, strlen(p->remote))) != RK_OK)
		return r;
	return buf_printf(b,
	    ",\"fingerprint\":\"%s\",\"cipher\":\"%s\",\"connect_us\":%" PRIu64
	    ",\"tls_us\":%" PRIu64 "}\n",
	    p->proven ? p->cert.fp : "", p->cipher, tm->connect, tm->tls);
}

static int
show_connection(
    const struct target *t, const struct rk_peer *p, const struct out *o)
{
	struct rk_timing tm;
	struct buf b;
	enum rk_err r;

	rk_client_timing(t->client, &tm);
	buf_init(&b, 65536);
	if (o->form == OUT_JSON)
		r = put_connection_json(&b, p, &tm);
	else if (o->form == OUT_PLAIN)
		r = buf_printf(&b, "connected\t%s\t%s\t%.3f\t%.3f\n", p->remote,
		    p->proven ? p->cert.fp : "-", (double)tm.connect / 1e3,
		    (double)tm.tls / 1e3);
	else
		r = buf_printf(&b,
		    "connected %s  %s  connect %.1f ms  %s %.1f ms\n",
		    p->remote, p->proven ? p->cert.fp : "not authenticated",
		    (double)tm.connect / 1e3, figures_handshake(t->client),
		    (double)tm.tls / 1e3);
	if (r == RK_OK)
		out_bytes(o, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r == RK_OK ? 0 : out_fail(o, r, rk_err_text(r), NULL);
}

static int
show_reply_time(const struct out *o, uint64_t n, uint64_t took)
{
	switch (o->form) {
	case OUT_JSON:
		out_text(o,
		    "{\"schema\":1,\"seq\":%" PRIu64 ",\"rtt_us\":%" PRIu64
		    "}\n",
		    n, took);
		break;
	case OUT_PLAIN:
		out_text(
		    o, "reply\t%" PRIu64 "\t%.3f\n", n, (double)took / 1e3);
		break;
	case OUT_TEXT:
		out_text(
		    o, "reply %" PRIu64 "  %.3f ms\n", n, (double)took / 1e3);
		break;
	}
	/* Whoever watches sees them come. */
	return out_flush(o) == RK_OK ? 0 : rk_err_exit(RK_EIO);
}

static int
ping_once(struct target *t, const struct out *o, struct tally *sum)
{
	struct rk_request req = { .method = "_.ping" };
	uint64_t begun = target_now_us(), took;
	struct rk_reply reply;
	struct rk_error err;
	enum rk_err r = target_call(t, &req, &reply, &err);

	took = target_now_us() - begun;
	rk_reply_free(&reply);
	/* A server without the method has answered all the same. */
	if (r != RK_OK && r != RK_ENOMETHOD)
		return target_failed(t, o, &err, req.method);
	sum->unknown = r == RK_ENOMETHOD;
	sum->n++;
	sum->sum += took;
	if (sum->n == 1 || took < sum->min)
		sum->min = took;
	if (took > sum->max)
		sum->max = took;
	return show_reply_time(o, sum->n, took);
}

/* The connection is kept meanwhile, and its end noticed. */
static void
wait_between(struct rk_client *c, int interval)
{
	uint64_t now = target_now_us();
	uint64_t end = now + (uint64_t)interval * 1000;
	struct pollfd p = { .fd = rk_client_fd(c), .events = POLLIN };
	int left, own;

	while (now < end && rk_client_peer(c) != NULL && !held_interrupted()) {
		left = (int)((end - now + 999) / 1000);
		own = rk_client_wait_ms(c);
		(void)poll(&p, 1, own >= 0 && own < left ? own : left);
		if (rk_client_process(c) != RK_OK)
			return; /* the call that follows tells why */
		now = target_now_us();
	}
}

/* Rpc25519 ends a connection a while after it was asked for what it has not
 * got: the next ping has a new one. */
static bool
connect_again(struct target *t, const struct out *o, int interval, int *status)
{
	struct rk_error why;
	enum rk_err r = rk_client_finish(t->client, FINISH_MS, &why);

	if (r != RK_OK && o->verbose)
		out_note(o, "%s", why.text);
	(void)poll(NULL, 0, interval);
	return target_connect(t, o, status);
}

static void
show_tally(const struct out *o, const struct tally *t)
{
	if (t->n < 2 || o->form != OUT_TEXT)
		return;
	out_text(o, "%" PRIu64 " replies  min %.3f  avg %.3f  max %.3f ms\n",
	    t->n, (double)t->min / 1e3, (double)t->sum / (double)t->n / 1e3,
	    (double)t->max / 1e3);
}

/* It is connected when the server says so, too, by how it closes. */
static int
connect_only(struct target *t, const struct rk_peer *peer, const struct out *o)
{
	struct rk_error err;

	if (rk_client_finish(t->client, t->connect_timeout, &err) != RK_OK)
		return target_failed(t, o, &err, NULL);
	return show_connection(t, peer, o);
}

static int
ping_all(struct target *t, const struct args *a, const struct out *o)
{
	const struct rk_peer *p = rk_client_peer(t->client);
	struct rk_peer peer = { .transport = "" };
	uint64_t count = args_number(a, "count", 1);
	int interval = (int)args_number(a, "interval", 1000);
	struct tally tally = { 0 };
	int status;

	if (p != NULL)
		peer = *p;
	if (args_flag(a, "connect-only"))
		return connect_only(t, &peer, o);
	status = show_connection(t, &peer, o);
	for (uint64_t i = 0; status == 0 && i < count; i++) {
		if (held_interrupted())
			break;
		if (i != 0 && !tally.unknown)
			wait_between(t->client, interval);
		else if (i != 0 && !connect_again(t, o, interval, &status))
			break;
		status = ping_once(t, o, &tally);
	}
	if (held_interrupted() && status == 0)
		status = 128 + SIGINT;
	held_forget_interrupt();
	show_tally(o, &tally);
	return status;
}

int
cmd_ping(struct args *a, void *ctx)
{
	struct target own, *t = &own;
	struct out o;
	int status = 0;

	out_init(&o, a);
	if (args_flag(a, "connect-only") &&
	    (args_given(a, "count") || args_given(a, "interval")))
		return out_fail(&o, RK_EINVAL,
		    "--connect-only sends nothing: no -n and no -i beside it",
		    "rpcsh ping -h");
	/* One that is there already shows nothing about connecting. */
	if (args_flag(a, "connect-only"))
		t = target_open(&own, a, &o, &status) ? &own : NULL;
	else
		t = target_use(&own, ctx, a, &o, &status);
	if (t == NULL)
		return status;
	if (target_connect(t, &o, &status))
		status = ping_all(t, a, &o);
	target_done(t, ctx);
	return status;
}
