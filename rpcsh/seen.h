/* How often, and when last, a server's key was met. */
#ifndef RPCSH_SEEN_H
#define RPCSH_SEEN_H

#include <rpckit/key.h>

#include <stddef.h>
#include <stdint.h>

struct seen {
	uint64_t sessions;
	int64_t last; /* seconds since 1970 */
};

/* A session with the server of this key has begun.  What cannot be written is
 * not counted. */
void seen_count(const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* RK_ENOENT: there was none. */
RK_MUST enum rk_err seen_look(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct seen *out);

/* "20 min ago"; a time that is still to come as it is.  Returns dst. */
#define SEEN_AGO_LEN 32
const char *seen_ago(int64_t sec, char dst[SEEN_AGO_LEN]);
/* "since 2025-01-03, 412 sessions, last 2 h ago": what of it is known of a key
 * that has been on the list since then ("": nobody knows).  Returns dst. */
#define SEEN_TEXT_LEN 128
const char *seen_text(const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *since,
    char dst[SEEN_TEXT_LEN]);

#endif
