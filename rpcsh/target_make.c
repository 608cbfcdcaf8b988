/* Settings made into a client: where, as whom, and whom to believe. */
#include "target_make.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/pass.h"
#include "cli/path.h"
#include "held.h"

#include <rpckit/signer.h>

#include <stdio.h>
#include <unistd.h>

#define KEEPALIVE_MS 60000
#define KEEPALIVE_PARTS 6 /* of the time that connecting may take */

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

/* ---- a key in keyvault's agent ---- */

static void
on_asked(const char *name, uint32_t id, void *arg)
{
	const struct target *t = arg;
	char shown[256];

	out_note(&t->log, "%s: waiting for your yes (or: keyvault allow %u)",
	    str_escape(shown, sizeof(shown), name), id);
}

static enum rk_err
load_from_agent(struct target *t, const char *name, struct rk_error *err)
{
	const struct rk_agent_conf conf = {
		.size = sizeof(conf),
		.asked = on_asked,
		.arg = t,
		.use = RK_SIGN_TLS,
	};
	struct rk_key *key = NULL;
	enum rk_err r;

	if ((r = rk_key_of_agent(name, &conf, &key, err)) == RK_OK)
		r = rk_ident_load_dir_use(
		    t->settings.v[SET_CERTS].value, name, key, &t->ident, err);
	else
		err->step = "agent";
	rk_key_free(key);
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
	const char *key = t->settings.v[SET_KEY].value;
	enum rk_err r;

	if (target_is_session(t)) {
		r = target_load_ssh(t, ask, &pass, err);
		if (r != RK_OK && pass.src.err.code == r &&
		    pass.src.err.text[0] != '\0')
			*err = pass.src.err;
		return r;
	}
	if (!target_is_proving(t) || target_tls_mode(t) == RK_TLS_SKIP_VERIFY)
		return RK_OK;
	if (t->settings.v[SET_CERTS].value[0] == '\0')
		return err_set(
		    err, RK_ENOENT, "certificates: no directory is known");
	if (carry && path_key_name(key) != key)
		return load_from_agent(t, path_key_name(key), err);
	r = rk_ident_load_dir(t->settings.v[SET_CERTS].value,
	    carry ? key : NULL, ask, &pass, &t->ident, err);
	return r == RK_OK ? r : explain_pass(t, &pass.src, r, err);
}

static enum rk_err
psk_from_agent(struct target *t, const char *name, struct rk_error *err)
{
	const struct rk_agent_conf conf = {
		.size = sizeof(conf),
		.asked = on_asked,
		.arg = t,
	};

	return rk_psks_of_agent(t->psks, name, NULL, &conf, err);
}

static enum rk_err
load_psk(struct target *t, struct rk_error *err)
{
	const struct setting *s = &t->settings.v[SET_PSK];
	enum rk_err r;

	if (!target_has_psk(t))
		return RK_OK;
	if ((r = rk_psks_new(&t->psks)) != RK_OK)
		return err_set(err, r, "out of memory");
	r = path_key_name(s->value) != s->value
	        ? psk_from_agent(t, path_key_name(s->value), err)
	        : rk_psks_load(t->psks, s->value, NULL, err);
	if (r != RK_OK)
		err->step = "psk";
	return r;
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

enum rk_err
target_trust(struct target *t, struct rk_error *err)
{
	const char *known = t->settings.v[SET_KNOWN].value;
	struct trusting *how = &t->trusting;
	const bool file = how->how == TRUST_FILE;
	enum rk_err r;

	how->path = known;
	how->server = t->url;
	if (file && known[0] == '\0')
		return rk_trust_new(NULL, RK_TRUST_FILE, &t->trust, err);
	r = trust_new(how, &t->trust, err);
	/* No list can have such an address: its state decides alone. */
	if (r == RK_EINVAL && file)
		r = rk_trust_new(known, RK_TRUST_FILE, &t->trust, err);
	return r;
}

/* Without TLS there is no key that could be believed. */
static enum rk_err
make_trust(struct target *t, struct rk_error *err)
{
	const struct trusting *how = &t->trusting;

	if (target_is_session(t))
		return target_ssh_trust(t, err);
	if (t->ident == NULL && how->want != NULL)
		return err_set(err, RK_EINVAL,
		    "trust: nobody proves a key at %s%s", t->url,
		    target_is_proving(t) ? " with --skip-verify" : "");
	if (t->ident == NULL && how->how != TRUST_FILE)
		return err_set(err, RK_EINVAL,
		    "--trust %s does not go with %s: nobody proves a key there",
		    t->settings.v[SET_TRUST].value,
		    target_is_proving(t) ? "--skip-verify" : t->url);
	if (t->ident == NULL)
		return RK_OK;
	return target_trust(t, err);
}

void
target_conf(const struct target *t, struct rk_client_conf *conf)
{
	*conf = (struct rk_client_conf){ .size = sizeof(*conf) };
	conf->url = t->url;
	conf->ident = t->ident;
	conf->trust = t->trust;
	conf->psks = t->psks;
	conf->session_key = t->ssh_key;
	conf->session_peers = t->ssh_peers;
	conf->tls_mode = target_tls_mode(t);
	if (strcmp(t->settings.v[SET_CONGESTION].value, "bbr") == 0)
		conf->congestion = RK_CONGESTION_BBR;
	conf->call_timeout = t->timeout;
	conf->timeouts.connect = t->connect_timeout;
	conf->timeouts.handshake = t->connect_timeout;
	/* What a single call may take is the call's own matter. */
	conf->timeouts.idle = RK_NEVER;
}

/* Servers end connections on which nothing is said, within minutes: who listens
 * says that it is there, more often where the way is quick. */
static uint64_t
often(const struct target *t)
{
	uint64_t ms = t->connect_timeout;

	return ms < KEEPALIVE_MS / KEEPALIVE_PARTS ? ms * KEEPALIVE_PARTS
	                                           : KEEPALIVE_MS;
}

enum rk_err
target_make(struct target *t, const struct args *a, struct rk_error *err)
{
	struct rk_client_conf conf;
	enum rk_err r;

	if ((r = load_psk(t, err)) != RK_OK)
		return r;
	if ((r = load_ident(t, a, err)) != RK_OK)
		return r;
	if ((r = make_trust(t, err)) != RK_OK)
		return r;
	target_conf(t, &conf);
	conf.closed = on_closed;
	if (t->held != NULL && t->held->pushed != NULL) {
		conf.pushed = on_pushed;
		conf.keepalive = often(t);
	}
	/* Who sits before it waits for a dead server no longer than for one
	 * that is not there. */
	if (t->held != NULL && t->held->hears)
		conf.dead_peer = t->connect_timeout < RK_DEAD_PEER_MIN
		                     ? RK_DEAD_PEER_MIN
		                     : t->connect_timeout;
	conf.arg = t;
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

enum rk_err
target_resolve(struct target *t, const struct args *a, const char *server,
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
	(void)settings_url(&t->settings, a, t->url);
	if ((r = check_flags(t, a, err)) != RK_OK)
		return r;
	t->timeout = duration(t, SET_TIMEOUT);
	t->connect_timeout = duration(t, SET_CONNECT_TIMEOUT);
	t->timeout_given =
	    strcmp(t->settings.v[SET_TIMEOUT].source, "built in") != 0;
	return RK_OK;
}
