/* What is in a daemon's answer: members by name, of the kind that they should
 * be. */
#include "cli/ctl.h"

#include <string.h>

const char *
ctl_text(const struct rk_value *map, const char *key, char *dst, size_t len)
{
	const struct rk_value *v = rk_value_get(map, key);
	size_t n = 0;

	/* One of no bytes may be nowhere. */
	if (v != NULL && v->kind == RK_STR && v->u.bytes.len > 0) {
		n = v->u.bytes.len < len ? v->u.bytes.len : len - 1;
		memcpy(dst, v->u.bytes.ptr, n);
	}
	dst[n] = '\0';
	return dst;
}

uint64_t
ctl_number(const struct rk_value *map, const char *key)
{
	const struct rk_value *v = rk_value_get(map, key);

	return v != NULL && v->kind == RK_UINT ? v->u.u64 : 0;
}

bool
ctl_yes(const struct rk_value *map, const char *key)
{
	const struct rk_value *v = rk_value_get(map, key);

	return v != NULL && v->kind == RK_BOOL && v->u.b;
}

uint32_t
ctl_len(const struct rk_value *list)
{
	return list != NULL && list->kind == RK_ARRAY ? list->u.list.count : 0;
}
