/* -v and -fp: what is in a file, or what a server shows. */
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "selfy.h"

#define LIST_SHOWN 1000 /* entries of a revocation list */

/* What is looked at. */
struct subject {
	const char *arg;
	struct buf text;
	struct pem_list list;
	bool is_server;
};

static void
end_subject(struct subject *sub)
{
	pem_list_fini(&sub->list);
	buf_wipe(&sub->text);
}

static enum rk_err
get_subject(struct selfy *s, struct subject *sub)
{
	char host[256];
	char port[8];

	buf_init(&sub->text, PEM_MAX_BYTES);
	sub->is_server = show_is_server(sub->arg, host, port);
	if (sub->is_server)
		return show_fetch(s, host, port, &sub->list);
	return selfy_read_pem(s, sub->arg, &sub->text, &sub->list);
}

static void
line(struct selfy *s, const char *what, const char *value)
{
	if (value[0] != '\0')
		out_text(&s->out, "  %-10s  %s\n", what, value);
}

static void
cert_lines(struct selfy *s, const struct cert_view *v)
{
	char text[160];
	char from[32];
	char to[32];
	char ends[64];

	line(s, "name", v->cn);
	line(s, "mail", v->mail);
	rk_fp_group(v->fp, text);
	line(s, "key", text);
	if (v->is_ed25519) {
		rk_key_id(v->pub, text);
		line(s, "key id", text);
	} else {
		line(s, "key kind", v->key_kind);
	}
	str_time(from, v->not_before);
	str_time(to, v->not_after);
	date_ends(ends, sizeof(ends), v->not_after, s->now);
	(void)snprintf(text, sizeof(text), "%s to %s (%s)", from, to, ends);
	line(s, "valid", text);
	line(s, "signed by", v->issuer);
	line(s, "signature", v->signature);
	line(s, "serial", v->serial);
	line(s, "subject", v->subject);
	line(s, "names", v->names);
	line(s, "kind", v->is_ca ? "CA" : "client or server");
	line(s, "usage", v->usage);
	line(s, "may be", v->ext_usage);
}

static enum rk_err
cert_row(struct selfy *s, const char *file, const struct cert_view *v,
    const char *pem)
{
	static const struct field fields[] = { { .name = "kind" },
		{ .name = "file" }, { .name = "name", .kind = FIELD_SHOWN },
		{ .name = "mail", .kind = FIELD_SHOWN }, { .name = "fp" },
		{ .name = "key_kind" }, { .name = "key_id" },
		{ .name = "not_before", .kind = FIELD_TIME },
		{ .name = "not_after", .kind = FIELD_TIME },
		{ .name = "issuer", .kind = FIELD_SHOWN },
		{ .name = "issuer_name", .kind = FIELD_SHOWN },
		{ .name = "signature" }, { .name = "serial" },
		{ .name = "subject", .kind = FIELD_SHOWN },
		{ .name = "names", .kind = FIELD_SHOWN },
		{ .name = "ca", .kind = FIELD_BOOL }, { .name = "usage" },
		{ .name = "ext_usage" }, { .name = "pem" } };
	char id[RK_KEY_ID_LEN];

	rk_key_id(v->pub, id);
	return show_row(s, fields, sizeof(fields) / sizeof(fields[0]),
	    (const union cell[]){ { .text = "certificate" }, { .text = file },
	        { .text = v->cn }, { .text = v->mail }, { .text = v->fp },
	        { .text = v->key_kind }, { .text = v->is_ed25519 ? id : NULL },
	        { .number = v->not_before }, { .number = v->not_after },
	        { .text = v->issuer }, { .text = v->issuer_cn },
	        { .text = v->signature }, { .text = v->serial },
	        { .text = v->subject }, { .text = v->names },
	        { .yes = v->is_ca }, { .text = v->usage },
	        { .text = v->ext_usage }, { .text = pem } });
}

static enum rk_err
cert_json(struct selfy *s, const char *file, const struct cert *c,
    const struct cert_view *v)
{
	struct buf pem;
	enum rk_err r;

	buf_init(&pem, 2 * PEM_MAX_BYTES);
	if ((r = cert_put_pem(c, &pem)) == RK_OK)
		r = buf_put(&pem, "", 1);
	if (r == RK_OK)
		r = cert_row(s, file, v, (const char *)buf_peek(&pem));
	else
		err_set(&s->err, r, "%s", rk_err_text(r));
	buf_fini(&pem);
	return r;
}

static void
cert_short(struct selfy *s, const struct cert_view *v)
{
	char day[32];

	date_day(day, sizeof(day), v->not_after);
	out_text(&s->out, "%s  %s  %s  ends %s\n",
	    v->cn[0] != '\0' ? v->cn : "-", v->mail[0] != '\0' ? v->mail : "-",
	    v->fp, day);
}

static enum rk_err
view_cert(
    struct selfy *s, const struct subject *sub, const struct pem_item *item)
{
	struct cert *c = NULL;
	struct cert_view v;
	char shown[SHOWN_LEN];
	enum rk_err r;

	r = cert_decode(sub->arg, item->der, item->len, &c, &s->err);
	if (r != RK_OK)
		return r;
	cert_describe(c, &v);
	if (s->out.form != OUT_TEXT) {
		r = cert_json(s, sub->arg, c, &v);
	} else if (args_flag(s->args, "short")) {
		cert_short(s, &v);
	} else {
		out_text(&s->out, "%s: certificate\n",
		    str_escape(shown, sizeof(shown), sub->arg));
		cert_lines(s, &v);
	}
	cert_free(c);
	return r;
}

static enum rk_err
view_csr(
    struct selfy *s, const struct subject *sub, const struct pem_item *item)
{
	static const struct field fields[] = { { .name = "kind" },
		{ .name = "file" }, { .name = "subject", .kind = FIELD_SHOWN },
		{ .name = "names", .kind = FIELD_SHOWN },
		{ .name = "key_kind" }, { .name = "fp" },
		{ .name = "signed", .kind = FIELD_BOOL } };
	struct csr_view v;
	char text[RK_FP_GROUPED_LEN];
	char shown[SHOWN_LEN];
	enum rk_err r;

	r = csr_describe(sub->arg, item->der, item->len, &v, &s->err);
	if (r != RK_OK)
		return r;
	if (s->out.form != OUT_TEXT)
		return show_row(s, fields, sizeof(fields) / sizeof(fields[0]),
		    (const union cell[]){ { .text = "request" },
		        { .text = sub->arg }, { .text = v.subject },
		        { .text = v.names }, { .text = v.key_kind },
		        { .text = v.fp }, { .yes = v.is_signed } });
	str_escape(shown, sizeof(shown), sub->arg);
	if (args_flag(s->args, "short")) {
		out_text(&s->out, "%s  %s\n", v.subject, v.fp);
		return RK_OK;
	}
	out_text(&s->out, "%s: signing request\n", shown);
	line(s, "subject", v.subject);
	line(s, "names", v.names);
	line(s, "key kind", v.key_kind);
	rk_fp_group(v.fp, text);
	line(s, "key", text);
	line(s, "signature", v.is_signed ? "ok" : "not proven");
	return RK_OK;
}

static void
crl_lines(struct selfy *s, const struct crl *crl, const struct crl_view *v)
{
	char text[64];
	char serial[132];
	int64_t when;

	line(s, "signed by", v->issuer);
	line(s, "number", v->number);
	str_time(text, v->this_update);
	line(s, "made", text);
	str_time(text, v->next_update);
	line(s, "ends", v->next_update == 0 ? "" : text);
	(void)snprintf(text, sizeof(text), "%zu", v->entries);
	line(s, "revoked", text);
	for (size_t i = 0; i < LIST_SHOWN && crl_entry(crl, i, serial, &when);
	     i++) {
		str_time(text, when);
		out_text(&s->out, "              %s  %s\n", text, serial);
	}
	if (v->entries > LIST_SHOWN)
		out_note(&s->out, "the first %d are shown", LIST_SHOWN);
}

static enum rk_err
view_crl(
    struct selfy *s, const struct subject *sub, const struct pem_item *item)
{
	static const struct field fields[] = { { .name = "kind" },
		{ .name = "file" }, { .name = "issuer", .kind = FIELD_SHOWN },
		{ .name = "number" },
		{ .name = "this_update", .kind = FIELD_TIME },
		{ .name = "next_update", .kind = FIELD_TIME },
		{ .name = "entries", .kind = FIELD_NUMBER } };
	struct crl *crl = NULL;
	struct crl_view v;
	char shown[SHOWN_LEN];
	enum rk_err r;

	r = crl_decode(sub->arg, item->der, item->len, &crl, &s->err);
	if (r != RK_OK)
		return r;
	crl_describe(crl, &v);
	if (s->out.form != OUT_TEXT) {
		r = show_row(s, fields, sizeof(fields) / sizeof(fields[0]),
		    (const union cell[]){ { .text = "revocation list" },
		        { .text = sub->arg }, { .text = v.issuer },
		        { .text = v.number }, { .number = v.this_update },
		        { .number = v.next_update },
		        { .number = (int64_t)v.entries } });
	} else {
		out_text(&s->out, "%s: revocation list\n",
		    str_escape(shown, sizeof(shown), sub->arg));
		crl_lines(s, crl, &v);
	}
	crl_free(crl);
	return r;
}

static enum rk_err
view_item(struct selfy *s, const struct subject *sub, size_t i, size_t *shown)
{
	const struct pem_item *item = &sub->list.items[i];

	(*shown)++;
	switch (item->kind) {
	case PEM_CERT:
		return view_cert(s, sub, item);
	case PEM_CSR:
		return view_csr(s, sub, item);
	case PEM_CRL:
		return view_crl(s, sub, item);
	case PEM_KEY:
	case PEM_OTHER:
		break;
	}
	(*shown)--;
	return RK_OK;
}

enum rk_err
cmd_view(struct selfy *s)
{
	struct subject sub = { .arg = args_text(s->args, "v", "") };
	char name[SHOWN_LEN];
	size_t shown = 0;
	enum rk_err r;

	if ((r = get_subject(s, &sub)) != RK_OK)
		goto out;
	for (size_t i = 0; i < sub.list.n; i++) {
		if ((r = view_item(s, &sub, i, &shown)) != RK_OK)
			goto out;
	}
	if (sub.list.more)
		out_warn(&s->out, "there are more, which are not shown");
	if (shown == 0) {
		selfy_retry(
		    s, "selfy -fp %s", str_escape(name, sizeof(name), sub.arg));
		r = selfy_fail(s, RK_EFORMAT, sub.arg,
		    "holds a private key and no certificate");
	}
out:
	end_subject(&sub);
	return r;
}

static enum rk_err
key_fp(struct selfy *s, const struct subject *sub, char fp[RK_FP_LEN])
{
	struct key_source from = {
		.path = sub->arg,
		.what = "key",
		.flag = "-pass",
		.spec = args_text(s->args, "pass", NULL),
	};
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_key *key = NULL;
	enum rk_err r;

	/* A file is opened anew, for its mode and owner to be checked. */
	if (strcmp(sub->arg, "-") == 0)
		r = key_parse(s, &from, &sub->text, &key);
	else
		r = key_open(s, &from, &key);
	if (r != RK_OK)
		return r;
	rk_key_public(key, pub);
	rk_fp_of_key(pub, fp);
	rk_key_free(key);
	return RK_OK;
}

static enum rk_err
item_fp(struct selfy *s, const struct subject *sub, const struct pem_item *item,
    char fp[RK_FP_LEN])
{
	struct cert_view v;
	struct csr_view request;
	struct cert *c = NULL;
	enum rk_err r = RK_OK;

	fp[0] = '\0';
	switch (item->kind) {
	case PEM_CERT:
		r = cert_decode(sub->arg, item->der, item->len, &c, &s->err);
		if (r != RK_OK)
			break;
		cert_describe(c, &v);
		(void)str_copy(fp, RK_FP_LEN, v.fp);
		cert_free(c);
		break;
	case PEM_CSR:
		r = csr_describe(
		    sub->arg, item->der, item->len, &request, &s->err);
		if (r == RK_OK)
			(void)str_copy(fp, RK_FP_LEN, request.fp);
		break;
	case PEM_KEY:
		r = key_fp(s, sub, fp);
		break;
	case PEM_CRL:
	case PEM_OTHER:
		break;
	}
	return r;
}

static enum rk_err
show_fp(struct selfy *s, const char *file, const char *fp)
{
	static const struct field fields[] = {
		{ .name = "file" },
		{ .name = "fp" },
		{ .name = "words" },
	};
	bool has_words = args_flag(s->args, "words");
	char words[RK_FP_WORDS_LEN];

	rk_fp_words(fp, words);
	if (s->out.form != OUT_TEXT)
		return show_row(s, fields, has_words ? 3 : 2,
		    (const union cell[]){
		        { .text = file }, { .text = fp }, { .text = words } });
	out_text(&s->out, "%s\n", fp);
	if (has_words)
		out_text(&s->out, "%s\n", words);
	return RK_OK;
}

enum rk_err
cmd_fp(struct selfy *s)
{
	struct subject sub = { .arg = args_text(s->args, "fp", "") };
	char fp[RK_FP_LEN];
	bool key_seen = false;
	size_t shown = 0;
	enum rk_err r;

	if ((r = get_subject(s, &sub)) != RK_OK)
		goto out;
	for (size_t i = 0; i < sub.list.n; i++) {
		/* A key file is read up to its first key, here as elsewhere. */
		if (sub.list.items[i].kind == PEM_KEY) {
			if (key_seen)
				continue;
			key_seen = true;
		}
		if ((r = item_fp(s, &sub, &sub.list.items[i], fp)) != RK_OK)
			goto out;
		if (fp[0] == '\0')
			continue;
		if ((r = show_fp(s, sub.arg, fp)) != RK_OK)
			goto out;
		shown++;
		/* Of what a server shows, the first is its own. */
		if (sub.is_server)
			break;
	}
	if (shown == 0)
		r = selfy_fail(s, RK_EFORMAT, sub.arg,
		    "holds neither certificate, request nor key");
out:
	end_subject(&sub);
	return r;
}
