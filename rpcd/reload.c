/* New settings while running: all of them, or none. */
#include "daemon_int.h"

#include "base/error.h"
#include "base/str.h"
#include "check.h"

static void
on_problem(const char *text, void *arg)
{
	(void)arg;
	log_event(RK_LOG_ERROR, "config", "%s", text);
}

static void
on_creds_retired(void *arg)
{
	creds_free(arg);
}

enum rk_err
daemon_use(struct daemon *d, struct creds *c, struct rk_error *err)
{
	enum rk_err r;

	r = rk_server_identity(
	    d->server, c->ident, c->trust, on_creds_retired, c, err);
	if (r == RK_OK)
		d->creds = c;
	return r;
}

void
daemon_tell_ready(const struct daemon *d)
{
	notify_send(&d->notify,
	    "READY=1\nSTATUS=serving %zu commands at %zu addresses",
	    d->settings->n_methods, d->n_urls);
}

/* What the server was made with stays until the next start. */
static void
warn_fixed(const struct daemon *d, const struct settings *s)
{
	const char *name;
	size_t i = 0;

	while ((name = settings_changed(d->first, s, &i)) != NULL)
		log_event(RK_LOG_WARN, "config",
		    "%s has changed: it takes effect at the next start", name);
}

/* Everything that can fail comes before anything changes. */
static enum rk_err
apply(struct daemon *d, struct settings *s, struct rk_error *err)
{
	struct creds *c = NULL;
	struct command_set *set = NULL;
	enum rk_err r;

	r = creds_load(s, d->tls, &d->ring, d->creds, &c, err);
	if (r != RK_OK)
		goto out;
	if ((r = commands_new(s, &d->super, d->set, &set)) != RK_OK) {
		(void)err_set(err, r, "out of memory");
		goto out;
	}
	/* The methods first: only memory can fail them, and the server then
	 * has the old ones still. */
	if ((r = commands_install(set, d->server, err)) != RK_OK)
		goto out;
	d->set = set;
	set = NULL;
	if ((r = daemon_use(d, c, err)) != RK_OK)
		goto out;
	c = NULL;
out:
	commands_release(set);
	creds_free(c);
	return r;
}

void
daemon_reload(struct daemon *d)
{
	struct settings *s;
	struct rk_error err = { .code = RK_OK };
	enum rk_err r;

	log_event(RK_LOG_INFO, "daemon", "reloading");
	notify_reloading(&d->notify);
	d->ring.no_input = true; /* nobody sits there */
	r = settings_load(
	    d->conf->args, d->conf->inherit->n > 0, on_problem, NULL, &s);
	if (r == RK_OK && (r = apply(d, s, &err)) != RK_OK)
		log_event(RK_LOG_ERROR, "config", "%s", err.text);
	if (r == RK_OK) {
		check_commands(s);
		warn_fixed(d, s);
		log_change(d->conf->log, (enum rk_log_level)s->log_level,
		    s->log_form == 1);
		settings_release(d->settings);
		d->settings = s;
		log_event(RK_LOG_INFO, "daemon", "reloaded: %zu commands",
		    s->n_methods);
	} else {
		settings_release(s);
		log_event(RK_LOG_ERROR, "daemon",
		    "not reloaded: the old settings stay in force");
	}
	daemon_tell_ready(d);
}
