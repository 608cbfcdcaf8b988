/* Keys, peers and a trust store in the current folder, for tests of it. */
#ifndef RPCKIT_TESTS_STORERIG_H
#define RPCKIT_TESTS_STORERIG_H

#include <rpckit/store.h>

#define STORERIG_FILE "known"
#define STORERIG_DB "known.db"

/* A key that is as good as any; the same for the same number. */
void storerig_key(unsigned number, uint8_t pub[RK_KEY_PUBLIC_LEN]);
void storerig_fp(unsigned number, char fp[RK_FP_LEN]);
/* Key `number` with this email from this host (numeric, or "" for a local
 * socket), proven. */
void storerig_peer(
    struct rk_peer *peer, unsigned number, const char *email, const char *host);

/* A clock for store_set_clock(), and what it shows. */
extern int64_t storerig_now;
int64_t storerig_clock(void);
/* Decide about key `number`, as "ann"; nothing fails but the decision. */
enum rk_err storerig_try(
    struct rk_store *s, enum rk_store_verb verb, unsigned number);

/* The rest fails the running test unless all goes well. */
void storerig_says(const struct rk_error *err, const char *words);
struct rk_store *storerig_open(void);
struct rk_store_seen storerig_see(
    struct rk_store *s, enum rk_store_mode mode, const struct rk_peer *peer);
/* What key `number` is in RK_MODE_ASK, nothing recorded. */
enum rk_store_status storerig_status(struct rk_store *s, unsigned number);
int64_t storerig_decide(
    struct rk_store *s, enum rk_store_verb verb, unsigned number);
/* Key `number` is new, asks and is approved. */
void storerig_admit(struct rk_store *s, unsigned number, const char *email);
struct rk_store_entry storerig_find(struct rk_store *s, unsigned number);
size_t storerig_count(struct rk_store *s, unsigned states);
size_t storerig_audit(struct rk_store *s);
/* A line of the known-keys file as a Go program appends it. */
void storerig_append(unsigned number, const char *email);

#endif
