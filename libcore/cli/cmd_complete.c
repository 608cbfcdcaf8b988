/* Completion scripts for bash and zsh made from the tables. */
#include <stdio.h>

#include "base/str.h"
#include "cli/cmd_complete.h"

void
script_put(struct script *s, const char *text)
{
	if (s->r == RK_OK)
		s->r = buf_put_str(s->b, text);
}

/* Text with every ~ replaced by the program's name. */
void
script_put_named(struct script *s, const char *text)
{
	for (;;) {
		size_t len = strcspn(text, "~");

		if (s->r == RK_OK)
			s->r = buf_put(s->b, text, len);
		if (text[len] == '\0')
			return;
		script_put(s, s->name);
		text += len + 1;
	}
}

/* Inside '...': no shell reads anything but the closing quote there. */
void
script_put_quoted(struct script *s, const char *text)
{
	script_put(s, "'");
	for (; *text != '\0'; text++) {
		char one[2] = { *text, '\0' };

		script_put(s, *text == '\'' ? "'\\''" : one);
	}
	script_put(s, "'");
}

bool
script_is_shown(const struct opt *o)
{
	return (o->flags & OPT_HIDDEN) == 0;
}

/* "--name" and sep and "-n". */
static void
put_names(struct script *s, const struct opt *o, const char *sep)
{
	const char letter[] = { '-', o->letter, '\0' };

	script_put(s, cmd_dashes(s->p, o));
	script_put(s, o->name);
	if (o->letter != 0 && o->name[1] != '\0') {
		script_put(s, sep);
		script_put(s, letter);
	}
}

/* "ask|strict" or "ls|find HOST" as separate words. */
void
script_put_choices(struct script *s, const char *meta)
{
	bool word = true;

	for (; meta != NULL && *meta != '\0'; meta++) {
		char one[2] = { *meta == '|' ? ' ' : *meta, '\0' };

		/* Only the first word of each. */
		word = *meta == '|' || (word && *meta != ' ');
		if (word && *meta != '[' && *meta != ']')
			script_put(s, one);
	}
}

/* The shell's command that offers values of this kind. */
static void
put_action(struct script *s, enum complete kind, const char *meta)
{
	switch (kind) {
	case COMPLETE_NONE:
		script_put(s, ":");
		break;
	case COMPLETE_FILE:
		script_put_named(s, "_~_files");
		break;
	case COMPLETE_DIR:
		script_put_named(s, "_~_dirs");
		break;
	case COMPLETE_CONTEXT:
	case COMPLETE_METHOD:
	case COMPLETE_ITEM:
	case COMPLETE_SETTING:
	case COMPLETE_KEY:
	case COMPLETE_PAIR:
	case COMPLETE_SERVER:
		script_put_named(s, "_~_ask ");
		script_put(s, script_kind_name(kind));
		break;
	case COMPLETE_HELD:
		script_put(s, s->zsh ? "case $cur" : "case $head$cur");
		script_put_named(
		    s, " in keyvault:*) ;; *) _~_files ;; esac; _~_ask ");
		script_put(s, script_kind_name(kind));
		break;
	case COMPLETE_WORDS:
		script_put_named(s, "_~_words ");
		script_put_choices(s, meta);
		break;
	}
}

enum complete
script_value_kind(const struct opt *o)
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
		script_put(s, "\t");
		script_put(s, verb);
		script_put(s, ":");
		script_put(s, cmd_dashes(s->p, o));
		script_put(s, o->name);
		if (o->letter != 0 && o->name[1] != '\0') {
			const char letter[] = { '-', o->letter, '\0' };

			script_put(s, "|");
			script_put(s, verb);
			script_put(s, ":");
			script_put(s, letter);
		}
		script_put(s, ")\n\t\t");
		/* The value of --json is no word of its own. */
		if ((o->flags & OPT_MAYBE) != 0)
			script_put(s, "[ \"$eq\" = 1 ] && { ");
		put_action(s, script_value_kind(o), o->meta);
		script_put(s, (o->flags & OPT_MAYBE) != 0 ? "; return; } ;;\n"
		                                          : "; return ;;\n");
	}
}

/* "--context SEP -c SEP ..." of all options that eat the next word. */
bool
script_put_eater_names(struct script *s, const char *sep)
{
	const struct cmd *c = s->p->cmds;
	const struct opt *o = s->p->opts;
	bool any = false;

	while (o != NULL) {
		for (; o->name != NULL; o++) {
			if (!cmd_opt_takes_word(o))
				continue;
			script_put(s, any ? sep : "");
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
	script_put(s, "\t\t");
	if (!script_put_eater_names(s, "|"))
		script_put(s, "--no-such-option");
	script_put(s, ") skip=1 ;;\n");
}

static void
put_option_words(struct script *s, const struct opt *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		if (!script_is_shown(o))
			continue;
		script_put(s, " ");
		put_names(s, o, " ");
	}
}

void
script_put_verb_words(struct script *s, const char *sep, bool with_help)
{
	const struct cmd *c = s->p->cmds;

	for (bool first = true; c != NULL && c->name != NULL; c++) {
		script_put(s, first ? "" : sep);
		script_put(s, c->name);
		first = false;
	}
	if (with_help)
		script_put(s, " help");
}

/* What the parts of a line are: verb, n operands, the option before. */
static void
put_scan(struct script *s)
{
	script_put(s, "\tfor w in \"${before[@]}\"; do\n"
	              "\t\tif [ \"$skip\" = 1 ] && [ \"$w\" != '=' ]; then\n"
	              "\t\t\tskip=0; continue\n\t\tfi\n"
	              "\t\tcase $w in\n");
	put_eaters(s);
	script_put(s, "\t\t-?*|'=') ;;\n");
	if (s->p->cmds != NULL) {
		script_put(s, "\t\t");
		script_put_verb_words(s, "|", false);
		script_put(s,
		    "|help)\n\t\t\tif [ -z \"$verb$n\" ]; then verb=$w; "
		    "else n=x$n; fi ;;\n");
	}
	script_put(s, "\t\t*) n=x$n ;;\n\t\tesac\n\tdone\n");
}

static void
put_options_part(struct script *s)
{
	script_put(s, "\tcase $cur in\n\t-*)\n\t\topts='");
	put_option_words(s, s->p->opts);
	script_put(s, "'\n\t\tcase $verb in\n");
	for (const struct cmd *c = s->p->cmds; c != NULL && c->name != NULL;
	     c++) {
		if (c->opts == NULL)
			continue;
		script_put(s, "\t\t");
		script_put(s, c->name);
		script_put(s, ") opts=\"$opts");
		put_option_words(s, c->opts);
		script_put(s, "\" ;;\n");
	}
	script_put(s, "\t\tesac\n");
	script_put_named(s, s->zsh
	                        ? "\t\t_~_words ${=opts}; return ;;\n\tesac\n"
	                        : "\t\t# shellcheck disable=SC2086\n"
	                          "\t\t_~_words $opts; return ;;\n\tesac\n");
}

/* Of a program without verbs: what may stand first. */
static void
put_sub_words(struct script *s)
{
	const struct prog *const *sub = s->p->subs;

	if (sub == NULL)
		return;
	script_put_named(s, "\t:) _~_words");
	for (; *sub != NULL; sub++) {
		script_put(s, " ");
		script_put(s, cmd_sub_word(*sub));
	}
	script_put(s, " ;;\n");
}

/* Behind the first operand of a verb. */
static void
put_rest(struct script *s, const char *verb, const struct cmd *c)
{
	if (c == NULL || c->rest == COMPLETE_NONE)
		return;
	script_put(s, "\t");
	script_put(s, verb);
	script_put(s, ":?*) ");
	put_action(s, c->rest, NULL);
	script_put(s, " ;;\n");
}

static void
put_operands_part(struct script *s)
{
	const struct cmd *usual = s->p->default_cmd == NULL
	                              ? NULL
	                              : cmd_verb(s->p, s->p->default_cmd);

	script_put(s, "\tcase $verb:$n in\n");
	if (s->p->cmds != NULL) {
		script_put_named(s, "\t:)\n\t\t_~_words ");
		script_put_verb_words(s, " ", true);
		if (usual != NULL && usual->complete != COMPLETE_NONE) {
			script_put(s, "\n\t\t");
			put_action(s, usual->complete, usual->operands);
		}
		script_put(s, " ;;\n");
		put_rest(s, "", usual);
	} else {
		put_sub_words(s);
		script_put_named(s, "\t*) _~_files ;;\n");
	}
	for (const struct cmd *c = s->p->cmds; c != NULL && c->name != NULL;
	     c++) {
		script_put(s, "\t");
		script_put(s, c->name);
		script_put(s, ":) ");
		put_action(s, c->complete, c->operands);
		script_put(s, " ;;\n");
		put_rest(s, c->name, c);
	}
	if (s->p->cmds != NULL) {
		script_put_named(s, "\thelp:) _~_words ");
		script_put_verb_words(s, " ", false);
		script_put_named(s, " ;;\n\t*) _~_files ;;\n");
	}
	script_put(s, "\tesac\n");
}

static void
put_body(struct script *s)
{
	put_scan(s);
	script_put(s, "\tcase $verb:$prev in\n");
	for (const struct cmd *c = s->p->cmds; c != NULL && c->name != NULL;
	     c++)
		put_value_cases(s, c->name, c->opts);
	put_value_cases(s, "*", s->p->opts);
	script_put(s, "\tesac\n");
	put_options_part(s);
	put_operands_part(s);
	script_put(s, "}\n");
}

/* A line that begins with the word of another program is that one's. */
static void
put_sub_calls(struct script *s)
{
	const struct prog *const *sub = s->p->subs;

	for (; sub != NULL && *sub != NULL; sub++) {
		script_put(s, s->zsh ? "\tif [ \"${before[1]}\" = "
		                     : "\tif [ \"${before[0]}\" = ");
		script_put(s, cmd_sub_word(*sub));
		script_put_named(s, " ]; then\n\t\t_~_");
		script_put(s, cmd_sub_word(*sub));
		script_put(s, "; return\n\tfi\n");
	}
}

/* Their functions, entered with what the first one has set. */
static void
put_sub_bodies(struct script *s)
{
	const struct prog *const *sub = s->p->subs;

	for (; s->r == RK_OK && sub != NULL && *sub != NULL; sub++) {
		struct script own = *s;

		own.p = *sub;
		script_put_named(&own, "_~_");
		script_put(&own, cmd_sub_word(*sub));
		script_put(
		    &own, s->zsh ? "()\n{\n\tbefore=(\"${(@)before[2,-1]}\")\n"
		                 : "()\n{\n\tbefore=(\"${before[@]:1}\")\n");
		put_body(&own);
		s->r = own.r;
	}
}

/*
 * Words from __complete-words are added one by one: compgen -W would expand
 * what stands in them.
 */
static void
put_bash(struct script *s)
{
	script_put_named(s,
	    "# bash completion for ~, made by: ~ __complete bash\n"
	    "_~_words()\n{\n"
	    "\tlocal w\n"
	    "\tfor w; do\n"
	    "\t\tcase $w in \"$cur\"*) COMPREPLY+=(\"$w\") ;; esac\n"
	    "\tdone\n}\n"
	    "_~_ask()\n{\n"
	    "\tlocal w file='' typed=$head$cur\n"
	    "\t# the name of a file is a word of this shell\n"
	    "\tcase $1:$typed in item:*@*) file=1 typed=${typed//\\\\/} ;; "
	    "esac\n"
	    "\twhile IFS= read -r w; do\n"
	    "\t\tw=${w#\"$head\"}\n"
	    "\t\t[ -z \"$file\" ] || printf -v w %q \"$w\"\n"
	    "\t\tCOMPREPLY+=(\"$w\")\n"
	    "\t\tcase $w in *[=@/]) compopt -o nospace 2>/dev/null ;; esac\n"
	    "\tdone < <(~ __complete-words \"$1\" \"$typed\" "
	    "\"${before[@]}\" 2>/dev/null)\n}\n"
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
	    "\tlocal head line=${COMP_LINE:0:COMP_POINT}\n"
	    "\tlocal -a before=()\n"
	    "\tCOMPREPLY=()\n"
	    "\t# readline breaks words at = : and @: as they were typed\n"
	    "\tfor w in \"${COMP_WORDS[@]:0:COMP_CWORD+1}\"; do\n"
	    "\t\tif [ ${#before[@]} -gt 0 ] && "
	    "[[ $line != [[:space:]]* ]]; then\n"
	    "\t\t\tbefore[${#before[@]}-1]+=$w\n"
	    "\t\telse\n\t\t\tbefore+=(\"$w\")\n\t\tfi\n"
	    "\t\tline=${line#\"${line%%[![:space:]]*}\"}; "
	    "line=${line#\"$w\"}\n"
	    "\tdone\n"
	    "\thead=${before[${#before[@]}-1]}\n"
	    "\tbefore=(\"${before[@]:1:${#before[@]}-2}\")\n"
	    "\tcase $cur in =|:) cur= ;; esac\n"
	    "\thead=${head%\"$cur\"}\n"
	    "\tcase $head in\n"
	    "\t-*=*) prev=${head%%=*}; head=${head#*=}; eq=1 ;;\n"
	    "\t*) [ ${#before[@]} -gt 0 ] && "
	    "prev=${before[${#before[@]}-1]} ;;\n"
	    "\tesac\n");
	put_sub_calls(s);
	put_body(s);
	put_sub_bodies(s);
	script_put_named(s, "complete -F _~ ~\n");
}

static void
put_zsh(struct script *s)
{
	s->zsh = true;
	script_put_named(s,
	    "#compdef ~\n"
	    "# zsh completion for ~, made by: ~ __complete zsh\n"
	    "_~_words() { compadd -- \"$@\"; }\n"
	    "_~_ask()\n{\n"
	    "\tlocal -a all=(${(f)\"$(~ __complete-words \"$1\" "
	    "\"${(Q)cur}\" \"${before[@]}\" 2>/dev/null)\"})\n"
	    "\tcompadd -- ${all:#*[=@/]}\n"
	    "\tcompadd -S '' -- ${(M)all:#*[=@/]}\n}\n"
	    "_~_files() { _files; }\n"
	    "_~_dirs() { _files -/; }\n"
	    "_~()\n{\n"
	    "\tlocal cur=${words[CURRENT]} prev=${words[CURRENT-1]} eq=0\n"
	    "\tlocal verb='' n='' w skip=0 opts\n"
	    "\tlocal -a before=(\"${(@)words[2,CURRENT-1]}\")\n"
	    "\tif [[ $cur == -*=* ]]; then\n"
	    "\t\tprev=${cur%%=*}; eq=1; cur=${cur#*=}; compset -P '*='\n"
	    "\tfi\n");
	put_sub_calls(s);
	put_body(s);
	put_sub_bodies(s);
	/* Found by compinit it is called, sourced it is only made known. */
	script_put_named(s,
	    "if [[ ${funcstack[1]} == _~ ]]; then\n\t_~ \"$@\"\n"
	    "else\n\tcompdef _~ ~\nfi\n");
}

enum rk_err
cmd_complete(const struct prog *p, const char *shell, struct buf *b)
{
	struct script s = { .p = p, .name = p->name, .b = b };

	if (strcmp(shell, "bash") == 0)
		put_bash(&s);
	else if (strcmp(shell, "zsh") == 0)
		put_zsh(&s);
	else if (strcmp(shell, "fish") == 0)
		script_put_fish(&s);
	else
		return RK_EINVAL;
	return s.r;
}
