/* Any msgpack value as a tree: decode with a budget, walk, build, encode. */
#ifndef RPCKIT_VALUE_H
#define RPCKIT_VALUE_H

#include <rpckit/err.h>

RK_BEGIN

#define RK_VALUE_DEPTH_MAX 16      /* nested containers */
#define RK_VALUE_NODES_MAX 1000000 /* items of one document */

enum rk_kind {
	RK_NIL,
	RK_BOOL,
	RK_INT,  /* negative, in i64 */
	RK_UINT, /* not negative, in u64 */
	RK_F32,
	RK_F64,
	RK_STR, /* any bytes; UTF-8 is the sender's promise, not checked */
	RK_BIN,
	RK_EXT,
	RK_ARRAY,
	RK_MAP /* 2 * count children: key, value, key, value; any keys */
};

/* A node.  Children of containers follow in an array. */
struct rk_value {
	enum rk_kind kind;
	int8_t ext_type;
	union {
		bool b;
		int64_t i64;
		uint64_t u64;
		float f32;
		double f64;
		struct rk_bytes bytes; /* STR, BIN, EXT */
		struct {
			struct rk_value
			    *items; /* count, or 2 * count in a map */
			uint32_t count;
		} list;
	} u;
};

/* Owns every node and every byte of values decoded or built in it. */
struct rk_value_doc;

/*
 * Decode one value from len bytes, all of them (trailing bytes: RK_EFORMAT).
 * Copies, so the input may go.  Iterative; items announced but not yet read
 * never exceed the bytes left.  RK_EFORMAT, RK_ETOOBIG (depth, or more than
 * RK_VALUE_NODES_MAX items), RK_ENOMEM.  Any thread.
 *
 * Memory: the input once more, sizeof(struct rk_value) (24) bytes an item with
 * a third of that on top, and 64 KiB.  An item may be one byte: so up to 33
 * times the input, but never more than 32 MB besides its copy.
 */
RK_API RK_MUST enum rk_err rk_value_decode(
    const void *data, size_t len, struct rk_value_doc **out);
/* An empty document to build in; its root is nil. */
RK_API RK_MUST enum rk_err rk_value_new(struct rk_value_doc **out);
RK_API void rk_value_free(struct rk_value_doc *doc);
RK_API struct rk_value *rk_value_root(struct rk_value_doc *doc);

/* Make *v a STR, BIN or EXT (of type 0) with a copy of the bytes, or an ARRAY
 * or MAP with count empty (nil) elements, owned by doc.  What *v held before
 * stays in doc until that is freed.  RK_ENOMEM, RK_ETOOBIG, RK_EINVAL (kind):
 * *v is unchanged. */
RK_API RK_MUST enum rk_err rk_value_set_bytes(struct rk_value_doc *doc,
    struct rk_value *v, enum rk_kind kind, const void *data, size_t len);
RK_API RK_MUST enum rk_err rk_value_set_list(struct rk_value_doc *doc,
    struct rk_value *v, enum rk_kind kind, uint32_t count);

/*
 * Encode in the shortest form of every item (floats keep their width); *out is
 * malloc'ed, *len its bytes.  RK_ENOMEM, RK_ETOOBIG (depth, or more than
 * RK_BODY_MAX bytes).
 */
RK_API RK_MUST enum rk_err rk_value_encode(
    const struct rk_value *v, uint8_t **out, size_t *len);

/* The value of the first member of a map whose key is the string `key`, or NULL
 * (also when map is NULL or no map). */
RK_API const struct rk_value *rk_value_get(
    const struct rk_value *map, const char *key);

RK_END

#endif
