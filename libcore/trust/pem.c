/* PEM text (RFC 7468, and the older form with headers) read and written. */
#include "trust/pem.h"

#include <string.h>

#include "base/str.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"
#define LABEL_MAX 64
#define LINE_BYTES 48 /* 64 digits a line */
#define WHOLE_MAX ((size_t)16 * 1024 * 1024)

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct rk_str
trim(struct rk_str s)
{
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_space(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	return s;
}

/* The line at *at, without its end; false at the end of the text. */
static bool
next_line(const char *text, size_t len, size_t *at, struct rk_str *line)
{
	const char *start = NULL;
	const char *end = NULL;

	if (*at >= len)
		return false;
	start = text + *at;
	end = memchr(start, '\n', len - *at);
	*line = (struct rk_str){ start,
		end != NULL ? (size_t)(end - start) : len - *at };
	*at += line->len + (end != NULL ? 1 : 0);
	while (line->len > 0 && is_space(line->ptr[line->len - 1]))
		line->len--;
	return true;
}

static bool
has_prefix(struct rk_str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && memcmp(s.ptr, prefix, n) == 0;
}

/* The label of a line "-----BEGIN label-----" or "-----END label-----". */
static bool
line_label(struct rk_str line, const char *start, struct rk_str *label)
{
	size_t n = strlen(start);
	size_t dashes = sizeof(DASHES) - 1;

	if (!has_prefix(line, start) || line.len < n + dashes ||
	    memcmp(line.ptr + line.len - dashes, DASHES, dashes) != 0)
		return false;
	*label = (struct rk_str){ line.ptr + n, line.len - n - dashes };
	return label->len <= LABEL_MAX;
}

static bool
same(struct rk_str a, struct rk_str b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

/* Parts what stands between BEGIN and END; a line with a colon starts headers,
 * which an empty line ends. */
static enum rk_err
split(struct rk_str inside, struct pem_block *out)
{
	struct rk_str line;
	size_t at = 0;

	out->body = inside;
	if (!next_line(inside.ptr, inside.len, &at, &line) || line.len == 0 ||
	    memchr(line.ptr, ':', line.len) == NULL)
		return RK_OK;
	while (next_line(inside.ptr, inside.len, &at, &line)) {
		if (line.len > 0)
			continue;
		out->headers = (struct rk_str){ inside.ptr, at };
		out->body = (struct rk_str){ inside.ptr + at, inside.len - at };
		return RK_OK;
	}
	return RK_EFORMAT;
}

enum rk_err
pem_next(const char *text, size_t len, size_t *at, struct pem_block *out)
{
	struct rk_str label;
	struct rk_str line;
	size_t start;
	size_t end;

	*out = (struct pem_block){ 0 };
	do {
		if (!next_line(text, len, at, &line))
			return RK_ENOENT;
	} while (!line_label(line, BEGIN, &out->label));
	start = *at;
	do {
		end = *at;
		if (!next_line(text, len, at, &line))
			return RK_EFORMAT;
	} while (!has_prefix(line, DASHES));
	if (!line_label(line, END, &label) || !same(label, out->label))
		return RK_EFORMAT;
	return split((struct rk_str){ text + start, end - start }, out);
}

bool
pem_header(
    const struct pem_block *block, const char *name, struct rk_str *value)
{
	size_t n = strlen(name);
	unsigned found = 0;
	struct rk_str line;
	size_t at = 0;

	*value = (struct rk_str){ 0 };
	while (next_line(block->headers.ptr, block->headers.len, &at, &line)) {
		if (!has_prefix(line, name) || line.len <= n ||
		    line.ptr[n] != ':')
			continue;
		found++;
		*value =
		    trim((struct rk_str){ line.ptr + n + 1, line.len - n - 1 });
	}
	return found == 1;
}

bool
pem_is(const struct pem_block *block, const char *label)
{
	return same(block->label, (struct rk_str){ label, strlen(label) });
}

enum rk_err
pem_decode(const struct pem_block *block, struct rk_secret **out)
{
	struct rk_secret *digits = NULL;
	struct rk_secret *data = NULL;
	size_t len = 0;
	size_t n = 0;
	size_t i;
	enum rk_err r;

	*out = NULL;
	if ((r = rk_secret_new(block->body.len, &digits)) != RK_OK)
		goto out;
	for (i = 0; i < block->body.len; i++) {
		if (!is_space(block->body.ptr[i]))
			rk_secret_data(digits)[n++] =
			    (uint8_t)block->body.ptr[i];
	}
	/* RFC 7468 pads; digits cut off at the end must not pass unseen. */
	if (n % 4 != 0 || n == 0) {
		r = RK_EFORMAT;
		goto out;
	}
	if ((r = rk_secret_new(n / 4 * 3, &data)) != RK_OK)
		goto out;
	r = str_unbase64((const char *)rk_secret_peek(digits), n,
	    rk_secret_data(data), rk_secret_len(data), &len);
	if (r != RK_OK)
		goto out;
	rk_secret_trim(data, len);
	*out = data;
	data = NULL;
out:
	rk_secret_free(data);
	rk_secret_free(digits);
	return r;
}

/* A cursor that fills guarded memory of known size. */
struct fill {
	uint8_t *data;
	size_t at;
};

static void
put(struct fill *f, const char *s, size_t len)
{
	memcpy(f->data + f->at, s, len);
	f->at += len;
}

static void
put_line(struct fill *f, const char *start, const char *label)
{
	put(f, start, strlen(start));
	put(f, label, strlen(label));
	put(f, DASHES "\n", sizeof(DASHES));
}

static void
put_body(struct fill *f, const uint8_t *data, size_t len)
{
	char line[LINE_BYTES / 3 * 4 + 1];
	size_t at;
	size_t n;

	for (at = 0; at < len; at += n) {
		n = len - at < LINE_BYTES ? len - at : LINE_BYTES;
		str_base64(line, data + at, n, STR_BASE64);
		put(f, line, strlen(line));
		put(f, "\n", 1);
	}
	rk_wipe(line, sizeof(line));
}

enum rk_err
pem_encode(const char *label, const char *headers, const void *data, size_t len,
    struct rk_secret **out)
{
	size_t lines = (len + LINE_BYTES - 1) / LINE_BYTES;
	struct fill f = { 0 };
	enum rk_err r;

	*out = NULL;
	if (len > WHOLE_MAX)
		return RK_ETOOBIG;
	r = rk_secret_new(2 * (strlen(label) + 32) + strlen(headers) + 1 +
	                      (len + 2) / 3 * 4 + lines,
	    out);
	if (r != RK_OK)
		return r;
	f.data = rk_secret_data(*out);
	put_line(&f, BEGIN, label);
	if (headers[0] != '\0') {
		put(&f, headers, strlen(headers));
		put(&f, "\n", 1);
	}
	put_body(&f, data, len);
	put_line(&f, END, label);
	rk_secret_trim(*out, f.at);
	return RK_OK;
}
