/* The directory of a test: made, emptied, looked at. */
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"

static char home[PATH_MAX];

int
scratch_enter(void **state)
{
	const char *base = getenv("TEST_TMP");

	(void)state;
	if (fs_join(home, sizeof(home), base == NULL ? "/tmp" : base,
	        "scratch.XXXXXX") != RK_OK)
		return -1;
	if (mkdtemp(home) == NULL || chdir(home) != 0)
		return -1;
	/* Some tests go on as another user, by relative paths. */
	return chmod(".", 0755);
}

static void
empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char name[PATH_MAX];

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fs_join(name, sizeof(name), path, e->d_name) != RK_OK)
			continue;
		if (unlink(name) == 0 || errno != EISDIR)
			continue;
		(void)chmod(name, 0700);
		empty(name);
		(void)rmdir(name); /* the last rmdir tells */
	}
	(void)closedir(d);
}

int
scratch_leave(void **state)
{
	(void)state;
	empty(".");
	if (chdir("/") != 0)
		return -1;
	return rmdir(home);
}

void
scratch_make(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), RK_OK);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

void
scratch_holds(const char *path, const char *text)
{
	char *got = calloc(1, strlen(text) + 2);
	int fd = open(path, O_RDONLY);

	assert_non_null(got);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, strlen(text) + 1), strlen(text));
	assert_string_equal(got, text);
	assert_int_equal(close(fd), 0);
	free(got);
}

void
scratch_counts(unsigned files)
{
	DIR *d = opendir(".");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	assert_int_equal(closedir(d), 0);
	assert_int_equal(n, files + 2); /* "." and ".." */
}
