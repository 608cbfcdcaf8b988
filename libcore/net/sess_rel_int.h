/* The inside of a stream over datagrams, for its two files. */
#ifndef RPCKIT_NET_SESS_REL_INT_H
#define RPCKIT_NET_SESS_REL_INT_H

#include "net/sess_rel.h"

#include "base/be.h"

/* The first byte of a piece; the place in the stream follows. */
enum sess_rel_type {
	REL_DATA = 1,
	REL_CONFIRM /* all before that place is there; what else there is */
};

#define REL_CONFIRM_HEAD (SESS_REL_HEAD + 8) /* the limit */
#define REL_RANGE_LEN 16
#define REL_RANGES_MAX 16
#define REL_AHEAD_MAX 2048 /* pieces */
#define REL_SENT_MAX 2048  /* pieces that are not confirmed */

/* sess_rel.c */
RK_MUST enum rk_err rel_take_confirm(
    struct sess_rel *r, uint64_t now, const uint8_t *p, size_t len);
/* sess_rel_in.c */
size_t rel_put_confirm(struct sess_rel *r, uint8_t *out, size_t max);

#endif
