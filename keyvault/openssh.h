/* OpenSSH's private key files and public key lines, of Ed25519 keys. */
#ifndef KEYVAULT_OPENSSH_H
#define KEYVAULT_OPENSSH_H

#include <rpckit/key.h>

#include "base/buf.h"

/* What a file may ask for: about half a minute. */
#define OPENSSH_ROUNDS_MAX 4096
#define OPENSSH_ROUNDS 24 /* of files that are written */
#define OPENSSH_FILE_MAX 65536

/* Is there such a private key in this text? */
bool openssh_is(const char *text, size_t len);
/*
 * As rk_key_parse(), of text in which openssh_is().  RK_EUNSUPPORTED: another
 * kind of key, several keys, or a cipher that is not AES in CTR or CBC mode;
 * RK_ELIMIT: more rounds than the above.
 */
RK_MUST enum rk_err openssh_parse(const char *name, const char *text,
    size_t len, rk_pass_fn *pass, void *arg, struct rk_key **out,
    struct rk_error *err);
/* pass NULL: not encrypted.  *out is text.  RK_ENOMEM. */
RK_MUST enum rk_err openssh_format(const struct rk_key *key,
    const char *comment, const struct rk_secret *pass, struct rk_secret **out);

/* The public key as SSH sends it, appended. */
RK_MUST enum rk_err openssh_put_public(
    struct buf *b, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* RK_EFORMAT. */
RK_MUST enum rk_err openssh_get_public(
    const uint8_t *data, size_t len, uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* "ssh-ed25519 AAAA... comment" without a newline, appended. */
RK_MUST enum rk_err openssh_put_line(
    struct buf *b, const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *comment);
/* The first such line of a text.  RK_EFORMAT. */
RK_MUST enum rk_err openssh_get_line(
    const char *text, size_t len, uint8_t pub[RK_KEY_PUBLIC_LEN]);

/* Text between "-----BEGIN LABEL-----" and its end, decoded.  RK_EFORMAT,
 * RK_ETOOBIG, RK_ENOMEM. */
RK_MUST enum rk_err openssh_unarmor(
    const char *text, size_t len, const char *label, struct rk_secret **out);
/* The reverse, in lines of 70. */
RK_MUST enum rk_err openssh_armor(
    const uint8_t *data, size_t len, const char *label, struct rk_secret **out);

#endif
