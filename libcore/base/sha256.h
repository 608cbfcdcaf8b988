/* SHA-256 by the processor's own instructions, where it has them. */
#ifndef RPCKIT_BASE_SHA256_H
#define RPCKIT_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does this processor have them? */
bool sha256_ready(void);
/* Of a and then b, either of which may be empty; out may be one of them.  Only
 * where it is ready.  No branch and no index depends on what is hashed. */
void sha256_join(
    uint8_t out[32], const void *a, size_t a_len, const void *b, size_t b_len);

#endif
