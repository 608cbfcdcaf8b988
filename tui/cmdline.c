/* The command line: the words of rpcd ctl, run by a child without a shell. */
#include "extra.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 32
#define ARGS_MAX (WORDS_MAX + 5)

extern char **environ;

struct command {
	struct ui *ui;
	pid_t pid;
	int fd; /* what it says; -1: no more */
	struct rk_watch *watch;
	struct pane *pane; /* NULL: it was closed */
	char line[LINE_LEN * 2];
	size_t len;
};

/* ---- words ---- */

/* Cut in place at blanks; quotes of both kinds keep them.  0: no end of one,
 * or too many. */
static size_t
split(char *text, char *words[WORDS_MAX])
{
	size_t n = 0;
	char *to = text;

	while (*text != '\0') {
		char quote = '\0';

		while (*text == ' ')
			text++;
		if (*text == '\0')
			break;
		if (n == WORDS_MAX)
			return 0;
		words[n++] = to = text;
		for (; *text != '\0' && (quote != '\0' || *text != ' ');
		     text++) {
			if (quote == '\0' && (*text == '"' || *text == '\''))
				quote = *text;
			else if (*text == quote)
				quote = '\0';
			else
				*to++ = *text;
		}
		if (quote != '\0')
			return 0;
		text += *text == ' ';
		*to = '\0';
	}
	return n;
}

/* What changes nothing. */
static bool
only_looks(char *const *words, size_t n)
{
	static const char *const all[] = { "status", "conns", "calls",
		"methods", "metrics", "version", "help", "log" };

	if (strcmp(words[0], "trust") == 0)
		return n > 1 && (strcmp(words[1], "ls") == 0 ||
		                    strcmp(words[1], "show") == 0);
	for (size_t i = 1; i < n; i++) {
		if (strncmp(words[i], "--set", 5) == 0)
			return false;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(words[0], all[i]) == 0)
			return true;
	}
	return false;
}

/* ---- completion ---- */

static const char *const verbs[] = { "status", "conns", "calls", "kick",
	"trust", "methods", "metrics", "log", "reload", "drain", "stop",
	"version", "help", NULL };
static const char *const trust_verbs[] = { "ls", "show", "approve", "reject",
	"revoke", "forget", "mode", "lock", "unlock", NULL };

struct match {
	const char *begin;
	size_t n;
	char text[RK_FP_LEN];
	size_t same; /* of text, that all have */
};

static void
try_word(struct match *m, const char *word)
{
	size_t i = 0;

	if (strncmp(word, m->begin, strlen(m->begin)) != 0)
		return;
	if (m->n++ == 0) {
		m->same = str_copy(m->text, sizeof(m->text), word);
		return;
	}
	while (i < m->same && word[i] == m->text[i])
		i++;
	m->same = i;
}

static void
try_keys(struct ui *ui, struct match *m)
{
	for (size_t i = 0; i < ui->m->n_keys; i++)
		try_word(m, ui->m->keys[i].fp);
}

static void
try_conns(struct ui *ui, struct match *m)
{
	char id[24];

	for (size_t i = 0; i < ui->m->n_conns; i++) {
		(void)snprintf(id, sizeof(id), "%llu",
		    (unsigned long long)ui->m->conns[i].id);
		try_word(m, id);
	}
	try_keys(ui, m);
}

static void
complete(struct ui *ui, struct line *line)
{
	struct match m = { 0 };
	char *begin = memrchr(line->text, ' ', line->at);
	bool trust = strncmp(line->text, "trust ", 6) == 0;
	size_t n;

	line->text[line->len] = '\0';
	if (line->at != line->len)
		return;
	m.begin = begin == NULL ? line->text : begin + 1;
	if (begin == NULL) {
		for (size_t i = 0; verbs[i] != NULL; i++)
			try_word(&m, verbs[i]);
	} else if (trust && begin == line->text + 5) {
		for (size_t i = 0; trust_verbs[i] != NULL; i++)
			try_word(&m, trust_verbs[i]);
	} else if (trust) {
		try_keys(ui, &m);
	} else if (strncmp(line->text, "kick ", 5) == 0) {
		try_conns(ui, &m);
	}
	n = strlen(m.begin);
	if (m.n == 0)
		return;
	if (m.same > n)
		line_insert(line, m.text + n, m.same - n);
	if (m.n == 1)
		line_insert(line, " ", 1);
}

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

/* ---- the child ---- */

/* Beside our own program, as it was built or installed; else by PATH. */
static void
find_program(char out[PATH_LEN])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_LEN - 8);
	char *slash;

	if (n > 0) {
		out[n] = '\0';
		slash = strrchr(out, '/');
		(void)str_copy(slash + 1, 5, "rpcd");
		if (access(out, X_OK) == 0)
			return;
	}
	(void)str_copy(out, PATH_LEN, "rpcd");
}

static int
set_child(posix_spawn_file_actions_t *files, posix_spawnattr_t *attr, int fd)
{
	sigset_t none, all;
	int e;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if ((e = posix_spawn_file_actions_addopen(
	         files, 0, "/dev/null", O_RDONLY, 0)) != 0 ||
	    (e = posix_spawn_file_actions_adddup2(files, fd, 1)) != 0 ||
	    (e = posix_spawn_file_actions_adddup2(files, fd, 2)) != 0 ||
	    (e = posix_spawnattr_setsigmask(attr, &none)) != 0 ||
	    (e = posix_spawnattr_setsigdefault(attr, &all)) != 0 ||
	    (e = posix_spawnattr_setpgroup(attr, 0)) != 0)
		return e;
	return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
	                                          POSIX_SPAWN_SETSIGDEF |
	                                          POSIX_SPAWN_SETPGROUP);
}

static int
spawn(char *const *argv, int fd, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int e;

	if ((e = posix_spawn_file_actions_init(&files)) != 0)
		return e;
	if ((e = posix_spawnattr_init(&attr)) == 0) {
		if ((e = set_child(&files, &attr, fd)) == 0)
			e = posix_spawnp(
			    pid, argv[0], &files, &attr, argv, environ);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&files);
	return e;
}

/* Its pane, and the end of the pipe that we read. */
static void
begin(struct ui *ui, struct command *c, char *const *argv, const char *title)
{
	static const struct pane_ops ops = { .key = key,
		.closed = closed,
		.hints = "j/k move  Ctrl-C end it  Esc back" };
	struct pane *p;
	int ends[2], e;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
		ui_say(ui, ROLE_BAD, "no pipe: %s", strerror(errno));
		free(c);
		return;
	}
	(void)fcntl(ends[1], F_SETFL, 0);
	e = spawn(argv, ends[1], &c->pid);
	(void)close(ends[1]);
	c->fd = ends[0];
	if (e != 0) {
		ui_say(ui, ROLE_BAD, "%s: %s", argv[0], strerror(e));
		hang_up(c);
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
	char program[PATH_LEN], title[LINE_LEN], line[LINE_LEN];
	char verb[] = "ctl", option[] = "--socket", path[PATH_LEN];
	char *words[WORDS_MAX], *argv[ARGS_MAX];
	struct command *c;
	size_t n;

	if (text == NULL || text[0] == '\0')
		return;
	(void)str_copy(title, sizeof(title), text);
	(void)str_copy(line, sizeof(line), text);
	if ((n = split(line, words)) == 0) {
		ui_say(ui, ROLE_BAD, "a quote has no end, or too many words");
		return;
	}
	if (ui_read_only(ui) && !only_looks(words, n)) {
		ui_say(
		    ui, ROLE_WAIT, "read-only: nothing is changed from here");
		return;
	}
	if (ui->command != NULL) {
		ui_say(ui, ROLE_WAIT, "the last command still ends");
		return;
	}
	find_program(program);
	(void)str_copy(path, sizeof(path), ui->conf.path);
	argv[0] = program;
	argv[1] = verb;
	argv[2] = option;
	argv[3] = path;
	memcpy(&argv[4], words, n * sizeof(words[0]));
	argv[4 + n] = NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		ui_say(ui, ROLE_BAD, "out of memory");
	else
		begin(ui, c, argv, title);
}

void
cmdline_ask(struct ui *ui)
{
	ui_ask(ui, ":", "", run);
	ui->prompt.complete = complete;
}
