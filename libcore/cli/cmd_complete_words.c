/* Words that completion asks the program itself for. */
#include "base/str.h"
#include "cli/cmd_complete.h"

/* Those that the program itself is asked for. */
static const struct {
	const char *name;
	enum complete kind;
} asked[] = {
	{ "method", COMPLETE_METHOD },
	{ "item", COMPLETE_ITEM },
	{ "context", COMPLETE_CONTEXT },
	{ "setting", COMPLETE_SETTING },
	{ "key", COMPLETE_KEY },
	{ "held", COMPLETE_HELD },
	{ "pair", COMPLETE_PAIR },
	{ "server", COMPLETE_SERVER },
};
#define N_ASKED (sizeof(asked) / sizeof(asked[0]))

const char *
script_kind_name(enum complete kind)
{
	size_t i = 0;

	while (i + 1 < N_ASKED && asked[i].kind != kind)
		i++;
	return asked[i].name;
}

/* Of files anything can be the name: the scripts quote what stands behind @. */
static bool
is_file(const char *word, enum complete kind)
{
	const char *at = strchr(word, '@');

	if (kind != COMPLETE_ITEM || at == NULL || *word == '-')
		return false;
	while ((unsigned char)*at >= ' ' && *at != '\177')
		at++;
	return *at == '\0';
}

/* Can it stand on a command line as it is, in every shell?  Items, settings and
 * pairs have a sign more. */
static bool
is_safe(const char *word, enum complete kind)
{
	static const char good[] = "=abcdefghijklmnopqrstuvwxyz"
	                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                           "0123456789._-/:@+,%[]";
	bool item = kind == COMPLETE_ITEM || kind == COMPLETE_SETTING ||
	            kind == COMPLETE_PAIR;
	const char *from = good + !item;

	if (*word == '\0' || *word == '-' || word[strspn(word, from)] != '\0')
		return false;
	/* Brackets are a pattern, but in an address. */
	return strpbrk(word, "[]") == NULL || kind == COMPLETE_SERVER;
}

/* The words so far, which need not be right yet: an option at their end waits
 * for what is to be offered. */
static struct args *
read_words(const struct prog *p, int argc, char **argv)
{
	struct args *a = NULL;
	struct rk_error err;

	if (argc < 1 || cmd_read(p, argc, argv, &a, &err) == RK_OK ||
	    argc < 2 || argv[argc - 1][0] != '-')
		return a;
	args_free(a);
	if (cmd_read(p, argc - 1, argv, &a, &err) != RK_OK) {
		/* As far as it was read. */
	}
	return a;
}

/* KIND PREFIX WORD... */
enum rk_err
cmd_words(const struct prog *p, int argc, char **argv, struct buf *b)
{
	const char *kind = argc > 0 ? argv[0] : "";
	const char *prefix = argc > 1 ? argv[1] : "";
	const char *value = *prefix == '-' ? strchr(prefix, '=') : NULL;
	const char *const *list = NULL;
	struct args *a;
	enum rk_err r = RK_OK;
	size_t i = 0;

	while (i < N_ASKED && strcmp(asked[i].name, kind) != 0)
		i++;
	if (i == N_ASKED)
		return RK_EINVAL;
	prefix = value != NULL ? value + 1 : prefix; /* --name=VALUE */
	a = read_words(p, argc - 1, argv + 1);
	if (p->words != NULL)
		list = p->words(a, asked[i].kind, prefix);
	for (; r == RK_OK && list != NULL && *list != NULL; list++) {
		if ((!is_safe(*list, asked[i].kind) &&
		        !is_file(*list, asked[i].kind)) ||
		    strncmp(*list, prefix, strlen(prefix)) != 0)
			continue;
		if ((r = buf_put_str(b, *list)) == RK_OK)
			r = buf_put_str(b, "\n");
	}
	args_free(a);
	return r;
}
