/* The table that keys are looked up in: file and store, merged in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/store.h"

#define LOST_TOLD 8 /* lines in the log */

static int
compare_keys(const void *a, const void *b)
{
	const struct store_key *x = a;
	const struct store_key *y = b;

	return memcmp(x->pub, y->pub, sizeof(x->pub)); /* public, not secret */
}

static int
compare_emails(const void *a, const void *b)
{
	const struct store_email *x = a;
	const struct store_email *y = b;

	return memcmp(x->sum, y->sum, sizeof(x->sum));
}

struct store_key *
store_key_find(const struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct store_key wanted;

	memcpy(wanted.pub, pub, sizeof(wanted.pub));
	return s->n == 0 ? NULL
	                 : bsearch(&wanted, s->keys, s->n, sizeof(*s->keys),
	                       compare_keys);
}

bool
store_is_locked(const struct rk_store *s)
{
	return s->known.state != RK_TRUST_OPEN;
}

/* ---- emails ---- */

static bool
counts_as_known(struct rk_store *s, const struct store_key *k)
{
	struct rk_store_facts f = {
		.state = k->state,
		.in_file = k->in_file,
		.now = store_now(s),
		.decided = k->decided,
		.until = k->until,
	};

	return rk_store_status(&f) == RK_STATUS_KNOWN;
}

bool
store_email_taken(
    struct rk_store *s, const struct mails_for *whom, struct mails mails)
{
	struct store_email wanted;
	const struct store_email *hit;
	const struct store_email *end = s->emails + s->n_emails;
	const struct store_key *k;

	if (!mails_are_all(&mails))
		return true; /* nobody knows */
	if (s->n_emails == 0)
		return false;
	while (mails_next(&mails, wanted.sum)) {
		hit = bsearch(&wanted, s->emails, s->n_emails,
		    sizeof(*s->emails), compare_emails);
		while (hit != NULL && hit > s->emails &&
		       compare_emails(hit - 1, &wanted) == 0)
			hit--;
		for (; hit != NULL && hit < end &&
		       compare_emails(hit, &wanted) == 0;
		     hit++) {
			if (mails_are_ours(whom, hit->pub))
				continue;
			k = store_key_find(s, hit->pub);
			if (k != NULL && counts_as_known(s, k))
				return true;
		}
	}
	return false;
}

enum rk_store_status
store_status_of(struct rk_store *s, const struct store_key *key,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *emails)
{
	const struct mails_for whom = { .pub = pub };
	struct rk_store_facts f = {
		.locked = store_is_locked(s),
		.now = store_now(s),
	};

	if (key != NULL) {
		f.state = key->state;
		f.in_file = key->in_file;
		f.decided = key->decided;
		f.until = key->until;
	}
	f.email_taken = store_email_taken(s, &whom, mails_of(emails));
	return rk_store_status(&f);
}

/* ---- building ---- */

struct building {
	struct rk_store *s;
	struct store_key *keys;
	size_t n;
	size_t cap;
	struct store_email *emails;
	size_t n_emails;
	size_t cap_emails;
};

static enum rk_err
add_emails(struct building *b, struct mails mails,
    const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct store_email email;

	memcpy(email.pub, pub, sizeof(email.pub));
	while (mails_next(&mails, email.sum)) {
		if (b->n_emails == b->cap_emails) {
			size_t cap = 2 * b->cap_emails + 64;
			void *p = realloc(b->emails, cap * sizeof(*b->emails));

			if (p == NULL)
				return RK_ENOMEM;
			b->emails = p;
			b->cap_emails = cap;
		}
		b->emails[b->n_emails++] = email;
	}
	return RK_OK;
}

static enum rk_err
add_key(struct building *b, const struct store_key *key)
{
	if (b->n == b->cap) {
		size_t cap = 2 * b->cap + 64;
		void *p = realloc(b->keys, cap * sizeof(*b->keys));

		if (p == NULL)
			return RK_ENOMEM;
		b->keys = p;
		b->cap = cap;
	}
	b->keys[b->n++] = *key;
	return RK_OK;
}

static enum rk_err
add_row(const struct store_row *row, void *arg)
{
	const struct rk_store_entry *e = &row->e;
	struct building *b = arg;
	struct store_key key = {
		.state = e->state,
		.until = e->until,
		.decided = e->decided,
		.version = e->version,
		.last_seen = e->last_seen,
		.touched = e->touched,
		.bare = e->ca[0] == '\0' && e->cert_until == 0,
		.again = e->tries > 1,
		.noted = e->note[0] != '\0',
	};
	const struct store_key *old = store_key_find(b->s, e->pub);

	memcpy(key.pub, e->pub, sizeof(key.pub));
	memcpy(key.source, row->source, sizeof(key.source));
	if (old != NULL && old->tries > 0) {
		key.tries = old->tries;
		key.last_seen = old->last_seen > key.last_seen ? old->last_seen
		                                               : key.last_seen;
		key.touched =
		    old->touched > key.touched ? old->touched : key.touched;
		memcpy(key.address, old->address, sizeof(key.address));
	}
	/* Also of who is out or waits: he may have a line, which may have been
	 * cut off in front of its addresses.  Whether they count is asked
	 * when they are looked for. */
	if (add_emails(b, mails_of(e->email), e->pub) != RK_OK)
		return RK_ENOMEM;
	return add_key(b, &key);
}

static enum rk_err
add_line(struct building *b, const struct known_line *line)
{
	struct store_key key = {
		.in_file = true,
		.emails = line->emails,
		.host = line->host,
	};
	const struct store_key *old = store_key_find(b->s, line->pub);

	memcpy(key.pub, line->pub, sizeof(key.pub));
	if (old != NULL && old->state == RK_STORE_NONE && old->tries > 0) {
		key.tries = old->tries;
		key.last_seen = key.touched = old->last_seen;
		memcpy(key.address, old->address, sizeof(key.address));
	}
	if (add_emails(b, mails_of_line(line->emails), line->pub) != RK_OK)
		return RK_ENOMEM;
	return add_key(b, &key);
}

/* Sort, and make one of the entries that a key has. */
static void
merge(struct building *b)
{
	size_t n = 0;
	size_t i;

	if (b->n == 0)
		return;
	qsort(b->keys, b->n, sizeof(*b->keys), compare_keys);
	for (i = 1; i < b->n; i++) {
		struct store_key *last = &b->keys[n];
		const struct store_key *k = &b->keys[i];
		struct store_key row;

		if (compare_keys(last, k) != 0) {
			b->keys[++n] = *k;
			continue;
		}
		row = last->state != RK_STORE_NONE ? *last : *k;
		row.in_file = true; /* two of one key are not both rows */
		row.emails = last->in_file ? last->emails : k->emails;
		row.host = last->in_file ? last->host : k->host;
		*last = row;
	}
	b->n = n + 1;
	if (b->n_emails > 0)
		qsort(
		    b->emails, b->n_emails, sizeof(*b->emails), compare_emails);
}

static void
count_all(struct rk_store *s)
{
	size_t i;

	s->rows = s->unwritten = 0;
	for (i = 0; i < s->n; i++) {
		s->rows += s->keys[i].state != RK_STORE_NONE;
		s->unwritten += s->keys[i].tries > 0;
	}
}

/* Who was let in and has lost his line is refused: somebody should know. */
static void
tell_lost(struct rk_store *s, const struct building *b)
{
	const struct store_key *old;
	char fp[RK_FP_LEN];
	size_t n = 0;

	for (const struct store_key *k = b->keys; k < b->keys + b->n; k++) {
		if (k->state != RK_STORE_KNOWN || k->in_file)
			continue;
		old = store_key_find(s, k->pub);
		if (old == NULL || !old->in_file ||
		    old->state != RK_STORE_KNOWN ||
		    store_mine_is_lost(s, k->pub) || n++ >= LOST_TOLD)
			continue;
		rk_fp_of_key(k->pub, fp);
		log_event(RK_LOG_WARN, "trust",
		    "%s: the line of key %s, which was let in, was taken out",
		    s->known_name, fp);
	}
	if (n > LOST_TOLD)
		log_event(RK_LOG_WARN, "trust", "%s: and those of %zu more",
		    s->known_name, n - LOST_TOLD);
}

static enum rk_err
rebuild(struct rk_store *s, struct rk_error *err)
{
	struct building b = { .s = s };
	size_t i;
	enum rk_err r;

	r = store_row_each(s, add_row, &b, err);
	for (i = 0; i < s->n_lines && r == RK_OK; i++)
		r = add_line(&b, &s->lines[i]);
	if (r != RK_OK)
		goto out;
	merge(&b);
	tell_lost(s, &b);
	free(s->keys);
	free(s->emails);
	s->keys = b.keys;
	s->n = b.n;
	s->emails = b.emails;
	s->n_emails = b.n_emails;
	b.keys = NULL;
	b.emails = NULL;
	count_all(s);
	s->stale = false;
out:
	if (r == RK_ENOMEM)
		r = err_set(err, r, "%s: out of memory", s->name);
	free(b.keys);
	free(b.emails);
	return r;
}

/* ---- has anything changed ---- */

enum rk_err
store_check(struct rk_store *s, struct rk_error *err)
{
	const struct stat *old = &s->st;
	struct stat now;

	if (s->damaged)
		return err_set(err, RK_EDAMAGED,
		    "%s: is damaged; restore it from a copy and restart",
		    s->name);
	if (lstat(s->path, &now) != 0)
		return err_set(err, RK_EIO,
		    "%s: was there and is gone; bring it back and restart",
		    s->name);
	if (now.st_dev != old->st_dev || now.st_ino != old->st_ino)
		return err_set(err, RK_EIO,
		    "%s: was replaced; restart to use the new one", s->name);
	if (now.st_mode != old->st_mode || now.st_uid != old->st_uid)
		return err_set(err, RK_EMODE,
		    "%s: mode or owner was changed; chmod 600 %s", s->name,
		    s->name);
	return RK_OK;
}

/* What is in the file: read and parsed once for each time it changes. */
struct content {
	struct known known;
	struct buf text;
	struct known_line *lines;
	size_t n;
};

static enum rk_err
take_line(const struct known_line *line, void *arg)
{
	struct content *c = arg;

	c->lines[c->n++] = *line;
	return RK_OK;
}

static enum rk_err
parse_lines(struct rk_store *s, struct content *c, struct rk_error *err)
{
	bool ended;

	if (c->known.n == 0)
		return RK_OK;
	c->lines = calloc(c->known.lines, sizeof(*c->lines));
	if (c->lines == NULL)
		return err_set(err, RK_ENOMEM, "%s: out of memory", s->name);
	return known_walk(s->known_name, (const char *)buf_peek(&c->text),
	    buf_len(&c->text), take_line, c, &ended, err);
}

unsigned
store_file_wait(const struct rk_store *s)
{
	switch (s->haste) {
	case STORE_AT_ONCE:
		return 0;
	case STORE_QUICK:
		return STORE_QUICK_MS;
	case STORE_PATIENT:
		break;
	}
	if (s->on_loop)
		return STORE_TRY_MS;
	/* A decision is worth more. */
	return sqlite3_get_autocommit(s->db) == 0 ? KNOWN_WAIT_MS
	                                          : KNOWN_WAIT_ORDER_MS;
}

static enum rk_err
read_file(struct rk_store *s, struct rk_error *err)
{
	struct content c = { .n = 0 };
	enum rk_err r;

	buf_init(&c.text, KNOWN_FILE_MAX);
	r = known_read_text(
	    s->known_path, store_file_wait(s), &c.known, &c.text, err);
	if (r == RK_OK && c.known.state == RK_TRUST_ABSENT)
		r = err_set(err, RK_EIO,
		    "%s: was there and is gone; bring it back", s->known_name);
	if (r == RK_OK)
		r = parse_lines(s, &c, err);
	if (r == RK_OK && known_is_replaced(&s->locked, &c.known)) {
		if (store_lock_is_told(s))
			known_keep_locked(s->known_path, &s->locked, &c.known);
		else
			s->locked = (struct known_stamp){ 0 };
	}
	if (r != RK_OK) {
		buf_fini(&c.text);
		known_fini(&c.known);
		free(c.lines);
		return r;
	}
	if (c.known.state == RK_TRUST_OPEN)
		s->lock.who[0] =
		    '\0'; /* whoever locks it next did not order it */
	/* Nothing looks at the table's views of the old text any more: a stale
	 * table is made anew before it is used. */
	s->stale = true;
	known_fini(&s->known);
	buf_fini(&s->text);
	free(s->lines);
	s->known = c.known;
	s->text = c.text;
	s->lines = c.lines;
	s->n_lines = c.n;
	store_mine_look(s);
	return RK_OK;
}

enum rk_err
store_version(struct rk_store *s, int64_t *version, struct rk_error *err)
{
	enum rk_err r = RK_OK;
	int rc;

	if (s->ask_version == NULL &&
	    (r = store_db_prepare(
	         s, "PRAGMA data_version", &s->ask_version, err)) != RK_OK)
		return r;
	rc = sqlite3_step(s->ask_version);
	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int64(s->ask_version, 0);
	else
		r = store_db_fail(s, rc, err);
	(void)sqlite3_reset(s->ask_version); /* says the same again */
	return r;
}

enum rk_err
store_refresh(struct rk_store *s, struct rk_error *err)
{
	int64_t version = 0;
	enum rk_err r;

	if ((r = store_check(s, err)) != RK_OK)
		return r;
	if (!known_is_current(&s->known, s->known_path) &&
	    (r = read_file(s, err)) != RK_OK) {
		if (r != RK_EBUSY || !s->lenient)
			return r;
		err_clear(err);
	}
	if ((r = store_version(s, &version, err)) != RK_OK)
		return r;
	if (version != s->data_version)
		s->stale = true;
	if (s->stale && (r = rebuild(s, err)) == RK_OK)
		s->data_version = version;
	return r;
}

void
store_mem_fini(struct rk_store *s)
{
	known_fini(&s->known);
	buf_fini(&s->text);
	free(s->lines);
	free(s->keys);
	free(s->emails);
	s->lines = NULL;
	s->keys = NULL;
	s->emails = NULL;
	s->n = s->n_emails = s->n_lines = 0;
}
