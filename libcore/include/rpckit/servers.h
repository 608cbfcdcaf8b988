/* Known servers: which key belongs to which address, and who decides. */
#ifndef RPCKIT_SERVERS_H
#define RPCKIT_SERVERS_H

#include <rpckit/trust.h>

RK_BEGIN

/*
 * Decide about a peer whose key possession is proven, in place of a list's own
 * rule: RK_OK, or RK_EUNKNOWNKEY and others with a text in err.  Nothing has
 * been sent to the peer or read from it.  On the connection's loop; must not
 * wait.  Sessions are not resumed with such a peer.
 */
typedef enum rk_err rk_trust_fn(
    const struct rk_peer *peer, void *arg, struct rk_error *err);
/* A decider of the program's own, freed by rk_trust_free(); RK_ENOMEM. */
RK_API RK_MUST enum rk_err rk_trust_new_own(
    rk_trust_fn *fn, void *arg, struct rk_trust **out);

/*
 * The functions below work on a known_server_keys file (rpckit-trust(7)), in
 * whose lines they write the addresses a key belongs to.  Each takes the file's
 * lock.  Besides what is said: RK_EMODE, RK_EFORMAT, RK_EIO as of
 * rk_trust_new(), RK_ENOMEM.  Any thread.
 */

/* An address without its scheme, in lower case: "lab.example:8443"; or the path
 * of a local socket as it is: "/run/lab.sock". */
#define RK_SERVER_LEN 256
/* RK_EINVAL: not the address of one server, or too long. */
RK_API RK_MUST enum rk_err rk_servers_address(
    const char *server, char out[RK_SERVER_LEN], struct rk_error *err);

/* A line with a key; text is escaped and cut to fit. */
struct rk_known_server {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN]; /* "": there is none */
	char host[128];     /* from where it was first met */
	char email[256];    /* comma-joined */
	char at[512];       /* its addresses, comma-joined; "": anywhere */
	char since[32];     /* RFC 3339; "": not known */
	/* Fingerprints of the keys that will follow, comma-joined. */
	char next[RK_NEXT_KEYS_MAX * RK_FP_LEN];
};

enum rk_server_is {
	RK_SERVER_NEW,
	RK_SERVER_KNOWN,
	RK_SERVER_CHANGED, /* the address or the name has another key */
	RK_SERVER_NEXT     /* which has announced this one */
};

struct rk_server_view {
	enum rk_server_is is;
	enum rk_trust_state list;
	bool listed; /* the peer's key has a line, wherever it belongs */
	/* The address is in a line: KNOWN: the peer's; CHANGED, NEXT: that of
	 * the other key. */
	bool here;
	/* CHANGED, NEXT: the line of the other key.  NEW: the line of this key,
	 * which belongs elsewhere, if it has one. */
	struct rk_known_server line;
};

/*
 * What does the list say about this peer, met at this address?
 *
 * KNOWN: its key's line has the address, or no address at all, as those of
 * programs that write none.  CHANGED: the line of another key has the address;
 * or no address, but the same host; or the same mail address as the peer's
 * certificate, unless the peer's key is on the list for somewhere else.
 * NEXT: it would be changed, but the line of the key that has the address says
 * that this one follows.
 */
RK_API RK_MUST enum rk_err rk_servers_look(const char *path,
    const char *address, const struct rk_peer *peer, struct rk_server_view *out,
    struct rk_error *err);

enum rk_servers_how {
	RK_SERVERS_LEARN,   /* what is new; what is next takes the address from
	                     * the key that has announced it */
	RK_SERVERS_ADD,     /* beside what is there */
	RK_SERVERS_REPLACE, /* and take the address from other keys */
	/* As LEARN, but another key of the same name, or of a line without
	 * addresses, is no hindrance: only one whose line has the address. */
	RK_SERVERS_LEARN_BESIDE
};

/*
 * Record the peer's key for the address.  The file is made if it is absent
 * (0600).  The new content is on the disk before it takes the old one's place,
 * which stays on any error; comments, other lines and unknown fields are kept.
 * RK_EUNKNOWNKEY: the list is locked or full, or (LEARN, and its other
 * kind) the key is a changed one by now; RK_ECERT: the peer has proven none.
 */
RK_API RK_MUST enum rk_err rk_servers_put(const char *path, const char *address,
    const struct rk_peer *peer, enum rk_servers_how how, struct rk_error *err);
/*
 * Record that these keys will follow the peer's, which is known for the
 * address: all that are announced, in place of those that were.  Each must have
 * proven itself.  *changed: written now.  RK_ECERT: the peer, or one of them,
 * has proven nothing; RK_EUNKNOWNKEY: the peer is not known for the address, or
 * the list is locked and would have to be changed; RK_ELIMIT: too many.
 */
RK_API RK_MUST enum rk_err rk_servers_next(const char *path,
    const char *address, const struct rk_peer *peer,
    const struct rk_next_key *keys, size_t n, bool *changed,
    struct rk_error *err);
/*
 * Take off an address, all of a host, or a key by its fingerprint (eight
 * characters at least); *n counts lines changed or gone: a line stays while its
 * key belongs elsewhere.  What was there before is kept as PATH.old.
 * RK_ENOENT; RK_EUNKNOWNKEY: locked.
 */
RK_API RK_MUST enum rk_err rk_servers_remove(
    const char *path, const char *what, size_t *n, struct rk_error *err);
/* Call fn for each line with a key that matches what (NULL: all), as
 * rk_servers_remove() would, and also by a mail address or the fingerprint of a
 * key that will follow.  Not under the lock.
 * An error of fn ends it and is returned.  No file: no line. */
RK_API RK_MUST enum rk_err rk_servers_each(const char *path, const char *what,
    enum rk_err (*fn)(const struct rk_known_server *line, void *arg), void *arg,
    struct rk_error *err);
/* Take the write bits off the file, or give its owner's back.  RK_ENOENT;
 * RK_ESTATE: a list without keys, which would refuse everybody. */
RK_API RK_MUST enum rk_err rk_servers_lock(
    const char *path, bool lock, struct rk_error *err);

RK_END

#endif
