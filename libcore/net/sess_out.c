/* What a session says: items gathered in packets, packets sealed in place. */
#include "net/sess_int.h"

#include <assert.h>

static void
put_len(uint8_t out[SESS_LEN_LEN], size_t len)
{
	out[0] = (uint8_t)(len >> 16);
	out[1] = (uint8_t)(len >> 8);
	out[2] = (uint8_t)len;
}

enum rk_err
sess_put_raw(struct rk_session *s, const void *data, size_t len)
{
	uint8_t *p;
	enum rk_err r;

	if ((r = buf_reserve(&s->out, SESS_LEN_LEN + len, &p)) != RK_OK)
		return r;
	put_len(p, len);
	memcpy(p + SESS_LEN_LEN, data, len);
	buf_commit(&s->out, SESS_LEN_LEN + len);
	return RK_OK;
}

/* How long the open packet's text is. */
static size_t
text_len(const struct rk_session *s)
{
	return s->open - SESS_LEN_LEN - sess_keys_head(&s->keys);
}

enum rk_err
sess_seal(struct rk_session *s)
{
	uint8_t *packet;
	uint8_t *tag;
	size_t len;
	enum rk_err r;

	if (s->open == 0)
		return RK_OK;
	len = text_len(s);
	if ((r = buf_reserve(&s->out, NOISE_TAG_LEN, &tag)) != RK_OK)
		return r;
	packet = tag - s->open;
	put_len(packet, s->open - SESS_LEN_LEN + NOISE_TAG_LEN);
	r = sess_keys_seal(&s->keys, packet + SESS_LEN_LEN, len);
	if (r != RK_OK) { /* not a byte of it leaves */
		buf_uncommit(&s->out, s->open);
		s->open = 0;
		return r;
	}
	buf_commit(&s->out, NOISE_TAG_LEN);
	s->open = 0;
	return RK_OK;
}

size_t
sess_text_max(const struct rk_session *s)
{
	return s->datagrams ? s->packet - SESS_HEAD_DATAGRAM - NOISE_TAG_LEN
	                    : SESS_TEXT_MAX;
}

static enum rk_err
begin(struct rk_session *s)
{
	const size_t len = SESS_LEN_LEN + sess_keys_head(&s->keys);
	uint8_t *p;
	enum rk_err r;

	if ((r = buf_reserve(&s->out, len, &p)) != RK_OK)
		return r;
	memset(p, 0, len);
	buf_commit(&s->out, len);
	s->open = len;
	return RK_OK;
}

enum rk_err
sess_put(
    struct rk_session *s, enum sess_item type, const void *data, size_t len)
{
	const size_t total = SESS_ITEM_LEN + len;
	uint8_t *p;
	enum rk_err r;

	assert(s->keyed && len <= SESS_DATA_MAX);
	if (s->open > 0 && text_len(s) + total > sess_text_max(s) &&
	    (r = sess_seal(s)) != RK_OK)
		return r;
	if (s->open == 0 && (r = begin(s)) != RK_OK)
		return r;
	if ((r = buf_reserve(&s->out, total, &p)) != RK_OK)
		return r;
	p[0] = (uint8_t)type;
	put_len(p + 1, len);
	if (len > 0)
		memcpy(p + SESS_ITEM_LEN, data, len);
	buf_commit(&s->out, total);
	s->open += total;
	return RK_OK;
}
