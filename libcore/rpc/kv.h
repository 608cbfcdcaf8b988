/* Maps of msgpack, written pair by pair; the first failure stays. */
#ifndef RPCKIT_RPC_KV_H
#define RPCKIT_RPC_KV_H

#include "base/buf.h"

struct kv {
	struct buf *b;
	enum rk_err r; /* RK_OK at first */
};

/* Rows that an answer has room for. */
struct kv_rows {
	struct buf b;
	struct kv k;
	uint32_t n;
	uint64_t left_out;
};
#define KV_ROWS_MAX (RK_PAYLOAD_MAX - 1024) /* beside the answer's head */

/* Of at most KV_ROWS_MAX bytes.  s->b is its owner's to free. */
void kv_rows_begin(struct kv_rows *s);
/* A row that was begun with so many bytes before it: it stays if it fits and
 * all before it did, else it is counted as left out; another failure stays in
 * s->k. */
void kv_rows_end(struct kv_rows *s, size_t before);
/* The same of a buffer without a count: false, and cut off, if it failed. */
bool kv_row_stays(struct kv *k, size_t before);

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
