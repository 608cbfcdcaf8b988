/* Lines that were appended to a known-keys file, and are refused after all. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "trust/known.h"

/* What of the lines is in the file: so many of their first bytes, in front of
 * where the descriptor that appended them is now. */
static size_t
find_ours(const struct buf *file, size_t end, const struct buf *lines)
{
	size_t n = buf_len(lines) < end ? buf_len(lines) : end;

	if (end > buf_len(file))
		return 0;
	while (
	    n > 0 && memcmp(buf_peek(file) + end - n, buf_peek(lines), n) != 0)
		n--;
	return n;
}

/* Each line becomes a comment, and the last byte ends it.  glued: somebody has
 * left a line in front of it unended. */
static void
make_comments(uint8_t *text, size_t n, bool glued)
{
	bool begins = true;

	if (glued)
		text[0] = '\n';
	for (size_t i = 0; i < n; i++) {
		const bool ends = text[i] == '\n';

		if (begins && !ends)
			text[i] = '#';
		begins = ends;
	}
	text[n - 1] = '\n';
}

/* Somebody wrote behind them, and nothing of his may move. */
static bool
hide(int fd, const struct buf *file, size_t at, size_t n)
{
	const uint8_t *all = buf_peek(file);
	const int flags = fcntl(fd, F_GETFL);
	uint8_t *text = malloc(n);
	bool done = false;

	if (text != NULL && flags >= 0 &&
	    fcntl(fd, F_SETFL, flags & ~O_APPEND) == 0) {
		memcpy(text, all + at, n);
		make_comments(
		    text, n, at > 0 && all[at - 1] != '\n' && *text != '\n');
		done = pwrite(fd, text, n, (off_t)at) == (ssize_t)n &&
		       fsync(fd) == 0;
	}
	free(text);
	return done;
}

/* The end is cut off where nobody came behind it.  Who takes no lock may do so
 * between the look and the cut; no call can do both at once. */
static bool
take_out(int out, int in, const struct buf *lines)
{
	const off_t end = lseek(out, 0, SEEK_CUR); /* 0: nothing was written */
	struct buf file;
	size_t n, at;
	bool done = false;

	if (end <= 0)
		return end == 0;
	buf_init(&file, 2 * KNOWN_FILE_MAX);
	if (lseek(in, 0, SEEK_SET) == 0 &&
	    fs_read_fd(in, 2 * KNOWN_FILE_MAX, &file, NULL) == RK_OK &&
	    (n = find_ours(&file, (size_t)end, lines)) > 0) {
		at = (size_t)end - n;
		done = (size_t)end == buf_len(&file)
		           ? ftruncate(out, (off_t)at) == 0 && fsync(out) == 0
		           : hide(out, &file, at, n);
	}
	buf_fini(&file);
	return done;
}

void
known_cut(int out, int in, const struct buf *lines, const char *name)
{
	if (!take_out(out, in, lines))
		log_event(RK_LOG_ERROR, "trust",
		    "%s: refused lines could not be taken out again", name);
}
