/* Maps of msgpack, written pair by pair; the first failure stays. */
#ifndef RPCKIT_RPC_KV_H
#define RPCKIT_RPC_KV_H

#include "base/buf.h"

struct kv {
	struct buf *b;
	enum rk_err r; /* RK_OK at first */
};

/* Heads: so many pairs or items follow. */
void kv_map(struct kv *k, uint32_t pairs);
void kv_array(struct kv *k, uint32_t items);
void kv_text(struct kv *k, const char *s); /* an item, or a key */
void kv_str(struct kv *k, struct rk_str s);
void kv_uint(struct kv *k, uint64_t v);
void kv_int(struct kv *k, int64_t v);
void kv_bool(struct kv *k, bool v);
void kv_f64(struct kv *k, double v);
/* A key and its value. */
void kv_pair_text(struct kv *k, const char *key, const char *value);
void kv_pair_uint(struct kv *k, const char *key, uint64_t value);
void kv_pair_int(struct kv *k, const char *key, int64_t value);
void kv_pair_bool(struct kv *k, const char *key, bool value);
/* "2026-11-02T12:04:31Z" */
void kv_pair_time(struct kv *k, const char *key, int64_t sec);

#endif
