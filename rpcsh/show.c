/* Replies for people, pipes and files. */
#include "show.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/json.h"
#include "cli/pager.h"
#include "cli/spell.h"
#include "show_table.h"

#include <rpckit/value.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum show_form
show_form_of(const char *name)
{
	static const struct {
		const char *name;
		enum show_form form;
	} forms[] = {
		{ "json", SHOW_JSON },
		{ "ndjson", SHOW_NDJSON },
		{ "pretty", SHOW_PRETTY },
		{ "raw", SHOW_RAW },
		{ "hex", SHOW_HEX },
		{ "msgpack", SHOW_MSGPACK },
		{ "table", SHOW_TABLE },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (name != NULL && strcmp(name, forms[i].name) == 0)
			return forms[i].form;
	}
	return SHOW_AUTO;
}

/* ---- to a file ---- */

/* Devices and pipes are written to, not replaced. */
static enum rk_err
write_through(
    const char *path, const void *data, size_t len, struct rk_error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	enum rk_err r = RK_OK;

	if (fd < 0)
		return fs_fail(err, errno, path);
	if (fs_write_all(fd, data, len) != RK_OK)
		r = fs_fail(err, errno, path);
	if (close(fd) != 0 && errno != EINTR && r == RK_OK)
		r = fs_fail(err, errno, path);
	return r;
}

/* A file is there whole or not at all; a link to one stays a link. */
static enum rk_err
write_file(const char *path, const void *data, size_t len, struct rk_error *err)
{
	struct stat st;
	char *real = NULL;
	mode_t mask;
	enum rk_err r;

	if (stat(path, &st) == 0) {
		if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			return write_through(path, data, len, err);
		real = realpath(path, NULL);
	}
	mask = umask(0);
	(void)umask(mask);
	r = fs_write_file(
	    real == NULL ? path : real, data, len, 0666 & ~mask, true, err);
	free(real);
	return r;
}

static int
tell_written(const struct show *s, size_t len)
{
	char shown[256];
	struct buf b;
	enum rk_err r;
	int status = 0;

	if (s->out->form != OUT_JSON) {
		out_note(s->out, "wrote %s (%zu bytes)",
		    str_escape(shown, sizeof(shown), s->file), len);
		return 0;
	}
	buf_init(&b, 1u << 20);
	if ((r = buf_put_str(&b, "{\"schema\":1,\"file\":")) == RK_OK &&
	    (r = out_json_string(&b, s->file, strlen(s->file))) == RK_OK)
		r = buf_printf(&b, ",\"bytes\":%zu}\n", len);
	if (r == RK_OK)
		out_bytes(s->out, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(s->out, r, rk_err_text(r), NULL);
	buf_fini(&b);
	return status;
}

static int
to_file(const struct show *s, const void *data, size_t len)
{
	struct rk_error err = { 0 };

	if (strcmp(s->file, "-") == 0) {
		out_bytes(s->out, data, len);
		return 0;
	}
	if (write_file(s->file, data, len, &err) != RK_OK)
		return out_error(s->out, &err, NULL);
	return tell_written(s, len);
}

static int
deliver(const struct show *s, const void *data, size_t len)
{
	if (s->file != NULL)
		return to_file(s, data, len);
	pager_bytes(s->out, data, len);
	return 0;
}

/* ---- bytes ---- */

/* Nothing a terminal would take for anything but text? */
static bool
is_harmless(const char *text, size_t len)
{
	char shown[16];
	uint32_t cp;
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = str_utf8(text, len, &cp);
		if (n == 0 || (n > 1 && spell_needed()))
			return false;
		if (strchr("\n\t\\", text[0]) != NULL && text[0] != '\0')
			continue;
		(void)rk_escape(shown, sizeof(shown), text, n);
		if (strlen(shown) != n || memcmp(shown, text, n) != 0)
			return false;
	}
	return true;
}

static int
raw_bytes(const struct show *s, const void *data, size_t len)
{
	struct buf b;
	enum rk_err r;

	if (s->file == NULL && isatty(STDOUT_FILENO) == 1 &&
	    !is_harmless(data, len))
		return out_fail(s->out, RK_EINVAL,
		    "the reply is not plain text and standard output is a "
		    "terminal",
		    "-o hex, or --out FILE");
	if (s->file != NULL || len == 0 || isatty(STDOUT_FILENO) != 1 ||
	    ((const char *)data)[len - 1] == '\n')
		return deliver(s, data, len);
	/* What follows on the terminal is not to stand behind it. */
	buf_init(&b, len + 1);
	r = buf_put(&b, data, len);
	if (r == RK_OK)
		r = buf_put_str(&b, "\n");
	if (r == RK_OK)
		pager_bytes(s->out, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r == RK_OK ? 0 : out_fail(s->out, r, rk_err_text(r), NULL);
}

static int
hex_bytes(const struct show *s, const uint8_t *data, size_t len)
{
	char *text = malloc(2 * len + 2);
	int status;

	if (text == NULL)
		return out_fail(s->out, RK_ENOMEM, "out of memory", NULL);
	str_hex(text, data, len);
	text[2 * len] = '\n';
	status = deliver(s, text, 2 * len + 1);
	free(text);
	return status;
}

enum rk_err
show_put_text(struct buf *b, const char *text, size_t len)
{
	const char *end = text + len;
	const size_t from = buf_len(b);
	char shown[16];
	uint32_t cp;
	enum rk_err r = RK_OK;

	while (text < end && r == RK_OK) {
		size_t n = str_utf8(text, (size_t)(end - text), &cp);

		n = n == 0 ? 1 : n;
		if (memchr("\n\t\\", *text, 3) != NULL)
			r = buf_put(b, text, 1);
		else
			r = buf_put_str(
			    b, rk_escape(shown, sizeof(shown), text, n));
		text += n;
	}
	return r == RK_OK && spell_needed() ? spell_out(b, from) : r;
}

/*
 * Text that is no msgpack: as it is into a pipe; on a terminal with what could
 * harm it escaped.
 */
static int
plain_text(const struct show *s, const char *text, size_t len)
{
	struct buf b;
	enum rk_err r;
	int status = 0;

	if (isatty(STDOUT_FILENO) != 1) {
		out_bytes(s->out, text, len);
		return 0;
	}
	buf_init(&b, SIZE_MAX / 2);
	r = show_put_text(&b, text, len);
	if (r == RK_OK && len > 0 && text[len - 1] != '\n')
		r = buf_put_str(&b, "\n");
	if (r == RK_OK)
		pager_bytes(s->out, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(s->out, r, rk_err_text(r), NULL);
	buf_fini(&b);
	return status;
}

/* ---- values ---- */

/* For a terminal people look at, and nothing else. */
static struct json_write
how_to_write(const struct show *s)
{
	bool tty = s->file == NULL && isatty(STDOUT_FILENO) == 1;
	bool people = s->form == SHOW_PRETTY || (s->form == SHOW_AUTO && tty);

	if (s->out->form == OUT_JSON && s->file == NULL)
		return (struct json_write){ .style = JSON_COMPACT,
			.int_strings = s->int_strings };
	return (struct json_write){
		.style = people ? JSON_PRETTY : JSON_COMPACT,
		.int_strings = s->int_strings,
		.shorten = tty && people,
		.color = s->file == NULL && s->form != SHOW_JSON &&
		         s->form != SHOW_NDJSON && s->out->color_out,
	};
}

static enum rk_err
put_json(const struct show *s, const struct rk_value *v, struct buf *b)
{
	struct json_write how = how_to_write(s);
	const size_t from = buf_len(b);
	enum rk_err r = json_write(b, v, &how);

	return r == RK_OK && how.shorten && spell_needed() ? spell_out(b, from)
	                                                   : r;
}

static int
write_json(const struct show *s, const struct rk_value *v)
{
	bool wrapped = s->out->form == OUT_JSON && s->file == NULL;
	struct buf b;
	enum rk_err r = RK_OK;
	int status;

	buf_init(&b, SIZE_MAX / 2);
	if (wrapped)
		r = buf_put_str(&b, "{\"schema\":1,\"reply\":");
	if (r == RK_OK)
		r = put_json(s, v, &b);
	if (r == RK_OK)
		r = buf_put_str(&b, wrapped ? "}\n" : "\n");
	if (r == RK_OK)
		status = deliver(s, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(s->out, r, "the reply cannot be shown",
		    "-o hex, or --out FILE");
	buf_fini(&b);
	return status;
}

static int
write_ndjson(const struct show *s, const struct rk_value *v)
{
	size_t n = v->kind == RK_ARRAY ? v->u.list.count : 1;
	enum rk_err r = RK_OK;
	struct buf b;
	int status;

	buf_init(&b, SIZE_MAX / 2);
	for (size_t i = 0; r == RK_OK && i < n; i++) {
		r = put_json(
		    s, v->kind == RK_ARRAY ? &v->u.list.items[i] : v, &b);
		if (r == RK_OK)
			r = buf_put_str(&b, "\n");
	}
	if (r == RK_OK)
		status = deliver(s, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(s->out, r, "the reply cannot be shown",
		    "-o hex, or --out FILE");
	buf_fini(&b);
	return status;
}

/* The content of a reply: itself if it is text or binary, or the only binary
 * member of a map. */
static const struct rk_value *
only_bytes(const struct rk_value *v)
{
	const struct rk_value *found = NULL;

	if (v->kind == RK_BIN || v->kind == RK_STR)
		return v;
	if (v->kind != RK_MAP)
		return NULL;
	for (size_t i = 0; i < v->u.list.count; i++) {
		const struct rk_value *m = &v->u.list.items[2 * i + 1];

		if (m->kind != RK_BIN)
			continue;
		if (found != NULL)
			return NULL;
		found = m;
	}
	return found;
}

static int
canonical(const struct show *s, const struct rk_value *v)
{
	uint8_t *data;
	size_t len;
	enum rk_err r;
	int status;

	r = rk_value_encode(v, &data, &len);
	if (r != RK_OK)
		return out_fail(s->out, r, "the reply cannot be encoded", NULL);
	status = raw_bytes(s, data, len);
	free(data);
	return status;
}

static int
show_value(
    const struct show *s, const struct rk_value *v, struct rk_bytes payload)
{
	const struct rk_value *bytes = only_bytes(v);

	if (s->form == SHOW_MSGPACK)
		return canonical(s, v);
	if (s->form == SHOW_TABLE)
		return show_table(s->out, v);
	if (s->form == SHOW_NDJSON)
		return write_ndjson(s, v);
	if (s->form != SHOW_AUTO)
		return write_json(s, v);
	if (s->file != NULL) {
		if (bytes != NULL)
			payload = bytes->u.bytes;
		return to_file(s, payload.ptr, payload.len);
	}
	/* Nobody wants to read the lines of a text between quotes. */
	if (v->kind == RK_STR && s->out->form != OUT_JSON &&
	    isatty(STDOUT_FILENO) == 1)
		return plain_text(
		    s, (const char *)v->u.bytes.ptr, v->u.bytes.len);
	return write_json(s, v);
}

/* Bytes that are no msgpack, as the JSON forms show them. */
static struct rk_value
as_value(struct rk_bytes payload)
{
	struct rk_value v = { .kind = RK_BIN };

	v.u.bytes = payload;
	if (payload.len == 0)
		v.kind = RK_NIL;
	else if (str_is_utf8((const char *)payload.ptr, payload.len))
		v.kind = RK_STR;
	return v;
}

/*
 * NULL: to be taken as bytes.  Raw requests get raw replies, unless a form was
 * asked for that only values have.
 */
static struct rk_value_doc *
decode(const struct show *s, struct rk_bytes payload)
{
	struct rk_value_doc *doc;

	if (payload.len == 0 || (s->raw && s->form == SHOW_AUTO))
		return NULL;
	if (rk_value_decode(payload.ptr, payload.len, &doc) != RK_OK)
		return NULL;
	return doc;
}

enum rk_err
show_put_json(const struct show *s, struct rk_bytes payload, struct buf *b)
{
	struct rk_value_doc *doc = decode(s, payload);
	struct rk_value bytes = as_value(payload);
	enum rk_err r;

	r = put_json(s, doc == NULL ? &bytes : rk_value_root(doc), b);
	rk_value_free(doc);
	return r;
}

/* What was not, or is not to be, decoded. */
static int
show_bytes(const struct show *s, struct rk_bytes p)
{
	struct rk_value v = as_value(p);
	bool json = s->form == SHOW_JSON || s->form == SHOW_PRETTY ||
	            (s->out->form == OUT_JSON && s->file == NULL);

	if (json)
		return write_json(s, &v);
	if (s->form == SHOW_TABLE)
		return show_table(s->out, &v);
	if (s->form == SHOW_NDJSON)
		return write_ndjson(s, &v);
	if (s->form == SHOW_MSGPACK && p.len != 0)
		return out_fail(s->out, RK_EFORMAT, "the reply is not msgpack",
		    "-o raw, or -o hex");
	if (s->file != NULL || v.kind == RK_BIN)
		return raw_bytes(s, p.ptr, p.len);
	return plain_text(s, (const char *)p.ptr, p.len);
}

int
show_reply(const struct show *s, struct rk_bytes payload)
{
	struct rk_value_doc *doc;
	int status;

	if (s->form == SHOW_HEX)
		return hex_bytes(s, payload.ptr, payload.len);
	if (s->form == SHOW_RAW)
		return raw_bytes(s, payload.ptr, payload.len);
	doc = decode(s, payload);
	if (doc != NULL)
		status = show_value(s, rk_value_root(doc), payload);
	else
		status = show_bytes(s, payload);
	rk_value_free(doc);
	return status;
}

const char *
show_member(const struct rk_value *map, const char *key, char *dst, size_t len)
{
	const struct rk_value *v = rk_value_get(map, key);

	dst[0] = '\0';
	if (v != NULL && v->kind == RK_STR)
		(void)rk_escape(
		    dst, len, (const char *)v->u.bytes.ptr, v->u.bytes.len);
	return dst;
}
