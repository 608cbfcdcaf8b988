/* A server with one method over TLS: hello_server CERTDIR [URL]. */
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
};

/* The library is silent until it is given somewhere to write. */
static void
write_log(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	(void)fprintf(stderr, "%s: %s\n", subsystem, line);
}

/* The payload is the caller's: any bytes, and any number of them. */
static void
hello(struct rk_call *call, void *arg)
{
	const struct rk_peer *peer = rk_call_peer(call);
	struct rk_bytes name = rk_call_payload(call);
	char text[NAME_LEN_MAX + sizeof(peer->cert.email) + 16];
	int n;

	(void)arg;
	if (name.len == 0 || name.len > NAME_LEN_MAX) {
		(void)rk_call_fail(call, "a name has 1 to 200 bytes", NULL, 0);
		return;
	}
	n = snprintf(text, sizeof(text), "hello, %.*s (%s)", (int)name.len,
	    (const char *)name.ptr, peer->cert.email);
	(void)rk_call_reply(call, text, n < 0 ? 0 : (size_t)n);
}

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

static void
on_signal(int signo, void *arg)
{
	struct app *app = arg;

	(void)signo;
	rk_server_stop(app->server, GRACE_MS, on_stopped, app->loop);
}

static enum rk_err
serve(struct app *app, const char *dir, const char *url, struct rk_error *err)
{
	const struct rk_method method = {
		.name = "hello",
		.about = "greets",
		.args = "a name",
		.reply = "a greeting",
		.fn = hello,
		.idempotent = true,
	};
	struct rk_server_conf conf = { .size = sizeof(conf) };
	char bound[128];
	enum rk_err r;

	if ((r = rk_loop_new(&app->loop)) != RK_OK ||
	    (r = rk_loop_signal(app->loop, SIGTERM, on_signal, app)) != RK_OK ||
	    (r = rk_loop_signal(app->loop, SIGINT, on_signal, app)) != RK_OK ||
	    (r = rk_ident_load_dir(
	         dir, "node", NULL, NULL, &app->ident, err)) != RK_OK ||
	    (r = rk_trust_new("known_client_keys", RK_TRUST_FILE, &app->trust,
	         err)) != RK_OK)
		return r;
	conf.loop = app->loop;
	conf.ident = app->ident;
	conf.trust = app->trust;
	if ((r = rk_server_new(&conf, &app->server, err)) != RK_OK ||
	    (r = rk_server_methods(app->server, &method, 1, NULL, NULL, err)) !=
	        RK_OK ||
	    (r = rk_server_listen(app->server, url, bound, err)) != RK_OK ||
	    (r = rk_server_start(app->server, err)) != RK_OK)
		return r;
	(void)printf("listening %s\n", bound);
	(void)fflush(stdout);
	return rk_loop_run(app->loop);
}

int
main(int argc, char **argv)
{
	const char *url = argc > 2 ? argv[2] : "tls://127.0.0.1:8443";
	struct rk_error err = { .code = RK_OK };
	struct app app = { .loop = NULL };
	enum rk_err r = RK_EINVAL;

	rk_log_set(write_log, RK_LOG_INFO, NULL);
	if (argc > 1)
		r = serve(&app, argv[1], url, &err);
	if (r != RK_OK)
		(void)fprintf(stderr, "hello_server: %s\n",
		    err.code == r ? err.text : rk_err_text(r));
	rk_server_free(app.server);
	rk_trust_free(app.trust);
	rk_ident_free(app.ident);
	rk_loop_free(app.loop);
	return rk_err_exit(r);
}
