/* Numbers and strings put into byte strings, and taken out of them. */
#include "base/bytes.h"

#include "base/be.h"

bool
bytes_get(struct bytes *b, size_t len, const uint8_t **out)
{
	if (len > b->left)
		return false;
	*out = b->at;
	if (len > 0)
		b->at += len;
	b->left -= len;
	return true;
}

static bool
get_number(struct bytes *b, size_t len, uint64_t *out)
{
	const uint8_t *p;

	if (!bytes_get(b, len, &p))
		return false;
	*out = be_get(p, len);
	return true;
}

bool
bytes_get_u8(struct bytes *b, uint8_t *out)
{
	uint64_t value;

	if (!get_number(b, 1, &value))
		return false;
	*out = (uint8_t)value;
	return true;
}

bool
bytes_get_u16(struct bytes *b, uint16_t *out)
{
	uint64_t value;

	if (!get_number(b, 2, &value))
		return false;
	*out = (uint16_t)value;
	return true;
}

bool
bytes_get_u32(struct bytes *b, uint32_t *out)
{
	uint64_t value;

	if (!get_number(b, 4, &value))
		return false;
	*out = (uint32_t)value;
	return true;
}

bool
bytes_get_u64(struct bytes *b, uint64_t *out)
{
	return get_number(b, 8, out);
}

bool
bytes_get_string(struct bytes *b, struct bytes *out)
{
	struct bytes rest = *b;
	uint32_t len;

	if (!bytes_get_u32(&rest, &len) || !bytes_get(&rest, len, &out->at))
		return false;
	out->left = len;
	*b = rest;
	return true;
}

bool
bytes_are(const struct bytes *b, const char *text)
{
	size_t len = strlen(text);

	return b->left == len && (len == 0 || memcmp(b->at, text, len) == 0);
}

static enum rk_err
put_number(struct buf *b, uint64_t value, size_t len)
{
	uint8_t raw[8];

	(void)be_put(raw, value, len);
	return buf_put(b, raw, len);
}

enum rk_err
bytes_put_u8(struct buf *b, uint8_t value)
{
	return put_number(b, value, 1);
}

enum rk_err
bytes_put_u16(struct buf *b, uint16_t value)
{
	return put_number(b, value, 2);
}

enum rk_err
bytes_put_u32(struct buf *b, uint32_t value)
{
	return put_number(b, value, 4);
}

enum rk_err
bytes_put_u64(struct buf *b, uint64_t value)
{
	return put_number(b, value, 8);
}

enum rk_err
bytes_put_string(struct buf *b, const void *data, size_t len)
{
	enum rk_err r;

	if (len > UINT32_MAX)
		return RK_ETOOBIG;
	if ((r = bytes_put_u32(b, (uint32_t)len)) != RK_OK)
		return r;
	return buf_put(b, data, len);
}
