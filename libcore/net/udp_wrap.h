/* What is around a session's datagrams on UDP: who they are for, and cookies.
 */
#ifndef RPCKIT_NET_UDP_WRAP_H
#define RPCKIT_NET_UDP_WRAP_H

#include "net/addr.h"
#include "net/seed.h"
#include "trust/psks.h"

/*
 * rpckit-session(7), "On UDP": bytes, an address and a time in, bytes out; no
 * memory.  A stranger knocks, and gets a cookie that only who receives at that
 * address can know.  Who shows it with the session's first message has shown
 * that, and begins the connection that the cookie names.
 *
 * Where a pre-shared key is required the knock has to prove it, and a cookie
 * counts only if it was given for such a proof.
 */
#define UDP_NONCE_LEN 8 /* the client's */
#define UDP_ID_LEN 8    /* of a connection: the server's choice */
#define UDP_MAC_LEN 16
#define UDP_TOKEN_LEN 8
#define UDP_COOKIE_LEN (UDP_ID_LEN + 4 + UDP_MAC_LEN)
#define UDP_HEAD_LEN (8 + UDP_NONCE_LEN)
#define UDP_KNOCK_LEN 64 /* longer than what answers it */
#define UDP_RETRY_LEN (UDP_HEAD_LEN + UDP_COOKIE_LEN)
#define UDP_HELLO_LEN UDP_RETRY_LEN /* before the session's message */
#define UDP_DATA_LEN (1 + UDP_ID_LEN)
#define UDP_PATH_LEN (UDP_DATA_LEN + UDP_TOKEN_LEN)
#define UDP_LOOPS_MAX 256
#define UDP_COOKIE_LIFE_S 20
#define UDP_PROOF_LIFE_S 86400 /* of a knock's: clocks are off by hours */

/* The last byte of what begins such a datagram, or its only one. */
enum udp_kind {
	UDP_NONE = 0,
	UDP_KNOCK = 'k', /* may I? */
	UDP_RETRY = 'r', /* with this cookie */
	UDP_HELLO = 'h', /* with it, and the session's first message */
	UDP_BUSY = 'b',  /* nobody is taken now */
	UDP_NO = 'n',    /* that message begins no session here */
	UDP_DATA = 'd',  /* of a connection, both ways */
	UDP_ASK = 'a',   /* is it you, at this address?  From the server */
	UDP_PROOF = 'p'  /* it is */
};

/* Views into the datagram; those of other kinds are NULL. */
struct udp_msg {
	enum udp_kind kind;
	const uint8_t *nonce;
	const uint8_t *cookie; /* begins with the id */
	const uint8_t *id;
	const uint8_t *token;
	const uint8_t *data; /* the session's; not empty */
	size_t len;
};

/* UDP_NONE: nobody's of ours. */
enum udp_kind udp_parse(const uint8_t *p, size_t len, struct udp_msg *out);
/* Each returns the length of what it writes. */
/* With a proof that we have this key; NULL: none.  now: seconds since 1970. */
size_t udp_put_knock(uint8_t out[UDP_KNOCK_LEN],
    const uint8_t nonce[UDP_NONCE_LEN], const struct psk *psk, int64_t now);
size_t udp_put_retry(uint8_t out[UDP_RETRY_LEN],
    const uint8_t nonce[UDP_NONCE_LEN], const uint8_t cookie[UDP_COOKIE_LEN]);
size_t udp_put_hello(uint8_t out[UDP_HELLO_LEN],
    const uint8_t nonce[UDP_NONCE_LEN], const uint8_t cookie[UDP_COOKIE_LEN]);
size_t udp_put_busy(
    uint8_t out[UDP_HEAD_LEN], const uint8_t nonce[UDP_NONCE_LEN]);
size_t udp_put_no(
    uint8_t out[UDP_HEAD_LEN], const uint8_t nonce[UDP_NONCE_LEN]);
size_t udp_put_data(uint8_t out[UDP_DATA_LEN], const uint8_t id[UDP_ID_LEN]);
size_t udp_put_path(uint8_t out[UDP_PATH_LEN], enum udp_kind kind,
    const uint8_t id[UDP_ID_LEN], const uint8_t token[UDP_TOKEN_LEN]);

/*
 * Does a knock prove, not long ago, one of these keys?  It takes as long
 * whatever is wrong with a proof.
 */
bool udp_knock_proves(const uint8_t knock[UDP_KNOCK_LEN],
    const struct rk_psks *psks, int64_t now);

/*
 * Keys of cookies, the same for all loops and all servers of a seed: another
 * each minute of the wall clock, of which those around now are remembered.
 */
struct udp_keys {
	struct seed *seed; /* a reference */
	uint8_t loop[16];  /* of the disguise of an id's last byte */
	struct {
		uint64_t epoch;
		bool there;
		uint8_t key[32];
	} cookie[2]; /* by the lowest bit of the epoch */
};
void udp_keys_init(struct udp_keys *k, struct seed *seed);
void udp_keys_fini(struct udp_keys *k); /* zeros are allowed */

/* What a cookie is for; it is all part of it. */
struct udp_asker {
	const struct addr *from;
	const uint8_t *nonce;
	bool proven; /* the knock was, by a pre-shared key */
};
/* now: seconds since 1970. */
void udp_cookie_make(struct udp_keys *k, const struct udp_asker *asker,
    unsigned loop, int64_t now, uint8_t out[UDP_COOKIE_LEN]);
/* Did we make it for this one, not long ago? */
bool udp_cookie_check(struct udp_keys *k, const struct udp_asker *asker,
    const uint8_t cookie[UDP_COOKIE_LEN], int64_t now);
/* The loop that a cookie's id was made for.  Of an id of anybody else's making
 * any number. */
unsigned udp_id_loop(const struct udp_keys *k, const uint8_t id[UDP_ID_LEN]);

#endif
