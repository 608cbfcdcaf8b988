/* Messages in: a frame's body to a struct of views. */
#include "rpc/msg.h"

#include "base/error.h"
#include "rpc/greenpack.h"
#include "rpc/msg_fields.h"

/* Every key ends in "_zidNN_clu". */
#define KEY_TAIL 10
#define KEY_ID_NONE 100

/* Where decoding stands: the bytes, and the fields of this map seen so far. */
struct cursor {
	struct gp_reader in;
	uint32_t seen;
	const char *why; /* the reason for a failure, if not the usual one */
};

static enum rk_err
fail(struct cursor *c, const char *why)
{
	c->why = why;
	return RK_EPROTO;
}

/* Every entry is checked here, so that walking them later cannot fail. */
static enum rk_err
read_args(struct cursor *c, struct rk_args *args)
{
	const uint8_t *start;
	struct rk_str text;
	uint32_t count;
	enum rk_err r;

	if ((r = gp_get_map(&c->in, &count)) != RK_OK)
		return r;
	if (count > RK_ARGS_MAX)
		return fail(c, "too many entries");
	start = c->in.p;
	for (uint32_t i = 0; i < 2 * count; i++)
		if (gp_get_str(&c->in, &text) != RK_OK)
			return fail(c, "an entry is not a string, or cut off");
	args->raw =
	    (struct rk_bytes){ .ptr = start, .len = (size_t)(c->in.p - start) };
	args->count = count;
	return RK_OK;
}

/* What a field holds. */
enum kind {
	KIND_str,
	KIND_int,
	KIND_uint,
	KIND_time,
	KIND_flag,
	KIND_args
};

struct field {
	const char *key; /* without the head */
	uint8_t key_len;
	uint8_t kind;
	uint16_t offset; /* in struct rk_header */
};

#define FIELD(id, what, member, often, k) \
	[id] = { .key = TEXT(k),          \
		.key_len = TEXT_LEN(k),   \
		.kind = KIND_##what,      \
		.offset = offsetof(struct rk_header, member) },

static const struct field hdr_fields[] = { HDR_FIELDS(FIELD, FIELD) };

#define N_HDR_FIELDS (sizeof(hdr_fields) / sizeof(hdr_fields[0]))

/* The number in the tail of a key, which is all that need be looked up. */
static inline unsigned
key_id(const struct rk_str *key)
{
	const char *digits;
	unsigned tens;
	unsigned ones;

	if (key->len < KEY_TAIL)
		return KEY_ID_NONE;
	digits = key->ptr + key->len - KEY_TAIL + 4;
	tens = (unsigned)digits[0] - '0';
	ones = (unsigned)digits[1] - '0';
	return tens > 9 || ones > 9 ? KEY_ID_NONE : 10 * tens + ones;
}

static inline uint64_t
load64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Known keys are over 8 bytes: words, the last of which may overlap. */
static inline bool
same(const char *a, const char *b, size_t len)
{
	uint64_t diff = load64(a + len - 8) ^ load64(b + len - 8);

	for (size_t i = 0; i + 8 < len; i += 8)
		diff |= load64(a + i) ^ load64(b + i);
	return diff == 0;
}

static inline bool
key_is(const struct rk_str *key, const char *text, size_t len)
{
	return key->len == len && same(key->ptr, text, len);
}

/* Note a known field; false when it was there before. */
static inline bool
note_field(struct cursor *c, unsigned id)
{
	uint32_t bit = 1U << id;

	if ((c->seen & bit) != 0) {
		c->why = "there twice";
		return false;
	}
	c->seen |= bit;
	return true;
}

static enum rk_err
read_rare_value(struct cursor *c, enum kind kind, void *at)
{
	if (kind == KIND_args)
		return read_args(c, at);
	return gp_get_bool(&c->in, at);
}

/* In the order of how often they come, as tests and not as a jump. */
static inline enum rk_err
read_value(struct cursor *c, enum kind kind, void *at)
{
	if (gp_take_nil(&c->in))
		return RK_OK;
	if (kind == KIND_str)
		return gp_get_str(&c->in, at);
	if (kind == KIND_int)
		return gp_get_int(&c->in, at);
	if (kind == KIND_uint)
		return gp_get_uint(&c->in, at);
	if (kind == KIND_time)
		return gp_get_time(&c->in, at);
	return read_rare_value(c, kind, at);
}

static inline enum rk_err
read_hdr_field(struct cursor *c, const struct rk_str *name, struct rk_header *h)
{
	unsigned id = key_id(name);
	const struct field *f;

	if (id >= N_HDR_FIELDS)
		return gp_skip(&c->in);
	f = &hdr_fields[id];
	if (!key_is(name, f->key, f->key_len))
		return gp_skip(&c->in);
	if (!note_field(c, id))
		return RK_EPROTO;
	return read_value(c, (enum kind)f->kind, (uint8_t *)h + f->offset);
}

/* Put the name of the field that failed, and the reason, into err. */
static enum rk_err
blame(struct rk_error *err, const struct cursor *c, const struct rk_str *name)
{
	char text[80];

	return err_set(err, RK_EPROTO, "message: field %s: %s",
	    rk_escape(text, sizeof(text), name->ptr, name->len),
	    c->why != NULL ? c->why : "wrong type, too deep or cut off");
}

/* ---- the usual: known keys in the order of their ids, in their usual form
 * ----
 */

/* Take the key, as it stands on the wire, if it is next and something follows.
 */
static inline bool
take_key(struct gp_reader *in, const char *key, size_t len)
{
	if ((size_t)(in->end - in->p) <= len ||
	    !same((const char *)in->p, key, len))
		return false;
	in->p += len;
	return true;
}

#define TAKE_str(in, at) gp_take_short_str(in, at)
#define TAKE_int(in, at) gp_take_small(in, at)
#define TAKE_uint(in, at) gp_take_uint(in, at)
#define TAKE_time(in, at) (gp_get_time(in, at) == RK_OK)

#define TAKE_rare(id, kind, member, key)
#define TAKE_usual(id, kind, member, key)          \
	if (take_key(&in, key, KEY_LEN(key))) {    \
		if (!TAKE_##kind(&in, &h->member)) \
			return count;              \
		c->seen |= 1U << (id);             \
		c->in = in;                        \
		if (--count == 0)                  \
			return 0;                  \
	}
#define TAKE(id, kind, member, often, key) TAKE_##often(id, kind, member, key)

/*
 * Nearly every message is written as ours are, and as Go's.  What is not,
 * what is rare and what is wrong is left for read_hdr(), which reads anything.
 * Returns how many fields are left.
 */
static inline uint32_t
take_usual(struct cursor *c, struct rk_header *h, uint32_t count)
{
	struct gp_reader in = c->in;

	if (count == 0)
		return 0;
	HDR_FIELDS(TAKE, TAKE)
	return count;
}

static enum rk_err
read_hdr(struct cursor *outer, struct rk_header *h, struct rk_error *err)
{
	struct cursor c = { .in = outer->in };
	struct rk_str name;
	uint32_t count;

	if (gp_get_map(&c.in, &count) != RK_OK)
		return err_set(
		    err, RK_EPROTO, "message: header: not a map, or cut off");
	for (count = take_usual(&c, h, count); count > 0; count--) {
		if (gp_get_key(&c.in, &name) != RK_OK)
			return err_set(err, RK_EPROTO,
			    "message: header: a key is not a string, or cut "
			    "off");
		if (read_hdr_field(&c, &name, h) != RK_OK)
			return blame(err, &c, &name);
	}
	outer->in = c.in;
	return RK_OK;
}

/* Fields other than the header, whose errors name their place themselves. */
static enum rk_err
read_msg_field(struct cursor *c, const struct rk_str *name, struct msg *m)
{
	bool eof; /* of Go's simulated network only: checked, not kept */

	if (key_is(name, TEXT(KEY_PAYLOAD), TEXT_LEN(KEY_PAYLOAD))) {
		if (!note_field(c, 1))
			return RK_EPROTO;
		if (gp_take_nil(&c->in))
			return RK_OK;
		return gp_get_bin(&c->in, &m->payload);
	}
	if (key_is(name, TEXT(KEY_ERROR), TEXT_LEN(KEY_ERROR))) {
		if (!note_field(c, 2))
			return RK_EPROTO;
		return read_value(c, KIND_str, &m->error);
	}
	if (key_is(name, TEXT(KEY_EOF), TEXT_LEN(KEY_EOF))) {
		if (!note_field(c, 3))
			return RK_EPROTO;
		return read_value(c, KIND_flag, &eof);
	}
	return gp_skip(&c->in);
}

static enum rk_err
read_msg(struct cursor *c, struct msg *m, struct rk_error *err)
{
	struct rk_str name;
	uint32_t count;
	enum rk_err r;

	if (gp_get_map(&c->in, &count) != RK_OK)
		return err_set(
		    err, RK_EPROTO, "message: not a map, or cut off");
	for (; count > 0; count--) {
		if (gp_get_key(&c->in, &name) != RK_OK)
			return err_set(err, RK_EPROTO,
			    "message: a key is not a string, or cut off");
		if (!key_is(&name, TEXT(KEY_HDR), TEXT_LEN(KEY_HDR))) {
			if (read_msg_field(c, &name, m) != RK_OK)
				return blame(err, c, &name);
			continue;
		}
		if (!note_field(c, 0))
			return blame(err, c, &name);
		if (gp_take_nil(&c->in))
			continue;
		if ((r = read_hdr(c, &m->hdr, err)) != RK_OK)
			return r;
	}
	return RK_OK;
}

#define CLEAR(id, kind, member, often, key) \
	memset(&h->member, 0, sizeof(h->member));

/* Field by field: for the whole, compilers take a slow string instruction. */
static void
clear(struct msg *m)
{
	struct rk_header *h = &m->hdr;

	HDR_FIELDS(CLEAR, CLEAR)
	m->payload = (struct rk_bytes){ .ptr = NULL };
	m->error = (struct rk_str){ .ptr = NULL };
	m->in_order = false;
}

enum rk_err
msg_decode(const uint8_t *body, size_t len, struct msg *m, struct rk_error *err)
{
	struct cursor c = { .seen = 0 };
	size_t small;
	enum rk_err r;

	clear(m);
	if (len == 0 || len > RK_BODY_MAX) {
		r = err_set(err, RK_EPROTO,
		    "message: body of %zu bytes (1 to %d are allowed)", len,
		    RK_BODY_MAX);
		goto out;
	}
	c.in = (struct gp_reader){ .p = body, .end = body + len };
	if ((r = read_msg(&c, m, err)) != RK_OK)
		goto out;
	small = (size_t)(c.in.p - body) - m->payload.len - m->error.len;
	if (small > MSG_HEADER_MAX)
		r = err_set(err, RK_EPROTO,
		    "message: more than %d bytes besides the payload",
		    MSG_HEADER_MAX);
out:
	if (r != RK_OK)
		clear(m);
	return r;
}
