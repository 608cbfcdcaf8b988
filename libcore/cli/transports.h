/* The transports of a build, apart from the table of options: selfy and
 * keyvault have that, and no QUIC. */
#ifndef RPCKIT_CLI_TRANSPORTS_H
#define RPCKIT_CLI_TRANSPORTS_H

#include <stddef.h>

/* The features of a program that calls or is called; dst holds 160 bytes. */
const char *transports_text(char *dst, size_t len);

#endif
