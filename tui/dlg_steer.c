/* Locking the list, closing a connection, leaving: questions before it. */
#include "dialog.h"

#include "extra.h"
#include "words.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define NAMES_MAX 3    /* of certificates that end */
#define FINDINGS_MAX 3 /* of the daemon's, that are shown */

/* ---- the list ---- */

static void
locked(struct ui *ui, struct dialog *d, int button)
{
	if (button >= 0)
		order_then(ui, "_.lock", NULL, 0,
		    "LOCKED: only known keys may connect",
		    d->turned ? drop_unlisted : NULL);
}

static void
unlocked(struct ui *ui, struct dialog *d, int button)
{
	(void)d;
	if (button == 1)
		order_send(ui, "_.unlock", NULL, 0,
		    "the list of known keys may be written again", false);
}

static void
ask_unlock(struct ui *ui)
{
	struct dialog *d = dialog_open(ui, " Unlock the list? ", unlocked);

	if (d == NULL)
		return;
	text_add(&d->body, ROLE_TEXT,
	    "The list of known keys is locked. Unlocked, approved keys are "
	    "written to it again; what becomes of new ones says the mode, %s.",
	    ui->m->status.mode);
	dialog_buttons(d, dialog_no_yes);
	d->process = ui->m->process;
	d->hints = "y unlock  n, Esc no";
}

/* A line of the list of what to look at first. */
static void RK_PRINTF(3, 4)
    add_check(struct text *t, bool ok, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_add(
	    t, ok ? ROLE_GOOD : ROLE_WAIT, "  [%s] %s", ok ? "ok" : "!!", text);
}

/* Names of as many as there is room for, each once. */
struct names {
	const char *v[NAMES_MAX];
	size_t n;
	bool more;
};

static void
add_name(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++) {
		if (strcmp(names->v[i], name) == 0)
			return;
	}
	if (names->n < NAMES_MAX)
		names->v[names->n++] = name;
	else
		names->more = true;
}

static bool
ends_soon(const char *when)
{
	int64_t days;

	return words_days(when, (int64_t)time(NULL), &days) &&
	       days <= VIEW_SOON;
}

static size_t
count_ends(const struct model *m, struct names *names, bool *known)
{
	size_t n = 0;

	*known = false;
	for (size_t i = 0; i < m->n_keys; i++) {
		const struct model_key *k = &m->keys[i];

		if (k->state != KEY_KNOWN || k->cert_until[0] == '\0')
			continue;
		*known = true;
		if (ends_soon(k->cert_until)) {
			n++;
			add_name(names, k->email);
		}
	}
	if (*known)
		return n;
	for (size_t i = 0; i < m->n_conns; i++) {
		const struct model_conn *c = &m->conns[i];

		if (c->state != MODEL_CLOSED && ends_soon(c->not_after)) {
			n++;
			add_name(names, c->cn[0] != '\0' ? c->cn : c->email);
		}
	}
	return n;
}

/* Of known keys or, where no store has noted when theirs end, of those that are
 * connected. */
static void
check_ends(const struct model *m, struct text *t)
{
	struct names names = { .n = 0 };
	char list[200] = "";
	size_t used = 0;
	bool known;
	size_t n = count_ends(m, &names, &known);

	for (size_t i = 0; i < names.n; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		    "%s%.40s", i > 0 ? ", " : ": ", names.v[i]);
	if (n == 0)
		add_check(t, true, "no %s ends within %d days",
		    known ? "known certificate"
		          : "certificate of who is connected",
		    VIEW_SOON);
	else
		add_check(t, false, "%s within %d days: %zu%s%s",
		    known ? "known certificates that end"
		          : "connections whose certificate ends",
		    VIEW_SOON, n, list, names.more ? ", ..." : "");
}

/* What the daemon finds; keys that wait are counted here already. */
static void
add_findings(const struct rk_value *answer, struct text *t)
{
	const struct rk_value *list = rk_value_get(answer, "findings");
	const struct rk_value *wrong;
	char text[300];
	size_t shown = 0;

	if (list == NULL || list->kind != RK_ARRAY)
		return;
	for (uint32_t i = 0; i < list->u.list.count; i++) {
		const struct rk_value *v = &list->u.list.items[i];

		wrong = rk_value_get(v, "wrong");
		(void)ctl_text(v, "text", text, sizeof(text));
		if (strncmp(text, "keys that wait", 14) == 0 ||
		    shown++ >= FINDINGS_MAX)
			continue;
		text_add(t,
		    wrong != NULL && wrong->kind == RK_BOOL && wrong->u.b
		        ? ROLE_BAD
		        : ROLE_WAIT,
		    "  [!!] %s", text);
	}
	if (shown == 0)
		add_check(t, true, "the daemon finds nothing wrong");
	else if (shown > FINDINGS_MAX)
		text_add(t, ROLE_WAIT, "  [!!] more: rpcd ctl trust check");
}

/* With its mode now and then, where the daemon says that. */
static void
add_file(
    const struct model_status *s, const struct rk_value *answer, struct text *t)
{
	const char *file = view_fact(s, "known_clients");
	char mode[8] = "", then[8] = "";

	if (answer != NULL) {
		(void)ctl_text(answer, "mode", mode, sizeof(mode));
		(void)ctl_text(answer, "mode_locked", then, sizeof(then));
	}
	if (file != NULL && mode[0] != '\0' && then[0] != '\0')
		text_add(
		    t, ROLE_TEXT, "File: %s, mode %s -> %s", file, mode, then);
	else if (file != NULL)
		text_add(t, ROLE_TEXT, "File: %s, made read-only", file);
}

/* What becomes of those that are connected; k turns it. */
static void
say_open(struct ui *ui, struct dialog *d)
{
	size_t n = drop_count(ui->m);

	if (d->turned)
		text_set(&d->body, d->turn_line, ROLE_WAIT,
		    "Dropped: %zu connection%s of keys not on the list "
		    "(k: keep).",
		    n, n == 1 ? "" : "s");
	else
		text_set(&d->body, d->turn_line, ROLE_TEXT,
		    "Open connections are kept (k: drop %zu of keys not on the "
		    "list).",
		    n);
}

/* answer: of _.check, or NULL; asked: it is still to come. */
static void
fill_lock(
    struct ui *ui, struct dialog *d, const struct rk_value *answer, bool asked)
{
	const struct model_status *s = &ui->m->status;
	struct text *t = &d->body;
	size_t waits = model_waiting(ui->m);

	text_fini(t);
	text_add(t, ROLE_TEXT,
	    "After this only the %" PRIu64
	    " known key%s may connect. New ones are refused.",
	    s->known, s->known == 1 ? "" : "s");
	text_add(t, ROLE_TEXT, "Check before you lock:");
	if (s->known > 0)
		add_check(t, true, "the list is not empty (%" PRIu64 " key%s)",
		    s->known, s->known == 1 ? "" : "s");
	else
		text_add(t, ROLE_BAD,
		    "  [!!] the list is EMPTY: nobody could connect");
	if (waits == 0)
		add_check(t, true, "no key waits");
	else
		add_check(
		    t, false, "keys that WAIT: %zu (they stay out)", waits);
	check_ends(ui->m, t);
	if (answer != NULL)
		add_findings(answer, t);
	else
		text_add(t, asked ? ROLE_DIM : ROLE_WAIT, "  [%s] %s",
		    asked ? ".." : "!!",
		    asked ? "the daemon checks"
		          : "the daemon does not say what it finds");
	add_check(t, true, "your own way in (the admin socket) needs no key");
	add_file(s, answer, t);
	text_add(t, ROLE_TEXT, "%s", "");
	d->turn_line = t->n - 1;
	dialog_must(d);
	text_add(t, ROLE_DIM, "The same as: rpcd ctl trust lock");
	text_add(t, ROLE_TEXT, "Type LOCK to go on:");
}

static void
checked(struct ui *ui, enum rk_err code, const struct rk_value *answer)
{
	struct dialog *d = ui->dialog;

	(void)code;
	/* It may be over by now. */
	if (d != NULL && d->done == locked)
		fill_lock(ui, d, answer, false);
}

static void
ask_lock(struct ui *ui)
{
	struct dialog *d =
	    dialog_open(ui, " LOCK the list of known clients ", locked);

	if (d == NULL)
		return;
	fill_lock(ui, d, NULL, true);
	(void)str_copy(d->want, sizeof(d->want), "LOCK");
	d->process = ui->m->process;
	d->turn = say_open;
	d->turn_key = 'k';
	d->hints = "Enter go on  k drop/keep  Esc = cancel";
	(void)order_ask(ui, "_.check", NULL, 0, checked);
}

void
dlg_lock(struct ui *ui)
{
	const struct model_status *s = &ui->m->status;

	if (!s->has_trust)
		ui_say(ui, ROLE_WAIT, "this daemon has no list of keys");
	else if (strcmp(s->list, "locked") == 0)
		ask_unlock(ui);
	else
		ask_lock(ui);
}

/* ---- a connection ---- */

static void
kicked(struct ui *ui, struct dialog *d, int button)
{
	const struct order_arg args[] = { { "conn", NULL, d->conn } };
	char said[200];

	if (button != 1)
		return;
	(void)snprintf(said, sizeof(said), "kicked %.120s", d->who);
	order_send(ui, "_.kick", args, 1, said, false);
}

void
dlg_kick(struct ui *ui, const struct model_conn *c)
{
	struct dialog *d = dialog_open(ui, " Close this connection? ", kicked);
	char who[VIEW_WHO];

	if (d == NULL)
		return;
	d->conn = c->id;
	d->process = ui->m->process;
	(void)str_copy(d->who, sizeof(d->who),
	    view_who(c, who)[0] != '\0' ? who : c->address);
	text_add(&d->body, ROLE_TEXT, "%s from %s", d->who, c->address);
	if (c->running > 0)
		text_add(&d->body, ROLE_WAIT,
		    "%" PRIu64 " call%s of it run%s and would be lost.",
		    c->running, c->running == 1 ? "" : "s",
		    c->running == 1 ? "s" : "");
	text_add(&d->body, ROLE_TEXT, "It may come back at once.");
	dialog_buttons(d, dialog_no_yes);
	d->is_over = over_conn;
	d->hints = "y close it  n, Esc no";
}

/* ---- a call ---- */

static void
canceled(struct ui *ui, struct dialog *d, int button)
{
	const struct order_arg args[] = { { "conn", NULL, d->conn },
		{ "id", NULL, d->call } };
	char said[200];

	if (button != 1)
		return;
	(void)snprintf(said, sizeof(said), "canceled %.120s", d->who);
	order_send(ui, "_.cancel", args, 2, said, false);
}

void
dlg_cancel(struct ui *ui, const struct model_call *c)
{
	struct dialog *d = dialog_open(ui, " Cancel this call? ", canceled);
	char age[WORDS_LEN];

	if (d == NULL)
		return;
	d->conn = c->conn;
	d->call = c->id;
	d->process = ui->m->process;
	(void)str_copy(d->who, sizeof(d->who), c->method);
	text_add(&d->body, ROLE_TEXT, "%s%s%s of %s, for %s", c->method,
	    c->file[0] != '\0' ? " " : "", c->file,
	    c->name[0] != '\0' ? c->name : c->address,
	    words_age(ui_now(ui) - c->began_ms, age));
	text_add(&d->body, ROLE_TEXT,
	    "Its caller gets an error; the connection goes on.");
	dialog_buttons(d, dialog_no_yes);
	d->is_over = over_call;
	d->hints = "y cancel it  n, Esc no";
}

/* ---- leaving ---- */

static void
left(struct ui *ui, struct dialog *d, int button)
{
	(void)d;
	if (button == 1)
		ui_end(ui, 0);
}

static const struct button stay_quit[] = {
	{ .label = "Stay", .key = 'n' },
	{ .label = "Quit", .key = 'y', .danger = true },
	{ 0 },
};

void
dlg_quit(struct ui *ui)
{
	struct dialog *d = dialog_open(ui, " Quit? ", left);

	if (d == NULL)
		return;
	text_add(&d->body, ROLE_WAIT,
	    "Something is half done: an order or a "
	    "command still runs.");
	dialog_buttons(d, stay_quit);
	d->hints = "y quit  n, Esc stay";
}
