/* The load generator's clients: sequential, many at a time, dialling, idle. */
#include "load.h"
#include "meter.h"

#include "base/error.h"

#include <rpckit/rpckit.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct load {
	const struct args *args;
	struct rk_ident *ident;
	struct rk_psks *psks;
	struct rk_sshkeys *peers;
	struct rk_loop *loop;
	struct rk_client *client;
	struct rk_request req;
	uint8_t *payload;
	struct meter meter;
	uint64_t now;        /* of this turn; 0: not read yet */
	unsigned running;    /* calls without an answer */
	bool up;             /* the client is connected */
	bool down;           /* it has closed */
	bool over;           /* dial: it is time to stop */
	struct rk_error why; /* what went wrong; or the end's reason */
	enum rk_err failed;  /* of a call */
};

/* Calls in flight remember when they began. */
struct slot {
	struct load *load;
	uint64_t begun;
};

static enum rk_err
open_load(struct load **out, const struct args *a, struct rk_error *err)
{
	struct load *l = calloc(1, sizeof(*l));
	enum rk_err r;

	*out = l;
	if (l == NULL)
		return RK_ENOMEM;
	l->args = a;
	l->payload = calloc(1, a->size + 1);
	if (l->payload == NULL)
		return RK_ENOMEM;
	l->req.method = "echo";
	l->req.payload = l->payload;
	l->req.payload_len = a->size;
	if ((r = load_psk(a, &l->psks, err)) != RK_OK ||
	    (r = load_peers(a, &l->peers, err)) != RK_OK)
		return r;
	return load_identity(a, "client", &l->ident, err);
}

static void
close_load(struct load *l)
{
	if (l == NULL)
		return;
	rk_client_free(l->client);
	rk_loop_free(l->loop);
	rk_ident_free(l->ident);
	rk_psks_free(l->psks);
	rk_sshkeys_free(l->peers);
	free(l->payload);
	free(l);
}

static void
on_connected(struct rk_client *c, void *arg)
{
	struct load *l = arg;

	(void)c;
	l->up = true;
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct load *l = arg;

	(void)c;
	l->up = false;
	l->down = true;
	l->why = *why;
}

static enum rk_err
new_client(struct load *l, struct rk_client **out, struct rk_error *err)
{
	const struct rk_client_conf conf = {
		.size = sizeof(conf),
		.url = l->args->url,
		.loop = l->loop,
		.ident = l->ident,
		.psks = l->psks,
		.session_peers = l->peers,
		.timeouts = { .idle = RK_NEVER },
		.connected = on_connected,
		.closed = on_closed,
		.arg = l,
	};

	return rk_client_new(&conf, out, err);
}

/* The reason of the end that came too early. */
static enum rk_err
gone(const struct load *l, struct rk_error *err)
{
	*err = l->why;
	return l->why.code;
}

/* ---- one call after another, by the blocking form ---- */

static enum rk_err
call_in_turn(struct load *l, struct rk_error *err)
{
	struct rk_reply reply;
	bool more = true;
	uint64_t begun;
	uint64_t now = meter_now();
	enum rk_err r;

	while (more) {
		begun = now;
		r = rk_client_call(l->client, &l->req, &reply, err);
		rk_reply_free(&reply);
		if (r != RK_OK)
			return l->down ? gone(l, err) : r;
		now = meter_now();
		more = meter_call(&l->meter, begun, now);
	}
	return RK_OK;
}

enum rk_err
load_seq(const struct args *a, struct rk_error *err)
{
	struct load *l;
	enum rk_err r;

	if ((r = open_load(&l, a, err)) != RK_OK ||
	    (r = new_client(l, &l->client, err)) != RK_OK ||
	    (r = rk_client_connect(l->client, err)) != RK_OK ||
	    (r = meter_start(&l->meter, a, err)) != RK_OK ||
	    (r = call_in_turn(l, err)) != RK_OK)
		goto out;
	meter_report(&l->meter);
out:
	close_load(l);
	return r;
}

/* ---- on a loop ---- */

static enum rk_err
turn(struct load *l, struct rk_error *err)
{
	l->now = 0;
	if (rk_loop_step(l->loop, -1) != RK_OK)
		return err_set(err, RK_EIO, "the event loop failed");
	return RK_OK;
}

static enum rk_err
connect_on_loop(struct load *l, struct rk_client *c, struct rk_error *err)
{
	enum rk_err r;

	l->up = false;
	l->down = false;
	if ((r = rk_client_start(c, err)) != RK_OK)
		return r;
	while (!l->up && !l->down) {
		if ((r = turn(l, err)) != RK_OK)
			return r;
	}
	return l->up ? RK_OK : gone(l, err);
}

static enum rk_err
close_on_loop(struct load *l, struct rk_client *c, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	rk_client_shutdown(c);
	while (!l->down && r == RK_OK)
		r = turn(l, err);
	return r;
}

/* ---- many calls at a time ---- */

static void
fail(struct load *l, enum rk_err code)
{
	if (l->failed == RK_OK)
		l->failed = code;
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct slot *s = arg;
	struct load *l = s->load;
	enum rk_err r = reply->code;
	bool more;

	if (l->now == 0)
		l->now = meter_now();
	l->running--;
	if (r == RK_OK && reply->payload.len != l->req.payload_len)
		r = RK_EPROTO;
	if (r != RK_OK) {
		fail(l, r);
		return;
	}
	more = meter_call(&l->meter, s->begun, l->now);
	s->begun = l->now;
	if (!more || l->failed != RK_OK)
		return;
	if ((r = rk_client_submit(c, &l->req, on_reply, s, NULL)) == RK_OK)
		l->running++;
	else
		fail(l, r);
}

static enum rk_err
begin_calls(struct load *l, struct slot *slots, struct rk_error *err)
{
	uint64_t now = meter_now();
	enum rk_err r = RK_OK;

	for (unsigned i = 0; i < l->args->outstanding && r == RK_OK; i++) {
		slots[i] = (struct slot){ .load = l, .begun = now };
		r = rk_client_submit(
		    l->client, &l->req, on_reply, &slots[i], NULL);
		if (r == RK_OK)
			l->running++;
	}
	if (r != RK_OK)
		(void)err_set(err, r, "submit: %s", rk_err_text(r));
	return r;
}

static enum rk_err
keep_calling(struct load *l, struct slot *slots, struct rk_error *err)
{
	enum rk_err r;

	if ((r = meter_start(&l->meter, l->args, err)) != RK_OK ||
	    (r = begin_calls(l, slots, err)) != RK_OK)
		return r;
	while (l->running > 0) {
		if ((r = turn(l, err)) != RK_OK)
			return r;
	}
	if (l->failed == RK_OK)
		return RK_OK;
	if (l->down)
		return gone(l, err);
	return err_set(err, l->failed, "call: %s", rk_err_text(l->failed));
}

enum rk_err
load_pipe(const struct args *a, struct rk_error *err)
{
	struct slot *slots = calloc(a->outstanding, sizeof(*slots));
	struct load *l = NULL;
	enum rk_err r = RK_ENOMEM;

	if (slots == NULL || (r = open_load(&l, a, err)) != RK_OK ||
	    (r = rk_loop_new(&l->loop)) != RK_OK ||
	    (r = new_client(l, &l->client, err)) != RK_OK ||
	    (r = connect_on_loop(l, l->client, err)) != RK_OK ||
	    (r = keep_calling(l, slots, err)) != RK_OK)
		goto out;
	meter_report(&l->meter);
out:
	close_load(l); /* its callbacks still use the slots */
	free(slots);
	return r;
}

/* ---- connect, call once, close ---- */

static void
on_single_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct load *l = arg;

	(void)c;
	l->running--;
	if (reply->code != RK_OK)
		fail(l, reply->code);
}

static enum rk_err
one_call(struct load *l, struct rk_client *c, struct rk_error *err)
{
	enum rk_err r;

	r = rk_client_submit(c, &l->req, on_single_reply, l, NULL);
	if (r != RK_OK)
		return err_set(err, r, "submit: %s", rk_err_text(r));
	l->running++;
	while (l->running > 0) {
		if ((r = turn(l, err)) != RK_OK)
			return r;
	}
	if (l->failed == RK_OK)
		return RK_OK;
	return err_set(err, l->failed, "call: %s", rk_err_text(l->failed));
}

/* A session that is not of the kind to be measured would spoil the figures.  A
 * first connection has nothing to resume. */
static enum rk_err
check_kind(const struct load *l, const struct rk_client *c, bool first,
    struct rk_error *err)
{
	const struct rk_peer *peer = rk_client_peer(c);
	bool wanted = l->args->resume && !first;

	if (peer == NULL || peer->cipher[0] == '\0' || peer->resumed == wanted)
		return RK_OK;
	return err_set(
	    err, RK_EFAIL, "the handshake was%s resumed", wanted ? " not" : "");
}

/* The call is there before the connection, and goes with its first bytes. */
static enum rk_err
call_early(struct load *l, struct rk_client *c, struct rk_error *err)
{
	struct rk_timing timing;
	enum rk_err r;

	l->up = false;
	l->down = false;
	l->req.idempotent = true;
	if ((r = rk_client_start(c, err)) != RK_OK ||
	    (r = one_call(l, c, err)) != RK_OK)
		return r;
	rk_client_timing(c, &timing);
	return timing.early
	           ? RK_OK
	           : err_set(err, RK_EFAIL, "the call did not go early");
}

static enum rk_err
call_after(
    struct load *l, struct rk_client *c, bool first, struct rk_error *err)
{
	enum rk_err r;

	if ((r = connect_on_loop(l, c, err)) != RK_OK ||
	    (r = check_kind(l, c, first, err)) != RK_OK)
		return r;
	return one_call(l, c, err);
}

/* The figures are of the way from connecting to the answer and of closing;
 * making the client, with its TLS context, is not a part of either. */
static enum rk_err
dial_once(struct load *l, struct rk_client *c, bool first, struct rk_error *err)
{
	uint64_t begun = meter_now();
	uint64_t answered;
	enum rk_err r;

	meter_resume(&l->meter);
	if (l->args->early && !first)
		r = call_early(l, c, err);
	else
		r = call_after(l, c, first, err);
	if (r != RK_OK)
		return r;
	answered = meter_now();
	if ((r = close_on_loop(l, c, err)) != RK_OK)
		return r;
	meter_pause(&l->meter);
	l->over = !first && !meter_call(&l->meter, begun, answered);
	return RK_OK;
}

static enum rk_err
dial_on(struct load *l, struct rk_error *err)
{
	bool first = true;
	enum rk_err r = RK_OK;

	while (r == RK_OK && !l->over) {
		if (l->client == NULL)
			r = new_client(l, &l->client, err);
		if (r == RK_OK)
			r = dial_once(l, l->client, first, err);
		first = false;
		if (!l->args->resume) {
			rk_client_free(l->client);
			l->client = NULL;
		}
	}
	return r;
}

enum rk_err
load_dial(const struct args *a, struct rk_error *err)
{
	struct load *l;
	enum rk_err r;

	if ((r = open_load(&l, a, err)) != RK_OK ||
	    (r = rk_loop_new(&l->loop)) != RK_OK ||
	    (r = meter_start(&l->meter, a, err)) != RK_OK ||
	    (r = dial_on(l, err)) != RK_OK)
		goto out;
	meter_report(&l->meter);
out:
	close_load(l);
	return r;
}

/* ---- connections that hold still ---- */

static enum rk_err
fill(struct load *l, struct rk_client **clients, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (unsigned i = 0; i < l->args->conns; i++) {
		if ((r = new_client(l, &clients[i], err)) != RK_OK ||
		    (r = connect_on_loop(l, clients[i], err)) != RK_OK ||
		    (r = one_call(l, clients[i], err)) != RK_OK)
			break;
	}
	return r;
}

static void
on_input(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	bool *over = arg;
	char bytes[64];

	(void)w;
	(void)ready;
	*over = read(fd, bytes, sizeof(bytes)) <= 0;
}

/* All stays as it is until standard input ends. */
static enum rk_err
hold(struct load *l, struct rk_error *err)
{
	struct rk_watch *input;
	bool over = false;
	enum rk_err r;

	if (fflush(stdout) != 0)
		return err_set(err, RK_EIO, "standard output: cannot write");
	r = rk_watch_new(
	    l->loop, STDIN_FILENO, RK_READ, on_input, &over, &input);
	if (r != RK_OK)
		return err_set(err, r, "standard input is not watched");
	while (r == RK_OK && !over)
		r = turn(l, err);
	rk_watch_free(input);
	return r;
}

enum rk_err
load_idle(const struct args *a, struct rk_error *err)
{
	struct rk_client **clients = calloc(a->conns, sizeof(*clients));
	long server = meter_memory(a->server);
	long here = meter_memory(0);
	struct load *l = NULL;
	enum rk_err r = RK_ENOMEM;

	if (clients == NULL || (r = open_load(&l, a, err)) != RK_OK ||
	    (r = rk_loop_new(&l->loop)) != RK_OK ||
	    (r = fill(l, clients, err)) != RK_OK)
		goto out;
	meter_report_idle(a->conns,
	    a->server == 0 ? -1 : meter_memory(a->server) - server,
	    meter_memory(0) - here);
	if (a->work == WORK_HOLD)
		r = hold(l, err);
out:
	for (unsigned i = 0; clients != NULL && i < a->conns; i++)
		rk_client_free(clients[i]);
	close_load(l);
	free(clients);
	return r;
}
