/* Hostile key files: every form up to the passphrase, which is never given. */
#include <stdlib.h>

#include <rpckit/key.h>

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
	const char *text = (const char *)data;
	struct rk_key *key = NULL;
	struct rk_error err;
	bool asked = false;
	enum rk_err r;

	r = rk_key_parse("f", text, size, refuse, &asked, &key, &err);
	if ((r == RK_OK) != (key != NULL) || err.code != r)
		abort();
	if (asked && (r != RK_ENOPASS || !rk_key_is_encrypted(text, size)))
		abort();
	rk_key_free(key);
	return 0;
}
