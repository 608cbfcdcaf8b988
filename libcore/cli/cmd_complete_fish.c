/* Completion scripts for fish made from the tables. */
#include <stdio.h>

#include "base/str.h"
#include "cli/cmd_complete.h"

static void
put_fish_eaters(struct script *s)
{
	script_put(s, "\t\tcase ");
	if (!script_put_eater_names(s, " "))
		script_put(s, "--no-such-option");
	script_put(s, "\n\t\t\tset skip 1\n");
}

/* Files, unless it is to be another word. */
static const char fish_files[] =
    "(commandline -ct | string replace -r \"^--[^=]*=\" \"\" | "
    "string match -v \"keyvault:*\" | read -l t; "
    "and __fish_complete_path \"$t\") ";

static void
put_fish_values(struct script *s, enum complete kind, const char *meta)
{
	switch (kind) {
	case COMPLETE_NONE:
		break;
	case COMPLETE_FILE:
		script_put(s, " -F");
		break;
	case COMPLETE_DIR:
		script_put(s, " -a '(__fish_complete_directories)'");
		break;
	case COMPLETE_CONTEXT:
	case COMPLETE_METHOD:
	case COMPLETE_ITEM:
	case COMPLETE_SETTING:
	case COMPLETE_KEY:
	case COMPLETE_HELD:
	case COMPLETE_PAIR:
	case COMPLETE_SERVER:
		script_put(s, " -a '");
		if (kind == COMPLETE_HELD)
			script_put(s, fish_files);
		script_put(s, "(");
		script_put_named(s, "~ __complete-words ");
		script_put(s, script_kind_name(kind));
		/* What is offered is quoted as it is put there. */
		script_put(s, kind == COMPLETE_ITEM
		                  ? " (string unescape -- (commandline -ct))"
		                  : " (commandline -ct)");
		script_put(s, " (commandline -opc)[2..-1] 2>/dev/null)'");
		break;
	case COMPLETE_WORDS:
		script_put(s, " -a '");
		script_put_choices(s, meta);
		script_put(s, "'");
		break;
	}
}

/* Part of the names of functions of its own. */
static void
put_fish_word(struct script *s)
{
	if (s->word == NULL)
		return;
	script_put(s, s->word);
	script_put(s, "_");
}

/* "complete -c NAME", at these places of a line: "call:0 call:1". */
static void
put_fish_head(struct script *s, const char *where)
{
	script_put_named(s, "complete -c ~");
	if (where != NULL) {
		script_put_named(s, " -n '_~_");
		put_fish_word(s);
		script_put(s, "is ");
		script_put(s, where);
		script_put(s, "'");
	} else if (s->word != NULL || s->p->subs != NULL) {
		script_put_named(s, " -n '_~_in ");
		script_put(s, s->word == NULL ? "-" : s->word);
		script_put(s, "'");
	}
}

static void
put_fish_opt(struct script *s, const char *where, const struct opt *o)
{
	const char letter[] = { o->letter, '\0' };

	put_fish_head(s, where);
	/* Go's -v is no letter of a group: -verify is another. */
	if (s->p->style == PROG_GO)
		script_put(s, " -o ");
	else
		script_put(s, o->name[1] == '\0' ? " -s " : " -l ");
	script_put(s, o->name);
	if (o->letter != 0 && o->name[1] != '\0') {
		script_put(s, " -s ");
		script_put(s, letter);
	}
	if (cmd_opt_takes_word(o))
		script_put(
		    s, script_value_kind(o) == COMPLETE_FILE ? " -r" : " -x");
	if (o->kind != OPT_FLAG)
		put_fish_values(s, script_value_kind(o), o->meta);
	script_put(s, " -d ");
	script_put_quoted(s, o->about == NULL ? "" : o->about);
	script_put(s, "\n");
}

/* Behind the first operand of a verb. */
static void
put_fish_rest(struct script *s, const char *verb, const struct cmd *c)
{
	char where[64];

	if (c->rest == COMPLETE_NONE)
		return;
	(void)snprintf(where, sizeof(where), "%s:1", verb);
	put_fish_head(s, where);
	script_put(s, c->rest == COMPLETE_FILE ? "" : " -f");
	put_fish_values(s, c->rest, NULL);
	script_put(s, "\n");
}

static void
put_fish_cmd(struct script *s, const struct cmd *c)
{
	char first[64];
	char all[128];

	(void)snprintf(first, sizeof(first), "%s:0", c->name);
	(void)snprintf(all, sizeof(all), "%s:0 %s:1", c->name, c->name);
	put_fish_head(s, ":0");
	script_put(s, " -f -a ");
	script_put(s, c->name);
	script_put(s, " -d ");
	script_put_quoted(s, c->about == NULL ? "" : c->about);
	script_put(s, "\n");
	put_fish_head(s, first);
	if (c->complete != COMPLETE_FILE)
		script_put(s, " -f");
	put_fish_values(s, c->complete, c->operands);
	script_put(s, "\n");
	put_fish_rest(s, c->name, c);
	for (const struct opt *o = c->opts; o != NULL && o->name != NULL; o++) {
		if (script_is_shown(o))
			put_fish_opt(s, all, o);
	}
}

/* "VERB:0" before its first operand and "VERB:1" behind; fish's own helpers
 * take the value of an option for a verb. */
static void
put_fish_scan(struct script *s)
{
	script_put_named(s, "function _~_");
	put_fish_word(s);
	script_put_named(s, "is\n"
	                    "\tset -l skip 0\n\tset -l verb ''\n\tset -l n 0\n"
	                    "\tset -l words (commandline -opc)\n"
	                    "\tset -e words[1]\n");
	if (s->word != NULL) {
		script_put_named(s, "\t_~_in ");
		script_put(s, s->word);
		script_put(s, "; or return 1\n\tset -e words[1]\n");
	}
	script_put_named(s,
	    "\tfor w in $words\n"
	    "\t\tif test $skip = 1\n\t\t\tset skip 0\n\t\t\tcontinue\n"
	    "\t\tend\n"
	    "\t\tswitch $w\n");
	put_fish_eaters(s);
	script_put(s, "\t\tcase '-*'\n\t\tcase ");
	script_put_verb_words(s, " ", true);
	script_put(s, "\n"
	              "\t\t\tif test -z \"$verb\" -a $n = 0\n"
	              "\t\t\t\tset verb $w\n\t\t\telse\n\t\t\t\tset n 1\n"
	              "\t\t\tend\n"
	              "\t\tcase '*'\n\t\t\tset n 1\n\t\tend\n\tend\n"
	              "\tcontains -- \"$verb:$n\" $argv\nend\n");
}

static void
put_fish_verbs(struct script *s)
{
	const struct cmd *usual = s->p->default_cmd == NULL
	                              ? NULL
	                              : cmd_verb(s->p, s->p->default_cmd);

	for (const struct cmd *c = s->p->cmds; c->name != NULL; c++)
		put_fish_cmd(s, c);
	put_fish_head(s, ":0");
	script_put(s, " -f -a help -d 'what a command does'\n");
	put_fish_head(s, "help:0");
	script_put(s, " -f -a '");
	script_put_verb_words(s, " ", false);
	script_put(s, "'\n");
	if (usual == NULL || usual->complete == COMPLETE_NONE)
		return;
	put_fish_head(s, ":0");
	script_put(s, " -f");
	put_fish_values(s, usual->complete, usual->operands);
	script_put(s, "\n");
	put_fish_rest(s, "", usual);
}

/* Which program is meant: that of the first word, or "-". */
static void
put_fish_in(struct script *s)
{
	const struct prog *const *sub = s->p->subs;

	script_put_named(s, "function _~_in\n"
	                    "\tset -l words (commandline -opc) -\n"
	                    "\tset -l which -\n"
	                    "\tcontains -- $words[2]");
	for (; *sub != NULL; sub++) {
		script_put(s, " ");
		script_put(s, cmd_sub_word(*sub));
	}
	script_put(s, "; and set which $words[2]\n"
	              "\ttest $which = $argv[1]\nend\n");
}

static void put_fish_all(struct script *s);

static void
put_fish_subs(struct script *s)
{
	const struct prog *const *sub = s->p->subs;

	for (; s->r == RK_OK && *sub != NULL; sub++) {
		struct script own = *s;

		put_fish_head(s, NULL);
		script_put(s, " -f -a ");
		script_put(s, cmd_sub_word(*sub));
		script_put(s, " -d ");
		script_put_quoted(s, (*sub)->about);
		script_put(s, "\n");
		own.r = s->r;
		own.p = *sub;
		own.word = cmd_sub_word(*sub);
		put_fish_all(&own);
		s->r = own.r;
	}
}

void
script_put_fish(struct script *s)
{
	script_put_named(
	    s, "# fish completion for ~, made by: ~ __complete fish\n");
	if (s->p->subs != NULL)
		put_fish_in(s);
	put_fish_all(s);
	if (s->p->subs != NULL)
		put_fish_subs(s);
}

static void
put_fish_all(struct script *s)
{
	const struct opt *o = s->p->opts;

	if (s->p->cmds != NULL)
		put_fish_scan(s);
	for (; o != NULL && o->name != NULL; o++) {
		if (script_is_shown(o))
			put_fish_opt(s, NULL, o);
	}
	if (s->p->cmds != NULL)
		put_fish_verbs(s);
}
