/* fsync(2) that fails when a test wants it to. */
#ifndef RPCKIT_TESTS_FAILSYNC_H
#define RPCKIT_TESTS_FAILSYNC_H

#include <stdbool.h>

/* From now on every fsync() of this process fails with EIO, or none does. */
void failsync_set(bool fails);

#endif
