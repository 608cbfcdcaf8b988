/* Messages: a struct to a frame, and a frame's body to a struct of views. */
#include "msg.h"

#include "base/error.h"

#include "frame.h"
#include "greenpack.h"

#include <assert.h>

/*
 * The header's fields in the order of their ids: id, kind, member, key.  A key
 * stands as it is on the wire, with the head of its string.  The arguments,
 * which come in two forms, have a row type of their own.
 */
/* clang-format off */
#define HDR_FIELDS(X, ARGS) \
	X(0, time, created, "\xb1" "Created_zid00_tim") \
	X(1, str, from, "\xae" "From_zid01_str") \
	X(2, str, to, "\xac" "To_zid02_str") \
	X(3, str, to_service, "\xb7" "ToServiceName_zid03_str") \
	X(4, str, to_version, "\xd9\x22" "ToPeerServiceNameVersion_zid04_str") \
	X(5, str, from_service, "\xb9" "FromServiceName_zid05_str") \
	X(6, str, from_version, \
	    "\xd9\x24" "FromPeerServiceNameVersion_zid06_str") \
	ARGS(7, args, args, "\xae" "Args_zid07_map") \
	X(8, str, subject, "\xb1" "Subject_zid08_str") \
	X(9, uint, seqno, "\xaf" "Seqno_zid09_u64") \
	X(10, int, type, "\xad" "Typ_zid10_rct") \
	X(11, str, call_id, "\xb0" "CallID_zid11_str") \
	X(12, int, serial, "\xb0" "Serial_zid12_i64") \
	X(13, time, local_recv, "\xb5" "LocalRecvTm_zid13_tim") \
	X(14, time, deadline, "\xb2" "Deadline_zid14_tim") \
	X(15, int, stream_part, "\xb4" "StreamPart_zid15_i64") \
	X(16, flag, no_compression, "\xbd" "NoSystemCompression_zid16_boo") \
	X(17, str, to_peer_id, "\xb2" "ToPeerID_zid17_str") \
	X(18, str, to_peer_name, "\xb4" "ToPeerName_zid18_str") \
	X(19, str, from_peer_id, "\xb4" "FromPeerID_zid19_str") \
	X(20, str, from_peer_name, "\xb6" "FromPeerName_zid20_str") \
	X(21, int, frag_op, "\xb0" "FragOp_zid21_int")

/* The fields of the message itself. */
#define KEY_HDR "\xad" "HDR_zid00_rct"
#define KEY_PAYLOAD "\xb1" "JobSerz_zid01_bin"
#define KEY_ERROR "\xb1" "JobErrs_zid02_str"
#define KEY_EOF "\xad" "EOF_zid03_boo"
/* clang-format on */

#define KEY_LEN(key) (sizeof(key) - 1)
/* The text of a key: after one byte of head, or two when over 31 bytes. */
#define KEY_HEAD(key) (KEY_LEN(key) > 32 ? 2U : 1U)
#define TEXT(key) (&(key)[KEY_HEAD(key)])
#define TEXT_LEN(key) (KEY_LEN(key) - KEY_HEAD(key))

/* Every key ends in "_zidNN_clu". */
#define KEY_TAIL 10
#define KEY_ID_NONE 100

/* What is going to be written, to the byte. */
struct plan {
	const struct rk_header *hdr;
	const struct rk_arg *args; /* NULL: hdr->args as it is */
	uint32_t n_args;
	size_t args_len;
	uint32_t fields; /* bit of each field's id */
	uint32_t n_fields;
	size_t body_len;
	bool has_payload;
	bool has_error;
};

/* Bytes of a value on the wire; 0 leaves the field out. */
static inline size_t
measure_str(const struct rk_str *s)
{
	return s->len == 0 ? 0 : gp_str_len(s->len);
}

static inline size_t
measure_time(const struct rk_time *t)
{
	return t->is_set ? GP_TIME_LEN : 0;
}

static inline size_t
measure_int(const int64_t *v)
{
	return *v == 0 ? 0 : gp_int_len(*v);
}

static inline size_t
measure_uint(const uint64_t *v)
{
	return *v == 0 ? 0 : gp_uint_len(*v);
}

static inline size_t
measure_flag(const bool *v)
{
	return *v ? 1 : 0;
}

static inline void
plan_field(struct plan *pl, unsigned id, size_t key_len, size_t value_len)
{
	if (value_len == 0)
		return;
	pl->fields |= 1U << id;
	pl->n_fields++;
	pl->body_len += key_len + value_len;
}

static enum rk_err
plan_args(struct plan *pl, const struct rk_arg *args, size_t n_args)
{
	const struct rk_args *raw = &pl->hdr->args;

	if ((args != NULL ? n_args : raw->count) > RK_ARGS_MAX)
		return RK_ETOOBIG;
	pl->args = args;
	pl->n_args = args != NULL ? (uint32_t)n_args : raw->count;
	pl->args_len = gp_map_len(pl->n_args);
	if (args == NULL)
		pl->args_len += raw->raw.len;
	for (uint32_t i = 0; args != NULL && i < pl->n_args; i++)
		pl->args_len +=
		    gp_str_len(args[i].key.len) + gp_str_len(args[i].value.len);
	if (pl->n_args == 0)
		pl->args_len = 0;
	return RK_OK;
}

#define PLAN(id, kind, member, key) \
	plan_field(pl, id, KEY_LEN(key), measure_##kind(&pl->hdr->member));
#define PLAN_ARGS(id, kind, member, key) \
	plan_field(pl, id, KEY_LEN(key), pl->args_len);

/* Lengths are of objects in memory, so their sums cannot wrap. */
static enum rk_err
plan_msg(struct plan *pl, const struct msg *m)
{
	size_t large = m->payload.len + m->error.len;

	HDR_FIELDS(PLAN, PLAN_ARGS)
	pl->body_len += 1 + KEY_LEN(KEY_HDR) + gp_map_len(pl->n_fields);
	pl->has_payload = m->payload.len > 0;
	if (pl->has_payload)
		pl->body_len +=
		    KEY_LEN(KEY_PAYLOAD) + gp_bin_len(m->payload.len);
	pl->has_error = m->error.len > 0;
	if (pl->has_error)
		pl->body_len += KEY_LEN(KEY_ERROR) + gp_str_len(m->error.len);
	if (pl->body_len > RK_BODY_MAX || pl->body_len - large > MSG_HEADER_MAX)
		return RK_ETOOBIG;
	return RK_OK;
}

static inline uint8_t *
write_str(uint8_t *p, const struct rk_str *s)
{
	return gp_put_str(p, s->ptr, s->len);
}

static inline uint8_t *
write_time(uint8_t *p, const struct rk_time *t)
{
	return gp_put_time(p, t);
}

static inline uint8_t *
write_int(uint8_t *p, const int64_t *v)
{
	return gp_put_int(p, *v);
}

static inline uint8_t *
write_uint(uint8_t *p, const uint64_t *v)
{
	return gp_put_uint(p, *v);
}

static inline uint8_t *
write_flag(uint8_t *p, const bool *v)
{
	return gp_put_bool(p, *v);
}

static uint8_t *
write_args(uint8_t *p, const struct plan *pl)
{
	const struct rk_bytes *raw = &pl->hdr->args.raw;

	p = gp_put_map(p, pl->n_args);
	if (pl->args == NULL) {
		if (raw->len > 0)
			memcpy(p, raw->ptr, raw->len);
		return p + raw->len;
	}
	for (uint32_t i = 0; i < pl->n_args; i++) {
		p = write_str(p, &pl->args[i].key);
		p = write_str(p, &pl->args[i].value);
	}
	return p;
}

/* A key's length is constant, so that this becomes a few plain moves. */
static inline uint8_t *
write_key(uint8_t *p, const char *key, size_t len)
{
	memcpy(p, key, len);
	return p + len;
}

#define WRITE(id, kind, member, key)                   \
	if (pl->fields >> (id)&1U) {                   \
		p = write_key(p, key, KEY_LEN(key));   \
		p = write_##kind(p, &pl->hdr->member); \
	}
#define WRITE_ARGS(id, kind, member, key)            \
	if (pl->fields >> (id)&1U) {                 \
		p = write_key(p, key, KEY_LEN(key)); \
		p = write_args(p, pl);               \
	}

static uint8_t *
write_body(uint8_t *p, const struct plan *pl, const struct msg *m)
{
	p = gp_put_map(p, 1U + pl->has_payload + pl->has_error);
	p = write_key(p, KEY_HDR, KEY_LEN(KEY_HDR));
	p = gp_put_map(p, pl->n_fields);
	HDR_FIELDS(WRITE, WRITE_ARGS)
	if (pl->has_payload) {
		p = write_key(p, KEY_PAYLOAD, KEY_LEN(KEY_PAYLOAD));
		p = gp_put_bin(p, m->payload.ptr, m->payload.len);
	}
	if (pl->has_error) {
		p = write_key(p, KEY_ERROR, KEY_LEN(KEY_ERROR));
		p = write_str(p, &m->error);
	}
	return p;
}

enum rk_err
msg_encode(struct buf *b, const struct msg *m, const struct rk_arg *args,
    size_t n_args)
{
	struct plan pl = { .hdr = &m->hdr };
	uint8_t *frame;
	uint8_t *end;
	enum rk_err r;

	if ((r = plan_args(&pl, args, n_args)) != RK_OK)
		goto out;
	if ((r = plan_msg(&pl, m)) != RK_OK)
		goto out;
	if ((r = buf_reserve(b, FRAME_HEAD_LEN + pl.body_len, &frame)) != RK_OK)
		goto out;
	frame_put_head(frame, FRAME_PLAIN, pl.body_len);
	end = write_body(frame + FRAME_HEAD_LEN, &pl, m);
	assert(end == frame + FRAME_HEAD_LEN + pl.body_len);
	buf_commit(b, FRAME_HEAD_LEN + pl.body_len);
out:
	return r;
}

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

#define FIELD(id, what, member, k)      \
	[id] = { .key = TEXT(k),        \
		.key_len = TEXT_LEN(k), \
		.kind = KIND_##what,    \
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
key_is(const struct rk_str *key, const char *text, size_t len)
{
	uint64_t diff;

	if (key->len != len)
		return false;
	diff = load64(key->ptr + len - 8) ^ load64(text + len - 8);
	for (size_t i = 0; i + 8 < len; i += 8)
		diff |= load64(key->ptr + i) ^ load64(text + i);
	return diff == 0;
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

static enum rk_err
read_hdr(struct cursor *outer, struct rk_header *h, struct rk_error *err)
{
	struct cursor c = { .in = outer->in };
	struct rk_str name;
	uint32_t count;

	if (gp_get_map(&c.in, &count) != RK_OK)
		return err_set(
		    err, RK_EPROTO, "message: header: not a map, or cut off");
	for (; count > 0; count--) {
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

#define CLEAR(id, kind, member, key) memset(&h->member, 0, sizeof(h->member));

/* Field by field: for the whole, compilers take a slow string instruction. */
static void
clear(struct msg *m)
{
	struct rk_header *h = &m->hdr;

	HDR_FIELDS(CLEAR, CLEAR)
	m->payload = (struct rk_bytes){ .ptr = NULL };
	m->error = (struct rk_str){ .ptr = NULL };
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
