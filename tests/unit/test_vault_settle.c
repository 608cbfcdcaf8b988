/* What was replaced in a vault leaves its files, also beside an agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyvault/vault_int.h"
#include "scratch.h"
#include "vaultrig.h"

#define OLD_NOTE "a note that was there"
#define FILE_MAX (1 << 18)

static uint8_t bytes[FILE_MAX];

static size_t
load(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t len;

	if (f == NULL)
		return 0;
	len = fread(bytes, 1, sizeof(bytes), f);
	assert_int_equal(fclose(f), 0);
	return len;
}

/* In the file, or its log. */
static bool
is_there(const void *what, size_t len)
{
	size_t n = load(VAULTRIG_FILE);

	if (memmem(bytes, n, what, len) != NULL)
		return true;
	n = load(VAULTRIG_FILE "-wal");
	return memmem(bytes, n, what, len) != NULL;
}

struct site {
	struct vault *agent; /* asleep, with the file open */
	struct vault *v;
	uint8_t wrapped[VAULT_WRAPPED_LEN];
};

static void
begin(struct site *s)
{
	struct record rec = { .kind = RECORD_SECRET, .note = OLD_NOTE };
	struct rk_secret *secret = vaultrig_secret("hunter2");
	struct rk_error err;
	struct vault *v;

	vaultrig_make(false);
	v = vaultrig_unlocked();
	(void)snprintf(rec.name, sizeof(rec.name), "a");
	assert_int_equal(vault_begin(v, &err), RK_OK);
	assert_int_equal(
	    vault_add(v, &rec, secret, VAULT_ACT_NEW, &err), RK_OK);
	assert_int_equal(vault_commit(v, &err), RK_OK);
	vault_close(v);
	rk_secret_free(secret);
	s->agent = vaultrig_unlocked();
	vault_doze(s->agent);
	s->v = vaultrig_unlocked();
	memcpy(s->wrapped, s->v->head.wrapped, sizeof(s->wrapped));
	assert_true(is_there(OLD_NOTE, strlen(OLD_NOTE)));
	assert_true(is_there(s->wrapped, sizeof(s->wrapped)));
}

static void
end(struct site *s)
{
	struct rk_error err;

	assert_int_equal(vault_settle(s->v, &err), RK_OK);
	assert_int_equal(load(VAULTRIG_FILE "-wal"), 0);
	/* The agent is still there. */
	assert_int_equal(access(VAULTRIG_FILE "-wal", F_OK), 0);
}

static void
fini(struct site *s)
{
	vault_close(s->v);
	vault_close(s->agent);
}

static void
test_removed(void **state)
{
	struct rk_error err;
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(vault_begin(s.v, &err), RK_OK);
	assert_int_equal(vault_remove(s.v, "a", &err), RK_OK);
	assert_int_equal(vault_commit(s.v, &err), RK_OK);
	end(&s);
	assert_false(is_there(OLD_NOTE, strlen(OLD_NOTE)));
	fini(&s);
}

static void
test_changed(void **state)
{
	struct record rec = { .name = "a", .note = "another" };
	struct rk_error err;
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(vault_begin(s.v, &err), RK_OK);
	assert_int_equal(
	    vault_change(s.v, "a", &rec, VAULT_ACT_NOTE, &err), RK_OK);
	assert_int_equal(vault_commit(s.v, &err), RK_OK);
	end(&s);
	assert_false(is_there(OLD_NOTE, strlen(OLD_NOTE)));
	fini(&s);
}

static void
test_passwd(void **state)
{
	struct rk_secret *pass = vaultrig_secret("another");
	struct rk_error err;
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(vault_passwd(s.v, pass, &vaultrig_kdf, &err), RK_OK);
	end(&s);
	assert_false(is_there(s.wrapped, sizeof(s.wrapped)));
	fini(&s);
	rk_secret_free(pass);
}

static void
test_rekey(void **state)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct rk_error err;
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(vault_rekey(s.v, pass, &vaultrig_kdf, &err), RK_OK);
	end(&s);
	assert_false(is_there(s.wrapped, sizeof(s.wrapped)));
	fini(&s);
	rk_secret_free(pass);
}

static void
test_restored(void **state)
{
	static const char later[] = "later";
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *copy = NULL;
	struct rk_error err;
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(vault_backup(s.v, "v/copy", &err), RK_OK);
	vaultrig_add(s.v, later, RECORD_SECRET, 7);
	assert_true(is_there(later, strlen(later)));
	assert_int_equal(vault_open_copy("v/copy", &copy, &err), RK_OK);
	assert_int_equal(vault_unlock(copy, pass, &err), RK_OK);
	assert_int_equal(vault_restore(s.v, copy, &err), RK_OK);
	vault_close(copy);
	end(&s);
	assert_false(is_there(later, strlen(later)));
	fini(&s);
	rk_secret_free(pass);
}

/* Somebody reads it just then. */
static void
test_read(void **state)
{
	struct rk_error err;
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(vault_read_begin(s.agent, &err), RK_OK);
	assert_int_equal(vault_head_read(s.agent, &err), RK_OK);
	/* What only adds something is no reason to wait, nor to tell. */
	vaultrig_add(s.v, "b", RECORD_SECRET, 2);
	assert_int_equal(vault_settle(s.v, &err), RK_OK);
	vault_read_end(s.agent);
	assert_int_equal(vault_begin(s.v, &err), RK_OK);
	assert_int_equal(vault_remove(s.v, "a", &err), RK_OK);
	assert_int_equal(vault_commit(s.v, &err), RK_OK);
	assert_int_equal(vault_read_begin(s.agent, &err), RK_OK);
	assert_int_equal(vault_head_read(s.agent, &err), RK_OK);
	s.v->patience = 1; /* without the wait, which is a person's */
	assert_int_equal(vault_settle(s.v, &err), RK_EBUSY);
	assert_non_null(strstr(err.text, "another process reads it"));
	vault_read_end(s.agent);
	end(&s);
	assert_false(is_there(OLD_NOTE, strlen(OLD_NOTE)));
	fini(&s);
}

/* Another file's bytes in place of ours, and no log: what ours had is not
 * written into them, by whoever ends then. */
static void
test_put_back(void **state)
{
	static uint8_t copy[FILE_MAX];
	struct rk_error err;
	struct site s;
	size_t len;
	FILE *f;

	(void)state;
	for (mode_t mode = 0600; mode <= 0644; mode += 044) {
		begin(&s);
		len = load(VAULTRIG_FILE);
		memcpy(copy, bytes, len);
		vaultrig_add(s.v, "b", RECORD_SECRET, 2);
		assert_true(load(VAULTRIG_FILE "-wal") > 0);
		f = fopen(VAULTRIG_FILE, "wb");
		assert_non_null(f);
		assert_int_equal(fwrite(copy, 1, len, f), len);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(unlink(VAULTRIG_FILE "-wal"), 0);
		assert_int_equal(chmod(VAULTRIG_FILE, mode), 0);
		assert_int_equal(vault_settle(s.v, &err), RK_OK);
		assert_int_equal(load(VAULTRIG_FILE), len);
		assert_memory_equal(bytes, copy, len);
		fini(&s);
		assert_int_equal(load(VAULTRIG_FILE), len);
		assert_memory_equal(bytes, copy, len);
		assert_int_equal(unlink(VAULTRIG_FILE), 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_removed),
		TEST(test_changed),
		TEST(test_passwd),
		TEST(test_rekey),
		TEST(test_restored),
		TEST(test_read),
		TEST(test_put_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
