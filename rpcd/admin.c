/* The daemon's control: where it is, and what it does when it is told to. */
#include "daemon_int.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAY_S 86400
#define LOOK_MS 600000 /* at the days that are left */
#define FACT_LEN 512   /* what of one is kept */

/* ---- where ---- */

/* sudo -E leaves root the directory of the user who called it: who makes a
 * folder there keeps the user's own daemon out. */
static bool
is_foreign(const char *dir)
{
	char shown[200];
	struct stat st;

	if (stat(dir, &st) != 0 || st.st_uid == 0 || st.st_uid == geteuid())
		return false;
	log_event(RK_LOG_WARN, "daemon",
	    "no admin socket in %s, which belongs to another user; --admin "
	    "PATH places it elsewhere",
	    str_escape(shown, sizeof(shown), dir));
	return true;
}

/* A folder of our own, where the user's run-time directory is. */
static bool
make_folder(char path[PATH_LEN])
{
	char *socket = strrchr(path, '/'), *folder;
	bool made;

	*socket = '\0';
	folder = strrchr(path, '/');
	*folder = '\0';
	made = !is_foreign(path);
	*folder = '/';
	made = made && (mkdir(path, 0700) == 0 || errno == EEXIST);
	*socket = '/';
	return made;
}

static bool
usual_path(char out[PATH_LEN])
{
	if (path_admin_user(out) == RK_OK && make_folder(out))
		return true;
	(void)str_copy(out, PATH_LEN, PATH_ADMIN_SYSTEM);
	return access("/run/rpcd", W_OK | X_OK) == 0;
}

/* NULL: none. */
static const char *
named(const char *text)
{
	return text == NULL || strcmp(text, "none") == 0 ? NULL : text;
}

/* ---- what it says ---- */

static void
fact(struct daemon *d, const char *key, const char *text)
{
	if (rk_control_fact(d->admin.control, key, text) != RK_OK)
		log_event(RK_LOG_WARN, "daemon", "no memory for the status");
}

/* NAME, NAME_fingerprint, NAME_ends, NAME_days. */
static void
tell_cert(struct daemon *d, const char *name, const struct rk_cert_info *info)
{
	int64_t left = info->not_after - (int64_t)time(NULL);
	char key[64], end[32], text[200];

	str_time(end, info->not_after);
	(void)snprintf(text, sizeof(text), "%s, until %s", info->cn, end);
	fact(d, name, text);
	(void)snprintf(key, sizeof(key), "%s_fingerprint", name);
	fact(d, key, info->fp);
	(void)snprintf(key, sizeof(key), "%s_ends", name);
	fact(d, key, end);
	(void)snprintf(key, sizeof(key), "%s_days", name);
	(void)snprintf(text, sizeof(text), "%" PRId64, left / DAY_S);
	fact(d, key, text);
}

/* "lab id 7b1f 09aa, new id 0c11 d2e3", as many as there is room for. */
static void
tell_psks(struct daemon *d)
{
	const struct rk_psks *p = d->creds->psks;
	char text[FACT_LEN] = "";
	char id[RK_PSK_ID_LEN];
	size_t at = 0;

	for (size_t i = 0; p != NULL && i < rk_psks_count(p); i++) {
		int n;

		rk_psks_id(p, i, id);
		n = snprintf(text + at, sizeof(text) - at, "%s%s id %s",
		    i == 0 ? "" : ", ", rk_psks_name(p, i), id);
		if (n < 0 || (size_t)n >= sizeof(text) - at)
			break;
		at += (size_t)n;
	}
	text[at] = '\0';
	fact(d, "psk", p == NULL ? NULL : text);
}

static void
tell_facts(struct daemon *d)
{
	struct rk_cert_info info;

	tell_psks(d);
	fact(d, "config", d->settings->path != NULL ? d->settings->path : NULL);
	fact(d, "known_clients", d->creds->known);
	if (d->creds->ident == NULL)
		return;
	if (rk_ident_info(d->creds->ident, &info))
		tell_cert(d, "certificate", &info);
	if (rk_ident_ca_info(d->creds->ident, &info) == RK_OK)
		tell_cert(d, "ca", &info);
}

/* The settings that are in force are of now. */
static void
tell_load_time(struct daemon *d)
{
	char when[32];

	str_time(when, (int64_t)time(NULL));
	fact(d, "config_load_time", when);
}

/* The days that are left become fewer. */
static void
on_day(struct rk_timer *t, void *arg)
{
	struct daemon *d = arg;

	tell_facts(d);
	if (rk_timer_set(t, rk_loop_now(d->loop) + LOOK_MS) != RK_OK)
		log_event(RK_LOG_WARN, "daemon", "no memory for a timer");
}

/* ---- what it does ---- */

static void
answer_wait(struct admin_wait *w, enum rk_err r, const char *why)
{
	if (r == RK_OK)
		(void)rk_call_reply(w->call, NULL, 0);
	else
		(void)rk_call_fail(w->call, why, NULL, 0);
}

void
admin_reloaded(struct daemon *d, enum rk_err r, const char *why)
{
	struct admin *a = &d->admin;
	struct timespec now;
	char text[400], when[32];
	size_t kept = 0;

	if (a->control == NULL)
		return;
	if (why[0] == '\0')
		why = rk_err_text(r);
	for (size_t i = 0; i < a->n_waits; i++) {
		struct admin_wait w = a->waits[i];

		w.reloads--;
		if (w.reloads == 0)
			answer_wait(&w, r, why);
		else
			a->waits[kept++] = w;
	}
	a->n_waits = kept;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	str_time(when, now.tv_sec);
	(void)snprintf(text, sizeof(text), "%s %s%s", when,
	    r == RK_OK ? "ok" : "failed: ", r == RK_OK ? "" : why);
	fact(d, "reload", text);
	if (r == RK_OK)
		tell_load_time(d);
	tell_facts(d);
	rk_control_event(a->control, r == RK_OK ? "reloaded" : "not_reloaded",
	    r == RK_OK ? "" : why);
}

static void
on_reload(struct rk_call *call, void *arg)
{
	struct daemon *d = arg;
	struct admin *a = &d->admin;

	if (d->stops != 0 || a->n_waits == ADMIN_WAITS) {
		(void)rk_call_fail(call,
		    d->stops != 0 ? "rpcd is stopping"
		                  : "too many wait for this already",
		    NULL, 0);
		return;
	}
	if (rk_call_defer(call) == 0)
		return; /* the caller was told */
	a->waits[a->n_waits++] = (struct admin_wait){ .call = call,
		.reloads = d->reload.running ? 2 : 1 };
	daemon_reload(d);
}

static void
on_drain(struct rk_call *call, void *arg)
{
	struct daemon *d = arg;

	(void)rk_call_reply(call, NULL, 0);
	if (d->stops == 0)
		daemon_stop(d, false);
}

static void
on_stop(struct rk_call *call, void *arg)
{
	(void)rk_call_reply(call, NULL, 0);
	daemon_stop(arg, true);
}

/* ---- the beginning ---- */

/* What was passed in stands for what was configured. */
static void
take_passed(
    const struct daemon *d, const char *name, const char **path, int *fd)
{
	const struct inherited *in = inherit_admin(d->conf->inherit, name);

	if (in == NULL)
		return;
	*path = NULL;
	*fd = in->fd;
}

enum rk_err
admin_start(struct daemon *d, struct rk_error *err)
{
	const struct settings *s = d->settings;
	char usual[PATH_LEN], shown[200];
	struct rk_control_conf conf = { .size = sizeof(conf),
		.server = d->server,
		.path = named(s->admin),
		.view_path = named(s->admin_view),
		.name = "rpcd",
		.reload = on_reload,
		.drain = on_drain,
		.stop = on_stop,
		.arg = d,
		.group = s->admin_group };
	struct rk_error why;
	enum rk_err r;

	take_passed(d, "admin", &conf.path, &conf.fd);
	take_passed(d, "admin-view", &conf.view_path, &conf.view_fd);
	if (s->admin == NULL && conf.fd == 0 && usual_path(usual))
		conf.path = usual;
	if (conf.path == NULL && conf.view_path == NULL && conf.fd == 0 &&
	    conf.view_fd == 0)
		return RK_OK;
	r = rk_control_new(&conf, &d->admin.control, &why);
	if (r != RK_OK &&
	    (s->admin != NULL || s->admin_view != NULL ||
	        s->admin_group != NULL || conf.fd != 0 || conf.view_fd != 0)) {
		(void)err_set(err, r, "admin: %s", why.text);
		return r;
	}
	if (r != RK_OK) {
		/* Another daemon of the same user's, most of the time. */
		log_event(RK_LOG_WARN, "daemon",
		    "no admin socket: %s; --admin PATH places it elsewhere",
		    why.text);
		return RK_OK;
	}
	tell_load_time(d);
	if (rk_timer_new(d->loop, on_day, d, &d->admin.day) == RK_OK)
		on_day(d->admin.day, d);
	else
		tell_facts(d);
	if (conf.fd != 0)
		log_event(RK_LOG_INFO, "daemon", "admin socket passed in");
	if (conf.path != NULL)
		log_event(RK_LOG_INFO, "daemon", "admin socket %s",
		    str_escape(shown, sizeof(shown), conf.path));
	return RK_OK;
}
