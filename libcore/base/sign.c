/* The door to libsodium's Ed25519: one signer and one verifier for all. */
#include "base/sign.h"

#include <sodium.h>

#include "base/crypt.h"

_Static_assert(SIGN_SEED_LEN == crypto_sign_SEEDBYTES, "seed");
_Static_assert(SIGN_PUBLIC_LEN == crypto_sign_PUBLICKEYBYTES, "public key");
_Static_assert(SIGN_SECRET_LEN == crypto_sign_SECRETKEYBYTES, "secret key");
_Static_assert(SIGN_SIG_LEN == crypto_sign_BYTES, "signature");

void
sign_keypair(uint8_t pub[SIGN_PUBLIC_LEN], uint8_t secret[SIGN_SECRET_LEN],
    const uint8_t seed[SIGN_SEED_LEN])
{
	crypt_setup();
	/* Always 0. */
	(void)crypto_sign_seed_keypair(pub, secret, seed);
}

void
sign_make(uint8_t sig[SIGN_SIG_LEN], const void *msg, size_t len,
    const uint8_t secret[SIGN_SECRET_LEN])
{
	crypt_setup();
	/* Always 0. */
	(void)crypto_sign_detached(sig, NULL, msg, len, secret);
}

bool
sign_check(const uint8_t sig[SIGN_SIG_LEN], const void *msg, size_t len,
    const uint8_t pub[SIGN_PUBLIC_LEN])
{
	/* libsodium refuses points of small order; a point outside the main
	 * subgroup is refused here. */
	if (!crypt_ed25519_key_ok(pub))
		return false;
	return crypto_sign_verify_detached(sig, msg, len, pub) == 0;
}
