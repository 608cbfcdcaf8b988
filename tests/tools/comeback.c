/* A client that comes back, so that its call may go as early data. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/client.h>

/*
 * comeback URL CERTDIR KEY METHOD: calls METHOD on one connection, then, marked
 * idempotent, at the beginning of the next, which resumes the session.  Prints
 * "early" or "late", and the second reply as it is.
 */

static void
fail(const struct rk_error *err)
{
	(void)fprintf(stderr, "comeback: %s\n", err->text);
	exit(1);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	bool *closed = arg;

	(void)c;
	(void)why;
	*closed = true;
}

static void
call(struct rk_client *c, const char *method, bool again)
{
	struct rk_request req = { .method = method, .idempotent = again };
	struct rk_timing timing;
	struct rk_reply reply;
	struct rk_error err;

	if (rk_client_start(c, &err) != RK_OK ||
	    rk_client_call(c, &req, &reply, &err) != RK_OK)
		fail(&err);
	rk_client_timing(c, &timing);
	if (again)
		(void)printf("%s\n%.*s\n", timing.early ? "early" : "late",
		    (int)reply.payload.len, (const char *)reply.payload.ptr);
	rk_reply_free(&reply);
}

int
main(int argc, char **argv)
{
	bool closed = false;
	struct rk_client_conf conf = {
		.size = sizeof(conf),
		.closed = on_closed,
		.arg = &closed,
	};
	struct rk_ident *ident = NULL;
	struct rk_client *c;
	struct rk_error err;

	if (argc != 5)
		return 2;
	conf.url = argv[1];
	if (rk_ident_load_dir(argv[2], argv[3], NULL, NULL, &ident, &err) !=
	    RK_OK)
		fail(&err);
	conf.ident = ident;
	if (rk_client_new(&conf, &c, &err) != RK_OK)
		fail(&err);
	call(c, argv[4], false);
	rk_client_shutdown(c);
	while (!closed && rk_client_process(c) == RK_OK)
		continue;
	call(c, argv[4], true);
	rk_client_free(c);
	rk_ident_free(ident);
	return 0;
}
