/* Taking the last decision back: also when the daemon was away meanwhile. */
#include "undo.h"

#include "ui.h"

#include "base/str.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINES 64 /* of the audit that are looked at */

/* No answer has come: it may be done, or not. */
static bool
is_lost(enum rk_err code)
{
	return code == RK_ECLOSED || code == RK_ECANCELED ||
	       code == RK_ECONNECT || code == RK_ETIMEOUT;
}

/* As the daemon names who asks from here: a user, and by what. */
static const char *
our_name(char dst[256])
{
	const uid_t uid = geteuid();
	struct passwd pw, *found = NULL;
	char text[4096], name[64];

	(void)snprintf(name, sizeof(name), "uid %lu", (unsigned long)uid);
	if (getpwuid_r(uid, &pw, text, sizeof(text), &found) == 0 &&
	    found != NULL)
		(void)str_escape(name, sizeof(name), pw.pw_name);
	(void)snprintf(dst, 256, "%s (%s)", name, ORDER_VIA);
	return dst;
}

/* Whose line is it?  A socket may be passed on from elsewhere, where we have
 * another name: what was done as if from here may be ours. */
enum whose {
	OTHERS,
	MAYBE,
	OURS
};

static enum whose
whose(const struct rk_value *line, const struct undo *u)
{
	static const char via[] = " (" ORDER_VIA ")";
	char fp[RK_FP_LEN], what[32], who[256], name[256];
	size_t len;

	if (strcmp(ctl_text(line, "fingerprint", fp, sizeof(fp)), u->fp) != 0 ||
	    strcmp(ctl_text(line, "what", what, sizeof(what)), u->verb) != 0)
		return OTHERS;
	len = strlen(ctl_text(line, "who", who, sizeof(who)));
	if (strcmp(who, our_name(name)) == 0)
		return OURS;
	return len >= sizeof(via) - 1 &&
	               strcmp(who + len - (sizeof(via) - 1), via) == 0
	           ? MAYBE
	           : OTHERS;
}

/* What the audit has of a decision. */
struct found {
	uint64_t line; /* that is ours; 0: none is */
	bool all;      /* every line since then was looked at */
	bool maybe;    /* one may be ours */
};

/* Lines of others, and of what came of it, may stand before it. */
static struct found
find_line(const struct rk_value *lines, uint64_t out, const struct undo *u)
{
	struct found f = { .all = u->before.known && out == 0 &&
		                  lines->u.list.count < LINES };
	uint64_t first = 0;

	for (uint32_t i = 0; i < lines->u.list.count; i++) {
		const struct rk_value *line = &lines->u.list.items[i];
		uint64_t id = ctl_number(line, "id");
		enum whose w = OTHERS;

		if (i == 0)
			first = id;
		if (u->before.known && id <= u->before.line) {
			f.all = true;
			break;
		}
		w = whose(line, u);
		f.maybe = f.maybe || w == MAYBE;
		if (w == OURS && f.line == 0)
			f.line = id;
	}
	/* Numbers that went back are another store's. */
	f.all = f.all && first >= u->before.line;
	return f;
}

static const struct rk_value *
audit_lines(enum rk_err code, const struct rk_value *answer)
{
	const struct rk_value *lines = rk_value_get(answer, "lines");

	return code == RK_OK && lines != NULL && lines->kind == RK_ARRAY ? lines
	                                                                 : NULL;
}

static void
take_newest(struct undo *u, const struct rk_value *lines)
{
	u->newest = (struct undo_mark){ .known = true };
	if (lines->u.list.count > 0)
		u->newest.line = ctl_number(&lines->u.list.items[0], "id");
}

/* What has become of what was in doubt. */
static void
say_found(struct ui *ui, const struct found *f)
{
	struct undo *u = &ui->undo;
	const char *but = u->other[0] == '\0'
	                      ? ""
	                      : "; it is not known whether this was, too: ";

	/* Which of our lines it is, is known by what was the newest. */
	if (f->line != 0 && u->before.known) {
		ui_say(ui, ROLE_WAIT,
		    "done, although the daemon went meanwhile: %s%s%s", u->said,
		    but, u->other);
		u->until_ms = ui_now(ui) + UI_UNDO_MS;
	} else {
		ui_say(ui, ROLE_BAD, "%s: %s%s%s",
		    f->line == 0 && f->all && !f->maybe
		        ? "the daemon went before it did this, it is NOT done"
		        : "the daemon went, and it is not known whether this "
		          "was done",
		    u->said, but, u->other);
		u->fp[0] = '\0';
	}
	u->other[0] = '\0';
}

/* answered_fn: of a daemon without a store there is none. */
static void
on_audit(struct ui *ui, enum rk_err code, const struct rk_value *answer)
{
	const struct rk_value *lines = audit_lines(code, answer);
	struct undo *u = &ui->undo;
	struct found f = { .all = false };

	u->asks = false;
	if (is_lost(code) || u->fp[0] == '\0')
		return;
	if (lines != NULL) {
		f = find_line(lines, ctl_number(answer, "left_out"), u);
		take_newest(u, lines);
	}
	u->line = f.line;
	if (!u->doubt)
		return;
	u->doubt = false;
	say_found(ui, &f);
}

/* answered_fn */
static void
on_newest(struct ui *ui, enum rk_err code, const struct rk_value *answer)
{
	const struct rk_value *lines = audit_lines(code, answer);

	if (lines != NULL)
		take_newest(&ui->undo, lines);
}

void
undo_ready(struct ui *ui)
{
	static const struct order_arg args[] = { { "max", NULL, 1 } };

	(void)order_look(ui, "_.audit", args, 1, on_newest);
}

/* Versions are a process's own; the lines of the audit are for ever. */
static void
ask_line(struct ui *ui)
{
	static const struct order_arg args[] = { { "max", NULL, LINES } };

	ui->undo.asks = order_look(ui, "_.audit", args, 1, on_audit);
}

/* One is kept, the last: what becomes of the other is not looked for. */
static void
drop_doubt(struct ui *ui, const struct undo *was)
{
	ui_say(ui, ROLE_BAD, "it is not known whether this was done: %s",
	    was->said);
	if (ui->undo.doubt)
		(void)str_copy(
		    ui->undo.other, sizeof(ui->undo.other), was->said);
}

void
undo_decided(struct ui *ui, const struct order *o, enum rk_err code,
    const struct rk_value *answer)
{
	struct undo *u = &ui->undo;
	const struct undo was = *u;

	if (code != RK_OK && !is_lost(code))
		return;
	*u = (struct undo){ .looked_ms = u->looked_ms,
		.until_ms = ui_now(ui) + UI_UNDO_MS,
		.doubt = code != RK_OK,
		.before = o->before,
		.newest = u->newest };
	if (was.doubt)
		drop_doubt(ui, &was);
	(void)str_copy(u->fp, sizeof(u->fp), o->fp);
	(void)str_copy(u->said, sizeof(u->said), o->said);
	(void)str_copy(u->verb, sizeof(u->verb), o->verb);
	if (u->doubt)
		return;
	(void)ctl_text(answer, "fingerprint", u->fp, sizeof(u->fp));
	u->version = ctl_number(answer, "version");
	u->process = ui->conf.model->process;
	ask_line(ui);
}

void
undo_answered(struct ui *ui, const struct order *o, enum rk_err code)
{
	struct undo *u = &ui->undo;

	/* Another one may have been decided about by now. */
	if (!is_lost(code) && strcmp(u->fp, o->fp) == 0)
		u->fp[0] = '\0';
}

bool
undo_waits(const struct ui *ui)
{
	const struct undo *u = &ui->undo;

	return !ui->conf.model->online ||
	       (u->fp[0] != '\0' &&
	           (u->doubt ||
	               (u->asks && u->process != ui->conf.model->process)));
}

void
undo_last(struct ui *ui)
{
	struct undo *u = &ui->undo;
	const bool same = u->process == ui->conf.model->process;
	/* A note that is written afterwards makes another version. */
	const struct order_arg args[] = {
		{ "key", u->fp, 0 },
		u->line == 0 ? (struct order_arg){ "version", NULL, u->version }
		             : (struct order_arg){ "line", NULL, u->line },
	};

	if (u->fp[0] == '\0')
		ui_say(ui, u->late ? ROLE_WAIT : ROLE_DIM, "%s",
		    u->late ? "it is too late for u; rpcd ctl trust undo takes "
		              "a decision back"
		            : "there is nothing to take back");
	else if (undo_waits(ui))
		ui_say_away(ui, ROLE_WAIT,
		    "the daemon does not answer: u takes it back when it does");
	else if (!same && u->line == 0)
		ui_say(ui, ROLE_BAD,
		    "it cannot be taken back any more: the daemon has begun "
		    "anew, and its audit has something else");
	else
		order_undo(ui, args, 2);
}

void
undo_look(struct ui *ui, int64_t now)
{
	struct undo *u = &ui->undo;
	const struct model *m = ui->conf.model;
	int64_t passed = now - u->looked_ms;

	u->looked_ms = now;
	if (u->fp[0] == '\0')
		return;
	/* The time in which nobody could do it is not counted. */
	if (!m->online || m->silent_s > 0 || u->doubt)
		u->until_ms += passed;
	if (!m->online)
		u->asks = false;
	else if (u->doubt && !u->asks && feed_whole(ui->conf.feed))
		ask_line(ui);
	if (now >= u->until_ms) {
		u->fp[0] = '\0';
		u->late = true;
	}
}
