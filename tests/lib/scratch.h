/* An empty directory for a test to work in, and small files there. */
#ifndef RPCKIT_TESTS_SCRATCH_H
#define RPCKIT_TESTS_SCRATCH_H

#include <sys/types.h>

/*
 * cmocka's set-up and tear-down: the test runs with a new, empty directory as
 * its current one, below $TEST_TMP or /tmp, and all of it is removed after.
 */
int scratch_enter(void **state);
int scratch_leave(void **state);

/* The rest fails the running test when it cannot do its job. */
void scratch_make(const char *path, const char *text, mode_t mode);
/* The file has this text, and nothing else. */
void scratch_holds(const char *path, const char *text);
/* The current directory has this many entries. */
void scratch_counts(unsigned files);

#endif
