/* A known-keys file that is locked: by an order, and whatever takes its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/known.h"

#define NAME_TEXT 160 /* a path in a message */
#define MODE_BITS ((mode_t)07777)
#define RETRIES 16 /* when somebody replaces the file meanwhile */

/* Only the mode is another than when k was read, and so are not its lines.
 * Times that were too new then tell nothing. */
static bool
is_all_else(const struct known *k, const struct stat *st)
{
	const struct stat *old = &k->stamp.st;

	return k->stamp.settled && st->st_dev == old->st_dev &&
	       st->st_ino == old->st_ino && st->st_size == old->st_size &&
	       st->st_uid == old->st_uid && st->st_nlink == old->st_nlink &&
	       fs_same_time(&st->st_mtim, &old->st_mtim);
}

/* An overlay makes a copy of a file of a lower layer when its mode changes,
 * which has the number of the other, and its own birth. */
static void
take_birth(struct known_stamp *stamp, const char *path)
{
	struct timespec born = { 0 };
	struct stat st;
	int fd = open(
	    path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_dev == stamp->st.st_dev &&
	    st.st_ino == stamp->st.st_ino &&
	    fs_same_time(&st.st_ctim, &stamp->st.st_ctim))
		stamp->born =
		    fs_birth(fd, &born) ? born : (struct timespec){ 0 };
	(void)close(fd); /* only looked at */
}

void
known_locked(struct known *k, const char *path, bool was_current)
{
	struct stat st;

	if (was_current && lstat(path, &st) == 0 && is_all_else(k, &st) &&
	    (st.st_mode & KNOWN_WRITE_BITS) == 0) {
		k->stamp.st = st;
		take_birth(&k->stamp, path);
	}
	if (k->state == RK_TRUST_OPEN)
		k->state = RK_TRUST_LOCKED; /* whatever else it is by now */
}

/* RK_EAGAIN: another file has the name by now. */
static enum rk_err
lock_once(const char *path, const char *name, struct rk_error *err)
{
	struct stat st, now;
	int fd = -1;
	enum rk_err r;

	r = known_open(path, KNOWN_NO_FLOCK, 0, &fd, &st, err);
	if (r == RK_ENOENT)
		return err_set(err, RK_ESTATE, "%s: is not there", name);
	if (r != RK_OK)
		return r;
	if (fchmod(fd, st.st_mode & MODE_BITS & ~KNOWN_WRITE_BITS) != 0) {
		r = fs_fail(err, errno, path);
	} else if (fsync(fd) != 0) {
		r = err_sys(err, RK_EIO, errno, "%s: cannot lock it", name);
		if (fchmod(fd, st.st_mode & MODE_BITS) != 0)
			log_event(RK_LOG_ERROR, "trust",
			    "%s: its mode cannot be put back", name);
	} else if (fstat(fd, &st) != 0 || lstat(path, &now) != 0 ||
	           st.st_dev != now.st_dev || st.st_ino != now.st_ino) {
		r = RK_EAGAIN;
	}
	(void)close(fd); /* synced, or failed */
	return r;
}

enum rk_err
known_lock(const char *path, struct rk_error *err)
{
	char name[NAME_TEXT];
	enum rk_err r = RK_EAGAIN;

	str_escape(name, sizeof(name), path);
	for (unsigned i = 0; i < RETRIES && r == RK_EAGAIN; i++)
		r = lock_once(path, name, err);
	if (r == RK_EAGAIN)
		r = err_set(
		    err, RK_EIO, "%s: is being replaced all the time", name);
	return r;
}

/* Another file may have the number of one that is gone.  Since when it is there
 * tells them apart, unless that is not known or the clock has not moved since:
 * then what is in it must be no newer, either. */
static bool
is_same(const struct known_stamp *a, const struct known_stamp *b)
{
	if (a->st.st_dev != b->st.st_dev || a->st.st_ino != b->st.st_ino ||
	    !fs_same_time(&a->born, &b->born))
		return false;
	if (a->born.tv_sec != 0 && fs_earlier(&a->born, &a->st.st_ctim))
		return true;
	return a->st.st_size == b->st.st_size &&
	       fs_same_time(&a->st.st_mtim, &b->st.st_mtim);
}

bool
known_is_replaced(struct known_stamp *locked, const struct known *k)
{
	if (k->state == RK_TRUST_OPEN && locked->st.st_ino != 0 &&
	    !is_same(locked, &k->stamp))
		return true;
	if (k->state == RK_TRUST_LOCKED)
		*locked = k->stamp;
	else if (k->state == RK_TRUST_OPEN)
		*locked = (struct known_stamp){ 0 };
	return false;
}

void
known_keep_locked(const char *path, struct known_stamp *locked, struct known *k)
{
	char name[NAME_TEXT];
	const bool current = known_is_current(k, path);
	struct rk_error err = { 0 };
	enum rk_err r = known_lock(path, &err);

	str_escape(name, sizeof(name), path);
	known_locked(k, path, current);
	if (r == RK_OK) {
		*locked = k->stamp;
		log_event(RK_LOG_WARN, "trust",
		    "%s: was locked by order, and another file that may be "
		    "written took its place: this one is locked, too",
		    name);
		return;
	}
	log_event(RK_LOG_ERROR, "trust",
	    "%s: was locked by order, and counts as locked: %s", name,
	    err.text);
}
