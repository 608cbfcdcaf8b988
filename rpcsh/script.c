/* Scripts: the lines of a file, each as it would be typed in the shell. */
#include "shell.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "rpcsh.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRIPT_MAX (16u << 20) /* bytes of a file */
#define NESTED_MAX 16          /* scripts in scripts */

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

static void
run_all(struct script *x, const char *text, size_t len)
{
	unsigned long line = 1;
	size_t at = 0, used;
	bool on = true;

	while (on && at < len) {
		set_where(x, line);
		on = run_line(x, text + at, len - at, &used);
		line += lines_of(text + at, used);
		at += used;
	}
}

static enum rk_err
read_script(const char *path, struct buf *b, struct rk_error *err)
{
	if (strcmp(path, "-") != 0)
		return fs_read(path, FS_ANY, SCRIPT_MAX, b, err);
	return fs_read_fd(STDIN_FILENO, SCRIPT_MAX, b, err);
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
	s->lines.where = s->o.where = before;
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
	buf_init(&b, SCRIPT_MAX + 1);
	if (read_script(path, &b, &err) != RK_OK)
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
	s.held.no_stdin = strcmp(path, "-") == 0;
	/* Connected when there is something to call. */
	status = shell_script(&s, path, args_flag(a, "keep-going"));
	shell_close(&s);
	return status;
}
