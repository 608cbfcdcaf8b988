/* bcrypt_pbkdf: how OpenSSH makes keys from the passphrases of key files. */
#ifndef RPCKIT_TRUST_BCRYPT_H
#define RPCKIT_TRUST_BCRYPT_H

#include <rpckit/err.h>

#define BCRYPT_KEY_MAX 128
#define BCRYPT_SALT_MAX 64

/* RK_EINVAL: no passphrase, no salt, no rounds, or a length beyond the above.
 * RK_ENOMEM. */
RK_MUST enum rk_err bcrypt_pbkdf(const void *pass, size_t pass_len,
    const uint8_t *salt, size_t salt_len, uint32_t rounds, uint8_t *key,
    size_t key_len);

#endif
