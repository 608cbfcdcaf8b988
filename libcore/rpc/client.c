/* A client's life: dial, handshake, open, end. */
#include "rpc/client_int.h"

#include "base/container.h"
#include "base/error.h"
#include "base/str.h"
#include "net/sock.h"
#include "rpc/frame.h"
#include "trust/psks.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- making one ---- */

static void
destroy(struct rk_client *c)
{
	if (c->loop != NULL)
		loop_hook_remove(c->loop, &c->done_hook);
	rk_timer_free(c->timer);
	stream_client_leave(&c->streams);
	streams_fini(&c->streams);
	client_quic_close(c);
	client_again_fini(c);
	client_targets_fini(c);
	rk_psks_free(c->psk.keys);
	pending_fini(&c->pending);
	client_subs_fini(&c->subs);
	client_netrpc_ended(c);
	buf_fini(&c->waiting);
	if (c->own_loop)
		rk_loop_free(c->loop);
	free(c);
}

static void
tell_closed(struct rk_client *c)
{
	c->end_owed = false;
	c->state = CLIENT_IDLE;
	if (c->conf.closed != NULL)
		c->conf.closed(c, &c->why, c->conf.arg);
}

static void
dial_again(struct rk_client *c)
{
	struct rk_error err;

	c->quic.again = false;
	if (client_quic_try(c, &err) != RK_OK)
		client_lost(c, NULL, &err);
}

static void
on_done_hook(struct loop_hook *h)
{
	struct rk_client *c = container_of(h, struct rk_client, done_hook);

	client_run_done(c);
	if (c->quic.again)
		dial_again(c);
	client_again_run(c);
	client_run_done(c); /* what ended in there */
	if (c->end_owed)
		tell_closed(c);
	if (c->free_owed && c->state == CLIENT_IDLE)
		destroy(c);
}

static void
init_parts(struct rk_client *c, const struct rk_client_conf *conf)
{
	c->conf = *conf;
	c->loop = conf->loop;
	c->trust = (struct session_trust){ .server = false,
		.mode = conf->tls_mode,
		.ident = conf->ident,
		.trust = conf->trust,
		.peers = conf->session_peers };
	c->psk = (struct psk_conf){ .server = false,
		.mode = conf->tls_mode,
		.ident = conf->ident,
		.keys = psks_ref(conf->psks),
		.verify = session_verify,
		.arg = &c->trust };
	client_sess_init(c);
	/* What was given to a connection may come back (client_kept.c). */
	buf_init(&c->waiting, 3 * c->conf.max_queue + 4 * RK_BODY_MAX);
	buf_init(&c->netrpc.held, 2 * c->waiting.max);
	pending_init(&c->pending);
	client_subs_init(&c->subs);
	TAILQ_INIT(&c->done);
	c->done_hook.fn = on_done_hook;
}

enum rk_err
rk_client_new(const struct rk_client_conf *user, struct rk_client **out,
    struct rk_error *err)
{
	struct rk_client_conf filled;
	const struct rk_client_conf *conf = &filled;
	struct rk_client *c;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if ((r = client_conf_fill(user, &filled, err)) != RK_OK)
		return r;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(err, RK_ENOMEM, "client: out of memory");
	init_parts(c, conf);
	if (c->loop == NULL) {
		if ((r = rk_loop_new(&c->loop)) != RK_OK)
			goto out;
		c->own_loop = true;
	}
	streams_init(&c->streams, c->loop);
	r = rk_timer_new(c->loop, client_on_timer, c, &c->timer);
	if (r != RK_OK)
		goto out;
	if ((r = client_again_init(c, conf, err)) != RK_OK)
		goto out;
	if ((r = client_targets_init(c, conf, err)) != RK_OK)
		goto out;
	*out = c;
	c = NULL;
out:
	if (r != RK_OK && err != NULL && err->code == RK_OK)
		(void)err_set(err, r, "client: %s", rk_err_text(r));
	rk_client_free(c);
	return r;
}

/* ---- the end ---- */

/* How a connection goes that was shut down does not matter. */
void
client_end(struct rk_client *c, const struct rk_error *why)
{
	static const struct rk_error canceled = {
		.code = RK_ECANCELED,
		.text = "shut down",
	};

	c->why = why == NULL || c->shut ? canceled : *why;
	c->shut = false;
	c->state = CLIENT_ENDING;
	c->quic.again = false;
	client_again_stop(c);
	buf_fini(&c->waiting);
	client_netrpc_ended(c);
	rk_timer_clear(c->timer);
	client_end_calls(c, c->why.code);
	c->end_owed = true;
	loop_hook_queue(c->loop, &c->done_hook);
}

/* Nobody answers at this one, perhaps at another. */
static bool
try_next_address(struct rk_client *c, struct session *s, enum rk_err why)
{
	if (c->quic.next == c->quic.n || c->was_open || c->shut ||
	    why != RK_ECONNECT)
		return false;
	client_calls_lost(c, s);
	c->state = CLIENT_DIALING;
	c->quic.again = true; /* when this session's layers are gone */
	loop_hook_queue(c->loop, &c->done_hook);
	return true;
}

static void
on_session_closed(struct session *s, const struct rk_error *end, void *arg)
{
	struct rk_client *c = arg;
	struct rk_error why = *end;

	if (c->was_open && why.step == NULL)
		why.step = "open"; /* and not an answer to how it began */
	c->session = NULL;
	c->taken = conn_taken(session_conn(s));
	streams_closed(&c->streams);
	if (try_next_address(c, s, why.code))
		return;
	if (rk_err_exit(why.code) == rk_err_exit(RK_ECERT))
		client_target_forget(c); /* not trusted: start afresh */
	client_lost(c, s, &why);
}

static void
on_session_open(struct session *s, void *arg)
{
	struct rk_client *c = arg;
	enum rk_err r;

	c->state = CLIENT_OPEN;
	c->was_open = true;
	c->pending.numbered = session_is_kin(s);
	session_timing(s, &c->timing);
	c->timing.trust_added = session_trust_added(s);
	c->timing.early = session_early_used(s);
	client_again_opened(c);
	session_set_busy(s, pending_count(&c->pending) != 0);
	client_announce(c);
	r = client_send_waiting(c);
	buf_fini(&c->waiting);
	if (r != RK_OK) {
		struct rk_error err;

		(void)err_set(&err, r, "%s: %s", c->url_text, rk_err_text(r));
		session_abort(s, &err);
		return;
	}
	streams_open(&c->streams, s);
	if (c->conf.connected != NULL)
		c->conf.connected(c, c->conf.arg);
}

static void
on_session_low(struct session *s, void *arg)
{
	struct rk_client *c = arg;

	(void)s;
	streams_low(&c->streams);
}

static const struct session_events session_callbacks = {
	.open = on_session_open,
	.message = client_message,
	.low = on_session_low,
	.closed = on_session_closed,
};

/* ---- the beginning ---- */

/* Go names both ends of a TLS connection by tcp:// URLs, and those of QUIC by
 * udp:// ones. */
static void
note_end(
    const struct rk_client *c, const struct addr *a, char out[ADDR_TEXT_LEN])
{
	char text[ADDR_TEXT_LEN];

	if (!addr_is_udp(c->url.scheme)) {
		addr_format(
		    a, addr_is_unix(c->url.scheme) ? ADDR_UNIX : ADDR_TCP, out);
		return;
	}
	addr_format(a, ADDR_QUIC, text);
	(void)snprintf(
	    out, ADDR_TEXT_LEN, "udp%.*s", ADDR_TEXT_LEN - 8, text + 4);
}

static void
note_ends(struct rk_client *c, struct layer *top)
{
	struct addr a;

	if (layer_query(top, LAYER_Q_LOCAL, &a))
		note_end(c, &a, c->from);
	if (layer_query(top, LAYER_Q_REMOTE, &a))
		note_end(c, &a, c->to);
}

enum rk_err
client_open_session(struct rk_client *c, struct layer *top)
{
	struct session_conf sc = {
		.loop = c->loop,
		.events = &session_callbacks,
		.arg = c,
		.trust = &c->trust,
		.peer = &c->peer,
		.timeouts = c->conf.timeouts,
		.max_queue = c->conf.max_queue,
		/* What waited grows when both ends are filled in. */
		.max_over = c->waiting.max + c->conf.max_queue,
		.keeps_unsent = c->again.on,
		.keepalive = c->conf.keepalive,
		.dead_peer = c->conf.dead_peer,
	};
	enum rk_err r;

	if (c->psk.keys != NULL && !addr_is_session(c->url.scheme) &&
	    (r = psk_layer_new(&c->psk, c->loop, top, &top)) != RK_OK)
		return r;
	note_ends(c, top);
	c->state = CLIENT_OPENING;
	c->early_left = SIZE_MAX;
	if ((r = session_open(&sc, &top, &c->session)) == RK_OK)
		client_send_early(c);
	return r;
}

static enum rk_err
open_session(struct rk_client *c, int fd)
{
	struct layer *top = NULL;
	struct layer *below;
	enum rk_err r;

	if (c->url.scheme == ADDR_SSH_UDP) {
		r = udp_end_dial(c->loop, &c->sess, fd, c->nonce, &top);
		return r == RK_OK ? client_open_session(c, top) : r;
	}
	if (addr_is_session(c->url.scheme)) {
		r = sess_layer_new(&c->sess, c->loop, fd, c->url.scheme, &top);
		return r == RK_OK ? client_open_session(c, top) : r;
	}
	if ((r = sock_layer_new(fd, c->url.scheme, &below)) != RK_OK)
		return r;
	if (c->url.scheme == ADDR_TLS)
		r = tls_layer_new(c->tls, c->loop, below, &top);
	else
		top = below;
	return r == RK_OK ? client_open_session(c, top) : r;
}

static void
on_dialed(int fd, const struct rk_error *why, void *arg)
{
	struct rk_client *c = arg;
	struct rk_error err;
	enum rk_err r;

	c->dial = NULL;
	c->timing.connect = loop_clock_us(c->loop) - c->dialed_us;
	if (why != NULL) {
		client_lost(c, NULL, why);
		return;
	}
	client_note_server(c, fd);
	if ((r = open_session(c, fd)) != RK_OK) {
		(void)err_set(&err, r, "%s: %s", c->url_text, rk_err_text(r));
		client_lost(c, NULL, &err);
	}
}

/* Once for each address, however often it is gone to. */
static void
warn_if_open(struct rk_client *c, const struct addr *a)
{
	struct client_target *t = &c->targets.list[c->targets.at];

	if (t->warned)
		return;
	t->warned = true;
	if (c->url.scheme == ADDR_TCP && !addr_is_loopback(a) &&
	    c->psk.keys == NULL)
		log_event(RK_LOG_WARN, "client",
		    "%s: plain TCP: nothing is encrypted and nobody is "
		    "authenticated",
		    c->url_text);
	if (addr_is_proving(c->url.scheme) &&
	    c->conf.tls_mode == RK_TLS_SKIP_VERIFY)
		log_event(RK_LOG_WARN, "client",
		    "%s: skip-verify: encrypted, but nobody is authenticated",
		    c->url_text);
}

static enum rk_err
start_quic(struct rk_client *c, const struct addr *addrs, size_t n,
    struct rk_error *err)
{
	memcpy(c->quic.addrs, addrs, n * sizeof(addrs[0]));
	c->quic.n = n;
	c->quic.next = 0;
	return client_quic_try(c, err);
}

enum rk_err
client_dial(struct rk_client *c, struct rk_error *err)
{
	struct addr addrs[DIAL_ADDRS_MAX];
	struct dial_conf dc = { .loop = c->loop,
		.addrs = addrs,
		.scheme = c->url.scheme,
		.nonce = c->nonce,
		.timeout = c->conf.timeouts.connect,
		.fn = on_dialed,
		.arg = c };
	uint64_t t = loop_clock_us(c->loop);
	enum rk_err r;

	if (c->url.scheme == ADDR_FD)
		return client_fds_start(c, err);
	r = addr_resolve(
	    &c->url, false, addrs, DIAL_ADDRS_MAX, &dc.n_addrs, err);
	if (r != RK_OK) {
		if (err != NULL)
			err->step = "resolve";
		return r;
	}
	warn_if_open(c, &addrs[0]);
	c->dialed_us = loop_clock_us(c->loop);
	c->timing = (struct rk_timing){ .resolve = c->dialed_us - t };
	if (c->url.scheme == ADDR_QUIC)
		return start_quic(c, addrs, dc.n_addrs, err);
	rk_random(c->nonce, sizeof(c->nonce));
	if (c->url.scheme == ADDR_SSH_UDP && c->sess.psks != NULL)
		dc.psk = psks_at(c->sess.psks, 0);
	if ((r = dial_start(&dc, &c->dial)) != RK_OK)
		return err_set(err, r, "%s: %s", c->url_text, rk_err_text(r));
	c->state = CLIENT_DIALING;
	return RK_OK;
}

enum rk_err
rk_client_start(struct rk_client *c, struct rk_error *err)
{
	err_clear(err);
	loop_refresh(c->loop);
	if (c->state != CLIENT_IDLE)
		return err_set(
		    err, RK_ESTATE, "%s: started already", c->url_text);
	return client_again_start(c, err);
}

enum rk_err
rk_client_connect(struct rk_client *c, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	if (!c->own_loop)
		return err_set(err, RK_ESTATE,
		    "%s: blocking calls need a client with its own loop",
		    c->url_text);
	if (loop_is_turning(c->loop))
		return err_set(
		    err, RK_ESTATE, "%s: a callback cannot wait", c->url_text);
	if ((r = rk_client_start(c, err)) != RK_OK)
		return r;
	while (c->state != CLIENT_OPEN && c->state != CLIENT_IDLE) {
		if ((r = rk_loop_step(c->loop, -1)) != RK_OK)
			return err_set(
			    err, r, "%s: the event loop failed", c->url_text);
	}
	if (c->state == CLIENT_OPEN)
		return RK_OK;
	if (err != NULL)
		*err = c->why;
	return c->why.code;
}

void
rk_client_shutdown(struct rk_client *c)
{
	switch (c->state) {
	case CLIENT_IDLE:
	case CLIENT_ENDING:
		return;
	case CLIENT_WAITING:
	case CLIENT_DIALING:
		dial_free(c->dial);
		c->dial = NULL;
		client_end(c, NULL);
		return;
	case CLIENT_OPENING:
	case CLIENT_OPEN:
		c->state = CLIENT_ENDING;
		c->shut = true;
		client_end_calls(c, RK_ECANCELED);
		session_drain(c->session);
		return;
	}
}

static void
abort_late(struct rk_client *c, uint64_t ms)
{
	struct rk_error why = { 0 };

	(void)err_set(&why, RK_ETIMEOUT,
	    "%s: the server has not closed its end within %llu ms", c->url_text,
	    (unsigned long long)ms);
	session_abort(c->session, &why);
}

enum rk_err
rk_client_finish(struct rk_client *c, uint64_t timeout_ms, struct rk_error *err)
{
	enum rk_err r = RK_OK;
	uint64_t until;
	int wait = -1;

	err_clear(err);
	if (!c->own_loop || loop_is_turning(c->loop) || c->state != CLIENT_OPEN)
		return err_set(err, RK_ESTATE, "%s: %s", c->url_text,
		    c->own_loop ? "not connected" : "cannot wait here");
	loop_refresh(c->loop);
	if (__builtin_add_overflow(rk_loop_now(c->loop), timeout_ms, &until))
		until = RK_NEVER;
	c->state = CLIENT_ENDING;
	client_end_calls(c, RK_ECANCELED);
	session_finish(c->session);
	while (r == RK_OK && c->state != CLIENT_IDLE) {
		uint64_t now = rk_loop_now(c->loop);

		if (c->session != NULL && now >= until)
			abort_late(c, timeout_ms);
		if (until != RK_NEVER)
			wait = until - now < 1000 ? (int)(until - now) : 1000;
		r = rk_loop_step(c->loop, now < until ? wait : 0);
	}
	if (r != RK_OK)
		return err_set(
		    err, r, "%s: the event loop failed", c->url_text);
	if (c->why.code == RK_ECANCELED)
		return RK_OK;
	if (err != NULL)
		*err = c->why;
	return c->why.code;
}

/* A session that does not go in this time is dropped by rk_client_free(). */
#define FREE_GRACE_MS 1000

/* Outside of turns: run the loop until everything has come to its end. */
static void
run_to_the_end(struct rk_client *c)
{
	static const struct rk_error gone = {
		.code = RK_ECANCELED,
		.text = "shut down",
	};
	uint64_t until = rk_loop_now(c->loop) + FREE_GRACE_MS;

	while (c->state != CLIENT_IDLE) {
		if (c->session != NULL && rk_loop_now(c->loop) >= until)
			session_abort(c->session, &gone);
		if (rk_loop_step(c->loop, 50) != RK_OK)
			break;
	}
}

void
rk_client_free(struct rk_client *c)
{
	if (c == NULL)
		return;
	if (c->loop != NULL && loop_is_turning(c->loop)) {
		/* Functions further up the stack still use it. */
		assert(!c->own_loop);
		c->free_owed = true;
		rk_client_shutdown(c);
		loop_hook_queue(c->loop, &c->done_hook);
		return;
	}
	if (c->state != CLIENT_IDLE) {
		loop_refresh(c->loop);
		rk_client_shutdown(c);
		run_to_the_end(c);
	}
	destroy(c);
}

/* ---- small questions ---- */

int
rk_client_fd(const struct rk_client *c)
{
	return rk_loop_fd(c->loop);
}

int
rk_client_wait_ms(const struct rk_client *c)
{
	return rk_loop_wait_ms(c->loop);
}

enum rk_err
rk_client_process(struct rk_client *c)
{
	return rk_loop_step(c->loop, 0);
}

const struct rk_peer *
rk_client_peer(const struct rk_client *c)
{
	return c->state == CLIENT_OPEN ? session_peer(c->session) : NULL;
}

void
rk_client_timing(const struct rk_client *c, struct rk_timing *out)
{
	*out = c->timing;
}
