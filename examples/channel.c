/* A worker is sent bytes to count and where to answer: channel serve|ask URL.
 *
 * The client makes two channels and sends the worker an end of each, in one
 * message: "text", a stream of bytes, which it joins to its own standard input,
 * and "results", on which the worker answers.  The worker knows nobody; it uses
 * what it was given.
 */
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

#define PROGRESS 1000 /* lines */

static enum rk_err
say(struct rk_chan *c, const char *text)
{
	struct rk_chan_msg msg = { .ends = NULL };

	msg.payload.ptr = (const uint8_t *)text;
	msg.payload.len = strlen(text);
	return rk_chan_send(c, &msg);
}

/* ---- the worker ---- */

struct job {
	struct rk_chan *text; /* NULL: ended */
	struct rk_chan *results;
	unsigned long lines, words, bytes;
	unsigned long told; /* lines */
	bool in_word;
	bool counted; /* all of it */
};

static void
job_settle(struct job *job)
{
	if (job->text == NULL && job->results == NULL)
		free(job);
}

/* Who does not listen to results is not waited for. */
static void
progress(struct job *job)
{
	char text[64];

	if (job->results == NULL || job->lines - job->told < PROGRESS)
		return;
	(void)snprintf(text, sizeof(text), "%lu lines so far", job->lines);
	if (say(job->results, text) == RK_OK)
		job->told = job->lines;
}

static void
count(struct rk_chan *c, void *arg)
{
	struct job *job = arg;
	unsigned char got[4096];
	size_t n;

	while (rk_chan_read(c, got, sizeof(got), &n) == RK_OK) {
		for (size_t i = 0; i < n; i++) {
			bool in_word = !isspace(got[i]);

			job->words += in_word && !job->in_word;
			job->lines += got[i] == '\n';
			job->in_word = in_word;
		}
		job->bytes += n;
		progress(job);
	}
}

/* Also what is called when there is room for it again. */
static void
tell_result(struct rk_chan *c, void *arg)
{
	struct job *job = arg;
	char text[96];

	if (!job->counted)
		return;
	(void)snprintf(text, sizeof(text), "%lu lines, %lu words, %lu bytes",
	    job->lines, job->words, job->bytes);
	if (say(c, text) != RK_EAGAIN)
		rk_chan_finish(c);
}

static void
counted(struct rk_chan *c, void *arg)
{
	struct job *job = arg;

	rk_chan_finish(c);
	job->counted = true;
	if (job->results != NULL)
		tell_result(job->results, job);
}

static void
text_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct job *job = arg;

	(void)c;
	job->text = NULL;
	/* Half a text has no result. */
	if (!job->counted)
		rk_chan_reset(&job->results, RK_ECANCELED, why->text);
	job_settle(job);
}

static void
results_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct job *job = arg;

	(void)c;
	(void)why;
	job->results = NULL;
	rk_chan_close(&job->text);
	job_settle(job);
}

static const struct rk_chan_events text_events = {
	.readable = count,
	.eof = counted,
	.ended = text_ended,
};
static const struct rk_chan_events results_events = {
	.writable = tell_result,
	.ended = results_ended,
};

static void
take_job(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct job *job;

	(void)c;
	(void)arg;
	if (msg->n_ends != 2 || (job = calloc(1, sizeof(*job))) == NULL)
		return; /* and the ends are closed */
	if (rk_chan_take(&msg->ends[0], RK_CHAN_BYTES, "text", &text_events,
	        job, &job->text, NULL) != RK_OK ||
	    rk_chan_take(&msg->ends[1], RK_CHAN_MESSAGES, "results",
	        &results_events, job, &job->results, NULL) != RK_OK) {
		rk_chan_close(&job->text);
		free(job);
	}
}

static void
ignore_end(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	(void)c;
	(void)why;
	(void)arg;
}

static const struct rk_chan_events job_events = {
	.message = take_job,
	.ended = ignore_end,
};

static void
accept_client(struct rk_chan *c, const struct rk_peer *peer, void *arg)
{
	(void)peer;
	(void)arg;
	if (rk_chan_listen(c, &job_events, NULL) != RK_OK)
		rk_chan_close(&c);
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
	rk_server_stop(app->server, 1000, on_stopped, app->loop);
}

static enum rk_err
serve(const char *url, struct rk_error *err)
{
	const struct rk_chan_conf chan = {
		.size = sizeof(chan), .type = "jobs", .accept = accept_client
	};
	struct rk_server_conf conf = { .size = sizeof(conf) };
	struct app app = { .loop = NULL };
	struct rk_method method;
	enum rk_err r;

	if ((r = rk_chan_method("worker", &chan, &method)) != RK_OK ||
	    (r = rk_loop_new(&app.loop)) != RK_OK ||
	    (r = rk_loop_signal(app.loop, SIGTERM, on_signal, &app)) != RK_OK)
		goto out;
	conf.loop = app.loop;
	if ((r = rk_server_new(&conf, &app.server, err)) == RK_OK &&
	    (r = rk_server_methods(app.server, &method, 1, NULL, NULL, err)) ==
	        RK_OK &&
	    (r = rk_server_listen(app.server, url, NULL, err)) == RK_OK &&
	    (r = rk_server_start(app.server, err)) == RK_OK)
		r = rk_loop_run(app.loop);
out:
	rk_server_free(app.server);
	rk_loop_free(app.loop);
	return r;
}

/* ---- who asks ---- */

struct asker {
	struct rk_loop *loop;
	struct rk_chan *jobs;
	struct rk_chan *results;
	struct rk_chan_joint *input;
	struct rk_error err;
};

static void
print(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	(void)c;
	(void)arg;
	(void)printf(
	    "%.*s\n", (int)msg->payload.len, (const char *)msg->payload.ptr);
}

/* That was the last result: nothing is open any more. */
static void
all_told(struct rk_chan *c, void *arg)
{
	struct asker *a = arg;

	rk_chan_finish(c);
	rk_chan_close(&a->jobs);
}

static void
results_over(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct asker *a = arg;

	(void)c;
	a->results = NULL;
	a->err = *why;
	rk_chan_close(&a->jobs);
	rk_loop_stop(a->loop);
}

static void
jobs_over(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct asker *a = arg;

	(void)c;
	(void)why;
	a->jobs = NULL;
}

static void
input_over(const struct rk_error *why, void *arg)
{
	struct asker *a = arg;

	(void)why; /* the results tell */
	a->input = NULL;
}

static const struct rk_chan_events print_events = {
	.message = print,
	.eof = all_told,
	.ended = results_over,
};
static const struct rk_chan_events jobs_events = { .ended = jobs_over };

static enum rk_err
ask(struct asker *a)
{
	struct rk_chan *mine = NULL; /* of the text */
	struct rk_chan *theirs[2] = { NULL, NULL };
	const struct rk_chan_msg job = { .ends = theirs, .n_ends = 2 };
	enum rk_err r;

	if ((r = rk_chan_pair(
	         a->jobs, RK_CHAN_BYTES, "text", &mine, &theirs[0])) == RK_OK &&
	    (r = rk_chan_pair(a->jobs, RK_CHAN_MESSAGES, "results", &a->results,
	         &theirs[1])) == RK_OK &&
	    (r = rk_chan_listen(a->results, &print_events, a)) == RK_OK &&
	    (r = rk_chan_send(a->jobs, &job)) == RK_OK)
		r = rk_chan_joint_new(&mine, 0, -1, input_over, a, &a->input);
	rk_chan_close(&mine); /* whatever is left of a failure */
	rk_chan_close(&theirs[0]);
	rk_chan_close(&theirs[1]);
	return r;
}

static enum rk_err
run(struct asker *a, const char *url)
{
	const struct rk_chan_conf chan = { .size = sizeof(chan),
		.type = "jobs" };
	struct rk_client_conf conf = { .size = sizeof(conf), .url = url };
	struct rk_client *client = NULL;
	enum rk_err r;

	if (fcntl(0, F_SETFL, O_NONBLOCK) != 0)
		return RK_EIO;
	if ((r = rk_loop_new(&a->loop)) != RK_OK)
		return r;
	conf.loop = a->loop;
	if ((r = rk_client_new(&conf, &client, &a->err)) == RK_OK &&
	    (r = rk_client_start(client, &a->err)) == RK_OK &&
	    (r = rk_chan_open(client, "worker", &chan, &jobs_events, a,
	         &a->jobs)) == RK_OK &&
	    (r = ask(a)) == RK_OK && (r = rk_loop_run(a->loop)) == RK_OK)
		r = a->err.code;
	/* The worker may have gone before the input was over. */
	rk_chan_joint_abort(&a->input, RK_ECANCELED, NULL);
	rk_chan_close(&a->results);
	rk_chan_close(&a->jobs);
	rk_client_free(client);
	rk_loop_free(a->loop);
	return r;
}

int
main(int argc, char **argv)
{
	struct asker a = { .loop = NULL };
	enum rk_err r = RK_EINVAL;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		r = serve(argv[2], &a.err);
	else if (argc == 3 && strcmp(argv[1], "ask") == 0)
		r = run(&a, argv[2]);
	if (r != RK_OK)
		(void)fprintf(stderr, "channel: %s\n",
		    a.err.code == r ? a.err.text : rk_err_text(r));
	return rk_err_exit(r);
}
