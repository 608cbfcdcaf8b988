/* Vaults made, filled and looked at for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include <rpckit/key.h>

#include "base/str.h"
#include "vaultrig.h"

const struct kdf_params vaultrig_kdf = { .passes = 1, .kib = 8, .lanes = 1 };

struct rk_secret *
vaultrig_secret(const char *text)
{
	struct rk_secret *s = NULL;

	assert_int_equal(rk_secret_copy(text, strlen(text), &s), RK_OK);
	return s;
}

void
vaultrig_make(bool hide)
{
	struct vault_setup setup = { .hide = hide, .kdf = vaultrig_kdf };
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct rk_error err;

	if (vault_make(VAULTRIG_FILE, &setup, pass, &err) != RK_OK)
		fail_msg("%s", err.text);
	rk_secret_free(pass);
}

struct vault *
vaultrig_open(void)
{
	struct vault *v = NULL;
	struct rk_error err;

	if (vault_open(VAULTRIG_FILE, &v, &err) != RK_OK)
		fail_msg("%s", err.text);
	return v;
}

struct vault *
vaultrig_unlocked(void)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = vaultrig_open();
	struct rk_error err;

	if (vault_unlock(v, pass, &err) != RK_OK)
		fail_msg("%s", err.text);
	rk_secret_free(pass);
	return v;
}

void
vaultrig_add(
    struct vault *v, const char *name, enum record_kind kind, uint8_t fill)
{
	static const size_t pub_lens[] = { 0, 32, 4, 0 };
	struct record rec = { .kind = kind, .pub_len = pub_lens[kind] };
	struct rk_secret *secret = NULL;
	struct rk_key *key = NULL;
	uint8_t bytes[32];
	struct rk_error err;

	memset(bytes, fill, sizeof(bytes));
	(void)str_copy(rec.name, sizeof(rec.name), name);
	if (kind == RECORD_ED25519) {
		assert_int_equal(rk_key_from_seed(bytes, &key), RK_OK);
		rk_key_public(key, rec.pub);
		rk_key_free(key);
	}
	assert_int_equal(rk_secret_copy(bytes, 32, &secret), RK_OK);
	if (vault_begin(v, &err) != RK_OK ||
	    vault_add(v, &rec, secret, VAULT_ACT_NEW, &err) != RK_OK ||
	    vault_commit(v, &err) != RK_OK)
		fail_msg("%s", err.text);
	rk_secret_free(secret);
}

void
vaultrig_holds(struct vault *v, const char *name, uint8_t fill)
{
	struct rk_secret *secret = NULL;
	struct record rec;
	struct rk_error err;
	uint8_t want[32];

	memset(want, fill, sizeof(want));
	if (vault_secret(v, name, &rec, &secret, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_string_equal(rec.name, name);
	assert_int_equal(rk_secret_len(secret), 32);
	assert_memory_equal(rk_secret_peek(secret), want, 32);
	rk_secret_free(secret);
}

void
vaultrig_sql(const char *sql)
{
	sqlite3 *db = NULL;
	char *text = NULL;

	assert_int_equal(sqlite3_open(VAULTRIG_FILE, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
	    SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- one that is spoilt ---- */

static uint8_t intact[1 << 18];
static size_t intact_len;

void
vaultrig_make_three(void)
{
	struct vault *v;
	FILE *f;

	vaultrig_make(false);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_ED25519, 1);
	vaultrig_add(v, "b", RECORD_ED25519, 2);
	vaultrig_add(v, "c", RECORD_SECRET, 3);
	vault_close(v);
	f = fopen(VAULTRIG_FILE, "rb");
	assert_non_null(f);
	intact_len = fread(intact, 1, sizeof(intact), f);
	assert_in_range(intact_len, 1, sizeof(intact) - 1);
	assert_int_equal(fclose(f), 0);
}

enum rk_err
vaultrig_try(struct rk_error *err)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = NULL;
	enum rk_err r = vault_open(VAULTRIG_FILE, &v, err);

	if (r == RK_OK)
		r = vault_unlock(v, pass, err);
	if (r == RK_OK)
		vaultrig_holds(v, "a", 1);
	vault_close(v);
	rk_secret_free(pass);
	return r;
}

void
vaultrig_refuses(enum rk_err want, const char *what)
{
	struct rk_error err;
	enum rk_err r = vaultrig_try(&err);

	if (r != want)
		fail_msg("%s: %s, not %s (%s)", what, rk_err_name(r),
		    rk_err_name(want), err.text);
	assert_int_equal(err.code, want);
}

/* As vaultrig_make_three() left it, without waiting for the disk. */
void
vaultrig_remake(void)
{
	FILE *f = fopen(VAULTRIG_FILE, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(intact, 1, intact_len, f), intact_len);
	assert_int_equal(fclose(f), 0);
}
