/* Fingerprints and names of public keys, made and compared. */
#include <rpckit/key.h>

#include <string.h>
#include <strings.h>

#include "base/ssh.h"
#include "trust/b58.h"

#define FP_TAG "SHA256:"
#define FP_TAG_LEN (sizeof(FP_TAG) - 1)
#define FP_PREFIX_MIN 8

void
rk_fp_of_key(const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN])
{
	/* SubjectPublicKeyInfo { { 1.3.101.112 }, BIT STRING } */
	uint8_t spki[12 + RK_KEY_PUBLIC_LEN] = { 0x30, 0x2a, 0x30, 0x05, 0x06,
		0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

	memcpy(spki + 12, pub, RK_KEY_PUBLIC_LEN);
	ssh_fp_of(spki, sizeof(spki), fp);
}

void
rk_fp_group(const char *fp, char out[RK_FP_GROUPED_LEN])
{
	const size_t end = RK_FP_GROUPED_LEN - 1;
	size_t len = strlen(fp);
	size_t n = 0;

	if (strncmp(fp, FP_TAG, FP_TAG_LEN) == 0) {
		memcpy(out, FP_TAG, FP_TAG_LEN);
		n = FP_TAG_LEN;
		fp += FP_TAG_LEN;
		len -= FP_TAG_LEN;
	}
	for (size_t part; len > 0 && n < end; fp += part, len -= part) {
		part = len < 4 ? len : 4;
		part = part < end - n ? part : end - n;
		memcpy(out + n, fp, part);
		n += part;
		if (len > part && n < end)
			out[n++] = ' ';
	}
	out[n] = '\0';
}

/* `given` without white space; false when it is longer than a fingerprint. */
static bool
squeeze(const char *given, char out[RK_FP_LEN])
{
	size_t n = 0;

	for (; *given != '\0'; given++) {
		if (*given == ' ' || *given == '\t' || *given == '\n')
			continue;
		if (n == RK_FP_LEN - 1)
			return false;
		out[n++] = *given;
	}
	out[n] = '\0';
	return true;
}

bool
rk_fp_match(const char *fp, const char *given, bool prefix)
{
	char text[RK_FP_LEN];
	const char *body = text;
	size_t len;

	if (!squeeze(given, text))
		return false;
	if (strncasecmp(body, FP_TAG, FP_TAG_LEN) == 0)
		body += FP_TAG_LEN;
	if (strncmp(fp, FP_TAG, FP_TAG_LEN) == 0)
		fp += FP_TAG_LEN;
	len = strlen(body);
	if (strlen(fp) == len && len > 0)
		return strcmp(fp, body) == 0;
	return prefix && len >= FP_PREFIX_MIN && strncmp(fp, body, len) == 0;
}

void
rk_key_id(const uint8_t pub[RK_KEY_PUBLIC_LEN], char id[RK_KEY_ID_LEN])
{
	_Static_assert(sizeof(B58_KEY_PREFIX) + B58_KEY_LEN <= RK_KEY_ID_LEN,
	    "a key's name fits");

	memcpy(id, B58_KEY_PREFIX, sizeof(B58_KEY_PREFIX));
	b58_key_encode(pub, id + sizeof(B58_KEY_PREFIX) - 1);
}
