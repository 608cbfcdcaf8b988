/* A client's next connection: which address, after which pause, or none. */
#include "rpc/client_int.h"

#include "base/error.h"
#include "base/str.h"

#include <rpckit/secret.h>

#include <stdio.h>

#define DEFAULT_FIRST_MS 100
#define DEFAULT_MAX_MS 30000
#define DEFAULT_REPEATS 3
#define LONGEST_MS ((uint64_t)1 << 40) /* sums with a clock do not overflow */

static void on_timer(struct rk_timer *t, void *arg);

enum rk_err
client_again_init(struct rk_client *c, const struct rk_client_conf *conf,
    struct rk_error *err)
{
	const struct rk_again *given = conf->again;
	struct rk_again *a = &c->again.conf;

	buf_init(&c->again.given, SIZE_MAX);
	if (given == NULL)
		return RK_OK;
	if (given->size == 0 || given->n_urls > RK_AGAIN_URLS_MAX ||
	    (given->n_urls > 0 && given->urls == NULL))
		return err_set(err, RK_EINVAL,
		    "client: no size, or too many URLs, of rk_again");
	memcpy(a, given, given->size < sizeof(*a) ? given->size : sizeof(*a));
	if (a->first_ms == 0)
		a->first_ms = DEFAULT_FIRST_MS;
	if (a->max_ms == 0)
		a->max_ms = DEFAULT_MAX_MS;
	if (a->max_ms < a->first_ms)
		a->max_ms = a->first_ms;
	if (a->repeats == 0)
		a->repeats = DEFAULT_REPEATS;
	if (a->max_ms > LONGEST_MS || a->health_ms > LONGEST_MS)
		return err_set(
		    err, RK_EINVAL, "client: a time of rk_again is too long");
	a->urls = NULL;
	c->again.on = true;
	return rk_timer_new(c->loop, on_timer, c, &c->again.timer);
}

void
client_again_fini(struct rk_client *c)
{
	rk_timer_free(c->again.timer);
	buf_fini(&c->again.given);
}

/* ---- rounds ---- */

/* Trying again would only tell somebody else the same, or could not help. */
static bool
is_final(enum rk_err code)
{
	return rk_err_exit(code) == rk_err_exit(RK_ECERT) ||
	       code == RK_EINVAL || code == RK_EUNSUPPORTED ||
	       code == RK_ESTATE || code == RK_ECANCELED;
}

/* The next target that a connection can be begun to. */
static enum rk_err
try_next(struct rk_client *c, struct rk_error *err)
{
	struct client_targets *t = &c->targets;
	enum rk_err r = RK_ERESOLVE;

	while (r != RK_OK && t->left > 0) {
		t->left--;
		client_target_use(c, (t->at + 1) % t->n);
		client_quic_close(c);
		err_clear(err);
		r = client_dial(c, err);
		if (is_final(r))
			t->left = 0;
	}
	return r;
}

static enum rk_err
begin_round(struct rk_client *c, struct rk_error *err)
{
	struct client_targets *t = &c->targets;
	bool behind = c->again.pass ||
	              (c->again.on && c->again.conf.order == RK_AGAIN_IN_TURN);
	enum rk_err r;

	if ((r = client_targets_fill(c, err)) != RK_OK)
		return r;
	/* One in front of the first to be tried. */
	if (!behind || t->at >= t->n)
		t->at = t->n - 1;
	t->left = t->n;
	c->again.pass = false;
	return try_next(c, err);
}

/* Between half of the pause and all of it: clients that lost the same server
 * do not all come back at once. */
static uint64_t
next_pause(struct client_again *a)
{
	uint64_t ms = a->conf.first_ms;
	uint64_t chance;

	for (unsigned i = 0; i < a->pace && ms < a->conf.max_ms; i++)
		ms *= 2;
	if (ms >= a->conf.max_ms)
		ms = a->conf.max_ms;
	else
		a->pace++;
	rk_random(&chance, sizeof(chance));
	return ms - chance % (ms / 2 + 1);
}

static bool
is_given_up(const struct client_again *a)
{
	return a->conf.attempts != 0 && a->rounds >= a->conf.attempts;
}

static void
give_up(struct rk_client *c, const struct rk_error *why)
{
	struct rk_error last = *why;

	(void)snprintf(last.text, sizeof(last.text), "%.*s (given up)",
	    RK_ERROR_TEXT_LEN - 16, why->text);
	client_end(c, &last);
}

static void
note_loss(struct rk_client *c, const struct rk_error *why, bool was_open)
{
	struct client_again *a = &c->again;

	a->why = *why;
	c->why = *why;
	memcpy(a->url, c->url_text, sizeof(a->url));
	a->loss = (struct rk_again_loss){
		.why = &a->why,
		.url = a->url,
		.rounds = a->rounds,
		.was_open = was_open,
	};
}

static void
take_a_break(struct rk_client *c, const struct rk_error *why, bool was_open)
{
	struct client_again *a = &c->again;
	uint64_t ms = next_pause(a);
	struct rk_error err;

	note_loss(c, why, was_open);
	a->loss.next_ms = ms;
	if (rk_timer_set(a->timer, rk_loop_now(c->loop) + ms) != RK_OK) {
		(void)err_set(&err, RK_ENOMEM, "out of memory");
		client_end(c, &err);
		return;
	}
	a->lost_owed = true;
	loop_hook_queue(c->loop, &c->done_hook);
}

/* Each address was tried. */
static void
round_over(struct rk_client *c, const struct rk_error *why)
{
	struct client_again *a = &c->again;

	a->rounds++;
	if (is_given_up(a))
		give_up(c, why);
	else
		take_a_break(c, why, false);
}

static void
lost_open(struct rk_client *c, const struct rk_error *why)
{
	struct client_again *a = &c->again;

	if (rk_loop_now(c->loop) - a->opened >= a->conf.max_ms)
		a->pace = 0;
	/* Who is there and does nothing may be found there again. */
	a->pass = a->conf.health_ms != 0 && why->code == RK_ETIMEOUT;
	c->targets.left = 0;
	take_a_break(c, why, true);
}

/* A check of the session that has ended says nothing about the next. */
static void
forget_check(struct rk_client *c)
{
	if (c->again.timer != NULL)
		rk_timer_clear(c->again.timer);
	if (c->again.asking != 0)
		(void)rk_client_cancel(c, c->again.asking); /* or it is over */
}

void
client_lost(struct rk_client *c, struct session *s, const struct rk_error *why)
{
	bool over = c->state == CLIENT_ENDING || c->shut;
	bool was_open = c->was_open;

	c->state = CLIENT_WAITING;
	forget_check(c);
	if (s != NULL && !over)
		client_calls_lost(c, s);
	if (over || is_final(why->code) || (was_open && !c->again.on)) {
		client_end(c, why);
	} else if (was_open) {
		lost_open(c, why);
	} else if (c->targets.left > 0) {
		note_loss(c, why, false);
		c->again.next = true; /* when what is left here has gone */
		loop_hook_queue(c->loop, &c->done_hook);
	} else if (c->again.on) {
		round_over(c, why);
	} else {
		client_end(c, why);
	}
}

enum rk_err
client_again_start(struct rk_client *c, struct rk_error *err)
{
	struct rk_error why = { 0 };
	enum rk_err r;

	c->again.rounds = 0;
	c->again.pace = 0;
	c->again.pass = false;
	c->was_open = false;
	c->pending.numbered = false;
	r = begin_round(c, &why);
	if (r == RK_OK)
		return RK_OK;
	c->targets.left = 0;
	if (c->again.on && !is_final(r)) {
		c->state = CLIENT_WAITING;
		round_over(c, &why);
		return RK_OK;
	}
	c->state = CLIENT_IDLE;
	if (err != NULL)
		*err = why;
	return r;
}

/* ---- health ---- */

static void
arm_check(struct rk_client *c)
{
	struct client_again *a = &c->again;

	if (rk_timer_set(a->timer, rk_loop_now(c->loop) + a->conf.health_ms) !=
	    RK_OK)
		log_event(RK_LOG_WARN, "client", "no memory for a timer");
}

/* Bytes have come, or the question is still on its way and gets on: whatever
 * comes is a sign of life, though it may be no message yet. */
static bool
is_alive(struct rk_client *c)
{
	const struct conn_count *asked = &c->again.asked;
	struct conn_count n;

	session_count(c->session, &n);
	return n.received != asked->received ||
	       (n.taken > asked->taken && n.taken < asked->queued);
}

static void
on_asked(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct rk_error why;

	(void)arg;
	c->again.asking = 0;
	if (reply->code != RK_ETIMEOUT || c->state != CLIENT_OPEN ||
	    is_alive(c))
		return;
	(void)err_set(
	    &why, RK_ETIMEOUT, "%s: the server does not answer", c->url_text);
	session_abort(c->session, &why);
}

static void
ask(struct rk_client *c)
{
	const struct rk_request req = {
		.method = "_.ping",
		.timeout = c->again.conf.health_ms,
	};

	/* Where so much waits that there is no room for another call, its
	 * deadlines tell, and the connection's. */
	if (rk_client_submit(c, &req, on_asked, NULL, &c->again.asking) !=
	    RK_OK)
		log_event(RK_LOG_DEBUG, "client", "a check was not sent");
	else
		session_count(c->session, &c->again.asked);
}

static void
check_health(struct rk_client *c)
{
	struct conn_count n;
	bool silent;

	session_count(c->session, &n);
	silent = n.received == c->again.received;
	c->again.received = n.received;
	arm_check(c);
	if (silent && c->again.asking == 0)
		ask(c);
}

/* ---- entries ---- */

void
client_again_opened(struct rk_client *c)
{
	struct client_again *a = &c->again;

	if (!a->on)
		return;
	a->rounds = 0;
	a->opened = rk_loop_now(c->loop);
	a->pass = false;
	a->received = 0;
	if (a->conf.health_ms != 0)
		arm_check(c);
}

void
client_again_stop(struct rk_client *c)
{
	struct client_again *a = &c->again;

	a->next = false;
	a->lost_owed = false;
	c->targets.left = 0;
	buf_fini(&a->given);
	if (a->timer != NULL)
		rk_timer_clear(a->timer);
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct rk_client *c = arg;
	struct rk_error err = { 0 };

	(void)t;
	if (c->state == CLIENT_OPEN) {
		check_health(c);
	} else if (c->state == CLIENT_WAITING &&
	           begin_round(c, &err) != RK_OK) {
		c->targets.left = 0;
		client_lost(c, NULL, &err);
	}
}

void
client_again_run(struct rk_client *c)
{
	struct client_again *a = &c->again;
	struct rk_error err;

	if (a->next) {
		a->next = false;
		err = a->why;
		if (try_next(c, &err) != RK_OK)
			client_lost(c, NULL, &err);
	}
	if (!a->lost_owed)
		return;
	a->lost_owed = false;
	if (a->conf.lost != NULL)
		a->conf.lost(c, &a->loss, c->conf.arg);
}
