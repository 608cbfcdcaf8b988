/* Connections: an answer that has of most of them only what moves. */
#include "model_int.h"

#include <string.h>

/* In the order in which a row has them. */
enum {
	ID,
	STATE,
	RUNNING,
	CALLS,
	FAILED,
	IN,
	OUT,
	FIGURES
};

static bool
is_row(const struct rk_value *v)
{
	if (v->kind == RK_MAP)
		return true;
	if (v->kind != RK_ARRAY || v->u.list.count < FIGURES)
		return false;
	for (int i = ID; i < FIGURES; i++) {
		if (v->u.list.items[i].kind != (i == STATE ? RK_STR : RK_UINT))
			return false;
	}
	return true;
}

static bool
are_rows(const struct rk_value *rows, size_t *maps)
{
	*maps = 0;
	for (uint32_t i = 0; i < rows->u.list.count; i++) {
		if (!is_row(&rows->u.list.items[i]))
			return false;
		*maps += rows->u.list.items[i].kind == RK_MAP;
	}
	return true;
}

/* One that is there already; what else its row would have had is as it was. */
static void
take_figures(struct model *m, struct model_conn *c, const struct rk_value *v,
    int64_t now)
{
	int64_t ms = now - (c->unseen ? c->began_ms : m->conns_ms);
	char state[16];

	take_str(&v[STATE], state, sizeof(state));
	c->state = conns_state(state);
	c->running = v[RUNNING].u.u64;
	c->calls = v[CALLS].u.u64;
	c->rx = rate_of(c->in, v[IN].u.u64, ms);
	c->tx = rate_of(c->out, v[OUT].u.u64, ms);
	c->in = v[IN].u.u64;
	c->out = v[OUT].u.u64;
	/* Events do not tell its cipher, nor do figures why a call failed. */
	m->conns_thin =
	    m->conns_thin || c->unseen || v[FAILED].u.u64 > c->failed;
	c->unseen = false;
}

static void
take_brief(struct model *m, const struct rk_value *row, int64_t now)
{
	const struct rk_value *v = row->u.list.items;
	struct model_conn *c = model_conn(m, v[ID].u.u64);

	if (c == NULL) {
		m->conns_thin = true;
		return;
	}
	if (c->told)
		return;
	/* Its row had less before it was let in. */
	if (c->state == MODEL_NEW || c->state == MODEL_WAITING)
		m->conns_thin = true;
	take_figures(m, c, v, now);
	c->round = m->conns_round;
}

/* There is room for it. */
static void
take_map(struct model *m, const struct rk_value *row, int64_t now)
{
	struct model_conn *old = model_conn(m, ctl_number(row, "id")), c;

	if (old != NULL && old->told)
		return;
	conns_read(m, &c, row, old, now);
	c.round = m->conns_round;
	if (old != NULL)
		*old = c;
	else if (m->n_conns < MODEL_CONNS)
		m->conns[m->n_conns++] = c;
	else
		m->conns_left_out = add_capped(m->conns_left_out, 1);
}

/* Those that the answer has, and those that are shown a while longer. */
static void
sweep(struct model *m, int64_t now)
{
	const bool all = m->conns_left_out == 0;
	size_t n = 0;

	for (size_t i = 0; i < m->n_conns; i++) {
		struct model_conn *c = &m->conns[i];

		if (c->round != m->conns_round && !conns_outlives(c, all, now))
			continue;
		if (n != i)
			m->conns[n] = *c;
		n++;
	}
	m->n_conns = n;
}

enum rk_err
conns_brief(struct model *m, const struct rk_value *rows, uint64_t left_out,
    int64_t now)
{
	const struct rk_value *items = rows->u.list.items;
	enum rk_err r;
	size_t maps;

	if (!are_rows(rows, &maps))
		return RK_EPROTO;
	if (maps > MODEL_CONNS)
		maps = MODEL_CONNS;
	if ((r = conns_reserve(m, m->n_conns + maps)) != RK_OK)
		return r;
	m->conns_round++;
	m->conns_left_out = left_out;
	for (uint32_t i = 0; i < rows->u.list.count; i++) {
		if (items[i].kind == RK_ARRAY)
			take_brief(m, &items[i], now);
		else if (maps-- > 0)
			take_map(m, &items[i], now);
	}
	sweep(m, now);
	m->conns_ms = now;
	conns_mark(m);
	return conns_reindex(m);
}
