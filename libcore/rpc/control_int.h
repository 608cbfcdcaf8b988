/* The inside of a control, shared by its files; all of it is loop 0's. */
#ifndef RPCKIT_RPC_CONTROL_INT_H
#define RPCKIT_RPC_CONTROL_INT_H

#include "base/container.h"
#include "base/tap.h"
#include "rpc/greenpack.h"
#include "rpc/kv.h"
#include "rpc/server_int.h"
#include "rpc/survey.h"

#include <rpckit/ask.h>
#include <rpckit/control.h>

#define CONTROL_RECENT 256 /* lines of the log that are kept */
#define CONTROL_QUEUE 1024 /* lines on their way from other threads */
#define CONTROL_UNREAD 256 /* pushes under way to one reader of events */
#define CONTROL_READERS 64 /* connections of one socket */
#define CONTROL_SUBJECT "_.events"
#define CONTROL_LISTED 64 /* keys that the revocation list has put out */
#define CONTROL_NEWS 256  /* events of keys on their way from other threads */

/* One socket, and the server behind it. */
struct control_end {
	struct rk_control *control;
	struct rk_server *server;
	bool read_only;
	struct server_watch watch; /* of this server */
};

/* Who wants events: a connection of an end. */
struct control_reader {
	TAILQ_ENTRY(control_reader) link;
	struct control_end *end;
	uint64_t conn;
	int log;     /* enum rk_log_level, or -1: none */
	bool conns;  /* what becomes of connections */
	bool trust;  /* keys that wait, and decisions */
	bool calls;  /* each that begins or ends */
	uint64_t of; /* this connection alone; 0: any */
	bool gone;
	unsigned unread; /* pushes under way */
	uint64_t lost;   /* events since the last that was queued */
};
TAILQ_HEAD(control_readers, control_reader);

struct control_line {
	TAILQ_ENTRY(control_line) link;
	enum rk_log_level level;
	uint64_t seq; /* from 1 on, without gaps */
	int64_t sec;
	const char *subsystem; /* static */
	char text[];
};
TAILQ_HEAD(control_lines, control_line);

/* The log on its way from any thread to loop 0. */
struct control_log {
	struct log_tap tap;
	struct mailbox *box;
	struct mail mail;
	pthread_mutex_t lock; /* guards the next four */
	struct control_lines queue;
	size_t n_queue;
	uint64_t seq;
	uint64_t dropped; /* for which there was no room */
	struct control_lines recent;
	size_t n_recent;
};

struct control_news {
	TAILQ_ENTRY(control_news) link;
	enum rk_ask_event event;
	struct rk_ask_entry entry; /* zeros: RK_ASK_MODE */
};
TAILQ_HEAD(control_newses, control_news);

/* What becomes of keys, on its way from any thread to loop 0. */
struct control_ask {
	struct rk_ask_watch *watch; /* NULL: nobody decides */
	struct mail mail;
	pthread_mutex_t lock; /* guards the next three */
	struct control_newses queue;
	size_t n_queue;
	uint64_t dropped;
};

/* Whose connection the revocation list has ended, or refused. */
struct control_listed {
	char fp[RK_FP_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char email[256];
	char ca[128];
	char remote[128];
	int64_t when;
};

struct control_fact {
	char key[65];
	char text[513];
};

struct control_upload;
#define CONTROL_UPLOADS_MAX 4 /* that are sent, and as many that wait */

struct rk_control {
	struct rk_server *server;
	char *name;
	char *version;
	rk_handler_fn *reload;
	rk_handler_fn *drain;
	rk_handler_fn *stop;
	void *arg;
	int64_t since;             /* wall clock */
	uint64_t begun;            /* loop time */
	struct server_watch watch; /* of the watched server */
	struct control_end ends[2];
	unsigned n_ends;
	unsigned ends_due;                /* servers that have not stopped */
	unsigned surveys;                 /* and orders that wait, under way */
	TAILQ_HEAD(, control_turn) turns; /* orders that wait */
	size_t n_turns;
	uint64_t turns_ever;
	TAILQ_HEAD(, control_upload) uploads;
	size_t n_uploads;
	struct rk_timer *again; /* for them; NULL: never yet */
	struct control_readers readers;
	struct control_log log;
	struct control_ask ask;
	struct control_fact *facts[RK_CONTROL_FACTS];
	size_t n_facts;
	struct control_listed listed[CONTROL_LISTED];
	size_t n_listed;
	bool stopping;
	struct mail stopped;
	void (*done)(void *arg);
	void *done_arg;
};

/* Whose hook for the server this is. */
static inline struct rk_control *
control_of(struct server_watch *w)
{
	return container_of(w, struct rk_control, watch);
}

/* One of its sockets: a path, or a descriptor. */
struct control_place {
	const char *path;
	int fd;
	bool read_only;
};

/* control_place.c: let this group connect, too.  May others than its owner
 * connect to the socket's file, because of a group?  Errors as of
 * rk_control_new(). */
RK_MUST enum rk_err control_open_to(
    const char *path, const char *group, struct rk_error *err);
RK_MUST enum rk_err control_check_fd(
    int fd, bool *for_group, struct rk_error *err);

/* control.c: something that stopping waits for is over. */
void control_settle(struct rk_control *c);

/* control_methods.c: the methods of an end. */
RK_MUST enum rk_err control_methods(
    struct control_end *e, struct rk_error *err);
/* Since the control was made. */
uint64_t control_up_ms(const struct rk_control *c);

/* control_events.c */
void control_events_init(struct rk_control *c);
void control_events_fini(struct rk_control *c);
/* The log is heard from now on, and no more. */
RK_MUST enum rk_err control_log_open(struct rk_control *c);
void control_log_close(struct rk_control *c);
/* Hooks of the watched server and of an end's own. */
void control_watch(struct rk_control *c);
void control_watch_end(struct control_end *e);
/* An event with `more` pairs behind its name and time; b is to be ended. */
void control_event_begin(
    struct kv *k, struct buf *b, uint32_t more, const char *event);
/* To all that want it: of a log line its level, or what else it is of. */
#define CONTROL_OF_CONNS (-1)
#define CONTROL_OF_TRUST (-2)
void control_event_push(struct rk_control *c, const struct kv *k, int what);
/* To this one. */
void control_event_to(struct control_reader *r, const struct kv *k);
/* A reader misses so many: it is told when it reads. */
void control_event_lost(struct control_reader *r, uint64_t n);
rk_handler_fn control_on_events; /* arg: struct control_end */
rk_handler_fn control_on_log;

/* control_calls.c: hooks of the watched server, and after a change of who
 * reads, or at the end. */
void control_called(struct server_watch *w, const struct call_note *n);
void control_calls_missed(struct server_watch *w, uint64_t n);
void control_calls_settle(struct rk_control *c);

/* control_figures.c; so many pairs. */
#define CONTROL_FIGURES_PAIRS 9
void control_put_figures(struct kv *k, const struct figures *f);
rk_handler_fn control_on_figures; /* arg: struct control_end */
RK_MUST enum rk_err control_put_metrics(
    struct buf *b, const struct rk_control *c, const struct survey_sum *sum);

/* control_crl.c: a connection has ended: was that the revocation list?  Of the
 * watched server's hooks: a known key's certificate is on it.  A connection is
 * open.  The keys of such, by number, as if they had entries. */
void control_crl_closed(struct rk_control *c, const struct admission *a);
void control_on_listed(struct server_watch *w, const struct rk_cert_info *cert);
void control_crl_opened(struct rk_control *c, const struct admission *a);
bool control_crl_has(const struct rk_control *c, const char *fp);
void control_crl_entry(
    const struct rk_control *c, size_t i, struct rk_ask_entry *out);

/* control_ask.c: keys that wait and decisions are heard of from now on, and no
 * more.  RK_ENOMEM. */
RK_MUST enum rk_err control_ask_open(struct rk_control *c);
void control_ask_close(struct rk_control *c);
void control_ask_init(struct rk_control *c);
void control_ask_fini(struct rk_control *c);
/* Of the watched server's hooks: another list, whose keys are heard of. */
void control_on_replaced(struct server_watch *w);
/* Whoever decides about clients of the watched server now; NULL: nobody. */
struct rk_trust *control_trust(const struct rk_control *c);
/* Pairs about an entry: so many. */
#define CONTROL_MEMO_PAIRS 7
#define CONTROL_ENTRY_PAIRS (13 + CONTROL_MEMO_PAIRS)
void control_put_entry(
    struct kv *k, struct rk_trust *trust, const struct rk_ask_entry *e);
/* Where there is no entry any more that would say the state. */
void control_put_entry_as(struct kv *k, struct rk_trust *trust,
    const struct rk_ask_entry *e, const char *state);
/* Those of them that somebody's decision left. */
void control_put_memo(struct kv *k, const struct rk_ask_entry *e);
void control_put_time(struct kv *k, const char *key, int64_t sec); /* 0: "" */

/* control_orders.c: arg: struct control_end. */
rk_handler_fn control_on_level;
rk_handler_fn control_on_reload;
rk_handler_fn control_on_drain;
rk_handler_fn control_on_stop;

/* control_trust.c: arg: struct control_end. */
rk_handler_fn control_on_trust;
rk_handler_fn control_on_pending;
rk_handler_fn control_on_known;
rk_handler_fn control_on_mode;
rk_handler_fn control_on_lock;
rk_handler_fn control_on_unlock;
/* A pair of _.status. */
void control_put_trust(
    struct kv *k, const struct rk_control *c, struct rk_trust *trust);
/* Take the head of a map that is whole and has each name once: of two equal
 * ones nobody knows which was meant.  RK_EPROTO. */
RK_MUST enum rk_err control_get_map(struct gp_reader *g, uint32_t *n);

/* One of somebody's orders about keys. */
struct policy_looked;
struct control_try {
	struct rk_call *call;
	const struct control_end *end;
	struct rk_bytes payload;
	const struct buf *text; /* of more than this call, or NULL */
	uint64_t number; /* those that were given before have smaller ones */
	struct policy_looked **looked; /* its own; NULL: it waits for nothing */
	bool last; /* it is not tried again: not RK_EAGAIN, either */
};
/* RK_EBUSY, with a text: not now, and nothing is done or answered.  RK_EAGAIN:
 * the same, but it has got on and does so in the loop's next turn.  Else it is
 * answered, whatever came of it. */
typedef enum rk_err control_order_fn(
    const struct control_try *t, struct rk_error *err);
/* control_turn.c: carry an order out: now or, while another program holds a
 * lock that it needs, when that is over; the loop never waits.  It is refused
 * (RK_EBUSY) when that takes too long.  They stay in order, but for urgent
 * ones, which put a key out, need no more than the store, and go before. */
void control_in_turn(struct rk_call *call, const struct control_end *e,
    control_order_fn *fn, bool urgent);
/* Now, whoever waits or holds what; it must not be busy. */
void control_at_once(
    struct rk_call *call, const struct control_end *e, control_order_fn *fn);
/* Those of this kind that wait are refused. */
void control_refuse_those(
    struct rk_control *c, control_order_fn *fn, const char *text);
/* The same of one that has a text, which is taken as long as it waits; few
 * such ones may. */
void control_in_turn_with(struct rk_call *call, const struct control_end *e,
    control_order_fn *fn, struct buf *text);
/* This one has put a key out: what was ordered about it before and has not been
 * done is refused. */
void control_overrule(const struct control_try *t, const char *fp);
/* control_decide.c: is this an order, or an undo, about the key? */
bool control_is_about(struct rk_bytes payload, const char *fp);
/* What an order returns that failed with r: it is refused, or it waits. */
enum rk_err control_not_done(
    const struct control_try *t, enum rk_err r, const struct rk_error *err);

/* control_decide.c: arg: struct control_end. */
rk_handler_fn control_on_decide;
rk_handler_fn control_on_undo;
/* A refusal with its code, for who does not want to read. */
void control_refuse(struct rk_call *call, enum rk_err r, const char *text);
/* NULL: nobody decides, and the caller was told. */
struct rk_trust *control_find_trust(
    struct rk_call *call, const struct control_end *e);
/* Who calls, by its system: "ann" or, with a word that it says of itself,
 * "ann (ctl)". */
#define CONTROL_WHO_LEN 100
void control_who(
    const struct rk_call *call, const char *via, char who[CONTROL_WHO_LEN]);
/* What _.decide takes. */
struct control_order {
	struct rk_ask_order order; /* views of the next */
	char key[128];             /* a fingerprint, blanks in it */
	char by[128];
	char note[256];
	char via[17]; /* which program: a word */
	uint64_t seconds;
	bool has_verb;
};
RK_MUST enum rk_err control_read_order(
    struct rk_bytes p, struct control_order *o);

/* control_keep.c: arg: struct control_end. */
rk_handler_fn control_on_audit;
rk_handler_fn control_on_export;
rk_handler_fn control_on_import;
rk_handler_fn control_on_check;
/* What _.import takes; views. */
struct control_import {
	struct rk_str text;
	uint64_t from;
	bool more;
	bool changed;
	char via[17];
};
RK_MUST enum rk_err control_read_import(
    struct rk_bytes p, struct control_import *out);

/*
 * control_upload.c: a part of a connection's text, and the last one, with which
 * the whole is the caller's, for buf_fini(), also on failure; from: its first
 * byte, 0: it is the first, whatever came before.  RK_EINVAL: it is not the one
 * behind those that came; RK_ETOOBIG; RK_EBUSY: too many are sending;
 * RK_ENOMEM.
 */
RK_MUST enum rk_err control_upload_add(const struct control_end *e,
    uint64_t conn, uint64_t from, struct rk_str part);
RK_MUST enum rk_err control_upload_end(const struct control_end *e,
    uint64_t conn, uint64_t from, struct rk_str last, struct buf *whole);
/* Of a connection that has closed; of all. */
void control_upload_drop(const struct control_end *e, uint64_t conn);
void control_uploads_fini(struct rk_control *c);

/* control_end.c: arg: struct control_end; what they take. */
rk_handler_fn control_on_kick;
rk_handler_fn control_on_cancel;
struct survey_target;
RK_MUST enum rk_err control_read_target(
    struct rk_bytes p, struct survey_target *t);
RK_MUST enum rk_err control_read_call(
    struct rk_bytes p, struct survey_target *t, char via[17]);
/* What _.events takes. */
RK_MUST enum rk_err control_read_wishes(
    struct rk_bytes p, struct control_reader *r);
/* A member that is text without NUL, at most len - 1 bytes.  RK_EPROTO. */
RK_MUST enum rk_err control_take_text(
    struct gp_reader *g, char *dst, size_t len);
/* The same, of small letters, digits and "-". */
RK_MUST enum rk_err control_take_word(
    struct gp_reader *g, char *dst, size_t len);

/* "error" ... "debug"; -1: none of these. */
int control_level(struct rk_str word);
const char *control_level_name(enum rk_log_level level);
/* control_methods.c, what follows.  Ask the watched server, and answer the call
 * with what `show` makes of that. */
struct control_question {
	struct rk_control *control;
	struct rk_call *call; /* deferred */
	void (*show)(struct control_question *q, const struct survey_sum *sum,
	    const struct buf *rows);
	struct survey_target target;
	char shown[200];          /* of the target, for the log */
	char by[CONTROL_WHO_LEN]; /* who wants it, the same */
};
void control_survey(const struct control_end *e, struct rk_call *call,
    enum survey_what what, const struct control_question *wish);
/* Answer with what k has written, or say why not; frees the buffer. */
void control_answer(struct rk_call *call, struct kv *k);

#endif
