/* A fingerprint big and as a QR code. */
#include "key_pane.h"

#include "paint.h"
#include "pane.h"

#include "base/str.h"
#include "cli/qr.h"

#include <rpckit/key.h>

#include <stdio.h>

#define GROUPS_A_LINE 19
#define GAP 4       /* between the code and what is beside it */
#define GROUPS_AT 4 /* lines below its top */

/* What there is room for: the code in the pane, with the groups beside or above
 * it; the code over the whole screen; or no code, as pieces of one are none. */
enum place {
	PLACE_BESIDE,
	PLACE_BELOW,
	PLACE_WHOLE,
	PLACE_NONE
};

struct shown {
	struct text groups, code;
	int columns; /* of the code */
	enum place place;
};

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
add_line(const char *line, void *arg)
{
	text_add(arg, ROLE_CODE, "%s", line);
}

static enum place
place_of(const struct ui *ui, const struct shown *s)
{
	const struct box body = ui_body(ui), in = pane_inside(&body);
	const int rows = (int)s->code.n, more = (int)s->groups.n;

	if (rows == 0)
		return PLACE_NONE;
	if (rows <= in.height && s->columns + GAP + GROUPS_A_LINE <= in.width)
		return PLACE_BESIDE;
	if (rows + more <= in.height && s->columns <= in.width)
		return PLACE_BELOW;
	return rows <= term_rows(ui->term) && s->columns <= term_cols(ui->term)
	           ? PLACE_WHOLE
	           : PLACE_NONE;
}

static void
make(const struct ui *ui, const struct pane *p, struct shown *s)
{
	char grouped[RK_FP_GROUPED_LEN], groups[GROUPS_A_LINE + 1];
	const bool ascii = term_ascii(ui->term);
	const char *at = grouped;

	*s = (struct shown){ 0 };
	rk_fp_group(p->id, grouped);
	at += strncmp(grouped, "SHA256:", 7) == 0 ? 7 : 0;
	while (next_groups(&at, groups))
		text_add(&s->groups, ROLE_HEAD, "%s", groups);
	if (qr_draw(p->id, ascii ? GRAPH_ASCII : GRAPH_BLOCKS, QR_PLAIN,
	        add_line, &s->code) != RK_OK)
		text_fini(&s->code);
	else if (s->code.n > 0)
		s->columns = (int)paint_width(s->code.lines[0].bytes);
	s->place = place_of(ui, s);
}

static void
unmake(struct shown *s)
{
	text_fini(&s->groups);
	text_fini(&s->code);
}

/* ---- the code ---- */

/* A line of it, in runs of one color. */
static void
put_line(struct ui *ui, int row, int col, const char *line)
{
	char run[PAINT_MAX];
	bool light;
	size_t n;

	for (; (n = qr_run(line, &light)) > 0 && n < sizeof(run); line += n) {
		memcpy(run, line, n);
		run[n] = '\0';
		term_put(ui->term, row, col,
		    light ? ROLE_CODE_LIGHT : ROLE_CODE, run);
		col += (int)paint_width(run);
	}
}

static void
put_code(struct ui *ui, const struct shown *s, int row, int col)
{
	for (size_t i = 0; i < s->code.n; i++)
		put_line(ui, row + (int)i, col, s->code.lines[i].bytes);
}

static void
put_groups(struct ui *ui, const struct shown *s, int row, int col)
{
	for (size_t i = 0; i < s->groups.n; i++)
		term_put(ui->term, row + (int)i, col, ROLE_HEAD,
		    s->groups.lines[i].bytes);
}

/* ---- what the pane does ---- */

/* All but the code. */
static void
fill(struct ui *ui, struct pane *p)
{
	struct shown s;

	make(ui, p, &s);
	for (int i = 0; s.place == PLACE_BESIDE && i < GROUPS_AT; i++)
		text_add(&p->text, ROLE_TEXT, "%s", "");
	for (size_t i = 0; i < s.groups.n; i++)
		text_add(&p->text, ROLE_HEAD, "%*s%s",
		    s.place == PLACE_BESIDE ? s.columns + GAP : 3, "",
		    s.groups.lines[i].bytes);
	if (s.code.n == 0)
		text_add(&p->text, ROLE_DIM, "no memory for a QR code");
	else if (s.place == PLACE_NONE)
		text_add(&p->text, ROLE_DIM, "the code needs %dx%zu", s.columns,
		    s.code.n);
	unmake(&s);
}

static void
draw(struct ui *ui, struct pane *p, const struct box *in)
{
	struct shown s;

	make(ui, p, &s);
	if (s.place == PLACE_BESIDE)
		put_code(ui, &s, in->row, in->col);
	else if (s.place == PLACE_BELOW)
		put_code(ui, &s, in->row + (int)s.groups.n, in->col);
	unmake(&s);
}

/* The code, and of the rest what has room. */
static bool
whole(struct ui *ui, struct pane *p)
{
	const int rows = term_rows(ui->term), cols = term_cols(ui->term);
	struct shown s;
	int used;
	bool is;

	make(ui, p, &s);
	is = s.place == PLACE_WHOLE;
	used = (int)s.code.n;
	if (is)
		put_code(ui, &s, 0, 0);
	if (is && used + (int)s.groups.n <= rows) {
		put_groups(ui, &s, used, 0);
		used += (int)s.groups.n;
	} else if (is && s.columns + GAP + GROUPS_A_LINE <= cols) {
		put_groups(ui, &s, GROUPS_AT, s.columns + GAP);
	}
	if (is && used < rows)
		term_put(ui->term, rows - 1, 0, ROLE_DIM, p->ops->hints);
	unmake(&s);
	return is;
}

void
qr_open(struct ui *ui, const char *fp, const char *who)
{
	static const struct pane_ops ops = {
		.fill = fill, .draw = draw, .whole = whole, .hints = "Esc back"
	};
	char title[300];
	struct pane *p;

	if (fp[0] == '\0') {
		ui_say(ui, ROLE_WAIT, "it has no key");
		return;
	}
	(void)snprintf(title, sizeof(title), "key of %.200s", who);
	if ((p = pane_open(ui, &ops, title)) == NULL)
		return;
	(void)str_copy(p->id, sizeof(p->id), fp);
	ui->message[0] = '\0'; /* it would be in the way of the code */
}
