/* What stands in the frames between keyvault and its agent. */
#ifndef KEYVAULT_AGENT_PROTO_H
#define KEYVAULT_AGENT_PROTO_H

#include "base/agent_frame.h"
#include "record.h"

/* Of draft-ietf-sshm-ssh-agent, on the other socket. */
enum agent_ssh_type {
	SSH_FAILURE = 5,
	SSH_SUCCESS = 6,
	SSH_REQUEST_IDENTITIES = 11,
	SSH_IDENTITIES_ANSWER = 12,
	SSH_SIGN_REQUEST = 13,
	SSH_SIGN_RESPONSE = 14,
	SSH_REMOVE_IDENTITY = 18,
	SSH_REMOVE_ALL_IDENTITIES = 19,
	SSH_EXTENSION = 27
};

/* A key that is open, as AGENT_KEYS tells it. */
struct agent_key {
	char name[RECORD_NAME_MAX + 1];
	uint64_t left_ms; /* AGENT_FOREVER */
	uint64_t used;
	uint64_t uses_left; /* AGENT_FOREVER */
	bool confirm;
	uint64_t yes_ms;          /* for so long nobody is asked */
	char last[AGENT_WHO_MAX]; /* who asked last; shown as it is */
	/* what else it is not for: "file, /usr/bin/git"; shown as it is */
	char only[AGENT_ONLY_MAX];
};

/* Somebody waits for a yes. */
struct agent_waiting {
	uint32_t id;
	char name[RECORD_NAME_MAX + 1];
	char what[AGENT_WHAT_MAX];
	char who[AGENT_WHO_MAX];
	uint64_t left_ms;
};

struct agent_status {
	uint32_t version;
	uint8_t id[16];
	char path[4096];
	uint32_t pid;
	uint32_t open;
	char asks[AGENT_ASKS_MAX];  /* how; shown as it is */
	char fault[AGENT_WHAT_MAX]; /* of its vault; shown as it is */
	bool swappable;             /* not all of its keys could be locked */
};

/* A whole frame that says what failed. */
RK_MUST enum rk_err agent_put_fail(
    struct buf *b, enum rk_err code, const char *text);

/* Parts of answers, there and back.  The latter check what they read, and leave
 * nothing to escape: false for what no agent sends. */
RK_MUST enum rk_err agent_put_key(struct buf *b, const struct agent_key *k);
RK_MUST bool agent_get_key(struct bytes *b, struct agent_key *out);
RK_MUST enum rk_err agent_put_waiting(
    struct buf *b, const struct agent_waiting *w);
RK_MUST bool agent_get_waiting(struct bytes *b, struct agent_waiting *out);
RK_MUST enum rk_err agent_put_status(
    struct buf *b, const struct agent_status *s);
RK_MUST bool agent_get_status(struct bytes *b, struct agent_status *out);
RK_MUST enum rk_err agent_put_record(struct buf *b, const struct record *rec);
RK_MUST bool agent_get_record(struct bytes *b, struct record *out);
#endif
