/* The daemon's life: start, serve, reload, drain, end. */
#include "daemon_int.h"

#include "base/error.h"
#include "base/str.h"
#include "check.h"
#include "cli/path.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SPARE_DESCRIPTORS 512 /* listeners, commands, files */

/* ---- stopping ---- */

static void
on_control_done(void *arg)
{
	struct daemon *d = arg;

	rk_loop_stop(d->loop);
}

/* Calls are over and no process is left: the control is the last to go. */
static void
check_end(void *arg)
{
	struct daemon *d = arg;

	if (!d->server_done || !super_is_idle(&d->super))
		return;
	if (d->admin.control != NULL)
		rk_control_stop(d->admin.control, on_control_done, d);
	else
		rk_loop_stop(d->loop);
}

static void
on_server_done(void *arg)
{
	struct daemon *d = arg;

	d->server_done = true;
	d->super.server = NULL;
	super_stop(&d->super, d->stops > 1, check_end, d);
}

/* Once: running calls may end in time.  Again: at once. */
static void
stop(struct daemon *d, uint64_t grace)
{
	d->stops++;
	if (d->stops > 1)
		super_stop(&d->super, true, check_end, d);
	if (!d->server_done)
		rk_server_stop(
		    d->server, d->stops > 1 ? 0 : grace, on_server_done, d);
}

void
daemon_stop(struct daemon *d, bool at_once)
{
	log_event(RK_LOG_INFO, "daemon", "rpcd ctl: %s",
	    at_once ? "stopping at once" : "stopping");
	notify_send(&d->notify, "STOPPING=1\nSTATUS=stopping");
	if (at_once && d->stops == 0)
		d->stops = 1;
	stop(d, d->settings->drain);
}

static void
on_stop_signal(int signo, void *arg)
{
	struct daemon *d = arg;
	struct rk_server_stats stats;

	rk_server_stats(d->server, &stats);
	log_event(RK_LOG_INFO, "daemon",
	    "%s: %s, %llu connections, %llu calls running",
	    signo == SIGINT ? "SIGINT" : "SIGTERM",
	    d->stops == 0 ? "stopping" : "stopping at once",
	    (unsigned long long)stats.conns, (unsigned long long)stats.running);
	notify_send(&d->notify, "STOPPING=1\nSTATUS=stopping");
	stop(d, d->settings->drain);
}

/* As a service of inetd(8) ends with the only one it was there for. */
static void
on_deserted(void *arg)
{
	struct daemon *d = arg;

	log_event(RK_LOG_INFO, "daemon",
	    "who was at the descriptors is gone, and nobody can come: "
	    "stopping");
	notify_send(&d->notify, "STOPPING=1\nSTATUS=stopping");
	if (d->stops == 0)
		stop(d, d->settings->drain);
}

static void
on_hangup(int signo, void *arg)
{
	struct daemon *d = arg;

	(void)signo;
	if (d->stops == 0)
		daemon_reload(d);
}

/* ---- starting ---- */

static void
on_watchdog(struct rk_timer *t, void *arg)
{
	struct daemon *d = arg;

	notify_send(&d->notify, "WATCHDOG=1");
	if (rk_timer_set(t, rk_loop_now(d->loop) + d->notify.watchdog) != RK_OK)
		log_event(RK_LOG_ERROR, "daemon", "no memory for the watchdog");
}

/* As many descriptors as connections need; commands get the usual number. */
static void
raise_descriptors(struct daemon *d)
{
	rlim_t need = (rlim_t)d->settings->max_conns + SPARE_DESCRIPTORS;
	struct rlimit usual, more;

	if (getrlimit(RLIMIT_NOFILE, &usual) != 0 || usual.rlim_cur >= need)
		return;
	more = usual;
	more.rlim_cur = usual.rlim_max < need ? usual.rlim_max : need;
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		d->super.descriptors = usual;
	if (more.rlim_cur < need)
		log_event(RK_LOG_WARN, "daemon",
		    "max-connections = %llu needs %llu descriptors, and %llu "
		    "are allowed",
		    (unsigned long long)d->settings->max_conns,
		    (unsigned long long)need,
		    (unsigned long long)more.rlim_cur);
}

static enum rk_err
make_loop(struct daemon *d)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	enum rk_err r;

	/* Ignored, as some programs leave it, children could not be seen. */
	(void)sigaction(SIGCHLD, &usual, NULL);
	if ((r = rk_loop_new(&d->loop)) != RK_OK ||
	    (r = super_init(&d->super, d->loop)) != RK_OK ||
	    (r = rk_loop_signal(d->loop, SIGHUP, on_hangup, d)) != RK_OK ||
	    (r = rk_loop_signal(d->loop, SIGTERM, on_stop_signal, d)) !=
	        RK_OK ||
	    (r = rk_loop_signal(d->loop, SIGINT, on_stop_signal, d)) != RK_OK)
		return r;
	return rk_timer_new(d->loop, on_watchdog, d, &d->watchdog);
}

enum rk_err
daemon_lend_keys(
    const struct daemon *d, struct settings *s, struct rk_error *err)
{
	if (!s->trial)
		return RK_OK;
	if (d->trial.dir[0] == '\0')
		return err_set(err, RK_ENOENT, "the certificates are gone");
	s->certs = strdup(d->trial.dir);
	return s->certs != NULL ? RK_OK
	                        : err_set(err, RK_ENOMEM, "out of memory");
}

static enum rk_err
make_keys(struct daemon *d, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	if (d->settings->trial)
		r = trial_open(&d->trial, d->settings->key, err);
	return r == RK_OK ? daemon_lend_keys(d, d->settings, err) : r;
}

static enum rk_err
make_server(struct daemon *d, struct rk_error *err)
{
	const struct settings *s = d->settings;
	struct rk_server_conf conf = { .size = sizeof(conf),
		.loop = d->loop,
		.threads = (unsigned)s->threads,
		.tls_mode =
		    d->tls ? (enum rk_tls_mode)s->tls_mode : RK_TLS_MUTUAL,
		.timeouts = { .handshake = s->handshake,
		    .read = s->read,
		    .write = s->write,
		    .idle = s->idle },
		.max_conns = (unsigned)s->max_conns,
		.max_unproven = (unsigned)s->max_unproven,
		.max_per_source = (unsigned)s->max_per_source,
		.max_calls = (unsigned)s->max_calls,
		.max_queue = s->max_queue,
		.retry_from =
		    s->retry == RK_NEVER ? RK_RETRY_NEVER : (unsigned)s->retry,
		.congestion = (enum rk_congestion)s->congestion,
		.early = s->early_data ? RK_EARLY_MARKED : RK_EARLY_OFF,
		.seed = s->seed,
		.keepalive = s->keepalive,
		.dead_peer = s->dead_peer,
		.trust_wait = s->trust_wait,
		.deserted = on_deserted,
		.deserted_arg = d };
	struct creds *c = NULL;
	enum rk_err r;

	r = sessions_load(s, inherit_has_sessions(d->conf->inherit),
	    d->ring.no_input, &d->sessions, err);
	if (r == RK_OK)
		r = creds_load(s, d->tls, &d->ring, NULL, &c, err);
	if (r != RK_OK)
		return r;
	conf.session_key = d->sessions.key;
	conf.session_peers = d->sessions.peers;
	conf.ident = c->ident;
	conf.trust = c->trust;
	conf.psks = c->psks;
	if ((r = rk_server_new(&conf, &d->server, err)) != RK_OK)
		goto out;
	/* Once more, so that the server says when it needs them no longer. */
	if ((r = daemon_use(d, c, err)) != RK_OK) {
		rk_server_free(d->server);
		d->server = NULL;
		goto out;
	}
	c = NULL;
	d->super.server = d->server;
out:
	creds_free(c);
	return r;
}

static enum rk_err
make_methods(struct daemon *d, struct rk_error *err)
{
	struct command_set *set;
	enum rk_err r;

	r = commands_new(d->settings, &d->super, NULL, &set);
	if (r != RK_OK)
		return err_set(err, r, "out of memory");
	if ((r = commands_install(set, d->server, err)) == RK_OK)
		d->set = set;
	else
		commands_release(set);
	return r;
}

static void
say_who(const struct daemon *d)
{
	struct rk_cert_info info;
	char until[32];

	if (d->creds->ident == NULL || !rk_ident_info(d->creds->ident, &info))
		return;
	str_time(until, info.not_after);
	log_event(RK_LOG_INFO, "daemon",
	    "certificate %s, key %s, valid until %s", info.cn, info.fp, until);
}

/* Where there are commands, or a file that may name some later.  They run
 * without one, too. */
static void
start_keeper(struct daemon *d)
{
	struct rk_error err;

	if ((d->settings->path != NULL || d->settings->n_methods > 0) &&
	    keeper_start(&d->super.keeper, &err) != RK_OK)
		log_event(RK_LOG_WARN, "daemon", "%s", err.text);
}

static enum rk_err
start(struct daemon *d, struct rk_error *err)
{
	enum rk_err r;

	if ((r = notify_open(&d->notify, err)) != RK_OK)
		return r;
	start_keeper(d);
	if ((r = make_loop(d)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	raise_descriptors(d);
	if ((r = make_keys(d, err)) != RK_OK ||
	    (r = make_server(d, err)) != RK_OK ||
	    (r = make_methods(d, err)) != RK_OK ||
	    (r = daemon_listen(d, err)) != RK_OK)
		return r;
	check_commands(d->settings);
	say_who(d);
	return rk_server_start(d->server, err);
}

/* What a person can do about it; NULL: the text says it all. */
static const char *
advice(const struct daemon *d, enum rk_err r, char dst[256])
{
	const char *list;
	char key[64];

	if (d->creds == NULL && (list = creds_advice(d->settings, r)) != NULL)
		return list;
	if (r != RK_ENOENT || d->creds != NULL || !d->tls ||
	    keyring_failed(&d->ring, r))
		return NULL;
	str_escape(key, sizeof(key), path_key_name(d->settings->key));
	(void)snprintf(dst, 256, "selfy -k %s makes certificates; %s", key,
	    d->settings->echo ? "temporary keys are for loopback addresses, "
	                        "and not where --certs is given"
	                      : "rpcd --echo works without");
	return dst;
}

/* One more signal must not make a bad end of a good one: the loop, when it is
 * freed, gives them back to the system. */
static void
ignore_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigaction(SIGTERM, &ignore, NULL);
	(void)sigaction(SIGINT, &ignore, NULL);
}

static void
finish(struct daemon *d)
{
	ignore_signals();
	trial_close(&d->trial);
	/* A key being opened would keep a daemon that is to end. */
	if (d->reload.running)
		_Exit(d->status);
	rk_timer_free(d->admin.day);
	rk_control_free(d->admin.control);
	rk_server_free(d->server);
	sessions_fini(&d->sessions);
	rk_timer_free(d->watchdog);
	rk_loop_free(d->loop);
	keeper_stop(&d->super.keeper);
	inherit_close(d->conf->inherit);
	notify_close(&d->notify);
	keyring_fini(&d->ring);
	settings_release(d->first);
	settings_release(d->settings);
	free(d->urls);
}

/* Everything works: say so, and go round until stopped. */
static void
serve(struct daemon *d)
{
	struct rk_error err;

	if (admin_start(d, &err) == RK_OK &&
	    daemon_announce(d, &err) == RK_OK) {
		daemon_explain(d);
		daemon_tell_ready(d);
		if (d->notify.watchdog > 0)
			on_watchdog(d->watchdog, d);
	} else {
		d->status = out_error(d->conf->out, &err, NULL);
		stop(d, 0);
	}
	if (rk_loop_run(d->loop) == RK_OK)
		return;
	log_event(RK_LOG_ERROR, "daemon", "the loop failed");
	trial_close(&d->trial);
	_Exit(1);
}

int
daemon_run(const struct daemon_conf *conf)
{
	struct daemon d = { .conf = conf,
		.notify = { .fd = -1 },
		.super = { .keeper = { .fd = -1 } },
		.first = settings_hold(conf->settings),
		.settings = conf->settings,
		.ring = { .no_input = conf->no_input } };
	struct rk_error err;
	char tmp[256];
	enum rk_err r;

	d.tls = settings_need_tls(d.settings) ||
	        inherit_has_tls(conf->inherit, d.settings->psk.n > 0);
	if ((r = start(&d, &err)) == RK_OK)
		serve(&d);
	else
		d.status = out_error(conf->out, &err, advice(&d, r, tmp));
	finish(&d);
	return d.status;
}
