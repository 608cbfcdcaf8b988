/* E-mail addresses of certificates and of lines: told apart, compared. */
#include "trust/mails.h"

#include <rpckit/cert.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypt.h"
#include "base/str.h"

#define MAIL_MAX 512 /* bytes of one that are compared */

struct mails
mails_of(const char *emails)
{
	return (struct mails){ .rest = { emails, strlen(emails) } };
}

struct mails
mails_of_line(struct rk_str column)
{
	return (struct mails){ .rest = column, .coded = true };
}

/* The first byte of it, which is taken off. */
static char
take_byte(struct rk_str *s, bool coded)
{
	char c = s->ptr[0];
	uint8_t byte = 0;
	size_t used = 1;
	size_t n;

	if (coded && c == '%' && s->len > 2 &&
	    str_unhex(s->ptr + 1, 2, &byte, 1, &n) == RK_OK && byte != 0) {
		c = (char)byte;
		used = 3;
	}
	s->ptr += used;
	s->len -= used;
	return c;
}

static char
fold(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static void
hash_mail(const char *mail, size_t n, uint8_t sum[MAILS_SUM_LEN])
{
	uint8_t hash[CRYPT_HASH_LEN];

	crypt_sha256(hash, mail, n);
	memcpy(sum, hash, MAILS_SUM_LEN);
}

bool
mails_next(struct mails *m, uint8_t sum[MAILS_SUM_LEN])
{
	char mail[MAIL_MAX];
	size_t n = 0;

	while (m->rest.len > 0) {
		char c = take_byte(&m->rest, m->coded);

		if (c == ',' || c == ' ') {
			if (n > 0)
				break;
		} else if (n < sizeof(mail)) {
			mail[n++] = fold(c);
		}
	}
	if (n == 0)
		return false;
	/* "x.example." is the same host, from the root on. */
	if (n > 1 && mail[n - 1] == '.')
		n--;
	hash_mail(mail, n, sum);
	return true;
}

bool
mails_begin_with(struct mails m, const uint8_t sum[MAILS_SUM_LEN])
{
	uint8_t of[MAILS_SUM_LEN];
	char mail[MAIL_MAX];
	size_t n = 0;

	while (m.rest.len > 0) {
		char c = take_byte(&m.rest, m.coded);

		if (c == ',' || c == ' ') {
			n = 0;
		} else if (n < sizeof(mail)) {
			mail[n++] = fold(c);
			hash_mail(mail, n, of);
			if (memcmp(of, sum, sizeof(of)) == 0)
				return true;
		}
	}
	return false;
}

bool
rk_cert_has_email(const struct rk_cert_info *cert, struct rk_str email)
{
	const char *at = cert->email;

	/* They are joined by commas, and none has one (trust/chain_info.c). */
	while (email.len > 0 && *at != '\0') {
		const size_t n = strcspn(at, ",");

		if (n == email.len && strncasecmp(at, email.ptr, n) == 0)
			return true;
		at += n + (at[n] == ',');
	}
	return false;
}

bool
mails_are_all(const struct mails *m)
{
	return m->rest.len == 0 || m->rest.ptr[m->rest.len - 1] != '~';
}

size_t
mails_sums(struct mails m, uint8_t sums[][MAILS_SUM_LEN])
{
	size_t n = 0;

	while (n < MAILS_MAX && mails_next(&m, sums[n]))
		n++;
	return n;
}

bool
mails_have(struct mails m, const uint8_t sums[][MAILS_SUM_LEN], size_t n)
{
	uint8_t sum[MAILS_SUM_LEN];

	while (mails_next(&m, sum)) {
		for (size_t i = 0; i < n; i++) {
			if (memcmp(sums[i], sum, sizeof(sum)) == 0)
				return true;
		}
	}
	return false;
}

bool
mails_are_ours(const struct mails_for *whom, const uint8_t *pub)
{
	return (whom->pub != NULL &&
	           memcmp(whom->pub, pub, RK_KEY_PUBLIC_LEN) == 0) ||
	       (whom->old != NULL &&
	           memcmp(whom->old, pub, RK_KEY_PUBLIC_LEN) == 0);
}

/* ---- those that were seen ---- */

/* Where it is, or would be; there is a free place. */
static uint8_t *
find_place(const struct mails_seen *seen, const uint8_t sum[MAILS_SUM_LEN])
{
	static const uint8_t none[MAILS_SUM_LEN];
	size_t at;

	memcpy(&at, sum, sizeof(at)); /* a hash */
	for (;; at++) {
		uint8_t *p = seen->sums[at & (seen->cap - 1)];

		if (memcmp(p, sum, MAILS_SUM_LEN) == 0 ||
		    memcmp(p, none, MAILS_SUM_LEN) == 0)
			return p;
	}
}

/* At most half of it is used. */
static enum rk_err
make_room(struct mails_seen *seen)
{
	static const uint8_t none[MAILS_SUM_LEN];
	struct mails_seen more = { .n = seen->n };

	if (2 * (seen->n + 1) <= seen->cap)
		return RK_OK;
	more.cap = seen->cap == 0 ? 64 : 2 * seen->cap;
	more.sums = calloc(more.cap, sizeof(*more.sums));
	if (more.sums == NULL)
		return RK_ENOMEM;
	for (size_t i = 0; i < seen->cap; i++) {
		if (memcmp(seen->sums[i], none, MAILS_SUM_LEN) != 0)
			memcpy(find_place(&more, seen->sums[i]), seen->sums[i],
			    MAILS_SUM_LEN);
	}
	free(seen->sums);
	*seen = more;
	return RK_OK;
}

enum rk_err
mails_see(struct mails_seen *seen, struct mails m)
{
	uint8_t sum[MAILS_SUM_LEN];
	uint8_t *p;

	while (mails_next(&m, sum)) {
		if (make_room(seen) != RK_OK)
			return RK_ENOMEM;
		p = find_place(seen, sum);
		seen->n += memcmp(p, sum, sizeof(sum)) != 0;
		memcpy(p, sum, sizeof(sum));
	}
	return RK_OK;
}

bool
mails_were_seen(const struct mails_seen *seen, struct mails m)
{
	uint8_t sum[MAILS_SUM_LEN];

	while (seen->n > 0 && mails_next(&m, sum)) {
		if (memcmp(find_place(seen, sum), sum, sizeof(sum)) == 0)
			return true;
	}
	return false;
}

void
mails_unsee(struct mails_seen *seen)
{
	free(seen->sums);
	*seen = (struct mails_seen){ 0 };
}

void
mails_decode(char *out, size_t out_len, struct rk_str column)
{
	size_t n = 0;

	while (column.len > 0 && n + 1 < out_len)
		out[n++] = take_byte(&column, true);
	if (column.len > 0 && n > 0)
		out[n - 1] = '~';
	out[n] = '\0';
}
