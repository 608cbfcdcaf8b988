/* A server whose methods take their time, on two threads of its own: work URL.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

/* On a work thread; another may be in here as well. */
static void
collatz(struct rk_job *job, void *arg)
{
	struct rk_bytes p = rk_job_payload(job);
	char text[16] = "";
	uint64_t v;
	int steps = 0;

	(void)arg;
	if (p.len == 0 || p.len > 9) {
		(void)rk_job_fail(job, "one to nine digits", NULL, 0);
		return;
	}
	memcpy(text, p.ptr, p.len);
	for (v = strtoul(text, NULL, 10); v > 1; steps++) {
		if (rk_job_is_canceled(job))
			return; /* nobody waits any more */
		v = v % 2 == 0 ? v / 2 : 3 * v + 1;
	}
	(void)snprintf(text, sizeof(text), "%d", steps);
	(void)rk_job_reply(job, text, strlen(text));
}

struct app {
	struct rk_loop *loop;
	struct rk_server *server;
};

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

int
main(int argc, char **argv)
{
	struct rk_error err = { .code = RK_OK };
	struct app app = { .loop = NULL };
	struct rk_server_conf conf = {
		.size = sizeof(conf), .work_threads = 2, .max_work = 1000
	};
	const struct rk_method m = { .name = "collatz", .work = collatz };
	enum rk_err r = RK_EINVAL;

	if (argc == 2 && (r = rk_loop_new(&app.loop)) == RK_OK)
		r = rk_loop_signal(app.loop, SIGTERM, on_signal, &app);
	conf.loop = app.loop;
	if (r == RK_OK &&
	    (r = rk_server_new(&conf, &app.server, &err)) == RK_OK &&
	    (r = rk_server_methods(app.server, &m, 1, NULL, NULL, &err)) ==
	        RK_OK &&
	    (r = rk_server_listen(app.server, argv[1], NULL, &err)) == RK_OK &&
	    (r = rk_server_start(app.server, &err)) == RK_OK)
		r = rk_loop_run(app.loop);
	if (r != RK_OK)
		(void)fprintf(stderr, "work: %s\n",
		    err.code == r ? err.text : rk_err_text(r));
	rk_server_free(app.server);
	rk_loop_free(app.loop);
	return rk_err_exit(r);
}
