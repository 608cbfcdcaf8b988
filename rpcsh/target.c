/* The server to call: settings made into a connected client. */
#include "next.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/pass.h"
#include "held.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

uint64_t
target_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
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
target_is_tcp(const struct target *t)
{
	return has_scheme(t, "tcp");
}

/* ---- where ---- */

static enum rk_err
exclude(struct rk_error *err, const char *one, const char *other)
{
	return err_set(
	    err, RK_EINVAL, "--%s and --%s exclude each other", one, other);
}

static bool
goes_with(const struct target *t, const char *flag)
{
	if (strcmp(flag, "tcp") == 0)
		return target_is_tcp(t);
	return strcmp(flag, "quic") == 0 ? target_is_quic(t) : target_is_tls(t);
}

/* Flags about the transport must not contradict one another or the server. */
static enum rk_err
check_flags(const struct target *t, const struct args *a, struct rk_error *err)
{
	static const char *const names[] = { "tcp", "quic", "skip-verify",
		"server-only" };
	static const char *const excluded[][2] = { { "tcp", "quic" },
		{ "tcp", "skip-verify" }, { "tcp", "server-only" },
		{ "skip-verify", "server-only" } };
	const struct setting *server = &t->settings.v[SET_SERVER];
	char shown[160], source[160];

	for (size_t i = 0; i < sizeof(excluded) / sizeof(excluded[0]); i++) {
		if (args_flag(a, excluded[i][0]) &&
		    args_flag(a, excluded[i][1]))
			return exclude(err, excluded[i][0], excluded[i][1]);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!args_flag(a, names[i]) || goes_with(t, names[i]))
			continue;
		return err_set(err, RK_EINVAL,
		    "--%s does not go with %s (from: %s)", names[i],
		    str_escape(shown, sizeof(shown), t->url),
		    str_escape(source, sizeof(source), server->source));
	}
	return RK_OK;
}

/* HOST:PORT means TLS, or what was asked for instead. */
static enum rk_err
make_url(struct target *t, const struct args *a, struct rk_error *err)
{
	const char *server = t->settings.v[SET_SERVER].value;
	const char *scheme = args_flag(a, "tcp")    ? "tcp://"
	                     : args_flag(a, "quic") ? "quic://"
	                                            : "tls://";

	if (strstr(server, "://") != NULL)
		scheme = "";
	(void)snprintf(t->url, sizeof(t->url), "%s%s", scheme, server);
	return check_flags(t, a, err);
}

static uint64_t
duration(const struct target *t, enum setting_id id)
{
	uint64_t ms = 0;

	/* Checked when it was read; 0 stands for no limit. */
	if (str_parse_duration(t->settings.v[id].value, &ms) != RK_OK ||
	    ms == 0)
		return RK_NEVER;
	return ms;
}

/* ---- who ---- */

/* The library knows that there is no passphrase; the source knows why. */
static enum rk_err
explain_pass(const struct target *t, const struct pass_source *pass,
    enum rk_err r, struct rk_error *err)
{
	bool person = pass->spec == NULL || strcmp(pass->spec, "tty") == 0;
	char dir[128], name[64];

	(void)str_escape(dir, sizeof(dir), t->settings.v[SET_CERTS].value);
	(void)str_escape(name, sizeof(name), t->settings.v[SET_KEY].value);
	if (r == RK_EPASS)
		return err_set(
		    err, r, "%s/%s.key: wrong passphrase", dir, name);
	if (r == RK_ENOPASS && person)
		return err_set(err, r, "%s/%s.key: %s", dir, name,
		    pass->no_input ? "needs a passphrase, and --no-input is set"
		                   : "no terminal to ask for a passphrase");
	if (pass->err.code == r && pass->err.text[0] != '\0') {
		*err = pass->err;
		err->step = "pass";
	}
	return r;
}

struct asking {
	const struct out *out;
	struct pass_source src;
};

/* The derivation takes seconds by design; a person is told. */
static enum rk_err
ask(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	struct asking *a = arg;
	enum rk_err r = pass_callback(path, attempt, out, &a->src);
	char shown[256];

	if (r == RK_OK && isatty(STDERR_FILENO) == 1)
		out_note(a->out, "working on the passphrase of %s",
		    str_escape(shown, sizeof(shown), path));
	return r;
}

static enum rk_err
load_ident(struct target *t, const struct args *a, struct rk_error *err)
{
	struct asking pass = {
		.out = &t->log,
		.src = {
			.spec = args_text(a, "pass", NULL),
			.flag = "--pass",
			.what = "key",
			.no_input = args_flag(a, "no-input"),
		},
	};
	bool carry = target_tls_mode(t) == RK_TLS_MUTUAL;
	enum rk_err r;

	if (!target_is_tls(t) || target_tls_mode(t) == RK_TLS_SKIP_VERIFY)
		return RK_OK;
	if (t->settings.v[SET_CERTS].value[0] == '\0')
		return err_set(
		    err, RK_ENOENT, "certificates: no directory is known");
	r = rk_ident_load_dir(t->settings.v[SET_CERTS].value,
	    carry ? t->settings.v[SET_KEY].value : NULL, ask, &pass, &t->ident,
	    err);
	return r == RK_OK ? r : explain_pass(t, &pass.src, r, err);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct target *t = arg;

	(void)c;
	t->ended = *why;
}

static void
on_pushed(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	const struct target *t = arg;

	(void)c;
	t->held->pushed(hdr, payload, t->held->arg);
}

/* Without TLS there is no key that could be believed. */
static enum rk_err
make_trust(struct target *t, struct rk_error *err)
{
	const char *known = t->settings.v[SET_KNOWN].value;
	struct trusting *how = &t->trusting;

	if (t->ident == NULL && how->want != NULL)
		return err_set(err, RK_EINVAL,
		    "trust: nobody proves a key at %s%s", t->url,
		    target_is_tls(t) ? " with --skip-verify" : "");
	if (t->ident == NULL && how->how != TRUST_FILE)
		return err_set(err, RK_EINVAL,
		    "--trust %s does not go with %s: nobody proves a key there",
		    t->settings.v[SET_TRUST].value,
		    target_is_tls(t) ? "--skip-verify" : t->url);
	if (t->ident == NULL)
		return RK_OK;
	if (how->how == TRUST_FILE)
		return rk_trust_new(known[0] == '\0' ? NULL : known,
		    RK_TRUST_FILE, &t->trust, err);
	how->path = known;
	how->server = t->url;
	return trust_new(how, &t->trust, err);
}

static enum rk_err
make_client(struct target *t, const struct args *a, struct rk_error *err)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	enum rk_err r;

	if ((r = load_ident(t, a, err)) != RK_OK)
		return r;
	if ((r = make_trust(t, err)) != RK_OK)
		return r;
	conf.url = t->url;
	conf.ident = t->ident;
	conf.trust = t->trust;
	conf.tls_mode = target_tls_mode(t);
	if (strcmp(t->settings.v[SET_CONGESTION].value, "bbr") == 0)
		conf.congestion = RK_CONGESTION_BBR;
	conf.call_timeout = t->timeout;
	conf.timeouts.connect = t->connect_timeout;
	conf.timeouts.handshake = t->connect_timeout;
	conf.closed = on_closed;
	if (t->held != NULL && t->held->pushed != NULL)
		conf.pushed = on_pushed;
	conf.arg = t;
	/* What a single call may take is the call's own matter. */
	conf.timeouts.idle = RK_NEVER;
	return rk_client_new(&conf, &t->client, err);
}

static enum rk_err
use_server(struct target *t, const char *server, struct rk_error *err)
{
	struct setting *s = &t->settings.v[SET_SERVER];
	enum rk_err r = settings_check(SET_SERVER, server, err);

	if (r != RK_OK)
		return r;
	(void)str_copy(s->value, sizeof(s->value), server);
	(void)str_copy(s->source, sizeof(s->source), "operand");
	return RK_OK;
}

/* Everything but the client. */
static enum rk_err
resolve(struct target *t, const struct args *a, const char *server,
    struct rk_error *err)
{
	enum rk_err r;

	if ((r = pass_check(args_text(a, "pass", NULL), err)) != RK_OK)
		return r;
	if ((r = settings_load(a, &t->settings, err)) != RK_OK) {
		err->step = "settings";
		return r;
	}
	if (server != NULL && (r = use_server(t, server, err)) != RK_OK)
		return r;
	if (t->trusting.want == NULL)
		t->trusting.how = trust_parse(t->settings.v[SET_TRUST].value);
	t->no_input = args_flag(a, "no-input");
	if ((r = make_url(t, a, err)) != RK_OK)
		return r;
	t->timeout = duration(t, SET_TIMEOUT);
	t->connect_timeout = duration(t, SET_CONNECT_TIMEOUT);
	t->timeout_given =
	    strcmp(t->settings.v[SET_TIMEOUT].source, "built in") != 0;
	return RK_OK;
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
	    str_escape(name, sizeof(name), t->settings.v[SET_KEY].value));
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
	if ((r = resolve(t, a, server, &err)) == RK_OK)
		r = make_client(t, a, &err);
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
	r = resolve(own, a, NULL, &err);
	if (r == RK_OK && held_fits(h, own))
		return borrow(h, own);
	if (r == RK_OK)
		r = make_client(own, a, &err);
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

	return resolve(&t, a, NULL, &err) == RK_OK && held_fits(h, &t);
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
	if (t->held != NULL)
		return held_connect(t->held, err);
	err_clear(&t->ended);
	return rk_client_connect(t->client, err);
}

static enum rk_err
connect_asking(struct target *t, struct rk_error *err)
{
	enum rk_err r = dial(t, err);

	if (r == RK_OK || !t->trusting.asks)
		return r;
	if ((r = trust_ask(&t->trusting, t->no_input, err)) != RK_OK)
		return r;
	r = dial(t, err);
	t->trusting.added = r == RK_OK;
	return r;
}

bool
target_connect(struct target *t, const struct out *o, int *status)
{
	const struct rk_peer *peer;
	struct rk_timing timing;
	struct rk_error err;

	if (t->held != NULL) {
		held_idle(t->held);
		if (held_is_up(t->held))
			return true;
	}
	t->trusting.added = false;
	if (connect_asking(t, &err) != RK_OK) {
		*status = target_failed(t, o, &err, NULL);
		return false;
	}
	t->connected_us = target_now_us();
	rk_client_timing(t->client, &timing);
	peer = rk_client_peer(t->client);
	next_ask(t);
	if ((timing.trust_added || t->trusting.added) &&
	    t->trusting.want == NULL && peer != NULL) {
		char known[256];

		out_note(o, "%s: new server key %s recorded in %s",
		    peer->remote, peer->cert.fp,
		    str_escape(
		        known, sizeof(known), t->settings.v[SET_KNOWN].value));
	}
	return true;
}

enum rk_err
target_call(struct target *t, const struct rk_request *req,
    struct rk_reply *reply, struct rk_error *err)
{
	enum rk_err r = t->held != NULL
	                    ? held_call(t->held, req, reply, err)
	                    : rk_client_call(t->client, req, reply, err);

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
target_close(struct target *t)
{
	rk_client_free(t->client);
	rk_trust_free(t->trust);
	rk_ident_free(t->ident);
	t->client = NULL;
	t->trust = NULL;
	t->ident = NULL;
	rk_log_set(NULL, RK_LOG_ERROR, NULL);
}
