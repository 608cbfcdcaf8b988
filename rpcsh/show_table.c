/* A reply as a table. */
#include "show_table.h"

#include "base/error.h"
#include "cli/json.h"

#include <stdlib.h>
#include <unistd.h>

#define COLUMNS_MAX 64
#define TITLE_MAX 32 /* of a column of numbers, which is not cut */

/* The value of a column in a row; NULL: it has none. */
typedef const struct rk_value *pick_fn(
    const struct rk_value *row, const struct rk_value *key, size_t column);

struct grid {
	const struct rk_value *rows;
	size_t n_rows;
	size_t step; /* values a row takes in `rows` */
	const struct rk_value *keys[COLUMNS_MAX];
	char *titles[COLUMNS_MAX];
	size_t n;
	pick_fn *pick;
};

static bool
same(const struct rk_value *a, const struct rk_value *b)
{
	return a->kind == RK_STR && b->kind == RK_STR &&
	       a->u.bytes.len == b->u.bytes.len &&
	       memcmp(a->u.bytes.ptr, b->u.bytes.ptr, a->u.bytes.len) == 0;
}

/* ---- texts ---- */

static bool
is_number(const struct rk_value *v)
{
	return v->kind == RK_INT || v->kind == RK_UINT || v->kind == RK_F64 ||
	       v->kind == RK_F32;
}

/* A string without its quotes, escaped; all else as JSON, whole but on a
 * terminal.  malloc'ed. */
static char *
text_of(const struct rk_value *v)
{
	const struct json_write how = { .style = JSON_COMPACT,
		.shorten = isatty(STDOUT_FILENO) == 1 };
	const struct rk_bytes *s = &v->u.bytes;
	uint8_t *text = NULL;
	struct buf b;
	enum rk_err r;
	size_t len;

	if (v->kind == RK_STR) {
		char *dst = malloc(4 * s->len + 1);

		if (dst != NULL)
			(void)rk_escape(
			    dst, 4 * s->len + 1, (const char *)s->ptr, s->len);
		return dst;
	}
	buf_init(&b, SIZE_MAX / 2);
	if ((r = json_write(&b, v, &how)) == RK_OK &&
	    (r = buf_put(&b, "", 1)) == RK_OK)
		r = buf_take(&b, &text, &len);
	buf_fini(&b);
	return r == RK_OK ? (char *)text : NULL;
}

/* ---- shapes ---- */

static const struct rk_value *
pick_member(
    const struct rk_value *row, const struct rk_value *key, size_t column)
{
	(void)column;
	for (size_t i = 0; i < row->u.list.count; i++) {
		if (same(&row->u.list.items[2 * i], key))
			return &row->u.list.items[2 * i + 1];
	}
	return NULL;
}

static const struct rk_value *
pick_nth(const struct rk_value *row, const struct rk_value *key, size_t column)
{
	(void)key;
	return row + column;
}

/* Takes the title; NULL: there was no memory for it. */
static enum rk_err
add_column(struct grid *g, const struct rk_value *key, char *title)
{
	if (title == NULL)
		return RK_ENOMEM;
	if (g->n == COLUMNS_MAX) {
		free(title);
		return RK_ELIMIT;
	}
	g->titles[g->n] = title;
	g->keys[g->n++] = key;
	return RK_OK;
}

static bool
has_column(const struct grid *g, const struct rk_value *key)
{
	size_t i = 0;

	while (i < g->n && !same(g->keys[i], key))
		i++;
	return i < g->n;
}

static enum rk_err
columns_of_maps(struct grid *g)
{
	enum rk_err r = RK_OK;

	g->pick = pick_member;
	for (size_t i = 0; i < g->n_rows; i++) {
		const struct rk_value *row = &g->rows[i];

		for (size_t j = 0; r == RK_OK && j < row->u.list.count; j++) {
			const struct rk_value *k = &row->u.list.items[2 * j];

			if (!has_column(g, k))
				r = add_column(g, k, text_of(k));
		}
	}
	return r;
}

/* Maps whose keys are strings: others are no columns. */
static bool
are_maps(const struct grid *g)
{
	for (size_t i = 0; i < g->n_rows; i++) {
		const struct rk_value *row = &g->rows[i];

		if (row->kind != RK_MAP)
			return false;
		for (size_t j = 0; j < row->u.list.count; j++) {
			if (row->u.list.items[2 * j].kind != RK_STR)
				return false;
		}
	}
	return g->n_rows > 0;
}

static enum rk_err
shape(struct grid *g, const struct rk_value *v)
{
	enum rk_err r;

	*g = (struct grid){
		.rows = v, .n_rows = 1, .step = 1, .pick = pick_nth
	};
	if (v->kind == RK_MAP) {
		g->rows = v->u.list.items;
		g->n_rows = v->u.list.count;
		g->step = 2;
		if ((r = add_column(g, NULL, strdup("key"))) != RK_OK)
			return r;
		return add_column(g, NULL, strdup("value"));
	}
	if (v->kind == RK_ARRAY) {
		g->rows = v->u.list.items;
		g->n_rows = v->u.list.count;
		if (are_maps(g))
			return columns_of_maps(g);
	}
	return add_column(g, NULL, strdup("value"));
}

/* ---- printing ---- */

/* Numbers only, and what is missing. */
static bool
is_figure(const struct grid *g, size_t column)
{
	bool any = false;

	if (strlen(g->titles[column]) > TITLE_MAX)
		return false;
	for (size_t i = 0; i < g->n_rows; i++) {
		const struct rk_value *v =
		    g->pick(&g->rows[i * g->step], g->keys[column], column);

		if (v != NULL && v->kind != RK_NIL && !is_number(v))
			return false;
		any = any || (v != NULL && is_number(v));
	}
	return any;
}

static enum rk_err
put_row(const struct grid *g, struct table *t, size_t row)
{
	char *texts[COLUMNS_MAX] = { 0 };
	union cell cells[COLUMNS_MAX];
	enum rk_err r = RK_OK;

	for (size_t i = 0; r == RK_OK && i < g->n; i++) {
		const struct rk_value *v =
		    g->pick(&g->rows[row * g->step], g->keys[i], i);

		if (v != NULL && v->kind != RK_NIL &&
		    (texts[i] = text_of(v)) == NULL)
			r = RK_ENOMEM;
		cells[i].text = texts[i];
	}
	if (r == RK_OK)
		r = table_row(t, cells);
	for (size_t i = 0; i < g->n; i++)
		free(texts[i]);
	return r;
}

static enum rk_err
print(const struct grid *g, const struct out *o)
{
	struct field fields[COLUMNS_MAX];
	struct table *t;
	enum rk_err r;

	for (size_t i = 0; i < g->n; i++)
		fields[i] = (struct field){ g->titles[i], g->titles[i],
			is_figure(g, i) ? FIELD_FIGURE : FIELD_SHOWN };
	if ((r = table_new(o, fields, g->n, &t)) != RK_OK)
		return r;
	for (size_t i = 0; r == RK_OK && i < g->n_rows; i++)
		r = put_row(g, t, i);
	table_end(t);
	return r;
}

int
show_table(const struct out *o, const struct rk_value *v)
{
	struct grid g;
	enum rk_err r = shape(&g, v);

	if (r == RK_OK)
		r = print(&g, o);
	for (size_t i = 0; i < g.n; i++)
		free(g.titles[i]);
	if (r == RK_ELIMIT)
		return out_fail(o, r,
		    "the reply has too many columns for a table", "-o json");
	return r == RK_OK ? 0 : out_fail(o, r, rk_err_text(r), NULL);
}
