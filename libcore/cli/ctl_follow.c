/* rpcd ctl: the log, and what happens from now on. */
#include "cli/ctl.h"

#include "base/str.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const char *const levels[] = { "error", "warn", "info", "debug" };
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))
#define HELD_MAX ((size_t)1 << 20) /* of events, while the list is made */

static size_t
level_of(const char *word)
{
	size_t i = 0;

	while (i < N_LEVELS - 1 && strcmp(levels[i], word) != 0)
		i++;
	return i;
}

/* ---- showing ---- */

/* One member, escaped; "-" when it is not there. */
static const char *
shown(const struct rk_value *v, const char *key, char *dst, size_t len)
{
	char raw[1100];

	if (ctl_text(v, key, raw, sizeof(raw))[0] == '\0')
		(void)str_copy(dst, len, "-");
	else
		(void)str_escape_again(dst, len, raw);
	return dst;
}

static void
show_line(const struct out *o, const struct rk_value *v)
{
	const char *gap = o->form == OUT_PLAIN ? "\t" : "  ";
	char when[64], level[32], subsystem[64], text[2400];

	out_text(o, "%s%s%s%s%s%s%s\n", shown(v, "time", when, sizeof(when)),
	    gap, shown(v, "level", level, sizeof(level)), gap,
	    shown(v, "subsystem", subsystem, sizeof(subsystem)), gap,
	    shown(v, "text", text, sizeof(text)));
}

/* What the last column is. */
static const char *
last_of(const struct rk_value *v)
{
	if (rk_value_get(v, "why") != NULL)
		return "why";
	return rk_value_get(v, "state") != NULL ? "state" : "text";
}

/* For people, as in lists: who a key without e-mail is. */
static const char *
shown_who(const struct out *o, const struct rk_value *v, char *dst, size_t len)
{
	char cn[256], raw[300];

	if (o->form == OUT_PLAIN ||
	    ctl_text(v, "email", raw, sizeof(raw))[0] != '\0' ||
	    ctl_text(v, "cn", cn, sizeof(cn))[0] == '\0')
		return shown(v, "email", dst, len);
	(void)snprintf(raw, sizeof(raw), "CN=%s", cn);
	(void)str_escape_again(dst, len, raw);
	return dst;
}

static void
show_event(const struct out *o, const struct rk_value *v)
{
	const char *gap = o->form == OUT_PLAIN ? "\t" : "  ";
	char when[64], event[80], address[300], email[600], fp[120];
	char why[1200];

	out_text(o, "%s%s%s%s%" PRIu64 "%s%s%s%s%s%s%s%s\n",
	    shown(v, "time", when, sizeof(when)), gap,
	    shown(v, "event", event, sizeof(event)), gap, ctl_number(v, "id"),
	    gap, shown(v, "address", address, sizeof(address)), gap,
	    shown_who(o, v, email, sizeof(email)), gap,
	    shown(v, "fingerprint", fp, sizeof(fp)), gap,
	    shown(v, last_of(v), why, sizeof(why)));
}

static void
show_one(struct ctl *c, const struct rk_value *v)
{
	char event[80];

	if (c->out.form == OUT_JSON)
		(void)ctl_json(&c->out, v);
	else if (strcmp(ctl_text(v, "event", event, sizeof(event)), "lost") ==
	         0)
		out_warn(&c->out,
		    "%" PRIu64 " events were lost: they came too fast",
		    ctl_number(v, "count"));
	else if (strcmp(event, "log") == 0)
		show_line(&c->out, v);
	else
		show_event(&c->out, v);
}

/* ---- what is pushed ---- */

static void
take_event(struct ctl *c, struct rk_bytes payload)
{
	struct rk_value_doc *doc;
	const struct rk_value *v;
	char event[80];
	bool is_log;

	if (rk_value_decode(payload.ptr, payload.len, &doc) != RK_OK)
		return;
	v = rk_value_root(doc);
	is_log = strcmp(ctl_text(v, "event", event, sizeof(event)), "log") == 0;
	/* Lines that were shown already, before following began. */
	if (!is_log || ctl_number(v, "seq") > c->seen)
		show_one(c, v);
	rk_value_free(doc);
}

/* What has no room is counted. */
static void
hold(struct ctl *c, struct rk_bytes payload)
{
	const uint32_t len = (uint32_t)payload.len;
	uint8_t *p;

	if (payload.len > HELD_MAX ||
	    buf_reserve(&c->held, sizeof(len) + len, &p) != RK_OK) {
		c->unheld++;
		return;
	}
	memcpy(p, &len, sizeof(len));
	if (len > 0)
		memcpy(p + sizeof(len), payload.ptr, len);
	buf_commit(&c->held, sizeof(len) + len);
}

/* What came while the list was made, behind it. */
static void
show_held(struct ctl *c)
{
	const uint8_t *p;
	uint32_t len;

	while ((p = buf_peek(&c->held)) != NULL && buf_len(&c->held) > 0) {
		memcpy(&len, p, sizeof(len));
		take_event(c, (struct rk_bytes){ p + sizeof(len), len });
		buf_consume(&c->held, sizeof(len) + len);
	}
	if (c->unheld > 0)
		out_warn(&c->out,
		    "%" PRIu64 " events were lost: they came too fast",
		    c->unheld);
	c->holds = false;
}

void
ctl_on_pushed(struct rk_client *client, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct ctl *c = arg;

	(void)client;
	(void)hdr;
	if (c->holds) {
		hold(c, payload);
		return;
	}
	take_event(c, payload);
	if (out_flush(&c->out) != RK_OK)
		c->broken = true;
}

/* Until the daemon ends, or nobody reads. */
static int
follow(struct ctl *c)
{
	if (out_flush(&c->out) != RK_OK)
		return rk_err_exit(RK_EIO);
	while (rk_client_peer(c->client) != NULL && !c->broken) {
		struct pollfd p[] = {
			{ rk_client_fd(c->client), POLLIN, 0 },
			{ STDOUT_FILENO, 0, 0 },
		};

		/* Without a line to write, a reader who is gone is seen so. */
		if (poll(p, 2, rk_client_wait_ms(c->client)) > 0 &&
		    (p[1].revents & POLLERR) != 0)
			out_die_of(SIGPIPE);
		if (rk_client_process(c->client) != RK_OK)
			break;
	}
	if (c->broken)
		return rk_err_exit(RK_EIO);
	out_note(&c->out, "the daemon has ended");
	return 0;
}

int
ctl_watch_begin(struct ctl *c)
{
	static const struct rk_bytes all;

	c->holds = true;
	buf_init(&c->held, HELD_MAX);
	return ctl_call(c, "_.events", all, NULL, NULL);
}

int
ctl_watch_end(struct ctl *c, int status)
{
	if (status == 0)
		show_held(c);
	buf_fini(&c->held);
	return status != 0 ? status : follow(c);
}

/* ---- log ---- */

static void
show_recent(
    struct ctl *c, const struct rk_value *list, size_t most, bool follows)
{
	char level[32];
	bool any = false;

	for (uint32_t i = 0; i < ctl_len(list); i++) {
		const struct rk_value *v = &list->u.list.items[i];

		c->seen = ctl_number(v, "seq");
		if (level_of(ctl_text(v, "level", level, sizeof(level))) > most)
			continue;
		if (c->out.form == OUT_JSON)
			(void)ctl_json(&c->out, v);
		else
			show_line(&c->out, v);
		any = true;
	}
	/* Before what is said from now on there are only objects. */
	if (!any && !follows && c->out.form == OUT_JSON)
		out_text(&c->out, "[]\n");
}

static int
set_level(struct ctl *c)
{
	const struct ctl_pair level =
	    CTL_TEXT("level", args_text(c->a, "set", "info"));

	return ctl_ask(c, "_.level", &level, 1, NULL);
}

static int
ask_for_lines(struct ctl *c, const char *level)
{
	const struct ctl_pair pairs[] = { CTL_TEXT("log", level),
		CTL_BOOL("conns", false) };

	return ctl_ask(c, "_.events", pairs, 2, NULL);
}

int
ctl_log(struct ctl *c)
{
	static const struct rk_bytes nothing;
	const char *level = args_text(c->a, "level", "info");
	bool follows = args_flag(c->a, "follow");
	struct rk_value_doc *doc;
	int status;

	if (args_given(c->a, "set") && (status = set_level(c)) != 0)
		return status;
	if (args_given(c->a, "set") && !follows && !args_given(c->a, "level")) {
		if (c->out.form == OUT_JSON)
			out_text(&c->out, "{\"schema\":1,\"ok\":true}\n");
		return 0;
	}
	/* Asked for first, so that nothing falls between. */
	c->seen = UINT64_MAX;
	if (follows && (status = ask_for_lines(c, level)) != 0)
		return status;
	if ((status = ctl_call(c, "_.log", nothing, &doc, NULL)) != 0)
		return status;
	c->seen = 0;
	show_recent(c, rk_value_root(doc), level_of(level), follows);
	rk_value_free(doc);
	return follows ? follow(c) : 0;
}
