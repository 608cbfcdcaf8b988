/* rpcd ctl trust: the audit, lists of keys in and out, and what is wrong. */
#include "cli/ctl.h"

#include "base/fs.h"
#include "base/str.h"

#include <rpckit/message.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)16 << 20)              /* of an import, */
#define PART_MAX ((size_t)RK_PAYLOAD_MAX - 1024) /* of one call */
#define EXPORT_MAX ((size_t)64 << 20)
#define WRONG_TEXT 400

static const struct rk_bytes nothing;

/* ---- the audit ---- */

#define LINES_USUAL 100
#define LINES_PART 1000 /* of one answer */

struct auditing {
	char who[CTL_WHO_LEN]; /* "": all keys */
	uint64_t left;         /* lines that may come */
	uint64_t before;       /* those that came begin here; 0: none did */
	struct table *table;
};

/* Lines have numbers, which only grow: what is written meanwhile is behind
 * all that is still to come. */
static int
take_part(struct ctl *c, struct auditing *g, const struct rk_value *root)
{
	const struct rk_value *lines = rk_value_get(root, "lines");
	const uint32_t n = ctl_len(lines);
	int status = ctl_rows(c, lines, CTL_AUDIT, &g->table);
	uint64_t last;

	if (status != 0)
		return status;
	g->left = n < g->left ? g->left - n : 0;
	if (n == 0 || (n < LINES_PART && ctl_number(root, "left_out") == 0))
		g->left = 0;
	if (g->left == 0)
		return 0;
	last = ctl_number(&lines->u.list.items[n - 1], "id");
	if (last == 0 || (g->before != 0 && last >= g->before))
		return out_fail(&c->out, RK_EPROTO,
		    "the daemon's answer is malformed", NULL);
	g->before = last;
	return 0;
}

static int
fetch_part(struct ctl *c, struct auditing *g)
{
	struct ctl_pair pairs[3];
	struct rk_value_doc *doc;
	size_t n = 0;
	int status;

	pairs[n++] =
	    CTL_NUMBER("max", g->left < LINES_PART ? g->left : LINES_PART);
	if (g->before != 0)
		pairs[n++] = CTL_NUMBER("before", g->before);
	if (g->who[0] != '\0')
		pairs[n++] = CTL_TEXT("key", g->who);
	if ((status = ctl_ask(c, "_.audit", pairs, n, &doc)) != 0)
		return status;
	status = take_part(c, g, rk_value_root(doc));
	rk_value_free(doc);
	return status;
}

int
ctl_audit(const struct ctl_wish *w)
{
	struct auditing g = { .left =
		                  args_number(w->ctl->a, "max", LINES_USUAL) };
	int status = w->n > 0 ? ctl_join_fp(w, 0, w->n, g.who) : 0;

	if (g.left == 0)
		g.left = UINT64_MAX;
	while (status == 0 && g.left > 0)
		status = fetch_part(w->ctl, &g);
	ctl_rows_end(w->ctl, g.table, status);
	return status;
}

/* ---- in ---- */

static int
read_text(const struct ctl *c, const char *path, struct buf *b)
{
	struct rk_error err = { 0 };
	struct stat st;
	int fd = STDIN_FILENO;
	enum rk_err r = RK_OK;

	if (strcmp(path, "-") != 0)
		r = fs_open(path, 0, &fd, &st, &err);
	if (r == RK_OK)
		r = fs_read_fd(fd, TEXT_MAX, b, &err);
	if (fd > STDIN_FILENO)
		(void)close(fd);
	if (r == RK_ETOOBIG)
		return out_fail(&c->out, r,
		    "trust import: more than 16 MiB: no list of known keys is "
		    "so long",
		    NULL);
	return r == RK_OK ? 0 : out_error(&c->out, &err, NULL);
}

/* "3, 17, 18" */
static void
list_lines(const struct rk_value *root, const char *key, char dst[WRONG_TEXT])
{
	const struct rk_value *list = rk_value_get(root, key);
	size_t n = 0;

	dst[0] = '\0';
	for (uint32_t i = 0; i < ctl_len(list) && n + 24 < WRONG_TEXT; i++) {
		if (list->u.list.items[i].kind == RK_UINT)
			n += (size_t)snprintf(dst + n, WRONG_TEXT - n,
			    "%s%" PRIu64, n > 0 ? ", " : "",
			    list->u.list.items[i].u.u64);
	}
}

static int
tell_import(const struct ctl *c, const struct rk_value *root)
{
	uint64_t wrong = ctl_number(root, "wrong");
	uint64_t taken = ctl_number(root, "taken");
	char lines[WRONG_TEXT], text[WRONG_TEXT + 100];
	int status = 0;

	if (c->out.form == OUT_JSON)
		status = ctl_json(&c->out, root);
	if (status != 0)
		return status;
	if (wrong == 0)
		out_note(&c->out,
		    "%" PRIu64 " new, %" PRIu64 " known already, %" PRIu64
		    " stay out",
		    ctl_number(root, "new"), ctl_number(root, "known"),
		    ctl_number(root, "out"));
	if (wrong == 0 && taken == 0)
		return 0;
	list_lines(root, wrong > 0 ? "lines" : "taken_lines", lines);
	(void)snprintf(text, sizeof(text),
	    wrong > 0 ? "nothing is imported: no known keys in %" PRIu64
	                " lines: %s"
	              : "another key is known for the e-mail of %" PRIu64
	                " lines, which are left out: %s",
	    wrong > 0 ? wrong : taken, lines);
	return out_fail(&c->out, wrong > 0 ? RK_EFORMAT : RK_EDENIED, text,
	    wrong > 0 ? NULL
	              : "ask the owner; then rpcd ctl trust replace OLD NEW, "
	                "or import --changed");
}

/* In as many parts as it takes; the last one's answer. */
static int
send_text(
    const struct ctl_wish *w, const struct buf *b, struct rk_value_doc **doc)
{
	const char *text = (const char *)buf_peek(b);
	size_t left = buf_len(b), at = 0;
	int status = 0;

	*doc = NULL;
	while (status == 0 && left > PART_MAX) {
		const struct ctl_pair part[] = {
			{ .key = "text",
			    .kind = RK_STR,
			    .text = { text + at, PART_MAX } },
			CTL_NUMBER("from", at), CTL_BOOL("more", true)
		};

		status = ctl_ask(w->ctl, "_.import", part, 3, NULL);
		at += PART_MAX;
		left -= PART_MAX;
	}
	struct ctl_pair last[5] = { CTL_TEXT("via", CTL_VIA),
		{ .key = "text",
		    .kind = RK_STR,
		    .text = { left > 0 ? text + at : "", left } } };
	size_t n = 2;

	/* A daemon that is older knows of no parts. */
	if (at > 0)
		last[n++] = CTL_NUMBER("from", at);
	if (args_flag(w->ctl->a, "changed"))
		last[n++] = CTL_BOOL("changed", true);
	return status == 0 ? ctl_ask(w->ctl, "_.import", last, n, doc) : status;
}

int
ctl_import(const struct ctl_wish *w)
{
	struct rk_value_doc *doc = NULL;
	struct buf b;
	int status;

	if (w->n != 1)
		return out_fail(&w->ctl->out, RK_EINVAL,
		    "trust import: a file, or - for standard input",
		    "rpcd ctl help trust");
	buf_init(&b, TEXT_MAX + 1);
	status = read_text(w->ctl, w->words[0], &b);
	if (status == 0)
		status = send_text(w, &b, &doc);
	buf_fini(&b);
	if (status != 0)
		return status;
	status = tell_import(w->ctl, rk_value_root(doc));
	rk_value_free(doc);
	return status;
}

/* ---- out ---- */

#define SUM_LEN 80 /* with NUL; what the daemon calls this text */

/* The next part; *from is where the one behind it begins, 0 for none.  It must
 * be of the text of which the first was. */
static int
fetch(struct ctl *c, uint64_t *from, char sum[SUM_LEN], struct buf *b)
{
	const struct ctl_pair at[] = { CTL_NUMBER("from", *from),
		CTL_TEXT("sum", sum) };
	const struct rk_value *text;
	struct rk_value_doc *doc;
	uint64_t next;
	int status = ctl_ask(c, "_.export", at, *from != 0 ? 2 : 0, &doc);
	enum rk_err r = RK_OK;

	if (status != 0)
		return status;
	text = rk_value_get(rk_value_root(doc), "text");
	next = ctl_number(rk_value_root(doc), "next");
	(void)ctl_text(rk_value_root(doc), "sum", sum, SUM_LEN);
	/* Parts without a byte would have no end. */
	if (text == NULL || text->kind != RK_STR ||
	    (next != 0 && (next <= *from || text->u.bytes.len == 0)))
		r = RK_EPROTO;
	else
		r = buf_put(b, text->u.bytes.ptr, text->u.bytes.len);
	rk_value_free(doc);
	*from = next;
	return r == RK_OK ? 0
	                  : out_fail(&c->out, r,
	                        "the daemon's answer is malformed", NULL);
}

/* Lines for a terminal: what is no text of a line is harmless there. */
static enum rk_err
show_escaped(const struct out *o, const struct buf *b)
{
	const char *at = (const char *)buf_peek(b), *end = at + buf_len(b);
	char *line = NULL, *shown = NULL;
	enum rk_err r = RK_OK;

	while (r == RK_OK && at < end) {
		size_t len = (size_t)(end - at), n = strnlen(at, len);
		const char *nl = memchr(at, '\n', n);

		n = nl == NULL ? n : (size_t)(nl - at);
		line = strndup(at, n);
		shown = malloc(4 * n + 1);
		if (line == NULL || shown == NULL)
			r = RK_ENOMEM;
		else
			out_text(o, "%s%s",
			    str_escape_again(shown, 4 * n + 1, line),
			    n == len        ? ""
			    : at[n] == '\n' ? "\n"
			                    : "\\x00");
		free(line);
		free(shown);
		at += n < len ? n + 1 : n;
	}
	return r;
}

static int
show_lines(const struct out *o, const struct buf *b)
{
	enum rk_err r = RK_OK;

	if (isatty(STDOUT_FILENO) == 1 && buf_len(b) > 0)
		r = show_escaped(o, b);
	else
		out_bytes(o, buf_peek(b), buf_len(b)); /* as they are */
	return r == RK_OK ? 0 : out_fail(o, r, rk_err_text(r), NULL);
}

static int
show_text(const struct ctl *c, const struct buf *b)
{
	struct rk_value_doc *doc;
	struct rk_value *v;
	int status = 0;
	enum rk_err r;

	if (c->out.form != OUT_JSON)
		return show_lines(&c->out, b);
	if ((r = rk_value_new(&doc)) != RK_OK)
		return out_fail(&c->out, r, rk_err_text(r), NULL);
	v = rk_value_root(doc);
	if ((r = rk_value_set_list(doc, v, RK_MAP, 1)) == RK_OK &&
	    (r = rk_value_set_bytes(
	         doc, &v->u.list.items[0], RK_STR, "text", 4)) == RK_OK)
		r = rk_value_set_bytes(
		    doc, &v->u.list.items[1], RK_STR, buf_peek(b), buf_len(b));
	status = r == RK_OK ? ctl_json(&c->out, v)
	                    : out_fail(&c->out, r, rk_err_text(r), NULL);
	rk_value_free(doc);
	return status;
}

int
ctl_export(const struct ctl_wish *w)
{
	char sum[SUM_LEN] = "";
	uint64_t from = 0;
	struct buf b;
	int status;

	buf_init(&b, EXPORT_MAX);
	do {
		status = fetch(w->ctl, &from, sum, &b);
	} while (status == 0 && from != 0);
	if (status == 0)
		status = show_text(w->ctl, &b);
	buf_fini(&b);
	return status;
}

/* ---- checked ---- */

static void
show_findings(const struct ctl *c, const struct rk_value *root)
{
	const struct rk_value *list = rk_value_get(root, "findings");
	const char *gap = c->out.form == OUT_PLAIN ? "\t" : "  ";
	char raw[600], text[1300];

	for (uint32_t i = 0; i < ctl_len(list); i++) {
		const struct rk_value *f = &list->u.list.items[i];

		(void)ctl_text(f, "text", raw, sizeof(raw));
		out_text(&c->out, "%s%s%s\n",
		    ctl_yes(f, "wrong") ? "wrong" : "note", gap,
		    str_escape_again(text, sizeof(text), raw));
	}
	if (ctl_yes(root, "ok") && c->out.form != OUT_PLAIN)
		out_text(&c->out, "nothing is wrong\n");
}

int
ctl_check(const struct ctl_wish *w)
{
	struct rk_value_doc *doc;
	int status = ctl_call(w->ctl, "_.check", nothing, &doc, NULL);

	if (status != 0)
		return status;
	if (w->ctl->out.form == OUT_JSON)
		status = ctl_json(&w->ctl->out, rk_value_root(doc));
	else
		show_findings(w->ctl, rk_value_root(doc));
	if (status == 0 && !ctl_yes(rk_value_root(doc), "ok"))
		status = 1;
	rk_value_free(doc);
	return status;
}
