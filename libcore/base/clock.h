/* The clock that nobody sets: it only goes forward, from no day in
 * particular. */
#ifndef RPCKIT_BASE_CLOCK_H
#define RPCKIT_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC of POSIX, cut off and never rounded up; any thread. */
uint64_t mono_ns(void);
uint64_t mono_us(void);
uint64_t mono_ms(void);

#endif
