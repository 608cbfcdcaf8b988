/* Keys that servers announce: asked for, noted, told. */
#ifndef RPCSH_NEXT_H
#define RPCSH_NEXT_H

#include "target.h"

/*
 * Connected: say whether the server's key is one that was announced, and, where
 * keys belong to addresses, ask which will follow; they are noted in the list
 * when the answer comes, which is before that to any later call.
 */
void next_ask(struct target *t);

#endif
