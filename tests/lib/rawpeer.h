/* A peer that is a socket: frames by hand over plain TCP. */
#ifndef TESTS_LIB_RAWPEER_H
#define TESTS_LIB_RAWPEER_H

#include "rpc/msg.h"
#include "rpcrig.h"

/* Everything here fails the running test when it cannot do its job. */

int raw_dial(const struct rpcrig *r);
/* The same, and whatever the system's limits are, the kernel keeps at most so
 * many bytes that the server has not read; not one of others who dial later,
 * either. */
#define RAW_NARROW ((size_t)1 << 20)
int raw_dial_narrow(const struct rpcrig *r);
/* A listening socket and its URL; accept one. */
int raw_listen(char url[128]);
int raw_accept(int fd);
void raw_close(int fd);
/* All of it; a peer that ends the connection meanwhile is no failure. */
void raw_put(int fd, const void *data, size_t len);
/* As much as is taken until nothing is for a while; how much that was.  What
 * certainly is taken, `least`, may take longer. */
size_t raw_put_some(int fd, const void *data, size_t len, size_t least);
/* No more will be sent. */
void raw_finish(int fd);
/* The next message; false: the peer has ended.  Views live until the next. */
bool raw_try_get(int fd, struct msg *m);
void raw_get(int fd, struct msg *m);
/* All that comes until the peer ends. */
void raw_drain(int fd, struct buf *b);
/* The peer ends without another word; closes fd. */
void raw_expect_end(int fd);
void raw_check_reply(int fd, uint64_t seqno, const void *payload, size_t len);
/* Ask for an echo, which is the next that comes. */
void raw_check_echo(int fd, uint64_t seqno);

/* Append frames. */
enum rk_err raw_try_call(struct buf *b, const char *method, uint64_t seqno);
void raw_call(struct buf *b, const char *method, uint64_t seqno,
    const void *payload, size_t len);
void raw_typed(struct buf *b, int64_t type, const char *method, uint64_t seqno);
/* With so many arguments, also more than there may be. */
void raw_call_args(struct buf *b, const char *method, uint64_t seqno, size_t n);

#endif
