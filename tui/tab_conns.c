/* The tab of connections, and of clients whose keys wait. */
#include "ui.h"

#include "paint.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>

/* How wide who and from are: the rest of the columns takes 33 cells. */
static void
widths(const struct box *line, int *who, int *from)
{
	int room = line->width - 36;

	*from = room * 4 / 9;
	*who = room - *from;
}

static void
head(struct ui *ui, const struct box *line)
{
	int who, from;

	widths(line, &who, &from);
	{
		const struct ui_cell cells[] = {
			{ "S", 2, 1, ROLE_HEAD },
			{ "WHO", who, 1, ROLE_HEAD },
			{ "FROM", from, 1, ROLE_HEAD },
			{ "TR", 4, 1, ROLE_HEAD },
			{ "AGE", 6, -1, ROLE_HEAD },
			{ "RX/s", 5, -1, ROLE_HEAD },
			{ "TX/s", 5, -1, ROLE_HEAD },
			{ "RUN", 4, -1, ROLE_HEAD },
		};

		ui_cells(
		    ui, line, false, cells, sizeof(cells) / sizeof(cells[0]));
	}
}

struct figures {
	const char *sign, *who, *from, *transport;
	char name[VIEW_WHO];
	char age[WORDS_LEN], rx[WORDS_LEN], tx[WORDS_LEN], run[WORDS_LEN];
	enum term_role role;
	const char *word; /* of one that waits */
};

static void
of_waiting(struct ui *ui, const struct model_conn *c, struct figures *f)
{
	const struct model_key *k = view_key_of(ui->m, c);
	bool changed = k != NULL && k->state == KEY_CHANGED;

	f->sign = changed ? "!!" : "??";
	f->role = changed ? ROLE_BAD : ROLE_WAIT;
	f->word = changed ? "CHANGED" : "waiting";
	f->rx[0] = f->tx[0] = f->run[0] = '-';
	f->rx[1] = f->tx[1] = f->run[1] = '\0';
}

static void
of_conn(struct ui *ui, const struct model_conn *c, struct figures *f)
{
	f->sign = words_conn_sign(c);
	f->who = view_who(c, f->name)[0] != '\0' ? f->name : "-";
	f->from = words_address(c->address);
	f->transport = c->transport;
	f->word = NULL;
	(void)words_age(ui_now(ui) - c->began_ms, f->age);
	(void)words_size(c->rx, f->rx);
	(void)words_size(c->tx, f->tx);
	(void)snprintf(f->run, sizeof(f->run), "%" PRIu64, c->running);
	f->role = c->state == MODEL_ACTIVE   ? ROLE_GOOD
	          : c->state == MODEL_CLOSED ? ROLE_DIM
	                                     : ROLE_TEXT;
	if (c->state == MODEL_WAITING)
		of_waiting(ui, c, f);
}

static void
narrow(
    struct ui *ui, const struct figures *f, bool picked, const struct box *line)
{
	const struct ui_cell cells[] = {
		{ f->sign, 2, 1, f->role },
		{ f->who, line->width - 18, 1, f->role },
		{ f->word != NULL ? f->word : f->rx, f->word != NULL ? 12 : 5,
		    f->word != NULL ? 1 : -1, f->role },
		{ f->word != NULL ? "" : f->tx, 5, -1, f->role },
		{ "", 1, 1, f->role },
	};

	ui_cells(ui, line, picked, cells, sizeof(cells) / sizeof(cells[0]));
}

static void
row(struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	struct figures f;
	int who, from;

	of_conn(ui, &ui->m->conns[r->at], &f);
	if (ui_narrow(ui)) {
		narrow(ui, &f, picked, line);
		return;
	}
	widths(line, &who, &from);
	{
		const struct ui_cell cells[] = {
			{ f.sign, 2, 1, f.role },
			{ f.who, who, 1, f.role },
			{ f.from, from, 1, ROLE_TEXT },
			{ f.transport, 4, 1, ROLE_TEXT },
			{ f.age, 6, -1, ROLE_TEXT },
			{ f.rx, 5, -1, ROLE_TEXT },
			{ f.tx, 5, -1, ROLE_TEXT },
			{ f.run, 4, -1, ROLE_TEXT },
		};

		ui_cells(
		    ui, line, picked, cells, sizeof(cells) / sizeof(cells[0]));
	}
}

const struct tab_ops tab_conns = {
	.head = head,
	.row = row,
	.detail = detail_row,
	.empty = "no connections",
};
