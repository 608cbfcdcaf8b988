/* The PSK layer's records: a length and what is sealed, one after another. */
#ifndef RPCKIT_NET_PSK_REC_H
#define RPCKIT_NET_PSK_REC_H

#include "net/noise.h"

/*
 * Eight bytes of length, big-endian, which are authenticated, then so many
 * sealed ones.  A record of the longest kind fills a TLS record exactly.  The
 * empty one says that no more comes.  The key changes before each counter that
 * is a multiple of PSK_REC_REKEY.
 */
#define PSK_REC_HEAD_LEN 8
#define PSK_REC_LEN 16384 /* of the longest one, all of it */
#define PSK_REC_EXTRA (PSK_REC_HEAD_LEN + NOISE_TAG_LEN)
#define PSK_REC_DATA_MAX (PSK_REC_LEN - PSK_REC_EXTRA)
#define PSK_REC_REKEY 65536

/* out has len + PSK_REC_EXTRA, len at most PSK_REC_DATA_MAX.  RK_ELIMIT. */
RK_MUST enum rk_err psk_rec_seal(
    struct noise_cipher *c, const void *msg, size_t len, uint8_t *out);
/* How long the record is that begins here: RK_EAGAIN: not known from so few
 * bytes; RK_EPROTO: none is. */
RK_MUST enum rk_err psk_rec_total(
    const uint8_t *data, size_t len, size_t *total);
/* Open a whole one of `total` bytes; out has total - PSK_REC_EXTRA.
 * RK_EDAMAGED, RK_ELIMIT. */
RK_MUST enum rk_err psk_rec_open(
    struct noise_cipher *c, const uint8_t *data, size_t total, uint8_t *out);

#endif
