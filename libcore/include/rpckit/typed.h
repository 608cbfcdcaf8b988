/* Structs of C as arguments and replies: described once, by a table. */
#ifndef RPCKIT_TYPED_H
#define RPCKIT_TYPED_H

#include <rpckit/client.h>
#include <rpckit/value.h>

RK_BEGIN

/*
 * A table says of each member how it is called on the wire, and its number:
 *
 *	struct pair { int64_t a; int64_t b; char *note; };
 *	static const struct rk_field pair_fields[] = {
 *		RK_FIELD(struct pair, a, INT, "A", 0, .required = true),
 *		RK_FIELD(struct pair, b, INT, "B", 1, .min = 1, .max = 9),
 *		RK_FIELD_RETIRED(2),
 *		RK_FIELD(struct pair, note, STR, "Note", 3),
 *	};
 *	static const struct rk_record pair =
 *	    RK_RECORD(struct pair, "pair", pair_fields);
 *
 * The rest follows from it: encoding and decoding as Go's greenpack does it
 * (rpckit-typed(7)), the check of what comes from a peer, the description that
 * _.describe gives.  Rows stand in the order of their numbers.  The compiler
 * complains about a member of another type.
 */
#define RK_FIELDS_MAX 100    /* of a record: numbers are 0 to 99 */
#define RK_FIELD_NAME_MAX 64 /* letters, digits and '_', no digit first */

/* Owned by the struct they are in: malloc'ed, or NULL and 0. */
struct rk_blob {
	uint8_t *ptr;
	size_t len;
};
struct rk_pair {
	char *key;
	char *value;
};
struct rk_map {
	struct rk_pair *items; /* in any order; a peer may send a key twice */
	size_t count;
};
/* A member that is a list of T. */
#define RK_LIST(T)            \
	struct {              \
		T *items;     \
		size_t count; \
	}

/* What a member is; in the tables, what stands behind RK_FIELD_IS_. */
enum rk_field_kind {
	RK_FIELD_IS_RETIRED,
	RK_FIELD_IS_BOOL,     /* bool */
	RK_FIELD_IS_I8,       /* int8_t */
	RK_FIELD_IS_I16,      /* int16_t */
	RK_FIELD_IS_I32,      /* int32_t */
	RK_FIELD_IS_I64,      /* int64_t */
	RK_FIELD_IS_INT,      /* int64_t, which is Go's int */
	RK_FIELD_IS_U8,       /* uint8_t */
	RK_FIELD_IS_U16,      /* uint16_t */
	RK_FIELD_IS_U32,      /* uint32_t */
	RK_FIELD_IS_U64,      /* uint64_t */
	RK_FIELD_IS_UINT,     /* uint64_t, which is Go's uint */
	RK_FIELD_IS_F32,      /* float */
	RK_FIELD_IS_F64,      /* double */
	RK_FIELD_IS_STR,      /* char *, owned; NULL is the empty string */
	RK_FIELD_IS_CHARS,    /* char[N]: up to N - 1 bytes and a NUL */
	RK_FIELD_IS_BYTES,    /* struct rk_blob */
	RK_FIELD_IS_TIME,     /* struct rk_time */
	RK_FIELD_IS_DURATION, /* int64_t, nanoseconds */
	RK_FIELD_IS_MAP,      /* struct rk_map */
	RK_FIELD_IS_RECORD    /* a struct with a table of its own */
};

enum rk_field_shape {
	RK_FIELD_ONE,
	RK_FIELD_MANY,    /* RK_LIST(T) */
	RK_FIELD_OPTIONAL /* T *, owned; NULL: absent */
};

struct rk_record;
/* A row.  Zero what does not matter. */
struct rk_field {
	const char *name;
	unsigned id;
	enum rk_field_kind kind;
	enum rk_field_shape shape;
	size_t offset;
	size_t size; /* of the member, or of what it points to */
	const struct rk_record *of;
	bool required;     /* must be there; always sent */
	const char *about; /* one line for people */
	const char *clue;  /* another end of the key: "rct" of a named type */
	/*
	 * The value where it is absent, of numbers (initial: also of bool and
	 * durations), floats and STR; not of lists and optional members.  Such
	 * a member is always sent, as its zero is not what absence means.
	 */
	int64_t initial;
	double initial_float;
	const char *initial_text;
	/*
	 * The least and the most, both 0: any.  Of STR, CHARS and BYTES their
	 * bytes; of lists and maps, how many there are.  Where they exclude the
	 * value of an absent member it has to be `required`.
	 */
	int64_t min;
	int64_t max;
};

struct rk_record {
	const char *name; /* a name like a field's */
	size_t size;      /* of the struct */
	const struct rk_field *fields;
	size_t n;
	/*
	 * Decoding takes at most so many bytes of memory for each of input,
	 * and 64 KiB [4].  A block counts as it is allocated: 8 bytes more, in
	 * steps of 16, at least 32.  Long lists of small numbers want 9, of
	 * short strings 24.  At most 64.
	 */
	unsigned growth;
};

/* The next two: has the member the type that the row says? */
#define RK_FIELD_AT_(S, what) (((S *)0)->what)
#define RK_FIELD_SIZE_(T, have, want) \
	(sizeof(T) + 0 * sizeof(1 ? (have) : (want)))

#define RK_FIELD_T_BOOL(S, m) bool
#define RK_FIELD_T_I8(S, m) int8_t
#define RK_FIELD_T_I16(S, m) int16_t
#define RK_FIELD_T_I32(S, m) int32_t
#define RK_FIELD_T_I64(S, m) int64_t
#define RK_FIELD_T_INT(S, m) int64_t
#define RK_FIELD_T_U8(S, m) uint8_t
#define RK_FIELD_T_U16(S, m) uint16_t
#define RK_FIELD_T_U32(S, m) uint32_t
#define RK_FIELD_T_U64(S, m) uint64_t
#define RK_FIELD_T_UINT(S, m) uint64_t
#define RK_FIELD_T_F32(S, m) float
#define RK_FIELD_T_F64(S, m) double
#define RK_FIELD_T_STR(S, m) char *
#define RK_FIELD_T_BYTES(S, m) struct rk_blob
#define RK_FIELD_T_TIME(S, m) struct rk_time
#define RK_FIELD_T_DURATION(S, m) int64_t
#define RK_FIELD_T_MAP(S, m) struct rk_map

/* RK_FIELD(struct, member, KIND, "Name", id, .more = ...). */
#define RK_FIELD(S, m, KIND, ...)                                          \
	{                                                                  \
		__VA_ARGS__,                                               \
		    .kind = RK_FIELD_IS_##KIND, .shape = RK_FIELD_ONE,     \
		    .offset = offsetof(S, m),                              \
		    .size = RK_FIELD_SIZE_(RK_FIELD_T_##KIND(S, m),        \
		        &RK_FIELD_AT_(S, m), (RK_FIELD_T_##KIND(S, m) *)0) \
	}
#define RK_FIELD_CHARS(S, m, ...)                                              \
	{                                                                      \
		__VA_ARGS__, .kind = RK_FIELD_IS_CHARS, .shape = RK_FIELD_ONE, \
		             .offset = offsetof(S, m),                         \
		             .size = RK_FIELD_SIZE_(RK_FIELD_AT_(S, m),        \
		                 &RK_FIELD_AT_(S, m),                          \
		                 (char(*)[sizeof(RK_FIELD_AT_(S, m))])0)       \
	}
#define RK_FIELD_LIST(S, m, KIND, ...)                                         \
	{                                                                      \
		__VA_ARGS__, .kind = RK_FIELD_IS_##KIND,                       \
		             .shape = RK_FIELD_MANY, .offset = offsetof(S, m), \
		             .size = RK_FIELD_SIZE_(RK_FIELD_T_##KIND(S, m),   \
		                 RK_FIELD_AT_(S, m.items),                     \
		                 (RK_FIELD_T_##KIND(S, m) *)0)                 \
	}
#define RK_FIELD_MAYBE(S, m, KIND, ...)                                     \
	{                                                                   \
		__VA_ARGS__,                                                \
		    .kind = RK_FIELD_IS_##KIND, .shape = RK_FIELD_OPTIONAL, \
		    .offset = offsetof(S, m),                               \
		    .size = RK_FIELD_SIZE_(RK_FIELD_T_##KIND(S, m),         \
		        RK_FIELD_AT_(S, m), (RK_FIELD_T_##KIND(S, m) *)0)   \
	}
/* The same for structs of type T with the table `record`. */
#define RK_FIELD_RECORD(S, m, T, record, ...)                              \
	{                                                                  \
		__VA_ARGS__,                                               \
		    .kind = RK_FIELD_IS_RECORD, .shape = RK_FIELD_ONE,     \
		    .of = &(record), .offset = offsetof(S, m),             \
		    .size = RK_FIELD_SIZE_(T, &RK_FIELD_AT_(S, m), (T *)0) \
	}
#define RK_FIELD_RECORDS(S, m, T, record, ...)                              \
	{                                                                   \
		__VA_ARGS__,                                                \
		    .kind = RK_FIELD_IS_RECORD, .shape = RK_FIELD_MANY,     \
		    .of = &(record), .offset = offsetof(S, m),              \
		    .size =                                                 \
		        RK_FIELD_SIZE_(T, RK_FIELD_AT_(S, m.items), (T *)0) \
	}
#define RK_FIELD_MAYBE_RECORD(S, m, T, record, ...)                         \
	{                                                                   \
		__VA_ARGS__,                                                \
		    .kind = RK_FIELD_IS_RECORD, .shape = RK_FIELD_OPTIONAL, \
		    .of = &(record), .offset = offsetof(S, m),              \
		    .size = RK_FIELD_SIZE_(T, RK_FIELD_AT_(S, m), (T *)0)   \
	}
/* A number that was in use: no other field may have it. */
#define RK_FIELD_RETIRED(number)                            \
	{                                                   \
		.id = (number), .kind = RK_FIELD_IS_RETIRED \
	}
#define RK_RECORD(S, text, table)                                     \
	{                                                             \
		.name = (text), .size = sizeof(S), .fields = (table), \
		.n = sizeof(table) / sizeof((table)[0])               \
	}

/*
 * Is the table one?  Names and numbers once, retired numbers not used again,
 * defaults within their limits, and so on, here and in the records it has.
 * Registering a method asks; RK_EINVAL, and the row, in err.  Any thread.
 */
RK_API RK_MUST enum rk_err rk_type_check(
    const struct rk_record *type, struct rk_error *err);

/*
 * The functions below take a `data` that points to a struct of that type, and
 * believe the table.  Any thread.
 */

/* All defaults; overwrites what was there.  RK_ENOMEM: all is zero. */
RK_API RK_MUST enum rk_err rk_typed_init(
    const struct rk_record *type, void *data);
/* Free what it owns, and clear all of it.  NULL data is allowed. */
RK_API void rk_typed_free(const struct rk_record *type, void *data);

/*
 * As it travels; *out is malloc'ed.  Zeros, empty strings, lists and maps and
 * absent members are left out, unless `required` or with a default.  RK_EINVAL:
 * CHARS without a NUL, NULL with a count, or nanoseconds out of range;
 * RK_ETOOBIG: more than RK_PAYLOAD_MAX bytes, or deeper than
 * RK_VALUE_DEPTH_MAX records, lists and maps; RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_typed_encode(const struct rk_record *type,
    const void *data, uint8_t **out, size_t *len, struct rk_error *err);
/*
 * From `len` bytes, all of them, to a *data that is overwritten; no bytes are
 * an empty record.  Keys are known by name and number, or by the name alone;
 * others are skipped, absent and nil members get their defaults.  Numbers may
 * have any code that holds their value, times and durations may be text
 * ("2026-11-27T08:00:00.5Z", "1m30s"), BYTES may be a string.
 *
 * On failure *data is all zero, and err->text begins with the place,
 * "Points[3].X: ...".  RK_EFORMAT: no msgpack, or trailing bytes;
 * RK_EINVAL: a wrong type, out of range, missing, twice; RK_ETOOBIG: too deep,
 * or more memory than `growth` allows; RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_typed_decode(const struct rk_record *type,
    const void *bytes, size_t len, void *data, struct rk_error *err);

/*
 * For people, and for JSON (rpcsh): plain names as keys, zeros too, times and
 * durations as text.  Errors as of rk_typed_encode(); and back, as
 * rk_typed_decode(); nil is an empty record.
 */
RK_API RK_MUST enum rk_err rk_typed_to_value(const struct rk_record *type,
    const void *data, struct rk_value_doc **out, struct rk_error *err);
RK_API RK_MUST enum rk_err rk_typed_from_value(const struct rk_record *type,
    const struct rk_value *value, void *data, struct rk_error *err);

/* ---- methods ---- */

/*
 * A method with structs at both ends: `typed` of struct rk_method, whose name
 * is "Service.Method".  Its arguments are checked before fn is entered; a
 * caller whose arguments are wrong is told what about them is, and fn is not.
 *
 * fn fills in *reply, which has its defaults, and returns: then that is the
 * answer.  Or it answers with rk_call_fail(), or defers the call and
 * encodes the reply itself later.  What args and reply own is freed when fn
 * returns; fn may take something out by leaving NULL (and 0) in its place.
 * The loop's thread, as rk_handler_fn.
 */
typedef void rk_typed_fn(
    struct rk_call *call, void *args, void *reply, void *arg);
struct rk_typed {
	const struct rk_record *args;  /* NULL: none, and fn's is NULL */
	const struct rk_record *reply; /* the same */
	rk_typed_fn *fn;               /* may be NULL in a client */
};

/*
 * Call such a method and wait, as rk_client_call(): req->payload is not looked
 * at, args are encoded in its place, and *reply is the answer; free it with
 * rk_typed_free() in any case.  With req->netrpc a method of Go's net/rpc.
 * Errors of rk_client_call() and of rk_typed_encode(); RK_EPROTO: the answer is
 * not one of that type.
 */
RK_API RK_MUST enum rk_err rk_client_call_typed(struct rk_client *c,
    const struct rk_request *req, const struct rk_typed *typed,
    const void *args, void *reply, struct rk_error *err);

RK_END

#endif
