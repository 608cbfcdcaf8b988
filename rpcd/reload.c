/* New settings while running: all of them, or none. */
#include "daemon_int.h"

#include <rpckit/ask.h>

#include "base/error.h"
#include "base/str.h"
#include "check.h"

#include <time.h>

static void
on_problem(const char *text, void *arg)
{
	struct reload *re = arg;

	if (re->why[0] == '\0')
		(void)str_copy(re->why, sizeof(re->why), text);
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

	rk_server_psks(d->server, c->psks);
	r = rk_server_identity(
	    d->server, c->ident, c->trust, on_creds_retired, c, err);
	if (r == RK_OK)
		d->creds = c;
	else
		rk_server_psks(
		    d->server, d->creds == NULL ? NULL : d->creds->psks);
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

/* Who was in force is again. */
static void
take_back(struct daemon *d, struct creds *before)
{
	struct rk_error err;

	if (daemon_use(d, creds_hold(before), &err) == RK_OK)
		return;
	creds_free(before);
	log_event(RK_LOG_ERROR, "config",
	    "the new identity and list are in force all the same: %s",
	    err.text);
}

/* How little a mode lets in.  What it is by the file's own mode is not known
 * here, and is as open as that can be. */
static int
strictness(enum rk_trust_mode mode)
{
	return mode == RK_TRUST_LOCK  ? 3
	       : mode == RK_TRUST_ASK ? 2
	       : mode == RK_TRUST_OFF ? 0
	                              : 1;
}

static const char *
mode_word(enum rk_trust_mode mode)
{
	return mode == RK_TRUST_LOCK   ? "lock"
	       : mode == RK_TRUST_ASK  ? "ask"
	       : mode == RK_TRUST_OFF  ? "off"
	       : mode == RK_TRUST_FILE ? "file"
	                               : "open";
}

/* The audit has every change of the mode, where there is a store; whoever reads
 * the log is to see that more are let in than before. */
static void
warn_looser(struct rk_trust *before, struct rk_trust *after)
{
	/* As it was in force, which an order may have set meanwhile. */
	const enum rk_trust_mode was = rk_trust_mode(before);
	const enum rk_trust_mode now = rk_trust_mode(after);

	if (strictness(now) < strictness(was))
		log_event(RK_LOG_WARN, "trust",
		    "trust is looser since this reload: %s, and was %s",
		    mode_word(now), mode_word(was));
}

/* Takes c over. */
static enum rk_err
apply(
    struct daemon *d, struct settings *s, struct creds *c, struct rk_error *err)
{
	struct creds *before = creds_hold(d->creds);
	struct command_set *set = NULL;
	enum rk_err r;

	if ((r = commands_new(s, &d->super, d->set, &set)) != RK_OK) {
		(void)err_set(err, r, "out of memory");
		goto out;
	}
	/* The identity first, which may not do; nothing but memory can fail
	 * the methods then, and nobody has called a new one. */
	if ((r = daemon_use(d, c, err)) != RK_OK)
		goto out;
	c = NULL;
	if ((r = commands_install(set, d->server, err)) == RK_OK) {
		d->set = set;
		set = NULL;
		warn_looser(before->trust, d->creds->trust);
	} else {
		take_back(d, before);
	}
out:
	commands_release(set);
	creds_free(c);
	creds_free(before);
	return r;
}

/* What the new settings mean, when all of it is in force. */
static void
take_settings(struct daemon *d, struct settings *s)
{
	check_commands(s);
	warn_fixed(d, s);
	log_change(
	    d->conf->log, (enum rk_log_level)s->log_level, s->log_form == 1);
	settings_release(d->settings);
	d->settings = s;
	log_event(
	    RK_LOG_INFO, "daemon", "reloaded: %zu commands", s->n_methods);
}

static void
end_reload(struct daemon *d, enum rk_err r)
{
	struct reload *re = &d->reload;
	bool again = re->again;

	if (r == RK_OK) {
		take_settings(d, re->settings);
	} else {
		if (re->err.text[0] != '\0')
			log_event(RK_LOG_ERROR, "config", "%s", re->err.text);
		log_event(RK_LOG_ERROR, "daemon",
		    "not reloaded: the old settings stay in force");
		settings_release(re->settings);
	}
	admin_reloaded(d, r, re->err.text[0] != '\0' ? re->err.text : re->why);
	*re = (struct reload){ .running = false };
	daemon_tell_ready(d);
	if (again)
		daemon_reload(d);
}

/* rk_post_fn: the thread is done. */
static void
on_loaded(void *arg)
{
	struct daemon *d = arg;
	struct reload *re = &d->reload;
	enum rk_err r = re->r;

	(void)pthread_join(re->thread, NULL);
	re->running = false;
	if (d->stops != 0) {
		creds_free(re->creds);
		settings_release(re->settings);
		admin_reloaded(d, RK_ECANCELED, "rpcd is stopping");
		return;
	}
	if (r == RK_OK)
		r = apply(d, re->settings, re->creds, &re->err);
	end_reload(d, r);
}

/* The identity and list in force stay until this is over. */
static void *
load(void *arg)
{
	const struct timespec nap = { .tv_nsec = 100000000 };
	struct daemon *d = arg;
	struct reload *re = &d->reload;
	const struct settings *s = re->settings;
	const bool tls = d->tls || settings_need_tls(s) ||
	                 inherit_has_tls(d->conf->inherit, s->psk.n > 0);

	re->r = creds_load(s, tls, &d->ring, d->creds, &re->creds, &re->err);
	while (rk_loop_post(d->loop, on_loaded, d) != RK_OK)
		(void)nanosleep(&nap, NULL); /* no memory: it may come */
	return NULL;
}

void
daemon_reload(struct daemon *d)
{
	struct reload *re = &d->reload;
	enum rk_err r;
	int e;

	if (re->running) {
		re->again = true;
		return;
	}
	log_event(RK_LOG_INFO, "daemon", "reloading");
	notify_reloading(&d->notify);
	d->ring.no_input = true; /* nobody sits there */
	r = settings_load(d->conf->args, inherit_count(d->conf->inherit) > 0,
	    on_problem, re, &re->settings);
	if (r == RK_OK)
		r = daemon_lend_keys(d, re->settings, &re->err);
	if (r != RK_OK) {
		end_reload(d, r);
		return;
	}
	re->running = true;
	/* It inherits a mask in which our signals are blocked. */
	e = pthread_create(&re->thread, NULL, load, d);
	if (e == 0)
		return;
	re->running = false;
	r = err_sys(&re->err, RK_ELIMIT, e, "cannot start a thread");
	end_reload(d, r);
}
