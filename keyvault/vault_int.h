/* Inside the vault: its rows, its keys, and who does what. */
#ifndef KEYVAULT_VAULT_INT_H
#define KEYVAULT_VAULT_INT_H

#include "vault.h"

#include "base/crypt.h"

#include <limits.h>
#include <sys/stat.h>

#include <sqlite3.h>

#define VAULT_APPLICATION_ID 0x526b4b76 /* "RkKv" */
#define VAULT_NAME_TEXT 512
#define VAULT_SUM_LEN 8
#define VAULT_VERIFIER_LEN 32
#define VAULT_SEAL_LEN (CRYPT_XCHACHA_NONCE_LEN + CRYPT_TAG_LEN)
#define VAULT_WRAPPED_LEN (VAULT_KEY_LEN + VAULT_SEAL_LEN)

/*
 * The one row of table head.  `sum` is a hash of all the others without a key,
 * as each record has one and the log is a chain of them: what does not add up
 * was damaged.  `manifest` is a MAC of all that is in the vault: what adds up
 * but does not fit it was tampered with.
 */
struct head {
	uint8_t id[VAULT_ID_LEN];
	int64_t created;
	bool hidden;
	uint64_t key_number;
	struct kdf_params kdf;
	uint8_t salt[KDF_SALT_LEN];
	uint8_t verifier[VAULT_VERIFIER_LEN]; /* is it this passphrase? */
	uint8_t wrapped[VAULT_WRAPPED_LEN];   /* the data key */
	uint64_t generation;
	uint8_t manifest[CRYPT_HASH_LEN];
	uint8_t sum[CRYPT_HASH_LEN];
};

/* What is derived from the data key; in guarded memory. */
struct keys {
	uint8_t record[CRYPT_KEY_LEN];   /* seals secrets */
	uint8_t veil[CRYPT_KEY_LEN];     /* seals what a hidden vault hides */
	uint8_t name[CRYPT_KEY_LEN];     /* names, to find them hidden */
	uint8_t row[CRYPT_KEY_LEN];      /* MAC of a row */
	uint8_t manifest[CRYPT_KEY_LEN]; /* MAC of all */
};

/* A row of table records; views, valid until the statement moves. */
struct row {
	int64_t id;
	uint64_t version;
	enum record_kind kind;
	struct rk_bytes name; /* as it is, or its MAC where names are hidden */
	struct rk_bytes about;
	struct rk_bytes sealed;
	uint8_t sum[VAULT_SUM_LEN];
};

/* A row of table audit. */
struct line {
	int64_t id;
	int64_t time;
	enum vault_act act;
	struct rk_bytes text;
	uint8_t chain[CRYPT_HASH_LEN];
};

struct row_mac {
	int64_t id;
	uint8_t mac[CRYPT_HASH_LEN];
};

struct vault {
	sqlite3 *db;
	char path[PATH_MAX];
	char name[VAULT_NAME_TEXT]; /* the path, escaped */
	struct head head;
	struct rk_secret *key;       /* NULL: locked */
	struct rk_secret *derived;   /* struct keys */
	struct rk_secret *spare_key; /* zeros, where it was put to sleep */
	struct rk_secret *spare_derived;
	/* Of every row, by id, while unlocked: the file is compared with them,
	 * not only with itself. */
	struct row_mac *macs;
	size_t n_macs;
	size_t macs_cap;
	int64_t line_id; /* the last of the log */
	uint8_t chain[CRYPT_HASH_LEN];
	struct vault_mark mark;
	dev_t dev; /* of the file that was opened */
	ino_t ino;
	ino_t wal;    /* of its log; 0 while it is being opened */
	int64_t seen; /* SQLite's number of what others committed */
	bool stale;   /* look at all of it again */
	bool writing;
	bool broken;
	bool failed;   /* not for want of room */
	int pages;     /* of the log, since it was written; 0: not by us */
	int patience;  /* VAULT_WAIT_MS, but for tests */
	bool replaced; /* what is in the file is not to stay there */
	struct rk_error why; /* it could not be moved there */
	bool copy;           /* in memory only, not to be written */
	int64_t (*clock)(void);
	vault_progress_fn *progress;
	void *progress_arg;
};

/* ---- vault.c ---- */

RK_MUST enum rk_err vault_open_on(const char *vfs, const char *path,
    struct vault **out, struct rk_error *err);
/* Folder and files are their owner's alone. */
RK_MUST enum rk_err vault_check_files(const char *path, struct rk_error *err);
/* RK_EIO: there is something in a log beside the file. */
RK_MUST enum rk_err vault_no_log(struct vault *v, struct rk_error *err);
/* Tell whoever wants to know. */
void vault_at(const struct vault *v, uint64_t done, uint64_t of);
/* All of it, a piece at a time: SQLITE_DONE when it went well. */
int vault_db_steps(const struct vault *v, sqlite3_backup *b);
/* It is verified, or written, as it now is. */
void vault_mark_set(struct vault *v);
/* vault_follows() inside a transaction, with the key that it was verified
 * under. */
RK_MUST enum rk_err vault_mark_look(
    struct vault *v, const struct vault_mark *mark, struct rk_error *err);
/* The number of the log beside the file, 0 where there is none. */
ino_t vault_wal_file(const struct vault *v);
/* What is at its path is another file, or has another log: what ours has must
 * not be written there. */
RK_MUST bool vault_gone(const struct vault *v);
/* NULL: locked. */
const struct keys *vault_keys(const struct vault *v);
RK_MUST enum rk_err vault_require_unlocked(
    struct vault *v, struct rk_error *err);
/* Between vault_begin() and its end, or around what is read together; nested in
 * a write it does nothing.  An unlocked vault is looked at again if others
 * wrote. */
RK_MUST enum rk_err vault_read_begin(struct vault *v, struct rk_error *err);
void vault_read_end(struct vault *v);
/* Look at an unlocked vault again if others wrote, which may be with a new key
 * (RK_ESTATE); inside a transaction. */
RK_MUST enum rk_err vault_refresh(struct vault *v, struct rk_error *err);

/* What could not be read, with r: RK_ENOMEM, or RK_EDAMAGED for whatever else.
 * what: "record", "line". */
enum rk_err vault_unreadable(struct vault *v, enum rk_err r, const char *what,
    int64_t id, struct rk_error *err);
/* Is there a record of that name, as far as the index knows? */
RK_MUST enum rk_err vault_has(
    struct vault *v, const char *name, bool *found, struct rk_error *err);

/* ---- vault_settle.c ---- */

/* Count what is written, in an open file. */
void vault_settle_set(struct vault *v);
/* Behind a commit: the log is not to grow without end. */
void vault_settle_some(struct vault *v);

/* ---- vault_db.c: the database ---- */

/* A form of the schema.  The step makes it from the form before it. */
struct vault_form {
	const char *const *schema;
	size_t n;
	const char *step; /* NULL for the first */
};
/* Of all versions, oldest first; the last is made.  For tests of other ones. */
struct vault_forms {
	const struct vault_form *list;
	size_t n;
};
extern const struct vault_forms vault_forms;

enum rk_err vault_db_fail(struct vault *v, int rc, struct rk_error *err);
/* A database in memory with the newest schema and nothing in it. */
RK_MUST enum rk_err vault_db_fresh(
    struct vault *v, const struct vault_forms *forms, struct rk_error *err);
/* The file; an older form is brought to the newest. */
RK_MUST enum rk_err vault_db_open(struct vault *v, const char *vfs,
    const struct vault_forms *forms, struct rk_error *err);
/* The file's bytes, in memory; it must be of the newest form. */
RK_MUST enum rk_err vault_db_take(
    struct vault *v, const struct vault_forms *forms, struct rk_error *err);
/* The same while nobody has it open, nor can open it; that is waited for as for
 * other locks.  RK_EBUSY. */
RK_MUST enum rk_err vault_db_take_alone(
    struct vault *v, const struct vault_forms *forms, struct rk_error *err);
void vault_db_close(struct vault *v);
/* Write what is in v's database to a new file of 0600, whole. */
RK_MUST enum rk_err vault_db_save(
    struct vault *v, const char *path, struct rk_error *err);
RK_MUST enum rk_err vault_db_exec(
    struct vault *v, const char *sql, struct rk_error *err);
/* RK_ESTATE of a copy, and what stopped writing before. */
/* Times that are kept are not negative. */
RK_MUST enum rk_err vault_check_clock(
    const struct vault *v, struct rk_error *err);
RK_MUST enum rk_err vault_may_write(
    const struct vault *v, struct rk_error *err);
/* Begin a transaction; one that could not be taken back for want of memory is
 * before. */
RK_MUST enum rk_err vault_db_begin(
    struct vault *v, const char *sql, struct rk_error *err);
RK_MUST enum rk_err vault_db_prepare(
    struct vault *v, const char *sql, sqlite3_stmt **out, struct rk_error *err);
/* The statement's only step, and its end. */
RK_MUST enum rk_err vault_db_finish(
    struct vault *v, sqlite3_stmt *stmt, struct rk_error *err);
/* Step once: *row tells whether there is one. */
RK_MUST enum rk_err vault_db_step(
    struct vault *v, sqlite3_stmt *stmt, bool *row, struct rk_error *err);
/* Bytes of a column; false: it is something else, or not within min and max. */
RK_MUST bool vault_db_bytes(sqlite3_stmt *stmt, int column, size_t min,
    size_t max, struct rk_bytes *out);

/* ---- vault_row.c: rows in and out ---- */

#define VAULT_ROW_COLUMNS "id, kind, version, name, about, sealed, sum"
RK_MUST enum rk_err vault_head_read(struct vault *v, struct rk_error *err);
/* Sets sum; insert: the first time. */
RK_MUST enum rk_err vault_head_write(
    struct vault *v, bool insert, struct rk_error *err);
/* RK_EDAMAGED: not what a row can be, or its sum is another. */
RK_MUST enum rk_err vault_row_take(
    struct vault *v, sqlite3_stmt *stmt, struct row *out, struct rk_error *err);
RK_MUST enum rk_err vault_row_put(
    struct vault *v, const struct row *row, bool insert, struct rk_error *err);
RK_MUST enum rk_err vault_row_sum(
    const struct row *row, uint8_t sum[VAULT_SUM_LEN]);
#define VAULT_LINE_COLUMNS "id, time, act, text, chain"
RK_MUST enum rk_err vault_line_take(struct vault *v, sqlite3_stmt *stmt,
    struct line *out, struct rk_error *err);
RK_MUST enum rk_err vault_line_put(
    struct vault *v, const struct line *line, struct rk_error *err);

/* ---- vault_seal.c: what keys do ---- */

/* All keys of a data key. */
RK_MUST enum rk_err vault_derive(const uint8_t id[VAULT_ID_LEN],
    const struct rk_secret *key, struct rk_secret **out);
/* out has the length of struct keys. */
RK_MUST enum rk_err vault_derive_into(const uint8_t id[VAULT_ID_LEN],
    const struct rk_secret *key, struct rk_secret *out);
/* Wrap key under pass with new salt; fills kdf, salt, verifier, wrapped. */
RK_MUST enum rk_err vault_wrap(struct head *h, const struct kdf_params *kdf,
    const struct rk_secret *pass, const struct rk_secret *key);
/* RK_EPASS, RK_ETAMPERED. */
RK_MUST enum rk_err vault_unwrap(
    const struct head *h, const struct rk_secret *pass, struct rk_secret **key);
/* The row of rec, with its own buffers in room; secret sealed for it. */
RK_MUST enum rk_err vault_row_seal(const struct head *h, const struct keys *k,
    const struct record *rec, const struct rk_secret *secret, struct row *out,
    struct buf *room);
/* k may be NULL in a vault that hides nothing.  RK_EFORMAT, RK_EDAMAGED: it was
 * not sealed by us. */
RK_MUST enum rk_err vault_row_about(const struct head *h, const struct keys *k,
    const struct row *row, struct record *out);
RK_MUST enum rk_err vault_row_open(const struct head *h, const struct keys *k,
    const struct row *row, const struct record *rec, struct rk_secret **out);
/* How a name stands in column name: at most RECORD_NAME_MAX bytes. */
void vault_name_bytes(const struct head *h, const struct keys *k,
    const char *name, uint8_t out[RECORD_NAME_MAX], size_t *len);
/* Text of the log, as it stands in the file and back. */
RK_MUST enum rk_err vault_line_seal(const struct head *h, const struct keys *k,
    const struct line *line, const char *text, struct buf *out);
RK_MUST enum rk_err vault_line_open(const struct head *h, const struct keys *k,
    const struct line *line, char text[VAULT_LOG_TEXT_MAX + 1]);
RK_MUST enum rk_err vault_row_mac(
    const struct keys *k, const struct row *row, uint8_t mac[CRYPT_HASH_LEN]);
void vault_manifest(const struct head *h, const struct keys *k,
    const struct row_mac *macs, size_t n, int64_t line_id,
    const uint8_t chain[CRYPT_HASH_LEN], uint8_t out[CRYPT_HASH_LEN]);
RK_MUST enum rk_err vault_head_sum(
    const struct head *h, uint8_t out[CRYPT_HASH_LEN]);
/* The link of a line behind the one before it. */
RK_MUST enum rk_err vault_link(const uint8_t before[CRYPT_HASH_LEN],
    const struct line *line, uint8_t out[CRYPT_HASH_LEN]);
/* The log followed from its first line, which begins with zeros: does the next
 * one hold to the last?  RK_EDAMAGED; either way it is the last then. */
struct chain {
	uint8_t at[CRYPT_HASH_LEN];
	int64_t last;
};
RK_MUST enum rk_err vault_chain_take(struct vault *v, struct chain *c,
    const struct line *line, struct rk_error *err);

/* ---- vault_scan.c: all of it looked at ---- */

/* Fill macs and the end of the log, and compare with the manifest.  Says
 * whether it is damage or more. */
RK_MUST enum rk_err vault_scan(struct vault *v, struct rk_error *err);
/* Keyless: rows and log add up.  fn NULL: the first fault is the result. */
RK_MUST enum rk_err vault_adds_up(
    struct vault *v, vault_fault_fn *fn, void *arg, struct rk_error *err);
RK_MUST enum rk_err vault_mac_set(
    struct vault *v, const struct row *row, struct rk_error *err);
void vault_mac_drop(struct vault *v, int64_t id);
/* Is it the row that was sealed last?  RK_ETAMPERED, RK_ENOMEM. */
RK_MUST enum rk_err vault_mac_check(struct vault *v, const struct row *row);

#endif
