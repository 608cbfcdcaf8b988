/* Taking the last decision back: also when the daemon was away meanwhile. */
#include "undo.h"

#include "ui.h"

#include "base/str.h"

#define LINES 64 /* of the audit that are looked at */

/* No answer has come: it may be done, or not. */
static bool
is_lost(enum rk_err code)
{
	return code == RK_ECLOSED || code == RK_ECANCELED ||
	       code == RK_ECONNECT || code == RK_ETIMEOUT;
}

/* Is it the line of what was decided from here? */
static bool
is_ours(const struct rk_value *line, const struct undo *u)
{
	static const char via[] = " (tui)";
	char who[256], time[32];
	size_t len = strlen(view_text(line, "who", who, sizeof(who)));

	return len >= sizeof(via) - 1 &&
	       strcmp(who + len - (sizeof(via) - 1), via) == 0 &&
	       strcmp(view_text(line, "time", time, sizeof(time)), u->sent) >=
	           0;
}

/* The newest line about the key, if that is it; 0: it is not. */
static uint64_t
find_line(const struct rk_value *answer, const struct undo *u)
{
	const struct rk_value *lines = rk_value_get(answer, "lines");
	char fp[RK_FP_LEN];

	if (lines == NULL || lines->kind != RK_ARRAY)
		return 0;
	for (uint32_t i = 0; i < lines->u.list.count; i++) {
		const struct rk_value *line = &lines->u.list.items[i];

		if (strcmp(view_text(line, "fingerprint", fp, sizeof(fp)),
		        u->fp) == 0)
			return is_ours(line, u) ? view_number(line, "id") : 0;
	}
	return 0;
}

/* answered_fn: of a daemon without a store there is none. */
static void
on_audit(struct ui *ui, enum rk_err code, const struct rk_value *answer)
{
	struct undo *u = &ui->undo;

	u->asks = false;
	if (is_lost(code) || u->fp[0] == '\0')
		return;
	u->line = code == RK_OK ? find_line(answer, u) : 0;
	if (!u->doubt)
		return;
	u->doubt = false;
	if (u->line == 0) {
		ui_say(ui, ROLE_BAD,
		    "the daemon went before it did this, it is NOT done: %s",
		    u->said);
		u->fp[0] = '\0';
		return;
	}
	ui_say(ui, ROLE_WAIT, "done, although the daemon went meanwhile: %s",
	    u->said);
	u->until_ms = ui_now(ui) + UI_UNDO_MS;
}

/* Versions are a process's own; the lines of the audit are for ever. */
static void
ask_line(struct ui *ui)
{
	static const struct order_arg args[] = { { "max", NULL, LINES } };

	ui->undo.asks = order_look(ui, "_.audit", args, 1, on_audit);
}

void
undo_decided(struct ui *ui, const struct order *o, enum rk_err code,
    const struct rk_value *answer)
{
	struct undo *u = &ui->undo;

	if (code != RK_OK && !is_lost(code))
		return;
	*u = (struct undo){ .looked_ms = u->looked_ms,
		.until_ms = ui_now(ui) + UI_UNDO_MS,
		.doubt = code != RK_OK };
	(void)str_copy(u->fp, sizeof(u->fp), o->fp);
	(void)str_copy(u->said, sizeof(u->said), o->said);
	(void)str_copy(u->sent, sizeof(u->sent), o->sent);
	if (u->doubt)
		return;
	(void)view_text(answer, "fingerprint", u->fp, sizeof(u->fp));
	u->version = view_number(answer, "version");
	u->pid = ui->conf.model->status.pid;
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

void
undo_last(struct ui *ui)
{
	struct undo *u = &ui->undo;
	const bool same = u->pid == ui->conf.model->status.pid;
	const struct order_arg args[] = {
		{ "key", u->fp, 0 },
		same ? (struct order_arg){ "version", NULL, u->version }
		     : (struct order_arg){ "line", NULL, u->line },
	};

	if (u->fp[0] == '\0')
		ui_say(ui, u->late ? ROLE_WAIT : ROLE_DIM, "%s",
		    u->late ? "it is too late for u; rpcd ctl trust undo takes "
		              "a decision back"
		            : "there is nothing to take back");
	else if (!ui->conf.model->online || u->doubt || (!same && u->asks))
		ui_say(ui, ROLE_WAIT,
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
	if (!m->online || u->doubt)
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
