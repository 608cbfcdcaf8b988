/* Passphrases from descriptors, files, variables, credentials, programs. */
#include "cli/pass_src.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/pass.h"

#define ROOM (PASS_MAX + 3) /* "\r\n" and one byte too many */
#define TAKEN_MAX 16
#define SHOWN 160

/*
 * A descriptor is closed and a variable removed once read, yet two keys may
 * name the same one: so their passphrases stay here until pass_forget().
 */
static struct {
	char spec[64];
	struct rk_secret *secret;
} taken[TAKEN_MAX];

static const struct {
	const char *word;
	enum pass_kind kind;
	bool rest;
} kinds[] = {
	{ "tty", PASS_TTY, false },
	{ "askpass", PASS_ASKPASS, false },
	{ "fd", PASS_FD, true },
	{ "file", PASS_FILE, true },
	{ "env", PASS_ENV, true },
	{ "cred", PASS_CRED, true },
	{ "agent", PASS_AGENT, true },
	{ "agent", PASS_AGENT_OF, false },
};

static enum rk_err
check_rest(enum pass_kind kind, const char *rest, struct rk_error *err)
{
	uint64_t fd;

	if (*rest == '\0')
		return err_set(err, RK_EINVAL, "nothing behind the colon");
	if (kind == PASS_FD && str_parse_u64(rest, 0, INT_MAX, &fd) != RK_OK)
		return err_set(err, RK_EINVAL, "fd: wants a number");
	if (kind == PASS_CRED && (strchr(rest, '/') != NULL || rest[0] == '.'))
		return err_set(err, RK_EINVAL, "cred: wants a plain name");
	if (kind == PASS_ENV &&
	    (strchr(rest, '=') != NULL || strlen(rest) > 50))
		return err_set(err, RK_EINVAL, "env: wants a variable's name");
	return RK_OK;
}

enum rk_err
pass_src_parse(const char *spec, enum pass_kind *kind, const char **rest,
    struct rk_error *err)
{
	size_t len = strcspn(spec, ":");

	*kind = PASS_TTY;
	*rest = "";
	/* What follows "pass:" is a secret and stays out of the message. */
	if (strncmp(spec, "pass:", 5) == 0)
		return err_set(err, RK_EINVAL,
		    "pass: is visible in ps and history, use file: or fd:");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].word) != len ||
		    memcmp(kinds[i].word, spec, len) != 0 ||
		    kinds[i].rest != (spec[len] == ':'))
			continue;
		*kind = kinds[i].kind;
		*rest = kinds[i].rest ? spec + len + 1 : "";
		return kinds[i].rest ? check_rest(*kind, *rest, err) : RK_OK;
	}
	/* The word itself may be a passphrase that was put there by mistake. */
	return err_set(err, RK_EINVAL,
	    "a passphrase comes from tty, fd:N, file:PATH, env:NAME, "
	    "cred:NAME, askpass, agent or agent:NAME");
}

static enum rk_err
recall(const char *spec, struct rk_secret **out)
{
	for (size_t i = 0; i < TAKEN_MAX; i++) {
		if (taken[i].secret != NULL && strcmp(taken[i].spec, spec) == 0)
			return rk_secret_copy(rk_secret_peek(taken[i].secret),
			    rk_secret_len(taken[i].secret), out);
	}
	return RK_ENOENT;
}

static enum rk_err
keep(const char *spec, const struct rk_secret *s, struct rk_error *err)
{
	size_t i = 0;

	while (i < TAKEN_MAX && taken[i].secret != NULL)
		i++;
	if (i == TAKEN_MAX)
		return err_set(err, RK_ELIMIT, "too many passphrase sources");
	if (str_copy(taken[i].spec, sizeof(taken[i].spec), spec) >=
	    sizeof(taken[i].spec))
		return err_set(err, RK_EINVAL, "passphrase source too long");
	return rk_secret_copy(
	    rk_secret_peek(s), rk_secret_len(s), &taken[i].secret);
}

void
pass_forget(void)
{
	for (size_t i = 0; i < TAKEN_MAX; i++) {
		rk_secret_free(taken[i].secret);
		taken[i].secret = NULL;
	}
}

enum rk_err
pass_src_trim(struct rk_secret *s, size_t used, struct rk_error *err)
{
	const uint8_t *p = rk_secret_peek(s);

	if (used > 0 && p[used - 1] == '\n') {
		used--;
		if (used > 0 && p[used - 1] == '\r')
			used--;
	}
	if (used > PASS_MAX)
		return err_set(err, RK_EINVAL,
		    "passphrase longer than %d bytes", PASS_MAX);
	if (used == 0)
		return err_set(err, RK_EINVAL, "empty passphrase");
	if (memchr(p, '\0', used) != NULL)
		return err_set(err, RK_EINVAL, "passphrase has a NUL byte");
	rk_secret_trim(s, used);
	return RK_OK;
}

/* At most one byte, waiting for it. */
static ssize_t
read_byte(int fd, uint8_t *dst)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while ((n = read(fd, dst, 1)) < 0) {
		if (errno == EAGAIN)
			(void)poll(&p, 1, -1); /* read() tells the outcome */
		else if (errno != EINTR)
			break;
	}
	return n;
}

/*
 * To the end, or with `line` to the first newline; byte by byte, so that what
 * follows stays in a pipe that others share.
 */
static enum rk_err
read_all(int fd, const char *name, bool line, struct rk_secret **out,
    struct rk_error *err)
{
	struct rk_secret *s = NULL;
	char shown[SHOWN];
	size_t used = 0;
	ssize_t n = 1;
	enum rk_err r;

	*out = NULL;
	if ((r = rk_secret_new(ROOM, &s)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	while (used < ROOM && n > 0) {
		n = read_byte(fd, rk_secret_data(s) + used);
		used += n > 0;
		if (line && n > 0 && rk_secret_peek(s)[used - 1] == '\n')
			break;
	}
	if (n < 0) {
		r = err_sys(err, RK_EIO, errno, "%s",
		    str_escape(shown, sizeof(shown), name));
		goto out;
	}
	if ((r = pass_src_trim(s, used, err)) != RK_OK)
		goto out;
	*out = s;
	s = NULL;
out:
	rk_secret_free(s);
	return r;
}

enum rk_err
pass_src_take_env(const char *name, struct rk_error *err)
{
	struct rk_secret *s = NULL;
	char spec[64];
	char *value = getenv(name);
	size_t len;
	enum rk_err r;

	if (value == NULL)
		return RK_OK; /* the one who wants it will say so */
	len = strlen(value);
	if (snprintf(spec, sizeof(spec), "env:%s", name) < 0)
		return RK_EINVAL;
	if (len == 0)
		r = err_set(err, RK_EINVAL, "empty passphrase");
	else if ((r = rk_secret_copy(value, len, &s)) != RK_OK)
		err_set(err, r, "%s", rk_err_text(r));
	/* Also gone from where ps and /proc show the first environment. */
	rk_wipe(value, len);
	(void)unsetenv(name); /* the name holds no "=", so it cannot fail */
	if (r == RK_OK && (r = pass_src_trim(s, len, err)) == RK_OK)
		r = keep(spec, s, err);
	rk_secret_free(s);
	return r;
}

static enum rk_err
get_env(const char *name, struct rk_secret **out, struct rk_error *err)
{
	char spec[64];
	char shown[SHOWN];
	enum rk_err r;

	if ((r = pass_src_take_env(name, err)) != RK_OK)
		return r;
	if (snprintf(spec, sizeof(spec), "env:%s", name) < 0)
		return RK_EINVAL;
	r = recall(spec, out);
	if (r == RK_ENOENT)
		return err_set(err, RK_ENOPASS, "env:%s: no such variable",
		    str_escape(shown, sizeof(shown), name));
	if (r != RK_OK)
		err_set(err, r, "%s", rk_err_text(r));
	return r;
}

/* The number of fd:N, which was checked before. */
static int
fd_number(const char *rest)
{
	uint64_t n;

	return str_parse_u64(rest, 0, INT_MAX, &n) == RK_OK ? (int)n : -1;
}

static void
fd_spec(int fd, char *dst, size_t dst_len)
{
	if (snprintf(dst, dst_len, "fd:%d", fd) < 0)
		dst[0] = '\0';
}

enum rk_err
pass_src_check_fd(const char *rest, struct rk_error *err)
{
	int fd = fd_number(rest);
	char spec[64];

	fd_spec(fd, spec, sizeof(spec));
	for (size_t i = 0; i < TAKEN_MAX; i++) {
		if (taken[i].secret != NULL && strcmp(taken[i].spec, spec) == 0)
			return RK_OK;
	}
	if (fcntl(fd, F_GETFD) < 0)
		return err_set(err, RK_EINVAL, "%s: not open", spec);
	/* No program that we start inherits it. */
	if (fd > STDERR_FILENO)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return RK_OK;
}

/* 0, 1 and 2 are never left closed. */
static void
close_fd(int fd)
{
	int null_fd;

	if (fd > STDERR_FILENO) {
		(void)close(fd); /* only read from */
		return;
	}
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return;
	(void)dup2(null_fd, fd);
	(void)close(null_fd);
}

static enum rk_err
get_fd(const char *rest, struct rk_secret **out, struct rk_error *err)
{
	int fd = fd_number(rest);
	struct rk_secret *s = NULL;
	char spec[64];
	enum rk_err r;

	fd_spec(fd, spec, sizeof(spec));
	if ((r = recall(spec, out)) != RK_ENOENT)
		return r;
	if ((r = pass_src_check_fd(rest, err)) != RK_OK)
		return r;
	r = read_all(fd, spec, true, &s, err);
	close_fd(fd);
	if (r == RK_OK)
		r = keep(spec, s, err);
	if (r == RK_OK) {
		*out = s;
		s = NULL;
	}
	rk_secret_free(s);
	return r;
}

/* Is this file one that the service manager put there for us? */
static bool
is_credential(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t len;

	if (dir == NULL || dir[0] != '/' || strstr(path, "..") != NULL)
		return false;
	len = strlen(dir);
	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static enum rk_err
check_file(const char *path, int fd, struct rk_error *err)
{
	char shown[SHOWN];
	struct stat st;
	unsigned mode;

	str_escape(shown, sizeof(shown), path);
	if (fstat(fd, &st) != 0)
		return fs_fail(err, errno, path);
	mode = (unsigned)st.st_mode & 07777;
	if (S_ISFIFO(st.st_mode))
		return RK_OK;
	if (!S_ISREG(st.st_mode))
		return err_set(
		    err, RK_EMODE, "%s: neither a file nor a pipe", shown);
	if (is_credential(path))
		return RK_OK;
	if ((mode & 077) != 0)
		return err_set(err, RK_EMODE,
		    "%.100s: mode %04o lets others in, chmod go-rwx %.100s",
		    shown, mode, shown);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(err, RK_EMODE,
		    "%s: belongs to user %u, neither to us nor to root", shown,
		    (unsigned)st.st_uid);
	return RK_OK;
}

static enum rk_err
get_file(const char *path, struct rk_secret **out, struct rk_error *err)
{
	/* A pipe is waited for: its writer may come later. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum rk_err r;

	if (fd < 0)
		return fs_fail(err, errno, path);
	if ((r = check_file(path, fd, err)) == RK_OK)
		r = read_all(fd, path, false, out, err);
	(void)close(fd); /* only read from */
	return r;
}

static enum rk_err
get_cred(const char *name, struct rk_secret **out, struct rk_error *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];
	char shown[SHOWN];
	enum rk_err r;

	str_escape(shown, sizeof(shown), name);
	if (dir == NULL || *dir == '\0')
		return err_set(err, RK_ENOPASS,
		    "cred:%s: CREDENTIALS_DIRECTORY is not set", shown);
	if ((r = fs_join(path, sizeof(path), dir, name)) != RK_OK)
		return err_set(err, r, "cred:%s: path too long", shown);
	return get_file(path, out, err);
}

static enum rk_err
start_askpass(
    const char *program, const char *prompt, int stdout_fd, pid_t *pid)
{
	char *argv[3] = { strdup(program), strdup(prompt), NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	int e;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	(void)sigemptyset(&set);
	e = posix_spawnattr_setsigmask(&attr, &set);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigaddset(&set, SIGINT);
	if (e == 0)
		e = posix_spawnattr_setsigdefault(&attr, &set);
	if (e == 0)
		e = posix_spawnattr_setflags(
		    &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(
		    &actions, stdout_fd, STDOUT_FILENO);
	if (argv[0] == NULL || argv[1] == NULL)
		e = ENOMEM;
	if (e == 0)
		e = posix_spawnp(pid, program, &actions, &attr, argv, environ);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	free(argv[0]);
	free(argv[1]);
	errno = e;
	return e == 0 ? RK_OK : RK_EIO;
}

static const char *
askpass_program(void)
{
	const char *p = getenv("RPCKIT_ASKPASS");

	if (p == NULL || *p == '\0')
		p = getenv("SSH_ASKPASS");
	return p == NULL || *p == '\0' ? NULL : p;
}

/* Did the program say yes? */
static bool
wait_ok(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static enum rk_err
read_askpass(int fd, pid_t pid, struct rk_secret **out, struct rk_error *err)
{
	enum rk_err r = read_all(fd, "askpass", false, out, err);

	(void)close(fd); /* only read from */
	if (wait_ok(pid))
		return r;
	rk_secret_free(*out);
	*out = NULL;
	return err_set(err, RK_ENOPASS, "askpass: no passphrase was given");
}

static enum rk_err
get_askpass(const char *prompt, struct rk_secret **out, struct rk_error *err)
{
	const char *program = askpass_program();
	char shown[SHOWN];
	int fds[2];
	pid_t pid;
	enum rk_err r;

	if (program == NULL)
		return err_set(err, RK_ENOPASS,
		    "askpass: neither RPCKIT_ASKPASS nor SSH_ASKPASS is set");
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_sys(err, RK_EIO, errno, "askpass");
	r = start_askpass(program, prompt, fds[1], &pid);
	if (r != RK_OK)
		err_sys(err, r, errno, "askpass: %s",
		    str_escape(shown, sizeof(shown), program));
	(void)close(fds[1]); /* the program has its own */
	if (r == RK_OK)
		return read_askpass(fds[0], pid, out, err);
	(void)close(fds[0]);
	return r;
}

enum rk_err
pass_src_get(enum pass_kind kind, const char *rest, const char *prompt,
    struct rk_secret **out, struct rk_error *err)
{
	*out = NULL;
	switch (kind) {
	case PASS_TTY:
		break;
	case PASS_ASKPASS:
		return get_askpass(prompt, out, err);
	case PASS_FD:
		return get_fd(rest, out, err);
	case PASS_FILE:
		return get_file(rest, out, err);
	case PASS_ENV:
		return get_env(rest, out, err);
	case PASS_CRED:
		return get_cred(rest, out, err);
	case PASS_AGENT:
	case PASS_AGENT_OF:
		break; /* pass_src_agent() */
	}
	return err_set(err, RK_ENOPASS, "no terminal");
}
