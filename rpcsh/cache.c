/* Lists of methods as servers gave them last, in files of JSON. */
#include "cache.h"

#include "base/fs.h"
#include "base/str.h"
#include "cli/json.h"
#include "cli/out.h"

#include <rpckit/message.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CACHE_MAX (4u << 20)
#define NAME_LEN 200
#define URL_MAX 128    /* longer ones are not remembered */
#define FULLER_MAX 256 /* descriptions that outlive the next list */

/* ---- one spelling ---- */

/* "a//b/./c" as "a/b/c". */
static void
canonical_path(char *path)
{
	char *to = path;

	for (const char *p = path; *p != '\0';) {
		if (p[0] == '/' && p[1] == '/')
			p++;
		else if (p[0] == '/' && p[1] == '.' && p[2] == '/')
			p += 2;
		else
			*to++ = *p++;
	}
	*to = '\0';
}

/* "[::0:1]:PORT", "[fe80::1%25eth0]:PORT" */
static void
canonical_literal(char *host, size_t len)
{
	char *end = strchr(host, ']'), *zone, text[INET6_ADDRSTRLEN];
	char rest[64], name[32] = "";
	struct in6_addr addr;

	if (end == NULL || str_copy(rest, sizeof(rest), end) >= sizeof(rest))
		return;
	*end = '\0';
	if ((zone = strchr(host, '%')) != NULL) {
		*zone = '\0';
		zone +=
		    strncmp(zone + 1, "25", 2) == 0 && zone[3] != '\0' ? 3 : 1;
		(void)snprintf(name, sizeof(name), "%%%s", zone);
	}
	if (inet_pton(AF_INET6, host + 1, &addr) == 1 &&
	    inet_ntop(AF_INET6, &addr, text, sizeof(text)) != NULL)
		(void)snprintf(host, len, "[%s%s%s", text, name, rest);
}

/* "HOST:PORT", "HOST" */
static void
canonical_name(char *host)
{
	char *port = strchr(host, ':');
	size_t len = port == NULL ? strlen(host) : (size_t)(port - host);

	for (size_t i = 0; i < len; i++)
		host[i] = (char)tolower((unsigned char)host[i]);
	if (len > 1 && host[len - 1] == '.')
		memmove(host + len - 1, host + len, strlen(host + len) + 1);
}

const char *
cache_canonical(const char *url, char out[SETTINGS_URL_LEN])
{
	char *host;

	(void)str_copy(out, SETTINGS_URL_LEN, url);
	if ((host = strstr(out, "://")) == NULL)
		return out;
	host += 3;
	if (host[0] == '/')
		canonical_path(host);
	else if (host[0] == '[')
		canonical_literal(
		    host, SETTINGS_URL_LEN - (size_t)(host - out));
	else
		canonical_name(host);
	return out;
}

/* "tls_127.0.0.1_8443.json" */
static enum rk_err
path_of(const char *url, char out[PATH_LEN])
{
	const char *sign = strstr(url, "://");
	char name[NAME_LEN];

	if (sign == NULL || strlen(url) >= URL_MAX)
		return RK_ETOOBIG;
	(void)snprintf(name, sizeof(name), "methods/%.*s_%s.json",
	    (int)(sign - url), url, sign + 3);
	for (char *p = name + strlen("methods/"); *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL)
			*p = '_';
	}
	return path_user(PATH_CACHE, name, out);
}

/* ---- reading ---- */

static bool
text_is(const struct rk_value *v, const char *text)
{
	return v != NULL && v->kind == RK_STR &&
	       v->u.bytes.len == strlen(text) &&
	       memcmp(v->u.bytes.ptr, text, v->u.bytes.len) == 0;
}

/* Two URLs may be one file's name: only ours is in it, or it is none. */
static enum rk_err
take(struct cached *c, const char *url)
{
	const struct rk_value *root = rk_value_root(c->doc);
	const struct rk_value *at = rk_value_get(root, "at");

	c->methods = rk_value_get(root, "methods");
	if (c->methods == NULL || c->methods->kind != RK_ARRAY ||
	    !text_is(rk_value_get(root, "server"), url))
		return RK_ENOENT;
	if (at != NULL && at->kind == RK_STR)
		(void)rk_escape(c->at, sizeof(c->at),
		    (const char *)at->u.bytes.ptr, at->u.bytes.len);
	return RK_OK;
}

enum rk_err
cache_read(const char *url, struct cached *out)
{
	char own[SETTINGS_URL_LEN], path[PATH_LEN];
	struct rk_error err;
	struct buf b;
	enum rk_err r;

	*out = (struct cached){ 0 };
	(void)cache_canonical(url, own);
	if (path_of(own, path) != RK_OK)
		return RK_ENOENT;
	buf_init(&b, CACHE_MAX);
	r = fs_read(path, FS_NOT_SHARED, CACHE_MAX, &b, NULL);
	if (r == RK_OK)
		r = json_parse("cache", (const char *)buf_peek(&b), buf_len(&b),
		    &out->doc, &err);
	buf_fini(&b);
	if (r == RK_OK && (r = take(out, own)) == RK_OK)
		return RK_OK;
	cache_free(out);
	return RK_ENOENT;
}

void
cache_free(struct cached *c)
{
	rk_value_free(c->doc);
	*c = (struct cached){ 0 };
}

static const struct rk_value *
find(const struct rk_value *list, struct rk_bytes name)
{
	for (size_t i = 0; i < list->u.list.count; i++) {
		const struct rk_value *m = &list->u.list.items[i];
		const struct rk_value *n = rk_value_get(m, "name");

		if (n != NULL && n->kind == RK_STR &&
		    n->u.bytes.len == name.len &&
		    memcmp(n->u.bytes.ptr, name.ptr, name.len) == 0)
			return m;
	}
	return NULL;
}

const struct rk_value *
cache_find(const struct cached *c, const char *method)
{
	return find(c->methods,
	    (struct rk_bytes){ (const uint8_t *)method, strlen(method) });
}

/* ---- writing ---- */

struct writer {
	struct buf b;
	char url[SETTINGS_URL_LEN];
	char path[PATH_LEN];
	size_t n; /* methods */
	enum rk_err r;
};

static void
begin(struct writer *w, const char *url, const char *at)
{
	char now[32];

	buf_init(&w->b, CACHE_MAX);
	w->n = 0;
	str_time(now, (int64_t)time(NULL));
	(void)cache_canonical(url, w->url);
	if ((w->r = path_of(w->url, w->path)) != RK_OK ||
	    (w->r = buf_put_str(&w->b, "{\"schema\":1,\"server\":")) != RK_OK ||
	    (w->r = out_json_string(&w->b, w->url, strlen(w->url))) != RK_OK ||
	    (w->r = buf_put_str(&w->b, ",\"at\":")) != RK_OK)
		return;
	at = at == NULL ? now : at;
	if ((w->r = out_json_string(&w->b, at, strlen(at))) == RK_OK)
		w->r = buf_put_str(&w->b, ",\"methods\":[");
}

static void
put(struct writer *w, const struct rk_value *method)
{
	if (w->r == RK_OK)
		w->r = buf_put_str(&w->b, w->n++ == 0 ? "\n" : ",\n");
	if (w->r == RK_OK)
		w->r =
		    json_write(&w->b, method, &(const struct json_write){ 0 });
}

static void
finish(struct writer *w)
{
	char dir[PATH_LEN];

	if (w->r == RK_OK && (w->r = buf_put_str(&w->b, "\n]}\n")) == RK_OK &&
	    (w->r = path_user(PATH_CACHE, "methods", dir)) == RK_OK &&
	    (w->r = fs_make_dir(dir, 0700, NULL)) == RK_OK)
		w->r = fs_write_file(
		    w->path, buf_peek(&w->b), buf_len(&w->b), 0600, true, NULL);
	buf_fini(&w->b); /* who could not remember does without */
}

static bool
same(const struct rk_value *a, const struct rk_value *b, const char *key)
{
	const struct rk_value *x = rk_value_get(a, key);
	const struct rk_value *y = rk_value_get(b, key);

	if (x == NULL || y == NULL)
		return x == y;
	return x->kind == RK_STR && y->kind == RK_STR &&
	       x->u.bytes.len == y->u.bytes.len &&
	       memcmp(x->u.bytes.ptr, y->u.bytes.ptr, x->u.bytes.len) == 0;
}

static const struct rk_value *
name_of(const struct rk_value *method)
{
	const struct rk_value *n = rk_value_get(method, "name");

	return n != NULL && n->kind == RK_STR && n->u.bytes.len > 0 &&
	               n->u.bytes.len <= RK_NAME_MAX
	           ? n
	           : NULL;
}

/* What was described once tells more than a list does. */
struct fuller {
	const struct rk_value *list[FULLER_MAX];
	size_t n;
};

static void
collect(const struct cached *old, struct fuller *f)
{
	for (size_t i = 0; i < old->methods->u.list.count; i++) {
		const struct rk_value *m = &old->methods->u.list.items[i];

		if (f->n < FULLER_MAX &&
		    (rk_value_get(m, "schema") != NULL ||
		        rk_value_get(m, "streams") != NULL))
			f->list[f->n++] = m;
	}
}

/* The same method as it was described, if it is still so. */
static const struct rk_value *
described(const struct fuller *f, const struct rk_value *m)
{
	static const char *const keys[] = { "name", "about", "args", "reply",
		"secret" };

	for (size_t i = 0; i < f->n; i++) {
		size_t k = 0;

		while (k < 5 && same(f->list[i], m, keys[k]))
			k++;
		if (k == 5)
			return f->list[i];
	}
	return m;
}

void
cache_methods(const char *url, const struct rk_value *list)
{
	struct fuller f = { .n = 0 };
	struct cached old;
	struct writer w;

	if (list->kind != RK_ARRAY)
		return;
	if (cache_read(url, &old) == RK_OK)
		collect(&old, &f);
	begin(&w, url, NULL);
	for (size_t i = 0; i < list->u.list.count; i++) {
		if (name_of(&list->u.list.items[i]) != NULL)
			put(&w, described(&f, &list->u.list.items[i]));
	}
	finish(&w);
	cache_free(&old);
}

static bool
equal(const struct rk_value *a, const struct rk_value *b)
{
	uint8_t *x = NULL, *y = NULL;
	size_t n, m;
	bool is = rk_value_encode(a, &x, &n) == RK_OK &&
	          rk_value_encode(b, &y, &m) == RK_OK && n == m &&
	          memcmp(x, y, n) == 0;

	free(x);
	free(y);
	return is;
}

void
cache_method(const char *url, const struct rk_value *method)
{
	const struct rk_value *name = name_of(method), *was;
	struct cached old;
	struct writer w;

	/* Never as the only one that there seems to be. */
	if (name == NULL || cache_read(url, &old) != RK_OK)
		return;
	was = find(old.methods, name->u.bytes);
	if (was != NULL && equal(was, method)) {
		cache_free(&old);
		return;
	}
	begin(&w, url, old.at);
	for (size_t i = 0; i < old.methods->u.list.count; i++) {
		const struct rk_value *m = &old.methods->u.list.items[i];

		put(&w, m == was ? method : m);
	}
	if (was == NULL)
		put(&w, method);
	finish(&w);
	cache_free(&old);
}
