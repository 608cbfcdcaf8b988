/* The commands of the shell: the words of a line that begins with a colon. */
#include "shell.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/pager.h"
#include "history.h"
#include "reach.h"
#include "rpcsh.h"
#include "show.h"

#include <rpckit/push.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPEAT_MAX 1000000
#define USAGE_COLUMNS 26
#define REPEAT_MS_MAX 86400000

struct shell_cmd {
	const char *name; /* NULL ends the table */
	const char *operands;
	const char *about;
	enum complete complete; /* of the first operand */
	unsigned min_operands;
	unsigned max_operands;
	int (*run)(struct shell *s, const struct words *w);
};

/* ---- verbs ---- */

/* A verb of the command line under its own name. */
static int
run_verb(struct shell *s, const struct words *w)
{
	struct words verb = *w;
	int status;

	verb.list = calloc(w->n + 1, sizeof(*verb.list));
	if (verb.list == NULL)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	memcpy(verb.list, w->list, w->n * sizeof(*verb.list));
	verb.list[0]++; /* the colon */
	status = shell_run(s, &verb);
	free(verb.list);
	return status;
}

static int
run_two(struct shell *s, const char *first, const char *second)
{
	char one[32], two[RK_NAME_MAX + 1];
	char *list[] = { one, two, NULL };
	const struct words w = { .list = list, .n = 2 };

	(void)str_copy(one, sizeof(one), first);
	(void)str_copy(two, sizeof(two), second);
	return shell_run(s, &w);
}

/* Alone: this server, and the list. */
static int
run_trust(struct shell *s, const struct words *w)
{
	if (w->n > 1)
		return run_verb(s, w);
	shell_trust(s);
	return run_two(s, "trust", "ls");
}

static int
run_ctx(struct shell *s, const struct words *w)
{
	return w->n == 1 ? run_two(s, "ctx", "ls") : shell_use(s, w);
}

/* ---- calls ---- */

static int
run_ask(struct shell *s, const struct words *w)
{
	return shell_ask(s, w->list[1]);
}

static int
keep_path(struct shell *s, const char *path, char **where)
{
	char *copy;

	if (path[0] == '\0' || strlen(path) >= PATH_LEN)
		return out_fail(
		    &s->o, RK_EINVAL, "that is no name of a file", NULL);
	if ((copy = strdup(path)) == NULL)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	free(*where);
	*where = copy;
	return 0;
}

static int
run_switch(struct shell *s, const struct words *w, bool *which)
{
	char text[64];

	if (w->n > 1 && str_parse_bool(w->list[1], which) != RK_OK) {
		(void)snprintf(
		    text, sizeof(text), "%.20s: on or off", w->list[0]);
		return out_fail(&s->o, RK_EINVAL, text, NULL);
	}
	if (w->n == 1)
		out_text(&s->o, "%s\n", *which ? "on" : "off");
	return 0;
}

static int
run_time(struct shell *s, const struct words *w)
{
	static const char *const words[] = { "off", "brief", "on" };
	bool on;

	if (w->n == 1)
		out_text(&s->o, "%s\n", words[s->time]);
	else if (strcmp(w->list[1], words[SHELL_TIME_BRIEF]) == 0)
		shell_time(s, SHELL_TIME_BRIEF);
	else if (str_parse_bool(w->list[1], &on) == RK_OK)
		shell_time(s, on ? SHELL_TIME_ON : SHELL_TIME_OFF);
	else
		return out_fail(
		    &s->o, RK_EINVAL, ":time: on, off or brief", NULL);
	return 0;
}

/* On, off, or to a file, which off ends as well. */
static int
run_trace(struct shell *s, const struct words *w)
{
	bool on;

	if (w->n > 1 && str_parse_bool(w->list[1], &on) != RK_OK)
		return keep_path(s, w->list[1], &s->trace_file);
	if (w->n > 1 && !on) {
		free(s->trace_file);
		s->trace_file = NULL;
	}
	return run_switch(s, w, &s->trace);
}

static int
run_out(struct shell *s, const struct words *w)
{
	return keep_path(s, w->list[1], &s->out);
}

static int
run_last(struct shell *s, const struct words *w)
{
	return last_show(&s->last, &s->o, w->n > 1 ? w->list[1] : NULL);
}

static int
run_edit(struct shell *s, const struct words *w)
{
	(void)w;
	return shell_edit(s);
}

static int
no_call(const struct shell *s)
{
	return out_fail(&s->o, RK_ENOENT, "nothing has been called yet", NULL);
}

static int
call_again(struct shell *s)
{
	char *line = strdup(s->call);
	int status = 0;

	if (line == NULL)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	if (shell_run_text(s, line, strlen(line), &status) != RK_OK)
		status = 1; /* it was whole the first time */
	free(line);
	return status;
}

static int
run_again(struct shell *s, const struct words *w)
{
	(void)w;
	return s->call == NULL ? no_call(s) : call_again(s);
}

/* False: Ctrl-C. */
static bool
wait_between(struct shell *s, uint64_t ms)
{
	uint64_t until = mono_us() + ms * 1000, now;

	while ((now = mono_us()) < until && !held_interrupted() &&
	       s->held->is_open)
		reach_turn(&s->held->t, (int)((until - now + 999) / 1000));
	return !held_interrupted();
}

static int
run_repeat(struct shell *s, const struct words *w)
{
	uint64_t n, ms = 1000;
	int status = 0;

	if (s->call == NULL)
		return no_call(s);
	if (str_parse_u64(w->list[1], 1, REPEAT_MAX, &n) != RK_OK ||
	    (w->n > 2 && (str_parse_duration(w->list[2], &ms) != RK_OK ||
	                     ms > REPEAT_MS_MAX)))
		return out_fail(&s->o, RK_EINVAL,
		    ":repeat: how often, and how long between two (1s)",
		    ":help repeat");
	for (uint64_t i = 0; i < n && status == 0; i++) {
		if (i > 0 && !wait_between(s, ms))
			return held_canceled();
		status = call_again(s);
	}
	return status;
}

/* The command line that does the same. */
static int
run_cmd(struct shell *s, const struct words *w)
{
	struct buf b;
	enum rk_err r;

	(void)w;
	if (s->call == NULL)
		return no_call(s);
	buf_init(&b, 4 * WORDS_TEXT_MAX);
	r = buf_put_str(&b, s->lines.name);
	for (size_t i = 0; r == RK_OK && i < s->n_options; i++) {
		if (strcmp(s->options[i], "--context=") != 0 &&
		    (r = buf_put_str(&b, " ")) == RK_OK)
			r = words_quote(&b, s->options[i]);
	}
	if (r == RK_OK)
		r = buf_printf(&b, " %s\n", s->call);
	if (r == RK_OK)
		out_bytes(&s->o, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r == RK_OK ? 0 : out_fail(&s->o, r, rk_err_text(r), NULL);
}

static int
run_watch(struct shell *s, const struct words *w)
{
	size_t len = strlen(w->list[1]);

	if (len == 0 || len > RK_TOPIC_MAX)
		return out_fail(&s->o, RK_EINVAL, ":watch: that is no subject",
		    ":help watch");
	return shell_watch(s, w->list[1]);
}

/* ---- lines ---- */

static int
run_source(struct shell *s, const struct words *w)
{
	return shell_script(s, w->list[1], false);
}

struct found {
	const struct shell *s;
	const char *part;
	size_t len;
	struct buf *b; /* NULL: they are shown */
	enum rk_err r;
};

static void
take_line(const char *line, void *arg)
{
	struct found *f = arg;
	char shown[4096];

	if (f->b == NULL) {
		if (memmem(line, strlen(line), f->part, f->len) != NULL)
			out_text(&f->s->o, "%s\n",
			    str_escape_again(shown, sizeof(shown), line));
		return;
	}
	if (f->r == RK_OK && (f->r = buf_put_str(f->b, line)) == RK_OK)
		f->r = buf_put_str(f->b, "\n");
}

static int
no_history(const struct shell *s)
{
	return out_fail(&s->o, RK_EINVAL, "a script has no history", NULL);
}

static int
run_history(struct shell *s, const struct words *w)
{
	struct found f = { .s = s, .part = "" };

	if (s->history == NULL)
		return no_history(s);
	if (w->n > 1) { /* "/part/", or without the signs */
		f.part = w->list[1] + (w->list[1][0] == '/');
		f.len = strlen(f.part);
		if (f.len > 0 && f.part[f.len - 1] == '/' &&
		    f.part != w->list[1])
			f.len--;
	}
	history_each(s->history, take_line, &f);
	return 0;
}

static int
run_save(struct shell *s, const struct words *w)
{
	struct found f = { .s = s };
	struct rk_error err;
	struct buf b;

	if (s->history == NULL)
		return no_history(s);
	buf_init(&b, SIZE_MAX / 2);
	f.b = &b;
	history_each(s->history, take_line, &f);
	err_clear(&err);
	if (f.r == RK_OK)
		f.r = fs_write_file(
		    w->list[1], buf_peek(&b), buf_len(&b), 0600, false, &err);
	else
		(void)err_set(&err, f.r, "%s", rk_err_text(f.r));
	buf_fini(&b);
	return f.r == RK_OK ? 0 : out_error(&s->o, &err, NULL);
}

static int
run_quit(struct shell *s, const struct words *w)
{
	(void)w;
	s->over = true;
	return 0;
}

/* ---- the table ---- */

static int run_help(struct shell *s, const struct words *w);

/* All else about it stands in the table of verbs. */
#define VERB(name, run)                                           \
	{                                                         \
		name, NULL, NULL, COMPLETE_NONE, 0, UINT_MAX, run \
	}

static const struct shell_cmd cmds[] = {
	{ "help", "[WORD]", "this list, or about a word", COMPLETE_NONE, 0, 1,
	    run_help },
	VERB("ls", run_verb),
	VERB("desc", run_verb),
	{ "ask", "METHOD", "call it; its fields are asked for one by one",
	    COMPLETE_METHOD, 1, 1, run_ask },
	{ "again", "", "repeat the last call", COMPLETE_NONE, 0, 0, run_again },
	{ "repeat", "N [TIME]", "so often, with a time between (1s)",
	    COMPLETE_NONE, 1, 2, run_repeat },
	{ "cmd", "", "the last call as a command line", COMPLETE_NONE, 0, 0,
	    run_cmd },
	{ "last", "[FORM]", "the last reply once more, as -o FORM",
	    COMPLETE_WORDS, 0, 1, run_last },
	{ "edit", "", "the last call in $EDITOR, then do what it says",
	    COMPLETE_NONE, 0, 0, run_edit },
	{ "out", "FILE", "write the reply of the next call there",
	    COMPLETE_FILE, 1, 1, run_out },
	{ "time", "[on|off|brief]", "show how long calls take, as -t or not",
	    COMPLETE_WORDS, 0, 1, run_time },
	{ "trace", "[on|off|FILE]", "show the headers of replies, or keep them",
	    COMPLETE_FILE, 0, 1, run_trace },
	{ "watch", "SUBJECT", "subscribe; what is pushed is shown",
	    COMPLETE_NONE, 1, 1, run_watch },
	{ "connect", "[HOST:PORT|URL]", "to another server, or again",
	    COMPLETE_SERVER, 0, 1, shell_reconnect },
	{ "use", "NAME|-", "the settings of a context", COMPLETE_CONTEXT, 1, 1,
	    shell_use },
	{ "ctx", "[NAME|-]", "list the contexts, or use one", COMPLETE_CONTEXT,
	    0, 1, run_ctx },
	{ "set", "[OPTION [VALUE|-]]", "an option for all lines that follow",
	    COMPLETE_NONE, 0, 2, shell_set },
	VERB("trust", run_trust),
	{ "source", "FILE", "run the lines of a file", COMPLETE_FILE, 1, 1,
	    run_source },
	{ "history", "[/TEXT/]", "what was typed", COMPLETE_NONE, 0, 1,
	    run_history },
	{ "save", "FILE", "write that to a file", COMPLETE_FILE, 1, 1,
	    run_save },
	{ "quit", "", "leave; so does Ctrl-D", COMPLETE_NONE, 0, 0, run_quit },
	{ 0 },
};

/* Shorter words for some. */
static const char *const also[][2] = { { "h", "help" }, { "?", "help" },
	{ "hist", "history" }, { "q", "quit" }, { "exit", "quit" } };

static const struct shell_cmd *
find(const char *name)
{
	const struct shell_cmd *c = cmds;

	for (size_t i = 0; i < sizeof(also) / sizeof(also[0]); i++) {
		if (strcmp(also[i][0], name) == 0)
			name = also[i][1];
	}
	while (c->name != NULL && strcmp(c->name, name) != 0)
		c++;
	return c->name == NULL ? NULL : c;
}

const char *const *
shell_command_names(void)
{
	static const char *names[sizeof(cmds) / sizeof(cmds[0])];

	for (size_t i = 0; cmds[i].name != NULL; i++)
		names[i] = cmds[i].name;
	return names;
}

enum complete
shell_command_takes(const char *name)
{
	const struct shell_cmd *c = find(name);

	return c == NULL ? COMPLETE_NONE : c->complete;
}

const char *
shell_command_operands(const char *name)
{
	const struct shell_cmd *c = find(name);

	if (c == NULL)
		return NULL;
	return c->run == run_last ? SHOW_FORMS : c->operands;
}

bool
shell_command_is_verb(const char *name)
{
	const struct shell_cmd *c = find(name);

	return c != NULL && c->operands == NULL;
}

static void
show_usage(
    const struct shell *s, const struct out *o, const struct shell_cmd *c)
{
	const char *operands = c->operands, *about = c->about;
	const struct cmd *v = s->lines.cmds;
	char usage[64];

	while (operands == NULL && strcmp(v->name, c->name) != 0)
		v++;
	if (operands == NULL) {
		operands = v->operands;
		about = v->about;
	}
	(void)snprintf(usage, sizeof(usage), ":%s %s", c->name, operands);
	if (strlen(usage) > USAGE_COLUMNS)
		out_text(
		    o, "  %s\n%*s%s\n", usage, USAGE_COLUMNS + 3, "", about);
	else
		out_text(o, "  %-*s %s\n", USAGE_COLUMNS, usage, about);
}

static void
show_all(const struct shell *s)
{
	struct out page;
	struct buf b;

	pager_begin(&s->o, &page, &b);
	out_text(&page,
	    "METHOD [ITEM...] calls; so does what follows rpcsh on a "
	    "command line\n");
	for (const struct shell_cmd *c = cmds; c->name != NULL; c++)
		show_usage(s, &page, c);
	pager_end(&s->o, &b);
}

int
shell_help(struct shell *s)
{
	show_all(s);
	return 0;
}

/* About a command, a verb, or a method. */
static int
run_help(struct shell *s, const struct words *w)
{
	const struct shell_cmd *c;
	const char *word = w->n > 1 ? w->list[1] : "";

	if (w->n == 1)
		return shell_help(s);
	if ((c = find(word + (word[0] == ':'))) != NULL) {
		show_usage(s, &s->o, c);
		return 0;
	}
	for (const struct cmd *v = s->lines.cmds; v->name != NULL; v++) {
		if (strcmp(v->name, word) == 0)
			return run_two(s, word, "-h");
	}
	return run_two(s, "desc", word);
}

static int
unknown(const struct shell *s, const char *name)
{
	const char *near = str_nearest(name, shell_command_names());
	char text[256], shown[96];

	(void)str_escape(shown, sizeof(shown), name);
	if (near == NULL)
		(void)snprintf(text, sizeof(text), "no command :%s", shown);
	else
		(void)snprintf(text, sizeof(text),
		    "no command :%s (did you mean :%s?)", shown, near);
	return out_fail(&s->o, RK_EINVAL, text, ":help");
}

int
shell_command(struct shell *s, const struct words *w)
{
	const struct shell_cmd *c = find(w->list[0] + 1);
	char text[160];
	size_t n = w->n - 1;

	if (c == NULL)
		return unknown(s, w->list[0] + 1);
	if (n >= c->min_operands && n <= c->max_operands)
		return c->run(s, w);
	(void)snprintf(text, sizeof(text), "the form is :%s%s%s", c->name,
	    c->operands[0] == '\0' ? "" : " ", c->operands);
	return out_fail(&s->o, RK_EINVAL, text, NULL);
}
