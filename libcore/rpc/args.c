/* Walking the argument map of a message. */
#include "greenpack.h"

bool
rk_args_next(const struct rk_args *args, size_t *offset, struct rk_arg *out)
{
	struct gp_reader in;

	*out = (struct rk_arg){ .key = { .ptr = NULL } };
	if (*offset >= args->raw.len)
		return false;
	in.p = args->raw.ptr + *offset;
	in.end = args->raw.ptr + args->raw.len;
	if (gp_get_str(&in, &out->key) != RK_OK ||
	    gp_get_str(&in, &out->value) != RK_OK)
		return false;
	*offset = (size_t)(in.p - args->raw.ptr);
	return true;
}

bool
rk_args_get(const struct rk_args *args, const char *key, struct rk_str *value)
{
	size_t len = strlen(key);
	struct rk_arg arg;
	size_t offset = 0;

	*value = (struct rk_str){ .ptr = NULL };
	while (rk_args_next(args, &offset, &arg)) {
		if (arg.key.len != len || memcmp(arg.key.ptr, key, len) != 0)
			continue;
		*value = arg.value;
		return true;
	}
	return false;
}
