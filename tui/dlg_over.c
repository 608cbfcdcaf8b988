/* What a question is about became something else before it was answered. */
#include "dialog.h"

#include "words.h"

/* All of this is as the daemon has it, paused or not. */

/* Of one that is not there: it is gone. */
static bool
is_sure(const struct ui *ui, const struct model_key *k)
{
	return k != NULL || model_has_all_keys(ui->conf.model);
}

/* For a changed key another question asks, and offers, the wrong thing. */
bool
over_changed(struct ui *ui, const struct dialog *d)
{
	const struct model_key *k = model_key(ui->conf.model, d->fp);

	if (k == NULL || k->state != KEY_CHANGED)
		return false;
	ui_say(ui, ROLE_WAIT, "the key CHANGED meanwhile; nothing was decided");
	return true;
}

static void
say_state(struct ui *ui, const char *which, const struct model_key *k)
{
	if (k == NULL)
		ui_say(ui, ROLE_WAIT, "%s is gone; nothing was decided", which);
	else
		ui_say(ui, ROLE_WAIT, "%s is %s by now; nothing was decided",
		    which, words_key_state(k->state));
}

bool
over_key(struct ui *ui, const struct dialog *d)
{
	const struct model_key *k = model_key(ui->conf.model, d->fp);

	if (!is_sure(ui, k) || (k != NULL && k->state == d->key.state))
		return false;
	if (!over_changed(ui, d))
		say_state(ui, "the key", k);
	return true;
}

bool
over_replace(struct ui *ui, const struct dialog *d)
{
	const struct model *m = ui->conf.model;
	const struct model_key *by = model_key(m, d->fp);
	const struct model_key *old = model_key(m, d->old_fp);

	if (!is_sure(ui, by) || !is_sure(ui, old))
		return false;
	if (by == NULL || by->state != KEY_CHANGED)
		say_state(ui, "the new key", by);
	else if (old == NULL || old->state != KEY_KNOWN)
		say_state(ui, "the key it would replace", old);
	else
		return false;
	return true;
}

bool
over_conn(struct ui *ui, const struct dialog *d)
{
	const struct model *m = ui->conf.model;
	const struct model_conn *c = model_conn(m, d->conn);

	if (c == NULL ? m->conns_left_out > 0 : c->state != MODEL_CLOSED)
		return false;
	ui_say(ui, ROLE_WAIT, "that connection is closed already");
	return true;
}

bool
over_call(struct ui *ui, const struct dialog *d)
{
	const struct model *m = ui->conf.model;

	for (size_t i = 0; i < m->n_calls; i++) {
		if (m->calls[i].conn == d->conn && m->calls[i].id == d->call &&
		    !m->calls[i].canceled)
			return false;
	}
	if (m->calls_left_out > 0)
		return false;
	ui_say(ui, ROLE_WAIT, "that call is over");
	return true;
}
