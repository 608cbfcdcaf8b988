/* A file being received: under a temporary name until it is whole. */
#ifndef RPCKIT_CLI_PARTIAL_H
#define RPCKIT_CLI_PARTIAL_H

#include "base/crypt.h"

#include <limits.h>
#include <sys/types.h>

/*
 * The temporary file stands in the folder of the file it becomes, is locked by
 * whoever writes it, and belongs to its user alone (mode 0600).  It is kept
 * when a transfer is cut, so that the next may go on behind it.  Bytes that are
 * zero take no room on the disk.  Disk errors are an errno.
 */
struct partial {
	int dir; /* borrowed: outlives it */
	int fd;
	char temp[NAME_MAX + 1];
	uint64_t found;       /* bytes of an earlier transfer */
	uint64_t at;          /* bytes taken or written */
	struct crypt_sum sum; /* of these */
};

#define PARTIAL_PIECE 65536
#define PARTIAL_SUM_LEN (2 * CRYPT_SUM_LEN + 1)

/*
 * Open or make the temporary file.  EBUSY: another transfer writes it; EMLINK:
 * it is no plain file of ours.
 */
int partial_open(struct partial *p, int dir, const char *temp);
/* Take the next piece of what was found: read and hashed.  p->at reaches
 * p->found, or it was shorter (then it is cut there). */
int partial_take(struct partial *p, uint8_t piece[PARTIAL_PIECE]);
/* Forget what was found or written. */
int partial_restart(struct partial *p);
/* Append. */
int partial_write(struct partial *p, const void *data, size_t len);
/* The checksum of what was taken and written, in hex. */
void partial_sum(const struct partial *p, char hex[PARTIAL_SUM_LEN]);
/*
 * It is whole: give it its name and this mode, as durably as the file system
 * can.  EEXIST: there is such a file, and replace is false; the temporary file
 * is kept.  After zero nothing is open.
 */
int partial_finish(
    struct partial *p, const char *name, bool replace, mode_t mode);
/* Close it; what was written is kept, or not. */
void partial_keep(struct partial *p);
void partial_drop(struct partial *p);

#endif
