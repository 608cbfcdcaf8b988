/* Calls that run: each answer has all of them. */
#include "model_int.h"

#include <stdlib.h>

static void
read_call(struct model_call *c, const struct rk_value *row, int64_t now)
{
	uint64_t left = take_number(row, "left_ms");

	*c = (struct model_call){ 0 };
	c->conn = take_number(row, "conn");
	take_text(row, "method", c->method, sizeof(c->method));
	take_text(row, "address", c->address, sizeof(c->address));
	take_text(row, "email", c->email, sizeof(c->email));
	c->stream = take_bool(row, "stream");
	c->canceled = take_bool(row, "canceled");
	c->began_ms = take_ago(row, "age_ms", now);
	if (rk_value_get(row, "left_ms") != NULL)
		c->deadline_ms = left > INT64_MAX / 4 ? now + INT64_MAX / 4
		                                      : now + (int64_t)left;
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
	calls = realloc(m->calls, (n + 1) * sizeof(*calls));
	if (calls == NULL)
		return RK_ENOMEM;
	m->calls = calls;
	for (size_t i = 0; i < n; i++)
		read_call(&calls[i], &rows->u.list.items[i], now);
	m->n_calls = n;
	m->calls_ms = now;
	m->calls_left_out =
	    add_capped(take_number(answer, "left_out"), rows->u.list.count - n);
	return RK_OK;
}
