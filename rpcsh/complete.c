/* Tab in the shell: words from tables, caches and folders, never a call. */
#include "base/str.h"
#include "cache.h"
#include "rpcsh.h"
#include "shell.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define OFFERS_MAX 2000

/* What was offered last; its owner is nobody but this file. */
struct offers {
	char *words[OFFERS_MAX];
	size_t n;
	const char *typed;
};

static void
clear(struct offers *o)
{
	while (o->n > 0)
		free(o->words[--o->n]);
}

/* A word, behind what stands before it ("--out="), if it begins as typed. */
static void
offer(struct offers *o, const char *before, const char *word)
{
	size_t a = strlen(before), b = strlen(word);
	char *whole;

	if (o->n == OFFERS_MAX || (whole = malloc(a + b + 1)) == NULL)
		return;
	memcpy(whole, before, a);
	memcpy(whole + a, word, b + 1);
	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->words[i], whole) == 0) {
			free(whole);
			return;
		}
	}
	if (strncmp(whole, o->typed, strlen(o->typed)) == 0)
		o->words[o->n++] = whole;
	else
		free(whole);
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* ---- kinds of words ---- */

static void
offer_options(struct offers *o, const struct opt *table)
{
	char word[64];

	for (; table != NULL && table->name != NULL; table++) {
		bool value =
		    table->kind != OPT_FLAG && (table->flags & OPT_MAYBE) == 0;

		if ((table->flags & (OPT_HIDDEN | OPT_ALONE)) != 0)
			continue;
		(void)snprintf(word, sizeof(word), "--%s%s", table->name,
		    value ? "=" : "");
		offer(o, "", word);
	}
}

/* "a|b|c", "[a|b]" */
static void
offer_choices(struct offers *o, const char *before, const char *meta)
{
	char word[64];

	meta = meta == NULL ? "" : meta + (*meta == '[');
	while (*meta != '\0') {
		size_t n = strcspn(meta, "| ]");

		if (n < sizeof(word)) {
			memcpy(word, meta, n);
			word[n] = '\0';
			offer(o, before, word);
		}
		if (meta[n] != '|')
			break;
		meta += n + 1;
	}
}

/* Can it stand on a line?  Control characters would end or change that. */
static bool
is_typable(const char *name)
{
	const char *p = name;

	while ((unsigned char)*p >= ' ' && *p != '\177')
		p++;
	return *p == '\0' && str_is_utf8(name, strlen(name));
}

/* Files as `part` begins their names. */
static void
offer_files(
    struct offers *o, const char *before, const char *part, bool dirs_only)
{
	const char *slash = strrchr(part, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - part) + 1;
	char dir[PATH_LEN], path[2 * PATH_LEN];
	struct dirent *e;
	DIR *d;

	if (len >= sizeof(dir))
		return;
	memcpy(dir, part, len);
	dir[len] = '\0';
	d = opendir(len == 0 ? "." : dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		struct stat st;
		bool is_dir;

		if (e->d_name[0] == '.' && part[len] != '.')
			continue;
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 || !is_typable(e->d_name))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", dir, e->d_name);
		is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
		(void)snprintf(path, sizeof(path), "%s%s%s", dir, e->d_name,
		    is_dir ? "/" : "");
		if (is_dir || !dirs_only)
			offer(o, before, path);
	}
	if (d != NULL)
		(void)closedir(d);
}

static void
offer_cached(struct shell *s, struct offers *o, const char *before,
    const char *part, enum complete kind, const char *method, size_t nth)
{
	const struct target *t = &s->held->t;
	struct cache_place at = { .method = method, .nth = nth };
	const char *const *list;

	if (s->held->is_open) {
		at.url = t->url;
		at.certs = t->settings.v[SET_CERTS].value;
		at.known = t->settings.v[SET_KNOWN].value;
	}
	list = cache_for(&at, kind, part);

	/* A server's names become no options and no commands. */
	for (; list != NULL && *list != NULL; list++) {
		if (strchr("-:", **list) == NULL)
			offer(o, before, *list);
	}
}

static void
offer_kind(struct shell *s, struct offers *o, const char *before,
    const char *part, enum complete kind, const char *meta)
{
	switch (kind) {
	case COMPLETE_NONE:
		break;
	case COMPLETE_FILE:
	case COMPLETE_DIR:
		offer_files(o, before, part, kind == COMPLETE_DIR);
		break;
	case COMPLETE_HELD:
		offer_files(o, before, part, false);
		offer_cached(s, o, before, part, kind, NULL, 0);
		break;
	case COMPLETE_CONTEXT:
	case COMPLETE_METHOD:
	case COMPLETE_KEY:
	case COMPLETE_SERVER:
		offer_cached(s, o, before, part, kind, NULL, 0);
		break;
	case COMPLETE_ITEM: /* they are looked for elsewhere */
	case COMPLETE_SETTING:
	case COMPLETE_PAIR:
		break;
	case COMPLETE_WORDS:
		offer_choices(o, before, meta);
		break;
	}
}

/* ---- where a word stands ---- */

static const struct cmd *
verb_of(const struct shell *s, const char *word)
{
	const struct cmd *c = s->lines.cmds;

	while (c->name != NULL && strcmp(c->name, word) != 0)
		c++;
	return c->name == NULL ? NULL : c;
}

static void
offer_first(struct shell *s, struct offers *o)
{
	const char *const *names = shell_command_names();

	if (o->typed[0] == ':') {
		for (; *names != NULL; names++)
			offer(o, ":", *names);
		return;
	}
	for (const struct cmd *c = s->lines.cmds; c->name != NULL; c++)
		offer(o, "", c->name);
	offer_cached(s, o, "", o->typed, COMPLETE_METHOD, NULL, 0);
}

static const struct opt *
option_of(const struct opt *table, const char *word, size_t len)
{
	for (; table != NULL && table->name != NULL; table++) {
		if (strlen(table->name) == len &&
		    memcmp(table->name, word, len) == 0)
			return table;
	}
	return NULL;
}

static enum complete
kind_of(const struct opt *opt)
{
	return opt->kind == OPT_CHOICE ? COMPLETE_WORDS : opt->complete;
}

/* "--name", or "--name=value". */
static void
offer_option(struct shell *s, struct offers *o, const struct cmd *c)
{
	const char *eq = strchr(o->typed, '=');
	const struct opt *opt;
	char before[80];
	size_t len;

	if (eq == NULL) {
		offer_options(o, c->opts);
		offer_options(o, s->lines.opts);
		return;
	}
	len = (size_t)(eq - o->typed) - 2;
	if ((opt = option_of(c->opts, o->typed + 2, len)) == NULL)
		opt = option_of(s->lines.opts, o->typed + 2, len);
	if (opt == NULL || len + 4 > sizeof(before))
		return;
	memcpy(before, o->typed, len + 3);
	before[len + 3] = '\0';
	offer_kind(s, o, before, eq + 1, kind_of(opt), opt->meta);
}

/* An item: a field's name, or the file behind @. */
static void
offer_item(struct shell *s, struct offers *o, const char *method)
{
	const char *at = strchr(o->typed, '@');
	const char *eq = strchr(o->typed, '=');
	char before[256];
	size_t len;

	if (at == NULL && eq == NULL) {
		offer_cached(s, o, "", o->typed, COMPLETE_ITEM, method, 1);
		return;
	}
	/* k@FILE, k=@FILE, k:=@FILE */
	if (at == NULL || (eq != NULL && eq + 1 != at))
		return;
	len = (size_t)(at - o->typed) + 1;
	if (len >= sizeof(before))
		return;
	memcpy(before, o->typed, len);
	before[len] = '\0';
	offer_files(o, before, at + 1, false);
}

static const struct opt *
lettered(const struct opt *table, char letter)
{
	for (; table != NULL && table->name != NULL; table++) {
		if (table->letter == letter)
			return table;
	}
	return NULL;
}

/* "-x" or "--name" whose value is the next word; NULL: it is none. */
static const struct opt *
eater(const struct shell *s, const struct cmd *c, const char *word)
{
	const struct opt *opt = NULL;
	size_t len = strlen(word);

	if (word[1] == '-' &&
	    (opt = option_of(c->opts, word + 2, len - 2)) == NULL)
		opt = option_of(s->lines.opts, word + 2, len - 2);
	else if (len == 2 && (opt = lettered(c->opts, word[1])) == NULL)
		opt = lettered(s->lines.opts, word[1]);
	return opt == NULL || opt->kind == OPT_FLAG ||
	               (opt->flags & OPT_MAYBE) != 0
	           ? NULL
	           : opt;
}

/* Which verb, and the how manieth operand, options aside. */
static void
offer_word(struct shell *s, struct offers *o, const struct words *w)
{
	const struct cmd *c = verb_of(s, w->list[0]);
	size_t nth = c == NULL ? 1 : 0;
	const char *method = c == NULL ? w->list[0] : NULL;
	const struct opt *wants = NULL;

	if (c == NULL)
		c = verb_of(s, s->lines.default_cmd);
	for (size_t i = 1; i < w->n; i++) {
		if (w->list[i][0] != '-' && nth++ == 0)
			method = w->list[i];
		wants = w->list[i][0] == '-' ? eater(s, c, w->list[i]) : NULL;
		i += wants != NULL; /* and its value */
	}
	if (wants != NULL && w->list[w->n - 1][0] == '-')
		offer_kind(s, o, "", o->typed, kind_of(wants), wants->meta);
	else if (strncmp(o->typed, "--", 2) == 0)
		offer_option(s, o, c);
	else if (nth == 0)
		offer_kind(s, o, "", o->typed, c->complete, c->operands);
	else if (c->rest == COMPLETE_ITEM && method != NULL)
		offer_item(s, o, method);
	else if (c->rest == COMPLETE_SETTING)
		offer_cached(s, o, "", o->typed, c->rest, method, nth);
	else
		offer_kind(s, o, "", o->typed, c->rest, NULL);
}

/* :set OPTION VALUE */
static void
offer_set(struct shell *s, struct offers *o, const struct words *w)
{
	const struct opt *opt;

	if (w->n == 1) {
		for (opt = s->lines.opts; opt->name != NULL; opt++) {
			if ((opt->flags & (OPT_HIDDEN | OPT_ALONE)) == 0)
				offer(o, "", opt->name);
		}
		return;
	}
	opt = option_of(s->lines.opts, w->list[1], strlen(w->list[1]));
	if (opt == NULL || w->n > 2)
		return;
	if (opt->kind == OPT_FLAG || (opt->flags & OPT_MAYBE) != 0)
		offer_choices(o, "", "on|off");
	else
		offer_kind(s, o, "", o->typed, kind_of(opt), opt->meta);
}

/* Of a command; of a verb under its own name, what the verb takes. */
static void
offer_operand(struct shell *s, struct offers *o, const struct words *w)
{
	const char *name = w->list[0] + 1;
	struct words verb = *w;
	enum complete kind;

	if (strcmp(name, "set") == 0) {
		offer_set(s, o, w);
	} else if (strcmp(name, "help") == 0) {
		for (const char *const *n = shell_command_names();
		     w->n == 1 && *n != NULL; n++)
			offer(o, "", *n);
	} else if (shell_command_is_verb(name)) {
		w->list[0]++;
		offer_word(s, o, &verb);
		w->list[0]--;
	} else if (w->n == 1) {
		kind = shell_command_takes(name);
		offer_kind(
		    s, o, "", o->typed, kind, shell_command_operands(name));
	}
}

/* Does a new word begin at the end of this?  Not behind "\\ ". */
static bool
begins_word(const char *text, size_t len)
{
	size_t n = 0;

	if (len == 0)
		return true;
	if (text[len - 1] != ' ' && text[len - 1] != '\t')
		return false;
	while (n < len - 1 && text[len - 2 - n] == '\\')
		n++;
	return n % 2 == 0;
}

void
shell_offer(const char *text, size_t len, struct line_offer *out, void *arg)
{
	static struct offers offers;
	struct shell *s = arg;
	bool begins = begins_word(text, len);
	static char typed[PATH_LEN];
	struct words w;

	*out = (struct line_offer){ 0 };
	clear(&offers);
	/* In a quote or bracket there is nothing to offer. */
	if (words_split(text, len, &w, NULL) != RK_OK)
		return;
	typed[0] = '\0';
	if (!begins && w.n > 0 && strlen(w.list[w.n - 1]) < sizeof(typed))
		(void)str_copy(typed, sizeof(typed), w.list[--w.n]);
	offers.typed = typed;
	if (w.n == 0)
		offer_first(s, &offers);
	else if (w.list[0][0] == ':')
		offer_operand(s, &offers, &w);
	else
		offer_word(s, &offers, &w);
	words_free(&w);
	qsort(offers.words, offers.n, sizeof(offers.words[0]), by_text);
	*out = (struct line_offer){
		.list = (const char *const *)offers.words,
		.n = offers.n,
		.typed = strlen(typed),
	};
}
