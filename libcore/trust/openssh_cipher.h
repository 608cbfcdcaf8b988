/* The ciphers of OpenSSH's key files. */
#ifndef RPCKIT_TRUST_OPENSSH_CIPHER_H
#define RPCKIT_TRUST_OPENSSH_CIPHER_H

#include <rpckit/err.h>

#include "base/bytes.h"

#define OPENSSH_CIPHER "aes256-ctr" /* of files that are written */
#define OPENSSH_BLOCK 16            /* of that one, and of none a longer one */
#define OPENSSH_TAG 16
#define OPENSSH_KEY_MAX 64 /* and the initial vector */

/* Bytes of its key and initial vector, or 0: not known here. */
size_t openssh_cipher_key_len(const struct bytes *name);
/* Bytes that vouch for the others and follow them, or 0. */
size_t openssh_cipher_tag_len(const struct bytes *name);
/* What is encrypted is whole blocks of so many bytes. */
size_t openssh_cipher_block(const struct bytes *name);
/* In place; key is followed by the initial vector; len in whole blocks; tag is
 * NULL where there is none.  RK_EPASS: the tag is not of these bytes and this
 * key.  RK_EUNSUPPORTED: encrypting with one, or a cipher that is not known. */
RK_MUST enum rk_err openssh_cipher_run(const struct bytes *name, bool encrypt,
    const uint8_t *key, uint8_t *data, size_t len, const uint8_t *tag);

#endif
