/* Hostile OpenSSH files: private keys up to the passphrase, public key lines,
 * signatures. */
#include <stdlib.h>

#include "base/ssh.h"
#include "keyvault/sshsig.h"
#include "trust/openssh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No passphrase, so that no key derivation ever starts. */
static enum rk_err
refuse(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	(void)path;
	(void)attempt;
	(void)out;
	*(bool *)arg = true;
	return RK_ENOPASS;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t hash[CRYPT_HASH512_LEN];
	const char *text = (const char *)data;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_key *key = NULL;
	struct rk_error err;
	struct sshsig sig;
	bool asked = false;
	enum rk_err r;

	r = openssh_parse("f", text, size, refuse, &asked, &key, &err);
	if ((r == RK_OK) != (key != NULL) || err.code != r ||
	    (asked && r != RK_ENOPASS))
		abort();
	rk_key_free(key);
	r = ssh_get_line(text, size, pub);
	if (r != RK_OK && r != RK_EFORMAT)
		abort();
	if (sshsig_parse(text, size, &sig) == RK_OK &&
	    (sshsig_context_fault(sig.context) != NULL ||
	        sshsig_fits(&sig, hash)))
		abort();
	return 0;
}
