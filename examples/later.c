/* A server whose answers come from another thread: later URL. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

struct app {
	struct rk_loop *loop;
	struct rk_loop *work; /* run by the other thread */
	struct rk_server *server;
};

struct job {
	struct app *app;
	uint64_t call;
	char text[16]; /* what was asked, then the answer */
};

/* On the other thread: every deferred call is answered, once. */
static void
count_steps(void *arg)
{
	struct job *job = arg;
	uint64_t v = strtoul(job->text, NULL, 10);
	int steps = 0;

	for (; v > 1; steps++)
		v = v % 2 == 0 ? v / 2 : 3 * v + 1;
	(void)snprintf(job->text, sizeof(job->text), "%d", steps);
	if (rk_server_reply(job->app->server, job->call, NULL, job->text,
	        strlen(job->text)) != RK_OK)
		(void)fprintf(stderr, "later: out of memory\n");
	free(job);
}

/* On the server's loop: take what is needed from the call, and go on. */
static void
collatz(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL || p.len == 0 || p.len > 9) {
		(void)rk_call_fail(call, "one to nine digits", NULL, 0);
		free(job);
		return;
	}
	memcpy(job->text, p.ptr, p.len);
	job->app = arg;
	job->call = rk_call_defer(call);
	if (job->call != 0 &&
	    rk_loop_post(job->app->work, count_steps, job) == RK_OK)
		return;
	if (job->call != 0) /* with 0 the caller has been told already */
		(void)rk_call_fail(call, "out of memory", NULL, 0);
	free(job);
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

static void *
run_work(void *arg)
{
	return rk_loop_run(arg) == RK_OK ? NULL : arg;
}

int
main(int argc, char **argv)
{
	struct rk_error err = { .code = RK_OK };
	struct app app = { .loop = NULL };
	struct rk_server_conf conf = { .size = sizeof(conf) };
	const struct rk_method m = { "collatz", .fn = collatz, .arg = &app };
	pthread_t thread;
	enum rk_err r = RK_EINVAL;

	if (argc != 2 || (r = rk_loop_new(&app.loop)) != RK_OK ||
	    (r = rk_loop_new(&app.work)) != RK_OK ||
	    (r = rk_loop_signal(app.loop, SIGTERM, on_signal, &app)) != RK_OK)
		goto out;
	conf.loop = app.loop;
	if ((r = rk_server_new(&conf, &app.server, &err)) != RK_OK ||
	    (r = rk_server_methods(app.server, &m, 1, NULL, NULL, &err)) !=
	        RK_OK ||
	    (r = rk_server_listen(app.server, argv[1], NULL, &err)) != RK_OK)
		goto out;
	r = RK_ELIMIT;
	if (pthread_create(&thread, NULL, run_work, app.work) != 0)
		goto out;
	if ((r = rk_server_start(app.server, &err)) == RK_OK)
		r = rk_loop_run(app.loop);
	rk_loop_stop(app.work);
	(void)pthread_join(thread, NULL);
out:
	if (r != RK_OK)
		(void)fprintf(stderr, "later: %s\n",
		    err.code == r ? err.text : rk_err_text(r));
	rk_loop_free(app.work); /* answers what still waits there */
	if (app.loop != NULL)
		(void)rk_loop_step(app.loop, 0); /* and hands it over */
	rk_server_free(app.server);
	rk_loop_free(app.loop);
	return rk_err_exit(r);
}
