/* From a member back to the struct that holds it. */
#ifndef RPCKIT_BASE_CONTAINER_H
#define RPCKIT_BASE_CONTAINER_H

#include <stddef.h>

/* The `type` whose `member` ptr points to, for hooks and letters that stand in
 * what they are about.  The compiler complains of a pointer of another type
 * than the member's. */
#define container_of(ptr, type, member)                          \
	((type *)(void *)((char *)(ptr)-offsetof(type, member) - \
	                  0 * sizeof(1 ? (ptr) : &((type *)0)->member)))

#endif
