/* A stream of bytes over a session's datagrams: what is sent, and again. */
#include "net/sess_rel.h"

#include "net/sess_rel_int.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_PIECES 10 /* under way at first (RFC 6928) */
#define FIRST_RTO_MS 1000
#define RTO_MIN_MS 50
#define RTO_MAX_MS 10000
#define BACKED_OFF_MAX_MS 3000 /* if it is no longer by itself (RFC 8085) */
#define BACKOFF_MAX 6
#define REORDERED 3 /* so many later ones that arrived mean: it is lost, */
#define LATE_MS(srtt) (2 + (srtt)*9 / 8000) /* or one, so long after it */
#define MSS 1200 /* what counts as one where windows are counted */

void
sess_rel_init(struct sess_rel *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->out, SESS_REL_HELD);
	buf_init(&r->in, SESS_REL_ROOM);
	TAILQ_INIT(&r->sent);
	TAILQ_INIT(&r->ahead);
	r->limit = SESS_REL_ROOM;
	r->told = SESS_REL_ROOM;
	r->cwnd = FIRST_PIECES * MSS;
	r->ssthresh = UINT64_MAX;
}

static void
free_pieces(struct sess_pieces *list)
{
	struct sess_piece *p;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, p, link);
		free(p);
	}
}

void
sess_rel_fini(struct sess_rel *r)
{
	free_pieces(&r->sent);
	free_pieces(&r->ahead);
	buf_wipe(&r->out);
	buf_wipe(&r->in);
}

size_t
sess_rel_held(const struct sess_rel *r)
{
	return buf_len(&r->out);
}

bool
sess_rel_all_went(const struct sess_rel *r)
{
	return r->next == r->una + buf_len(&r->out);
}

enum rk_err
sess_rel_put(struct sess_rel *r, const void *data, size_t len, size_t *taken)
{
	const size_t room = SESS_REL_HELD - buf_len(&r->out);
	enum rk_err e;

	*taken = len < room ? len : room;
	if (*taken > 0 && (e = buf_put(&r->out, data, *taken)) != RK_OK) {
		*taken = 0;
		return e;
	}
	return RK_OK;
}

/* ---- time ---- */

static uint64_t
rto(const struct sess_rel *r)
{
	uint64_t ms = FIRST_RTO_MS;
	uint64_t longer;

	if (r->srtt != 0)
		ms = (r->srtt + 4 * r->rttvar) / 1000;
	if (ms < RTO_MIN_MS)
		ms = RTO_MIN_MS;
	if (ms > RTO_MAX_MS)
		ms = RTO_MAX_MS;
	longer = ms << r->backoff;
	if (longer > BACKED_OFF_MAX_MS)
		longer = BACKED_OFF_MAX_MS;
	return ms > longer ? ms : longer;
}

/* Is something waited for: a confirmation, or room? */
static bool
is_waiting(const struct sess_rel *r)
{
	return !TAILQ_EMPTY(&r->sent) || buf_len(&r->out) > 0;
}

static void
set_timeout(struct sess_rel *r, uint64_t now)
{
	r->timeout_at = is_waiting(r) ? now + rto(r) : 0;
	if (!is_waiting(r))
		r->heard_at = r->asked_at = 0;
	else if (r->heard_at == 0)
		r->heard_at = now;
}

uint64_t
sess_rel_due(const struct sess_rel *r)
{
	if (r->loss_at != 0 &&
	    (r->timeout_at == 0 || r->loss_at < r->timeout_at))
		return r->loss_at;
	return r->timeout_at;
}

static void
shrink(struct sess_rel *r, size_t flight)
{
	const uint64_t half = flight / 2;

	r->ssthresh = half > 2 * MSS ? half : 2 * MSS;
	r->recover = r->serial + 1;
}

static void
mark_lost(struct sess_rel *r, struct sess_piece *p)
{
	if (p->lost)
		return;
	p->lost = true;
	r->flight -= p->len;
}

/* ---- a timeout that was for nothing (RFC 5682, RFC 4015) ---- */

/* Of several in a row the first counts. */
static void
remember(struct sess_rel *r)
{
	if (r->undo.serial == 0 || r->quiet == 1)
		r->undo = (struct sess_undo){ .serial = r->serial,
			.end = r->next,
			.cwnd = r->cwnd,
			.ssthresh = r->ssthresh };
}

static void
forget(struct sess_rel *r)
{
	r->undo.serial = 0;
}

/*
 * The way only stood still if all that was under way has arrived, some of it as
 * it was sent first, before anything had to be sent again because of what came.
 * Then it is as wide as before; but what is sent now is no burst.
 */
static void
reconsider(struct sess_rel *r)
{
	uint64_t cwnd = r->flight + FIRST_PIECES * MSS;

	if (r->undo.serial == 0 || r->una < r->undo.end)
		return;
	if (r->undo.late) {
		if (cwnd > r->undo.cwnd)
			cwnd = r->undo.cwnd;
		if (r->cwnd < cwnd)
			r->cwnd = cwnd;
		/* It grows as fast as at first up to where it was. */
		r->ssthresh = r->undo.ssthresh > r->undo.cwnd ? r->undo.ssthresh
		                                              : r->undo.cwnd;
	}
	forget(r);
}

/* Something that was sent later has arrived: three such, or one and time enough
 * (RFC 9002, 6.1). */
static void
detect_losses(struct sess_rel *r, uint64_t now, size_t flight)
{
	struct sess_piece *p;
	bool fresh = false;

	r->loss_at = 0;
	TAILQ_FOREACH (p, &r->sent, link) {
		const uint64_t late = p->sent_at + LATE_MS(r->srtt);

		if (p->lost || p->serial >= r->newest)
			continue;
		if (p->serial + REORDERED > r->newest && now < late) {
			if (r->loss_at == 0 || late < r->loss_at)
				r->loss_at = late;
			continue;
		}
		fresh = fresh || p->serial >= r->recover;
		mark_lost(r, p);
	}
	if (!fresh)
		return;
	forget(r);
	shrink(r, flight);
	r->cwnd = r->ssthresh;
}

/* Nothing came for too long: all that is under way counts as lost.  The first
 * time in a row it may have been the last pieces only, of which nothing that
 * came later can tell. */
enum rk_err
sess_rel_time(struct sess_rel *r, uint64_t now)
{
	struct sess_piece *p;

	if (r->loss_at != 0 && now >= r->loss_at)
		detect_losses(r, now, r->flight);
	if (r->timeout_at == 0 || now < r->timeout_at)
		return RK_OK;
	if (r->heard_at != 0 && now >= r->heard_at + SESS_REL_GIVE_UP_MS)
		return RK_ETIMEOUT;
	if (r->backoff < BACKOFF_MAX)
		r->backoff++;
	r->quiet++;
	if (r->asked_at == 0)
		r->asked_at = now;
	if (!TAILQ_EMPTY(&r->sent)) {
		remember(r);
		shrink(r, r->flight);
		r->cwnd = r->quiet > 1 ? MSS : r->ssthresh;
		r->loss_at = 0;
		TAILQ_FOREACH (p, &r->sent, link)
			mark_lost(r, p);
	} else {
		r->probe = true;
	}
	set_timeout(r, now);
	return RK_OK;
}

void
sess_rel_again(struct sess_rel *r)
{
	struct sess_piece *p;

	TAILQ_FOREACH (p, &r->sent, link)
		mark_lost(r, p);
	r->loss_at = 0;
	forget(r);
}

void
sess_rel_moved(struct sess_rel *r, uint64_t now)
{
	sess_rel_again(r);
	r->cwnd = FIRST_PIECES * MSS;
	r->ssthresh = UINT64_MAX;
	r->recover = r->serial + 1;
	r->srtt = r->rttvar = 0;
	r->backoff = r->quiet = 0;
	r->asked_at = 0;
	set_timeout(r, now);
}

static void
measure(struct sess_rel *r, uint64_t ms)
{
	const uint64_t us = ms == 0 ? 500 : ms * 1000;
	uint64_t diff;

	if (r->srtt == 0) {
		r->srtt = us;
		r->rttvar = us / 2;
		return;
	}
	diff = us > r->srtt ? us - r->srtt : r->srtt - us;
	r->rttvar = (3 * r->rttvar + diff) / 4;
	r->srtt = (7 * r->srtt + us) / 8;
}

/* ---- sending ---- */

static void
put_head(uint8_t *out, enum sess_rel_type type, uint64_t at)
{
	out[0] = (uint8_t)type;
	(void)be_put64(out + 1, at);
}

static size_t
put_piece(const struct sess_rel *r, const struct sess_piece *p, uint8_t *out)
{
	put_head(out, REL_DATA, p->at);
	memcpy(out + SESS_REL_HEAD,
	    buf_peek(&r->out) + (size_t)(p->at - r->una), p->len);
	return SESS_REL_HEAD + p->len;
}

static void
note_sent(struct sess_rel *r, struct sess_piece *p, uint64_t now)
{
	if (p->times > 0 && r->undo.heard)
		forget(r);
	p->lost = false;
	r->retrans += p->times > 0;
	p->times++;
	p->sent_at = now;
	p->serial = ++r->serial;
	r->flight += p->len;
	if (r->timeout_at == 0)
		set_timeout(r, now);
}

/* The way carries less than it did: the rest becomes a piece of its own. */
static bool
split(struct sess_rel *r, struct sess_piece *p, size_t max)
{
	struct sess_piece *rest = malloc(sizeof(*rest));

	if (rest == NULL)
		return false;
	*rest = *p;
	rest->at += max;
	rest->len -= max;
	p->len = max;
	TAILQ_INSERT_AFTER(&r->sent, p, rest, link);
	r->n_sent++;
	return true;
}

static struct sess_piece *
find_lost(struct sess_rel *r, size_t max)
{
	struct sess_piece *p;

	TAILQ_FOREACH (p, &r->sent, link) {
		if (p->lost)
			return p->len <= max || split(r, p, max) ? p : NULL;
	}
	return NULL;
}

/* A new piece of what was not sent yet, as long as it may be. */
static struct sess_piece *
cut(struct sess_rel *r, size_t max)
{
	const uint64_t end = r->una + buf_len(&r->out);
	uint64_t len = end - r->next;
	struct sess_piece *p;

	if (r->limit <= r->next || r->n_sent >= REL_SENT_MAX)
		return NULL;
	if (len > max)
		len = max;
	if (len > r->limit - r->next)
		len = r->limit - r->next;
	if (len == 0 || (p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->at = r->next;
	p->len = (size_t)len;
	r->next += len;
	TAILQ_INSERT_TAIL(&r->sent, p, link);
	r->n_sent++;
	return p;
}

bool
sess_rel_next(struct sess_rel *r, uint64_t now, size_t max,
    uint8_t out[SESS_REL_PIECE_MAX], size_t *len)
{
	struct sess_piece *p;

	*len = 0;
	if (max > SESS_REL_PIECE_MAX)
		max = SESS_REL_PIECE_MAX;
	if (r->confirm) {
		r->confirm = false;
		*len = rel_put_confirm(r, out, max);
		return true;
	}
	if (r->probe) {
		r->probe = false;
		put_head(out, REL_DATA, r->next);
		*len = SESS_REL_HEAD;
		return true;
	}
	if (r->flight > 0 && r->flight + MSS > r->cwnd)
		return false;
	p = find_lost(r, max - SESS_REL_HEAD);
	if (p == NULL)
		p = cut(r, max - SESS_REL_HEAD);
	if (p == NULL) {
		/* It is the other end's room that is waited for. */
		if (r->timeout_at == 0 && is_waiting(r))
			set_timeout(r, now);
		return false;
	}
	note_sent(r, p, now);
	*len = put_piece(r, p, out);
	return true;
}

/* ---- what is confirmed ---- */

static void
grow(struct sess_rel *r, size_t bytes, size_t flight)
{
	/* Who does not use the window learns nothing about it. */
	if (flight * 2 < r->cwnd)
		return;
	if (r->cwnd < r->ssthresh)
		r->cwnd += bytes < 2 * MSS ? bytes : 2 * MSS;
	else
		r->cwnd += MSS * bytes / r->cwnd + 1;
	if (r->cwnd > 4 * SESS_REL_HELD)
		r->cwnd = 4 * SESS_REL_HELD;
}

/* The newest of the pieces that one confirmation is about. */
struct sample {
	uint64_t serial; /* 0: none */
	uint64_t ms;
	bool clean;
};

/* As if it was the last sending that has arrived? */
static bool
is_usual(const struct sess_rel *r, uint64_t ms)
{
	const uint64_t us = ms == 0 ? 500 : ms * 1000;

	return us * 2 >= r->srtt && us <= r->srtt + 4 * r->rttvar + 2000;
}

/*
 * How long to wait the next time.  What was backed off stays so until something
 * fits (RFC 6298, 5.7): where the way has become longer than the timeout, all
 * is sent twice, and nothing would ever tell how long it is.
 */
static void
learn(struct sess_rel *r, const struct sample *s)
{
	if (s->clean || (r->srtt != 0 && is_usual(r, s->ms)))
		r->backoff = 0;
	else if (r->srtt == 0)
		r->backoff = 1; /* it may be too short */
	if (s->clean || r->srtt == 0)
		measure(r, s->ms);
}

static void
arrived(struct sess_rel *r, struct sess_piece *p, uint64_t now,
    struct sample *newest)
{
	if (!p->lost)
		r->flight -= p->len;
	else if (p->serial <= r->undo.serial)
		r->undo.late = true;
	/* Of one that was sent twice nobody knows which it was (Karn), but
	 * whether it can have been the last.  Of one before the newest, or
	 * taken for lost, the word that it is there was lost before this. */
	if (p->serial > newest->serial)
		*newest = (struct sample){ p->serial, now - p->sent_at,
			p->times == 1 && !p->lost };
	if (p->serial > r->newest &&
	    (p->times == 1 ||
	        (now > p->sent_at && (now - p->sent_at) * 1000 >= r->srtt)))
		r->newest = p->serial;
	TAILQ_REMOVE(&r->sent, p, link);
	r->n_sent--;
	free(p);
}

/* From `from` to `to` all has arrived.  The count of bytes that are news. */
static size_t
confirm_range(struct sess_rel *r, uint64_t from, uint64_t to, uint64_t now,
    struct sample *newest)
{
	struct sess_piece *p, *next;
	size_t news = 0;

	for (p = TAILQ_FIRST(&r->sent); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->at >= to)
			break;
		if (p->at < from || p->at + p->len > to)
			continue;
		news += p->len;
		arrived(r, p, now, newest);
	}
	return news;
}

/* Of the piece that this place is in the middle of, the rest is left: what is
 * before it is not kept any longer. */
static size_t
confirm_head(struct sess_rel *r, uint64_t all)
{
	struct sess_piece *p = TAILQ_FIRST(&r->sent);
	size_t n;

	if (p == NULL || p->at >= all)
		return 0;
	n = (size_t)(all - p->at);
	p->at = all;
	p->len -= n;
	if (!p->lost)
		r->flight -= n;
	return n;
}

enum rk_err
rel_take_confirm(struct sess_rel *r, uint64_t now, const uint8_t *p, size_t len)
{
	const size_t flight = r->flight;
	struct sample newest = { 0 };
	uint64_t from, to;
	uint64_t all;
	uint64_t limit;
	size_t news;

	if (len < REL_CONFIRM_HEAD ||
	    len > REL_CONFIRM_HEAD + REL_RANGES_MAX * REL_RANGE_LEN ||
	    (len - REL_CONFIRM_HEAD) % REL_RANGE_LEN != 0)
		return RK_EPROTO;
	all = be_get64(p + 1);
	limit = be_get64(p + SESS_REL_HEAD);
	if (all > r->next || limit < all || limit - all > SESS_REL_ROOM)
		return RK_EPROTO;
	if (limit > r->limit)
		r->limit = limit;
	news = confirm_range(r, 0, all, now, &newest) + confirm_head(r, all);
	for (size_t at = REL_CONFIRM_HEAD; at < len; at += REL_RANGE_LEN) {
		from = be_get64(p + at);
		to = be_get64(p + at + 8);
		if (from >= to || to > r->next)
			return RK_EPROTO;
		news += confirm_range(r, from, to, now, &newest);
	}
	if (all > r->una) {
		buf_consume(&r->out, (size_t)(all - r->una));
		r->una = all;
	}
	r->undo.heard = r->undo.heard || news > 0;
	reconsider(r);
	if (newest.serial != 0)
		learn(r, &newest);
	detect_losses(r, now, flight);
	if (news == 0 && r->limit != limit)
		return RK_OK; /* an old one */
	r->heard_at = now;    /* it is there */
	r->asked_at = 0;
	if (news > 0) {
		r->quiet = 0;
		grow(r, news, flight);
	}
	/* The same again is no reason to wait longer. */
	if (news > 0 || TAILQ_EMPTY(&r->sent))
		set_timeout(r, now);
	return RK_OK;
}
