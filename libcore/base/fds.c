/* Descriptors of a process that has just been forked. */
#include "base/fds.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As many as the kernel gives a process unless it is told otherwise: where more
 * are allowed, thousands of millions sometimes, it would take minutes. */
#define TRY_MAX (1 << 20)

/* The system's own call: the C library's is not in all of them, and refusing it
 * is what filters do. */
static bool
close_at_once(int first, int last)
{
#ifdef SYS_close_range
	return syscall(SYS_close_range, (unsigned)first,
	           last == INT_MAX ? ~0u : (unsigned)last, 0) == 0;
#else
	(void)first;
	(void)last;
	return false;
#endif
}

/* A name in /proc/self/fd; -1: "." and "..". */
static int
number(const char *name)
{
	int n = 0;

	if (*name == '\0')
		return -1;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9' || n > (INT_MAX - 9) / 10)
			return -1;
		n = n * 10 + (*name - '0');
	}
	return n;
}

/* One readful of the list: -1, or how many bytes; *found if one was closed. */
static long
close_some(int dir, int first, int last, bool *found)
{
	_Alignas(struct dirent64) char list[4096];
	long len = syscall(SYS_getdents64, dir, list, sizeof(list));
	const struct dirent64 *e;
	int fd;

	for (long at = 0; at < len; at += e->d_reclen) {
		e = (const struct dirent64 *)(const void *)(list + at);
		fd = number(e->d_name);
		if (fd < first || fd > last || fd == dir)
			continue;
		*found = close(fd) == 0 || *found;
	}
	return len;
}

/* opendir() takes memory, which another thread may have held the lock of when
 * the process was forked. */
static bool
close_listed(int first, int last)
{
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found;
	long len;

	if (dir < 0)
		return false;
	/* Again until none is left, as the list changes while it is read. */
	do {
		found = false;
		do
			len = close_some(dir, first, last, &found);
		while (len > 0);
	} while (len == 0 && found && lseek(dir, 0, SEEK_SET) == 0);
	(void)close(dir);
	return len == 0;
}

void
fds_close(int first, int last)
{
	long most;

	if (first > last || close_at_once(first, last) ||
	    close_listed(first, last))
		return;
	most = sysconf(_SC_OPEN_MAX);
	if (most < 0 || most > TRY_MAX)
		most = TRY_MAX;
	for (int fd = first; fd <= last && fd < most; fd++)
		(void)close(fd);
}
