/* A test server's streams, and a client's blocking form of them. */
#ifndef TESTS_LIB_STREAMRIG_H
#define TESTS_LIB_STREAMRIG_H

#include <rpckit/stream.h>

#include <stdatomic.h>

#include "rpcrig.h"

/*
 * The server's methods, in place of rpcrig's:
 *
 *	up      sums its parts up; the answer: parts, bytes, hash, subject and
 *	        argument "k" of the last
 *	down    as many bytes as the request says, in parts of 50000
 *	both    each part back, taken only when the last one could be sent
 *	stall   as up, paused: streamworld.stalled
 *	early   fails at the third part
 *	deaf    takes all, and does not answer
 *	shy     the same, and its field "file" is secret
 *	never   does not listen
 *	atonce  answers with its request
 *	echo    a plain call
 */
struct streamworld {
	atomic_uint opened, ended, parts;
	atomic_int ended_code;
	atomic_ullong bytes;
	_Atomic(struct rk_stream *) stalled;
};
extern struct streamworld streamworld;
/* The method `up`. */
void streamrig_up(struct rk_stream *s, void *arg);

void streamrig_begin(struct rpcrig *rig, const struct rpcrun *run);
/* Wait until *what is n or more. */
void streamrig_await(const atomic_uint *what, unsigned n);
/* Let `stall` take parts: a rig without further threads. */
void streamrig_resume(struct rpcrig *rig);
uint32_t streamrig_mix(uint32_t h, const void *data, size_t len);

struct rk_stream *streamrig_open(struct rk_client *c, enum rk_stream_kind kind,
    const char *method, const char *payload, uint64_t timeout);
/* The first len of rpcrig_bytes, as a part. */
void streamrig_put(struct rk_stream *s, size_t len, bool last);
/* Fetch all of `down`. */
void streamrig_take(struct rk_stream *s, uint64_t want);
/* The end is this one; text: the answer's payload or error, NULL: any. */
void streamrig_finish(struct rk_stream *s, enum rk_err want, const char *text);

#endif
