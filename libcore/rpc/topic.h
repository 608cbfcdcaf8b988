/* Subjects: where a push has its own, and which one a request names. */
#ifndef RPCKIT_RPC_TOPIC_H
#define RPCKIT_RPC_TOPIC_H

#include <rpckit/message.h>

/* The subject of a push: that of the header or, as Go's SendMessage() has it,
 * what ToServiceName quotes: srv.SendMessage('subject').  A view; may be empty.
 */
struct rk_str topic_of(const struct rk_header *hdr);

/* What a payload names: a string, {key: string}, or else its bare bytes.  A
 * view; may be empty. */
struct rk_str topic_asked(struct rk_bytes payload, const char *key);

/* May it be subscribed to: 1 to RK_TOPIC_MAX bytes?  NULL is allowed. */
bool topic_is_good(const char *text);

#endif
