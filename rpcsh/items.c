/* Words of a command line to an argument: k=v, k:=JSON, k@FILE, a.b[0]=v. */
#include "items.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/json.h"
#include "cli/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_MAX 65535 /* of an array written on a command line */
#define SHOWN 128       /* of an item in a message */

enum item_op {
	OP_TEXT,      /* k=v */
	OP_JSON,      /* k:=JSON */
	OP_FILE,      /* k@FILE: binary */
	OP_TEXT_FILE, /* k=@FILE */
	OP_JSON_FILE, /* k:=@FILE */
	OP_ASK        /* k=? */
};

/* Longest first: the first that fits at the place is the one. */
static const struct {
	const char *sign;
	enum item_op op;
} signs[] = {
	{ ":=@", OP_JSON_FILE },
	{ ":=", OP_JSON },
	{ "=@", OP_TEXT_FILE },
	{ "=", OP_TEXT },
	{ "@", OP_FILE },
};

enum rk_err
items_init(struct items *in, struct rk_error *err)
{
	enum rk_err r;

	*in = (struct items){ 0 };
	r = rk_value_new(&in->doc);
	return r == RK_OK ? r : err_set(err, r, "argument: out of memory");
}

void
items_fini(struct items *in)
{
	rk_value_free(in->doc);
	in->doc = NULL;
}

/* ---- reading ---- */

static enum rk_err
read_stdin(struct items *in, struct buf *b, struct rk_error *err)
{
	if (in->stdin_used)
		return err_set(
		    err, RK_EINVAL, "standard input can be read once only");
	in->stdin_used = true;
	return fs_read_fd(STDIN_FILENO, ITEMS_FILE_MAX, b, err);
}

/* Pipes have names too: "@<(command)" of a shell, /dev/stdin. */
static enum rk_err
read_file(const char *path, struct buf *b, struct rk_error *err)
{
	struct stat st;
	enum rk_err r;
	int fd;

	if (stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return fs_read(path, FS_ANY, ITEMS_FILE_MAX, b, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fs_fail(err, errno, path);
	r = fs_read_fd(fd, ITEMS_FILE_MAX, b, err);
	(void)close(fd); /* nothing was written */
	return r;
}

enum rk_err
items_read(struct items *in, const char *spec, uint8_t **data, size_t *len,
    struct rk_error *err)
{
	struct buf b;
	enum rk_err r;

	*data = NULL;
	*len = 0;
	err_clear(err);
	buf_init(&b, ITEMS_FILE_MAX);
	if (strcmp(spec, "-") == 0 || strcmp(spec, "@-") == 0)
		r = read_stdin(in, &b, err);
	else if (spec[0] == '@')
		r = read_file(spec + 1, &b, err);
	else
		r = buf_put_str(&b, spec);
	if (r == RK_OK)
		r = buf_take(&b, data, len);
	buf_fini(&b);
	if (r != RK_OK && err->code == RK_OK)
		return err_set(err, r, "argument: %s", rk_err_text(r));
	return r;
}

/* An argument that is no JSON is wrong use of the command line. */
static enum rk_err
wrong_use(enum rk_err r, struct rk_error *err)
{
	if (r != RK_EFORMAT)
		return r;
	err->code = RK_EINVAL;
	return RK_EINVAL;
}

/* How messages name the source of a text. */
static const char *
source_name(const char *spec, const char *otherwise)
{
	if (strcmp(spec, "-") == 0 || strcmp(spec, "@-") == 0)
		return "standard input";
	return spec[0] == '@' ? spec + 1 : otherwise;
}

enum rk_err
items_set(struct items *in, const char *spec, struct rk_error *err)
{
	uint8_t *text;
	size_t len;
	enum rk_err r;

	if ((r = items_read(in, spec, &text, &len, err)) != RK_OK)
		return r;
	r = json_parse_into(source_name(spec, "-d"), (const char *)text, len,
	    in->doc, rk_value_root(in->doc), err);
	free(text);
	return wrong_use(r, err);
}

enum rk_err
items_encode(
    struct items *in, uint8_t **data, size_t *len, struct rk_error *err)
{
	enum rk_err r = rk_value_encode(rk_value_root(in->doc), data, len);

	if (r == RK_ETOOBIG)
		return err_set(err, r,
		    "argument: nested deeper than %d, or too many bytes for "
		    "one call",
		    RK_VALUE_DEPTH_MAX);
	if (r != RK_OK)
		return err_set(err, r, "argument: %s", rk_err_text(r));
	return r;
}

/* ---- the tree ---- */

/* Elements more in a container; *first is the first of them, all are nil. */
static enum rk_err
grow(struct items *in, struct rk_value *v, uint32_t more,
    struct rk_value **first)
{
	struct rk_value old = *v;
	uint32_t per = v->kind == RK_MAP ? 2 : 1;
	uint32_t n = old.u.list.count;
	uint32_t cap = 2 * (n + more);
	enum rk_err r;

	if (n == 0 || old.u.list.items != in->roomy || n + more > in->room) {
		r = rk_value_set_list(in->doc, v, old.kind, cap);
		if (r != RK_OK)
			return r;
		if (n != 0)
			memcpy(v->u.list.items, old.u.list.items,
			    (size_t)n * per * sizeof(*old.u.list.items));
		in->roomy = v->u.list.items;
		in->room = cap;
	}
	v->u.list.count = n + more;
	*first = &v->u.list.items[(size_t)n * per];
	return RK_OK;
}

static enum rk_err
become(struct items *in, struct rk_value *v, enum rk_kind kind)
{
	if (v->kind == kind)
		return RK_OK;
	if (v->kind != RK_NIL)
		return RK_EINVAL;
	return rk_value_set_list(in->doc, v, kind, 0);
}

static enum rk_err
member(struct items *in, struct rk_value *v, const char *key,
    struct rk_value **out)
{
	struct rk_value *items;
	size_t len = strlen(key);
	enum rk_err r;

	if ((r = become(in, v, RK_MAP)) != RK_OK)
		return r;
	items = v->u.list.items;
	for (size_t i = 0; i < v->u.list.count; i++) {
		const struct rk_value *k = &items[2 * i];

		if (k->kind == RK_STR && k->u.bytes.len == len &&
		    memcmp(k->u.bytes.ptr, key, len) == 0) {
			*out = &items[2 * i + 1];
			return RK_OK;
		}
	}
	if ((r = grow(in, v, 1, &items)) != RK_OK ||
	    (r = rk_value_set_bytes(in->doc, items, RK_STR, key, len)) != RK_OK)
		return r;
	*out = items + 1;
	return RK_OK;
}

/* index SIZE_MAX: append. */
static enum rk_err
element(
    struct items *in, struct rk_value *v, size_t index, struct rk_value **out)
{
	enum rk_err r;

	if ((r = become(in, v, RK_ARRAY)) != RK_OK)
		return r;
	if (index == SIZE_MAX)
		return grow(in, v, 1, out);
	if (index >= v->u.list.count) {
		r = grow(in, v, (uint32_t)index + 1 - v->u.list.count, out);
		if (r != RK_OK)
			return r;
	}
	*out = &v->u.list.items[index];
	return RK_OK;
}

/* ---- the path ---- */

/* "[7]" or "[]" at p; *after is behind it. */
static bool
read_index(const char *p, size_t *index, const char **after)
{
	char digits[8];
	size_t n = strcspn(p + 1, "]");
	uint64_t v;

	if (p[1 + n] != ']' || n >= sizeof(digits))
		return false;
	*after = p + n + 2;
	*index = SIZE_MAX;
	if (n == 0)
		return true;
	memcpy(digits, p + 1, n);
	digits[n] = '\0';
	if (str_parse_u64(digits, 0, INDEX_MAX, &v) != RK_OK)
		return false;
	*index = (size_t)v;
	return true;
}

/* A name up to '.', '[' or the end, with backslashes taken off. */
static const char *
read_name(const char *p, const char *end, char *name)
{
	while (p < end && *p != '.' && *p != '[') {
		if (*p == '\\' && p + 1 < end)
			p++;
		*name++ = *p++;
	}
	*name = '\0';
	return p;
}

/* One step of the path at *p, from v to *out. */
static enum rk_err
walk(struct items *in, struct rk_value *v, const char **p, const char *end,
    char *scratch, struct rk_value **out)
{
	size_t index;

	if (**p == '[') {
		if (!read_index(*p, &index, p) || *p > end)
			return RK_EFORMAT;
		return element(in, v, index, out);
	}
	if (**p != '.')
		return RK_EFORMAT;
	*p = read_name(*p + 1, end, scratch);
	return scratch[0] == '\0' ? RK_EFORMAT : member(in, v, scratch, out);
}

/* Walk (and make) the way to the place; scratch holds the longest name.
 * RK_EFORMAT: no place is written so; RK_EINVAL: something else is there. */
static enum rk_err
find_place(struct items *in, const char *path, const char *end, char *scratch,
    struct rk_value **out)
{
	struct rk_value *v = rk_value_root(in->doc);
	const char *p = read_name(path, end, scratch);
	enum rk_err r;

	if (scratch[0] == '\0')
		return RK_EFORMAT;
	r = member(in, v, scratch, &v);
	while (r == RK_OK && p < end)
		r = walk(in, v, &p, end, scratch, &v);
	*out = v;
	return r;
}

/* ---- the value ---- */

static enum rk_err
put_text(struct items *in, struct rk_value *v, const char *text, size_t len,
    struct rk_error *err)
{
	if (!str_is_utf8(text, len))
		return err_set(
		    err, RK_EINVAL, "not UTF-8 text; k@FILE carries any bytes");
	return rk_value_set_bytes(in->doc, v, RK_STR, text, len);
}

static enum rk_err
put_asked(struct items *in, struct rk_value *v, const char *name,
    struct rk_error *err)
{
	char prompt[SHOWN + 8], shown[SHOWN], answer[1024];
	enum rk_err r;

	if (in->dry)
		return put_text(in, v, "?", 1, err);
	if (in->no_input)
		return err_set(
		    err, RK_ENOPASS, "not allowed to ask (--no-input)");
	(void)snprintf(prompt, sizeof(prompt),
	    "%s: ", str_escape(shown, sizeof(shown), name));
	r = pass_ask(prompt, false, answer, sizeof(answer), err);
	if (r == RK_OK)
		r = put_text(in, v, answer, strlen(answer), err);
	rk_wipe(answer, sizeof(answer));
	return r;
}

static enum rk_err
put_file(struct items *in, struct rk_value *v, enum item_op op,
    const char *file, struct rk_error *err)
{
	size_t len = strlen(file) + 2;
	char *spec = malloc(len);
	uint8_t *data = NULL;
	enum rk_err r = RK_ENOMEM;

	if (spec == NULL)
		return r;
	(void)snprintf(spec, len, "@%s", file);
	if ((r = items_read(in, spec, &data, &len, err)) != RK_OK)
		goto out;
	if (op == OP_JSON_FILE)
		r = json_parse_into(source_name(spec, file), (const char *)data,
		    len, in->doc, v, err);
	else if (op == OP_TEXT_FILE)
		r = put_text(in, v, (const char *)data, len, err);
	else
		r = rk_value_set_bytes(in->doc, v, RK_BIN, data, len);
out:
	free(data);
	free(spec);
	return r;
}

static enum rk_err
put_value(struct items *in, struct rk_value *v, enum item_op op,
    const char *name, const char *text, struct rk_error *err)
{
	switch (op) {
	case OP_TEXT:
		return put_text(in, v, text, strlen(text), err);
	case OP_JSON:
		return json_parse_into(
		    name, text, strlen(text), in->doc, v, err);
	case OP_FILE:
	case OP_TEXT_FILE:
	case OP_JSON_FILE:
		return put_file(in, v, op, text, err);
	case OP_ASK:
		return put_asked(in, v, name, err);
	}
	return RK_EINVAL;
}

/* Where the sign begins, and which it is; NULL: none. */
static const char *
find_sign(const char *item, enum item_op *op, const char **value)
{
	for (const char *p = item; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0') {
			p++;
			continue;
		}
		for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
			size_t n = strlen(signs[i].sign);

			if (strncmp(p, signs[i].sign, n) != 0)
				continue;
			*op = signs[i].op;
			*value = p + n;
			if (*op == OP_TEXT && strcmp(*value, "?") == 0)
				*op = OP_ASK;
			return p;
		}
	}
	return NULL;
}

/* The item stands before its error, unless a file is named there. */
static enum rk_err
explain(enum rk_err r, const char *shown, enum item_op op, struct rk_error *err)
{
	struct rk_error why = *err;
	bool named =
	    why.code != RK_OK && (op == OP_JSON || op == OP_JSON_FILE ||
	                             why.sys != 0 || r == RK_ENOENT);

	if (r == RK_OK || named)
		return wrong_use(r, err);
	return err_set(err, r, "item \"%s\": %s", shown,
	    why.code == RK_OK ? rk_err_text(r) : why.text);
}

enum rk_err
items_put(struct items *in, const char *item, struct rk_error *err)
{
	char shown[SHOWN];
	enum item_op op = OP_TEXT;
	const char *value = NULL;
	const char *end = find_sign(item, &op, &value);
	size_t len = strlen(item) + 1;
	struct rk_value *v = NULL;
	char *scratch;
	enum rk_err r;

	err_clear(err);
	(void)str_escape(shown, sizeof(shown), item);
	if (end == NULL || end == item)
		return err_set(err, RK_EINVAL,
		    "item \"%s\": not of the form k=v, k:=JSON or k@FILE",
		    shown);
	scratch = malloc(len);
	if (scratch == NULL)
		return err_set(err, RK_ENOMEM, "item: out of memory");
	r = find_place(in, item, end, scratch, &v);
	if (r == RK_EFORMAT) {
		r = err_set(err, RK_EINVAL,
		    "item \"%s\": a place is written a, a.b, a[0] to a[%d], or "
		    "a[]",
		    shown, INDEX_MAX);
	} else if (r == RK_EINVAL) {
		r = err_set(err, r,
		    "item \"%s\": the place does not fit what is there", shown);
	} else if (r == RK_OK) {
		*v = (struct rk_value){ .kind = RK_NIL };
		(void)snprintf(scratch, len, "%.*s", (int)(end - item), item);
		r = put_value(in, v, op, scratch, value, err);
		r = explain(r, shown, op, err);
	} else {
		r = explain(r, shown, op, err);
	}
	free(scratch);
	return r;
}
