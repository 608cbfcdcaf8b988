/* What is known of the daemon: status, connections, keys, calls, log. */
#ifndef RPCTUI_MODEL_H
#define RPCTUI_MODEL_H

#include "model_index.h"

#include "cli/parts.h"

#include <rpckit/base.h>
#include <rpckit/key.h>
#include <rpckit/value.h>

/*
 * No I/O and no screen: the feed (feed.h) puts in what the daemon says, views
 * (view.h) pick and sort, screens draw.  One thread.  All text is as it came
 * from the daemon and may hold anything: whoever shows it escapes it.  Times
 * are CLOCK_MONOTONIC milliseconds of ours where they end in _ms, text of the
 * daemon's otherwise.
 */
enum model_state {
	MODEL_NEW, /* not trusted yet */
	MODEL_ACTIVE,
	MODEL_IDLE,
	MODEL_CLOSING,
	MODEL_CLOSED, /* gone; shown for MODEL_CLOSED_MS more */
	MODEL_WAITING /* not a connection yet: its key waits for a decision */
};
#define MODEL_CLOSED_MS 5000
#define MODEL_CONNS 16384 /* that are kept; the daemon says how many more */
#define MODEL_KEYS 32768
#define MODEL_CALLS 4096
#define MODEL_FILE 528 /* all that the daemon tells of a name, escaped */
#define MODEL_LOG 2000
#define MODEL_RATES 120 /* seconds of the whole daemon's rates */

struct model_conn {
	uint64_t id;
	enum model_state state;
	bool resumed;
	char transport[8];
	char address[128];
	char email[256];
	char fp[RK_FP_LEN];
	char since[24];
	uint64_t running; /* calls */
	uint64_t calls;   /* that were begun */
	uint64_t failed;  /* of those */
	uint64_t p50_us, p90_us, p99_us,
	    max_us;      /* that calls took; 0: none has ended */
	uint64_t rtt_us; /* to the peer and back; 0: not known */
	bool has_retrans;
	uint64_t retrans; /* packets sent again */
	char cipher[48];
	char psk[64];
	char psk_id[10];
	char key[12]; /* what its key is: known, once, ...; "": nobody asks */
	char cn[128], ca[128], not_after[24]; /* of its certificate */
	char error[200];                      /* of the latest that failed */
	char error_method[96];
	int64_t error_ms; /* when */
	uint64_t in, out; /* bytes */
	uint64_t rx, tx;  /* bytes a second, of the last interval */
	int64_t began_ms;
	int64_t closed_ms; /* MODEL_CLOSED */
	char why[128];     /* it was closed */
	uint64_t round;    /* of the answer that had it last */
	bool unseen;       /* told by an event, in no answer yet */
	bool told;         /* the event said that it is closed */
};

enum model_key_state {
	KEY_NEW, /* these three wait */
	KEY_CHANGED,
	KEY_EXPIRED,
	KEY_KNOWN,
	KEY_ONCE,
	KEY_UNTIL,
	KEY_REJECTED,
	KEY_REVOKED
};

/* A call that failed, as far as it was seen: of several in one interval the
 * latest. */
struct model_error {
	uint64_t conn;
	int64_t ms;
	char method[96];
	char text[200];
};
#define MODEL_ERRORS 64

struct model_key {
	char fp[RK_FP_LEN];
	enum model_key_state state;
	char email[256];
	char ca[128];
	char address[128];
	char first_seen[24];
	char last_seen[24];
	char until[24];
	char cert_from[24];
	char cert_until[24]; /* of the certificate; "": unknown */
	char note[256];
	char who[256];         /* decided */
	char decided[24];      /* when */
	char by[16];           /* "list": the CA's, of revoked ones */
	char hosts[256];       /* it came from, the last one first */
	char other[RK_FP_LEN]; /* of a changed one: whose address it has */
	uint64_t tries;
	uint64_t conns; /* that wait now */
	uint64_t version;
	char name[256]; /* its e-mail; without one CN=...; "": neither */
	bool met;
	bool listed; /* from the known-keys file, and nothing else is said */
};

struct model_call {
	uint64_t conn;
	char method[256];
	char address[128];
	char email[256];
	char name[256]; /* for people, as of a key */
	uint64_t id;
	bool stream, canceled;
	/* That a stream moves, of a long name its end; "": none is told. */
	char file[MODEL_FILE];
	bool has_size;
	uint64_t moved; /* bytes: of `size` where that is known, else of all */
	uint64_t size;
	uint64_t rate; /* bytes a second, of the last interval */
	int64_t began_ms;
	int64_t deadline_ms; /* 0: none */
};

struct model_line {
	uint64_t process; /* whose; seq is its number there */
	uint64_t seq;
	char time[24];
	int level; /* enum rk_log_level */
	char subsystem[16];
	char text[512];
};

struct model_fact {
	char key[64];
	char text[512];
};

/* A use of a key that waits for a yes; texts as the agent says them. */
struct model_asked {
	uint32_t id;
	char name[132];
	char what[512];
	char who[256];
	int64_t until_ms;
};

/* A key that the agent has open. */
struct model_held {
	char name[132];
	char last[256];   /* who asked last */
	char only[640];   /* what it is open for; "": all that it is for */
	int64_t until_ms; /* INT64_MAX: until it is locked */
	uint64_t used;
	uint64_t left; /* uses; UINT64_MAX: not limited */
	bool confirm;
	int64_t yes_until_ms; /* so long nobody is asked */
};

/* The agent of a vault (vault.h), which is no part of the daemon. */
#define MODEL_ASKED 8
#define MODEL_HELD 64
struct model_agent {
	bool there;
	struct model_asked asked[MODEL_ASKED];
	size_t n_asked;
	struct model_held held[MODEL_HELD];
	size_t n_held, held_more;
};

struct model_status {
	char name[64], version[32], state[16], since[24];
	int64_t up_ms;    /* at asked_ms */
	int64_t asked_ms; /* when we were told; 0: never */
	char listeners[8][128];
	size_t n_listeners;
	uint64_t pid, threads;
	uint64_t fresh, active, idle, closing, accepted, refused;
	uint64_t max_conns;
	uint64_t running, begun;
	uint64_t in, out; /* bytes, of all connections there ever were */
	uint64_t rx, tx;  /* a second */
	bool has_trust;
	char mode[8], list[16];
	uint64_t known, waiting, once, rejected, revoked;
	uint64_t turned; /* away: no more keys could wait */
	struct model_fact facts[32];
	size_t n_facts;
};

/* A list of keys of which not all parts have come. */
struct model_part {
	struct parts parts;
	struct model_key *keys;
	size_t n, cap;
	uint64_t lost; /* rows that are not kept: there are too many */
	bool more;
};

struct model {
	bool online;       /* the daemon answers */
	bool read_only;    /* the socket does not let steer */
	int64_t silent_s;  /* 0: no answer is overdue */
	char trouble[256]; /* why not online; one line, escaped */
	uint64_t changes;  /* counts: redraw when it has moved */
	uint64_t process;  /* counts: another one answers; 0: none has yet */
	struct model_status status;
	struct model_agent agent;
	/* Pointers into these are good until something is taken in. */
	struct model_conn *conns;
	size_t n_conns;
	/* All there is of each was told, and it is enough to ask what moves;
	 * conns_thin: something came of which that does not tell enough. */
	bool conns_known, conns_thin;
	uint64_t conns_left_out;
	struct model_key *keys; /* known ones as well */
	size_t n_keys;
	uint64_t keys_left_out;
	/* Why the list of who waits, that of who is known, is not told: what
	 * is shown is as it was.  "": it is told. */
	char keys_untold[2][200];
	/* Who goes from one list to the other may be in neither now. */
	bool keys_partly;
	struct model_call *calls;
	size_t n_calls;
	uint64_t calls_left_out;
	struct model_line log[MODEL_LOG]; /* a ring */
	size_t log_first, n_log;
	uint64_t events_lost;
	struct model_error errors[MODEL_ERRORS]; /* a ring */
	size_t error_last, n_errors;
	/* Of each second, the last one at [rate_last]; a ring. */
	uint64_t rx_rates[MODEL_RATES], tx_rates[MODEL_RATES];
	size_t rate_last, n_rates;
	/* What methods the daemon has, as `_.serves` says; owned. */
	struct rk_value_doc *methods;
	/* Ask for keys again, for connections, or for everything: events did
	 * not tell all.  Who has asked clears it. */
	bool keys_stale, conns_stale, all_stale;
	/* There is a connection of which no event tells: who waits. */
	bool conns_missing;
	/* What follows is the model's own. */
	struct model_index by_id, by_fp;
	struct model_conn *spare; /* of the answer before */
	size_t cap_conns, cap_spare, cap_keys;
	int64_t conns_ms, calls_ms, bytes_ms; /* when we last heard of them */
	uint64_t conns_round;                 /* of answers */
	int64_t rate_sec;
	uint64_t trust_left_out, known_left_out;
	struct model_part part[2]; /* of _.trust, of _.known */
	size_t n_waiting, n_changed;
	size_t log_now; /* lines of this daemon, not of the one before */
};

/* A model is large (a MiB and a half): not for the stack. */
void model_init(struct model *m);
void model_fini(struct model *m);
/*
 * Take an answer of the method of that name, or an event, in.  now: ms.  What
 * is malformed is RK_EPROTO and changes nothing; RK_ENOMEM.  Methods are
 * _.methods, _.status, _.conns, _.calls, _.trust, _.known, _.log and _.serves;
 * of others nothing is taken.  A status of another process than before begins
 * anew with everything but the log.
 */
RK_MUST enum rk_err model_answer(struct model *m, const char *method,
    const struct rk_value *answer, int64_t now);
RK_MUST enum rk_err model_event(
    struct model *m, const struct rk_value *event, int64_t now);
/* Is the next thing to ask this method for {from: N}, as not all of its list
 * has come?  Until it has, what is shown is the list before. */
bool model_more(const struct model *m, const char *method, uint64_t *from);
/* Nobody will: what has come of lists is dropped. */
void model_no_more(struct model *m);
/* Let go of closed connections that were shown long enough. */
void model_tick(struct model *m, int64_t now);

struct model_conn *model_conn(const struct model *m, uint64_t id);
struct model_key *model_key(const struct model *m, const char *fp);
/* Is a key that is not there gone, as far as was told? */
bool model_has_all_keys(const struct model *m);
/* Those that wait. */
size_t model_waiting(const struct model *m);
size_t model_changed(const struct model *m);

#endif
