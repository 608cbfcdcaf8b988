/* Messages out: a struct to a frame. */
#include "rpc/msg.h"

#include "rpc/frame.h"
#include "rpc/greenpack.h"
#include "rpc/msg_fields.h"

#include <assert.h>
#include <stdlib.h>

/* The arguments: a list, or what the header has of them as it is. */
struct args {
	const struct rk_arg *list; /* NULL: raw */
	const struct rk_bytes *raw;
	uint32_t count;
};

static enum rk_err
choose_args(
    const struct msg *m, const struct rk_arg *list, size_t n, struct args *out)
{
	const struct rk_args *own = &m->hdr.args;

	if ((list != NULL ? n : own->count) > RK_ARGS_MAX)
		return RK_ETOOBIG;
	*out = (struct args){ .list = list,
		.raw = &own->raw,
		.count = list != NULL ? (uint32_t)n : own->count };
	return RK_OK;
}

/* ---- room: the most that a message can take ---- */

#define MOST_str GP_HEAD_MAX
#define MOST_time GP_TIME_LEN
#define MOST_int GP_SCALAR_MAX
#define MOST_uint GP_SCALAR_MAX
#define MOST_flag 1
#define MOST_args GP_HEAD_MAX
#define MOST(id, kind, member, often, key) +KEY_LEN(key) + MOST_##kind

/* Everything but the bytes of strings. */
#define ROOM_FIXED                                                    \
	(FRAME_HEAD_LEN + 2 * GP_HEAD_MAX + KEY_LEN(KEY_HDR) +        \
	    KEY_LEN(KEY_PAYLOAD) + GP_HEAD_MAX + KEY_LEN(KEY_ERROR) + \
	    GP_HEAD_MAX HDR_FIELDS(MOST, MOST))

#define LEN_str(v) +(v).len
#define LEN_time(v)
#define LEN_int(v)
#define LEN_uint(v)
#define LEN_flag(v)
#define LEN(id, kind, member, often, key) LEN_##kind(h->member)
#define LEN_ARGS(id, kind, member, often, key)

/* The bytes of the header's strings.  Lengths are of objects in memory, so that
 * their sums cannot wrap. */
static size_t
text_len(const struct rk_header *h, const struct args *a)
{
	size_t n = a->list == NULL ? a->raw->len : 0;

	for (uint32_t i = 0; a->list != NULL && i < a->count; i++)
		n += gp_str_len(a->list[i].key.len) +
		     gp_str_len(a->list[i].value.len);
	return n HDR_FIELDS(LEN, LEN_ARGS);
}

/* ---- writing ---- */

static uint8_t *
write_args(uint8_t *p, const struct args *a)
{
	p = gp_put_map(p, a->count);
	if (a->list == NULL) {
		if (a->raw->len > 0)
			memcpy(p, a->raw->ptr, a->raw->len);
		return p + a->raw->len;
	}
	for (uint32_t i = 0; i < a->count; i++) {
		p = gp_put_str(p, a->list[i].key.ptr, a->list[i].key.len);
		p = gp_put_str(p, a->list[i].value.ptr, a->list[i].value.len);
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

/* Is there something to be written, and how. */
#define HAS_str(v) ((v).len != 0)
#define HAS_time(v) ((v).is_set)
#define HAS_int(v) ((v) != 0)
#define HAS_uint(v) ((v) != 0)
#define HAS_flag(v) (v)
#define PUT_str(p, v) gp_put_str(p, (v).ptr, (v).len)
#define PUT_time(p, v) gp_put_time(p, &(v))
#define PUT_int(p, v) gp_put_int(p, v)
#define PUT_uint(p, v) gp_put_uint(p, v)
#define PUT_flag(p, v) gp_put_bool(p, v)

#define WRITE(id, kind, member, often, key)          \
	if (HAS_##kind(h->member)) {                 \
		p = write_key(p, key, KEY_LEN(key)); \
		p = PUT_##kind(p, h->member);        \
		n++;                                 \
	}
#define WRITE_ARGS(id, kind, member, often, key)     \
	if (a->count != 0) {                         \
		p = write_key(p, key, KEY_LEN(key)); \
		p = write_args(p, a);                \
		n++;                                 \
	}

/* The count stands first and is known last: over 15 it takes two bytes more. */
static uint8_t *
write_header(uint8_t *p, const struct rk_header *h, const struct args *a)
{
	uint8_t *head = p++;
	uint32_t n = 0;

	HDR_FIELDS(WRITE, WRITE_ARGS)
	if (n > 15) {
		memmove(head + 3, head + 1, (size_t)(p - head - 1));
		p += 2;
	}
	gp_put_map(head, n);
	return p;
}

static uint8_t *
write_body(uint8_t *p, const struct msg *m, const struct args *a)
{
	p = gp_put_map(p, 1U + (m->payload.len > 0) + (m->error.len > 0));
	p = write_key(p, KEY_HDR, KEY_LEN(KEY_HDR));
	p = write_header(p, &m->hdr, a);
	if (m->payload.len > 0) {
		p = write_key(p, KEY_PAYLOAD, KEY_LEN(KEY_PAYLOAD));
		p = gp_put_bin(p, m->payload.ptr, m->payload.len);
	}
	if (m->error.len > 0) {
		p = write_key(p, KEY_ERROR, KEY_LEN(KEY_ERROR));
		p = gp_put_str(p, m->error.ptr, m->error.len);
	}
	return p;
}

/* The bytes of the frame; 0: too large. */
static size_t
write_frame(uint8_t *frame, const struct msg *m, const struct args *a)
{
	uint8_t *body = frame + FRAME_HEAD_LEN;
	size_t len = (size_t)(write_body(body, m, a) - body);

	if (len > RK_BODY_MAX ||
	    len - m->payload.len - m->error.len > MSG_HEADER_MAX)
		return 0;
	frame_put_head(frame, FRAME_PLAIN, len);
	return FRAME_HEAD_LEN + len;
}

/* b has not the room for the most it could be, but maybe for what it is. */
static enum rk_err
squeeze(struct buf *b, const struct msg *m, const struct args *a, size_t room)
{
	uint8_t *frame = malloc(room);
	enum rk_err r = RK_ETOOBIG;
	size_t len;

	if (frame == NULL)
		return RK_ENOMEM;
	if ((len = write_frame(frame, m, a)) != 0)
		r = buf_put(b, frame, len);
	free(frame);
	return r;
}

enum rk_err
msg_encode(struct buf *b, const struct msg *m, const struct rk_arg *args,
    size_t n_args)
{
	size_t large = m->payload.len + m->error.len;
	struct args a;
	uint8_t *frame;
	size_t room;
	size_t len;
	enum rk_err r;

	if ((r = choose_args(m, args, n_args, &a)) != RK_OK)
		return r;
	room = text_len(&m->hdr, &a);
	if (large > RK_BODY_MAX || room > MSG_HEADER_MAX)
		return RK_ETOOBIG;
	room += ROOM_FIXED + large;
	if ((r = buf_reserve(b, room, &frame)) == RK_ETOOBIG)
		return squeeze(b, m, &a, room);
	if (r != RK_OK)
		return r;
	len = write_frame(frame, m, &a);
	assert(len <= room);
	buf_commit(b, len);
	return len == 0 ? RK_ETOOBIG : RK_OK;
}
