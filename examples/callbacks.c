/* Many calls in flight on a loop of one's own: callbacks CERTDIR URL [METHOD].
 */
#include <stdio.h>

#include <rpckit/rpckit.h>

#define CALLS 1000

struct app {
	struct rk_loop *loop;
	const char *method;
	unsigned waiting;
	unsigned good;
	enum rk_err result; /* of the last thing that failed */
	struct rk_error err;
};

/* Exactly once for every call that was submitted, whatever happens. */
static void
on_reply(struct rk_client *client, const struct rk_reply *reply, void *arg)
{
	struct app *app = arg;

	app->waiting--;
	if (reply->code == RK_OK)
		app->good++;
	else
		app->result = reply->code;
	if (app->waiting == 0)
		rk_client_shutdown(client);
}

/* None waits for another: the answers come in any order. */
static void
on_connected(struct rk_client *client, void *arg)
{
	struct app *app = arg;
	char text[16];
	int n;

	for (unsigned i = 0; i < CALLS && app->result == RK_OK; i++) {
		struct rk_request req = { .method = app->method };

		n = snprintf(text, sizeof(text), "%u", i);
		req.payload = text;
		req.payload_len = n < 0 ? 0 : (size_t)n;
		app->result =
		    rk_client_submit(client, &req, on_reply, app, NULL);
		if (app->result == RK_OK)
			app->waiting++;
	}
	if (app->waiting == 0)
		rk_client_shutdown(client);
}

/* The last callback: every call has had its own before. */
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
run(struct app *app, const char *dir, const char *url)
{
	struct rk_client_conf conf = {
		.size = sizeof(conf),
		.url = url,
		.connected = on_connected,
		.closed = on_closed,
		.arg = app,
	};
	struct rk_ident *ident = NULL;
	struct rk_client *client = NULL;
	enum rk_err r;

	if ((r = rk_loop_new(&app->loop)) != RK_OK)
		goto out;
	r = rk_ident_load_dir(dir, "client", NULL, NULL, &ident, &app->err);
	if (r != RK_OK)
		goto out;
	conf.loop = app->loop;
	conf.ident = ident;
	if ((r = rk_client_new(&conf, &client, &app->err)) != RK_OK)
		goto out;
	if ((r = rk_client_start(client, &app->err)) != RK_OK)
		goto out;
	if ((r = rk_loop_run(app->loop)) == RK_OK)
		r = app->result;
	(void)printf("%u of %u calls answered\n", app->good, CALLS);
out:
	rk_client_free(client);
	rk_ident_free(ident);
	rk_loop_free(app->loop);
	return r;
}

int
main(int argc, char **argv)
{
	struct app app = { .method = argc > 3 ? argv[3] : "_.ping" };
	enum rk_err r = argc > 2 ? run(&app, argv[1], argv[2]) : RK_EINVAL;

	if (r != RK_OK)
		(void)fprintf(stderr, "callbacks: %s\n",
		    app.err.code == r ? app.err.text : rk_err_text(r));
	return rk_err_exit(r);
}
