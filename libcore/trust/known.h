/* A known-keys file: read as a whole, checked, added to under its lock. */
#ifndef RPCKIT_TRUST_KNOWN_H
#define RPCKIT_TRUST_KNOWN_H

#include <rpckit/trust.h>

#include <sys/stat.h>

#include "base/buf.h"
#include "trust/mails.h"

/* Of a file that is made anew, as Go's servers begin theirs. */
#define KNOWN_FIRST_LINE \
	"# known_pub_keys file: address pubkey-identity-string\n"
/* A list that nobody may write is locked. */
#define KNOWN_WRITE_BITS ((mode_t)(S_IWUSR | S_IWGRP | S_IWOTH))
/* So many are added to; what others have put there is read all the same, up to
 * KNOWN_FILE_MAX. */
#define KNOWN_KEYS_MAX 10000
/* For the file's lock.  Who can read the file can hold it: where a peer is
 * judged nobody waits. */
#define KNOWN_WAIT_MS 5000
#define KNOWN_WAIT_ORDER_MS 1000
/* For a line that does not count any more. */
#define KNOWN_WAIT_TIDY_MS 100
/* To show what is in it, where others wait. */
#define KNOWN_WAIT_SHOW_MS 30
/* To see whether anybody holds it. */
#define KNOWN_WAIT_PROBE_MS 10
#define KNOWN_FILE_MAX ((size_t)16 * 1024 * 1024)

/* What the file was when it was read. */
struct known_stamp {
	struct stat st;
	struct timespec born; /* {0}: the file system does not say */
	/* False: changed so shortly before that a further change might not show
	 * in its times. */
	bool settled;
};

/* An address of a line: its digest, and whose it is. */
struct known_mail {
	uint8_t sum[MAILS_SUM_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
};

/* The content of a file at one moment; {0} is an absent file. */
struct known {
	enum rk_trust_state state;          /* as the file's mode says */
	uint8_t (*keys)[RK_KEY_PUBLIC_LEN]; /* sorted */
	size_t n;
	size_t lines; /* with a key, of which some may have one twice */
	struct known_mail *mails; /* sorted */
	size_t n_mails;
	bool ended; /* the last line has its newline, or there is none */
	/* Its last address otherwise, which may be cut off. */
	bool is_cut;
	struct known_mail cut;
	struct known_stamp stamp;
};

/*
 * Read the file at path, under a shared lock; absent is RK_OK.  RK_EMODE (not
 * a regular file of ours or root's that only its owner can write, or in a
 * directory where others can replace it), RK_EFORMAT with the line, RK_EBUSY
 * (wait_ms without the lock), RK_EIO, RK_ENOMEM.  *out is {0} then.
 */
RK_MUST enum rk_err known_read(const char *path, unsigned wait_ms,
    struct known *out, struct rk_error *err);
/* The same, and the text itself (appended to an empty buffer that may hold
 * KNOWN_FILE_MAX bytes). */
RK_MUST enum rk_err known_read_text(const char *path, unsigned wait_ms,
    struct known *out, struct buf *text, struct rk_error *err);
/* What is in the file, whoever has its lock; who writes may have written half
 * of what he is going to.  RK_EBUSY: it changed meanwhile. */
RK_MUST enum rk_err known_peek(
    const char *path, struct known *out, struct rk_error *err);
/* The keys in a text; name (escaped) stands for the path in messages. */
RK_MUST enum rk_err known_parse(const char *name, const char *text, size_t len,
    struct known *out, struct rk_error *err);
/* What a line with a key says; views into it. */
struct known_line {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_str host;   /* percent-coded */
	struct rk_str emails; /* comma-joined, percent-coded */
	struct rk_str rest;   /* what other programs put behind it */
	size_t at;            /* known_walk(): where the line begins */
};

typedef enum rk_err known_line_fn(const struct known_line *line, void *arg);
/* Every entry in turn, until fn fails; *ended as in struct known.  RK_EFORMAT
 * with the line, and what fn returns. */
RK_MUST enum rk_err known_walk(const char *name, const char *text, size_t len,
    known_line_fn *fn, void *arg, bool *ended, struct rk_error *err);
void known_fini(struct known *k);
/* Two public keys, for qsort(3) and bsearch(3). */
int known_compare(const void *a, const void *b);
bool known_has(const struct known *k, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* Another key than theirs of which one of these addresses is in a line, and
 * which counts; NULL: none.  counts: NULL: each does.  Whether a key may have
 * them: policy_is_taken(), store_email_taken(). */
typedef bool known_counts_fn(const uint8_t *pub, const void *arg);
const uint8_t *known_find_mail(const struct known *k,
    const struct mails_for *whom, struct mails mails, known_counts_fn *counts,
    const void *arg);
/* Is the file still as it was read?  One lstat(2). */
bool known_is_current(const struct known *k, const char *path);

/* The file's exclusive lock, kept from one change to the next: none of them
 * waits, and nobody sees but all of them.  Begins with -1, -1. */
struct known_hold {
	int fd;
	int out; /* the same file for writing, also when it is locked since */
};
void known_let_go(struct known_hold *hold);
/* It is being changed: what is held can be taken back from now on. */
void known_hold_out(struct known_hold *hold, const char *path);

struct known_entry {
	const uint8_t *pub;
	const char *host;
	const char *emails;      /* comma-joined */
	unsigned wait_ms;        /* for the file's lock */
	struct known_hold *hold; /* keeps it; NULL: nobody does */
	/* Not where one of the addresses is another key's by the file as it is
	 * under the lock; NULL: whoever has them.  counts: known_find_mail() */
	const struct mails_for *whom;
	known_counts_fn *counts;
	const void *arg;
};

/* RK_ENOENT: an empty line or a comment; RK_EFORMAT: no known key. */
RK_MUST enum rk_err known_line(struct rk_str line, struct known_line *out);
/* The line at *at, which moves behind it and its newline, if it has one. */
struct rk_str known_next_line(
    const char *text, size_t len, size_t *at, bool *ended);
/* The next field of a line, which is taken off it; empty at its end. */
struct rk_str known_next_field(struct rk_str *line);
/* One column of a line: what could end it, start a comment or look like
 * another line is percent-coded.  RK_ENOMEM, RK_ETOOBIG. */
RK_MUST enum rk_err known_put_column(struct buf *b, const char *s);

/*
 * Add an entry, under the exclusive lock: the file is read again, and its mode
 * decides.  RK_OK: it is there (*added: written now, and on the disk); *out is
 * the file as it now is.  RK_EUNKNOWNKEY: locked or full; RK_EDENIED: its
 * address is another's; errors of known_read().
 */
RK_MUST enum rk_err known_add(const char *path, const struct known_entry *entry,
    struct known *out, bool *added, struct rk_error *err);

#define KNOWN_NO_FLOCK 0
/*
 * Open, check and lock (LOCK_SH, LOCK_EX or KNOWN_NO_FLOCK) the file for
 * reading; close it with known_close(), which also takes -1.  RK_ENOENT, and
 * errors of known_read().
 */
RK_MUST enum rk_err known_open(const char *path, int how, unsigned wait_ms,
    int *fd, struct stat *st, struct rk_error *err);
void known_close(int fd);
/* The same, for a change: the lock of `hold`, which keeps it from now on; NULL:
 * as known_open() does.  End it with known_leave(). */
RK_MUST enum rk_err known_enter(const char *path, struct known_hold *hold,
    unsigned wait_ms, int *fd, struct stat *st, struct rk_error *err);
void known_leave(const struct known_hold *hold, int fd);
/* Take back these lines, of which all or a part was just appended by `out`,
 * opened for that: they are cut off or, where somebody wrote behind them, made
 * comments.  in: the same file for reading.  What cannot be is logged. */
void known_cut(int out, int in, const struct buf *lines, const char *name);

/* ---- known_lock.c ---- */

/*
 * Take all write permission from the file, waiting for nobody's lock, as a
 * chmod(2) would: who writes looks at the mode once more behind it.  RK_ESTATE:
 * there is no file; errors of known_read().
 */
RK_MUST enum rk_err known_lock(const char *path, struct rk_error *err);
/* That was done.  was_current: known_is_current() just before it; what was read
 * is then still what is there, and need not be read again. */
void known_locked(struct known *k, const char *path, bool was_current);
/* k was just read: may it be written, where another file that had the name
 * could not be?  *locked: the one that could not; {0}: none. */
bool known_is_replaced(struct known_stamp *locked, const struct known *k);
/* Then it counts as locked, whatever its mode says, and is, if that is
 * possible.  A failure is logged. */
void known_keep_locked(
    const char *path, struct known_stamp *locked, struct known *k);

/*
 * Make every line of these keys a comment, in place: nothing else moves, and
 * whoever appends meanwhile is not in the way.  The keys are sorted by
 * known_compare().  *hidden (may be NULL) counts
 * lines.  hold: may be NULL.  RK_ESTATE: the file is locked and has one; errors
 * of known_read().
 */
RK_MUST enum rk_err known_hide(const char *path, struct known_hold *hold,
    unsigned wait_ms, const uint8_t (*keys)[RK_KEY_PUBLIC_LEN], size_t n,
    size_t *hidden, struct rk_error *err);
/* The same of lines that were added with this hold, and that nobody has decided
 * then: also in a file that was locked meanwhile. */
RK_MUST enum rk_err known_take_back(const char *path, struct known_hold *hold,
    unsigned wait_ms, const uint8_t (*keys)[RK_KEY_PUBLIC_LEN], size_t n,
    struct rk_error *err);
/* The same of keys that are refused after their lines stood in a file that was
 * replaced: who did so may have copied them.  What cannot be is logged. */
void known_drop(const char *path, struct known_hold *hold, unsigned wait_ms,
    const uint8_t (*keys)[RK_KEY_PUBLIC_LEN], size_t n);
/*
 * The other way round: lines, each with its newline, that were made comments.
 * Where the comment still is it becomes the line it was, in place; else the
 * line is appended.  *restored: there was something to do.  hold: may be NULL.
 * RK_ESTATE: the file is locked; RK_ELIMIT: full; errors of known_read().
 */
RK_MUST enum rk_err known_restore(const char *path, struct known_hold *hold,
    unsigned wait_ms, const struct buf *lines, bool *restored,
    struct rk_error *err);
/* The same of lines that were made comments with this hold, by what nobody has
 * decided then: also in a file that was locked meanwhile, if they are comments
 * there, or that is full by now. */
RK_MUST enum rk_err known_put_back(const char *path, struct known_hold *hold,
    unsigned wait_ms, const struct buf *lines, struct rk_error *err);
/* Append whole lines.  hold: may be NULL.  RK_ESTATE: the file is locked;
 * errors of known_read(). */
RK_MUST enum rk_err known_append(const char *path, struct known_hold *hold,
    const struct buf *lines, unsigned wait_ms, struct rk_error *err);
/* Append a comment, "# " and text, unless the file has it or is locked.
 * Errors of known_read(). */
RK_MUST enum rk_err known_remark(
    const char *path, const char *text, unsigned wait_ms, struct rk_error *err);
/* The number of the line that is this comment, 0 when there is none. */
unsigned known_find_remark(const struct buf *content, const char *text);

#endif
