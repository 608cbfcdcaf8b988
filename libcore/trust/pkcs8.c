/* The inside of a private key file: PKCS#8 (RFC 5958, RFC 8410). */
#include "trust/pkcs8.h"

#include <string.h>

#include "trust/der.h"

#define TAG_ATTRIBUTES 0xa0
#define TAG_PUBLIC_KEY 0x81

static const uint8_t head[PKCS8_LEN - RK_KEY_SEED_LEN] = { 0x30, 0x2e, 0x02,
	0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
	0x20 };

static const struct algorithm {
	size_t len;
	uint8_t oid[9];
	const char *name;
} algorithms[] = {
	{ 3, { 0x2b, 0x65, 0x70 }, NULL }, /* Ed25519 */
	{ 3, { 0x2b, 0x65, 0x6e }, "an X25519" },
	{ 3, { 0x2b, 0x65, 0x6f }, "an X448" },
	{ 3, { 0x2b, 0x65, 0x71 }, "an Ed448" },
	{ 7, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 }, "an EC" },
	{ 7, { 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01 }, "a DSA" },
	{ 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 },
	    "an RSA" },
};

static enum rk_err
check_algorithm(struct rk_bytes algo, const char **other)
{
	const struct algorithm *a = NULL;
	struct rk_bytes oid;
	size_t i;

	if (der_take(&algo, DER_OID, &oid) != RK_OK)
		return RK_EFORMAT;
	*other = "another kind of";
	for (i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		a = &algorithms[i];
		if (oid.len == a->len && !memcmp(oid.ptr, a->oid, a->len))
			*other = a->name;
	}
	if (*other != NULL)
		return RK_EUNSUPPORTED;
	return algo.len == 0 ? RK_OK : RK_EFORMAT;
}

/* What may follow the key: attributes, and the public key, which must fit. */
static enum rk_err
check_tail(struct rk_bytes rest, const struct rk_key *key)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_bytes part;

	if (der_is(&rest, TAG_ATTRIBUTES) &&
	    der_take(&rest, TAG_ATTRIBUTES, &part) != RK_OK)
		return RK_EFORMAT;
	if (der_is(&rest, TAG_PUBLIC_KEY)) {
		rk_key_public(key, pub);
		if (der_take(&rest, TAG_PUBLIC_KEY, &part) != RK_OK ||
		    part.len != 1 + sizeof(pub) || part.ptr[0] != 0 ||
		    memcmp(part.ptr + 1, pub, sizeof(pub)) != 0)
			return RK_EFORMAT;
	}
	return rest.len == 0 ? RK_OK : RK_EFORMAT;
}

enum rk_err
pkcs8_decode(struct rk_bytes der, struct rk_key **out, const char **other)
{
	struct rk_bytes info;
	struct rk_bytes part;
	struct rk_bytes seed;
	struct rk_key *key = NULL;
	uint64_t version;
	enum rk_err r = RK_EFORMAT;

	*out = NULL;
	*other = NULL;
	if (der_take(&der, DER_SEQUENCE, &info) != RK_OK || der.len != 0 ||
	    der_take_uint(&info, &version) != RK_OK || version > 1 ||
	    der_take(&info, DER_SEQUENCE, &part) != RK_OK)
		goto out;
	if ((r = check_algorithm(part, other)) != RK_OK)
		goto out;
	r = RK_EFORMAT;
	if (der_take(&info, DER_OCTET_STRING, &part) != RK_OK ||
	    der_take(&part, DER_OCTET_STRING, &seed) != RK_OK ||
	    part.len != 0 || seed.len != RK_KEY_SEED_LEN)
		goto out;
	if ((r = rk_key_from_seed(seed.ptr, &key)) != RK_OK)
		goto out;
	if ((r = check_tail(info, key)) != RK_OK)
		goto out;
	*out = key;
	key = NULL;
out:
	rk_key_free(key);
	return r;
}

enum rk_err
pkcs8_encode(const struct rk_key *key, struct rk_secret **out)
{
	const uint8_t *seed = rk_key_seed(key);
	enum rk_err r;

	*out = NULL;
	if (seed == NULL)
		return RK_EUNSUPPORTED;
	if ((r = rk_secret_new(PKCS8_LEN, out)) != RK_OK)
		return r;
	memcpy(rk_secret_data(*out), head, sizeof(head));
	memcpy(rk_secret_data(*out) + sizeof(head), seed, RK_KEY_SEED_LEN);
	return RK_OK;
}
