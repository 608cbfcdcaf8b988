/* Connections: those that an answer has, and what events say meanwhile. */
#include "model_int.h"

#include <stdlib.h>
#include <string.h>

/* What may come between two answers. */
#define SPARE 64

/* ---- finding ---- */

static size_t
place_of(const struct model *m, uint64_t id)
{
	uint64_t at = index_hash_number(&m->by_id, id);
	size_t i;

	while ((i = index_next(&m->by_id, &at)) != SIZE_MAX) {
		if (m->conns[i].id == id)
			return i;
	}
	return SIZE_MAX;
}

struct model_conn *
model_conn(const struct model *m, uint64_t id)
{
	size_t i = id == 0 ? SIZE_MAX : place_of(m, id);

	return i == SIZE_MAX ? NULL : &m->conns[i];
}

/* Those with a number, anew, and room for so many. */
static enum rk_err
reindex(struct model *m, size_t room)
{
	enum rk_err r = index_reset(&m->by_id, room);

	for (size_t i = 0; r == RK_OK && i < m->n_conns; i++) {
		uint64_t id = m->conns[i].id;

		if (id != 0)
			index_put(
			    &m->by_id, index_hash_number(&m->by_id, id), i);
	}
	return r;
}

/* ---- reading ---- */

enum model_state
conns_state(const char *word)
{
	static const char *const words[] = { "new", "active", "idle", "closing",
		"closed" };
	static const enum model_state states[] = { MODEL_NEW, MODEL_ACTIVE,
		MODEL_IDLE, MODEL_CLOSING,
		/* It is listed while a handler holds on to a call. */
		MODEL_CLOSING, MODEL_IDLE };

	size_t i = 0;

	while (i < 5 && strcmp(words[i], word) != 0)
		i++;
	return states[i];
}

static void
read_who(struct model_conn *c, const struct rk_value *row)
{
	c->id = ctl_number(row, "id");
	take_text(row, "address", c->address, sizeof(c->address));
	take_text(row, "email", c->email, sizeof(c->email));
	take_text(row, "fingerprint", c->fp, sizeof(c->fp));
	take_text(row, "cn", c->cn, sizeof(c->cn));
}

/* What is not known of every one. */
static void
read_more(struct model_conn *c, const struct rk_value *row, int64_t now)
{
	c->failed = ctl_number(row, "failed");
	c->rtt_us = ctl_number(row, "rtt_us");
	c->has_retrans = rk_value_get(row, "retrans") != NULL;
	c->retrans = ctl_number(row, "retrans");
	c->p50_us = ctl_number(row, "p50_us");
	c->p90_us = ctl_number(row, "p90_us");
	c->p99_us = ctl_number(row, "p99_us");
	c->max_us = ctl_number(row, "max_us");
	take_text(row, "cipher", c->cipher, sizeof(c->cipher));
	take_text(row, "psk", c->psk, sizeof(c->psk));
	take_text(row, "psk_id", c->psk_id, sizeof(c->psk_id));
	take_text(row, "key", c->key, sizeof(c->key));
	take_text(row, "ca", c->ca, sizeof(c->ca));
	take_text(row, "not_after", c->not_after, sizeof(c->not_after));
	take_text(row, "error", c->error, sizeof(c->error));
	take_text(
	    row, "error_method", c->error_method, sizeof(c->error_method));
	c->error_ms = take_ago(row, "error_age_ms", now);
}

static void
read_conn(struct model_conn *c, const struct rk_value *row, int64_t now)
{
	char state[16];

	*c = (struct model_conn){ 0 };
	read_who(c, row);
	take_text(row, "state", state, sizeof(state));
	c->state = conns_state(state);
	c->resumed = take_bool(row, "resumed");
	take_text(row, "transport", c->transport, sizeof(c->transport));
	take_text(row, "since", c->since, sizeof(c->since));
	c->running = ctl_number(row, "running");
	c->calls = ctl_number(row, "calls");
	c->in = ctl_number(row, "bytes_in");
	c->out = ctl_number(row, "bytes_out");
	c->began_ms = take_ago(row, "age_ms", now);
	read_more(c, row, now);
}

static void
end_conn(struct model_conn *c, int64_t now)
{
	c->state = MODEL_CLOSED;
	c->closed_ms = now;
	c->running = 0;
	c->rx = c->tx = 0;
}

/* ---- the answer ---- */

/* Room for the next picture of all of them. */
static enum rk_err
reserve_spare(struct model *m, size_t n)
{
	struct model_conn *spare;

	if (n <= m->cap_spare)
		return RK_OK;
	if ((spare = malloc(n * sizeof(*spare))) == NULL)
		return RK_ENOMEM;
	free(m->spare);
	m->spare = spare;
	m->cap_spare = n;
	return RK_OK;
}

/* It has failed once more since the answer before. */
static void
note_error(
    struct model *m, const struct model_conn *c, const struct model_conn *old)
{
	struct model_error *e;

	if (c->error[0] == '\0' || (old != NULL && old->failed >= c->failed))
		return;
	m->error_last = (m->error_last + 1) % MODEL_ERRORS;
	m->n_errors += m->n_errors < MODEL_ERRORS;
	e = &m->errors[m->error_last];
	e->conn = c->id;
	e->ms = c->error_ms;
	memcpy(e->method, c->error_method, sizeof(e->method));
	memcpy(e->text, c->error, sizeof(e->text));
}

void
conns_read(struct model *m, struct model_conn *c, const struct rk_value *row,
    const struct model_conn *old, int64_t now)
{
	int64_t ms;

	read_conn(c, row, now);
	note_error(m, c, old);
	if (old == NULL)
		return;
	/* It is known better when we were there. */
	c->began_ms = old->began_ms;
	ms = now - (old->unseen ? old->began_ms : m->conns_ms);
	c->rx = rate_of(old->in, c->in, ms);
	c->tx = rate_of(old->out, c->out, ms);
}

/* The rows but those that an event has ended already; how many. */
static size_t
read_rows(
    struct model *m, const struct rk_value *rows, size_t most, int64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < most; i++) {
		const struct rk_value *row = &rows->u.list.items[i];
		const struct model_conn *old =
		    model_conn(m, ctl_number(row, "id"));

		if (old != NULL && old->told)
			continue;
		conns_read(m, &m->spare[n], row, old, now);
		n++;
	}
	return n;
}

/* Does an older one that the answer lacks stay?  all: it has all there are. */
bool
conns_outlives(struct model_conn *c, bool all, int64_t now)
{
	if (c->id == 0)
		return false;
	if (c->state == MODEL_CLOSED)
		return now - c->closed_ms < MODEL_CLOSED_MS;
	if (!all)
		return false;
	/* It may have opened after the daemon counted. */
	if (c->unseen)
		c->unseen = false;
	else
		end_conn(c, now);
	return true;
}

static void
swap_spare(struct model *m, size_t n)
{
	struct model_conn *conns = m->conns;
	size_t cap = m->cap_conns;

	m->conns = m->spare;
	m->cap_conns = m->cap_spare;
	m->n_conns = n;
	m->spare = conns;
	m->cap_spare = cap;
}

enum rk_err
conns_answer(struct model *m, const struct rk_value *answer, int64_t now)
{
	const struct rk_value *list = rk_value_get(answer, "conns"),
	                      *rows = take_rows(list);
	uint64_t left_out = ctl_number(answer, "left_out");
	size_t n_old = m->n_conns, most, n;
	enum rk_err r;

	if (rows == NULL && list != NULL && list->kind == RK_ARRAY)
		return conns_brief(m, list, left_out, now);
	if (rows == NULL)
		return RK_EPROTO;
	most =
	    rows->u.list.count < MODEL_CONNS ? rows->u.list.count : MODEL_CONNS;
	left_out = add_capped(left_out, rows->u.list.count - most);
	if ((r = reserve_spare(m, most + n_old + SPARE)) != RK_OK)
		return r;
	n = read_rows(m, rows, most, now);
	swap_spare(m, n);
	/* What was there before is in the spare one now. */
	if ((r = reindex(m, m->n_conns + SPARE)) != RK_OK) {
		swap_spare(m, n_old);
		return r;
	}
	for (size_t i = 0; i < n_old && m->n_conns < MODEL_CONNS; i++) {
		struct model_conn *old = &m->spare[i];

		if (model_conn(m, old->id) == NULL &&
		    conns_outlives(old, left_out == 0, now))
			m->conns[m->n_conns++] = *old;
	}
	m->conns_left_out = left_out;
	m->conns_ms = now;
	m->conns_known = true;
	conns_mark(m);
	return conns_reindex(m);
}

enum rk_err
conns_reindex(struct model *m)
{
	return reindex(m, m->n_conns + SPARE);
}

/* ---- events ---- */

enum rk_err
conns_reserve(struct model *m, size_t n)
{
	size_t cap = 2 * m->cap_conns + SPARE;
	struct model_conn *c;

	if (n <= m->cap_conns)
		return RK_OK;
	if (cap < n)
		cap = n;
	if ((c = realloc(m->conns, cap * sizeof(*c))) == NULL)
		return RK_ENOMEM;
	m->conns = c;
	m->cap_conns = cap;
	return RK_OK;
}

static struct model_conn *
add_conn(struct model *m)
{
	struct model_conn *c;

	if (conns_reserve(m, m->n_conns + 1) != RK_OK)
		return NULL;
	c = &m->conns[m->n_conns];
	*c = (struct model_conn){ 0 };
	return c;
}

/* The one that an event is about, new if need be; RK_OK and *out NULL: there
 * are too many. */
static enum rk_err
conn_of(struct model *m, const struct rk_value *event, int64_t now,
    struct model_conn **out)
{
	uint64_t id = ctl_number(event, "id");
	struct model_conn *c;

	if (id == 0)
		return RK_EPROTO;
	if ((*out = model_conn(m, id)) != NULL)
		return RK_OK;
	if (m->n_conns >= MODEL_CONNS) {
		m->conns_left_out = add_capped(m->conns_left_out, 1);
		return RK_OK;
	}
	if ((c = add_conn(m)) == NULL)
		return RK_ENOMEM;
	c->id = id;
	if (!index_has_room(&m->by_id) &&
	    reindex(m, 2 * m->n_conns + SPARE) != RK_OK)
		return RK_ENOMEM;
	index_put(&m->by_id, index_hash_number(&m->by_id, id), m->n_conns++);
	read_who(c, event);
	take_text(event, "time", c->since, sizeof(c->since));
	c->began_ms = now;
	c->state = MODEL_IDLE;
	c->unseen = true;
	*out = c;
	return RK_OK;
}

enum rk_err
conns_opened(struct model *m, const struct rk_value *event, int64_t now)
{
	struct model_conn *c;
	enum rk_err r = conn_of(m, event, now, &c);

	if (r != RK_OK || c == NULL)
		return r;
	take_text(event, "transport", c->transport, sizeof(c->transport));
	if (c->state == MODEL_NEW || c->state == MODEL_WAITING) {
		c->state = MODEL_IDLE;
		m->conns_thin = true; /* what its key is now */
	}
	return r;
}

enum rk_err
conns_closed(struct model *m, const struct rk_value *event, int64_t now)
{
	struct model_conn *c;
	enum rk_err r = conn_of(m, event, now, &c);

	if (r != RK_OK || c == NULL)
		return r;
	if (c->state != MODEL_CLOSED)
		end_conn(c, now);
	c->told = true;
	take_text(event, "why", c->why, sizeof(c->why));
	return RK_OK;
}

/* ---- time, and keys ---- */

void
conns_tick(struct model *m, int64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_conns; i++) {
		const struct model_conn *c = &m->conns[i];

		if (c->state == MODEL_CLOSED &&
		    now - c->closed_ms >= MODEL_CLOSED_MS)
			continue;
		if (n != i)
			m->conns[n] = *c;
		n++;
	}
	if (n == m->n_conns)
		return;
	m->n_conns = n;
	m->changes++;
	/* There is room: there were more. */
	if (reindex(m, m->n_conns + SPARE) != RK_OK)
		m->n_conns = 0;
}

void
conns_mark(struct model *m)
{
	for (size_t i = 0; i < m->n_conns; i++) {
		struct model_conn *c = &m->conns[i];
		const struct model_key *k;

		if (c->state != MODEL_NEW && c->state != MODEL_WAITING)
			continue;
		k = c->fp[0] == '\0' ? NULL : model_key(m, c->fp);
		c->state = k != NULL && k->state <= KEY_EXPIRED ? MODEL_WAITING
		                                                : MODEL_NEW;
	}
}

void
conns_clear(struct model *m)
{
	m->n_conns = 0;
	m->n_errors = 0;
	m->conns_left_out = 0;
	m->conns_ms = 0;
	m->conns_known = false;
	m->conns_thin = false;
	index_fini(&m->by_id);
}
