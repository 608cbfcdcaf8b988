/* The certificate that each key has shown last: what a revocation list is asked
 * about who is not here. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/sql.h"
#include "base/str.h"
#include "trust/store.h"

#define NOTE_AGAIN_MS 60000 /* after a failure */

/* ---- remembered, so that who comes again costs no query ---- */

static uint64_t
hash_of(const struct rk_cert_info *cert)
{
	const char *const parts[] = { cert->fp, cert->serial, cert->issuer_cn,
		cert->cn };
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (const char *p = parts[i]; *p != '\0'; p++)
			h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
		h *= UINT64_C(0x100000001b3);
	}
	h = (h ^ (uint64_t)cert->not_before) * UINT64_C(0x100000001b3);
	h = (h ^ (uint64_t)cert->not_after) * UINT64_C(0x100000001b3);
	return h != 0 ? h : 1;
}

static uint64_t *
place_of(struct rk_store *s, uint64_t hash)
{
	return &s->certs[hash % STORE_MEMO];
}

/* ---- noted ---- */

static void
bind(sqlite3_stmt *stmt, const struct rk_cert_info *cert)
{
	(void)sqlite3_bind_text(stmt, 1, cert->fp, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_text(stmt, 2, cert->serial, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(stmt, 3, cert->issuer_cn,
	    (int)strlen(cert->issuer_cn), SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(
	    stmt, 4, cert->not_before > 0 ? cert->not_before : 0);
	(void)sqlite3_bind_int64(
	    stmt, 5, cert->not_after > 0 ? cert->not_after : 0);
	(void)sqlite3_bind_blob(
	    stmt, 6, cert->cn, (int)strlen(cert->cn), SQLITE_TRANSIENT);
}

static enum rk_err
is_noted(struct rk_store *s, const struct rk_cert_info *cert, bool *noted,
    struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	*noted = false;
	r = store_db_prepare(s,
	    "SELECT serial = ?2 AND ca = ?3 AND not_before = ?4 AND "
	    "not_after = ?5 AND (SELECT cn FROM names WHERE fp = ?1) = ?6 FROM "
	    "certs WHERE fp = ?1",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	bind(stmt, cert);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*noted = sqlite3_column_int(stmt, 0) == 1;
	else if (rc != SQLITE_DONE)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	return r;
}

static enum rk_err
put_part(struct rk_store *s, const char *sql, const struct rk_cert_info *cert,
    struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r = store_db_prepare(s, sql, &stmt, err);

	if (r != RK_OK)
		return r;
	bind(stmt, cert);
	return store_db_finish(s, stmt, err);
}

enum rk_err
store_cert_put(
    struct rk_store *s, const struct rk_cert_info *cert, struct rk_error *err)
{
	enum rk_err r;

	/* Who is met later may have another one noted than was remembered. */
	memset(s->certs, 0, sizeof(s->certs));
	r = put_part(s,
	    "INSERT OR REPLACE INTO certs (fp, serial, ca, not_before, "
	    "not_after) SELECT fp, ?2, ?3, ?4, ?5 FROM keys WHERE fp = ?1",
	    cert, err);
	if (r == RK_OK)
		r = put_part(s,
		    "INSERT OR REPLACE INTO names (fp, cn) SELECT fp, ?6 FROM "
		    "keys WHERE fp = ?1",
		    cert, err);
	if (r != RK_OK)
		return r;
	return store_db_exec(s,
	    "DELETE FROM certs WHERE fp NOT IN (SELECT fp FROM keys); "
	    "DELETE FROM names WHERE fp NOT IN (SELECT fp FROM keys)",
	    err);
}

/* Within a transaction.  A line that somebody has added gets its row. */
static enum rk_err
put(struct rk_store *s, const struct rk_cert_info *cert, struct rk_error *err)
{
	enum rk_err r = store_settle(s, err);

	return r == RK_OK ? store_cert_put(s, cert, err) : r;
}

static enum rk_err
note(struct rk_store *s, const struct rk_cert_info *cert, struct rk_error *err)
{
	bool noted;
	enum rk_err r;

	if ((r = store_check(s, err)) != RK_OK ||
	    (r = is_noted(s, cert, &noted, err)) != RK_OK || noted)
		return r;
	store_hurry(s, STORE_QUICK);
	if ((r = store_begin(s, err)) == RK_OK)
		r = store_end(s, put(s, cert, err), err);
	store_hurry(s, STORE_PATIENT);
	return r;
}

void
store_cert_note(struct rk_store *s, const struct rk_cert_info *cert)
{
	const uint64_t hash = hash_of(cert);
	struct rk_error err;

	(void)pthread_mutex_lock(&s->mutex);
	if (*place_of(s, hash) != hash && mono_ms() >= s->certs_again) {
		if (note(s, cert, &err) == RK_OK) {
			*place_of(s, hash) = hash;
		} else {
			s->certs_again = mono_ms() + NOTE_AGAIN_MS;
			log_event(RK_LOG_WARN, "trust",
			    "which certificate key %s has is not noted: %s",
			    cert->fp, err.text);
		}
	}
	(void)pthread_mutex_unlock(&s->mutex);
}

/* ---- all of them ---- */

static bool
read_cert(sqlite3_stmt *stmt, struct rk_cert_info *out)
{
	const void *pub = sqlite3_column_blob(stmt, 0);

	*out = (struct rk_cert_info){ 0 };
	if (pub == NULL || sqlite3_column_bytes(stmt, 0) != RK_KEY_PUBLIC_LEN)
		return false;
	memcpy(out->pub, pub, sizeof(out->pub));
	rk_fp_of_key(out->pub, out->fp);
	return sql_column_text(stmt, 1, out->email, sizeof(out->email)) &&
	       sql_column_text(stmt, 2, out->serial, sizeof(out->serial)) &&
	       sql_column_text(
	           stmt, 3, out->issuer_cn, sizeof(out->issuer_cn)) &&
	       out->serial[strspn(out->serial, "0123456789abcdef-")] == '\0';
}

enum rk_err
store_cert_each(
    struct rk_store *s, store_cert_fn *fn, void *arg, struct rk_error *err)
{
	struct rk_cert_info cert;
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc = SQLITE_DONE;

	(void)pthread_mutex_lock(&s->mutex);
	if ((r = store_check(s, err)) == RK_OK)
		r = store_db_prepare(s,
		    "SELECT keys.pub, keys.email, certs.serial, certs.ca FROM "
		    "certs JOIN keys ON keys.fp = certs.fp WHERE "
		    "certs.serial != ''",
		    &stmt, err);
	/* What is no certificate's is on no list. */
	while (r == RK_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (read_cert(stmt, &cert))
			fn(&cert, arg);
	}
	if (r == RK_OK && rc != SQLITE_DONE)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}
