/* A client that comes back to its servers: again CERTDIR SECONDS URL...  It
 * counts from 1 on, a call each, and says what happens meanwhile. */
#include <stdio.h>
#include <stdlib.h>

#include <rpckit/rpckit.h>

#define EVERY_MS 100
#define CALL_TIMEOUT_MS 5000

struct app {
	struct rk_loop *loop;
	struct rk_client *client;
	struct rk_timer *timer;
	uint64_t until; /* by the loop's clock */
	unsigned next;
	unsigned waiting;
	unsigned good;
	unsigned unknown; /* it may have run, or not */
	unsigned bad;
	struct rk_error why; /* the end's reason */
};

static void
on_reply(struct rk_client *client, const struct rk_reply *reply, void *arg)
{
	struct app *app = arg;

	(void)client;
	app->waiting--;
	if (reply->code == RK_OK)
		app->good++;
	else if (reply->maybe_executed)
		app->unknown++;
	else
		app->bad++;
}

/* Whether there is a connection or not: it waits, if need be. */
static void
submit(struct app *app)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", app->next);
	struct rk_request req = {
		.method = "_.ping",
		.payload = text,
		.payload_len = n < 0 ? 0 : (size_t)n,
		.timeout = CALL_TIMEOUT_MS,
		.idempotent = true, /* so it is sent again, if need be */
	};

	if (rk_client_submit(app->client, &req, on_reply, app, NULL) != RK_OK)
		return; /* too many wait: later */
	app->next++;
	app->waiting++;
}

static void
on_timer(struct rk_timer *timer, void *arg)
{
	struct app *app = arg;
	uint64_t now = rk_loop_now(app->loop);

	if (now < app->until)
		submit(app);
	else if (app->waiting == 0)
		rk_client_shutdown(app->client);
	if (rk_timer_set(timer, now + EVERY_MS) != RK_OK)
		rk_client_shutdown(app->client);
}

static void
on_connected(struct rk_client *client, void *arg)
{
	(void)arg;
	(void)printf("connected to %s\n", rk_client_peer(client)->remote);
	(void)fflush(stdout);
}

static void
on_lost(struct rk_client *client, const struct rk_again_loss *loss, void *arg)
{
	(void)client;
	(void)arg;
	(void)printf("lost: %s; again in %llu ms\n", loss->why->text,
	    (unsigned long long)loss->next_ms);
	(void)fflush(stdout);
}

/* Once: we shut it down, it gave up, or a server was not the one it was. */
static void
on_closed(struct rk_client *client, const struct rk_error *why, void *arg)
{
	struct app *app = arg;

	(void)client;
	app->why = *why;
	rk_loop_stop(app->loop);
}

static enum rk_err
run(struct app *app, const char *dir, char **urls, size_t n_urls)
{
	struct rk_again again = {
		.size = sizeof(again),
		.max_ms = 1000,
		.attempts = 20,
		.urls = (const char *const *)urls + 1,
		.n_urls = n_urls - 1,
		.health_ms = 2000,
		.lost = on_lost,
	};
	struct rk_client_conf conf = {
		.size = sizeof(conf),
		.url = urls[0],
		.connected = on_connected,
		.closed = on_closed,
		.arg = app,
		.again = &again,
	};
	struct rk_ident *ident = NULL;
	enum rk_err r;

	r = rk_ident_load_dir(dir, "client", NULL, NULL, &ident, &app->why);
	if (r != RK_OK)
		goto out;
	conf.loop = app->loop;
	conf.ident = ident;
	if ((r = rk_client_new(&conf, &app->client, &app->why)) != RK_OK ||
	    (r = rk_client_start(app->client, &app->why)) != RK_OK ||
	    (r = rk_timer_new(app->loop, on_timer, app, &app->timer)) != RK_OK)
		goto out;
	app->until += rk_loop_now(app->loop);
	if ((r = rk_timer_set(app->timer, rk_loop_now(app->loop))) != RK_OK ||
	    (r = rk_loop_run(app->loop)) != RK_OK)
		goto out;
	(void)printf("%u answered, %u unknown, %u not executed\n", app->good,
	    app->unknown, app->bad);
	if (app->why.code != RK_ECANCELED) /* not our own shutdown */
		r = app->why.code;
out:
	rk_timer_free(app->timer);
	rk_client_free(app->client);
	rk_ident_free(ident);
	return r;
}

int
main(int argc, char **argv)
{
	struct app app = { .next = 1 };
	enum rk_err r = RK_EINVAL;

	if (argc > 3 && argc - 3 <= 1 + RK_AGAIN_URLS_MAX &&
	    (r = rk_loop_new(&app.loop)) == RK_OK) {
		app.until = strtoul(argv[2], NULL, 10) * 1000;
		r = run(&app, argv[1], argv + 3, (size_t)argc - 3);
	}
	rk_loop_free(app.loop);
	if (r != RK_OK)
		(void)fprintf(stderr, "again: %s\n",
		    app.why.code == r ? app.why.text : rk_err_text(r));
	return rk_err_exit(r);
}
