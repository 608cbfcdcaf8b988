/* rpcd ctl: status, in a few lines for people. */
#include "cli/ctl.h"

#include "base/str.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WINDOW_MS 400 /* over which rates are measured */
#define FACT_LEN 520

static const struct rk_bytes nothing;

/* How fast, between two looks. */
struct rates {
	uint64_t in; /* bytes a second */
	uint64_t out;
	uint64_t ms;
};

/* A member, escaped; "" where it is not there. */
static const char *
shown(const struct rk_value *map, const char *key, char *dst, size_t len)
{
	char raw[FACT_LEN];

	(void)str_escape_again(dst, len, ctl_text(map, key, raw, sizeof(raw)));
	return dst;
}

/* "4,096" */
static const char *
count(uint64_t n, char dst[32])
{
	char raw[24];
	size_t len, at = 0;

	len = (size_t)snprintf(raw, sizeof(raw), "%" PRIu64, n);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			dst[at++] = ',';
		dst[at++] = raw[i];
	}
	dst[at] = '\0';
	return dst;
}

static uint64_t
sum_conns(const struct rk_value *status)
{
	const struct rk_value *c = rk_value_get(status, "connections");

	return ctl_number(c, "new") + ctl_number(c, "active") +
	       ctl_number(c, "idle") + ctl_number(c, "closing");
}

/* ---- who, how long ---- */

/* Of today without the date. */
static const char *
short_time(const char *when)
{
	char now[32];

	str_time(now, (int64_t)time(NULL));
	return strlen(when) > 11 && strncmp(when, now, 11) == 0 ? when + 11
	                                                        : when;
}

static void
show_config(const struct ctl *c, const struct rk_value *facts)
{
	char when[64], last[4 * FACT_LEN];
	const char *how = "start";

	if (shown(facts, "config_load_time", when, sizeof(when))[0] == '\0')
		return;
	if (shown(facts, "reload", last, sizeof(last))[0] != '\0')
		how = strstr(last, " failed: ") != NULL ? "reload failed"
		                                        : "reload ok";
	out_text(&c->out, "   config %s (%s)", short_time(when), how);
}

/* Nothing, of a daemon that believes everybody or is older. */
static void
show_trust(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *t = rk_value_get(status, "trust");
	char mode[64], list[64];

	if (t == NULL)
		return;
	out_text(&c->out, "   trust %s", shown(t, "mode", mode, sizeof(mode)));
	if (strcmp(mode, "off") == 0)
		return;
	if (strcmp(shown(t, "list", list, sizeof(list)), "open") != 0 &&
	    (strcmp(list, "locked") != 0 || strcmp(mode, "lock") != 0))
		out_text(&c->out, ", list %s", list);
	out_text(&c->out,
	    ", %" PRIu64 " known, %" PRIu64 " waiting, %" PRIu64 " rejected",
	    ctl_number(t, "known"), ctl_number(t, "waiting"),
	    ctl_number(t, "rejected"));
	if (ctl_number(t, "revoked") > 0)
		out_text(
		    &c->out, ", %" PRIu64 " revoked", ctl_number(t, "revoked"));
	if (ctl_number(t, "turned_away") > 0)
		out_text(&c->out, ", %" PRIu64 " turned away for want of room",
		    ctl_number(t, "turned_away"));
}

static void
show_head(const struct ctl *c, const struct rk_value *status)
{
	/* An older daemon does not say where it is. */
	const char *who =
	    rk_value_get(status, "node") != NULL ? "node" : "name";
	char name[256], version[256], state[64], age[32];

	out_text(&c->out, "%s %s   up %s",
	    shown(status, who, name, sizeof(name)),
	    shown(status, "version", version, sizeof(version)),
	    ctl_age(ctl_number(status, "up_ms"), age));
	show_config(c, rk_value_get(status, "facts"));
	show_trust(c, status);
	if (strcmp(shown(status, "state", state, sizeof(state)), "running") !=
	    0)
		out_text(&c->out, "   %s", state);
	out_text(&c->out, "\n");
}

/* ---- where, as whom ---- */

static bool
has_text(const struct rk_value *list, const struct rk_value *text)
{
	for (uint32_t i = 0; i < ctl_len(list); i++) {
		const struct rk_value *v = &list->u.list.items[i];

		if (v->kind == RK_STR && v->u.bytes.len == text->u.bytes.len &&
		    memcmp(v->u.bytes.ptr, text->u.bytes.ptr, v->u.bytes.len) ==
		        0)
			return true;
	}
	return false;
}

/* "tls://192.0.2.1:8443" as "tls 192.0.2.1:8443". */
static void
show_listener(const struct ctl *c, const struct rk_value *url, bool passed)
{
	char text[300];
	char *rest;

	(void)rk_escape(text, sizeof(text), (const char *)url->u.bytes.ptr,
	    url->u.bytes.len);
	rest = strstr(text, "://");
	if (rest != NULL) {
		*rest = '\0';
		rest += strlen("://");
	}
	out_text(&c->out, "%s%s%s%s   ", text, rest != NULL ? " " : "",
	    rest != NULL ? rest : "", passed ? " (from systemd)" : "");
}

static void
show_listeners(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *list = rk_value_get(status, "listeners");
	const struct rk_value *passed = rk_value_get(status, "passed_in");
	char shown_path[300];

	out_text(&c->out, "listen  ");
	for (uint32_t i = 0; i < ctl_len(list); i++) {
		const struct rk_value *v = &list->u.list.items[i];

		if (v->kind == RK_STR)
			show_listener(c, v, has_text(passed, v));
	}
	out_text(&c->out, "admin %s\n",
	    str_escape(shown_path, sizeof(shown_path), c->at.path));
}

/* "ends in 300 d"; false: it is not said. */
static bool
show_days(const struct ctl *c, const struct rk_value *facts, const char *key,
    const char *before)
{
	char text[FACT_LEN], days[32];
	long n;

	if (ctl_text(facts, key, text, sizeof(text))[0] == '\0')
		return false;
	n = strtol(text, NULL, 10);
	if (n >= 0)
		out_text(&c->out, "%s ends in %s d", before,
		    count((uint64_t)n, days));
	else
		out_text(&c->out, "%s ended %s d ago", before,
		    count((uint64_t) - (n + 1) + 1, days));
	return true;
}

/* "node, until 2036-..." without the end: days are shown. */
static void
show_certs(const struct ctl *c, const struct rk_value *facts)
{
	char name[4 * FACT_LEN], psk[4 * FACT_LEN];
	char *until;
	bool any;

	(void)shown(facts, "certificate", name, sizeof(name));
	(void)shown(facts, "psk", psk, sizeof(psk));
	if (name[0] == '\0' && psk[0] == '\0')
		return;
	while ((until = strstr(name, ", until ")) != NULL)
		*until = '\0';
	out_text(&c->out, "cert    %s", name);
	any = show_days(c, facts, "certificate_days", " ");
	any = show_days(c, facts, "ca_days", any ? "      CA" : "CA") || any;
	if (psk[0] != '\0')
		out_text(&c->out, "%spsk %s", any ? "      " : "", psk);
	out_text(&c->out, "\n");
}

/* ---- how much ---- */

/* As many digits as say something. */
static const char *
rate(uint64_t bytes, char dst[32])
{
	const double mb = (double)bytes / 1e6;

	(void)snprintf(
	    dst, 32, bytes == 0 || bytes >= 50000 ? "%.1f" : "%.3f", mb);
	return dst;
}

static void
show_load(const struct ctl *c, const struct rk_value *status,
    const struct rates *rates)
{
	const struct rk_value *calls = rk_value_get(status, "calls");
	const struct rk_value *limits = rk_value_get(status, "limits");
	char now[32], most[32], running[32], in[32], out[32];

	out_text(&c->out,
	    "load    %s of %s connections   %s calls running   %s MB/s in   "
	    "%s MB/s out\n",
	    count(sum_conns(status), now),
	    count(ctl_number(limits, "connections"), most),
	    count(ctl_number(calls, "running"), running), rate(rates->in, in),
	    rate(rates->out, out));
}

static void
show_totals(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *conns = rk_value_get(status, "connections");
	const struct rk_value *calls = rk_value_get(status, "calls");
	const struct rk_value *bytes = rk_value_get(status, "bytes");
	char taken[32], refused[32], begun[32], in[32], out[32];

	out_text(&c->out,
	    "now     %" PRIu64 " active, %" PRIu64 " idle, %" PRIu64
	    " new, %" PRIu64 " closing\n",
	    ctl_number(conns, "active"), ctl_number(conns, "idle"),
	    ctl_number(conns, "new"), ctl_number(conns, "closing"));
	out_text(&c->out,
	    "total   %s connections, %s refused   %s calls   %s in, %s out\n",
	    count(ctl_number(conns, "accepted"), taken),
	    count(ctl_number(conns, "refused"), refused),
	    count(ctl_number(calls, "begun"), begun),
	    ctl_size(ctl_number(bytes, "in"), in),
	    ctl_size(ctl_number(bytes, "out"), out));
}

static void
show_limits(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *l = rk_value_get(status, "limits");
	uint64_t idle = ctl_number(l, "idle_ms");
	char conns[32], unproven[32], source[32], calls[32], queue[32];
	char message[32], age[32];

	/* Those of an older daemon are not all there are. */
	if (rk_value_get(l, "message") == NULL)
		return;
	out_text(&c->out,
	    "limits  %s connections, %s unproven, %s of one place, %s calls "
	    "each, %s queued, %s a message, idle %s\n",
	    count(ctl_number(l, "connections"), conns),
	    count(ctl_number(l, "unproven"), unproven),
	    count(ctl_number(l, "per_source"), source),
	    count(ctl_number(l, "calls"), calls),
	    ctl_size(ctl_number(l, "queue"), queue),
	    ctl_size(ctl_number(l, "message"), message),
	    idle != 0 ? ctl_age(idle, age) : "for ever");
}

/* ---- the rest ---- */

/* Is it in the lines above, with others? */
static bool
is_shown(const char *key)
{
	static const char *const names[] = { "config_load_time",
		"certificate_days", "certificate_ends", "ca_days", "ca_ends",
		"psk" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(key, names[i]) == 0)
			return true;
	}
	return false;
}

static void
show_facts(const struct ctl *c, const struct rk_value *status)
{
	const struct rk_value *facts = rk_value_get(status, "facts");
	char key[300], text[4 * FACT_LEN];

	out_text(&c->out, "pid     %" PRIu64 "\n", ctl_number(status, "pid"));
	for (uint32_t i = 0;
	     facts != NULL && facts->kind == RK_MAP && i < facts->u.list.count;
	     i++) {
		const struct rk_value *v = &facts->u.list.items[2 * i];

		if (v[0].kind != RK_STR || v[1].kind != RK_STR)
			continue;
		(void)rk_escape(key, sizeof(key),
		    (const char *)v[0].u.bytes.ptr, v[0].u.bytes.len);
		(void)rk_escape(text, sizeof(text),
		    (const char *)v[1].u.bytes.ptr, v[1].u.bytes.len);
		if (!is_shown(key))
			out_text(&c->out, "%s  %s\n", key, text);
	}
}

static int
show_status(const struct ctl *c, const struct rk_value *status,
    const struct rates *rates)
{
	char head[160];

	if (c->out.form == OUT_JSON) {
		(void)snprintf(head, sizeof(head),
		    "\"rates\":{\"in_bytes_per_s\":%" PRIu64
		    ",\"out_bytes_per_s\":%" PRIu64 ",\"window_ms\":%" PRIu64
		    "},",
		    rates->in, rates->out, rates->ms);
		return ctl_json_with(&c->out, head, status);
	}
	if (c->out.form == OUT_PLAIN) {
		out_text(&c->out,
		    "rates.in_bytes_per_s\t%" PRIu64
		    "\nrates.out_bytes_per_s\t%" PRIu64
		    "\nrates.window_ms\t%" PRIu64 "\n",
		    rates->in, rates->out, rates->ms);
		return ctl_plain(&c->out, status);
	}
	show_head(c, status);
	show_listeners(c, status);
	show_certs(c, rk_value_get(status, "facts"));
	show_load(c, status, rates);
	show_totals(c, status);
	show_limits(c, status);
	show_facts(c, status);
	return 0;
}

/* By the daemon's clock; none where it has restarted meanwhile. */
static void
measure(const struct rk_value *before, const struct rk_value *now,
    struct rates *rates)
{
	const struct rk_value *a = rk_value_get(before, "bytes");
	const struct rk_value *b = rk_value_get(now, "bytes");
	const uint64_t ms =
	    ctl_number(now, "up_ms") - ctl_number(before, "up_ms");
	const uint64_t in = ctl_number(b, "in") - ctl_number(a, "in");
	const uint64_t out = ctl_number(b, "out") - ctl_number(a, "out");

	*rates = (struct rates){ .ms = ms };
	if (ms == 0 || ms > UINT32_MAX || in > INT64_MAX / 1000 ||
	    out > INT64_MAX / 1000) {
		rates->ms = 0;
		return;
	}
	rates->in = in * 1000 / ms;
	rates->out = out * 1000 / ms;
}

int
ctl_status(struct ctl *c)
{
	struct rk_value_doc *before, *now = NULL;
	struct rates rates;
	int status = ctl_call(c, "_.status", nothing, &before, NULL);

	if (status != 0)
		return status;
	(void)poll(NULL, 0, WINDOW_MS); /* a shorter one does no harm */
	status = ctl_call(c, "_.status", nothing, &now, NULL);
	if (status == 0) {
		measure(rk_value_root(before), rk_value_root(now), &rates);
		status = show_status(c, rk_value_root(now), &rates);
	}
	rk_value_free(before);
	rk_value_free(now);
	return status;
}

/* What it is called and which it is, as JSON that any bytes cannot break. */
static int
version_json(const struct ctl *c, const char *name, const char *version)
{
	struct buf b;
	enum rk_err r;

	buf_init(&b, 4096);
	r = buf_put_str(&b, "{\"schema\":1,\"name\":");
	if (r == RK_OK)
		r = out_json_string(&b, name, strlen(name));
	if (r == RK_OK)
		r = buf_put_str(&b, ",\"version\":");
	if (r == RK_OK)
		r = out_json_string(&b, version, strlen(version));
	if (r == RK_OK)
		r = buf_put_str(&b, "}\n");
	if (r == RK_OK)
		out_bytes(&c->out, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r == RK_OK ? 0 : out_fail(&c->out, r, rk_err_text(r), NULL);
}

int
ctl_version(struct ctl *c)
{
	struct rk_value_doc *doc;
	char name[64], version[64], a[256], b[256];
	int status = ctl_call(c, "_.status", nothing, &doc, NULL);

	if (status != 0)
		return status;
	(void)ctl_text(rk_value_root(doc), "name", name, sizeof(name));
	(void)ctl_text(rk_value_root(doc), "version", version, sizeof(version));
	if (c->out.form == OUT_JSON)
		status = version_json(c, name, version);
	else
		out_text(&c->out, "%s%s%s\n", str_escape(a, sizeof(a), name),
		    c->out.form == OUT_PLAIN ? "\t" : " ",
		    str_escape(b, sizeof(b), version));
	rk_value_free(doc);
	return status;
}
