/* The two encrypted forms of key files, below rk_key_parse(). */
#ifndef RPCKIT_TRUST_KEYFILE_H
#define RPCKIT_TRUST_KEYFILE_H

#include "trust/pem.h"

#include <rpckit/key.h>

/*
 * Numbers that a file may name before any work is done for it: whoever can
 * write a key file must not make its reader allocate or compute at will.
 */
#define KEYFILE_KIB_MAX (UINT32_C(1024) * 1024)
#define KEYFILE_PASSES_MAX 16
#define KEYFILE_LANES_MAX 4
#define KEYFILE_ITERATIONS_MAX 10000000 /* PBKDF2: a few seconds */
#define KEYFILE_SALT_MAX 64
#define KEYFILE_PASS_MAX 65536 /* bytes of a passphrase */

#define KEYFILE_LABEL_PLAIN "PRIVATE KEY"
#define KEYFILE_LABEL_ENCRYPTED "ENCRYPTED PRIVATE KEY" /* of both forms */

/* Argon2id's numbers, as the PEM headers of the rpc25519 form name them. */
struct keyfile_argon {
	uint32_t passes;
	uint32_t kib;
	uint32_t lanes;
	size_t salt_len;
	uint8_t salt[KEYFILE_SALT_MAX];
};

/* Is this block in the rpc25519 form? */
bool keyfile_go_is(const struct pem_block *block);
/* Read the headers.  RK_EFORMAT, RK_EUNSUPPORTED, RK_ELIMIT. */
RK_MUST enum rk_err keyfile_go_params(const struct pem_block *block,
    struct keyfile_argon *out, const char *name, struct rk_error *err);
/* data: the decoded block.  *plain is PKCS#8.  RK_EPASS also when the file is
 * damaged: the tag cannot tell.  RK_EFORMAT, RK_ENOMEM. */
RK_MUST enum rk_err keyfile_go_open(const struct keyfile_argon *params,
    const struct rk_secret *data, const struct rk_secret *pass,
    struct rk_secret **plain);
/* The whole PEM text around plain.  RK_EINVAL, RK_ENOMEM. */
RK_MUST enum rk_err keyfile_go_seal(const struct keyfile_argon *params,
    const struct rk_secret *plain, const struct rk_secret *pass,
    struct rk_secret **pem);

enum keyfile_kdf {
	KEYFILE_PBKDF2,
	KEYFILE_SCRYPT
};

/* What an EncryptedPrivateKeyInfo says; views into its bytes. */
struct keyfile_pbes2 {
	enum keyfile_kdf kdf;
	struct rk_bytes salt;
	uint64_t iterations; /* PBKDF2 */
	const char *hash;    /* PBKDF2: OpenSSL's name */
	uint64_t n;          /* scrypt: N, r, p */
	uint64_t r;
	uint64_t p;
	const char *cipher; /* OpenSSL's name */
	size_t key_len;
	struct rk_bytes iv;
	struct rk_bytes sealed;
};

/* Read the bytes, which out refers to.  RK_EFORMAT, RK_EUNSUPPORTED,
 * RK_ELIMIT. */
RK_MUST enum rk_err keyfile_pbes2_params(struct rk_bytes der,
    struct keyfile_pbes2 *out, const char *name, struct rk_error *err);
/* RK_EPASS, RK_ENOMEM, RK_EUNSUPPORTED. */
RK_MUST enum rk_err keyfile_pbes2_open(const struct keyfile_pbes2 *params,
    const struct rk_secret *pass, struct rk_secret **plain);
/* The whole PEM text around plain.  RK_EINVAL, RK_ENOMEM. */
RK_MUST enum rk_err keyfile_pbes2_seal(const struct rk_secret *plain,
    const struct rk_secret *pass, struct rk_secret **pem);

#endif
