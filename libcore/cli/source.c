/* A file being sent: read once, in pieces, with its checksum. */
#include "cli/source.h"

#include <errno.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

int
source_init(struct source *s, int fd)
{
	*s = (struct source){ .fd = fd };
	crypt_sum_init(&s->sum);
	return fstat(fd, &s->before) == 0 ? 0 : errno;
}

bool
source_is_file(const struct source *s)
{
	return S_ISREG(s->before.st_mode);
}

uint64_t
source_size(const struct source *s)
{
	return source_is_file(s) ? (uint64_t)s->before.st_size : 0;
}

int
source_read(
    struct source *s, uint8_t piece[SOURCE_PIECE], uint64_t until, size_t *n)
{
	size_t want = SOURCE_PIECE;
	ssize_t got;

	*n = 0;
	if (source_is_file(s) && source_size(s) < until)
		until = source_size(s);
	if (until - s->at < want)
		want = (size_t)(until - s->at);
	if (want == 0)
		return 0;
	do {
		got = source_is_file(s)
		          ? pread(s->fd, piece, want, (off_t)s->at)
		          : read(s->fd, piece, want);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno;
	*n = (size_t)got;
	s->at += *n;
	crypt_sum_update(&s->sum, piece, *n);
	return 0;
}

int
source_rewind(struct source *s)
{
	if (!source_is_file(s) && s->at > 0)
		return ESPIPE;
	s->at = 0;
	crypt_sum_init(&s->sum);
	return 0;
}

bool
source_changed(const struct source *s)
{
	struct stat now;

	if (!source_is_file(s))
		return false;
	return fstat(s->fd, &now) != 0 || now.st_size != s->before.st_size ||
	       !fs_same_time(&now.st_mtim, &s->before.st_mtim) ||
	       s->at != source_size(s);
}

void
source_sum(const struct source *s, char hex[SOURCE_SUM_LEN])
{
	uint8_t sum[CRYPT_SUM_LEN];

	crypt_sum_final(&s->sum, sum);
	str_hex(hex, sum, sizeof(sum));
}

void
source_close(struct source *s)
{
	if (s->fd >= 0)
		(void)close(s->fd); /* it was only read */
	s->fd = -1;
}
