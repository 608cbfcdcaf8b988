/* rpcd ctl: status and lists. */
#include "cli/ctl.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

static const struct rk_bytes nothing;

/* ---- status ---- */

static void
show_listeners(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *list = rk_value_get(status, "listeners");
	char shown[200];

	out_text(&c->out, "listen");
	for (uint32_t i = 0;
	     list != NULL && list->kind == RK_ARRAY && i < list->u.list.count;
	     i++) {
		const struct rk_value *v = &list->u.list.items[i];

		if (v->kind == RK_STR)
			out_text(&c->out, "  %s",
			    rk_escape(shown, sizeof(shown),
			        (const char *)v->u.bytes.ptr, v->u.bytes.len));
	}
	out_text(&c->out, "  admin %s\n", c->shown);
}

static void
show_facts(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *facts = rk_value_get(status, "facts");
	char key[128], text[1200];

	if (facts == NULL || facts->kind != RK_MAP)
		return;
	for (uint32_t i = 0; i < facts->u.list.count; i++) {
		const struct rk_value *v = &facts->u.list.items[2 * i];

		if (v[0].kind != RK_STR || v[1].kind != RK_STR)
			continue;
		out_text(&c->out, "%s  %s\n",
		    rk_escape(key, sizeof(key), (const char *)v[0].u.bytes.ptr,
		        v[0].u.bytes.len),
		    rk_escape(text, sizeof(text),
		        (const char *)v[1].u.bytes.ptr, v[1].u.bytes.len));
	}
}

/* Nothing, of a daemon that believes everybody or is older. */
static void
show_trust(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *t = rk_value_get(status, "trust");
	char mode[16], list[16], a[64], b[64];

	if (t == NULL)
		return;
	out_text(&c->out,
	    "trust  %s, list %s, %" PRIu64 " known, %" PRIu64
	    " waiting, %" PRIu64 " rejected, %" PRIu64 " revoked\n",
	    str_escape(a, sizeof(a), ctl_text(t, "mode", mode, sizeof(mode))),
	    str_escape(b, sizeof(b), ctl_text(t, "list", list, sizeof(list))),
	    ctl_number(t, "known"), ctl_number(t, "waiting"),
	    ctl_number(t, "rejected"), ctl_number(t, "revoked"));
}

static void
show_load(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *conns = rk_value_get(status, "connections");
	const struct rk_value *calls = rk_value_get(status, "calls");
	const struct rk_value *bytes = rk_value_get(status, "bytes");
	const struct rk_value *limits = rk_value_get(status, "limits");
	uint64_t fresh = ctl_number(conns, "new");
	uint64_t active = ctl_number(conns, "active");
	uint64_t idle = ctl_number(conns, "idle");
	uint64_t closing = ctl_number(conns, "closing");
	char in[32], out[32];

	out_text(&c->out,
	    "load  %" PRIu64 " of %" PRIu64 " connections (%" PRIu64
	    " active, %" PRIu64 " idle, %" PRIu64 " new, %" PRIu64
	    " closing)  %" PRIu64 " calls running\n",
	    fresh + active + idle + closing, ctl_number(limits, "connections"),
	    active, idle, fresh, closing, ctl_number(calls, "running"));
	out_text(&c->out,
	    "since start  %" PRIu64 " connections, %" PRIu64
	    " refused  %" PRIu64 " calls  %s in, %s out\n",
	    ctl_number(conns, "accepted"), ctl_number(conns, "refused"),
	    ctl_number(calls, "begun"), ctl_size(ctl_number(bytes, "in"), in),
	    ctl_size(ctl_number(bytes, "out"), out));
}

static void
show_limits(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *l = rk_value_get(status, "limits");
	uint64_t idle = ctl_number(l, "idle_ms");
	char queue[32], message[32], age[32];

	/* Those of an older daemon are not all there are. */
	if (rk_value_get(l, "message") == NULL)
		return;
	out_text(&c->out,
	    "limits  %" PRIu64 " connections, %" PRIu64 " unproven, %" PRIu64
	    " of one place, %" PRIu64
	    " calls each, %s queued, %s a message, idle %s\n",
	    ctl_number(l, "connections"), ctl_number(l, "unproven"),
	    ctl_number(l, "per_source"), ctl_number(l, "calls"),
	    ctl_size(ctl_number(l, "queue"), queue),
	    ctl_size(ctl_number(l, "message"), message),
	    idle != 0 ? ctl_age(idle, age) : "for ever");
}

static void
show_status(const struct ctl *c, const struct rk_value *status)
{
	char name[64], version[64], state[32], age[32], a[256], b[256];

	out_text(&c->out, "%s %s  pid %" PRIu64 "  up %s  %s\n",
	    str_escape(
	        a, sizeof(a), ctl_text(status, "name", name, sizeof(name))),
	    str_escape(b, sizeof(b),
	        ctl_text(status, "version", version, sizeof(version))),
	    ctl_number(status, "pid"),
	    ctl_age(ctl_number(status, "up_ms"), age),
	    ctl_text(status, "state", state, sizeof(state)));
	show_listeners(c, status);
	show_facts(c, status);
	show_trust(c, status);
	show_load(c, status);
	show_limits(c, status);
}

int
ctl_status(struct ctl *c)
{
	struct rk_value_doc *doc;
	int status = ctl_call(c, "_.status", nothing, &doc, NULL);

	if (status != 0)
		return status;
	if (c->out.form == OUT_JSON)
		status = ctl_json(&c->out, rk_value_root(doc));
	else
		show_status(c, rk_value_root(doc));
	rk_value_free(doc);
	return status;
}

int
ctl_version(struct ctl *c)
{
	struct rk_value_doc *doc;
	char name[64], version[64], a[256], b[256];
	int status = ctl_call(c, "_.status", nothing, &doc, NULL);

	if (status != 0)
		return status;
	(void)str_escape(a, sizeof(a),
	    ctl_text(rk_value_root(doc), "name", name, sizeof(name)));
	(void)str_escape(b, sizeof(b),
	    ctl_text(rk_value_root(doc), "version", version, sizeof(version)));
	if (c->out.form == OUT_JSON)
		out_text(&c->out,
		    "{\"schema\":1,\"name\":\"%s\",\"version\":\"%s\"}\n", a,
		    b);
	else
		out_text(&c->out, "%s %s\n", a, b);
	rk_value_free(doc);
	return status;
}

int
ctl_metrics(struct ctl *c)
{
	struct buf b, json;
	int status;

	buf_init(&b, RK_PAYLOAD_MAX);
	status = ctl_call(c, "_.metrics", nothing, NULL, &b);
	if (status == 0 && c->out.form == OUT_JSON) {
		buf_init(&json, 8 << 20);
		if (out_json_string(&json, (const char *)buf_peek(&b),
		        buf_len(&b)) == RK_OK) {
			out_text(&c->out, "{\"schema\":1,\"metrics\":");
			out_bytes(&c->out, buf_peek(&json), buf_len(&json));
			out_text(&c->out, "}\n");
		} else {
			status =
			    out_fail(&c->out, RK_ENOMEM, "out of memory", NULL);
		}
		buf_fini(&json);
	} else if (status == 0) {
		out_bytes(&c->out, buf_peek(&b), buf_len(&b));
	}
	buf_fini(&b);
	return status;
}

/* ---- lists ---- */

#define FIELDS_MAX 32
#define CELL_LEN 1024

/* Texts of a daemon's are escaped by the table. */
static enum rk_err
put_row(struct table *t, const struct rk_value *row, const struct field *fields,
    size_t n)
{
	static char texts[FIELDS_MAX][CELL_LEN];
	union cell cells[FIELDS_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct rk_value *v = rk_value_get(row, fields[i].name);

		switch (fields[i].kind) {
		case FIELD_TEXT:
		case FIELD_SHOWN:
		case FIELD_FIGURE:
		case FIELD_TIME:
			cells[i].text =
			    ctl_text(row, fields[i].name, texts[i], CELL_LEN);
			if (texts[i][0] == '\0')
				cells[i].text = NULL;
			break;
		case FIELD_NUMBER:
			cells[i].number =
			    (int64_t)ctl_number(row, fields[i].name);
			break;
		case FIELD_BOOL:
			cells[i].yes =
			    v != NULL && v->kind == RK_BOOL && v->u.b;
			break;
		}
	}
	return table_row(t, cells);
}

int
ctl_list(const struct ctl *c, const struct rk_value *list, enum ctl_of of)
{
	size_t n;
	const struct field *fields = ctl_fields(of, &n);
	struct table *t;
	enum rk_err r;

	if (list == NULL || list->kind != RK_ARRAY)
		return out_fail(&c->out, RK_EPROTO,
		    "the daemon's answer is malformed", NULL);
	if ((r = table_new(&c->out, fields, n, &t)) != RK_OK)
		return out_fail(&c->out, r, rk_err_text(r), NULL);
	for (uint32_t i = 0; r == RK_OK && i < list->u.list.count; i++)
		r = put_row(t, &list->u.list.items[i], fields, n);
	table_end(t);
	return r == RK_OK ? 0 : out_fail(&c->out, r, rk_err_text(r), NULL);
}

/* The member of this name, or the whole answer. */
static int
show_answer(
    struct ctl *c, const char *method, const char *member, enum ctl_of of)
{
	const struct rk_value *list;
	struct rk_value_doc *doc;
	uint64_t out;
	int status = ctl_call(c, method, nothing, &doc, NULL);

	if (status != 0)
		return status;
	list = rk_value_root(doc);
	out = ctl_number(list, "left_out");
	status =
	    ctl_list(c, member == NULL ? list : rk_value_get(list, member), of);
	if (status == 0 && out != 0)
		out_warn(&c->out,
		    "%" PRIu64 " more are left out: too many for one answer",
		    out);
	rk_value_free(doc);
	return status;
}

int
ctl_conns(struct ctl *c)
{
	bool follows = args_flag(c->a, "watch");
	int status = follows ? ctl_watch_begin(c) : 0;

	if (status == 0)
		status = show_answer(c, "_.conns", "conns", CTL_CONNS);
	return follows ? ctl_watch_end(c, status) : status;
}

int
ctl_calls(struct ctl *c)
{
	return show_answer(c, "_.calls", "calls", CTL_CALLS);
}

int
ctl_methods(struct ctl *c)
{
	return show_answer(c, "_.serves", NULL, CTL_METHODS);
}
