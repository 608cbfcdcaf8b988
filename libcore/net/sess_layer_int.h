/* The inside of the session layer, for its two files. */
#ifndef RPCKIT_NET_SESS_LAYER_INT_H
#define RPCKIT_NET_SESS_LAYER_INT_H

#include "net/sess_int.h"
#include "net/sess_layer.h"
#include "net/sess_rel.h"

/*
 * The session works on the loop by itself, with the descriptors; what it says
 * in its callbacks is raised for the connection.  There is no layer below in
 * the sense of net/layer.h, or the connection would watch its descriptor, too.
 */
struct sess_layer {
	struct layer layer;
	const struct sess_layer_conf *conf;
	struct rk_loop *loop;
	enum addr_scheme scheme;
	struct layer *sock; /* owns the descriptor; NULL: */
	int fds[2];         /* these are ours */
	struct rk_session *s;
	struct sess_rel *rel;   /* over datagrams; NULL: over bytes */
	struct rk_timer *timer; /* of that */
	bool tell_room;         /* RK_WRITE is due when there is */
	bool tell_settled;      /* or when all was confirmed */
	struct loop_ready *ready;
	bool up;
	bool over;
	bool over_told;
	bool orderly; /* both ends said goodbye */
	bool said_end;
	struct rk_error refused; /* why the peer's key was; RK_OK: it was not */
	struct rk_error error;
};

/* sess_layer.c */
void sess_layer_raise(struct sess_layer *l, unsigned what);
void sess_layer_lower(struct sess_layer *l, unsigned what);

/* sess_layer_rel.c: over datagrams.  RK_ENOMEM. */
RK_MUST enum rk_err sess_layer_rel_begin(struct sess_layer *l);
void sess_layer_rel_end(struct sess_layer *l);
/* The session has something, or room for something. */
void sess_layer_rel_move(struct sess_layer *l);
/* As of the layer. */
RK_MUST enum rk_err sess_layer_rel_send(
    struct sess_layer *l, const uint8_t *src, size_t len, size_t *n);
RK_MUST size_t sess_layer_rel_recv(
    struct sess_layer *l, uint8_t *dst, size_t cap);
bool sess_layer_rel_settled(struct sess_layer *l);

#endif
