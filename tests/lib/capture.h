/* Run a piece of a program in a child and keep what it said. */
#ifndef RPCKIT_TESTS_CAPTURE_H
#define RPCKIT_TESTS_CAPTURE_H

#include <stddef.h>

#define CAPTURE_OUT 65536
#define CAPTURE_ERR 8192

struct capture {
	int status; /* exit status, or 128 + signal */
	char out[CAPTURE_OUT];
	char err[CAPTURE_ERR];
};

/* fn's answer is the exit status.  Fails the test when it cannot. */
void capture_run(struct capture *c, int (*fn)(void *arg), void *arg);
/* What it prints on a terminal of so many columns. */
void capture_terminal(unsigned short columns, int (*fn)(void *), void *arg,
    char *text, size_t text_len);

#endif
