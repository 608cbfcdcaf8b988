/* Long answers a page at a time, where somebody looks at them. */
#include "cli/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "base/fs.h"
#include "base/str.h"

#define USUAL "less -FIRX"
#define NOT_FOUND 127  /* sh(1)'s status */
#define NO_PROGRAM 126 /* or one that cannot be run */

/* ---- is it needed? ---- */

/* The bytes of a color, or 0. */
static size_t
color_len(const char *text, size_t len)
{
	size_t n = 2;

	if (len < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (n < len && strchr("0123456789;", text[n]) != NULL &&
	       text[n] != '\0')
		n++;
	return n < len && text[n] == 'm' ? n + 1 : 0;
}

size_t
pager_rows(const char *text, size_t len, unsigned columns)
{
	size_t rows = 0, at = 0;
	unsigned used = 0;
	uint32_t cp;

	while (at < len) {
		size_t n = color_len(text + at, len - at);
		int w = 0;

		if (text[at] == '\n') {
			rows++;
			used = 0;
			n = 1;
		} else if (n == 0) {
			n = str_utf8(text + at, len - at, &cp);
			w = n == 0 ? 1 : wcwidth((wchar_t)cp);
			n += n == 0;
		}
		w = w < 0 ? 1 : w;
		if (used + (unsigned)w > columns) {
			rows++;
			used = 0;
		}
		used += (unsigned)w;
		at += n;
	}
	return rows + (used > 0);
}

static bool
is_long(const char *text, size_t len)
{
	struct winsize ws = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_row == 0 ||
	    ws.ws_col == 0)
		return false;
	/* The prompt that follows has a row as well. */
	return pager_rows(text, len, ws.ws_col) >= ws.ws_row;
}

/* NULL: none. */
static const char *
command(const struct out *o)
{
	const char *term = getenv("TERM"), *pager = getenv("PAGER");

	if (o->into != NULL || o->form != OUT_TEXT || o->quiet ||
	    isatty(STDOUT_FILENO) != 1 || isatty(STDIN_FILENO) != 1)
		return NULL;
	if (term == NULL || *term == '\0' || strcmp(term, "dumb") == 0)
		return NULL;
	if (pager == NULL)
		return USUAL;
	return *pager == '\0' || strcmp(pager, "cat") == 0 ? NULL : pager;
}

/* ---- running it ---- */

_Noreturn static void
become(const char *pager, int from, const sigset_t *mask)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };

	(void)sigaction(SIGINT, &usual, NULL);
	(void)sigaction(SIGPIPE, &usual, NULL);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	if (dup2(from, STDIN_FILENO) == STDIN_FILENO)
		(void)execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
	_exit(NOT_FOUND);
}

static int
wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return NOT_FOUND;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

/* False: it was not there. */
static bool
run(const char *pager, const void *data, size_t len)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_int, old_pipe;
	sigset_t mask;
	int fds[2], status = NOT_FOUND;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;
	(void)fflush(stdout);
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	/* Ctrl-C is the pager's; it need not read to the end. */
	(void)sigaction(SIGINT, &ignore, &old_int);
	(void)sigaction(SIGPIPE, &ignore, &old_pipe);
	pid = fork();
	if (pid == 0)
		become(pager, fds[0], &mask);
	(void)close(fds[0]);
	if (pid > 0 && fs_write_all(fds[1], data, len) != RK_OK) {
		/* Whoever looks has seen enough. */
	}
	(void)close(fds[1]);
	if (pid > 0)
		status = wait_for(pid);
	(void)sigaction(SIGINT, &old_int, NULL);
	(void)sigaction(SIGPIPE, &old_pipe, NULL);
	return status != NOT_FOUND && status != NO_PROGRAM;
}

void
pager_bytes(const struct out *o, const void *data, size_t len)
{
	const char *pager = command(o);

	if (pager == NULL || !is_long(data, len) || !run(pager, data, len))
		out_bytes(o, data, len);
}

void
pager_begin(const struct out *o, struct out *to, struct buf *b)
{
	buf_init(b, SIZE_MAX / 2);
	*to = *o;
	to->into = b;
}

void
pager_end(const struct out *o, struct buf *b)
{
	if (buf_len(b) > 0)
		pager_bytes(o, buf_peek(b), buf_len(b));
	buf_fini(b);
}
