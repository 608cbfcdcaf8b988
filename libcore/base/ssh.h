/* OpenSSH's texts: armor around bytes, and lines with Ed25519 public keys. */
#ifndef RPCKIT_BASE_SSH_H
#define RPCKIT_BASE_SSH_H

#include <rpckit/key.h>

#include "base/buf.h"

#define SSH_TEXT_MAX 65536

/* The public key as SSH sends it. */
#define SSH_BLOB_LEN 51
void ssh_blob(const uint8_t pub[RK_KEY_PUBLIC_LEN], uint8_t out[SSH_BLOB_LEN]);
/* The same, appended. */
RK_MUST enum rk_err ssh_put_public(
    struct buf *b, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* "SHA256:..." of any bytes: of a key that is so, as ssh-add -l has it, which
 * is another one than rk_fp_of_key(). */
void ssh_fp_of(const uint8_t *data, size_t len, char fp[RK_FP_LEN]);
RK_MUST enum rk_err ssh_fp(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN]);
/* RK_EFORMAT. */
RK_MUST enum rk_err ssh_get_public(
    const uint8_t *data, size_t len, uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* "ssh-ed25519 AAAA... comment" without a newline, appended. */
RK_MUST enum rk_err ssh_put_line(
    struct buf *b, const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *comment);
/* The first line of a text that begins so, blanks aside.  RK_EFORMAT. */
RK_MUST enum rk_err ssh_get_line(
    const char *text, size_t len, uint8_t pub[RK_KEY_PUBLIC_LEN]);

/* Text between "-----BEGIN LABEL-----" and its end, decoded.  RK_EFORMAT,
 * RK_ETOOBIG, RK_ENOMEM. */
RK_MUST enum rk_err ssh_unarmor(
    const char *text, size_t len, const char *label, struct rk_secret **out);
/* The reverse, in lines of 70. */
RK_MUST enum rk_err ssh_armor(
    const uint8_t *data, size_t len, const char *label, struct rk_secret **out);

#endif
