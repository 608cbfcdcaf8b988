/* The ciphers of OpenSSH's key files. */
#ifndef RPCKIT_TRUST_OPENSSH_CIPHER_H
#define RPCKIT_TRUST_OPENSSH_CIPHER_H

#include <rpckit/err.h>

#include "base/bytes.h"

#define OPENSSH_CIPHER "aes256-ctr" /* of files that are written */
#define OPENSSH_BLOCK 16
#define OPENSSH_KEY_MAX 32

/* Bytes of its key, or 0: not known here. */
size_t openssh_cipher_key_len(const struct bytes *name);
/* In place; key is followed by the initial vector; len in whole blocks. */
RK_MUST enum rk_err openssh_cipher_run(const struct bytes *name, bool encrypt,
    const uint8_t *key, uint8_t *data, size_t len);

#endif
