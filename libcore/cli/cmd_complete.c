/* Completion scripts for bash, zsh and fish made from the tables. */
#include <stdio.h>

#include "base/str.h"
#include "cli/cmd_priv.h"

struct script {
	const struct prog *p;
	struct buf *b;
	bool zsh;
	enum rk_err r; /* the first failure; later calls do nothing */
};

static void
put(struct script *s, const char *text)
{
	if (s->r == RK_OK)
		s->r = buf_put_str(s->b, text);
}

/* Text with every ~ replaced by the program's name. */
static void
put_named(struct script *s, const char *text)
{
	for (;;) {
		size_t len = strcspn(text, "~");

		if (s->r == RK_OK)
			s->r = buf_put(s->b, text, len);
		if (text[len] == '\0')
			return;
		put(s, s->p->name);
		text += len + 1;
	}
}

/* Inside '...': no shell reads anything but the closing quote there. */
static void
put_quoted(struct script *s, const char *text)
{
	put(s, "'");
	for (; *text != '\0'; text++) {
		char one[2] = { *text, '\0' };

		put(s, *text == '\'' ? "'\\''" : one);
	}
	put(s, "'");
}

static bool
is_shown(const struct opt *o)
{
	return (o->flags & OPT_HIDDEN) == 0;
}

/* "--name" and sep and "-n". */
static void
put_names(struct script *s, const struct opt *o, const char *sep)
{
	const char letter[] = { '-', o->letter, '\0' };

	put(s, cmd_dashes(s->p, o));
	put(s, o->name);
	if (o->letter != 0 && o->name[1] != '\0') {
		put(s, sep);
		put(s, letter);
	}
}

/* "ask|strict" or "ls|find HOST" as separate words. */
static void
put_choices(struct script *s, const char *meta)
{
	bool word = true;

	for (; meta != NULL && *meta != '\0'; meta++) {
		char one[2] = { *meta == '|' ? ' ' : *meta, '\0' };

		/* Only the first word of each. */
		word = *meta == '|' || (word && *meta != ' ');
		if (word && *meta != '[' && *meta != ']')
			put(s, one);
	}
}

/* The shell's command that offers values of this kind. */
static void
put_action(struct script *s, enum complete kind, const char *meta)
{
	switch (kind) {
	case COMPLETE_NONE:
		put(s, ":");
		break;
	case COMPLETE_FILE:
		put_named(s, "_~_files");
		break;
	case COMPLETE_DIR:
		put_named(s, "_~_dirs");
		break;
	case COMPLETE_CONTEXT:
		put_named(s, "_~_ask context");
		break;
	case COMPLETE_METHOD:
		put_named(s, "_~_ask method");
		break;
	case COMPLETE_WORDS:
		put_named(s, "_~_words ");
		put_choices(s, meta);
		break;
	}
}

static enum complete
value_kind(const struct opt *o)
{
	return o->kind == OPT_CHOICE ? COMPLETE_WORDS : o->complete;
}

/* case lines: what stands behind each option with a value. */
static void
put_value_cases(struct script *s, const char *verb, const struct opt *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		if (o->kind == OPT_FLAG)
			continue;
		put(s, "\t");
		put(s, verb);
		put(s, ":");
		put(s, cmd_dashes(s->p, o));
		put(s, o->name);
		if (o->letter != 0 && o->name[1] != '\0') {
			const char letter[] = { '-', o->letter, '\0' };

			put(s, "|");
			put(s, verb);
			put(s, ":");
			put(s, letter);
		}
		put(s, ")\n\t\t");
		/* The value of --json is no word of its own. */
		if ((o->flags & OPT_MAYBE) != 0)
			put(s, "[ \"$eq\" = 1 ] && { ");
		put_action(s, value_kind(o), o->meta);
		put(s, (o->flags & OPT_MAYBE) != 0 ? "; return; } ;;\n"
		                                   : "; return ;;\n");
	}
}

/* "--context SEP -c SEP ..." of all options that eat the next word. */
static bool
put_eater_names(struct script *s, const char *sep)
{
	const struct cmd *c = s->p->cmds;
	const struct opt *o = s->p->opts;
	bool any = false;

	while (o != NULL) {
		for (; o->name != NULL; o++) {
			if (!cmd_opt_takes_word(o))
				continue;
			put(s, any ? sep : "");
			put_names(s, o, sep);
			any = true;
		}
		o = NULL;
		while (o == NULL && c != NULL && c->name != NULL)
			o = c++->opts;
	}
	return any;
}

static void
put_eaters(struct script *s)
{
	put(s, "\t\t");
	if (!put_eater_names(s, "|"))
		put(s, "--no-such-option");
	put(s, ") skip=1 ;;\n");
}

static void
put_fish_eaters(struct script *s)
{
	put(s, "\t\tcase ");
	if (!put_eater_names(s, " "))
		put(s, "--no-such-option");
	put(s, "\n\t\t\tset skip 1\n");
}

static void
put_option_words(struct script *s, const struct opt *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		if (!is_shown(o))
			continue;
		put(s, " ");
		put_names(s, o, " ");
	}
}

static void
put_verb_words(struct script *s, const char *sep, bool with_help)
{
	const struct cmd *c = s->p->cmds;

	for (bool first = true; c != NULL && c->name != NULL; c++) {
		put(s, first ? "" : sep);
		put(s, c->name);
		first = false;
	}
	if (with_help)
		put(s, " help");
}

/* What the parts of a line are: verb, n operands, the option before. */
static void
put_scan(struct script *s)
{
	put(s, "\tfor w in \"${before[@]}\"; do\n"
	       "\t\tif [ \"$skip\" = 1 ] && [ \"$w\" != '=' ]; then\n"
	       "\t\t\tskip=0; continue\n\t\tfi\n"
	       "\t\tcase $w in\n");
	put_eaters(s);
	put(s, "\t\t-?*|'=') ;;\n");
	if (s->p->cmds != NULL) {
		put(s, "\t\t");
		put_verb_words(s, "|", false);
		put(s, "|help)\n\t\t\tif [ -z \"$verb$n\" ]; then verb=$w; "
		       "else n=x$n; fi ;;\n");
	}
	put(s, "\t\t*) n=x$n ;;\n\t\tesac\n\tdone\n");
}

static void
put_options_part(struct script *s)
{
	put(s, "\tcase $cur in\n\t-*)\n\t\topts='");
	put_option_words(s, s->p->opts);
	put(s, "'\n\t\tcase $verb in\n");
	for (const struct cmd *c = s->p->cmds; c != NULL && c->name != NULL;
	     c++) {
		if (c->opts == NULL)
			continue;
		put(s, "\t\t");
		put(s, c->name);
		put(s, ") opts=\"$opts");
		put_option_words(s, c->opts);
		put(s, "\" ;;\n");
	}
	put(s, "\t\tesac\n");
	put_named(s, s->zsh ? "\t\t_~_words ${=opts}; return ;;\n\tesac\n"
	                    : "\t\t# shellcheck disable=SC2086\n"
	                      "\t\t_~_words $opts; return ;;\n\tesac\n");
}

static void
put_operands_part(struct script *s)
{
	const struct cmd *usual = s->p->default_cmd == NULL
	                              ? NULL
	                              : cmd_verb(s->p, s->p->default_cmd);

	put(s, "\tcase $verb:$n in\n");
	if (s->p->cmds != NULL) {
		put_named(s, "\t:)\n\t\t_~_words ");
		put_verb_words(s, " ", true);
		if (usual != NULL && usual->complete != COMPLETE_NONE) {
			put(s, "\n\t\t");
			put_action(s, usual->complete, usual->operands);
		}
		put(s, " ;;\n");
	} else {
		put_named(s, "\t*) _~_files ;;\n");
	}
	for (const struct cmd *c = s->p->cmds; c != NULL && c->name != NULL;
	     c++) {
		put(s, "\t");
		put(s, c->name);
		put(s, ":) ");
		put_action(s, c->complete, c->operands);
		put(s, " ;;\n");
	}
	if (s->p->cmds != NULL) {
		put_named(s, "\thelp:) _~_words ");
		put_verb_words(s, " ", false);
		put_named(s, " ;;\n\t*) _~_files ;;\n");
	}
	put(s, "\tesac\n");
}

static void
put_body(struct script *s)
{
	put_scan(s);
	put(s, "\tcase $verb:$prev in\n");
	for (const struct cmd *c = s->p->cmds; c != NULL && c->name != NULL;
	     c++)
		put_value_cases(s, c->name, c->opts);
	put_value_cases(s, "*", s->p->opts);
	put(s, "\tesac\n");
	put_options_part(s);
	put_operands_part(s);
	put(s, "}\n");
}

/*
 * Words from __complete-words are added one by one: compgen -W would expand
 * what stands in them.
 */
static void
put_bash(struct script *s)
{
	put_named(s,
	    "# bash completion for ~, made by: ~ __complete bash\n"
	    "_~_words()\n{\n"
	    "\tlocal w\n"
	    "\tfor w; do\n"
	    "\t\tcase $w in \"$cur\"*) COMPREPLY+=(\"$w\") ;; esac\n"
	    "\tdone\n}\n"
	    "_~_ask()\n{\n"
	    "\tlocal w\n"
	    "\twhile IFS= read -r w; do COMPREPLY+=(\"$w\"); done < <(\n"
	    "\t\t~ __complete-words \"$1\" \"$cur\" 2>/dev/null)\n}\n"
	    "_~_files()\n{\n"
	    "\tlocal w\n"
	    "\tcompopt -o filenames 2>/dev/null\n"
	    "\twhile IFS= read -r w; do COMPREPLY+=(\"$w\"); done < <(\n"
	    "\t\tcompgen -f -- \"$cur\")\n}\n"
	    "_~_dirs()\n{\n"
	    "\tlocal w\n"
	    "\tcompopt -o filenames 2>/dev/null\n"
	    "\twhile IFS= read -r w; do COMPREPLY+=(\"$w\"); done < <(\n"
	    "\t\tcompgen -d -- \"$cur\")\n}\n"
	    "_~()\n{\n"
	    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev='' eq=0 "
	    "verb='' n='' w skip=0 opts\n"
	    "\tlocal -a before=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
	    "\tCOMPREPLY=()\n"
	    "\tprev=${COMP_WORDS[COMP_CWORD-1]}\n"
	    "\tif [ \"$cur\" = = ]; then\n"
	    "\t\tcur=; eq=1\n"
	    "\telif [ \"$prev\" = = ] && [ \"$COMP_CWORD\" -gt 1 ]; then\n"
	    "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}; eq=1\n"
	    "\tfi\n");
	put_body(s);
	put_named(s, "complete -F _~ ~\n");
}

static void
put_zsh(struct script *s)
{
	s->zsh = true;
	put_named(s,
	    "#compdef ~\n"
	    "# zsh completion for ~, made by: ~ __complete zsh\n"
	    "_~_words() { compadd -- \"$@\"; }\n"
	    "_~_ask()\n{\n"
	    "\tcompadd -- ${(f)\"$(~ __complete-words \"$1\" \"$cur\" "
	    "2>/dev/null)\"}\n}\n"
	    "_~_files() { _files; }\n"
	    "_~_dirs() { _files -/; }\n"
	    "_~()\n{\n"
	    "\tlocal cur=${words[CURRENT]} prev=${words[CURRENT-1]} eq=0\n"
	    "\tlocal verb='' n='' w skip=0 opts\n"
	    "\tlocal -a before=(\"${(@)words[2,CURRENT-1]}\")\n"
	    "\tif [[ $cur == -*=* ]]; then\n"
	    "\t\tprev=${cur%%=*}; eq=1; cur=${cur#*=}; compset -P '*='\n"
	    "\tfi\n");
	put_body(s);
	/* Found by compinit it is called, sourced it is only made known. */
	put_named(s, "if [[ ${funcstack[1]} == _~ ]]; then\n\t_~ \"$@\"\n"
	             "else\n\tcompdef _~ ~\nfi\n");
}

static void
put_fish_values(struct script *s, enum complete kind, const char *meta)
{
	switch (kind) {
	case COMPLETE_NONE:
		break;
	case COMPLETE_FILE:
		put(s, " -F");
		break;
	case COMPLETE_DIR:
		put(s, " -a '(__fish_complete_directories)'");
		break;
	case COMPLETE_CONTEXT:
	case COMPLETE_METHOD:
		put(s, " -a '(");
		put_named(s, "~ __complete-words ");
		put(s, kind == COMPLETE_METHOD ? "method" : "context");
		put(s, " (commandline -ct) 2>/dev/null)'");
		break;
	case COMPLETE_WORDS:
		put(s, " -a '");
		put_choices(s, meta);
		put(s, "'");
		break;
	}
}

/* "complete -c NAME", at these places of a line: "call:0 call:1". */
static void
put_fish_head(struct script *s, const char *where)
{
	put_named(s, "complete -c ~");
	if (where == NULL)
		return;
	put_named(s, " -n '_~_is ");
	put(s, where);
	put(s, "'");
}

static void
put_fish_opt(struct script *s, const char *where, const struct opt *o)
{
	const char letter[] = { o->letter, '\0' };

	put_fish_head(s, where);
	/* Go's -v is no letter of a group: -verify is another. */
	if (s->p->style == PROG_GO)
		put(s, " -o ");
	else
		put(s, o->name[1] == '\0' ? " -s " : " -l ");
	put(s, o->name);
	if (o->letter != 0 && o->name[1] != '\0') {
		put(s, " -s ");
		put(s, letter);
	}
	if (cmd_opt_takes_word(o))
		put(s, value_kind(o) == COMPLETE_FILE ? " -r" : " -x");
	if (o->kind != OPT_FLAG)
		put_fish_values(s, value_kind(o), o->meta);
	put(s, " -d ");
	put_quoted(s, o->about == NULL ? "" : o->about);
	put(s, "\n");
}

static void
put_fish_cmd(struct script *s, const struct cmd *c)
{
	char first[64];
	char all[128];

	(void)snprintf(first, sizeof(first), "%s:0", c->name);
	(void)snprintf(all, sizeof(all), "%s:0 %s:1", c->name, c->name);
	put_fish_head(s, ":0");
	put(s, " -f -a ");
	put(s, c->name);
	put(s, " -d ");
	put_quoted(s, c->about == NULL ? "" : c->about);
	put(s, "\n");
	put_fish_head(s, first);
	if (c->complete != COMPLETE_FILE)
		put(s, " -f");
	put_fish_values(s, c->complete, c->operands);
	put(s, "\n");
	for (const struct opt *o = c->opts; o != NULL && o->name != NULL; o++) {
		if (is_shown(o))
			put_fish_opt(s, all, o);
	}
}

/* "VERB:0" before its first operand and "VERB:1" behind; fish's own helpers
 * take the value of an option for a verb. */
static void
put_fish_scan(struct script *s)
{
	put_named(s, "function _~_is\n"
	             "\tset -l skip 0\n\tset -l verb ''\n\tset -l n 0\n"
	             "\tset -l words (commandline -opc)\n"
	             "\tset -e words[1]\n"
	             "\tfor w in $words\n"
	             "\t\tif test $skip = 1\n\t\t\tset skip 0\n\t\t\tcontinue\n"
	             "\t\tend\n"
	             "\t\tswitch $w\n");
	put_fish_eaters(s);
	put(s, "\t\tcase '-*'\n\t\tcase ");
	put_verb_words(s, " ", true);
	put(s, "\n"
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
	put(s, " -f -a help -d 'what a command does'\n");
	put_fish_head(s, "help:0");
	put(s, " -f -a '");
	put_verb_words(s, " ", false);
	put(s, "'\n");
	if (usual == NULL || usual->complete == COMPLETE_NONE)
		return;
	put_fish_head(s, ":0");
	put(s, " -f");
	put_fish_values(s, usual->complete, usual->operands);
	put(s, "\n");
}

static void
put_fish(struct script *s)
{
	const struct opt *o = s->p->opts;

	put_named(s, "# fish completion for ~, made by: ~ __complete fish\n");
	if (s->p->cmds != NULL)
		put_fish_scan(s);
	for (; o != NULL && o->name != NULL; o++) {
		if (is_shown(o))
			put_fish_opt(s, NULL, o);
	}
	if (s->p->cmds != NULL)
		put_fish_verbs(s);
}

enum rk_err
cmd_complete(const struct prog *p, const char *shell, struct buf *b)
{
	struct script s = { .p = p, .b = b };

	if (strcmp(shell, "bash") == 0)
		put_bash(&s);
	else if (strcmp(shell, "zsh") == 0)
		put_zsh(&s);
	else if (strcmp(shell, "fish") == 0)
		put_fish(&s);
	else
		return RK_EINVAL;
	return s.r;
}

/* Can it stand on a command line as it is, in every shell? */
static bool
is_safe(const char *word)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
	                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                           "0123456789._-/:@+,%";

	return *word != '\0' && *word != '-' &&
	       word[strspn(word, good)] == '\0';
}

enum rk_err
cmd_words(
    const struct prog *p, const char *kind, const char *prefix, struct buf *b)
{
	enum complete what = COMPLETE_METHOD;
	const char *const *list;
	enum rk_err r;

	if (strcmp(kind, "context") == 0)
		what = COMPLETE_CONTEXT;
	else if (strcmp(kind, "method") != 0)
		return RK_EINVAL;
	list = p->words == NULL ? NULL : p->words(what, prefix);
	for (; list != NULL && *list != NULL; list++) {
		if (!is_safe(*list) ||
		    strncmp(*list, prefix, strlen(prefix)) != 0)
			continue;
		if ((r = buf_put_str(b, *list)) != RK_OK ||
		    (r = buf_put_str(b, "\n")) != RK_OK)
			return r;
	}
	return RK_OK;
}
