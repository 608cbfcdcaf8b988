/* Names for completion: the contexts, and the methods a server had. */
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

static enum rk_err
put_names(struct buf *b, const struct rk_value *list)
{
	enum rk_err r = RK_OK;

	if (list->kind != RK_ARRAY)
		return RK_OK;
	for (size_t i = 0; r == RK_OK && i < list->u.list.count; i++) {
		const struct rk_value *n =
		    rk_value_get(&list->u.list.items[i], "name");
		char name[RK_NAME_MAX + 1];

		if (n == NULL || n->kind != RK_STR || n->u.bytes.len == 0 ||
		    n->u.bytes.len > RK_NAME_MAX)
			continue;
		(void)rk_escape(name, sizeof(name),
		    (const char *)n->u.bytes.ptr, n->u.bytes.len);
		r = buf_printf(b, "%s\n", name);
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

/* One word a line. */
static void
split(struct words *w, char *text)
{
	w->text = text;
	while (*text != '\0' && w->n < WORDS_MAX) {
		char *end = text + strcspn(text, "\n");

		w->list[w->n++] = text;
		if (*end == '\0')
			break;
		*end = '\0';
		text = end + 1;
	}
}

static enum rk_err
read_methods(struct buf *b)
{
	struct settings s;
	char url[PATH_LEN + 8], path[PATH_LEN];
	const char *server;
	enum rk_err r;

	if ((r = settings_load(NULL, &s, NULL)) != RK_OK)
		return r;
	server = s.v[SET_SERVER].value;
	(void)snprintf(url, sizeof(url), "%s%s",
	    strstr(server, "://") == NULL ? "tls://" : "", server);
	if ((r = cache_path(url, path)) != RK_OK)
		return r;
	return fs_read(path, FS_NOT_SHARED, CACHE_MAX, b, NULL);
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
cache_words(enum complete kind, const char *prefix)
{
	static struct words words;
	struct buf b;
	uint8_t *text;
	size_t len;
	enum rk_err r;

	(void)prefix; /* the caller chooses */
	free(words.text);
	words = (struct words){ 0 };
	buf_init(&b, CACHE_MAX);
	r = kind == COMPLETE_METHOD ? read_methods(&b) : read_contexts(&b);
	if (r == RK_OK && buf_take(&b, &text, &len) == RK_OK)
		split(&words, (char *)text);
	buf_fini(&b);
	return words.list;
}
