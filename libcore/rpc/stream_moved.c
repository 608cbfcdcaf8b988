/* What a server's streams move and how far they have come: which file, bytes,
 * and of how many, where an end says so among its arguments, as `rpcsh put` and
 * the files of rpcd do. */
#include "rpc/stream.h"

#include "base/str.h"

#include <rpckit/server.h>

#include <stdlib.h>
#include <string.h>

#define NUMBER_LEN 24
#define FILE_LEN 128 /* bytes of a name, its last ones, that are kept */

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

/* Among names that commas join, with blanks or without. */
static bool
is_listed(const char *names, const char *key)
{
	size_t len = strlen(key), n;

	for (; names != NULL && *names != '\0'; names += n) {
		names += strspn(names, ", ");
		n = strcspn(names, ", ");
		if (n == len && memcmp(names, key, n) == 0)
			return true;
	}
	return false;
}

/* The end of a long name tells most; a character is not cut. */
static void
take_file(struct rk_stream *s, struct rk_str name)
{
	char raw[FILE_LEN + 1], shown[4 * sizeof(raw) + 1];
	size_t skip = name.len > FILE_LEN ? name.len - FILE_LEN : 0;
	size_t more = skip, n = 0;

	while (skip > 0 && more < name.len && more - skip < 3 &&
	       ((unsigned char)name.ptr[more] & 0xc0) == 0x80)
		more++;
	if (skip > 0)
		raw[n++] = '~';
	memcpy(raw + n, name.ptr + more, name.len - more);
	n += name.len - more;
	s->file = strdup(rk_escape(shown, sizeof(shown), raw, n));
}

/* Of files of rpcd, and of rpc25519's downloads.  Without memory for it the
 * name is not told. */
void
stream_moved_open(struct rk_stream *s, const struct rk_args *args,
    const struct rk_method *method)
{
	static const char *const keys[] = { "file", "downloadRequestedPath" };
	struct rk_str name;

	s->moved_in.size = s->moved_out.size = UINT64_MAX;
	take_arg(args, "size", &s->moved_in.size);
	for (size_t i = 0; i < 2 && s->file == NULL; i++) {
		if (!is_listed(method->secret, keys[i]) &&
		    rk_args_get(args, keys[i], &name) && name.len > 0)
			take_file(s, name);
	}
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
