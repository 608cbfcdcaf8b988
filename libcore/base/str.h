/* Text: copying, parsing numbers with units, encodings, escaping, likeness. */
#ifndef RPCKIT_BASE_STR_H
#define RPCKIT_BASE_STR_H

#include <rpckit/err.h>

#include <string.h>

/* Copy with NUL; returns strlen(src), so >= dst_len means it was cut. */
size_t str_copy(char *dst, size_t dst_len, const char *src);
/* A view of a text; empty for NULL. */
struct rk_str str_view(const char *text);
/* Are these the bytes of a text? */
bool str_is(struct rk_str s, const char *text);
/* Does it end so? */
bool str_ends(const char *text, const char *end);
/* A space, a tab, or an end of a line: CR or LF. */
bool str_is_space(char c);

/* Whole-string decimal; RK_EFORMAT or RK_ETOOBIG (outside [min, max]). */
RK_MUST enum rk_err str_parse_u64(
    const char *s, uint64_t min, uint64_t max, uint64_t *out);
/* "30s" "1m" "2h" "7d" "250ms" "1.5s"; plain numbers are seconds, "0" is 0.
 * In milliseconds, a whole number of them, at most 36500d: sums with a clock
 * do not overflow.  RK_EFORMAT, RK_ETOOBIG. */
#define STR_DURATION_MAX (UINT64_C(36500) * 24 * 60 * 60 * 1000)
RK_MUST enum rk_err str_parse_duration(const char *s, uint64_t *ms);
/* "64K" "1M" "2G" (powers of 1024) or plain bytes. */
RK_MUST enum rk_err str_parse_size(const char *s, uint64_t *bytes);
/* yes no true false on off 1 0. */
RK_MUST enum rk_err str_parse_bool(const char *s, bool *out);

/* Lower-case hex with NUL: dst holds 2 * n + 1. */
void str_hex(char *dst, const void *src, size_t n);
/* Either case, even length.  RK_EFORMAT, RK_ETOOBIG (more than cap bytes, no
 * byte written); *n is bytes written. */
RK_MUST enum rk_err str_unhex(
    const char *s, size_t len, uint8_t *dst, size_t cap, size_t *n);
/* RFC 4648 base64; dst holds str_base64_len(n) bytes with NUL. */
enum str_base64_form {
	STR_BASE64, /* section 4, padded */
	STR_BASE64_NOPAD,
	STR_BASE64URL_NOPAD /* section 5 */
};
size_t str_base64_len(size_t n);
void str_base64(
    char *dst, const void *src, size_t n, enum str_base64_form form);
/* Standard alphabet, padding optional, white space and stray bits refused.
 * RK_EFORMAT, RK_ETOOBIG (more than cap bytes, no byte written). */
RK_MUST enum rk_err str_unbase64(
    const char *s, size_t len, uint8_t *dst, size_t cap, size_t *n);

/* How many bytes at the beginning are ' ' to '~', but for quotes (") and
 * backslashes: what every form of text has as it is, a column each. */
size_t str_plain(const char *s, size_t len);
/* Bytes (1 to 4) of the UTF-8 character that s begins with and its code point;
 * 0 when it is none by RFC 3629 or len ends inside it. */
size_t str_utf8(const char *s, size_t len, uint32_t *cp);
/* One whole UTF-8 string without overlong forms or surrogates (RFC 3629). */
bool str_is_utf8(const char *s, size_t len);
/* "2026-11-02T12:04:31Z"; dst holds 32 bytes. */
void str_time(char *dst, int64_t sec);

/* rk_escape() of a NUL-terminated string. */
const char *str_escape(char *dst, size_t dst_len, const char *src);
/* The same but a backslash stays one: for a line whose parts were escaped. */
const char *str_escape_again(char *dst, size_t dst_len, const char *src);

/*
 * The candidate nearest to word (edit distance at most 2, and less than its
 * length), or NULL: for "did you mean".  Candidates end with NULL.
 */
const char *str_nearest(const char *word, const char *const *candidates);
/* Optimal string alignment distance, counted to at most `cap`; what differs
 * by more than 64 bytes after the common start and end counts as cap. */
unsigned str_distance(const char *a, const char *b, unsigned cap);

/* Does "tls://host:port" name this place, which may lack the transport, or the
 * port as well?  An IPv6 host may lack its brackets. */
bool str_url_is_at(const char *url, const char *who);

#endif
