/* A secret as it lies in memory between two uses: sealed under a long key. */
#ifndef KEYVAULT_SHIELD_H
#define KEYVAULT_SHIELD_H

#include <rpckit/err.h>
#include <rpckit/secret.h>

/*
 * Whoever learns parts of this memory, by a fault of the machine or of a
 * program, has to learn all of the long key (16 KiB, guarded) without an error
 * in it before what is sealed is of use.  Each use makes a new one.
 */
struct shield;

/* Takes *secret over, also when it fails: it is wiped then.  RK_ENOMEM. */
RK_MUST enum rk_err shield_new(struct rk_secret **secret, struct shield **out);
/* The secret, lent until shield_close().  RK_EDAMAGED: the memory is not what
 * it was. */
RK_MUST enum rk_err shield_open(struct shield *s, const struct rk_secret **out);
/* Sealed anew, under another key; what was lent is wiped. */
void shield_close(struct shield *s);
/* Wipes.  NULL is allowed. */
void shield_free(struct shield *s);

#endif
