/* What the files about typed structs share. */
#ifndef RPCKIT_RPC_TYPED_INT_H
#define RPCKIT_RPC_TYPED_INT_H

#include "base/buf.h"
#include "rpc/greenpack.h"
#include "rpc/kv.h"

#include <rpckit/typed.h>

/* The layout of every RK_LIST(T), up to the type behind the pointer. */
struct typed_list {
	void *items;
	size_t count;
};

struct typed_kind {
	const char *clue; /* the end of its key */
	const char *name; /* in descriptions, as Go calls it */
	size_t size;      /* of the C type; 0: the row says */
	bool has_length;  /* limits are about that */
	bool has_number;  /* about its value */
	int64_t least;    /* of integers: what fits */
	uint64_t most;
};
/* NULL: no such kind. */
const struct typed_kind *typed_kind(enum rk_field_kind kind);
static inline bool
typed_is_signed(enum rk_field_kind kind)
{
	return (kind >= RK_FIELD_IS_I8 && kind <= RK_FIELD_IS_INT) ||
	       kind == RK_FIELD_IS_DURATION;
}
static inline bool
typed_is_unsigned(enum rk_field_kind kind)
{
	return kind >= RK_FIELD_IS_U8 && kind <= RK_FIELD_IS_UINT;
}

/* Integers of any width; pointers that the struct has with another type. */
int64_t typed_load_int(const struct rk_field *f, const void *at);
uint64_t typed_load_uint(const struct rk_field *f, const void *at);
void typed_store_int(const struct rk_field *f, void *at, uint64_t bits);
void *typed_load_ptr(const void *at);
void typed_store_ptr(void *at, void *ptr);
struct typed_list typed_load_list(const void *at);
void typed_store_list(void *at, struct typed_list list);

static inline bool
typed_has_default(const struct rk_field *f)
{
	uint64_t bits; /* of a NaN, too, which is neither more nor less */

	memcpy(&bits, &f->initial_float, sizeof(bits));
	return f->initial != 0 || bits != 0 || f->initial_text != NULL;
}
static inline bool
typed_has_limits(const struct rk_field *f)
{
	return f->min != 0 || f->max != 0;
}

/* Where we are, for messages: the innermost first. */
struct typed_path {
	const struct typed_path *up;
	const char *name;
	size_t index; /* of a list; SIZE_MAX: none */
};
/* "Points[3].X: " and the text; returns code. */
enum rk_err typed_fail(struct rk_error *err, enum rk_err code,
    const struct typed_path *path, const char *fmt, ...) RK_PRINTF(4, 5);

/* What n bytes cost when they are allocated: a block has a head, and the least
 * is no smaller than this.  SIZE_MAX: more than there can be. */
#define TYPED_BLOCK_HEAD 8
#define TYPED_BLOCK_LEAST 32
#define TYPED_BLOCK_STEP 16
size_t typed_block(size_t n);

/*
 * The defaults of one record; what they take is taken from *budget, too (NULL:
 * no matter).  On failure what was made stays, to be freed.
 */
RK_MUST enum rk_err typed_init(
    const struct rk_record *type, void *data, size_t *budget);

/* The record and all it has, each once; at most TYPED_RECORDS_MAX. */
#define TYPED_RECORDS_MAX 64
RK_MUST enum rk_err typed_collect(const struct rk_record *type,
    const struct rk_record *list[TYPED_RECORDS_MAX], size_t *n);

/* typed_scalar.c: where decoding is. */
struct typed_reader {
	struct gp_reader in;
	size_t budget; /* bytes of memory that may still be taken */
	struct rk_error *err;
};
/* The item that is next is not what is wanted. */
enum rk_err typed_wrong(
    struct typed_reader *d, const struct typed_path *path, const char *wanted);
enum rk_err typed_no_budget(
    struct typed_reader *d, const struct typed_path *path);
/* Zeroed; NULL out of nothing. */
RK_MUST enum rk_err typed_take_memory(struct typed_reader *d,
    const struct typed_path *path, size_t n, size_t size, void **out);
RK_MUST enum rk_err typed_check_count(struct typed_reader *d,
    const struct rk_field *f, const struct typed_path *path, size_t n,
    const char *what);
/* A string as C has them; NULL when empty. */
RK_MUST enum rk_err typed_copy_text(struct typed_reader *d,
    const struct typed_path *path, struct rk_str s, char **out);
/* All kinds but records and maps. */
RK_MUST enum rk_err typed_get_scalar(struct typed_reader *d,
    const struct rk_field *f, char *at, const struct typed_path *path);

/* typed_text.c: "2026-11-27T08:00:00.5Z"; false: no year of four digits. */
#define TYPED_TEXT_MAX 40
bool typed_format_time(char dst[TYPED_TEXT_MAX], const struct rk_time *t);
void typed_format_duration(char dst[TYPED_TEXT_MAX], int64_t ns);
/* RK_EFORMAT; RK_ETOOBIG. */
RK_MUST enum rk_err typed_parse_time(struct rk_str s, struct rk_time *t);
RK_MUST enum rk_err typed_parse_duration(struct rk_str s, int64_t *ns);

/* typed_schema.c: "{A:int, B:[]point}", malloc'ed; "none" for NULL. */
RK_MUST enum rk_err typed_signature(const struct rk_record *type, char **out);
/* A map: args, reply, types. */
void typed_put_schema(struct kv *k, const struct rk_typed *typed);

#endif
