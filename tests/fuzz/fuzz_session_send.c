/* What a session's user does: messages sent, canceled, waited for, while the
 * pipe takes them or not; each is told of once, and arrives or does not. */
#include <stdlib.h>
#include <string.h>

#include <rpckit/session.h>

#include "net/sess_int.h"

#include "anyone.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SAID_MAX ((size_t)16 << 20)
#define SENT_MAX 4096
#define TURNS 12

/* The first byte. */
#define AS_DATAGRAMS 1
#define AT_ONCE 2

enum deed {
	SEND,
	SEND_ONLY, /* and nobody is told */
	CANCEL,    /* one of the last */
	WRITE,
	CARRY,
	BLOCK, /* or not any more */
	WAIT,
	LEAVE
};

static const size_t lens[8] = { 4, 5, 20, 100, 900, 65536, 65537, 200000 };

struct end {
	struct rk_session *s;
	struct rk_key *key;
	struct buf said; /* each with its length */
	bool over;
	struct rk_error why;
	size_t fed; /* of what it said next */
};

static struct {
	struct rk_loop *loop;
	struct end end[2];
	bool datagrams;
	bool blocked;
	unsigned next; /* number of the next message */
	size_t len[SENT_MAX];
	uint64_t id[SENT_MAX]; /* 0: nobody is told */
	bool canceled[SENT_MAX];
	bool told[SENT_MAX];
	enum rk_err how[SENT_MAX];
	bool heard[SENT_MAX];
	unsigned last; /* number that was heard, plus one */
} w;

/* ---- two ends ---- */

static void
on_state(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	struct end *e = arg;

	(void)s;
	must(!e->over);
	if (state != RK_SESSION_CLOSED)
		return;
	e->over = true;
	e->why = *err;
}

static enum rk_err
on_send(const void *data, size_t len, size_t *taken, void *arg)
{
	struct end *e = arg;

	*taken = 0;
	if (w.blocked && e == &w.end[0])
		return RK_EAGAIN;
	must(buf_put(&e->said, &len, sizeof(len)) == RK_OK);
	must(buf_put(&e->said, data, len) == RK_OK);
	*taken = len;
	return RK_OK;
}

/* What arrives is what was sent, whole; of a pipe in order. */
static void
on_message(struct rk_session *s, uint32_t channel, const void *data, size_t len,
    void *arg)
{
	const uint8_t *p = data;
	uint32_t n;

	(void)s;
	(void)arg;
	must(len >= sizeof(n));
	memcpy(&n, p, sizeof(n));
	must(n < w.next && channel == n % 7);
	must(len == w.len[n] && !w.heard[n] && !w.canceled[n]);
	must(w.datagrams || n >= w.last);
	for (size_t i = sizeof(n); i < len; i += 997)
		must(p[i] == (uint8_t)n);
	w.heard[n] = true;
	w.last = n + 1;
}

static void
on_sent(struct rk_session *s, uint64_t id, enum rk_err r, void *arg)
{
	const uint32_t n = (uint32_t)(uintptr_t)arg;

	(void)s;
	must(n < w.next && w.id[n] == id && !w.told[n]);
	must((r == RK_ECANCELED) == w.canceled[n] || w.end[0].over ||
	     w.end[0].s == NULL);
	w.told[n] = true;
	w.how[n] = r;
}

/* What an end said at once, in parts that may be fed; all of it? */
static bool
feed(struct end *from, struct rk_session *to, const uint8_t *p, size_t len)
{
	while (to != NULL && from->fed < len) {
		size_t n = len - from->fed;

		if (n > RK_SESSION_FEED_MAX)
			n = RK_SESSION_FEED_MAX;
		if (rk_session_feed(to, p + from->fed, n) == RK_EAGAIN)
			return false;
		from->fed += n;
	}
	from->fed = 0;
	return true;
}

static void
turn(void)
{
	for (unsigned i = 0; i < TURNS; i++) {
		must(rk_loop_step(w.loop, 0) == RK_OK);
		for (unsigned j = 0; j < 2; j++) {
			struct buf *said = &w.end[j].said;
			struct rk_session *to = w.end[1 - j].s;

			while (buf_len(said) > 0) {
				size_t len;

				memcpy(
				    &len, said->data + said->head, sizeof(len));
				if (!feed(&w.end[j], to,
				        said->data + said->head + sizeof(len),
				        len))
					break;
				buf_consume(said, sizeof(len) + len);
			}
		}
	}
}

static void
open_world(uint8_t how)
{
	const uint8_t seed[2][RK_KEY_SEED_LEN] = { { 1 }, { 2 } };

	memset(&w, 0, sizeof(w));
	w.datagrams = (how & AS_DATAGRAMS) != 0;
	must(rk_loop_new(&w.loop) == RK_OK);
	for (int i = 0; i < 2; i++) {
		struct end *e = &w.end[i];
		const struct rk_session_pipe p = { .in = -1,
			.out = -1,
			.datagrams = w.datagrams,
			.send = on_send,
			.arg = e };
		struct rk_session_conf conf = { .size = sizeof(conf),
			.initiator = i == 0,
			.judge = on_peer,
			.state = on_state,
			.arg = e,
			.packet = 1200,
			.merge_us =
			    (how & AT_ONCE) != 0 ? RK_SESSION_AT_ONCE : 1 };

		buf_init(&e->said, SAID_MAX);
		must(rk_key_from_seed(seed[i], &e->key) == RK_OK);
		conf.key = e->key;
		must(rk_session_new(w.loop, &conf, &p, &e->s, NULL) == RK_OK);
	}
	must(rk_session_on(w.end[1].s, RK_SESSION_CHANNEL_ANY, on_message,
	         NULL) == RK_OK);
	turn();
	must(rk_session_get_state(w.end[0].s) == RK_SESSION_ESTABLISHED);
}

static void
close_world(void)
{
	for (int i = 0; i < 2; i++) {
		struct rk_session *s = w.end[i].s;

		w.end[i].s = NULL;
		rk_session_free(s);
		buf_fini(&w.end[i].said);
		rk_key_free(w.end[i].key);
	}
	rk_loop_free(w.loop);
}

/* ---- deeds ---- */

static void
send_one(size_t len, bool waits, bool tells)
{
	static uint8_t data[200000];
	struct rk_session *s = w.end[0].s;
	const uint32_t n = w.next;
	enum rk_err r;

	if (n == SENT_MAX)
		return;
	memset(data, (uint8_t)n, len);
	memcpy(data, &n, sizeof(n));
	w.len[n] = len;
	w.next++;
	if (waits)
		r = rk_session_send_wait(s, n % 7, data, len, 0);
	else
		r = rk_session_send(s, n % 7, data, len, tells ? on_sent : NULL,
		    (void *)(uintptr_t)n, tells ? &w.id[n] : NULL);
	must(r == RK_OK || r == RK_EAGAIN || r == RK_ECLOSED ||
	     (r == RK_ETIMEOUT && waits && w.blocked) ||
	     (r == RK_ETOOBIG && len > rk_session_message_max(s)));
	if (r != RK_OK && r != RK_ETIMEOUT)
		w.next--; /* it was none */
}

static void
cancel(unsigned back)
{
	const uint32_t n = w.next - 1 - back;
	enum rk_err r;

	if (back >= w.next || w.id[n] == 0)
		return;
	r = rk_session_cancel(w.end[0].s, w.id[n]);
	must(r == RK_OK || r == RK_ENOENT ||
	     (r == RK_ESTATE && (w.canceled[n] || !w.told[n])));
	must(r != RK_OK || (!w.canceled[n] && !w.heard[n]));
	w.canceled[n] = w.canceled[n] || r == RK_OK;
}

static void
set_blocked(bool blocked)
{
	w.blocked = blocked;
	if (!blocked && w.end[0].s != NULL)
		rk_session_resume(w.end[0].s);
}

/* false: nothing can be done any more. */
static bool
act(uint8_t b)
{
	const unsigned arg = b & 31;
	size_t n;

	switch ((enum deed)(b >> 5)) {
	case SEND:
		send_one(lens[arg % 8], false, true);
		return true;
	case SEND_ONLY:
		send_one(lens[arg % 8], false, false);
		return true;
	case CANCEL:
		cancel(arg);
		return true;
	case WRITE:
		return rk_session_write(w.end[0].s, "some words of no length",
		           arg % 20, &n) != RK_ETOOBIG;
	case CARRY:
		turn();
		return true;
	case BLOCK:
		set_blocked(arg % 2 == 0);
		return true;
	case WAIT:
		send_one(lens[arg % 8], true, false);
		return true;
	case LEAVE:
		if (arg % 4 == 0)
			rk_session_close(w.end[0].s);
		return arg % 4 != 1;
	}
	return true;
}

static void
check(void)
{
	const bool whole = w.end[0].over && w.end[0].why.code == RK_OK;

	for (unsigned n = 0; n < w.next; n++) {
		must(w.id[n] == 0 || w.told[n]);
		must(!whole || w.canceled[n] != w.heard[n]);
		must(!w.heard[n] || w.id[n] == 0 || w.how[n] == RK_OK);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool goes_on = true;

	if (size == 0 || size > SENT_MAX)
		return 0;
	open_world(data[0]);
	for (size_t i = 1; i < size && goes_on; i++)
		goes_on = act(data[i]);
	if (goes_on) {
		uint8_t some[4096];
		size_t n;

		set_blocked(false);
		rk_session_close(w.end[0].s);
		for (unsigned i = 0; i < 1000 && !w.end[0].over; i++) {
			turn();
			while (rk_session_read(
			           w.end[1].s, some, sizeof(some), &n) == RK_OK)
				continue;
		}
		must(w.end[0].over);
	}
	close_world();
	check();
	return 0;
}
