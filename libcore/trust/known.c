/* The content of a known-keys file: its lines parsed, its keys looked up. */
#include "trust/known.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/b58.h"

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, RK_KEY_PUBLIC_LEN); /* public, not secret */
}

bool
known_has(const struct known *k, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	return k->n > 0 && bsearch(pub, k->keys, k->n, RK_KEY_PUBLIC_LEN,
	                       compare_keys) != NULL;
}

void
known_fini(struct known *k)
{
	free(k->keys);
	free(k->mails);
	*k = (struct known){ 0 };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

struct rk_str
known_next_field(struct rk_str *line)
{
	struct rk_str field;

	while (line->len > 0 && is_blank(line->ptr[0])) {
		line->ptr++;
		line->len--;
	}
	field = (struct rk_str){ line->ptr, 0 };
	while (field.len < line->len && !is_blank(line->ptr[field.len]))
		field.len++;
	line->ptr += field.len;
	line->len -= field.len;
	return field;
}

static bool
has_control(struct rk_str s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (((uint8_t)s.ptr[i] < 0x20 && !is_blank(s.ptr[i])) ||
		    s.ptr[i] == 0x7f)
			return true;
	}
	return false;
}

static int
compare_mails(const void *a, const void *b)
{
	return memcmp(a, b, KNOWN_MAIL_LEN);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As known_put_column() writes an address, taken back; in small letters. */
static void
digest_mail(struct rk_str s, bool coded, uint8_t out[KNOWN_MAIL_LEN])
{
	uint8_t hash[CRYPT_HASH_LEN];
	uint8_t text[512];
	size_t n = 0;

	for (size_t i = 0; i < s.len && n < sizeof(text); i++) {
		uint8_t c = (uint8_t)s.ptr[i];

		if (coded && c == '%' && s.len - i > 2 &&
		    hex_digit(s.ptr[i + 1]) >= 0 &&
		    hex_digit(s.ptr[i + 2]) >= 0) {
			c = (uint8_t)(hex_digit(s.ptr[i + 1]) * 16 +
			              hex_digit(s.ptr[i + 2]));
			i += 2;
		}
		text[n++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
	}
	crypt_sha256(hash, text, n);
	memcpy(out, hash, KNOWN_MAIL_LEN);
}

/* The next of comma-joined addresses, not empty; false: there is none. */
static bool
next_mail(struct rk_str *list, struct rk_str *out)
{
	const char *comma;

	do {
		if (list->len == 0)
			return false;
		comma = memchr(list->ptr, ',', list->len);
		*out = *list;
		if (comma != NULL)
			out->len = (size_t)(comma - list->ptr);
		list->ptr += out->len + (comma != NULL);
		list->len -= out->len + (comma != NULL);
	} while (out->len == 0);
	return true;
}

bool
known_has_mail(const struct known *k, const char *emails)
{
	struct rk_str list = { emails, strlen(emails) };
	uint8_t digest[KNOWN_MAIL_LEN];
	struct rk_str mail;

	while (k->n_mails > 0 && next_mail(&list, &mail)) {
		digest_mail(mail, false, digest);
		if (bsearch(digest, k->mails, k->n_mails, KNOWN_MAIL_LEN,
		        compare_mails) != NULL)
			return true;
	}
	return false;
}

bool
known_mails_are_all(const char *emails)
{
	struct rk_str list = { emails, strlen(emails) };
	struct rk_str mail;
	int n = 0;

	if (list.len > 0 && emails[list.len - 1] == '~')
		return false; /* cut to fit */
	while (n <= KNOWN_MAILS_MAX && next_mail(&list, &mail))
		n++;
	return n <= KNOWN_MAILS_MAX;
}

/* There is room for those of every line. */
static void
keep_mails(struct known *k, struct rk_str list)
{
	struct rk_str mail;

	for (int i = 0; i < KNOWN_MAILS_MAX && next_mail(&list, &mail); i++)
		digest_mail(mail, true, k->mails[k->n_mails++]);
}

enum rk_err
known_line(struct rk_str line, struct known_line *out)
{
	const size_t prefix = sizeof(B58_KEY_PREFIX) - 1;
	struct rk_str whole = line;
	struct rk_str id;
	const char *colon = NULL;

	*out = (struct known_line){ .host = known_next_field(&line) };
	if (out->host.len == 0 || out->host.ptr[0] == '#')
		return RK_ENOENT;
	if (has_control(whole))
		return RK_EFORMAT;
	id = known_next_field(&line);
	out->rest = line;
	if (id.len <= prefix || memcmp(id.ptr, B58_KEY_PREFIX, prefix) != 0)
		return RK_EFORMAT;
	id.ptr += prefix;
	id.len -= prefix;
	colon = memchr(id.ptr, ':', id.len);
	out->emails = (struct rk_str){ id.ptr, 0 };
	if (colon != NULL) {
		out->emails.ptr = colon + 1;
		out->emails.len = id.len - (size_t)(colon + 1 - id.ptr);
		id.len = (size_t)(colon - id.ptr);
	}
	return b58_key_decode(id.ptr, id.len, out->pub);
}

static bool
is_entry(struct rk_str line)
{
	struct rk_str first = known_next_field(&line);

	return first.len > 0 && first.ptr[0] != '#';
}

struct rk_str
known_next_line(const char *text, size_t len, size_t *at, bool *ended)
{
	const char *start = text + *at;
	const char *end = memchr(start, '\n', len - *at);
	size_t n = end != NULL ? (size_t)(end - start) : len - *at;

	*ended = end != NULL;
	*at += n + (end != NULL ? 1 : 0);
	return (struct rk_str){ start, n };
}

/* How many entries there are at most, not yet checked. */
static size_t
count_entries(const char *text, size_t len)
{
	size_t n = 0;
	size_t at = 0;
	bool ended;

	while (at < len) {
		if (is_entry(known_next_line(text, len, &at, &ended)))
			n++;
	}
	return n;
}

enum rk_err
known_walk(const char *name, const char *text, size_t len, known_line_fn *fn,
    void *arg, bool *ended, struct rk_error *err)
{
	struct known_line entry;
	struct rk_str line;
	size_t at = 0, line_at;
	unsigned number = 0;
	enum rk_err r;

	*ended = true;
	while (at < len) {
		line_at = at;
		line = known_next_line(text, len, &at, ended);
		number++;
		r = known_line(line, &entry);
		if (r == RK_ENOENT)
			continue;
		if (r != RK_OK)
			return err_set(err, RK_EFORMAT, "%s:%u: %s", name,
			    number,
			    *ended ? "not a known key"
			           : "not a known key: the line is cut off");
		entry.at = line_at;
		if ((r = fn(&entry, arg)) != RK_OK)
			return r;
	}
	return RK_OK;
}

static enum rk_err
take_entry(const struct known_line *line, void *arg)
{
	struct known *out = arg;

	memcpy(out->keys[out->n++], line->pub, RK_KEY_PUBLIC_LEN);
	keep_mails(out, line->emails);
	return RK_OK;
}

enum rk_err
known_parse(const char *name, const char *text, size_t len, struct known *out,
    struct rk_error *err)
{
	size_t n = count_entries(text, len);
	enum rk_err r;

	*out = (struct known){ .ended = true };
	if (n > KNOWN_KEYS_MAX)
		return err_set(err, RK_EFORMAT, "%s: more than %d keys", name,
		    KNOWN_KEYS_MAX);
	/* Room for one more, which known_add() may put in. */
	out->keys = calloc(n + 1, sizeof(*out->keys));
	out->mails = calloc(n + 1, sizeof(*out->mails) * KNOWN_MAILS_MAX);
	if (out->keys == NULL || out->mails == NULL) {
		known_fini(out);
		return err_set(err, RK_ENOMEM, "%s: out of memory", name);
	}
	r = known_walk(name, text, len, take_entry, out, &out->ended, err);
	if (r != RK_OK) {
		known_fini(out);
		return r;
	}
	qsort(out->keys, out->n, sizeof(*out->keys), compare_keys);
	qsort(out->mails, out->n_mails, sizeof(*out->mails), compare_mails);
	return RK_OK;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
known_is_current(const struct known *k, const char *path)
{
	const struct stat *old = &k->stamp.st;
	struct stat st;

	if (lstat(path, &st) != 0 || !k->stamp.settled)
		return false;
	return st.st_dev == old->st_dev && st.st_ino == old->st_ino &&
	       st.st_mode == old->st_mode && st.st_size == old->st_size &&
	       st.st_uid == old->st_uid && st.st_nlink == old->st_nlink &&
	       same_time(&st.st_mtim, &old->st_mtim) &&
	       same_time(&st.st_ctim, &old->st_ctim);
}
