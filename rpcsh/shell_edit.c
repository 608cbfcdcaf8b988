/* :edit: the last call in an editor, and then what it has become. */
#include "shell.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "history.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define USUAL "vi"

static const char *
editor(void)
{
	const char *const names[] = { "VISUAL", "EDITOR" };

	for (size_t i = 0; i < 2; i++) {
		const char *value = getenv(names[i]);

		if (value != NULL && *value != '\0')
			return value;
	}
	return USUAL;
}

/* ---- the file ---- */

/* Of nobody but us from its first byte. */
static enum rk_err
write_file(char path[PATH_LEN], const char *text, struct rk_error *err)
{
	const char *dir = getenv("TMPDIR");
	enum rk_err r = RK_OK;
	int fd, n;

	if (dir == NULL || *dir != '/')
		dir = "/tmp";
	n = snprintf(path, PATH_LEN, "%s/rpcsh-XXXXXX", dir);
	if (n < 0 || n >= PATH_LEN) {
		path[0] = '\0';
		return err_set(err, RK_ETOOBIG, "TMPDIR is too long");
	}
	if ((fd = mkstemp(path)) < 0) {
		path[0] = '\0';
		return err_sys(
		    err, RK_EIO, errno, "no file can be made below TMPDIR");
	}
	if (fs_write_all(fd, text, strlen(text)) != RK_OK ||
	    fs_write_all(fd, "\n", strlen(text) > 0) != RK_OK)
		r = err_sys(err, RK_EIO, errno, "%s", path);
	if (close(fd) != 0 && r == RK_OK && errno != EINTR)
		r = err_sys(err, RK_EIO, errno, "%s", path);
	return r;
}

/* ---- the editor ---- */

_Noreturn static void
become(const char *path)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	char command[PATH_LEN];
	int n;

	(void)sigaction(SIGINT, &usual, NULL);
	(void)sigaction(SIGPIPE, &usual, NULL);
	n = snprintf(command, sizeof(command), "%s \"$1\"", editor());
	if (n < 0 || (size_t)n >= sizeof(command))
		_exit(127); /* half of it would be another one */
	(void)execl("/bin/sh", "sh", "-c", command, "sh", path, (char *)NULL);
	_exit(127);
}

static enum rk_err
run_editor(const char *path, struct rk_error *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	(void)sigaction(SIGINT, &ignore, &before);
	pid = fork();
	if (pid == 0)
		become(path);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	(void)sigaction(SIGINT, &before, NULL);
	if (pid < 0)
		return err_sys(err, RK_EIO, errno, "no editor can be started");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return RK_OK;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(
		    err, RK_ENOENT, "the editor is not there: set EDITOR");
	return err_set(
	    err, RK_ECANCELED, "the editor has failed: nothing is done");
}

/* ---- what it has become ---- */

static void
remember(struct shell *s, const char *text)
{
	if (s->history != NULL && history_add(s->history, text))
		line_remember(s->line, text);
}

static int
run_text(struct shell *s, struct buf *b)
{
	const char *text = (const char *)buf_peek(b);
	size_t len = buf_len(b);
	char *line;

	while (len > 0 && strchr(" \t\n", text[len - 1]) != NULL)
		len--;
	if (len == 0 || (s->call != NULL && strlen(s->call) == len &&
	                    memcmp(s->call, text, len) == 0)) {
		out_note(&s->o, "unchanged: nothing is done");
		return 0;
	}
	if ((line = strndup(text, len)) != NULL)
		remember(s, line);
	free(line);
	return shell_script_text(s, "edited", text, len, false);
}

int
shell_edit(struct shell *s)
{
	struct rk_error err = { 0 };
	char path[PATH_LEN] = "";
	int status = 0;
	struct buf b;
	enum rk_err r;

	if (s->line == NULL)
		return out_fail(
		    &s->o, RK_EINVAL, ":edit is for terminals", NULL);
	buf_init(&b, WORDS_TEXT_MAX);
	r = write_file(path, s->call == NULL ? "" : s->call, &err);
	if (r == RK_OK && (r = run_editor(path, &err)) == RK_OK)
		r = fs_read(path, FS_NO_FOLLOW | FS_NOT_SHARED, WORDS_TEXT_MAX,
		    &b, &err);
	if (path[0] != '\0' && unlink(path) != 0 && errno != ENOENT)
		out_warn(&s->o, "%s is still there", path);
	if (r != RK_OK)
		status = out_error(&s->o, &err, NULL);
	else if (buf_len(&b) == 0)
		out_note(&s->o, "empty: nothing is done");
	else
		status = run_text(s, &b);
	buf_fini(&b);
	return status;
}
