/* The vault as its users have it: made, opened, written, read, locked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rpckit/key.h>

#include "base/str.h"
#include "scratch.h"
#include "vaultrig.h"

static void
assert_mode(const char *path, mode_t want)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, want);
}

static enum rk_err
unlock_with(struct vault *v, const char *text)
{
	struct rk_secret *pass = vaultrig_secret(text);
	struct rk_error err;
	enum rk_err r = vault_unlock(v, pass, &err);

	assert_int_equal(err.code, r);
	rk_secret_free(pass);
	return r;
}

static void
test_made(void **state)
{
	struct vault_setup setup = { .kdf = vaultrig_kdf };
	struct rk_secret *pass = vaultrig_secret("other");
	struct vault *v;
	struct vault_info info;
	uint64_t records;
	struct rk_error err;

	(void)state;
	vaultrig_make(false);
	assert_mode("v", 0700);
	assert_mode(VAULTRIG_FILE, 0600);
	v = vaultrig_open();
	assert_int_equal(vault_inspect(v, &info, &err), RK_OK);
	assert_int_equal(vault_count(v, &records, &err), RK_OK);
	assert_int_equal(records, 0);
	assert_int_equal(info.generation, 1);
	assert_int_equal(info.key_number, 1);
	assert_false(info.unlocked);
	assert_false(info.hidden);
	assert_mode(VAULTRIG_FILE "-wal", 0600);
	vault_close(v);
	/* Never twice. */
	assert_int_equal(
	    vault_make(VAULTRIG_FILE, &setup, pass, &err), RK_EEXIST);
	setup.kdf.kib = KDF_KIB_MAX + 1;
	assert_int_equal(
	    vault_make("v/other.db", &setup, pass, &err), RK_ELIMIT);
	rk_secret_free(pass);
}

static void
test_passphrase(void **state)
{
	struct vault *v;

	(void)state;
	vaultrig_make(false);
	v = vaultrig_open();
	assert_int_equal(unlock_with(v, "wrong"), RK_EPASS);
	assert_null(vault_key(v));
	assert_int_equal(unlock_with(v, VAULTRIG_PASS), RK_OK);
	assert_non_null(vault_key(v));
	vault_lock(v);
	assert_null(vault_key(v));
	assert_int_equal(unlock_with(v, VAULTRIG_PASS "x"), RK_EPASS);
	vault_close(v);
}

static void
test_held_key(void **state)
{
	struct vault *v;
	struct rk_secret *key = NULL;
	struct rk_error err;

	(void)state;
	vaultrig_make(false);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_ED25519, 1);
	assert_int_equal(
	    rk_secret_copy(rk_secret_peek(vault_key(v)), VAULT_KEY_LEN, &key),
	    RK_OK);
	vault_close(v);
	v = vaultrig_open();
	assert_int_equal(vault_unlock_with(v, key, &err), RK_OK);
	vaultrig_holds(v, "a", 1);
	rk_secret_data(key)[0] ^= 1;
	assert_int_equal(vault_unlock_with(v, key, &err), RK_ETAMPERED);
	assert_null(vault_key(v));
	rk_secret_free(key);
	vault_close(v);
}

/* Names as a callback gets them, joined. */
static bool
join(const struct record *rec, void *arg)
{
	char *text = arg;

	(void)snprintf(
	    text + strlen(text), 256 - strlen(text), "%s ", rec->name);
	return true;
}

static void
fill_three(void)
{
	struct vault *v = vaultrig_unlocked();

	vaultrig_add(v, "lab.psk", RECORD_PSK, 3);
	vaultrig_add(v, "deploy-ca", RECORD_ED25519, 1);
	vaultrig_add(v, "node 1", RECORD_SECRET, 2);
	vault_close(v);
}

static void
test_locked(void **state)
{
	char names[256] = "";
	struct rk_secret *secret = NULL;
	struct record rec;
	struct rk_error err;
	struct vault *v;

	(void)state;
	vaultrig_make(false);
	fill_three();
	v = vaultrig_open();
	assert_int_equal(vault_list(v, join, names, &err), RK_OK);
	assert_string_equal(names, "deploy-ca lab.psk node 1 ");
	assert_int_equal(vault_find(v, "deploy-ca", &rec, &err), RK_OK);
	assert_int_equal(rec.kind, RECORD_ED25519);
	assert_int_equal(rec.pub_len, 32);
	assert_int_equal(vault_find(v, "deploy", &rec, &err), RK_ENOENT);
	assert_int_equal(
	    vault_secret(v, "deploy-ca", &rec, &secret, &err), RK_ESTATE);
	assert_int_equal(vault_begin(v, &err), RK_ESTATE);
	assert_int_equal(unlock_with(v, VAULTRIG_PASS), RK_OK);
	vaultrig_holds(v, "deploy-ca", 1);
	vaultrig_holds(v, "node 1", 2);
	vaultrig_holds(v, "lab.psk", 3);
	vault_close(v);
}

static void
assert_not_in_file(const char *word)
{
	static char bytes[1 << 20];
	FILE *f = fopen(VAULTRIG_FILE, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	assert_int_equal(fclose(f), 0);
	assert_null(memmem(bytes, n, word, strlen(word)));
}

static void
test_hidden(void **state)
{
	char names[256] = "";
	struct record rec;
	struct rk_error err;
	struct vault *v;

	(void)state;
	vaultrig_make(true);
	fill_three();
	assert_not_in_file("deploy-ca");
	v = vaultrig_open();
	assert_int_equal(vault_list(v, join, names, &err), RK_ESTATE);
	assert_int_equal(vault_find(v, "deploy-ca", &rec, &err), RK_ESTATE);
	assert_int_equal(unlock_with(v, VAULTRIG_PASS), RK_OK);
	assert_int_equal(vault_list(v, join, names, &err), RK_OK);
	assert_string_equal(names, "deploy-ca lab.psk node 1 ");
	vaultrig_holds(v, "lab.psk", 3);
	assert_int_equal(vault_find(v, "no", &rec, &err), RK_ENOENT);
	vault_close(v);
}

static enum rk_err
change(struct vault *v, const char *name, const char *new_name,
    const char *note, const char *tags)
{
	struct record rec = { 0 };
	struct rk_error err;
	enum rk_err r;

	(void)str_copy(rec.name, sizeof(rec.name), new_name);
	(void)str_copy(rec.note, sizeof(rec.note), note);
	(void)str_copy(rec.tags, sizeof(rec.tags), tags);
	assert_int_equal(vault_begin(v, &err), RK_OK);
	r = vault_change(v, name, &rec, VAULT_ACT_NOTE, &err);
	if (r == RK_OK)
		r = vault_commit(v, &err);
	vault_cancel(v);
	return r;
}

static void
test_changed(void **state)
{
	const bool *hide = *state;
	struct record rec;
	struct rk_error err;
	struct vault *v;

	vaultrig_make(*hide);
	fill_three();
	v = vaultrig_unlocked();
	assert_int_equal(change(v, "no", "no", "", ""), RK_ENOENT);
	assert_int_equal(change(v, "node 1", "lab.psk", "", ""), RK_EEXIST);
	assert_int_equal(change(v, "node 1", "-x", "", ""), RK_EINVAL);
	assert_int_equal(change(v, "node 1", "n", "a\nb", ""), RK_EINVAL);
	assert_int_equal(change(v, "node 1", "n", "", "a b"), RK_EINVAL);
	assert_int_equal(change(v, "node 1", "n1", "off", "a,b"), RK_OK);
	vaultrig_holds(v, "n1", 2);
	vault_close(v);
	v = vaultrig_unlocked();
	assert_int_equal(vault_find(v, "node 1", &rec, &err), RK_ENOENT);
	assert_int_equal(vault_find(v, "n1", &rec, &err), RK_OK);
	assert_string_equal(rec.note, "off");
	assert_string_equal(rec.tags, "a,b");
	assert_int_equal(vault_begin(v, &err), RK_OK);
	assert_int_equal(vault_remove(v, "n1", &err), RK_OK);
	assert_int_equal(vault_commit(v, &err), RK_OK);
	assert_int_equal(vault_find(v, "n1", &rec, &err), RK_ENOENT);
	vaultrig_add(v, "n1", RECORD_SECRET, 9);
	vaultrig_holds(v, "n1", 9);
	vaultrig_holds(v, "deploy-ca", 1);
	vault_close(v);
}

static void
test_cancelled(void **state)
{
	struct record rec;
	struct rk_error err;
	struct vault *v;

	(void)state;
	vaultrig_make(false);
	fill_three();
	v = vaultrig_unlocked();
	assert_int_equal(vault_begin(v, &err), RK_OK);
	assert_int_equal(vault_begin(v, &err), RK_ESTATE);
	assert_int_equal(vault_remove(v, "deploy-ca", &err), RK_OK);
	assert_int_equal(vault_find(v, "deploy-ca", &rec, &err), RK_ENOENT);
	vault_cancel(v);
	vaultrig_holds(v, "deploy-ca", 1);
	vaultrig_add(v, "more", RECORD_SECRET, 4);
	assert_int_equal(vault_commit(v, &err), RK_ESTATE);
	vault_close(v);
	v = vaultrig_unlocked();
	vaultrig_holds(v, "more", 4);
	vault_close(v);
}

/* Names that would be something in SQL, or in a shell. */
static void
test_odd_names(void **state)
{
	static const char *const names[] = { "'; DROP TABLE records; --",
		"\"x\"", "a%b", "x' OR '1'='1", "$(id)", "n\xc3\xa4me", "*" };
	static const char *const refused[] = { "", "-a", " a", "a ", "a\tb",
		"a\nb", "a\x1b[2J", "a\xff", "\xe2\x80\xae", "a\\b" };
	const bool *hide = *state;
	struct vault *v;

	vaultrig_make(*hide);
	v = vaultrig_unlocked();
	for (uint8_t i = 0; i < 7; i++)
		vaultrig_add(v, names[i], RECORD_SECRET, i);
	for (uint8_t i = 0; i < 7; i++)
		vaultrig_holds(v, names[i], i);
	for (size_t i = 0; i < 10; i++)
		assert_non_null(record_name_fault(refused[i]));
	vault_close(v);
}

static void
test_two_handles(void **state)
{
	struct vault *a;
	struct vault *b;
	struct rk_error err;

	(void)state;
	vaultrig_make(false);
	a = vaultrig_unlocked();
	b = vaultrig_unlocked();
	vaultrig_add(a, "from-a", RECORD_SECRET, 1);
	vaultrig_holds(b, "from-a", 1);
	vaultrig_add(b, "from-b", RECORD_SECRET, 2);
	vaultrig_add(a, "from-a-2", RECORD_SECRET, 3);
	vaultrig_holds(a, "from-b", 2);
	vaultrig_holds(b, "from-a-2", 3);
	assert_int_equal(vault_begin(a, &err), RK_OK);
	/* A reader is not in the way of a writer. */
	vaultrig_holds(b, "from-a-2", 3);
	vault_cancel(a);
	vault_close(a);
	vault_close(b);
}

static void
test_passwd(void **state)
{
	struct rk_secret *pass = vaultrig_secret("new one");
	struct vault *v;
	struct vault *other;
	struct rk_error err;

	(void)state;
	vaultrig_make(false);
	fill_three();
	v = vaultrig_unlocked();
	other = vaultrig_unlocked();
	assert_int_equal(vault_passwd(v, pass, &vaultrig_kdf, &err), RK_OK);
	/* The data key is the same: who has it goes on. */
	vaultrig_holds(other, "deploy-ca", 1);
	vault_close(other);
	vault_close(v);
	v = vaultrig_open();
	assert_int_equal(unlock_with(v, VAULTRIG_PASS), RK_EPASS);
	assert_int_equal(unlock_with(v, "new one"), RK_OK);
	vaultrig_holds(v, "deploy-ca", 1);
	vault_close(v);
	rk_secret_free(pass);
}

static void
count_steps(uint64_t done, uint64_t of, void *arg)
{
	assert_int_equal(of, 3);
	*(uint64_t *)arg = done;
}

static bool
join_lines(const struct vault_line *line, void *arg)
{
	char *text = arg;

	(void)snprintf(text + strlen(text), 512 - strlen(text), "%s(%s) ",
	    vault_act_name(line->act), line->text);
	return true;
}

static void
test_rekey(void **state)
{
	const bool *hide = *state;
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	char lines[512] = "";
	struct vault *v;
	struct vault *other;
	struct vault_info info;
	struct rk_secret *secret = NULL;
	struct record rec;
	struct rk_error err;
	uint64_t done = 0;

	vaultrig_make(*hide);
	fill_three();
	v = vaultrig_unlocked();
	other = vaultrig_unlocked();
	vault_progress(v, count_steps, &done);
	assert_int_equal(vault_rekey(v, pass, &vaultrig_kdf, &err), RK_OK);
	assert_int_equal(done, 3);
	vaultrig_holds(v, "deploy-ca", 1);
	/* Who held the old key is told. */
	assert_int_equal(
	    vault_secret(other, "deploy-ca", &rec, &secret, &err), RK_ESTATE);
	assert_non_null(strstr(err.text, "new key"));
	vault_close(other);
	vault_close(v);
	v = vaultrig_unlocked();
	vaultrig_holds(v, "lab.psk", 3);
	assert_int_equal(vault_inspect(v, &info, &err), RK_OK);
	assert_int_equal(info.key_number, 2);
	assert_int_equal(vault_log_read(v, join_lines, lines, &err), RK_OK);
	assert_string_equal(lines,
	    "init() new(lab.psk: psk) new(deploy-ca: ed25519) "
	    "new(node 1: secret) rekey() ");
	vault_close(v);
	rk_secret_free(pass);
}

static void
tell_nothing(enum rk_err what, const char *text, void *arg)
{
	(void)what;
	(void)arg;
	fail_msg("%s", text);
}

/* What was checked goes on from what was before, whoever writes then. */
static void
test_check_beside(void **state)
{
	const bool *hide = *state;
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault_mark before;
	struct vault_mark last;
	struct rk_error err;
	struct vault *v;
	struct vault *other;

	vaultrig_make(*hide);
	v = vaultrig_unlocked();
	vault_last(v, &before);
	other = vaultrig_unlocked();
	vaultrig_add(other, "a", RECORD_SECRET, 1);
	assert_int_equal(vault_check(v, pass, tell_nothing, NULL, &err), RK_OK);
	vaultrig_add(other, "b", RECORD_SECRET, 2);
	assert_int_equal(vault_follows(v, &before, &err), RK_OK);
	/* That is about what was checked. */
	vault_last(other, &last);
	assert_int_equal(vault_follows(v, &last, &err), RK_ETAMPERED);
	before.chain[0] ^= 1;
	assert_int_equal(vault_follows(v, &before, &err), RK_ETAMPERED);
	before.chain[0] ^= 1;
	assert_int_equal(vault_rekey(other, pass, &vaultrig_kdf, &err), RK_OK);
	assert_int_equal(vault_follows(v, &before, &err), RK_OK);
	vault_close(other);
	vault_close(v);
	rk_secret_free(pass);
}

static bool
count_told(const struct vault_line *line, void *arg)
{
	(void)line;
	++*(unsigned *)arg;
	return true;
}

/* What is not as it was written is told, and also that it is not. */
static void
test_log_forged(void **state)
{
	static const char *const ways[] = {
		"UPDATE audit SET text = x'666f72676564' WHERE id = 2",
		"UPDATE audit SET time = time + 1 WHERE id = 3",
		"UPDATE audit SET act = 3 WHERE id = 1",
		"DELETE FROM audit WHERE id = 2",
		"DELETE FROM audit WHERE id = 1",
	};
	struct rk_error err;
	struct vault *v;
	unsigned told;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		vaultrig_make(false);
		v = vaultrig_unlocked();
		vaultrig_add(v, "a", RECORD_SECRET, 1);
		vaultrig_add(v, "b", RECORD_SECRET, 2);
		vault_close(v);
		vaultrig_sql(ways[i]);
		v = vaultrig_open();
		told = 0;
		if (vault_log_read(v, count_told, &told, &err) != RK_EDAMAGED)
			fail_msg("%s: not seen", ways[i]);
		assert_non_null(strstr(err.text, "chain of its log is broken"));
		assert_int_equal(told, ways[i][0] == 'D' ? 2 : 3);
		vault_close(v);
		assert_int_equal(unlink(VAULTRIG_FILE), 0);
		assert_int_equal(rmdir("v"), 0);
	}
}

/* How far it is grows, to the end. */
static void
see_steps(uint64_t done, uint64_t of, void *arg)
{
	uint64_t *last = arg;

	assert_true(done > 0 && done <= of && of > 0);
	assert_true(*last <= done);
	*last = done < of ? done : 0;
}

static void
test_backup(void **state)
{
	uint64_t last = 99; /* pages that there are never */
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct record rec;
	struct vault *v;
	struct vault *copy = NULL;
	struct rk_error err;

	(void)state;
	vaultrig_make(false);
	fill_three();
	v = vaultrig_unlocked();
	last = 0;
	vault_progress(v, see_steps, &last);
	assert_int_equal(vault_backup(v, "v/copy", &err), RK_OK);
	assert_mode("v/copy", 0600);
	assert_int_equal(vault_backup(v, "v/copy", &err), RK_EEXIST);
	vaultrig_add(v, "later", RECORD_SECRET, 7);
	assert_int_equal(vault_open_copy("v/copy", &copy, &err), RK_OK);
	assert_int_equal(vault_restore(v, copy, &err), RK_ESTATE);
	assert_int_equal(vault_unlock(copy, pass, &err), RK_OK);
	assert_int_equal(vault_begin(copy, &err), RK_ESTATE);
	/* Nothing goes into a copy. */
	assert_int_equal(vault_restore(copy, v, &err), RK_ESTATE);
	assert_non_null(vault_key(copy));
	assert_int_equal(vault_restore(v, copy, &err), RK_OK);
	assert_null(vault_key(v));
	vault_close(copy);
	assert_int_equal(vault_unlock(v, pass, &err), RK_OK);
	assert_int_equal(vault_find(v, "later", &rec, &err), RK_ENOENT);
	vaultrig_holds(v, "deploy-ca", 1);
	vaultrig_add(v, "later", RECORD_SECRET, 8);
	vault_close(v);
	rk_secret_free(pass);
}

static bool open_names = false;
static bool hidden_names = true;

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

/* scratch_enter() says nothing through state, so a test may have it. */
static int
enter_open(void **state)
{
	int r = scratch_enter(state);

	*state = &open_names;
	return r;
}

static int
enter_hidden(void **state)
{
	int r = scratch_enter(state);

	*state = &hidden_names;
	return r;
}

#define BOTH(f)                                                        \
	cmocka_unit_test_setup_teardown(f, enter_open, scratch_leave), \
	    cmocka_unit_test_setup_teardown(f, enter_hidden, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_made),
		TEST(test_passphrase),
		TEST(test_held_key),
		TEST(test_locked),
		TEST(test_hidden),
		BOTH(test_changed),
		TEST(test_cancelled),
		BOTH(test_odd_names),
		TEST(test_two_handles),
		TEST(test_passwd),
		BOTH(test_rekey),
		BOTH(test_check_beside),
		TEST(test_log_forged),
		TEST(test_backup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
