/* What was decided about keys, when and by whom, as the store has it. */
#include "extra.h"

#include "words.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define LINES 300   /* that are asked for */
#define FP_SHOWN 23 /* "SHA256:" and sixteen characters */

static const struct pane_ops ops = { .hints = "j/k move  g G ends  Esc back" };

static enum term_role
role_of(const char *what)
{
	if (strcmp(what, "reject") == 0 || strcmp(what, "revoke") == 0 ||
	    strcmp(what, "lock") == 0)
		return ROLE_WAIT;
	return strncmp(what, "approve", 7) == 0 ? ROLE_GOOD : ROLE_TEXT;
}

static void
add_line(struct text *t, const struct rk_value *line, const char *today)
{
	char time[32], when[WORDS_LEN], who[256], what[32], fp[RK_FP_LEN];
	char email[256], before[16], after[16], note[256];
	const char *to = " > ";

	(void)words_when(
	    ctl_text(line, "time", time, sizeof(time)), today, when);
	(void)ctl_text(line, "what", what, sizeof(what));
	(void)ctl_text(line, "note", note, sizeof(note));
	(void)ctl_text(line, "fingerprint", fp, sizeof(fp));
	if (fp[0] == '\0') /* no key's */
		(void)str_copy(email, sizeof(email), "the list of known keys");
	else
		(void)ctl_text(line, "email", email, sizeof(email));
	if (ctl_text(line, "before", before, sizeof(before))[0] == '\0')
		to = ""; /* of the mode, which the note says */
	text_add(t, role_of(what), "%-10s %-14s %-8s %s  %.*s  %s%s%s%s%s",
	    when, ctl_text(line, "who", who, sizeof(who)), what, email,
	    FP_SHOWN, fp, before, to,
	    ctl_text(line, "after", after, sizeof(after)),
	    note[0] != '\0' ? "  " : "", note);
}

/* The answer may be of a pane that was left. */
static bool
is_of(const struct rk_value *line, const char *fp)
{
	char its[RK_FP_LEN];

	return fp[0] == '\0' ||
	       strcmp(ctl_text(line, "fingerprint", its, sizeof(its)), fp) == 0;
}

/* Where there may be older ones. */
static void
add_end(struct text *t, const char *fp)
{
	if (fp[0] == '\0')
		text_add(
		    t, ROLE_DIM, "older ones: rpcd ctl trust audit --max N");
	else
		text_add(t, ROLE_DIM,
		    "older ones: rpcd ctl trust audit %.*s --max 0", FP_SHOWN,
		    fp);
}

static void
answered(struct ui *ui, enum rk_err code, const struct rk_value *answer)
{
	const struct rk_value *lines = rk_value_get(answer, "lines");
	char today[WORDS_LEN + 8];
	const char *fp;
	struct text *t;

	/* It may have been left. */
	if (ui->pane == NULL || ui->pane->ops != &ops)
		return;
	fp = ui->pane->id;
	t = &ui->pane->text;
	text_fini(t);
	if (answer == NULL && code != RK_ENOENT) {
		text_add(t, ROLE_WAIT, "the daemon does not say: %s",
		    rk_err_text(code));
		return;
	}
	words_now(today);
	for (uint32_t i = 0; i < ctl_len(lines); i++) {
		if (is_of(&lines->u.list.items[i], fp))
			add_line(t, &lines->u.list.items[i], today);
	}
	if (t->n == 0)
		text_add(t, ROLE_DIM, "nothing was decided yet");
	if (ctl_len(lines) >= LINES || ctl_number(answer, "left_out") > 0)
		add_end(t, fp);
}

/* fp: of which key only, or "". */
static void
ask(struct ui *ui, const char *title, const char *fp)
{
	const struct order_arg args[] = { { "max", NULL, LINES },
		{ "key", fp, 0 } };
	struct pane *p = pane_open(ui, &ops, title);

	if (p == NULL)
		return;
	(void)str_copy(p->id, sizeof(p->id), fp);
	text_add(&p->text, ROLE_DIM, "asking");
	if (fp[0] == '\0')
		(void)order_ask(ui, "_.audit", args, 1, answered);
	else if (!order_look(ui, "_.audit", args, 2, answered))
		answered(ui, RK_ESTATE, NULL);
}

void
audit_open(struct ui *ui)
{
	ask(ui, "audit: what was decided, the newest first", "");
}

void
audit_of(struct ui *ui, const struct model_key *k)
{
	char title[300];

	(void)snprintf(title, sizeof(title),
	    "audit of %.200s: what was decided, the newest first",
	    k->name[0] != '\0' ? k->name : "a key");
	ask(ui, title, k->fp);
}
