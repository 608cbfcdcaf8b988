/* Where to call and as whom: flags, environment, contexts, config files. */
#include "settings.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/conf.h"
#include "cli/context.h"
#include "trust.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define CURRENT "contexts/.current" /* holds the name of the chosen one */

/* One row a setting; the flags have the environment in their own table. */
static const struct {
	const char *name;
	const char *built_in;
	const char *value;
	const char *about;
	const char *env;
} rows[SET_COUNT] = {
	[SET_SERVER] = { "server", "127.0.0.1:8443", "HOST:PORT or URL",
	    "where to call", "RPCKIT_SERVER" },
	[SET_CERTS] = { "certs", "", "DIR", "directory of certificates",
	    "RPCKIT_CERTS" },
	[SET_KEY] = { "key", "client", "NAME",
	    "NAME.crt and NAME.key there, or keyvault:NAME", "RPCKIT_KEY" },
	[SET_KNOWN] = { "known", "", "FILE", "known server keys", NULL },
	[SET_PSK] = { "psk", "", "FILE",
	    "pre-shared key, of 32 bytes; keyvault:NAME: in an agent",
	    "RPCKIT_PSK_FILE" },
	[SET_SSH_KEY] = { "ssh-key", "", "FILE",
	    "private key of sessions, or ssh-agent:, keyvault:NAME", NULL },
	[SET_SSH_PEERS] = { "ssh-peers", "", "FILE",
	    "public keys of servers believed over sessions", NULL },
	[SET_TRUST] = { "trust", "file", TRUST_WORDS, "whom to believe", NULL },
	[SET_TLS_MODE] = { "tls-mode", "mutual",
	    "mutual|server-only|skip-verify", "who proves what", NULL },
	[SET_CONGESTION] = { "congestion", "cubic", "cubic|bbr",
	    "how QUIC shares the path", NULL },
	[SET_CONFIRM] = { "confirm", "no", "yes|no",
	    "ask before calls that may change something", NULL },
	[SET_TIMEOUT] = { "timeout", "30s", "30s, or 0 for none", "of a call",
	    "RPCKIT_TIMEOUT" },
	[SET_CONNECT_TIMEOUT] = { "connect-timeout", "10s",
	    "10s, or 0 for none", "of connecting", NULL },
	[SET_ADMIN] = { "admin", "", "PATH",
	    "the daemon's admin socket, for rpcd ctl -c and rpctui -c", NULL },
	[SET_QUICK_KEYS] = { "quick_keys", "no", "yes|no",
	    "letters of rpctui decide about a key without a question", NULL },
};

enum setting_id
setting_find(const char *name)
{
	unsigned i = 0;

	while (i < SET_COUNT && strcmp(rows[i].name, name) != 0)
		i++;
	return (enum setting_id)i;
}

const char *
setting_name(enum setting_id id)
{
	return rows[id].name;
}

const char *
setting_form(enum setting_id id)
{
	return rows[id].value;
}

static void
set(struct settings *s, enum setting_id id, const char *value,
    const char *source)
{
	if (s->v[id].source[0] != '\0')
		return; /* somebody with more say has spoken */
	(void)str_copy(s->v[id].value, sizeof(s->v[id].value), value);
	(void)str_copy(s->v[id].source, sizeof(s->v[id].source), source);
}

/* ---- checking ---- */

/* One of the words between the bars. */
static enum rk_err
check_word(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (;;) {
		size_t n = strcspn(words, "|");

		if (n == len && memcmp(words, value, len) == 0)
			return RK_OK;
		if (words[n] == '\0')
			return RK_EINVAL;
		words += n + 1;
	}
}

/* Text a line of a file can hold. */
static enum rk_err
check_text(const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len >= PATH_LEN)
		return RK_EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (iscntrl((unsigned char)value[i]))
			return RK_EINVAL;
	}
	return RK_OK;
}

enum rk_err
settings_check(enum setting_id id, const char *value, struct rk_error *err)
{
	char shown[128];
	uint64_t ms;
	enum rk_err r = check_text(value);

	if (r == RK_OK &&
	    (id == SET_TRUST || id == SET_TLS_MODE || id == SET_CONGESTION ||
	        id == SET_CONFIRM || id == SET_QUICK_KEYS))
		r = check_word(rows[id].value, value);
	if (r == RK_OK && (id == SET_TIMEOUT || id == SET_CONNECT_TIMEOUT))
		r = str_parse_duration(value, &ms);
	if (r == RK_OK)
		return RK_OK;
	return err_set(err, RK_EINVAL, "%s: \"%s\" is not of the form %s",
	    rows[id].name, str_escape(shown, sizeof(shown), value),
	    rows[id].value);
}

/* ---- files ---- */

struct problem {
	struct rk_error first;
	unsigned n;
};

static void
on_problem(const char *text, void *arg)
{
	struct problem *p = arg;

	if (p->n++ == 0)
		(void)err_set(&p->first, RK_EFORMAT, "%s", text);
}

static enum rk_err
tell_first(const struct problem *p, struct rk_error *err)
{
	if (p->n == 1)
		return err_set(err, RK_EFORMAT, "%s", p->first.text);
	return err_set(
	    err, RK_EFORMAT, "%s (and %u more)", p->first.text, p->n - 1);
}

static enum rk_err
read_file(struct settings *s, const char *path, const char *source,
    struct rk_error *err)
{
	struct conf_key keys[SET_COUNT + 1] = { 0 };
	const struct conf_section sections[] = {
		{ .name = "", .about = "settings", .keys = keys },
		{ 0 },
	};
	struct problem p = { .n = 0 };
	struct conf *c;
	enum rk_err r;

	for (size_t i = 0; i < SET_COUNT; i++)
		keys[i] = (struct conf_key){ .name = rows[i].name,
			.about = rows[i].about,
			.value = rows[i].value };
	r = conf_read(path, sections, &c, on_problem, &p, err);
	if (r != RK_OK && p.n != 0)
		return tell_first(&p, err);
	if (r != RK_OK)
		return r;
	for (unsigned i = 0; r == RK_OK && i < SET_COUNT; i++) {
		const struct conf_item *item =
		    conf_find(c, "", "", rows[i].name);
		struct rk_error why;

		if (item == NULL)
			continue;
		r = settings_check((enum setting_id)i, item->value, &why);
		if (r != RK_OK)
			r = err_set(err, RK_EFORMAT, "%s:%u: %s", item->file,
			    item->line, why.text);
		else
			set(s, (enum setting_id)i, item->value, source);
	}
	conf_free(c);
	return r;
}

/* A file that need not be there. */
static enum rk_err
read_optional(struct settings *s, const char *path, struct rk_error *err)
{
	enum rk_err r = read_file(s, path, path, err);

	if (r != RK_ENOENT)
		return r;
	err_clear(err);
	return RK_OK;
}

/* ---- contexts ---- */

enum rk_err
settings_current_path(char out[PATH_LEN], struct rk_error *err)
{
	if (path_user(PATH_CONFIG, CURRENT, out) != RK_OK)
		return err_set(err, RK_ENOENT,
		    "contexts: neither XDG_CONFIG_HOME nor HOME is set");
	return RK_OK;
}

enum rk_err
settings_chosen(char name[SETTINGS_NAME_LEN], struct rk_error *err)
{
	char path[PATH_LEN];
	struct buf b;
	enum rk_err r;

	name[0] = '\0';
	err_clear(err);
	if (path_user(PATH_CONFIG, CURRENT, path) != RK_OK)
		return RK_OK;
	buf_init(&b, 256);
	r = fs_read(path, FS_NOT_SHARED, SETTINGS_NAME_LEN, &b, err);
	if (r == RK_OK && (r = buf_put(&b, "", 1)) == RK_OK) {
		(void)str_copy(
		    name, SETTINGS_NAME_LEN, (const char *)buf_peek(&b));
		name[strcspn(name, "\n")] = '\0';
	}
	buf_fini(&b);
	if (r != RK_ENOENT)
		return r;
	err_clear(err);
	return RK_OK;
}

enum rk_err
settings_context(
    const struct args *a, char name[SETTINGS_NAME_LEN], struct rk_error *err)
{
	const char *given = a == NULL ? getenv("RPCKIT_CONTEXT")
	                              : args_text(a, "context", NULL);
	char path[PATH_LEN];
	enum rk_err r;

	name[0] = '\0';
	err_clear(err);
	if (given == NULL)
		return settings_chosen(name, err);
	/* -c '': none, whatever was chosen. */
	if (given[0] == '\0')
		return RK_OK;
	if ((r = context_path(given, path, err)) != RK_OK)
		return r;
	(void)str_copy(name, SETTINGS_NAME_LEN, given);
	return RK_OK;
}

static enum rk_err
read_context(const struct args *a, struct settings *s, struct rk_error *err)
{
	char path[PATH_LEN], source[SETTINGS_NAME_LEN + 16];
	enum rk_err r;

	s->context_flag = a != NULL && args_given(a, "context") &&
	                  !args_from_env(a, "context");
	if ((r = settings_context(a, s->context, err)) != RK_OK)
		return r;
	if (s->context[0] == '\0')
		return RK_OK;
	if ((r = context_path(s->context, path, err)) != RK_OK)
		return r;
	(void)snprintf(source, sizeof(source), "context %s", s->context);
	r = read_file(s, path, source, err);
	if (r == RK_ENOENT)
		return err_set(
		    err, RK_ENOENT, "context %s: no such context", s->context);
	return r;
}

/* ---- everything ---- */

static const char *
flag_source(const struct args *a, const char *name)
{
	return args_from_env(a, name) ? "environment" : "flag";
}

static enum rk_err
read_flags(const struct args *a, struct settings *s, struct rk_error *err)
{
	const char *mode = args_flag(a, "skip-verify")   ? "skip-verify"
	                   : args_flag(a, "server-only") ? "server-only"
	                                                 : NULL;
	enum rk_err r;

	for (unsigned i = 0; i < SET_COUNT; i++) {
		const char *name = rows[i].name, *value;

		if (i == SET_TLS_MODE && mode != NULL)
			set(s, SET_TLS_MODE, mode, "flag");
		if (i == SET_TLS_MODE || i == SET_TIMEOUT ||
		    i == SET_CONNECT_TIMEOUT || i == SET_ADMIN ||
		    i == SET_QUICK_KEYS || !args_given(a, name))
			continue;
		value = args_text(a, name, "");
		if ((r = settings_check((enum setting_id)i, value, err)) !=
		    RK_OK)
			return r;
		set(s, (enum setting_id)i, value, flag_source(a, name));
	}
	return RK_OK;
}

/* What the flags' table does for a command, where there is none. */
static enum rk_err
read_env(struct settings *s, struct rk_error *err)
{
	enum rk_err r;

	for (unsigned i = 0; i < SET_COUNT; i++) {
		const char *value =
		    rows[i].env == NULL ? NULL : getenv(rows[i].env);

		if (value == NULL || value[0] == '\0')
			continue;
		if ((r = settings_check((enum setting_id)i, value, err)) !=
		    RK_OK)
			return r;
		set(s, (enum setting_id)i, value, "environment");
	}
	return RK_OK;
}

/* Durations are numbers already when they come from flags. */
static void
read_times(const struct args *a, struct settings *s)
{
	static const enum setting_id ids[] = { SET_TIMEOUT,
		SET_CONNECT_TIMEOUT };
	char text[32];

	for (size_t i = 0; i < 2; i++) {
		const char *name = rows[ids[i]].name;

		if (!args_given(a, name))
			continue;
		(void)snprintf(text, sizeof(text), "%llums",
		    (unsigned long long)args_number(a, name, 0));
		set(s, ids[i], text, flag_source(a, name));
	}
}

static void
built_in(struct settings *s)
{
	char path[PATH_LEN];
	const char *why = "built in";

	if (path_certs(NULL, false, path, &why) == RK_OK)
		set(s, SET_CERTS, path, why);
	if (path_known("known_server_keys", false, path) == RK_OK)
		set(s, SET_KNOWN, path, "built in");
	for (unsigned i = 0; i < SET_COUNT; i++)
		set(s, (enum setting_id)i, rows[i].built_in, "built in");
}

enum rk_err
settings_load(const struct args *a, struct settings *s, struct rk_error *err)
{
	char path[PATH_LEN];
	enum rk_err r;

	*s = (struct settings){ 0 };
	err_clear(err);
	r = a == NULL ? read_env(s, err) : read_flags(a, s, err);
	if (r != RK_OK)
		return r;
	if (a != NULL)
		read_times(a, s);
	if ((r = read_context(a, s, err)) != RK_OK)
		return r;
	if (path_user(PATH_CONFIG, "config", path) == RK_OK &&
	    (r = read_optional(s, path, err)) != RK_OK)
		return r;
	if ((r = read_optional(s, PATH_CONFIG_SYSTEM, err)) != RK_OK)
		return r;
	built_in(s);
	return RK_OK;
}

static bool
is_flag(const struct args *a, const char *name)
{
	return a != NULL && args_flag(a, name);
}

const char *
settings_url(
    const struct settings *s, const struct args *a, char out[SETTINGS_URL_LEN])
{
	const char *server = s->v[SET_SERVER].value;
	const char *scheme = is_flag(a, "tcp")    ? "tcp://"
	                     : is_flag(a, "quic") ? "quic://"
	                                          : "tls://";

	if (strstr(server, "://") != NULL || strncmp(server, "fd:", 3) == 0)
		scheme = "";
	(void)snprintf(out, SETTINGS_URL_LEN, "%s%s", scheme, server);
	return out;
}
