/* OpenSSH's public key lines and fingerprints. */
#include "trust/sshkey.h"

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define KIND "ssh-ed25519"
#define KIND_LEN (sizeof(KIND) - 1)
#define BLOB_LEN (4 + KIND_LEN + 4 + RK_KEY_PUBLIC_LEN)
#define PUB_AT (BLOB_LEN - RK_KEY_PUBLIC_LEN)
#define BLANKS " \t"
#define FP_HEAD "SHA256:"

static void
make_blob(const uint8_t pub[RK_KEY_PUBLIC_LEN], uint8_t out[BLOB_LEN])
{
	static const uint8_t head[PUB_AT] = "\0\0\0\013" KIND "\0\0\0";

	memcpy(out, head, sizeof(head));
	out[PUB_AT - 1] = RK_KEY_PUBLIC_LEN;
	memcpy(out + PUB_AT, pub, RK_KEY_PUBLIC_LEN);
}

void
sshkey_fp(const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN])
{
	uint8_t blob[BLOB_LEN];
	uint8_t hash[CRYPT_HASH_LEN];

	make_blob(pub, blob);
	crypt_sha256(hash, blob, sizeof(blob));
	(void)str_copy(fp, RK_FP_LEN, FP_HEAD);
	str_base64(
	    fp + sizeof(FP_HEAD) - 1, hash, sizeof(hash), STR_BASE64_NOPAD);
}

void
sshkey_fps(const uint8_t pub[RK_KEY_PUBLIC_LEN], char out[SSHKEY_FPS_LEN])
{
	char ours[RK_FP_LEN];
	char theirs[RK_FP_LEN];

	rk_fp_of_key(pub, ours);
	sshkey_fp(pub, theirs);
	(void)snprintf(
	    out, SSHKEY_FPS_LEN, "%s (ssh-keygen -l: %s)", ours, theirs);
}

enum rk_err
sshkey_parse(
    const char *line, uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err)
{
	uint8_t got[BLOB_LEN];
	uint8_t want[BLOB_LEN];
	size_t n;

	memset(pub, 0, RK_KEY_PUBLIC_LEN);
	line += strspn(line, BLANKS);
	if (strncmp(line, KIND, KIND_LEN) != 0 ||
	    strspn(line + KIND_LEN, BLANKS) == 0) {
		if (strncmp(line, "ssh-", 4) == 0 ||
		    strncmp(line, "ecdsa-", 6) == 0)
			return err_set(err, RK_EUNSUPPORTED,
			    "only SSH keys of the kind %s are supported", KIND);
		return err_set(err, RK_EFORMAT, "no line of an SSH public key");
	}
	line += KIND_LEN;
	line += strspn(line, BLANKS);
	n = strcspn(line, BLANKS "\r\n");
	if (str_unbase64(line, n, got, sizeof(got), &n) != RK_OK ||
	    n != sizeof(got))
		return err_set(err, RK_EFORMAT, "a damaged SSH public key");
	make_blob(got + PUB_AT, want);
	if (memcmp(got, want, sizeof(got)) != 0)
		return err_set(err, RK_EFORMAT, "a damaged SSH public key");
	if (!crypt_ed25519_key_ok(got + PUB_AT))
		return err_set(
		    err, RK_EDENIED, "an SSH public key that anybody has");
	memcpy(pub, got + PUB_AT, RK_KEY_PUBLIC_LEN);
	return RK_OK;
}
