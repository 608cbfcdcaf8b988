/* Two made-up programs whose tables have one of everything. */
#ifndef RPCKIT_TESTS_TRYPROG_H
#define RPCKIT_TESTS_TRYPROG_H

#include "cli/cmd.h"

/* "try": verbs ls, bench, process; any other first operand is a method.  Verbs
 * print their name and operands, and answer how many there are. */
extern const struct prog try_gnu;
/* "go": options only. */
extern const struct prog try_go;
/* try_gnu without a default verb: a word that is no verb is an error. */
struct prog try_strict(void);

#endif
