/* Vaults on a disk that is full or broken, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "failvfs.h"
#include "keyvault/vault_int.h"
#include "scratch.h"
#include "vaultrig.h"

static void
assert_open(enum rk_err want, const char *words)
{
	struct vault *v = NULL;
	struct rk_error err;

	assert_int_equal(vault_open(VAULTRIG_FILE, &v, &err), want);
	assert_null(v);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void
test_modes(void **state)
{
	(void)state;
	assert_open(RK_ENOENT, "v");
	vaultrig_make(false);
	assert_int_equal(chmod(VAULTRIG_FILE, 0640), 0);
	assert_open(RK_EMODE, "chmod 600");
	assert_int_equal(chmod(VAULTRIG_FILE, 0400), 0);
	assert_open(RK_EMODE, "chmod 600");
	assert_int_equal(chmod(VAULTRIG_FILE, 0600), 0);
	assert_int_equal(chmod("v", 0755), 0);
	assert_open(RK_EMODE, "chmod 700");
	assert_int_equal(chmod("v", 0700), 0);
	assert_int_equal(link(VAULTRIG_FILE, "v/second"), 0);
	assert_open(RK_EMODE, "one name");
	assert_int_equal(unlink("v/second"), 0);
	assert_int_equal(rename(VAULTRIG_FILE, "v/real"), 0);
	assert_open(RK_ENOENT, VAULTRIG_FILE);
	assert_int_equal(symlink("real", VAULTRIG_FILE), 0);
	assert_open(RK_EMODE, "not a regular file");
	assert_int_equal(unlink(VAULTRIG_FILE), 0);
	assert_int_equal(mkfifo(VAULTRIG_FILE, 0600), 0);
	assert_open(RK_EMODE, "not a regular file");
	assert_int_equal(unlink(VAULTRIG_FILE), 0);
	assert_int_equal(rename("v/real", VAULTRIG_FILE), 0);
	scratch_make(VAULTRIG_FILE "-wal", "", 0644);
	assert_open(RK_EMODE, "-wal");
}

static void
test_no_vault(void **state)
{
	static const char text[] = "SQLite format 3";
	struct rk_error err;
	struct vault *v = NULL;

	(void)state;
	assert_int_equal(mkdir("v", 0700), 0);
	scratch_make(VAULTRIG_FILE, "", 0600);
	assert_open(RK_EDAMAGED, "is empty");
	scratch_make(VAULTRIG_FILE, "not a database, but long enough", 0600);
	assert_open(RK_EDAMAGED, "not a vault");
	scratch_make(VAULTRIG_FILE, text, 0600);
	assert_open(RK_EDAMAGED, "not a vault");
	assert_int_equal(remove(VAULTRIG_FILE), 0);
	vaultrig_sql("CREATE TABLE x (y)");
	assert_int_equal(chmod(VAULTRIG_FILE, 0600), 0);
	assert_open(RK_EDAMAGED, "another program");
	assert_int_equal(vault_open("", &v, &err), RK_EINVAL);
}

/* Opened, unlocked and listed, whatever is in it. */
static void
try_file(void)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct rk_secret *secret = NULL;
	struct vault *v = NULL;
	struct record rec;
	struct rk_error err;
	enum rk_err r;

	if ((r = vault_open(VAULTRIG_FILE, &v, &err)) == RK_OK) {
		r = vault_find(v, "a", &rec, &err);
		assert_int_equal(r == RK_OK, err.code == RK_OK);
		r = vault_unlock(v, pass, &err);
	}
	if (r == RK_OK)
		r = vault_secret(v, "a", &rec, &secret, &err);
	/* What opens is what was there. */
	if (r == RK_OK)
		assert_int_equal(rk_secret_peek(secret)[31], 1);
	else if (r != RK_EDAMAGED && r != RK_ETAMPERED && r != RK_EPASS &&
	         r != RK_ELIMIT && r != RK_EUNSUPPORTED && r != RK_EIO)
		fail_msg("%s", err.text);
	vault_close(v);
	rk_secret_free(secret);
	rk_secret_free(pass);
}

static void
test_bits(void **state)
{
	static uint8_t bytes[1 << 16];
	struct vault *v;
	FILE *f;
	size_t len;

	(void)state;
	vaultrig_make(false);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_ED25519, 1);
	vault_close(v);
	f = fopen(VAULTRIG_FILE, "rb");
	assert_non_null(f);
	len = fread(bytes, 1, sizeof(bytes), f);
	assert_int_equal(fclose(f), 0);
	/* The first page's head byte by byte, the rest in steps. */
	for (size_t i = 0; i < len; i += i < 120 ? 1 : 61) {
		bytes[i] ^= 0x11;
		f = fopen(VAULTRIG_FILE, "wb");
		assert_non_null(f);
		assert_int_equal(fwrite(bytes, 1, len, f), len);
		assert_int_equal(fclose(f), 0);
		bytes[i] ^= 0x11;
		try_file();
		(void)remove(VAULTRIG_FILE "-wal");
		(void)remove(VAULTRIG_FILE "-shm");
		(void)remove(VAULTRIG_FILE "-journal");
	}
	for (size_t i = 1; i < len; i += 509) {
		f = fopen(VAULTRIG_FILE, "wb");
		assert_non_null(f);
		assert_int_equal(fwrite(bytes, 1, i, f), i);
		assert_int_equal(fclose(f), 0);
		try_file();
	}
}

/* ---- a disk that fails ---- */

static struct vault *
unlocked_on_failing(void)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = NULL;
	struct rk_error err;

	if (vault_open_on(FAILVFS_NAME, VAULTRIG_FILE, &v, &err) != RK_OK ||
	    vault_unlock(v, pass, &err) != RK_OK)
		fail_msg("%s", err.text);
	rk_secret_free(pass);
	return v;
}

static enum rk_err
add(struct vault *v, const char *name, struct rk_error *err)
{
	struct record rec = { .kind = RECORD_SECRET };
	struct rk_secret *secret = vaultrig_secret("s");
	enum rk_err r;

	(void)snprintf(rec.name, sizeof(rec.name), "%s", name);
	if ((r = vault_begin(v, err)) == RK_OK)
		r = vault_add(v, &rec, secret, VAULT_ACT_NEW, err);
	if (r == RK_OK)
		r = vault_commit(v, err);
	vault_cancel(v);
	rk_secret_free(secret);
	return r;
}

static bool
count(const struct record *rec, void *arg)
{
	(void)rec;
	++*(unsigned *)arg;
	return true;
}

/* How many are in the file; all of them are whole. */
static unsigned
records(void)
{
	struct vault *v = vaultrig_unlocked();
	struct rk_error err;
	unsigned n = 0;

	vaultrig_holds(v, "a", 1);
	assert_int_equal(vault_list(v, count, &n, &err), RK_OK);
	vault_close(v);
	return n;
}

static void
fail_each(int code, const char *words)
{
	struct vault *v;
	struct rk_error err;
	char name[32];
	unsigned before;
	bool failed = true;
	enum rk_err r;

	for (int n = 0; failed; n++) {
		assert_in_range(n, 0, 500);
		before = records();
		v = unlocked_on_failing();
		(void)snprintf(name, sizeof(name), "%d-%d", code, n);
		failvfs_set(n, code);
		r = add(v, name, &err);
		failed = failvfs_count() > n;
		if (r != RK_OK) {
			assert_int_equal(r, RK_EIO);
			if (strstr(err.text, words) == NULL)
				fail_msg("\"%s\"", err.text);
			/* Not tried again, whatever the disk would say. */
			failvfs_set(-1, 0);
			assert_int_equal(add(v, "again", &err), RK_EIO);
			assert_non_null(strstr(err.text, "failed before"));
		}
		failvfs_set(-1, 0);
		vault_close(v);
		/* Acknowledged or not there. */
		assert_int_equal(records(), before + (r == RK_OK));
	}
}

static void
test_full(void **state)
{
	struct vault *v;

	(void)state;
	failvfs_register();
	vaultrig_make(false);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_SECRET, 1);
	vault_close(v);
	fail_each(SQLITE_FULL, "no space left on the disk");
	fail_each(SQLITE_IOERR, "input or output failed");
}

/* Read whole, where nobody can be writing; else the first error stays. */
static void
test_full_is_read(void **state)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct rk_error err;
	struct vault *v;
	unsigned n = 0;
	int gone[2], ready[2];
	char byte;
	pid_t pid;

	(void)state;
	vaultrig_make(false);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_SECRET, 1);
	vault_close(v);
	err_set(&err, RK_EIO, "it is full");
	assert_int_equal(vault_open_full(VAULTRIG_FILE, &v, &err), RK_OK);
	assert_int_equal(vault_unlock(v, pass, &err), RK_OK);
	vaultrig_holds(v, "a", 1);
	assert_int_equal(vault_list(v, count, &n, &err), RK_OK);
	assert_int_equal(n, 1);
	assert_int_equal(add(v, "b", &err), RK_EIO);
	assert_string_equal(err.text, "it is full");
	assert_int_equal(vault_settle(v, &err), RK_OK);
	vault_close(v);
	/* Somebody has it open. */
	assert_int_equal(pipe(gone), 0);
	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		(void)close(gone[1]);
		if (vault_open(VAULTRIG_FILE, &v, NULL) != RK_OK ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(gone[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_true(pid > 0);
	(void)close(gone[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	err_set(&err, RK_EIO, "it is full");
	assert_int_equal(vault_open_full(VAULTRIG_FILE, &v, &err), RK_EIO);
	assert_null(v);
	assert_non_null(strstr(err.text, "it is full; and "));
	assert_non_null(strstr(err.text, "open elsewhere"));
	(void)close(gone[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(ready[0]);
	(void)close(ready[1]);
	/* Nobody, but there is something in a log. */
	(void)remove(VAULTRIG_FILE "-shm");
	(void)remove(VAULTRIG_FILE "-wal");
	scratch_make(VAULTRIG_FILE "-wal", "x", 0600);
	err_set(&err, RK_EIO, "it is full");
	assert_int_equal(vault_open_full(VAULTRIG_FILE, &v, &err), RK_EIO);
	assert_non_null(strstr(err.text, "has a log beside it"));
	rk_secret_free(pass);
}

/* Another that reads it whole, or looks whether it can, does so for a moment.
 */
static void
test_full_is_read_in_turn(void **state)
{
	const struct timespec moment = { .tv_nsec = 200 * 1000 * 1000 };
	struct rk_error err;
	struct vault *v;
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	vaultrig_make(false);
	assert_int_equal(pipe(ready), 0);
	for (int i = 0; i < 2; i++) {
		struct flock lock = {
			.l_type = i == 0 ? F_WRLCK : F_RDLCK,
			.l_whence = SEEK_SET,
			.l_start = 0x40000002, /* what SQLite locks for all */
			.l_len = 510,
		};

		if ((pid = fork()) == 0) {
			int fd = open(VAULTRIG_FILE, O_RDWR);

			if (fcntl(fd, F_SETLK, &lock) != 0 ||
			    write(ready[1], "", 1) != 1)
				_exit(1);
			_exit(nanosleep(&moment, NULL) == 0 ? 0 : 1);
		}
		assert_true(pid > 0);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		err_set(&err, RK_EIO, "it is full");
		assert_int_equal(
		    vault_open_full(VAULTRIG_FILE, &v, &err), RK_OK);
		vault_close(v);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	(void)close(ready[0]);
	(void)close(ready[1]);
}

/* Acknowledged it is, in the log beside the file; that the file does not take
 * it is told, and not tried again. */
static void
test_settle_fails(void **state)
{
	struct vault *v;
	struct rk_error err;
	char name[32];
	bool failed = true;
	unsigned before;

	(void)state;
	failvfs_register();
	vaultrig_make(false);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_SECRET, 1);
	vault_close(v);
	for (int n = 0; failed; n++) {
		assert_in_range(n, 0, 500);
		before = records();
		v = unlocked_on_failing();
		(void)snprintf(name, sizeof(name), "n-%d", n);
		failvfs_spare_log(true);
		failvfs_set(n, SQLITE_IOERR);
		assert_int_equal(add(v, name, &err), RK_OK);
		failed = vault_settle(v, &err) != RK_OK;
		if (failed) {
			assert_int_equal(err.code, RK_EIO);
			assert_non_null(strstr(err.text, "-wal, which has"));
			assert_true(vault_failed(v));
			failvfs_set(1 << 20, SQLITE_IOERR);
			assert_int_equal(add(v, "more", &err), RK_EIO);
			assert_int_equal(vault_settle(v, &err), RK_EIO);
		}
		vault_close(v);
		if (failed)
			assert_int_equal(failvfs_count(), 0);
		failvfs_set(-1, 0);
		failvfs_spare_log(false);
		assert_int_equal(records(), before + 1);
	}
}

/* Also where nobody asks for it, when the log is long. */
static void
test_long_log(void **state)
{
	struct rk_error err;
	struct vault *v;
	char name[32];
	unsigned n = 0;
	enum rk_err r;

	(void)state;
	failvfs_register();
	vaultrig_make(false);
	v = unlocked_on_failing();
	failvfs_spare_log(true);
	failvfs_set(0, SQLITE_IOERR);
	do {
		(void)snprintf(name, sizeof(name), "n-%u", n);
		r = add(v, name, &err);
		n += r == RK_OK;
	} while (r == RK_OK && n < 1000);
	assert_int_equal(r, RK_EIO);
	assert_true(vault_failed(v));
	failvfs_set(-1, 0);
	failvfs_spare_log(false);
	vault_close(v);
	v = vaultrig_unlocked();
	(void)snprintf(name, sizeof(name), "n-%u", n - 1);
	assert_int_equal(
	    vault_find(v, name, &(struct record){ 0 }, &err), RK_OK);
	vault_close(v);
}

static void
test_busy(void **state)
{
	struct vault *a;
	struct vault *b;
	struct rk_error err;

	(void)state;
	vaultrig_make(false);
	a = vaultrig_unlocked();
	b = vaultrig_unlocked();
	assert_int_equal(vault_begin(a, &err), RK_OK);
	/* Without the wait, which is a person's. */
	(void)sqlite3_busy_timeout(b->db, 0);
	assert_int_equal(vault_begin(b, &err), RK_EBUSY);
	assert_non_null(strstr(err.text, "another process"));
	vault_cancel(a);
	assert_int_equal(vault_begin(b, &err), RK_OK);
	vault_close(b);
	vault_close(a);
}

static void
test_holder(void **state)
{
	struct vault *v;
	struct rk_error err;
	int ready[2];
	char byte = 0;
	pid_t pid;

	(void)state;
	vaultrig_make(false);
	assert_int_equal(vault_holder(VAULTRIG_FILE), 0);
	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		v = vaultrig_unlocked();
		if (vault_begin(v, &err) == RK_OK &&
		    write(ready[1], "x", 1) == 1)
			(void)pause();
		_exit(1);
	}
	assert_true(pid > 0);
	assert_int_equal(close(ready[1]), 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(vault_holder(VAULTRIG_FILE), pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(vault_holder(VAULTRIG_FILE), 0);
	assert_int_equal(close(ready[0]), 0);
}

static int64_t
long_ago(void)
{
	return 86400;
}

static void
test_clock_back(void **state)
{
	struct record rec;
	struct rk_error err;
	struct vault *v;

	(void)state;
	vaultrig_make(false);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_SECRET, 1);
	v->clock = long_ago;
	vaultrig_add(v, "b", RECORD_SECRET, 2);
	vault_close(v);
	v = vaultrig_unlocked();
	vaultrig_holds(v, "a", 1);
	vaultrig_holds(v, "b", 2);
	assert_int_equal(vault_find(v, "b", &rec, &err), RK_OK);
	assert_int_equal(rec.created, 86400);
	vault_close(v);
}

static int64_t
before_all(void)
{
	return -1;
}

static void
test_clock_before_1970(void **state)
{
	struct rk_error err;
	struct vault *v;

	(void)state;
	vaultrig_make(false);
	v = vaultrig_unlocked();
	v->clock = before_all;
	assert_int_equal(vault_begin(v, &err), RK_EFAIL);
	assert_non_null(strstr(err.text, "the clock is before 1970"));
	v->clock = long_ago;
	vaultrig_add(v, "a", RECORD_SECRET, 1);
	vault_close(v);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_modes),
		TEST(test_no_vault),
		TEST(test_bits),
		TEST(test_busy),
		TEST(test_holder),
		TEST(test_clock_back),
		TEST(test_clock_before_1970),
		/* The default of this process from then on. */
		TEST(test_full),
		TEST(test_full_is_read),
		TEST(test_full_is_read_in_turn),
		TEST(test_settle_fails),
		TEST(test_long_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
