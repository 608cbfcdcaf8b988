/* Settings shown as a file that can be read back, and compared. */
#include "settings.h"

#include "base/str.h"
#include "cli/out.h"
#include "keys.h"

#include <stdio.h>

const struct origin *
settings_from(const struct settings *s, const char *key)
{
	return &s->from[keys_find(keys_main, key) - keys_main];
}

bool
settings_needs_keys(const char *url)
{
	return strncmp(url, "tls:", 4) == 0 || strncmp(url, "quic:", 5) == 0;
}

/* Is this address one of sessions? */
static bool
is_session(const char *url)
{
	return strncmp(url, "ssh+", 4) == 0 || strncmp(url, "fd:", 3) == 0;
}

bool
settings_have_sessions(const struct settings *s)
{
	for (size_t i = 0; i < s->listen.n; i++) {
		if (is_session(s->listen.items[i].text))
			return true;
	}
	return false;
}

bool
settings_need_tls(const struct settings *s)
{
	for (size_t i = 0; i < s->listen.n; i++) {
		if (settings_needs_keys(s->listen.items[i].text))
			return true;
	}
	/* Certificates are proven inside of pre-shared keys as well. */
	for (size_t i = 0; s->psk.n > 0 && i < s->listen.n; i++) {
		if (!is_session(s->listen.items[i].text))
			return true;
	}
	return false;
}

/* Would the file's reader take it for something else? */
static bool
needs_quotes(const char *text)
{
	size_t len = strlen(text);

	return len == 0 || strchr("\"' \t", text[0]) != NULL ||
	       strchr(" \t", text[len - 1]) != NULL ||
	       strpbrk(text, "#\\\"") != NULL;
}

static enum rk_err
put_quoted(struct buf *b, const char *text)
{
	enum rk_err r = buf_put_str(b, "\"");

	for (; r == RK_OK && *text != '\0'; text++) {
		if (strchr("\"\\$`", *text) != NULL)
			r = buf_put_str(b, "\\");
		if (r == RK_OK)
			r = buf_put(b, text, 1);
	}
	return r == RK_OK ? buf_put_str(b, "\"") : r;
}

/* Which setting: a key, of a section with a name or of the daemon itself. */
struct place {
	const struct key *key;
	const char *kind; /* "method", "files" */
	const char *name; /* of the section; NULL: none */
};

static enum rk_err
put_line(struct buf *b, const struct place *p, const char *value)
{
	const char *name = p->key->name;
	bool bare = p->key->raw || p->key->kind == KEY_COMMAS;
	enum rk_err r;

	if (value == NULL)
		return buf_printf(b, "# %s =\n", name);
	if ((r = buf_printf(b, "%s = ", name)) != RK_OK)
		return r;
	r = bare || !needs_quotes(value) ? buf_put_str(b, value)
	                                 : put_quoted(b, value);
	return r == RK_OK ? buf_put_str(b, "\n") : r;
}

static enum rk_err
put_object(struct buf *b, const struct place *p, const char *value)
{
	enum rk_err r = buf_put_str(b, "{\"schema\":1,");

	if (r == RK_OK && p->name != NULL)
		r = buf_printf(b, "\"%s\":", p->kind);
	if (r == RK_OK && p->name != NULL)
		r = out_json_string(b, p->name, strlen(p->name));
	if (r == RK_OK)
		r = buf_printf(b,
		    "%s\"key\":\"%s\",\"value\":", p->name != NULL ? "," : "",
		    p->key->name);
	if (r == RK_OK)
		r = value == NULL ? buf_put_str(b, "null")
		                  : out_json_string(b, value, strlen(value));
	return r == RK_OK ? buf_put_str(b, "}\n") : r;
}

static enum rk_err
put_keys(struct buf *b, const struct place *where, const void *base, bool json)
{
	struct place p = *where;
	const char *value;
	char tmp[32];
	enum rk_err r = RK_OK;

	for (; p.key->name != NULL && r == RK_OK; p.key++) {
		value = keys_get(p.key, base, 0, tmp);
		for (size_t i = 1; r == RK_OK; i++) {
			r = json ? put_object(b, &p, value)
			         : put_line(b, &p, value);
			value = keys_get(p.key, base, i, tmp);
			if (value == NULL)
				break;
		}
	}
	return r;
}

/* A section with a name. */
static enum rk_err
put_section(
    struct buf *b, const struct place *where, const void *base, bool json)
{
	enum rk_err r = RK_OK;

	if (!json)
		r = buf_printf(b, "\n[%s %s]\n", where->kind, where->name);
	return r == RK_OK ? put_keys(b, where, base, json) : r;
}

enum rk_err
settings_print(const struct settings *s, bool json, struct buf *b)
{
	struct place p = { .key = keys_main };
	enum rk_err r = RK_OK;

	if (!json && s->path != NULL)
		r = buf_printf(b, "# %s and the flags given\n", s->shown);
	if (r == RK_OK)
		r = put_keys(b, &p, s, json);
	for (size_t i = 0; r == RK_OK && i < s->n_methods; i++) {
		p = (struct place){ .key = keys_method,
			.kind = "method",
			.name = s->methods[i].name };
		r = put_section(b, &p, &s->methods[i], json);
	}
	for (size_t i = 0; r == RK_OK && i < s->n_folders; i++) {
		p = (struct place){ .key = keys_files,
			.kind = "files",
			.name = s->folders[i].name };
		r = put_section(b, &p, &s->folders[i], json);
	}
	return r;
}

static bool
is_same(const struct key *k, const struct settings *a, const struct settings *b)
{
	char tmp_a[32], tmp_b[32];
	const char *x, *y;

	for (size_t i = 0;; i++) {
		x = keys_get(k, a, i, tmp_a);
		y = keys_get(k, b, i, tmp_b);
		if (x == NULL || y == NULL)
			return x == y;
		if (strcmp(x, y) != 0)
			return false;
	}
}

const char *
settings_changed(const struct settings *a, const struct settings *b, size_t *i)
{
	while (keys_main[*i].name != NULL) {
		const struct key *k = &keys_main[(*i)++];

		if (k->fixed && !is_same(k, a, b))
			return k->name;
	}
	return NULL;
}
