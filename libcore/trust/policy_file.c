/* A decider's file as a whole: its lock, and what stands in it. */
#include "trust/policy_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/ask_disk.h"
#include "trust/store.h"

#define MODE_BITS (mode_t)07777

/* ---- as it is ---- */

/* A file that was there and is not any more is an error, not "absent": an
 * editor that replaces it, or whoever deletes it, must not open the door. */
static enum rk_err
check_read(struct rk_trust *t, struct rk_error *err)
{
	if (t->known.state != RK_TRUST_ABSENT)
		t->seen = true;
	else if (t->seen)
		return err_set(err, RK_EIO,
		    "%s: was there and is gone; restart to go on without it",
		    t->name);
	return RK_OK;
}

/* Has anybody ordered that the list be locked, and nobody that it be not? */
static bool
is_ordered(const struct rk_trust *t)
{
	struct rk_store *s = ask_disk_store(t->room);

	return t->ordered || (s != NULL && store_lock_is_ordered(s));
}

/* The file, with the lines that another writer of it lost: the store has them.
 * RK_EBUSY: they are not back yet. */
static enum rk_err
read_whole(struct rk_trust *t, unsigned wait_ms, struct known *now,
    struct rk_error *err)
{
	struct rk_store *s = ask_disk_store(t->room);
	bool mended = false;
	enum rk_err r = known_read(t->path, wait_ms, now, err);

	if (r != RK_OK || s == NULL)
		return r;
	r = store_mend_now(s, &mended, err);
	if (r == RK_EBUSY || mended)
		known_fini(now);
	if (mended)
		return known_read(t->path, wait_ms, now, err);
	if (r == RK_EBUSY)
		return r;
	err_clear(err); /* without those lines */
	return RK_OK;
}

enum rk_err
policy_refresh_within(
    struct rk_trust *t, unsigned wait_ms, struct rk_error *err)
{
	struct known now;
	enum rk_err r;

	if (known_is_current(&t->known, t->path))
		return RK_OK;
	r = read_whole(t, wait_ms, &now, err);
	if (r == RK_EBUSY)
		return r;
	if (r == RK_OK && known_is_replaced(&t->locked, &now)) {
		if (is_ordered(t))
			known_keep_locked(t->path, &t->locked, &now);
		else
			t->locked = (struct known_stamp){ 0 };
	}
	if (now.state == RK_TRUST_OPEN)
		t->ordered = false; /* by hand */
	known_fini(&t->known);
	t->known = now;
	return r == RK_OK ? check_read(t, err) : r;
}

enum rk_err
policy_refresh_for(struct rk_trust *t, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct rk_error *err)
{
	enum rk_err r = policy_refresh_within(t, 0, err);

	/* By the list as it was under its lock, and as it is, which may be half
	 * written. */
	if (r != RK_EBUSY || !known_has(&t->known, pub))
		return r;
	if (!known_is_current(&t->peeked, t->path)) {
		known_fini(&t->peeked);
		if (known_peek(t->path, &t->peeked, NULL) != RK_OK)
			return r;
	}
	if (!known_has(&t->peeked, pub))
		return r;
	err_clear(err);
	return RK_OK;
}

enum rk_err
policy_refresh(struct rk_trust *t, struct rk_error *err)
{
	return policy_refresh_within(
	    t, t->seen ? KNOWN_WAIT_PROBE_MS : KNOWN_WAIT_MS, err);
}

enum rk_err
policy_refresh_after(struct rk_trust *t, struct rk_error *err)
{
	enum rk_err r = policy_refresh(t, err);

	if (r != RK_EBUSY)
		return r;
	err_clear(err); /* who asks next reads it */
	return RK_OK;
}

/* ---- the lock ---- */

enum rk_err
policy_probe(struct rk_trust *t, bool file, struct rk_error *err)
{
	struct rk_store *s = ask_disk_store(t->room);
	struct stat st;
	int fd = -1;
	enum rk_err r = RK_OK;

	err_clear(err);
	if (file && t->path != NULL)
		r = known_open(
		    t->path, LOCK_EX, KNOWN_WAIT_PROBE_MS, &fd, &st, err);
	known_close(fd);
	if (r != RK_EBUSY && s != NULL)
		r = store_probe(s, err);
	if (r == RK_EBUSY)
		return r;
	err_clear(err); /* whatever it is, the order is told */
	return RK_OK;
}

static enum rk_err
unlock_file(const struct rk_trust *t, struct rk_error *err)
{
	struct stat st;
	mode_t mode;
	int fd;
	enum rk_err r;

	r = known_open(t->path, LOCK_EX, KNOWN_WAIT_PROBE_MS, &fd, &st, err);
	if (r == RK_ENOENT)
		return err_set(err, RK_ESTATE, "%s: is not there", t->name);
	if (r != RK_OK)
		return r;
	mode = st.st_mode & MODE_BITS;
	if (fchmod(fd, mode | S_IWUSR) != 0) {
		r = fs_fail(err, errno, t->path);
	} else if (fsync(fd) != 0) {
		r = err_sys(
		    err, RK_EIO, errno, "%s: cannot unlock it", t->name);
		if (fchmod(fd, mode) != 0)
			log_event(RK_LOG_ERROR, "trust",
			    "%s: its mode cannot be put back", t->name);
	}
	known_close(fd);
	return r;
}

/* store_lock_fn */
static enum rk_err
change_mode(void *arg, bool lock, struct rk_error *err)
{
	struct rk_trust *t = arg;
	const bool current = known_is_current(&t->known, t->path);
	enum rk_err r;

	r = lock ? known_lock(t->path, err) : unlock_file(t, err);
	if (r == RK_OK && lock)
		known_locked(&t->known, t->path, current);
	return r;
}

/* Whoever holds the file cannot hold off that it is locked: what it was when it
 * was read last will do. */
static enum rk_err
check_order(struct rk_trust *t, bool lock, struct rk_error *err)
{
	enum rk_err r;

	if (t->path == NULL || t->mode == RK_TRUST_OFF)
		return err_set(
		    err, RK_ESTATE, "there is no list of known keys");
	r = policy_refresh(t, err);
	if (lock && r == RK_EBUSY) {
		err_clear(err);
		return RK_OK;
	}
	return r == RK_OK && lock ? policy_check_mode(t, RK_TRUST_LOCK, err)
	                          : r;
}

enum rk_err
policy_lock(
    struct rk_trust *t, bool lock, const char *who, struct rk_error *err)
{
	const struct store_lock_order order = {
		.lock = lock, .who = who, .change = change_mode, .arg = t
	};
	struct rk_store *s = ask_disk_store(t->room);
	enum rk_err r;

	err_clear(err);
	(void)pthread_mutex_lock(&t->mutex);
	r = check_order(t, lock, err);
	if (r == RK_OK)
		r = s != NULL ? store_lock(s, &order, err)
		              : change_mode(t, lock, err);
	if (r == RK_OK) {
		t->ordered = lock;
		/* As it is read next. */
		t->locked = (struct known_stamp){ 0 };
		if (lock)
			t->locked = t->known.stamp;
		r = policy_refresh_after(t, err);
	}
	(void)pthread_mutex_unlock(&t->mutex);
	if (r == RK_OK)
		room_tell_mode(t->room);
	return r;
}

bool
policy_list_mode(struct rk_trust *t, unsigned *mode, unsigned *locked)
{
	bool has;

	(void)pthread_mutex_lock(&t->mutex);
	has = t->path != NULL && t->mode != RK_TRUST_OFF &&
	      t->known.state != RK_TRUST_ABSENT;
	*mode = has ? t->known.stamp.st.st_mode & MODE_BITS : 0;
	*locked = *mode & ~KNOWN_WRITE_BITS;
	(void)pthread_mutex_unlock(&t->mutex);
	return has;
}

/* ---- what stands in it ---- */

struct reading {
	policy_known_fn *fn;
	void *arg;
	const struct known *known;
	bool *told; /* of each of its keys */
};

/* As it was before it was written.  Whoever else wrote the line may have
 * escaped nothing. */
static void
show_column(char *out, size_t len, struct rk_str column)
{
	char text[512];

	mails_decode(text, sizeof(text), column);
	(void)str_escape_again(out, len, text);
}

/* known_line_fn */
static enum rk_err
tell_line(const struct known_line *line, void *arg)
{
	const struct reading *g = arg;
	const struct known *k = g->known;
	const uint8_t *at =
	    bsearch(line->pub, k->keys, k->n, RK_KEY_PUBLIC_LEN, known_compare);
	bool *told;
	char fp[RK_FP_LEN], emails[512], host[256];

	/* The first line of a key stands for it. */
	if (at == NULL)
		return RK_OK;
	told = &g->told[(size_t)(at - k->keys[0]) / RK_KEY_PUBLIC_LEN];
	if (*told)
		return RK_OK;
	*told = true;
	rk_fp_of_key(line->pub, fp);
	show_column(emails, sizeof(emails), line->emails);
	show_column(host, sizeof(host), line->host);
	g->fn(fp, emails, host, g->arg);
	return RK_OK;
}

/* t->path and t->name never change. */
static enum rk_err
walk_file(const struct rk_trust *t, unsigned wait_ms, known_line_fn *fn,
    void *arg, struct rk_error *err)
{
	struct known known = { 0 };
	struct buf text;
	bool ended;
	enum rk_err r;

	buf_init(&text, KNOWN_FILE_MAX);
	r = known_read_text(t->path, wait_ms, &known, &text, err);
	known_fini(&known);
	if (r == RK_OK && buf_len(&text) > 0)
		r = known_walk(t->name, (const char *)buf_peek(&text),
		    buf_len(&text), fn, arg, &ended, err);
	buf_fini(&text);
	return r;
}

enum rk_err
policy_each_known(
    struct rk_trust *t, policy_known_fn *fn, void *arg, struct rk_error *err)
{
	struct known known = { 0 };
	struct reading g = { .fn = fn, .arg = arg, .known = &known };
	struct buf text;
	bool ended;
	enum rk_err r;

	err_clear(err);
	if (t->path == NULL)
		return RK_OK;
	buf_init(&text, KNOWN_FILE_MAX);
	r = known_read_text(t->path, KNOWN_WAIT_SHOW_MS, &known, &text, err);
	if (r == RK_OK && known.n > 0 &&
	    (g.told = calloc(known.n, sizeof(*g.told))) == NULL)
		r = err_set(err, RK_ENOMEM, "%s: out of memory", t->name);
	if (r == RK_OK && known.n > 0)
		r = known_walk(t->name, (const char *)buf_peek(&text),
		    buf_len(&text), tell_line, &g, &ended, err);
	free(g.told);
	known_fini(&known);
	buf_fini(&text);
	return r;
}

/* known_line_fn */
static enum rk_err
take_line(const struct known_line *line, void *arg)
{
	struct rk_ask_entry *e = arg;

	if (memcmp(line->pub, e->pub, sizeof(e->pub)) != 0)
		return RK_OK;
	show_column(e->email, sizeof(e->email), line->emails);
	show_column(e->remote, sizeof(e->remote), line->host);
	if (strcmp(e->remote, "-") == 0)
		e->remote[0] = '\0';
	return RK_OK;
}

enum rk_err
policy_read_line(
    const struct rk_trust *t, struct rk_ask_entry *out, struct rk_error *err)
{
	return walk_file(t, KNOWN_WAIT_PROBE_MS, take_line, out, err);
}
