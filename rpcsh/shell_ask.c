/* :ask: a call put together field by field, as the server describes it. */
#include "shell.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/json.h"
#include "cli/tty.h"
#include "history.h"
#include "marks.h"
#include "typed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIELDS_MAX 256

enum sort {
	SORT_ANY, /* text; with a sign before it what items have: := @ =@ */
	SORT_TEXT,
	SORT_INT,
	SORT_REAL,
	SORT_BOOL,
	SORT_BYTES, /* text, or @FILE */
	SORT_JSON   /* lists and maps */
};

struct asked {
	const struct rk_value *row; /* of a schema, or NULL */
	char name[80];
	char type[96];
	enum sort sort;
	bool required;
};

struct asking {
	struct shell *s;
	struct rk_value_doc *doc;
	char answer[1024]; /* that is not shown */
	char args[512];    /* "{a:int, b}" of a method without a schema */
	struct words w;    /* of the call */
	char *list[FIELDS_MAX + 3];
};

/* ---- what there is to ask ---- */

/* "int", "int64": a word, and maybe digits. */
static enum sort
sort_of(const char *type)
{
	static const struct {
		const char *word;
		enum sort sort;
	} sorts[] = { { "str", SORT_TEXT }, { "string", SORT_TEXT },
		{ "text", SORT_TEXT }, { "int", SORT_INT },
		{ "uint", SORT_INT }, { "num", SORT_REAL },
		{ "float", SORT_REAL }, { "bool", SORT_BOOL },
		{ "bin", SORT_BYTES }, { "bytes", SORT_BYTES },
		{ "time", SORT_ANY }, { "duration", SORT_ANY } };

	if (type[0] == '\0')
		return SORT_ANY;
	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
		size_t len = strlen(sorts[i].word);

		if (strncmp(type, sorts[i].word, len) == 0 &&
		    type[len + strspn(type + len, "0123456789")] == '\0')
			return sorts[i].sort;
	}
	return SORT_JSON;
}

/* The rows of the argument's record; NULL: there is no schema. */
static const struct rk_value *
rows_of(const struct asking *x)
{
	const struct rk_value *schema =
	    rk_value_get(rk_value_root(x->doc), "schema");
	const struct rk_value *rows;
	char name[96];

	(void)show_member(schema, "args", name, sizeof(name));
	if (name[0] == '\0')
		return NULL;
	rows = rk_value_get(rk_value_get(schema, "types"), name);
	return rows != NULL && rows->kind == RK_ARRAY ? rows : NULL;
}

static bool
take_row(const struct rk_value *row, struct asked *f)
{
	const struct rk_value *required = rk_value_get(row, "required");

	*f = (struct asked){ .row = row };
	(void)show_member(row, "name", f->name, sizeof(f->name));
	(void)show_member(row, "type", f->type, sizeof(f->type));
	f->sort = sort_of(f->type);
	f->required =
	    required != NULL && required->kind == RK_BOOL && required->u.b;
	return f->name[0] != '\0'; /* it is retired */
}

/* One "name" or "name:type". */
static bool
take_text(const char *text, size_t len, struct asked *f)
{
	const char *colon = memchr(text, ':', len);
	size_t name = colon == NULL ? len : (size_t)(colon - text);
	size_t at = colon == NULL ? len : name + 1;

	*f = (struct asked){ .row = NULL };
	while (at < len && text[at] == ' ')
		at++;
	if (name == 0 || name >= sizeof(f->name) ||
	    len - at >= sizeof(f->type) || memchr(text, '.', name) != NULL)
		return false;
	memcpy(f->name, text, name);
	memcpy(f->type, text + at, len - at);
	f->sort = sort_of(f->type);
	return true;
}

static int
describe(struct asking *x, const char *method)
{
	const struct rk_value name = { .kind = RK_STR,
		.u.bytes = { (const uint8_t *)method, strlen(method) } };
	struct rk_request req = { .method = "_.describe" };
	struct target *t = &x->s->held->t;
	const struct out *o = &x->s->o;
	struct rk_reply reply = { .code = RK_OK };
	char whole[RK_NAME_MAX + 1];
	struct rk_error err;
	uint8_t *payload = NULL;
	enum rk_err r;
	int status = 0;

	if (rk_value_encode(&name, &payload, &req.payload_len) != RK_OK)
		return out_fail(o, RK_ENOMEM, "out of memory", NULL);
	req.payload = payload;
	r = target_call(t, &req, &reply, &err);
	if (typed_is_unknown(&reply) && target_whole_name(t, method, whole))
		status = describe(x, whole); /* it has a dot */
	else if (typed_is_unknown(&reply))
		status = target_no_method(t, o, method);
	else if (r == RK_ENOMETHOD)
		status = out_fail(o, r,
		    "the server does not describe its methods: it has no "
		    "_.describe",
		    NULL);
	else if (r != RK_OK)
		status = target_failed(t, o, &err, method);
	else if (rk_value_decode(
	             reply.payload.ptr, reply.payload.len, &x->doc) != RK_OK)
		status = out_fail(o, RK_EPROTO,
		    "the server's description is malformed", NULL);
	else
		(void)show_member(
		    rk_value_root(x->doc), "args", x->args, sizeof(x->args));
	rk_reply_free(&reply);
	free(payload);
	return status;
}

/* ---- answers ---- */

/* "name" as an item has it. */
static enum rk_err
put_name(struct buf *b, const char *name)
{
	/* It is the server's, and must not become an option. */
	enum rk_err r = name[0] == '-' ? buf_put_str(b, "\\") : RK_OK;

	for (; r == RK_OK && *name != '\0'; name++) {
		if (strchr("\\=:@.[]", *name) != NULL)
			r = buf_put_str(b, "\\");
		if (r == RK_OK)
			r = buf_put(b, name, 1);
	}
	return r;
}

static bool
in_range(const struct asked *f, double v, char *why, size_t len)
{
	static const char *const ends[] = { "min", "max" };

	for (size_t i = 0; i < 2; i++) {
		const struct rk_value *e = rk_value_get(f->row, ends[i]);
		double limit;

		if (e == NULL)
			continue;
		if (e->kind == RK_UINT)
			limit = (double)e->u.u64;
		else if (e->kind == RK_INT)
			limit = (double)e->u.i64;
		else if (e->kind == RK_F64)
			limit = e->u.f64;
		else
			continue;
		if (i == 0 ? v >= limit : v <= limit)
			continue;
		(void)snprintf(
		    why, len, "%s %g", i == 0 ? "at least" : "at most", limit);
		return false;
	}
	return true;
}

/* A number as JSON has it, and within its limits. */
static bool
is_number(const struct asked *f, const char *text, char *why, size_t len)
{
	const char *digits = text + (text[0] == '-');
	char *end;
	double v = strtod(text, &end);

	if (*end != '\0' || *digits < '0' || *digits > '9' || !isfinite(v) ||
	    strpbrk(text, "xX") != NULL ||
	    (f->sort == SORT_INT && strpbrk(text, ".eE") != NULL)) {
		(void)snprintf(why, len, "it is %s",
		    f->sort == SORT_INT ? "a whole number" : "a number");
		return false;
	}
	return in_range(f, v, why, len);
}

static bool
is_json(const char *text, char *why, size_t len)
{
	struct rk_value_doc *doc = NULL;
	struct rk_error err;
	enum rk_err r = rk_value_new(&doc);

	if (r == RK_OK)
		r = json_parse_into(
		    "it", text, strlen(text), doc, rk_value_root(doc), &err);
	rk_value_free(doc);
	if (r != RK_OK)
		(void)snprintf(why, len, "it is JSON; %.200s", err.text);
	return r == RK_OK;
}

/* Is it said as in an item where the bytes are to come from? */
static bool
has_sign(const char *text)
{
	return text[0] == '@' || strncmp(text, ":=", 2) == 0 ||
	       strncmp(text, "=@", 2) == 0;
}

/* The item that an answer makes, behind the name; false: why not. */
static bool
put_answer(struct buf *b, const struct asked *f, const char *text, char *why,
    size_t len)
{
	enum rk_err r = RK_EINVAL;
	bool yes;

	switch (f->sort) {
	case SORT_INT:
	case SORT_REAL:
		if (!is_number(f, text, why, len))
			return false;
		r = buf_printf(b, ":=%s", text);
		break;
	case SORT_BOOL:
		if (str_parse_bool(text, &yes) != RK_OK) {
			(void)snprintf(why, len, "it is yes or no");
			return false;
		}
		r = buf_printf(b, ":=%s", yes ? "true" : "false");
		break;
	case SORT_JSON:
		if (!is_json(text, why, len))
			return false;
		r = buf_printf(b, ":=%s", text);
		break;
	case SORT_BYTES:
	case SORT_ANY:
	case SORT_TEXT:
		if (f->sort != SORT_TEXT && has_sign(text)) {
			r = buf_put_str(b, text);
			break;
		}
		if (!in_range(f, (double)strlen(text), why, len))
			return false;
		if ((r = buf_put_str(b, ":=")) == RK_OK)
			r = out_json_string(b, text, strlen(text));
		break;
	}
	if (r != RK_OK)
		(void)snprintf(why, len, "%s", rk_err_text(r));
	return r == RK_OK;
}

static bool
add_item(struct asking *x, struct buf *b)
{
	uint8_t *text;
	size_t len;

	if (x->w.n >= FIELDS_MAX || buf_put(b, "", 1) != RK_OK ||
	    buf_take(b, &text, &len) != RK_OK)
		return false;
	x->list[x->w.n++] = (char *)text;
	return true;
}

/* ---- asking ---- */

static void
put_limit(const struct asked *f, const char *key, const char *word, char *dst,
    size_t len)
{
	const struct rk_value *v = rk_value_get(f->row, key);
	char text[96] = "";

	if (v == NULL)
		return;
	if (v->kind == RK_STR)
		(void)show_member(f->row, key, text, sizeof(text));
	else if (v->kind == RK_UINT)
		(void)snprintf(
		    text, sizeof(text), "%llu", (unsigned long long)v->u.u64);
	else if (v->kind == RK_INT)
		(void)snprintf(text, sizeof(text), "%lld", (long long)v->u.i64);
	else if (v->kind == RK_F64)
		(void)snprintf(text, sizeof(text), "%g", v->u.f64);
	else if (v->kind == RK_BOOL)
		(void)snprintf(
		    text, sizeof(text), "%s", v->u.b ? "true" : "false");
	if (text[0] != '\0')
		(void)snprintf(
		    dst + strlen(dst), len - strlen(dst), "%s%s", word, text);
}

/* "Count int, 1 to 100, else 1> " */
static void
make_prompt(const struct asked *f, char *dst, size_t len)
{
	(void)snprintf(dst, len, "%s%s%s", f->name,
	    f->type[0] == '\0' ? "" : " ", f->type);
	put_limit(f, "min", ", from ", dst, len);
	put_limit(f, "max", ", up to ", dst, len);
	put_limit(f, "default", ", else ", dst, len);
	(void)snprintf(dst + strlen(dst), len - strlen(dst), "%s> ",
	    f->required ? ", required" : "");
}

/* By its name, or because the server says so. */
static bool
is_secret(const struct asking *x, const struct asked *f)
{
	struct marks marks;
	char sign[100];

	(void)snprintf(sign, sizeof(sign), "%s=", f->name);
	marks_of(rk_value_root(x->doc), &marks);
	return history_is_secret(sign) ||
	       marks_has(&marks, f->name, strlen(f->name));
}

/* An item of its own, asked for by the call, and not shown. */
static bool
hide_answer(struct asking *x, const struct asked *f, bool *ok)
{
	struct buf b;

	if (!is_secret(x, f) || (f->sort != SORT_TEXT && f->sort != SORT_ANY))
		return false;
	buf_init(&b, WORDS_TEXT_MAX);
	*ok = put_name(&b, f->name) == RK_OK &&
	      buf_put_str(&b, "=?") == RK_OK && add_item(x, &b);
	buf_fini(&b);
	return true;
}

/* What is typed, unseen where it is a secret; false: given up. */
static bool
read_answer(struct asking *x, const struct asked *f, const char *prompt,
    const char **text)
{
	size_t len = 0;
	int fd = -1;
	enum rk_err r;

	if (!is_secret(x, f))
		return line_read(x->s->line, prompt, text) == LINE_TEXT;
	if ((r = tty_open(&fd, NULL)) == RK_OK)
		r = tty_ask(fd, prompt, false, x->answer, sizeof(x->answer) - 1,
		    &len, NULL);
	if (fd >= 0)
		(void)close(fd); /* it was a terminal */
	x->answer[r == RK_OK ? len : 0] = '\0';
	*text = x->answer;
	return r == RK_OK;
}

/* Ask until the answer fits; false: given up. */
static bool
ask_field(struct asking *x, const struct asked *f)
{
	char prompt[200], why[256], about[256];
	bool ok = false, done = false;

	if (hide_answer(x, f, &ok))
		return ok;
	(void)show_member(f->row, "about", about, sizeof(about));
	if (about[0] != '\0')
		out_text(&x->s->o, "%s\n", about);
	make_prompt(f, prompt, sizeof(prompt));
	while (!done) {
		const char *text;
		struct buf b;

		(void)fflush(stdout);
		if (!read_answer(x, f, prompt, &text))
			return false;
		if (text[0] == '\0' && !f->required)
			return true;
		(void)snprintf(why, sizeof(why), "it is required");
		buf_init(&b, WORDS_TEXT_MAX);
		done = text[0] != '\0' && put_name(&b, f->name) == RK_OK &&
		       put_answer(&b, f, text, why, sizeof(why));
		if (done)
			ok = add_item(x, &b);
		else
			out_note(&x->s->o, "%s: %s", f->name, why);
		buf_fini(&b);
	}
	return ok;
}

static bool
ask_rows(struct asking *x, const struct rk_value *rows)
{
	struct asked f;

	for (size_t i = 0; i < rows->u.list.count; i++) {
		if (take_row(&rows->u.list.items[i], &f) && !ask_field(x, &f))
			return false;
	}
	return true;
}

static bool
ask_text(struct asking *x)
{
	const char *p = x->args;
	struct asked f;

	for (p += *p == '{'; *p != '\0' && *p != '}';) {
		size_t n;

		p += strspn(p, ", ");
		n = strcspn(p, ",}");
		if (n > 0 && take_text(p, n, &f) && !ask_field(x, &f))
			return false;
		p += n;
	}
	return true;
}

static int
ask_all(struct asking *x)
{
	const struct rk_value *rows = rows_of(x);
	size_t len = strlen(x->args);

	if (rows != NULL)
		return ask_rows(x, rows) ? 0 : 1;
	if (strcmp(x->args, "none") == 0)
		return 0;
	if (strcmp(x->args, "file") == 0 || strcmp(x->args, "name") == 0)
		return out_fail(&x->s->o, RK_EUNSUPPORTED,
		    "it is of files, and has no fields: put or get", NULL);
	x->w.list = x->list;
	if (len < 2 || x->args[0] != '{' || x->args[len - 1] != '}')
		return shell_ask_whole(x->s, &x->w, FIELDS_MAX) ? 0 : 1;
	return ask_text(x) ? 0 : 1;
}

int
shell_ask(struct shell *s, const char *method)
{
	struct asking x = { .s = s };
	char call[] = "call";
	int status = 0;

	if (s->line == NULL)
		return out_fail(&s->o, RK_ENOPASS,
		    ":ask: there is nobody to ask in a script", NULL);
	if (strlen(method) > RK_NAME_MAX)
		return out_fail(
		    &s->o, RK_EINVAL, "method: name too long", NULL);
	if (!held_is_up(s->held) && (status = shell_connect(s)) != 0)
		return status;
	x.list[x.w.n++] = call;
	x.list[x.w.n] = strdup(method);
	if (x.list[x.w.n++] == NULL)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	s->asks = true;
	if ((status = describe(&x, method)) == 0)
		status = ask_all(&x);
	s->asks = false;
	x.w.list = x.list;
	if (status == 0)
		status = shell_run(s, &x.w);
	for (size_t i = 1; i < x.w.n; i++)
		free(x.list[i]);
	rk_wipe(x.answer, sizeof(x.answer));
	rk_value_free(x.doc);
	return status;
}
