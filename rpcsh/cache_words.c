/* Words to complete from what is remembered: methods, their fields, contexts.
 */
#include "cache.h"

#include "base/buf.h"
#include "base/str.h"
#include "cli/agent_words.h"
#include "show.h"

#include <rpckit/message.h>
#include <rpckit/servers.h>
#include <rpckit/signer.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- methods ---- */

static enum rk_err
put_methods(struct buf *b, const struct cached *c)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; r == RK_OK && i < c->methods->u.list.count; i++) {
		const struct rk_value *n =
		    rk_value_get(&c->methods->u.list.items[i], "name");
		char name[RK_NAME_MAX + 1];

		if (n == NULL || n->kind != RK_STR || n->u.bytes.len == 0)
			continue;
		r = buf_printf(b, "%s\n",
		    rk_escape(name, sizeof(name), (const char *)n->u.bytes.ptr,
		        n->u.bytes.len));
	}
	return r;
}

/* ---- fields ---- */

static bool
begins(const char *type, size_t len, const char *word)
{
	size_t n = strlen(word);

	return n <= len && memcmp(type, word, n) == 0;
}

/* The sign between a field's name and its value, as its type wants it. */
static const char *
sign_of(const char *type, size_t len)
{
	if (len == 0 || begins(type, len, "str") || begins(type, len, "text"))
		return "=";
	if (begins(type, len, "bin") || begins(type, len, "bytes"))
		return "@";
	return ":=";
}

static enum rk_err
put_field(struct buf *b, const char *name, size_t len, const char *type,
    size_t type_len)
{
	char shown[128];

	/* What a terminal or an item would take for something else. */
	if (len == 0 || memchr(name, '\0', len) != NULL)
		return RK_OK;
	(void)rk_escape(shown, sizeof(shown), name, len);
	if (strpbrk(shown, "\\=:@.[] ") != NULL)
		return RK_OK;
	return buf_printf(b, "%s%s\n", shown, sign_of(type, type_len));
}

/* "name" or "name:type" */
static enum rk_err
put_text(struct buf *b, const char *field, size_t len)
{
	const char *colon = memchr(field, ':', len);
	size_t name = colon == NULL ? len : (size_t)(colon - field);
	size_t at = colon == NULL ? len : name + 1;

	while (at < len && field[at] == ' ')
		at++;
	return put_field(b, field, name, field + at, len - at);
}

/* The fields of "{a:int, b}". */
static enum rk_err
put_texts(struct buf *b, const char *args)
{
	size_t len = strlen(args);
	enum rk_err r = RK_OK;

	if (len < 2 || args[0] != '{' || args[len - 1] != '}')
		return RK_OK;
	for (const char *p = args + 1; r == RK_OK && *p != '\0' && *p != '}';) {
		size_t n;

		p += strspn(p, ", ");
		n = strcspn(p, ",}");
		r = put_text(b, p, n);
		p += n;
	}
	return r;
}

/* The fields of the argument's record in a schema. */
static enum rk_err
put_rows(struct buf *b, const struct rk_value *rows)
{
	char name[128], type[128];
	enum rk_err r = RK_OK;

	for (size_t i = 0; r == RK_OK && i < rows->u.list.count; i++) {
		const struct rk_value *row = &rows->u.list.items[i];

		(void)show_member(row, "name", name, sizeof(name));
		(void)show_member(row, "type", type, sizeof(type));
		r = put_field(b, name, strlen(name),
		    type[0] == '\0' ? "?" : type,
		    type[0] == '\0' ? 1 : strlen(type));
	}
	return r;
}

static enum rk_err
put_fields(struct buf *b, const struct cached *c, const char *method)
{
	const struct rk_value *m = cache_find(c, method);
	const struct rk_value *schema = rk_value_get(m, "schema"), *rows;
	char args[1024];

	(void)show_member(schema, "args", args, sizeof(args));
	rows = rk_value_get(rk_value_get(schema, "types"), args);
	if (rows != NULL && rows->kind == RK_ARRAY)
		return put_rows(b, rows);
	return put_texts(b, show_member(m, "args", args, sizeof(args)));
}

/* ---- folders ---- */

static enum rk_err
put_contexts(struct buf *b)
{
	char dir[PATH_LEN];
	enum rk_err r = path_user(PATH_CONFIG, "contexts", dir);

	return r == RK_OK ? words_put_stems(b, dir, ".conf") : r;
}

/* Files behind "a@", "a=@", "a:=@". */
static enum rk_err
put_files(struct buf *b, const char *prefix, const char *at)
{
	const char *slash = strrchr(at, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - at) + 1;
	char dir[PATH_LEN], path[2 * PATH_LEN];
	enum rk_err r = RK_OK;
	struct dirent *e;
	DIR *d;

	if (len >= sizeof(dir))
		return RK_OK;
	memcpy(dir, at, len);
	dir[len] = '\0';
	d = opendir(len == 0 ? "." : dir);
	while (r == RK_OK && d != NULL && (e = readdir(d)) != NULL) {
		struct stat st;

		if ((e->d_name[0] == '.' && at[len] != '.') ||
		    strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    strchr(e->d_name, '\n') != NULL)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", dir, e->d_name);
		r = buf_printf(b, "%.*s%s%s\n", (int)(at - prefix), prefix,
		    path,
		    stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? "/" : "");
	}
	if (d != NULL)
		(void)closedir(d);
	return r;
}

/* ---- known servers ---- */

static enum rk_err
put_server(const struct rk_known_server *line, void *arg)
{
	enum rk_err r = RK_OK;

	for (const char *p = line->at; r == RK_OK && *p != '\0';) {
		size_t n = strcspn(p, ",");

		if (n > 0)
			r = buf_printf(arg, "%.*s\n", (int)n, p);
		p += n + (p[n] == ',');
	}
	return r;
}

/* ---- settings ---- */

/* "a|b" as "key=a" and "key=b"; other values nobody can know. */
static enum rk_err
put_values(struct buf *b, const char *name, const char *words)
{
	enum rk_err r = RK_OK;

	while (r == RK_OK && strchr(words, '|') != NULL) {
		size_t n = strcspn(words, "|");

		r = buf_printf(b, "%s=%.*s\n", name, (int)n, words);
		words += n + 1;
	}
	return r == RK_OK && strpbrk(words, " |") == NULL
	           ? buf_printf(b, "%s=%s\n", name, words)
	           : r;
}

static enum rk_err
put_settings(struct buf *b, const struct cache_place *at, const char *prefix)
{
	enum rk_err r = RK_OK;

	if (at->method == NULL || strcmp(at->method, "add") != 0)
		return put_contexts(b);
	for (unsigned i = 0; at->nth > 1 && r == RK_OK && i < SET_COUNT; i++) {
		const char *name = setting_name((enum setting_id)i);
		size_t len = strlen(name);

		if (strchr(prefix, '=') == NULL)
			r = buf_printf(b, "%s=\n", name);
		else if (strncmp(prefix, name, len) == 0 &&
		         prefix[len] == '=' &&
		         strchr(setting_form((enum setting_id)i), '|') != NULL)
			r = put_values(
			    b, name, setting_form((enum setting_id)i));
	}
	return r;
}

/* ---- all of it ---- */

static enum rk_err
put_cached(struct buf *b, const struct cache_place *at, enum complete kind)
{
	struct cached c;
	enum rk_err r;

	if (at->url == NULL || (kind == COMPLETE_ITEM && at->method == NULL))
		return RK_ENOENT;
	if ((r = cache_read(at->url, &c)) != RK_OK)
		return r;
	r = kind == COMPLETE_METHOD ? put_methods(b, &c)
	                            : put_fields(b, &c, at->method);
	cache_free(&c);
	return r;
}

static enum rk_err
put_words(struct buf *b, const struct cache_place *at, enum complete kind,
    const char *prefix)
{
	const char *sign = strchr(prefix, '@');
	enum rk_err r;

	switch (kind) {
	case COMPLETE_CONTEXT:
		return put_contexts(b);
	case COMPLETE_SETTING:
		return put_settings(b, at, prefix);
	case COMPLETE_KEY:
		r = at->certs == NULL ? RK_OK
		                      : words_put_stems(b, at->certs, ".key");
		return r == RK_OK ? agent_words_put(b, RK_KEY_IN_AGENT) : r;
	case COMPLETE_HELD:
		return agent_words_put(b, RK_KEY_IN_AGENT);
	case COMPLETE_SERVER:
		return at->known == NULL ? RK_ENOENT
		                         : rk_servers_each(at->known, NULL,
		                               put_server, b, NULL);
	case COMPLETE_ITEM:
		if (sign != NULL)
			return put_files(b, prefix, sign + 1);
		return put_cached(b, at, kind);
	case COMPLETE_METHOD:
		return put_cached(b, at, kind);
	case COMPLETE_NONE:
	case COMPLETE_PAIR:
	case COMPLETE_FILE:
	case COMPLETE_DIR:
	case COMPLETE_WORDS:
		break;
	}
	return RK_ENOENT;
}

const char *const *
cache_for(const struct cache_place *at, enum complete kind, const char *prefix)
{
	static struct word_list list;
	struct buf b;

	buf_init(&b, WORDS_LEN);
	return word_list_take(&list, &b, put_words(&b, at, kind, prefix));
}

/* As the command line goes on: its server, its method. */
const char *const *
cache_words(const struct args *a, enum complete kind, const char *prefix)
{
	const char *const *operands;
	struct cache_place at = { 0 };
	char url[SETTINGS_URL_LEN];
	struct settings s;
	struct rk_error err;
	size_t n = 0;

	if (settings_load(a, &s, &err) == RK_OK) {
		at.url = settings_url(&s, a, url);
		at.certs = s.v[SET_CERTS].value;
		at.known = s.v[SET_KNOWN].value;
	}
	if (a != NULL) {
		operands = args_operands(a, &n);
		at.method = n > 0 ? operands[0] : NULL;
		at.nth = n;
	}
	return cache_for(&at, kind, prefix);
}
