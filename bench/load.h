/* The works of the load generator that are a client's. */
#ifndef RPCKIT_BENCH_LOAD_H
#define RPCKIT_BENCH_LOAD_H

#include "args.h"

struct rk_ident;
struct rk_psks;
struct rk_sshkeys;

/* Who we are, from the folder; *out is NULL without one. */
RK_MUST enum rk_err load_identity(const struct args *a, const char *name,
    struct rk_ident **out, struct rk_error *err);

/* The pre-shared key; *out is NULL without one. */
RK_MUST enum rk_err load_psk(
    const struct args *a, struct rk_psks **out, struct rk_error *err);
/* Whom to believe over sessions; *out is NULL if nobody was named. */
RK_MUST enum rk_err load_peers(
    const struct args *a, struct rk_sshkeys **out, struct rk_error *err);

work_fn load_seq;
work_fn load_pipe;
work_fn load_dial;
work_fn load_idle;
/* load_stream.c */
work_fn load_up;
work_fn load_down;

#endif
