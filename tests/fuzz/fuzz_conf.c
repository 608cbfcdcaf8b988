/* Any bytes as a configuration file, and every value of it as words. */
#include "cli/conf.h"

#include "must.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_key keys[] = {
	{ "a", "once", "TEXT", false },
	{ "many", "again and again", "TEXT", true },
	{ NULL, NULL, NULL, false },
};

static const struct conf_section sections[] = {
	{ "", false, "top", keys },
	{ "s", false, "plain", keys },
	{ "m", true, "named", keys },
	{ NULL, false, NULL, NULL },
};

static void
count(const char *text, void *arg)
{
	unsigned *n = arg;

	must(strncmp(text, "x:", 2) == 0);
	must(strpbrk(text, "\n\r\x1b\x7f") == NULL);
	++*n;
}

/* A word is never longer than what it came from. */
static void
check_words(const char *value)
{
	char **words;
	size_t len = 0;
	size_t n;

	if (conf_split(value, &words, &n, NULL) != RK_OK)
		return;
	for (size_t i = 0; i < n; i++)
		len += strlen(words[i]);
	must(words[n] == NULL && len <= strlen(value));
	free(words);
}

static void
check_item(const struct conf *c, const struct conf_item *it)
{
	const struct conf_item *last =
	    conf_find(c, it->section, it->name, it->key);

	must(last != NULL && last->line >= it->line);
	must(it->line > 0 && strpbrk(it->value, "\n") == NULL);
	must((strcmp(it->section, "m") == 0) == (it->name[0] != '\0'));
	check_words(it->value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned problems = 0;
	struct conf *c;
	enum rk_err r = conf_parse(
	    "x", (const char *)data, size, sections, &c, count, &problems);

	must((r == RK_OK) == (problems == 0));
	if (r != RK_OK) {
		must(r == RK_EFORMAT && c == NULL);
		return 0;
	}
	for (size_t i = 0; i < conf_count(c); i++)
		check_item(c, conf_at(c, i));
	conf_free(c);
	return 0;
}
