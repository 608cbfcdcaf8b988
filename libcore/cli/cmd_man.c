/* The lists of a man page (mdoc) made from the tables. */
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/cmd_priv.h"

struct page {
	const struct prog *p;
	struct buf *b;
	enum rk_err r; /* the first failure; later calls do nothing */
};

static void
put(struct page *m, const char *s)
{
	if (m->r == RK_OK)
		m->r = buf_put_str(m->b, s);
}

/* One character that roff would take for something else. */
static void
put_char(struct page *m, char c, bool in_macro)
{
	char one[2] = { c, '\0' };

	switch (c) {
	case '\\':
		put(m, "\\e");
		break;
	case '-':
		put(m, "\\-");
		break;
	case '"':
		put(m, in_macro ? "\\(dq" : "\"");
		break;
	default:
		put(m, one);
		break;
	}
}

/* A line of text. */
static void
put_text(struct page *m, const char *s)
{
	if (*s == '\0')
		return;
	if (*s == '.' || *s == '\'')
		put(m, "\\&");
	for (; *s != '\0'; s++)
		put_char(m, *s, false);
	put(m, "\n");
}

/* One argument of a macro, which must not be read as another macro. */
static void
put_arg(struct page *m, const char *s, size_t len)
{
	put(m, " ");
	if (len <= 3)
		put(m, "\\&");
	for (size_t i = 0; i < len; i++)
		put_char(m, s[i], true);
}

/* Words of "METHOD [ITEM...]" as one Ar each. */
static void
put_operands(struct page *m, const char *s)
{
	if (s == NULL || *s == '\0')
		return;
	put(m, " Ar");
	while (*(s += strspn(s, " ")) != '\0') {
		size_t len = strcspn(s, " ");

		put_arg(m, s, len);
		s += len;
	}
}

static void
put_flag(struct page *m, const struct opt *o, bool letter)
{
	const char one[2] = { o->letter, '\0' };

	put(m, " Fl ");
	if (letter) {
		put(m, one);
	} else {
		if (strlen(cmd_dashes(m->p, o)) == 2)
			put(m, "\\-");
		put(m, o->name);
	}
}

static void
put_opt(struct page *m, const struct opt *o)
{
	const char *meta = o->kind == OPT_FLAG ? NULL : o->meta;

	if (o->kind != OPT_FLAG && meta == NULL)
		meta = "VALUE";
	put(m, ".It");
	if (o->letter != 0 && o->name[1] != '\0') {
		put_flag(m, o, true);
		put(m, " ,");
	}
	put_flag(m, o, false);
	if (meta != NULL && (o->flags & OPT_MAYBE) != 0) {
		put(m, " Ns Op = Ns Ar");
		put_arg(m, meta, strlen(meta));
	} else if (meta != NULL) {
		put(m, " Ar");
		put_arg(m, meta, strlen(meta));
	}
	put(m, "\n");
	put_text(m, o->about == NULL ? "" : o->about);
	if (o->env != NULL) {
		put(m, ".Pq Ev");
		put_arg(m, o->env, strlen(o->env));
		put(m, "\n");
	}
}

static bool
any_shown(const struct opt *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		if ((o->flags & OPT_HIDDEN) == 0)
			return true;
	}
	return false;
}

static void
put_opts(struct page *m, const struct opt *o)
{
	if (!any_shown(o))
		return;
	put(m, ".Bl -tag -width Ds\n");
	for (; o->name != NULL; o++) {
		if ((o->flags & OPT_HIDDEN) == 0)
			put_opt(m, o);
	}
	put(m, ".El\n");
}

static void
put_examples(struct page *m, const char *const *list)
{
	if (list == NULL || list[0] == NULL)
		return;
	put(m, ".Bd -literal\n");
	for (; *list != NULL; list++)
		put_text(m, *list);
	put(m, ".Ed\n");
}

static void
put_cmd(struct page *m, const struct cmd *c)
{
	put(m, ".It Cm");
	put_arg(m, c->name, strlen(c->name));
	put_operands(m, c->operands);
	put(m, "\n");
	put_text(m, c->about == NULL ? "" : c->about);
	put_opts(m, c->opts);
	put_examples(m, c->examples);
}

static void
put_cmds(struct page *m)
{
	const struct cmd *c = m->p->cmds;

	if (c == NULL || c->name == NULL)
		return;
	put(m, ".Bl -tag -width Ds\n");
	for (; c->name != NULL; c++)
		put_cmd(m, c);
	put(m, ".El\n");
}

static void
put_envs(struct page *m)
{
	const struct env_doc *e = m->p->envs;

	if (e == NULL || e->name == NULL)
		return;
	put(m, ".Bl -tag -width Ds\n");
	for (; e->name != NULL; e++) {
		put(m, ".It Ev");
		put_arg(m, e->name, strlen(e->name));
		put(m, "\n");
		put_text(m, e->about == NULL ? "" : e->about);
	}
	put(m, ".El\n");
}

enum rk_err
cmd_man(const struct prog *p, struct buf *b)
{
	static const char begin[] = ".\\\" BEGIN GENERATED (";
	static const char end[] = ".\\\" END GENERATED\n";
	struct page m = { .p = p, .b = b };

	put(&m, begin);
	put(&m, "options)\n");
	put_opts(&m, p->opts);
	put(&m, end);
	put(&m, begin);
	put(&m, "commands)\n");
	put_cmds(&m);
	put(&m, end);
	put(&m, begin);
	put(&m, "environment)\n");
	put_envs(&m);
	put(&m, end);
	return m.r;
}
