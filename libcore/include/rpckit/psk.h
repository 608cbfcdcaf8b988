/* Pre-shared keys: files of 32 bytes that both ends of a connection have. */
#ifndef RPCKIT_PSK_H
#define RPCKIT_PSK_H

#include <rpckit/err.h>

RK_BEGIN

#define RK_PSK_LEN 32
/* "7b1f 09aa" and NUL: the beginning of a hash of the key, by which two ends
 * compare what they have (`selfy -psk-id`). */
#define RK_PSK_ID_LEN 10
#define RK_PSK_NAME_LEN 64 /* with NUL */
#define RK_PSKS_MAX 64

/*
 * Keys by their names, which are each end's own; the ids tell which is meant.
 * A server takes every one of them, so that keys can be changed one peer at a
 * time, and each peer can have its own; a client uses the first.  Filled by one
 * thread, then given to servers and clients, which keep it alive, and changed
 * no more.
 */
struct rk_psks;

RK_API RK_MUST enum rk_err rk_psks_new(struct rk_psks **out);
/*
 * The key in a file of exactly 32 bytes (`selfy -gensym`) that nobody else can
 * read.  name: 1 to 63 characters of A-Z a-z 0-9 . _ -; NULL: the file's name
 * without folder and ".psk".  RK_ENOENT, RK_EIO, RK_EMODE (what to do, in
 * err), RK_EFORMAT (size, or all bytes are zero), RK_EINVAL (name), RK_EEXIST
 * (the name or the key is there already), RK_ELIMIT, RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_psks_load(struct rk_psks *p, const char *path,
    const char *name, struct rk_error *err);
/*
 * A key that is open in an agent of keyvault(1), which gives it out after its
 * rules; it stays in guarded memory.  conf (rpckit/signer.h) NULL: as {0}; its
 * timeout is for the whole call.  name NULL: the one in the agent, as if it
 * were a file's.  RK_EFORMAT: it is not 32 bytes; RK_ECONNECT, RK_ENOPASS (it
 * is not open), RK_EDENIED and the others of rk_key_of_agent().
 * rk_psks_load() takes "keyvault:NAME" instead of a file.
 */
struct rk_agent_conf;
RK_API RK_MUST enum rk_err rk_psks_of_agent(struct rk_psks *p,
    const char *in_agent, const char *name, const struct rk_agent_conf *conf,
    struct rk_error *err);
/* The same of a key in memory, which is the caller's to wipe. */
RK_API RK_MUST enum rk_err rk_psks_add(struct rk_psks *p,
    const uint8_t key[RK_PSK_LEN], const char *name, struct rk_error *err);
RK_API size_t rk_psks_count(const struct rk_psks *p);
/* Of the i-th; valid as long as p. */
RK_API const char *rk_psks_name(const struct rk_psks *p, size_t i);
RK_API void rk_psks_id(
    const struct rk_psks *p, size_t i, char id[RK_PSK_ID_LEN]);
/* Wipes once nobody uses it.  NULL is allowed.  Any thread. */
RK_API void rk_psks_free(struct rk_psks *p);

/* The id of a key. */
RK_API void rk_psk_id(const uint8_t key[RK_PSK_LEN], char id[RK_PSK_ID_LEN]);

RK_END

#endif
