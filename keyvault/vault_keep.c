/* A vault kept open between uses: asleep without its keys, but not unknown. */
#include "vault_int.h"

#include <errno.h>

#include "base/error.h"
#include "base/fs.h"

enum rk_err
vault_same(struct vault *v, struct rk_error *err)
{
	struct stat st;
	enum rk_err r;

	if ((r = vault_check_files(v->path, err)) != RK_OK)
		return r;
	if (lstat(v->path, &st) != 0)
		return fs_fail(err, errno, v->path);
	return st.st_dev == v->dev && st.st_ino == v->ino
	           ? RK_OK
	           : err_set(
	                 err, RK_ESTATE, "%s: is another file now", v->name);
}

/* The memory stays, for the next time: guarded memory takes longer to get than
 * a signature to make. */
static void
put_by(struct rk_secret **from, struct rk_secret **to)
{
	if (*from == NULL)
		return;
	rk_wipe(rk_secret_data(*from), rk_secret_len(*from));
	rk_secret_free(*to);
	*to = *from;
	*from = NULL;
}

void
vault_doze(struct vault *v)
{
	vault_cancel(v);
	put_by(&v->key, &v->spare_key);
	put_by(&v->derived, &v->spare_derived);
}

enum rk_err
vault_wake(struct vault *v, const struct rk_secret *key, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	vault_doze(v);
	if (rk_secret_len(key) != VAULT_KEY_LEN)
		return err_set(
		    err, RK_EINVAL, "%s: a key has 32 bytes", v->name);
	if (v->spare_key == NULL)
		r = rk_secret_new(VAULT_KEY_LEN, &v->spare_key);
	if (r == RK_OK && v->spare_derived == NULL)
		r = rk_secret_new(sizeof(struct keys), &v->spare_derived);
	if (r == RK_OK) {
		memcpy(rk_secret_data(v->spare_key), rk_secret_peek(key),
		    VAULT_KEY_LEN);
		r = vault_derive_into(v->head.id, key, v->spare_derived);
	}
	if (r != RK_OK)
		return err_set(err, r, "%s: out of memory", v->name);
	v->key = v->spare_key;
	v->derived = v->spare_derived;
	v->spare_key = NULL;
	v->spare_derived = NULL;
	return RK_OK;
}

void
vault_patience(struct vault *v, int ms)
{
	/* Fails only for a handle that is none. */
	(void)sqlite3_busy_timeout(v->db, ms);
}
