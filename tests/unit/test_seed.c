/* Seeds: files made and read, what is refused, what is derived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "net/seed.h"

#include "certs.h"

static char dir[256];
static char path[300];

static int
set_up(void **state)
{
	(void)state;
	certs_make_tmp(dir);
	(void)snprintf(path, sizeof(path), "%s/seed", dir);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_remove_tmp(dir);
	return 0;
}

static void
derive(const struct seed *s, const char *use, uint64_t epoch, uint8_t out[32])
{
	seed_derive(s, use, epoch, out, 32);
}

static void
a_file_is_made_and_read_again(void **state)
{
	struct seed *a;
	struct seed *b;
	struct stat st;
	uint8_t x[2][32];

	(void)state;
	assert_int_equal(seed_new(path, &a, NULL), RK_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, SEED_LEN);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(seed_new(path, &b, NULL), RK_OK);
	derive(a, "use", 0, x[0]);
	derive(b, "use", 0, x[1]);
	assert_memory_equal(x[0], x[1], 32);
	seed_free(a);
	seed_free(b);
}

static void
without_a_file_each_is_another(void **state)
{
	struct seed *a;
	struct seed *b;
	uint8_t x[2][32];

	(void)state;
	assert_int_equal(seed_new(NULL, &a, NULL), RK_OK);
	assert_int_equal(seed_new(NULL, &b, NULL), RK_OK);
	derive(a, "use", 0, x[0]);
	derive(b, "use", 0, x[1]);
	assert_memory_not_equal(x[0], x[1], 32);
	assert_ptr_equal(seed_ref(a), a);
	seed_free(a);
	derive(a, "use", 0, x[1]); /* one reference is left */
	assert_memory_equal(x[0], x[1], 32);
	seed_free(a);
	seed_free(b);
	seed_free(NULL);
}

/* Computed with Python's hmac: HKDF-SHA256, no salt, info
 * use || 00 || epoch. */
static void
keys_are_those_of_hkdf(void **state)
{
	static const char text[] = "0123456789abcdef0123456789abcdef";
	struct seed *s;
	uint8_t key[64];
	char hex[2 * sizeof(key) + 1];

	(void)state;
	certs_write(dir, "seed", text, 0600);
	assert_int_equal(seed_new(path, &s, NULL), RK_OK);
	seed_derive(s, "quic-ticket", 0, key, 64);
	str_hex(hex, key, 64);
	assert_string_equal(hex,
	    "6d604b4b8f9ac1cf6577f9f15822cc7c1e2fe5b6769511554173c74bcb4096b9"
	    "48ff78f2651f4755700af6ef741cf5c01d2b4e5200268cb9429063ae60c94fa2");
	seed_derive(s, "quic-token", 0x0102030405060708, key, 16);
	str_hex(hex, key, 16);
	assert_string_equal(hex, "1e6ec262f6726c57f6573e5a6e5d0684");
	seed_free(s);
}

static void
uses_and_epochs_differ(void **state)
{
	struct seed *s;
	uint8_t x[4][32];

	(void)state;
	assert_int_equal(seed_new(NULL, &s, NULL), RK_OK);
	derive(s, "use", 0, x[0]);
	derive(s, "use", 1, x[1]);
	derive(s, "user", 0, x[2]);
	derive(s, "us", 0, x[3]);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(x[i], x[j], 32);
	seed_free(s);
}

static void
epochs_are_six_hours(void **state)
{
	(void)state;
	assert_int_equal(seed_epoch(-1), 0);
	assert_int_equal(seed_epoch(0), 0);
	assert_int_equal(seed_epoch(21599), 0);
	assert_int_equal(seed_epoch(21600), 1);
	assert_int_equal(seed_epoch(INT64_MAX), INT64_MAX / 21600);
}

static void
assert_refused(enum rk_err code, const char *text)
{
	struct seed *s = (struct seed *)dir;
	struct rk_error err = { 0 };

	assert_int_equal(seed_new(path, &s, &err), code);
	assert_null(s);
	assert_int_equal(err.code, code);
	if (strstr(err.text, text) == NULL)
		assert_string_equal(err.text, text);
	assert_int_equal(seed_new(path, &s, NULL), code);
}

static void
wrong_files_are_refused(void **state)
{
	static const char good[] = "0123456789abcdef0123456789abcdef";
	char other[300];

	(void)state;
	certs_write(dir, "seed", "", 0600);
	assert_refused(RK_EFORMAT, "no seed, which is 32 bytes");
	certs_write(dir, "seed", good + 1, 0600);
	assert_refused(RK_EFORMAT, "no seed, which is 32 bytes");
	certs_write(dir, "seed", "0123456789abcdef0123456789abcdefg", 0600);
	assert_refused(RK_EFORMAT, "no seed, which is 32 bytes");
	certs_write(dir, "seed", good, 0640);
	assert_refused(RK_EMODE, "mode 0640 lets others in");
	certs_write(dir, "seed", good, 0600);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(link(path, other), 0);
	assert_refused(RK_EMODE, "has 2 hard links, not one");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_refused(RK_EMODE, "symbolic link");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(RK_EMODE, "is a directory");
	(void)snprintf(path, sizeof(path), "%s/no/seed", dir);
	assert_refused(RK_EIO, "No such file or directory");
}

#define THREADS 8

static void *
make_one(void *arg)
{
	struct seed *s = NULL;
	uint8_t *key = arg;

	if (seed_new(path, &s, NULL) == RK_OK)
		derive(s, "use", 0, key);
	seed_free(s);
	return NULL;
}

/* Whoever comes first makes it, all have it. */
static void
many_make_one_file(void **state)
{
	static uint8_t keys[THREADS][32];
	static const uint8_t none[32];
	pthread_t t[THREADS];

	(void)state;
	memset(keys, 0, sizeof(keys));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, make_one, keys[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_memory_not_equal(keys[0], none, 32);
	for (int i = 1; i < THREADS; i++)
		assert_memory_equal(keys[i], keys[0], 32);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_file_is_made_and_read_again),
		ROW(without_a_file_each_is_another),
		ROW(keys_are_those_of_hkdf),
		ROW(uses_and_epochs_differ),
		ROW(epochs_are_six_hours),
		ROW(wrong_files_are_refused),
		ROW(many_make_one_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
