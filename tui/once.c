/* rpctui --once: everything as it is now, as tables or as one object. */
#include "once.h"
#include "tui.h"
#include "vault.h"
#include "view.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/ctl.h"
#include "cli/json.h"
#include "cli/parts.h"

#include <inttypes.h>
#include <stdlib.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	STATUS,
	METHODS,
	CONNS,
	TRUST,
	KNOWN,
	CALLS,
	N_ANSWERS
};

static const struct {
	const char *method;
	const char *list; /* in the answer */
	bool keys; /* in parts, if they are many; none where nobody decides */
} asked[N_ANSWERS] = {
	[STATUS] = { "_.status", "", false },
	[METHODS] = { "_.methods", "", false },
	[CONNS] = { "_.conns", "conns", false },
	[TRUST] = { "_.trust", "keys", true },
	[KNOWN] = { "_.known", "keys", true },
	[CALLS] = { "_.calls", "calls", false },
};

struct once {
	struct tui *t;
	struct model *model;
	struct pages answers[N_ANSWERS];
	bool untold[N_ANSWERS]; /* which is not that there is none */
	int status;             /* of those */
	int64_t now;
};

/* ---- as tables ---- */

static const char *
shown(char *dst, size_t len, const char *text)
{
	return str_escape_again(dst, len, text[0] == '\0' ? "-" : text);
}

static void
show_status(const struct once *o)
{
	const struct model_status *s = &o->model->status;
	const struct out *out = &o->t->out;
	char a[256], b[128], c[64], d[96];

	out_text(out, "%s %s  pid %" PRIu64 "  %s since %s\n",
	    shown(a, sizeof(a), s->name), shown(b, sizeof(b), s->version),
	    s->pid, shown(c, sizeof(c), s->state),
	    shown(d, sizeof(d), s->since));
	for (size_t i = 0; i < s->n_listeners; i++)
		out_text(out, "%s%s", i == 0 ? "listen  " : "  ",
		    shown(a, sizeof(a), s->listeners[i]));
	if (s->n_listeners > 0)
		out_text(out, "\n");
	if (s->has_trust)
		out_text(out,
		    "trust  %s, list %s, %" PRIu64 " known, %" PRIu64
		    " waiting, %" PRIu64 " rejected, %" PRIu64 " revoked",
		    shown(a, sizeof(a), s->mode), shown(b, sizeof(b), s->list),
		    s->known, s->waiting, s->rejected, s->revoked);
	if (s->has_trust && s->turned > 0)
		out_text(out, ", %" PRIu64 " turned away for want of room",
		    s->turned);
	if (s->has_trust)
		out_text(out, "\n");
	out_text(out,
	    "load  %" PRIu64 " of %" PRIu64 " connections  %" PRIu64
	    " calls running  %" PRIu64 " bytes in  %" PRIu64 " bytes out\n",
	    s->fresh + s->active + s->idle + s->closing, s->max_conns,
	    s->running, s->in, s->out);
	if (o->model->read_only)
		out_text(out, "this socket only shows\n");
}

static void
head(const struct once *o, const char *title, size_t n, uint64_t left_out)
{
	out_text(&o->t->out, "\n%s (%zu)\n", title, n);
	if (left_out > 0)
		out_warn(&o->t->out,
		    "%s: %" PRIu64 " more are left out: too many", title,
		    left_out);
}

static const char *const states[] = {
	[MODEL_NEW] = "new",
	[MODEL_ACTIVE] = "active",
	[MODEL_IDLE] = "idle",
	[MODEL_CLOSING] = "closing",
	[MODEL_CLOSED] = "closed",
	[MODEL_WAITING] = "waiting",
};

/* As people read it: never beyond what a column can hold. */
static int64_t
number(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static enum rk_err
show_conns(const struct once *o)
{
	static const struct field fields[] = {
		{ "id", "ID", FIELD_NUMBER },
		{ "state", "STATE", FIELD_TEXT },
		{ "address", "ADDRESS", FIELD_SHOWN },
		{ "email", "EMAIL", FIELD_SHOWN },
		{ "fingerprint", "KEY", FIELD_TEXT },
		{ "running", "RUNNING", FIELD_NUMBER },
		{ "calls", "CALLS", FIELD_NUMBER },
		{ "bytes_in", "IN", FIELD_NUMBER },
		{ "bytes_out", "OUT", FIELD_NUMBER },
		{ "since", "SINCE", FIELD_TEXT },
	};
	const bool people = o->t->out.form == OUT_TEXT;
	const struct model *m = o->model;
	char who[VIEW_WHO];
	struct table *t;
	enum rk_err r;

	head(o, "connections", m->n_conns, m->conns_left_out);
	if (m->n_conns == 0)
		return RK_OK;
	if ((r = table_new(&o->t->out, fields, N(fields), &t)) != RK_OK)
		return r;
	for (size_t i = 0; r == RK_OK && i < m->n_conns; i++) {
		const struct model_conn *c = &m->conns[i];
		const union cell cells[] = {
			{ .number = number(c->id) },
			{ .text = states[c->state] },
			{ .text = c->address },
			{ .text = people ? view_who(c, who) : c->email },
			{ .text = c->fp },
			{ .number = number(c->running) },
			{ .number = number(c->calls) },
			{ .number = number(c->in) },
			{ .number = number(c->out) },
			{ .text = c->since },
		};

		r = table_row(t, cells);
	}
	table_end(t);
	return r;
}

/* Of both lists, and of what the model keeps; whatever was said. */
static uint64_t
keys_left_out(const struct once *o)
{
	const uint64_t left[] = { o->answers[TRUST].parts.left,
		o->answers[KNOWN].parts.left };
	uint64_t sum = o->model->keys_left_out;

	for (size_t i = 0; i < N(left); i++)
		sum = left[i] > UINT64_MAX - sum ? UINT64_MAX : sum + left[i];
	return sum;
}

static enum rk_err
show_keys(const struct once *o)
{
	static const struct field fields[] = {
		{ "state", "STATE", FIELD_TEXT },
		{ "email", "EMAIL", FIELD_SHOWN },
		{ "fingerprint", "KEY", FIELD_TEXT },
		{ "tries", "TRIES", FIELD_NUMBER },
		{ "last_seen", "LAST SEEN", FIELD_TEXT },
		{ "address", "FROM", FIELD_SHOWN },
	};
	static const char *const words[] = { "new", "changed", "expired",
		"known", "once", "until", "rejected", "revoked" };
	/* Who has no e-mail address has a name; for tools that is none. */
	const bool people = o->t->out.form == OUT_TEXT;
	const bool untold = o->untold[TRUST] || o->untold[KNOWN];
	const struct model *m = o->model;
	struct table *t;
	enum rk_err r;

	if (!m->status.has_trust && !untold)
		return RK_OK;
	if (untold)
		out_text(&o->t->out, "\nkeys (not all of them are told)\n");
	else
		head(o, "keys", m->n_keys, keys_left_out(o));
	if (m->n_keys == 0)
		return RK_OK;
	if ((r = table_new(&o->t->out, fields, N(fields), &t)) != RK_OK)
		return r;
	for (size_t i = 0; r == RK_OK && i < m->n_keys; i++) {
		const struct model_key *k = &m->keys[i];
		const union cell cells[] = {
			{ .text = words[k->state] },
			{ .text = people ? k->name : k->email },
			{ .text = k->fp },
			{ .number = number(k->tries) },
			{ .text = k->last_seen },
			{ .text = k->address },
		};

		r = table_row(t, cells);
	}
	table_end(t);
	return r;
}

static enum rk_err
show_calls(const struct once *o)
{
	static const struct field fields[] = {
		{ "method", "METHOD", FIELD_TEXT },
		{ "conn", "ID", FIELD_NUMBER },
		{ "address", "ADDRESS", FIELD_SHOWN },
		{ "email", "EMAIL", FIELD_SHOWN },
		{ "stream", "STREAM", FIELD_BOOL },
		{ "age_ms", "MS", FIELD_NUMBER },
		{ "file", "FILE", FIELD_SHOWN },
	};
	const bool people = o->t->out.form == OUT_TEXT;
	const struct model *m = o->model;
	struct table *t;
	enum rk_err r;

	head(o, "calls", m->n_calls, m->calls_left_out);
	if (m->n_calls == 0)
		return RK_OK;
	if ((r = table_new(&o->t->out, fields, N(fields), &t)) != RK_OK)
		return r;
	for (size_t i = 0; r == RK_OK && i < m->n_calls; i++) {
		const struct model_call *c = &m->calls[i];
		const union cell cells[] = {
			{ .text = c->method },
			{ .number = number(c->conn) },
			{ .text = c->address },
			{ .text = people ? c->name : c->email },
			{ .yes = c->stream },
			{ .number = o->now - c->began_ms },
			{ .text = c->file[0] != '\0' ? c->file : NULL },
		};

		r = table_row(t, cells);
	}
	table_end(t);
	return r;
}

/* What the daemon says of its own keys, among other things. */
static enum rk_err
show_facts(const struct once *o)
{
	static const struct field fields[] = {
		{ "what", "WHAT", FIELD_TEXT },
		{ "value", "VALUE", FIELD_SHOWN },
	};
	const struct model_status *s = &o->model->status;
	struct table *t;
	enum rk_err r;

	head(o, "facts", s->n_facts, 0);
	if (s->n_facts == 0)
		return RK_OK;
	if ((r = table_new(&o->t->out, fields, N(fields), &t)) != RK_OK)
		return r;
	for (size_t i = 0; r == RK_OK && i < s->n_facts; i++) {
		const union cell cells[] = { { .text = s->facts[i].key },
			{ .text = s->facts[i].text } };

		r = table_row(t, cells);
	}
	table_end(t);
	return r;
}

static int
show(const struct once *o)
{
	enum rk_err r;

	show_status(o);
	if ((r = show_conns(o)) == RK_OK && (r = show_keys(o)) == RK_OK &&
	    (r = show_calls(o)) == RK_OK && (r = show_facts(o)) == RK_OK)
		r = once_agent(&o->t->out, &o->model->agent, o->now);
	return r == RK_OK ? 0 : out_fail(&o->t->out, r, rk_err_text(r), NULL);
}

/* ---- as one object ---- */

static enum rk_err
put_value(struct buf *b, const char *name, const struct rk_value *v)
{
	static const struct json_write how = { .style = JSON_COMPACT };
	enum rk_err r = buf_printf(b, ",\"%s\":", name);

	return r == RK_OK ? json_write(b, v, &how) : r;
}

/* A list of an answer: empty where nobody decides, null where it was not told.
 */
static enum rk_err
put_list(struct buf *b, const struct once *o, int which, const char *name)
{
	const struct pages *p = &o->answers[which];
	struct rk_value list = p->list;
	enum rk_err r;

	list.kind = o->untold[which] ? RK_NIL : RK_ARRAY;
	r = put_value(b, name, &list);
	if (r == RK_OK)
		r = buf_printf(
		    b, ",\"%s_left_out\":%" PRIu64, name, p->parts.left);
	return r;
}

static int
show_json(const struct once *o)
{
	struct buf b;
	enum rk_err r;
	int status = 0;

	buf_init(&b, 64 << 20);
	r = buf_printf(&b, "{\"schema\":1,\"read_only\":%s",
	    o->model->read_only ? "true" : "false");
	if (r == RK_OK)
		r = put_value(
		    &b, "status", rk_value_root(o->answers[STATUS].docs[0]));
	if (r == RK_OK)
		r = put_list(&b, o, CONNS, "conns");
	if (r == RK_OK)
		r = put_list(&b, o, TRUST, "keys");
	if (r == RK_OK)
		r = put_list(&b, o, KNOWN, "known");
	if (r == RK_OK)
		r = put_list(&b, o, CALLS, "calls");
	if (r == RK_OK)
		r = once_agent_json(&b, &o->model->agent, o->now);
	if (r == RK_OK)
		r = buf_put_str(&b, "}\n");
	if (r == RK_OK)
		out_bytes(&o->t->out, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(&o->t->out, r, rk_err_text(r), NULL);
	buf_fini(&b);
	return status;
}

/* ---- asking ---- */

static enum tui_lack
may_lack(const struct once *o, int which)
{
	if (!asked[which].keys)
		return LACK_NOTHING;
	return o->model->status.has_trust ? LACK_METHOD : LACK_TRUST;
}

/* All parts of an answer. */
static int
ask_parts(struct once *o, struct rk_client *c, int which)
{
	struct pages *p = &o->answers[which];
	struct rk_value_doc *doc;
	bool more = true;
	enum rk_err r;
	int status;

	while (more) {
		status = tui_ask(o->t, c, asked[which].method, p->parts.rows,
		    may_lack(o, which), &doc);
		if (status != 0 || doc == NULL) {
			o->untold[which] =
			    status != 0 || o->model->status.has_trust;
			return status;
		}
		r = pages_add(p, doc, asked[which].list, &more);
		if (r != RK_OK)
			return pages_fail(&o->t->out, r);
		more = more && asked[which].keys;
	}
	return 0;
}

static bool
is_named(const struct rk_value *key, const char *name)
{
	return key->kind == RK_STR && key->u.bytes.len == strlen(name) &&
	       memcmp(key->u.bytes.ptr, name, key->u.bytes.len) == 0;
}

/* The first part, which has a list where there are others, as an answer that
 * has the rows of all of them, and leaves nothing out that could be asked for.
 */
static enum rk_err
take_whole(struct once *o, int which)
{
	const struct pages *p = &o->answers[which];
	struct rk_value whole = *rk_value_root(p->docs[0]), *items;
	enum rk_err r;
	size_t n;

	if (!asked[which].keys || whole.kind != RK_MAP ||
	    (p->n == 1 && p->parts.left == 0))
		return model_answer(
		    o->model, asked[which].method, &whole, o->now);
	n = 2 * (size_t)whole.u.list.count;
	if ((items = malloc((n + 1) * sizeof(*items))) == NULL)
		return RK_ENOMEM;
	memcpy(items, whole.u.list.items, n * sizeof(*items));
	whole.u.list.items = items;
	for (size_t i = 0; i < n; i += 2) {
		if (is_named(&items[i], asked[which].list))
			items[i + 1] = p->list;
		else if (is_named(&items[i], "from") ||
		         is_named(&items[i], "left_out"))
			items[i + 1] = (struct rk_value){ .kind = RK_UINT };
	}
	r = model_answer(o->model, asked[which].method, &whole, o->now);
	free(items);
	return r;
}

static int
ask_all(struct once *o, struct rk_client *c)
{
	for (int i = 0; i < N_ANSWERS; i++) {
		int status = ask_parts(o, c, i);
		enum rk_err r;

		/* What else there is is shown all the same. */
		if (status != 0 && !(asked[i].keys && o->t->refused))
			return status;
		o->status = o->status != 0 ? o->status : status;
		if (o->answers[i].n == 0)
			continue;
		r = take_whole(o, i);
		if (r != RK_OK)
			return out_fail(&o->t->out, r,
			    r == RK_EPROTO ? "the daemon's answer is malformed"
			                   : rk_err_text(r),
			    NULL);
	}
	return 0;
}

/* That there is none is usual. */
static void
look_at_agent(struct once *o)
{
	enum rk_err r = vault_look(o->model, o->now);

	if (r != RK_OK && r != RK_ENOENT)
		out_warn(
		    &o->t->out, "the agent of the vault: %s", rk_err_text(r));
}

int
tui_once(struct tui *t)
{
	struct once o = { .t = t, .model = malloc(sizeof(struct model)) };
	struct rk_client *client;
	int status;

	if (o.model == NULL)
		return out_fail(&t->out, RK_ENOMEM, "out of memory", NULL);
	model_init(o.model);
	o.now = (int64_t)mono_ms();
	status = tui_dial(t, &client);
	if (status == 0)
		status = ask_all(&o, client);
	if (status == 0)
		look_at_agent(&o);
	if (status == 0)
		status = t->out.form == OUT_JSON ? show_json(&o) : show(&o);
	if (status == 0)
		status = o.status;
	rk_client_free(client);
	for (int i = 0; i < N_ANSWERS; i++)
		pages_fini(&o.answers[i]);
	model_fini(o.model);
	free(o.model);
	return status;
}
