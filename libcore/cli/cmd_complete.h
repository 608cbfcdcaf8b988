/* What completion scripts of the shells are made with. */
#ifndef RPCKIT_CLI_CMD_COMPLETE_H
#define RPCKIT_CLI_CMD_COMPLETE_H

#include "cli/cmd_priv.h"

struct script {
	const struct prog *p;
	const char *name; /* of the program that is called */
	const char *word; /* behind which p stands; NULL: it is that program */
	struct buf *b;
	bool zsh;
	enum rk_err r; /* the first failure; later calls do nothing */
};

/* cmd_complete.c: text; with every ~ replaced by the program's name; inside
 * '...'. */
void script_put(struct script *s, const char *text);
void script_put_named(struct script *s, const char *text);
void script_put_quoted(struct script *s, const char *text);
/* Is it shown; the first words of "a|b X"; what a value is. */
bool script_is_shown(const struct opt *o);
void script_put_choices(struct script *s, const char *meta);
enum complete script_value_kind(const struct opt *o);
/* The options that eat the next word, false: none; the verbs. */
bool script_put_eater_names(struct script *s, const char *sep);
void script_put_verb_words(struct script *s, const char *sep, bool with_help);

/* cmd_complete_words.c: "method", of kinds that the program is asked for. */
const char *script_kind_name(enum complete kind);

/* cmd_complete_fish.c */
void script_put_fish(struct script *s);

#endif
