/* The trust store: which certificate each key has shown last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "storerig.h"
#include "trust/store.h"

static void
edit(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(STORERIG_DB, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static unsigned n_certs;
static struct rk_cert_info last_cert;

static void
take_cert(const struct rk_cert_info *cert, void *arg)
{
	(void)arg;
	n_certs++;
	last_cert = *cert;
}

static unsigned
count_certs(struct rk_store *s)
{
	struct rk_error err;

	n_certs = 0;
	if (store_cert_each(s, take_cert, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
	return n_certs;
}

/* One that knows of no certificates yet, or of no names: nothing of it is lost.
 */
static void
check_version(const char *sql)
{
	struct rk_cert_info cert = {
		.issuer_cn = "CA", .serial = "0a0b", .cn = "one"
	};
	struct rk_store *s;
	struct rk_error err;

	s = storerig_open();
	storerig_admit(s, 1, "a@example.org");
	storerig_admit(s, 2, "b@example.org");
	rk_store_close(s);
	edit(sql);
	for (int i = 0; i < 2; i++) {
		if (rk_store_open(STORERIG_FILE, false, &s, &err) != RK_OK)
			fail_msg("%s", err.text);
		assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
		assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
		assert_int_equal(count_certs(s), (unsigned)i);
		/* Of a key that is in it, and of one that is not. */
		storerig_key(1, cert.pub);
		rk_fp_of_key(cert.pub, cert.fp);
		store_cert_note(s, &cert);
		assert_int_equal(count_certs(s), 1);
		assert_string_equal(last_cert.fp, cert.fp);
		assert_string_equal(last_cert.serial, "0a0b");
		assert_string_equal(storerig_find(s, 1).cn, "one");
		assert_string_equal(storerig_find(s, 2).cn, "");
		storerig_key(9, cert.pub);
		rk_fp_of_key(cert.pub, cert.fp);
		store_cert_note(s, &cert);
		assert_int_equal(count_certs(s), 1);
		rk_store_close(s);
	}
}

static void
test_version_1(void **state)
{
	(void)state;
	check_version(
	    "DROP INDEX audit_pub; DROP TABLE certs; DROP TABLE names; "
	    "DROP TABLE lines; PRAGMA user_version = 1");
}

static void
test_version_2(void **state)
{
	(void)state;
	check_version(
	    "DROP INDEX audit_pub; DROP TABLE names; DROP TABLE lines; "
	    "PRAGMA user_version = 2");
}

/* Of sqlite3_exec(): one less to come. */
static int
count_row(void *arg, int columns, char **values, char **names)
{
	size_t *n = arg;

	(void)columns;
	(void)values;
	(void)names;
	(*n)--;
	return 0;
}

static void
test_version_3(void **state)
{
	struct rk_store *s;
	int64_t act;

	(void)state;
	s = storerig_open();
	storerig_admit(s, 1, "a@example.org");
	rk_store_close(s);
	edit("DROP INDEX audit_pub; DROP TABLE lines; "
	     "PRAGMA user_version = 3");
	s = storerig_open();
	act = storerig_decide(s, RK_STORE_REJECT, 1);
	assert_int_equal(rk_store_undo(s, act, "ann", NULL), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	rk_store_close(s);
}

/* What was in it is in the index, too. */
static void
test_version_4(void **state)
{
	struct rk_store *s;
	size_t n;

	(void)state;
	s = storerig_open();
	storerig_admit(s, 1, "a@example.org");
	(void)storerig_decide(s, RK_STORE_REJECT, 1);
	n = storerig_audit(s);
	rk_store_close(s);
	edit("DROP INDEX audit_pub; PRAGMA user_version = 4");
	s = storerig_open();
	assert_int_equal(storerig_audit(s), n);
	assert_int_equal(sqlite3_exec(s->db,
	                     "SELECT * FROM audit INDEXED BY audit_pub WHERE "
	                     "pub = (SELECT pub FROM keys)",
	                     count_row, &n, NULL),
	    SQLITE_OK);
	assert_int_equal(n, 0);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REJECTED);
	rk_store_close(s);
}

/* A table that its version has not, or lacks, is somebody else's work. */
static void
test_no_version(void **state)
{
	static const char *const sqls[] = { "PRAGMA user_version = 1",
		"PRAGMA user_version = 2", "PRAGMA user_version = 3",
		"PRAGMA user_version = 0", "PRAGMA user_version = 4",
		"PRAGMA user_version = 5; DROP TABLE names" };
	struct rk_store *s;
	struct rk_error err;

	(void)state;
	rk_store_close(storerig_open());
	for (size_t i = 0; i < sizeof(sqls) / sizeof(sqls[0]); i++) {
		edit(sqls[i]);
		assert_int_equal(
		    rk_store_open(STORERIG_FILE, false, &s, &err), RK_EDAMAGED);
	}
}

static bool raced;

/* Another process is faster, between two statements of the first. */
static int
open_first(unsigned what, void *arg, void *stmt, void *sql)
{
	(void)what;
	(void)arg;
	(void)stmt;
	if (raced || strstr(sql, "FROM sqlite_schema") == NULL)
		return 0;
	raced = true;
	rk_store_close(storerig_open());
	return 0;
}

static int
watch(sqlite3 *db, char **text, const struct sqlite3_api_routines *api)
{
	(void)text;
	(void)api;
	return raced
	           ? SQLITE_OK
	           : sqlite3_trace_v2(db, SQLITE_TRACE_STMT, open_first, NULL);
}

/* Two begin with an older one at once. */
static void
test_version_race(void **state)
{
	(void)state;
	rk_store_close(storerig_open());
	edit("DROP INDEX audit_pub; DROP TABLE lines; "
	     "PRAGMA user_version = 3");
	raced = false;
	assert_int_equal(
	    sqlite3_auto_extension((void (*)(void))watch), SQLITE_OK);
	rk_store_close(storerig_open());
	sqlite3_reset_auto_extension();
	assert_true(raced);
}

/* Of one that is newer nothing is lost: nobody is told to move it away. */
static void
test_newer(void **state)
{
	struct rk_store *s;
	struct rk_error err;

	(void)state;
	rk_store_close(storerig_open());
	edit("CREATE TABLE later (fp TEXT); PRAGMA user_version = 6");
	assert_int_equal(
	    rk_store_open(STORERIG_FILE, false, &s, &err), RK_EUNSUPPORTED);
	assert_non_null(strstr(err.text, ": a newer version "));
}

/* The newest name is the one that counts; it goes with its key. */
static void
test_names(void **state)
{
	struct rk_store *s;
	struct rk_peer peer;

	(void)state;
	s = storerig_open();
	storerig_peer(&peer, 1, "", "10.0.0.1");
	peer.cert.not_after = 4102444800;
	(void)snprintf(peer.cert.cn, sizeof(peer.cert.cn), "first");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	assert_string_equal(storerig_find(s, 1).cn, "first");
	(void)snprintf(peer.cert.cn, sizeof(peer.cert.cn), "second");
	store_cert_note(s, &peer.cert);
	store_cert_note(s, &peer.cert);
	assert_string_equal(storerig_find(s, 1).cn, "second");
	rk_store_close(s);
	s = storerig_open();
	assert_string_equal(storerig_find(s, 1).cn, "second");
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	peer.cert.cn[0] = '\0';
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	assert_string_equal(storerig_find(s, 1).cn, "");
	rk_store_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_version_1, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_version_2, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_version_3, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_version_4, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_no_version, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_version_race, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_newer, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_names, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
