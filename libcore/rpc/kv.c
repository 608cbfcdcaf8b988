/* Maps of msgpack, written pair by pair; the first failure stays. */
#include "rpc/kv.h"

#include "base/be.h"
#include "base/str.h"
#include "rpc/greenpack.h"

/* Room for n more bytes, or NULL. */
static uint8_t *
reserve(struct kv *k, size_t n)
{
	uint8_t *p = NULL;

	if (k->r == RK_OK)
		k->r = buf_reserve(k->b, n, &p);
	return k->r == RK_OK ? p : NULL;
}

void
kv_map(struct kv *k, uint32_t pairs)
{
	uint8_t *p = reserve(k, GP_HEAD_MAX);

	if (p != NULL)
		buf_commit(k->b, (size_t)(gp_put_map(p, pairs) - p));
}

void
kv_array(struct kv *k, uint32_t items)
{
	uint8_t *p = reserve(k, GP_HEAD_MAX);

	if (p != NULL)
		buf_commit(k->b, (size_t)(gp_put_array(p, items) - p));
}

void
kv_str(struct kv *k, struct rk_str s)
{
	uint8_t *p = reserve(k, s.len + GP_HEAD_MAX);

	if (p != NULL)
		buf_commit(k->b, (size_t)(gp_put_str(p, s.ptr, s.len) - p));
}

void
kv_text(struct kv *k, const char *s)
{
	kv_str(k, str_view(s));
}

void
kv_uint(struct kv *k, uint64_t v)
{
	uint8_t *p = reserve(k, GP_SCALAR_MAX);

	if (p != NULL)
		buf_commit(k->b, (size_t)(gp_put_uint(p, v) - p));
}

void
kv_int(struct kv *k, int64_t v)
{
	uint8_t *p = reserve(k, GP_SCALAR_MAX);

	if (p != NULL)
		buf_commit(k->b, (size_t)(gp_put_int(p, v) - p));
}

void
kv_bool(struct kv *k, bool v)
{
	uint8_t *p = reserve(k, GP_SCALAR_MAX);

	if (p != NULL)
		buf_commit(k->b, (size_t)(gp_put_bool(p, v) - p));
}

void
kv_f64(struct kv *k, double v)
{
	uint8_t *p = reserve(k, GP_SCALAR_MAX);
	uint64_t bits;

	if (p == NULL)
		return;
	memcpy(&bits, &v, sizeof(bits));
	*p = 0xcb;
	buf_commit(k->b, (size_t)(be_put64(p + 1, bits) - p));
}

void
kv_pair_text(struct kv *k, const char *key, const char *value)
{
	kv_text(k, key);
	kv_text(k, value);
}

void
kv_pair_uint(struct kv *k, const char *key, uint64_t value)
{
	kv_text(k, key);
	kv_uint(k, value);
}

void
kv_pair_int(struct kv *k, const char *key, int64_t value)
{
	kv_text(k, key);
	kv_int(k, value);
}

void
kv_pair_bool(struct kv *k, const char *key, bool value)
{
	kv_text(k, key);
	kv_bool(k, value);
}

void
kv_pair_time(struct kv *k, const char *key, int64_t sec)
{
	char text[32];

	str_time(text, sec);
	kv_pair_text(k, key, text);
}

bool
kv_row_stays(struct kv *k, size_t before)
{
	if (k->r != RK_OK)
		buf_uncommit(k->b, buf_len(k->b) - before);
	return k->r == RK_OK;
}

void
kv_rows_begin(struct kv_rows *s)
{
	*s = (struct kv_rows){ .n = 0 };
	buf_init(&s->b, KV_ROWS_MAX);
	s->k.b = &s->b;
}

void
kv_rows_end(struct kv_rows *s, size_t before)
{
	/* None behind one that had no room: the next answer begins there. */
	if (s->left_out > 0 && s->k.r == RK_OK)
		s->k.r = RK_ETOOBIG;
	if (kv_row_stays(&s->k, before)) {
		s->n++;
	} else if (s->k.r == RK_ETOOBIG) {
		s->k.r = RK_OK;
		s->left_out++;
	}
}
