/* Looking before leaping: can these settings work here? */
#include "check.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/path.h"
#include "sessions.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOWN 160

static void
problem(const struct origin *from, const char *text)
{
	char where[WHERE_LEN];

	log_event(
	    RK_LOG_ERROR, "config", "%s%s", settings_where(from, where), text);
}

/* ---- commands ---- */

/* NULL, or what is wrong with the program. */
static const char *
program_fault(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? "is not there" : "cannot be reached";
	if (!S_ISREG(st.st_mode) || access(path, X_OK) != 0)
		return "cannot be executed";
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "can be changed by others";
	return NULL;
}

static void
check_folders(const struct settings *s)
{
	char where[WHERE_LEN];
	char name[SHOWN];
	char path[SHOWN];
	struct stat st;

	for (size_t i = 0; i < s->n_folders; i++) {
		const struct folder_conf *f = &s->folders[i];

		if (stat(f->root, &st) == 0 && S_ISDIR(st.st_mode))
			continue;
		log_event(RK_LOG_WARN, "config",
		    "%s[files %s]: %s is no folder that is there",
		    settings_where(&f->from, where),
		    str_escape(name, sizeof(name), f->name),
		    str_escape(path, sizeof(path), f->root));
	}
}

void
check_commands(const struct settings *s)
{
	char where[WHERE_LEN];
	char name[SHOWN];
	char path[SHOWN];

	for (size_t i = 0; i < s->n_methods; i++) {
		const struct method *m = &s->methods[i];
		const char *why = program_fault(m->argv[0]);

		if (why == NULL)
			continue;
		log_event(RK_LOG_WARN, "config", "%s[method %s]: %s %s",
		    settings_where(&m->exec_from, where),
		    str_escape(name, sizeof(name), m->name),
		    str_escape(path, sizeof(path), m->argv[0]), why);
	}
	check_folders(s);
}

/* ---- places to listen ---- */

/* Does somebody answer at this socket file? */
static enum rk_err
try_unix(const char *path, struct rk_error *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char shown[SHOWN];
	struct stat st;
	int fd, e;

	str_escape(shown, sizeof(shown), path);
	if (str_copy(to.sun_path, sizeof(to.sun_path), path) >=
	    sizeof(to.sun_path))
		return err_set(
		    err, RK_EINVAL, "%s: the path is too long", shown);
	if (lstat(path, &st) != 0)
		return errno == ENOENT
		           ? RK_OK
		           : err_sys(err, RK_EIO, errno, "%s", shown);
	if (!S_ISSOCK(st.st_mode))
		return err_set(
		    err, RK_EEXIST, "%s: there, and not a socket", shown);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, RK_EIO, errno, "%s", shown);
	e = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0
	        ? EADDRINUSE
	        : errno;
	(void)close(fd); /* it asked, and has its answer */
	return e == ECONNREFUSED ? RK_OK : err_sys(err, RK_EIO, e, "%s", shown);
}

/* How to listen for a moment, as nobody: TCP stands for what is over it. */
static const char *
trial_scheme(const char *given)
{
	if (strncmp(given, "ssh+udp:", 8) == 0)
		return "ssh+udp";
	return strncmp(given, "quic:", 5) == 0 ? "quic" : "tcp";
}

static enum rk_err
try_inet(const char *given, struct rk_error *err)
{
	struct rk_server_conf conf = { .size = sizeof(conf),
		.tls_mode = RK_TLS_SKIP_VERIFY };
	struct rk_server *server = NULL;
	struct rk_key *key = NULL;
	char *url = NULL;
	enum rk_err r;

	if (asprintf(&url, "%s%s", trial_scheme(given), strchr(given, ':')) < 0)
		return err_set(err, RK_ENOMEM, "out of memory");
	if ((r = rk_loop_new(&conf.loop)) != RK_OK ||
	    (r = rk_key_generate(&key)) != RK_OK) {
		(void)err_set(err, r, "%s", rk_err_text(r));
		goto out;
	}
	conf.session_key = key;
	if ((r = rk_server_new(&conf, &server, err)) != RK_OK)
		goto out;
	r = rk_server_listen(server, url, NULL, err);
out:
	rk_server_free(server);
	rk_loop_free(conf.loop);
	rk_key_free(key);
	free(url);
	return r;
}

/*
 * The places that somebody named.  Not the one that is the default: where
 * sockets are passed in at start, it may be among them.
 */
static bool
check_listen(const struct settings *s, const struct inherit *in)
{
	struct rk_error err;
	bool good = true;
	enum rk_err r;

	for (size_t i = 0; i < s->listen.n; i++) {
		const struct entry *e = &s->listen.items[i];

		if ((e->from.file == NULL && e->from.flag == NULL) ||
		    inherit_has_port(in, e->text))
			continue;
		if (strncmp(e->text, "fd:", 3) == 0)
			continue; /* as it is when it starts */
		if (strncmp(e->text, "unix://", 7) == 0 ||
		    strncmp(e->text, "ssh+unix://", 11) == 0)
			r = try_unix(strchr(e->text, '/') + 2, &err);
		else
			r = try_inet(e->text, &err);
		if (r == RK_OK)
			continue;
		problem(&e->from, err.text);
		good = false;
	}
	return good;
}

/* The folder of a socket: there, and nobody else's to change, as it has to be
 * when a control begins. */
static enum rk_err
try_folder(const char *path, struct rk_error *err)
{
	char dir[PATH_LEN], shown[SHOWN];
	char *slash;
	struct stat st;
	enum rk_err r;

	if (str_copy(dir, sizeof(dir), path) >= sizeof(dir))
		return err_set(err, RK_EINVAL, "the path is too long");
	slash = strrchr(dir, '/');
	slash[slash == dir ? 1 : 0] = '\0';
	str_escape(shown, sizeof(shown), dir);
	if (stat(dir, &st) != 0)
		return err_sys(err, RK_ENOENT, errno, "%s", shown);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, RK_ENOENT, "%s: not a folder", shown);
	if ((r = fs_check_parent(path, "control socket", err)) != RK_OK)
		return r;
	return access(dir, W_OK | X_OK) == 0
	           ? RK_OK
	           : err_sys(err, RK_EIO, errno, "%s", shown);
}

/* The control's sockets that somebody named; the usual one may be passed in. */
static bool
check_admin(const struct settings *s)
{
	const struct {
		const char *key;
		const char *path;
	} all[] = { { "admin", s->admin }, { "admin-view", s->admin_view } };
	const char *group = s->admin_group;
	char text[RK_ERROR_TEXT_LEN + 32], shown[SHOWN];
	struct rk_error err;
	bool good = true;

	for (size_t i = 0; i < 2; i++) {
		if (all[i].path == NULL || all[i].path[0] != '/' ||
		    (try_folder(all[i].path, &err) == RK_OK &&
		        try_unix(all[i].path, &err) == RK_OK))
			continue;
		(void)snprintf(
		    text, sizeof(text), "%s: %s", all[i].key, err.text);
		problem(settings_from(s, all[i].key), text);
		good = false;
	}
	if (group != NULL && getgrnam(group) == NULL) {
		(void)snprintf(text, sizeof(text),
		    "admin-group: there is no group %s",
		    str_escape(shown, sizeof(shown), group));
		problem(settings_from(s, "admin-group"), text);
		good = false;
	}
	return good;
}

/* Would a server take it as its own certificate? */
static enum rk_err
try_ident(const struct settings *s, const struct rk_ident *ident,
    struct rk_error *err)
{
	struct rk_server_conf conf = { .size = sizeof(conf),
		.tls_mode = (enum rk_tls_mode)s->tls_mode,
		.ident = ident };
	struct rk_server *server = NULL;
	enum rk_err r;

	if ((r = rk_loop_new(&conf.loop)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	r = rk_server_new(&conf, &server, err);
	rk_server_free(server);
	rk_loop_free(conf.loop);
	return r;
}

/* ---- all of it ---- */

/* With the advice of a start. */
static bool
check_trust(const struct settings *s, struct creds *c)
{
	static const struct origin nowhere = { 0 };
	const char *advice;
	struct rk_error err;
	enum rk_err r;

	r = creds_load_trust(s, NULL, c, &err);
	if (r == RK_OK)
		r = creds_keep_trust(s, false, c, &err);
	if (r == RK_OK)
		return true;
	problem(&nowhere, err.text);
	advice = creds_advice(s, r);
	if (advice != NULL)
		log_event(RK_LOG_ERROR, "config", "try: %s", advice);
	return false;
}

static bool
check_creds(
    const struct settings *s, const struct inherit *in, struct keyring *ring)
{
	static const struct origin nowhere = { 0 };
	const bool tls =
	    settings_need_tls(s) || inherit_has_tls(in, s->psk.n > 0);
	struct creds c = { .ident = NULL };
	struct sessions ssh;
	struct rk_error err;
	bool good = true;

	if (creds_load_psks(s, &c, &err) != RK_OK) {
		problem(&nowhere, err.text);
		good = false;
	}
	if (!check_trust(s, &c))
		good = false;
	if (tls && !s->trial &&
	    (creds_load_ident(s, ring, &c, &err) != RK_OK ||
	        try_ident(s, c.ident, &err) != RK_OK)) {
		problem(&nowhere, err.text);
		good = false;
	}
	if (sessions_load(s, inherit_has_sessions(in), ring->no_input, &ssh,
	        &err) != RK_OK) {
		problem(&nowhere, err.text);
		good = false;
	}
	sessions_fini(&ssh);
	creds_fini(&c);
	return good;
}

bool
check_all(
    const struct settings *s, const struct inherit *in, struct keyring *ring)
{
	bool good = check_creds(s, in, ring);

	check_commands(s);
	/* What the library warns about here, it says again at start. */
	rk_log_set_level(RK_LOG_ERROR);
	if (!check_listen(s, in))
		good = false;
	if (!check_admin(s))
		good = false;
	return good;
}
