/* What the files of the command line share with one another. */
#ifndef RPCKIT_CLI_CMD_PRIV_H
#define RPCKIT_CLI_CMD_PRIV_H

#include "base/buf.h"
#include "cli/cmd.h"

struct value {
	const struct opt *opt;
	const char *text; /* NULL: none was given (flags, --json) */
	uint64_t number;
	bool on;
	bool from_env;
	size_t list_at; /* first of this option's texts in lists ... */
	size_t list_n;  /* ... and how many; 0 but for its first value */
};

struct args {
	const struct prog *prog;
	const struct cmd *cmd;
	bool cmd_named; /* by a word, not by prog->default_cmd */
	char *text;     /* the words, one after the other */
	char **words;   /* without the program's name */
	size_t n_words;
	size_t help_at;       /* the verb "help"; n_words: none */
	struct value *values; /* in order */
	size_t n_values;
	size_t cap_values;
	const char **operands;
	size_t n_operands;
	const char **lists;
};

/* As cmd_parse(), but what was understood stays in *out after an error. */
RK_MUST enum rk_err cmd_read(const struct prog *p, int argc, char *const *argv,
    struct args **out, struct rk_error *err);

RK_MUST enum rk_err args_new(
    const struct prog *p, int argc, char *const *argv, struct args **out);
/* Put the texts of options that may be repeated side by side. */
RK_MUST enum rk_err args_make_lists(struct args *a, struct rk_error *err);
/* Parse and check v->text by its option's kind. */
RK_MUST enum rk_err cmd_value(
    const struct prog *p, struct value *v, struct rk_error *err);

/* Tables: NULL when there is no such entry.  A NULL table is an empty one. */
const struct opt *cmd_opt(
    const struct opt *table, const char *name, size_t len);
const struct cmd *cmd_verb(const struct prog *p, const char *name);
/* The verb of any name and its option of this name; the program's own first. */
const struct opt *cmd_any_opt(
    const struct prog *p, const char *name, size_t len);

/* The word behind which a program of another stands. */
const char *cmd_sub_word(const struct prog *sub);

/* Does a value follow as the next word? */
static inline bool
cmd_opt_takes_word(const struct opt *o)
{
	return o->kind != OPT_FLAG && (o->flags & OPT_MAYBE) == 0;
}

/* How the option is written: "--name", "-n", or in Go style "-name". */
const char *cmd_dashes(const struct prog *p, const struct opt *o);

/* The help: of the program (one screen), of all of it, or of a verb. */
RK_MUST enum rk_err cmd_help(
    const struct prog *p, const struct cmd *c, bool all, struct buf *b);
RK_MUST enum rk_err cmd_man(const struct prog *p, struct buf *b);
/* RK_EINVAL: no such shell. */
RK_MUST enum rk_err cmd_complete(
    const struct prog *p, const char *shell, struct buf *b);
/* KIND PREFIX WORD...: the words of a kind that begin with prefix and need no
 * quoting, behind those words.  RK_EINVAL: no such kind. */
RK_MUST enum rk_err cmd_words(
    const struct prog *p, int argc, char **argv, struct buf *b);

#endif
