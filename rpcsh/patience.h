/* Telling who waits that a server has not said a word yet. */
#ifndef RPCSH_PATIENCE_H
#define RPCSH_PATIENCE_H

#include "target.h"

/* What target.h keeps of it, for the connection that is, or is being made. */

/* Ask it whether it is there, now.  False: it is no server that would say, or
 * it cannot be asked. */
bool patience_ask(struct target *t);
/* It is being made. */
void patience_dials(struct target *t);
/* Something was asked on it. */
void patience_begin(struct target *t);
/* So many ms until there is something to do about it; -1: for ever. */
int patience_ms(const struct target *t);
/* Do it.  Is somebody waiting, whom Ctrl-C lets go? */
void patience_look(struct target *t, bool waits);
/* The less of two times to wait, where -1 is for ever. */
int patience_sooner(int a_ms, int b_ms);

#endif
