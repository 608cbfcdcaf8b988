/* What a typed method takes and gives, as text and as a description. */
#include "rpc/typed_int.h"

#include <stdio.h>

#define TYPE_TEXT_MAX (RK_FIELD_NAME_MAX + 4)

/* "[]point" */
static const char *
type_text(char dst[TYPE_TEXT_MAX], const struct rk_field *f)
{
	const char *name = typed_kind(f->kind)->name;
	const char *shape = f->shape == RK_FIELD_MANY       ? "[]"
	                    : f->shape == RK_FIELD_OPTIONAL ? "*"
	                                                    : "";

	if (f->kind == RK_FIELD_IS_RECORD)
		name = f->of->name;
	(void)snprintf(dst, TYPE_TEXT_MAX, "%s%s", shape, name);
	return dst;
}

enum rk_err
typed_signature(const struct rk_record *type, char **out)
{
	char text[TYPE_TEXT_MAX];
	uint8_t *bytes = NULL;
	bool any = false;
	struct buf b;
	enum rk_err r;
	size_t len;

	buf_init(&b, RK_PAYLOAD_MAX);
	r = buf_put_str(&b, type == NULL ? "none" : "{");
	for (size_t i = 0; r == RK_OK && type != NULL && i < type->n; i++) {
		const struct rk_field *f = &type->fields[i];

		if (f->kind == RK_FIELD_IS_RETIRED)
			continue;
		r = buf_printf(&b, "%s%s:%s", any ? ", " : "", f->name,
		    type_text(text, f));
		any = true;
	}
	if (r == RK_OK && type != NULL)
		r = buf_put_str(&b, "}");
	if (r == RK_OK)
		r = buf_take(&b, &bytes, &len);
	buf_fini(&b);
	*out = (char *)bytes;
	return r;
}

/* ---- the description ---- */

static enum rk_err
put_text(struct buf *b, const char *s)
{
	size_t n = strlen(s);
	uint8_t *p;
	enum rk_err r;

	if ((r = buf_reserve(b, n + GP_HEAD_MAX, &p)) == RK_OK)
		buf_commit(b, (size_t)(gp_put_str(p, s, n) - p));
	return r;
}

static enum rk_err
put_int(struct buf *b, int64_t v)
{
	uint8_t text[GP_SCALAR_MAX];

	return buf_put(b, text, (size_t)(gp_put_int(text, v) - text));
}

static enum rk_err
put_map(struct buf *b, size_t n)
{
	uint8_t head[GP_HEAD_MAX];

	return buf_put(b, head, (size_t)(gp_put_map(head, (uint32_t)n) - head));
}

static enum rk_err
put_named(struct buf *b, const char *key, const char *text)
{
	enum rk_err r = put_text(b, key);

	return r == RK_OK ? put_text(b, text) : r;
}

static enum rk_err
put_numbered(struct buf *b, const char *key, int64_t v)
{
	enum rk_err r = put_text(b, key);

	return r == RK_OK ? put_int(b, v) : r;
}

static enum rk_err
put_true(struct buf *b, const char *key)
{
	enum rk_err r = put_text(b, key);

	return r == RK_OK ? buf_put(b, "\xc3", 1) : r;
}

static enum rk_err
put_float(struct buf *b, double v)
{
	uint8_t text[9] = { 0xcb };
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	(void)be_put64(text + 1, bits);
	return buf_put(b, text, sizeof(text));
}

static enum rk_err
put_default(struct buf *b, const struct rk_field *f)
{
	char text[TYPED_TEXT_MAX];
	enum rk_err r;

	if (!typed_has_default(f))
		return RK_OK;
	if ((r = put_text(b, "default")) != RK_OK)
		return r;
	if (f->initial_text != NULL)
		return put_text(b, f->initial_text);
	if (f->kind == RK_FIELD_IS_F32 || f->kind == RK_FIELD_IS_F64)
		return put_float(b, f->initial_float);
	if (f->kind == RK_FIELD_IS_BOOL)
		return buf_put(b, "\xc3", 1);
	if (f->kind != RK_FIELD_IS_DURATION)
		return put_int(b, f->initial);
	typed_format_duration(text, f->initial);
	return put_text(b, text);
}

static enum rk_err
put_field(struct buf *b, const struct rk_field *f)
{
	bool is_retired = f->kind == RK_FIELD_IS_RETIRED;
	char text[TYPE_TEXT_MAX];
	enum rk_err r;
	size_t n = 2;

	if (!is_retired)
		n += 1U + f->required + (f->about != NULL) +
		     typed_has_default(f) + 2U * typed_has_limits(f);
	if ((r = put_map(b, n)) != RK_OK ||
	    (r = put_numbered(b, "id", f->id)) != RK_OK)
		return r;
	if (is_retired)
		return put_true(b, "retired");
	if ((r = put_named(b, "name", f->name)) != RK_OK ||
	    (r = put_named(b, "type", type_text(text, f))) != RK_OK)
		return r;
	if (f->required && (r = put_true(b, "required")) != RK_OK)
		return r;
	if (f->about != NULL && (r = put_named(b, "about", f->about)) != RK_OK)
		return r;
	if ((r = put_default(b, f)) != RK_OK || !typed_has_limits(f))
		return r;
	r = put_numbered(b, "min", f->min);
	return r == RK_OK ? put_numbered(b, "max", f->max) : r;
}

static enum rk_err
put_record(struct buf *b, const struct rk_record *type)
{
	uint8_t head[GP_HEAD_MAX];
	enum rk_err r;

	if ((r = put_text(b, type->name)) != RK_OK)
		return r;
	r = buf_put(
	    b, head, (size_t)(gp_put_array(head, (uint32_t)type->n) - head));
	for (size_t i = 0; r == RK_OK && i < type->n; i++)
		r = put_field(b, &type->fields[i]);
	return r;
}

/* The records of both ends, each once. */
static size_t
collect_both(const struct rk_typed *typed,
    const struct rk_record *list[2 * TYPED_RECORDS_MAX])
{
	size_t n = 0;
	size_t more = 0;
	size_t at;

	if (typed->args != NULL &&
	    typed_collect(typed->args, list, &n) != RK_OK)
		return 0;
	if (typed->reply == NULL)
		return n;
	if (typed_collect(typed->reply, list + n, &more) != RK_OK)
		return n;
	for (size_t end = n + more, i = n; i < end; i++) {
		for (at = 0; at < n && list[at] != list[i]; at++)
			continue;
		if (at == n)
			list[n++] = list[i];
	}
	return n;
}

enum rk_err
typed_put_schema(struct buf *b, const struct rk_typed *typed)
{
	const struct rk_record *list[2 * TYPED_RECORDS_MAX];
	size_t n = collect_both(typed, list);
	enum rk_err r;

	r = put_map(b, 1U + (typed->args != NULL) + (typed->reply != NULL));
	if (r == RK_OK && typed->args != NULL)
		r = put_named(b, "args", typed->args->name);
	if (r == RK_OK && typed->reply != NULL)
		r = put_named(b, "reply", typed->reply->name);
	if (r == RK_OK)
		r = put_text(b, "types");
	if (r == RK_OK)
		r = put_map(b, n);
	for (size_t i = 0; r == RK_OK && i < n; i++)
		r = put_record(b, list[i]);
	return r;
}
