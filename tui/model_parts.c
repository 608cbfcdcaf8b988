/* Lists of keys that are told in parts: what came, until it is all of one. */
#include "model_int.h"

#include <stdlib.h>

#define SPARE 64

void
part_clear(struct model_part *p)
{
	free(p->keys);
	*p = (struct model_part){ 0 };
}

/* Room for so many more, as far as any are kept. */
static enum rk_err
reserve(struct model_part *p, size_t n)
{
	size_t need = p->n + n < MODEL_KEYS ? p->n + n : MODEL_KEYS;
	size_t cap = need + p->n / 2 + SPARE;
	struct model_key *keys;

	if (need <= p->cap)
		return RK_OK;
	if ((keys = realloc(p->keys, cap * sizeof(*keys))) == NULL)
		return RK_ENOMEM;
	p->keys = keys;
	p->cap = cap;
	return RK_OK;
}

/* Rows that say nothing we know are none. */
static enum rk_err
add_rows(struct model_part *p, const struct rk_value *rows, bool listed)
{
	if (reserve(p, rows->u.list.count) != RK_OK)
		return RK_ENOMEM;
	for (uint32_t i = 0; i < rows->u.list.count; i++) {
		if (p->n == MODEL_KEYS) {
			p->lost += rows->u.list.count - i;
			break;
		}
		if (!keys_read(&p->keys[p->n], &rows->u.list.items[i]))
			continue;
		p->keys[p->n++].listed = listed;
	}
	return RK_OK;
}

enum rk_err
part_add(struct model_part *p, const struct rk_value *answer,
    const struct rk_value *rows, bool listed, bool *whole)
{
	enum parts_next next =
	    parts_take(&p->parts, answer, rows->u.list.count);

	*whole = next == PARTS_LAST || next == PARTS_NONE;
	p->more = !*whole;
	if (next == PARTS_ANEW) {
		p->n = 0;
		p->lost = 0;
	}
	if (next == PARTS_ANEW || next == PARTS_NONE)
		return RK_OK;
	if (add_rows(p, rows, listed) != RK_OK)
		return RK_ENOMEM;
	/* More than that are not kept: they are not asked for. */
	if (p->n == MODEL_KEYS) {
		*whole = true;
		p->more = false;
	}
	return RK_OK;
}

static const char *const lists[] = { "_.trust", "_.known" };

bool
model_more(const struct model *m, const char *method, uint64_t *from)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(method, lists[i]) != 0 || !m->part[i].more)
			continue;
		*from = m->part[i].parts.rows;
		return true;
	}
	return false;
}

void
model_no_more(struct model *m)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		part_clear(&m->part[i]);
}
