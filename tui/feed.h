/* The line to the daemon: asks, is told of events, dials again, orders. */
#ifndef RPCTUI_FEED_H
#define RPCTUI_FEED_H

#include "model.h"

#include "cli/admin.h"

#include <rpckit/client.h>
#include <rpckit/loop.h>

/*
 * One thread, that of the loop.  The feed fills the model: everything once at
 * the beginning and whenever the daemon is back, then events as they are
 * pushed, long lists of keys in parts, and every `every_ms` the figures
 * (_.status, _.conns, _.calls) that no event tells.  _.conns also when somebody
 * came or went, which events tell in part: four times a second at most.  Where
 * there are many, it asks for all of each one now and then only, and for what
 * moves between.  It dials again for ever, after 0.25 s, at most every 2 s.
 */
struct feed;

struct feed_conf {
	struct rk_loop *loop;
	struct model *model;
	const char *path; /* of the admin socket */
	uint64_t every_ms;
	/* The model has changed, or who answers has gone or come. */
	void (*changed)(void *arg);
	void *arg;
};

RK_MUST enum rk_err feed_new(
    const struct feed_conf *conf, struct feed **out, struct rk_error *err);
/* Not from within a function that the feed calls. */
void feed_free(struct feed *f);

/* Who is told instead of the `changed` that the feed was made with. */
void feed_watch(struct feed *f, void (*changed)(void *arg), void *arg);
/* Have every event shown, when the model has it; in no event is the feed freed.
 */
typedef void feed_event_fn(const struct rk_value *event, void *arg);
void feed_on_event(struct feed *f, feed_event_fn *fn, void *arg);
/* Has everything been told once, since the daemon answers? */
bool feed_whole(const struct feed *f);
/* Ask for the figures now, and not only when it is time; also while paused.
 * Keys as well where the model says that they are stale. */
void feed_ask(struct feed *f);

/* Ask for those of methods as well, from now on or no more. */
void feed_want_methods(struct feed *f, bool on);
/* Have events of this connection's calls, too; 0: no more. */
void feed_want_calls(struct feed *f, uint64_t conn);
/* feed_wish.c: what _.events is asked with; how long that is. */
#define FEED_WISH 29
size_t feed_wish(uint64_t calls_of, uint8_t dst[FEED_WISH]);
/* With what a list, for its next part. */
size_t feed_wish_from(uint64_t from, uint8_t dst[FEED_WISH]);
/* What _.conns is asked with, and how long that is: nothing, or, of those that
 * the model knows, only for what moves.  maps_ms: when all was asked for last,
 * set where it is now; asked_ms: when anything was. */
bool feed_is_brief(const struct model *m, int64_t maps_ms, int64_t now);
size_t feed_wish_conns(struct model *m, int64_t *maps_ms, int64_t asked_ms,
    int64_t now, uint8_t dst[FEED_WISH]);
/* feed_why.c: offline, for this reason; of a dial or call that failed, in the
 * words of all programs. */
void feed_trouble(struct model *m, const char *text);
/* Is it another user who answers?  Then nothing is asked, and it is told. */
bool feed_refuses(
    struct model *m, const struct admin_at *at, struct rk_client *c);
void feed_lost(
    struct model *m, const struct admin_at *at, const struct rk_error *why);
/* Of _.status, where it was refused or is not known. */
void feed_refused(
    struct model *m, const struct admin_at *at, const struct rk_reply *reply);
/* A list of keys was refused, or is not known: why; or nobody decides about
 * keys any more, and there is none of what the method would list. */
void feed_no_keys(struct model *m, const char *method,
    const struct rk_reply *reply, int64_t now);
/* What an order was answered, as feed_done_fn has it; NULL: nothing. */
struct rk_value_doc *feed_ordered(
    const struct rk_reply *reply, struct rk_error *err);
/* Stop asking for figures while nobody looks, and start again. */
void feed_pause(struct feed *f, bool on);

/*
 * Call a method of the daemon's.  payload: msgpack (value.h), copied.  done is
 * called once, from the loop, maybe with an error of the call in err (its text
 * is one escaped line) and answer NULL; feed_free() drops what still runs
 * without calling it.  RK_ESTATE: offline; RK_ENOMEM.
 */
typedef void feed_done_fn(enum rk_err code, const struct rk_error *err,
    const struct rk_value *answer, void *arg);
RK_MUST enum rk_err feed_order(struct feed *f, const char *method,
    struct rk_bytes payload, feed_done_fn *done, void *arg,
    struct rk_error *err);

#endif
