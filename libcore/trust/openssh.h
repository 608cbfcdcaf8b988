/* OpenSSH's private key files, of Ed25519 keys, below rk_key_parse(). */
#ifndef RPCKIT_TRUST_OPENSSH_H
#define RPCKIT_TRUST_OPENSSH_H

#include <rpckit/key.h>

/* What a file may ask for: about half a minute. */
#define OPENSSH_ROUNDS_MAX 4096
#define OPENSSH_ROUNDS 24 /* of files that are written */

/* Is there such a private key in this text?  Is it encrypted? */
bool openssh_is(const char *text, size_t len);
bool openssh_is_encrypted(const char *text, size_t len);
/*
 * As rk_key_parse(), of text in which openssh_is().  RK_EUNSUPPORTED: another
 * kind of key, several keys, or a cipher that openssh_cipher has not;
 * RK_ELIMIT: more rounds than the above.
 */
RK_MUST enum rk_err openssh_parse(const char *name, const char *text,
    size_t len, rk_pass_fn *pass, void *arg, struct rk_key **out,
    struct rk_error *err);

#endif
