/* What Go's net/rpc puts into a payload: a header, then one value. */
#include "rpc/netrpc.h"

#include "base/str.h"
#include "rpc/greenpack.h"
#include "rpc/kv.h"

#include <stdio.h>

#define KEY_METHOD "ServiceMethod_zid00_str"
#define KEY_SEQ "Seq_zid01_u64"
#define KEY_ERROR "Error_zid02_str"

static enum rk_err
get_field(struct gp_reader *in, struct netrpc *h, unsigned *seen)
{
	struct rk_str key;
	unsigned bit;
	enum rk_err r;

	if ((r = gp_get_key(in, &key)) != RK_OK)
		return r;
	if (str_is(key, KEY_METHOD))
		bit = 1;
	else if (str_is(key, KEY_SEQ))
		bit = 2;
	else if (str_is(key, KEY_ERROR))
		bit = 4;
	else
		return gp_skip(in);
	if (gp_take_nil(in))
		return RK_OK;
	if ((*seen & bit) != 0)
		return RK_EPROTO;
	*seen |= bit;
	if (bit == 1)
		return gp_get_str(in, &h->method);
	if (bit == 2)
		return gp_get_uint(in, &h->seq);
	return gp_get_str(in, &h->error);
}

enum rk_err
netrpc_decode(struct rk_bytes payload, struct netrpc *h, struct rk_bytes *value)
{
	struct gp_reader in = { payload.ptr, payload.ptr };
	unsigned seen = 0;
	enum rk_err r;
	uint32_t n;

	*h = (struct netrpc){ .seq = 0 };
	*value = (struct rk_bytes){ .ptr = NULL };
	if (payload.len != 0)
		in.end += payload.len;
	if ((r = gp_get_map(&in, &n)) != RK_OK)
		return r;
	for (; r == RK_OK && n > 0; n--)
		r = get_field(&in, h, &seen);
	if (r == RK_OK && h->method.len > NETRPC_NAME_MAX)
		r = RK_EPROTO;
	if (r == RK_OK && in.p != in.end)
		*value = (struct rk_bytes){ in.p, (size_t)(in.end - in.p) };
	return r;
}

enum rk_err
netrpc_encode(struct buf *b, const struct netrpc *h, struct rk_bytes value)
{
	static const uint8_t empty = 0x80;
	struct kv k = { .b = b };

	kv_map(&k, (uint32_t)(h->method.len != 0) + (h->seq != 0) +
	               (h->error.len != 0));
	if (h->method.len != 0) {
		kv_text(&k, KEY_METHOD);
		kv_str(&k, h->method);
	}
	if (h->seq != 0)
		kv_pair_uint(&k, KEY_SEQ, h->seq);
	if (h->error.len != 0) {
		kv_text(&k, KEY_ERROR);
		kv_str(&k, h->error);
	}
	if (k.r != RK_OK)
		return k.r;
	return value.len == 0 ? buf_put(b, &empty, 1)
	                      : buf_put(b, value.ptr, value.len);
}

/* ---- names that are not known ---- */

static const char *const texts[] = {
	[NETRPC_NO_METHOD] = "rpc: can't find method ",
	[NETRPC_NO_SERVICE] = "rpc: can't find service ",
	[NETRPC_ILL_FORMED] = "rpc: service/method request ill-formed: ",
};

void
netrpc_text(
    char dst[NETRPC_TEXT_MAX], enum netrpc_unknown why, struct rk_str method)
{
	int n =
	    method.len < NETRPC_NAME_MAX ? (int)method.len : NETRPC_NAME_MAX;

	(void)snprintf(dst, NETRPC_TEXT_MAX, "%s%.*s", texts[why], n,
	    n == 0 ? "" : method.ptr);
}

bool
netrpc_is_unknown(const struct netrpc *h)
{
	char text[NETRPC_TEXT_MAX];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		netrpc_text(text, (enum netrpc_unknown)i, h->method);
		if (str_is(h->error, text))
			return true;
	}
	return false;
}
