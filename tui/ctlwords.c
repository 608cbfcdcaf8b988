/* The words of rpcd ctl, as its table has them: cut, completed, judged. */
#include "ctlwords.h"

#include "base/str.h"
#include "cli/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- cutting ---- */

/* In place, at blanks; false: a quote has no end, or there are too many. */
static bool
cut(struct ctlwords *w, char *text)
{
	char *to = text;

	while (*text != '\0') {
		char quote = '\0';

		while (*text == ' ')
			text++;
		if (*text == '\0')
			break;
		if (w->n == CTLWORDS_MAX)
			return false;
		w->v[w->n++] = to = text;
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
			return false;
		text += *text == ' ';
		*to = '\0';
	}
	return true;
}

bool
ctlwords_take(struct ctlwords *w, const char *path, const char *line)
{
	size_t ours;

	*w = (struct ctlwords){ .prog = "rpcd ctl", .option = "--socket" };
	w->v[w->n++] = w->prog;
	w->v[w->n++] = w->option;
	w->v[w->n++] = w->text;
	ours = str_copy(w->text, sizeof(w->text), path) + 1;
	if (ours >= sizeof(w->text) ||
	    str_copy(w->text + ours, sizeof(w->text) - ours, line) >=
	        sizeof(w->text) - ours)
		return false;
	return cut(w, w->text + ours) && w->n > 3;
}

/* ---- judging ---- */

static const struct cmd_word *
find_word(const struct cmd *c, const char *name)
{
	const struct cmd_word *word = NULL;

	for (size_t i = 0; c->word != NULL && (word = c->word(i)) != NULL;
	     i++) {
		if (strcmp(word->name, name) == 0)
			break;
	}
	return word;
}

static bool
option_steers(const struct args *a, const struct opt *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		if ((o->flags & OPT_STEERS) != 0 && args_given(a, o->name))
			return true;
	}
	return false;
}

static bool
args_steer(const struct args *a)
{
	const struct cmd *c = args_cmd(a);
	const struct cmd_word *word;
	size_t n;
	const char *const *operands = args_operands(a, &n);

	if (c == NULL)
		return false;
	if (c->steers || option_steers(a, c->opts))
		return true;
	word = n > 0 ? find_word(c, operands[0]) : NULL;
	return word != NULL && word->steers;
}

bool
ctlwords_steer(const struct ctlwords *w)
{
	struct args *a = NULL;
	struct rk_error err;
	enum rk_err r;
	bool steers;

	/* The child understands as much as this; but what we had no memory to
	 * look at, it may. */
	r = cmd_parse(&ctl_prog, (int)w->n, w->v, &a, &err);
	steers = r == RK_OK ? args_steer(a) : r != RK_EINVAL;
	args_free(a);
	return steers;
}

bool
ctlwords_follow(const struct ctlwords *w)
{
	static const char *const names[] = { "follow", "watch" };
	struct args *a = NULL;
	struct rk_error err;
	bool follows = false;

	if (cmd_parse(&ctl_prog, (int)w->n, w->v, &a, &err) == RK_OK) {
		for (size_t i = 0; i < 2; i++)
			follows = follows || (args_known(a, names[i]) &&
			                         args_flag(a, names[i]));
	}
	args_free(a);
	return follows;
}

/* ---- completing ---- */

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

	if (strncmp(word, m->begin, strlen(m->begin)) != 0 ||
	    (m->n > 0 && strcmp(word, m->text) == 0))
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
try_keys(const struct model *model, struct match *m)
{
	for (size_t i = 0; i < model->n_keys; i++)
		try_word(m, model->keys[i].fp);
}

static void
try_conns(const struct model *model, struct match *m)
{
	char id[24];

	for (size_t i = 0; i < model->n_conns; i++) {
		(void)snprintf(id, sizeof(id), "%" PRIu64, model->conns[i].id);
		if (model->conns[i].id != 0)
			try_word(m, id);
	}
}

/* What stands for operands in a table: "FP", "ID|FP", "on|off"; small letters
 * are the word itself. */
static void
try_operands(const struct model *model, struct match *m, const char *operands)
{
	char piece[32];

	while (*operands != '\0') {
		size_t n = strcspn(operands, "| ");

		(void)str_copy(
		    piece, n < sizeof(piece) ? n + 1 : sizeof(piece), operands);
		if (strcmp(piece, "FP") == 0)
			try_keys(model, m);
		else if (strcmp(piece, "ID") == 0)
			try_conns(model, m);
		else if (piece[0] >= 'a' && piece[0] <= 'z')
			try_word(m, piece);
		operands += n + (operands[n] != '\0');
	}
}

static void
try_verbs(struct match *m)
{
	for (const struct cmd *c = ctl_prog.cmds; c->name != NULL; c++)
		try_word(m, c->name);
	try_word(m, "help");
}

static void
try_options(struct match *m, const struct opt *o)
{
	char word[64];

	for (; o != NULL && o->name != NULL; o++) {
		(void)snprintf(word, sizeof(word), "--%s", o->name);
		if ((o->flags & OPT_HIDDEN) == 0)
			try_word(m, word);
	}
}

/* The word behind a verb, and behind that what the verb's own verb takes. */
static void
try_behind(const struct model *model, struct match *m, const struct cmd *c,
    const char *second)
{
	const struct cmd_word *word;

	if (m->begin[0] == '-') {
		try_options(m, c->opts);
	} else if (c->word == NULL) {
		try_operands(model, m, c->operands == NULL ? "" : c->operands);
	} else if (second == NULL) {
		for (size_t i = 0; (word = c->word(i)) != NULL; i++)
			try_word(m, word->name);
	} else if ((word = find_word(c, second)) != NULL) {
		try_operands(model, m, word->operands);
	}
}

static const struct cmd *
find_verb(const char *name)
{
	const struct cmd *c = ctl_prog.cmds;

	while (c->name != NULL && strcmp(c->name, name) != 0)
		c++;
	return c->name != NULL ? c : NULL;
}

static void
try_all(const struct model *model, struct match *m, const struct line *line)
{
	struct ctlwords w = { .n = 0 };
	const struct cmd *c;
	size_t before = (size_t)(m->begin - line->text);

	(void)str_copy(w.text, before + 1, line->text);
	if (!cut(&w, w.text))
		return;
	if (w.n == 0)
		try_verbs(m);
	else if (w.n == 1 && strcmp(w.v[0], "help") == 0)
		try_verbs(m);
	else if ((c = find_verb(w.v[0])) != NULL)
		try_behind(model, m, c, w.n > 1 ? w.v[1] : NULL);
}

void
ctlwords_complete(const struct model *model, struct line *line)
{
	struct match m = { 0 };
	char *blank;
	size_t n;

	line->text[line->len] = '\0';
	if (line->at != line->len)
		return;
	blank = strrchr(line->text, ' ');
	m.begin = blank == NULL ? line->text : blank + 1;
	try_all(model, &m, line);
	n = strlen(m.begin);
	if (m.n == 0)
		return;
	if (m.same > n)
		line_insert(line, m.text + n, m.same - n);
	if (m.n == 1)
		line_insert(line, " ", 1);
}
