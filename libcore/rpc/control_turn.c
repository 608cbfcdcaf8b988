/* Orders about keys, one after the other: while another program holds the lock
 * of list or store they wait, and the loop does not. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "trust/policy.h"

#include <stdio.h>
#include <stdlib.h>

#define AGAIN_MS 40  /* between two looks, which take a quarter of that */
#define NEXT_MS 1    /* where an order has got on */
#define WAIT_MS 5000 /* then it is refused */
#define WAITING_MAX 64

struct control_turn {
	TAILQ_ENTRY(control_turn) link;
	const struct control_end *end;
	struct rk_call *call; /* deferred */
	control_order_fn *fn;
	bool urgent;
	uint64_t number;
	uint64_t until;
	bool has_text;
	struct buf text;
	struct policy_looked *looked;
	size_t len;
	uint8_t payload[];
};

static void look(struct rk_control *c);

static uint64_t
now_of(const struct rk_control *c)
{
	return rk_loop_now(c->server->loop);
}

/* RK_EBUSY: not now. */
static enum rk_err
probe(const struct rk_control *c, bool urgent, struct rk_error *err)
{
	struct rk_trust *trust = control_trust(c);

	return trust != NULL ? policy_probe(trust, !urgent, err) : RK_OK;
}

static void
leave(struct rk_control *c, struct control_turn *t)
{
	TAILQ_REMOVE(&c->turns, t, link);
	c->n_turns--;
	buf_fini(&t->text);
	free(t->looked);
	free(t);
	c->surveys--;
}

enum rk_err
control_not_done(
    const struct control_try *t, enum rk_err r, const struct rk_error *err)
{
	if (r == RK_EBUSY)
		return r;
	control_refuse(t->call, r, err->text);
	return RK_OK;
}

/* The probe costs next to nothing; a lock may be lost behind it all the same.
 * RK_EBUSY, RK_EAGAIN: neither done nor answered.  last: it does not look
 * again, and does all that is left. */
static enum rk_err
attempt(struct rk_control *c, struct control_turn *t, bool last,
    struct rk_error *err)
{
	const struct control_try one = { .call = t->call,
		.end = t->end,
		.payload = { t->payload, t->len },
		.text = t->has_text ? &t->text : NULL,
		.number = t->number,
		.looked = &t->looked,
		.last = last };

	/* Who asked and does not wait any more has changed his mind. */
	if (t->call->canceled) {
		(void)rk_call_fail(t->call, "nobody waits for it", NULL, 0);
		return RK_OK;
	}
	if (!last && probe(c, t->urgent, err) == RK_EBUSY)
		return RK_EBUSY;
	return t->fn(&one, err);
}

static void
on_again(struct rk_timer *timer, void *arg)
{
	(void)timer;
	look(arg);
}

static enum rk_err
look_later(struct rk_control *c, unsigned ms)
{
	enum rk_err r = RK_OK;

	if (c->again == NULL)
		r = rk_timer_new(c->server->loop, on_again, c, &c->again);
	return r == RK_OK ? rk_timer_set(c->again, now_of(c) + ms) : r;
}

static void
give_up(const struct rk_control *c, const struct control_turn *t,
    const struct rk_error *err)
{
	char text[RK_ERROR_TEXT_LEN + 40];

	(void)snprintf(text, sizeof(text), "%s for %d s: nothing was done",
	    err->text, WAIT_MS / 1000);
	control_refuse(
	    t->call, RK_EBUSY, now_of(c) >= t->until ? text : err->text);
}

/* Those whose turn it is, the first first. */
static void
look(struct rk_control *c)
{
	struct control_turn *t;
	struct rk_error err;
	enum rk_err r;
	bool last;

	while ((t = TAILQ_FIRST(&c->turns)) != NULL) {
		last = c->stopping || now_of(c) >= t->until ||
		       look_later(c, AGAIN_MS) != RK_OK;
		err = (struct rk_error){ 0 };
		r = attempt(c, t, last, &err);
		if (r == RK_EAGAIN) {
			t->until = now_of(c) + WAIT_MS;
			(void)look_later(c, NEXT_MS); /* it is set already */
			return;
		}
		if (r == RK_EBUSY && !last)
			return;
		if (r == RK_EBUSY)
			give_up(c, t, &err);
		leave(c, t);
	}
	control_settle(c);
}

void
control_overrule(const struct control_try *by, const char *fp)
{
	struct rk_control *c = by->end->control;
	struct control_turn *t, *next;
	char text[RK_FP_LEN + 40];

	(void)snprintf(text, sizeof(text), "key %s was put out meanwhile", fp);
	for (t = TAILQ_FIRST(&c->turns); t != NULL; t = next) {
		const struct rk_bytes p = { t->payload, t->len };

		next = TAILQ_NEXT(t, link);
		if (t->urgent || t->number >= by->number ||
		    !control_is_about(p, fp))
			continue;
		control_refuse(t->call, RK_ESTATE, text);
		leave(c, t);
	}
}

/* The last one of those that go before; NULL: none. */
static struct control_turn *
last_urgent(const struct rk_control *c)
{
	struct control_turn *t, *last = NULL;

	TAILQ_FOREACH (t, &c->turns, link) {
		if (t->urgent)
			last = t;
	}
	return last;
}

/* Texts may be long. */
static bool
has_room(const struct rk_control *c, bool with_text)
{
	const struct control_turn *t;
	size_t n = 0;

	TAILQ_FOREACH (t, &c->turns, link)
		n += t->has_text;
	return c->n_turns < WAITING_MAX &&
	       (!with_text || n < CONTROL_UPLOADS_MAX);
}

/* Behind those that wait, or that go before them.  It takes text and looked. */
static void
wait_for_turn(struct rk_control *c, struct rk_call *call,
    const struct control_end *e, control_order_fn *fn, bool urgent,
    struct buf *text, struct policy_looked **looked)
{
	const struct rk_bytes p = rk_call_payload(call);
	struct control_turn *t = malloc(sizeof(*t) + p.len);
	struct control_turn *before = last_urgent(c);

	if (t == NULL) {
		control_refuse(call, RK_ENOMEM, "out of memory");
		return;
	}
	*t = (struct control_turn){ .end = e,
		.call = call,
		.fn = fn,
		.urgent = urgent,
		.number = ++c->turns_ever,
		.until = now_of(c) + WAIT_MS,
		.len = p.len };
	if (p.len > 0)
		memcpy(t->payload, p.ptr, p.len);
	if (rk_call_defer(call) == 0) {
		free(t); /* the caller was told */
		return;
	}
	t->looked = *looked;
	*looked = NULL;
	buf_init(&t->text, 0);
	if (text != NULL) {
		t->has_text = true;
		t->text = *text;
		buf_init(text, 0);
	}
	if (!urgent)
		TAILQ_INSERT_TAIL(&c->turns, t, link);
	else if (before != NULL)
		TAILQ_INSERT_AFTER(&c->turns, before, t, link);
	else
		TAILQ_INSERT_HEAD(&c->turns, t, link);
	c->n_turns++;
	c->surveys++;
	if (c->n_turns == 1 &&
	    look_later(c, t->looked != NULL ? NEXT_MS : AGAIN_MS) != RK_OK)
		look(c);
}

static void
in_turn(struct rk_call *call, const struct control_end *e, control_order_fn *fn,
    bool urgent, struct buf *text)
{
	struct rk_control *c = e->control;
	struct policy_looked *looked = NULL;
	const struct control_try now = { .call = call,
		.end = e,
		.payload = rk_call_payload(call),
		.text = text,
		.number = c->turns_ever + 1,
		.looked = &looked };
	const bool behind =
	    urgent ? last_urgent(c) != NULL : !TAILQ_EMPTY(&c->turns);
	struct rk_error err = { 0 };
	enum rk_err r = behind ? RK_EBUSY : probe(c, urgent, &err);

	if (r != RK_EBUSY)
		r = fn(&now, &err);
	if (r != RK_EBUSY && r != RK_EAGAIN)
		goto out;
	if (has_room(c, text != NULL))
		wait_for_turn(c, call, e, fn, urgent, text, &looked);
	else
		control_refuse(
		    call, RK_EBUSY, "too many orders wait for their turn");
out:
	free(looked);
}

void
control_at_once(
    struct rk_call *call, const struct control_end *e, control_order_fn *fn)
{
	const struct control_try now = { .call = call,
		.end = e,
		.payload = rk_call_payload(call),
		.number = e->control->turns_ever + 1 };
	struct rk_error err = { 0 };

	if (fn(&now, &err) == RK_EBUSY)
		control_refuse(call, RK_EBUSY, err.text);
}

void
control_refuse_those(
    struct rk_control *c, control_order_fn *fn, const char *text)
{
	struct control_turn *t, *next;

	for (t = TAILQ_FIRST(&c->turns); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		if (t->fn != fn)
			continue;
		control_refuse(t->call, RK_ESTATE, text);
		leave(c, t);
	}
}

void
control_in_turn(struct rk_call *call, const struct control_end *e,
    control_order_fn *fn, bool urgent)
{
	in_turn(call, e, fn, urgent, NULL);
}

void
control_in_turn_with(struct rk_call *call, const struct control_end *e,
    control_order_fn *fn, struct buf *text)
{
	in_turn(call, e, fn, false, text);
}
