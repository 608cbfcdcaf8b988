/* What tests ask of the relay, on whatever thread it runs. */
#include "relay_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- on the relay's thread, whoever asks ---- */

struct question {
	struct relay *relay;
	void (*fn)(struct relay *r, void *arg);
	void *arg;
	bool done; /* under the lock */
};

static void
answer(void *arg)
{
	struct question *q = arg;
	struct relay *r = q->relay;

	q->fn(r, q->arg);
	pthread_mutex_lock(&r->lock);
	q->done = true;
	pthread_cond_signal(&r->answered);
	pthread_mutex_unlock(&r->lock);
}

static void
ask(struct relay *r, void (*fn)(struct relay *r, void *arg), void *arg)
{
	struct question q = { .relay = r, .fn = fn, .arg = arg };

	if (!r->threaded) {
		fn(r, arg);
		return;
	}
	assert_int_equal(rk_loop_post(r->loop, answer, &q), RK_OK);
	pthread_mutex_lock(&r->lock);
	while (!q.done)
		pthread_cond_wait(&r->answered, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

/* ---- what is asked ---- */

struct setting {
	enum relay_way way;
	const struct relay_faults *faults;
	struct relay_count *count;
	size_t i, n;
	bool on;
	const struct packet *found;
};

static void
do_set(struct relay *r, void *arg)
{
	const struct setting *s = arg;

	r->faults[s->way] = *s->faults;
}

void
relay_set(
    struct relay *r, enum relay_way way, const struct relay_faults *faults)
{
	ask(r, do_set, &(struct setting){ .way = way, .faults = faults });
}

static void
do_blackhole(struct relay *r, void *arg)
{
	r->hole = ((const struct setting *)arg)->on;
}

void
relay_blackhole(struct relay *r, bool on)
{
	ask(r, do_blackhole, &(struct setting){ .on = on });
}

static void
do_rebind(struct relay *r, void *arg)
{
	struct flow *f;

	(void)arg;
	TAILQ_FOREACH (f, &r->flows, link)
		relay_open_flow(f);
}

void
relay_rebind(struct relay *r)
{
	ask(r, do_rebind, NULL);
}

static void
do_count(struct relay *r, void *arg)
{
	const struct setting *s = arg;

	*s->count = r->counts[s->way];
}

void
relay_count(struct relay *r, enum relay_way way, struct relay_count *out)
{
	ask(r, do_count, &(struct setting){ .way = way, .count = out });
}

/* ---- records ---- */

static void
do_record(struct relay *r, void *arg)
{
	r->recording = ((const struct setting *)arg)->on;
}

void
relay_record(struct relay *r, bool on)
{
	ask(r, do_record, &(struct setting){ .on = on });
}

static void
do_recorded(struct relay *r, void *arg)
{
	((struct setting *)arg)->n = r->recorded;
}

size_t
relay_recorded(struct relay *r)
{
	struct setting s = { 0 };

	ask(r, do_recorded, &s);
	return s.n;
}

static void
do_peek(struct relay *r, void *arg)
{
	struct setting *s = arg;
	const struct packet *p = TAILQ_FIRST(&r->record);

	for (size_t i = 0; i < s->i && p != NULL; i++)
		p = TAILQ_NEXT(p, link);
	s->found = p;
}

const uint8_t *
relay_peek(struct relay *r, size_t i, size_t *len)
{
	struct setting s = { .i = i };

	ask(r, do_peek, &s);
	assert_non_null(s.found);
	*len = s.found->len;
	return s.found->data;
}

static void
do_replay(struct relay *r, void *arg)
{
	struct setting *s = arg;
	struct flow *f = relay_new_flow(r, NULL);
	const struct packet *p;

	do_peek(r, s);
	p = s->found;
	for (size_t k = 0; k < s->n; k++) {
		assert_non_null(p);
		assert_int_equal(
		    send(f->fd, p->data, p->len, MSG_DONTWAIT), p->len);
		p = TAILQ_NEXT(p, link);
	}
}

void
relay_replay(struct relay *r, size_t i, size_t n)
{
	ask(r, do_replay, &(struct setting){ .i = i, .n = n });
}
