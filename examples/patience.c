/* Calls that end before they are answered, seen from both ends: patience URL.
 */
#include <stdio.h>

#include <rpckit/rpckit.h>

#define CALLS 2

struct app {
	struct rk_loop *loop;
	struct rk_server *server;
	struct rk_client *client;
	uint64_t canceled; /* the call of which we think better */
	unsigned given_up; /* by the client */
	unsigned ended;    /* at the server */
	struct rk_error err;
};

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

static void
stop_when_all_ended(struct app *app)
{
	if (app->given_up == CALLS && app->ended == CALLS)
		rk_server_stop(app->server, 1000, on_stopped, app->loop);
}

/* ---- the server ---- */

/* Nobody needs the answer: end the work.  A deferred call is answered all the
 * same, which is how it is given back; nothing is done with that answer. */
static void
on_cancel(uint64_t id, enum rk_cancel_why why, void *arg)
{
	static const char *const texts[] = {
		[RK_CANCEL_CALLER] = "the caller thought better of it",
		[RK_CANCEL_DEADLINE] = "its time is over",
		[RK_CANCEL_CLOSED] = "the caller is gone",
	};
	struct app *app = arg;

	(void)printf("server: %s\n", texts[why]);
	if (rk_server_reply(app->server, id, "not done", NULL, 0) != RK_OK)
		(void)fprintf(stderr, "patience: out of memory\n");
	app->ended++;
	stop_when_all_ended(app);
}

/* What takes forever is left to others; here, to nobody. */
static void
think(struct rk_call *call, void *arg)
{
	if (rk_call_defer(call) != 0)
		rk_call_on_cancel(call, on_cancel, arg);
}

/* ---- the client ---- */

static void
on_reply(struct rk_client *client, const struct rk_reply *reply, void *arg)
{
	struct app *app = arg;

	(void)client;
	(void)printf("client: %s, and %s have run\n", rk_err_text(reply->code),
	    reply->maybe_executed ? "may" : "cannot");
	app->given_up++;
	stop_when_all_ended(app);
}

/* An answer from the server: the other two calls have reached it. */
static void
on_ping(struct rk_client *client, const struct rk_reply *reply, void *arg)
{
	const struct app *app = arg;

	(void)reply;
	(void)rk_client_cancel(client, app->canceled);
}

/* One call without a limit, which is canceled; one whose limit travels with
 * it, so that both ends know: the server hears of it by its own clock, or by
 * the client's cancel. */
static enum rk_err
ask(struct app *app)
{
	struct rk_request forever = { .method = "think", .timeout = RK_NEVER };
	struct rk_request soon = { .method = "think", .timeout = 200 };
	struct rk_request ping = { .method = "_.ping" };
	enum rk_err r;

	r = rk_client_submit(
	    app->client, &forever, on_reply, app, &app->canceled);
	if (r == RK_OK)
		r = rk_client_submit(app->client, &soon, on_reply, app, NULL);
	if (r == RK_OK)
		r = rk_client_submit(app->client, &ping, on_ping, app, NULL);
	return r;
}

static enum rk_err
run(struct app *app, const char *url)
{
	const struct rk_method m = { "think", .fn = think, .arg = app };
	struct rk_server_conf sc = { .size = sizeof(sc) };
	struct rk_client_conf cc = { .size = sizeof(cc) };
	char real_url[128];
	enum rk_err r;

	if ((r = rk_loop_new(&app->loop)) != RK_OK)
		return r;
	sc.loop = cc.loop = app->loop;
	cc.url = real_url;
	cc.dead_peer = 10000; /* ms; a server that died is missed so soon */
	if ((r = rk_server_new(&sc, &app->server, &app->err)) != RK_OK ||
	    (r = rk_server_methods(
	         app->server, &m, 1, NULL, NULL, &app->err)) != RK_OK ||
	    (r = rk_server_listen(app->server, url, real_url, &app->err)) !=
	        RK_OK ||
	    (r = rk_server_start(app->server, &app->err)) != RK_OK ||
	    (r = rk_client_new(&cc, &app->client, &app->err)) != RK_OK ||
	    (r = rk_client_start(app->client, &app->err)) != RK_OK ||
	    (r = ask(app)) != RK_OK)
		return r;
	return rk_loop_run(app->loop);
}

int
main(int argc, char **argv)
{
	struct app app = { .loop = NULL };
	enum rk_err r = argc == 2 ? run(&app, argv[1]) : RK_EINVAL;

	if (r != RK_OK)
		(void)fprintf(stderr, "patience: %s\n",
		    app.err.code == r ? app.err.text : rk_err_text(r));
	rk_client_free(app.client);
	if (r == RK_OK) /* else the process takes it along */
		rk_server_free(app.server);
	rk_loop_free(r == RK_OK ? app.loop : NULL);
	return rk_err_exit(r);
}
