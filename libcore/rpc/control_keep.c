/* What a control does with whole lists of keys: the audit, out, in, checked. */
#include "rpc/control_int.h"

#include "base/blake3.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/policy.h"

#include <rpckit/store.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LINES_MAX 1000
#define LINES_USUAL 100
#define FINDINGS_MAX 200
#define SOON (INT64_C(30) * 86400) /* s that a certificate should have */

/* The last pair of an answer, which is sent. */
static void
answer_rows(
    struct rk_call *call, struct kv *k, const char *name, struct kv_rows *s)
{
	kv_text(k, name);
	kv_array(k, s->n);
	if (k->r == RK_OK)
		k->r = s->k.r;
	if (k->r == RK_OK && buf_len(&s->b) > 0)
		k->r = buf_put(k->b, buf_peek(&s->b), buf_len(&s->b));
	buf_fini(&s->b);
	control_answer(call, k);
}

/* ---- the audit ---- */

#define KEY_LEN 128 /* of a fingerprint as a person writes it */

/* {max: lines, before: id, key: fingerprint}, or nothing at all. */
static enum rk_err
read_audit(struct rk_bytes p, struct policy_audit *out, char key[KEY_LEN])
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	uint64_t max = LINES_USUAL;
	struct rk_str name;
	uint32_t n = 0;

	*out = (struct policy_audit){ .max = 0 };
	if (p.len > 0 && control_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	for (; n > 0; n--) {
		if (gp_get_key(&g, &name) != RK_OK)
			return RK_EPROTO;
		if (str_is(name, "max")) {
			if (gp_get_uint(&g, &max) != RK_OK)
				return RK_EPROTO;
		} else if (str_is(name, "before")) {
			if (gp_get_uint(&g, &out->before) != RK_OK ||
			    out->before == 0)
				return RK_EPROTO;
		} else if (str_is(name, "key")) {
			if (control_take_text(&g, key, KEY_LEN) != RK_OK)
				return RK_EPROTO;
			out->key = key;
		} else {
			return RK_EPROTO;
		}
	}
	out->max = (size_t)max;
	return max > 0 && max <= LINES_MAX ? RK_OK : RK_EPROTO;
}

static void
put_escaped(struct kv *k, const char *key, const char *text)
{
	char shown[4 * RK_STORE_TEXT_LEN];

	kv_pair_text(k, key, str_escape(shown, sizeof(shown), text));
}

/* Those of the list say what it is by their names. */
static const char *
state_name(const struct rk_store_line *line, bool after)
{
	if (line->fp[0] != '\0')
		return rk_store_state_name(after ? line->after : line->before);
	if (strcmp(line->what, "mode") == 0)
		return ""; /* its note does */
	return (strcmp(line->what, "lock") == 0) == after ? "locked" : "open";
}

/* policy_line_fn */
static void
put_line(const struct rk_store_line *line, void *arg)
{
	struct kv_rows *s = arg;
	size_t before = buf_len(&s->b);
	char shown[2 * RK_STORE_TEXT_LEN];

	if (s->k.r != RK_OK)
		return;
	kv_map(&s->k, 9);
	kv_pair_uint(&s->k, "id", (uint64_t)line->id);
	kv_pair_time(&s->k, "time", line->time);
	put_escaped(&s->k, "who", line->who);
	put_escaped(&s->k, "what", line->what);
	kv_pair_text(&s->k, "fingerprint", line->fp);
	kv_pair_text(&s->k, "email",
	    str_escape_again(shown, sizeof(shown), line->email));
	kv_pair_text(&s->k, "before", state_name(line, false));
	kv_pair_text(&s->k, "after", state_name(line, true));
	put_escaped(&s->k, "note", line->note);
	kv_rows_end(s, before);
}

void
control_on_audit(struct rk_call *call, void *arg)
{
	struct rk_trust *trust = control_find_trust(call, arg);
	struct policy_audit which;
	struct rk_error err = { 0 };
	char key[KEY_LEN];
	struct buf b;
	struct kv k = { .b = &b };
	struct kv_rows s;
	enum rk_err r;

	if (trust == NULL)
		return;
	if (read_audit(rk_call_payload(call), &which, key) != RK_OK) {
		control_refuse(call, RK_EINVAL,
		    "it takes {max: 1 to 1000, before: an id, key: "
		    "SHA256:...}, or nothing");
		return;
	}
	kv_rows_begin(&s);
	if ((r = policy_audit(trust, &which, put_line, &s, &err)) != RK_OK) {
		buf_fini(&s.b);
		control_refuse(call, r, err.text);
		return;
	}
	buf_init(&b, RK_PAYLOAD_MAX);
	kv_map(&k, 2);
	kv_pair_uint(&k, "left_out", s.left_out);
	answer_rows(call, &k, "lines", &s);
}

/* ---- out ---- */

/* Whole lines from there on, as many as an answer takes. */
static struct rk_str
cut(const char *text, size_t len, uint64_t from)
{
	struct rk_str s = { text + len, 0 };
	const char *end;

	if (from >= len)
		return s;
	s = (struct rk_str){ text + from, len - (size_t)from };
	if (s.len <= KV_ROWS_MAX)
		return s;
	end = memrchr(s.ptr, '\n', KV_ROWS_MAX);
	s.len = end != NULL ? (size_t)(end + 1 - s.ptr) : KV_ROWS_MAX;
	return s;
}

/* {from: byte, sum: of the part before}, or nothing. */
static enum rk_err
read_part(struct rk_bytes p, uint64_t *from, char sum[BLAKE3_TEXT_LEN])
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	enum rk_err r = RK_OK;
	struct rk_str key;
	uint32_t n = 0;

	*from = 0;
	sum[0] = '\0';
	if (p.len > 0 && control_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	for (; n > 0 && r == RK_OK; n--) {
		if ((r = gp_get_key(&g, &key)) != RK_OK)
			break;
		if (str_is(key, "from"))
			r = gp_get_uint(&g, from);
		else if (str_is(key, "sum"))
			r = control_take_text(&g, sum, BLAKE3_TEXT_LEN);
		else
			r = RK_EPROTO;
	}
	return r == RK_OK && (*from == 0) == (sum[0] == '\0') ? RK_OK
	                                                      : RK_EPROTO;
}

void
control_on_export(struct rk_call *call, void *arg)
{
	struct rk_trust *trust = control_find_trust(call, arg);
	struct rk_error err = { 0 };
	char sum[BLAKE3_TEXT_LEN], seen[BLAKE3_TEXT_LEN];
	struct buf b;
	struct kv k = { .b = &b };
	uint64_t from = 0;
	struct rk_str part;
	char *text;
	size_t len;
	enum rk_err r;

	if (trust == NULL)
		return;
	if (read_part(rk_call_payload(call), &from, seen) != RK_OK) {
		control_refuse(call, RK_EINVAL,
		    "it takes {from: byte, sum: of the part before}, or "
		    "nothing");
		return;
	}
	if ((r = policy_export(trust, &text, &len, &err)) != RK_OK) {
		control_refuse(call, r, err.text);
		return;
	}
	/* Parts of one text, or none. */
	blake3_text_of(text, len, sum);
	if (from != 0 && strcmp(sum, seen) != 0) {
		free(text);
		control_refuse(call, RK_EAGAIN,
		    "the list has changed meanwhile: export it anew");
		return;
	}
	part = cut(text, len, from);
	buf_init(&b, RK_PAYLOAD_MAX);
	kv_map(&k, 3);
	kv_text(&k, "text");
	kv_str(&k, part);
	kv_pair_text(&k, "sum", sum);
	kv_pair_uint(&k, "next", from + part.len < len ? from + part.len : 0);
	free(text);
	control_answer(call, &k);
}

/* ---- in ---- */

enum rk_err
control_read_import(struct rk_bytes p, struct control_import *out)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	enum rk_err r = RK_OK;
	struct rk_str key;
	bool given = false;
	uint32_t n;

	*out = (struct control_import){ .via = "" };
	if (p.len == 0 || control_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	for (; n > 0 && r == RK_OK; n--) {
		if ((r = gp_get_key(&g, &key)) != RK_OK)
			break;
		if (str_is(key, "text")) {
			r = gp_get_str(&g, &out->text);
			given = true;
		} else if (str_is(key, "from")) {
			r = gp_get_uint(&g, &out->from);
		} else if (str_is(key, "more")) {
			r = gp_get_bool(&g, &out->more);
		} else if (str_is(key, "changed")) {
			r = gp_get_bool(&g, &out->changed);
		} else if (str_is(key, "via")) {
			r = control_take_word(&g, out->via, sizeof(out->via));
		} else {
			r = RK_EPROTO;
		}
	}
	return r == RK_OK && given ? RK_OK : RK_EPROTO;
}

static void
put_lines(struct kv *k, const char *key, const struct policy_lines *lines)
{
	uint32_t n = (uint32_t)(lines->n < POLICY_LINES_MAX ? lines->n
	                                                    : POLICY_LINES_MAX);

	kv_text(k, key);
	kv_array(k, n);
	for (uint32_t i = 0; i < n; i++)
		kv_uint(k, lines->first[i]);
}

static void
answer_import(struct rk_call *call, const struct policy_import *in)
{
	struct buf b;
	struct kv k = { .b = &b };

	buf_init(&b, 8192);
	kv_map(&k, 8);
	kv_pair_bool(&k, "done", in->wrong.n == 0);
	kv_pair_uint(&k, "new", in->fresh);
	kv_pair_uint(&k, "known", in->known);
	kv_pair_uint(&k, "out", in->out);
	kv_pair_uint(&k, "taken", in->taken.n);
	put_lines(&k, "taken_lines", &in->taken);
	kv_pair_uint(&k, "wrong", in->wrong.n);
	put_lines(&k, "lines", &in->wrong);
	control_answer(call, &k);
}

static const char *
part_fault(enum rk_err r)
{
	switch ((int)r) {
	case RK_EINVAL:
		return "a part of the text is missing";
	case RK_ETOOBIG:
		return "no list of known keys is so long: more than 16 MiB";
	case RK_EBUSY:
		return "too many are importing";
	default:
		return rk_err_text(r);
	}
}

/* False: the caller was told. */
static bool
read_asked(
    struct rk_call *call, struct rk_bytes payload, struct control_import *asked)
{
	if (control_read_import(payload, asked) == RK_OK)
		return true;
	control_refuse(call, RK_EINVAL,
	    "it takes {text: lines of a known-keys file, from, more, changed, "
	    "via}");
	return false;
}

static enum rk_err
import_text(const struct control_try *t, const struct control_import *asked,
    struct rk_error *err)
{
	const struct rk_str text =
	    t->text == NULL ? asked->text
	                    : (struct rk_str){ (const char *)buf_peek(t->text),
		                      buf_len(t->text) };
	struct rk_trust *trust = control_trust(t->end->control);
	char who[CONTROL_WHO_LEN];
	struct policy_import in;
	enum rk_err r;

	control_who(t->call, asked->via, who);
	struct policy_text from = { text.ptr, text.len, who, asked->changed,
		NULL };

	/* Whoever else is served comes in between. */
	if (t->looked != NULL) {
		do {
			r = policy_look(trust, &from, t->looked, err);
		} while (r == RK_EAGAIN && t->last);
		if (r != RK_OK)
			return r == RK_EAGAIN ? r : control_not_done(t, r, err);
		from.looked = *t->looked;
	}
	if ((r = policy_import(trust, &from, &in, err)) != RK_OK)
		return control_not_done(t, r, err);
	if (in.wrong.n == 0 && in.fresh > 0)
		log_event(RK_LOG_INFO, "control", "%zu keys imported by %s",
		    in.fresh, who);
	answer_import(t->call, &in);
	return RK_OK;
}

static enum rk_err
import(const struct control_try *t, struct rk_error *err)
{
	struct control_import asked;

	if (control_find_trust(t->call, t->end) == NULL ||
	    !read_asked(t->call, t->payload, &asked))
		return RK_OK;
	return import_text(t, &asked, err);
}

/* The last part is the order.  It has the others from here on: the connection
 * may begin the next text while it waits. */
static void
import_whole(struct rk_call *call, const struct control_end *e,
    const struct control_import *asked)
{
	struct buf whole;
	enum rk_err r;

	if (asked->from == 0) {
		control_upload_drop(e, rk_call_conn_id(call));
		control_in_turn(call, e, import, false);
		return;
	}
	r = control_upload_end(
	    e, rk_call_conn_id(call), asked->from, asked->text, &whole);
	if (r == RK_OK)
		control_in_turn_with(call, e, import, &whole);
	else
		control_refuse(call, r, part_fault(r));
	buf_fini(&whole);
}

void
control_on_import(struct rk_call *call, void *arg)
{
	const struct control_end *e = arg;
	struct control_import asked;
	enum rk_err r;

	if (!read_asked(call, rk_call_payload(call), &asked))
		return;
	if (!asked.more) {
		import_whole(call, e, &asked);
		return;
	}
	r = control_upload_add(
	    e, rk_call_conn_id(call), asked.from, asked.text);
	if (r == RK_OK)
		(void)rk_call_reply(call, NULL, 0);
	else
		control_refuse(call, r, part_fault(r));
}

/* ---- checked ---- */

struct findings {
	struct kv_rows rows;
	bool any_wrong;
};

/* policy_finding_fn */
static void
put_finding(bool wrong, const char *text, void *arg)
{
	struct findings *f = arg;
	size_t before = buf_len(&f->rows.b);

	f->any_wrong = f->any_wrong || wrong;
	if (f->rows.k.r != RK_OK)
		return;
	if (f->rows.n == FINDINGS_MAX) {
		f->rows.left_out++;
		return;
	}
	kv_map(&f->rows.k, 2);
	kv_pair_bool(&f->rows.k, "wrong", wrong);
	kv_pair_text(&f->rows.k, "text", text);
	kv_rows_end(&f->rows, before);
}

/* That of the server itself; those of clients are seen when they come. */
static void
check_certificate(const struct rk_control *c, struct findings *f)
{
	const struct creds *now = TAILQ_FIRST(&c->server->creds);
	struct rk_cert_info info;
	int64_t left;
	char text[RK_ERROR_TEXT_LEN];

	if (now == NULL || now->trust.ident == NULL ||
	    !rk_ident_info(now->trust.ident, &info))
		return;
	left = info.not_after - time(NULL);
	if (left > SOON)
		return;
	(void)snprintf(text, sizeof(text),
	    left <= 0 ? "the certificate of \"%s\" has ended %" PRId64
	                " days ago"
	              : "the certificate of \"%s\" ends in %" PRId64 " days",
	    info.cn, (left <= 0 ? -left : left) / 86400);
	put_finding(left <= 0, text, f);
}

static void
put_mode(struct kv *k, const char *key, unsigned mode)
{
	char text[8];

	(void)snprintf(text, sizeof(text), "%04o", mode & 07777U);
	kv_pair_text(k, key, text);
}

void
control_on_check(struct rk_call *call, void *arg)
{
	const struct control_end *e = arg;
	struct rk_trust *trust = control_find_trust(call, e);
	struct findings f = { .any_wrong = false };
	struct buf b;
	struct kv k = { .b = &b };
	unsigned mode, locked;
	bool has_file;

	if (trust == NULL)
		return;
	kv_rows_begin(&f.rows);
	if (policy_check(trust, put_finding, &f) != RK_OK) {
		buf_fini(&f.rows.b);
		control_refuse(call, RK_ENOMEM, "out of memory");
		return;
	}
	check_certificate(e->control, &f);
	has_file = policy_list_mode(trust, &mode, &locked);
	buf_init(&b, RK_PAYLOAD_MAX);
	kv_map(&k, has_file ? 5 : 3);
	kv_pair_bool(&k, "ok", !f.any_wrong);
	if (has_file) {
		put_mode(&k, "mode", mode);
		put_mode(&k, "mode_locked", locked);
	}
	kv_pair_uint(&k, "left_out", f.rows.left_out);
	answer_rows(call, &k, "findings", &f.rows);
}
