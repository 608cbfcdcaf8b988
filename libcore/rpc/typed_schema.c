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

static void
put_default(struct kv *k, const struct rk_field *f)
{
	char text[TYPED_TEXT_MAX];

	if (!typed_has_default(f))
		return;
	kv_text(k, "default");
	if (f->initial_text != NULL) {
		kv_text(k, f->initial_text);
	} else if (f->kind == RK_FIELD_IS_F32 || f->kind == RK_FIELD_IS_F64) {
		kv_f64(k, f->initial_float);
	} else if (f->kind == RK_FIELD_IS_BOOL) {
		kv_bool(k, true);
	} else if (f->kind == RK_FIELD_IS_DURATION) {
		typed_format_duration(text, f->initial);
		kv_text(k, text);
	} else {
		kv_int(k, f->initial);
	}
}

static void
put_field(struct kv *k, const struct rk_field *f)
{
	bool is_retired = f->kind == RK_FIELD_IS_RETIRED;
	char text[TYPE_TEXT_MAX];
	uint32_t n = 2;

	if (!is_retired)
		n += 1U + f->required + (f->about != NULL) +
		     typed_has_default(f) + 2U * typed_has_limits(f);
	kv_map(k, n);
	kv_pair_int(k, "id", f->id);
	if (is_retired) {
		kv_pair_bool(k, "retired", true);
		return;
	}
	kv_pair_text(k, "name", f->name);
	kv_pair_text(k, "type", type_text(text, f));
	if (f->required)
		kv_pair_bool(k, "required", true);
	if (f->about != NULL)
		kv_pair_text(k, "about", f->about);
	put_default(k, f);
	if (typed_has_limits(f)) {
		kv_pair_int(k, "min", f->min);
		kv_pair_int(k, "max", f->max);
	}
}

static void
put_record(struct kv *k, const struct rk_record *type)
{
	kv_text(k, type->name);
	kv_array(k, (uint32_t)type->n);
	for (size_t i = 0; i < type->n; i++)
		put_field(k, &type->fields[i]);
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

void
typed_put_schema(struct kv *k, const struct rk_typed *typed)
{
	const struct rk_record *list[2 * TYPED_RECORDS_MAX];
	size_t n = collect_both(typed, list);

	kv_map(k, 1U + (typed->args != NULL) + (typed->reply != NULL));
	if (typed->args != NULL)
		kv_pair_text(k, "args", typed->args->name);
	if (typed->reply != NULL)
		kv_pair_text(k, "reply", typed->reply->name);
	kv_text(k, "types");
	kv_map(k, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_record(k, list[i]);
}
