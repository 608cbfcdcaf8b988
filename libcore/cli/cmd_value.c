/* The values of options: numbers, times, sizes and choices checked. */
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/cmd_priv.h"

#define SHOWN 80 /* of a value in a message */

/* The words of Go's strconv.ParseBool, no others. */
static enum rk_err
parse_go_bool(const char *s, bool *out)
{
	static const char *const words[] = { "1", "t", "T", "true", "TRUE",
		"True", "0", "f", "F", "false", "FALSE", "False" };

	*out = false;
	for (size_t i = 0; i < 12; i++) {
		if (strcmp(s, words[i]) == 0) {
			*out = i < 6;
			return RK_OK;
		}
	}
	return RK_EFORMAT;
}

static bool
is_choice(const char *choices, const char *word)
{
	size_t len = strlen(word);
	size_t n;

	for (; *choices != '\0'; choices += n + (choices[n] == '|')) {
		n = strcspn(choices, "|");
		if (n == len && memcmp(choices, word, n) == 0)
			return true;
	}
	return false;
}

/* What was wrong with a value: "--n: "x" is not a number". */
static enum rk_err
bad_value(const struct prog *p, const struct value *v, const char *why,
    struct rk_error *err)
{
	const struct opt *o = v->opt;
	char shown[SHOWN];

	str_escape(shown, sizeof(shown), v->text);
	if (v->from_env)
		return err_set(
		    err, RK_EINVAL, "$%s: \"%s\" is %s", o->env, shown, why);
	return err_set(err, RK_EINVAL, "%s%s: \"%s\" is %s", cmd_dashes(p, o),
	    o->name, shown, why);
}

#define HOUR_MS (UINT64_C(60) * 60 * 1000)
#define DAY_MS (24 * HOUR_MS)

/* "250 ms", "1.5 s", "36 h", "366 d". */
static void
put_time(char out[32], uint64_t ms)
{
	if (ms < 1000)
		(void)snprintf(out, 32, "%ju ms", (uintmax_t)ms);
	else if (ms % DAY_MS == 0)
		(void)snprintf(out, 32, "%ju d", (uintmax_t)(ms / DAY_MS));
	else if (ms % HOUR_MS == 0)
		(void)snprintf(out, 32, "%ju h", (uintmax_t)(ms / HOUR_MS));
	else
		(void)snprintf(out, 32, "%.10g s", (double)ms / 1000);
}

/* What an option takes at most, whether it says so or not. */
static uint64_t
find_max(const struct opt *o)
{
	const uint64_t all =
	    o->kind == OPT_DURATION ? STR_DURATION_MAX : UINT64_MAX;

	return o->max != 0 && o->max < all ? o->max : all;
}

/* With the time that was understood: 100 is seconds, as 100s is. */
static enum rk_err
bad_time(const struct prog *p, const struct value *v, struct rk_error *err)
{
	char is[32];
	char min[32];
	char max[32];
	char text[160];

	put_time(is, v->number);
	put_time(min, v->opt->min);
	put_time(max, find_max(v->opt));
	(void)snprintf(
	    text, sizeof(text), "%s, which is not from %s to %s", is, min, max);
	return bad_value(p, v, text, err);
}

/* It was not understood, and only the bound can be named. */
static enum rk_err
too_large(const struct prog *p, const struct value *v, struct rk_error *err)
{
	const uint64_t max = find_max(v->opt);
	char bound[32], text[SHOWN];

	if (v->opt->kind == OPT_DURATION)
		put_time(bound, max);
	else
		(void)snprintf(bound, sizeof(bound), "%ju", (uintmax_t)max);
	(void)snprintf(
	    text, sizeof(text), "too large: it is at most %s", bound);
	return bad_value(p, v, text, err);
}

static enum rk_err
check_number(const struct prog *p, const struct value *v, enum rk_err r,
    const char *why, struct rk_error *err)
{
	const struct opt *o = v->opt;
	char text[SHOWN];

	if (r == RK_EFORMAT)
		return bad_value(p, v, why, err);
	if (r != RK_OK)
		return too_large(p, v, err);
	if (o->max == 0 || (v->number >= o->min && v->number <= o->max))
		return RK_OK;
	if (o->kind == OPT_DURATION)
		return bad_time(p, v, err);
	(void)snprintf(text, sizeof(text), "not from %ju to %ju",
	    (uintmax_t)o->min, (uintmax_t)o->max);
	return bad_value(p, v, text, err);
}

enum rk_err
cmd_value(const struct prog *p, struct value *v, struct rk_error *err)
{
	char text[SHOWN * 2];
	enum rk_err r;

	switch (v->opt->kind) {
	case OPT_FLAG:
		v->on = true;
		if (v->text == NULL)
			return RK_OK;
		r = v->from_env ? str_parse_bool(v->text, &v->on)
		                : parse_go_bool(v->text, &v->on);
		return r == RK_OK ? RK_OK
		                  : bad_value(p, v, "not yes or no", err);
	case OPT_TEXT:
		return RK_OK;
	case OPT_NUMBER:
		r = str_parse_u64(v->text, 0, UINT64_MAX, &v->number);
		return check_number(p, v, r, "not a number", err);
	case OPT_DURATION:
		r = str_parse_duration(v->text, &v->number);
		return check_number(
		    p, v, r, "not a time like 30s, 250ms or 1m", err);
	case OPT_SIZE:
		r = str_parse_size(v->text, &v->number);
		return check_number(p, v, r, "not a size like 64K or 1M", err);
	case OPT_CHOICE:
		if (is_choice(v->opt->meta, v->text))
			return RK_OK;
		(void)snprintf(
		    text, sizeof(text), "not one of %s", v->opt->meta);
		return bad_value(p, v, text, err);
	}
	return RK_EINVAL;
}
