/* The agent without its sockets: keys that are open, who waits, answers. */
#ifndef KEYVAULT_AGENT_H
#define KEYVAULT_AGENT_H

#include "agent_bind.h"
#include "agent_only.h"
#include "agent_proto.h"
#include "purpose.h"
#include "vault.h"

/* Who asks, as the kernel tells; text escaped. */
struct agent_asker {
	bool ssh;                /* on the socket for SSH's programs */
	char who[AGENT_WHO_MAX]; /* "/usr/bin/git, pid 4711, uid 1000" */
	char program[256];       /* as it is; "": not known, or longer */
	struct binds *binds;     /* of its connection, or NULL */
};

/* A line that is to stand in the vault's log. */
struct agent_line {
	enum vault_act act;
	char name[RECORD_NAME_MAX + 1];
	char text[VAULT_LOG_TEXT_MAX];
};

/*
 * What the agent has of the vault; agent_vault.h is the real one.  Each call
 * may take as long as the vault may be busy.  Functions fill err.
 */
struct agent_back {
	/* Take the data key of the vault with this id over (also when it
	 * fails), if it is its. */
	enum rk_err (*open)(void *arg, const uint8_t id[VAULT_ID_LEN],
	    struct rk_secret **key, struct rk_error *err);
	/* Forget it. */
	void (*lock)(void *arg);
	/* Is it still what was opened, if any was?  RK_ESTATE, RK_ETAMPERED:
	 * no; RK_EIO: it is broken. */
	enum rk_err (*look)(void *arg, struct rk_error *err);
	/* A write or a sync failed: all but lock fails from then on (RK_EIO).
	 */
	bool (*broken)(void *arg);
	enum rk_err (*list)(
	    void *arg, vault_record_fn *fn, void *fn_arg, struct rk_error *err);
	enum rk_err (*find)(void *arg, const char *name, struct record *out,
	    struct rk_error *err);
	/*
	 * The key of that name, for one signature: it is still the one with
	 * this public half, and its tags still allow `use`.  These lines of the
	 * log, if any, are on the disk before.  RK_EDENIED; RK_ENOENT.
	 */
	enum rk_err (*use)(void *arg, const char *name,
	    const uint8_t pub[RK_KEY_PUBLIC_LEN], unsigned use,
	    const struct agent_line *lines, size_t n, struct rk_key **out,
	    struct rk_error *err);
	/* The same for a secret that is given out: lines are never none. */
	enum rk_err (*give)(void *arg, const char *name,
	    const uint8_t pub[RK_KEY_PUBLIC_LEN], unsigned use,
	    const struct agent_line *lines, size_t n, struct rk_secret **out,
	    struct rk_error *err);
	/* Lines of the log, all or none; others may write for so long. */
	enum rk_err (*log)(void *arg, const struct agent_line *lines, size_t n,
	    int patience_ms, struct rk_error *err);
	void *arg;
};

/* What a record may be used for: by its kind, and a key's tags. */
unsigned agent_uses(const struct record *rec);

struct agent;

struct agent_conf {
	const struct agent_back *back; /* copied */
	const char *path;              /* of the vault, for people */
	const uint8_t *id;             /* its VAULT_ID_LEN bytes */
	uint64_t lifetime_ms;          /* of keys opened without a time */
};

/* How somebody would be asked now; "": by nobody but allow. */
typedef void agent_asks_fn(void *arg, char out[AGENT_ASKS_MAX]);

/* RK_ENOMEM. */
RK_MUST enum rk_err agent_new(
    const struct agent_conf *conf, struct agent **out);
/* Locks.  NULL is allowed. */
void agent_free(struct agent *a);
/* Whom to ask how a yes is asked for. */
void agent_asks_by(struct agent *a, agent_asks_fn *fn, void *arg);

/*
 * Answer a request, appended to reply as whole frames; now is a clock's that
 * never goes back, in milliseconds.  *wait is not 0 when somebody has to be
 * asked first: agent_poll() with it tells when there is an answer.  RK_EPROTO:
 * this peer is not worth another word; RK_ENOMEM.
 */
RK_MUST enum rk_err agent_handle(struct agent *a,
    const struct agent_asker *asker, uint64_t now, uint8_t type,
    struct bytes body, struct buf *reply, uint32_t *wait);
/* *wait becomes 0 once reply has the answer. */
RK_MUST enum rk_err agent_poll(
    struct agent *a, uint64_t now, struct buf *reply, uint32_t *wait);
/* Who waited is gone. */
void agent_drop(struct agent *a, uint32_t wait);

/* The i-th that waits undecided, false behind the last. */
bool agent_waits(
    const struct agent *a, size_t i, uint64_t now, struct agent_waiting *out);
/* Does the one with that number? */
bool agent_still_waits(const struct agent *a, uint32_t id);
/* Somebody said yes, for this and as long as ms; or no.  by is who or how, for
 * the log, escaped: "askpass".  RK_ENOENT. */
RK_MUST enum rk_err agent_answer(struct agent *a, uint32_t id, bool yes,
    uint64_t now, uint64_t ms, const char *by);

/* Close all keys, and forget the vault's. */
void agent_lock(struct agent *a);
/* Close those whose time is over, refuse those who waited too long. */
void agent_tick(struct agent *a, uint64_t now);
/* When the next of that is, or AGENT_FOREVER. */
uint64_t agent_next(const struct agent *a);
/* Is a key open? */
bool agent_is_open(const struct agent *a);

#endif
