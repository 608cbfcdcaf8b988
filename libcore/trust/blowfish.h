/* Blowfish, for the passphrases of OpenSSH's key files and nothing else. */
#ifndef RPCKIT_TRUST_BLOWFISH_H
#define RPCKIT_TRUST_BLOWFISH_H

#include <stddef.h>
#include <stdint.h>

struct blowfish {
	uint32_t p[18];
	uint32_t s[4][256];
};

extern const struct blowfish blowfish_pi;

/* One block, in place. */
void blowfish_encrypt(const struct blowfish *b, uint32_t block[2]);
/* The expensive key schedule of bcrypt; salt may be NULL: zeros. */
void blowfish_expand(struct blowfish *b, const uint8_t *salt, size_t salt_len,
    const uint8_t *key, size_t key_len);

#endif
