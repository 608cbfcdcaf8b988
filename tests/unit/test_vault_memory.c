/* Every allocation of a vault fails in turn: an error, and nothing half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keyvault/vault_int.h"
#include "scarce.h"
#include "scratch.h"
#include "vaultrig.h"

/* What the linker makes of sodium_malloc(), with --wrap. */
void *__real_sodium_malloc(size_t size);
void *__wrap_sodium_malloc(size_t size);

void *
__wrap_sodium_malloc(size_t size)
{
	return scarce_fails() ? NULL : __real_sodium_malloc(size);
}

/* ---- SQLite's ---- */

static sqlite3_mem_methods usual;
static bool sqlite_too;

static void *
sqlite_malloc(int n)
{
	return sqlite_too && scarce_fails() ? NULL : usual.xMalloc(n);
}

static void *
sqlite_realloc(void *p, int n)
{
	return sqlite_too && scarce_fails() ? NULL : usual.xRealloc(p, n);
}

static int
setup(void **state)
{
	sqlite3_mem_methods own;

	(void)state;
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual) != SQLITE_OK)
		return -1;
	own = usual;
	own.xMalloc = sqlite_malloc;
	own.xRealloc = sqlite_realloc;
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &own) == SQLITE_OK ? 0 : -1;
}

/* ---- scenes ---- */

struct scene {
	const struct rk_secret *pass;
	const struct rk_secret *secret;
	unsigned next; /* numbers names */
	unsigned done; /* writes that were acknowledged */
};

static bool
look(const struct record *rec, void *arg)
{
	(void)rec;
	++*(unsigned *)arg;
	return true;
}

static bool
look_at_line(const struct vault_line *line, void *arg)
{
	(void)line;
	++*(unsigned *)arg;
	return true;
}

static void
no_fault(enum rk_err what, const char *text, void *arg)
{
	(void)what;
	(void)arg;
	fail_msg("%s", text);
}

/* What is there is never called damaged or changed because memory was short. */
static enum rk_err
only_memory(enum rk_err r, const struct rk_error *err)
{
	if (r != RK_OK && r != RK_ENOMEM)
		fail_msg("%s", err->text);
	return r;
}

static enum rk_err
read_scene(void *arg)
{
	const struct scene *s = arg;
	struct rk_secret *secret = NULL;
	struct vault *v = NULL;
	struct vault_info info;
	struct record rec;
	struct rk_error err;
	unsigned n = 0;
	enum rk_err r;

	if ((r = vault_open(VAULTRIG_FILE, &v, &err)) == RK_OK &&
	    (r = vault_inspect(v, &info, &err)) == RK_OK &&
	    (r = vault_unlock(v, s->pass, &err)) == RK_OK &&
	    (r = vault_list(v, look, &n, &err)) == RK_OK &&
	    (r = vault_secret(v, "a", &rec, &secret, &err)) == RK_OK)
		r = vault_log_read(v, look_at_line, &n, &err);
	rk_secret_free(secret);
	vault_close(v);
	return only_memory(r, &err);
}

static enum rk_err
check_scene(void *arg)
{
	const struct scene *s = arg;
	struct vault *v = NULL;
	struct rk_error err;
	enum rk_err r;

	if ((r = vault_open(VAULTRIG_FILE, &v, &err)) == RK_OK)
		r = vault_check(v, s->pass, no_fault, NULL, &err);
	vault_close(v);
	return only_memory(r, &err);
}

static enum rk_err
copy_scene(void *arg)
{
	const struct scene *s = arg;
	struct vault *copy = NULL;
	struct vault *v = NULL;
	struct rk_error err;
	enum rk_err r;

	(void)unlink("v/copy.db");
	if ((r = vault_open(VAULTRIG_FILE, &v, &err)) == RK_OK &&
	    (r = vault_backup(v, "v/copy.db", &err)) == RK_OK &&
	    (r = vault_open_copy("v/copy.db", &copy, &err)) == RK_OK &&
	    (r = vault_unlock(copy, s->pass, &err)) == RK_OK)
		r = vault_restore(v, copy, &err);
	vault_close(copy);
	vault_close(v);
	return only_memory(r, &err);
}

static enum rk_err
write_scene(void *arg)
{
	struct scene *s = arg;
	struct record rec = { .kind = RECORD_SECRET };
	struct record changed;
	struct vault *v = NULL;
	struct rk_error err;
	enum rk_err r;

	(void)snprintf(rec.name, sizeof(rec.name), "n%u", s->next++);
	changed = rec;
	(void)snprintf(changed.note, sizeof(changed.note), "changed");
	if ((r = vault_open(VAULTRIG_FILE, &v, &err)) == RK_OK &&
	    (r = vault_unlock(v, s->pass, &err)) == RK_OK &&
	    (r = vault_begin(v, &err)) == RK_OK &&
	    (r = vault_add(v, &rec, s->secret, VAULT_ACT_NEW, &err)) == RK_OK &&
	    (r = vault_change(v, rec.name, &changed, VAULT_ACT_NOTE, &err)) ==
	        RK_OK)
		r = vault_commit(v, &err);
	s->done += r == RK_OK;
	vault_cancel(v);
	vault_close(v);
	return only_memory(r, &err);
}

static enum rk_err
key_scene(void *arg)
{
	const struct scene *s = arg;
	struct vault *v = NULL;
	struct rk_error err;
	enum rk_err r;

	if ((r = vault_open(VAULTRIG_FILE, &v, &err)) == RK_OK &&
	    (r = vault_unlock(v, s->pass, &err)) == RK_OK &&
	    (r = vault_passwd(v, s->pass, &vaultrig_kdf, &err)) == RK_OK)
		r = vault_rekey(v, s->pass, &vaultrig_kdf, &err);
	/* What is held in memory fits the file, or is gone. */
	if (r == RK_ENOMEM && v != NULL && vault_key(v) != NULL &&
	    scarce_disarm())
		assert_int_equal(vault_begin(v, &err), RK_OK);
	vault_close(v);
	return only_memory(r, &err);
}

static enum rk_err
make_scene(void *arg)
{
	const struct vault_setup how = { .kdf = vaultrig_kdf };
	const struct scene *s = arg;
	struct rk_error err;

	(void)unlink("v/other.db");
	return only_memory(vault_make("v/other.db", &how, s->pass, &err), &err);
}

/* ---- */

/* SQLite has thousands: some of them, or all under stress.  It can do without
 * a few. */
static void
play_some(scene_fn *scene, struct scene *s)
{
	size_t step = getenv("RPCKIT_VAULT_STRESS") != NULL ? 1 : 37;
	size_t n = 1;
	bool one;
	enum rk_err r;

	do {
		scarce_arm(n);
		r = scene(s);
		one = scarce_disarm();
		n += step;
	} while (one);
	assert_int_equal(r, RK_OK);
	assert_true(n > 10 * step);
}

static void
play_all(bool hide)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct rk_secret *secret = vaultrig_secret("a secret");
	struct scene s = { .pass = pass, .secret = secret };
	scene_fn *const scenes[] = { read_scene, check_scene, make_scene,
		copy_scene, write_scene };
	struct vault *v;
	struct rk_error err;
	unsigned n = 0;

	vaultrig_make(hide);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_ED25519, 1);
	vault_close(v);
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if (sqlite_too)
			play_some(scenes[i], &s);
		else
			scarce_play(scenes[i], true, &s);
	}
	v = vaultrig_unlocked();
	vaultrig_holds(v, "a", 1);
	assert_int_equal(vault_list(v, look, &n, &err), RK_OK);
	assert_int_equal(n, 1 + s.done);
	vault_close(v);
	rk_secret_free(secret);
	rk_secret_free(pass);
}

static void
test_ours(void **state)
{
	(void)state;
	sqlite_too = false;
	play_all(false);
}

static void
test_hidden(void **state)
{
	(void)state;
	sqlite_too = false;
	play_all(true);
}

static void
test_sqlites(void **state)
{
	(void)state;
	sqlite_too = true;
	play_all(false);
}

static void
test_keys(void **state)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct scene s = { .pass = pass };
	struct vault *v;
	size_t n = 0;
	bool one;
	enum rk_err r;

	(void)state;
	sqlite_too = false;
	vaultrig_make_three();
	do {
		vaultrig_remake();
		scarce_arm(++n);
		r = key_scene(&s);
		one = r != RK_OK;
		(void)scarce_disarm();
	} while (one);
	assert_true(n > 20);
	v = vaultrig_unlocked();
	vaultrig_holds(v, "a", 1);
	vault_close(v);
	rk_secret_free(pass);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ours),
		TEST(test_hidden),
		TEST(test_sqlites),
		TEST(test_keys),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
