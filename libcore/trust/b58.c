/* base58check of Ed25519 public keys, as known-keys files hold them. */
#include "trust/b58.h"

#include <string.h>

#include "base/crypt.h"

/* Version byte, key, four bytes of a double SHA-256. */
#define RAW_LEN (1 + RK_KEY_PUBLIC_LEN + 4)
#define VERSION_BYTE 0xff
#define MAX_DIGITS (B58_KEY_LEN - 1)

static const char alphabet[] =
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

static void
checksum(const uint8_t *raw, uint8_t sum[4])
{
	uint8_t hash[CRYPT_HASH_LEN];

	crypt_sha256(hash, raw, 1 + RK_KEY_PUBLIC_LEN);
	crypt_sha256(hash, hash, sizeof(hash));
	memcpy(sum, hash, 4);
}

/*
 * The first byte is never zero, so the number has no leading zeros and the
 * two encodings are plain long division, most significant digit first.
 */
void
b58_key_encode(const uint8_t pub[RK_KEY_PUBLIC_LEN], char out[B58_KEY_LEN])
{
	uint8_t raw[RAW_LEN] = { VERSION_BYTE };
	uint8_t digits[MAX_DIGITS] = { 0 };
	size_t n = 0;
	size_t i;
	size_t j;

	memcpy(raw + 1, pub, RK_KEY_PUBLIC_LEN);
	checksum(raw, raw + 1 + RK_KEY_PUBLIC_LEN);
	for (i = 0; i < RAW_LEN; i++) {
		unsigned carry = raw[i];

		for (j = 0; j < n; j++) {
			carry += (unsigned)digits[j] * 256;
			digits[j] = (uint8_t)(carry % 58);
			carry /= 58;
		}
		for (; carry != 0; carry /= 58)
			digits[n++] = (uint8_t)(carry % 58);
	}
	for (i = 0; i < n; i++)
		out[i] = alphabet[digits[n - 1 - i]];
	out[n] = '\0';
}

/* The number being read: 32-bit limbs, the most significant one first. */
#define LIMBS ((RAW_LEN + 3) / 4)
#define CHUNK_DIGITS 5 /* 58^5 < 2^32 */

/* number = number * factor + addend; false when it does not fit. */
static bool
mul_add(uint32_t number[LIMBS], uint32_t factor, uint32_t addend)
{
	uint64_t carry = addend;
	size_t i;

	for (i = LIMBS; i-- > 0;) {
		carry += (uint64_t)number[i] * factor;
		number[i] = (uint32_t)carry;
		carry >>= 32;
	}
	return carry == 0;
}

static enum rk_err
read_number(const char *s, size_t len, uint32_t number[LIMBS])
{
	const char *at = NULL;
	uint32_t factor = 1;
	uint32_t chunk = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		at = memchr(alphabet, s[i], sizeof(alphabet) - 1);
		if (at == NULL)
			return RK_EFORMAT;
		factor *= 58;
		chunk = chunk * 58 + (uint32_t)(at - alphabet);
		if ((i + 1) % CHUNK_DIGITS != 0 && i + 1 != len)
			continue;
		if (!mul_add(number, factor, chunk))
			return RK_EFORMAT;
		factor = 1;
		chunk = 0;
	}
	return RK_OK;
}

enum rk_err
b58_key_decode(const char *s, size_t len, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	uint32_t number[LIMBS] = { 0 };
	uint8_t raw[RAW_LEN];
	uint8_t sum[4];
	size_t i;

	memset(pub, 0, RK_KEY_PUBLIC_LEN);
	if (len == 0 || len > MAX_DIGITS || s[0] == alphabet[0] ||
	    read_number(s, len, number) != RK_OK)
		return RK_EFORMAT;
	for (i = 0; i < RAW_LEN; i++) {
		size_t byte = 4 * LIMBS - RAW_LEN + i;

		raw[i] = (uint8_t)(number[byte / 4] >> 8 * (3 - byte % 4));
	}
	/* What is above the version byte must be zero. */
	if (number[0] >> 8 * (4 - (4 * LIMBS - RAW_LEN)) != 0 ||
	    raw[0] != VERSION_BYTE)
		return RK_EFORMAT;
	checksum(raw, sum);
	if (memcmp(sum, raw + 1 + RK_KEY_PUBLIC_LEN, sizeof(sum)) != 0)
		return RK_EFORMAT;
	memcpy(pub, raw + 1, RK_KEY_PUBLIC_LEN);
	return RK_OK;
}
