/* ChaCha20-Poly1305 of the PSK layer's records, by OpenSSL. */
#ifndef RPCKIT_NET_PSK_AEAD_H
#define RPCKIT_NET_PSK_AEAD_H

#include "net/noise.h"

/*
 * The same bytes as base/crypt makes, in half the time: on a connection that is
 * inside of TLS this cipher is most of what a byte costs.  To begin takes
 * OpenSSL longer, though, so that short records are left to base/crypt.  Of one
 * connection, both directions, one thread at a time.
 */
struct evp_cipher_ctx_st;
struct psk_aead {
	struct evp_cipher_ctx_st *ctx; /* NULL: not made */
	size_t least;                  /* the shortest text that OpenSSL gets */
};

/* RK_ENOMEM. */
RK_MUST enum rk_err psk_aead_init(struct psk_aead *a);
/* Wipes; zeros are allowed, and again. */
void psk_aead_fini(struct psk_aead *a);
/* Have c use it from now on: a stays where it is, and outlives that. */
void psk_aead_give(struct psk_aead *a, struct noise_cipher *c);

#endif
