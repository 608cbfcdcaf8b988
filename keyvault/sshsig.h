/* Signatures of files in OpenSSH's form, which names what they are for. */
#ifndef KEYVAULT_SSHSIG_H
#define KEYVAULT_SSHSIG_H

#include "base/crypt.h"

#include <rpckit/key.h>

#define SSHSIG_CONTEXT_MAX 64
#define SSHSIG_FILE_MAX 4096

/* What is wrong with a context, or NULL: letters, digits and "@._-". */
const char *sshsig_context_fault(const char *context);
/* The signature, as text, of what has this hash.  RK_ENOMEM. */
RK_MUST enum rk_err sshsig_make(const struct rk_key *key, const char *context,
    const uint8_t hash[CRYPT_HASH512_LEN], struct rk_secret **out);

/* What a signature says of itself. */
struct sshsig {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char context[SSHSIG_CONTEXT_MAX + 1];
	uint8_t sig[RK_KEY_SIG_LEN];
};
/* RK_EFORMAT, RK_EUNSUPPORTED: another kind of key, or another hash than
 * SHA-512, which is what OpenSSH takes if it is not told to. */
RK_MUST enum rk_err sshsig_parse(
    const char *text, size_t len, struct sshsig *out);
/* Is it one of what has this hash? */
RK_MUST bool sshsig_fits(
    const struct sshsig *s, const uint8_t hash[CRYPT_HASH512_LEN]);

#endif
