/* Records: an aligned table for people, JSON lines and plain lines for tools.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/str.h"
#include "cli/out.h"
#include "cli/pager.h"
#include "cli/spell.h"

#define ROW_MAX (1U << 20)
#define ALL_MAX (1U << 28)
#define CELL_MAX (1U << 16)
#define GAP 2
#define NARROWEST 6  /* a column is cut no further, if nobody wants more */
#define ALIGNED 1000 /* columns of a file or pipe that are kept for blanks */
#define PIECE 65536  /* bytes that are written at once there */
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

struct table {
	const struct out *o;
	struct field *fields;
	size_t n;
	size_t rows;
	struct buf cells; /* texts of all rows, each with its NUL */
	struct buf heads; /* what is before each field of JSON, with its NUL */
	struct buf row;   /* the one that is being put, of the other forms */
	unsigned *widths; /* of the columns; 0 in the end: it is left out */
	const struct table_room *rooms;
	size_t n_rooms;
	bool ascii; /* all that the terminal can show */
	bool whole; /* no text is cut; one that is too wide sticks out */
};

static enum rk_err
make_heads(struct table *t)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < t->n && r == RK_OK; i++)
		if ((r = buf_printf(&t->heads,
		         "%s,\"%s\":", i == 0 ? "{\"schema\":1" : "",
		         t->fields[i].name)) == RK_OK)
			r = buf_put(&t->heads, "", 1);
	return r;
}

enum rk_err
table_new(const struct out *o, const struct field *fields, size_t n_fields,
    struct table **out)
{
	struct table *t = calloc(1, sizeof(*t));
	enum rk_err r = RK_ENOMEM;

	*out = NULL;
	if (t == NULL)
		return r;
	t->o = o;
	t->n = n_fields;
	t->ascii = out_spells(o);
	t->fields = calloc(n_fields + 1, sizeof(*t->fields));
	t->widths = calloc(n_fields + 1, sizeof(*t->widths));
	buf_init(&t->cells, ALL_MAX);
	buf_init(&t->row, ROW_MAX);
	buf_init(&t->heads, ROW_MAX);
	if (t->fields == NULL || t->widths == NULL)
		goto out;
	for (size_t i = 0; i < n_fields; i++)
		t->fields[i] = fields[i];
	if ((r = make_heads(t)) != RK_OK)
		goto out;
	*out = t;
	t = NULL;
out:
	if (t != NULL) {
		buf_fini(&t->heads);
		free(t->fields);
		free(t->widths);
		free(t);
	}
	return r;
}

/* Escaped text; each byte becomes at most four. */
static enum rk_err
put_text(struct buf *b, enum field_kind kind, const char *text)
{
	size_t len = strlen(text);
	uint8_t *p;
	enum rk_err r;

	if (len > CELL_MAX)
		len = CELL_MAX;
	if (str_plain(text, len) == len) /* most of all text */
		return buf_put(b, text, len);
	if ((r = buf_reserve(b, 4 * len + 1, &p)) != RK_OK)
		return r;
	if (kind == FIELD_SHOWN)
		str_escape_again((char *)p, 4 * len + 1, text);
	else
		rk_escape((char *)p, 4 * len + 1, text, len);
	buf_commit(b, strlen((char *)p));
	return RK_OK;
}

/* Lists are long: quicker than buf_printf(). */
static enum rk_err
put_number(struct buf *b, intmax_t n)
{
	char digits[24];
	uintmax_t left = n < 0 ? 0 - (uintmax_t)n : (uintmax_t)n;
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (n < 0)
		digits[--at] = '-';
	return buf_put(b, digits + at, sizeof(digits) - at);
}

/* A cell as people and awk see it; "-" for empty. */
static enum rk_err
put_cell(struct buf *b, enum field_kind kind, const union cell *c)
{
	char when[32];

	switch (kind) {
	case FIELD_TEXT:
	case FIELD_SHOWN:
	case FIELD_FIGURE:
		if (c->text == NULL || *c->text == '\0')
			break;
		return put_text(b, kind, c->text);
	case FIELD_NUMBER:
		return put_number(b, c->number);
	case FIELD_BOOL:
		return buf_put_str(b, c->yes ? "yes" : "no");
	case FIELD_TIME:
		if (c->number == 0)
			break;
		str_time(when, c->number);
		return buf_put_str(b, when);
	case FIELD_JSON:
		break;
	}
	return buf_put_str(b, "-");
}

static enum rk_err
put_json_cell(struct buf *b, enum field_kind kind, const union cell *c)
{
	char when[2 + 32] = "\"";
	size_t n;

	switch (kind) {
	case FIELD_TEXT:
	case FIELD_SHOWN:
	case FIELD_FIGURE:
		if (c->text == NULL)
			break;
		return out_json_string(b, c->text, strlen(c->text));
	case FIELD_NUMBER:
		return put_number(b, c->number);
	case FIELD_BOOL:
		return buf_put_str(b, c->yes ? "true" : "false");
	case FIELD_TIME:
		if (c->number == 0)
			break;
		str_time(when + 1, c->number);
		n = strlen(when);
		when[n] = '"';
		return buf_put(b, when, n + 1);
	case FIELD_JSON:
		return buf_put_str(b, c->text);
	}
	return buf_put_str(b, "null");
}

static enum rk_err
put_json_row(const struct table *t, struct buf *b, const union cell *cells)
{
	const char *head = (const char *)buf_peek(&t->heads);
	enum rk_err r = RK_OK;
	size_t len;

	for (size_t i = 0; i < t->n && r == RK_OK; i++) {
		len = strlen(head);
		if ((r = buf_put(b, head, len)) == RK_OK)
			r = put_json_cell(b, t->fields[i].kind, &cells[i]);
		head += len + 1;
	}
	return r == RK_OK ? buf_put_str(b, "}\n") : r;
}

static enum rk_err
put_plain_row(const struct table *t, struct buf *b, const union cell *cells)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < t->n && r == RK_OK; i++) {
		if (i > 0 && (r = buf_put_str(b, "\t")) != RK_OK)
			break;
		r = put_cell(b, t->fields[i].kind, &cells[i]);
	}
	return r == RK_OK ? buf_put_str(b, "\n") : r;
}

/* Columns of one character; 1 where the locale does not know it. */
static unsigned
char_width(uint32_t cp)
{
	int w;

	if (cp >= ' ' && cp <= '~')
		return 1;
	w = wcwidth((wchar_t)cp);
	return w < 0 ? 1 : (unsigned)w;
}

static unsigned
text_width(const char *s, size_t len)
{
	unsigned width = 0;
	uint32_t cp;
	size_t n;

	for (; len > 0; s += n, len -= n) {
		if ((n = str_plain(s, len)) > 0) {
			width += (unsigned)n;
			continue;
		}
		n = str_utf8(s, len, &cp);
		width += n == 0 ? 1 : char_width(cp);
		n += n == 0;
	}
	return width;
}

static enum rk_err
keep_row(struct table *t, const union cell *cells)
{
	size_t old = buf_len(&t->cells);
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < t->n && r == RK_OK; i++) {
		size_t at = buf_len(&t->cells);
		unsigned width;

		if (t->fields[i].title == NULL)
			continue;
		r = put_cell(&t->cells, t->fields[i].kind, &cells[i]);
		if (r == RK_OK && t->ascii)
			r = spell_out(&t->cells, at);
		if (r == RK_OK)
			r = buf_put(&t->cells, "", 1);
		if (r != RK_OK)
			break;
		width = text_width((const char *)buf_peek(&t->cells) + at,
		    buf_len(&t->cells) - at - 1);
		if (width > t->widths[i])
			t->widths[i] = width;
	}
	if (r != RK_OK)
		buf_uncommit(&t->cells, buf_len(&t->cells) - old);
	return r;
}

enum rk_err
table_row(struct table *t, const union cell *cells)
{
	enum rk_err r = RK_OK;

	switch (t->o->form) {
	case OUT_TEXT:
		r = keep_row(t, cells);
		break;
	case OUT_JSON:
		r = put_json_row(t, &t->row, cells);
		break;
	case OUT_PLAIN:
		r = put_plain_row(t, &t->row, cells);
		break;
	}
	if (r == RK_OK) {
		out_bytes(t->o, buf_peek(&t->row), buf_len(&t->row));
		t->rows++;
	}
	buf_consume(&t->row, buf_len(&t->row));
	return r;
}

/* Columns of the terminal; 0: stdout is none, so nothing is cut. */
static unsigned
screen_width(void)
{
	struct winsize ws = { 0 };

	if (isatty(STDOUT_FILENO) != 1)
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_col == 0)
		return 80;
	return ws.ws_col;
}

static bool
is_text(enum field_kind kind)
{
	return kind == FIELD_TEXT || kind == FIELD_SHOWN;
}

void
table_rooms(struct table *t, const struct table_room *rooms, size_t n)
{
	t->rooms = rooms;
	t->n_rooms = n;
}

static bool
is_shown(const struct table *t, size_t i)
{
	return t->fields[i].title != NULL && t->widths[i] > 0;
}

static struct table_room
room_of(const struct table *t, size_t i)
{
	struct table_room room = { NULL, NARROWEST, 0 };

	for (size_t k = 0; k < t->n_rooms; k++) {
		if (strcmp(t->rooms[k].name, t->fields[i].name) == 0)
			room = t->rooms[k];
	}
	if (room.least == 0)
		room.least = NARROWEST;
	return room;
}

/* Columns that can become no narrower are left out until the rest would fit. */
static void
leave_out(struct table *t, unsigned screen)
{
	for (;;) {
		unsigned total = 0, highest = 0;
		size_t first = t->n;

		for (size_t i = 0; i < t->n; i++) {
			struct table_room room = room_of(t, i);
			unsigned width = t->widths[i];

			if (!is_shown(t, i))
				continue;
			if (is_text(t->fields[i].kind) && width > room.least)
				width = room.least;
			total += width + (total == 0 ? 0 : GAP);
			if (room.rank > highest) {
				highest = room.rank;
				first = i;
			}
		}
		if (total <= screen || first == t->n)
			return;
		t->widths[first] = 0;
	}
}

/* Make the widest text columns narrower until the table fits. */
static void
shrink(struct table *t, unsigned screen)
{
	for (;;) {
		size_t widest = t->n;
		unsigned total = 0;

		for (size_t i = 0; i < t->n; i++) {
			if (!is_shown(t, i))
				continue;
			total += t->widths[i] + (total == 0 ? 0 : GAP);
			if (is_text(t->fields[i].kind) &&
			    t->widths[i] > room_of(t, i).least &&
			    (widest == t->n ||
			        t->widths[i] > t->widths[widest]))
				widest = i;
		}
		if (total <= screen || widest == t->n)
			return;
		t->widths[widest]--;
	}
}

static enum rk_err
put_spaces(struct buf *b, unsigned n)
{
	uint8_t *p;
	enum rk_err r = buf_reserve(b, n, &p);

	if (r != RK_OK || n == 0)
		return r;
	memset(p, ' ', n);
	buf_commit(b, n);
	return RK_OK;
}

/* Bytes of s whose width is at most `width`, which becomes what it is. */
static size_t
fit(const char *s, unsigned *width)
{
	unsigned used = 0;
	size_t end = 0;

	while (s[end] != '\0') {
		uint32_t cp;
		size_t n = str_utf8(s + end, strlen(s + end), &cp);
		unsigned w = n == 0 ? 1 : char_width(cp);

		if (used + w > *width)
			break;
		used += w;
		end += n + (n == 0);
	}
	*width = used;
	return end;
}

/* The text in its column; padded unless it is the last one. */
static enum rk_err
print_cell(
    const struct table *t, struct buf *b, size_t i, const char *s, bool last)
{
	bool right = t->fields[i].kind == FIELD_NUMBER ||
	             t->fields[i].kind == FIELD_FIGURE;
	unsigned room = t->widths[i];
	size_t len = strlen(s);
	unsigned used = text_width(s, len);
	bool cut = used > room && !t->whole;
	enum rk_err r = RK_OK;

	if (cut) {
		used = room - 1;
		len = fit(s, &used);
		used++;
	}
	if (right && used < room)
		r = put_spaces(b, room - used);
	if (r == RK_OK)
		r = buf_put(b, s, len);
	if (r == RK_OK && cut)
		r = buf_put_str(b, "~");
	if (r == RK_OK && !right && !last && used < room)
		r = put_spaces(b, room - used);
	return r;
}

static enum rk_err
print_row(const struct table *t, struct buf *b, const char **p, bool head)
{
	enum rk_err r = RK_OK;
	size_t last = t->n;
	bool first = true;

	for (size_t i = 0; i < t->n; i++) {
		if (is_shown(t, i))
			last = i;
	}
	for (size_t i = 0; r == RK_OK && i < t->n; i++) {
		if (t->fields[i].title == NULL)
			continue;
		if (is_shown(t, i)) {
			if (!first)
				r = put_spaces(b, GAP);
			first = false;
			if (r == RK_OK)
				r = print_cell(t, b, i,
				    head ? t->fields[i].title : *p, i == last);
		}
		if (!head)
			*p += strlen(*p) + 1;
	}
	if (r == RK_OK)
		r = buf_put_str(b, head && t->o->color_out ? PLAIN "\n" : "\n");
	return r;
}

static enum rk_err
print_rows(const struct table *t, struct buf *b)
{
	const char *p = (const char *)buf_peek(&t->cells);
	enum rk_err r = RK_OK;

	if (t->o->color_out)
		r = buf_put_str(b, BOLD);
	if (r == RK_OK)
		r = print_row(t, b, NULL, true);
	for (size_t i = 0; r == RK_OK && i < t->rows; i++) {
		r = print_row(t, b, &p, false);
		/* Blanks may be much more than what is between them. */
		if (t->whole && buf_len(b) >= PIECE) {
			out_bytes(t->o, buf_peek(b), buf_len(b));
			buf_uncommit(b, buf_len(b));
		}
	}
	return r;
}

static void
print_table(struct table *t)
{
	unsigned screen = screen_width();
	struct buf b;

	for (size_t i = 0; i < t->n; i++) {
		const char *title = t->fields[i].title;
		unsigned width =
		    title != NULL ? text_width(title, strlen(title)) : 0;

		if (width > t->widths[i])
			t->widths[i] = width;
	}
	t->whole = screen == 0;
	if (!t->whole)
		leave_out(t, screen);
	shrink(t, t->whole ? ALIGNED : screen);
	buf_init(&b, SIZE_MAX / 2);
	if (print_rows(t, &b) == RK_OK)
		pager_bytes(t->o, buf_peek(&b), buf_len(&b));
	else
		out_warn(t->o, "the table cannot be shown: %s",
		    rk_err_text(RK_ENOMEM));
	buf_fini(&b);
}

void
table_end_list(struct table *t)
{
	if (t->o->form == OUT_JSON && t->rows == 0)
		out_text(t->o, "[]\n");
	table_end(t);
}

void
table_end(struct table *t)
{
	if (t == NULL)
		return;
	if (t->o->form == OUT_TEXT && t->rows > 0)
		print_table(t);
	buf_fini(&t->cells);
	buf_fini(&t->row);
	buf_fini(&t->heads);
	free(t->widths);
	free(t->fields);
	free(t);
}
