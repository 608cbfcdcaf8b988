/* All that is known of a row, as lines; the first is its title. */
#include "ui.h"

#include "words.h"

#include "base/str.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>

#define CALLS_SHOWN 16

static void
add_fp(const char *label, const char *fp, struct text *out)
{
	char grouped[RK_FP_GROUPED_LEN];

	if (fp[0] == '\0')
		return;
	rk_fp_group(fp, grouped);
	text_fact(out, label, grouped);
}

static void
add_running(struct ui *ui, uint64_t conn, struct text *out)
{
	char age[WORDS_LEN];
	size_t n = 0;

	for (size_t i = 0; i < ui->m->n_calls && n < CALLS_SHOWN; i++) {
		const struct model_call *c = &ui->m->calls[i];

		if (c->conn != conn)
			continue;
		text_add(out, ROLE_TEXT, "%-6s %s  %s%s", n == 0 ? "now" : "",
		    c->method, words_age(ui_now(ui) - c->began_ms, age),
		    c->stream ? "  stream" : "");
		n++;
	}
}

void
detail_conn(struct ui *ui, const struct model_conn *c, struct text *out)
{
	const struct model_key *k = view_key_of(ui->m, c);
	char age[WORDS_LEN], in[WORDS_LEN], sent[WORDS_LEN];

	text_add(out, ROLE_HEAD, "%s  %s",
	    c->email[0] != '\0' ? c->email : c->address, words_conn_state(c));
	add_fp("key", c->fp, out);
	if (k != NULL)
		text_add(out, ROLE_TEXT, "%-6s %s%s%s", "trust",
		    words_key_state(k->state), k->ca[0] != '\0' ? "  CA " : "",
		    k->ca);
	text_add(out, ROLE_TEXT, "%-6s %s  %s%s", "from", c->address,
	    c->transport, c->resumed ? "  resumed" : "");
	text_add(out, ROLE_TEXT, "%-6s %s  (%s)", "since", c->since,
	    words_age(ui_now(ui) - c->began_ms, age));
	text_add(out, ROLE_TEXT,
	    "%-6s %" PRIu64 " begun   %" PRIu64 " running   in %s  out %s",
	    "calls", c->calls, c->running, words_size(c->in, in),
	    words_size(c->out, sent));
	add_running(ui, c->id, out);
	if (k != NULL)
		text_fact(out, "note", k->note);
	if (c->state == MODEL_CLOSED)
		text_fact(out, "closed", c->why);
}

static void
add_warning(const struct ui *ui, const struct model_key *k, struct text *out)
{
	const struct model_key *known = view_known_of(ui->m, k);
	char grouped[RK_FP_GROUPED_LEN];

	text_add(out, ROLE_BAD,
	    "WARNING  same name as a known client, but ANOTHER key%s",
	    known != NULL && known->address[0] != '\0' &&
	            !words_same_host(known->address, k->address)
	        ? " and ANOTHER address"
	        : "");
	if (known != NULL) {
		rk_fp_group(known->fp, grouped);
		text_add(out, ROLE_TEXT, "%-6s %s%s%s", "known", grouped,
		    known->first_seen[0] != '\0' ? "  since " : "",
		    known->first_seen);
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
	text_add(out, ROLE_HEAD, "%s  %s",
	    k->email[0] != '\0' ? k->email : "no e-mail",
	    words_key_state(k->state));
	if (k->state == KEY_CHANGED)
		add_warning(ui, k, out);
	else
		add_fp("key", k->fp, out);
	if (!k->met && k->state != KEY_KNOWN)
		text_add(out, ROLE_TEXT, "%-6s it never came", "");
	text_fact(out, "from", k->address);
	text_fact(out, "CA", k->ca);
	if (k->first_seen[0] != '\0' || k->last_seen[0] != '\0')
		text_add(out, ROLE_TEXT,
		    "%-6s first %s  last %s  tries %" PRIu64, "seen",
		    k->first_seen, k->last_seen, k->tries);
	text_fact(out, "until", k->until);
	if (k->who[0] != '\0' || k->decided[0] != '\0')
		text_add(
		    out, ROLE_TEXT, "%-6s %s  %s", "by", k->who, k->decided);
	text_fact(out, "note", k->note);
	if (k->conns > 0)
		text_add(out, ROLE_WAIT, "%-6s %" PRIu64 " connection%s now",
		    "waits", k->conns, k->conns == 1 ? "" : "s");
}

static void
detail_call(struct ui *ui, const struct model_call *c, struct text *out)
{
	char age[WORDS_LEN];

	text_add(out, ROLE_HEAD, "%s", c->method);
	text_fact(out, "by", c->email);
	text_add(out, ROLE_TEXT, "%-6s %s  connection %" PRIu64, "from",
	    c->address, c->conn);
	text_fact(out, "since", words_age(ui_now(ui) - c->began_ms, age));
	if (c->deadline_ms != 0)
		text_fact(
		    out, "left", words_age(c->deadline_ms - ui_now(ui), age));
	text_add(out, ROLE_TEXT, "%-6s %s%s", "kind",
	    c->stream ? "stream" : "call", c->canceled ? ", canceled" : "");
}

static void
detail_method(const struct rk_value *v, struct text *out)
{
	char name[256], text[1024];

	text_add(
	    out, ROLE_HEAD, "%s", view_text(v, "name", name, sizeof(name)));
	text_fact(out, "about", view_text(v, "about", text, sizeof(text)));
	text_fact(out, "takes", view_text(v, "args", text, sizeof(text)));
	text_fact(out, "gives", view_text(v, "reply", text, sizeof(text)));
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
		text_add(out, ROLE_HEAD, "%s", ui->m->status.facts[r->at].key);
		text_add(out, ROLE_TEXT, "%s", ui->m->status.facts[r->at].text);
		break;
	case ROW_LINE:
		detail_line(view_line(ui->m, r->at), out);
		break;
	}
}
