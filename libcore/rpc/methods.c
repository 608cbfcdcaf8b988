/* An immutable set of methods, looked up by name. */
#include "rpc/methods.h"

#include "base/error.h"
#include "base/str.h"
#include "rpc/typed_int.h"

#include <rpckit/stream.h>

#include <stdlib.h>

#define KINDS ((unsigned)(RK_STREAM_UP | RK_STREAM_DOWN | RK_STREAM_BOTH))

/* FNV-1a: the set is the operator's, and lookups end at an empty slot of a
 * half-full table, so a peer's choice of names costs nobody anything. */
static uint32_t
hash(const char *s, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return h;
}

static size_t
locate(const struct methods *m, const char *name, size_t len)
{
	size_t i = hash(name, len) & (m->n_slots - 1);

	while (m->slots[i] != 0) {
		const char *have = m->list[m->slots[i] - 1].name;

		if (strlen(have) == len && memcmp(have, name, len) == 0)
			break;
		i = (i + 1) & (m->n_slots - 1);
	}
	return i;
}

static enum rk_err
copy_text(const char *src, const char **dst)
{
	*dst = NULL;
	if (src == NULL)
		return RK_OK;
	*dst = strdup(src);
	return *dst == NULL ? RK_ENOMEM : RK_OK;
}

/* What it takes or gives: as the user says, or as the table of it does. */
static enum rk_err
copy_side(const char *src, const struct rk_typed *typed,
    const struct rk_record *type, const char **dst)
{
	char *text;
	enum rk_err r;

	if (src != NULL || typed == NULL)
		return copy_text(src, dst);
	r = typed_signature(type, &text);
	*dst = text;
	return r;
}

static enum rk_err
copy_method(const struct rk_method *src, struct rk_method *dst)
{
	const struct rk_typed *t = src->typed;
	enum rk_err r;

	*dst = *src;
	dst->name = dst->about = dst->args = dst->reply = dst->secret = NULL;
	if ((r = copy_text(src->name, &dst->name)) != RK_OK ||
	    (r = copy_text(src->about, &dst->about)) != RK_OK ||
	    (r = copy_text(src->secret, &dst->secret)) != RK_OK ||
	    (r = copy_side(src->args, t, t == NULL ? NULL : t->args,
	         &dst->args)) != RK_OK)
		return r;
	return copy_side(
	    src->reply, t, t == NULL ? NULL : t->reply, &dst->reply);
}

static int
by_name(const void *a, const void *b)
{
	const struct rk_method *x = a;
	const struct rk_method *y = b;

	return strcmp(x->name, y->name);
}

static enum rk_err
check_typed(const struct rk_method *m, struct rk_error *err)
{
	const struct rk_record *types[] = { m->typed->args, m->typed->reply };
	const char *dot = strrchr(m->name, '.');
	char name[64];
	enum rk_err r = RK_OK;

	str_escape(name, sizeof(name), m->name);
	if (m->typed->fn == NULL)
		return err_set(err, RK_EINVAL, "method %s: no handler", name);
	if (dot == NULL || dot == m->name || dot[1] == '\0')
		return err_set(err, RK_EINVAL,
		    "method %s: a typed one is named Service.Method", name);
	for (size_t i = 0; r == RK_OK && i < 2; i++)
		if (types[i] != NULL)
			r = rk_type_check(types[i], err);
	return r;
}

static enum rk_err
check(const struct rk_method *m, struct rk_error *err)
{
	size_t len = m->name == NULL ? 0 : strlen(m->name);
	char name[64];
	int n;

	if (len == 0 || len > RK_NAME_MAX)
		return err_set(err, RK_EINVAL,
		    "method: a name has 1 to %d bytes", RK_NAME_MAX);
	n = (m->fn != NULL) + (m->work != NULL) + (m->stream != NULL) +
	    (m->typed != NULL);
	if (n != 1)
		return err_set(err, RK_EINVAL, "method %s: %s",
		    str_escape(name, sizeof(name), m->name),
		    n == 0 ? "no handler" : "more than one handler");
	if ((m->streams == 0) != (m->stream == NULL) ||
	    (m->streams & ~KINDS) != 0)
		return err_set(err, RK_EINVAL,
		    "method %s: kinds of stream and `stream` belong together",
		    str_escape(name, sizeof(name), m->name));
	return m->typed == NULL ? RK_OK : check_typed(m, err);
}

static enum rk_err
copy_all(struct methods *m, const struct rk_method *list, size_t n,
    struct rk_error *err)
{
	enum rk_err r;

	for (size_t i = 0; i < n + METHODS_BUILTIN; i++) {
		const struct rk_method *src =
		    i < n ? &list[i] : &methods_builtin[i - n];

		if ((r = check(src, err)) != RK_OK)
			return r;
		m->n++;
		if (copy_method(src, &m->list[i]) != RK_OK)
			return err_set(
			    err, RK_ENOMEM, "methods: out of memory");
	}
	qsort(m->list, m->n, sizeof(*m->list), by_name);
	return RK_OK;
}

static enum rk_err
index_all(struct methods *m, struct rk_error *err)
{
	char name[64];

	for (size_t i = 0; i < m->n; i++) {
		size_t at = locate(m, m->list[i].name, strlen(m->list[i].name));

		if (m->slots[at] != 0)
			return err_set(err, RK_EEXIST,
			    "method %s: the name is taken",
			    str_escape(name, sizeof(name), m->list[i].name));
		m->slots[at] = (uint32_t)i + 1;
	}
	return RK_OK;
}

enum rk_err
methods_new(const struct rk_method *list, size_t n, struct methods **out,
    struct rk_error *err)
{
	struct methods *m;
	enum rk_err r;

	*out = NULL;
	r = err_set(err, RK_ENOMEM, "methods: out of memory");
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return r;
	m->n_slots = 16;
	while (m->n_slots < 2 * (n + METHODS_BUILTIN))
		m->n_slots *= 2;
	m->slots = calloc(m->n_slots, sizeof(*m->slots));
	m->list = calloc(n + METHODS_BUILTIN, sizeof(*m->list));
	if (m->slots == NULL || m->list == NULL)
		goto out;
	err_clear(err);
	if ((r = copy_all(m, list, n, err)) != RK_OK)
		goto out;
	if ((r = index_all(m, err)) != RK_OK)
		goto out;
	*out = m;
	m = NULL;
out:
	methods_free(m);
	return r;
}

/* The texts were made by strdup(); the public struct shows them as const. */
static void
free_text(const char *s)
{
	union {
		const char *in;
		char *out;
	} u = { .in = s };

	free(u.out);
}

void
methods_hold(struct methods *m)
{
	atomic_fetch_add(&m->holders, 1);
}

void
methods_free(struct methods *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; m->list != NULL && i < m->n; i++) {
		free_text(m->list[i].name);
		free_text(m->list[i].about);
		free_text(m->list[i].args);
		free_text(m->list[i].reply);
		free_text(m->list[i].secret);
	}
	if (m->retired != NULL)
		m->retired(m->arg);
	free(m->list);
	free(m->slots);
	free(m->swaps);
	free(m->figures);
	free(m);
}

const struct rk_method *
methods_find(const struct methods *m, struct rk_str name)
{
	size_t i = locate(m, name.ptr, name.len);

	return m->slots[i] == 0 ? NULL : &m->list[m->slots[i] - 1];
}

struct figures *
methods_figures(const struct methods *m, const struct rk_method *method)
{
	uintptr_t at = (uintptr_t)method;

	/* Some are of no set. */
	if (m->figures == NULL || at < (uintptr_t)m->list ||
	    at >= (uintptr_t)(m->list + m->n))
		return NULL;
	return m->figures[method - m->list];
}
