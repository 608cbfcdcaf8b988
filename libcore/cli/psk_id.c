/* Ids of pre-shared keys: a few bytes of a hash, in two groups. */
#include "cli/psk_id.h"

#include <stdio.h>
#include <string.h>

#include <rpckit/secret.h>

#include "base/crypt.h"
#include "base/str.h"

#define LABEL "rpckit psk id" /* with its NUL in front of the key */

void
psk_id(const uint8_t key[PSK_LEN], uint8_t id[PSK_ID_LEN])
{
	uint8_t text[sizeof(LABEL) + PSK_LEN];
	uint8_t hash[CRYPT_HASH_LEN];

	memcpy(text, LABEL, sizeof(LABEL));
	memcpy(text + sizeof(LABEL), key, PSK_LEN);
	crypt_sha256(hash, text, sizeof(text));
	memcpy(id, hash, PSK_ID_LEN);
	rk_wipe(text, sizeof(text));
}

void
psk_id_text(const uint8_t id[PSK_ID_LEN], char text[PSK_ID_TEXT])
{
	char hex[PSK_ID_LEN * 2 + 1];

	str_hex(hex, id, PSK_ID_LEN);
	(void)snprintf(text, PSK_ID_TEXT, "%.4s %.4s", hex, hex + 4);
}
