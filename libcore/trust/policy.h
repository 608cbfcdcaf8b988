/* The decision's early half, for use inside a handshake; its clock. */
#ifndef RPCKIT_TRUST_POLICY_H
#define RPCKIT_TRUST_POLICY_H

#include "trust/room.h"

/*
 * Would this key be refused whatever its owner proves?  RK_OK: no, ask
 * rk_trust_decide() when possession is proven.  RK_EUNKNOWNKEY: the key is not
 * on the list, which is locked or has taken its share of new keys;
 * RK_EDENIED, RK_EREVOKED: that was decided; RK_EIO/RK_EMODE/RK_EFORMAT as
 * there.  RK_OK, too, where that cannot be read just now (RK_EBUSY there), and
 * of one that has to wait, whether or not it can.  Records nothing but, in
 * memory, a try of a key that is out, so that it may be asked before any proof;
 * a refusal can then travel as a TLS alert.  Any thread.
 */
RK_MUST enum rk_err policy_foresee(struct rk_trust *trust,
    const struct rk_cert_info *cert, struct rk_error *err);

/* Milliseconds that never go back; NULL: the system's.  For tests. */
void policy_set_clock(struct rk_trust *trust, uint64_t (*now)(void));

/*
 * Would rk_trust_decide() accept this key as things stand, recording nothing?
 * RK_EUNKNOWNKEY: no; its owner has to prove it in a handshake, or is refused
 * even then.  The other errors as above.  Any thread.
 */
RK_MUST enum rk_err policy_recall(struct rk_trust *trust,
    const struct rk_cert_info *cert, struct rk_error *err);

/*
 * rk_trust_decide() that waits for nobody.  RK_EBUSY: another program has the
 * lock of list or store, of which more is needed than was read: nothing is
 * decided or recorded, and it is to be asked again.  Any thread.
 */
RK_MUST enum rk_err policy_decide(struct rk_trust *trust,
    const struct rk_peer *peer, bool *added, struct rk_error *err);
/*
 * A connection of a peer for which policy_decide() was RK_EAGAIN waits, and
 * does so no more, whatever became of it.  RK_ELIMIT: it must not.  Any thread.
 */
RK_MUST enum rk_err policy_sit(struct rk_trust *trust, struct room_seat *seat,
    const struct rk_peer *peer, struct rk_error *err);
void policy_stand(struct room_seat *seat);
/* policy_decide() for one that waits: RK_EAGAIN: it still does. */
RK_MUST enum rk_err policy_ask_again(struct rk_trust *trust,
    const struct rk_peer *peer, bool *added, struct rk_error *err);
/* Was a peer that was let in just now let in for a time? */
bool policy_is_timed(struct rk_trust *trust, const struct rk_cert_info *cert);
/* May one stay?  RK_EDENIED (also where its time is over, or its approval
 * undone), RK_EREVOKED, the store's; RK_EBUSY: it cannot be read just now. */
RK_MUST enum rk_err policy_may_stay(struct rk_trust *trust,
    const struct rk_cert_info *cert, bool timed, struct rk_error *err);

/* What a peer that was let in is to us now: "known" (of the file), "once",
 * "rejected" or "revoked"; "" where nobody asks about keys.  Static; any
 * thread. */
const char *policy_standing(
    struct rk_trust *trust, const struct rk_cert_info *cert);

/* Has the file, or the table of keys that wait or were decided about, this key?
 * Any thread. */
bool policy_knows(struct rk_trust *trust, const struct rk_cert_info *cert);

/*
 * Take all write permission from the file, or give it to its owner; what waits
 * is asked about again.  Where there is a store its audit says that `who` did
 * so; unlocking fails without that, locking does not, and waits for nobody: the
 * audit has it as soon as that is possible.  A list that was locked so stays
 * locked when another file takes its name, until it is unlocked so or by a
 * chmod(2).  RK_ESTATE: there is none, or it has no key and would refuse
 * everybody; RK_EIO, RK_EMODE, RK_EFORMAT, errors of rk_store_decide(); of
 * unlocking: RK_EBUSY: another program has list or store, and it is to be tried
 * again.  Any thread.
 */
RK_MUST enum rk_err policy_lock(
    struct rk_trust *trust, bool lock, const char *who, struct rk_error *err);
/* Could an order be carried out now without waiting for the lock of the store
 * or, if that is needed, of the file?  RK_EBUSY, after a very short time, where
 * another program holds one.  Any thread. */
RK_MUST enum rk_err policy_probe(
    struct rk_trust *trust, bool file, struct rk_error *err);
/* rk_trust_set_mode() that waits for nobody, as policy_order(), with a line of
 * audit where there is a store.  To lock is
 * done even if that cannot be written, other modes are not set then.  The name
 * of a mode: "file", "lock", "off", "ask", "open"; static. */
RK_MUST enum rk_err policy_set_mode(struct rk_trust *trust,
    enum rk_trust_mode mode, const char *who, struct rk_error *err);
const char *policy_mode_name(enum rk_trust_mode mode);
/* Every key of the file; texts as they stand there, escaped; none without a
 * file.  RK_EIO, RK_EMODE, RK_EFORMAT, RK_ENOMEM.  Any thread. */
typedef void policy_known_fn(
    const char *fp, const char *emails, const char *host, void *arg);
RK_MUST enum rk_err policy_each_known(struct rk_trust *trust,
    policy_known_fn *fn, void *arg, struct rk_error *err);

/* A server begins with it: where its store's audit says that the mode was
 * another, or nothing, that gets a line, by "start".  Any thread. */
void policy_begin(struct rk_trust *trust);
/*
 * `now` is in force from here on in place of `before` (either may be NULL): a
 * line of audit where the mode changes, at once or, where another program keeps
 * the store, as soon as it lets go of it.  True: it does change, which
 * policy_tell_mode() tells who watches `now`.  Any thread.
 */
bool policy_note_successor(struct rk_trust *before, struct rk_trust *now);
void policy_tell_mode(struct rk_trust *trust);

/*
 * Another decider of the same peers is in force (NULL: nobody decides), and
 * this one has connections still.  Who waits is asked about by the mode of the
 * other, if that has the same file or takes everybody; else this one lets
 * nobody in any more.  They are told if anything changes.  Any thread.
 */
void policy_succeed(struct rk_trust *before, struct rk_trust *now);

/* The key of a line that has an address of this entry's, which is changed; "":
 * none has, by the file as it was read last. */
void policy_other(
    struct rk_trust *trust, const struct rk_ask_entry *e, char fp[RK_FP_LEN]);
/* What an order found, with who had decided so (zeros: of RK_ASK_UNDO), and
 * what it left, as *after of rk_trust_order(). */
struct policy_done {
	struct rk_ask_entry before;
	struct rk_ask_entry after;
	bool known; /* its line is there */
};
/* rk_trust_order() that waits for nobody (RK_EBUSY: another program has list or
 * store, nothing is done, and it is to be tried again), where a peer is here
 * whose key begins as order->key does: it may be the one to be kept out,
 * although there is neither entry nor line. NULL: none is. */
RK_MUST enum rk_err policy_order(struct rk_trust *trust,
    const struct rk_ask_order *order, const struct rk_peer *met,
    struct policy_done *done, struct rk_error *err);
/* May other processes decide about the same keys? */
bool policy_is_shared(const struct rk_trust *trust);
/* Follow what they have decided since: who watches the decisions is told.  The
 * store's error.  Any thread. */
RK_MUST enum rk_err policy_catch_up(
    struct rk_trust *trust, struct rk_error *err);

/* The certificates that known keys had when they were here last, as far as a
 * store has them: pub, fp, email, issuer_cn, serial.  fn must not ask about
 * keys.  The store's error.  Any thread. */
RK_MUST enum rk_err policy_each_cert(struct rk_trust *trust,
    void (*fn)(const struct rk_cert_info *cert, void *arg), void *arg,
    struct rk_error *err);

/* What the store says of keys beside their lines; NULL without a store. */
struct policy_memos;
RK_MUST enum rk_err policy_memos_new(
    struct rk_trust *trust, struct policy_memos **out, struct rk_error *err);
/* No status; NULL: nothing. */
const struct rk_ask_entry *policy_memo(
    const struct policy_memos *memos, const char *fp);
void policy_memos_free(struct policy_memos *memos); /* NULL is allowed */

struct rk_store_line;
struct policy_audit {
	size_t max;      /* lines */
	uint64_t before; /* that are older than the one with this id; 0: all */
	const char *key; /* and about this one: a fingerprint, or its unique
	                    start; NULL: about all */
};
/* Lines of the store's audit, the newest first; texts as they are kept.
 * RK_ESTATE: no store; RK_ENOENT: none is about that key, RK_EINVAL: no
 * fingerprint, or of several; errors of rk_store_audit(). */
typedef void policy_line_fn(const struct rk_store_line *line, void *arg);
RK_MUST enum rk_err policy_audit(struct rk_trust *trust,
    const struct policy_audit *which, policy_line_fn *fn, void *arg,
    struct rk_error *err);

/* The keys that are known, as text of a known-keys file; *out is for free().
 * RK_ESTATE: no list; errors of rk_trust_inspect(). */
RK_MUST enum rk_err policy_export(
    struct rk_trust *trust, char **out, size_t *len, struct rk_error *err);

#define POLICY_LINES_MAX 50 /* that are named */
struct policy_lines {
	size_t n;
	unsigned first[POLICY_LINES_MAX]; /* numbers of the first, from 1 on */
};
struct policy_text {
	const char *text;
	size_t len;
	const char *who;
	bool changed; /* also keys with the e-mail of one that is known */
	const struct policy_looked *looked; /* NULL: at nothing */
};
struct policy_import {
	size_t fresh;              /* new keys */
	size_t known;              /* they were, or stand there twice */
	size_t out;                /* rejected or revoked: they stay so */
	struct policy_lines taken; /* their e-mail is another known key's */
	struct policy_lines wrong;
};
/*
 * Whether a key is one takes long to tell, and others wait meanwhile: look at
 * a few of the text, and at the next ones the next time.  *looked begins with
 * NULL, and is for free().  RK_EAGAIN: there are more; RK_OK: that was all;
 * RK_ENOMEM.  The text is the same each time, wherever it is.
 */
struct policy_looked;
RK_MUST enum rk_err policy_look(struct rk_trust *trust,
    const struct policy_text *text, struct policy_looked **looked,
    struct rk_error *err);
/*
 * Make the keys of such a text known or, where a line is wrong, none: that is
 * RK_OK, too.  Keys with an e-mail of one that is known, or that a line before
 * theirs has, are left out unless `changed`.
 * RK_ESTATE: there is no list, or it is locked; RK_ELIMIT: it would be too
 * long; RK_EIO, RK_EMODE, RK_EFORMAT, and those of rk_store_import(): nothing
 * has changed.
 */
RK_MUST enum rk_err policy_import(struct rk_trust *trust,
    const struct policy_text *text, struct policy_import *out,
    struct rk_error *err);

/* What is wrong about list and store, or worth knowing: one line each,
 * escaped.  RK_ENOMEM. */
typedef void policy_finding_fn(bool wrong, const char *text, void *arg);
RK_MUST enum rk_err policy_check(
    struct rk_trust *trust, policy_finding_fn *fn, void *arg);

/* How many could not wait so far, for want of room.  Any thread. */
uint64_t policy_turned(struct rk_trust *trust);

/* The mode of the list's file as it was read last, and what locking makes of
 * it.  False: there is no such file. */
bool policy_list_mode(struct rk_trust *trust, unsigned *mode, unsigned *locked);

/* Decisions that outlive the process; before others use `trust`.  Copied. */
void policy_set_store(struct rk_trust *trust, const struct ask_store *store);

#endif
