/* The library's allocations, of which one fails. */
#ifndef TESTS_LIB_FAILMALLOC_H
#define TESTS_LIB_FAILMALLOC_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Only in tests that are linked with FAILMALLOC_LDFLAGS (Makefile): what our
 * own objects ask malloc() and its like for, and not what other libraries do.
 *
 * Number n from now on fails, once; this thread's only.
 */
void failmalloc_arm(size_t n);
/* From now on none does; has one? */
bool failmalloc_disarm(void);

#endif
