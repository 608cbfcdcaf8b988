/* Inside the agent: its keys, those who wait, who does what. */
#ifndef KEYVAULT_AGENT_INT_H
#define KEYVAULT_AGENT_INT_H

#include "agent.h"

#define AGENT_LINES_MAX 64
#define AGENT_LINES_MS 1000  /* they wait at most */
#define AGENT_LOCK_WAIT 1000 /* for others who write, when keys are closed */

struct open_key {
	char name[RECORD_NAME_MAX + 1];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	unsigned uses;  /* enum purpose_use */
	uint64_t until; /* AGENT_FOREVER */
	uint64_t used;
	uint64_t left; /* uses, AGENT_FOREVER */
	bool confirm;
	char only[ONLY_MAX]; /* agent_only.h */
	uint64_t yes_until;
	char yes_by[AGENT_WHO_MAX];
	char last[AGENT_WHO_MAX];
};

/* A signature that is asked for, from the request to the key's use. */
struct order {
	char name[RECORD_NAME_MAX + 1];
	uint8_t pub[RK_KEY_PUBLIC_LEN]; /* of the key that was asked for */
	unsigned use;
	struct purpose_view view;
	struct agent_asker asker;
	bool asked;             /* somebody said yes to it */
	bool afar;              /* an agent that is forwarded asks for it */
	char by[AGENT_WHO_MAX]; /* who answered, or ""; escaped */
	char host[RK_FP_LEN];   /* that a login is for, where it is proven */
	char context[65];       /* of a file */
	/* The file's hash, or what is to be signed: where the request is, or,
	 * of one that waits, behind this. */
	const uint8_t *data;
	size_t len;
};

enum waiting_state {
	WAITING_FREE = 0,
	WAITING_ASKED,
	WAITING_YES,
	WAITING_NO,   /* somebody said no */
	WAITING_LATE, /* nobody said anything */
	WAITING_LOCKED
};

struct waiting {
	enum waiting_state state;
	uint32_t id;
	uint64_t until;
	struct order *order;
};

/* What a line says, where it may stand for more than one handshake. */
struct counted {
	char what[PURPOSE_TEXT_MAX];
	char who[AGENT_WHO_MAX];
	uint64_t times; /* 0: it stands for itself */
};

struct agent {
	struct agent_back back;
	char path[4096];
	uint8_t id[VAULT_ID_LEN];
	uint64_t lifetime_ms;
	agent_asks_fn *asks; /* NULL: nobody is asked by itself */
	void *asks_arg;
	struct open_key *keys;
	size_t n_keys;
	size_t keys_cap;
	uint32_t last_id;
	struct waiting waiting[AGENT_WAITING_MAX];
	/* Lines of the log that are not written yet, with the time of the
	 * first; late: they could not be when they should. */
	struct agent_line lines[AGENT_LINES_MAX];
	struct counted counted[AGENT_LINES_MAX];
	size_t n_lines;
	uint64_t lines_at;
	int64_t lines_time; /* of the first, by the clock of the log */
	bool lines_late;
	/* Uses that are in no line, since they could not be written when the
	 * vault's key was forgotten; of when, and why.  Told until a line says
	 * it. */
	uint64_t lost;
	int64_t lost_from;
	int64_t lost_to;
	char lost_why[RK_ERROR_TEXT_LEN];
};

/* ---- agent_log.c: lines that wait to be written together ---- */

/* Room for one more; where the disk does not take them, that is an error. */
RK_MUST enum rk_err agent_log_room(struct agent *a, struct rk_error *err);
/* May its line be written a moment later?  Of a handshake: it is not to wait
 * for the disk. */
bool agent_log_waits(const struct order *o);
/* Such a use, of which a line is written soon; there is room. */
void agent_log_use(struct agent *a, const struct order *o, uint64_t now);
/* A line that is written with the key's use, and is taken back if that fails;
 * there is room. */
void agent_log_add(
    struct agent *a, enum vault_act act, const char *name, const char *text);
void agent_log_take_back(struct agent *a);
/* All that wait; of those that were written there is nothing more to do. */
RK_MUST enum rk_err agent_log_write(
    struct agent *a, int patience_ms, struct rk_error *err);
void agent_log_written(struct agent *a);
/* Uses for which there is no line any more: those that waited. */
void agent_log_lose(struct agent *a, const struct rk_error *why);
/* "agent: closed its keys, and so many uses are not in the log: why"; "" if all
 * are. */
#define AGENT_LOST_MAX AGENT_WHAT_MAX
void agent_log_lost(const struct agent *a, char out[AGENT_LOST_MAX]);
/* A line, now. */
RK_MUST enum rk_err agent_log_now(struct agent *a, enum vault_act act,
    const char *name, const char *text, struct rk_error *err);
/* A line, now, of keys that are opened; what was lost before is in it. */
RK_MUST enum rk_err agent_log_opened(struct agent *a, const char *name,
    size_t others, const char *who, struct rk_error *err);
/* What the log says of a use. */
void agent_log_describe(
    const struct order *o, uint64_t times, char out[VAULT_LOG_TEXT_MAX]);

/* ---- agent.c: keys and those who wait ---- */

/* The vault did, with r: where it is another one, or its disk is not to be
 * trusted, all keys are closed. */
void agent_failed(struct agent *a, enum rk_err r);
void agent_asks(const struct agent *a, char out[AGENT_ASKS_MAX]);

struct open_key *agent_key_find(struct agent *a, const char *name);
/* Room for all of these, or an error; then they are added, those of the same
 * names replaced.  RK_ENOMEM, RK_ELIMIT. */
RK_MUST enum rk_err agent_keys_room(
    struct agent *a, const struct open_key *keys, size_t n);
void agent_keys_add(struct agent *a, const struct open_key *keys, size_t n);
/* The last one takes the vault's key along. */
void agent_key_close(struct agent *a, struct open_key *k);
/* A seat for an order, which is copied.  RK_ELIMIT, RK_ENOMEM. */
RK_MUST enum rk_err agent_wait(
    struct agent *a, const struct order *o, uint64_t now, uint32_t *id);
struct waiting *agent_waiting_find(struct agent *a, uint32_t id);
void agent_waiting_free(struct waiting *w);

/* ---- agent_give.c ---- */

/* A secret for whoever asked; its line of the log is on the disk. */
RK_MUST enum rk_err agent_give(struct agent *a, const struct order *o,
    const struct open_key *k, struct rk_secret **out, struct rk_error *err);

/* ---- agent_sign.c ---- */

/* Look whether it may be signed; sign, or have somebody asked.  The answer is
 * in reply, a failure also there, as the asker can read it. */
RK_MUST enum rk_err agent_order(struct agent *a, struct order *o, uint64_t now,
    struct buf *reply, uint32_t *wait);
/* The answer of one that failed. */
RK_MUST enum rk_err agent_refuse(const struct agent_asker *asker,
    enum rk_err code, const char *text, struct buf *reply);

/* ---- agent_ssh.c ---- */

/* What one of a key's names is only for, all are. */
bool agent_ssh_allows(struct agent *a, const struct order *o);

/* ---- agent_own.c, agent_ssh.c: the two sockets' requests ---- */

RK_MUST enum rk_err agent_own(struct agent *a, const struct agent_asker *asker,
    uint64_t now, uint8_t type, struct bytes body, struct buf *reply,
    uint32_t *wait);
RK_MUST enum rk_err agent_ssh(struct agent *a, const struct agent_asker *asker,
    uint64_t now, uint8_t type, struct bytes body, struct buf *reply,
    uint32_t *wait);

#endif
