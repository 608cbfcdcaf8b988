/* The inside of QUIC's TLS on OpenSSL: for the files that begin so. */
#ifndef RPCKIT_NET_QUIC_TLS_OSSL_H
#define RPCKIT_NET_QUIC_TLS_OSSL_H

#include "net/quic_tls_base.h"

struct ngtcp2_crypto_ossl_ctx;
struct ssl_ctx_st;
struct ssl_st;

struct quic_tls_ctx {
	struct quic_tls_ctx_base base;
	struct ssl_ctx_st *ssl_ctx;
	/* server: what keys of tickets grow from */
	struct seed *seed;
	uint8_t ticket_info[QUIC_TICKET_INFO_LEN];
};

struct quic_tls {
	struct quic_tls_base base;
	struct quic_tls_ctx *ctx;
	struct ssl_st *ssl;
	struct ngtcp2_crypto_ossl_ctx *native;
	ngtcp2_crypto_conn_ref *ref;
	ngtcp2_crypto_conn_ref own_ref; /* what the library has: leads to us */
};

/* The handshake that the library calls back for. */
struct quic_tls *quic_tls_of(const struct ssl_st *ssl);

#endif
