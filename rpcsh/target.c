/* The server to call: opened, lent to verbs, connected, called. */
#include "agent_failed.h"
#include "next.h"
#include "target_make.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/path.h"
#include "held.h"
#include "reach.h"
#include "seen.h"

#include <stdio.h>
#include <time.h>

#define EARLY_US 5000u /* clocks and timers differ a little */

bool
target_is_late(uint64_t timeout, uint64_t took_us)
{
	return timeout != RK_NEVER && took_us + EARLY_US >= timeout * 1000;
}

enum rk_tls_mode
target_tls_mode(const struct target *t)
{
	const char *mode = t->settings.v[SET_TLS_MODE].value;

	if (strcmp(mode, "skip-verify") == 0)
		return RK_TLS_SKIP_VERIFY;
	if (strcmp(mode, "server-only") == 0)
		return RK_TLS_SERVER_ONLY;
	return RK_TLS_MUTUAL;
}

/* "tls://HOST:PORT", or "tls+srv://NAME". */
static bool
has_scheme(const struct target *t, const char *scheme)
{
	const char *rest = t->url + strlen(scheme);

	return strncmp(t->url, scheme, strlen(scheme)) == 0 &&
	       (strncmp(rest, "://", 3) == 0 ||
	           strncmp(rest, "+srv://", 7) == 0);
}

bool
target_is_tls(const struct target *t)
{
	return has_scheme(t, "tls") || target_is_quic(t);
}

bool
target_is_quic(const struct target *t)
{
	return has_scheme(t, "quic");
}

bool
target_has_psk(const struct target *t)
{
	return t->settings.v[SET_PSK].value[0] != '\0';
}

bool
target_is_proving(const struct target *t)
{
	return target_is_tls(t) || target_has_psk(t);
}

bool
target_is_ssh_udp(const struct target *t)
{
	return has_scheme(t, "ssh+udp");
}

bool
target_is_session(const struct target *t)
{
	return has_scheme(t, "ssh+tcp") || target_is_ssh_udp(t) ||
	       has_scheme(t, "ssh+unix") || strncmp(t->url, "fd:", 3) == 0;
}

bool
target_is_tcp(const struct target *t)
{
	return has_scheme(t, "tcp");
}

/* ---- talking about it ---- */

static void
on_log(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	const struct target *t = arg;
	const struct out *o = &t->log;

	(void)subsystem;
	held_hide(t);
	if (level <= RK_LOG_WARN)
		out_warn(o, "warning: %s", line);
	else
		out_note(o, "%s", line);
}

static void
tell_settings(const struct target *t, const struct out *o)
{
	char value[256], source[256];

	for (unsigned i = 0; i < SET_COUNT; i++)
		out_note(o, "%s %s (%s)", setting_name((enum setting_id)i),
		    str_escape(value, sizeof(value), t->settings.v[i].value),
		    str_escape(
		        source, sizeof(source), t->settings.v[i].source));
}

static int
open_failed(
    const struct target *t, const struct out *o, const struct rk_error *err)
{
	bool known = err->step != NULL && strcmp(err->step, "known") == 0;
	char text[256], name[64];
	int status;

	if (agent_failed(t, o, NULL, err, &status))
		return status;
	switch (rk_err_exit(err->code)) {
	case 2:
		return out_error(o, err, "rpcsh -h");
	case 7:
		return out_error(o, err,
		    err->code == RK_ENOPASS ? "--pass file:PATH" : NULL);
	case 8:
		break;
	default:
		return out_error(o, err,
		    err->code == RK_ESTATE
		        ? "chmod u+w that file, and the server's key will be "
		          "recorded"
		        : NULL);
	}
	if (known)
		return out_error(o, err, "--known FILE");
	if (err->step != NULL)
		return out_error(o, err,
		    strcmp(err->step, "settings") == 0 ? "rpcsh ctx ls" : NULL);
	(void)snprintf(text, sizeof(text),
	    "--certs DIR, or selfy -k %s makes a key; --tcp needs none",
	    str_escape(name, sizeof(name),
	        path_key_name(t->settings.v[SET_KEY].value)));
	return out_error(o, err, text);
}

static void
hear_log(struct target *t, const struct out *o)
{
	t->log = *o;
	rk_log_set(on_log, o->verbose ? RK_LOG_INFO : RK_LOG_WARN, t);
}

/* r is what came of opening it. */
static bool
is_opened(struct target *t, const struct out *o, enum rk_err r,
    const struct rk_error *err, int *status)
{
	if (r != RK_OK) {
		*status = open_failed(t, o, err);
		target_close(t);
		return false;
	}
	if (o->verbose)
		tell_settings(t, o);
	return true;
}

static bool
open_at(struct target *t, const struct args *a, const struct out *o,
    const char *server, int *status)
{
	struct rk_error err = { 0 };
	enum rk_err r;

	hear_log(t, o);
	if ((r = target_resolve(t, a, server, &err)) == RK_OK)
		r = target_make(t, a, &err);
	return is_opened(t, o, r, &err, status);
}

bool
target_open(
    struct target *t, const struct args *a, const struct out *o, int *status)
{
	*t = (struct target){ 0 };
	return open_at(t, a, o, NULL, status);
}

bool
target_open_for(struct target *t, const struct args *a, const struct out *o,
    const char *server, enum trust_how how, const char *fp, int *status)
{
	*t = (struct target){ .trusting = { .how = how, .want = fp } };
	return open_at(t, a, o, server, status);
}

bool
target_hold(
    struct held *h, const struct args *a, const struct out *o, int *status)
{
	h->t = (struct target){ .held = h };
	h->is_open = open_at(&h->t, a, o, NULL, status);
	return h->is_open;
}

/* The held one, with what this line says about it. */
static struct target *
borrow(struct held *h, const struct target *t)
{
	h->t.settings = t->settings;
	h->t.timeout = t->timeout;
	h->t.timeout_given = t->timeout_given;
	h->t.no_input = t->no_input;
	hear_log(&h->t, &t->log);
	return &h->t;
}

struct target *
target_use(struct target *own, const struct caller *by, const struct args *a,
    const struct out *o, int *status)
{
	struct held *h = by == NULL ? NULL : by->held;
	struct rk_error err = { 0 };
	enum rk_err r;

	if (h == NULL)
		return target_open(own, a, o, status) ? own : NULL;
	if (!h->is_open) /* the first one of a script */
		return target_hold(h, a, o, status) ? &h->t : NULL;
	*own = (struct target){ 0 };
	hear_log(own, o);
	r = target_resolve(own, a, NULL, &err);
	if (r == RK_OK && held_fits(h, own))
		return borrow(h, own);
	if (r == RK_OK)
		r = target_make(own, a, &err);
	if (is_opened(own, o, r, &err, status))
		return own;
	target_done(own, by);
	return NULL;
}

bool
target_is_held(const struct held *h, const struct args *a)
{
	struct target t = { 0 };
	struct rk_error err;

	return target_resolve(&t, a, NULL, &err) == RK_OK && held_fits(h, &t);
}

void
target_done(struct target *t, const struct caller *by)
{
	struct held *h = by == NULL ? NULL : by->held;

	if (t->held == NULL)
		target_close(t);
	if (h != NULL)
		target_hear(h);
}

void
target_hear(struct held *h)
{
	const struct out o = h->t.log;

	if (h->is_open)
		hear_log(&h->t, &o);
}

/* A connection to a server that is believed.  Asking takes as long as it takes,
 * so that nobody is kept waiting: the connection has ended meanwhile, and the
 * next one must show the same key. */
static enum rk_err
dial(struct target *t, struct rk_error *err)
{
	return t->held != NULL ? held_connect(t->held, err)
	                       : reach_connect(t, err);
}

static enum rk_err
connect_asking(struct target *t, bool color, struct rk_error *err)
{
	enum rk_err r = dial(t, err);

	if (r == RK_OK || !t->trusting.asks)
		return r;
	if ((r = trust_ask(&t->trusting, t->no_input, color, err)) != RK_OK)
		return r;
	r = dial(t, err);
	t->trusting.added = r == RK_OK;
	return r;
}

enum rk_err
target_dial(struct target *t, const struct out *o, struct rk_error *err)
{
	const struct rk_peer *peer;
	struct rk_timing timing;
	enum rk_err r;

	if (t->held != NULL) {
		held_idle(t->held);
		if (held_is_up(t->held))
			return RK_OK;
	}
	t->trusting.added = false;
	if ((r = connect_asking(t, o->color_tty, err)) != RK_OK)
		return r;
	t->connected_us = mono_us();
	rk_client_timing(t->client, &timing);
	peer = rk_client_peer(t->client);
	if (o->verbose && peer != NULL && peer->psk[0] != '\0')
		out_note(o, "%s: psk %s  id %s", peer->remote, peer->psk,
		    peer->psk_id);
	if (peer != NULL && peer->proven)
		seen_count(peer->cert.pub);
	next_ask(t);
	if ((timing.trust_added || t->trusting.added) &&
	    t->trusting.want == NULL && peer != NULL) {
		char known[256];

		out_note(o, "%s: new server key %s recorded in %s",
		    peer->remote, peer->cert.fp,
		    str_escape(
		        known, sizeof(known), t->settings.v[SET_KNOWN].value));
	}
	return RK_OK;
}

bool
target_connect(struct target *t, const struct out *o, int *status)
{
	struct rk_error err = { 0 };

	if (target_dial(t, o, &err) == RK_OK)
		return true;
	*status = target_failed(t, o, &err, NULL);
	return false;
}

enum rk_err
target_call(struct target *t, const struct rk_request *req,
    struct rk_reply *reply, struct rk_error *err)
{
	enum rk_err r = reach_call(t, req, reply, err);

	if (r == RK_OK || r == RK_EREMOTE || r == RK_ENOMETHOD)
		t->answered = true;
	/* It ended between two calls. */
	if (r == RK_ESTATE && t->ended.code != RK_OK) {
		*err = t->ended;
		r = err->code;
	}
	return r;
}

void
target_wait(struct target *t, uint64_t ms)
{
	uint64_t now = mono_us(), end = now + ms * 1000, left;
	struct rk_client *c = t->client;
	struct timespec ts;
	int own;

	while (now < end && rk_client_peer(c) != NULL && !held_interrupted()) {
		left = end - now;
		own = rk_client_wait_ms(c);
		if (own >= 0 && (uint64_t)own * 1000 < left)
			left = (uint64_t)own * 1000;
		ts = (struct timespec){ .tv_sec = (time_t)(left / 1000000),
			.tv_nsec = (long)(left % 1000000) * 1000 };
		held_wait_fd(rk_client_fd(c), &ts);
		if (rk_client_process(c) != RK_OK)
			return; /* the call that follows tells why */
		now = mono_us();
	}
}

void
target_close(struct target *t)
{
	rk_client_free(t->client);
	rk_trust_free(t->trust);
	rk_key_free(t->ssh_key);
	rk_sshkeys_free(t->ssh_peers);
	rk_ident_free(t->ident);
	rk_psks_free(t->psks);
	t->ssh_key = NULL;
	t->ssh_peers = NULL;
	t->psks = NULL;
	t->client = NULL;
	t->trust = NULL;
	t->ident = NULL;
	rk_log_set(NULL, RK_LOG_ERROR, NULL);
}
