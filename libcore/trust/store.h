/* The trust store's inside: database, rows, the table in memory. */
#ifndef RPCKIT_TRUST_STORE_H
#define RPCKIT_TRUST_STORE_H

#include <rpckit/store.h>

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "trust/crowd.h"
#include "trust/known.h"
#include "trust/mails.h"
#include "trust/pace.h"

#define STORE_NAME_TEXT 128 /* a path in a message */
#define STORE_FLUSH_SECONDS 5
#define STORE_MET_SECONDS 30 /* the same, of known keys */
#define STORE_FLUSH_KEYS 256 /* counts that one transaction writes */
#define STORE_QUICK_MS 30    /* for another process, where a loop waits */
#define STORE_TRY_MS 10      /* the same, of what is tried again */
#define STORE_MODE_LEN 16
#define STORE_APPLICATION_ID 0x726b7473 /* "rkts" */
#define STORE_VERSION 5
#define STORE_LINES 4 /* that one decision touches */
#define STORE_MEMO 1024
#define STORE_UNHIDDEN 64
#define STORE_MINE 256 /* lines of ours that are looked after */
#define STORE_STMTS 32 /* that are kept: those that one key needs */

/* One row of `keys`. */
struct store_row {
	struct rk_store_entry e;
	uint8_t source[CROWD_SOURCE_LEN]; /* who brought a waiting one */
};

/* A key in the file, in the store, or in both, as it is looked up. */
struct store_key {
	uint8_t pub[RK_KEY_PUBLIC_LEN]; /* sorted by it */
	enum rk_store_state state;      /* NONE: only in the file */
	bool in_file;
	struct rk_str emails; /* of its line; points into the text */
	struct rk_str host;
	uint8_t source[CROWD_SOURCE_LEN];
	int64_t until;
	int64_t decided;
	int64_t version;
	int64_t last_seen;
	int64_t touched; /* seen or decided about, as far as is written */
	bool bare;       /* nobody vouches for it */
	bool again;      /* it came more than once, as far as is written */
	bool noted;      /* by a person */
	/* Not written yet. */
	uint64_t tries;
	char address[RK_STORE_ADDRESS_LEN];
	bool written; /* by this transaction */
};

/* Fingerprints, each at the place that its hash says, or "". */
struct store_memo {
	int64_t version; /* of the database, when they were looked up */
	uint64_t writes; /* and ours to it */
	char fps[STORE_MEMO][RK_FP_LEN];
};

/* A statement that was parsed. */
struct store_stmt {
	const char *sql; /* NULL: none */
	sqlite3_stmt *stmt;
	bool used; /* somebody has it */
};

/* Up to where the audit was told as news, and what this transaction added. */
struct store_news {
	int64_t version; /* of the database when there was nothing more */
	int64_t line;
	int64_t first; /* 0: no line yet */
	int64_t last;
};

/* What the audit says of the list's lock. */
struct store_told {
	int64_t id; /* up to this line it was read */
	bool locked;
	uint64_t
	    again; /* monotonic ms: not looked at before, after a failure */
	char who[RK_STORE_TEXT_LEN]; /* whose order it has not yet; "": none */
};

/* That somebody has this email. */
struct store_email {
	uint8_t sum[MAILS_SUM_LEN]; /* sorted by it */
	uint8_t pub[RK_KEY_PUBLIC_LEN];
};

/* A line of the file that was added or taken out. */
struct store_line {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char host[RK_STORE_ADDRESS_LEN];
	char emails[RK_STORE_TEXT_LEN];
	bool added;
	const struct mails_for *whom; /* as in struct store_act */
};

enum store_loss {
	STORE_NOT_LOST,
	STORE_LOST, /* by a writer who had not seen it: to be added again */
	STORE_GONE  /* on purpose, perhaps: to be told */
};

/* A line of ours that is new: who takes no lock may lose it. */
struct store_mine {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint64_t since; /* monotonic ms; 0: none */
	ino_t ino;      /* the file it was written to */
	struct timespec born;
	struct timespec time; /* of the file, when it was */
	unsigned again;       /* so often added again without proof */
	enum store_loss loss;
};

enum store_haste {
	STORE_PATIENT, /* s->wait_ms; KNOWN_WAIT_MS or less; on a loop:
	                  STORE_TRY_MS */
	STORE_QUICK,   /* STORE_QUICK_MS */
	STORE_AT_ONCE  /* not at all */
};

struct rk_store {
	char known_path[PATH_MAX];
	char path[PATH_MAX];
	char known_name[STORE_NAME_TEXT]; /* escaped, for messages */
	char name[STORE_NAME_TEXT];
	char remark[STORE_NAME_TEXT];
	pthread_mutex_t mutex; /* over all that follows */
	sqlite3 *db;
	sqlite3_stmt *ask_version; /* asked at every look-up */
	struct store_stmt stmts[STORE_STMTS];
	struct stat st;         /* the database as it was opened */
	int wait_ms;            /* for another process, each time */
	bool on_loop;           /* others wait where it is asked */
	enum store_haste haste; /* store_hurry() */
	bool lenient; /* the file as it was will do, where it is held */
	bool broken;  /* writing failed in a way that is not tried again */
	bool damaged; /* reading found nonsense */
	int64_t data_version;
	bool stale; /* keys are not what the database holds */
	uint64_t
	    writes; /* transactions of ours, which data_version is not told */
	struct store_memo memo;
	uint64_t certs[STORE_MEMO]; /* hashes of what store_cert_note() noted */
	uint64_t certs_again; /* monotonic ms: not before, after a failure */
	struct store_news news;
	struct store_told lock;
	char mode[STORE_MODE_LEN]; /* the audit may not have it; "": it has */
	char mode_who[RK_STORE_TEXT_LEN];
	struct known known;
	struct known_stamp locked; /* known_is_replaced() */
	struct buf text;           /* of the known-keys file */
	struct known_line *lines;  /* views of it */
	size_t n_lines;
	struct store_key *keys;
	size_t n;
	size_t rows; /* keys that are in the store */
	struct store_email *emails;
	size_t n_emails;
	size_t unwritten;    /* keys with tries */
	bool settled;        /* they are part of this transaction */
	int64_t flush_after; /* monotonic seconds; 0: nothing waits */
	/* Done to the file by this transaction, for taking it back, which
	 * keeps the file's lock from the first of them to its end. */
	struct store_line done[STORE_LINES];
	size_t n_done;
	uint8_t (*added)[RK_KEY_PUBLIC_LEN]; /* also whose lines, at once */
	size_t n_added;
	struct known_hold hold;
	/* Keys that are out, whose lines could not be taken out. */
	uint8_t unhidden[STORE_UNHIDDEN][RK_KEY_PUBLIC_LEN];
	size_t n_unhidden;
	bool unhidden_all;        /* any that is, with the line it had */
	uint64_t hide_again;      /* monotonic ms: not before */
	enum rk_err hide_fault;   /* that was told; RK_OK: none */
	uint64_t lines_again;     /* the same of store_lines; 0: at once */
	char lines_fp[RK_FP_LEN]; /* the last of them that was looked at */
	struct store_mine mine[STORE_MINE];
	size_t n_mine;          /* ever */
	size_t losses;          /* of them, as the file was read last */
	struct pace pace;       /* of keys recorded in RK_MODE_OPEN */
	int64_t highest;        /* the latest time ever told */
	int64_t (*clock)(void); /* seconds since 1970 */
};

/* rk_store_open() on a VFS of SQLite's; NULL: its default.  For tests. */
RK_MUST enum rk_err store_open_on(const char *vfs, const char *known, bool make,
    struct rk_store **out, struct rk_error *err);
/* rk_store_open() that waits for nobody: RK_EBUSY. */
RK_MUST enum rk_err store_try_open(
    const char *known, bool make, struct rk_store **out, struct rk_error *err);
/* NULL: the system's.  For tests. */
void store_set_clock(struct rk_store *s, int64_t (*clock)(void));
/* Never goes back while the store is open. */
int64_t store_now(struct rk_store *s);

/* ---- store_db: the database and its transactions ---- */

RK_MUST enum rk_err store_db_open(
    struct rk_store *s, const char *vfs, struct rk_error *err);
/* A new one, empty, where there is none: RK_EEXIST. */
RK_MUST enum rk_err store_db_make(struct rk_store *s, struct rk_error *err);
/* What SQLite's code rc means; remembers what must not be tried again. */
enum rk_err store_db_fail(struct rk_store *s, int rc, struct rk_error *err);
RK_MUST enum rk_err store_db_exec(
    struct rk_store *s, const char *sql, struct rk_error *err);
/* sql: a literal, by whose place the statement is found the next time: it is
 * not parsed for each key.  End it with store_db_done() or store_db_finish().
 */
RK_MUST enum rk_err store_db_prepare(struct rk_store *s, const char *sql,
    sqlite3_stmt **out, struct rk_error *err);
void store_db_done(struct rk_store *s, sqlite3_stmt *stmt);
/* All of them end with the database. */
void store_db_forget(struct rk_store *s);
/* A statement without rows: run and done. */
RK_MUST enum rk_err store_db_finish(
    struct rk_store *s, sqlite3_stmt *stmt, struct rk_error *err);
/* The one number that a statement gives: run and done. */
RK_MUST enum rk_err store_db_answer(
    struct rk_store *s, sqlite3_stmt *stmt, int64_t *out, struct rk_error *err);
/* The same of one without parameters. */
RK_MUST enum rk_err store_db_number(
    struct rk_store *s, const char *sql, int64_t *out, struct rk_error *err);
/* Begin to write; the table in memory is brought up to date within. */
RK_MUST enum rk_err store_begin(struct rk_store *s, struct rk_error *err);
/* Could a transaction begin now?  RK_EBUSY.  Takes the mutex. */
RK_MUST enum rk_err store_probe(struct rk_store *s, struct rk_error *err);
/* Can anything be written to the database?  Nothing is another than before. */
RK_MUST enum rk_err store_try_write(struct rk_store *s, struct rk_error *err);
/* How long another process is waited for, for the file's lock and the
 * database's, until something else is said. */
void store_hurry(struct rk_store *s, enum store_haste haste);
/* The same of the file's lock, in ms. */
unsigned store_file_wait(const struct rk_store *s);
/* Whether others wait where it is asked: what is busy is tried again later. */
void store_on_loop(struct rk_store *s, bool on);
/* Commit if r is RK_OK, roll back otherwise; r or what went wrong. */
RK_MUST enum rk_err store_end(
    struct rk_store *s, enum rk_err r, struct rk_error *err);

/* ---- store_row: rows and lines of audit ---- */

/* RK_ENOENT without a text. */
RK_MUST enum rk_err store_row_get(struct rk_store *s, const char *fp,
    struct store_row *out, struct rk_error *err);
RK_MUST enum rk_err store_row_put(
    struct rk_store *s, const struct store_row *row, struct rk_error *err);
RK_MUST enum rk_err store_row_remove(
    struct rk_store *s, const char *fp, struct rk_error *err);
typedef enum rk_err store_row_fn(const struct store_row *row, void *arg);
RK_MUST enum rk_err store_row_each(
    struct rk_store *s, store_row_fn *fn, void *arg, struct rk_error *err);
/* The newest address to the front. */
void store_row_address(struct store_row *row, const char *address);

struct store_act {
	int64_t act; /* 0: a new one, set by the first line */
	bool leave;  /* the file stays as it is */
	bool undoes; /* a line comes back as it was taken out */
	/* Whose addresses must be no other key's when its line is written;
	 * NULL: whoever has them. */
	const struct mails_for *whom;
	const char *who;
	const char *what;
};
/* Write a line about the change; after->e.version becomes its id. */
RK_MUST enum rk_err store_audit_put(struct rk_store *s, struct store_act *act,
    const struct store_row *before, struct store_row *after,
    struct rk_error *err);
/* Lines with their rows as they were before. */
typedef enum rk_err store_audit_fn(const struct rk_store_line *line,
    const struct store_row *before, void *arg);
/* Those of one act, the last first (act != 0), or those behind id. */
RK_MUST enum rk_err store_audit_each(struct rk_store *s, int64_t act,
    int64_t id, store_audit_fn *fn, void *arg, struct rk_error *err);

/* What a person decided last about the key of this fingerprint, or of the one
 * that begins so; *last: the newest line about it.  RK_ENOENT: nothing;
 * RK_EINVAL: several; RK_ESTATE: it was undone already, or something happened
 * since that nobody decided.  Who has seen a line (0: none) means that one
 * whatever was noted since. */
RK_MUST enum rk_err store_last_act(struct rk_store *s, const char *given,
    int64_t seen, struct rk_store_line *last, struct rk_error *err);
/* The lines behind id, the oldest first, at most n. */
RK_MUST enum rk_err store_audit_next(struct rk_store *s, int64_t id, size_t n,
    store_audit_fn *fn, void *arg, struct rk_error *err);
/* Which lines. */
struct store_audit_wish {
	size_t max;
	int64_t before;     /* older than this one; 0: than none */
	const uint8_t *pub; /* about this key; NULL: about any */
};
/* The newest of them come first. */
RK_MUST enum rk_err store_audit_newest(struct rk_store *s,
    const struct store_audit_wish *wish, store_audit_fn *fn, void *arg,
    struct rk_error *err);
/* The key that lines are about whose fingerprint this is, or begins so; of a
 * key that has none, none.  RK_EINVAL: too short, or several; RK_ENOENT. */
RK_MUST enum rk_err store_audit_key(struct rk_store *s, const char *given,
    uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err);

/* ---- store_mem: the table in memory ---- */

/* Is the database still the one that was opened?  RK_EIO, RK_EMODE,
 * RK_EDAMAGED. */
RK_MUST enum rk_err store_check(struct rk_store *s, struct rk_error *err);
/* Look whether file or database changed, and read what did. */
RK_MUST enum rk_err store_refresh(struct rk_store *s, struct rk_error *err);
/* A number that changes whenever another connection has written. */
RK_MUST enum rk_err store_version(
    struct rk_store *s, int64_t *version, struct rk_error *err);
/* NULL: neither file nor store has it. */
struct store_key *store_key_find(
    const struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* Is one of these another key's, which is let in: by its line, by an approval
 * for a time or a connection?  Also where not all are there to be compared. */
bool store_email_taken(
    struct rk_store *s, const struct mails_for *whom, struct mails mails);
enum rk_store_status store_status_of(struct rk_store *s,
    const struct store_key *key, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    const char *emails);
bool store_is_locked(const struct rk_store *s);
void store_mem_fini(struct rk_store *s);

/* A known key is here, and came just now: when and from where is counted as
 * with all that come, and written within half a minute.  Its certificate, as
 * store_cert_note().  Takes the mutex. */
void store_met(struct rk_store *s, const struct rk_peer *peer, bool comes);
/* The same of a key that is rejected or revoked. */
void store_tried(struct rk_store *s, const struct rk_peer *peer);
/* Who waits does so no more.  Takes the mutex. */
RK_MUST enum rk_err store_drop(
    struct rk_store *s, const char *fp, struct rk_error *err);
/* rk_store_see() of one that is to be put out, whoever holds the file.  Takes
 * the mutex. */
RK_MUST enum rk_err store_keep(
    struct rk_store *s, const struct rk_peer *peer, struct rk_error *err);

/* ---- store_memo: who is in nobody's way ---- */

/*
 * *silent: since nothing was written this key was looked up, and the store has
 * nothing against it and nothing for it that the file has not, at any time.
 * Where it is not, look it up, and add what came of it.
 */
RK_MUST enum rk_err store_memo_ask(
    struct rk_store *s, const char *fp, bool *silent, struct rk_error *err);
/* The row of this fingerprint; {0}: there is none. */
void store_memo_add(
    struct rk_store *s, const struct store_row *row, const char *fp);

/* ---- store_cert: certificates of keys ---- */

/* A key of which there is a row, or a line, has this certificate.  A failure is
 * logged, and tried again when it comes again.  Takes the mutex. */
void store_cert_note(struct rk_store *s, const struct rk_cert_info *cert);
/* Within a transaction: the certificate of a key that has a row.  Those of keys
 * that are gone go.  Without a serial number, which who waits has not: on no
 * list of revoked ones. */
RK_MUST enum rk_err store_cert_put(
    struct rk_store *s, const struct rk_cert_info *cert, struct rk_error *err);
/* What was noted: pub, fp, email, issuer_cn and serial.  Takes the mutex, and
 * holds it meanwhile. */
typedef void store_cert_fn(const struct rk_cert_info *cert, void *arg);
RK_MUST enum rk_err store_cert_each(
    struct rk_store *s, store_cert_fn *fn, void *arg, struct rk_error *err);

/* ---- store_lines: lines of the file that were taken out ---- */

/* As they are in the file, as it was read last, each with its newline. */
RK_MUST enum rk_err store_lines_read(const struct rk_store *s,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct buf *out);
/* Within a transaction that takes a key's lines out: keep them.  Those that are
 * longer than a row may be are not. */
RK_MUST enum rk_err store_lines_keep(struct rk_store *s,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err);
/* Those that were taken out last, each with its newline.  RK_ENOENT: none. */
RK_MUST enum rk_err store_lines_get(struct rk_store *s,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct buf *out,
    struct rk_error *err);
/* Within the transaction that brings them back: they are in the file again. */
RK_MUST enum rk_err store_lines_drop(struct rk_store *s,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err);

/* ---- store_tidy: what is put in order later ---- */

/* The line of a key that is out could not be taken out of the file. */
void store_hide_later(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* Take such lines out, if that is possible by now; and what is kept of lines of
 * keys that are forgotten for as long as who waits may be unseen.  Holds the
 * mutex; to be called now and then, and does little each time. */
void store_tidy(struct rk_store *s);

/* ---- store_count: tries and times ---- */

/* address: "": as it was. */
void store_count(
    struct rk_store *s, struct store_key *key, const char *address);
/* The same of one that is let in, as most are: written less often. */
void store_count_known(
    struct rk_store *s, struct store_key *key, const char *address);
/* Within a transaction: write counts (so many that it stays short), adopt lines
 * of the file that the store has not, drop what waited too long. */
RK_MUST enum rk_err store_settle(struct rk_store *s, struct rk_error *err);
/* The same in its own transaction, if there is more to do than to write counts.
 */
RK_MUST enum rk_err store_settle_now(struct rk_store *s, struct rk_error *err);
/* Write all counts, too. */
RK_MUST enum rk_err store_settle_all(struct rk_store *s, struct rk_error *err);
/* What is counted and not written, into a row that is shown or written. */
void store_add_counts(struct rk_store *s, struct store_row *row);
/* The transaction with them is committed. */
void store_settled(struct rk_store *s);
/* Whether counts are due; a failure is logged and tried again later. */
void store_flush_due(struct rk_store *s);
bool store_is_overdue(const struct store_key *key, int64_t now);

/* ---- store_list ---- */

/* rk_store_import(); changed: also keys whose email is another known key's. */
struct store_import {
	const char *name;
	const char *text;
	size_t len;
	const char *who;
	bool changed;
};
RK_MUST enum rk_err store_import(struct rk_store *s,
    const struct store_import *from, size_t *added, struct rk_error *err);

/* ---- store_lock: the list's lock in the audit ---- */

/* Is the file's mode another than the audit's last word of it, or the lock by
 * an order of which that says nothing? */
RK_MUST enum rk_err store_lock_differs(
    struct rk_store *s, bool *differs, struct rk_error *err);
/* Within a transaction: say so, where it is; nobody knows whose work it was. */
RK_MUST enum rk_err store_lock_settle(struct rk_store *s, struct rk_error *err);
/* The same, whenever somebody looks; a failure is logged and tried again. */
void store_lock_notice(struct rk_store *s);

/* Change the file's mode; called with the database's lock held. */
typedef enum rk_err store_lock_fn(void *arg, bool lock, struct rk_error *err);
struct store_lock_order {
	bool lock;
	const char *who;
	store_lock_fn *change;
	void *arg;
};
/* Is the last word of it that somebody ordered to lock the list?  Also where
 * that cannot be read.  Takes the mutex. */
bool store_lock_is_ordered(struct rk_store *s);
/* The same, with the mutex. */
bool store_lock_is_told(struct rk_store *s);
/*
 * Have it changed, with a line of audit.  Unlocking is both or neither; locking
 * is done even where the store cannot be written, which is logged, and the line
 * follows when that is possible.  Takes the mutex.  Errors of `change`, and of
 * rk_store_decide().
 */
RK_MUST enum rk_err store_lock(
    struct rk_store *s, const struct store_lock_order *o, struct rk_error *err);

/* ---- store_mode: the mode in the audit ---- */

/* Within a transaction: a line of audit about the list. */
RK_MUST enum rk_err store_put_about(struct rk_store *s, const char *what,
    const char *note, const char *who, struct rk_error *err);
/* A line of audit: whoever decides by this list does so by another mode.  Takes
 * the mutex.  Errors of rk_store_decide(). */
RK_MUST enum rk_err store_note_mode(struct rk_store *s, const char *note,
    const char *who, struct rk_error *err);
/* It is in force, whatever the audit says: where that has another or none, it
 * gets a line, now or, if another process keeps the store, as soon as that is
 * possible.  Takes the mutex. */
void store_mode_is(struct rk_store *s, const char *mode, const char *who);
/* Within a transaction: that line. */
RK_MUST enum rk_err store_mode_settle(struct rk_store *s, struct rk_error *err);

/* ---- store_lost: what others who take no lock lost ---- */

/* Within a transaction: this key's line was just written to the file. */
void store_mine_note(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* The file was read: which of these lines are gone, and how? */
void store_mine_look(struct rk_store *s);
bool store_mine_is_lost(
    struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/*
 * In a transaction of its own: those that a writer lost who had not seen them
 * are added again; whose removal may have been meant waits again.  Both is
 * logged and in the audit.
 */
RK_MUST enum rk_err store_mend(struct rk_store *s, struct rk_error *err);
/* The same after a look at the file; waits for nobody: RK_EBUSY.  Takes the
 * mutex.  *mended: the file may have changed. */
RK_MUST enum rk_err store_mend_now(
    struct rk_store *s, bool *mended, struct rk_error *err);

/* ---- store_apply ---- */

/*
 * Within a transaction: the row becomes `after` (state NONE: removed), with its
 * line of audit and what the file needs, which store_end() takes back when it
 * does not commit.  RK_ESTATE: the file is locked; RK_ELIMIT.
 */
RK_MUST enum rk_err store_apply(struct rk_store *s, struct store_act *act,
    const struct store_row *before, struct store_row *after,
    struct rk_error *err);
void store_take_back(struct rk_store *s);
/* Its line in the file, and nothing else. */
RK_MUST enum rk_err store_add_line(struct rk_store *s,
    const struct store_line *line, bool *added, struct rk_error *err);
/* Rejected and revoked keys leave the file as far as it lets us; a failure is
 * logged, the store holds. */
void store_hide(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* Are these RK_STORE_FP_MIN characters of a fingerprint, or more? */
bool store_is_long_enough(const char *given);
/* The row of a fingerprint or its start.  RK_ENOENT, RK_EINVAL. */
RK_MUST enum rk_err store_resolve(struct rk_store *s, const char *given,
    struct store_row *out, struct rk_error *err);

#endif
