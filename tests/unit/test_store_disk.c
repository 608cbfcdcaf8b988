/* The trust store on a disk that is full, broken, or somebody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "failvfs.h"
#include "scratch.h"
#include "storerig.h"
#include "trust/store.h"

static void
assert_refused(bool make, enum rk_err want, const char *words)
{
	struct rk_store *s = NULL;
	struct rk_error err;

	assert_int_equal(rk_store_open(STORERIG_FILE, make, &s, &err), want);
	assert_null(s);
	if (strstr(err.text, words) == NULL ||
	    strstr(err.text, STORERIG_FILE) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void
read_all(const char *path, struct buf *b)
{
	struct rk_error err;

	buf_init(b, 1 << 24);
	if (fs_read(path, FS_ANY, 1 << 24, b, &err) != RK_OK)
		fail_msg("%s", err.text);
}

static void
write_all(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, data, len), RK_OK);
	assert_int_equal(close(fd), 0);
}

/* Two are known, one waits, one is rejected. */
static void
make_store(void)
{
	struct rk_store *s = storerig_open();
	struct rk_peer peer;

	storerig_admit(s, 1, "a@x.example");
	storerig_admit(s, 2, "b@x.example");
	storerig_admit(s, 3, "c@x.example");
	(void)storerig_decide(s, RK_STORE_REJECT, 3);
	storerig_peer(&peer, 4, "d@x.example", "192.0.2.1");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	rk_store_close(s);
}

static void
assert_intact(void)
{
	struct rk_store *s = storerig_open();

	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	assert_int_equal(storerig_status(s, 3), RK_STATUS_REJECTED);
	assert_int_equal(storerig_status(s, 4), RK_STATUS_WAITING);
	rk_store_close(s);
}

/* ---- what is there, or is not ---- */

static void
test_made(void **state)
{
	struct stat st;

	(void)state;
	assert_refused(false, RK_ENOENT, "no such file");
	scratch_counts(0);
	make_store();
	scratch_counts(2); /* no log is left behind */
	assert_int_equal(stat(STORERIG_DB, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(STORERIG_FILE, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_intact();
}

static void
test_gone(void **state)
{
	(void)state;
	make_store();
	assert_int_equal(rename(STORERIG_DB, "away"), 0);
	assert_refused(true, RK_EIO, "was there and is gone");
	assert_refused(false, RK_EIO, "line 2 out of known");
	assert_int_equal(access(STORERIG_DB, F_OK), -1);
	assert_int_equal(rename("away", STORERIG_DB), 0);
	assert_int_equal(rename(STORERIG_FILE, "away"), 0);
	assert_refused(true, RK_EIO, "known: is gone");
	assert_int_equal(rename("away", STORERIG_FILE), 0);
	assert_intact();
	/* Only its log. */
	assert_int_equal(unlink(STORERIG_DB), 0);
	scratch_make(STORERIG_DB "-wal", "x", 0600);
	scratch_make("new", "", 0600);
	assert_int_equal(rename("new", STORERIG_FILE), 0);
	assert_refused(true, RK_EIO, "its log is there");
}

static void
test_unsafe(void **state)
{
	(void)state;
	make_store();
	assert_int_equal(chmod(STORERIG_DB, 0640), 0);
	assert_refused(true, RK_EMODE, "chmod 600 known.db");
	assert_int_equal(chmod(STORERIG_DB, 0400), 0);
	assert_refused(true, RK_EMODE, "chmod 600 known.db");
	assert_int_equal(chmod(STORERIG_DB, 0600), 0);
	assert_int_equal(rename(STORERIG_DB, "real"), 0);
	assert_int_equal(symlink("real", STORERIG_DB), 0);
	assert_refused(true, RK_EMODE, "not a regular file");
	assert_int_equal(unlink(STORERIG_DB), 0);
	assert_int_equal(link("real", STORERIG_DB), 0);
	assert_refused(true, RK_EMODE, "not a regular file");
	assert_int_equal(unlink("real"), 0);
	assert_int_equal(symlink("nowhere", STORERIG_DB "-wal"), 0);
	assert_refused(true, RK_EMODE, "known.db-wal");
	assert_int_equal(unlink(STORERIG_DB "-wal"), 0);
	assert_int_equal(chmod(".", 0777), 0);
	assert_refused(true, RK_EMODE, "others can replace");
	assert_int_equal(chmod(".", 0700), 0);
	assert_intact();
}

static void
test_while_open(void **state)
{
	struct rk_store *s;
	struct rk_store_seen seen;
	struct rk_peer peer;
	struct rk_error err;

	(void)state;
	make_store();
	s = storerig_open();
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.1");
	assert_int_equal(chmod(STORERIG_DB, 0644), 0);
	assert_int_equal(
	    rk_store_see(s, RK_MODE_ASK, &peer, &seen, &err), RK_EMODE);
	assert_int_equal(seen.verdict, RK_VERDICT_REFUSE);
	assert_int_equal(chmod(STORERIG_DB, 0600), 0);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(rename(STORERIG_DB, "away"), 0);
	assert_int_equal(
	    rk_store_see(s, RK_MODE_OFF, &peer, &seen, &err), RK_EIO);
	assert_non_null(strstr(err.text, "known.db: was there and is gone"));
	scratch_make(STORERIG_DB, "another", 0600);
	assert_int_equal(
	    rk_store_see(s, RK_MODE_OFF, &peer, &seen, &err), RK_EIO);
	assert_non_null(strstr(err.text, "known.db: was replaced"));
	assert_int_equal(unlink(STORERIG_DB), 0);
	assert_int_equal(rename("away", STORERIG_DB), 0);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	rk_store_close(s);
	assert_intact();
}

/* ---- what is in it ---- */

static void
edit(const char *sql)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	assert_int_equal(sqlite3_open(STORERIG_DB, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
test_foreign(void **state)
{
	static const char *const hostile[] = {
		"CREATE TRIGGER t AFTER INSERT ON keys BEGIN "
		"DELETE FROM keys; END",
		"CREATE VIEW v AS SELECT * FROM keys",
		"CREATE INDEX i ON keys (state)",
		"DROP TRIGGER audit_delete",
		"DROP TABLE audit",
		"ALTER TABLE keys ADD COLUMN more INT",
		"ALTER TABLE keys RENAME TO k; CREATE VIEW keys AS SELECT * "
		"FROM k",
		"CREATE VIRTUAL TABLE f USING fts5(x)",
		"PRAGMA user_version = 3",
		"PRAGMA user_version = 1",
		"DROP TABLE certs",
		"DROP TABLE lines",
		"DROP INDEX audit_pub",
		"PRAGMA application_id = 7",
	};
	struct buf good;
	struct buf kept;
	struct buf now;
	size_t i;

	(void)state;
	make_store();
	read_all(STORERIG_DB, &good);
	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		edit(hostile[i]);
		read_all(STORERIG_DB, &kept);
		assert_refused(true, RK_EDAMAGED, "is not a trust store");
		read_all(STORERIG_DB, &now);
		assert_int_equal(buf_len(&now), buf_len(&kept));
		assert_memory_equal(
		    buf_peek(&now), buf_peek(&kept), buf_len(&now));
		buf_fini(&kept);
		buf_fini(&now);
		write_all(STORERIG_DB, buf_peek(&good), buf_len(&good));
	}
	assert_intact();
	write_all(STORERIG_DB, "", 0);
	assert_refused(true, RK_EDAMAGED, "is empty");
	write_all(STORERIG_DB, "not a database, but long enough", 31);
	assert_refused(true, RK_EDAMAGED, "is not a trust store");
	buf_fini(&good);
}

static void
test_rows(void **state)
{
	static const char *const rows[] = {
		"UPDATE keys SET pub = randomblob(32)",
		"UPDATE keys SET email = zeroblob(10)",
		"UPDATE keys SET email = randomblob(300)",
		"UPDATE keys SET source = x'00'",
		"UPDATE keys SET addresses = x'310a320a330a340a35'",
		"UPDATE keys SET decided = -9223372036854775807",
		"UPDATE keys SET first_seen = -1",
		"UPDATE keys SET last_seen = -9223372036854775807",
		"UPDATE keys SET tries = -1",
		"UPDATE keys SET version = -1",
	};
	struct buf good;
	size_t i;

	(void)state;
	make_store();
	read_all(STORERIG_DB, &good);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		edit(rows[i]);
		assert_refused(true, RK_EDAMAGED, "a row is not what");
		write_all(STORERIG_DB, buf_peek(&good), buf_len(&good));
	}
	assert_intact();
	buf_fini(&good);
}

static bool
count_line(const struct rk_store_line *line, void *arg)
{
	(void)line;
	++*(unsigned *)arg;
	return true;
}

static void
test_audit_lines(void **state)
{
	struct rk_store *s;
	struct rk_error err;
	unsigned n = 0;

	(void)state;
	make_store();
	edit("INSERT INTO audit SELECT id + 99, act, time, who, what, pub, "
	     "email, ca, before, before_until, before_who, "
	     "-9223372036854775807, before_note, first_seen, after, note "
	     "FROM audit LIMIT 1");
	s = storerig_open();
	assert_int_equal(
	    rk_store_audit(s, 0, count_line, &n, &err), RK_EDAMAGED);
	assert_true(n > 0);
	rk_store_close(s);
}

static void
test_audit_stays(void **state)
{
	static const char *const statements[] = { "DELETE FROM audit",
		"UPDATE audit SET who = x'00'",
		"INSERT INTO audit SELECT * FROM audit",
		"INSERT INTO audit SELECT id - 9, act, time, who, what, pub, "
		"email, ca, before, before_until, before_who, before_decided, "
		"before_note, first_seen, after, note FROM audit" };
	sqlite3 *db = NULL;
	size_t i;

	(void)state;
	make_store();
	assert_int_equal(sqlite3_open(STORERIG_DB, &db), SQLITE_OK);
	for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		assert_int_equal(
		    sqlite3_exec(db, statements[i], NULL, NULL, NULL),
		    SQLITE_CONSTRAINT);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_intact();
}

static bool
take(const struct rk_store_entry *entry, void *arg)
{
	size_t *sum = arg;

	*sum += strlen(entry->email) + strlen(entry->note);
	return true;
}

/* Whatever is damaged, it is refused in words, or works. */
static void
try_damaged(void)
{
	struct rk_store *s = NULL;
	struct rk_store_seen seen;
	struct rk_error err;
	struct rk_peer peer;
	size_t sum = 0;

	err.text[0] = '\0';
	if (rk_store_open(STORERIG_FILE, true, &s, &err) == RK_OK) {
		storerig_peer(&peer, 1, "a@x.example", "192.0.2.1");
		if (rk_store_list(s, 0, take, &sum, &err) == RK_OK &&
		    rk_store_see(s, RK_MODE_ASK, &peer, &seen, &err) == RK_OK)
			(void)snprintf(err.text, sizeof(err.text), "known");
	}
	assert_non_null(strstr(err.text, "known"));
	rk_store_close(s);
	(void)unlink(STORERIG_DB "-wal");
	(void)unlink(STORERIG_DB "-shm");
}

static void
test_damaged(void **state)
{
	uint32_t dice = 12345;
	struct buf good;
	uint8_t *bytes;
	unsigned i;
	unsigned k;

	(void)state;
	make_store();
	read_all(STORERIG_DB, &good);
	bytes = malloc(buf_len(&good));
	assert_non_null(bytes);
	for (i = 0; i < 80; i++) {
		memcpy(bytes, buf_peek(&good), buf_len(&good));
		for (k = 0; k <= i % 8; k++) {
			size_t at;

			dice = dice * 1664525 + 1013904223;
			at = (dice >> 8) % buf_len(&good);
			/* Heads of pages are where it hurts. */
			if (i % 2 == 0)
				at = at / 4096 * 4096 + at % 128;
			bytes[at] ^= (uint8_t)(1 + dice % 255);
		}
		write_all(STORERIG_DB, bytes, buf_len(&good));
		try_damaged();
	}
	for (i = 1; i < 20; i++) {
		write_all(
		    STORERIG_DB, buf_peek(&good), buf_len(&good) * i / 20);
		try_damaged();
	}
	write_all(STORERIG_DB, buf_peek(&good), buf_len(&good));
	assert_intact();
	free(bytes);
	buf_fini(&good);
}

/* ---- a disk that fails ---- */

struct progress {
	bool waits;
	bool approved;
	bool rejected;
};

/* Everything that writes, each part whether or not the one before worked. */
static void
work(struct progress *p)
{
	struct rk_store *s = NULL;
	struct rk_store_seen seen;
	struct rk_error err;
	struct rk_peer peer;

	*p = (struct progress){ 0 };
	if (store_open_on(FAILVFS_NAME, STORERIG_FILE, false, &s, &err) !=
	    RK_OK) {
		assert_non_null(strstr(err.text, STORERIG_DB));
		return;
	}
	storerig_peer(&peer, 5, "e@x.example", "192.0.2.2");
	p->waits = rk_store_see(s, RK_MODE_ASK, &peer, &seen, &err) == RK_OK;
	if (!p->waits) {
		assert_int_equal(seen.verdict, RK_VERDICT_REFUSE);
		assert_non_null(strstr(err.text, STORERIG_DB));
	}
	p->approved = storerig_try(s, RK_STORE_APPROVE, 4) == RK_OK;
	p->rejected = storerig_try(s, RK_STORE_REJECT, 1) == RK_OK;
	/* Who was decided about is served from memory meanwhile. */
	storerig_peer(&peer, 2, "b@x.example", "192.0.2.2");
	if (rk_store_see(s, RK_MODE_ASK, &peer, &seen, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(seen.verdict, RK_VERDICT_ACCEPT);
	storerig_peer(&peer, 3, "c@x.example", "192.0.2.2");
	if (rk_store_see(s, RK_MODE_ASK, &peer, &seen, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(seen.verdict, RK_VERDICT_REFUSE);
	rk_store_close(s);
}

static void
check_work(const struct progress *p)
{
	struct rk_store *s = storerig_open();

	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	assert_int_equal(storerig_status(s, 3), RK_STATUS_REJECTED);
	if (p->waits)
		assert_int_equal(storerig_status(s, 5), RK_STATUS_WAITING);
	if (p->approved)
		assert_int_equal(storerig_status(s, 4), RK_STATUS_KNOWN);
	if (p->rejected)
		assert_int_equal(storerig_status(s, 1), RK_STATUS_REJECTED);
	rk_store_close(s);
}

static void
fail_everywhere(int code)
{
	struct progress p = { 0 };
	struct buf db;
	struct buf file;
	int n;

	make_store();
	read_all(STORERIG_DB, &db);
	read_all(STORERIG_FILE, &file);
	for (n = 0; n < 500; n++) {
		write_all(STORERIG_DB, buf_peek(&db), buf_len(&db));
		write_all(STORERIG_FILE, buf_peek(&file), buf_len(&file));
		(void)unlink(STORERIG_DB "-wal");
		(void)unlink(STORERIG_DB "-shm");
		failvfs_set(n, code);
		work(&p);
		if (failvfs_count() <= n)
			break;
		failvfs_set(-1, 0);
		check_work(&p);
	}
	assert_in_range(n, 10, 499);
	assert_true(p.waits && p.approved && p.rejected);
	failvfs_set(-1, 0);
	check_work(&p);
	buf_fini(&db);
	buf_fini(&file);
}

static void
test_full(void **state)
{
	(void)state;
	fail_everywhere(SQLITE_FULL);
}

static void
test_io_errors(void **state)
{
	(void)state;
	fail_everywhere(SQLITE_IOERR);
}

/* When there is room again it goes on by itself. */
static void
test_room_again(void **state)
{
	struct rk_store *s = NULL;
	struct rk_error err;

	(void)state;
	make_store();
	assert_int_equal(
	    store_open_on(FAILVFS_NAME, STORERIG_FILE, false, &s, &err), RK_OK);
	failvfs_set(0, SQLITE_FULL);
	assert_int_equal(storerig_try(s, RK_STORE_APPROVE, 4), RK_EIO);
	assert_int_equal(storerig_status(s, 4), RK_STATUS_WAITING);
	failvfs_set(-1, 0);
	assert_int_equal(storerig_try(s, RK_STORE_APPROVE, 4), RK_OK);
	/* A failed fsync is never tried again. */
	failvfs_set(0, SQLITE_IOERR);
	assert_int_equal(storerig_try(s, RK_STORE_REJECT, 4), RK_EIO);
	failvfs_set(-1, 0);
	assert_int_equal(storerig_try(s, RK_STORE_REJECT, 4), RK_EIO);
	assert_int_equal(storerig_status(s, 4), RK_STATUS_KNOWN);
	rk_store_close(s);
}

/* Those who begin or end at the same time lock it without a queue. */
static void
test_locked_at_first(void **state)
{
	struct rk_store *s = NULL;
	struct rk_error err;

	(void)state;
	make_store();
	failvfs_lock(3);
	if (store_open_on(FAILVFS_NAME, STORERIG_FILE, false, &s, &err) !=
	    RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(storerig_status(s, 4), RK_STATUS_WAITING);
	rk_store_close(s);
}

int
main(void)
{
#define IN_SCRATCH(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_made),
		IN_SCRATCH(test_gone),
		IN_SCRATCH(test_unsafe),
		IN_SCRATCH(test_while_open),
		IN_SCRATCH(test_foreign),
		IN_SCRATCH(test_rows),
		IN_SCRATCH(test_audit_lines),
		IN_SCRATCH(test_audit_stays),
		IN_SCRATCH(test_damaged),
		IN_SCRATCH(test_full),
		IN_SCRATCH(test_io_errors),
		IN_SCRATCH(test_room_again),
		IN_SCRATCH(test_locked_at_first),
	};

	failvfs_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
