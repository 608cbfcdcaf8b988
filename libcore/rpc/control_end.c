/* What a control ends: connections, and calls that run. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "base/str.h"
#include "rpc/greenpack.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- _.kick ---- */

static void
show_kicked(struct control_question *q, const struct survey_sum *sum,
    const struct buf *rows)
{
	struct buf b;
	struct kv k = { .b = &b };

	(void)rows;
	if (sum->kicked == 0) {
		(void)rk_call_fail(q->call, "no such connection", NULL, 0);
		return;
	}
	log_event(RK_LOG_INFO, "control",
	    "%" PRIu64 " connection%s closed by %s: %s", sum->kicked,
	    sum->kicked == 1 ? "" : "s", q->by, q->shown);
	buf_init(&b, 64);
	kv_map(&k, 1);
	kv_pair_uint(&k, "kicked", sum->kicked);
	control_answer(q->call, &k);
}

enum rk_err
control_read_target(struct rk_bytes p, struct survey_target *t)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	struct rk_str key, who;
	uint32_t n;

	if (p.len == 0 || gp_get_map(&g, &n) != RK_OK || n != 1 ||
	    gp_get_key(&g, &key) != RK_OK)
		return RK_EPROTO;
	if (str_is(key, "conn")) {
		t->by = SURVEY_BY_CONN;
		return gp_get_uint(&g, &t->conn);
	}
	if (str_is(key, "fp"))
		t->by = SURVEY_BY_FP;
	else if (str_is(key, "address"))
		t->by = SURVEY_BY_ADDRESS;
	else
		return RK_EPROTO;
	if (gp_get_str(&g, &who) != RK_OK || who.len == 0 ||
	    who.len >= sizeof(t->who))
		return RK_EPROTO;
	memcpy(t->who, who.ptr, who.len);
	t->who[who.len] = '\0';
	return RK_OK;
}

void
control_on_kick(struct rk_call *call, void *arg)
{
	struct control_question q = { .show = show_kicked };

	if (control_read_target(rk_call_payload(call), &q.target) != RK_OK) {
		(void)rk_call_fail(call,
		    "it takes one of {conn: ID} {fp: SHA256:...} "
		    "{address: URL, HOST:PORT or HOST}",
		    NULL, 0);
		return;
	}
	if (q.target.by == SURVEY_BY_CONN)
		(void)snprintf(q.shown, sizeof(q.shown), "connection %" PRIu64,
		    q.target.conn);
	else
		(void)str_escape(q.shown, sizeof(q.shown), q.target.who);
	control_who(call, "", q.by);
	control_survey(arg, call, SURVEY_KICK, &q);
}

/* ---- _.cancel ---- */

static void
show_canceled(struct control_question *q, const struct survey_sum *sum,
    const struct buf *rows)
{
	struct gp_reader g = { buf_peek(rows), NULL };
	struct rk_str method = { "", 0 };
	char shown[128];
	struct buf b;
	struct kv k = { .b = &b };

	g.end = g.p + buf_len(rows);
	if (sum->canceled == 0) {
		control_refuse(q->call,
		    sum->ending != 0 ? RK_ESTATE : RK_ENOENT,
		    sum->ending != 0 ? "it is canceled already, and has not "
		                       "ended yet"
		                     : "no such call");
		return;
	}
	if (gp_get_str(&g, &method) != RK_OK)
		method = (struct rk_str){ "", 0 };
	(void)rk_escape(shown, sizeof(shown), method.ptr, method.len);
	log_event(RK_LOG_INFO, "control",
	    "call %" PRIu64 " of %s on connection %" PRIu64 " canceled by %s",
	    q->target.call, shown, q->target.conn, q->by);
	buf_init(&b, RK_NAME_MAX + 64);
	kv_map(&k, 2);
	kv_pair_uint(&k, "canceled", sum->canceled);
	kv_text(&k, "method");
	kv_str(&k, method);
	control_answer(q->call, &k);
}

enum rk_err
control_read_call(struct rk_bytes p, struct survey_target *t, char via[17])
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	bool has_conn = false, has_call = false;
	struct rk_str key;
	enum rk_err r;
	uint32_t n;

	*t = (struct survey_target){ .by = SURVEY_BY_CONN };
	via[0] = '\0';
	if (p.len == 0 || control_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	for (uint32_t i = 0; i < n; i++) {
		if (gp_get_key(&g, &key) != RK_OK)
			return RK_EPROTO;
		if (str_is(key, "conn")) {
			has_conn = true;
			r = gp_get_uint(&g, &t->conn);
		} else if (str_is(key, "id")) {
			has_call = true;
			r = gp_get_uint(&g, &t->call);
		} else if (str_is(key, "via")) {
			r = control_take_word(&g, via, 17);
		} else {
			return RK_EPROTO;
		}
		if (r != RK_OK)
			return r;
	}
	return has_conn && has_call ? RK_OK : RK_EPROTO;
}

void
control_on_cancel(struct rk_call *call, void *arg)
{
	struct control_question q = { .show = show_canceled };
	char via[17];

	if (control_read_call(rk_call_payload(call), &q.target, via) != RK_OK) {
		control_refuse(call, RK_EINVAL,
		    "it takes {conn: ID, id: NUMBER}, as _.calls says them, "
		    "and via");
		return;
	}
	control_who(call, via, q.by);
	control_survey(arg, call, SURVEY_CANCEL, &q);
}
