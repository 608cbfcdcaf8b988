/* A call of a command, on the loop of the call: checked, copied, handed on. */
#ifndef RPCD_EXEC_H
#define RPCD_EXEC_H

#include "job.h"

/* rk_handler_fn; arg is a struct command. */
void exec_call(struct rk_call *call, void *arg);

/*
 * The whole environment of the command for this call, in one allocation.
 * NULL, or what is wrong with the call: for the caller to read.
 */
const char *exec_env(
    const struct rk_call *call, const struct command *c, char ***envp);

/* What the command reads, from the payload: NULL or what is wrong. */
const char *exec_input(
    const struct method *m, struct rk_bytes payload, struct buf *in);
/* The payload of the answer (malloc'ed), from what the command wrote: NULL,
 * or what is wrong, perhaps in why. */
const char *exec_output(const struct method *m, struct rk_bytes text,
    uint8_t **payload, size_t *len, struct rk_error *why);

#endif
