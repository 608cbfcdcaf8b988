/* What keyvault and its agent say to one another: frames, words, views. */
#ifndef KEYVAULT_AGENT_PROTO_H
#define KEYVAULT_AGENT_PROTO_H

#include "base/bytes.h"
#include "record.h"

/*
 * A frame is a length of four bytes, one of type, and what belongs to it, as in
 * the ssh-agent protocol; numbers are big-endian, strings behind a length of
 * four bytes.  Each request has one answer; only AGENT_WAIT comes before it.
 * Two sockets, because the one for SSH may be forwarded to other machines:
 * there nobody may say yes, or ask for anything but what SSH needs.
 */
#define AGENT_VERSION 1
#define AGENT_REQUEST_MAX 16384
#define AGENT_REPLY_MAX 65536
#define AGENT_KEYS_MAX 4096
#define AGENT_WAITING_MAX 8
#define AGENT_WAIT_MS 60000
#define AGENT_FOREVER UINT64_MAX
#define AGENT_WHO_MAX 256

enum agent_type {
	/* requests, and what is behind an AGENT_OK that answers them */
	AGENT_STATUS = 1, /* : u32 version, id, path, u32 pid, u32 open keys */
	AGENT_UNLOCK,     /* id, key, u64 ms, u64 uses, u8 confirm, names : u32
	                     opened, u8 somebody can be asked */
	AGENT_LOCK,       /* names, none for all : u32 closed */
	AGENT_KEYS,       /* u32 from : agent_key ... */
	AGENT_WAITING,    /* : agent_waiting ... */
	AGENT_ANSWER,     /* u32 id, u8 yes, u64 ms : */
	AGENT_LIST,       /* name after which : u8 more, records */
	AGENT_FIND,       /* name : record */
	AGENT_SIGN_FILE,  /* name, context, SHA-512 : SSHSIG as text */
	AGENT_SIGN_TLS,   /* name, what is to be signed : signature */
	/* answers */
	AGENT_OK = 128,
	AGENT_FAIL, /* name of the code, text */
	AGENT_WAIT  /* u32 id, u64 ms: somebody is being asked */
};

/* Of draft-ietf-sshm-ssh-agent, on the other socket. */
enum agent_ssh_type {
	SSH_FAILURE = 5,
	SSH_SUCCESS = 6,
	SSH_REQUEST_IDENTITIES = 11,
	SSH_IDENTITIES_ANSWER = 12,
	SSH_SIGN_REQUEST = 13,
	SSH_SIGN_RESPONSE = 14,
	SSH_REMOVE_IDENTITY = 18,
	SSH_REMOVE_ALL_IDENTITIES = 19
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
};

/* Somebody waits for a yes. */
struct agent_waiting {
	uint32_t id;
	char name[RECORD_NAME_MAX + 1];
	char what[AGENT_WHO_MAX];
	char who[AGENT_WHO_MAX];
	uint64_t left_ms;
};

struct agent_status {
	uint32_t version;
	uint8_t id[16];
	char path[4096];
	uint32_t pid;
	uint32_t open;
};

/*
 * A frame at the front of what came: RK_OK with its type and body (views) and
 * *used, RK_EAGAIN when it is not whole yet, RK_EPROTO when it is none of at
 * most max bytes.
 */
RK_MUST enum rk_err agent_frame(const uint8_t *data, size_t len, size_t max,
    uint8_t *type, struct bytes *body, size_t *used);
/* Begin a frame of this type at the tail of b, and set its length. */
RK_MUST enum rk_err agent_begin(struct buf *b, uint8_t type, size_t *at);
void agent_end(struct buf *b, size_t at);
RK_MUST enum rk_err agent_put_text(struct buf *b, const char *text);
/* A string without NUL that fits; false otherwise, and out is empty. */
RK_MUST bool agent_get_text(struct bytes *b, char *out, size_t out_len);
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
/* Body of AGENT_FAIL to an error; always one that is no RK_OK. */
enum rk_err agent_get_fail(struct bytes *b, struct rk_error *err);

#endif
