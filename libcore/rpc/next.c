/* Keys that will follow a server's, as they go over the wire. */
#include "rpc/next.h"

#include <string.h>

#include <rpckit/value.h>

/* {"key": 32 bytes, "sig": 64 bytes}, in msgpack. */
struct wire_key {
	uint8_t head[5];
	uint8_t key_head[2];
	uint8_t key[RK_KEY_PUBLIC_LEN];
	uint8_t sig_name[4];
	uint8_t sig_head[2];
	uint8_t sig[RK_KEY_SIG_LEN];
};

enum rk_err
next_encode(struct buf *b, const struct rk_next_key *keys, size_t n)
{
	struct wire_key w = { .head = { 0x82, 0xa3, 'k', 'e', 'y' },
		.key_head = { 0xc4, sizeof(w.key) },
		.sig_name = { 0xa3, 's', 'i', 'g' },
		.sig_head = { 0xc4, sizeof(w.sig) } };
	const uint8_t array = (uint8_t)(0x90 | n);
	enum rk_err r = buf_put(b, &array, 1);

	for (size_t i = 0; r == RK_OK && i < n; i++) {
		memcpy(w.key, keys[i].pub, sizeof(w.key));
		memcpy(w.sig, keys[i].sig, sizeof(w.sig));
		r = buf_put(b, &w, sizeof(w));
	}
	return r;
}

static bool
take_bytes(
    const struct rk_value *map, const char *name, uint8_t *dst, size_t len)
{
	const struct rk_value *v = rk_value_get(map, name);

	if (v == NULL || v->kind != RK_BIN || v->u.bytes.len != len)
		return false;
	memcpy(dst, v->u.bytes.ptr, len);
	return true;
}

static enum rk_err
take_keys(const struct rk_value *list, const uint8_t *present,
    struct rk_next_key *keys, size_t *n)
{
	if (list->kind != RK_ARRAY || list->u.list.count > RK_NEXT_KEYS_MAX)
		return RK_EFORMAT;
	for (uint32_t i = 0; i < list->u.list.count; i++) {
		const struct rk_value *v = &list->u.list.items[i];

		if (!take_bytes(v, "key", keys[i].pub, sizeof(keys[i].pub)) ||
		    !take_bytes(v, "sig", keys[i].sig, sizeof(keys[i].sig)))
			return RK_EFORMAT;
		if (!rk_next_key_ok(present, &keys[i]))
			return RK_ETAMPERED;
	}
	*n = list->u.list.count;
	return RK_OK;
}

enum rk_err
next_decode(struct rk_bytes payload, const uint8_t present[RK_KEY_PUBLIC_LEN],
    struct rk_next_key keys[RK_NEXT_KEYS_MAX], size_t *n)
{
	struct rk_value_doc *doc = NULL;
	enum rk_err r;

	*n = 0;
	r = rk_value_decode(payload.ptr, payload.len, &doc);
	if (r == RK_OK)
		r = take_keys(rk_value_root(doc), present, keys, n);
	rk_value_free(doc);
	return r == RK_ETOOBIG ? RK_EFORMAT : r;
}
