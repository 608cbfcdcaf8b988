/* A connection's deadlines: one timer, moved only when it would be late. */
#include "net/conn_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * Activity only records when it was.  The timer stays where it is; when it
 * fires too early, because the deadline has moved, it is set again.  A busy
 * connection thus touches its timer once a timeout, not once a call.
 */
enum limit {
	NONE,
	HANDSHAKE,
	WAIT,
	READ,
	WRITE,
	IDLE
};

struct deadline {
	uint64_t at;
	enum limit limit;
};

static void
consider(struct deadline *d, enum limit limit, uint64_t since, uint64_t ms)
{
	uint64_t at;

	if (ms == RK_NEVER || __builtin_add_overflow(since, ms, &at))
		return;
	if (at < d->at)
		*d = (struct deadline){ .at = at, .limit = limit };
}

/* While busy the idle deadline moves along. */
static struct deadline
nearest(const struct conn *c)
{
	struct deadline d = { .at = RK_NEVER, .limit = NONE };
	const struct rk_timeouts *t = &c->timeouts;
	uint64_t since;

	switch (c->state) {
	case CONN_NEW:
	case CONN_HANDSHAKE:
	case CONN_VERIFY:
		if (c->waits) {
			consider(&d, WAIT, c->wait_since, c->wait_for);
			break;
		}
		consider(&d, HANDSHAKE, c->begun, t->handshake);
		break;
	case CONN_OPEN:
		if (c->is_early)
			consider(&d, HANDSHAKE, c->begun, t->handshake);
		/* Each byte at the slowest pace, one a millisecond, is worth
		 * one: byte by byte nobody gets far, and large messages may
		 * come slowly. */
		if (buf_len(&c->in) > 0 && !c->paused)
			consider(
			    &d, READ, c->read_since + buf_len(&c->in), t->read);
		if (c->top->ops->recv_apart != NULL &&
		    layer_query(c->top, LAYER_Q_APART_LATE, &since))
			consider(&d, READ, since, t->read);
		if (c->write_since != RK_NEVER)
			consider(&d, WRITE, c->write_since, t->write);
		consider(&d, IDLE, c->busy ? rk_loop_now(c->loop) : c->active,
		    t->idle);
		break;
	case CONN_DRAINING:
		if (c->write_since != RK_NEVER)
			consider(&d, WRITE, c->write_since, t->write);
		break;
	case CONN_CLOSED:
		break;
	}
	return d;
}

enum rk_err
conn_arm(struct conn *c)
{
	struct deadline d = nearest(c);

	if (d.at >= c->armed)
		return RK_OK;
	c->armed = d.at;
	return rk_timer_set(c->timer, d.at);
}

static void
format_ms(char *dst, size_t len, uint64_t ms)
{
	int n;

	if (ms % 1000 == 0)
		n = snprintf(dst, len, "%" PRIu64 " s", ms / 1000);
	else
		n = snprintf(dst, len, "%" PRIu64 " ms", ms);
	if (n < 0)
		dst[0] = '\0';
}

const char *
conn_step(const struct conn *c)
{
	const struct psk *key;
	const char *name = "";
	bool shakes_keys;

	if (layer_query(c->top, LAYER_Q_PSK, (void *)&key))
		return "psk";
	(void)layer_query(c->top, LAYER_Q_NAME, (void *)&name);
	if (strncmp(name, "ssh+", 4) == 0 || strcmp(name, "fd") == 0)
		return "session";
	shakes_keys = strcmp(name, "tls") == 0 || strcmp(name, "quic") == 0;
	return shakes_keys ? "tls" : "connect";
}

static void
expire_handshake(struct conn *c, const char *text)
{
	if (c->state == CONN_VERIFY) {
		conn_fail(c, RK_ETIMEOUT,
		    "no decision about the peer within %s", text);
		c->why.step = "trust";
		return;
	}
	conn_fail(c, RK_ETIMEOUT, "handshake not finished within %s", text);
	c->why.step = conn_step(c);
}

static void
expire(struct conn *c, enum limit limit)
{
	const struct rk_timeouts *t = &c->timeouts;
	char text[32];

	switch (limit) {
	case NONE:
		break;
	case HANDSHAKE:
		format_ms(text, sizeof(text), t->handshake);
		expire_handshake(c, text);
		break;
	case WAIT:
		format_ms(text, sizeof(text), c->wait_for);
		expire_handshake(c, text);
		break;
	case READ:
		format_ms(text, sizeof(text), t->read);
		conn_fail(c, RK_ETIMEOUT,
		    "message from the peer not whole after %s", text);
		break;
	case WRITE:
		format_ms(text, sizeof(text), t->write);
		conn_fail(c, RK_ETIMEOUT, "peer took no bytes for %s", text);
		break;
	case IDLE:
		format_ms(text, sizeof(text), t->idle);
		conn_fail(c, RK_ETIMEOUT, "idle for %s", text);
		break;
	}
}

void
conn_check_time(struct conn *c)
{
	struct deadline d = nearest(c);

	c->armed = RK_NEVER;
	if (d.limit != NONE && d.at <= rk_loop_now(c->loop))
		expire(c, d.limit);
}

void
conn_default_timeouts(struct rk_timeouts *t)
{
	if (t->connect == 0)
		t->connect = 10 * 1000;
	if (t->handshake == 0)
		t->handshake = 10 * 1000;
	if (t->read == 0)
		t->read = 30 * 1000;
	if (t->write == 0)
		t->write = 30 * 1000;
	if (t->idle == 0)
		t->idle = 300 * 1000;
}
