/* A daemon's admin socket: found and dialed; what it refuses, and why. */
#ifndef RPCKIT_CLI_ADMIN_H
#define RPCKIT_CLI_ADMIN_H

#include "cli/cmd.h"
#include "cli/out.h"
#include "cli/path.h"

#include <rpckit/client.h>

#include <stdbool.h>

/*
 * Of a call that ended with RK_EREMOTE: its text, escaped, and the code that
 * came along or that the text stands for; RK_EREMOTE where there is none.
 */
enum rk_err admin_refusal(const struct rk_reply *reply, char *text, size_t len);

/* What helps, where it says that; NULL: nothing is known to. */
const char *admin_refusal_advice(const char *text);

/* A daemon's admin socket, and who asks there. */
struct admin_at {
	char path[PATH_LEN]; /* "": none was found */
	const char *program; /* as a command would have it that uses it */
	bool given;          /* is it named in such a command? */
	bool answered;       /* it has, once */
};
#define ADMIN_TEXT 700
struct admin_trouble {
	enum rk_err code;
	char text[ADMIN_TEXT];
	char advice[ADMIN_TEXT]; /* "": none */
};
/*
 * Why nobody is there, or not for us, or does not answer, of a dial or call
 * that failed, and what helps: in the same words whichever program says it.
 */
void admin_explain(const struct admin_at *at, const struct rk_error *err,
    struct admin_trouble *out);
/* The same, told; the exit status. */
int admin_fail(const struct admin_at *at, const struct rk_error *err,
    const struct out *out);

/* The socket to dial: of --socket, else of the context of -c, else what
 * path_admin() finds.  What goes wrong is told; the exit status. */
int admin_look(struct admin_at *at, const struct args *a, const char *program,
    const struct out *out);
/* Is it the daemon's, or may another user have put it there?  Of a client that
 * is connected, before anything is asked; RK_EDENIED. */
bool admin_may_answer(
    const struct admin_at *at, const struct rk_client *c, struct rk_error *err);
/* A client of it, connected, and to whom we may trust with what is asked; its
 * url is not `conf`'s.  The exit status, and what goes wrong told. */
int admin_dial(const struct admin_at *at, const struct rk_client_conf *conf,
    const struct out *out, struct rk_client **client);

#endif
