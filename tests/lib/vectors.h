/* Captured streams (tests/vectors) and hex text, for tests. */
#ifndef TESTS_LIB_VECTORS_H
#define TESTS_LIB_VECTORS_H

#include <rpckit/base.h>

/* Everything here ends the program when it fails: it is for tests. */

/* The captures, without ".bin"; the last is NULL. */
extern const char *const vectors_names[];

/* One whole capture, malloc'ed; from $TEST_VECTORS or tests/vectors. */
uint8_t *vectors_load(const char *name, size_t *len);
/* Its frames, heads included, as views; at most max, all must be whole. */
size_t vectors_split(
    const uint8_t *data, size_t len, struct rk_bytes *frames, size_t max);
/* Frame number n of a capture, malloc'ed. */
uint8_t *vectors_frame(const char *name, size_t n, size_t *len);
/* A whole text file there, as "psk/handshakes.txt", malloc'ed. */
char *vectors_text(const char *name);

/* Bytes of hex text, in which blanks are skipped. */
size_t vectors_unhex(uint8_t *dst, size_t cap, const char *hex);

#endif
