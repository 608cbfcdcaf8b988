/* Descriptors of a process that has just been forked. */
#ifndef RPCKIT_BASE_FDS_H
#define RPCKIT_BASE_FDS_H

/*
 * Close every descriptor from `first` to `last`, both of them included;
 * INT_MAX: and all above.  One call where the kernel has close_range(2) (5.9)
 * and lets us; else those that /proc/self/fd lists; else every number that may
 * be one by the limit of now, up to a million.  May be called between fork()
 * and exec().
 */
void fds_close(int first, int last);

#endif
