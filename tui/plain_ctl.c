/* Words of rpcd ctl that are typed for rpctui --plain: run, and their lines. */
#include "plain_ctl.h"

#include "child.h"
#include "plain_say.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Keys of the screen, with what a verb of rpcd ctl does. */
static const struct {
	char key;
	bool alone; /* nothing need be behind it */
	const char *words, *takes, *about;
} keys[] = {
	{ 'a', false, "trust approve", " FP", "let it in, and know it" },
	{ 'o', false, "trust approve --once", " FP",
	    "let it in for its next connection" },
	{ 'd', false, "trust approve --for 1d", " FP", "let it in for a day" },
	{ 'r', false, "trust reject", " FP", "keep it out" },
	{ 'R', false, "trust replace", " OLD NEW",
	    "a known key by another one of the same name" },
	{ 'f', false, "trust forget", " FP", "it is new when it comes again" },
	{ 'm', false, "trust note", " FP 'TEXT'", "a note for it" },
	{ 'u', false, "trust undo", " FP", "take the last decision back" },
	{ 'A', true, "trust audit", " [FP]",
	    "what was decided, when and by whom" },
	{ 'x', false, "kick", " ID", "close a connection" },
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

void
plain_ctl_help(const struct out *out)
{
	for (size_t i = 0; i < N_KEYS; i++)
		out_text(out, "%c%s %s (%s)\n", keys[i].key, keys[i].takes,
		    keys[i].about, keys[i].words);
}

/* False: something is missing behind a key. */
static bool
expand(const char *line, char *dst, size_t len)
{
	const char *rest;

	line += line[0] == ':';
	rest = line + (line[0] != '\0');
	(void)str_copy(dst, len, line);
	if (line[0] == '\0' || (*rest != '\0' && *rest != ' '))
		return true;
	rest += strspn(rest, " ");
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].key != line[0])
			continue;
		(void)snprintf(dst, len, "%s %s", keys[i].words, rest);
		return keys[i].alone || *rest != '\0';
	}
	return true;
}

/* ---- what it says ---- */

static void
flush(struct plain_ctl *c)
{
	char shown[4 * sizeof(c->line) + 1];

	c->line[c->len] = '\0';
	out_text(
	    c->out, "%s\n", str_escape_again(shown, sizeof(shown), c->line));
	c->len = 0;
}

static void
take(struct plain_ctl *c, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			flush(c);
			continue;
		}
		if (c->len + 1 == sizeof(c->line))
			flush(c);
		c->line[c->len++] = bytes[i];
		if (bytes[i] == '\t')
			c->line[c->len - 1] = ' ';
		if (bytes[i] == '\0')
			c->line[c->len - 1] = '?';
	}
}

static int
reap(struct plain_ctl *c)
{
	int status = 0;

	rk_watch_free(c->watch);
	c->watch = NULL;
	(void)close(c->fd);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	c->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
on_output(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct plain_ctl *c = arg;
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));
	int status;

	(void)w;
	(void)ready;
	if (n > 0)
		take(c, bytes, (size_t)n);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (c->len > 0)
		flush(c);
	/* Nothing of it is open any more: it ends. */
	status = reap(c);
	c->ended(status, c->arg);
}

/* ---- its beginning, and end ---- */

static bool
refuse(const struct plain_ctl *c, const char *why)
{
	out_text(c->out, "%s\n", why);
	return false;
}

bool
plain_ctl_run(struct plain_ctl *c, const char *line, bool read_only)
{
	struct ctlwords w;
	char words[LINE_LEN];

	if (!expand(line, words, sizeof(words)))
		return refuse(c, "of what? ? says what belongs behind it");
	if (!ctlwords_take(&w, c->path, words))
		return refuse(c, "a quote has no end, or too many words");
	if (read_only && ctlwords_steer(&w))
		return refuse(c, "read-only: nothing is changed from here");
	if (ctlwords_follow(&w))
		return refuse(
		    c, "that has no end; what happens is told here anyway");
	c->pid = child_start(&w, &c->fd);
	if (c->pid < 0) {
		c->pid = 0;
		return refuse(c, "no process can be begun");
	}
	c->len = 0;
	if (rk_watch_new(c->loop, c->fd, RK_READ, on_output, c, &c->watch) !=
	    RK_OK) {
		plain_ctl_fini(c);
		return refuse(c, "out of memory");
	}
	return true;
}

void
plain_ctl_fini(struct plain_ctl *c)
{
	if (c->pid == 0)
		return;
	(void)kill(c->pid, SIGKILL);
	(void)reap(c);
}
