/* A copy of the model for who has pressed pause. */
#include "ui.h"

#include <stdlib.h>
#include <string.h>

static bool
copy(void *out, const void *src, size_t n, size_t size)
{
	void *made = NULL;

	if (n > 0 && (made = malloc(n * size)) == NULL)
		return false;
	if (n > 0)
		memcpy(made, src, n * size);
	memcpy(out, &made, sizeof(made));
	return true;
}

static bool
copy_methods(struct model *to, const struct model *from)
{
	uint8_t *made;
	size_t len;
	bool ok;

	to->methods = NULL;
	if (from->methods == NULL)
		return true;
	if (rk_value_encode(rk_value_root(from->methods), &made, &len) != RK_OK)
		return false;
	ok = rk_value_decode(made, len, &to->methods) == RK_OK;
	free(made);
	return ok;
}

/* Where things are in the copies. */
static bool
copy_index(struct model_index *to, const struct model_index *from)
{
	return copy(&to->slots, from->slots,
	    from->slots == NULL ? 0 : from->cap, sizeof(*from->slots));
}

struct model *
freeze_model(const struct model *m)
{
	struct model *f = malloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	*f = *m;
	f->conns = NULL;
	f->keys = NULL;
	f->calls = NULL;
	f->methods = NULL;
	f->part[0] = f->part[1] = (struct model_part){ 0 };
	f->by_id.slots = f->by_fp.slots = NULL;
	if (!copy_index(&f->by_id, &m->by_id) ||
	    !copy_index(&f->by_fp, &m->by_fp) ||
	    !copy(&f->conns, m->conns, m->n_conns, sizeof(*m->conns)) ||
	    !copy(&f->keys, m->keys, m->n_keys, sizeof(*m->keys)) ||
	    !copy(&f->calls, m->calls, m->n_calls, sizeof(*m->calls)) ||
	    !copy_methods(f, m)) {
		freeze_free(f);
		return NULL;
	}
	return f;
}

void
freeze_free(struct model *m)
{
	if (m == NULL)
		return;
	index_fini(&m->by_id);
	index_fini(&m->by_fp);
	free(m->conns);
	free(m->keys);
	free(m->calls);
	rk_value_free(m->methods);
	free(m);
}
