/* Decisions about keys that people take, find again and undo. */
#ifndef RPCKIT_STORE_H
#define RPCKIT_STORE_H

#include <rpckit/trust.h>

RK_BEGIN

/*
 * The trust store is one SQLite file beside a known-keys file, by its name and
 * ".db".  The known-keys file stays what it is (rpckit-trust(7)): the list that
 * other programs share, and by its mode the lock.  The store remembers what a
 * line cannot say.  The stricter of both wins: a key is known while the file
 * has it and the store neither rejects nor revokes it; approving adds a line,
 * forgetting, rejecting and revoking make it a comment.  Approvals once and for
 * a time stand in the store alone and count while the file is not locked.
 *
 * Several processes may use one store, and several threads one handle: a mutex
 * makes its calls take turns; none waits longer than RK_STORE_WAIT_MS for
 * another process.  A call that fails has changed nothing.  Everything that was
 * decided is on the disk when the call returns.
 *
 * Strings of certificates are kept and given back as they came: escape what is
 * shown (rk_escape()).  Times are seconds since 1970.
 */
struct rk_store;

#define RK_STORE_WAIT_MS 5000
#define RK_STORE_WAITING 256       /* entries that wait for a decision */
#define RK_STORE_WAITING_SOURCE 32 /* of them from one address (IPv6: /64) */
#define RK_STORE_WAITING_DAYS 7    /* unseen for so long: dropped */
#define RK_STORE_KEYS 20000        /* entries in all */
#define RK_STORE_ADDRESSES 4       /* the last ones that are remembered */
#define RK_STORE_ADDRESS_LEN 64    /* one of them with NUL; longer is cut */
#define RK_STORE_TEXT_LEN 256      /* note, who, email, CA with NUL */
#define RK_STORE_FP_MIN 8          /* characters of a short fingerprint */

/* What was decided about a key. */
enum rk_store_state {
	RK_STORE_NONE,     /* not in the store */
	RK_STORE_WAIT,     /* seen, not decided */
	RK_STORE_KNOWN,    /* approved */
	RK_STORE_ONCE,     /* approved for its next connection */
	RK_STORE_UNTIL,    /* approved until a time */
	RK_STORE_REJECTED, /* by hand; may be approved again */
	RK_STORE_REVOKED   /* by hand, for good: forget it first */
};

/* What a key is at this moment, by file and store together. */
enum rk_store_status {
	RK_STATUS_NEW,
	RK_STATUS_KNOWN,
	RK_STATUS_CHANGED, /* not known, and its email is a known key's */
	RK_STATUS_REJECTED,
	RK_STATUS_REVOKED,
	RK_STATUS_EXPIRED, /* approved for a time that is over, or once */
	RK_STATUS_WAITING
};

enum rk_store_mode {
	RK_MODE_OFF,  /* no list; what was rejected or revoked stays out */
	RK_MODE_OPEN, /* new keys are recorded, changed ones wait */
	RK_MODE_ASK,  /* new keys wait */
	RK_MODE_LOCK  /* known keys only */
};

enum rk_store_verdict {
	RK_VERDICT_ACCEPT,
	RK_VERDICT_RECORD, /* accept; approve it first, as rk_store_see() does
	                    */
	RK_VERDICT_WAIT,   /* not one byte until somebody has decided */
	RK_VERDICT_REFUSE
};

/* All that a status depends on. */
struct rk_store_facts {
	enum rk_store_state state;
	bool in_file;     /* the known-keys file has it */
	bool locked;      /* that file has no write permission */
	bool email_taken; /* another key that is known has its email */
	int64_t now;
	int64_t decided; /* when, for RK_STORE_UNTIL */
	int64_t until;
};

/* Pure, any thread.  Where the clock was set back to before a decision, an
 * approval for a time counts as over. */
RK_API enum rk_store_status rk_store_status(const struct rk_store_facts *facts);
RK_API enum rk_store_verdict rk_store_verdict(
    enum rk_store_status status, enum rk_store_mode mode, bool locked);
/* "known", "changed", "ask", ...: static, lower case, one word.  Any thread. */
RK_API const char *rk_store_state_name(enum rk_store_state state);
RK_API const char *rk_store_status_name(enum rk_store_status status);
RK_API const char *rk_store_mode_name(enum rk_store_mode mode);
/* The mode of a name; RK_EINVAL. */
RK_API RK_MUST enum rk_err rk_store_mode_parse(
    const char *name, enum rk_store_mode *mode);

/*
 * Open the store of the known-keys file at `known`.  With `make` a file or a
 * store that was never there is made, empty, 0600; without, RK_ENOENT.  What
 * was there and is gone is RK_EIO and is not made again: the file carries a
 * line "# decisions: NAME.db".  RK_EMODE: file, store or their directory is a
 * symbolic link, not regular, another user's, or open to others.  RK_EDAMAGED:
 * not a store, damaged, or of another schema.  RK_EUNSUPPORTED: of a newer
 * version, or its file system has no write-ahead log.  RK_EBUSY, RK_EIO,
 * RK_EINVAL, RK_ENOMEM, and RK_EFORMAT as rk_trust_new().  Close it on any
 * thread when no other uses it.
 */
RK_API RK_MUST enum rk_err rk_store_open(
    const char *known, bool make, struct rk_store **out, struct rk_error *err);
/* Writes counts that wait (a failure is logged); NULL is allowed. */
RK_API void rk_store_close(struct rk_store *store);

/*
 * Record at most so many new keys in any minute in RK_MODE_OPEN; beyond that
 * rk_store_see() is RK_ELIMIT.  As rk_trust_limit(), RK_TRUST_NEW_KEYS without
 * this call.  RK_ENOMEM.  Any thread.
 */
RK_API RK_MUST enum rk_err rk_store_limit(
    struct rk_store *store, unsigned new_keys_per_minute);

struct rk_store_seen {
	enum rk_store_status status;
	enum rk_store_verdict verdict;
	bool recorded;   /* a new waiting entry or line was written just now */
	int64_t version; /* as in rk_store_entry */
};

/*
 * A peer that has proven its key is here: what is it, and what is to be done?
 * A stranger that has to wait gets an entry, one that is accepted in
 * RK_MODE_OPEN a line in the file; an approval once is used up.  RK_OK with
 * *out: the verdict.  Everything else refuses: RK_ELIMIT (too many wait,
 * altogether or from this address, or are recorded), RK_ECERT (nothing proven),
 * RK_EIO, RK_EDAMAGED, RK_EMODE, RK_EFORMAT, RK_EBUSY (file or store cannot be
 * used). Known and rejected keys cost no write: their tries and times are
 * counted in memory and written every few seconds.  Any thread.
 */
RK_API RK_MUST enum rk_err rk_store_see(struct rk_store *store,
    enum rk_store_mode mode, const struct rk_peer *peer,
    struct rk_store_seen *out, struct rk_error *err);
/* The same without recording, counting and using up anything: before a proof,
 * or while a peer waits. */
RK_API RK_MUST enum rk_err rk_store_look(struct rk_store *store,
    enum rk_store_mode mode, const struct rk_cert_info *cert,
    struct rk_store_seen *out, struct rk_error *err);
/* Write counts and times now. */
RK_API RK_MUST enum rk_err rk_store_flush(
    struct rk_store *store, struct rk_error *err);

/* An entry; raw text, NUL-terminated. */
struct rk_store_entry {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN];
	char email[RK_STORE_TEXT_LEN]; /* comma-joined */
	char ca[RK_STORE_TEXT_LEN];    /* the issuer's common name */
	enum rk_store_state state;     /* as decided */
	enum rk_store_status status;   /* as it counts now */
	int64_t until;                 /* RK_STORE_UNTIL */
	int64_t first_seen;            /* 0: never */
	int64_t last_seen;
	uint64_t tries; /* connections, accepted or not */
	/* The last one first; "" behind the end. */
	char addresses[RK_STORE_ADDRESSES][RK_STORE_ADDRESS_LEN];
	char note[RK_STORE_TEXT_LEN];
	char who[RK_STORE_TEXT_LEN]; /* decided; "file": a line appeared */
	int64_t decided;             /* when; 0: never */
	int64_t version; /* changes with every decision about this key */
	/* Of the certificate that it showed last; 0: not noted. */
	int64_t cert_from;
	int64_t cert_until;
	char cn[128]; /* its common name; "": not noted, or it has none */
	/* RK_STORE_WAIT: when it was seen, decided about or noted last, the
	 * latest of these; RK_STORE_WAITING_DAYS count from here. */
	int64_t touched;
};

enum rk_store_verb {
	RK_STORE_APPROVE,
	RK_STORE_APPROVE_ONCE,
	RK_STORE_APPROVE_UNTIL,
	RK_STORE_REJECT,
	RK_STORE_REVOKE,
	RK_STORE_FORGET,
	RK_STORE_REPLACE, /* `key` is revoked and `by_key` known, at once */
	RK_STORE_NOTE     /* only the note */
};

#define RK_STORE_ANY_VERSION (-1)

struct rk_store_decision {
	size_t size; /* sizeof(struct rk_store_decision) */
	enum rk_store_verb verb;
	const char *key;    /* fingerprint, or a unique start of one */
	const char *by_key; /* RK_STORE_REPLACE: the new one */
	const char *who;    /* the person; not empty */
	const char *note;   /* NULL: as it was */
	int64_t until;      /* RK_STORE_APPROVE_UNTIL */
	/* The entry as its decider saw it, or RK_STORE_ANY_VERSION. */
	int64_t version;
	/* Also approve a key whose email is another known key's; without it
	 * that is RK_EDENIED. */
	bool changed;
};

/*
 * Decide, with a line of audit, both or neither.  *act (may be NULL) names the
 * decision for rk_store_undo().  RK_ENOENT: no such key; RK_EINVAL: the short
 * fingerprint fits several (named), is too short, or an argument is wrong;
 * RK_ESTATE: decided otherwise since `version` (says by whom), approving or
 * rejecting a revoked key, or approving or forgetting while the file is
 * locked; RK_EDENIED; RK_ELIMIT: the file is full; and the errors of
 * rk_store_see().  Any thread.
 */
RK_API RK_MUST enum rk_err rk_store_decide(struct rk_store *store,
    const struct rk_store_decision *decision, int64_t *act,
    struct rk_error *err);
/* Take a decision back, but for notes about the key that were written since.
 * RK_ENOENT; RK_ESTATE: something was decided about the key since, or it was
 * undone; as rk_store_decide(). */
RK_API RK_MUST enum rk_err rk_store_undo(
    struct rk_store *store, int64_t act, const char *who, struct rk_error *err);

/* The entry of a fingerprint or a unique start.  Errors of rk_store_decide().
 */
RK_API RK_MUST enum rk_err rk_store_find(struct rk_store *store,
    const char *key, struct rk_store_entry *out, struct rk_error *err);

/* Called with the store in use: must not call it.  False ends it. */
typedef bool rk_store_entry_fn(const struct rk_store_entry *entry, void *arg);
/*
 * All entries, or (states != 0) those in the states whose bits are set: 1 <<
 * RK_STORE_WAIT | ...  By their fingerprints.
 */
RK_API RK_MUST enum rk_err rk_store_list(struct rk_store *store,
    unsigned states, rk_store_entry_fn *fn, void *arg, struct rk_error *err);

struct rk_store_line {
	int64_t id;   /* growing */
	int64_t act;  /* lines of one decision share it */
	int64_t time; /* when */
	char who[RK_STORE_TEXT_LEN];
	char what[16];      /* "approve" "reject" "undo" "file" ... */
	char fp[RK_FP_LEN]; /* "": of the list: "lock", "unlock", "mode" */
	char email[RK_STORE_TEXT_LEN];
	enum rk_store_state before;
	enum rk_store_state after;
	char note[RK_STORE_TEXT_LEN]; /* as it is after it */
};

typedef bool rk_store_line_fn(const struct rk_store_line *line, void *arg);
/* The audit's lines behind `id` (0: all), oldest first.  That the file's lock
 * changed is one of them, as soon as a process that has the store open looks;
 * by "file", if it was not done through librpckit. */
RK_API RK_MUST enum rk_err rk_store_audit(struct rk_store *store, int64_t id,
    rk_store_line_fn *fn, void *arg, struct rk_error *err);

/*
 * Approve every key of a known-keys text, all or none, with a line of audit
 * each.  Keys that are known, rejected or revoked stay what they are, and so do
 * those whose email is another known key's, or that of a line before: approve
 * them one by one.  *added
 * (may be NULL) counts the others.  `name` stands for the text in messages.
 * RK_EFORMAT with the line, and as rk_store_decide().
 */
RK_API RK_MUST enum rk_err rk_store_import(struct rk_store *store,
    const char *name, const char *text, size_t len, const char *who,
    size_t *added, struct rk_error *err);
/* The keys that are known, as such a text; *out is for free(). */
RK_API RK_MUST enum rk_err rk_store_export(
    struct rk_store *store, char **out, size_t *len, struct rk_error *err);

RK_END

#endif
