/* A command with secrets: files without names, variables, signals, its end. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

#define SHOWN_LEN 256

extern char **environ;

/* ---- files ---- */

static bool
write_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/*
 * Above every number that the command wants, so that none is in the way of
 * another.  The pages are locked by us, who live as long as it does.
 */
static enum rk_err
make_file(struct child_gift *g, struct rk_error *err)
{
	size_t len = rk_secret_len(g->bytes);
	int fd = memfd_create("keyvault", MFD_CLOEXEC);
	void *pages;

	if (fd < 0)
		return err_sys(err, RK_EIO, errno, "a file in memory");
	g->mem = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD_MAX + 1);
	if (g->mem < 0)
		err_sys(err, RK_EIO, errno, "a file in memory");
	(void)close(fd); /* it has the other number */
	if (g->mem < 0)
		return RK_EIO;
	if (ftruncate(g->mem, (off_t)len) != 0)
		return err_sys(err, RK_EIO, errno, "a file in memory");
	pages = mmap(NULL, len, PROT_READ, MAP_SHARED, g->mem, 0);
	if (pages != MAP_FAILED) {
		g->held = pages;
		/* Where locking is not allowed, nothing is lost but this. */
		(void)mlock(pages, len);
	}
	if (!write_all(g->mem, rk_secret_peek(g->bytes), len) ||
	    lseek(g->mem, 0, SEEK_SET) != 0 || fchmod(g->mem, 0400) != 0)
		return err_sys(err, RK_EIO, errno, "a file in memory");
	return RK_OK;
}

static enum rk_err
make_word(struct child_gift *g, struct rk_error *err)
{
	size_t name = strlen(g->var);
	size_t len = rk_secret_len(g->bytes);
	uint8_t *p;
	enum rk_err r;

	if ((r = rk_secret_new(name + 1 + len + 1, &g->word)) != RK_OK)
		return err_set(err, r, "%s: %s", g->var, rk_err_text(r));
	p = rk_secret_data(g->word);
	memcpy(p, g->var, name);
	p[name] = '=';
	memcpy(p + name + 1, rk_secret_peek(g->bytes), len);
	p[name + 1 + len] = '\0';
	return RK_OK;
}

/* Whoever still has the file open finds nothing in it. */
static void
forget(struct child_gift *g, size_t len)
{
	int e = 0;

	if (g->held != NULL)
		(void)munmap((void *)(uintptr_t)g->held, len);
	g->held = NULL;
	if (g->mem >= 0) {
		e = ftruncate(g->mem, 0);
		(void)close(g->mem);
	}
	/* It cannot fail for a file of ours; and no more could be done. */
	(void)e;
	g->mem = -1;
	rk_secret_free(g->word);
	g->word = NULL;
}

/* ---- the environment ---- */

static bool
is_given(const char *entry, const struct child_gift *gifts, size_t n)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < n; i++)
		if (gifts[i].var != NULL && strlen(gifts[i].var) == len &&
		    memcmp(gifts[i].var, entry, len) == 0)
			return true;
	return false;
}

/* The array is the caller's, what is in it is not. */
static char **
make_environment(const struct child_gift *gifts, size_t n)
{
	size_t count = 0;
	size_t used = 0;
	char **list;

	while (environ[count] != NULL)
		count++;
	if ((list = calloc(count + n + 1, sizeof(*list))) == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (!is_given(environ[i], gifts, n))
			list[used++] = environ[i];
	for (size_t i = 0; i < n; i++)
		if (gifts[i].word != NULL)
			list[used++] = (char *)rk_secret_data(gifts[i].word);
	return list;
}

/* ---- the process ---- */

/* What others may send, for it: all but what is of our own faults, and what
 * stops us along with it. */
static void
signals(sigset_t *set)
{
	static const int list[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
		SIGSYS, SIGABRT, SIGTSTP, SIGTTIN, SIGTTOU };

	(void)sigfillset(set);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		(void)sigdelset(set, list[i]);
}

static int
spawn(char *const *argv, const struct child_gift *gifts, size_t n, char **env,
    const sigset_t *mask, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t usual;
	int e;

	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE);
	(void)sigaddset(&usual, SIGXFSZ);
	if ((e = posix_spawn_file_actions_init(&actions)) != 0)
		return e;
	if ((e = posix_spawnattr_init(&attr)) != 0)
		goto out;
	if ((e = posix_spawnattr_setsigmask(&attr, mask)) == 0 &&
	    (e = posix_spawnattr_setsigdefault(&attr, &usual)) == 0)
		e = posix_spawnattr_setflags(
		    &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	for (size_t i = 0; i < n && e == 0; i++)
		if (gifts[i].mem >= 0)
			e = posix_spawn_file_actions_adddup2(
			    &actions, gifts[i].mem, gifts[i].fd);
	if (e == 0)
		e = posix_spawnp(pid, argv[0], &actions, &attr, argv, env);
	(void)posix_spawnattr_destroy(&attr);
out:
	(void)posix_spawn_file_actions_destroy(&actions);
	return e;
}

/* Until it has ended.  What the terminal sends reaches it by itself. */
static int
wait_for(pid_t pid, const sigset_t *set)
{
	siginfo_t info = { 0 };
	int status = 0;
	int signo;

	for (;;) {
		signo = sigwaitinfo(set, &info);
		if (signo == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (signo > 0 && signo != SIGCHLD && info.si_code <= 0)
			(void)kill(pid, signo);
	}
}

static enum rk_err
start_and_wait(char *const *argv, struct child_gift *gifts, size_t n,
    char **env, int *status, struct rk_error *err)
{
	char shown[SHOWN_LEN];
	sigset_t before;
	sigset_t set;
	pid_t pid = 0;
	int e;

	signals(&set);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	e = spawn(argv, gifts, n, env, &before, &pid);
	for (size_t i = 0; i < n; i++) {
		rk_secret_free(gifts[i].word);
		gifts[i].word = NULL;
		rk_wipe(rk_secret_data(gifts[i].bytes),
		    rk_secret_len(gifts[i].bytes));
	}
	if (e == 0) {
		e = wait_for(pid, &set);
		*status = WIFSIGNALED(e) ? 128 + WTERMSIG(e) : WEXITSTATUS(e);
		e = 0;
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return e == 0 ? RK_OK
	              : err_sys(err, e == ENOENT ? RK_ENOENT : RK_EIO, e, "%s",
	                    str_escape(shown, sizeof(shown), argv[0]));
}

enum rk_err
child_run(char *const *argv, struct child_gift *gifts, size_t n, int *status,
    struct rk_error *err)
{
	char **env = NULL;
	enum rk_err r = RK_OK;

	*status = 0;
	for (size_t i = 0; i < n; i++) {
		gifts[i].mem = -1;
		gifts[i].word = NULL;
		gifts[i].held = NULL;
	}
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = gifts[i].var != NULL ? make_word(&gifts[i], err)
		                         : make_file(&gifts[i], err);
	if (r == RK_OK && (env = make_environment(gifts, n)) == NULL)
		r = err_set(err, RK_ENOMEM, "out of memory");
	if (r == RK_OK)
		r = start_and_wait(argv, gifts, n, env, status, err);
	for (size_t i = 0; i < n; i++)
		forget(&gifts[i], rk_secret_len(gifts[i].bytes));
	free(env);
	return r;
}
