/* Who the daemon is and whom it believes: identity and known-keys file. */
#ifndef RPCD_CREDS_H
#define RPCD_CREDS_H

#include "cli/pass.h"
#include "settings.h"

#include <rpckit/signer.h>

struct creds {
	unsigned users; /* that creds_free() has to be called by; loop 0 */
	struct rk_ident *ident; /* NULL: no TLS, and no pre-shared keys */
	struct rk_psks *psks;   /* NULL: none */
	struct rk_trust *trust;
	char *known;               /* the list's path; NULL: there is none */
	enum rk_trust_state state; /* of the list, when it was loaded */
};

/*
 * Where the key's passphrase comes from.  Once had it is kept in guarded
 * memory, so that a reload need not ask a person again.
 */
struct keyring {
	struct rk_secret *kept;
	bool no_input;
	struct pass_source source; /* of the load under way */
};

/*
 * Load what the settings name; without TLS only the known-keys file.  A list
 * that `before` (may be NULL) had and that is gone now is refused: it would
 * let everybody in.  Errors of rk_ident_load() and rk_trust_new(); the text
 * begins with file and line of the setting.
 */
RK_MUST enum rk_err creds_load(const struct settings *s, bool tls,
    struct keyring *ring, const struct creds *before, struct creds **out,
    struct rk_error *err);
/*
 * A key that a setting names: rk_key_load(), but that a signature of an agent's
 * has its own time here, because a loop waits for it.  use: what it will be
 * asked for; an agent's that is not for that is refused (RK_EDENIED).
 */
RK_MUST enum rk_err creds_key(const struct settings *s, const char *path,
    enum rk_sign_use use, rk_pass_fn *pass, void *arg, struct rk_key **out,
    struct rk_error *err);
/* Its parts, for a struct creds of zeros, in this order: decisions are kept
 * from the last one on, so that a load that fails leaves them alone.  make:
 * also a store of decisions that is not there, where keys are to wait. */
RK_MUST enum rk_err creds_load_trust(const struct settings *s,
    const struct creds *before, struct creds *c, struct rk_error *err);
RK_MUST enum rk_err creds_load_psks(
    const struct settings *s, struct creds *c, struct rk_error *err);
RK_MUST enum rk_err creds_load_ident(const struct settings *s,
    struct keyring *ring, struct creds *c, struct rk_error *err);
RK_MUST enum rk_err creds_keep_trust(
    const struct settings *s, bool make, struct creds *c, struct rk_error *err);
/* The way out where list or store failed so, as RK_ESTATE: it would let nobody
 * in; NULL: the text says it all. */
const char *creds_advice(const struct settings *s, enum rk_err r);
void creds_fini(struct creds *c);
/* One more user of what creds_load() made; the last one's creds_free() frees
 * it. */
struct creds *creds_hold(struct creds *c);
void creds_free(struct creds *c);
/* Was r, of the load just made, about the passphrase's source? */
bool keyring_failed(const struct keyring *ring, enum rk_err r);
void keyring_fini(struct keyring *ring);

#endif
