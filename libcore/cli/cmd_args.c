/* What was understood from a command line, asked for by name. */
#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "cli/cmd_priv.h"

static enum rk_err
copy_words(struct args *a, size_t n, char *const *argv)
{
	size_t len = 1;
	char *p;

	for (size_t i = 0; i < n; i++)
		len += strlen(argv[i]) + 1;
	a->text = malloc(len);
	a->words = calloc(n + 1, sizeof(*a->words));
	a->operands = calloc(n + 1, sizeof(*a->operands));
	if (a->text == NULL || a->words == NULL || a->operands == NULL)
		return RK_ENOMEM;
	p = a->text;
	for (size_t i = 0; i < n; i++) {
		len = strlen(argv[i]) + 1;
		memcpy(p, argv[i], len);
		a->words[i] = p;
		p += len;
	}
	a->n_words = n;
	return RK_OK;
}

enum rk_err
args_new(const struct prog *p, int argc, char *const *argv, struct args **out)
{
	struct args *a = calloc(1, sizeof(*a));
	enum rk_err r;

	*out = NULL;
	if (a == NULL)
		return RK_ENOMEM;
	a->prog = p;
	/* An empty argument vector is possible: execve() allows it. */
	r = copy_words(a, argc > 1 ? (size_t)argc - 1 : 0, argv + 1);
	if (r != RK_OK) {
		args_free(a);
		return r;
	}
	*out = a;
	return RK_OK;
}

void
args_free(struct args *a)
{
	if (a == NULL)
		return;
	free(a->lists);
	free(a->operands);
	free(a->values);
	free(a->words);
	free(a->text);
	free(a);
}

static void
list_option(struct args *a, const struct opt *o, size_t *used)
{
	struct value *first = NULL;

	for (size_t i = 0; i < a->n_values; i++) {
		if (a->values[i].opt != o)
			continue;
		if (first == NULL) {
			first = &a->values[i];
			first->list_at = *used;
		}
		a->lists[(*used)++] = a->values[i].text;
		first->list_n++;
	}
}

static void
list_table(struct args *a, const struct opt *o, size_t *used)
{
	for (; o != NULL && o->name != NULL; o++) {
		if ((o->flags & OPT_MANY) != 0)
			list_option(a, o, used);
	}
}

enum rk_err
args_make_lists(struct args *a, struct rk_error *err)
{
	size_t used = 0;

	a->lists = calloc(a->n_values + 1, sizeof(*a->lists));
	if (a->lists == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if (a->cmd != NULL)
		list_table(a, a->cmd->opts, &used);
	list_table(a, a->prog->opts, &used);
	return RK_OK;
}

static bool
is_named(const struct opt *o, const char *name)
{
	return strcmp(o->name, name) == 0;
}

bool
args_known(const struct args *a, const char *name)
{
	const struct opt *o = cmd_any_opt(a->prog, name, strlen(name));

	return o != NULL;
}

/* The last value given, which is the one that counts, or NULL. */
static const struct value *
find(const struct args *a, const char *name)
{
	const struct value *v = NULL;

	assert(args_known(a, name));
	for (size_t i = 0; i < a->n_values; i++) {
		if (is_named(a->values[i].opt, name))
			v = &a->values[i];
	}
	return v;
}

bool
args_given(const struct args *a, const char *name)
{
	return find(a, name) != NULL;
}

bool
args_flag(const struct args *a, const char *name)
{
	const struct value *v = find(a, name);

	return v != NULL && v->on;
}

const char *
args_text(const struct args *a, const char *name, const char *fallback)
{
	const struct value *v = find(a, name);

	return v != NULL && v->text != NULL ? v->text : fallback;
}

uint64_t
args_number(const struct args *a, const char *name, uint64_t fallback)
{
	const struct value *v = find(a, name);

	return v != NULL && v->text != NULL ? v->number : fallback;
}

const char *const *
args_list(const struct args *a, const char *name, size_t *n)
{
	*n = 0;
	assert(args_known(a, name));
	for (size_t i = 0; i < a->n_values; i++) {
		if (is_named(a->values[i].opt, name) &&
		    a->values[i].list_n > 0) {
			*n = a->values[i].list_n;
			return a->lists + a->values[i].list_at;
		}
	}
	return NULL;
}

bool
args_from_env(const struct args *a, const char *name)
{
	const struct value *v = find(a, name);

	return v != NULL && v->from_env;
}

const char *const *
args_operands(const struct args *a, size_t *n)
{
	*n = a->n_operands;
	return a->operands;
}

/* Was it given, where words can stand beside it? */
static bool
is_word(const struct args *a, const struct value *v)
{
	const struct opt *o = v->opt;

	return !v->from_env && (o->flags & OPT_ALONE) == 0 &&
	       cmd_opt(a->prog->opts, o->name, strlen(o->name)) == o &&
	       !is_named(o, "help") && !is_named(o, "version");
}

enum rk_err
args_next_word(const struct args *a, size_t *at, struct buf *b)
{
	const struct value *v;
	enum rk_err r;

	while (*at < a->n_values && !is_word(a, &a->values[*at]))
		++*at;
	if (*at == a->n_values)
		return RK_ENOENT;
	v = &a->values[(*at)++];
	r = buf_printf(b, "%s%s", cmd_dashes(a->prog, v->opt), v->opt->name);
	if (r == RK_OK && v->text != NULL)
		r = buf_printf(b, "=%s", v->text);
	return r;
}

const struct cmd *
args_cmd(const struct args *a)
{
	return a->cmd;
}

const struct prog *
args_prog(const struct args *a)
{
	return a->prog;
}
