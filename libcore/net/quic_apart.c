/* Long messages on streams of their own, so that they hold up no other. */
#include "net/quic_int.h"

#include <stdlib.h>

void
quic_apart_init(struct quic_conn *c)
{
	TAILQ_INIT(&c->outgoing);
	TAILQ_INIT(&c->incoming);
	TAILQ_INIT(&c->arrived);
}

static struct quic_apart *
apart_new(struct quic_conn *c)
{
	struct quic_apart *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	quic_out_init(&a->out, &c->end->mem->blocks);
	buf_init(&a->in, QUIC_APART_LEN);
	return a;
}

static void
apart_free(struct quic_aparts *list, struct quic_apart *a)
{
	if (list != NULL)
		TAILQ_REMOVE(list, a, link);
	quic_out_fini(&a->out);
	buf_fini(&a->in);
	free(a);
}

static void
free_all(struct quic_aparts *list)
{
	struct quic_apart *a;

	while ((a = TAILQ_FIRST(list)) != NULL)
		apart_free(list, a);
}

void
quic_apart_fini(struct quic_conn *c)
{
	free_all(&c->outgoing);
	free_all(&c->incoming);
	free_all(&c->arrived);
}

/* ---- out ---- */

enum rk_err
quic_apart_send(struct quic_conn *c, const uint8_t *src, size_t len)
{
	struct quic_apart *a;
	enum rk_err r;

	if (c->n_outgoing >= QUIC_APARTS || len > QUIC_APART_LEN ||
	    quic_apart_held(c) + quic_out_held(&c->out) + len > QUIC_OUT_HIGH)
		return RK_EAGAIN;
	a = apart_new(c);
	if (a == NULL)
		return RK_ENOMEM;
	if ((r = quic_out_put(&a->out, src, len)) != RK_OK)
		goto out;
	/* The peer grants so many; the usual way remains. */
	r = RK_EAGAIN;
	if (ngtcp2_conn_open_uni_stream(c->q, &a->id, a) != 0)
		goto out;
	TAILQ_INSERT_TAIL(&c->outgoing, a, link);
	c->n_outgoing++;
	a = NULL;
	r = RK_OK;
	quic_conn_touch(c);
out:
	if (a != NULL)
		apart_free(NULL, a);
	return r;
}

uint64_t
quic_apart_held(const struct quic_conn *c)
{
	const struct quic_apart *a;
	uint64_t held = 0;

	TAILQ_FOREACH (a, &c->outgoing, link)
		held += quic_out_held(&a->out);
	return held;
}

bool
quic_apart_unsent(const struct quic_conn *c)
{
	const struct quic_apart *a;

	TAILQ_FOREACH (a, &c->outgoing, link) {
		if (!a->fin_sent)
			return true;
	}
	return false;
}

struct quic_apart *
quic_apart_next(struct quic_conn *c)
{
	struct quic_apart *a;

	TAILQ_FOREACH (a, &c->outgoing, link) {
		if (!a->fin_sent && !a->blocked)
			return a;
	}
	return NULL;
}

/* The connection's own window may have grown since. */
void
quic_apart_unblock(struct quic_conn *c)
{
	struct quic_apart *a;

	TAILQ_FOREACH (a, &c->outgoing, link)
		a->blocked = false;
}

void
quic_apart_rotate(struct quic_conn *c, struct quic_apart *a)
{
	TAILQ_REMOVE(&c->outgoing, a, link);
	TAILQ_INSERT_TAIL(&c->outgoing, a, link);
}

/* ---- in ---- */

int
quic_apart_open(struct quic_conn *c, int64_t id)
{
	struct quic_apart *a = apart_new(c);

	if (a == NULL)
		return quic_conn_broken(c, RK_ENOMEM, "streams");
	a->id = id;
	a->begun = a->active = rk_loop_now(c->end->loop);
	TAILQ_INSERT_TAIL(&c->incoming, a, link);
	quic_conn_raise(c, RK_READ); /* there is something to wait for */
	return ngtcp2_conn_set_stream_user_data(c->q, id, a);
}

/* The connection's window is given back at once: several half messages must
 * not lock one another out.  What all of them may hold is bounded by their
 * number. */
int
quic_apart_data(struct quic_conn *c, struct quic_apart *a, const uint8_t *data,
    size_t len, bool fin)
{
	enum rk_err r;

	ngtcp2_conn_extend_max_offset(c->q, len);
	if (len > 0 && (r = buf_put(&a->in, data, len)) != RK_OK)
		return quic_conn_broken(c, r, "message on a stream of its own");
	a->active = rk_loop_now(c->end->loop);
	if (!fin)
		return 0;
	TAILQ_REMOVE(&c->incoming, a, link);
	TAILQ_INSERT_TAIL(&c->arrived, a, link);
	quic_conn_raise(c, RK_READ);
	return ngtcp2_conn_set_stream_user_data(c->q, a->id, NULL);
}

/* Each byte at the slowest pace allowed, one a millisecond, is worth one. */
bool
quic_apart_late(const struct quic_conn *c, uint64_t *since)
{
	const struct quic_apart *a;
	uint64_t at;

	*since = UINT64_MAX;
	TAILQ_FOREACH (a, &c->incoming, link) {
		at = a->begun + buf_len(&a->in);
		at = at < a->active ? at : a->active;
		*since = at < *since ? at : *since;
	}
	return *since != UINT64_MAX;
}

const struct quic_apart *
quic_apart_arrived(const struct quic_conn *c)
{
	return TAILQ_FIRST(&c->arrived);
}

void
quic_apart_done(struct quic_conn *c)
{
	struct quic_apart *a = TAILQ_FIRST(&c->arrived);

	if (a == NULL)
		return;
	apart_free(&c->arrived, a);
	if (c->state != QUIC_LIVE)
		return;
	ngtcp2_conn_extend_max_streams_uni(c->q, 1);
	quic_conn_touch(c);
}

/* ---- ends ---- */

/* One of ours has arrived whole; one of the peer's was given up by it. */
void
quic_apart_close(struct quic_conn *c, struct quic_apart *a)
{
	if (!ngtcp2_conn_is_local_stream(c->q, a->id)) {
		apart_free(&c->incoming, a);
		ngtcp2_conn_extend_max_streams_uni(c->q, 1);
		return;
	}
	c->n_outgoing--;
	apart_free(&c->outgoing, a);
}
