/* Input as the parts of a stream: a value in JSON a line, or bytes. */
#ifndef RPCSH_TALK_IN_H
#define RPCSH_TALK_IN_H

#include "base/buf.h"

#include <rpckit/base.h>

#define TALK_LINE_MAX ((size_t)8 << 20)

enum talk_form {
	TALK_VALUES, /* a line is a value in JSON, sent as msgpack */
	TALK_LINES,  /* the same, sent as it is, with its end */
	TALK_BYTES   /* whatever can be read, as it comes */
};

struct talk_in {
	int fd; /* the caller's; -1: nothing (more) is read */
	enum talk_form form;
	struct buf text;  /* read, and not a part yet */
	size_t looked;    /* no line ends in so much of it */
	uint64_t line;    /* its number, of the part */
	uint8_t *encoded; /* the part, where it is not in text */
	struct rk_bytes part;
	size_t uses; /* so much of text */
	bool has_part;
};

void talk_in_init(struct talk_in *in, int fd, enum talk_form form);
void talk_in_fini(struct talk_in *in);
/* Is there room for more input? */
bool talk_in_wants(const struct talk_in *in);
/* Read once.  RK_EIO, RK_ENOMEM. */
RK_MUST enum rk_err talk_in_read(struct talk_in *in, struct rk_error *err);
/*
 * The next part, which stays the same until talk_in_sent().  RK_EAGAIN: more
 * must be read; RK_ENOENT: it is over; RK_EINVAL: no JSON, with the line;
 * RK_ETOOBIG: more than a part can be.
 */
RK_MUST enum rk_err talk_in_next(
    struct talk_in *in, struct rk_bytes *part, struct rk_error *err);
void talk_in_sent(struct talk_in *in);

#endif
