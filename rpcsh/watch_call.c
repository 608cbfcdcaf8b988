/* A call again and again: its answers, and what of them has changed. */
#include "watch.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/graph.h"
#include "confirm.h"
#include "show.h"
#include "typed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define CLEAR "\033[H\033[2J"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"
#define ROWS_USUAL 24

struct answers {
	struct watch *w;
	const char *method;
	uint64_t every;
	struct rk_value_doc *doc; /* of a method with structs, or NULL */
	bool screen;              /* it is drawn over the one before */
	struct buf text;          /* of the last one */
	struct buf before;
};

/* ---- lines ---- */

struct lines {
	const char *text;
	size_t len;
};

/* The next line, without its end; false: there is none. */
static bool
next_line(struct lines *l, struct rk_str *line)
{
	const char *nl;

	if (l->len == 0)
		return false;
	nl = memchr(l->text, '\n', l->len);
	line->ptr = l->text;
	line->len = nl == NULL ? l->len : (size_t)(nl - l->text);
	l->text += line->len + (nl != NULL);
	l->len -= line->len + (nl != NULL);
	return true;
}

static struct lines
lines_of(const struct buf *b)
{
	return (struct lines){ (const char *)buf_peek(b), buf_len(b) };
}

static size_t
count_lines(struct lines l)
{
	struct rk_str line;
	size_t n = 0;

	while (next_line(&l, &line))
		n++;
	return n;
}

static bool
same(struct rk_str a, struct rk_str b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* How many lines are the same at the start. */
static size_t
common(struct lines a, struct lines b)
{
	struct rk_str x, y;
	size_t n = 0;

	while (next_line(&a, &x) && next_line(&b, &y) && same(x, y))
		n++;
	return n;
}

/* The same at the end, at most `most`. */
static size_t
common_end(struct lines a, struct lines b, size_t most)
{
	size_t n = 0, i = 1;

	while (i <= a.len && i <= b.len && n < most) {
		char c = a.text[a.len - i];

		if (c != b.text[b.len - i])
			break;
		/* The last line's end is no beginning of one. */
		n += c == '\n' && i > 1;
		i++;
	}
	return n;
}

/* The bytes of a line that fit into so many columns. */
static size_t
fitting(struct rk_str line, unsigned columns)
{
	size_t at = 0;
	uint32_t cp;

	while (at < line.len) {
		size_t n = str_utf8(line.ptr + at, line.len - at, &cp);
		int w = n == 0 ? 1 : wcwidth((wchar_t)cp);

		w = w < 0 ? 1 : w;
		if ((unsigned)w > columns)
			return at;
		columns -= (unsigned)w;
		at += n + (n == 0);
	}
	return at;
}

/* ---- on a terminal ---- */

static unsigned
rows(void)
{
	struct winsize ws = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_row == 0)
		return ROWS_USUAL;
	return ws.ws_row;
}

static void
show_head(const struct answers *s)
{
	char name[64], when[32];

	str_time(when, (int64_t)time(NULL));
	out_text(&s->w->o, "%s%s  every %.4g s  %s  answer %" PRIu64 "\n",
	    s->screen ? CLEAR : "", str_escape(name, sizeof(name), s->method),
	    (double)s->every / 1e6, when, s->w->seen);
}

static void
show_line(const struct answers *s, struct rk_str line, bool changed)
{
	const struct out *o = &s->w->o;
	bool bold = changed && o->color_out;
	unsigned columns = graph_columns(STDOUT_FILENO);
	size_t len = line.len;

	if (s->screen)
		len = fitting(line, columns > 4 ? columns - 3 : 1);
	out_text(o, "%s%s", bold ? BOLD : "", changed ? "* " : "  ");
	out_bytes(o, line.ptr, len);
	out_text(o, "%s%s\n", len < line.len ? "~" : "", bold ? PLAIN : "");
}

/* Lines that were not there, or not so: where as many stand between the same
 * ones before and after, one by one; else all of them. */
static void
show_lines(const struct answers *s)
{
	struct lines now = lines_of(&s->text), old = lines_of(&s->before);
	size_t n = count_lines(now), m = count_lines(old), i = 0, left;
	size_t start = common(now, old), most = (n < m ? n : m) - start;
	size_t end = n - common_end(now, old, most);
	struct rk_str line, was;
	bool first = s->w->seen <= 1;

	left = SIZE_MAX;
	if (s->screen)
		left = rows() > 3 ? rows() - 2 : 1;
	for (; next_line(&now, &line); i++) {
		bool had = next_line(&old, &was);
		bool changed =
		    n == m ? !had || !same(line, was) : i >= start && i < end;

		if (left-- == 0)
			break;
		show_line(s, line, changed && !first);
	}
}

/* ---- answers ---- */

/* Text as it is, without what could harm a terminal; else pretty JSON. */
static enum rk_err
put_answer(const struct answers *s, struct rk_bytes payload, bool people,
    struct buf *b)
{
	struct out o = s->w->o;
	struct show show = { .out = &o,
		.form = people ? SHOW_PRETTY : SHOW_JSON };
	struct rk_value_doc *doc = NULL;
	enum rk_err r;

	o.color_out = false;
	if (people && payload.len != 0 &&
	    rk_value_decode(payload.ptr, payload.len, &doc) != RK_OK &&
	    str_is_utf8((const char *)payload.ptr, payload.len))
		r = show_put_text(b, (const char *)payload.ptr, payload.len);
	else if (people && doc != NULL && rk_value_root(doc)->kind == RK_STR)
		r = show_put_text(b,
		    (const char *)rk_value_root(doc)->u.bytes.ptr,
		    rk_value_root(doc)->u.bytes.len);
	else
		r = show_put_json(&show, payload, b);
	rk_value_free(doc);
	return r;
}

static void
show_record(const struct answers *s, bool changed)
{
	char when[32];

	str_time(when, (int64_t)time(NULL));
	out_text(&s->w->o,
	    "{\"schema\":1,\"at\":\"%s\",\"changed\":%s,\"reply\":", when,
	    changed ? "true" : "false");
	out_bytes(&s->w->o, buf_peek(&s->text), buf_len(&s->text));
	out_text(&s->w->o, "}\n");
}

static int
show_answer(struct answers *s, struct rk_bytes payload)
{
	bool people = s->w->o.form != OUT_JSON && isatty(STDOUT_FILENO) == 1;
	struct buf old = s->before;
	uint8_t *plain = NULL;
	size_t len;
	bool changed;
	enum rk_err r;

	s->before = s->text;
	buf_fini(&old);
	buf_init(&s->text, SIZE_MAX / 2);
	if (s->doc != NULL &&
	    typed_plain(s->doc, payload, &plain, &len) == RK_OK)
		payload = (struct rk_bytes){ plain, len };
	r = put_answer(s, payload, people, &s->text);
	free(plain);
	if (r != RK_OK)
		return out_fail(&s->w->o, r, "the reply cannot be shown", NULL);
	s->w->seen++;
	changed = s->w->seen > 1 &&
	          !same((struct rk_str){ (const char *)buf_peek(&s->text),
	                    buf_len(&s->text) },
	              (struct rk_str){ (const char *)buf_peek(&s->before),
	                  buf_len(&s->before) });
	if (people) {
		show_head(s);
		show_lines(s);
	} else {
		show_record(s, changed);
	}
	return out_flush(&s->w->o) == RK_OK ? 0 : rk_err_exit(RK_EIO);
}

/* ---- calls ---- */

static void
trace(struct watch *w, const struct request *q, const struct rk_reply *reply,
    uint64_t us)
{
	const struct traced what = { .url = w->held.t.url,
		.method = q->req.method,
		.sent = q->req.payload_len,
		.got = reply->payload.len,
		.us = us,
		.code = reply->code,
		.hdr = trace_header(reply) };

	trace_add(&w->trace, &what);
}

static int
one_call(struct answers *s, const struct request *q)
{
	struct target *t = &s->w->held.t;
	struct rk_reply reply;
	struct rk_error err;
	uint64_t begun;
	int status = 0;
	enum rk_err r;

	if (!target_connect(t, &s->w->o, &status))
		return status;
	begun = mono_us();
	r = target_call(t, &q->req, &reply, &err);
	trace(s->w, q, &reply, mono_us() - begun);
	if (r == RK_OK)
		status = show_answer(s, reply.payload);
	else if (r == RK_ENOMETHOD)
		status = target_no_method(t, &s->w->o, q->req.method);
	else if (r == RK_ECANCELED)
		status = 128 + SIGINT;
	else
		status = target_failed(
		    t, &s->w->o, &err, r == RK_EREMOTE ? "" : q->req.method);
	rk_reply_free(&reply);
	return status;
}

int
watch_call(struct watch *w, struct request *q, uint64_t every)
{
	struct answers s = { .w = w, .method = q->req.method, .every = every };
	const struct rk_bytes arg = { q->payload, q->req.payload_len };
	const char *term = getenv("TERM");
	uint64_t next = mono_us();
	int status = 0;

	s.screen = term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
	if (w->held.t.timeout_given)
		q->req.timeout = w->held.t.timeout;
	if (!confirm_call(&w->held.t, &w->o, q->req.method, &status))
		return status;
	if (!q->raw && !typed_may_call(&w->held.t, &w->o, q->req.method, &arg,
	                   1, &q->doc, &status))
		return status;
	s.doc = q->doc;
	buf_init(&s.text, SIZE_MAX / 2);
	buf_init(&s.before, SIZE_MAX / 2);
	while (status == 0 && !watch_is_over(w)) {
		uint64_t now = mono_us();

		if (now < next) {
			watch_wait(w, next);
			continue;
		}
		status = one_call(&s, q);
		/* Late ones are left out, not made up for. */
		next += every;
		if (next < now)
			next = now;
	}
	buf_fini(&s.text);
	buf_fini(&s.before);
	return status;
}
