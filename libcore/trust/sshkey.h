/* Ed25519 public keys as OpenSSH writes them: lines and fingerprints. */
#ifndef RPCKIT_TRUST_SSHKEY_H
#define RPCKIT_TRUST_SSHKEY_H

#include <rpckit/key.h>

/* "SHA256:..." as `ssh-keygen -l` shows it: not what rk_fp_of_key() gives,
 * which is the hash of other bytes. */
void sshkey_fp(const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN]);
/* "SHA256:... (ssh-keygen -l: SHA256:...)": the hash that rpckit's lists have,
 * and the other one, for people who compare them. */
#define SSHKEY_FPS_LEN (2 * RK_FP_LEN + 20)
void sshkey_fps(const uint8_t pub[RK_KEY_PUBLIC_LEN], char out[SSHKEY_FPS_LEN]);
/* "ssh-ed25519 AAAA... comment" (or no comment).  RK_EFORMAT; RK_EUNSUPPORTED:
 * another kind of key; RK_EDENIED: a point of small order. */
RK_MUST enum rk_err sshkey_parse(
    const char *line, uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err);

#endif
