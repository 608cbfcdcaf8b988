/* Keys of SSH: those that are believed, and mine in an ssh-agent. */
#ifndef RPCKIT_SSHKEYS_H
#define RPCKIT_SSHKEYS_H

#include <rpckit/key.h>

RK_BEGIN

/*
 * A set of Ed25519 keys that are believed without a certificate, for
 * connections over sessions ("ssh+tcp://" and others): for their keys it is
 * what a CA is for others.  The list of known keys, its lock, and what was
 * decided about a key count besides.  Whoever was given a set keeps it alive.
 */
struct rk_sshkeys;

RK_API RK_MUST enum rk_err rk_sshkeys_new(struct rk_sshkeys **out);
/*
 * Add a key: a line of an OpenSSH public key file, or a fingerprint as
 * `ssh-keygen -l` or rk_fp_of_key() gives it.  Before others use the set.
 * RK_EFORMAT, RK_EUNSUPPORTED, RK_EDENIED, RK_ELIMIT, RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_sshkeys_add(
    struct rk_sshkeys *keys, const char *key, struct rk_error *err);
/*
 * And those of a file of the form of ~/.ssh/authorized_keys, which may have
 * fingerprints, too.  It is read again when it has changed; while that cannot
 * be done, none of the set is believed.  Lines with options, and of other kinds
 * of keys, are left out: what an option limits is not limited here.  One file a
 * set, before others use it; it must belong to root or our user, and only they
 * may write it.
 * RK_ENOENT, RK_EIO, RK_EMODE, RK_EFORMAT (no key of ours in it), RK_ETOOBIG,
 * RK_EEXIST, RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_sshkeys_file(
    struct rk_sshkeys *keys, const char *path, struct rk_error *err);
/* Is it one of them?  comment (may be NULL): what its line says about it,
 * escaped and cut.  Any thread.  RK_ENOENT, and why the file cannot be read. */
RK_API RK_MUST enum rk_err rk_sshkeys_find(struct rk_sshkeys *keys,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], char comment[128],
    struct rk_error *err);
RK_API void rk_sshkeys_free(struct rk_sshkeys *keys);

/*
 * A key that an ssh-agent holds: it signs there, within a bounded time.  sock
 * NULL: $SSH_AUTH_SOCK; want NULL: its first Ed25519 key, else as of
 * rk_sshkeys_add().  RK_ENOENT (no agent is named, no such key), RK_ECONNECT,
 * RK_EMODE (another user's), RK_EPROTO, RK_ETIMEOUT, RK_ENOMEM, and those of
 * rk_sshkeys_add().  rk_key_load() takes "ssh-agent:" and "ssh-agent:KEY".
 */
RK_API RK_MUST enum rk_err rk_key_of_ssh_agent(const char *sock,
    const char *want, struct rk_key **out, struct rk_error *err);

/* What such a key is called where a file could be named: this, and KEY or
 * nothing. */
#define RK_KEY_IN_SSH_AGENT "ssh-agent:"

RK_END

#endif
