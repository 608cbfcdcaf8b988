/* A server with a list of keys, a control, and clients that wait, in tests. */
#ifndef TESTS_LIB_GUESTRIG_H
#define TESTS_LIB_GUESTRIG_H

#include <rpckit/ask.h>

#include "ctlrig.h"

/* One at a time; large. */
extern struct guests {
	struct rpcrig rig;
	struct ctl ctl;
	char list[512];
	char fp[RK_FP_LEN]; /* of who waits */
	uint64_t patience;  /* ms for handshakes; 0: as usual */
} guests;

struct guest {
	struct rk_client *client;
	struct rpcanswer answer;
	unsigned closed;
};

/* The list is empty, and has no store. */
void guest_begin(const struct rpcrun *run, enum rk_trust_mode mode);
void guest_end(void);
/* The list has been read since it changed last, so that nobody reads it again
 * unless it changes. */
void guest_settle(struct rk_client *v);
/* The store of the list, which has one now, is another's (sqlite3 *, to be
 * closed); and when all is over its files go. */
struct sqlite3 *guest_hold_store(void);
void guest_unstore(void);
/* It calls at once (ident NULL: as guests.fp), and is seen to wait. */
void guest_come(struct guest *g, struct rk_ident *ident);
void guest_arrive(struct guest *g, struct rk_ident *ident, struct rk_client *v);
void guest_await(struct guest *g, const unsigned *what);

/* Text in msgpack; behind it. */
uint8_t *guest_put(uint8_t *p, const char *s);
/* _.decide: the answer, or what the error says. */
const char *guest_decide(struct rk_client *v, const char *verb, const char *key,
    uint64_t version, bool changed, enum rk_err *code);
/* Of the first entry in an answer. */
uint64_t guest_version(const char *text);

#endif
