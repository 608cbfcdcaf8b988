/* A short text as a QR code; the only door to libqrencode. */
#include "cli/qr.h"

#include "base/str.h"

#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 2 /* modules around it; readers are content with that */
#define LINE_MAX_BYTES 600
#define COLORED_MAX_BYTES 4096
#define FULL "\u2588"

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
	static const char *const pieces[] = { FULL, "\u2584", "\u2580", " " };
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

/* ---- colors ---- */

/* Bytes of the sign at s, if all of it is light. */
static size_t
light_sign(const char *s)
{
	const size_t n = strlen(FULL);

	return *s == '#' ? 1 : strncmp(s, FULL, n) == 0 ? n : 0;
}

size_t
qr_run(const char *line, bool *light)
{
	size_t n = light_sign(line), at = 0;

	*light = n > 0;
	while (line[at] != '\0' && ((n = light_sign(line + at)) > 0) == *light)
		at += n > 0 ? n : 1;
	return at;
}

static void
put_colors(const char *line, enum qr_colors colors, char *dst, size_t len)
{
	/* The black and the white of the gray ramp and of the cube: some themes
	 * have another color where black should be, and the first of the cube's
	 * as well. */
	static const char *const on[2][2] = {
		{ "\033[37;40m", "\033[37;47m" },
		{ "\033[38;5;231;48;5;232m", "\033[38;5;231;48;5;231m" },
	};
	size_t used = 0;
	bool light;

	while (*line != '\0') {
		size_t n = qr_run(line, &light);

		used += str_copy(
		    dst + used, len - used, on[colors == QR_256][light]);
		if (n >= len - used)
			break;
		memcpy(dst + used, line, n);
		used += n;
		line += n;
	}
	(void)str_copy(dst + used, len - used, "\033[0m");
}

enum qr_colors
qr_colors(bool allowed)
{
	const char *term = getenv("TERM");

	if (!allowed)
		return QR_PLAIN;
	return term != NULL && strstr(term, "256color") != NULL ? QR_256
	                                                        : QR_16;
}

enum rk_err
qr_draw(const char *text, enum graph_signs signs, enum qr_colors colors,
    qr_line_fn *fn, void *arg)
{
	bool ascii = signs == GRAPH_ASCII;
	char line[LINE_MAX_BYTES] = "", colored[COLORED_MAX_BYTES];
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
		if (colors != QR_PLAIN)
			put_colors(line, colors, colored, sizeof(colored));
		fn(colors == QR_PLAIN ? line : colored, arg);
	}
	QRcode_free(q);
	return RK_OK;
}
