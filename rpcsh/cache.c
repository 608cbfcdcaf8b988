/* Names for completion: contexts, methods a server had, and their fields. */
#include "cache.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "settings.h"

#include <rpckit/message.h>

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHE_MAX (4u << 20)
#define WORDS_MAX 10000

/* A URL as a file name: "tls_127.0.0.1_8443"; long ones are not cached. */
static enum rk_err
cache_path(const char *url, char out[PATH_LEN])
{
	char name[200];
	size_t len = strlen(url);
	int n;

	if (len >= 128)
		return RK_ETOOBIG;
	n = snprintf(name, sizeof(name), "methods/%s", url);
	if (n < 0 || (size_t)n >= sizeof(name))
		return RK_ETOOBIG;
	for (char *p = name + strlen("methods/"); *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL)
			*p = '_';
	}
	return path_user(PATH_CACHE, name, out);
}

/* A line each: the name, a tab, what it takes. */
static enum rk_err
put_names(struct buf *b, const struct rk_value *list)
{
	enum rk_err r = RK_OK;

	if (list->kind != RK_ARRAY)
		return RK_OK;
	for (size_t i = 0; r == RK_OK && i < list->u.list.count; i++) {
		const struct rk_value *n =
		    rk_value_get(&list->u.list.items[i], "name");
		const struct rk_value *args =
		    rk_value_get(&list->u.list.items[i], "args");
		char name[RK_NAME_MAX + 1], takes[1024] = "";

		if (n == NULL || n->kind != RK_STR || n->u.bytes.len == 0 ||
		    n->u.bytes.len > RK_NAME_MAX)
			continue;
		(void)rk_escape(name, sizeof(name),
		    (const char *)n->u.bytes.ptr, n->u.bytes.len);
		if (args != NULL && args->kind == RK_STR)
			(void)rk_escape(takes, sizeof(takes),
			    (const char *)args->u.bytes.ptr, args->u.bytes.len);
		r = buf_printf(b, "%s\t%s\n", name, takes);
	}
	return r;
}

void
cache_methods(const char *url, const struct rk_value *list)
{
	char dir[PATH_LEN], path[PATH_LEN];
	struct buf b;
	enum rk_err r;

	if (path_user(PATH_CACHE, "methods", dir) != RK_OK ||
	    cache_path(url, path) != RK_OK)
		return;
	buf_init(&b, CACHE_MAX);
	if ((r = put_names(&b, list)) == RK_OK &&
	    (r = fs_make_dir(dir, 0700, NULL)) == RK_OK)
		r = fs_write_file(
		    path, buf_peek(&b), buf_len(&b), 0600, true, NULL);
	(void)r; /* completion does without */
	buf_fini(&b);
}

/* ---- words ---- */

/* What was answered last; its owner is nobody but this file. */
struct words {
	char *text;
	const char *list[WORDS_MAX + 1];
	size_t n;
};

/* The word at the start of each line. */
static void
split(struct words *w, char *text)
{
	w->text = text;
	while (*text != '\0' && w->n < WORDS_MAX) {
		char *end = text + strcspn(text, "\n");
		bool last = *end == '\0';

		*end = '\0';
		w->list[w->n++] = text;
		text[strcspn(text, "\t")] = '\0';
		if (last)
			break;
		text = end + 1;
	}
}

static enum rk_err
read_methods(const char *url, struct buf *b)
{
	struct settings s;
	char own[PATH_LEN + 8], path[PATH_LEN];
	const char *server;
	enum rk_err r;

	if (url == NULL) {
		if ((r = settings_load(NULL, &s, NULL)) != RK_OK)
			return r;
		server = s.v[SET_SERVER].value;
		(void)snprintf(own, sizeof(own), "%s%s",
		    strstr(server, "://") == NULL ? "tls://" : "", server);
		url = own;
	}
	if ((r = cache_path(url, path)) != RK_OK)
		return r;
	return fs_read(path, FS_NOT_SHARED, CACHE_MAX, b, NULL);
}

/* One "name" or "name:type" of "{a:int, b}" as the beginning of an item. */
static enum rk_err
put_field(struct buf *b, const char *field, size_t len)
{
	const char *colon = memchr(field, ':', len);
	size_t name = colon == NULL ? len : (size_t)(colon - field);
	const char *type = colon == NULL ? "" : colon + 1;
	const char *sign = ":=";

	while (type < field + len && *type == ' ')
		type++;
	if (colon == NULL || strncmp(type, "str", 3) == 0 ||
	    strncmp(type, "text", 4) == 0)
		sign = "=";
	else if (strncmp(type, "bin", 3) == 0 || strncmp(type, "bytes", 5) == 0)
		sign = "@";
	return name == 0 ? RK_OK
	                 : buf_printf(b, "%.*s%s\n", (int)name, field, sign);
}

/* The fields of "{a:int, b}". */
static enum rk_err
put_fields(struct buf *b, const char *args)
{
	size_t len = strlen(args);
	enum rk_err r = RK_OK;

	if (len < 2 || args[0] != '{' || args[len - 1] != '}')
		return RK_OK;
	for (const char *p = args + 1; r == RK_OK && *p != '\0' && *p != '}';) {
		size_t n;

		p += strspn(p, ", ");
		n = strcspn(p, ",}");
		r = put_field(b, p, n);
		p += n;
	}
	return r;
}

static enum rk_err
read_fields(const char *url, const char *method, struct buf *b)
{
	size_t len = strlen(method);
	uint8_t *text = NULL;
	struct buf all;
	enum rk_err r;

	buf_init(&all, CACHE_MAX + 1);
	if ((r = read_methods(url, &all)) != RK_OK ||
	    (r = buf_put(&all, "", 1)) != RK_OK ||
	    (r = buf_take(&all, &text, &(size_t){ 0 })) != RK_OK)
		goto out;
	for (char *line = (char *)text; *line != '\0';) {
		char *end = line + strcspn(line, "\n");
		char *next = end + (*end == '\n');

		*end = '\0';
		if (strncmp(line, method, len) == 0 && line[len] == '\t')
			r = put_fields(b, line + len + 1);
		line = next;
	}
out:
	free(text);
	buf_fini(&all);
	return r;
}

static enum rk_err
read_contexts(struct buf *b)
{
	char dir[PATH_LEN];
	struct dirent *e;
	enum rk_err r;
	DIR *d;

	if ((r = path_user(PATH_CONFIG, "contexts", dir)) != RK_OK)
		return r;
	d = opendir(dir);
	while (r == RK_OK && d != NULL && (e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len > 5 && e->d_name[0] != '.' &&
		    strcmp(e->d_name + len - 5, ".conf") == 0)
			r = buf_printf(b, "%.*s\n", (int)len - 5, e->d_name);
	}
	if (d != NULL)
		(void)closedir(d);
	return r;
}

const char *const *
cache_for(const char *url, enum complete kind, const char *method)
{
	static struct words words;
	struct buf b;
	uint8_t *text;
	size_t len;
	enum rk_err r;

	free(words.text);
	words = (struct words){ 0 };
	buf_init(&b, CACHE_MAX);
	if (kind == COMPLETE_NONE)
		r = read_fields(url, method, &b);
	else
		r = kind == COMPLETE_METHOD ? read_methods(url, &b)
		                            : read_contexts(&b);
	if (r == RK_OK)
		r = buf_put(&b, "", 1);
	if (r == RK_OK && buf_take(&b, &text, &len) == RK_OK)
		split(&words, (char *)text);
	buf_fini(&b);
	return words.list;
}

const char *const *
cache_words(enum complete kind, const char *prefix)
{
	(void)prefix; /* the caller chooses */
	return cache_for(NULL, kind, NULL);
}
