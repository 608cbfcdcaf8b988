/* What is in an answer: members by name, of the kind that they should be. */
#include "model_int.h"

#include <stdio.h>
#include <string.h>

void
take_str(const struct rk_value *v, char *dst, size_t len)
{
	size_t n = 0;

	/* One of no bytes may be nowhere. */
	if (v != NULL && v->kind == RK_STR && v->u.bytes.len > 0) {
		n = v->u.bytes.len < len ? v->u.bytes.len : len - 1;
		memcpy(dst, v->u.bytes.ptr, n);
	}
	dst[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (dst[i] == '\0')
			dst[i] = '?';
	}
}

void
take_text(const struct rk_value *map, const char *key, char *dst, size_t len)
{
	take_str(rk_value_get(map, key), dst, len);
}

void
take_name(const struct rk_value *row, char *dst, size_t len)
{
	char cn[128];

	take_text(row, "email", dst, len);
	take_text(row, "cn", cn, sizeof(cn));
	if (dst[0] == '\0' && cn[0] != '\0')
		(void)snprintf(dst, len, "CN=%s", cn);
}

void
take_end(const struct rk_value *map, const char *key, char *dst, size_t len)
{
	const struct rk_value *v = rk_value_get(map, key);
	struct rk_value end;
	size_t skip;

	if (v == NULL || v->kind != RK_STR || v->u.bytes.len < len) {
		take_str(v, dst, len);
		return;
	}
	skip = v->u.bytes.len - (len - 2);
	/* Not within a character. */
	for (size_t i = 0; i < 3 && (v->u.bytes.ptr[skip] & 0xc0) == 0x80; i++)
		skip++;
	end = *v;
	end.u.bytes.ptr += skip;
	end.u.bytes.len -= skip;
	dst[0] = '~';
	take_str(&end, dst + 1, len - 1);
}

bool
take_bool(const struct rk_value *map, const char *key)
{
	const struct rk_value *v = rk_value_get(map, key);

	return v != NULL && v->kind == RK_BOOL && v->u.b;
}

int64_t
take_ago(const struct rk_value *map, const char *key, int64_t now)
{
	uint64_t ms = ctl_number(map, key);

	return ms > INT64_MAX / 4 ? now - INT64_MAX / 4 : now - (int64_t)ms;
}

size_t
take_word(const struct rk_value *map, const char *key, const char *const *words,
    size_t n)
{
	char word[16];
	size_t i = 0;

	take_text(map, key, word, sizeof(word));
	while (i < n && strcmp(words[i], word) != 0)
		i++;
	return i;
}

const struct rk_value *
take_rows(const struct rk_value *v)
{
	if (v == NULL || v->kind != RK_ARRAY)
		return NULL;
	for (uint32_t i = 0; i < v->u.list.count; i++) {
		if (v->u.list.items[i].kind != RK_MAP)
			return NULL;
	}
	return v;
}

uint64_t
add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t
rate_of(uint64_t before, uint64_t after, int64_t ms)
{
	double rate;

	if (after <= before || ms <= 0)
		return 0;
	rate = (double)(after - before) * 1000.0 / (double)ms;
	return rate < 1e18 ? (uint64_t)rate : (uint64_t)1e18;
}
