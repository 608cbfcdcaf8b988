/* What strangers name, judged and opened: below one folder, through no link. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

#define ALWAYS (O_CLOEXEC | O_NOFOLLOW)
#define TRIES 100

/* Those of Unicode's first 256 characters, in UTF-8. */
static bool
is_control(const char *p, size_t len)
{
	const unsigned char *u = (const unsigned char *)p;

	return u[0] < ' ' || u[0] == 0x7f ||
	       (len > 1 && u[0] == 0xc2 && u[1] < 0xa0);
}

/* One part between slashes. */
static const char *
part_fault(const char *part, size_t len)
{
	if (len == 0)
		return "the name has an empty part";
	if (part[0] == '.')
		return "hidden names are not served";
	return len > NAME_MAX ? "the name is too long" : NULL;
}

const char *
fs_name_fault(const char *name, size_t len)
{
	const char *p = name;
	const char *why = NULL;

	if (len == 0)
		return "the name is empty";
	if (*p == '/')
		return "the name is not relative";
	if (!str_is_utf8(p, len))
		return "the name is not UTF-8";
	for (size_t i = 0; i < len; i++) {
		if (is_control(p + i, len - i))
			return "the name has a control character in it";
	}
	while (why == NULL) {
		const char *slash = memchr(p, '/', len);
		size_t n = slash != NULL ? (size_t)(slash - p) : len;

		why = part_fault(p, n);
		if (slash == NULL)
			break;
		p = slash + 1;
		len -= n + 1;
	}
	return why;
}

int
fs_walk_beneath(int dir, const char *path, int flags, mode_t mode, int *fd)
{
	char part[NAME_MAX + 1];
	int at = dir;
	int next, e = 0;
	size_t len;

	*fd = -1;
	while (e == 0) {
		len = strcspn(path, "/");
		if (len == 0 || len > NAME_MAX) {
			e = len == 0 ? ENOENT : ENAMETOOLONG;
			break;
		}
		memcpy(part, path, len);
		part[len] = '\0';
		if (strcmp(part, "..") == 0) {
			e = EXDEV;
			break;
		}
		path += len;
		if (*path == '\0') {
			*fd = openat(at, part, flags | ALWAYS, mode);
			e = *fd < 0 ? errno : 0;
			break;
		}
		path++;
		next = openat(at, part, O_PATH | O_DIRECTORY | ALWAYS);
		e = next < 0 ? errno : 0;
		if (at != dir)
			(void)close(at); /* it was a step */
		at = next;
	}
	if (at != dir && at >= 0)
		(void)close(at); /* the last step */
	return e;
}

int
fs_open_beneath(int dir, const char *path, int flags, mode_t mode, int *fd)
{
	struct open_how how = {
		.flags = (unsigned)(flags | ALWAYS),
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		           RESOLVE_NO_MAGICLINKS,
	};
	int tries = 0;
	long r;

	/* Again: something was renamed meanwhile; or, with O_NONBLOCK, another
	 * program has a lease on the file, and may keep it for long. */
	*fd = -1;
	do {
		r = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	} while (
	    r < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < TRIES)));
	if (r >= 0) {
		*fd = (int)r;
		return 0;
	}
	/* A sandbox that does not know the call refuses it so. */
	if (errno == ENOSYS || errno == EPERM)
		return fs_walk_beneath(dir, path, flags, mode, fd);
	return errno;
}
