/* rpcd ctl: what changes something. */
#include "cli/ctl.h"

#include "base/error.h"
#include "base/str.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>

static const struct rk_bytes nothing;

/* ---- whom to kick ---- */

/* The one key among the connections that begins so. */
static int
find_key(struct ctl *c, const char *start, char fp[RK_FP_LEN])
{
	const struct rk_value *list;
	struct rk_value_doc *doc;
	char one[RK_FP_LEN];
	int status = ctl_call(c, "_.conns", nothing, &doc, NULL);

	fp[0] = '\0';
	if (status != 0)
		return status;
	list = rk_value_get(rk_value_root(doc), "conns");
	for (uint32_t i = 0; i < ctl_len(list) && status == 0; i++) {
		(void)ctl_text(
		    &list->u.list.items[i], "fingerprint", one, sizeof(one));
		if (one[0] == '\0' || !rk_fp_match(one, start, true))
			continue;
		if (fp[0] != '\0' && strcmp(fp, one) != 0)
			status = out_fail(&c->out, RK_EINVAL,
			    "several keys begin like this one",
			    "give more of the fingerprint");
		(void)str_copy(fp, RK_FP_LEN, one);
	}
	rk_value_free(doc);
	if (status == 0 && fp[0] == '\0')
		status = out_fail(&c->out, RK_ENOENT,
		    "no connection of such a key", "rpcd ctl conns");
	return status;
}

enum whom {
	WHOM_CONN,
	WHOM_KEY,
	WHOM_ADDRESS
};

#define WHOM_LEN 200

struct target {
	enum whom by;
	uint64_t conn;
	char text[WHOM_LEN];
};

/* A group form is pasted with blanks in it, or is several words. */
static bool
join(const char *const *words, size_t n, char dst[WHOM_LEN])
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		for (const char *p = words[i]; *p != '\0'; p++) {
			if (*p == ' ')
				continue;
			if (len + 1 >= WHOM_LEN)
				return false;
			dst[len++] = *p;
		}
	}
	dst[len] = '\0';
	return len != 0;
}

/* What has a dot or a colon is an address. */
static bool
may_begin_key(const char *text)
{
	return strpbrk(text, ".:[") == NULL && strlen(text) >= CTL_FP_START;
}

static int
read_target(const struct ctl *c, struct target *t)
{
	size_t n;
	const char *const *words = args_operands(c->a, &n);

	*t = (struct target){ .by = WHOM_ADDRESS };
	if (!join(words, n, t->text))
		return out_fail(&c->out, RK_EINVAL,
		    "neither an id, a fingerprint nor an address",
		    "rpcd ctl conns");
	if (strcmp(t->text, "0") == 0)
		return out_fail(&c->out, RK_EINVAL,
		    "0 is no id: it is shown of all whose handshake goes on",
		    "rpcd ctl kick ADDRESS, with its port");
	if (str_parse_u64(t->text, 1, UINT64_MAX, &t->conn) == RK_OK)
		t->by = WHOM_CONN;
	else if (strncmp(t->text, "SHA256:", 7) == 0 || may_begin_key(t->text))
		t->by = WHOM_KEY;
	if (strncmp(t->text, "SHA256:", 7) == 0 &&
	    strlen(t->text) < 7 + CTL_FP_START)
		return out_fail(&c->out, RK_EINVAL,
		    "a fingerprint needs at least 8 characters behind SHA256:",
		    NULL);
	return 0;
}

/* The key that the connection of this id has shown. */
static int
key_of_id(struct ctl *c, uint64_t id, char fp[RK_FP_LEN])
{
	const struct rk_value *list;
	struct rk_value_doc *doc;
	int status = ctl_call(c, "_.conns", nothing, &doc, NULL);

	fp[0] = '\0';
	if (status != 0)
		return status;
	list = rk_value_get(rk_value_root(doc), "conns");
	for (uint32_t i = 0; i < ctl_len(list); i++) {
		if (ctl_number(&list->u.list.items[i], "id") == id)
			(void)ctl_text(&list->u.list.items[i], "fingerprint",
			    fp, RK_FP_LEN);
	}
	rk_value_free(doc);
	if (fp[0] == '\0')
		return out_fail(&c->out, RK_ENOENT,
		    "no such connection, or it has shown no key",
		    "rpcd ctl conns");
	return 0;
}

/* Rejecting a key ends its connections; a whole one need not be here. */
static int
kick_and_reject(struct ctl *c, const struct target *t)
{
	char fp[RK_FP_LEN];
	int status = 0;

	switch (t->by) {
	case WHOM_ADDRESS:
		return ctl_reject_at(c, t->text);
	case WHOM_CONN:
		status = key_of_id(c, t->conn, fp);
		break;
	case WHOM_KEY:
		if (strlen(t->text) == RK_FP_LEN - 1)
			return ctl_reject(c, t->text);
		status = find_key(c, t->text, fp);
		break;
	}
	return status == 0 ? ctl_reject(c, fp) : status;
}

int
ctl_kick(struct ctl *c)
{
	struct rk_value_doc *doc;
	struct ctl_pair pair;
	char fp[RK_FP_LEN];
	struct target t;
	int status = read_target(c, &t);

	if (status != 0)
		return status;
	if (args_flag(c->a, "reject"))
		return kick_and_reject(c, &t);
	if (t.by == WHOM_KEY && (status = find_key(c, t.text, fp)) != 0)
		return status;
	if (t.by == WHOM_CONN)
		pair = CTL_NUMBER("conn", t.conn);
	else if (t.by == WHOM_KEY)
		pair = CTL_TEXT("fp", fp);
	else
		pair = CTL_TEXT("address", t.text);
	if ((status = ctl_ask(c, "_.kick", &pair, 1, &doc)) != 0)
		return status;
	if (c->out.form == OUT_JSON)
		status = ctl_json(&c->out, rk_value_root(doc));
	else
		out_note(&c->out, "closed: %" PRIu64,
		    ctl_number(rk_value_root(doc), "kicked"));
	rk_value_free(doc);
	return status;
}

/* ---- a call ---- */

int
ctl_cancel(struct ctl *c)
{
	size_t n;
	const char *const *words = args_operands(c->a, &n);
	struct ctl_pair pairs[3];
	struct rk_value_doc *doc;
	uint64_t conn, call;
	char method[256], shown[300];
	int status;

	if (n != 2 || str_parse_u64(words[0], 1, UINT64_MAX, &conn) != RK_OK ||
	    str_parse_u64(words[1], 1, UINT64_MAX, &call) != RK_OK)
		return out_fail(&c->out, RK_EINVAL,
		    "it takes the numbers of a connection and of a call",
		    "rpcd ctl calls");
	pairs[0] = CTL_NUMBER("conn", conn);
	pairs[1] = CTL_NUMBER("id", call);
	pairs[2] = CTL_TEXT("via", "ctl");
	if ((status = ctl_ask(c, "_.cancel", pairs, 3, &doc)) != 0)
		return status;
	if (c->out.form == OUT_JSON)
		status = ctl_json(&c->out, rk_value_root(doc));
	else
		out_note(&c->out, "canceled: %s",
		    str_escape_again(shown, sizeof(shown),
		        ctl_text(rk_value_root(doc), "method", method,
		            sizeof(method))));
	rk_value_free(doc);
	return status;
}

/* ---- orders ---- */

int
ctl_done(const struct ctl *c, int status, const char *note)
{
	if (status != 0)
		return status;
	if (c->out.form == OUT_JSON)
		out_text(&c->out, "{\"schema\":1,\"ok\":true}\n");
	else
		out_note(&c->out, "%s", note);
	return 0;
}

int
ctl_order(struct ctl *c, const char *method, const char *note)
{
	return ctl_done(c, ctl_call(c, method, nothing, NULL, NULL), note);
}

/* The daemon's reason, as a failure of its own and not of the connection. */
int
ctl_reload(struct ctl *c)
{
	return ctl_order(c, "_.reload", "reloaded");
}

int
ctl_drain(struct ctl *c)
{
	return ctl_order(c, "_.drain", "it takes no more calls, and ends");
}

int
ctl_stop(struct ctl *c)
{
	return ctl_order(c, "_.stop", "it ends");
}
