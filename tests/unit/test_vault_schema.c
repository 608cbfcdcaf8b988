/* Schemas of vaults: hostile ones refused, those of earlier versions lifted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "keyvault/vault_int.h"
#include "scratch.h"
#include "vaultrig.h"

/* ---- hostile schemas ---- */

static void
test_schema(void **state)
{
	static const struct {
		const char *sql;
		enum rk_err want;
	} cases[] = {
		{ "CREATE TABLE more (x)", RK_EDAMAGED },
		{ "CREATE VIEW more AS SELECT 1", RK_EDAMAGED },
		{ "CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM "
		  "records; END",
		    RK_EDAMAGED },
		{ "DROP INDEX records_name", RK_EDAMAGED },
		{ "ALTER TABLE records ADD COLUMN x ANY", RK_EDAMAGED },
		{ "ALTER TABLE audit RENAME TO other", RK_EDAMAGED },
		{ "PRAGMA application_id = 7", RK_EDAMAGED },
		{ "PRAGMA user_version = 0", RK_EDAMAGED },
		{ "PRAGMA user_version = -1", RK_EDAMAGED },
		{ "PRAGMA user_version = 2", RK_EUNSUPPORTED },
	};

	(void)state;
	vaultrig_make_three();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		vaultrig_sql(cases[i].sql);
		vaultrig_refuses(cases[i].want, cases[i].sql);
		vaultrig_remake();
	}
}

static bool
count_one(const struct record *rec, void *arg)
{
	(void)rec;
	++*(unsigned *)arg;
	return true;
}

static void
count_fault(enum rk_err code, const char *text, void *arg)
{
	assert_int_equal(code, RK_EDAMAGED);
	assert_true(text[0] != '\0');
	++*(unsigned *)arg;
}

/* It is called as ours, and lacks one: then records would vanish from lists
 * without one bit of them being changed. */
static void
test_index(void **state)
{
	struct rk_secret *pass;
	struct rk_error err;
	struct vault *v;
	unsigned n = 0;

	(void)state;
	for (int hidden = 0; hidden < 2; hidden++) {
		if (hidden == 0)
			vaultrig_make_three();
		else {
			assert_int_equal(unlink(VAULTRIG_FILE), 0);
			vaultrig_make(true);
			v = vaultrig_unlocked();
			vaultrig_add(v, "a", RECORD_ED25519, 1);
			vaultrig_add(v, "b", RECORD_ED25519, 2);
			vault_close(v);
		}
		vaultrig_sql("PRAGMA writable_schema = ON;"
		             "DROP INDEX records_name;"
		             "CREATE UNIQUE INDEX records_name ON records "
		             "(name) WHERE id <> 2;"
		             "UPDATE sqlite_schema SET sql = 'CREATE UNIQUE "
		             "INDEX records_name ON records (name)' "
		             "WHERE name = 'records_name'");
		if (hidden == 0) {
			v = vaultrig_open();
			assert_int_equal(
			    vault_list(v, count_one, &n, &err), RK_EDAMAGED);
			vault_close(v);
		}
		v = vaultrig_unlocked();
		assert_int_equal(
		    vault_list(v, count_one, &n, &err), RK_EDAMAGED);
		assert_non_null(strstr(err.text, "index"));
		vault_close(v);
		/* And who looks for it is told. */
		pass = vaultrig_secret(VAULTRIG_PASS);
		n = 0;
		v = vaultrig_open();
		assert_int_equal(
		    vault_check(v, pass, count_fault, &n, &err), RK_OK);
		assert_true(n > 0);
		vault_close(v);
		rk_secret_free(pass);
	}
}

/* Another version with one table more. */
static void
test_upgrade(void **state)
{
	static const char *const first[] = { "CREATE TABLE a (x)" };
	static const char *const second[] = { "CREATE TABLE a (x)",
		"CREATE TABLE b (y)" };
	static const struct vault_form list[] = {
		{ .schema = first, .n = 1 },
		{ .schema = second, .n = 2, .step = "CREATE TABLE b (y)" },
		{ .schema = second,
		    .n = 2,
		    .step = "INSERT INTO b SELECT x "
		            "FROM a" },
	};
	static const struct vault_form wrong[] = {
		{ .schema = first, .n = 1 },
		{ .schema = second, .n = 2, .step = "CREATE TABLE c (y)" },
	};
	const struct vault_forms one = { .list = list, .n = 1 };
	const struct vault_forms three = { .list = list, .n = 3 };
	const struct vault_forms bad = { .list = wrong, .n = 2 };
	struct vault v = { .path = "x.db", .name = "x.db" };
	struct rk_error err;
	sqlite3_stmt *stmt = NULL;

	(void)state;
	assert_int_equal(vault_db_fresh(&v, &one, &err), RK_OK);
	assert_int_equal(
	    vault_db_exec(&v, "INSERT INTO a VALUES (7)", &err), RK_OK);
	assert_int_equal(vault_db_save(&v, "x.db", &err), RK_OK);
	vault_db_close(&v);
	/* A step that does not lead there changes nothing. */
	assert_int_equal(vault_db_open(&v, NULL, &bad, &err), RK_EDAMAGED);
	vault_db_close(&v);
	assert_int_equal(vault_db_open(&v, NULL, &one, &err), RK_OK);
	vault_db_close(&v);
	assert_int_equal(vault_db_open(&v, NULL, &three, &err), RK_OK);
	assert_int_equal(
	    vault_db_prepare(&v, "SELECT y FROM b", &stmt, &err), RK_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(stmt, 0), 7);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	vault_db_close(&v);
	assert_int_equal(vault_db_open(&v, NULL, &one, &err), RK_EUNSUPPORTED);
	vault_db_close(&v);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_schema),
		TEST(test_index),
		TEST(test_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
