/* Frames between an agent of keyvault(1) and those who use its keys. */
#ifndef RPCKIT_BASE_AGENT_FRAME_H
#define RPCKIT_BASE_AGENT_FRAME_H

#include "base/bytes.h"

/*
 * A frame is a length of four bytes, one of type, and what belongs to it, as in
 * the ssh-agent protocol; numbers are big-endian, strings behind a length of
 * four bytes.  Each request has one answer; only AGENT_WAIT comes before it.
 * Two sockets, because the one for SSH may be forwarded to other machines:
 * there nobody may say yes, or ask for anything but what SSH needs.
 */
#define AGENT_VERSION 3
#define AGENT_REQUEST_MAX 16384
#define AGENT_SIGN_MAX 1048576 /* a request AGENT_SIGN: lists are long */
#define AGENT_REPLY_MAX 65536
#define AGENT_KEYS_MAX 4096
#define AGENT_WAITING_MAX 8
#define AGENT_WAIT_MS 60000
#define AGENT_FOREVER UINT64_MAX
#define AGENT_WHO_MAX 256
#define AGENT_WHAT_MAX 512
#define AGENT_ONLY_MAX 640
#define AGENT_ASKS_MAX 64 /* "tty pts/4", "askpass", "": nobody by itself */

enum agent_type {
	/* requests, and what is behind an AGENT_OK that answers them */
	AGENT_STATUS = 1, /* : u32 version, id, path, u32 pid, u32 open keys,
	                     how somebody is asked, what is wrong, u32 1:
	                     secrets may be swapped out */
	AGENT_UNLOCK,    /* id, key, u64 ms, u64 uses, u8 confirm, only, names :
	                    u32 opened, u8 somebody can be asked */
	AGENT_LOCK,      /* names, none for all : u32 closed */
	AGENT_KEYS,      /* u32 from : agent_key ... */
	AGENT_WAITING,   /* : agent_waiting ... */
	AGENT_ANSWER,    /* u32 id, u8 yes, u64 ms : */
	AGENT_LIST,      /* name after which : u8 more, records */
	AGENT_FIND,      /* name : record */
	AGENT_SIGN_FILE, /* name, context, SHA-512 : SSHSIG as text */
	AGENT_SIGN,      /* name, what is to be signed : signature */
	AGENT_PUBLIC,    /* name, u8 1 : public key, u8 somebody is asked,
	                    u8 agent_use ...; where an earlier version asks or
	                    answers, neither the 1 nor the uses */
	AGENT_GIVE,      /* name, u8 agent_gift : secret */
	/* answers */
	AGENT_OK = 128,
	AGENT_FAIL, /* name of the code, text */
	AGENT_WAIT  /* u32 id, u64 ms, how: somebody is being asked */
};

/* What a key that signs is for. */
enum agent_use {
	AGENT_USE_FILE = 1,
	AGENT_USE_TLS = 2,
	AGENT_USE_SSH = 4,
	AGENT_USE_CA = 8
};
#define AGENT_USE_ANY 0xffu /* it was not said */

/* What a secret is given out as.  Keys that sign are given to nobody. */
enum agent_gift {
	AGENT_GIFT_PSK = 1, /* a pre-shared key */
	AGENT_GIFT_WORD     /* a small secret: a passphrase, a token */
};
#define AGENT_GIFT_MAX 32768

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
/* Bodies of answers to AGENT_SIGN, AGENT_PUBLIC and AGENT_GIVE; false for what
 * no agent sends.  The secret is a view of 1 to AGENT_GIFT_MAX bytes. */
#define AGENT_SIG_LEN 64
#define AGENT_PUBLIC_LEN 32
RK_MUST bool agent_get_signature(struct bytes *b, uint8_t sig[AGENT_SIG_LEN]);
RK_MUST bool agent_get_public(
    struct bytes *b, uint8_t pub[AGENT_PUBLIC_LEN], bool *asks, uint8_t *uses);
RK_MUST bool agent_get_gift(struct bytes *b, struct bytes *secret);
/* Body of AGENT_FAIL to an error; always one that is no RK_OK. */
enum rk_err agent_get_fail(struct bytes *b, struct rk_error *err);

#endif
