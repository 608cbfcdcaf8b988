/* The trust store: which certificate each key has shown last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

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

/* One that knows of no certificates yet: nothing of it is lost. */
static void
test_version_1(void **state)
{
	struct rk_cert_info cert = { .issuer_cn = "CA", .serial = "0a0b" };
	struct rk_store *s;
	struct rk_error err;

	(void)state;
	s = storerig_open();
	storerig_admit(s, 1, "a@example.org");
	storerig_admit(s, 2, "b@example.org");
	rk_store_close(s);
	edit("DROP TABLE certs; PRAGMA user_version = 1");
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
		storerig_key(9, cert.pub);
		rk_fp_of_key(cert.pub, cert.fp);
		store_cert_note(s, &cert);
		assert_int_equal(count_certs(s), 1);
		rk_store_close(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_version_1, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
