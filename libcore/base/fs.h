/* Files: bounded reads, safe opens, whole atomic writes, locks. */
#ifndef RPCKIT_BASE_FS_H
#define RPCKIT_BASE_FS_H

#include "base/buf.h"

#include <rpckit/secret.h>

#include <sys/stat.h>

enum fs_check {
	FS_ANY = 0,
	FS_NO_FOLLOW = 1,  /* the last component is no symbolic link */
	FS_PRIVATE = 2,    /* group and others have no access at all */
	FS_NOT_SHARED = 4, /* group and others cannot write; owner us or root;
	                     no second hard link */
};

/*
 * Open for reading (O_CLOEXEC, never a FIFO or device, never waits) and check.
 * RK_ENOENT, RK_EMODE (says what and the chmod line), RK_EIO.
 */
RK_MUST enum rk_err fs_open(const char *path, unsigned checks, int *fd,
    struct stat *st, struct rk_error *err);
/*
 * May nobody but us and root put another file in the place of this one?  Its
 * folder is ours or root's, and others do not write there, or it is sticky, as
 * /tmp.  `what` it is, for the text.  RK_EMODE, and as fs_fail().
 */
RK_MUST enum rk_err fs_check_parent(
    const char *path, const char *what, struct rk_error *err);
/* Read a whole file of at most max bytes to b (appended).  As fs_open(), and
 * RK_ETOOBIG. */
RK_MUST enum rk_err fs_read(const char *path, unsigned checks, size_t max,
    struct buf *b, struct rk_error *err);
/* The same to guarded memory. */
RK_MUST enum rk_err fs_read_secret(const char *path, unsigned checks,
    size_t max, struct rk_secret **out, struct rk_error *err);
/* All bytes of an open descriptor (pipe, file), EINTR handled. */
RK_MUST enum rk_err fs_read_fd(
    int fd, size_t max, struct buf *b, struct rk_error *err);
RK_MUST enum rk_err fs_write_all(int fd, const void *data, size_t len);

/*
 * Write a new file whole: PATH.tmp.PID with O_EXCL and mode from the first
 * byte, fsync, then link or rename over PATH, fsync of the directory.  With
 * replace false an existing PATH is RK_EEXIST and stays untouched.  A failure
 * leaves no temporary file and the old content.
 */
RK_MUST enum rk_err fs_write_file(const char *path, const void *data,
    size_t len, mode_t mode, bool replace, struct rk_error *err);
#define FS_LEFT_SECONDS 3600
/* Remove what killed writers of PATH left: regular files of ours with such a
 * name, unchanged for so long, of processes that are gone. */
void fs_clean_tmp(const char *path);

/* The folder that an environment variable names, or NULL; a relative one does
 * not count (XDG).  The environment's. */
const char *fs_env_dir(const char *name);

/* mkdir -p; what is made gets mode.  An existing last directory is accepted
 * when it is one. */
RK_MUST enum rk_err fs_make_dir(
    const char *path, mode_t mode, struct rk_error *err);

/* An exclusive flock on path (made 0600 if absent), waiting at most wait_ms.
 * RK_EBUSY.  Close the descriptor to let go. */
RK_MUST enum rk_err fs_lock(
    const char *path, uint64_t wait_ms, int *fd, struct rk_error *err);

/*
 * What is wrong with the name of a file that a stranger chose, or NULL: it is
 * relative, in UTF-8, without control characters, empty parts, and parts that
 * begin with a dot.
 */
const char *fs_name_fault(const char *name, size_t len);
/*
 * Open a relative path below the folder `dir` (flags and mode as of openat(2),
 * O_CLOEXEC and O_NOFOLLOW added): never through a symbolic link, "..", or an
 * absolute path, whoever moves things meanwhile.  An errno, or zero.
 */
RK_MUST int fs_open_beneath(
    int dir, const char *path, int flags, mode_t mode, int *fd);
/* The same, folder by folder: for kernels before 5.6, and sandboxes. */
RK_MUST int fs_walk_beneath(
    int dir, const char *path, int flags, mode_t mode, int *fd);

bool fs_same_time(const struct timespec *a, const struct timespec *b);
/* Is a before b? */
bool fs_earlier(const struct timespec *a, const struct timespec *b);
/* When the file was made; false: the file system does not say. */
RK_MUST bool fs_birth(int fd, struct timespec *born);

/* Fill err for a system call that failed with errnum on path; its code:
 * RK_ENOENT, RK_EEXIST, RK_EMODE (a symbolic link), RK_ENOMEM, RK_EIO. */
enum rk_err fs_fail(struct rk_error *err, int errnum, const char *path);

/* dir "/" name to out, RK_ETOOBIG when it does not fit. */
RK_MUST enum rk_err fs_join(
    char *out, size_t out_len, const char *dir, const char *name);

#endif
