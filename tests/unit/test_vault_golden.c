/* Vaults that earlier versions wrote are opened by this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "keyvault/vault.h"
#include "scratch.h"
#include "vaultrig.h"

/* Only ever added to, by RPCKIT_GOLDEN_WRITE=1 and a new name. */
static const struct {
	const char *name;
	bool hidden;
} vaults[] = {
	{ "v1.db", false },
	{ "v1-hidden.db", true },
};
#define VAULTS (sizeof(vaults) / sizeof(vaults[0]))

static const char *
golden(const char *name)
{
	static char path[4096];
	const char *src = getenv("SRC_DIR");

	(void)snprintf(path, sizeof(path), "%s/tests/golden/vault/%s",
	    src != NULL ? src : ".", name);
	return path;
}

static void
copy(const char *from, const char *to)
{
	struct rk_error err;
	struct buf b;

	buf_init(&b, 1 << 20);
	if (fs_read(from, FS_ANY, 1 << 20, &b, &err) != RK_OK ||
	    fs_write_file(to, buf_peek(&b), buf_len(&b), 0600, true, &err) !=
	        RK_OK)
		fail_msg("%s", err.text);
	buf_fini(&b);
}

static void
make(bool hide)
{
	struct record rec = { .name = "deploy-ca",
		.note = "offline on Fridays",
		.tags = "ca,paper" };
	struct rk_error err;
	struct vault *v;

	vaultrig_make(hide);
	v = vaultrig_unlocked();
	vaultrig_add(v, "deploy-ca", RECORD_ED25519, 1);
	vaultrig_add(v, "lab.psk", RECORD_PSK, 3);
	vaultrig_add(v, "word", RECORD_SECRET, 'w');
	assert_int_equal(vault_begin(v, &err), RK_OK);
	assert_int_equal(
	    vault_change(v, "deploy-ca", &rec, VAULT_ACT_NOTE, &err), RK_OK);
	assert_int_equal(vault_commit(v, &err), RK_OK);
	vault_close(v);
}

static void
no_fault(enum rk_err what, const char *text, void *arg)
{
	(void)arg;
	fail_msg("%s: %s", rk_err_name(what), text);
}

static void
look(bool hidden)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = vaultrig_unlocked();
	struct vault_info info;
	uint64_t records;
	struct record rec;
	struct rk_error err;

	assert_int_equal(vault_inspect(v, &info, &err), RK_OK);
	assert_int_equal(info.hidden, hidden);
	assert_int_equal(vault_count(v, &records, &err), RK_OK);
	assert_int_equal(records, 3);
	vaultrig_holds(v, "deploy-ca", 1);
	vaultrig_holds(v, "lab.psk", 3);
	vaultrig_holds(v, "word", 'w');
	assert_int_equal(vault_find(v, "deploy-ca", &rec, &err), RK_OK);
	assert_string_equal(rec.note, "offline on Fridays");
	assert_string_equal(rec.tags, "ca,paper");
	vaultrig_add(v, "new", RECORD_PSK, 4);
	assert_int_equal(vault_check(v, pass, no_fault, NULL, &err), RK_OK);
	vault_close(v);
	rk_secret_free(pass);
}

static void
test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < VAULTS; i++) {
		if (getenv("RPCKIT_GOLDEN_WRITE") != NULL) {
			make(vaults[i].hidden);
			copy(VAULTRIG_FILE, golden(vaults[i].name));
		} else {
			(void)mkdir("v", 0700);
			copy(golden(vaults[i].name), VAULTRIG_FILE);
		}
		look(vaults[i].hidden);
		assert_int_equal(remove(VAULTRIG_FILE), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_golden, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
