/* rpcsh ping: is it there, and how far away. */
#include "base/clock.h"
#include "base/error.h"
#include "cli/graph.h"
#include "cli/histo.h"
#include "figures.h"
#include "held.h"
#include "request.h"
#include "rpcsh.h"
#include "target.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FINISH_MS 1000

const struct opt ping_opts[] = {
	REQUEST_COUNT_OPT(1000000, "how many (1)"),
	REQUEST_INTERVAL_OPT,
	{ .name = "connect-only",
	    .about = "connect and prove keys, call nothing" },
	{ 0 },
};

#define SPARK_MAX 60 /* of the last ones */

struct tally {
	bool unknown; /* the server has no such method */
	struct histo us;
	double squares;
	uint64_t last[SPARK_MAX];
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
	    ",\"fingerprint\":\"%s\",\"cipher\":\"%s\",\"psk\":\"%s\","
	    "\"connect_us\":%" PRIu64 ",\"tls_us\":%" PRIu64
	    ",\"psk_us\":%" PRIu64 "}\n",
	    p->proven ? p->cert.fp : "", p->cipher, p->psk, tm->connect,
	    tm->tls, tm->psk);
}

static enum rk_err
put_connection_text(
    struct buf *b, const struct rk_peer *p, const struct rk_timing *tm)
{
	enum rk_err r;

	r = buf_printf(b, "connected %s  %s  connect %.1f ms  %s %.1f ms",
	    p->remote, p->proven ? p->cert.fp : "not authenticated",
	    (double)tm->connect / 1e3, figures_handshake(p->transport),
	    (double)tm->tls / 1e3);
	if (r == RK_OK && p->psk[0] != '\0')
		r = buf_printf(
		    b, "  psk %s %.1f ms", p->psk, (double)tm->psk / 1e3);
	return r == RK_OK ? buf_put_str(b, "\n") : r;
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
		r = put_connection_text(&b, p, &tm);
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
	uint64_t begun = mono_us(), took;
	struct rk_reply reply;
	struct rk_error err;
	enum rk_err r = target_call(t, &req, &reply, &err);

	took = mono_us() - begun;
	rk_reply_free(&reply);
	/* A server without the method has answered all the same. */
	if (r != RK_OK && r != RK_ENOMETHOD)
		return target_failed(t, o, &err, req.method);
	sum->unknown = r == RK_ENOMETHOD;
	sum->last[sum->us.n % SPARK_MAX] = took;
	sum->squares += (double)took * (double)took;
	histo_add(&sum->us, took);
	return show_reply_time(o, sum->us.n, took);
}

/* Without a connection. */
static void
wait_alone(int interval)
{
	struct timespec ts = { .tv_sec = interval / 1000,
		.tv_nsec = (long)(interval % 1000) * 1000000 };

	held_wait_fd(-1, &ts);
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
	wait_alone(interval);
	return target_connect(t, o, status);
}

/* The spread of them, as the square root of the variance. */
static double
deviation(const struct tally *t)
{
	double mean = histo_mean(&t->us);
	double square = t->squares / (double)t->us.n - mean * mean;
	double root = mean > 1 ? mean : 1;

	/* Newton's, from above; what is left after so many is nothing. */
	for (int i = 0; square > 0 && i < 64; i++)
		root = (root + square / root) / 2;
	return square > 0 ? root : 0;
}

/* The last ones, oldest first. */
static enum rk_err
put_spark(struct buf *b, const struct tally *t)
{
	size_t n = t->us.n < SPARK_MAX ? (size_t)t->us.n : SPARK_MAX;
	unsigned room = graph_columns(STDOUT_FILENO);
	uint64_t values[SPARK_MAX];

	for (size_t i = 0; i < n; i++)
		values[i] = t->last[(t->us.n - n + i) % SPARK_MAX];
	return graph_spark(
	    b, graph_signs(), room > 2 ? room - 1 : 1, values, n);
}

#define FIGURES 7
struct figure {
	const char *name;
	double us;
};

static void
figures_of(const struct tally *t, struct figure out[FIGURES])
{
	const struct figure all[FIGURES] = {
		{ "min", (double)t->us.min },
		{ "avg", histo_mean(&t->us) },
		{ "max", (double)t->us.max },
		{ "p50", (double)histo_at(&t->us, 50000) },
		{ "p90", (double)histo_at(&t->us, 90000) },
		{ "p99", (double)histo_at(&t->us, 99000) },
		{ "dev", deviation(t) },
	};

	memcpy(out, all, sizeof(all));
}

static enum rk_err
put_figure(struct buf *b, enum out_form form, const struct figure *f)
{
	switch (form) {
	case OUT_JSON:
		return buf_printf(b, ",\"%s_us\":%.0f", f->name, f->us);
	case OUT_PLAIN:
		return buf_printf(b, "\t%s\t%.3f", f->name, f->us / 1e3);
	case OUT_TEXT:
		break;
	}
	return buf_printf(b, "  %s %.3f", f->name, f->us / 1e3);
}

static enum rk_err
put_tally(struct buf *b, enum out_form form, const struct tally *t)
{
	struct figure all[FIGURES];
	enum rk_err r;

	figures_of(t, all);
	if (form == OUT_JSON)
		r = buf_printf(
		    b, "{\"schema\":1,\"replies\":%" PRIu64, t->us.n);
	else
		r = buf_printf(b, "%s%" PRIu64 "%s",
		    form == OUT_PLAIN ? "replies\t" : "", t->us.n,
		    form == OUT_PLAIN ? "" : " replies");
	for (size_t i = 0; r == RK_OK && i < FIGURES; i++)
		r = put_figure(b, form, &all[i]);
	if (r == RK_OK)
		r = buf_put_str(b, form == OUT_JSON    ? "}\n"
		                   : form == OUT_PLAIN ? "\n"
		                                       : " ms\n");
	if (r == RK_OK && form == OUT_TEXT && (r = put_spark(b, t)) == RK_OK)
		r = buf_put_str(b, "\n");
	return r;
}

static void
show_tally(const struct out *o, const struct tally *t)
{
	struct buf b;

	if (t->us.n < 2)
		return;
	buf_init(&b, 65536);
	if (put_tally(&b, o->form, t) == RK_OK)
		out_bytes(o, buf_peek(&b), buf_len(&b));
	else
		out_warn(o, "%s", rk_err_text(RK_ENOMEM));
	buf_fini(&b);
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
ping_all(struct target *t, const struct args *a, const struct out *o,
    struct tally *tally)
{
	const struct rk_peer *p = rk_client_peer(t->client);
	struct rk_peer peer = { .transport = "" };
	uint64_t count = args_number(a, "count", 1);
	int interval = (int)args_number(a, "interval", 1000);
	int status;

	if (p != NULL)
		peer = *p;
	status = show_connection(t, &peer, o);
	for (uint64_t i = 0; status == 0 && i < count; i++) {
		if (i != 0 && !tally->unknown)
			target_wait(t, (uint64_t)interval);
		else if (i != 0 && !connect_again(t, o, interval, &status))
			break;
		if (held_interrupted())
			break;
		status = ping_once(t, o, tally);
	}
	if (held_interrupted() && status == 0)
		status = 128 + SIGINT;
	show_tally(o, tally);
	return status;
}

/* Those of a shell's connection, or of one that Ctrl-C ends as well. */
static int
ping(struct args *a, const struct caller *by, const struct out *o,
    struct tally *tally)
{
	struct held held = { .hears = true };
	struct caller alone = { .held = &held };
	struct sigaction before;
	struct target own, *t;
	int status = 0;

	if (by == NULL || by->held == NULL)
		by = &alone;
	held_hear_interrupt(&before);
	if ((t = target_use(&own, by, a, o, &status)) != NULL) {
		if (target_connect(t, o, &status))
			status = ping_all(t, a, o, tally);
		target_done(t, by);
	}
	held_close(&held);
	held_unhear_interrupt(&before);
	return status;
}

/* One that is there already shows nothing about connecting. */
static int
ping_connect(struct args *a, const struct out *o)
{
	struct rk_peer peer = { .transport = "" };
	struct target t;
	int status = 0;

	if (!target_open(&t, a, o, &status))
		return status;
	if (target_connect(&t, o, &status)) {
		if (rk_client_peer(t.client) != NULL)
			peer = *rk_client_peer(t.client);
		status = connect_only(&t, &peer, o);
	}
	target_close(&t);
	return status;
}

int
cmd_ping(struct args *a, void *ctx)
{
	struct tally *tally;
	struct out o;
	int status;

	out_init(&o, a);
	if (args_flag(a, "connect-only") &&
	    (args_given(a, "count") || args_given(a, "interval")))
		return out_fail(&o, RK_EINVAL,
		    "--connect-only sends nothing: no -n and no -i beside it",
		    "rpcsh ping -h");
	if (args_flag(a, "connect-only"))
		return ping_connect(a, &o);
	if ((tally = calloc(1, sizeof(*tally))) == NULL)
		return out_fail(&o, RK_ENOMEM, rk_err_text(RK_ENOMEM), NULL);
	status = ping(a, ctx, &o, tally);
	free(tally);
	return status;
}
