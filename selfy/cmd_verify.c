/* -verify: is this certificate one that peers of this CA accept? */
#include <stdio.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

#define KEY_MAX 65536
#define GREEN "\033[32m"
#define RED "\033[31m"
#define PLAIN "\033[0m"

static const char *
word(enum finding_state state)
{
	switch (state) {
	case FINDING_OK:
		return "ok";
	case FINDING_BAD:
		return "bad";
	case FINDING_SKIPPED:
		break;
	}
	return "not checked";
}

static const char *
color(const struct selfy *s, enum finding_state state)
{
	if (!s->out.color_out || state == FINDING_SKIPPED)
		return "";
	return state == FINDING_OK ? GREEN : RED;
}

static void
add(struct findings *f, enum finding_state state, const char *text)
{
	struct finding *item = &f->items[f->n];

	if (f->n == FINDINGS_MAX)
		return;
	item->check = "key file";
	item->state = state;
	(void)str_copy(item->text, sizeof(item->text), text);
	f->n++;
}

/* The key in the file beside the certificate, opened only where that needs no
 * question. */
static void
check_pair(struct selfy *s, const char *path, const struct cert_view *v,
    struct findings *f)
{
	struct key_source from = {
		.path = path,
		.what = "key",
		.flag = "-pass",
		.spec = args_text(s->args, "pass", NULL),
	};
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_secret *text = NULL;
	struct rk_key *key = NULL;
	bool closed = false;
	enum rk_err r;

	r = fs_read_secret(path, FS_ANY, KEY_MAX, &text, &s->err);
	if (r == RK_OK)
		closed = rk_key_is_encrypted(
		    (const char *)rk_secret_peek(text), rk_secret_len(text));
	rk_secret_free(text);
	if (r == RK_ENOENT) {
		add(f, FINDING_SKIPPED, "there is none beside it");
		return;
	}
	if (closed && from.spec == NULL) {
		add(f, FINDING_SKIPPED, "it is encrypted; give -pass");
		return;
	}
	if (r != RK_OK || key_open(s, &from, &key) != RK_OK) {
		add(f, FINDING_BAD, s->err.text);
		return;
	}
	rk_key_public(key, pub);
	rk_key_free(key);
	if (memcmp(pub, v->pub, sizeof(pub)) == 0)
		add(f, FINDING_OK, "it is the certificate's");
	else
		add(f, FINDING_BAD, "it is of another certificate");
}

/* dir/NAME.key for dir/NAME.crt */
static void
check_key_file(struct selfy *s, const char *path, const struct cert_view *v,
    struct findings *f)
{
	char key_path[PATH_LEN];
	size_t len = strlen(path);

	if (len < 4 || strcmp(path + len - 4, ".crt") != 0 ||
	    str_copy(key_path, sizeof(key_path), path) >= sizeof(key_path))
		return;
	(void)str_copy(key_path + len - 4, 5, ".key");
	check_pair(s, key_path, v, f);
	err_clear(&s->err);
	s->retry[0] = '\0';
}

static enum rk_err
show_findings(struct selfy *s, const struct findings *f)
{
	static const struct field fields[] = {
		{ .name = "check" },
		{ .name = "state" },
		{ .name = "text", .kind = FIELD_SHOWN },
	};
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < f->n && r == RK_OK; i++) {
		const struct finding *it = &f->items[i];

		if (s->out.form == OUT_TEXT)
			out_text(&s->out, "  %s%-11s%s  %-10s  %s\n",
			    color(s, it->state), word(it->state),
			    s->out.color_out ? PLAIN : "", it->check, it->text);
		else
			r = show_row(s, fields,
			    sizeof(fields) / sizeof(fields[0]),
			    (const union cell[]){ { .text = it->check },
			        { .text = word(it->state) },
			        { .text = it->text } });
	}
	return r;
}

/* What a person should know who takes it to be for both. */
static const char *
only(enum cert_use use)
{
	if (use == USE_CLIENT)
		return "  client only";
	return use == USE_SERVER ? "  server only" : "";
}

/* why is NULL when all is well. */
static enum rk_err
show_answer(struct selfy *s, const char *path, const struct cert_view *v,
    enum cert_use use, const char *why)
{
	static const struct field fields[] = {
		{ .name = "ok", .kind = FIELD_BOOL },
		{ .name = "file" },
		{ .name = "reason", .kind = FIELD_SHOWN },
		{ .name = "name", .kind = FIELD_SHOWN },
		{ .name = "fp" },
		{ .name = "not_after", .kind = FIELD_TIME },
	};
	enum finding_state state = why == NULL ? FINDING_OK : FINDING_BAD;
	char shown[SHOWN_LEN];
	char ends[64];

	if (why != NULL)
		s->status = rk_err_exit(RK_EFAIL);
	if (s->out.form != OUT_TEXT)
		return show_row(s, fields, sizeof(fields) / sizeof(fields[0]),
		    (const union cell[]){ { .yes = why == NULL },
		        { .text = path }, { .text = why }, { .text = v->cn },
		        { .text = v->fp }, { .number = v->not_after } });
	str_escape(shown, sizeof(shown), path);
	out_text(&s->out, "%s%s%s  %s  ", color(s, state), word(state),
	    s->out.color_out ? PLAIN : "", shown);
	date_ends(ends, sizeof(ends), v->not_after, s->now);
	if (why != NULL)
		out_text(&s->out, "%s\n", why);
	else
		out_text(&s->out, "signed by CA \"%s\"  %s%s\n", s->ca.cn, ends,
		    only(use));
	return RK_OK;
}

static const char *
first_bad(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->items[i].state == FINDING_BAD)
			return f->items[i].text;
	}
	return NULL;
}

static enum rk_err
answer(struct selfy *s, const char *path, const struct cert *c)
{
	bool why = args_flag(s->args, "why");
	struct crl *crl = NULL;
	struct cert_view v;
	struct findings f;
	enum rk_err r;

	if ((r = ca_read_crl(s, &crl)) != RK_OK)
		return r;
	cert_describe(c, &v);
	cert_check(c, s->ca.cert, crl, s->now, &f);
	crl_free(crl);
	if (why) {
		check_key_file(s, path, &v, &f);
		if ((r = show_findings(s, &f)) != RK_OK)
			return r;
	}
	return show_answer(s, path, &v, f.use, first_bad(&f));
}

/* The copy for peers will do where the CA itself is not. */
static enum rk_err
find_ca(struct selfy *s)
{
	enum rk_err r = ca_open_cert(s);
	struct rk_error first = s->err;

	if (r == RK_ENOENT && !s->to_stdout &&
	    ca_open_cert_in(s, s->certs) == RK_OK) {
		err_clear(&s->err);
		return RK_OK;
	}
	s->err = first;
	return r;
}

enum rk_err
cmd_verify(struct selfy *s)
{
	const char *path = args_text(s->args, "verify", "");
	struct cert_view none = { 0 };
	struct cert *c = NULL;
	struct buf text;
	enum rk_err r;

	buf_init(&text, PEM_MAX_BYTES);
	if ((r = find_ca(s)) != RK_OK)
		goto out;
	r = selfy_read_cert(s, path, &c, &text);
	if (r == RK_OK)
		r = answer(s, path, c);
	else if (r == RK_EFORMAT)
		r = show_answer(
		    s, path, &none, USE_NONE, "is no valid certificate");
out:
	cert_free(c);
	buf_wipe(&text);
	return r;
}
