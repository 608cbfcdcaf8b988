/* Leaves let through before: what cannot change about them. */
#ifndef RPCKIT_TRUST_CHAIN_MEMO_H
#define RPCKIT_TRUST_CHAIN_MEMO_H

#include "base/crypt.h"
#include "trust/chain.h"

struct x509_st;
struct asn1_string_st;

/* The least recently asked goes. */
#define CHAIN_MEMO_MAX 64
/* The octets of the longest serial number there should be (RFC 5280). */
#define CHAIN_SERIAL_MAX 20

/* The whole leaf, and what it was asked for. */
struct chain_memo_key {
	uint8_t hash[CRYPT_HASH_LEN];
	enum chain_usage usage;
};

/* Dates and serial number are in it because they are judged each time. */
struct chain_memory {
	struct rk_cert_info info;
	uint8_t serial[CHAIN_SERIAL_MAX];
	size_t serial_len;
};

void chain_memo_key(
    struct rk_bytes leaf, enum chain_usage usage, struct chain_memo_key *out);
/* False: the serial number is unusual (negative, long), so it is not to be
 * remembered. */
RK_MUST bool chain_memory_make(const struct x509_st *x,
    const struct rk_cert_info *info, struct chain_memory *out);
/* The serial number as lists are asked for it; ASN1_INTEGER_free() it.  NULL:
 * no memory. */
RK_MUST struct asn1_string_st *chain_memory_serial(
    const struct chain_memory *m);

/* One anchor's.  Any thread; nothing but copying is done under its lock. */
struct chain_memo;

/* NULL: no memory. */
RK_MUST struct chain_memo *chain_memo_new(void);
void chain_memo_free(struct chain_memo *memo);
RK_MUST bool chain_memo_find(struct chain_memo *memo,
    const struct chain_memo_key *key, struct chain_memory *out);
/* What is remembered of this use, at most CHAIN_MEMO_MAX: how many. */
RK_MUST size_t chain_memo_copy(
    struct chain_memo *memo, enum chain_usage usage, struct chain_memory *out);
/* To remember is a favour: without memory nothing happens. */
void chain_memo_put(struct chain_memo *memo, const struct chain_memo_key *key,
    const struct chain_memory *m);

#endif
