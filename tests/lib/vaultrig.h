/* Vaults for tests: little work for passphrases, a few records. */
#ifndef RPCKIT_TESTS_VAULTRIG_H
#define RPCKIT_TESTS_VAULTRIG_H

#include "keyvault/vault.h"

#define VAULTRIG_FILE "v/vault.db"
#define VAULTRIG_PASS "correct horse"

/* The least that Argon2 takes. */
extern const struct kdf_params vaultrig_kdf;
/* All of them fail the running test. */
struct rk_secret *vaultrig_secret(const char *text);
/* v/vault.db in the current directory. */
void vaultrig_make(bool hide);
struct vault *vaultrig_open(void);     /* locked */
struct vault *vaultrig_unlocked(void); /* with VAULTRIG_PASS */
/* A record with that name; its secret is 32 times `fill`, and its public half
 * that key's. */
void vaultrig_add(
    struct vault *v, const char *name, enum record_kind kind, uint8_t fill);
/* Is the secret of name 32 times fill? */
void vaultrig_holds(struct vault *v, const char *name, uint8_t fill);
/* Change the file behind the vault's back. */
void vaultrig_sql(const char *sql);

/* Of three records, and its bytes kept; and the file as it was then. */
void vaultrig_make_three(void);
void vaultrig_remake(void);
/* It must not be opened and unlocked, but for this reason.  what: was done. */
void vaultrig_refuses(enum rk_err want, const char *what);
enum rk_err vaultrig_try(struct rk_error *err);

#endif
