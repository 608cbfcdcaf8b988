/* fsync(2) that fails, or is slow, when a test wants it to. */
#include "failsync.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLOW_NS 200000000L

static atomic_bool sync_fails;
static atomic_bool sync_slow;

void
failsync_set(bool fails)
{
	atomic_store(&sync_fails, fails);
}

void
failsync_slow(bool slow)
{
	atomic_store(&sync_slow, slow);
}

/* In place of the system's. */
int
fsync(int fd)
{
	const struct timespec nap = { .tv_nsec = SLOW_NS };

	if (atomic_load(&sync_slow))
		(void)nanosleep(&nap, NULL);
	if (!atomic_load(&sync_fails))
		return (int)syscall(SYS_fsync, fd);
	errno = EIO;
	return -1;
}
