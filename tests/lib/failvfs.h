/* A VFS of SQLite's on which the n-th write, sync or truncation fails. */
#ifndef RPCKIT_TESTS_FAILVFS_H
#define RPCKIT_TESTS_FAILVFS_H

#include <stdbool.h>
#include <stddef.h>

#define FAILVFS_NAME "failing"

/* Make it the default.  What does not fail is not synced, which saves time. */
void failvfs_register(void);
/* Fail the n-th operation from now on with this code, counted from 0, and all
 * behind it; n < 0: none. */
void failvfs_set(int n, int code);
/* Only what is done to a file itself fails, not to its log. */
void failvfs_spare_log(bool spare);
/* The next n openings of a file find it locked. */
void failvfs_lock(int n);
/* Operations since then. */
int failvfs_count(void);

/*
 * Told of what is done to files by their full names, before it is done; arg is
 * theirs.  NULL: nobody is told.
 */
struct failvfs_watch {
	void (*on_write)(const char *name, const void *data, size_t len,
	    size_t at, void *arg);
	void (*on_truncate)(const char *name, size_t size, void *arg);
	void (*on_sync)(const char *name, void *arg);
	void (*on_delete)(const char *name, void *arg);
	void *arg;
};
void failvfs_tell(const struct failvfs_watch *watch);

#endif
