/* Sealing and opening the PSK layer's records. */
#include "net/psk_rec.h"

#include "base/be.h"

#include <assert.h>

static void
change_key(struct noise_cipher *c)
{
	if (c->next != 0 && c->next % PSK_REC_REKEY == 0)
		noise_rekey(c);
}

enum rk_err
psk_rec_seal(struct noise_cipher *c, const void *msg, size_t len, uint8_t *out)
{
	const size_t sealed = len + NOISE_TAG_LEN;

	assert(len <= PSK_REC_DATA_MAX);
	(void)be_put(out, sealed, PSK_REC_HEAD_LEN);
	change_key(c);
	return noise_seal(
	    c, out, PSK_REC_HEAD_LEN, msg, len, out + PSK_REC_HEAD_LEN);
}

enum rk_err
psk_rec_total(const uint8_t *data, size_t len, size_t *total)
{
	uint64_t sealed;

	*total = 0;
	if (len < PSK_REC_HEAD_LEN)
		return RK_EAGAIN;
	sealed = be_get(data, PSK_REC_HEAD_LEN);
	if (sealed < NOISE_TAG_LEN || sealed > PSK_REC_LEN - PSK_REC_HEAD_LEN)
		return RK_EPROTO;
	*total = PSK_REC_HEAD_LEN + (size_t)sealed;
	return RK_OK;
}

enum rk_err
psk_rec_open(
    struct noise_cipher *c, const uint8_t *data, size_t total, uint8_t *out)
{
	change_key(c);
	return noise_open(c, data, PSK_REC_HEAD_LEN, data + PSK_REC_HEAD_LEN,
	    total - PSK_REC_HEAD_LEN, out);
}
