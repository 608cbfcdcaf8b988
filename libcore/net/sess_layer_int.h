/* The inside of the session layer, for its files. */
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
	int fds[2];         /* these are ours, unless there is */
	const struct sess_way_ops *way_ops;
	void *way; /* or NULL */
	struct rk_session *s;
	struct sess_rel *rel;   /* over datagrams; NULL: over bytes */
	struct rk_timer *timer; /* of that */
	size_t payload;         /* of a datagram, when it was looked at */
	bool tell_room;         /* RK_WRITE is due when there is */
	bool tell_settled;      /* or when all was confirmed, */
	bool tell_left;         /* or perhaps never will be */
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
/* Over nothing yet; NULL: no memory. */
struct sess_layer *sess_layer_make(const struct sess_layer_conf *conf,
    struct rk_loop *loop, enum addr_scheme scheme);

/* sess_layer_fd.c */
void sess_layer_close_fds(const int fds[2]);

/* sess_layer_rel.c: over datagrams.  RK_ENOMEM. */
RK_MUST enum rk_err sess_layer_rel_begin(struct sess_layer *l);
void sess_layer_rel_end(struct sess_layer *l);
/* It is over, for this reason. */
void sess_layer_rel_break(
    struct sess_layer *l, enum rk_err code, const char *text);
/* Datagrams may be too long for the way: find out anew. */
void sess_layer_rel_shorten(struct sess_layer *l);
/* The session has something, or room for something. */
void sess_layer_rel_move(struct sess_layer *l);
/* As of the layer. */
RK_MUST enum rk_err sess_layer_rel_send(
    struct sess_layer *l, const uint8_t *src, size_t len, size_t *n);
RK_MUST size_t sess_layer_rel_recv(
    struct sess_layer *l, uint8_t *dst, size_t cap);
bool sess_layer_rel_settled(struct sess_layer *l);
bool sess_layer_rel_left(struct sess_layer *l);
bool sess_layer_rel_silent(struct sess_layer *l);

#endif
