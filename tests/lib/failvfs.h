/* A VFS of SQLite's on which the n-th write, sync or truncation fails. */
#ifndef RPCKIT_TESTS_FAILVFS_H
#define RPCKIT_TESTS_FAILVFS_H

#define FAILVFS_NAME "failing"

/* Make it the default.  What does not fail is not synced, which saves time. */
void failvfs_register(void);
/* Fail the n-th operation from now on with this code, counted from 0, and all
 * behind it; n < 0: none. */
void failvfs_set(int n, int code);
/* The next n openings of a file find it locked. */
void failvfs_lock(int n);
/* Operations since then. */
int failvfs_count(void);

#endif
