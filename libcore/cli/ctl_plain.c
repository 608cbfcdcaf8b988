/* rpcd ctl: an answer that is no list, for scripts: a line for each member. */
#include "cli/ctl.h"

#include "base/str.h"

#include <inttypes.h>

#define NAME_LEN 300
#define TEXT_MAX ((size_t)1 << 20) /* of one member */

/* A text of a daemon's, whole, with what could be taken for a tab escaped. */
static void
put_text(const struct out *o, const char *name, struct rk_bytes s)
{
	const size_t cap = 4 * (s.len < TEXT_MAX ? s.len : TEXT_MAX) + 2;
	uint8_t *p;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	if (s.len == 0)
		out_text(o, "%s\t-\n", name);
	else if (buf_reserve(&b, cap, &p) == RK_OK)
		out_text(o, "%s\t%s\n", name,
		    rk_escape((char *)p, cap, (const char *)s.ptr, s.len));
	else
		out_warn(o, "%s: %s", name, rk_err_text(RK_ENOMEM));
	buf_fini(&b);
}

static void put_members(
    const struct out *o, const char *prefix, const struct rk_value *map);

static void
put_value(const struct out *o, const char *name, const struct rk_value *v)
{
	switch (v->kind) {
	case RK_STR:
	case RK_BIN:
		put_text(o, name, v->u.bytes);
		break;
	case RK_UINT:
		out_text(o, "%s\t%" PRIu64 "\n", name, v->u.u64);
		break;
	case RK_INT:
		out_text(o, "%s\t%" PRId64 "\n", name, v->u.i64);
		break;
	case RK_F32:
		out_text(o, "%s\t%g\n", name, (double)v->u.f32);
		break;
	case RK_F64:
		out_text(o, "%s\t%g\n", name, v->u.f64);
		break;
	case RK_BOOL:
		out_text(o, "%s\t%s\n", name, v->u.b ? "yes" : "no");
		break;
	case RK_ARRAY:
		for (uint32_t i = 0; i < v->u.list.count; i++)
			put_value(o, name, &v->u.list.items[i]);
		break;
	case RK_MAP:
		put_members(o, name, v);
		break;
	case RK_NIL:
	case RK_EXT:
		out_text(o, "%s\t-\n", name);
		break;
	}
}

/* As deep as the answer, which its decoder has bounded. */
static void
put_members(const struct out *o, const char *prefix, const struct rk_value *map)
{
	char name[NAME_LEN], key[NAME_LEN];

	for (uint32_t i = 0; i < map->u.list.count; i++) {
		const struct rk_value *v = &map->u.list.items[2 * i];

		if (v[0].kind != RK_STR)
			continue;
		(void)rk_escape(key, sizeof(key),
		    (const char *)v[0].u.bytes.ptr, v[0].u.bytes.len);
		(void)str_copy(name, sizeof(name), prefix);
		if (*prefix != '\0')
			(void)str_copy(name + strlen(name),
			    sizeof(name) - strlen(name), ".");
		(void)str_copy(
		    name + strlen(name), sizeof(name) - strlen(name), key);
		put_value(o, name, &v[1]);
	}
}

int
ctl_plain(const struct out *o, const struct rk_value *map)
{
	if (map == NULL || map->kind != RK_MAP)
		return out_fail(
		    o, RK_EPROTO, "the daemon's answer is malformed", NULL);
	put_members(o, "", map);
	return 0;
}
