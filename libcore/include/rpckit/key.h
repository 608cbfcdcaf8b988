/* Ed25519 private keys and who I am: key files, certificates, fingerprints. */
#ifndef RPCKIT_KEY_H
#define RPCKIT_KEY_H

#include <rpckit/err.h>
#include <rpckit/secret.h>

RK_BEGIN

#define RK_KEY_SEED_LEN 32   /* RFC 8032 private key */
#define RK_KEY_PUBLIC_LEN 32 /* RFC 8032 public key */
#define RK_KEY_SIG_LEN 64
/* "SHA256:" and 43 characters of unpadded base64, and NUL. */
#define RK_FP_LEN 51
/* The same in groups of four: "SHA256:9f3K 2LmQ ..." and NUL. */
#define RK_FP_GROUPED_LEN 61
/* Ten words and NUL. */
#define RK_FP_WORDS_LEN 110
/* The rpc25519 form: "pubkey@edwardsRPC-ed25519-b58c-" + base58check + NUL. */
#define RK_KEY_ID_LEN 96

/*
 * Fingerprint of a public key: SHA-256 of its SubjectPublicKeyInfo (DER),
 * base64 without padding.  Any thread.
 */
RK_API void rk_fp_of_key(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN]);
RK_API void rk_fp_group(const char *fp, char out[RK_FP_GROUPED_LEN]);
/* The first 80 bits of one as ten words of the PGP word list, to be compared
 * aloud; "" of what is no fingerprint. */
RK_API void rk_fp_words(const char *fp, char out[RK_FP_WORDS_LEN]);
/*
 * Do two fingerprints match?  `given` is a person's: spaces are ignored, the
 * "SHA256:" may be missing, and with `prefix` a unique start of at least eight
 * characters is enough.
 */
RK_API bool rk_fp_match(const char *fp, const char *given, bool prefix);
/* The key as a line of a known-keys file names it, without emails. */
RK_API void rk_key_id(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], char id[RK_KEY_ID_LEN]);

/* A private key: its seed is in guarded memory here, or it is elsewhere
 * (rpckit/signer.h).  Shared by whatever was given it. */
struct rk_key;

enum rk_key_form {
	RK_KEY_PKCS8,      /* "PRIVATE KEY" (RFC 5958), not encrypted */
	RK_KEY_RPC25519,   /* rpc25519's Argon2id + AES-256-GCM PEM */
	RK_KEY_PKCS8_PBES2 /* "ENCRYPTED PRIVATE KEY" as OpenSSL writes it */
};

/*
 * Give the passphrase for the key file `path`; attempt counts from 0.  Return
 * RK_OK with *out owned by the library, RK_ENOPASS when there is none to give
 * (any other code ends the load with that code).  Called on the loading
 * thread.  It is asked again after a wrong one until it refuses; the load then
 * ends with RK_EPASS.
 */
typedef enum rk_err rk_pass_fn(
    const char *path, unsigned attempt, struct rk_secret **out, void *arg);

RK_API RK_MUST enum rk_err rk_key_generate(struct rk_key **out);
RK_API RK_MUST enum rk_err rk_key_from_seed(
    const uint8_t seed[RK_KEY_SEED_LEN], struct rk_key **out);
/*
 * Read a key file in any form above, or in OpenSSH's.  The file must be a
 * regular file of ours or root's that group and others cannot read (RK_EMODE).
 * pass may be NULL (an encrypted file is then RK_ENOPASS).  RK_ENOENT, RK_EIO,
 * RK_EMODE, RK_EFORMAT, RK_EUNSUPPORTED (not Ed25519), RK_EPASS, RK_ENOPASS,
 * RK_ELIMIT (KDF numbers above 1 GiB, 16 passes, 4 lanes, 4096 rounds),
 * RK_ENOMEM.
 * "keyvault:NAME" is rk_key_of_agent() (rpckit/signer.h).
 */
RK_API RK_MUST enum rk_err rk_key_load(const char *path, rk_pass_fn *pass,
    void *arg, struct rk_key **out, struct rk_error *err);
/* The same from memory; name stands for the path in messages. */
RK_API RK_MUST enum rk_err rk_key_parse(const char *name, const char *pem,
    size_t len, rk_pass_fn *pass, void *arg, struct rk_key **out,
    struct rk_error *err);
/*
 * The key as PEM.  pass is used by the encrypted forms (RK_EINVAL without
 * one).  *out holds the PEM text.  RK_ENOMEM, RK_EINVAL, RK_EUNSUPPORTED (it is
 * not here).
 */
RK_API RK_MUST enum rk_err rk_key_format(const struct rk_key *key,
    enum rk_key_form form, const struct rk_secret *pass,
    struct rk_secret **out);
/* The same as OpenSSH writes them; pass NULL: not encrypted.  RK_EUNSUPPORTED
 * as above. */
RK_API RK_MUST enum rk_err rk_key_format_openssh(const struct rk_key *key,
    const char *comment, const struct rk_secret *pass, struct rk_secret **out);
/* Is this PEM text an encrypted private key? */
RK_API bool rk_key_is_encrypted(const char *pem, size_t len);

RK_API void rk_key_public(
    const struct rk_key *key, uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* The seed, borrowed for as long as the key lives: for key tools only.  NULL:
 * it is not here. */
RK_API const uint8_t *rk_key_seed(const struct rk_key *key);
/* Of a key that is here.  One that is elsewhere may fail, and then sig is
 * zeros, nobody's signature: rk_key_sign_for() says why. */
RK_API void rk_key_sign(const struct rk_key *key, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN]);
/* False also for keys and signatures with points of small order. */
RK_API RK_MUST bool rk_key_verify(const uint8_t pub[RK_KEY_PUBLIC_LEN],
    const void *msg, size_t len, const uint8_t sig[RK_KEY_SIG_LEN]);
RK_API void rk_key_free(struct rk_key *key);

/*
 * Who I am and whom I believe: my certificate and key (both or neither), the
 * CA that peers must be signed by, and that CA's revocation list.  Threads may
 * share one; free it after everything that was given it.  Immutable once loaded
 * but for the revocation list: its file is looked at before every verdict about
 * a peer, and read again when it changed.  While it cannot be read, is damaged,
 * or was there and is gone, every peer is refused.
 */
struct rk_ident;

struct rk_ident_files {
	size_t size;      /* sizeof(struct rk_ident_files) */
	const char *ca;   /* PEM of the CA certificate; required */
	const char *cert; /* PEM of my certificate, or NULL: I carry none */
	const char *key;  /* PEM of my key; NULL when cert is, or for use */
	struct rk_key
	    *use;         /* or the key itself, which stays the caller's too */
	const char *crl;  /* PEM of the CA's CRL; NULL or absent file: none */
	rk_pass_fn *pass; /* for an encrypted key; may be NULL */
	void *pass_arg;
};

/*
 * Read and check: the CA is a CA, the certificate is signed by it and not
 * ended, the key fits the certificate, the CRL is the CA's.  Errors of
 * rk_key_load(), and RK_ECERT with the reason.
 */
RK_API RK_MUST enum rk_err rk_ident_load(const struct rk_ident_files *files,
    struct rk_ident **out, struct rk_error *err);
/* ca.crt, ca.crl, NAME.crt, NAME.key of a directory; name NULL: no cert.  Of
 * "keyvault:NAME" the key is in the agent, with that name. */
RK_API RK_MUST enum rk_err rk_ident_load_dir(const char *dir, const char *name,
    rk_pass_fn *pass, void *arg, struct rk_ident **out, struct rk_error *err);
/* The same with this key, which stays the caller's too; no NAME.key is read. */
RK_API RK_MUST enum rk_err rk_ident_load_dir_use(const char *dir,
    const char *name, struct rk_key *use, struct rk_ident **out,
    struct rk_error *err);
RK_API void rk_ident_free(struct rk_ident *id);

/*
 * For trying things out and for tests: make a new CA and, signed by it for 30
 * days, a certificate and an unencrypted key for each name (letters, digits
 * and "._-", at most 48, not "ca").  They are written to dir, which exists, as
 * ca.crt, NAME.crt and NAME.key, all 0600; nothing is overwritten (RK_EEXIST).
 * The CA's key is written nowhere: nobody can sign more.  Some files may be
 * there after a failure.  RK_EINVAL, RK_EEXIST, RK_ENOENT, RK_EIO, RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_ident_generate(
    const char *dir, const char *const *names, size_t n, struct rk_error *err);

/*
 * A key that will take the place of another one, proven by itself: sig is its
 * own signature over RK_NEXT_KEY_TAG with its NUL, the 32 bytes of the present
 * key and the 32 of this one (rpckit-trust(7)).
 */
#define RK_NEXT_KEY_TAG "rpckit next key 1"
#define RK_NEXT_KEYS_MAX 4
struct rk_next_key {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t sig[RK_KEY_SIG_LEN];
};
/* Of a key that is here; of another one sig may be zeros, nobody's. */
RK_API void rk_next_key_make(const uint8_t present[RK_KEY_PUBLIC_LEN],
    const struct rk_key *next, struct rk_next_key *out);
/* Any thread; false also for a key that follows itself. */
RK_API RK_MUST bool rk_next_key_ok(
    const uint8_t present[RK_KEY_PUBLIC_LEN], const struct rk_next_key *next);
/*
 * Announce, to clients that believe my key, that this one will follow it; a
 * server with this identity answers them by `_.next_keys`.  The private key is
 * not kept.  Before others use id.  RK_ESTATE: I carry no certificate;
 * RK_EINVAL: it is my present key; RK_EEXIST: announced already; RK_ELIMIT:
 * more than RK_NEXT_KEYS_MAX; the errors of rk_key_sign_for().
 */
RK_API RK_MUST enum rk_err rk_ident_announce(
    struct rk_ident *id, const struct rk_key *next, struct rk_error *err);

/* What a certificate says, all text escaped and cut to fit. */
struct rk_cert_info {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN];
	char cn[128];
	char email[256]; /* rfc822Names, comma-joined; "" when none; with `~` at
	                    its end if there are more */
	char issuer_cn[128];
	char serial[64];    /* lower-case hex */
	int64_t not_before; /* seconds since 1970 */
	int64_t not_after;
};

/* My own certificate; false when I carry none. */
RK_API bool rk_ident_info(const struct rk_ident *id, struct rk_cert_info *info);
/* The CA's.  RK_ENOMEM. */
RK_API RK_MUST enum rk_err rk_ident_ca_info(
    const struct rk_ident *id, struct rk_cert_info *info);

RK_END

#endif
