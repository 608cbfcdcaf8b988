/* An immutable set of methods, looked up by name. */
#ifndef RPCKIT_RPC_METHODS_H
#define RPCKIT_RPC_METHODS_H

#include "rpc/mail.h"

#include <rpckit/server.h>

#include <stdatomic.h>

/*
 * Built on loop 0, read by every loop without locks, replaced as a whole.
 * `holders` counts the loops that may still enter it.
 */
struct rk_server;
struct swap;
struct figures;
struct methods {
	TAILQ_ENTRY(methods) link; /* of the server's; loop 0 */
	struct rk_server *server;
	struct swap *swaps;     /* a letter to each further loop, owned */
	struct mail retire;     /* to loop 0, from the last that left */
	struct rk_method *list; /* names and texts owned; sorted by name */
	size_t n;
	struct figures **figures; /* of these, the server's; may be NULL */
	uint32_t *slots;          /* index + 1 into list, 0: empty */
	size_t n_slots;           /* a power of two */
	void (*retired)(void *arg);
	void *arg;
	atomic_uint holders;
};

/* The users' methods and the built-in ones.  As rk_server_methods(). */
RK_MUST enum rk_err methods_new(const struct rk_method *list, size_t n,
    struct methods **out, struct rk_error *err);
/* One more, or one fewer, that may still enter it.  The first: on a loop that
 * holds it.  The last that leaves tells loop 0. */
void methods_hold(struct methods *m);
void methods_leave(struct methods *m); /* server.c */
/* Calls `retired`. */
void methods_free(struct methods *m);
const struct rk_method *methods_find(
    const struct methods *m, struct rk_str name);
/* Of a method of the set; NULL: it is none, or is not counted. */
struct figures *methods_figures(
    const struct methods *m, const struct rk_method *method);

/* builtin.c; what their arguments would be is found through the call, as sets
 * are replaced. */
#define METHODS_BUILTIN 6
extern const struct rk_method methods_builtin[METHODS_BUILTIN];

#endif
