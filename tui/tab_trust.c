/* The tab of keys: those that wait, are known, are rejected. */
#include "ui.h"

#include "words.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The first sixteen characters of a fingerprint, in groups. */
static void
begin_of(const char *fp, char dst[RK_FP_GROUPED_LEN])
{
	rk_fp_group(fp, dst);
	if (strlen(dst) > 26)
		dst[26] = '\0';
	if (strncmp(dst, "SHA256:", 7) == 0)
		memmove(dst, dst + 7, strlen(dst + 7) + 1);
}

#define NARROW_FP 9   /* two groups */
#define FROM_WIDTH 78 /* of a list that has room for addresses */

static int
who_width(const struct box *line)
{
	return line->width - (line->width < FROM_WIDTH ? 42 : 60);
}

static void
head(struct ui *ui, const struct box *line)
{
	const struct ui_cell cells[] = {
		{ "S", 2, 1, ROLE_HEAD },
		{ "WHO", who_width(line), 1, ROLE_HEAD },
		{ "KEY (first 16)", 19, 1, ROLE_HEAD },
		{ "TRIES", 5, -1, ROLE_HEAD },
		{ "LAST SEEN", 10, 1, ROLE_HEAD },
		{ "LAST FROM", 17, 1, ROLE_HEAD },
	};

	ui_cells(ui, line, false, cells, line->width < FROM_WIDTH ? 5 : 6);
}

static enum term_role
role_of(const struct model_key *k)
{
	if (k->state == KEY_CHANGED)
		return ROLE_BAD;
	if (words_key_waits(k->state))
		return ROLE_WAIT;
	return k->state == KEY_REJECTED || k->state == KEY_REVOKED ? ROLE_DIM
	                                                           : ROLE_TEXT;
}

static void
row(struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	const struct model_key *k = &ui->m->keys[r->at];
	char fp[RK_FP_GROUPED_LEN], tries[WORDS_LEN], seen[WORDS_LEN];
	char today[WORDS_LEN + 8];
	enum term_role role = role_of(k);
	const char *who = k->name[0] != '\0' ? k->name : "-";

	begin_of(k->fp, fp);
	words_now(today);
	(void)words_when(k->last_seen, today, seen);
	(void)snprintf(tries, sizeof(tries), "%" PRIu64, k->tries);
	if (k->state == KEY_KNOWN && k->tries == 0)
		tries[0] = '\0';
	if (ui_narrow(ui)) {
		const struct ui_cell cells[] = {
			{ words_key_sign(k->state), 2, 1, role },
			{ who, line->width - NARROW_FP - 6, 1, role },
			{ fp, NARROW_FP, 1, role },
		};

		fp[NARROW_FP] = '\0'; /* no sign of a cut */
		ui_cells(ui, line, picked, cells, 3);
		return;
	}
	{
		const struct ui_cell cells[] = {
			{ words_key_sign(k->state), 2, 1, role },
			{ who, who_width(line), 1, role },
			{ fp, 19, 1, ROLE_TEXT },
			{ tries, 5, -1, ROLE_TEXT },
			{ seen, 10, 1, ROLE_TEXT },
			{ words_address(k->address), 17, 1, ROLE_TEXT },
		};

		ui_cells(
		    ui, line, picked, cells, line->width < FROM_WIDTH ? 5 : 6);
	}
}

const struct tab_ops tab_trust = {
	.head = head,
	.row = row,
	.detail = detail_row,
	.empty = "no keys",
};
