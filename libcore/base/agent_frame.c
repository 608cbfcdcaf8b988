/* Frames between an agent of keyvault(1) and those who use its keys. */
#include "base/agent_frame.h"

#include <string.h>

#include "base/be.h"
#include "base/error.h"
#include "base/str.h"

enum rk_err
agent_frame(const uint8_t *data, size_t len, size_t max, uint8_t *type,
    struct bytes *body, size_t *used)
{
	struct bytes b = { .at = data, .left = len };
	uint32_t size;

	if (!bytes_get_u32(&b, &size))
		return RK_EAGAIN;
	if (size == 0 || size > max)
		return RK_EPROTO;
	if (b.left < size)
		return RK_EAGAIN;
	b.left = size;
	if (!bytes_get_u8(&b, type))
		return RK_EPROTO;
	*body = b;
	*used = 4 + (size_t)size;
	return RK_OK;
}

enum rk_err
agent_begin(struct buf *b, uint8_t type, size_t *at)
{
	enum rk_err r;

	*at = buf_len(b);
	if ((r = bytes_put_u32(b, 0)) != RK_OK)
		return r;
	return bytes_put_u8(b, type);
}

void
agent_end(struct buf *b, size_t at)
{
	size_t size = buf_len(b) - at - 4;

	(void)be_put32(b->data + b->head + at, (uint32_t)size);
}

enum rk_err
agent_put_text(struct buf *b, const char *text)
{
	return bytes_put_string(b, text, strlen(text));
}

bool
agent_get_text(struct bytes *b, char *out, size_t out_len)
{
	struct bytes s;

	out[0] = '\0';
	if (!bytes_get_string(b, &s) || s.left >= out_len ||
	    (s.left > 0 && memchr(s.at, '\0', s.left) != NULL))
		return false;
	if (s.left > 0)
		memcpy(out, s.at, s.left);
	out[s.left] = '\0';
	return true;
}

static bool
get_exactly(struct bytes *b, uint8_t *out, size_t len)
{
	struct bytes s;

	if (!bytes_get_string(b, &s) || s.left != len)
		return false;
	memcpy(out, s.at, len);
	return true;
}

bool
agent_get_signature(struct bytes *b, uint8_t sig[AGENT_SIG_LEN])
{
	return get_exactly(b, sig, AGENT_SIG_LEN) && b->left == 0;
}

bool
agent_get_public(
    struct bytes *b, uint8_t pub[AGENT_PUBLIC_LEN], bool *asks, uint8_t *uses)
{
	uint8_t confirm;

	*uses = AGENT_USE_ANY;
	if (!get_exactly(b, pub, AGENT_PUBLIC_LEN) ||
	    !bytes_get_u8(b, &confirm) || confirm > 1 ||
	    (b->left > 0 && !bytes_get_u8(b, uses)) || b->left != 0)
		return false;
	*asks = confirm == 1;
	return true;
}

bool
agent_get_gift(struct bytes *b, struct bytes *secret)
{
	return bytes_get_string(b, secret) && secret->left > 0 &&
	       secret->left <= AGENT_GIFT_MAX && b->left == 0;
}

enum rk_err
agent_get_fail(struct bytes *b, struct rk_error *err)
{
	char name[64];
	char text[RK_ERROR_TEXT_LEN];
	char shown[RK_ERROR_TEXT_LEN];

	if (!agent_get_text(b, name, sizeof(name)) ||
	    !agent_get_text(b, text, sizeof(text)) || b->left != 0)
		return err_set(
		    err, RK_EPROTO, "agent: an answer that cannot be read");
	str_escape_again(shown, sizeof(shown), text);
	for (int i = 1; i < RK_ERR_COUNT; i++) {
		if (strcmp(rk_err_name((enum rk_err)i), name) == 0)
			return err_set(err, (enum rk_err)i, "%s", shown);
	}
	return err_set(err, RK_EFAIL, "%s", shown);
}
