/* Vaults that were damaged, and those that somebody changed: told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "keyvault/vault_int.h"
#include "scratch.h"
#include "vaultrig.h"

/* ---- accidents: what does not add up ---- */

static void
test_damaged(void **state)
{
	static const char *const changes[] = {
		"UPDATE head SET vault = randomblob(16)",
		"UPDATE head SET vault = x'00'",
		"UPDATE head SET created = created + 1",
		"UPDATE head SET hidden = 1",
		"UPDATE head SET hidden = 2",
		"UPDATE head SET key_number = 7",
		"UPDATE head SET passes = 2",
		"UPDATE head SET kib = 9",
		"UPDATE head SET lanes = 2",
		"UPDATE head SET salt = randomblob(16)",
		"UPDATE head SET verifier = randomblob(32)",
		"UPDATE head SET wrapped = randomblob(72)",
		"UPDATE head SET generation = generation - 1",
		"UPDATE head SET manifest = randomblob(32)",
		"UPDATE head SET sum = randomblob(32)",
		"DELETE FROM head",
		"UPDATE records SET id = 9 WHERE id = 1",
		"UPDATE records SET id = -9 WHERE id = 1",
		"UPDATE records SET kind = 3 WHERE id = 1",
		"UPDATE records SET kind = 99 WHERE id = 1",
		"UPDATE records SET version = 9 WHERE id = 1",
		"UPDATE records SET name = x'7a' WHERE id = 1",
		"UPDATE records SET name = x'' WHERE id = 1",
		"UPDATE records SET name = zeroblob(200) WHERE id = 1",
		"UPDATE records SET about = x'0100' WHERE id = 1",
		"UPDATE records SET about = zeroblob(5000) WHERE id = 1",
		"UPDATE records SET sealed = randomblob(72) WHERE id = 1",
		"UPDATE records SET sealed = x'00' WHERE id = 1",
		"UPDATE records SET sealed = zeroblob(70000) WHERE id = 1",
		/* One line: it is a list of them. */
		"UPDATE records SET sealed = (SELECT zeroblob(72)) WHERE id=1",
		"UPDATE records SET sum = randomblob(8) WHERE id = 1",
		"UPDATE audit SET time = time + 1 WHERE id = 2",
		"UPDATE audit SET act = 3 WHERE id = 2",
		"UPDATE audit SET text = x'7a' WHERE id = 2",
		"UPDATE audit SET chain = randomblob(32) WHERE id = 2",
		"DELETE FROM audit WHERE id = 2",
	};
	struct rk_error err;
	struct vault *v;
	enum rk_err r;

	(void)state;
	vaultrig_make_three();
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		vaultrig_sql(changes[i]);
		/* The log is not read unless there is reason to. */
		if (strstr(changes[i], "audit") == NULL)
			vaultrig_refuses(RK_EDAMAGED, changes[i]);
		else if ((r = vault_open(VAULTRIG_FILE, &v, &err)) == RK_OK) {
			r = vault_adds_up(v, NULL, NULL, &err);
			assert_int_equal(r, RK_EDAMAGED);
			vault_close(v);
		}
		vaultrig_remake();
	}
}

/* ---- somebody: sums made anew, without the key ---- */

typedef void change_fn(struct head *h);

static void
head_id(struct head *h)
{
	h->id[3] ^= 1;
}
static void
head_created(struct head *h)
{
	h->created--;
}
static void
head_hidden(struct head *h)
{
	h->hidden = !h->hidden;
}
static void
head_key_number(struct head *h)
{
	h->key_number++;
}
static void
head_passes(struct head *h)
{
	h->kdf.passes++;
}
static void
head_kib(struct head *h)
{
	h->kdf.kib++;
}
static void
head_lanes(struct head *h)
{
	h->kdf.lanes = 2;
	h->kdf.kib = 16;
}
static void
head_salt(struct head *h)
{
	h->salt[15] ^= 1;
}
static void
head_verifier(struct head *h)
{
	h->verifier[0] ^= 1;
}
static void
head_nonce(struct head *h)
{
	h->wrapped[0] ^= 1;
}
static void
head_wrapped(struct head *h)
{
	h->wrapped[40] ^= 1;
}
static void
head_generation(struct head *h)
{
	h->generation--;
}
static void
head_manifest(struct head *h)
{
	h->manifest[31] ^= 1;
}
static void
head_memory(struct head *h)
{
	h->kdf.kib = UINT32_MAX;
}
static void
head_work(struct head *h)
{
	h->kdf.passes = 100000;
}

static void
test_head(void **state)
{
	static const struct {
		change_fn *change;
		enum rk_err want;
		const char *what;
	} cases[] = {
		{ head_id, RK_ETAMPERED, "id" },
		{ head_created, RK_ETAMPERED, "created" },
		{ head_hidden, RK_ETAMPERED, "hidden" },
		{ head_key_number, RK_ETAMPERED, "key_number" },
		/* Whoever changes these makes any passphrase a wrong one. */
		{ head_passes, RK_EPASS, "passes" },
		{ head_kib, RK_EPASS, "kib" },
		{ head_lanes, RK_EPASS, "lanes" },
		{ head_salt, RK_EPASS, "salt" },
		{ head_verifier, RK_EPASS, "verifier" },
		{ head_nonce, RK_ETAMPERED, "nonce" },
		{ head_wrapped, RK_ETAMPERED, "wrapped" },
		{ head_generation, RK_ETAMPERED, "generation" },
		{ head_manifest, RK_ETAMPERED, "manifest" },
		/* Before any work is done. */
		{ head_memory, RK_ELIMIT, "memory" },
		{ head_work, RK_ELIMIT, "work" },
	};
	struct vault *v;
	struct rk_error err;

	(void)state;
	vaultrig_make_three();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v = vaultrig_open();
		cases[i].change(&v->head);
		assert_int_equal(vault_head_write(v, false, &err), RK_OK);
		vault_close(v);
		vaultrig_refuses(cases[i].want, cases[i].what);
		vaultrig_remake();
	}
}

/* A row of which one may change everything. */
struct loose {
	struct row row;
	uint8_t name[RECORD_NAME_MAX];
	uint8_t about[RECORD_ABOUT_MAX];
	uint8_t sealed[1024];
};

static void
take_row(struct vault *v, int64_t id, struct loose *out)
{
	sqlite3_stmt *stmt = NULL;
	struct rk_error err;

	assert_int_equal(
	    vault_db_prepare(v,
	        "SELECT " VAULT_ROW_COLUMNS " FROM records WHERE id = ?1",
	        &stmt, &err),
	    RK_OK);
	assert_int_equal(sqlite3_bind_int64(stmt, 1, id), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(vault_row_take(v, stmt, &out->row, &err), RK_OK);
	memcpy(out->name, out->row.name.ptr, out->row.name.len);
	memcpy(out->about, out->row.about.ptr, out->row.about.len);
	memcpy(out->sealed, out->row.sealed.ptr, out->row.sealed.len);
	out->row.name.ptr = out->name;
	out->row.about.ptr = out->about;
	out->row.sealed.ptr = out->sealed;
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
}

static void
put_row(struct vault *v, struct loose *l, bool insert)
{
	struct rk_error err;

	assert_int_equal(vault_row_sum(&l->row, l->row.sum), RK_OK);
	if (vault_row_put(v, &l->row, insert, &err) != RK_OK)
		fail_msg("%s", err.text);
}

static void
test_row(void **state)
{
	static const char *const what[] = { "kind", "version", "name", "about",
		"note", "sealed", "tag", "nonce" };
	struct loose l;
	struct vault *v;

	(void)state;
	vaultrig_make_three();
	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		v = vaultrig_open();
		take_row(v, 3, &l);
		switch (i) {
		case 0:
			l.row.kind = RECORD_PSK;
			break;
		case 1:
			l.row.version++;
			break;
		case 2:
			l.name[0] = 'z';
			break;
		case 3:
			l.about[8] ^= 1; /* when it was made */
			break;
		case 4:
			l.row.about.len--;
			break;
		case 5:
			l.sealed[30] ^= 1;
			break;
		case 6:
			l.sealed[l.row.sealed.len - 1] ^= 1;
			break;
		default:
			l.sealed[0] ^= 1;
			break;
		}
		put_row(v, &l, false);
		vault_close(v);
		/* What cannot be read at all is damage. */
		vaultrig_refuses(
		    i == 0 || i == 2 || i == 4 ? RK_EDAMAGED : RK_ETAMPERED,
		    what[i]);
		vaultrig_remake();
	}
}

/* The public half of a locked vault can be changed; an unlocked one tells. */
static void
test_public_half(void **state)
{
	struct loose a;
	struct loose b;
	struct vault *v;

	(void)state;
	vaultrig_make_three();
	v = vaultrig_open();
	take_row(v, 1, &a);
	take_row(v, 2, &b);
	memcpy(
	    a.about + a.row.about.len - 32, b.about + b.row.about.len - 32, 32);
	put_row(v, &a, false);
	vault_close(v);
	vaultrig_refuses(RK_ETAMPERED, "public half");
}

static void
test_swapped(void **state)
{
	struct loose a;
	struct loose b;
	struct vault *v;

	(void)state;
	vaultrig_make_three();
	/* The secrets of two keys. */
	v = vaultrig_open();
	take_row(v, 1, &a);
	take_row(v, 2, &b);
	a.row.sealed.ptr = b.sealed;
	b.row.sealed.ptr = a.sealed;
	put_row(v, &a, false);
	put_row(v, &b, false);
	vault_close(v);
	vaultrig_refuses(RK_ETAMPERED, "sealed parts swapped");
	/* Two whole rows. */
	vaultrig_remake();
	v = vaultrig_open();
	take_row(v, 1, &a);
	take_row(v, 2, &b);
	a.row.id = 2;
	b.row.id = 1;
	vaultrig_sql("DELETE FROM records WHERE id < 3");
	put_row(v, &a, true);
	put_row(v, &b, true);
	vault_close(v);
	vaultrig_refuses(RK_ETAMPERED, "rows swapped");
}

static void
test_one_brought_back(void **state)
{
	struct record rec = { .name = "a", .note = "newer" };
	struct loose old;
	struct rk_error err;
	struct vault *v;

	(void)state;
	vaultrig_make_three();
	v = vaultrig_unlocked();
	take_row(v, 1, &old);
	assert_int_equal(vault_begin(v, &err), RK_OK);
	assert_int_equal(
	    vault_change(v, "a", &rec, VAULT_ACT_NOTE, &err), RK_OK);
	assert_int_equal(vault_commit(v, &err), RK_OK);
	vault_close(v);
	assert_int_equal(vaultrig_try(&err), RK_OK);
	v = vaultrig_open();
	put_row(v, &old, false);
	vault_close(v);
	vaultrig_refuses(RK_ETAMPERED, "one row brought back");
}

static void
test_removed_and_copied(void **state)
{
	struct loose a;
	struct vault *v;

	(void)state;
	vaultrig_make_three();
	vaultrig_sql("DELETE FROM records WHERE id = 3");
	vaultrig_refuses(RK_ETAMPERED, "a row removed");
	vaultrig_remake();
	v = vaultrig_open();
	take_row(v, 1, &a);
	a.row.id = 4;
	vaultrig_sql("UPDATE records SET name = x'71' WHERE id = 1");
	put_row(v, &a, true);
	vault_close(v);
	vaultrig_refuses(RK_EDAMAGED, "a row there twice");
	vaultrig_remake();
	vaultrig_sql("DELETE FROM audit WHERE id = 4");
	vaultrig_refuses(RK_ETAMPERED, "the end of the log removed");
	vaultrig_remake();
	vaultrig_sql("DELETE FROM audit");
	vaultrig_refuses(RK_ETAMPERED, "the log removed");
}

/* The log rewritten, with a chain that holds. */
static void
test_log_rewritten(void **state)
{
	uint8_t chain[CRYPT_HASH_LEN] = { 0 };
	struct line line = { .act = VAULT_ACT_INIT, .time = 1 };
	struct rk_error err;
	struct vault *v;

	(void)state;
	vaultrig_make_three();
	v = vaultrig_open();
	for (line.id = 1; line.id <= 4; line.id++) {
		assert_int_equal(vault_link(chain, &line, line.chain), RK_OK);
		assert_int_equal(vault_line_put(v, &line, &err), RK_OK);
		memcpy(chain, line.chain, sizeof(chain));
	}
	assert_int_equal(vault_adds_up(v, NULL, NULL, &err), RK_OK);
	vault_close(v);
	vaultrig_refuses(RK_ETAMPERED, "log");
}

/* While it is unlocked, by a row at a time. */
static void
test_changed_meanwhile(void **state)
{
	struct rk_secret *secret = NULL;
	struct record rec;
	struct loose old;
	struct rk_error err;
	struct vault *v;
	struct vault *other;

	(void)state;
	vaultrig_make_three();
	v = vaultrig_unlocked();
	other = vaultrig_open();
	take_row(other, 1, &old);
	old.sealed[40] ^= 1;
	put_row(other, &old, false);
	assert_int_equal(
	    vault_secret(v, "b", &rec, &secret, &err), RK_ETAMPERED);
	assert_int_equal(vault_begin(v, &err), RK_ETAMPERED);
	vault_close(other);
	vault_close(v);
}

/* ---- check ---- */

struct told {
	unsigned damaged;
	unsigned tampered;
	char last[RK_ERROR_TEXT_LEN];
};

static void
note_fault(enum rk_err what, const char *text, void *arg)
{
	struct told *t = arg;

	t->damaged += what == RK_EDAMAGED;
	t->tampered += what == RK_ETAMPERED;
	(void)str_copy(t->last, sizeof(t->last), text);
}

static struct told
check(enum rk_err want)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = vaultrig_open();
	struct told t = { 0 };
	struct rk_error err;

	assert_int_equal(vault_check(v, pass, note_fault, &t, &err), want);
	assert_null(vault_key(v));
	vault_close(v);
	rk_secret_free(pass);
	return t;
}

static void
test_check(void **state)
{
	struct loose l;
	struct told t;
	struct vault *v;

	(void)state;
	vaultrig_make_three();
	t = check(RK_OK);
	assert_int_equal(t.damaged + t.tampered, 0);
	vaultrig_sql("UPDATE records SET sum = x'0000000000000000'");
	t = check(RK_OK);
	assert_int_equal(t.damaged, 3);
	assert_int_equal(t.tampered, 0);
	vaultrig_remake();
	vaultrig_sql("UPDATE audit SET time = 5 WHERE id = 2");
	t = check(RK_OK);
	assert_int_equal(t.damaged, 1);
	assert_non_null(strstr(t.last, "line 2"));
	vaultrig_remake();
	v = vaultrig_open();
	take_row(v, 2, &l);
	l.sealed[40] ^= 1;
	put_row(v, &l, false);
	vault_close(v);
	t = check(RK_OK);
	assert_int_equal(t.damaged, 0);
	assert_int_equal(t.tampered, 1);
	assert_non_null(strstr(t.last, "record 2"));
	vaultrig_remake();
	vaultrig_sql("DELETE FROM records WHERE id = 2");
	t = check(RK_OK);
	assert_int_equal(t.tampered, 1);
	vaultrig_remake();
	v = vaultrig_open();
	v->head.verifier[0] ^= 1;
	assert_int_equal(vault_head_write(v, false, NULL), RK_OK);
	vault_close(v);
	(void)check(RK_EPASS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_damaged),
		TEST(test_head),
		TEST(test_row),
		TEST(test_public_half),
		TEST(test_swapped),
		TEST(test_one_brought_back),
		TEST(test_removed_and_copied),
		TEST(test_log_rewritten),
		TEST(test_changed_meanwhile),
		TEST(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
