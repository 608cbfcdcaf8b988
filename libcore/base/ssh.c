/* OpenSSH's texts: armor around bytes, and lines with public keys. */
#include "base/ssh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypt.h"
#include "base/str.h"

#define KIND "ssh-ed25519"
#define LINE_LEN 70
#define LABEL_LINE_MAX 64

/* What stands between the two lines, without white space. */
static enum rk_err
take_body(
    const char *text, size_t len, const char *label, struct rk_secret **out)
{
	char begin[LABEL_LINE_MAX];
	char end[LABEL_LINE_MAX];
	const char *from;
	const char *to;
	char *p;
	size_t n = 0;
	enum rk_err r;

	(void)snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
	(void)snprintf(end, sizeof(end), "-----END %s-----", label);
	from = memmem(text, len, begin, strlen(begin));
	if (from == NULL)
		return RK_EFORMAT;
	from += strlen(begin);
	to = memmem(from, len - (size_t)(from - text), end, strlen(end));
	if (to == NULL)
		return RK_EFORMAT;
	if ((r = rk_secret_new((size_t)(to - from), out)) != RK_OK)
		return r;
	p = (char *)rk_secret_data(*out);
	for (; from < to; from++) {
		if (!str_is_space(*from))
			p[n++] = *from;
	}
	rk_secret_trim(*out, n);
	return RK_OK;
}

enum rk_err
ssh_unarmor(
    const char *text, size_t len, const char *label, struct rk_secret **out)
{
	struct rk_secret *body = NULL;
	struct rk_secret *data = NULL;
	size_t n = 0;
	enum rk_err r;

	*out = NULL;
	if (len > SSH_TEXT_MAX)
		return RK_ETOOBIG;
	if ((r = take_body(text, len, label, &body)) != RK_OK ||
	    (r = rk_secret_new(rk_secret_len(body), &data)) != RK_OK)
		goto out;
	r = str_unbase64((const char *)rk_secret_peek(body),
	    rk_secret_len(body), rk_secret_data(data), rk_secret_len(data), &n);
	if (r != RK_OK)
		goto out;
	rk_secret_trim(data, n);
	*out = data;
	data = NULL;
out:
	rk_secret_free(body);
	rk_secret_free(data);
	return r;
}

enum rk_err
ssh_armor(
    const uint8_t *data, size_t len, const char *label, struct rk_secret **out)
{
	struct rk_secret *body = NULL;
	struct rk_secret *text = NULL;
	size_t room = str_base64_len(len);
	size_t n = 0;
	size_t step;
	char *p;
	enum rk_err r;

	*out = NULL;
	if ((r = rk_secret_new(room, &body)) != RK_OK ||
	    (r = rk_secret_new(room + room / LINE_LEN + 2 + 2 * LABEL_LINE_MAX,
	         &text)) != RK_OK)
		goto out;
	str_base64((char *)rk_secret_data(body), data, len, STR_BASE64);
	room--; /* its NUL */
	p = (char *)rk_secret_data(text);
	n += (size_t)snprintf(p, LABEL_LINE_MAX, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < room; i += step) {
		step = room - i < LINE_LEN ? room - i : LINE_LEN;
		memcpy(p + n, rk_secret_peek(body) + i, step);
		n += step;
		p[n++] = '\n';
	}
	n += (size_t)snprintf(
	    p + n, LABEL_LINE_MAX, "-----END %s-----\n", label);
	rk_secret_trim(text, n);
	*out = text;
	text = NULL;
out:
	rk_secret_free(body);
	rk_secret_free(text);
	return r;
}

/* ---- public keys ---- */

void
ssh_blob(const uint8_t pub[RK_KEY_PUBLIC_LEN], uint8_t out[SSH_BLOB_LEN])
{
	static const uint8_t head[] = "\0\0\0\013" KIND "\0\0\0\040";

	_Static_assert(sizeof(head) - 1 + RK_KEY_PUBLIC_LEN == SSH_BLOB_LEN,
	    "it has its length");
	memcpy(out, head, sizeof(head) - 1);
	memcpy(out + sizeof(head) - 1, pub, RK_KEY_PUBLIC_LEN);
}

enum rk_err
ssh_put_public(struct buf *b, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	uint8_t blob[SSH_BLOB_LEN];

	ssh_blob(pub, blob);
	return buf_put(b, blob, sizeof(blob));
}

void
ssh_fp_of(const uint8_t *data, size_t len, char fp[RK_FP_LEN])
{
	uint8_t hash[CRYPT_HASH_LEN];

	crypt_sha256(hash, data, len);
	memcpy(fp, "SHA256:", 7);
	str_base64(fp + 7, hash, sizeof(hash), STR_BASE64_NOPAD);
}

enum rk_err
ssh_fp(const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN])
{
	uint8_t blob[SSH_BLOB_LEN];

	ssh_blob(pub, blob);
	ssh_fp_of(blob, sizeof(blob), fp);
	return RK_OK;
}

enum rk_err
ssh_get_public(const uint8_t *data, size_t len, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct bytes b = { .at = data, .left = len };
	struct bytes kind;
	struct bytes key;

	if (!bytes_get_string(&b, &kind) || !bytes_are(&kind, KIND) ||
	    !bytes_get_string(&b, &key) || key.left != RK_KEY_PUBLIC_LEN ||
	    b.left != 0)
		return RK_EFORMAT;
	memcpy(pub, key.at, RK_KEY_PUBLIC_LEN);
	return RK_OK;
}

enum rk_err
ssh_put_line(
    struct buf *b, const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *comment)
{
	uint8_t blob[SSH_BLOB_LEN];
	char text[128];

	ssh_blob(pub, blob);
	str_base64(text, blob, sizeof(blob), STR_BASE64);
	return buf_printf(b, "%s %s %s", KIND, text, comment);
}

/* Behind the kind, in the first line that begins with it: what a comment says
 * is no key. */
static const char *
find_key(const char *text, const char *end)
{
	static const char start[] = KIND " ";
	const size_t n = sizeof(start) - 1;

	while (text < end) {
		const char *line = memchr(text, '\n', (size_t)(end - text));

		while (text < end && (*text == ' ' || *text == '\t'))
			text++;
		if ((size_t)(end - text) > n && memcmp(text, start, n) == 0)
			return text + n;
		if (line == NULL)
			break;
		text = line + 1;
	}
	return NULL;
}

enum rk_err
ssh_get_line(const char *text, size_t len, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	const char *at = find_key(text, text + len);
	uint8_t blob[128];
	size_t left;
	size_t n = 0;
	size_t got;

	if (at == NULL)
		return RK_EFORMAT;
	left = len - (size_t)(at - text);
	while (n < left && !str_is_space(at[n]))
		n++;
	if (str_unbase64(at, n, blob, sizeof(blob), &got) != RK_OK)
		return RK_EFORMAT;
	return ssh_get_public(blob, got, pub);
}
