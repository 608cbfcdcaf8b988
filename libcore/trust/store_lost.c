/* Lines of ours that another writer of the list lost, who takes no lock. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/store.h"

#define YOUNG_MS                                                               \
	60000           /* so long after it was written a line is looked after \
	                 */
#define RASH_SECONDS 10 /* nobody takes out on purpose what is as new */
#define RASH_TIMES 2    /* but who does so again does */

static bool
is_young(const struct store_mine *m, uint64_t now)
{
	return m->since != 0 && now - m->since < YOUNG_MS;
}

static struct store_mine *
find(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	for (size_t i = 0; i < STORE_MINE; i++) {
		if (s->mine[i].since != 0 &&
		    memcmp(s->mine[i].pub, pub, RK_KEY_PUBLIC_LEN) == 0)
			return &s->mine[i];
	}
	return NULL;
}

/* Which file it stands in, and when that was written.  false: not known. */
static bool
note_place(struct rk_store *s, struct store_mine *m)
{
	struct stat st;

	if (s->hold.fd < 0 || fstat(s->hold.fd, &st) != 0 ||
	    !fs_birth(s->hold.fd, &m->born))
		return false;
	m->ino = st.st_ino;
	m->time = st.st_ctim;
	m->loss = STORE_NOT_LOST;
	return true;
}

void
store_mine_note(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct store_mine *m = find(s, pub);

	if (m == NULL)
		m = &s->mine[s->n_mine++ % STORE_MINE];
	*m = (struct store_mine){ .since = mono_ms() };
	memcpy(m->pub, pub, sizeof(m->pub));
	if (!note_place(s, m))
		m->since = 0;
}

/* ---- what became of them ---- */

/* Was the file copied from one that had lines younger than this one? */
static bool
knows_younger(const struct rk_store *s, const struct store_mine *m)
{
	const struct known *k = &s->known;

	for (size_t i = 0; i < STORE_MINE; i++) {
		const struct store_mine *o = &s->mine[i];

		if (o->since != 0 && fs_earlier(&m->time, &o->time) &&
		    fs_earlier(&o->time, &k->stamp.born) &&
		    known_has(k, o->pub))
			return true;
	}
	return false;
}

static enum store_loss
judge(const struct rk_store *s, const struct store_mine *m)
{
	const struct timespec *born = &s->known.stamp.born;

	if (m->loss == STORE_LOST)
		return STORE_LOST; /* others come behind it meanwhile */
	/* Who changes the file in place has seen what is in it.  Another that
	 * was made since may have its number, but is younger than the line. */
	if (s->known.stamp.st.st_ino == m->ino &&
	    fs_same_time(born, &m->born) && fs_earlier(born, &m->time))
		return STORE_NOT_LOST;
	if (born->tv_sec == 0)
		return STORE_GONE;
	/* A file that was made before the line was copied without it. */
	if (!fs_earlier(&m->time, born))
		return STORE_LOST;
	/* It may have been copied from such a file. */
	return born->tv_sec - m->time.tv_sec < RASH_SECONDS &&
	               m->again < RASH_TIMES && !knows_younger(s, m)
	           ? STORE_LOST
	           : STORE_GONE;
}

void
store_mine_look(struct rk_store *s)
{
	const uint64_t now = mono_ms();
	/* Another list that was put in its place was not copied from it. */
	const bool copied = known_find_remark(&s->text, s->remark) != 0;

	s->losses = 0;
	for (size_t i = 0; i < STORE_MINE; i++) {
		struct store_mine *m = &s->mine[i];

		if (!is_young(m, now) && m->loss == STORE_NOT_LOST)
			m->since = 0;
		if (m->since == 0)
			continue;
		m->loss = copied && !known_has(&s->known, m->pub)
		              ? judge(s, m)
		              : STORE_NOT_LOST;
		s->losses += m->loss != STORE_NOT_LOST;
	}
}

bool
store_mine_is_lost(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	const struct store_mine *m = find(s, pub);

	return m != NULL && m->loss != STORE_NOT_LOST;
}

/* ---- what is done about it ---- */

static enum rk_err
add_again(struct rk_store *s, struct store_mine *m, struct store_row *row,
    struct rk_error *err)
{
	struct store_act act = { .who = "store", .what = "again" };
	const struct mails_for whom = { .pub = row->e.pub };
	const bool proven = !fs_earlier(&m->time, &s->known.stamp.born);
	struct store_row after = *row;
	struct store_line line = { .added = true, .whom = &whom };
	bool added;
	enum rk_err r;

	memcpy(line.pub, row->e.pub, sizeof(line.pub));
	(void)str_copy(line.host, sizeof(line.host), row->e.addresses[0]);
	(void)str_copy(line.emails, sizeof(line.emails), row->e.email);
	if ((r = store_add_line(s, &line, &added, err)) != RK_OK)
		return r;
	m->again += !proven;
	if (!note_place(s, m))
		m->since = 0;
	log_event(RK_LOG_WARN, "trust",
	    "%s: another writer, who does not lock it, has lost the line of "
	    "key %s, which was just written: it is added again",
	    s->known_name, row->e.fp);
	/* The row stays, and its version: it is still what was decided. */
	return store_audit_put(s, &act, row, &after, err);
}

/* It may have been on purpose: the key waits, where it can be seen. */
static enum rk_err
let_go(struct rk_store *s, const struct store_row *row, struct rk_error *err)
{
	struct store_act act = { .who = "file", .what = "gone" };
	struct store_row after = *row;
	enum rk_err r;

	after.e.state = RK_STORE_WAIT;
	if ((r = store_audit_put(s, &act, row, &after, err)) != RK_OK)
		return r;
	log_event(RK_LOG_WARN, "trust",
	    "%s: another writer has taken out the line of key %s, which was "
	    "just written: it waits again",
	    s->known_name, row->e.fp);
	return store_row_put(s, &after, err);
}

static enum rk_err
mend_one(struct rk_store *s, struct store_mine *m, struct rk_error *err)
{
	const struct store_key *key = store_key_find(s, m->pub);
	struct store_row row;
	char fp[RK_FP_LEN];
	enum rk_err r;

	rk_fp_of_key(m->pub, fp);
	r = store_row_get(s, fp, &row, err);
	if (r != RK_OK && r != RK_ENOENT)
		return r;
	/* Something else was decided since. */
	if (r == RK_ENOENT || row.e.state != RK_STORE_KNOWN ||
	    (key != NULL && key->in_file)) {
		m->loss = STORE_NOT_LOST;
		return RK_OK;
	}
	if (m->loss == STORE_LOST) {
		r = add_again(s, m, &row, err);
		/* Locked, full, or another has its name now. */
		if (r != RK_ESTATE && r != RK_ELIMIT && r != RK_EDENIED)
			return r;
		err_clear(err);
		m->loss = STORE_GONE;
	}
	return let_go(s, &row, err);
}

static enum rk_err
mend_all(struct rk_store *s, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < STORE_MINE && r == RK_OK; i++) {
		if (s->mine[i].since != 0 && s->mine[i].loss != STORE_NOT_LOST)
			r = mend_one(s, &s->mine[i], err);
	}
	return r;
}

enum rk_err
store_mend(struct rk_store *s, struct rk_error *err)
{
	enum rk_err r;

	/* Who is to be put out is so, whoever holds the file. */
	if (s->losses == 0 || s->lenient)
		return RK_OK;
	if ((r = store_begin(s, err)) != RK_OK)
		return r;
	r = mend_all(s, err);
	/* Whoever shows the list is told as of another process's decisions. */
	s->news.first = 0;
	s->news.version = -1;
	if ((r = store_end(s, r, err)) != RK_OK)
		return r;
	for (size_t i = 0; i < STORE_MINE; i++) {
		if (s->mine[i].loss == STORE_GONE)
			s->mine[i] = (struct store_mine){ .since = 0 };
	}
	return store_refresh(s, err);
}

enum rk_err
store_mend_now(struct rk_store *s, bool *mended, struct rk_error *err)
{
	const uint64_t now = mono_ms();
	bool young = false;
	enum rk_err r = RK_OK;

	*mended = false;
	(void)pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < STORE_MINE && !young; i++)
		young = is_young(&s->mine[i], now);
	if (!young)
		goto out;
	store_hurry(s, STORE_AT_ONCE);
	if ((r = store_refresh(s, err)) == RK_OK && s->losses > 0) {
		r = store_mend(s, err);
		*mended = r == RK_OK;
	}
	store_hurry(s, STORE_PATIENT);
out:
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}
