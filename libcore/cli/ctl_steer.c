/* rpcd ctl: what changes something. */
#include "cli/ctl.h"

#include "base/error.h"
#include "base/str.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>

#define FP_START 8 /* characters of a fingerprint that say which, at least */

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
	for (uint32_t i = 0; list != NULL && list->kind == RK_ARRAY &&
	                     i < list->u.list.count && status == 0;
	     i++) {
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

/* A group form is pasted with blanks in it. */
static bool
without_blanks(const char *text, char *dst, size_t len)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		if (n + 1 >= len)
			return false;
		dst[n++] = *text;
	}
	dst[n] = '\0';
	return n != 0;
}

/* {"conn": id}: the number is no text. */
static struct rk_bytes
pack_id(uint8_t dst[CTL_PACK_MAX], uint64_t id)
{
	static const uint8_t head[] = { 0x81, 0xa4, 'c', 'o', 'n', 'n', 0xcf };

	memcpy(dst, head, sizeof(head));
	for (size_t i = 0; i < 8; i++)
		dst[sizeof(head) + i] = (uint8_t)(id >> (56 - 8 * i));
	return (struct rk_bytes){ dst, sizeof(head) + 8 };
}

static int
pack_target(struct ctl *c, const char *who, uint8_t dst[CTL_PACK_MAX],
    struct rk_bytes *out)
{
	const char *key = "address";
	char text[200], fp[RK_FP_LEN];
	uint64_t id;
	int status;

	if (!without_blanks(who, text, sizeof(text)))
		return out_fail(&c->out, RK_EINVAL,
		    "neither an id, a fingerprint nor an address",
		    "rpcd ctl conns");
	if (str_parse_u64(text, 1, UINT64_MAX, &id) == RK_OK) {
		*out = pack_id(dst, id);
		return 0;
	}
	if (strncmp(text, "SHA256:", 7) == 0) {
		if (strlen(text) < 7 + FP_START)
			return out_fail(&c->out, RK_EINVAL,
			    "a fingerprint needs at least 8 characters behind "
			    "SHA256:",
			    NULL);
		if ((status = find_key(c, text, fp)) != 0)
			return status;
		key = "fp";
		(void)str_copy(text, sizeof(text), fp);
	}
	if (ctl_pack(dst, key, text, out) != RK_OK)
		return out_fail(&c->out, RK_ENOMEM, "out of memory", NULL);
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
	for (uint32_t i = 0;
	     list != NULL && list->kind == RK_ARRAY && i < list->u.list.count;
	     i++) {
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

/* Rejecting a key ends its connections. */
static int
kick_and_reject(struct ctl *c, const char *who)
{
	char text[200], fp[RK_FP_LEN];
	uint64_t id;
	int status;

	if (without_blanks(who, text, sizeof(text)) &&
	    strncmp(text, "SHA256:", 7) == 0) {
		/* A whole one need not be here at the moment. */
		if (strlen(text) == RK_FP_LEN - 1)
			return ctl_reject(c, text);
		if ((status = find_key(c, text, fp)) != 0)
			return status;
		return ctl_reject(c, fp);
	}
	if (str_parse_u64(text, 1, UINT64_MAX, &id) != RK_OK)
		return ctl_reject_at(c, text);
	if ((status = key_of_id(c, id, fp)) != 0)
		return status;
	return ctl_reject(c, fp);
}

int
ctl_kick(struct ctl *c)
{
	const char *const *words;
	struct rk_value_doc *doc;
	uint8_t target[CTL_PACK_MAX];
	struct rk_bytes payload;
	size_t n;
	int status;

	words = args_operands(c->a, &n);
	if (args_flag(c->a, "reject"))
		return kick_and_reject(c, words[0]);
	if ((status = pack_target(c, words[0], target, &payload)) != 0 ||
	    (status = ctl_call(c, "_.kick", payload, &doc, NULL)) != 0)
		return status;
	if (c->out.form == OUT_JSON)
		status = ctl_json(&c->out, rk_value_root(doc));
	else
		out_note(&c->out, "closed: %" PRIu64,
		    ctl_number(rk_value_root(doc), "kicked"));
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
ctl_order(struct ctl *c, const char *method, struct rk_bytes payload,
    const char *note)
{
	return ctl_done(c, ctl_call(c, method, payload, NULL, NULL), note);
}

/* The daemon's reason, as a failure of its own and not of the connection. */
int
ctl_reload(struct ctl *c)
{
	return ctl_order(c, "_.reload", nothing, "reloaded");
}

int
ctl_drain(struct ctl *c)
{
	return ctl_order(
	    c, "_.drain", nothing, "it takes no more calls, and ends");
}

int
ctl_stop(struct ctl *c)
{
	return ctl_order(c, "_.stop", nothing, "it ends");
}
