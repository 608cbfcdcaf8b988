/* rpcd ctl: asking and steering a daemon that runs. */
#ifndef RPCKIT_CLI_CTL_H
#define RPCKIT_CLI_CTL_H

#include "cli/admin.h"
#include "cli/cmd.h"
#include "cli/out.h"

#include <rpckit/client.h>
#include <rpckit/value.h>

/* Its table of verbs and options. */
extern const struct prog ctl_prog;
/*
 * What `rpcd ctl` does with these words (argv[0] is not one): the exit status.
 * It changes signals, limits and locale, as a main() does: whoever is one
 * already forks first, after flushing its output, and ends with _exit().
 */
int ctl_main(int argc, char **argv);

/* One run of a verb. */
struct ctl {
	const struct args *a;
	struct out out;
	struct rk_client *client;
	struct admin_at at;
	uint64_t begun;  /* when, microseconds: what was decided later was not
	                    known to who called this */
	uint64_t seen;   /* lines of the log up to this number were shown */
	bool broken;     /* standard output is */
	bool holds;      /* events are for later */
	struct buf held; /* each with its length before it */
	uint64_t unheld;
};

/*
 * Call a method.  The exit status, and its trouble told.  doc (may be NULL):
 * the answer's value; raw (may be NULL): instead its bytes, appended.
 */
int ctl_call(struct ctl *c, const char *method, struct rk_bytes payload,
    struct rk_value_doc **doc, struct buf *raw);

/* A member of what is asked for. */
struct ctl_pair {
	const char *key;
	enum rk_kind kind; /* RK_STR, RK_UINT, RK_BOOL */
	struct rk_str text;
	uint64_t number;
};
#define CTL_TEXT(k, s)      \
	((struct ctl_pair){ \
	    .key = (k), .kind = RK_STR, .text = { (s), strlen(s) } })
#define CTL_NUMBER(k, n) \
	((struct ctl_pair){ .key = (k), .kind = RK_UINT, .number = (n) })
#define CTL_BOOL(k, yes) \
	((struct ctl_pair){ .key = (k), .kind = RK_BOOL, .number = (yes) })
/* ctl_call() with a map of these; doc may be NULL. */
int ctl_ask(struct ctl *c, const char *method, const struct ctl_pair *pairs,
    size_t n, struct rk_value_doc **doc);

/* Members of a map; "", 0 and no where they are not there.  The text is cut to
 * fit, and as it came: nothing is escaped. */
const char *ctl_text(
    const struct rk_value *map, const char *key, char *dst, size_t len);
uint64_t ctl_number(const struct rk_value *map, const char *key);
bool ctl_yes(const struct rk_value *map, const char *key);
/* How many items a list has; 0: it is none. */
uint32_t ctl_len(const struct rk_value *list);
/* A map as one line of JSON, with a schema; head: what goes before its members,
 * each with its comma. */
int ctl_json(const struct out *o, const struct rk_value *map);
int ctl_json_with(
    const struct out *o, const char *head, const struct rk_value *map);
/* ctl_plain.c: a map as lines of a name and a value with a tab between them: of
 * what is in a map in it "its.name", of a list a line for each item. */
int ctl_plain(const struct out *o, const struct rk_value *map);
/* "3 d 4 h" */
const char *ctl_age(uint64_t ms, char dst[32]);
/* "1.2M": 10^6. */
const char *ctl_size(uint64_t n, char dst[32]);

/* ctl_fields.c: what the lists have, and in which order */
enum ctl_of {
	CTL_CONNS,
	CTL_CALLS,
	CTL_METHODS,
	CTL_KEYS,
	CTL_KEYS_PLAIN,
	CTL_AUDIT
};
const struct field *ctl_fields(enum ctl_of of, size_t *n);
/* What of connections, calls, keys and the record a narrow terminal leaves. */
void ctl_rooms(struct table *t);
/* Of an `address` without transport and port: no member of any answer. */
#define CTL_HOST "host"
/* Characters of a fingerprint that say which, at least. */
#define CTL_FP_START 8

/* ctl_status.c */
int ctl_status(struct ctl *c);
int ctl_version(struct ctl *c);

/* ctl_show.c */
int ctl_conns(struct ctl *c);
int ctl_calls(struct ctl *c);
int ctl_methods(struct ctl *c);
/* A list as a table; texts of the daemon's are escaped here. */
int ctl_list(const struct ctl *c, const struct rk_value *list, enum ctl_of of);
/* The same of one that comes in parts: *t is NULL at first, and all that was
 * shown is ended with the status of the last part. */
int ctl_rows(const struct ctl *c, const struct rk_value *list, enum ctl_of of,
    struct table **t);
void ctl_rows_end(const struct ctl *c, struct table *t, int status);
int ctl_metrics(struct ctl *c);

/* What the audit has beside the user's name. */
#define CTL_VIA "ctl"

/* ctl_trust.c */
int ctl_trust(struct ctl *c);
/* Its verbs. */
const struct cmd_word *ctl_trust_word(size_t i);
/* What follows the verb; a pasted group form is several words. */
struct ctl_wish {
	struct ctl *ctl;
	const char *verb;
	const char *const *words;
	size_t n;
};
/* One fingerprint of so many words. */
#define CTL_WHO_LEN 120
int ctl_join_fp(
    const struct ctl_wish *w, size_t from, size_t n, char dst[CTL_WHO_LEN]);

/* ctl_decide.c: one key */
int ctl_decide(const struct ctl_wish *w);
int ctl_replace(const struct ctl_wish *w);
int ctl_note(const struct ctl_wish *w);
int ctl_undo(const struct ctl_wish *w);
/* ctl_forget.c: or all that wait */
int ctl_forget(const struct ctl_wish *w);
/* Keep a key out, whose fingerprint this is, or the start of it. */
int ctl_reject(struct ctl *c, const char *fp);
/* Or all that are here from an address, or wait. */
int ctl_reject_at(struct ctl *c, const char *address);

/* ctl_keep.c: all of them */
int ctl_audit(const struct ctl_wish *w);
int ctl_import(const struct ctl_wish *w);
int ctl_export(const struct ctl_wish *w);
int ctl_check(const struct ctl_wish *w);

/* ctl_steer.c */
/* The daemon has done it: says so. */
int ctl_done(const struct ctl *c, int status, const char *note);
int ctl_order(struct ctl *c, const char *method, const char *note);
int ctl_kick(struct ctl *c);
int ctl_cancel(struct ctl *c);
int ctl_reload(struct ctl *c);
int ctl_drain(struct ctl *c);
int ctl_stop(struct ctl *c);

/* ctl_follow.c */
int ctl_log(struct ctl *c);
/* What becomes of connections and of keys that wait: it is kept from here on,
 * and shown when what was there before has been, whose status that is; until
 * the daemon ends. */
int ctl_watch_begin(struct ctl *c);
int ctl_watch_end(struct ctl *c, int status);
/* Of the client; arg: struct ctl. */
void ctl_on_pushed(struct rk_client *client, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg);

#endif
