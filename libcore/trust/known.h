/* A known-keys file: read as a whole, checked, added to under its lock. */
#ifndef RPCKIT_TRUST_KNOWN_H
#define RPCKIT_TRUST_KNOWN_H

#include <rpckit/trust.h>

#include <sys/stat.h>

#include "base/buf.h"

#define KNOWN_KEYS_MAX 10000
#define KNOWN_MAIL_LEN 16
#define KNOWN_MAILS_MAX 8 /* of one line that are looked at */

/* What the file was when it was read. */
struct known_stamp {
	struct stat st;
	/* False: changed so shortly before that a further change might not show
	 * in its times. */
	bool settled;
};

/* The content of a file at one moment; {0} is an absent file. */
struct known {
	enum rk_trust_state state;          /* as the file's mode says */
	uint8_t (*keys)[RK_KEY_PUBLIC_LEN]; /* sorted */
	size_t n;
	uint8_t (*mails)[KNOWN_MAIL_LEN]; /* digests of addresses; sorted */
	size_t n_mails;
	bool ended; /* the last line has its newline, or there is none */
	struct known_stamp stamp;
};

/*
 * Read the file at path, under a shared lock; absent is RK_OK.  RK_EMODE (not
 * a regular file of ours or root's that only its owner can write, or in a
 * directory where others can replace it), RK_EFORMAT with the line, RK_EIO,
 * RK_ENOMEM.  *out is {0} then.
 */
RK_MUST enum rk_err known_read(
    const char *path, struct known *out, struct rk_error *err);
/* The keys in a text; name (escaped) stands for the path in messages. */
RK_MUST enum rk_err known_parse(const char *name, const char *text, size_t len,
    struct known *out, struct rk_error *err);
void known_fini(struct known *k);
bool known_has(const struct known *k, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* Is one of these addresses (comma-joined) in a line?  Capitals do not matter.
 */
bool known_has_mail(const struct known *k, const char *emails);
/* Is the file still as it was read?  One lstat(2). */
bool known_is_current(const struct known *k, const char *path);

struct known_entry {
	const uint8_t *pub;
	const char *host;
	const char *emails; /* comma-joined */
};

/* What a line with a key says; views into it. */
struct known_line {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_str host;
	struct rk_str emails; /* comma-joined, percent-coded */
	struct rk_str rest;   /* what other programs put behind it */
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
 * Open the file and hold its exclusive lock; *st is what it was under it.
 * RK_ENOENT, and errors of known_read().  known_let_go() also takes -1.
 */
RK_MUST enum rk_err known_hold(
    const char *path, int *fd, struct stat *st, struct rk_error *err);
void known_let_go(int fd);

/*
 * Add an entry, under the exclusive lock: the file is read again, and its mode
 * decides.  RK_OK: it is there (*added: written now, and on the disk); *out is
 * the file as it now is.  RK_EUNKNOWNKEY: locked or full; errors of
 * known_read().
 */
RK_MUST enum rk_err known_add(const char *path, const struct known_entry *entry,
    struct known *out, bool *added, struct rk_error *err);

#endif
