/* QUIC packets protected by OpenSSL, whichever library does the handshake. */
#ifndef RPCKIT_NET_QUIC_CRYPT_H
#define RPCKIT_NET_QUIC_CRYPT_H

#include <rpckit/err.h>

#include <ngtcp2/ngtcp2.h>

/*
 * For handshakes that can only end in TLS_CHACHA20_POLY1305_SHA256: packets of
 * the levels 0-RTT, handshake and 1-RTT.  Initial and Retry, whose keys are
 * public and whose cipher is another, stay with ngtcp2's helper.  One context
 * of the library a key and direction; nothing is allocated for a packet.  Loop
 * thread of the connection.
 */
#define QUIC_CRYPT_SECRET_LEN 32 /* SHA-256 */

/*
 * Derive the keys of one level and direction from the handshake's secret and
 * install them (RFC 9001, 5; RFC 9369, 3.3.2).  At most once for each.
 * RK_EPROTO: not a secret of that cipher suite; RK_ENOMEM.
 */
RK_MUST enum rk_err quic_crypt_install(ngtcp2_conn *conn,
    ngtcp2_encryption_level level, bool rx, const uint8_t *secret, size_t len);

/* encrypt, decrypt, hp_mask, update_key, delete_crypto_aead_ctx,
 * delete_crypto_cipher_ctx; those of Initial keys go on to the helper. */
void quic_crypt_callbacks(ngtcp2_callbacks *cb);

#endif
