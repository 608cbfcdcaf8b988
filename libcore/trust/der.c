/* Strict DER: read piece by piece, written from the end to the start. */
#include "trust/der.h"

#include <assert.h>
#include <string.h>

#define LEN_BYTES_MAX 3

bool
der_is(const struct rk_bytes *in, uint8_t tag)
{
	return in->len > 0 && in->ptr[0] == tag;
}

/* The length field behind the tag; *head counts tag and length bytes. */
static enum rk_err
read_len(const struct rk_bytes *in, size_t *head, size_t *len)
{
	size_t n;
	size_t i;

	if (in->len < 2)
		return RK_EFORMAT;
	*len = in->ptr[1];
	*head = 2;
	if (*len < 0x80)
		return RK_OK;
	n = *len & 0x7f;
	if (n == 0 || n > LEN_BYTES_MAX || in->len < 2 + n || in->ptr[2] == 0)
		return RK_EFORMAT;
	*len = 0;
	for (i = 0; i < n; i++)
		*len = *len << 8 | in->ptr[2 + i];
	*head = 2 + n;
	return *len < 0x80 ? RK_EFORMAT : RK_OK;
}

static enum rk_err
take(struct rk_bytes *in, uint8_t tag, size_t *head, struct rk_bytes *whole)
{
	size_t len = 0;

	*whole = (struct rk_bytes){ 0 };
	if (!der_is(in, tag) || read_len(in, head, &len) != RK_OK ||
	    len > in->len - *head)
		return RK_EFORMAT;
	*whole = (struct rk_bytes){ in->ptr, *head + len };
	in->ptr += whole->len;
	in->len -= whole->len;
	return RK_OK;
}

enum rk_err
der_take_whole(struct rk_bytes *in, uint8_t tag, struct rk_bytes *whole)
{
	size_t head = 0;

	return take(in, tag, &head, whole);
}

enum rk_err
der_take(struct rk_bytes *in, uint8_t tag, struct rk_bytes *content)
{
	struct rk_bytes whole;
	size_t head = 0;
	enum rk_err r;

	*content = (struct rk_bytes){ 0 };
	if ((r = take(in, tag, &head, &whole)) != RK_OK)
		return r;
	*content = (struct rk_bytes){ whole.ptr + head, whole.len - head };
	return RK_OK;
}

enum rk_err
der_take_uint(struct rk_bytes *in, uint64_t *value)
{
	struct rk_bytes rest = *in;
	struct rk_bytes c;
	size_t i;

	*value = 0;
	if (der_take(&rest, DER_INTEGER, &c) != RK_OK || c.len == 0 ||
	    (c.ptr[0] & 0x80) != 0)
		return RK_EFORMAT;
	if (c.len > 1 && c.ptr[0] == 0 && (c.ptr[1] & 0x80) == 0)
		return RK_EFORMAT;
	if (c.len > 9 || (c.len == 9 && c.ptr[0] != 0))
		return RK_EFORMAT;
	for (i = 0; i < c.len; i++)
		*value = *value << 8 | c.ptr[i];
	*in = rest;
	return RK_OK;
}

static void
put_byte(struct der_out *o, size_t byte)
{
	assert(o->at > 0);
	o->data[--o->at] = (uint8_t)byte;
}

static void
put_head(struct der_out *o, uint8_t tag, size_t len)
{
	size_t n = 0;
	size_t rest = len;

	for (; len >= 0x80 && rest > 0; rest >>= 8, n++)
		put_byte(o, rest & 0xff);
	put_byte(o, n > 0 ? 0x80 | n : len);
	put_byte(o, tag);
}

void
der_put(struct der_out *o, uint8_t tag, const void *content, size_t len)
{
	assert(o->at >= len);
	o->at -= len;
	if (len > 0)
		memcpy(o->data + o->at, content, len);
	put_head(o, tag, len);
}

void
der_wrap(struct der_out *o, uint8_t tag, size_t end)
{
	put_head(o, tag, end - o->at);
}
