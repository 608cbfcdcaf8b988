/* OpenSSL, which is loaded when an encrypted key file is read or written. */
#ifndef KEYVAULT_LATE_H
#define KEYVAULT_LATE_H

#include <rpckit/err.h>

/*
 * Loading and relocating it takes as long as all else that `show` does, and
 * only key files with a passphrase need it: AES, PBKDF2, scrypt.  late.c stands
 * in for the functions that are used, and so the program is not linked with it.
 */

/* Before such a file is read or written.  RK_EUNSUPPORTED: it is not there, or
 * another one. */
RK_MUST enum rk_err late_load(struct rk_error *err);

#endif
