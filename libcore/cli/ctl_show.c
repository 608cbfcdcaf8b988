/* rpcd ctl: lists, and figures for Prometheus. */
#include "cli/ctl.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

static const struct rk_bytes nothing;

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

/* "tls://[::1]:8443": "::1"; what is no URL of an internet address is as it
 * is. */
static void
cut_to_host(char *url)
{
	char *host = strstr(url, "://"), *end;

	if (host == NULL)
		return;
	host += strlen("://");
	if (host[0] == '[' && (end = strchr(host, ']')) != NULL)
		host++;
	else if (host[0] == '/' || (end = strrchr(host, ':')) == NULL)
		end = host + strlen(host);
	*end = '\0';
	memmove(url, host, strlen(host) + 1);
}

static const char *
text_of(const struct rk_value *row, const char *name, char dst[CELL_LEN])
{
	if (strcmp(name, CTL_HOST) != 0)
		return ctl_text(row, name, dst, CELL_LEN);
	(void)ctl_text(row, "address", dst, CELL_LEN);
	cut_to_host(dst);
	return dst;
}

/* For people: who a key without e-mail is. */
static void
add_name(const struct rk_value *row, const char *name, char dst[CELL_LEN])
{
	char cn[256];

	if (dst[0] == '\0' && strcmp(name, "email") == 0 &&
	    ctl_text(row, "cn", cn, sizeof(cn))[0] != '\0')
		(void)snprintf(dst, CELL_LEN, "CN=%s", cn);
}

/* Texts of a daemon's are escaped by the table. */
static enum rk_err
put_row(struct table *t, const struct rk_value *row, const struct field *fields,
    size_t n, bool names)
{
	static char texts[FIELDS_MAX][CELL_LEN];
	union cell cells[FIELDS_MAX];

	for (size_t i = 0; i < n; i++) {
		switch (fields[i].kind) {
		case FIELD_TEXT:
		case FIELD_SHOWN:
		case FIELD_FIGURE:
		case FIELD_TIME:
			cells[i].text = text_of(row, fields[i].name, texts[i]);
			if (names)
				add_name(row, fields[i].name, texts[i]);
			if (texts[i][0] == '\0')
				cells[i].text = NULL;
			break;
		case FIELD_NUMBER:
			cells[i].number =
			    (int64_t)ctl_number(row, fields[i].name);
			break;
		case FIELD_BOOL:
			cells[i].yes = ctl_yes(row, fields[i].name);
			break;
		case FIELD_JSON:
			cells[i].text = "null";
			break;
		}
	}
	return table_row(t, cells);
}

int
ctl_rows(const struct ctl *c, const struct rk_value *list, enum ctl_of of,
    struct table **t)
{
	size_t n;
	const struct field *fields = ctl_fields(of, &n);
	bool names = c->out.form == OUT_TEXT;
	enum rk_err r = RK_OK;

	if (list == NULL || list->kind != RK_ARRAY)
		return out_fail(&c->out, RK_EPROTO,
		    "the daemon's answer is malformed", NULL);
	if (*t == NULL) {
		r = table_new(&c->out, fields, n, t);
		if (r == RK_OK && of != CTL_METHODS)
			ctl_rooms(*t);
	}
	for (uint32_t i = 0; r == RK_OK && i < list->u.list.count; i++)
		r = put_row(*t, &list->u.list.items[i], fields, n, names);
	return r == RK_OK ? 0 : out_fail(&c->out, r, rk_err_text(r), NULL);
}

void
ctl_rows_end(const struct ctl *c, struct table *t, int status)
{
	/* Before what happens from now on there are only objects. */
	if (status == 0 && !c->holds)
		table_end_list(t);
	else
		table_end(t);
}

int
ctl_list(const struct ctl *c, const struct rk_value *list, enum ctl_of of)
{
	struct table *t = NULL;
	int status = ctl_rows(c, list, of, &t);

	ctl_rows_end(c, t, status);
	return status;
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
