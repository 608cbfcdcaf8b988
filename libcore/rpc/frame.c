/* Frame heads: written, and found in a stream of bytes. */
#include "frame.h"

#include "base/be.h"
#include "base/error.h"
#include "net/psk_hs.h"

#define MAGIC_LEN 7
#define LEN_AT 8 /* where the body's length stands */

static const uint8_t magic[MAGIC_LEN] = { 0xb3, 0x5d, 0x18, 0x39, 0xac, 0x8e,
	0x1d };

void
frame_put_head(
    uint8_t head[FRAME_HEAD_LEN], enum frame_code code, size_t body_len)
{
	memcpy(head, magic, MAGIC_LEN);
	head[MAGIC_LEN] = (uint8_t)code;
	be_put64(head + LEN_AT, body_len);
}

static bool
take_code(uint8_t byte, enum frame_code *code)
{
	switch (byte) {
	case FRAME_PLAIN:
		*code = FRAME_PLAIN;
		return true;
	case FRAME_S2:
		*code = FRAME_S2;
		return true;
	case FRAME_PLAIN_NO_PREF:
		*code = FRAME_PLAIN_NO_PREF;
		return true;
	default:
		return false;
	}
}

static enum rk_err
read_head(const uint8_t head[FRAME_HEAD_LEN], struct frame *f,
    uint64_t *body_len, struct rk_error *err)
{
	*body_len = be_get64(head + LEN_AT);
	if (memcmp(head, magic, MAGIC_LEN) != 0)
		return err_set(err, RK_EPROTO, "%s",
		    memcmp(head, PSK_HS_MAGIC, MAGIC_LEN) == 0
		        ? "the peer uses a pre-shared key, and there is none "
		          "here"
		        : "frame: wrong magic");
	if (!take_code(head[MAGIC_LEN], &f->code))
		return err_set(err, RK_EPROTO,
		    "frame: unknown compression code %u",
		    (unsigned)head[MAGIC_LEN]);
	if (*body_len > RK_BODY_MAX)
		return err_set(
		    err, RK_EPROTO, "frame: longer than %d bytes", RK_BODY_MAX);
	return RK_OK;
}

/* Judge a head that is cut, completed with the best that can follow. */
static enum rk_err
read_part(
    const uint8_t *data, size_t len, struct frame *f, struct rk_error *err)
{
	uint8_t head[FRAME_HEAD_LEN];
	uint64_t body_len;

	frame_put_head(head, FRAME_PLAIN, 0);
	if (len > 0)
		memcpy(head, data, len);
	return read_head(head, f, &body_len, err);
}

enum rk_err
frame_split(const uint8_t *data, size_t len, struct frame *f, size_t *missing,
    struct rk_error *err)
{
	size_t total = FRAME_HEAD_LEN;
	uint64_t body_len = 0;
	enum rk_err r;

	*f = (struct frame){ .total = 0 };
	if (missing != NULL)
		*missing = 0;
	if (len < FRAME_HEAD_LEN)
		r = read_part(data, len, f, err);
	else
		r = read_head(data, f, &body_len, err);
	if (r != RK_OK)
		return r;
	if (len >= FRAME_HEAD_LEN && body_len == 0)
		return err_set(err, RK_EPROTO, "frame: empty body");
	total += (size_t)body_len;
	if (len < total) {
		if (missing != NULL)
			*missing = total - len;
		return RK_EAGAIN;
	}
	f->total = total;
	f->body = (struct rk_bytes){ .ptr = data + FRAME_HEAD_LEN,
		.len = (size_t)body_len };
	return RK_OK;
}
