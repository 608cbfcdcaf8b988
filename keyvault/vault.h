/* The vault: keys and small secrets in one file, sealed under a passphrase. */
#ifndef KEYVAULT_VAULT_H
#define KEYVAULT_VAULT_H

#include "kdf.h"
#include "record.h"

/*
 * An open file.  It begins locked: names, notes and public halves can be read
 * (unless the vault hides them), as far as nobody changed them: only an
 * unlocked vault can tell.  One thread at a time; other processes may read and
 * write the file meanwhile.
 *
 * Functions fill err; beside what they name, all return RK_ENOMEM, RK_EIO (also
 * a full disk), RK_EBUSY (another process writes for longer than
 * VAULT_WAIT_MS) and, of a file that is not what was written:
 *   RK_EDAMAGED   it does not add up without any key: an accident;
 *   RK_ETAMPERED  it adds up but was not sealed with this vault's key: somebody
 *                 changed, swapped, removed or brought back a part of it.
 * After a write or sync that failed nothing is written any more: RK_EIO until
 * the vault is opened anew.
 */
struct vault;

#define VAULT_WAIT_MS 5000
#define VAULT_ID_LEN 16
#define VAULT_KEY_LEN 32
#define VAULT_CHAIN_LEN 32
#define VAULT_RECORDS_MAX 100000

/* ---- the file ---- */

struct vault_setup {
	/* Seal names, notes, dates and public halves too, and what the log says
	 * of them.  Not how many records there are, the kind of each, how long
	 * its secret is, and name, note and tags together, in which order and
	 * how often they were written; nor of the log how many lines, the time
	 * and act of each, and how long it is. */
	bool hide;
	struct kdf_params kdf;
};

/*
 * Make a vault: a file of 0600 that appears whole.  Its folder is made if it is
 * not there (0700).  RK_EEXIST; RK_EMODE: the folder is not ours alone;
 * RK_ELIMIT: numbers that vault_open() would refuse.
 */
RK_MUST enum rk_err vault_make(const char *path,
    const struct vault_setup *setup, const struct rk_secret *pass,
    struct rk_error *err);
/*
 * Open and look at it without a key.  RK_ENOENT; RK_EMODE: file or folder open
 * to others; RK_EUNSUPPORTED: made by a later version; RK_ELIMIT: it asks for
 * more work or memory than a vault may.
 */
RK_MUST enum rk_err vault_open(
    const char *path, struct vault **out, struct rk_error *err);
/*
 * The same of a copy, wherever it is and whoever may read it: it is taken into
 * memory, and what is begun to be written is RK_ESTATE.  vault_open() does so
 * where the file system is read-only.
 */
RK_MUST enum rk_err vault_open_copy(
    const char *path, struct vault **out, struct rk_error *err);
/* Did vault_open() fail with *err because nothing can be put beside the vault:
 * on a full disk, or in a folder that may not be written? */
bool vault_is_shut_in(const char *path, const struct rk_error *err);
/*
 * Then: the same copy, of a file that nobody has open and that has no log
 * beside it.  What is begun to be written gives that error again.  No vault of
 * this process may be open.
 */
RK_MUST enum rk_err vault_open_full(
    const char *path, struct vault **out, struct rk_error *err);
/* Forgets the keys.  NULL is allowed. */
void vault_close(struct vault *v);

struct vault_info {
	uint8_t id[VAULT_ID_LEN];
	int64_t created;
	bool hidden;
	bool unlocked;
	uint64_t key_number; /* of the data key: 1, and one more a rekey */
	uint64_t generation; /* one more with every write */
	struct kdf_params kdf;
};
RK_MUST enum rk_err vault_inspect(
    struct vault *v, struct vault_info *out, struct rk_error *err);
/* Its records; all of the table is read. */
RK_MUST enum rk_err vault_count(
    struct vault *v, uint64_t *out, struct rk_error *err);

/* The process that writes the file at path just now, or 0.  Not while it is
 * open in this process: that would drop its locks. */
int vault_holder(const char *path);

/* ---- keys ---- */

/* Open the data key and verify that every row is one that was sealed last.
 * RK_EPASS; RK_ETAMPERED. */
RK_MUST enum rk_err vault_unlock(
    struct vault *v, const struct rk_secret *pass, struct rk_error *err);
/*
 * For a process that is to hold it: the data key of an unlocked vault, borrowed
 * until it is locked; and unlocking with one (RK_ETAMPERED: it is not this
 * vault's; RK_ESTATE: it was, before a rekey).
 */
const struct rk_secret *vault_key(const struct vault *v);
RK_MUST enum rk_err vault_unlock_with(
    struct vault *v, const struct rk_secret *key, struct rk_error *err);
void vault_lock(struct vault *v);

/*
 * For a process that uses it again and again: between two uses it stays open,
 * and what was verified is remembered, but there is no key in memory.  Asleep
 * it is not to be read.  Woken with the key that it had it is unlocked; all of
 * it is verified anew, by the call that reads, when another process has
 * written.
 */
void vault_doze(struct vault *v);
RK_MUST enum rk_err vault_wake(
    struct vault *v, const struct rk_secret *key, struct rk_error *err);
/* Is what is at its path the file that was opened, and still its owner's alone?
 * RK_ESTATE, RK_EMODE. */
RK_MUST enum rk_err vault_same(struct vault *v, struct rk_error *err);
/*
 * What an unlocked vault was when it was last verified or written.  A vault
 * that goes on from it has a log that begins with that one; a handle itself
 * expects that of what others write (RK_ETAMPERED: it is an older copy, or one
 * that went on without what was written since).
 */
struct vault_mark {
	uint64_t key_number; /* 0: nothing is known */
	uint64_t generation;
	int64_t line; /* the log's last */
	uint8_t chain[VAULT_CHAIN_LEN];
};
void vault_last(const struct vault *v, struct vault_mark *out);
/* For one that is to be unlocked, by whoever saw it before. */
void vault_expect(struct vault *v, const struct vault_mark *mark);
/* Does what was verified last go on from it?  RK_ETAMPERED. */
RK_MUST enum rk_err vault_follows(
    struct vault *v, const struct vault_mark *mark, struct rk_error *err);
/* Did a write or a sync fail for another reason than a full disk?  What is on
 * the disk of it nobody knows, and it is not to be tried again. */
bool vault_failed(const struct vault *v);
/* How long others may write before it is RK_EBUSY (VAULT_WAIT_MS). */
void vault_patience(struct vault *v, int ms);

/* ---- reading ---- */

/* Called for each record, in the order of names; false ends the list. */
typedef bool vault_record_fn(const struct record *rec, void *arg);
/* RK_ESTATE: locked, and the names are hidden; so for all that follow. */
RK_MUST enum rk_err vault_list(
    struct vault *v, vault_record_fn *fn, void *arg, struct rk_error *err);
/* RK_ENOENT. */
RK_MUST enum rk_err vault_find(struct vault *v, const char *name,
    struct record *out, struct rk_error *err);
/* With its secret; the vault is unlocked (RK_ESTATE). */
RK_MUST enum rk_err vault_secret(struct vault *v, const char *name,
    struct record *rec, struct rk_secret **out, struct rk_error *err);

/* ---- the log ---- */

/* Stored as these numbers. */
enum vault_act {
	VAULT_ACT_INIT = 1,
	VAULT_ACT_NEW,
	VAULT_ACT_IMPORT,
	VAULT_ACT_EXPORT,
	VAULT_ACT_RENAME,
	VAULT_ACT_REMOVE,
	VAULT_ACT_NOTE,
	VAULT_ACT_TAG,
	VAULT_ACT_PASSWD,
	VAULT_ACT_REKEY,
	VAULT_ACT_SIGN,
	VAULT_ACT_RESTORE,
	VAULT_ACT_UNLOCK, /* in the agent */
	VAULT_ACT_REFUSE, /* there */
	VAULT_ACT_LAST = VAULT_ACT_REFUSE
};
#define VAULT_LOG_TEXT_MAX 1024

struct vault_line {
	int64_t id;
	int64_t time;
	enum vault_act act;
	const char *text; /* "NAME" or "NAME: more"; borrowed */
};
const char *vault_act_name(enum vault_act act);
typedef bool vault_line_fn(const struct vault_line *line, void *arg);
/* All lines, oldest first.  RK_EDAMAGED, when all were told: they are not the
 * ones that were written, which their chain shows also without the key. */
RK_MUST enum rk_err vault_log_read(
    struct vault *v, vault_line_fn *fn, void *arg, struct rk_error *err);

/* Called now and then by what takes a vault as a whole: sealed anew, copied,
 * put back, checked; records or pages, done == of at the end.  NULL: nobody. */
typedef void vault_progress_fn(uint64_t done, uint64_t of, void *arg);
void vault_progress(struct vault *v, vault_progress_fn *fn, void *arg);

/* ---- writing ---- */

/*
 * What stands between begin and commit happens as a whole, and has happened
 * when vault_commit() returned RK_OK; after a failure of it, or
 * vault_cancel(), nothing has.  The vault is unlocked (RK_ESTATE).
 */
RK_MUST enum rk_err vault_begin(struct vault *v, struct rk_error *err);
RK_MUST enum rk_err vault_commit(struct vault *v, struct rk_error *err);
/* NULL is allowed. */
void vault_cancel(struct vault *v);

/* Name, kind, note, tags, expires and pub are rec's; id, version and dates are
 * set in it.  RK_EEXIST, RK_EINVAL (what record.h does not allow), RK_ELIMIT.
 */
RK_MUST enum rk_err vault_add(struct vault *v, struct record *rec,
    const struct rk_secret *secret, enum vault_act act, struct rk_error *err);
/* Name, note, tags and expires of the record `name` become those of rec.
 * RK_ENOENT, RK_EEXIST, RK_EINVAL. */
RK_MUST enum rk_err vault_change(struct vault *v, const char *name,
    struct record *rec, enum vault_act act, struct rk_error *err);
RK_MUST enum rk_err vault_remove(
    struct vault *v, const char *name, struct rk_error *err);
/*
 * When enough was written: what is in the log beside the file is moved there,
 * and the log emptied.  What was removed or replaced, as an old passphrase's
 * head, is then in neither, even if others have the file open; vault_close()
 * does so only for the last.  RK_EBUSY: others read it just now; RK_EIO:
 * nothing that was committed is lost, but the disk is not to be trusted.
 */
RK_MUST enum rk_err vault_settle(struct vault *v, struct rk_error *err);
/* A line of the log; more may be NULL.  Longer texts are cut. */
RK_MUST enum rk_err vault_log(struct vault *v, enum vault_act act,
    const char *name, const char *more, struct rk_error *err);

/* Wrap the data key anew: another passphrase, other numbers.  Alone, not
 * between begin and commit; so are those below. */
RK_MUST enum rk_err vault_passwd(struct vault *v, const struct rk_secret *pass,
    const struct kdf_params *kdf, struct rk_error *err);
/* A new data key, and everything sealed with it. */
RK_MUST enum rk_err vault_rekey(struct vault *v, const struct rk_secret *pass,
    const struct kdf_params *kdf, struct rk_error *err);

/* ---- copies, and looking after it ---- */

/* The folder of a vault that is to be: made if it is not there (0700).
 * RK_EMODE. */
RK_MUST enum rk_err vault_make_folder(const char *path, struct rk_error *err);
/* A copy as the vault is now, locked as it is; a new file of 0600.  RK_EEXIST.
 */
RK_MUST enum rk_err vault_backup(
    struct vault *v, const char *path, struct rk_error *err);
/* Put the copy `from`, which is unlocked, in the place of what is in v, in one
 * step; v is locked then. */
RK_MUST enum rk_err vault_restore(
    struct vault *v, struct vault *from, struct rk_error *err);
/*
 * Look at everything, with this passphrase; each fault is told, and does not
 * end it.  RK_OK also with faults; what keeps it from looking is an error.
 * Leaves the vault locked.
 */
typedef void vault_fault_fn(enum rk_err what, const char *text, void *arg);
RK_MUST enum rk_err vault_check(struct vault *v, const struct rk_secret *pass,
    vault_fault_fn *fn, void *arg, struct rk_error *err);

#endif
