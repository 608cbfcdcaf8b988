/* Inside the agent: its keys, those who wait, who does what. */
#ifndef KEYVAULT_AGENT_INT_H
#define KEYVAULT_AGENT_INT_H

#include "agent.h"

struct open_key {
	char name[RECORD_NAME_MAX + 1];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	unsigned uses;  /* enum purpose_use */
	uint64_t until; /* AGENT_FOREVER */
	uint64_t used;
	uint64_t left; /* uses, AGENT_FOREVER */
	bool confirm;
	uint64_t yes_until;
	char last[AGENT_WHO_MAX];
};

/* A signature that is asked for, from the request to the key's use. */
struct order {
	char name[RECORD_NAME_MAX + 1];
	uint8_t pub[RK_KEY_PUBLIC_LEN]; /* of the key that was asked for */
	unsigned use;
	struct purpose_view view;
	struct agent_asker asker;
	char context[65]; /* of a file */
	size_t len;       /* the file's hash, or what is to be signed */
	uint8_t data[AGENT_REQUEST_MAX];
};

enum waiting_state {
	WAITING_FREE = 0,
	WAITING_ASKED,
	WAITING_YES,
	WAITING_NO,  /* somebody said no */
	WAITING_LATE /* nobody said anything */
};

struct waiting {
	enum waiting_state state;
	uint32_t id;
	uint64_t until;
	struct order *order;
};

struct agent {
	struct agent_back back;
	char path[4096];
	uint8_t id[VAULT_ID_LEN];
	uint64_t lifetime_ms;
	bool can_ask;
	struct open_key *keys;
	size_t n_keys;
	size_t keys_cap;
	uint32_t last_id;
	struct waiting waiting[AGENT_WAITING_MAX];
};

/* ---- agent.c: keys and those who wait ---- */

struct open_key *agent_key_find(struct agent *a, const char *name);
struct open_key *agent_key_of(
    struct agent *a, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* Room for one more; a key of that name is replaced.  RK_ENOMEM, RK_ELIMIT. */
RK_MUST enum rk_err agent_key_add(struct agent *a, const struct open_key *key);
/* The last one takes the vault's key along. */
void agent_key_close(struct agent *a, struct open_key *k);
/* A seat for an order, which is copied.  RK_ELIMIT, RK_ENOMEM. */
RK_MUST enum rk_err agent_wait(
    struct agent *a, const struct order *o, uint64_t now, uint32_t *id);
struct waiting *agent_waiting_find(struct agent *a, uint32_t id);
void agent_waiting_free(struct waiting *w);

/* ---- agent_sign.c ---- */

/* Look whether it may be signed; sign, or have somebody asked.  The answer is
 * in reply, a failure also there, as the asker can read it. */
RK_MUST enum rk_err agent_order(struct agent *a, struct order *o, uint64_t now,
    struct buf *reply, uint32_t *wait);
/* The answer of one that failed. */
RK_MUST enum rk_err agent_refuse(const struct agent_asker *asker,
    enum rk_err code, const char *text, struct buf *reply);

/* ---- agent_own.c, agent_ssh.c: the two sockets' requests ---- */

RK_MUST enum rk_err agent_own(struct agent *a, const struct agent_asker *asker,
    uint64_t now, uint8_t type, struct bytes body, struct buf *reply,
    uint32_t *wait);
RK_MUST enum rk_err agent_ssh(struct agent *a, const struct agent_asker *asker,
    uint64_t now, uint8_t type, struct bytes body, struct buf *reply,
    uint32_t *wait);

#endif
