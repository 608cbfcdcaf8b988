/* The agent of a vault in a snapshot: as tables, and as a member of JSON. */
#include "once.h"

#include "words.h"

#include "base/str.h"

#include <inttypes.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* What is left until then, in milliseconds. */
static int64_t
left(int64_t until_ms, int64_t now)
{
	return until_ms > now ? until_ms - now : 0;
}

/* As people read it: never beyond what a column can hold. */
static int64_t
number(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

/* ---- as tables ---- */

static enum rk_err
show_asked(const struct out *out, const struct model_agent *a, int64_t now)
{
	static const struct field fields[] = {
		{ "id", "ID", FIELD_NUMBER },
		{ "key", "KEY", FIELD_SHOWN },
		{ "what", "FOR", FIELD_SHOWN },
		{ "who", "BY", FIELD_SHOWN },
		{ "left_ms", "LEFT MS", FIELD_NUMBER },
	};
	struct table *t;
	enum rk_err r;

	out_text(out, "\nuses of the agent's keys that wait for a yes (%zu)\n",
	    a->n_asked);
	if (a->n_asked == 0)
		return RK_OK;
	if ((r = table_new(out, fields, N(fields), &t)) != RK_OK)
		return r;
	for (size_t i = 0; r == RK_OK && i < a->n_asked; i++) {
		const struct model_asked *q = &a->asked[i];
		const union cell cells[] = {
			{ .number = q->id },
			{ .text = q->name },
			{ .text = q->what },
			{ .text = q->who },
			{ .number = left(q->until_ms, now) },
		};

		r = table_row(t, cells);
	}
	table_end(t);
	return r;
}

static enum rk_err
show_held(const struct out *out, const struct model_agent *a, int64_t now)
{
	static const struct field fields[] = {
		{ "key", "KEY", FIELD_SHOWN },
		{ "left", "OPEN FOR", FIELD_TEXT },
		{ "used", "USED", FIELD_NUMBER },
		{ "asks", "ASKS", FIELD_BOOL },
		{ "last", "LAST", FIELD_SHOWN },
	};
	char age[WORDS_LEN];
	struct table *t;
	enum rk_err r;

	out_text(out, "\nkeys open in the agent (%zu)\n", a->n_held);
	if (a->n_held == 0)
		return RK_OK;
	if ((r = table_new(out, fields, N(fields), &t)) != RK_OK)
		return r;
	for (size_t i = 0; r == RK_OK && i < a->n_held; i++) {
		const struct model_held *h = &a->held[i];
		const union cell cells[] = {
			{ .text = h->name },
			{ .text = h->until_ms == INT64_MAX
			              ? "-"
			              : words_age(h->until_ms - now, age) },
			{ .number = number(h->used) },
			{ .yes = h->confirm },
			{ .text = h->last },
		};

		r = table_row(t, cells);
	}
	table_end(t);
	return r;
}

enum rk_err
once_agent(const struct out *out, const struct model_agent *a, int64_t now)
{
	enum rk_err r;

	if (!a->there)
		return RK_OK;
	r = show_asked(out, a, now);
	return r == RK_OK ? show_held(out, a, now) : r;
}

/* ---- as JSON ---- */

static enum rk_err
put_text(struct buf *b, const char *head, const char *text)
{
	enum rk_err r = buf_put_str(b, head);

	return r == RK_OK ? out_json_string(b, text, strlen(text)) : r;
}

/* null: without end. */
static enum rk_err
put_number(struct buf *b, const char *head, bool known, uint64_t n)
{
	enum rk_err r = buf_put_str(b, head);

	if (r != RK_OK)
		return r;
	return known ? buf_printf(b, "%" PRIu64, n) : buf_put_str(b, "null");
}

static enum rk_err
put_asked(struct buf *b, const struct model_asked *q, int64_t now)
{
	enum rk_err r;

	if ((r = put_number(b, "{\"id\":", true, q->id)) == RK_OK &&
	    (r = put_text(b, ",\"key\":", q->name)) == RK_OK &&
	    (r = put_text(b, ",\"what\":", q->what)) == RK_OK &&
	    (r = put_text(b, ",\"who\":", q->who)) == RK_OK &&
	    (r = put_number(b, ",\"left_ms\":", q->until_ms != INT64_MAX,
	         (uint64_t)left(q->until_ms, now))) == RK_OK)
		r = buf_put_str(b, "}");
	return r;
}

static enum rk_err
put_held(struct buf *b, const struct model_held *h, int64_t now)
{
	enum rk_err r;

	if ((r = put_text(b, "{\"key\":", h->name)) == RK_OK &&
	    (r = put_number(b, ",\"left_ms\":", h->until_ms != INT64_MAX,
	         (uint64_t)left(h->until_ms, now))) == RK_OK &&
	    (r = put_number(b, ",\"used\":", true, h->used)) == RK_OK &&
	    (r = put_number(b, ",\"uses_left\":", h->left != UINT64_MAX,
	         h->left)) == RK_OK &&
	    (r = buf_put_str(b,
	         h->confirm ? ",\"asks\":true" : ",\"asks\":false")) == RK_OK &&
	    (r = put_text(b, ",\"last\":", h->last)) == RK_OK &&
	    (r = put_text(b, ",\"only\":", h->only)) == RK_OK)
		r = buf_put_str(b, "}");
	return r;
}

enum rk_err
once_agent_json(struct buf *b, const struct model_agent *a, int64_t now)
{
	enum rk_err r;

	if (!a->there)
		return buf_put_str(b, ",\"agent\":null");
	r = buf_put_str(b, ",\"agent\":{\"waiting\":[");
	for (size_t i = 0; r == RK_OK && i < a->n_asked; i++) {
		if (i == 0 || (r = buf_put_str(b, ",")) == RK_OK)
			r = put_asked(b, &a->asked[i], now);
	}
	if (r == RK_OK)
		r = buf_put_str(b, "],\"open\":[");
	for (size_t i = 0; r == RK_OK && i < a->n_held; i++) {
		if (i == 0 || (r = buf_put_str(b, ",")) == RK_OK)
			r = put_held(b, &a->held[i], now);
	}
	return r == RK_OK
	           ? buf_printf(b, "],\"open_left_out\":%zu}", a->held_more)
	           : r;
}
