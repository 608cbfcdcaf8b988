/* The command line: the words of rpcd ctl, run by a child of our own. */
#include "child.h"
#include "extra.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct command {
	struct ui *ui;
	pid_t pid;
	int fd; /* what it says; -1: no more */
	struct rk_watch *watch;
	struct pane *pane; /* NULL: it was closed */
	char line[LINE_LEN * 2];
	size_t len;
};

/* ---- what it says ---- */

static void
flush(struct command *c, enum term_role role)
{
	c->line[c->len] = '\0';
	if (c->pane != NULL)
		text_add(&c->pane->text, role, "%s", c->line);
	c->len = 0;
	c->ui->dirty = true;
}

static void
take(struct command *c, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			flush(c, ROLE_TEXT);
			continue;
		}
		if (c->len + 1 == sizeof(c->line))
			flush(c, ROLE_TEXT);
		/* A tab is as much as a few blanks here. */
		c->line[c->len++] = bytes[i];
		if (bytes[i] == '\t')
			c->line[c->len - 1] = ' ';
		if (bytes[i] == '\0')
			c->line[c->len - 1] = '?';
	}
}

static void
hang_up(struct command *c)
{
	rk_watch_free(c->watch);
	c->watch = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

static void
on_output(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct command *c = arg;
	char bytes[4096];
	ssize_t n;

	(void)w;
	(void)ready;
	n = read(fd, bytes, sizeof(bytes));
	if (n > 0)
		take(c, bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		hang_up(c);
}

/* ---- its pane ---- */

static bool
key(struct ui *ui, struct pane *p, uint32_t key)
{
	(void)p;
	if (key != TK_CTRL('c') || ui->command == NULL)
		return false;
	(void)kill(ui->command->pid, SIGINT);
	return true;
}

static void
closed(struct ui *ui, struct pane *p)
{
	struct command *c = ui->command;

	(void)p;
	if (c == NULL)
		return;
	c->pane = NULL;
	(void)kill(c->pid, SIGTERM);
}

static void
finish(struct ui *ui, int status)
{
	struct command *c = ui->command;
	struct pane *p = c->pane;

	if (c->len > 0)
		flush(c, ROLE_TEXT);
	hang_up(c);
	free(c);
	ui->command = NULL;
	ui->dirty = true;
	if (p == NULL)
		return;
	if (WIFSIGNALED(status))
		text_add(&p->text, ROLE_DIM, "(ended by signal %d)",
		    WTERMSIG(status));
	else
		text_add(&p->text,
		    WEXITSTATUS(status) == 0 ? ROLE_DIM : ROLE_BAD,
		    "(status %d)", WEXITSTATUS(status));
}

void
cmdline_look(struct ui *ui)
{
	struct command *c = ui->command;
	int status;

	/* What it said is read to its end first. */
	if (c == NULL || (c->fd >= 0 && c->pane != NULL))
		return;
	if (waitpid(c->pid, &status, WNOHANG) == c->pid)
		finish(ui, status);
}

void
cmdline_free(struct ui *ui)
{
	struct command *c = ui->command;
	int status = 0;

	if (c == NULL)
		return;
	c->pane = NULL;
	(void)kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	finish(ui, status);
}

/* ---- its beginning ---- */

/* Its pane, and the end of the pipe that we read. */
static void
begin(struct ui *ui, struct command *c, struct ctlwords *w, const char *title)
{
	static const struct pane_ops ops = { .key = key,
		.closed = closed,
		.hints = "j/k move  Ctrl-C end it  Esc back" };
	struct pane *p;

	c->pid = child_start(w, &c->fd);
	if (c->pid < 0) {
		ui_say(ui, ROLE_BAD, "no process: %s", strerror(errno));
		free(c);
		return;
	}
	if ((p = pane_open(ui, &ops, title)) != NULL)
		p->follow = true;
	c->pane = p;
	c->ui = ui;
	ui->command = c;
	if (rk_watch_new(ui->conf.loop, c->fd, RK_READ, on_output, c,
	        &c->watch) != RK_OK)
		hang_up(c);
}

static void
run(struct ui *ui, const char *text)
{
	struct ctlwords w;
	struct command *c;

	if (text == NULL || text[0] == '\0')
		return;
	if (!ctlwords_take(&w, ui->conf.path, text))
		ui_say(ui, ROLE_BAD, "a quote has no end, or too many words");
	else if (ui_read_only(ui) && ctlwords_steer(&w))
		ui_say(
		    ui, ROLE_WAIT, "read-only: nothing is changed from here");
	else if (ui->command != NULL)
		ui_say(ui, ROLE_WAIT, "the last command still ends");
	else if ((c = calloc(1, sizeof(*c))) == NULL)
		ui_say(ui, ROLE_BAD, "out of memory");
	else
		begin(ui, c, &w, text);
}

static void
complete(struct ui *ui, struct line *line)
{
	ctlwords_complete(ui->m, line);
}

void
cmdline_ask(struct ui *ui)
{
	ui_ask(ui, ":", "", run);
	ui->prompt.complete = complete;
}
