/* Scripts: the lines of a file, each as it would be typed in the shell. */
#include "shell.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "rpcsh.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRIPT_MAX (16u << 20) /* bytes of a file */
#define NESTED_MAX 16          /* scripts in scripts */
#define CHUNK 65536u

/* A file being run. */
struct script {
	struct shell *s;
	const char *name; /* as it is shown */
	char where[160];
	bool keep_going;
	int status; /* of the first line that failed */
};

static void
set_where(struct script *x, unsigned long line)
{
	(void)snprintf(x->where, sizeof(x->where), "%s:%lu", x->name, line);
	x->s->lines.where = x->s->o.where = x->where;
}

static unsigned long
lines_of(const char *text, size_t len)
{
	unsigned long n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

/* One line; false: the script ends here. */
static bool
run_line(struct script *x, const char *text, size_t len, size_t *used)
{
	struct rk_error err;
	int status = 0;
	enum rk_err r = words_line(text, len, used, &err);

	len = *used;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (r == RK_OK)
		r = shell_run_text(x->s, text, len, &status);
	else
		status = out_error(&x->s->o, &err, NULL);
	if (r == RK_EAGAIN) /* nothing comes that could close it */
		status = 2;
	if (status == 0)
		return !x->s->over;
	if (x->status == 0)
		x->status = status;
	return x->keep_going && r != RK_EAGAIN && !x->s->over;
}

/* By Ctrl-C, which may come between two lines: none of them hears it then. */
static bool
was_stopped(struct script *x)
{
	if (!x->s->held->hears || !held_stopped())
		return false;
	(void)out_fail(&x->s->o, RK_ECANCELED, rk_err_text(RK_ECANCELED), NULL);
	x->status = 128 + SIGINT;
	return true;
}

static void
run_all(struct script *x, const char *text, size_t len)
{
	unsigned long line = 1;
	size_t at = 0, used;
	bool on = true;

	while (on && at < len) {
		set_where(x, line);
		if (was_stopped(x))
			break;
		on = run_line(x, text + at, len - at, &used);
		line += lines_of(text + at, used);
		at += used;
	}
}

/* Up to the end, or to Ctrl-C: whoever writes it may take long. */
static enum rk_err
read_all(int fd, const char *name, struct buf *b, struct rk_error *err)
{
	uint8_t *room;
	ssize_t n = -1;
	enum rk_err r;

	while (n != 0) {
		if ((r = buf_reserve(b, CHUNK, &room)) != RK_OK)
			return err_set(err, r, "%s: %s", name,
			    r == RK_ETOOBIG ? "larger than 16 MiB"
			                    : rk_err_text(r));
		held_wait_fd(fd, NULL);
		if (held_interrupted())
			return err_set(err, RK_ECANCELED, "%s: %s", name,
			    rk_err_text(RK_ECANCELED));
		n = read(fd, room, CHUNK);
		if (n > 0)
			buf_commit(b, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fs_fail(err, errno, name);
	}
	return RK_OK;
}

static enum rk_err
read_script(
    const char *path, const char *name, struct buf *b, struct rk_error *err)
{
	struct stat st;
	int fd;
	enum rk_err r;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, name, b, err);
	if ((r = fs_open(path, FS_ANY, &fd, &st, err)) != RK_OK)
		return r;
	r = read_all(fd, name, b, err);
	(void)close(fd); /* it was read only */
	return r;
}

int
shell_script_text(struct shell *s, const char *name, const char *text,
    size_t len, bool keep_going)
{
	const char *before = s->lines.where;
	struct script x = { .s = s, .name = name, .keep_going = keep_going };

	if (s->depth == NESTED_MAX)
		return out_fail(
		    &s->o, RK_ELIMIT, "scripts in scripts go too deep", NULL);
	s->depth++;
	run_all(&x, text, len);
	s->depth--;
	/* What the connection has to say is of no line any more. */
	s->lines.where = s->o.where = s->held->t.log.where = before;
	return x.status;
}

int
shell_script(struct shell *s, const char *path, bool keep_going)
{
	struct rk_error err = { 0 };
	const char *name;
	char shown[128];
	int status = 0;
	struct buf b;

	name = strcmp(path, "-") == 0 ? "standard input"
	                              : str_escape(shown, sizeof(shown), path);
	buf_init(&b, SCRIPT_MAX + CHUNK);
	if (read_script(path, name, &b, &err) != RK_OK)
		status = out_error(&s->o, &err, NULL);
	else if (buf_len(&b) > 0)
		status = shell_script_text(s, name, (const char *)buf_peek(&b),
		    buf_len(&b), keep_going);
	buf_fini(&b);
	return status;
}

int
script_main(struct args *a, struct caller *by)
{
	const char *path = args_text(a, "file", "-");
	struct shell s;
	int status = 0;

	if (!shell_open(&s, a, by, &status))
		return status;
	s.held->no_stdin = strcmp(path, "-") == 0;
	/* Connected when there is something to call. */
	status = shell_script(&s, path, args_flag(a, "keep-going"));
	shell_close(&s);
	return status;
}
