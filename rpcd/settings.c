/* What rpcd is told: reading the file, flags on top, defaults below. */
#include "settings.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/pass.h"
#include "cli/path.h"
#include "keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VALUE_SHOWN 100

/* One load under way. */
struct load {
	struct settings *s;
	const struct args *a;
	settings_problem_fn *problem;
	void *arg;
	enum rk_err r; /* of the first problem */
};

const char *
settings_where(const struct origin *from, char dst[WHERE_LEN])
{
	dst[0] = '\0';
	if (from->file != NULL)
		(void)snprintf(
		    dst, WHERE_LEN, "%s:%u: ", from->file, from->line);
	else if (from->flag != NULL)
		(void)snprintf(dst, WHERE_LEN, "%s: ", from->flag);
	return dst;
}

RK_PRINTF(4, 5)
static void
complain(struct load *l, enum rk_err code, const struct origin *from,
    const char *fmt, ...)
{
	char where[WHERE_LEN];
	char what[RK_ERROR_TEXT_LEN];
	char text[WHERE_LEN + RK_ERROR_TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(what, sizeof(what), fmt, ap) < 0)
		what[0] = '\0';
	va_end(ap);
	settings_where(from, where);
	(void)snprintf(text, sizeof(text), "%s%s", where, what);
	l->problem(text, l->arg);
	if (l->r == RK_OK)
		l->r = code;
}

/* Bad flags are wrong use, bad lines a bad file. */
static enum rk_err
code_of(const struct origin *from)
{
	return from->file == NULL ? RK_EINVAL : RK_EFORMAT;
}

static void
set_key(struct load *l, const struct key *k, void *base, const char *text,
    const struct origin *from)
{
	char shown[VALUE_SHOWN];
	char reason[160];
	const char *why = keys_set(k, base, text, from, reason);

	if (why == NULL)
		return;
	str_escape(shown, sizeof(shown), text);
	if (from->file == NULL)
		complain(l, RK_EINVAL, from, "\"%s\" is %s", shown, why);
	else
		complain(l, RK_EFORMAT, from, "%s: \"%s\" is %s", k->name,
		    shown, why);
}

static void
set_main(struct load *l, const char *name, const char *text,
    const struct origin *from)
{
	const struct key *k = keys_find(keys_main, name);

	set_key(l, k, l->s, text, from);
	l->s->from[k - keys_main] = *from;
}

/* ---- the file ---- */

static struct method *
find_method(struct load *l, const char *name, const struct origin *from)
{
	struct settings *s = l->s;
	struct method *m = s->methods;

	for (size_t i = 0; i < s->n_methods; i++) {
		if (strcmp(m[i].name, name) == 0)
			return &m[i];
	}
	m = reallocarray(m, s->n_methods + 1, sizeof(*m));
	if (m == NULL)
		return NULL;
	s->methods = m;
	m += s->n_methods;
	*m = (struct method){ .name = strdup(name),
		.from = *from,
		.exec_from = *from,
		.args = ARGS_RAW,
		.reply = REPLY_RAW,
		.max_output = METHOD_NO_LIMIT,
		.concurrency = 4 };
	if (m->name == NULL)
		return NULL;
	s->n_methods++;
	return m;
}

static void
take_files(
    struct load *l, const struct conf_item *item, const struct origin *from)
{
	struct folder_conf *f = folders_find(l->s, item->name, from);

	if (f == NULL)
		complain(l, RK_ENOMEM, from, "out of memory");
	else
		set_key(
		    l, keys_find(keys_files, item->key), f, item->value, from);
}

static void
take_item(struct load *l, const struct conf_item *item)
{
	struct origin from = { .file = l->s->shown, .line = item->line };
	const struct key *k = keys_find(keys_method, item->key);
	struct method *m;

	if (item->section[0] == '\0') {
		set_main(l, item->key, item->value, &from);
		return;
	}
	if (strcmp(item->section, "files") == 0) {
		take_files(l, item, &from);
		return;
	}
	m = find_method(l, item->name, &from);
	if (m == NULL) {
		complain(l, RK_ENOMEM, &from, "out of memory");
		return;
	}
	if (strcmp(k->name, "exec") == 0)
		m->exec_from = from;
	if (strcmp(k->name, "max-output") == 0)
		m->max_output_from = from;
	set_key(l, k, m, item->value, &from);
}

static void
on_conf_problem(const char *text, void *arg)
{
	struct load *l = arg;

	l->problem(text, l->arg);
	if (l->r == RK_OK)
		l->r = RK_EFORMAT;
}

static void
read_file(struct load *l, const char *path)
{
	static const struct origin nowhere = { 0 };
	struct key_tables tables;
	struct conf *c = NULL;
	struct rk_error err;
	enum rk_err r;

	l->s->path = strdup(path);
	str_escape(l->s->shown, sizeof(l->s->shown), path);
	keys_tables(&tables);
	r = conf_read_some(path, tables.sections, &c, on_conf_problem, l, &err);
	if (r != RK_OK && r != RK_EFORMAT)
		complain(l, r, &nowhere, "%s", err.text);
	if (l->s->path == NULL)
		complain(l, RK_ENOMEM, &nowhere, "out of memory");
	for (size_t i = 0; c != NULL && i < conf_count(c); i++)
		take_item(l, conf_at(c, i));
	conf_free(c);
}

/* ---- the flags ---- */

static void
take_flag(struct load *l, const char *flag, const char *key, const char *value)
{
	const char *dashed = flag + 2;
	struct origin from = { .flag = flag };

	if (value == NULL)
		value = args_text(l->a, dashed, NULL);
	if (value != NULL && args_given(l->a, dashed))
		set_main(l, key, value, &from);
}

/* Of the original's words: TLS unless told otherwise. */
static const char *
transport(const struct load *l)
{
	if (args_flag(l->a, "tcp"))
		return "tcp";
	return args_flag(l->a, "quic") ? "quic" : "tls";
}

static void
check_transport(struct load *l)
{
	static const struct origin from_q = { .flag = "-q" };

	if (args_flag(l->a, "tcp") && args_flag(l->a, "quic"))
		complain(l, RK_EINVAL, &from_q, "excludes -tcp");
}

static void
take_listen(struct load *l)
{
	static const struct origin from = { .flag = "--listen" };
	static const struct origin from_s = { .flag = "-s" };
	size_t n, n_s;
	const char *const *list = args_list(l->a, "listen", &n);
	const char *const *addr = args_list(l->a, "server", &n_s);
	char *text;

	/* Flags stand for all the lines of the file. */
	if (n + n_s > 0)
		keys_clear(keys_find(keys_main, "listen"), l->s);
	for (size_t i = 0; i < n; i++)
		set_main(l, "listen", list[i], &from);
	for (size_t i = 0; i < n_s; i++) {
		if (strstr(addr[i], "://") != NULL) {
			set_main(l, "listen", addr[i], &from_s);
			continue;
		}
		if (asprintf(&text, "%s:%s", transport(l), addr[i]) < 0) {
			complain(l, RK_ENOMEM, &from_s, "out of memory");
			return;
		}
		set_main(l, "listen", text, &from_s);
		free(text);
	}
}

static void
take_psk(struct load *l)
{
	static const struct origin from = { .flag = "--psk" };
	size_t n;
	const char *const *list = args_list(l->a, "psk", &n);

	if (n > 0)
		keys_clear(keys_find(keys_main, "psk"), l->s);
	for (size_t i = 0; i < n; i++)
		set_main(l, "psk", list[i], &from);
}

static void
take_flags(struct load *l)
{
	check_transport(l);
	take_listen(l);
	take_psk(l);
	take_flag(l, "--admin", "admin", NULL);
	take_flag(l, "--certs", "certs", NULL);
	take_flag(l, "--key", "key", NULL);
	take_flag(l, "--known", "known-clients", NULL);
	take_flag(l, "--ssh-key", "ssh-key", NULL);
	take_flag(l, "--ssh-peers", "ssh-peers", NULL);
	take_flag(l, "--trust", "trust", NULL);
	take_flag(l, "--pass", "pass", NULL);
	take_flag(l, "--threads", "threads", NULL);
	take_flag(l, "--server-only", "tls-mode", "server-only");
	take_flag(l, "--skip-verify", "tls-mode", "skip-verify");
	take_flag(l, "--echo", "echo", "yes");
	take_flag(l, "--quiet", "log-level", "warn");
	take_flag(l, "--verbose", "log-level", "debug");
	take_flag(l, "--log-level", "log-level", NULL);
	take_flag(l, "--json", "log-format", "json");
	take_flag(l, "--log-format", "log-format", NULL);
}

/* ---- what nobody said ---- */

static void
set_default(struct load *l, const char *name, const char *text)
{
	static const struct origin nowhere = { 0 };

	set_key(l, keys_find(keys_main, name), l->s, text, &nowhere);
}

static bool
was_given(const struct settings *s, const char *key)
{
	const struct origin *from = settings_from(s, key);

	return from->file != NULL || from->flag != NULL;
}

static bool
have_certs(const struct settings *s)
{
	char name[PATH_LEN];
	char path[PATH_LEN];

	if (s->certs == NULL || s->key == NULL ||
	    snprintf(name, sizeof(name), "%s.crt", path_key_name(s->key)) < 0)
		return false;
	return fs_join(path, sizeof(path), s->certs, "ca.crt") == RK_OK &&
	       access(path, F_OK) == 0 &&
	       fs_join(path, sizeof(path), s->certs, name) == RK_OK &&
	       access(path, F_OK) == 0;
}

static void
default_listen(struct load *l, bool have_fds)
{
	const struct settings *s = l->s;
	char text[32];

	if (s->listen.n > 0 || have_fds)
		return;
	(void)snprintf(text, sizeof(text), "%s:127.0.0.1:%d", transport(l),
	    s->echo ? 0 : 8443);
	set_default(l, "listen", text);
}

/* May nobody from elsewhere come by TLS or QUIC? */
static bool
is_local(const struct settings *s)
{
	static const char *const ours[] = { "127.", "localhost:", "[::1]:" };
	bool local = true;

	for (size_t i = 0; i < s->listen.n && local; i++) {
		const char *url = s->listen.items[i].text;
		const char *host = url + strcspn(url, ":") + 1;

		host += strspn(host, "/");
		local = !settings_needs_keys(url);
		for (size_t j = 0; j < 3 && !local; j++)
			local = strncmp(host, ours[j], strlen(ours[j])) == 0;
	}
	return local;
}

/*
 * To try things out nobody needs certificates, unless some were named.  A list
 * of known keys would be of no use to temporary ones, and is only asked when
 * it was named.
 */
static void
choose_trial(struct load *l, bool named, bool have_fds)
{
	struct settings *s = l->s;

	s->trial = s->echo && !named && !have_fds && settings_need_tls(s) &&
	           is_local(s) && !have_certs(s);
	if (!s->trial)
		return;
	keys_clear(keys_find(keys_main, "certs"), s);
	if (!was_given(s, "known-clients") && !was_given(s, "trust"))
		set_default(l, "trust", "off");
}

static void
fill_missing(struct load *l, bool have_fds)
{
	static const struct origin nowhere = { 0 };
	char path[PATH_LEN];
	bool named = l->s->certs != NULL || getenv("RPCKIT_CERTS") != NULL;
	const char *why;
	enum rk_err r = RK_OK;

	if (l->s->certs == NULL &&
	    (r = path_certs(NULL, true, path, &why)) == RK_OK)
		set_default(l, "certs", path);
	if (r == RK_OK && l->s->known == NULL &&
	    (r = path_known("known_client_keys", true, path)) == RK_OK)
		set_default(l, "known-clients", path);
	if (r != RK_OK)
		complain(l, r, &nowhere, "path too long");
	if (l->s->key == NULL)
		set_default(l, "key", "node");
	default_listen(l, have_fds);
	choose_trial(l, named, have_fds);
}

/* ---- what only shows when all is read ---- */

static const char *
name_fault(const char *name)
{
	static const char *const taken[] = { "echo", "customEcho",
		"echoBistreamFunc", "__fileUploader", "__downloaderName" };

	if (strlen(name) > RK_NAME_MAX)
		return "the name is too long";
	if (strncmp(name, "_.", 2) == 0)
		return "the name is that of a built-in method";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(name, taken[i]) == 0)
			return "the name is that of a built-in method";
	}
	if (strpbrk(name, " \t") != NULL)
		return "the name has a blank in it";
	return NULL;
}

/* What a live stream and one answer do not have in common; NULL: all is well.
 */
static const char *
stream_fault(const struct method *m)
{
	if (m->stream && m->reply != REPLY_RAW)
		return "a stream has no form of reply: it is raw";
	if (m->stream && m->idempotent)
		return "a stream is never repeated: it is not idempotent";
	return NULL;
}

/* A stream may go on for ever; an answer is waited for, and is one message. */
static void
set_limits(struct load *l, struct method *m)
{
	if (m->timeout == 0)
		m->timeout = m->stream ? RK_NEVER : 10000;
	if (m->stream)
		return;
	if (m->max_output == METHOD_NO_LIMIT)
		m->max_output = 1 << 20;
	if (m->max_output > RK_PAYLOAD_MAX)
		complain(l, RK_EFORMAT, &m->max_output_from,
		    "max-output: only a stream takes more than %d bytes",
		    RK_PAYLOAD_MAX);
}

static void
judge_method(struct load *l, struct method *m)
{
	const char *why = name_fault(m->name);
	char shown[VALUE_SHOWN];
	struct rk_error err;
	size_t n = 0;

	str_escape(shown, sizeof(shown), m->name);
	if (why != NULL)
		complain(
		    l, RK_EFORMAT, &m->from, "[method %s]: %s", shown, why);
	if ((why = stream_fault(m)) != NULL)
		complain(
		    l, RK_EFORMAT, &m->from, "[method %s]: %s", shown, why);
	set_limits(l, m);
	if (m->exec == NULL) {
		if (m->from.line == m->exec_from.line)
			complain(l, RK_EFORMAT, &m->from,
			    "[method %s] has no exec", shown);
		return;
	}
	if (conf_split(m->exec, &m->argv, &n, &err) != RK_OK)
		complain(l, code_of(&m->exec_from), &m->exec_from, "exec: %s",
		    err.text);
	else if (n == 0 || m->argv[0][0] != '/')
		complain(l, code_of(&m->exec_from), &m->exec_from,
		    "exec: the program needs an absolute path");
}

static void
judge_folder(struct load *l, const struct folder_conf *f)
{
	const char *why = name_fault(f->name);
	char shown[VALUE_SHOWN];

	if (why == NULL)
		why = folders_fault(l->s, f);
	if (why != NULL)
		complain(l, RK_EFORMAT, &f->from, "[files %s]: %s",
		    str_escape(shown, sizeof(shown), f->name), why);
}

static void
judge(struct load *l)
{
	const struct origin *from = settings_from(l->s, "pass");
	struct rk_error err;

	for (size_t i = 0; i < l->s->n_methods; i++) {
		/* A section without a name was told about already. */
		if (l->s->methods[i].name[0] != '\0')
			judge_method(l, &l->s->methods[i]);
	}
	for (size_t i = 0; i < l->s->n_folders; i++) {
		if (l->s->folders[i].name[0] != '\0')
			judge_folder(l, &l->s->folders[i]);
	}
	if (pass_check(l->s->pass, &err) != RK_OK)
		complain(l, code_of(from), from, "%s%s",
		    from->file == NULL ? "" : "pass: ", err.text);
}

static struct settings *
new_settings(void)
{
	struct settings *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	atomic_init(&s->refs, 1);
	s->log_level = RK_LOG_INFO;
	s->max_new_keys = RK_TRUST_NEW_KEYS;
	s->trust_wait = 25000;
	s->early_data = true;
	s->max_conns = 4096;
	s->max_unproven = 512;
	s->max_per_source = 16;
	s->max_calls = 1024;
	s->max_queue = 4 << 20;
	s->retry = 64;
	s->handshake = 10000;
	s->agent_wait = 250;
	s->read = 30000;
	s->write = 30000;
	s->idle = 300000;
	s->keepalive = s->dead_peer = RK_NEVER;
	s->drain = 30000;
	return s;
}

enum rk_err
settings_load(const struct args *a, bool have_fds, settings_problem_fn *problem,
    void *arg, struct settings **out)
{
	struct load l = { .a = a, .problem = problem, .arg = arg };
	const char *path = args_text(a, "config", NULL);

	*out = NULL;
	l.s = new_settings();
	if (l.s == NULL) {
		problem("out of memory", arg);
		return RK_ENOMEM;
	}
	if (path == NULL && !args_flag(a, "echo") &&
	    access(SETTINGS_FILE, F_OK) == 0)
		path = SETTINGS_FILE;
	if (path != NULL)
		read_file(&l, path);
	take_flags(&l);
	fill_missing(&l, have_fds);
	judge(&l);
	if (l.r == RK_OK)
		*out = l.s;
	else
		settings_release(l.s);
	return l.r;
}

struct settings *
settings_hold(struct settings *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

static void
free_method(struct method *m)
{
	for (const struct key *k = keys_method; k->name != NULL; k++)
		keys_clear(k, m);
	free(m->argv);
	free(m->name);
}

void
settings_release(struct settings *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	folders_free(s);
	for (size_t i = 0; i < s->n_methods; i++)
		free_method(&s->methods[i]);
	for (const struct key *k = keys_main; k->name != NULL; k++)
		keys_clear(k, s);
	free(s->methods);
	free(s->path);
	free(s);
}
