/* A long list that a daemon tells in parts: which comes next, and all of it. */
#include "cli/parts.h"

#include "base/str.h"
#include "cli/ctl.h"

#include <stdlib.h>
#include <string.h>

#define ANEW_MAX 8
#define ANSWERS_MAX 256 /* of one list, each as long as it can be */
#define ROWS_MAX 1000000

static bool
may_anew(struct parts *p)
{
	const unsigned anew = p->anew + 1;

	if (anew > ANEW_MAX)
		return false;
	*p = (struct parts){ .anew = anew };
	return true;
}

/* Much more than a list can have whose file, store and revocation list are
 * bounded: then what is left is left out. */
static bool
may_go_on(struct parts *p)
{
	return ++p->answers < ANSWERS_MAX && p->rows < ROWS_MAX;
}

/* Is this answer, of n rows, of the same list as those before? */
static bool
is_same(const struct parts *p, const char *sum, uint64_t n, uint64_t left_out)
{
	return strcmp(p->sum, sum) == 0 && left_out <= p->left &&
	       p->left - left_out == n;
}

enum parts_next
parts_take(struct parts *p, const struct rk_value *answer, uint64_t n)
{
	const uint64_t left_out = ctl_number(answer, "left_out");
	const bool first = p->rows == 0;
	char sum[sizeof(p->sum)];

	if (ctl_number(answer, "from") != p->rows)
		return PARTS_NONE;
	(void)ctl_text(answer, "sum", sum, sizeof(sum));
	if (!first && !is_same(p, sum, n, left_out)) {
		if (may_anew(p))
			return PARTS_ANEW;
		p->moved = true;
	}
	(void)str_copy(p->sum, sizeof(p->sum), sum);
	p->rows += n;
	p->left = left_out;
	if (n > 0 && left_out > 0)
		return may_go_on(p) ? PARTS_MORE : PARTS_LAST;
	return !first && p->moved && may_anew(p) ? PARTS_ANEW : PARTS_LAST;
}

static void
drop(struct pages *p)
{
	for (size_t i = 0; i < p->n; i++)
		rk_value_free(p->docs[i]);
	p->n = 0;
	p->list.u.list.count = 0;
}

static enum rk_err
keep_doc(struct pages *p, struct rk_value_doc *doc)
{
	struct rk_value_doc **docs =
	    realloc(p->docs, (p->n + 1) * sizeof(struct rk_value_doc *));

	if (docs == NULL) {
		rk_value_free(doc);
		return RK_ENOMEM;
	}
	p->docs = docs;
	p->docs[p->n++] = doc;
	return RK_OK;
}

static enum rk_err
add_rows(struct pages *p, const struct rk_value *rows, uint32_t n)
{
	const uint32_t have = p->list.u.list.count;
	struct rk_value *items;

	if (n == 0)
		return RK_OK;
	items = realloc(
	    p->list.u.list.items, ((size_t)have + n) * sizeof(struct rk_value));
	if (items == NULL)
		return RK_ENOMEM;
	memcpy(items + have, rows->u.list.items, n * sizeof(*items));
	p->list.u.list.items = items;
	p->list.u.list.count = have + n;
	return RK_OK;
}

enum rk_err
pages_add(
    struct pages *p, struct rk_value_doc *doc, const char *member, bool *more)
{
	const struct rk_value *root = rk_value_root(doc);
	const struct rk_value *rows = rk_value_get(root, member);
	const uint32_t n = ctl_len(rows);
	enum parts_next next;
	enum rk_err r = RK_OK;

	*more = false;
	p->list.kind = RK_ARRAY;
	if (keep_doc(p, doc) != RK_OK)
		return RK_ENOMEM;
	next = parts_take(&p->parts, root, n);
	*more = next == PARTS_MORE || next == PARTS_ANEW;
	if (next == PARTS_ANEW)
		drop(p);
	if (next == PARTS_MORE || next == PARTS_LAST)
		r = add_rows(p, rows, n);
	return r == RK_OK && next == PARTS_LAST && p->parts.moved ? RK_EAGAIN
	                                                          : r;
}

int
pages_fail(struct out *out, enum rk_err r)
{
	if (r == RK_EAGAIN)
		return out_fail(out, r, "the list changes all the time",
		    "again, in a moment");
	return out_fail(out, r, rk_err_text(r), NULL);
}

void
pages_fini(struct pages *p)
{
	drop(p);
	free(p->docs);
	free(p->list.u.list.items);
	*p = (struct pages){ .n = 0 };
}
