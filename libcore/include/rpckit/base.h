/* The words every other header needs: visibility, views, versions. */
#ifndef RPCKIT_BASE_H
#define RPCKIT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RK_BEGIN extern "C" {
#define RK_END }
#else
#define RK_BEGIN
#define RK_END
#endif

#if defined(__GNUC__) || defined(__clang__)
#define RK_API __attribute__((visibility("default")))
#define RK_MUST __attribute__((warn_unused_result))
#define RK_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define RK_API
#define RK_MUST
#define RK_PRINTF(fmt, args)
#endif

#define RK_VERSION "0.1.0"

RK_BEGIN

/*
 * Borrowed views.  A view never owns; the function that returns one says how
 * long it stays valid.  Text views are not NUL-terminated and, when they come
 * from a peer, may hold any byte: escape before showing (rk_escape()).
 */
struct rk_str {
	const char *ptr;
	size_t len;
};

struct rk_bytes {
	const uint8_t *ptr;
	size_t len;
};

/* The version of the library that was linked, e.g. "0.1.0".  Any thread. */
RK_API const char *rk_version(void);
/* What speaks QUIC in it, "ngtcp2 1.11.0, GnuTLS 3.7.9"; "" when nothing does,
 * and quic:// is RK_EUNSUPPORTED everywhere.  Any thread. */
RK_API const char *rk_version_quic(void);

/*
 * Write src to dst (dst_len bytes, always NUL-terminated if dst_len > 0) with
 * every byte that could harm a terminal or a log line shown as text: control
 * bytes (C0, DEL, and C1 also in their UTF-8 form) and invalid UTF-8 as \xNN,
 * bidirectional and other invisible format characters as \uNNNN (\UNNNNNNNN
 * beyond 16 bits), a backslash as two.  Cuts at a character and ends with '~'
 * when dst is too small. Returns dst.  Any thread.
 */
RK_API const char *rk_escape(
    char *dst, size_t dst_len, const char *src, size_t src_len);

RK_END

#endif
