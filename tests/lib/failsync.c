/* fsync(2) that fails when a test wants it to. */
#include "failsync.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool sync_fails;

void
failsync_set(bool fails)
{
	atomic_store(&sync_fails, fails);
}

/* In place of the system's. */
int
fsync(int fd)
{
	if (!atomic_load(&sync_fails))
		return (int)syscall(SYS_fsync, fd);
	errno = EIO;
	return -1;
}
