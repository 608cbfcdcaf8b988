/* All that is known of a row, as lines; the first is its title. */
#include "ui.h"

#include "words.h"

#include "base/str.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define CALLS_SHOWN 16
#define ERRORS_SHOWN 4
#define RUNNING_LEN 4096 /* of all that run */

static void
add_fp(const char *label, const char *fp, const char *state, struct text *out)
{
	char grouped[RK_FP_GROUPED_LEN];

	if (fp[0] == '\0')
		return;
	rk_fp_group(fp, grouped);
	text_add(out, ROLE_TEXT, "%-6s %s  %s", label, grouped, state);
}

void
detail_words(const char *label, const char *fp, struct text *out)
{
	char words[RK_FP_WORDS_LEN];
	char *half = words;

	rk_fp_words(fp, words);
	for (int i = 0; i < 5 && half != NULL; i++)
		half = strchr(i == 0 ? half : half + 1, ' ');
	if (half == NULL)
		return;
	*half = '\0';
	text_add(out, ROLE_TEXT, "%s %s", label, words);
	text_add(out, ROLE_TEXT, "%*s %s", (int)strlen(label), "", half + 1);
}

/* Where there is room for more than the key itself. */
static void
add_words(const struct ui *ui, const char *fp, struct text *out)
{
	if (term_cols(ui->term) >= UI_WIDE)
		detail_words("words ", fp, out);
}

/* The date, and how many days are left; the daemon's own clock is ours. */
static enum term_role
ends(const char *when, char dst[64])
{
	int64_t days;

	if (!words_days(when, (int64_t)time(NULL), &days)) {
		(void)snprintf(dst, 64, "%.40s", when);
		return ROLE_TEXT;
	}
	(void)snprintf(dst, 64, "%.10s (%" PRId64 " d)", when, days);
	return days < 0 ? ROLE_BAD : days <= VIEW_SOON ? ROLE_WAIT : ROLE_TEXT;
}

static void
add_cert(const struct model_conn *c, struct text *out)
{
	enum term_role role;
	char end[64];

	if (c->not_after[0] == '\0')
		return; /* there is none, or it was not asked about yet */
	role = ends(c->not_after, end);
	text_add(
	    out, role, "%-6s CN %s  CA %s  ends %s", "cert", c->cn, c->ca, end);
}

/* "0.8ms  retrans 0"; a dash is what the transport does not tell. */
static void
ping_words(const struct model_conn *c, char dst[64])
{
	char ping[WORDS_LEN] = "-", again[WORDS_LEN] = "-";

	if (c->rtt_us > 0)
		(void)words_us(c->rtt_us, ping);
	if (c->has_retrans)
		(void)snprintf(again, sizeof(again), "%" PRIu64, c->retrans);
	dst[0] = '\0';
	if (c->rtt_us > 0 || c->has_retrans)
		(void)snprintf(dst, 64, "%s  retrans %s", ping, again);
}

static void
add_link(const struct ui *ui, const struct model_conn *c, struct text *out)
{
	const char *link = c->transport[0] != '\0' ? c->transport : "link";
	bool wide = term_cols(ui->term) >= UI_WIDE;
	char ping[64];

	ping_words(c, ping);
	if (c->cipher[0] != '\0' || (!wide && ping[0] != '\0'))
		text_add(out, ROLE_TEXT, "%-6s %s%s%s%s", link, c->cipher,
		    c->resumed ? "  resumed" : "",
		    !wide && ping[0] != '\0' ? "  ping " : "",
		    wide ? "" : ping);
	if (c->psk[0] != '\0')
		text_add(
		    out, ROLE_TEXT, "%-6s %s  id %s", "psk", c->psk, c->psk_id);
	if (wide && ping[0] != '\0')
		text_fact(out, "ping", ping);
}

/* The latest first. */
static void
add_errors(struct ui *ui, const struct model_conn *c, struct text *out)
{
	const struct model *m = ui->m;
	char age[WORDS_LEN];
	size_t n = 0;

	for (size_t i = 0; i < m->n_errors && n < ERRORS_SHOWN; i++) {
		const struct model_error *e =
		    &m->errors[(m->error_last + MODEL_ERRORS - i) %
		               MODEL_ERRORS];

		if (e->conn != c->id)
			continue;
		text_add(out, ROLE_WAIT, "%-6s %s ago  %s: %s",
		    n == 0 ? "error" : "", words_age(ui_now(ui) - e->ms, age),
		    e->method, e->text);
		n++;
	}
	/* Others may have pushed it out. */
	if (n == 0 && c->failed > 0 && c->error[0] != '\0')
		text_add(out, ROLE_WAIT, "%-6s %s ago  %s: %s", "error",
		    words_age(ui_now(ui) - c->error_ms, age), c->error_method,
		    c->error);
}

/* One that runs, as it moves. */
static void
running_words(struct ui *ui, const struct model_call *c, char *dst, size_t len)
{
	char age[WORDS_LEN], moved[WORDS_MOVED];

	(void)words_moved(c, moved);
	(void)snprintf(dst, len, "%s%s%s  %s%s%s", c->method,
	    c->file[0] != '\0' ? " " : "", c->file,
	    words_age(ui_now(ui) - c->began_ms, age),
	    moved[0] != '\0' ? "  "
	    : c->stream      ? "  stream"
	                     : "",
	    moved);
}

/* A line each where there is room; else one behind the other. */
static void
add_running(struct ui *ui, uint64_t conn, struct text *out)
{
	const bool wide = term_cols(ui->term) >= UI_WIDE;
	char one[1024], line[RUNNING_LEN] = "";
	size_t n = 0, used = 0;

	for (size_t i = 0; i < ui->m->n_calls && n < CALLS_SHOWN; i++) {
		const struct model_call *c = &ui->m->calls[i];

		if (c->conn != conn)
			continue;
		running_words(ui, c, one, sizeof(one));
		if (wide)
			text_add(out, ROLE_TEXT, "%-6s #%" PRIu64 " %s",
			    n == 0 ? "now" : "", c->id, one);
		else if (used + strlen(one) + 4 < sizeof(line))
			used +=
			    (size_t)snprintf(line + used, sizeof(line) - used,
			        "%s%s", n > 0 ? " | " : "", one);
		n++;
	}
	if (!wide && n > 0)
		text_add(out, ROLE_TEXT, "%-6s %s", "now", line);
}

static void
add_calls(const struct model_conn *c, struct text *out)
{
	uint64_t over = c->running + c->failed;
	char p50[WORDS_LEN], p90[WORDS_LEN], p99[WORDS_LEN], most[WORDS_LEN];
	char took[5 * WORDS_LEN] = "", done[WORDS_COUNT], runs[WORDS_COUNT];
	char failed[WORDS_COUNT];

	if (c->p99_us > 0)
		(void)snprintf(took, sizeof(took),
		    "  p50 %s  p90 %s  p99 %s  max %s",
		    words_us(c->p50_us, p50), words_us(c->p90_us, p90),
		    words_us(c->p99_us, p99), words_us(c->max_us, most));
	text_add(out, ROLE_TEXT, "%-6s %s done  %s running  %s failed%s",
	    "calls", words_count(c->calls > over ? c->calls - over : 0, done),
	    words_count(c->running, runs), words_count(c->failed, failed),
	    took);
}

void
detail_conn(struct ui *ui, const struct model_conn *c, struct text *out)
{
	const struct model_key *k = view_key_of(ui->m, c);
	const char *key = k != NULL ? words_key_state(k->state) : c->key;
	char age[WORDS_LEN], in[WORDS_LEN], sent[WORDS_LEN], who[VIEW_WHO];

	text_add(out, ROLE_HEAD, "%s  %s",
	    view_who(c, who)[0] != '\0' ? who : c->address,
	    words_conn_state(c));
	if (c->state == MODEL_CLOSED)
		text_fact(out, "closed", c->why);
	add_fp("key", c->fp, key, out);
	add_words(ui, c->fp, out);
	add_cert(c, out);
	add_link(ui, c, out);
	add_calls(c, out);
	add_running(ui, c->id, out);
	add_errors(ui, c, out);
	text_add(out, ROLE_TEXT, "%-6s in %s  out %s", "bytes",
	    words_size(c->in, in), words_size(c->out, sent));
	text_add(out, ROLE_TEXT, "%-6s %s", "from", c->address);
	text_add(out, ROLE_TEXT, "%-6s %s  (%s)", "since", c->since,
	    words_age(ui_now(ui) - c->began_ms, age));
	if (k != NULL && k->who[0] != '\0')
		text_add(
		    out, ROLE_TEXT, "%-6s %s  %s", "by", k->who, k->decided);
	if (k != NULL)
		text_fact(out, "note", k->note);
}

static bool
is_online(const struct model *m, const struct model_key *k)
{
	for (size_t i = 0; i < m->n_conns; i++) {
		if (m->conns[i].state != MODEL_CLOSED &&
		    strcmp(m->conns[i].fp, k->fp) == 0)
			return true;
	}
	return false;
}

void
detail_cert(const char *label, const struct model_key *k, struct text *out)
{
	enum term_role role;
	char end[64], age[WORDS_LEN];
	bool old;

	if (k->cert_until[0] == '\0')
		return;
	role = ends(k->cert_until, end);
	old = words_since(k->cert_from, (int64_t)time(NULL), age);
	text_add(out, role, "%scert ends %s%s%s%s", label, end, old ? ", " : "",
	    age, old ? " old" : "");
}

void
detail_ca(int width, const struct model_key *k, struct text *out)
{
	char label[160];

	(void)snprintf(label, sizeof(label), "%-*s %s  ", width,
	    k->ca[0] != '\0' ? "CA" : "", k->ca);
	if (k->cert_until[0] != '\0')
		detail_cert(label, k, out);
	else if (k->ca[0] != '\0')
		text_add(out, ROLE_TEXT, "%-*s %s", width, "CA", k->ca);
}

/* "since 2026-11-02, came 14 times, last 12:04:29Z (online)" */
static void
add_visits(const struct ui *ui, const char *label, const struct model_key *k,
    struct text *out)
{
	const char *online = is_online(ui->m, k) ? "online" : "offline";
	char today[WORDS_LEN + 8], used[WORDS_LEN], came[WORDS_COUNT];
	char since[32] = "";

	words_now(today);
	(void)words_when(k->last_seen, today, used);
	if (k->first_seen[0] != '\0')
		(void)snprintf(
		    since, sizeof(since), "since %.10s, ", k->first_seen);
	if (k->tries == 0 || used[0] == '\0')
		text_add(out, ROLE_TEXT, "%s%sno use is noted (%s)", label,
		    since, online);
	else
		text_add(out, ROLE_TEXT, "%s%scame %s time%s, last %s (%s)",
		    label, since, words_count(k->tries, came),
		    k->tries == 1 ? "" : "s", used, online);
}

void
detail_visits(
    const struct ui *ui, int width, const struct model_key *k, struct text *out)
{
	char label[32];

	(void)snprintf(label, sizeof(label), "%*s", width, "");
	add_visits(ui, label, k, out);
	(void)snprintf(label, sizeof(label), "%*sits ", width, "");
	detail_cert(label, k, out);
}

static void
add_warning(const struct ui *ui, const struct model_key *k, struct text *out)
{
	const struct model_key *known = view_known_of(ui->m, k);
	char grouped[RK_FP_GROUPED_LEN];

	if (view_is_cut(k)) {
		text_add(out, ROLE_BAD,
		    "WARNING  more e-mail addresses than can be compared: one "
		    "may be a known client's");
		text_add(out, ROLE_WAIT,
		    "advice ask the owner another way. If it is theirs: rpcd "
		    "ctl trust approve --changed");
		return;
	}
	text_add(out, ROLE_BAD,
	    "WARNING  same name as a known client, but ANOTHER key%s",
	    known != NULL && known->address[0] != '\0' &&
	            !words_same_host(known->address, k->address)
	        ? " and ANOTHER address"
	        : "");
	if (known != NULL) {
		rk_fp_group(known->fp, grouped);
		text_add(out, ROLE_TEXT, "%-6s %s", "known", grouped);
		detail_visits(ui, 7, known, out);
	}
	rk_fp_group(k->fp, grouped);
	text_add(out, ROLE_TEXT, "%-6s %s", "asked", grouped);
	text_add(out, ROLE_WAIT,
	    "advice ask the owner another way. If it is theirs: Enter, then "
	    "Replace");
}

void
detail_key(struct ui *ui, const struct model_key *k, struct text *out)
{
	char tries[WORDS_COUNT];

	text_add(out, ROLE_HEAD, "%s  %s",
	    k->name[0] != '\0' ? k->name : "no e-mail",
	    words_key_state(k->state));
	if (k->state == KEY_CHANGED)
		add_warning(ui, k, out);
	else
		add_fp("key", k->fp, "", out);
	if (k->state != KEY_CHANGED)
		add_words(ui, k->fp, out);
	if (!k->met && k->state != KEY_KNOWN)
		text_add(out, ROLE_TEXT, "%-6s it never came", "");
	text_fact(out, "from", k->address);
	detail_ca(6, k, out);
	if (k->first_seen[0] != '\0' || k->last_seen[0] != '\0')
		text_add(out, ROLE_TEXT, "%-6s first %s  last %s  tries %s",
		    "seen", k->first_seen, k->last_seen,
		    words_count(k->tries, tries));
	text_fact(out, "until", k->until);
	if (strcmp(k->by, "list") == 0)
		text_add(
		    out, ROLE_BAD, "%-6s revoked by the list of the CA", "by");
	else if (k->who[0] != '\0' || k->decided[0] != '\0')
		text_add(
		    out, ROLE_TEXT, "%-6s %s  %s", "by", k->who, k->decided);
	text_fact(out, "note", k->note);
	if (strchr(k->hosts, ',') != NULL)
		text_fact(out, "hosts", k->hosts);
	if (k->conns > 0)
		text_add(out, ROLE_WAIT, "%-6s %" PRIu64 " connection%s now",
		    "waits", k->conns, k->conns == 1 ? "" : "s");
}

static void
detail_call(struct ui *ui, const struct model_call *c, struct text *out)
{
	char age[WORDS_LEN], moved[WORDS_MOVED];

	text_add(out, ROLE_HEAD, "%s", c->method);
	text_fact(out, "file", c->file);
	text_fact(out, "by", c->name);
	text_add(out, ROLE_TEXT, "%-6s %s  connection %" PRIu64, "from",
	    c->address, c->conn);
	text_fact(out, "since", words_age(ui_now(ui) - c->began_ms, age));
	if (c->deadline_ms != 0)
		text_fact(
		    out, "left", words_age(c->deadline_ms - ui_now(ui), age));
	text_add(out, ROLE_TEXT, "%-6s %s%s", "kind",
	    c->stream ? "stream" : "call", c->canceled ? ", canceled" : "");
	text_fact(out, "moved", words_moved(c, moved));
}

/* How often, and how long it took. */
static void
add_figures(const struct rk_value *v, struct text *out)
{
	char p50[WORDS_LEN], p90[WORDS_LEN], p99[WORDS_LEN], most[WORDS_LEN];
	char calls[WORDS_COUNT], runs[WORDS_COUNT], failed[WORDS_COUNT];

	if (rk_value_get(v, "calls") == NULL)
		return;
	text_add(out, ROLE_TEXT, "%-6s %s   %s running   %s failed", "calls",
	    words_count(ctl_number(v, "calls"), calls),
	    words_count(ctl_number(v, "running"), runs),
	    words_count(ctl_number(v, "errors"), failed));
	text_add(out, ROLE_TEXT, "%-6s p50 %s  p90 %s  p99 %s  max %s", "took",
	    words_us(ctl_number(v, "p50_us"), p50),
	    words_us(ctl_number(v, "p90_us"), p90),
	    words_us(ctl_number(v, "p99_us"), p99),
	    words_us(ctl_number(v, "max_us"), most));
}

static void
detail_method(const struct rk_value *v, struct text *out)
{
	char name[256], text[1024];

	text_add(out, ROLE_HEAD, "%s", ctl_text(v, "name", name, sizeof(name)));
	text_fact(out, "about", ctl_text(v, "about", text, sizeof(text)));
	text_fact(out, "takes", ctl_text(v, "args", text, sizeof(text)));
	text_fact(out, "gives", ctl_text(v, "reply", text, sizeof(text)));
	add_figures(v, out);
}

/* One of a certificate's facts is shown with the others. */
static void
detail_fact(
    const struct model_status *s, const struct model_fact *f, struct text *out)
{
	size_t name = strcspn(f->key, "_");
	const char *fp, *end;
	char key[sizeof(f->key)], date[64];
	enum term_role role;

	text_add(out, ROLE_HEAD, "%s", f->key);
	text_add(out, ROLE_TEXT, "%s", f->text);
	(void)snprintf(key, sizeof(key), "%.*s_fingerprint", (int)name, f->key);
	if ((fp = view_fact(s, key)) == NULL)
		return;
	add_fp("key", fp, "", out);
	(void)snprintf(key, sizeof(key), "%.*s_ends", (int)name, f->key);
	if ((end = view_fact(s, key)) == NULL)
		return;
	role = ends(end, date);
	text_add(out, role, "%-6s %s", "ends", date);
}

static void
detail_line(const struct model_line *l, struct text *out)
{
	text_add(out, ROLE_HEAD, "line %" PRIu64, l->seq);
	text_fact(out, "time", l->time);
	text_add(out, ROLE_TEXT, "%-6s %s  %s", "level", words_level(l->level),
	    l->subsystem);
	text_fact(out, "text", l->text);
}

static void
detail_asked(struct ui *ui, const struct model_asked *q, struct text *out)
{
	int64_t left = q->until_ms - ui_now(ui);
	char age[WORDS_LEN];

	text_add(out, ROLE_WAIT, "May %s be used?", q->name);
	text_fact(out, "for", q->what);
	text_fact(out, "by", q->who);
	text_add(out, ROLE_TEXT, "%-6s %s  (keyvault allow %" PRIu32 ")",
	    "left", words_age(left, age), q->id);
}

static void
detail_held(struct ui *ui, const struct model_held *h, struct text *out)
{
	char age[WORDS_LEN];

	text_add(out, ROLE_HEAD, "%s", h->name);
	text_fact(out, "open",
	    h->until_ms == INT64_MAX
	        ? "until it is locked"
	        : words_age(h->until_ms - ui_now(ui), age));
	text_add(out, ROLE_TEXT, "%-6s %" PRIu64 " times", "used", h->used);
	if (h->left != UINT64_MAX)
		text_add(out, ROLE_TEXT, "%-6s %" PRIu64 " more uses", "left",
		    h->left);
	text_fact(out, "only", h->only);
	if (h->confirm)
		text_fact(out, "asks",
		    h->yes_until_ms > ui_now(ui) ? "not for a while"
		                                 : "before each use");
	text_fact(out, "last", h->last);
}

void
detail_row(struct ui *ui, const struct row *r, struct text *out)
{
	switch (r->kind) {
	case ROW_HEAD:
		break;
	case ROW_CONN:
		detail_conn(ui, &ui->m->conns[r->at], out);
		break;
	case ROW_KEY:
		detail_key(ui, &ui->m->keys[r->at], out);
		break;
	case ROW_CALL:
		detail_call(ui, &ui->m->calls[r->at], out);
		break;
	case ROW_METHOD:
		detail_method(view_method(ui->m, r->at), out);
		break;
	case ROW_FACT:
		detail_fact(&ui->m->status, &ui->m->status.facts[r->at], out);
		break;
	case ROW_ASKED:
		detail_asked(ui, &ui->m->agent.asked[r->at], out);
		break;
	case ROW_HELD:
		detail_held(ui, &ui->m->agent.held[r->at], out);
		break;
	case ROW_LINE:
		detail_line(view_line(ui->m, r->at), out);
		break;
	}
}
