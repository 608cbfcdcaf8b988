/* --help: one screen about a program, all about it, or one verb. */
#include <stdio.h>

#include "base/str.h"
#include "cli/cmd_priv.h"

#define WIDTH 79
#define LINES 23 /* the prompt needs one of 24 */
#define ABOUT_AT 26
#define TERM_LEN 160

enum detail {
	DETAIL_TABLE, /* a line each */
	DETAIL_LIST,  /* names only, side by side */
	DETAIL_NONE
};

/* How much is said about each part. */
struct plan {
	enum detail verbs;
	enum detail opts;
	enum detail envs;
	size_t examples;
};

struct help {
	const struct prog *p;
	struct buf *b;
	size_t column;
	bool airy;     /* an empty line before each part */
	enum rk_err r; /* the first failure; later calls do nothing */
};

static void
put_len(struct help *h, const char *s, size_t len)
{
	if (h->r == RK_OK)
		h->r = buf_put(h->b, s, len);
	for (size_t i = 0; i < len; i++)
		h->column = s[i] == '\n' ? 0 : h->column + 1;
}

static void
put(struct help *h, const char *s)
{
	put_len(h, s, strlen(s));
}

static void
put_indent(struct help *h, size_t column)
{
	while (h->column < column)
		put_len(h, " ", 1);
}

static void
put_head(struct help *h, const char *s)
{
	if (h->airy)
		put(h, "\n");
	put(h, s);
}

/* Words from the current column on; lines after the first are indented. */
static void
put_wrapped(struct help *h, const char *s, size_t indent)
{
	bool first = true;

	while (*(s += strspn(s, " ")) != '\0') {
		size_t len = strcspn(s, " ");

		if (!first && h->column + 1 + len > WIDTH)
			put(h, "\n");
		else if (!first)
			put(h, " ");
		put_indent(h, indent);
		put_len(h, s, len);
		first = false;
		s += len;
	}
}

/* An item of a list like "verbs: call, ls, desc". */
static void
put_item(struct help *h, const char *s, bool first)
{
	if (!first)
		put(h, ",");
	if (!first && h->column + 1 + strlen(s) + 1 > WIDTH)
		put(h, "\n    ");
	else
		put(h, " ");
	put(h, s);
}

static void
put_row(struct help *h, const char *term, const char *about)
{
	put(h, "  ");
	put(h, term);
	if (h->column + 2 > ABOUT_AT)
		put(h, "\n");
	put_indent(h, ABOUT_AT);
	put_wrapped(h, about == NULL ? "" : about, ABOUT_AT);
	put(h, "\n");
}

static bool
is_shown(const struct opt *o)
{
	return (o->flags & OPT_HIDDEN) == 0;
}

/* "-c, --context NAME" or, `brief`, "--context NAME". */
static void
opt_term(
    const struct prog *p, const struct opt *o, bool brief, char dst[TERM_LEN])
{
	const char *meta = o->kind == OPT_FLAG ? NULL : o->meta;
	bool maybe = (o->flags & OPT_MAYBE) != 0;
	char letter[8] = "";
	int n;

	if (o->kind != OPT_FLAG && meta == NULL)
		meta = "VALUE";
	if (o->letter != 0 && o->name[1] != '\0' && !brief) {
		letter[0] = '-';
		letter[1] = o->letter;
		letter[2] = ',';
		letter[3] = ' ';
	}
	n = snprintf(dst, TERM_LEN, "%s%s%s%s%s%s", letter, cmd_dashes(p, o),
	    o->name,
	    meta == NULL ? ""
	    : maybe      ? "[="
	                 : " ",
	    meta == NULL ? "" : meta, meta != NULL && maybe ? "]" : "");
	if (n < 0)
		dst[0] = '\0';
}

static void
put_opt_about(struct help *h, const struct opt *o)
{
	char term[TERM_LEN];
	char about[512];

	opt_term(h->p, o, false, term);
	if (snprintf(about, sizeof(about), "%s%s%s%s",
	        o->about == NULL ? "" : o->about, o->env == NULL ? "" : " ($",
	        o->env == NULL ? "" : o->env, o->env == NULL ? "" : ")") < 0)
		about[0] = '\0';
	put_row(h, term, about);
}

static void
put_opts(
    struct help *h, const char *head, const struct opt *table, enum detail how)
{
	char term[TERM_LEN];
	bool first = true;

	if (table == NULL || table->name == NULL || how == DETAIL_NONE)
		return;
	put_head(h, head);
	put(h, how == DETAIL_TABLE ? ":\n" : ":");
	for (const struct opt *o = table; o->name != NULL; o++) {
		if (!is_shown(o))
			continue;
		opt_term(h->p, o, true, term);
		if (how == DETAIL_TABLE)
			put_opt_about(h, o);
		else
			put_item(h, term, first);
		first = false;
	}
	if (how == DETAIL_LIST)
		put(h, "\n");
}

static void
put_verbs(struct help *h, enum detail how)
{
	const struct cmd *c = h->p->cmds;
	char term[TERM_LEN];

	if (c == NULL || how == DETAIL_NONE)
		return;
	put_head(h, how == DETAIL_TABLE ? "commands:\n" : "commands:");
	for (; c->name != NULL; c++) {
		if (how == DETAIL_LIST) {
			put_item(h, c->name, c == h->p->cmds);
			continue;
		}
		if (snprintf(term, sizeof(term), "%s%s%s", c->name,
		        c->operands == NULL ? "" : " ",
		        c->operands == NULL ? "" : c->operands) < 0)
			term[0] = '\0';
		put_row(h, term, c->about);
	}
	if (how == DETAIL_LIST)
		put(h, "\n");
}

static void
put_envs(struct help *h, enum detail how)
{
	const struct env_doc *e = h->p->envs;

	if (e == NULL || e->name == NULL || how == DETAIL_NONE)
		return;
	put_head(h, how == DETAIL_TABLE ? "environment:\n" : "environment:");
	for (; e->name != NULL; e++) {
		if (how == DETAIL_TABLE)
			put_row(h, e->name, e->about);
		else
			put_item(h, e->name, e == h->p->envs);
	}
	if (how == DETAIL_LIST)
		put(h, "\n");
}

static void
put_examples(struct help *h, const char *const *list, size_t n)
{
	if (list == NULL || list[0] == NULL || n == 0)
		return;
	put_head(h, "examples:\n");
	for (size_t i = 0; i < n && list[i] != NULL; i++) {
		put(h, "  ");
		put(h, list[i]);
		put(h, "\n");
	}
}

static void
put_usage(struct help *h)
{
	const char *const *u = h->p->usage;
	const char *lead = "usage: ";

	for (; u != NULL && *u != NULL; u++) {
		put(h, lead);
		put(h, h->p->name);
		put(h, " ");
		put_wrapped(h, *u, 11);
		put(h, "\n");
		lead = "       ";
	}
}

/* "rpcd 8, selfy 1" as "rpcd(8), selfy(1)", after the program's own page. */
static void
put_see_also(struct help *h)
{
	const char *s = h->p->see_also == NULL ? "" : h->p->see_also;
	char own[64];
	char page[64];

	put_head(h, "");
	if (snprintf(own, sizeof(own), "see also: %s(%s)", h->p->name,
	        h->p->section) < 0)
		own[0] = '\0';
	for (char *at = own + strlen("see also: "); *at != '\0'; at++) {
		if (*at == ' ')
			*at = '-'; /* the page of "rpcd ctl" */
	}
	put(h, own);
	while (*(s += strspn(s, ", ")) != '\0') {
		size_t name = strcspn(s, " ,");
		const char *section = s + name + strspn(s + name, " ");
		size_t digits = strcspn(section, " ,");

		if (snprintf(page, sizeof(page), ", %.*s(%.*s)", (int)name, s,
		        (int)digits, section) < 0)
			page[0] = '\0';
		if (h->column + strlen(page) > WIDTH)
			put(h, ",\n   ");
		put(h, page + (h->column == 3 ? 1 : 0));
		s = section + digits;
	}
	if (snprintf(page, sizeof(page), "%s help %s", h->p->name,
	        h->p->cmds != NULL ? "COMMAND|all" : "all") < 0)
		page[0] = '\0';
	put(h, h->column + 2 + strlen(page) > WIDTH ? ";\n    " : "; ");
	put(h, page);
	put(h, "\n");
}

static void
put_program(struct help *h, const struct plan *plan)
{
	put(h, h->p->name);
	put(h, " - ");
	put_wrapped(h, h->p->about, 4);
	put(h, "\n");
	put_usage(h);
	put_examples(h, h->p->examples, plan->examples);
	put_verbs(h, plan->verbs);
	put_opts(h, "options", h->p->opts, plan->opts);
	put_envs(h, plan->envs);
	put_see_also(h);
}

static size_t
count_lines(const struct buf *b, size_t from)
{
	const uint8_t *p = buf_peek(b);
	size_t n = 0;

	for (size_t i = from; i < buf_len(b); i++)
		n += p[i] == '\n';
	return n;
}

/* Say as much as one screen holds. */
static enum rk_err
program_help(const struct prog *p, struct buf *b)
{
	static const struct plan plans[] = {
		{ DETAIL_TABLE, DETAIL_TABLE, DETAIL_TABLE, 5 },
		{ DETAIL_TABLE, DETAIL_TABLE, DETAIL_LIST, 5 },
		{ DETAIL_TABLE, DETAIL_LIST, DETAIL_LIST, 5 },
		{ DETAIL_TABLE, DETAIL_LIST, DETAIL_LIST, 3 },
		{ DETAIL_LIST, DETAIL_LIST, DETAIL_LIST, 5 },
		{ DETAIL_LIST, DETAIL_LIST, DETAIL_LIST, 3 },
		{ DETAIL_LIST, DETAIL_LIST, DETAIL_NONE, 1 },
	};
	size_t n = sizeof(plans) / sizeof(plans[0]);
	size_t old = buf_len(b);
	enum rk_err r = RK_OK;

	/* Each plan first with empty lines, then without. */
	for (size_t i = 0; i < 2 * n; i++) {
		struct help h = { .p = p, .b = b, .airy = i % 2 == 0 };

		buf_uncommit(b, buf_len(b) - old);
		put_program(&h, &plans[i / 2]);
		r = h.r;
		if (r != RK_OK || count_lines(b, old) <= LINES)
			break;
	}
	return r;
}

static void
put_verb(struct help *h, const struct cmd *c, const struct opt *common)
{
	put(h, h->p->name);
	put(h, " ");
	put(h, c->name);
	put(h, " - ");
	put_wrapped(h, c->about == NULL ? "" : c->about, 4);
	put(h, "\nusage: ");
	put(h, h->p->name);
	put(h, " ");
	put(h, c->name);
	if (c->operands != NULL && *c->operands != '\0') {
		put(h, " ");
		put_wrapped(h, c->operands, 11);
	}
	put(h, "\n");
	put_examples(h, c->examples, SIZE_MAX);
	put_opts(h, "options", c->opts, DETAIL_TABLE);
	if (common != NULL)
		put_opts(h, "options of every command", common, DETAIL_LIST);
}

static enum rk_err
full_help(const struct prog *p, struct buf *b)
{
	static const struct plan head = { DETAIL_LIST, DETAIL_TABLE,
		DETAIL_TABLE, SIZE_MAX };
	struct help h = { .p = p, .b = b, .airy = true };

	put_program(&h, &head);
	for (const struct cmd *c = p->cmds; c != NULL && c->name != NULL; c++) {
		put(&h, "\n");
		put_verb(&h, c, NULL);
	}
	return h.r;
}

enum rk_err
cmd_help(const struct prog *p, const struct cmd *c, bool all, struct buf *b)
{
	struct help h = { .p = p, .b = b, .airy = true };

	if (all)
		return full_help(p, b);
	if (c == NULL)
		return program_help(p, b);
	put_verb(&h, c, p->opts);
	put_see_also(&h);
	return h.r;
}
