/* A server whose streams are no commands, and pretend to be. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rpckit/server.h>
#include <rpckit/stream.h>

/*
 * oddstreams: listens on plain TCP, says where as rpcd does, and serves until
 * SIGTERM.  What its methods do is in the table.
 */

struct odd {
	const char *name;
	const char *subject; /* of a part that says "x"; NULL: none is sent */
	const char *payload; /* of the answer */
	const char *fault;   /* the answer is this error */
	bool leaves;         /* the process ends instead */
};

static const struct odd odds[] = {
	{ .name = "subject", .subject = "\033[2J" },
	{ .name = "no.subject", .subject = "" },
	{ .name = "nothing" },
	{ .name = "garbage", .payload = "\xc1" },
	{ .name = "text",
	    .payload = "\xa4"
	               "fine" },
	{ .name = "large",
	    .payload = "\x81\xa6"
	               "status\xcd\x01\x01" },
	{ .name = "negative",
	    .payload = "\x81\xa6"
	               "status\xff" },
	{ .name = "signal",
	    .payload = "\x81\xa6"
	               "signal\xcc\xc8" },
	{ .name = "both",
	    .subject = "stdout",
	    .payload = "\x82\xa6"
	               "status\x01\xa6"
	               "signal\x09" },
	{ .name = "words", .fault = "\033]0;title\007" },
	{ .name = "leaves", .subject = "stdout", .leaves = true },
};
#define N_ODDS (sizeof(odds) / sizeof(odds[0]))

static const struct rk_stream_events events;

static void
serve(struct rk_stream *s, void *arg)
{
	const struct odd *odd = arg;
	const char *p = odd->payload == NULL ? "" : odd->payload;
	struct rk_part part = { .payload = { (const uint8_t *)"x", 1 } };

	rk_stream_listen(s, &events, NULL);
	if (odd->subject != NULL) {
		part.subject =
		    (struct rk_str){ odd->subject, strlen(odd->subject) };
		if (rk_stream_send(s, &part) != RK_OK)
			exit(1);
	}
	if (odd->leaves)
		_exit(0);
	if (odd->fault != NULL)
		(void)rk_stream_fail(s, odd->fault, NULL, 0);
	else
		(void)rk_stream_reply(s, p, strlen(p));
}

static void
on_done(void *arg)
{
	rk_loop_stop(arg);
}

static struct rk_server *server;

static void
on_term(int signo, void *arg)
{
	(void)signo;
	rk_server_stop(server, 0, on_done, arg);
}

int
main(void)
{
	struct rk_server_conf conf = { .size = sizeof(conf) };
	struct rk_method methods[N_ODDS];
	struct rk_error err;
	char url[128];

	for (size_t i = 0; i < N_ODDS; i++)
		methods[i] = (struct rk_method){ .name = odds[i].name,
			.stream = serve,
			.streams = RK_STREAM_BOTH,
			.arg = (void *)(uintptr_t)&odds[i] };
	if (rk_loop_new(&conf.loop) != RK_OK ||
	    rk_loop_signal(conf.loop, SIGTERM, on_term, conf.loop) != RK_OK ||
	    rk_server_new(&conf, &server, &err) != RK_OK ||
	    rk_server_methods(server, methods, N_ODDS, NULL, NULL, &err) !=
	        RK_OK ||
	    rk_server_listen(server, "tcp://127.0.0.1:0", url, &err) != RK_OK ||
	    rk_server_start(server, &err) != RK_OK)
		return 1;
	(void)printf("listening tcp %s\n", url + strlen("tcp://"));
	(void)fflush(stdout);
	(void)rk_loop_run(conf.loop);
	rk_server_free(server);
	rk_loop_free(conf.loop);
	return 0;
}
