/* Is the table of a typed struct one?  Asked once, at registration. */
#include "rpc/typed_int.h"

#include "base/error.h"
#include "base/str.h"

#include <float.h>

enum rk_err
typed_collect(const struct rk_record *type,
    const struct rk_record *list[TYPED_RECORDS_MAX], size_t *n)
{
	*n = 0;
	list[(*n)++] = type;
	for (size_t i = 0; i < *n; i++) {
		size_t rows = list[i]->fields == NULL ? 0 : list[i]->n;

		for (size_t k = 0; k < rows; k++) {
			const struct rk_record *of = list[i]->fields[k].of;
			size_t at = 0;

			while (of != NULL && at < *n && list[at] != of)
				at++;
			if (of == NULL || at < *n)
				continue;
			if (*n == TYPED_RECORDS_MAX)
				return RK_ELIMIT;
			list[(*n)++] = of;
		}
	}
	return RK_OK;
}

static bool
is_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
	                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	size_t n = s == NULL ? 0 : strlen(s);

	return n > 0 && n <= RK_FIELD_NAME_MAX && strspn(s, letters) == n &&
	       (s[0] < '0' || s[0] > '9') && strstr(s, "_zid") == NULL;
}

static bool
is_float(enum rk_field_kind kind)
{
	return kind == RK_FIELD_IS_F32 || kind == RK_FIELD_IS_F64;
}

static bool
is_text(enum rk_field_kind kind)
{
	return kind == RK_FIELD_IS_STR || kind == RK_FIELD_IS_CHARS;
}

/* ---- each returns what is wrong, or NULL ---- */

static const char *
check_shape(const struct rk_record *type, const struct rk_field *f)
{
	const struct typed_kind *k = typed_kind(f->kind);
	size_t size = f->size;

	if (k == NULL)
		return "no such kind";
	if ((f->kind == RK_FIELD_IS_RECORD) != (f->of != NULL))
		return "`of` is for records, and they need it";
	if (f->of != NULL && f->of->size != f->size)
		return "its record is for a struct of another size";
	if (f->size == 0 || (k->size != 0 && k->size != f->size))
		return "the size is not that of its kind";
	if (f->shape != RK_FIELD_ONE && f->kind == RK_FIELD_IS_CHARS)
		return "no lists of CHARS, and none that may be absent";
	if (f->shape == RK_FIELD_MANY && f->kind == RK_FIELD_IS_U8)
		return "a list of U8 is BYTES";
	if (f->shape == RK_FIELD_MANY)
		size = sizeof(struct typed_list);
	else if (f->shape == RK_FIELD_OPTIONAL)
		size = sizeof(void *);
	else if (f->shape != RK_FIELD_ONE)
		return "no such shape";
	if (f->offset > type->size || size > type->size - f->offset)
		return "it lies outside of the struct";
	if (f->clue != NULL && (strlen(f->clue) != 3 || !is_name(f->clue)))
		return "a clue has three letters";
	return NULL;
}

/* Does the default fit the kind? */
static const char *
check_default(const struct rk_field *f)
{
	const struct typed_kind *k = typed_kind(f->kind);
	bool is_uint =
	    typed_is_unsigned(f->kind) || f->kind == RK_FIELD_IS_BOOL;

	if (!typed_has_default(f))
		return NULL;
	if (f->required)
		return "it is required and has a default";
	if (f->shape != RK_FIELD_ONE)
		return "no defaults of lists and of what may be absent";
	if (f->initial != 0 && !is_uint && !typed_is_signed(f->kind))
		return "`initial` is for integers, bool and durations";
	if (f->initial_float != 0 && !is_float(f->kind))
		return "`initial_float` is for floats";
	if (f->initial_text != NULL && !is_text(f->kind))
		return "`initial_text` is for STR and CHARS";
	if (f->kind == RK_FIELD_IS_CHARS && strlen(f->initial_text) >= f->size)
		return "its default is too long";
	if (is_uint && (f->initial < 0 || (uint64_t)f->initial > k->most))
		return "its default does not fit the kind";
	if (typed_is_signed(f->kind) &&
	    (f->initial < k->least || f->initial > (int64_t)k->most))
		return "its default does not fit the kind";
	if (f->kind == RK_FIELD_IS_F32 &&
	    (f->initial_float > (double)FLT_MAX ||
	        f->initial_float < -(double)FLT_MAX))
		return "its default does not fit the kind";
	return NULL;
}

/* What an absent member is, as a number that limits can be compared with. */
static double
absent(const struct rk_field *f)
{
	if (f->initial_text != NULL)
		return (double)strlen(f->initial_text);
	return is_float(f->kind) ? f->initial_float : (double)f->initial;
}

static const char *
check_limits(const struct rk_field *f)
{
	const struct typed_kind *k = typed_kind(f->kind);
	bool has_length = k->has_length || f->shape == RK_FIELD_MANY;

	if (!typed_has_limits(f))
		return NULL;
	if (!has_length && !k->has_number)
		return "no limits for this kind";
	if (f->min > f->max)
		return "its least is more than its most";
	if ((has_length || typed_is_unsigned(f->kind)) && f->min < 0)
		return "its least is less than nothing";
	if (f->required || f->shape == RK_FIELD_OPTIONAL)
		return NULL;
	if (!(absent(f) >= (double)f->min && absent(f) <= (double)f->max))
		return "absent it is outside its limits: make it required, or "
		       "give it a default";
	return NULL;
}

static const char *
check_field(const struct rk_record *type, size_t i)
{
	const struct rk_field *f = &type->fields[i];
	const char *wrong;

	if (f->id >= RK_FIELDS_MAX)
		return "numbers are 0 to 99";
	if (i > 0 && f->id == f[-1].id)
		return f->kind == RK_FIELD_IS_RETIRED ||
		               f[-1].kind == RK_FIELD_IS_RETIRED
		           ? "the number is retired"
		           : "the number is taken";
	if (i > 0 && f->id < f[-1].id)
		return "rows stand in the order of their numbers";
	if (f->kind == RK_FIELD_IS_RETIRED)
		return NULL;
	if (!is_name(f->name))
		return "a name has letters, digits and _, 64 at most, no "
		       "digit first and no _zid";
	for (size_t k = 0; k < i; k++)
		if (type->fields[k].name != NULL &&
		    strcmp(type->fields[k].name, f->name) == 0)
			return "the name is taken";
	if ((wrong = check_shape(type, f)) == NULL &&
	    (wrong = check_default(f)) == NULL)
		wrong = check_limits(f);
	return wrong;
}

static enum rk_err
check_record(const struct rk_record *type, struct rk_error *err)
{
	char name[RK_FIELD_NAME_MAX + 1];
	const char *wrong;

	if (!is_name(type->name))
		return err_set(err, RK_EINVAL, "record: no name, or no such");
	if (type->size == 0 || type->n > RK_FIELDS_MAX ||
	    (type->n > 0 && type->fields == NULL) || type->growth > 64)
		return err_set(err, RK_EINVAL,
		    "record %s: its size, rows or growth are out of bounds",
		    type->name);
	for (size_t i = 0; i < type->n; i++) {
		const struct rk_field *f = &type->fields[i];

		if ((wrong = check_field(type, i)) == NULL)
			continue;
		str_escape(name, sizeof(name), f->name == NULL ? "" : f->name);
		return err_set(err, RK_EINVAL, "record %s: field %s (%u): %s",
		    type->name, name[0] == '\0' ? "?" : name, f->id, wrong);
	}
	return RK_OK;
}

/* ---- all of it ---- */

/* The longest way through records that lie inside one another; more than
 * RK_VALUE_DEPTH_MAX when one lies inside itself. */
static size_t
nesting(const struct rk_record *const list[], size_t n)
{
	unsigned depth[TYPED_RECORDS_MAX] = { 0 };
	unsigned round = 0;
	bool again = true;

	for (; again && round <= RK_VALUE_DEPTH_MAX; round++) {
		again = false;
		for (size_t i = 0; i < n; i++) {
			for (size_t k = 0; k < list[i]->n; k++) {
				const struct rk_field *f = &list[i]->fields[k];
				size_t at = 0;

				if (f->of == NULL || f->shape != RK_FIELD_ONE)
					continue;
				while (list[at] != f->of)
					at++;
				if (depth[i] <= depth[at]) {
					depth[i] = depth[at] + 1;
					again = true;
				}
			}
		}
	}
	return again ? SIZE_MAX : round;
}

enum rk_err
rk_type_check(const struct rk_record *type, struct rk_error *err)
{
	const struct rk_record *list[TYPED_RECORDS_MAX];
	enum rk_err r;
	size_t n;

	err_clear(err);
	if (typed_collect(type, list, &n) != RK_OK)
		return err_set(err, RK_EINVAL,
		    "record %s: has more than %d others", type->name,
		    TYPED_RECORDS_MAX);
	for (size_t i = 0; i < n; i++) {
		if ((r = check_record(list[i], err)) != RK_OK)
			return r;
		for (size_t k = 0; k < i; k++)
			if (strcmp(list[k]->name, list[i]->name) == 0)
				return err_set(err, RK_EINVAL,
				    "record %s: two have this name",
				    list[i]->name);
	}
	if (nesting(list, n) > RK_VALUE_DEPTH_MAX)
		return err_set(err, RK_EINVAL,
		    "record %s: lies inside itself, or too deep", type->name);
	return RK_OK;
}
