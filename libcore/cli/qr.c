/* A short text as a QR code; the only door to libqrencode. */
#include "cli/qr.h"

#include "base/str.h"

#include <qrencode.h>
#include <string.h>

#define MARGIN 2 /* modules around it; readers are content with that */
#define LINE_MAX_BYTES 600

/* Is the module dark?  Outside of it is the light margin. */
static bool
is_dark(const QRcode *q, int row, int col)
{
	row -= MARGIN;
	col -= MARGIN;
	return row >= 0 && col >= 0 && row < q->width && col < q->width &&
	       (q->data[row * q->width + col] & 1) != 0;
}

/* Two rows of modules in a line of half blocks. */
static void
half_blocks(const QRcode *q, int row, char *dst, size_t len)
{
	/* By what is dark: nothing, the upper half, the lower one, both. */
	static const char *const pieces[] = { "\u2588", "\u2584", "\u2580",
		" " };
	size_t used = 0;

	for (int col = 0; col < q->width + 2 * MARGIN; col++)
		used += str_copy(dst + used, len - used,
		    pieces[is_dark(q, row, col) +
		           2 * is_dark(q, row + 1, col)]);
}

static void
ascii_row(const QRcode *q, int row, char *dst, size_t len)
{
	size_t used = 0;

	for (int col = 0; col < q->width + 2 * MARGIN; col++)
		used += str_copy(
		    dst + used, len - used, is_dark(q, row, col) ? "  " : "##");
}

enum rk_err
qr_draw(const char *text, enum graph_signs signs, qr_line_fn *fn, void *arg)
{
	bool ascii = signs == GRAPH_ASCII;
	char line[LINE_MAX_BYTES] = "";
	QRcode *q;

	if (strlen(text) > QR_TEXT_MAX)
		return RK_ETOOBIG;
	q = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	if (q == NULL)
		return RK_ENOMEM;
	for (int row = 0; row < q->width + 2 * MARGIN; row += ascii ? 1 : 2) {
		if (ascii)
			ascii_row(q, row, line, sizeof(line));
		else
			half_blocks(q, row, line, sizeof(line));
		fn(line, arg);
	}
	QRcode_free(q);
	return RK_OK;
}
