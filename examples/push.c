/* A server that pushes and clients that subscribe: push URL, push URL COUNT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

struct app {
	struct rk_loop *loop;
	struct rk_server *server;
	unsigned heard;
	unsigned wanted;
	enum rk_err result;
	struct rk_error err;
};

/* ---- the server ---- */

/* What the pusher waits for: the call to be answered with what came of it. */
struct told {
	struct rk_server *server;
	uint64_t call;
};

/* Once for every push that was taken, on the server's loop 0. */
static void
on_pushed(const struct rk_push_report *r, void *arg)
{
	struct told *told = arg;
	char text[64];

	(void)snprintf(
	    text, sizeof(text), "%zu of %zu were told", r->sent, r->targets);
	if (rk_server_reply(
	        told->server, told->call, NULL, text, strlen(text)) != RK_OK)
		(void)fprintf(stderr, "push: out of memory\n");
	free(told);
}

/* Pass what somebody says on to all who subscribed to it. */
static void
say(struct rk_call *call, void *arg)
{
	const struct rk_push_target to = { .to = RK_PUSH_SUBSCRIBERS };
	struct rk_bytes p = rk_call_payload(call);
	struct rk_push push = { .subject = "talk",
		.payload = p.ptr,
		.payload_len = p.len,
		.timeout = 5000 };
	struct told *told = malloc(sizeof(*told));
	enum rk_err r = RK_ENOMEM;

	(void)arg;
	if (told != NULL) {
		told->server = rk_call_server(call);
		told->call = rk_call_defer(call);
		if (told->call == 0) { /* the caller has been told already */
			free(told);
			return;
		}
		r = rk_server_push(told->server, &to, &push, on_pushed, told);
	}
	if (r == RK_OK)
		return;
	(void)rk_call_fail(call, rk_err_text(r), NULL, 0);
	free(told);
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
	rk_server_stop(app->server, 5000, on_stopped, app->loop);
}

static enum rk_err
serve(struct app *app, const char *url)
{
	struct rk_server_conf conf = { .size = sizeof(conf),
		.loop = app->loop };
	const struct rk_method m = { "say", .fn = say };
	enum rk_err r;

	r = rk_loop_signal(app->loop, SIGTERM, on_signal, app);
	if (r != RK_OK ||
	    (r = rk_server_new(&conf, &app->server, &app->err)) != RK_OK)
		return r;
	r = rk_server_methods(app->server, &m, 1, NULL, NULL, &app->err);
	if (r == RK_OK)
		r = rk_server_listen(app->server, url, NULL, &app->err);
	if (r == RK_OK)
		r = rk_server_start(app->server, &app->err);
	if (r == RK_OK)
		r = rk_loop_run(app->loop);
	rk_server_free(app->server);
	return r;
}

/* ---- the client ---- */

static void
on_told(struct rk_client *client, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct app *app = arg;
	char line[256];

	(void)hdr;
	(void)puts(rk_escape(
	    line, sizeof(line), (const char *)payload.ptr, payload.len));
	if (++app->heard == app->wanted)
		rk_client_shutdown(client);
}

/* The server knows that we subscribed, or has said why not. */
static void
on_announced(struct rk_client *client, const struct rk_reply *reply, void *arg)
{
	struct app *app = arg;

	if (reply->code != RK_OK) {
		app->result = reply->code;
		rk_client_shutdown(client);
		return;
	}
	(void)puts("subscribed");
	(void)fflush(stdout);
}

static void
on_closed(struct rk_client *client, const struct rk_error *why, void *arg)
{
	struct app *app = arg;

	(void)client;
	if (why->code != RK_ECANCELED) { /* not our own shutdown */
		app->result = why->code;
		app->err = *why;
	}
	rk_loop_stop(app->loop);
}

static enum rk_err
hear(struct app *app, const char *url)
{
	struct rk_client_conf conf = { .size = sizeof(conf),
		.url = url,
		.loop = app->loop,
		.closed = on_closed,
		.arg = app };
	const struct rk_subscription talk = { .subject = "talk",
		.announce = true,
		.fn = on_told,
		.announced = on_announced,
		.arg = app };
	struct rk_client *client;
	enum rk_err r;

	if ((r = rk_client_new(&conf, &client, &app->err)) != RK_OK)
		return r;
	/* For this connection, and for every one that follows. */
	r = rk_client_subscribe(client, &talk, NULL);
	if (r == RK_OK)
		r = rk_client_start(client, &app->err);
	if (r == RK_OK)
		r = rk_loop_run(app->loop);
	rk_client_free(client);
	return r == RK_OK ? app->result : r;
}

int
main(int argc, char **argv)
{
	struct app app = { .result = RK_OK };
	enum rk_err r = RK_EINVAL;

	if (argc > 1 && (r = rk_loop_new(&app.loop)) == RK_OK) {
		app.wanted =
		    argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
		r = app.wanted == 0 ? serve(&app, argv[1])
		                    : hear(&app, argv[1]);
	}
	if (r != RK_OK)
		(void)fprintf(stderr, "push: %s\n",
		    app.err.code == r ? app.err.text : rk_err_text(r));
	rk_loop_free(app.loop);
	return rk_err_exit(r);
}
