/* Settings made into a client: where, as whom, and whom to believe. */
#ifndef RPCSH_TARGET_MAKE_H
#define RPCSH_TARGET_MAKE_H

#include "target.h"

/* Settings, URL and time limits of t; server (may be NULL) stands for the
 * setting's.  Everything but the client; RK_EINVAL and those of
 * settings_load(). */
RK_MUST enum rk_err target_resolve(struct target *t, const struct args *a,
    const char *server, struct rk_error *err);
/* Identity, known keys, and the client that has them.  No network. */
RK_MUST enum rk_err target_make(
    struct target *t, const struct args *a, struct rk_error *err);
/* The decider by the settings, where a key is proven. */
RK_MUST enum rk_err target_trust(struct target *t, struct rk_error *err);
/* target_ssh.c: the parts of that over sessions. */
RK_MUST enum rk_err target_load_ssh(
    struct target *t, rk_pass_fn *pass, void *arg, struct rk_error *err);
RK_MUST enum rk_err target_ssh_trust(struct target *t, struct rk_error *err);
/* What a client to the same server by the same means is made of: t has been
 * made, and outlives it. */
void target_conf(const struct target *t, struct rk_client_conf *conf);

#endif
