/* How roles look: what is built in, and what the themes file says. */
#include "theme.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/conf.h"
#include "cli/path.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	struct term_look look;
} roles[ROLE_COUNT] = {
	[ROLE_TEXT] = { "text", { 0, LOOK_OWN } },
	[ROLE_DIM] = { "dim", { LOOK_DIM, LOOK_OWN } },
	[ROLE_HEAD] = { "head", { LOOK_BOLD, LOOK_OWN } },
	[ROLE_BAR] = { "bar", { LOOK_REVERSE, LOOK_OWN } },
	[ROLE_PICK] = { "pick", { LOOK_REVERSE, LOOK_OWN } },
	[ROLE_GOOD] = { "good", { 0, 2 } },
	[ROLE_WAIT] = { "wait", { LOOK_BOLD, 3 } },
	[ROLE_BAD] = { "bad", { LOOK_BOLD, 1 } },
	[ROLE_INFO] = { "info", { 0, 6 } },
};

static const struct {
	const char *word;
	unsigned attr;
} attrs[] = {
	{ "normal", 0 },
	{ "bold", LOOK_BOLD },
	{ "dim", LOOK_DIM },
	{ "reverse", LOOK_REVERSE },
	{ "underline", LOOK_UNDERLINE },
};

/* By the terminal's own numbers, the bright ones 8 more. */
static const char *const colors[] = { "black", "red", "green", "yellow", "blue",
	"magenta", "cyan", "white" };
#define BRIGHT "bright-"

/* What is built in. */
static void
set_default(struct term_look looks[ROLE_COUNT])
{
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		looks[i] = roles[i].look;
}

/* ---- one line ---- */

static bool
take_attr(const char *word, struct term_look *look)
{
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		if (strcmp(word, attrs[i].word) == 0) {
			look->attr |= attrs[i].attr;
			return true;
		}
	}
	return false;
}

static bool
take_color(const char *word, struct term_look *look)
{
	size_t n = strlen(BRIGHT);
	bool bright = strncmp(word, BRIGHT, n) == 0;

	for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++) {
		if (strcmp(bright ? word + n : word, colors[i]) == 0) {
			look->color = (int)i + (bright ? 8 : 0);
			return true;
		}
	}
	return false;
}

static enum rk_err
take_line(
    const struct conf_item *item, struct term_look *out, struct rk_error *err)
{
	struct term_look look = { 0, LOOK_OWN };
	const char *at = item->value;
	char word[32], shown[128];
	size_t n;

	for (at += strspn(at, " \t"); *at != '\0'; at += strspn(at, " \t")) {
		n = strcspn(at, " \t");
		(void)snprintf(word, sizeof(word), "%.*s", (int)n, at);
		if (n >= sizeof(word) ||
		    (!take_attr(word, &look) && !take_color(word, &look)))
			return err_set(err, RK_EFORMAT,
			    "%s:%u: %s: \"%s\" is no look: normal, bold, dim, "
			    "reverse, underline, or one of 16 colors",
			    item->file, item->line, item->key,
			    str_escape(shown, sizeof(shown), word));
		at += n;
	}
	*out = look;
	return RK_OK;
}

/* ---- the file ---- */

static void
on_problem(const char *text, void *arg)
{
	struct rk_error *first = arg;

	if (first->code == RK_OK)
		(void)err_set(first, RK_EFORMAT, "%s", text);
}

static enum rk_err
take_all(const struct conf *c, struct term_look looks[ROLE_COUNT],
    struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (unsigned i = 0; r == RK_OK && i < ROLE_COUNT; i++) {
		const struct conf_item *item =
		    conf_find(c, "", "", roles[i].name);

		if (item != NULL)
			r = take_line(item, &looks[i], err);
	}
	return r;
}

enum rk_err
theme_load(struct term_look looks[ROLE_COUNT], struct rk_error *err)
{
	struct conf_key keys[ROLE_COUNT + 1] = { 0 };
	const struct conf_section sections[] = { { .name = "", .keys = keys },
		{ 0 } };
	struct rk_error first = { 0 };
	struct conf *c = NULL;
	char path[PATH_LEN];
	enum rk_err r;

	set_default(looks);
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		keys[i].name = roles[i].name;
	if (path_user(PATH_CONFIG, "theme.conf", path) != RK_OK)
		return RK_OK;
	r = conf_read(path, sections, &c, on_problem, &first, err);
	if (r == RK_ENOENT)
		return RK_OK;
	if (first.code != RK_OK)
		r = err_set(err, first.code, "%s", first.text);
	if (r == RK_OK)
		r = take_all(c, looks, err);
	conf_free(c);
	return r;
}
