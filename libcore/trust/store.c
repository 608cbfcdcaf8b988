/* The trust store opened and closed: which files are there, and are they safe.
 */
#include "trust/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#define SUFFIX ".db"
#define NAP_NS 5000000L

static int64_t
system_clock(void)
{
	return (int64_t)time(NULL);
}

int64_t
store_now(struct rk_store *s)
{
	int64_t now = s->clock();

	if (now > s->highest)
		s->highest = now;
	return s->highest;
}

void
store_set_clock(struct rk_store *s, int64_t (*clock)(void))
{
	s->clock = clock != NULL ? clock : system_clock;
	s->highest = 0;
}

/* ---- files ---- */

static enum rk_err
set_paths(struct rk_store *s, const char *known, struct rk_error *err)
{
	const char *base;

	if (known == NULL || known[0] == '\0')
		return err_set(
		    err, RK_EINVAL, "the path of the known-keys file is empty");
	/* Room for what SQLite puts behind: "-journal". */
	if (strlen(known) + sizeof(SUFFIX) + 16 > sizeof(s->path))
		return err_set(err, RK_EINVAL, "path is too long");
	(void)str_copy(s->known_path, sizeof(s->known_path), known);
	(void)str_copy(s->path, sizeof(s->path), known);
	(void)str_copy(s->path + strlen(known), sizeof(SUFFIX), SUFFIX);
	str_escape(s->known_name, sizeof(s->known_name), s->known_path);
	str_escape(s->name, sizeof(s->name), s->path);
	base = strrchr(s->path, '/');
	base = base != NULL ? base + 1 : s->path;
	(void)str_copy(s->remark, sizeof(s->remark), "decisions: ");
	str_escape(s->remark + strlen(s->remark),
	    sizeof(s->remark) - strlen(s->remark), base);
	return RK_OK;
}

static bool
is_there(const struct rk_store *s, const char *suffix)
{
	char path[PATH_MAX];
	size_t len = strlen(s->path);
	struct stat st;

	(void)str_copy(path, sizeof(path), s->path);
	(void)str_copy(path + len, sizeof(path) - len, suffix);
	return lstat(path, &st) == 0 || errno != ENOENT;
}

/* Its file, and what belongs to it, are ours alone.  Never by a descriptor:
 * closing one would drop the locks that SQLite has on it. */
static enum rk_err
check_file(
    struct rk_store *s, const char *suffix, struct stat *st, struct rk_error *e)
{
	char path[PATH_MAX];
	char name[STORE_NAME_TEXT];
	size_t len = strlen(s->path);

	(void)str_copy(path, sizeof(path), s->path);
	(void)str_copy(path + len, sizeof(path) - len, suffix);
	if (lstat(path, st) != 0)
		return errno == ENOENT && suffix[0] != '\0'
		           ? RK_OK
		           : fs_fail(e, errno, path);
	str_escape(name, sizeof(name), path);
	if (!S_ISREG(st->st_mode) || st->st_nlink != 1)
		return err_set(
		    e, RK_EMODE, "%s: not a regular file with one name", name);
	if (st->st_uid != geteuid())
		return err_set(
		    e, RK_EMODE, "%s: belongs to another user", name);
	if ((st->st_mode & 077) != 0 || (st->st_mode & S_IWUSR) == 0)
		return err_set(e, RK_EMODE,
		    "%s: must be for its owner to read and write, and for "
		    "nobody else: chmod 600 %s",
		    name, name);
	if (suffix[0] == '\0' && st->st_size == 0)
		return err_set(
		    e, RK_EDAMAGED, "%s: is damaged: it is empty", name);
	return RK_OK;
}

static enum rk_err
check_files(struct rk_store *s, struct stat *st, struct rk_error *err)
{
	static const char *const others[] = { "-wal", "-shm", "-journal" };
	struct stat other;
	size_t i;
	enum rk_err r;

	r = check_file(s, "", st, err);
	for (i = 0; i < sizeof(others) / sizeof(others[0]) && r == RK_OK; i++)
		r = check_file(s, others[i], &other, err);
	return r;
}

/* Another may be making it too. */
static enum rk_err
made(enum rk_err r, struct rk_error *err)
{
	if (r != RK_EEXIST)
		return r;
	err_clear(err);
	return RK_OK;
}

/* There is no database: may there be a new one? */
static enum rk_err
make_new(struct rk_store *s, bool file, unsigned remark, bool make,
    struct rk_error *e)
{
	enum rk_err r;

	if (remark != 0)
		return err_set(e, RK_EIO,
		    "%s: was there and is gone; bring it back, or begin anew "
		    "by taking line %u out of %s",
		    s->name, remark, s->known_name);
	if (is_there(s, "-wal"))
		return err_set(e, RK_EIO,
		    "%s: is gone, but its log is there; bring it back",
		    s->name);
	if (!make)
		return err_set(e, RK_ENOENT, "%s: no such file",
		    file ? s->name : s->known_name);
	if (!file) {
		r = fs_write_file(s->known_path, KNOWN_FIRST_LINE,
		    sizeof(KNOWN_FIRST_LINE) - 1, 0600, false, e);
		if ((r = made(r, e)) != RK_OK)
			return r;
	}
	return made(store_db_make(s, e), e);
}

static enum rk_err
prepare(struct rk_store *s, bool make, struct rk_error *err)
{
	struct known known;
	struct buf text;
	bool file;
	bool database;
	unsigned remark;
	enum rk_err r;

	buf_init(&text, KNOWN_FILE_MAX);
	if ((r = known_read_text(s->known_path, (unsigned)s->wait_ms, &known,
	         &text, err)) != RK_OK)
		goto out;
	file = known.state != RK_TRUST_ABSENT;
	database = is_there(s, "");
	remark = known_find_remark(&text, s->remark);
	if (!database)
		r = make_new(s, file, remark, make, err);
	else if (!file)
		r = err_set(err, RK_EIO,
		    "%s: is gone, but %s is there; bring it back",
		    s->known_name, s->name);
	known_fini(&known);
out:
	buf_fini(&text);
	return r;
}

static void
close_db(struct rk_store *s)
{
	if (s->ask_version != NULL)
		store_db_done(s, s->ask_version);
	s->ask_version = NULL;
	store_db_forget(s);
	/* Fails only with statements left, and there are none. */
	if (s->db != NULL)
		(void)sqlite3_close(s->db);
	s->db = NULL;
}

static enum rk_err
open_once(struct rk_store *s, const char *vfs, struct rk_error *err)
{
	struct stat before;
	enum rk_err r;

	if ((r = check_files(s, &before, err)) != RK_OK)
		return r;
	if ((r = store_db_open(s, vfs, err)) != RK_OK)
		return r;
	if ((r = check_files(s, &s->st, err)) != RK_OK)
		return r;
	if (before.st_dev != s->st.st_dev || before.st_ino != s->st.st_ino)
		return err_set(
		    err, RK_EIO, "%s: was replaced while opened", s->name);
	if ((r = known_remark(
	         s->known_path, s->remark, (unsigned)s->wait_ms, err)) != RK_OK)
		return r;
	return store_refresh(s, err);
}

/* Others who begin, or end, lock the database in ways for which SQLite does not
 * wait. */
static enum rk_err
open_all(struct rk_store *s, const char *vfs, bool make, struct rk_error *err)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	const uint64_t end = mono_ms() + (uint64_t)s->wait_ms;
	enum rk_err r;

	if ((r = prepare(s, make, err)) != RK_OK)
		return r;
	while ((r = open_once(s, vfs, err)) == RK_EBUSY && mono_ms() < end) {
		close_db(s);
		err_clear(err);
		(void)nanosleep(&nap, NULL);
	}
	return r;
}

/* ---- the handle ---- */

static void
free_store(struct rk_store *s)
{
	close_db(s);
	store_mem_fini(s);
	pace_fini(&s->pace);
	(void)pthread_mutex_destroy(&s->mutex);
	free(s);
}

static enum rk_err
open_within(int wait_ms, const char *vfs, const char *known, bool make,
    struct rk_store **out, struct rk_error *err)
{
	struct rk_store *s;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	/* Cannot fail with default attributes. */
	(void)pthread_mutex_init(&s->mutex, NULL);
	s->clock = system_clock;
	s->wait_ms = wait_ms;
	s->stale = true;
	s->hold.fd = s->hold.out = -1;
	buf_init(&s->text, KNOWN_FILE_MAX);
	if ((r = pace_init(&s->pace, RK_TRUST_NEW_KEYS)) != RK_OK)
		r = err_set(err, r, "out of memory");
	if (r != RK_OK || (r = set_paths(s, known, err)) != RK_OK ||
	    (r = open_all(s, vfs, make, err)) != RK_OK) {
		free_store(s);
		return r;
	}
	s->unhidden_all = true; /* if another program could not do it */
	s->wait_ms = RK_STORE_WAIT_MS;
	store_hurry(s, STORE_PATIENT);
	*out = s;
	return RK_OK;
}

enum rk_err
store_open_on(const char *vfs, const char *known, bool make,
    struct rk_store **out, struct rk_error *err)
{
	return open_within(RK_STORE_WAIT_MS, vfs, known, make, out, err);
}

enum rk_err
store_try_open(
    const char *known, bool make, struct rk_store **out, struct rk_error *err)
{
	return open_within(STORE_TRY_MS, NULL, known, make, out, err);
}

enum rk_err
rk_store_open(
    const char *known, bool make, struct rk_store **out, struct rk_error *err)
{
	return store_open_on(NULL, known, make, out, err);
}

enum rk_err
rk_store_limit(struct rk_store *s, unsigned new_keys_per_minute)
{
	struct pace pace;
	enum rk_err r;

	if ((r = pace_init(&pace, new_keys_per_minute)) != RK_OK)
		return r;
	(void)pthread_mutex_lock(&s->mutex);
	pace_follow(&pace, &s->pace);
	pace_fini(&s->pace);
	s->pace = pace;
	(void)pthread_mutex_unlock(&s->mutex);
	return RK_OK;
}

enum rk_err
rk_store_flush(struct rk_store *s, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	(void)pthread_mutex_lock(&s->mutex);
	if ((r = store_refresh(s, err)) == RK_OK)
		r = store_settle_all(s, err);
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

void
rk_store_close(struct rk_store *s)
{
	struct rk_error err;

	if (s == NULL)
		return;
	store_on_loop(s, false);
	if ((s->unwritten > 0 || s->mode[0] != '\0') &&
	    rk_store_flush(s, &err) != RK_OK)
		log_event(
		    RK_LOG_WARN, "trust", "counts are lost: %s", err.text);
	free_store(s);
}
