/* Two links that are fed into one another, and users of their ends. */
#ifndef TESTS_LIB_CHANRIG_H
#define TESTS_LIB_CHANRIG_H

#include "rpc/chan_int.h"

#define CHANRIG_TYPE "test first"
#define CHANRIG_TAKEN 64

/* Somebody who has an end, and what it was told. */
struct chanuser {
	struct rk_chan *c; /* NULL: ended, closed or sent away */
	unsigned messages;
	size_t bytes;    /* of their payloads */
	char text[64];   /* the last payload; all bytes of a BYTES end */
	size_t text_len; /* of BYTES */
	unsigned writable;
	unsigned readable;
	unsigned eofs;
	unsigned ends;
	enum rk_err code;
	char why[RK_ERROR_TEXT_LEN];
	bool leave;    /* ends in messages are not taken */
	bool no_read;  /* when told `readable` */
	size_t n_took; /* of ends, for these: */
	struct chanuser *took[CHANRIG_TAKEN];
};

struct chanpart;
TAILQ_HEAD(chanparts, chanpart);

struct chanrig {
	struct rk_loop *loop;
	struct chan_link link[2]; /* the client's, the server's */
	struct chanuser first[2];
	struct chanparts parts[2]; /* on their way to it */
	size_t in_parts;           /* bytes in both */
	unsigned wakes;
};

extern const struct rk_chan_events chanrig_events; /* arg: a chanuser */

/* Fails the running test when it cannot do its job, as all here. */
void chanrig_init(struct chanrig *r, const struct rk_chan_conf *client,
    const struct rk_chan_conf *server);
/* Fails the links first, closes nothing else. */
void chanrig_fini(struct chanrig *r);
/* Pull one part out of a link, at most cap bytes; false: it has nothing. */
bool chanrig_pull(struct chanrig *r, unsigned side, size_t cap);
/* Feed one part to it; false: there is none on its way. */
bool chanrig_feed(struct chanrig *r, unsigned side);
/* All of that and the loop, until nothing happens any more. */
void chanrig_settle(struct chanrig *r);
void chanrig_step(struct chanrig *r);

/* A pair, with users. */
void chanrig_pair(struct chanrig *r, enum rk_chan_kind kind, const char *type,
    struct chanuser *one, struct chanuser *other);
/* Send text, and these ends with it; their users have them no more. */
enum rk_err chanrig_try(struct chanuser *u, const char *text,
    struct chanuser *const *ends, size_t n);
void chanrig_send(struct chanuser *u, const char *text, struct chanuser *end);
/* The users made for ends that a user took are freed with it. */
void chanuser_fini(struct chanuser *u);

#endif
