/* A file being sent: read once, in pieces, with its checksum. */
#ifndef RPCKIT_CLI_SOURCE_H
#define RPCKIT_CLI_SOURCE_H

#include "base/crypt.h"

#include <sys/stat.h>

/* What is read, hashed and sent at a time. */
#define SOURCE_PIECE 65536

struct source {
	int fd;
	struct stat before;   /* as it was found */
	uint64_t at;          /* bytes read */
	struct crypt_sum sum; /* of these */
};

/* Take over an open descriptor; a pipe has no size.  errno of fstat(), or
 * zero. */
int source_init(struct source *s, int fd);
/* Is it a file, with a size that is known and can be read again? */
bool source_is_file(const struct source *s);
uint64_t source_size(const struct source *s);
/* The next piece, at most SOURCE_PIECE bytes and up to byte number `until`; *n
 * is 0 at the end.  Of a file, no more than it had at first.  errno, or zero.
 */
int source_read(
    struct source *s, uint8_t piece[SOURCE_PIECE], uint64_t until, size_t *n);
/* Begin again.  errno, or zero. */
int source_rewind(struct source *s);
/* Has the file changed since it was opened, or was it shorter than it said? */
bool source_changed(const struct source *s);
/* The checksum of what was read, in hex. */
#define SOURCE_SUM_LEN (2 * CRYPT_SUM_LEN + 1)
void source_sum(const struct source *s, char hex[SOURCE_SUM_LEN]);
void source_close(struct source *s);

#endif
