/* Following one connection: what it begins, moves, and how it ends. */
#include "extra.h"

#include "words.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trace {
	uint64_t id, process;
	struct model_conn last;
	bool gone;
};

static void
tell(struct pane *p, enum term_role role, const char *what)
{
	char now[WORDS_LEN + 8];

	words_now(now);
	text_add(&p->text, role, "%s  %s", now + 11, what);
}

/* Those that run when it begins. */
static void
tell_calls(struct ui *ui, struct pane *p, uint64_t id)
{
	char what[400];

	for (size_t i = 0; i < ui->m->n_calls; i++) {
		const struct model_call *c = &ui->m->calls[i];

		if (c->conn != id)
			continue;
		(void)snprintf(what, sizeof(what), "runs %.256s%s", c->method,
		    c->stream ? "  stream" : "");
		tell(p, ROLE_INFO, what);
	}
}

static void
tell_end(struct pane *p, const struct rk_value *event, const char *method)
{
	char took[WORDS_LEN], error[300], what[700];

	(void)words_us(ctl_number(event, "us"), took);
	(void)ctl_text(event, "error", error, sizeof(error));
	(void)snprintf(what, sizeof(what), "%s %.256s  %s%s%.256s",
	    error[0] == '\0' ? "done" : "failed", method, took,
	    error[0] == '\0' ? "" : "  ", error);
	tell(p, error[0] == '\0' ? ROLE_GOOD : ROLE_BAD, what);
}

/* feed_event_fn: each call, as it begins and ends. */
static void
on_event(const struct rk_value *event, void *arg)
{
	struct ui *ui = arg;
	char word[16], method[257], what[400];

	(void)ctl_text(event, "event", word, sizeof(word));
	(void)ctl_text(event, "method", method, sizeof(method));
	if (strcmp(word, "lost") == 0) {
		(void)snprintf(what, sizeof(what),
		    "%" PRIu64 " events were lost: they came too fast",
		    ctl_number(event, "count"));
		tell(ui->pane, ROLE_WAIT, what);
	} else if (ctl_number(event, "conn") != ui->trace->id ||
	           ui->trace->process != ui->conf.model->process) {
		return;
	} else if (strcmp(word, "begun") == 0) {
		(void)snprintf(what, sizeof(what), "call %s", method);
		tell(ui->pane, ROLE_INFO, what);
	} else if (strcmp(word, "ended") == 0) {
		tell_end(ui->pane, event, method);
	}
}

static void
tell_changes(struct pane *p, struct trace *t, const struct model_conn *c)
{
	char what[400], in[WORDS_LEN], out[WORDS_LEN];

	if (c->state != t->last.state) {
		(void)snprintf(what, sizeof(what), "%s%s%s",
		    words_conn_state(c), c->why[0] != '\0' ? ": " : "", c->why);
		tell(p, c->state == MODEL_CLOSED ? ROLE_BAD : ROLE_GOOD, what);
	}
	if (c->calls != t->last.calls || c->in != t->last.in ||
	    c->out != t->last.out) {
		(void)snprintf(what, sizeof(what),
		    "calls +%" PRIu64 " (%" PRIu64 ", %" PRIu64
		    " run)  in +%s  out +%s",
		    c->calls - t->last.calls, c->calls, c->running,
		    words_size(c->in - t->last.in, in),
		    words_size(c->out - t->last.out, out));
		tell(p, ROLE_TEXT, what);
	}
	t->last = *c;
}

void
trace_look(struct ui *ui)
{
	struct trace *t = ui->trace;
	const struct model_conn *c;

	if (t == NULL || t->gone)
		return;
	c = t->process == ui->conf.model->process ? model_conn(ui->m, t->id)
	                                          : NULL;
	if (c != NULL) {
		tell_changes(ui->pane, t, c);
	} else if (ui->m->online) {
		tell(ui->pane, ROLE_BAD, "it is gone");
		t->gone = true;
	}
}

static bool
key(struct ui *ui, struct pane *p, uint32_t key)
{
	(void)p;
	if (key != 'e')
		return false;
	export_ask(ui);
	return true;
}

static void
closed(struct ui *ui, struct pane *p)
{
	(void)p;
	feed_on_event(ui->conf.feed, NULL, NULL);
	feed_want_calls(ui->conf.feed, 0);
	free(ui->trace);
	ui->trace = NULL;
}

void
trace_open(struct ui *ui, const struct model_conn *c)
{
	static const struct pane_ops ops = { .key = key,
		.closed = closed,
		.hints = "j/k move  G follow  e export  Esc back" };
	char title[300], who[VIEW_WHO];
	struct trace *t;
	struct pane *p;

	(void)snprintf(title, sizeof(title), "trace of %.140s %.120s",
	    view_who(c, who), c->address);
	if ((p = pane_open(ui, &ops, title)) == NULL)
		return;
	if ((t = calloc(1, sizeof(*t))) == NULL) {
		pane_close(ui);
		ui_say(ui, ROLE_BAD, "out of memory");
		return;
	}
	t->id = c->id;
	t->process = ui->m->process;
	t->last = *c;
	ui->trace = t;
	p->follow = true;
	detail_conn(ui, c, &p->text);
	text_add(&p->text, ROLE_TEXT, "%s", "");
	tell_calls(ui, p, t->id);
	feed_on_event(ui->conf.feed, on_event, ui);
	feed_want_calls(ui->conf.feed, t->id);
}
