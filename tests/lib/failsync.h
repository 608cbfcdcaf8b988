/* fsync(2) that fails, or is slow, when a test wants it to. */
#ifndef RPCKIT_TESTS_FAILSYNC_H
#define RPCKIT_TESTS_FAILSYNC_H

#include <stdbool.h>

/* From now on every fsync() of this process fails with EIO, or none does. */
void failsync_set(bool fails);
/* Or takes longer than any time stamp of a file is coarse, or none does. */
void failsync_slow(bool slow);

#endif
