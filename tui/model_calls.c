/* Calls that run: each answer has all of them. */
#include "model_int.h"

#include <stdlib.h>

static void
read_call(struct model_call *c, const struct rk_value *row, int64_t now)
{
	uint64_t left = ctl_number(row, "left_ms");

	*c = (struct model_call){ 0 };
	c->conn = ctl_number(row, "conn");
	take_text(row, "method", c->method, sizeof(c->method));
	take_text(row, "address", c->address, sizeof(c->address));
	take_text(row, "email", c->email, sizeof(c->email));
	take_name(row, c->name, sizeof(c->name));
	take_end(row, "file", c->file, sizeof(c->file));
	c->stream = take_bool(row, "stream");
	c->canceled = take_bool(row, "canceled");
	c->began_ms = take_ago(row, "age_ms", now);
	c->id = ctl_number(row, "id");
	c->has_size = rk_value_get(row, "size") != NULL;
	c->size = ctl_number(row, "size");
	c->moved = c->has_size ? ctl_number(row, "moved")
	                       : add_capped(ctl_number(row, "bytes_in"),
	                             ctl_number(row, "bytes_out"));
	if (rk_value_get(row, "left_ms") != NULL)
		c->deadline_ms = left > INT64_MAX / 4 ? now + INT64_MAX / 4
		                                      : now + (int64_t)left;
}

/* The same call in the answer before, from where the last one was found: both
 * are in the order in which the daemon has them. */
static const struct model_call *
find_old(const struct model *m, const struct model_call *c, size_t *at)
{
	for (size_t i = 0; i < m->n_calls; i++) {
		size_t k = (*at + i) % m->n_calls;

		if (m->calls[k].id == c->id && m->calls[k].conn == c->conn) {
			*at = k + 1;
			return &m->calls[k];
		}
	}
	return NULL;
}

static void
find_rates(
    const struct model *m, struct model_call *calls, size_t n, int64_t now)
{
	const struct model_call *old;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (!calls[i].stream || calls[i].moved == 0)
			continue;
		old = find_old(m, &calls[i], &at);
		calls[i].rate =
		    old == NULL
		        ? rate_of(0, calls[i].moved, now - calls[i].began_ms)
		        : rate_of(
		              old->moved, calls[i].moved, now - m->calls_ms);
	}
}

enum rk_err
calls_answer(struct model *m, const struct rk_value *answer, int64_t now)
{
	const struct rk_value *rows = take_rows(rk_value_get(answer, "calls"));
	struct model_call *calls;
	size_t n;

	if (rows == NULL)
		return RK_EPROTO;
	n = rows->u.list.count < MODEL_CALLS ? rows->u.list.count : MODEL_CALLS;
	calls = malloc((n + 1) * sizeof(*calls));
	if (calls == NULL)
		return RK_ENOMEM;
	for (size_t i = 0; i < n; i++)
		read_call(&calls[i], &rows->u.list.items[i], now);
	find_rates(m, calls, n, now);
	free(m->calls);
	m->calls = calls;
	m->n_calls = n;
	m->calls_ms = now;
	m->calls_left_out =
	    add_capped(ctl_number(answer, "left_out"), rows->u.list.count - n);
	return RK_OK;
}
