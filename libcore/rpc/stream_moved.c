/* How far a server's streams have come: bytes, and of how many, where an end
 * says so among its arguments, as `rpcsh put` and the files of rpcd do. */
#include "rpc/stream.h"

#include "base/str.h"

#include <string.h>

#define NUMBER_LEN 24

/* Whatever is no number was not told. */
static bool
take_number(struct rk_str v, uint64_t *out)
{
	char text[NUMBER_LEN];
	uint64_t n;

	if (v.len == 0 || v.len >= sizeof(text))
		return false;
	memcpy(text, v.ptr, v.len);
	text[v.len] = '\0';
	if (strlen(text) != v.len ||
	    str_parse_u64(text, 0, INT64_MAX, &n) != RK_OK)
		return false;
	*out = n;
	return true;
}

static void
take_arg(const struct rk_args *args, const char *key, uint64_t *out)
{
	struct rk_str v;

	if (rk_args_get(args, key, &v))
		(void)take_number(v, out);
}

void
stream_moved_open(struct rk_stream *s, const struct rk_args *args)
{
	s->moved_in.size = s->moved_out.size = UINT64_MAX;
	take_arg(args, "size", &s->moved_in.size);
}

void
stream_moved_in(struct rk_stream *s, const struct msg *m)
{
	s->moved_in.bytes += m->payload.len;
	if (m->hdr.args.raw.len != 0 && s->moved_in.size != UINT64_MAX)
		take_arg(&m->hdr.args, "offset", &s->moved_in.from);
}

static struct rk_str
arg_of(const struct rk_part *part, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < part->n_args; i++) {
		if (part->args[i].key.len == len &&
		    memcmp(part->args[i].key.ptr, key, len) == 0)
			return part->args[i].value;
	}
	return (struct rk_str){ .ptr = NULL };
}

/* An offset without a size is where the other end is to go on. */
void
stream_moved_out(struct rk_stream *s, const struct rk_part *part)
{
	s->moved_out.bytes += part->payload.len;
	if (part->n_args != 0 &&
	    take_number(arg_of(part, "size"), &s->moved_out.size))
		(void)take_number(arg_of(part, "offset"), &s->moved_out.from);
}
