/* What the files of the JSON door share; none of it knows jansson. */
#ifndef RPCKIT_CLI_JSON_PRIV_H
#define RPCKIT_CLI_JSON_PRIV_H

#include "cli/json.h"

/*
 * Brackets inside one another: a value of RK_VALUE_DEPTH_MAX containers, each
 * a {"$map":[[key, value]]}, and a {"$ext":[...]} in the innermost.
 */
#define JSON_DEPTH_MAX 64

/* An integer beyond what jansson holds; its place in the text has a tag. */
struct json_big {
	uint64_t value;
	bool used;
};

/* The text made fit for jansson: every token where it was, byte for byte. */
struct json_scan {
	char *text;
	size_t len;
	struct json_big *bigs;
	size_t n_bigs;
	size_t cap_bigs;
};

/* The key of the tag that stands for bigs[number]. */
#define JSON_BIG_TAG "$#"

/* Bounds the depth, finds big integers.  RK_EFORMAT, RK_ETOOBIG, RK_ENOMEM. */
RK_MUST enum rk_err json_scan(const char *name, const char *text, size_t len,
    struct json_scan *out, struct rk_error *err);
void json_scan_fini(struct json_scan *s);
/* "name:line:column: why", for the byte at `at`. */
enum rk_err json_fail_at(struct rk_error *err, enum rk_err code,
    const char *name, const char *text, size_t at, const char *why);

/* The tagged forms.  RK_EFORMAT when the text is none of them. */
RK_MUST enum rk_err json_tag_base64(struct rk_value_doc *doc,
    struct rk_value *v, enum rk_kind kind, const char *s, size_t len);
RK_MUST enum rk_err json_tag_hex(
    struct rk_value_doc *doc, struct rk_value *v, const char *s, size_t len);
RK_MUST enum rk_err json_tag_f64(struct rk_value *v, const char *s);
RK_MUST enum rk_err json_tag_f32(struct rk_value *v, const char *s);
/* RK_ETOOBIG: no 32-bit float is near. */
RK_MUST enum rk_err json_tag_f32_number(struct rk_value *v, double x);
RK_MUST enum rk_err json_tag_time(
    struct rk_value_doc *doc, struct rk_value *v, const char *s);

#define JSON_TIME_LEN 40

/* Text of a timestamp (ext -1); false when it would not come back the same. */
bool json_time_text(const struct rk_value *v, char dst[JSON_TIME_LEN]);

#endif
