/* The door to jansson: JSON text to a value tree. */
#include "cli/json.h"

#include <jansson.h>
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/json_priv.h"

struct converter {
	const char *name;
	struct rk_value_doc *doc;
	struct json_scan *scan;
	struct rk_error *err;
};

static enum rk_err convert(
    const struct converter *cv, json_t *j, struct rk_value *v, unsigned depth);

static enum rk_err
fail(const struct converter *cv, enum rk_err code, const char *what,
    const char *why)
{
	char name[80];
	char shown[80];

	return err_set(cv->err, code, "%s: %s: %s",
	    str_escape(name, sizeof(name), cv->name),
	    str_escape(shown, sizeof(shown), what), why);
}

/* An error of the library's, which has no text yet. */
static enum rk_err
pass_on(const struct converter *cv, enum rk_err r)
{
	if (r == RK_OK)
		return r;
	return fail(cv, r, "value", rk_err_text(r));
}

static enum rk_err
convert_array(
    const struct converter *cv, json_t *j, struct rk_value *v, unsigned depth)
{
	size_t n = json_array_size(j);
	enum rk_err r;

	if (n > RK_VALUE_NODES_MAX)
		return pass_on(cv, RK_ETOOBIG);
	r = rk_value_set_list(cv->doc, v, RK_ARRAY, (uint32_t)n);
	if (r != RK_OK)
		return pass_on(cv, r);
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = convert(
		    cv, json_array_get(j, i), &v->u.list.items[i], depth + 1);
	return r;
}

/* "$$x" is the key "$x"; a single "$" is kept for tags. */
static enum rk_err
convert_key(const struct converter *cv, const char *key, struct rk_value *v)
{
	if (key[0] == '$' && key[1] != '$')
		return fail(cv, RK_EFORMAT, key,
		    "not known here; a key with a $ is written with $$");
	key += key[0] == '$';
	return pass_on(
	    cv, rk_value_set_bytes(cv->doc, v, RK_STR, key, strlen(key)));
}

static enum rk_err
convert_map(
    const struct converter *cv, json_t *j, struct rk_value *v, unsigned depth)
{
	size_t n = json_object_size(j);
	struct rk_value *item;
	void *it = json_object_iter(j);
	enum rk_err r;

	if (n > RK_VALUE_NODES_MAX / 2)
		return pass_on(cv, RK_ETOOBIG);
	r = rk_value_set_list(cv->doc, v, RK_MAP, (uint32_t)n);
	if (r != RK_OK)
		return pass_on(cv, r);
	for (item = v->u.list.items; it != NULL && r == RK_OK; item += 2) {
		r = convert_key(cv, json_object_iter_key(it), item);
		if (r == RK_OK)
			r = convert(cv, json_object_iter_value(it), item + 1,
			    depth + 1);
		it = json_object_iter_next(j, it);
	}
	return r;
}

/* {"$#":12}: only as often as the scanner wrote it. */
static enum rk_err
tag_big(const struct converter *cv, const json_t *arg, struct rk_value *v)
{
	json_int_t i = json_integer_value(arg);
	struct json_big *big;

	if (!json_is_integer(arg) || i < 0 || (size_t)i >= cv->scan->n_bigs)
		return RK_EFORMAT;
	big = &cv->scan->bigs[i];
	if (big->used)
		return RK_EFORMAT;
	big->used = true;
	v->kind = RK_UINT;
	v->u.u64 = big->value;
	return RK_OK;
}

static enum rk_err
tag_bin(const struct converter *cv, const json_t *arg, struct rk_value *v)
{
	if (!json_is_string(arg))
		return RK_EFORMAT;
	return json_tag_base64(cv->doc, v, RK_BIN, json_string_value(arg),
	    json_string_length(arg));
}

static enum rk_err
tag_str(const struct converter *cv, const json_t *arg, struct rk_value *v)
{
	if (!json_is_string(arg))
		return RK_EFORMAT;
	return json_tag_base64(cv->doc, v, RK_STR, json_string_value(arg),
	    json_string_length(arg));
}

static enum rk_err
tag_hex(const struct converter *cv, const json_t *arg, struct rk_value *v)
{
	if (!json_is_string(arg))
		return RK_EFORMAT;
	return json_tag_hex(
	    cv->doc, v, json_string_value(arg), json_string_length(arg));
}

static enum rk_err
tag_f64(const struct converter *cv, const json_t *arg, struct rk_value *v)
{
	(void)cv;
	if (!json_is_string(arg))
		return RK_EFORMAT;
	return json_tag_f64(v, json_string_value(arg));
}

static enum rk_err
tag_f32(const struct converter *cv, const json_t *arg, struct rk_value *v)
{
	(void)cv;
	if (json_is_number(arg))
		return json_tag_f32_number(v, json_number_value(arg));
	if (!json_is_string(arg))
		return RK_EFORMAT;
	return json_tag_f32(v, json_string_value(arg));
}

static enum rk_err
tag_time(const struct converter *cv, const json_t *arg, struct rk_value *v)
{
	if (!json_is_string(arg))
		return RK_EFORMAT;
	return json_tag_time(cv->doc, v, json_string_value(arg));
}

/* {"$ext":[type,"base64"]} */
static enum rk_err
tag_ext(const struct converter *cv, const json_t *arg, struct rk_value *v)
{
	const json_t *type = json_array_get(arg, 0);
	const json_t *data = json_array_get(arg, 1);
	json_int_t n = json_integer_value(type);
	enum rk_err r;

	if (json_array_size(arg) != 2 || !json_is_integer(type) ||
	    !json_is_string(data) || n < INT8_MIN || n > INT8_MAX)
		return RK_EFORMAT;
	r = json_tag_base64(cv->doc, v, RK_EXT, json_string_value(data),
	    json_string_length(data));
	if (r == RK_OK)
		v->ext_type = (int8_t)n;
	return r;
}

typedef enum rk_err tag_fn(
    const struct converter *cv, const json_t *arg, struct rk_value *v);

struct tag {
	const char *key;
	tag_fn *fn;
	const char *form;
};

static const struct tag tags[] = {
	{ JSON_BIG_TAG, tag_big, "not known here" },
	{ "$bin", tag_bin, "takes base64 text" },
	{ "$str", tag_str, "takes base64 text" },
	{ "$hex", tag_hex, "takes pairs of hex digits" },
	{ "$f", tag_f64, "takes \"nan\", \"inf\" or \"-inf\"" },
	{ "$f32", tag_f32, "takes a number, \"nan\", \"inf\" or \"-inf\"" },
	{ "$ts", tag_time, "takes a time like 2025-11-02T12:04:31Z" },
	{ "$ext", tag_ext, "takes [type from -128 to 127, base64 text]" },
	{ NULL, NULL, NULL },
};

/* {"$map":[[key,value],...]} */
static enum rk_err
convert_pairs(const struct converter *cv, const json_t *arg, struct rk_value *v,
    unsigned depth)
{
	size_t n = json_array_size(arg);
	enum rk_err r;

	if (!json_is_array(arg) || n > RK_VALUE_NODES_MAX / 2)
		return fail(cv, RK_EFORMAT, "$map", "takes [[key,value],...]");
	r = rk_value_set_list(cv->doc, v, RK_MAP, (uint32_t)n);
	if (r != RK_OK)
		return pass_on(cv, r);
	for (size_t i = 0; i < n; i++) {
		const json_t *pair = json_array_get(arg, i);
		struct rk_value *item = &v->u.list.items[2 * i];

		if (json_array_size(pair) != 2)
			return fail(
			    cv, RK_EFORMAT, "$map", "takes [[key,value],...]");
		r = convert(cv, json_array_get(pair, 0), item, depth + 1);
		if (r == RK_OK)
			r = convert(
			    cv, json_array_get(pair, 1), item + 1, depth + 1);
		if (r != RK_OK)
			return r;
	}
	return RK_OK;
}

static enum rk_err
convert_object(
    const struct converter *cv, json_t *j, struct rk_value *v, unsigned depth)
{
	void *it = json_object_iter(j);
	const char *key = it == NULL ? "" : json_object_iter_key(it);
	bool single = json_object_size(j) == 1 && key[0] == '$';
	const json_t *arg = it == NULL ? NULL : json_object_iter_value(it);
	enum rk_err r;

	for (const struct tag *t = tags; single && t->key != NULL; t++) {
		if (strcmp(t->key, key) != 0)
			continue;
		r = t->fn(cv, arg, v);
		if (r == RK_EFORMAT)
			return fail(cv, r, key, t->form);
		return pass_on(cv, r);
	}
	if (depth >= RK_VALUE_DEPTH_MAX)
		return fail(cv, RK_ETOOBIG, "value", "nested too deep");
	if (single && strcmp(key, "$map") == 0)
		return convert_pairs(cv, arg, v, depth);
	return convert_map(cv, j, v, depth);
}

static void
set_integer(struct rk_value *v, json_int_t i)
{
	if (i < 0) {
		v->kind = RK_INT;
		v->u.i64 = i;
	} else {
		v->kind = RK_UINT;
		v->u.u64 = (uint64_t)i;
	}
}

static void
set_bool(struct rk_value *v, bool b)
{
	v->kind = RK_BOOL;
	v->u.b = b;
}

static enum rk_err
convert(
    const struct converter *cv, json_t *j, struct rk_value *v, unsigned depth)
{
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return convert_object(cv, j, v, depth);
	case JSON_ARRAY:
		if (depth >= RK_VALUE_DEPTH_MAX)
			return fail(cv, RK_ETOOBIG, "value", "nested too deep");
		return convert_array(cv, j, v, depth);
	case JSON_STRING:
		return pass_on(
		    cv, rk_value_set_bytes(cv->doc, v, RK_STR,
		            json_string_value(j), json_string_length(j)));
	case JSON_INTEGER:
		set_integer(v, json_integer_value(j));
		return RK_OK;
	case JSON_REAL:
		v->kind = RK_F64;
		v->u.f64 = json_real_value(j);
		return RK_OK;
	case JSON_TRUE:
		set_bool(v, true);
		return RK_OK;
	case JSON_FALSE:
		set_bool(v, false);
		return RK_OK;
	case JSON_NULL:
		v->kind = RK_NIL;
		return RK_OK;
	}
	return RK_EFORMAT;
}

/* jansson counts to the end of what it did not like: step back into it. */
static enum rk_err
syntax_error(const char *name, const char *text, size_t len,
    const json_error_t *e, struct rk_error *err)
{
	size_t at = e->position > 0 ? (size_t)e->position - 1 : 0;
	const char *why = e->text;

	if (at > len)
		at = len;
	switch (json_error_code(e)) {
	case json_error_out_of_memory:
		return err_set(err, RK_ENOMEM, "out of memory");
	case json_error_premature_end_of_input:
		why = "ends too early";
		at = len;
		break;
	case json_error_end_of_input_expected:
		why = "something follows the value";
		break;
	case json_error_null_byte_in_key:
		why = "NUL in a key, which only {\"$map\":...} can have";
		break;
	case json_error_unknown:
	case json_error_stack_overflow:
	case json_error_cannot_open_file:
	case json_error_invalid_argument:
	case json_error_invalid_utf8:
	case json_error_invalid_syntax:
	case json_error_invalid_format:
	case json_error_wrong_type:
	case json_error_null_character:
	case json_error_null_value:
	case json_error_duplicate_key:
	case json_error_numeric_overflow:
	case json_error_item_not_found:
	case json_error_index_out_of_range:
		break;
	}
	return json_fail_at(err, RK_EFORMAT, name, text, at, why);
}

enum rk_err
json_parse_into(const char *name, const char *text, size_t len,
    struct rk_value_doc *doc, struct rk_value *v, struct rk_error *err)
{
	struct json_scan scan;
	struct converter cv = {
		.name = name, .doc = doc, .scan = &scan, .err = err
	};
	json_error_t e = { .position = 0 };
	json_t *j = NULL;
	enum rk_err r;

	err_clear(err);
	if ((r = json_scan(name, text, len, &scan, err)) != RK_OK)
		return r;
	j = json_loadb(scan.text, scan.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	r = j == NULL ? syntax_error(name, text, len, &e, err)
	              : convert(&cv, j, v, 0);
	json_decref(j);
	json_scan_fini(&scan);
	return r;
}

enum rk_err
json_parse(const char *name, const char *text, size_t len,
    struct rk_value_doc **out, struct rk_error *err)
{
	struct rk_value_doc *doc = NULL;
	enum rk_err r;

	*out = NULL;
	if ((r = rk_value_new(&doc)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	r = json_parse_into(name, text, len, doc, rk_value_root(doc), err);
	if (r == RK_OK) {
		*out = doc;
		doc = NULL;
	}
	rk_value_free(doc);
	return r;
}
