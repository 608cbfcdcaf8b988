/* Is the peer there?  Keepalives, pings, and a sign of life while not reading.
 */
#include "rpc/alive.h"

#include "base/error.h"
#include "base/str.h"
#include "rpc/session.h"

#include <rpckit/secret.h>

#include <inttypes.h>
#include <stdio.h>

/* Quarters of silence until the peer is asked, and until it is given up. */
#define ASK_AT 2
#define END_AT 4

#define ID_RAW 33

/* ---- what we send ---- */

/* What cannot be sent now is not needed: more important bytes wait. */
static void
say(struct alive *a, const struct msg *m)
{
	if (session_send(a->session, m, NULL, 0) != RK_OK)
		log_event(
		    RK_LOG_DEBUG, "session", "a sign of life is not sent");
}

static void
say_number(struct alive *a, enum rk_type type, uint64_t number)
{
	const struct msg m = { .hdr = { .type = type, .seqno = number } };

	say(a, &m);
}

static void
say_keepalive(struct alive *a)
{
	struct msg m = { .hdr = { .type = RK_TYPE_KEEPALIVE } };
	uint8_t raw[ID_RAW];

	if (a->id[0] == '\0') {
		rk_random(raw, sizeof(raw));
		str_base64(a->id, raw, sizeof(raw), STR_BASE64URL_NOPAD);
	}
	m.hdr.subject = (struct rk_str){ a->id, sizeof(a->id) - 1 };
	say(a, &m);
}

/* ---- the clock ---- */

static uint64_t
nearest(const struct alive *a)
{
	uint64_t at = a->keep_at;

	if (a->quarter_at < at)
		at = a->quarter_at;
	return a->sign_at < at ? a->sign_at : at;
}

static void on_timer(struct rk_timer *t, void *arg);

/* It is only ever moved to be earlier: what is later is found when it fires. */
static void
arm(struct alive *a)
{
	uint64_t at = nearest(a);
	enum rk_err r = RK_OK;

	if (at >= a->armed)
		return;
	if (a->timer == NULL)
		r = rk_timer_new(a->loop, on_timer, a, &a->timer);
	if (r == RK_OK)
		r = rk_timer_set(a->timer, at);
	if (r == RK_OK)
		a->armed = at;
	else
		log_event(RK_LOG_WARN, "session", "no memory for a timer");
}

static uint64_t
in(const struct alive *a, uint64_t ms)
{
	uint64_t at;

	if (__builtin_add_overflow(rk_loop_now(a->loop), ms, &at))
		return RK_NEVER;
	return at;
}

/* ---- keepalives ---- */

static void
check_keepalive(struct alive *a, uint64_t now)
{
	struct conn_count n;

	session_count(a->session, &n);
	if (n.said + a->keepalive <= now) {
		say_keepalive(a);
		n.said = now;
	}
	if (__builtin_add_overflow(n.said, a->keepalive, &a->keep_at))
		a->keep_at = RK_NEVER;
}

/* ---- silence ---- */

static void
ask(struct alive *a)
{
	struct conn_count n;

	say_number(a, RK_TYPE_PING, ++a->asked);
	session_count(a->session, &n);
	a->asked_at = n.queued;
}

static uint64_t
limit(const struct alive *a)
{
	return a->heard || a->patience > ALIVE_FIRST_MS ? a->patience
	                                                : ALIVE_FIRST_MS;
}

static void
give_up(struct alive *a)
{
	uint64_t ms = limit(a);
	const char *unit = ms % 1000 == 0 ? "s" : "ms";
	struct rk_error why;

	(void)err_set(&why, RK_ETIMEOUT,
	    "no answer from the peer for %" PRIu64 " %s",
	    ms % 1000 == 0 ? ms / 1000 : ms, unit);
	why.step = "receive";
	session_abort(a->session, &why);
}

/* Does this quarter tell against the peer? */
static bool
is_silent(struct alive *a)
{
	struct conn_count n;
	bool goes_on;

	session_count(a->session, &n);
	goes_on = n.taken > a->taken && n.taken < a->asked_at;
	if (n.received != a->received || a->deaf ||
	    !session_is_kin(a->session)) {
		a->silent = 0;
		goes_on = true;
	}
	a->received = n.received;
	a->taken = n.taken;
	return !goes_on;
}

static void
end_quarter(struct alive *a)
{
	bool silent = is_silent(a);

	/* A suspicion is carried to its end, whoever waits. */
	if (!a->busy && a->silent < ASK_AT) {
		a->silent = 0;
		a->quarter_at = RK_NEVER;
		return;
	}
	a->quarter_at = in(a, limit(a) / END_AT);
	if (!silent)
		return;
	a->silent++;
	if (a->silent == ASK_AT)
		ask(a);
	if (a->silent == END_AT)
		give_up(a);
}

/* ---- all of them ---- */

static void
check_sign(struct alive *a)
{
	struct conn_count n;

	a->sign_at = RK_NEVER;
	if (!a->deaf)
		return;
	session_count(a->session, &n);
	if (session_is_kin(a->session) && session_is_flushed(a->session))
		say_number(a, RK_TYPE_PONG, 0);
	/* A stranger may not read them: no more than its system takes. */
	if (!session_is_kin(a->session) && n.taken == n.queued)
		say_keepalive(a);
	a->sign_at = in(a, ALIVE_SIGN_MS);
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct alive *a = arg;
	uint64_t now = rk_loop_now(a->loop);

	(void)t;
	a->armed = RK_NEVER;
	if (!session_is_open(a->session))
		return;
	if (a->keep_at <= now)
		check_keepalive(a, now);
	if (a->sign_at <= now)
		check_sign(a);
	if (a->quarter_at <= now)
		end_quarter(a);
	arm(a);
}

void
alive_init(struct alive *a, struct session *s, struct rk_loop *loop,
    uint64_t keepalive, uint64_t patience)
{
	*a = (struct alive){ .session = s,
		.loop = loop,
		.keepalive = keepalive,
		.patience = patience,
		.armed = RK_NEVER,
		.keep_at = RK_NEVER,
		.quarter_at = RK_NEVER,
		.sign_at = RK_NEVER };
}

void
alive_fini(struct alive *a)
{
	rk_timer_free(a->timer);
	a->timer = NULL;
}

static void
watch(struct alive *a)
{
	struct conn_count n;

	if (!a->open || !a->busy || a->quarter_at != RK_NEVER ||
	    a->patience == RK_NEVER)
		return;
	session_count(a->session, &n);
	a->received = n.received;
	a->taken = n.taken;
	a->silent = 0;
	a->quarter_at = in(a, limit(a) / END_AT);
	arm(a);
}

void
alive_open(struct alive *a)
{
	a->open = true;
	if (a->keepalive != RK_NEVER)
		a->keep_at = in(a, a->keepalive);
	arm(a);
	watch(a);
}

void
alive_greet(struct alive *a)
{
	say_number(a, RK_TYPE_PONG, 0);
}

void
alive_set_busy(struct alive *a, bool busy)
{
	a->busy = busy;
	watch(a);
}

void
alive_set_deaf(struct alive *a, bool deaf)
{
	a->deaf = deaf;
	if (!deaf || !a->open || a->sign_at != RK_NEVER)
		return;
	a->sign_at = in(a, ALIVE_SIGN_MS);
	arm(a);
}

/* From now on its silence is counted in quarters that are shorter. */
static void
first_message(struct alive *a)
{
	if (a->heard)
		return;
	a->heard = true;
	a->quarter_at = RK_NEVER;
	watch(a);
}

/* What comes early may be somebody's recording: it is not answered.  What finds
 * no room is answered by what fills it. */
bool
alive_message(struct alive *a, const struct msg *m)
{
	first_message(a);
	switch (m->hdr.type) {
	case RK_TYPE_KEEPALIVE:
	case RK_TYPE_PONG:
		return true;
	case RK_TYPE_PING:
		if (session_is_kin(a->session) &&
		    !session_is_early(a->session) &&
		    session_has_room(a->session))
			say_number(a, RK_TYPE_PONG, m->hdr.seqno);
		return true;
	default:
		return false;
	}
}
