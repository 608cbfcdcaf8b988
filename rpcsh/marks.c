/* Which fields of a method's argument hold secrets, as its server says. */
#include "marks.h"

#include "cache.h"

#include <ctype.h>
#include <string.h>

#define BETWEEN ", "

void
marks_of(const struct rk_value *method, struct marks *out)
{
	const struct rk_value *v = rk_value_get(method, "secret");
	size_t n;

	out->names[0] = '\0';
	if (v == NULL || v->kind != RK_STR)
		return;
	/* Names that have no room are none that anybody would type. */
	n = v->u.bytes.len < sizeof(out->names) ? v->u.bytes.len
	                                        : sizeof(out->names) - 1;
	memcpy(out->names, v->u.bytes.ptr, n);
	out->names[n] = '\0';
}

void
marks_remembered(const char *url, const char *method, struct marks *out)
{
	struct cached c;

	out->names[0] = '\0';
	if (cache_read(url, &c) != RK_OK)
		return;
	marks_of(cache_find(&c, method), out);
	cache_free(&c);
}

/* The next of the names from *at on; false: there is no more. */
static bool
next_name(const struct marks *m, const char **at, size_t *len)
{
	const char *p = *at == NULL ? m->names : *at + *len;

	p += strspn(p, BETWEEN);
	*at = p;
	*len = strcspn(p, BETWEEN);
	return *len > 0;
}

bool
marks_has(const struct marks *m, const char *name, size_t len)
{
	const char *at = NULL;
	size_t n = 0;

	while (next_name(m, &at, &n)) {
		if (n == len && memcmp(at, name, n) == 0)
			return true;
	}
	return false;
}

/* ---- lines ---- */

static bool
is_of_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* As an item or in JSON: the name, and behind it what begins a value. */
static bool
is_given(const char *line, const char *name, size_t len)
{
	for (const char *p = line; *p != '\0'; p++) {
		if (strncmp(p, name, len) == 0 && p[len] != '\0' &&
		    (p == line || !is_of_name(p[-1])) &&
		    strchr("=:@.[\\\"' ", p[len]) != NULL)
			return true;
	}
	return false;
}

/* By its whole name, or by the end of it. */
static bool
is_called(const char *line, const struct rk_value *method)
{
	const struct rk_value *v = rk_value_get(method, "name");
	const char *name, *dot;
	size_t len;

	if (v == NULL || v->kind != RK_STR)
		return false;
	name = (const char *)v->u.bytes.ptr;
	len = v->u.bytes.len;
	dot = len == 0 ? NULL : memrchr(name, '.', len);
	if (dot != NULL) {
		len -= (size_t)(dot + 1 - name);
		name = dot + 1;
	}
	return len > 0 && memmem(line, strlen(line), name, len) != NULL;
}

bool
marks_in_line(const char *url, const char *line)
{
	struct cached c;
	bool found = false;

	if (cache_read(url, &c) != RK_OK)
		return false;
	for (size_t i = 0; !found && i < c.methods->u.list.count; i++) {
		const struct rk_value *method = &c.methods->u.list.items[i];
		const char *at = NULL;
		struct marks m;
		size_t len = 0;

		marks_of(method, &m);
		if (m.names[0] == '\0' || !is_called(line, method))
			continue;
		while (!found && next_name(&m, &at, &len))
			found = is_given(line, at, len);
	}
	cache_free(&c);
	return found;
}

/* ---- values ---- */

enum rk_err
marks_hide(const struct marks *m, struct rk_value_doc *doc, struct rk_value *v)
{
	size_t n = 0, step = v->kind == RK_MAP ? 2 : 1;
	enum rk_err r = RK_OK;

	if (v->kind == RK_MAP || v->kind == RK_ARRAY)
		n = v->u.list.count * step;
	for (size_t i = 0; r == RK_OK && i < n; i += step) {
		struct rk_value *key = &v->u.list.items[i];

		if (step == 2 && key->kind == RK_STR &&
		    marks_has(
		        m, (const char *)key->u.bytes.ptr, key->u.bytes.len))
			r = rk_value_set_bytes(doc, key + 1, RK_STR, "?", 1);
		else
			r = marks_hide(m, doc, key + step - 1);
	}
	return r;
}
