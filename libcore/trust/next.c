/* The key that will follow another: the statement by which it proves itself. */
#include "trust/key.h"

#include <string.h>

#define STATEMENT_LEN (sizeof(RK_NEXT_KEY_TAG) + 2 * (size_t)RK_KEY_PUBLIC_LEN)

static void
put_statement(
    uint8_t out[STATEMENT_LEN], const uint8_t *present, const uint8_t *next)
{
	memcpy(out, RK_NEXT_KEY_TAG, sizeof(RK_NEXT_KEY_TAG));
	out += sizeof(RK_NEXT_KEY_TAG);
	memcpy(out, present, RK_KEY_PUBLIC_LEN);
	memcpy(out + RK_KEY_PUBLIC_LEN, next, RK_KEY_PUBLIC_LEN);
}

enum rk_err
next_key_make(const uint8_t present[RK_KEY_PUBLIC_LEN],
    const struct rk_key *next, struct rk_next_key *out, struct rk_error *err)
{
	uint8_t text[STATEMENT_LEN];

	rk_key_public(next, out->pub);
	put_statement(text, present, out->pub);
	return rk_key_sign_for(
	    next, RK_SIGN_NEXT_KEY, text, sizeof(text), out->sig, err);
}

void
rk_next_key_make(const uint8_t present[RK_KEY_PUBLIC_LEN],
    const struct rk_key *next, struct rk_next_key *out)
{
	if (next_key_make(present, next, out, NULL) != RK_OK)
		memset(out->sig, 0, sizeof(out->sig));
}

bool
rk_next_key_ok(
    const uint8_t present[RK_KEY_PUBLIC_LEN], const struct rk_next_key *next)
{
	uint8_t text[STATEMENT_LEN];

	if (memcmp(present, next->pub, RK_KEY_PUBLIC_LEN) == 0)
		return false;
	put_statement(text, present, next->pub);
	return rk_key_verify(next->pub, text, sizeof(text), next->sig);
}
