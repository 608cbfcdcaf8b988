/* Closing connections whose key is not on the list, when that is locked. */
#include "extra.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* They are asked for when the lock holds: nobody slips in behind the look. */
struct drop {
	uint64_t *ids; /* owned */
	size_t n, at;
	size_t closed, gone; /* gone: before it came to them */
	size_t failed;
	uint64_t left_out; /* of the answer */
};

void
drop_free(struct ui *ui)
{
	if (ui->drop != NULL)
		free(ui->drop->ids);
	free(ui->drop);
	ui->drop = NULL;
}

/* By what the daemon says of the key; of one that nobody asks about nothing. */
static bool
is_unlisted(const char *key)
{
	return key[0] != '\0' && strcmp(key, "known") != 0;
}

size_t
drop_count(const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_conns; i++) {
		const struct model_conn *c = &m->conns[i];

		n += c->state != MODEL_CLOSED && c->state != MODEL_WAITING &&
		     is_unlisted(c->key);
	}
	return n;
}

static void next(struct ui *ui);

/* One that is gone already is an error, and no trouble. */
static void
on_kicked(struct ui *ui, enum rk_err code, const struct rk_value *answer)
{
	struct drop *d = ui->drop;

	if (d == NULL)
		return;
	if (code == RK_OK && ctl_number(answer, "kicked") > 0)
		d->closed++;
	else if (code == RK_OK || code == RK_ENOENT)
		d->gone++;
	else
		d->failed++;
	next(ui);
}

static void
finish(struct ui *ui)
{
	const struct drop *d = ui->drop;
	size_t left = d->failed + (d->n - d->at);
	char gone[48] = "", more[64] = "";

	if (d->gone > 0)
		(void)snprintf(
		    gone, sizeof(gone), ", gone already: %zu", d->gone);
	if (d->left_out > 0)
		(void)snprintf(more, sizeof(more), "; not looked at: %" PRIu64,
		    d->left_out);
	if (left > 0)
		ui_say(ui, ROLE_BAD,
		    "LOCKED, connections closed: %zu%s, NOT closed: %zu%s",
		    d->closed, gone, left, more);
	else
		ui_say(ui, d->left_out > 0 ? ROLE_WAIT : ROLE_GOOD,
		    "LOCKED: only known keys may connect; connections closed: "
		    "%zu%s%s",
		    d->closed, gone, more);
	drop_free(ui);
	feed_ask(ui->conf.feed);
}

static void
next(struct ui *ui)
{
	struct drop *d = ui->drop;
	struct order_arg arg = { "conn", NULL, 0 };

	if (d->at < d->n) {
		arg.number = d->ids[d->at];
		if (order_ask(ui, "_.kick", &arg, 1, on_kicked)) {
			d->at++;
			return;
		}
	}
	finish(ui);
}

static void
take(struct drop *d, const struct rk_value *list)
{
	char key[12];

	for (uint32_t i = 0; i < list->u.list.count; i++) {
		const struct rk_value *v = &list->u.list.items[i];
		uint64_t id = ctl_number(v, "id");

		(void)ctl_text(v, "key", key, sizeof(key));
		if (id != 0 && is_unlisted(key))
			d->ids[d->n++] = id;
	}
}

static void
on_conns(struct ui *ui, enum rk_err code, const struct rk_value *answer)
{
	const struct rk_value *list =
	    answer != NULL ? rk_value_get(answer, "conns") : NULL;
	struct drop *d;

	if (list == NULL || list->kind != RK_ARRAY) {
		ui_say(ui, ROLE_BAD,
		    "LOCKED, and no connection was looked at: %s",
		    code == RK_OK ? "the answer is malformed"
		                  : rk_err_text(code));
		return;
	}
	drop_free(ui);
	if ((d = calloc(1, sizeof(*d))) == NULL ||
	    (d->ids = calloc(list->u.list.count + 1, sizeof(*d->ids))) ==
	        NULL) {
		free(d);
		ui_say(ui, ROLE_BAD, "out of memory: nothing is closed");
		return;
	}
	d->left_out = ctl_number(answer, "left_out");
	take(d, list);
	ui->drop = d;
	next(ui);
}

void
drop_unlisted(struct ui *ui)
{
	(void)order_ask(ui, "_.conns", NULL, 0, on_conns);
}
