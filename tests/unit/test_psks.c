/* Sets of pre-shared keys: files, names, ids, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "trust/psks.h"

#include <rpckit/secret.h>

#include "certs.h"

static char dir[256];
static char path[300];
static struct rk_psks *set;
static struct rk_error err;

static int
set_up(void **state)
{
	(void)state;
	certs_make_tmp(dir);
	(void)snprintf(path, sizeof(path), "%s/lab.psk", dir);
	return rk_psks_new(&set) == RK_OK ? 0 : 1;
}

static int
tear_down(void **state)
{
	(void)state;
	rk_psks_free(set);
	certs_remove_tmp(dir);
	return 0;
}

/* A file of n bytes that are `byte`, with this mode. */
static void
make_file(uint8_t byte, size_t n, mode_t mode)
{
	FILE *f;

	(void)unlink(path);
	f = fopen(path, "wb");
	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(fputc(byte, f), byte);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void
refused(enum rk_err want, const char *text)
{
	assert_int_equal(rk_psks_load(set, path, NULL, &err), want);
	assert_int_equal(err.code, want);
	if (strstr(err.text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
	assert_int_equal(rk_psks_count(set), 0);
}

static void
test_file(void **state)
{
	char id[RK_PSK_ID_LEN];

	(void)state;
	make_file(7, 32, 0600);
	assert_int_equal(rk_psks_load(set, path, NULL, &err), RK_OK);
	assert_int_equal(rk_psks_count(set), 1);
	assert_string_equal(rk_psks_name(set, 0), "lab");
	/* printf 'rpckit psk id\0' and 32 bytes of 7 | sha256sum */
	rk_psks_id(set, 0, id);
	assert_string_equal(id, "10f2 5ec4");
	assert_int_equal(rk_secret_peek(psks_at(set, 0)->key)[31], 7);
}

/* HKDF-SHA256 of 32 bytes of 7, by Python's hmac. */
static void
test_knock_key(void **state)
{
	const uint8_t key[RK_PSK_LEN] = { 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
		7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7 };
	char hex[2 * PSK_KNOCK_LEN + 1];

	(void)state;
	assert_int_equal(rk_psks_add(set, key, "lab", &err), RK_OK);
	str_hex(hex, psk_knock_key(psks_at(set, 0)), PSK_KNOCK_LEN);
	assert_string_equal(hex, "14121fdc64a9e68764df67b1c99992a8"
	                         "b14112cf36dd8fc05eab9b9b6ac7284e");
	assert_memory_equal(
	    rk_secret_peek(psks_at(set, 0)->key), key, sizeof(key));
}

static void
test_bad_files(void **state)
{
	static const size_t sizes[] = { 0, 1, 31, 33, 64, 65536 };
	static const mode_t modes[] = { 0644, 0640, 0620, 0604, 0666 };
	char target[320];

	(void)state;
	refused(RK_ENOENT, "lab.psk");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_file(7, sizes[i], 0600);
		refused(RK_EFORMAT, "which is 32 bytes");
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		make_file(7, 32, modes[i]);
		refused(RK_EMODE, "chmod");
	}
	make_file(0, 32, 0600);
	refused(RK_EFORMAT, "zero");
	make_file(7, 32, 0600);
	(void)snprintf(target, sizeof(target), "%s/other", dir);
	assert_int_equal(link(path, target), 0);
	refused(RK_EMODE, "lab.psk");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(target, path), 0);
	refused(RK_EMODE, "lab.psk");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_not_equal(rk_psks_load(set, path, NULL, &err), RK_OK);
	assert_int_equal(rk_psks_count(set), 0);
}

static void
test_names(void **state)
{
	char longest[RK_PSK_NAME_LEN + 1] = { 0 };
	const char *const bad[] = { "", "a b", "a/b", "a\n", "\xc3\xa4",
		longest };
	uint8_t key[RK_PSK_LEN] = { 1 };

	(void)state;
	memset(longest, 'a', RK_PSK_NAME_LEN); /* one byte too many */
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    rk_psks_add(set, key, bad[i], &err), RK_EINVAL);
	assert_int_equal(rk_psks_add(set, key, "A.b_c-9", &err), RK_OK);
	assert_int_equal(rk_psks_add(set, key, "other", &err), RK_EEXIST);
	assert_non_null(strstr(err.text, "same as \"A.b_c-9\""));
	key[0] = 2;
	assert_int_equal(rk_psks_add(set, key, "A.b_c-9", &err), RK_EEXIST);
	make_file(3, 32, 0600);
	assert_int_equal(rk_psks_load(set, path, "named", &err), RK_OK);
	assert_string_equal(rk_psks_name(set, 1), "named");
	(void)snprintf(path, sizeof(path), "%s/no name", dir);
	make_file(4, 32, 0600);
	assert_int_equal(rk_psks_load(set, path, NULL, &err), RK_EINVAL);
	(void)snprintf(path, sizeof(path), "%s/.psk", dir);
	make_file(4, 32, 0600);
	assert_int_equal(rk_psks_load(set, path, NULL, &err), RK_OK);
	assert_string_equal(rk_psks_name(set, 2), ".psk");
}

static void
test_many(void **state)
{
	uint8_t key[RK_PSK_LEN] = { 0 };
	char name[16];
	const struct psk *k;

	(void)state;
	for (unsigned i = 0; i <= RK_PSKS_MAX; i++) {
		key[5] = (uint8_t)(i + 1);
		(void)snprintf(name, sizeof(name), "k%u", i);
		assert_int_equal(rk_psks_add(set, key, name, &err),
		    i < RK_PSKS_MAX ? RK_OK : RK_ELIMIT);
	}
	for (size_t i = 0; i < RK_PSKS_MAX; i++) {
		k = psks_find(set, psks_at(set, i)->id);
		assert_ptr_equal(k, psks_at(set, i));
		assert_int_equal(rk_secret_peek(k->key)[5], i + 1);
	}
	assert_null(psks_find(set, (const uint8_t[4]){ 0 }));
	for (unsigned bit = 0; bit < 8 * PSK_ID_BYTES; bit++) {
		uint8_t id[PSK_ID_BYTES];

		memcpy(id, psks_at(set, 3)->id, sizeof(id));
		id[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_null(psks_find(set, id));
	}
}

static void
test_refs(void **state)
{
	uint8_t key[RK_PSK_LEN] = { 1 };

	(void)state;
	assert_int_equal(rk_psks_add(set, key, "a", NULL), RK_OK);
	rk_psks_free(psks_ref(set));
	assert_string_equal(rk_psks_name(set, 0), "a");
	assert_null(psks_ref(NULL));
	rk_psks_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_knock_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_bad_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refs, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("psks", tests, NULL, NULL);
}
