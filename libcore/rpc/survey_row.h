/* A survey's rows: what is shown of one connection, and of one call. */
#ifndef RPCKIT_RPC_SURVEY_ROW_H
#define RPCKIT_RPC_SURVEY_ROW_H

#include "net/addr.h"
#include "rpc/kv.h"

#include <stdint.h>

struct rk_call;
struct server_conn;

/* All of this is of the worker's thread that the connection is on. */
enum survey_look {
	SURVEY_LOOK_NEW, /* its handshake is under way */
	SURVEY_LOOK_ACTIVE,
	SURVEY_LOOK_IDLE,
	SURVEY_LOOK_CLOSING,
	SURVEY_LOOK_CLOSED /* but for calls that are not answered */
};

enum survey_look survey_look_at(const struct server_conn *c);

/* Where it is: over UDP that may have changed, and was proven.  In dst, or as
 * long as the connection is. */
const char *survey_remote_of(
    const struct server_conn *c, char dst[ADDR_TEXT_LEN]);

void survey_count_bytes(
    const struct server_conn *c, uint64_t *in, uint64_t *out);

/* A map.  What is not known is not there, for rows that are many. */
void survey_put_conn(
    struct kv *k, const struct server_conn *c, enum survey_look look);
/* What moves, without names: [id, state, running, calls, failed, bytes_in,
 * bytes_out]. */
void survey_put_brief(
    struct kv *k, const struct server_conn *c, enum survey_look look);
/* A map. */
void survey_put_call(
    struct kv *k, const struct server_conn *c, const struct rk_call *call);

#endif
