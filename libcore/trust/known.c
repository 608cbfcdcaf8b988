/* The content of a known-keys file: its lines parsed, its keys looked up. */
#include "trust/known.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/b58.h"

int
known_compare(const void *a, const void *b)
{
	return memcmp(a, b, RK_KEY_PUBLIC_LEN); /* public, not secret */
}

bool
known_has(const struct known *k, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	return k->n > 0 && bsearch(pub, k->keys, k->n, RK_KEY_PUBLIC_LEN,
	                       known_compare) != NULL;
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
	const struct known_mail *x = a;
	const struct known_mail *y = b;

	return memcmp(x->sum, y->sum, sizeof(x->sum));
}

const uint8_t *
known_find_mail(const struct known *k, const struct mails_for *whom,
    struct mails mails, known_counts_fn *counts, const void *arg)
{
	const struct known_mail *end = k->mails + k->n_mails;
	const struct known_mail *hit;
	struct known_mail wanted;

	if (k->is_cut && !mails_are_ours(whom, k->cut.pub) &&
	    (counts == NULL || counts(k->cut.pub, arg)) &&
	    mails_begin_with(mails, k->cut.sum))
		return k->cut.pub;
	while (k->n_mails > 0 && mails_next(&mails, wanted.sum)) {
		hit = bsearch(&wanted, k->mails, k->n_mails, sizeof(*k->mails),
		    compare_mails);
		while (hit != NULL && hit > k->mails &&
		       compare_mails(hit - 1, &wanted) == 0)
			hit--;
		for (; hit != NULL && hit < end &&
		       compare_mails(hit, &wanted) == 0;
		     hit++) {
			if (!mails_are_ours(whom, hit->pub) &&
			    (counts == NULL || counts(hit->pub, arg)))
				return hit->pub;
		}
	}
	return NULL;
}

/* What is being read, and for how many addresses there is room. */
struct parsing {
	struct known *out;
	size_t cap;
};

static enum rk_err
keep_mails(struct parsing *p, const struct known_line *line)
{
	struct mails mails = mails_of_line(line->emails);
	struct known *k = p->out;
	struct known_mail mail;
	void *more;

	memcpy(mail.pub, line->pub, sizeof(mail.pub));
	while (mails_next(&mails, mail.sum)) {
		if (k->n_mails == p->cap) {
			p->cap = 2 * p->cap + 16;
			more = reallocarray(k->mails, p->cap, sizeof(mail));
			if (more == NULL)
				return RK_ENOMEM;
			k->mails = more;
		}
		k->mails[k->n_mails++] = mail;
	}
	return RK_OK;
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

/* Of a line that looks right. */
static const char *
name_fault(struct rk_str line, unsigned number, bool ended)
{
	static const char mark[] = { '\xef', '\xbb', '\xbf' };

	if (number == 1 && line.len >= sizeof(mark) &&
	    memcmp(line.ptr, mark, sizeof(mark)) == 0)
		return "not a known key: it begins with a byte order mark";
	return ended ? "not a known key"
	             : "not a known key: the line is cut off";
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
			    number, name_fault(line, number, *ended));
		entry.at = line_at;
		if ((r = fn(&entry, arg)) != RK_OK)
			return r;
	}
	return RK_OK;
}

static enum rk_err
take_entry(const struct known_line *line, void *arg)
{
	struct parsing *p = arg;

	memcpy(p->out->keys[p->out->n++], line->pub, RK_KEY_PUBLIC_LEN);
	return keep_mails(p, line);
}

/* Without what a byte's code has left at its end. */
static struct rk_str
trim_code(struct rk_str column)
{
	for (size_t n = 1; n <= 2 && n <= column.len; n++) {
		if (column.ptr[column.len - n] == '%')
			column.len -= n;
	}
	return column;
}

/* The last line's addresses may go on. */
static void
note_cut(struct known *k, const char *text, size_t len)
{
	const char *last = memrchr(text, '\n', k->ended ? 0 : len);
	struct known_line line;
	struct mails mails;

	last = last != NULL ? last + 1 : text;
	if (k->ended ||
	    known_line((struct rk_str){ last, len - (size_t)(last - text) },
	        &line) != RK_OK ||
	    line.rest.len > 0)
		return;
	memcpy(k->cut.pub, line.pub, sizeof(k->cut.pub));
	mails = mails_of_line(trim_code(line.emails));
	while (mails_next(&mails, k->cut.sum))
		k->is_cut = true;
}

/* Sorted: each key once. */
static void
make_single(struct known *k)
{
	size_t n = 0;

	k->lines = k->n;
	for (size_t i = 0; i < k->n; i++) {
		if (n > 0 && known_compare(k->keys[n - 1], k->keys[i]) == 0)
			continue;
		memmove(k->keys[n++], k->keys[i], RK_KEY_PUBLIC_LEN);
	}
	k->n = n;
}

enum rk_err
known_parse(const char *name, const char *text, size_t len, struct known *out,
    struct rk_error *err)
{
	size_t n = count_entries(text, len);
	struct parsing p = { .out = out };
	enum rk_err r;

	*out = (struct known){ .ended = true };
	/* Room for one more, which known_add() may put in. */
	out->keys = calloc(n + 1, sizeof(*out->keys));
	if (out->keys == NULL)
		return err_set(err, RK_ENOMEM, "%s: out of memory", name);
	r = known_walk(name, text, len, take_entry, &p, &out->ended, err);
	if (r != RK_OK) {
		known_fini(out);
		return r == RK_ENOMEM
		           ? err_set(err, r, "%s: out of memory", name)
		           : r;
	}
	note_cut(out, text, len);
	qsort(out->keys, out->n, sizeof(*out->keys), known_compare);
	make_single(out);
	if (out->n_mails > 0)
		qsort(out->mails, out->n_mails, sizeof(*out->mails),
		    compare_mails);
	return RK_OK;
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
	       fs_same_time(&st.st_mtim, &old->st_mtim) &&
	       fs_same_time(&st.st_ctim, &old->st_ctim);
}
