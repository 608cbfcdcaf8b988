/* OpenSSH's public key lines and fingerprints. */
#include "trust/sshkey.h"

#include "base/crypt.h"
#include "base/error.h"
#include "base/ssh.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define KIND "ssh-ed25519"
#define KIND_LEN (sizeof(KIND) - 1)
#define BLANKS " \t"

void
sshkey_fp(const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN])
{
	uint8_t blob[SSH_BLOB_LEN];

	ssh_blob(pub, blob);
	ssh_fp_of(blob, sizeof(blob), fp);
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
	uint8_t blob[SSH_BLOB_LEN];
	uint8_t got[RK_KEY_PUBLIC_LEN];
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
	if (str_unbase64(line, n, blob, sizeof(blob), &n) != RK_OK ||
	    ssh_get_public(blob, n, got) != RK_OK)
		return err_set(err, RK_EFORMAT, "a damaged SSH public key");
	if (!crypt_ed25519_key_ok(got))
		return err_set(
		    err, RK_EDENIED, "an SSH public key that anybody has");
	memcpy(pub, got, sizeof(got));
	return RK_OK;
}
