/* JSON to msgpack and back without loss. */
#ifndef RPCKIT_CLI_JSON_H
#define RPCKIT_CLI_JSON_H

#include "base/buf.h"

#include <rpckit/value.h>

enum json_style {
	JSON_COMPACT,
	JSON_PRETTY,
};

struct json_write {
	enum json_style style;
	bool int_strings; /* quote integers beyond 2^53 */
	bool shorten;     /* cut binary beyond 64 bytes, for terminals */
	bool color;
};

/*
 * Append v as JSON text (no newline at the end).  What JSON cannot say is
 * tagged: {"$bin":"base64"} {"$str":...} {"$f":"nan"} {"$ext":[n,"..."]}
 * {"$ts":"..."} {"$map":[[k,v],...]}, {"$f32":1.5} for 32-bit floats; a NaN
 * other than the usual one is "nan:" and its bits in hex; a key that starts
 * with "$" has it doubled.  RK_ENOMEM, RK_ETOOBIG.
 */
RK_MUST enum rk_err json_write(
    struct buf *b, const struct rk_value *v, const struct json_write *how);
/*
 * Parse JSON text, tagged forms included ({"$hex":"00ff"} too), all integers
 * from -2^63 to 2^64-1 exactly.  Duplicate keys, larger integers and anything
 * after the value are errors with line and column.  name stands for the source
 * in messages.  RK_EFORMAT, RK_ENOMEM, RK_ETOOBIG.
 */
RK_MUST enum rk_err json_parse(const char *name, const char *text, size_t len,
    struct rk_value_doc **out, struct rk_error *err);
/* The same into node v of doc. */
RK_MUST enum rk_err json_parse_into(const char *name, const char *text,
    size_t len, struct rk_value_doc *doc, struct rk_value *v,
    struct rk_error *err);

#endif
