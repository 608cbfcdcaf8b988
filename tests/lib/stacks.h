/* Connected pairs of every kind of stack, clean or disturbed, for tests. */
#ifndef TESTS_LIB_STACKS_H
#define TESTS_LIB_STACKS_H

#include "net/layer.h"
#include "net/psk.h"
#include "net/tls.h"

#include "certs.h"

/* Everything here fails the running test when it cannot do its job. */

enum stack_kind {
	STACK_TCP,
	STACK_UNIX,
	STACK_TLS,  /* over TCP, both ends with certificates */
	STACK_QUIC, /* where this build has it */
	STACK_BASES,
	/* The same with a pre-shared key inside. */
	STACK_PSK_TCP = STACK_BASES,
	STACK_PSK_UNIX,
	STACK_PSK_TLS,
	STACK_PSK_QUIC,
	STACK_KINDS
};
/* What it is without a pre-shared key. */
#define STACK_BASE(kind) \
	((enum stack_kind)((unsigned)(kind) % (unsigned)STACK_BASES))

enum stack_way {
	STACK_CLEAN,
	STACK_SPLIT, /* one byte a call, either way, above the socket */
	STACK_SLOW,  /* every second call of either kind gives RK_EAGAIN */
	/* Of QUIC alone: */
	STACK_PACED, /* packets are spread over time */
	/* and through a relay: */
	STACK_LOSS_5, /* percent of the packets, both ways */
	STACK_LOSS_20,
	STACK_TWICE,   /* every fourth packet comes twice */
	STACK_MIXED,   /* every fourth is overtaken by others */
	STACK_LATE,    /* 20 to 30 ms each way */
	STACK_REBOUND, /* the client's port changes now and then */
	STACK_WAYS
};
#define STACK_RELAYED STACK_LOSS_5 /* from here on */

/* The client is 0, the server 1. */
struct stack_world {
	struct rk_loop *loop; /* lends its memory; QUIC's runs on it */
	char dir[256];        /* ca.crt node.crt client.crt and keys */
	struct certs_cert *ca;
	struct rk_ident *ident[2];
	struct tls_ctx *ctx[2];
	struct quic_tls_ctx *quic[2];
	struct rk_psks *keys; /* one */
	struct psk_conf psk[2];
	struct seed *seed;
};

void stack_world_init(struct stack_world *w);
void stack_world_fini(struct stack_world *w);
/* The verify function of these contexts: arg is the struct rk_ident; servers
 * judge clients and the other way round. */
tls_verify_fn stack_judge_client;
tls_verify_fn stack_judge_server;

bool stack_has(enum stack_kind kind, enum stack_way way);
/* Two ends of one connection, nothing said yet. */
void stack_make(struct stack_world *w, enum stack_kind kind, enum stack_way way,
    struct layer *l[2]);
/* A layer that disturbs the one below, which it owns. */
struct layer *stack_disturb(struct layer *below, enum stack_way way);
const char *stack_kind_name(enum stack_kind kind);
const char *stack_way_name(enum stack_way way);

/* Wait until one of them (NULL: not there) is as it wants to be. */
void stack_wait(struct layer *a, struct layer *b);
/* Both handshakes to their ends, and everything flushed; NULL where it does
 * not matter. */
void stack_shake(struct layer *l[2], enum rk_err r[2], struct rk_error err[2]);
/* Shake hands, which must succeed. */
void stack_connect(struct layer *l[2]);
/* Send all of it and flush, while the other end receives len bytes. */
void stack_pass(struct layer *from, struct layer *to, const uint8_t *src,
    size_t len, uint8_t *dst);
/* recv() until it gives something else than RK_EAGAIN. */
enum rk_err stack_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n);
/* The same until the end; bytes before it are counted. */
enum rk_err stack_recv_end(struct layer *l, size_t *total);
/* Everything sent has been confirmed, where that can be known. */
void stack_settle(struct layer *l);
/* For who does not wait: QUIC gets a turn, whose time stands still. */
void stack_turn(void);
/* What a loop would be told by the descriptor, or by what is raised. */
bool stack_is_readable(struct layer *l);
bool stack_waits_to_write(struct layer *l);
void stack_free(struct layer *l[2]);

/* stacks_quic.c: one pair at a time, on a loop with a clock of its own */
void stack_quic_make(
    struct stack_world *w, enum stack_way way, struct layer *l[2]);
void stack_quic_free(void);
/* Another layer is on top of this end now. */
void stack_quic_cover(int who, struct layer *top);
/* RK_READ and RK_WRITE as raised for this layer; false: none of these. */
bool stack_quic_ready(struct layer *l, unsigned *ready);
/* False: there is no such pair. */
bool stack_quic_turn(void);

#endif
