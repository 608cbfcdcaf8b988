/* One message as it travels: header fields, arguments, payload. */
#ifndef RPCKIT_MESSAGE_H
#define RPCKIT_MESSAGE_H

#include <rpckit/base.h>

RK_BEGIN

#define RK_BODY_MAX 1310640    /* bytes of one encoded message, as Go's */
#define RK_PAYLOAD_MAX 1200000 /* bytes of payload a message may carry */
#define RK_ARGS_MAX 1024       /* entries of the argument map */
#define RK_NAME_MAX 255        /* bytes of a method name */
#define RK_SUBJECT_MAX 4096    /* bytes of a subject we send */

/* Kinds of message; the numbers are rpc25519's (rpckit-protocol(7)). */
enum rk_type {
	RK_TYPE_CALL = 1,
	RK_TYPE_NETRPC = 2,
	RK_TYPE_BISTREAM = 3,
	RK_TYPE_ONEWAY = 100,
	RK_TYPE_REPLY = 101,
	RK_TYPE_KEEPALIVE = 102,
	RK_TYPE_CANCEL = 103,
	RK_TYPE_ERROR = 104,
	RK_TYPE_UPLOAD_BEGIN = 105,
	RK_TYPE_UPLOAD_MORE = 106,
	RK_TYPE_UPLOAD_END = 107,
	RK_TYPE_DOWNLOAD = 108,
	RK_TYPE_DOWNLOAD_BEGIN = 109,
	RK_TYPE_DOWNLOAD_MORE = 110,
	RK_TYPE_DOWNLOAD_END = 111,
	/* rpckit's own, between peers that both know them */
	RK_TYPE_CREDIT = 200, /* how much of a stream may be sent */
	RK_TYPE_PING = 201,   /* are you there? */
	RK_TYPE_PONG = 202,
	RK_TYPE_REFUSED = 203 /* your key is not trusted, and this the end */
};

/* Wall-clock time; is_set false stands for "no time". */
struct rk_time {
	int64_t sec; /* since 1970 */
	int32_t nsec;
	bool is_set;
};

/* The argument map in its encoded form (the entries, without the head of the
 * map), already checked; walk it with rk_args_next(). */
struct rk_args {
	struct rk_bytes raw;
	uint32_t count;
};

struct rk_arg {
	struct rk_str key;
	struct rk_str value;
};

/*
 * A decoded header.  Views into the buffer the message was read to: valid as
 * long as the function that handed it out says.  Nothing here is proven: the
 * from and to fields are the peer's claim.
 */
struct rk_header {
	struct rk_time created;
	struct rk_str from;
	struct rk_str to;
	struct rk_str to_service; /* the method */
	struct rk_str to_version;
	struct rk_str from_service;
	struct rk_str from_version;
	struct rk_args args;
	struct rk_str subject;
	uint64_t seqno;
	int64_t type; /* enum rk_type, or a number we do not know */
	struct rk_str call_id;
	int64_t serial;
	struct rk_time local_recv;
	struct rk_time deadline;
	int64_t stream_part;
	bool no_compression;
	struct rk_str to_peer_id;
	struct rk_str to_peer_name;
	struct rk_str from_peer_id;
	struct rk_str from_peer_name;
	int64_t frag_op;
	int64_t kin; /* not 0: its sender says that it is rpckit */
};

/*
 * The next entry at *offset (start with 0); false at the end.  Any thread.
 */
RK_API bool rk_args_next(
    const struct rk_args *args, size_t *offset, struct rk_arg *out);
/* The value of the first entry named key; false when there is none. */
RK_API bool rk_args_get(
    const struct rk_args *args, const char *key, struct rk_str *value);

RK_END

#endif
