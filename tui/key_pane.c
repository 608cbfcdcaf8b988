/* A fingerprint big and as a QR code. */
#include "key_pane.h"

#include "pane.h"

#include "base/str.h"
#include "cli/qr.h"

#include <rpckit/key.h>

#include <stdio.h>

#define GROUPS_A_LINE 19

/* A line of the fingerprint; false behind its last. */
static bool
next_groups(const char **at, char dst[GROUPS_A_LINE + 1])
{
	size_t n = strlen(*at);

	if (n > GROUPS_A_LINE)
		n = GROUPS_A_LINE;
	memcpy(dst, *at, n);
	dst[n] = '\0';
	*at += n;
	*at += **at == ' ';
	return n > 0;
}

struct beside {
	struct text *out;
	const char *at; /* groups still to be shown; NULL: not here */
	size_t n;
};

static void
add_line(const char *line, void *arg)
{
	char groups[GROUPS_A_LINE + 1] = "";
	struct beside *b = arg;

	if (b->at != NULL && b->n++ >= 4)
		(void)next_groups(&b->at, groups);
	text_add(b->out, ROLE_TEXT, "%s%s%s", line,
	    groups[0] != '\0' ? "    " : "", groups);
}

/* The text is beside the code where there is room, else above it. */
static void
fill(struct ui *ui, struct pane *p)
{
	char grouped[RK_FP_GROUPED_LEN], groups[GROUPS_A_LINE + 1];
	bool ascii = term_ascii(ui->term);
	bool beside = !ascii && !ui_narrow(ui);
	struct beside b = { .out = &p->text };
	const char *at = grouped;

	rk_fp_group(p->id, grouped);
	at += strncmp(grouped, "SHA256:", 7) == 0 ? 7 : 0;
	if (beside)
		b.at = at;
	while (!beside && next_groups(&at, groups))
		text_add(&p->text, ROLE_HEAD, "   %s", groups);
	if (qr_draw(p->id, ascii ? GRAPH_ASCII : GRAPH_BLOCKS, QR_PLAIN,
	        add_line, &b) != RK_OK)
		text_add(&p->text, ROLE_DIM, "no memory for a QR code");
}

void
qr_open(struct ui *ui, const char *fp, const char *who)
{
	static const struct pane_ops ops = { .fill = fill,
		.hints = "j/k move  Esc back" };
	char title[300];
	struct pane *p;

	if (fp[0] == '\0') {
		ui_say(ui, ROLE_WAIT, "it has no key");
		return;
	}
	(void)snprintf(title, sizeof(title), "key of %.200s", who);
	if ((p = pane_open(ui, &ops, title)) != NULL)
		(void)str_copy(p->id, sizeof(p->id), fp);
}
