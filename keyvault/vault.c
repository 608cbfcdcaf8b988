/* The vault opened and unlocked; which files are there, and are they safe. */
#include "vault_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/sql.h"
#include "base/str.h"

static int64_t
system_clock(void)
{
	return (int64_t)time(NULL);
}

enum rk_err
vault_check_clock(const struct vault *v, struct rk_error *err)
{
	return v->clock() >= 0
	           ? RK_OK
	           : err_set(err, RK_EFAIL,
	                 "%s: the clock is before 1970: set it", v->name);
}

/* ---- files ---- */

static void
folder_of(const char *path, char out[PATH_MAX])
{
	char *slash;

	(void)str_copy(out, PATH_MAX, path);
	slash = strrchr(out, '/');
	if (slash == NULL)
		(void)str_copy(out, PATH_MAX, ".");
	else if (slash == out)
		out[1] = '\0';
	else
		*slash = '\0';
}

/* Whoever can write there can put another file in the vault's place. */
static enum rk_err
check_folder(const char *path, struct rk_error *err)
{
	char folder[PATH_MAX];
	char name[VAULT_NAME_TEXT];
	struct stat st;

	folder_of(path, folder);
	str_escape(name, sizeof(name), folder);
	if (stat(folder, &st) != 0)
		return fs_fail(err, errno, folder);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return err_set(err, RK_EMODE,
		    "%s: is no folder of ours; a vault is in one of its "
		    "owner's",
		    name);
	if ((st.st_mode & 077) != 0)
		return err_set(err, RK_EMODE,
		    "%s: is open to others, a vault's folder must not be: "
		    "chmod 700 %s, or take one that is for it alone",
		    name, name);
	return RK_OK;
}

/* Never by a descriptor: closing one would drop the locks that SQLite has. */
static enum rk_err
check_file(const char *path, const char *suffix, struct rk_error *e)
{
	char full[PATH_MAX];
	char name[VAULT_NAME_TEXT];
	struct stat st;

	if (snprintf(full, sizeof(full), "%s%s", path, suffix) >=
	    (int)sizeof(full))
		return err_set(e, RK_EINVAL, "the vault's path is too long");
	if (lstat(full, &st) != 0)
		return errno == ENOENT && suffix[0] != '\0'
		           ? RK_OK
		           : fs_fail(e, errno, full);
	str_escape(name, sizeof(name), full);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_set(
		    e, RK_EMODE, "%s: not a regular file with one name", name);
	if (st.st_uid != geteuid())
		return err_set(
		    e, RK_EMODE, "%s: belongs to another user", name);
	if ((st.st_mode & 077) != 0 || (st.st_mode & S_IWUSR) == 0)
		return err_set(e, RK_EMODE,
		    "%s: must be for its owner to read and write, and for "
		    "nobody else: chmod 600 %s",
		    name, name);
	if (suffix[0] == '\0' && st.st_size == 0)
		return err_set(
		    e, RK_EDAMAGED, "%s: is damaged: it is empty", name);
	return RK_OK;
}

enum rk_err
vault_check_files(const char *path, struct rk_error *err)
{
	static const char *const suffixes[] = { "", "-wal", "-shm",
		"-journal" };
	enum rk_err r;

	if ((r = check_folder(path, err)) != RK_OK)
		return r;
	for (size_t i = 0; i < 4 && r == RK_OK; i++)
		r = check_file(path, suffixes[i], err);
	return r;
}

/* ---- the handle ---- */

static enum rk_err
new_handle(const char *path, struct vault **out, struct rk_error *err)
{
	struct vault *v;

	*out = NULL;
	/* Room for what SQLite puts behind: "-journal". */
	if (path[0] == '\0' || strlen(path) + 16 > PATH_MAX)
		return err_set(
		    err, RK_EINVAL, "the vault's path is empty or too long");
	if ((v = calloc(1, sizeof(*v))) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	(void)str_copy(v->path, sizeof(v->path), path);
	str_escape(v->name, sizeof(v->name), path);
	v->clock = system_clock;
	v->stale = true;
	v->patience = VAULT_WAIT_MS;
	*out = v;
	return RK_OK;
}

void
vault_close(struct vault *v)
{
	if (v == NULL)
		return;
	vault_cancel(v);
	vault_lock(v);
	vault_db_close(v);
	free(v);
}

/* The head, the first line of the log, and the manifest over both. */
static enum rk_err
fill(struct vault *v, const struct vault_setup *setup,
    const struct rk_secret *pass, struct rk_error *err)
{
	enum rk_err r;

	if ((r = vault_check_clock(v, err)) != RK_OK)
		return r;
	v->head.created = v->clock();
	v->head.hidden = setup->hide;
	v->head.key_number = 1;
	rk_random(v->head.id, sizeof(v->head.id));
	if ((r = rk_secret_new(VAULT_KEY_LEN, &v->key)) != RK_OK)
		return err_set(err, r, "%s: out of memory", v->name);
	rk_random(rk_secret_data(v->key), VAULT_KEY_LEN);
	if ((r = vault_wrap(&v->head, &setup->kdf, pass, v->key)) != RK_OK ||
	    (r = vault_derive(v->head.id, v->key, &v->derived)) != RK_OK)
		return err_set(err, r, "%s: %s", v->name, rk_err_text(r));
	if ((r = vault_head_write(v, true, err)) != RK_OK)
		return r;
	v->stale = false;
	v->writing = true;
	if ((r = vault_log(v, VAULT_ACT_INIT, "", NULL, err)) != RK_OK)
		return r;
	v->head.generation = 1;
	vault_manifest(&v->head, vault_keys(v), NULL, 0, v->line_id, v->chain,
	    v->head.manifest);
	return vault_head_write(v, false, err);
}

enum rk_err
vault_make_folder(const char *path, struct rk_error *err)
{
	char folder[PATH_MAX];
	enum rk_err r;

	folder_of(path, folder);
	if ((r = fs_make_dir(folder, 0700, err)) != RK_OK)
		return r;
	return check_folder(path, err);
}

enum rk_err
vault_make(const char *path, const struct vault_setup *setup,
    const struct rk_secret *pass, struct rk_error *err)
{
	struct vault *v = NULL;
	struct stat st;
	enum rk_err r;

	err_clear(err);
	if ((r = new_handle(path, &v, err)) != RK_OK)
		return r;
	if ((r = kdf_check(&setup->kdf)) != RK_OK) {
		r = err_set(
		    err, r, "%s: more work or memory than allowed", v->name);
		goto out;
	}
	if ((r = vault_make_folder(path, err)) != RK_OK)
		goto out;
	/* Before the work; the file is not replaced in any case. */
	if (lstat(path, &st) == 0) {
		r = err_set(err, RK_EEXIST, "%s: is there already", v->name);
		goto out;
	}
	if ((r = vault_db_fresh(v, &vault_forms, err)) != RK_OK ||
	    (r = fill(v, setup, pass, err)) != RK_OK)
		goto out;
	r = vault_db_save(v, path, err);
out:
	if (v != NULL)
		v->writing = false;
	vault_close(v);
	return r;
}

enum rk_err
vault_open_on(
    const char *vfs, const char *path, struct vault **out, struct rk_error *err)
{
	struct vault *v = NULL;
	struct stat st;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if ((r = new_handle(path, &v, err)) != RK_OK)
		return r;
	/* Before it is opened: what is there later is compared with it. */
	if (lstat(path, &st) == 0) {
		v->dev = st.st_dev;
		v->ino = st.st_ino;
	}
	if ((r = vault_check_files(path, err)) == RK_OK &&
	    (r = vault_db_open(v, vfs, &vault_forms, err)) == RK_OK &&
	    (r = vault_check_files(path, err)) == RK_OK &&
	    (r = vault_head_read(v, err)) == RK_OK) {
		v->wal = vault_wal_file(v);
		*out = v;
		return RK_OK;
	}
	vault_close(v);
	return r;
}

/* What is in a log beside the file would be missed. */
enum rk_err
vault_no_log(struct vault *v, struct rk_error *err)
{
	static const char *const suffixes[] = { "-wal", "-journal" };
	char log[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		if (snprintf(log, sizeof(log), "%s%s", v->path, suffixes[i]) >=
		        (int)sizeof(log) ||
		    lstat(log, &st) != 0 || st.st_size == 0)
			continue;
		return err_set(err, RK_EIO,
		    "%s: has a log beside it, and cannot be written: put both "
		    "where they can",
		    v->name);
	}
	return RK_OK;
}

void
vault_progress(struct vault *v, vault_progress_fn *fn, void *arg)
{
	v->progress = fn;
	v->progress_arg = arg;
}

void
vault_at(const struct vault *v, uint64_t done, uint64_t of)
{
	if (v->progress != NULL)
		v->progress(done, of, v->progress_arg);
}

enum rk_err
vault_open_copy(const char *path, struct vault **out, struct rk_error *err)
{
	struct vault *v = NULL;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if ((r = new_handle(path, &v, err)) != RK_OK)
		return r;
	v->copy = true;
	if ((r = vault_no_log(v, err)) == RK_OK &&
	    (r = vault_db_take(v, &vault_forms, err)) == RK_OK &&
	    (r = vault_head_read(v, err)) == RK_OK) {
		*out = v;
		return RK_OK;
	}
	vault_close(v);
	return r;
}

bool
vault_is_shut_in(const char *path, const struct rk_error *err)
{
	char folder[PATH_MAX];

	if (err->sys == ENOSPC || err->sys == EDQUOT)
		return true;
	folder_of(path, folder);
	return err->code == RK_EIO && access(folder, W_OK) != 0 &&
	       errno == EACCES;
}

enum rk_err
vault_open_full(const char *path, struct vault **out, struct rk_error *err)
{
	const struct rk_error why = *err;
	struct vault *v = NULL;
	struct rk_error own;
	enum rk_err r;

	*out = NULL;
	if ((r = new_handle(path, &v, &own)) != RK_OK)
		return r;
	v->copy = true;
	v->why = why;
	if ((r = vault_check_files(path, &own)) == RK_OK &&
	    (r = vault_db_take_alone(v, &vault_forms, &own)) == RK_OK &&
	    (r = vault_head_read(v, &own)) == RK_OK) {
		err_clear(err);
		*out = v;
		return RK_OK;
	}
	vault_close(v);
	return err_set(err, why.code, "%s; and %s", why.text, own.text);
}

enum rk_err
vault_open(const char *path, struct vault **out, struct rk_error *err)
{
	if (access(path, W_OK) != 0 && errno == EROFS)
		return vault_open_copy(path, out, err);
	return vault_open_on(NULL, path, out, err);
}

enum rk_err
vault_inspect(struct vault *v, struct vault_info *out, struct rk_error *err)
{
	enum rk_err r;

	memset(out, 0, sizeof(*out));
	if ((r = vault_read_begin(v, err)) != RK_OK)
		return r;
	if ((r = vault_head_read(v, err)) != RK_OK)
		goto out;
	memcpy(out->id, v->head.id, VAULT_ID_LEN);
	out->created = v->head.created;
	out->hidden = v->head.hidden;
	out->unlocked = v->key != NULL;
	out->key_number = v->head.key_number;
	out->generation = v->head.generation;
	out->kdf = v->head.kdf;
out:
	vault_read_end(v);
	return r;
}

enum rk_err
vault_count(struct vault *v, uint64_t *out, struct rk_error *err)
{
	int64_t n;
	int rc;
	enum rk_err r;

	*out = 0;
	if ((r = vault_read_begin(v, err)) != RK_OK)
		return r;
	rc = sql_number(v->db, "SELECT count(*) FROM records NOT INDEXED", &n);
	if (rc != SQLITE_OK)
		r = vault_db_fail(v, rc, err);
	else
		*out = (uint64_t)n;
	vault_read_end(v);
	return r;
}

bool
vault_failed(const struct vault *v)
{
	return v->failed;
}

/* ---- keys ---- */

const struct keys *
vault_keys(const struct vault *v)
{
	return v->derived == NULL
	           ? NULL
	           : (const struct keys *)(const void *)rk_secret_peek(
	                 v->derived);
}

const struct rk_secret *
vault_key(const struct vault *v)
{
	return v->key;
}

void
vault_lock(struct vault *v)
{
	rk_secret_free(v->key);
	rk_secret_free(v->derived);
	rk_secret_free(v->spare_key);
	rk_secret_free(v->spare_derived);
	v->key = NULL;
	v->derived = NULL;
	v->spare_key = NULL;
	v->spare_derived = NULL;
	if (v->macs != NULL)
		rk_wipe(v->macs, v->n_macs * sizeof(*v->macs));
	free(v->macs);
	v->macs = NULL;
	v->n_macs = 0;
	v->macs_cap = 0;
	v->stale = true;
}

/* With v->key set: is everything what was sealed? */
static enum rk_err
enter(struct vault *v, struct rk_error *err)
{
	enum rk_err r;

	r = vault_derive(v->head.id, v->key, &v->derived);
	if (r != RK_OK)
		r = err_set(err, r, "%s: out of memory", v->name);
	else if ((r = vault_read_begin(v, err)) == RK_OK)
		vault_read_end(v);
	if (r != RK_OK)
		vault_lock(v);
	return r;
}

enum rk_err
vault_unlock(
    struct vault *v, const struct rk_secret *pass, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	vault_lock(v);
	if ((r = vault_head_read(v, err)) != RK_OK)
		return r;
	r = vault_unwrap(&v->head, pass, &v->key);
	if (r == RK_OK)
		return enter(v, err);
	if (r == RK_ETAMPERED)
		return err_set(err, r,
		    "%s: was tampered with: its head was not written with "
		    "this passphrase",
		    v->name);
	return err_set(err, r, "%s: %s", v->name, rk_err_text(r));
}

enum rk_err
vault_unlock_with(
    struct vault *v, const struct rk_secret *key, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	vault_lock(v);
	if ((r = vault_head_read(v, err)) != RK_OK)
		return r;
	if (rk_secret_len(key) != VAULT_KEY_LEN)
		return err_set(
		    err, RK_EINVAL, "%s: a key has 32 bytes", v->name);
	r = rk_secret_copy(rk_secret_peek(key), VAULT_KEY_LEN, &v->key);
	return r == RK_OK ? enter(v, err)
	                  : err_set(err, r, "%s: out of memory", v->name);
}

enum rk_err
vault_require_unlocked(struct vault *v, struct rk_error *err)
{
	return v->key != NULL
	           ? RK_OK
	           : err_set(err, RK_ESTATE, "%s: is locked", v->name);
}
