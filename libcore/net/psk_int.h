/* The inside of the PSK layer, for the files of it. */
#ifndef RPCKIT_NET_PSK_INT_H
#define RPCKIT_NET_PSK_INT_H

#include "net/psk.h"
#include "net/psk_aead.h"
#include "net/psk_hs.h"

enum psk_state {
	PSK_BELOW, /* the layers below shake hands */
	PSK_HANDSHAKE,
	PSK_OPEN,
	PSK_ENDED, /* the peer's end came: nothing more is received */
	PSK_BROKEN
};

struct psk_layer {
	struct layer layer;
	struct rk_loop *loop;
	const struct psk_conf *conf;
	struct rk_psks *keys;
	enum psk_state state;
	enum rk_err fate; /* ENDED, BROKEN: what every call gives */
	bool fate_told;
	bool orderly;  /* the peer said that it was its end */
	bool said_end; /* we did */
	struct psk_hs hs;
	uint64_t begun_us;
	uint64_t took_us;     /* the handshake */
	struct psk_aead aead; /* of its ciphers, once it is done */
	struct buf in;        /* received, not opened */
	struct buf plain;     /* opened, not taken */
	struct buf out;       /* sealed, not sent */
	struct rk_error error;
};

/* psk.c: into ENDED or BROKEN; returns fate. */
enum rk_err psk_end(
    struct psk_layer *p, enum psk_state state, enum rk_err fate);
enum rk_err psk_end_memory(struct psk_layer *p);
/* Keep why the layer below failed, in its words; returns code. */
enum rk_err psk_tell_below(struct psk_layer *p, enum rk_err code);

/* psk_recv.c, of the layer's operations */
enum rk_err psk_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n);
bool psk_pending(const struct layer *l);

#endif
