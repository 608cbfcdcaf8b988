/* A child whose standard output and error go to memory. */
#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pty.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void
load(int fd, char *dst, size_t dst_len)
{
	ssize_t n = pread(fd, dst, dst_len - 1, 0);

	assert_true(n >= 0);
	dst[n] = '\0';
	assert_int_equal(close(fd), 0);
}

static void
child(int out, int err, int (*fn)(void *arg), void *arg)
{
	int status = 99;

	if (dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
		status = fn(arg);
	if (fflush(stdout) != 0 || fflush(stderr) != 0)
		status = 98;
	_exit(status);
}

void
capture_run(struct capture *c, int (*fn)(void *arg), void *arg)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	int err = memfd_create("err", MFD_CLOEXEC);
	int status;
	pid_t pid;

	assert_true(out >= 0 && err >= 0);
	(void)fflush(stdout); /* or the child would say it again */
	(void)fflush(stderr);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(out, err, fn, arg);
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	c->status =
	    WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	load(out, c->out, sizeof(c->out));
	load(err, c->err, sizeof(c->err));
}

void
capture_terminal(unsigned short columns, int (*fn)(void *), void *arg,
    char *text, size_t text_len)
{
	struct winsize ws = { .ws_row = 24, .ws_col = columns };
	size_t used = 0;
	ssize_t n;
	int status;
	int fd;
	pid_t pid = forkpty(&fd, NULL, NULL, &ws);

	assert_true(pid >= 0);
	if (pid == 0) {
		status = fn(arg);
		(void)fflush(stdout);
		_exit(status);
	}
	while (used + 1 < text_len &&
	       (n = read(fd, text + used, text_len - used - 1)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(close(fd), 0);
}
