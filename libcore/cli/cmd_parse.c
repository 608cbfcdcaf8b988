/* Words of a command line to options and operands, GNU's way or Go's. */
#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/cmd_priv.h"

#define SHOWN 80 /* of a word in a message */

struct parser {
	const struct prog *p;
	struct args *a;
	struct rk_error *err;
	size_t at;         /* next word */
	size_t operand_at; /* the first operand; n_words: none */
	size_t verb_at;    /* the verb; n_words: no word names it */
	size_t option_at;  /* the last word that began an option */
	bool dashes;       /* options are over */
	bool verb_open;    /* the first operand may still be a verb */
};

const struct opt *
cmd_opt(const struct opt *table, const char *name, size_t len)
{
	const struct opt *o = table;

	for (; o != NULL && o->name != NULL; o++) {
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o->as == NULL
			           ? o
			           : cmd_opt(table, o->as, strlen(o->as));
		if (len == 1 && o->letter == name[0])
			return o;
	}
	return NULL;
}

const struct cmd *
cmd_verb(const struct prog *p, const char *name)
{
	const struct cmd *c = p->cmds;

	for (; c != NULL && c->name != NULL; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

const struct opt *
cmd_any_opt(const struct prog *p, const char *name, size_t len)
{
	const struct opt *o = cmd_opt(p->opts, name, len);
	const struct cmd *c = p->cmds;

	for (; o == NULL && c != NULL && c->name != NULL; c++)
		o = cmd_opt(c->opts, name, len);
	return o;
}

const char *
cmd_dashes(const struct prog *p, const struct opt *o)
{
	return p->style == PROG_GO || o->name[1] == '\0' ? "-" : "--";
}

/*
 * The option of this name where the parser stands: the verb's own first, but a
 * letter that the program has as well is the program's in front of the verb.
 */
static const struct opt *
lookup(const struct parser *ps, const char *name, size_t len)
{
	const struct args *a = ps->a;
	const struct opt *o = NULL;

	if (len == 0)
		return NULL;
	if (ps->verb_open)
		return cmd_any_opt(ps->p, name, len);
	if (len == 1 && a->cmd_named && ps->option_at < ps->verb_at)
		o = cmd_opt(ps->p->opts, name, len);
	if (o == NULL && a->cmd != NULL)
		o = cmd_opt(a->cmd->opts, name, len);
	return o != NULL ? o : cmd_opt(ps->p->opts, name, len);
}

/* "--name=value" taken apart. */
struct option_word {
	const char *name;
	size_t len;
	const char *value; /* NULL: no "=" */
	unsigned dashes;
};

static struct option_word
split(const char *word)
{
	struct option_word w = { .name = word + 1, .dashes = 1 };
	const char *eq;

	if (*w.name == '-') {
		w.name++;
		w.dashes = 2;
	}
	eq = strchr(w.name, '=');
	w.len = eq == NULL ? strlen(w.name) : (size_t)(eq - w.name);
	w.value = eq == NULL ? NULL : eq + 1;
	return w;
}

/*
 * A single dash before a whole name is the original programs' form, so it
 * stands for the name also in GNU style; everything else is a cluster.
 */
static bool
is_cluster(const struct parser *ps, const struct option_word *w)
{
	if (ps->p->style == PROG_GO || w->dashes == 2)
		return false;
	return w->len < 2 || lookup(ps, w->name, w->len) == NULL;
}

static bool
is_option(const struct parser *ps, const char *word)
{
	return !ps->dashes && word[0] == '-' && word[1] != '\0';
}

/* Does this option word eat the next one?  (Unknown ones do not.) */
static bool
eats_next(const struct parser *ps, const char *word)
{
	struct option_word w = split(word);
	const struct opt *o;

	if (!is_cluster(ps, &w)) {
		o = lookup(ps, w.name, w.len);
		return o != NULL && w.value == NULL && cmd_opt_takes_word(o);
	}
	for (; *w.name != '\0'; w.name++) {
		o = lookup(ps, w.name, 1);
		if (o == NULL)
			return false;
		if (cmd_opt_takes_word(o))
			return w.name[1] == '\0';
	}
	return false;
}

/*
 * The verb must be known before options are read, because they may stand in
 * front of it: skip what looks like options of any verb.  Returns the index
 * of the first operand, n_words if there is none.
 */
static size_t
find_operand(struct parser *ps, bool *dashes)
{
	size_t n = ps->a->n_words;
	size_t i = 0;

	*dashes = false;
	while (i < n && is_option(ps, ps->a->words[i])) {
		const char *word = ps->a->words[i++];

		if (strcmp(word, "--") == 0) {
			*dashes = true;
			break;
		}
		if (eats_next(ps, word))
			i++;
	}
	return i < n ? i : n;
}

/* The name that a letter may be short for. */
static const char *
begins_with(const char *const *names, char letter)
{
	for (; *names != NULL; names++) {
		if ((*names)[0] == letter && (*names)[1] != '\0')
			return *names;
	}
	return NULL;
}

static enum rk_err unknown_option(
    struct parser *ps, const char *word, size_t len);

/* Is this word one option of no verb and no program?  What stands behind it is
 * its value then, and no verb. */
static bool
is_nobodys(const struct parser *ps, const char *word)
{
	struct option_word w = split(word);

	return word[0] == '-' && w.len > 0 && w.value == NULL &&
	       (w.len == 1 || !is_cluster(ps, &w)) &&
	       lookup(ps, w.name, w.len) == NULL;
}

static enum rk_err
unknown_verb(struct parser *ps, const char *word)
{
	const char *names[64] = { NULL };
	const char *near;
	char shown[SHOWN];
	size_t n = 0;

	for (const struct cmd *c = ps->p->cmds; c->name != NULL && n < 63; c++)
		names[n++] = c->name;
	near = str_nearest(word, names);
	str_escape(shown, sizeof(shown), word);
	if (near == NULL && ps->operand_at > 0 &&
	    is_nobodys(ps, ps->a->words[ps->operand_at - 1]))
		return unknown_option(ps, ps->a->words[ps->operand_at - 1],
		    strlen(ps->a->words[ps->operand_at - 1]));
	if (near == NULL)
		return err_set(
		    ps->err, RK_EINVAL, "unknown command \"%s\"", shown);
	return err_set(ps->err, RK_EINVAL,
	    "unknown command \"%s\" (did you mean \"%s\"?)", shown, near);
}

/* "help" is a verb of every program that has no other of this name. */
static bool
is_help(const struct parser *ps)
{
	const struct args *a = ps->a;

	return ps->operand_at < a->n_words &&
	       strcmp(a->words[ps->operand_at], "help") == 0 &&
	       cmd_verb(ps->p, "help") == NULL;
}

/* Decide on the verb. */
static enum rk_err
find_verb(struct parser *ps)
{
	struct args *a = ps->a;
	bool dashes;

	ps->verb_open = true;
	ps->operand_at = find_operand(ps, &dashes);
	ps->verb_open = false;
	if (!dashes && is_help(ps))
		a->help_at = ps->operand_at;
	if (ps->operand_at == a->n_words || a->help_at < a->n_words ||
	    ps->p->cmds == NULL)
		return RK_OK;
	/* After "--" it is an operand, even if a verb is named like it. */
	if (!dashes || ps->p->default_cmd == NULL)
		a->cmd = cmd_verb(ps->p, a->words[ps->operand_at]);
	a->cmd_named = a->cmd != NULL;
	if (a->cmd_named)
		ps->verb_at = ps->operand_at;
	else if (ps->p->default_cmd != NULL)
		a->cmd = cmd_verb(ps->p, ps->p->default_cmd);
	else
		return unknown_verb(ps, a->words[ps->operand_at]);
	assert(a->cmd != NULL);
	return RK_OK;
}

static size_t
add_names(const struct opt *table, const char **names, size_t n, size_t cap)
{
	for (; table != NULL && table->name != NULL && n + 1 < cap; table++) {
		if ((table->flags & OPT_HIDDEN) == 0)
			names[n++] = table->name;
	}
	return n;
}

/* `word` is the option alone, without its value. */
static enum rk_err
unknown_option(struct parser *ps, const char *word, size_t len)
{
	const struct cmd *c = ps->a->cmd;
	const char *names[128] = { NULL };
	const char *near;
	char name[SHOWN];
	char shown[SHOWN];
	size_t skip = word[1] == '-' ? 2 : 1;
	bool letter = ps->p->style == PROG_GNU && len - skip == 1;
	size_t n = 0;

	rk_escape(shown, sizeof(shown), word, len);
	if (!(letter && skip == 2) &&
	    cmd_any_opt(ps->p, word + skip, len - skip) != NULL)
		return err_set(ps->err, RK_EINVAL,
		    c == NULL ? "option %s needs a command"
		              : "option %s does not belong to %s",
		    shown, c == NULL ? "" : c->name);
	if (c != NULL)
		n = add_names(c->opts, names, n, 128);
	(void)add_names(ps->p->opts, names, n, 128);
	rk_escape(name, sizeof(name), word + skip, len - skip);
	near = letter && skip == 1 ? begins_with(names, name[0])
	                           : str_nearest(name, names);
	if (near == NULL)
		return err_set(ps->err, RK_EINVAL, "unknown option %s", shown);
	return err_set(ps->err, RK_EINVAL,
	    "unknown option %s (did you mean %s%s?)", shown,
	    ps->p->style == PROG_GO || near[1] == '\0' ? "-" : "--", near);
}

static enum rk_err
add_value(
    struct parser *ps, const struct opt *o, const char *text, bool from_env)
{
	struct args *a = ps->a;
	struct value v = { .opt = o, .text = text, .from_env = from_env };
	struct value *p = a->values;
	size_t cap = a->cap_values == 0 ? 16 : 2 * a->cap_values;
	enum rk_err r;

	/* Only flags and "maybe" options come without a text. */
	if ((o->kind == OPT_FLAG || text != NULL) &&
	    (r = cmd_value(ps->p, &v, ps->err)) != RK_OK)
		return r;
	if (a->n_values == a->cap_values) {
		p = reallocarray(a->values, cap, sizeof(*p));
		if (p == NULL)
			return err_set(ps->err, RK_ENOMEM, "out of memory");
		a->values = p;
		a->cap_values = cap;
	}
	p[a->n_values++] = v;
	return RK_OK;
}

static enum rk_err
no_value(struct parser *ps, const struct opt *o)
{
	return err_set(ps->err, RK_EINVAL, "%s%s needs a value%s%s",
	    cmd_dashes(ps->p, o), o->name, o->meta == NULL ? "" : ": ",
	    o->meta == NULL ? "" : o->meta);
}

/* An option that may want the next word. */
static enum rk_err
take_option(struct parser *ps, const struct opt *o, const char *value)
{
	if (value == NULL && cmd_opt_takes_word(o)) {
		if (ps->at == ps->a->n_words)
			return no_value(ps, o);
		value = ps->a->words[ps->at++];
	}
	return add_value(ps, o, value, false);
}

static enum rk_err
take_cluster(struct parser *ps, const char *letters)
{
	const struct opt *o;
	char dash[3] = "-";
	enum rk_err r = RK_OK;

	for (; *letters != '\0' && r == RK_OK; letters++) {
		dash[1] = *letters;
		o = lookup(ps, letters, 1);
		if (o == NULL)
			return unknown_option(ps, dash, 2);
		if (o->kind != OPT_FLAG) {
			/* -k=v is how the original programs took it. */
			const char *rest = letters + 1;

			rest += *rest == '=';
			return take_option(
			    ps, o, letters[1] == '\0' ? NULL : rest);
		}
		r = add_value(ps, o, NULL, false);
	}
	return r;
}

static enum rk_err
take_word(struct parser *ps, const char *word)
{
	struct option_word w = split(word);
	const struct opt *o;
	char shown[SHOWN];

	if (w.len == 0 || *w.name == '-') {
		str_escape(shown, sizeof(shown), word);
		return err_set(ps->err, RK_EINVAL, "bad option %s", shown);
	}
	if (is_cluster(ps, &w)) {
		/* A long word whose start is no option is no cluster, nor is
		 * the name of another verb's option. */
		if (w.len > 1 && (lookup(ps, w.name, 1) == NULL ||
		                     cmd_any_opt(ps->p, w.name, w.len) != NULL))
			return unknown_option(ps, word, w.dashes + w.len);
		return take_cluster(ps, w.name);
	}
	o = lookup(ps, w.name, w.len);
	/* In GNU style two dashes are not the way to write a letter. */
	if (o != NULL && ps->p->style == PROG_GNU && w.len == 1)
		o = NULL;
	if (o == NULL)
		return unknown_option(ps, word, w.dashes + w.len);
	if (o->kind == OPT_FLAG && w.value != NULL && w.dashes == 2 &&
	    ps->p->style == PROG_GNU)
		return err_set(
		    ps->err, RK_EINVAL, "--%s takes no value", o->name);
	return take_option(ps, o, w.value);
}

/* An option that two verbs read differently hid the true one. */
static enum rk_err
misplaced(struct parser *ps)
{
	const char *word = ps->a->words[ps->option_at];
	char shown[SHOWN];

	rk_escape(shown, sizeof(shown), word, strcspn(word, "="));
	return err_set(ps->err, RK_EINVAL,
	    "%s: the options of a command must stand behind it", shown);
}

static enum rk_err
take_operand(struct parser *ps, size_t at)
{
	struct args *a = ps->a;

	if (ps->p->cmds != NULL && a->n_operands == 0 && at < ps->operand_at)
		return misplaced(ps);
	if (at != ps->verb_at) {
		a->operands[a->n_operands++] = a->words[at];
		ps->dashes |= ps->p->style == PROG_GO;
	}
	return RK_OK;
}

static enum rk_err
take_all(struct parser *ps)
{
	enum rk_err r = RK_OK;

	/* What is behind "help" are words about which it is asked. */
	while (
	    r == RK_OK && ps->at < ps->a->n_words && ps->at < ps->a->help_at) {
		size_t at = ps->at++;
		const char *word = ps->a->words[at];

		if (!ps->dashes && strcmp(word, "--") == 0)
			ps->dashes = true;
		else if (is_option(ps, word)) {
			ps->option_at = at;
			r = take_word(ps, word);
		} else
			r = take_operand(ps, at);
		if (r == RK_OK && at < ps->operand_at &&
		    ps->at > ps->operand_at && ps->p->cmds != NULL)
			r = misplaced(ps);
	}
	return r;
}

static enum rk_err
take_env(struct parser *ps, const struct opt *o)
{
	const char *text;
	enum rk_err r = RK_OK;

	for (; o != NULL && o->name != NULL && r == RK_OK; o++) {
		if (o->env == NULL || args_given(ps->a, o->name))
			continue;
		text = getenv(o->env);
		if (text != NULL && *text != '\0')
			r = add_value(ps, o, text, true);
	}
	return r;
}

/* The name of the nth word of "METHOD [ITEM...]"; of words to choose from, as
 * "ls|show", all. */
static void
operand_name(const char *operands, size_t n, char *dst, size_t dst_len)
{
	const char *p = operands == NULL ? "" : operands;
	size_t len = 0;

	for (;; n--, p += len) {
		p += strspn(p, " []|");
		len = strcspn(p, *p >= 'a' && *p <= 'z' ? " []" : " []|");
		if (n == 0 || len == 0)
			break;
	}
	rk_escape(dst, dst_len, p, len);
	if (len == 0)
		(void)str_copy(dst, dst_len, "an operand");
}

/* Options that want no verb and no operand beside them. */
static enum rk_err
check_alone(struct parser *ps)
{
	const struct args *a = ps->a;

	for (size_t i = 0; i < a->n_values; i++) {
		const struct opt *o = a->values[i].opt;

		if ((o->flags & OPT_ALONE) == 0)
			continue;
		if (a->cmd_named)
			return err_set(ps->err, RK_EINVAL,
			    "%s%s does not go with %s", cmd_dashes(ps->p, o),
			    o->name, a->cmd->name);
		if (a->cmd != NULL || a->n_operands != 0)
			return err_set(ps->err, RK_EINVAL,
			    "%s%s takes no operand beside it",
			    cmd_dashes(ps->p, o), o->name);
	}
	return RK_OK;
}

static enum rk_err
check_operands(struct parser *ps)
{
	const struct cmd *c = ps->a->cmd;
	size_t n = ps->a->n_operands;
	char name[SHOWN];
	enum rk_err r;

	if ((r = check_alone(ps)) != RK_OK)
		return r;
	if (c == NULL)
		return RK_OK;
	if (n < c->min_operands) {
		operand_name(c->operands, n, name, sizeof(name));
		return err_set(
		    ps->err, RK_EINVAL, "%s: %s is missing", c->name, name);
	}
	if (n > c->max_operands) {
		str_escape(
		    name, sizeof(name), ps->a->operands[c->max_operands]);
		return err_set(ps->err, RK_EINVAL,
		    "%s: \"%s\" is one operand too many", c->name, name);
	}
	return RK_OK;
}

static enum rk_err
parse(struct parser *ps)
{
	struct args *a = ps->a;
	enum rk_err r;

	ps->operand_at = ps->verb_at = a->help_at = a->n_words;
	if ((r = find_verb(ps)) != RK_OK || (r = take_all(ps)) != RK_OK)
		return r;
	if (a->help_at < a->n_words)
		return RK_OK;
	if (args_known(a, "help") && args_flag(a, "help"))
		return RK_OK;
	if (a->cmd != NULL && (r = take_env(ps, a->cmd->opts)) != RK_OK)
		return r;
	if ((r = take_env(ps, ps->p->opts)) != RK_OK)
		return r;
	if ((r = check_operands(ps)) != RK_OK)
		return r;
	return args_make_lists(a, ps->err);
}

enum rk_err
cmd_read(const struct prog *p, int argc, char *const *argv, struct args **out,
    struct rk_error *err)
{
	struct parser ps = { .p = p, .err = err };
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if ((r = args_new(p, argc, argv, &ps.a)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	r = parse(&ps);
	*out = ps.a;
	return r;
}

enum rk_err
cmd_parse(const struct prog *p, int argc, char *const *argv, struct args **out,
    struct rk_error *err)
{
	enum rk_err r = cmd_read(p, argc, argv, out, err);

	if (r != RK_OK) {
		args_free(*out);
		*out = NULL;
	}
	return r;
}
