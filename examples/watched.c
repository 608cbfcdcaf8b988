/* A server that is watched and steered: watched CERTDIR URL SOCKET; then
 * `rpcd ctl --socket SOCKET` and `rpctui --socket SOCKET`. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include <rpckit/rpckit.h>

#define NAME_LEN_MAX 200
#define GRACE_MS 5000

struct app {
	struct rk_loop *loop;
	struct rk_ident *ident;
	struct rk_trust *trust;
	struct rk_server *server;
	struct rk_control *control;
	uint64_t greeted;
};

/* `rpcd ctl log` shows these lines, too: the library remembers the last. */
static void
write_log(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	(void)fprintf(stderr, "%s: %s\n", subsystem, line);
}

/* What only this program knows of itself: a fact in `rpcd ctl status`, and news
 * for who follows it in `rpcd ctl conns -w`. */
static void
tell(struct app *app, const char *email)
{
	char text[32];

	app->greeted++;
	(void)snprintf(text, sizeof(text), "%" PRIu64, app->greeted);
	(void)rk_control_fact(app->control, "greeted", text);
	rk_control_event(app->control, "greeted", email);
}

static void
hello(struct rk_call *call, void *arg)
{
	const struct rk_peer *peer = rk_call_peer(call);
	struct rk_bytes name = rk_call_payload(call);
	char text[NAME_LEN_MAX + 16];
	int n;

	if (name.len == 0 || name.len > NAME_LEN_MAX) {
		(void)rk_call_fail(call, "a name has 1 to 200 bytes", NULL, 0);
		return;
	}
	tell(arg, peer->cert.email);
	n = snprintf(text, sizeof(text), "hello, %.*s", (int)name.len,
	    (const char *)name.ptr);
	(void)rk_call_reply(call, text, n < 0 ? 0 : (size_t)n);
}

/* ---- the end: first the server, then who watches it ---- */

static void
on_unwatched(void *arg)
{
	rk_loop_stop(arg);
}

static void
on_stopped(void *arg)
{
	struct app *app = arg;

	rk_control_stop(app->control, on_unwatched, app->loop);
}

static void
on_signal(int signo, void *arg)
{
	struct app *app = arg;

	(void)signo;
	rk_server_stop(app->server, GRACE_MS, on_stopped, app);
}

/* `rpcd ctl drain`: what runs may end. */
static void
on_drain(struct rk_call *call, void *arg)
{
	struct app *app = arg;

	(void)rk_call_reply(call, NULL, 0);
	rk_server_stop(app->server, RK_NEVER, on_stopped, app);
}

/* `rpcd ctl stop`: now. */
static void
on_stop(struct rk_call *call, void *arg)
{
	struct app *app = arg;

	(void)rk_call_reply(call, NULL, 0);
	rk_server_stop(app->server, 0, on_stopped, app);
}

/* ---- the beginning ---- */

/* Unknown keys wait until somebody decides, and what was decided is kept in a
 * file beside the list, which has to be there. */
static enum rk_err
load(struct app *app, const char *dir, struct rk_error *err)
{
	enum rk_err r;

	r = rk_ident_load_dir(dir, "node", NULL, NULL, &app->ident, err);
	if (r == RK_OK)
		r = rk_trust_new(
		    "known_client_keys", RK_TRUST_ASK, &app->trust, err);
	if (r == RK_OK)
		r = rk_trust_keep(app->trust, true, err);
	return r;
}

/* Who may open the socket's file, which is this user, and root, may steer. */
static enum rk_err
be_watched(struct app *app, const char *path, struct rk_error *err)
{
	const struct rk_control_conf conf = {
		.size = sizeof(conf),
		.server = app->server,
		.path = path,
		.name = "watched",
		.version = "1.0",
		.drain = on_drain,
		.stop = on_stop,
		.arg = app,
	};

	return rk_control_new(&conf, &app->control, err);
}

static enum rk_err
serve(struct app *app, char **argv, struct rk_error *err)
{
	const struct rk_method method = {
		.name = "hello",
		.about = "greets",
		.args = "a name",
		.reply = "a greeting",
		.fn = hello,
		.arg = app,
	};
	struct rk_server_conf conf = { .size = sizeof(conf) };
	char bound[128];
	enum rk_err r;

	if ((r = rk_loop_new(&app->loop)) != RK_OK ||
	    (r = rk_loop_signal(app->loop, SIGTERM, on_signal, app)) != RK_OK ||
	    (r = rk_loop_signal(app->loop, SIGINT, on_signal, app)) != RK_OK ||
	    (r = load(app, argv[1], err)) != RK_OK)
		return r;
	conf.loop = app->loop;
	conf.ident = app->ident;
	conf.trust = app->trust;
	if ((r = rk_server_new(&conf, &app->server, err)) != RK_OK ||
	    (r = rk_server_methods(app->server, &method, 1, NULL, NULL, err)) !=
	        RK_OK ||
	    (r = rk_server_listen(app->server, argv[2], bound, err)) != RK_OK ||
	    (r = be_watched(app, argv[3], err)) != RK_OK)
		return r;
	/* From here on who watches is told of the end, too. */
	if ((r = rk_server_start(app->server, err)) != RK_OK) {
		on_stopped(app);
		(void)rk_loop_run(app->loop);
		return r;
	}
	(void)printf("listening %s\n", bound);
	(void)fflush(stdout);
	return rk_loop_run(app->loop);
}

int
main(int argc, char **argv)
{
	struct rk_error err = { .code = RK_OK };
	struct app app = { .loop = NULL };
	enum rk_err r = RK_EINVAL;

	rk_log_set(write_log, RK_LOG_INFO, NULL);
	if (argc == 4)
		r = serve(&app, argv, &err);
	if (r != RK_OK)
		(void)fprintf(stderr, "watched: %s\n",
		    err.code == r ? err.text : rk_err_text(r));
	rk_control_free(app.control);
	rk_server_free(app.server);
	rk_trust_free(app.trust);
	rk_ident_free(app.ident);
	rk_loop_free(app.loop);
	return rk_err_exit(r);
}
