/* What is shown, written to a file: an object of JSON a line. */
#include "extra.h"

#include "dialog.h"
#include "words.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/out.h"

#include <inttypes.h>
#include <stdio.h>

#define EXPORT_MAX (64u << 20)

/* ---- objects ---- */

static enum rk_err
put_key(struct buf *b, const char *key)
{
	return buf_printf(b, ",\"%s\":", key);
}

static enum rk_err
put_text(struct buf *b, const char *key, const char *text)
{
	enum rk_err r = put_key(b, key);

	return r != RK_OK ? r : out_json_string(b, text, strlen(text));
}

static enum rk_err
put_number(struct buf *b, const char *key, uint64_t n)
{
	enum rk_err r = put_key(b, key);

	return r != RK_OK ? r : buf_printf(b, "%" PRIu64, n);
}

static enum rk_err
put_texts(struct buf *b, size_t n, const char *const pairs[][2])
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = put_text(b, pairs[i][0], pairs[i][1]);
	return r;
}

static enum rk_err
put_conn(struct buf *b, const struct model_conn *c)
{
	const char *const texts[][2] = { { "state", words_conn_state(c) },
		{ "transport", c->transport }, { "address", c->address },
		{ "email", c->email }, { "fingerprint", c->fp },
		{ "since", c->since } };
	enum rk_err r;

	if ((r = put_number(b, "id", c->id)) == RK_OK &&
	    (r = put_texts(b, 6, texts)) == RK_OK &&
	    (r = put_number(b, "running", c->running)) == RK_OK &&
	    (r = put_number(b, "calls", c->calls)) == RK_OK &&
	    (r = put_number(b, "bytes_in", c->in)) == RK_OK)
		r = put_number(b, "bytes_out", c->out);
	return r;
}

static enum rk_err
put_model_key(struct buf *b, const struct model_key *k)
{
	const char *const texts[][2] = { { "state", words_key_state(k->state) },
		{ "email", k->email }, { "fingerprint", k->fp },
		{ "address", k->address }, { "ca", k->ca },
		{ "first_seen", k->first_seen }, { "last_seen", k->last_seen },
		{ "cert_until", k->cert_until }, { "note", k->note } };
	enum rk_err r = put_texts(b, 9, texts);

	if (r == RK_OK && (r = put_number(b, "tries", k->tries)) == RK_OK)
		r = put_number(b, "waiting", k->conns);
	return r;
}

static enum rk_err
put_call(struct ui *ui, struct buf *b, const struct model_call *c)
{
	const char *const texts[][2] = { { "method", c->method },
		{ "address", c->address }, { "email", c->email },
		{ "file", c->file } };
	int64_t age = ui_now(ui) - c->began_ms;
	/* What has none has no such member, as in _.calls. */
	enum rk_err r = put_texts(b, c->file[0] != '\0' ? 4 : 3, texts);

	if (r == RK_OK && (r = put_number(b, "conn", c->conn)) == RK_OK)
		r = put_number(b, "age_ms", age > 0 ? (uint64_t)age : 0);
	return r;
}

static enum rk_err
put_line(struct buf *b, const struct model_line *l)
{
	const char *const texts[][2] = { { "time", l->time },
		{ "level", words_level(l->level) },
		{ "subsystem", l->subsystem }, { "text", l->text } };
	enum rk_err r = put_number(b, "seq", l->seq);

	return r != RK_OK ? r : put_texts(b, 4, texts);
}

static enum rk_err
put_method(struct buf *b, const struct rk_value *v)
{
	char name[256], about[512];
	const char *const texts[][2] = {
		{ "method", ctl_text(v, "name", name, sizeof(name)) },
		{ "about", ctl_text(v, "about", about, sizeof(about)) },
	};

	return put_texts(b, 2, texts);
}

static enum rk_err
put_asked(struct buf *b, const struct model_asked *q)
{
	const char *const texts[][2] = { { "key", q->name },
		{ "what", q->what }, { "who", q->who } };
	enum rk_err r = put_number(b, "asked", q->id);

	return r != RK_OK ? r : put_texts(b, 3, texts);
}

static enum rk_err
put_held(struct buf *b, const struct model_held *h)
{
	const char *const texts[][2] = { { "open", h->name },
		{ "last", h->last } };
	enum rk_err r = put_texts(b, 2, texts);

	return r != RK_OK ? r : put_number(b, "used", h->used);
}

static enum rk_err
put_row(struct ui *ui, struct buf *b, const struct row *r)
{
	switch (r->kind) {
	case ROW_HEAD:
		break;
	case ROW_CONN:
		return put_conn(b, &ui->m->conns[r->at]);
	case ROW_KEY:
		return put_model_key(b, &ui->m->keys[r->at]);
	case ROW_CALL:
		return put_call(ui, b, &ui->m->calls[r->at]);
	case ROW_METHOD:
		return put_method(b, view_method(ui->m, r->at));
	case ROW_ASKED:
		return put_asked(b, &ui->m->agent.asked[r->at]);
	case ROW_HELD:
		return put_held(b, &ui->m->agent.held[r->at]);
	case ROW_FACT:
		return put_text(b, ui->m->status.facts[r->at].key,
		    ui->m->status.facts[r->at].text);
	case ROW_LINE:
		return put_line(b, view_line(ui->m, r->at));
	}
	return RK_OK;
}

static enum rk_err
put_rows(struct ui *ui, struct buf *b)
{
	const struct list *l = &ui->lists[ui->tab];
	enum rk_err r = RK_OK;

	ui_list_fresh(ui);
	for (size_t i = 0; i < l->rows.n && r == RK_OK; i++) {
		if (l->rows.v[i].kind == ROW_HEAD)
			continue;
		if ((r = buf_put_str(b, "{\"schema\":1")) == RK_OK &&
		    (r = put_row(ui, b, &l->rows.v[i])) == RK_OK)
			r = buf_put_str(b, "}\n");
	}
	return r;
}

static enum rk_err
put_pane(const struct pane *p, struct buf *b)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < p->text.n && r == RK_OK; i++) {
		if ((r = buf_put_str(b, "{\"schema\":1")) == RK_OK &&
		    (r = put_text(b, "text", p->text.lines[i].bytes)) == RK_OK)
			r = buf_put_str(b, "}\n");
	}
	return r;
}

/* ---- the file ---- */

static void write_to(struct ui *ui, const char *path, bool replace);

static void
overwrite(struct ui *ui, struct dialog *d, int button)
{
	if (button == 1)
		write_to(ui, d->path, true);
}

static void
ask_overwrite(struct ui *ui, const char *path)
{
	struct dialog *d = dialog_open(ui, " Overwrite? ", overwrite);

	if (d == NULL)
		return;
	(void)str_copy(d->path, sizeof(d->path), path);
	text_add(&d->body, ROLE_WAIT, "%s is there already.", path);
	dialog_buttons(d, dialog_no_yes);
	d->hints = "y overwrite  n, Esc no";
}

static void
write_to(struct ui *ui, const char *path, bool replace)
{
	struct rk_error err = { 0 };
	struct buf b;
	enum rk_err r;

	buf_init(&b, EXPORT_MAX);
	r = ui->trace != NULL ? put_pane(ui->pane, &b) : put_rows(ui, &b);
	if (r == RK_OK)
		r = fs_write_file(
		    path, buf_peek(&b), buf_len(&b), 0600, replace, &err);
	buf_fini(&b);
	if (r == RK_OK)
		ui_say(ui, ROLE_GOOD, "written: %s", path);
	else if (r == RK_EEXIST && !replace)
		ask_overwrite(ui, path);
	else
		ui_say(ui, ROLE_BAD, "%s",
		    err.text[0] != '\0' ? err.text : rk_err_text(r));
}

static void
named(struct ui *ui, const char *text)
{
	if (text != NULL && text[0] != '\0')
		write_to(ui, text, false);
}

void
export_ask(struct ui *ui)
{
	char name[80];

	(void)snprintf(name, sizeof(name), "rpctui-%s.ndjson",
	    ui->trace != NULL ? "trace" : view_tab_name(ui->tab));
	ui_ask(ui, "write to: ", name, named);
}
