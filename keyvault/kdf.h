/* A key from a passphrase: Argon2id, with numbers that were measured. */
#ifndef KEYVAULT_KDF_H
#define KEYVAULT_KDF_H

#include <rpckit/err.h>
#include <rpckit/secret.h>

#define KDF_SALT_LEN 16

/* What a file may ask for: whoever can write it must not make its reader
 * allocate or compute at will. */
#define KDF_KIB_MIN 8 /* a lane: Argon2's own */
#define KDF_KIB_MAX (UINT32_C(1024) * 1024)
#define KDF_PASSES_MAX 16
#define KDF_LANES_MAX 4
/* What a new vault gets at least, and at most of memory; the latter so that
 * a vault can also be opened on a smaller machine. */
#define KDF_KIB_FLOOR (UINT32_C(64) * 1024)
#define KDF_PASSES_FLOOR 3
#define KDF_KIB_USUAL (UINT32_C(256) * 1024)

struct kdf_params {
	uint32_t passes;
	uint32_t kib;
	uint32_t lanes;
};

/* RK_ELIMIT: beyond what a file may ask for, or nothing that Argon2 takes. */
RK_MUST enum rk_err kdf_check(const struct kdf_params *p);
/* Fewer than a new vault gets? */
bool kdf_is_weak(const struct kdf_params *p);
/* len bytes to out.  RK_ELIMIT, RK_ENOMEM. */
RK_MUST enum rk_err kdf_derive(const struct kdf_params *p,
    const uint8_t salt[KDF_SALT_LEN], const struct rk_secret *pass,
    uint8_t *out, size_t len);
/*
 * The numbers with which one derivation takes about target_ms here, never
 * below the floor; *takes_ms is what one was measured, or reckoned, to take.
 * Costs about three times that at most.  RK_ENOMEM.
 */
RK_MUST enum rk_err kdf_calibrate(
    uint64_t target_ms, struct kdf_params *out, uint64_t *takes_ms);

#endif
