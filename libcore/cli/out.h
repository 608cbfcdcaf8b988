/* Where programs speak: answers on stdout, everything else on stderr. */
#ifndef RPCKIT_CLI_OUT_H
#define RPCKIT_CLI_OUT_H

#include "base/buf.h"
#include "cli/cmd.h"

#include <stdarg.h>

enum out_form {
	OUT_TEXT,
	OUT_JSON, /* one object a line, first key "schema" */
	OUT_PLAIN /* tab-separated, no header, "-" for empty */
};

/* One for a program's run; set up from --json --plain --color --quiet. */
struct out {
	const char *prog;
	const char *where; /* "FILE:LINE" of a script, or NULL */
	/* The program's, which see. */
	const char *(*retry)(const char *advice, char *dst, size_t dst_len);
	enum out_form form;
	bool quiet;
	bool verbose;
	bool color_out; /* stdout and stderr decided apart */
	bool color_err;
	bool color_tty; /* where a question is asked, whatever these two are */
	struct buf *into; /* gets what is meant for stdout; NULL: stdout does */
};

void out_init(struct out *o, const struct args *a);

/*
 * "prog: what: why" and at most one "try: ..." line on stderr; with JSON one
 * error object there.  Returns the exit status of code.  `retry` (may be
 * NULL) is the advice.  Text must be escaped already.
 */
int out_fail(
    const struct out *o, enum rk_err code, const char *text, const char *retry);
/* The same from an error of the library. */
int out_error(
    const struct out *o, const struct rk_error *err, const char *retry);
/* "timeout" of RK_ETIMEOUT, as scripts read it; returns dst. */
#define OUT_CODE_LEN 32
const char *out_code_name(enum rk_err code, char dst[OUT_CODE_LEN]);
/* A note on stderr unless --quiet; a warning always.  What the locale does not
 * show is spelled, as in errors. */
void out_note(const struct out *o, const char *fmt, ...) RK_PRINTF(2, 3);
void out_warn(const struct out *o, const char *fmt, ...) RK_PRINTF(2, 3);
/* Does what goes to stdout for people go to a terminal that shows no UTF-8?
 * See cli/spell.h; tables and out_text() are spelled then. */
bool out_spells(const struct out *o);
/* Text to stdout. */
void out_text(const struct out *o, const char *fmt, ...) RK_PRINTF(2, 3);
/* Bytes as they are. */
void out_bytes(const struct out *o, const void *data, size_t len);
/* The same at once, and past the stream's buffer: for what is secret.  EPIPE as
 * below. */
RK_MUST enum rk_err out_direct(
    const struct out *o, const void *data, size_t len, struct rk_error *err);
/*
 * Flush stdout: RK_EIO when anything could not be written (full disk), said
 * on stderr; EPIPE ends the process quietly as SIGPIPE would.  Call before
 * exit: its failure must become the exit status.
 */
RK_MUST enum rk_err out_flush(const struct out *o);

/* End as a signal that was caught or ignored would have ended us. */
_Noreturn void out_die_of(int signo);

/*
 * Records: fields of one kind of thing, shown as an aligned table, NDJSON or
 * plain lines.  Begin, add rows of values, end.
 */
enum field_kind {
	FIELD_TEXT,   /* escaped by the sink */
	FIELD_SHOWN,  /* text that is escaped already; stays as it is */
	FIELD_FIGURE, /* the same, right-aligned */
	FIELD_NUMBER, /* right-aligned */
	FIELD_BOOL,
	FIELD_TIME, /* seconds since 1970, RFC 3339; 0 is none */
	FIELD_JSON  /* a list or object that is JSON already, and only there */
};

struct field {
	const char *name;  /* JSON key, snake_case */
	const char *title; /* column head; NULL: only in JSON and plain */
	enum field_kind kind;
};

union cell {
	const char *text; /* NULL: empty */
	int64_t number;
	bool yes;
};

struct table;
RK_MUST enum rk_err table_new(const struct out *o, const struct field *fields,
    size_t n_fields, struct table **out);
/*
 * What a terminal that has too few columns for a table leaves: of text in the
 * column of this name at least so many (0: six), and of others nothing, those
 * of the highest rank first (0: it stays).  Not copied.
 */
struct table_room {
	const char *name;
	unsigned least;
	unsigned rank;
};
void table_rooms(struct table *t, const struct table_room *rooms, size_t n);
/* cells has n_fields entries, copied. */
RK_MUST enum rk_err table_row(struct table *t, const union cell *cells);
/* Print and free. */
void table_end(struct table *t);
/* The same of a list that went well: without a row, JSON is []. */
void table_end_list(struct table *t);

/* JSON text of a string with quotes, any bytes (invalid UTF-8 becomes U+FFFD)
 * appended to b. */
RK_MUST enum rk_err out_json_string(struct buf *b, const char *s, size_t len);

#endif
