/* A fingerprint big and as a QR code; the only door to libqrencode. */
#include "qr.h"

#include "pane.h"

#include "base/str.h"

#include <rpckit/key.h>

#include <qrencode.h>
#include <stdio.h>

#define MARGIN 2 /* modules around it; readers are content with that */
#define GROUPS_A_LINE 19

/* Is the module dark?  Outside of it is the light margin. */
static bool
is_dark(const QRcode *q, int row, int col)
{
	row -= MARGIN;
	col -= MARGIN;
	return row >= 0 && col >= 0 && row < q->width && col < q->width &&
	       (q->data[row * q->width + col] & 1) != 0;
}

/* Two rows of modules in a line of half blocks: light is drawn. */
static void
half_blocks(const QRcode *q, int row, char *dst, size_t len)
{
	static const char *const pieces[] = { "\u2588", "\u2580", "\u2584",
		" " };
	size_t used = 0;

	for (int col = 0; col < q->width + 2 * MARGIN; col++) {
		unsigned i =
		    is_dark(q, row, col) * 2u + is_dark(q, row + 1, col);

		/* Upper light, lower dark: the upper half is drawn. */
		used += str_copy(dst + used, len - used,
		    pieces[i == 0   ? 0
		           : i == 1 ? 1
		           : i == 2 ? 2
		                    : 3]);
	}
}

static void
ascii_row(const QRcode *q, int row, char *dst, size_t len)
{
	size_t used = 0;

	for (int col = 0; col < q->width + 2 * MARGIN; col++)
		used += str_copy(
		    dst + used, len - used, is_dark(q, row, col) ? "  " : "##");
}

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

static void
add_code(struct ui *ui, const char *fp, bool beside, struct text *out)
{
	QRcode *q = QRcode_encodeString(fp, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	char line[600], grouped[RK_FP_GROUPED_LEN], groups[GROUPS_A_LINE + 1];
	const char *at = grouped;
	bool ascii = term_ascii(ui->term);
	size_t n = 0;

	if (q == NULL) {
		text_add(out, ROLE_DIM, "no memory for a QR code");
		return;
	}
	rk_fp_group(fp, grouped);
	at += strncmp(grouped, "SHA256:", 7) == 0 ? 7 : 0;
	for (int row = 0; row < q->width + 2 * MARGIN; row += ascii ? 1 : 2) {
		line[0] = groups[0] = '\0';
		if (ascii)
			ascii_row(q, row, line, sizeof(line));
		else
			half_blocks(q, row, line, sizeof(line));
		if (beside && n++ >= 4)
			(void)next_groups(&at, groups);
		text_add(out, ROLE_TEXT, "%s%s%s", line,
		    groups[0] != '\0' ? "    " : "", groups);
	}
	QRcode_free(q);
}

/* The text is beside the code where there is room, else above it. */
static void
fill(struct ui *ui, struct pane *p)
{
	char grouped[RK_FP_GROUPED_LEN], groups[GROUPS_A_LINE + 1];
	bool beside = !term_ascii(ui->term) && !ui_narrow(ui);
	const char *at = grouped;

	rk_fp_group(p->id, grouped);
	at += strncmp(grouped, "SHA256:", 7) == 0 ? 7 : 0;
	while (!beside && next_groups(&at, groups))
		text_add(&p->text, ROLE_HEAD, "   %s", groups);
	add_code(ui, p->id, beside, &p->text);
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
