/* A server's seed: kept in a file or not, and what is derived from it. */
#include "net/seed.h"

#include "base/be.h"
#include "base/crypt.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define USE_LEN_MAX 40
#define DERIVED_LEN_MAX 64
#define EPOCH_LEN 8
#define FILE_MODE 0600
#define FILE_CHECKS (FS_NO_FOLLOW | FS_PRIVATE | FS_NOT_SHARED)
#define NAME_TEXT 220

struct seed {
	atomic_uint refs;
	struct rk_secret *secret;
};

static enum rk_err
make(struct rk_secret **out, struct rk_error *err)
{
	enum rk_err r;

	if ((r = rk_secret_new(SEED_LEN, out)) != RK_OK)
		return err_set(err, r, "out of memory");
	rk_random(rk_secret_data(*out), SEED_LEN);
	return RK_OK;
}

static enum rk_err
read_file(const char *path, struct rk_secret **out, struct rk_error *err)
{
	char name[NAME_TEXT];
	enum rk_err r;

	*out = NULL;
	r = fs_read_secret(path, FILE_CHECKS, SEED_LEN, out, err);
	if (r == RK_ETOOBIG || (r == RK_OK && rk_secret_len(*out) != SEED_LEN))
		r = err_set(err, RK_EFORMAT, "%s: no seed, which is %d bytes",
		    str_escape(name, sizeof(name), path), SEED_LEN);
	if (r != RK_OK) {
		rk_secret_free(*out);
		*out = NULL;
	}
	return r;
}

/* The file, made where there is none; another process may be faster. */
static enum rk_err
read_or_make(const char *path, struct rk_secret **out, struct rk_error *err)
{
	enum rk_err r = read_file(path, out, err);

	if (r != RK_ENOENT)
		return r;
	err_clear(err);
	if ((r = make(out, err)) != RK_OK)
		return r;
	r = fs_write_file(
	    path, rk_secret_peek(*out), SEED_LEN, FILE_MODE, false, err);
	if (r == RK_OK)
		return RK_OK;
	rk_secret_free(*out);
	*out = NULL;
	if (r == RK_EEXIST) {
		err_clear(err);
		r = read_file(path, out, err);
	}
	return r;
}

enum rk_err
seed_new(const char *path, struct seed **out, struct rk_error *err)
{
	struct seed *s = calloc(1, sizeof(*s));
	enum rk_err r;

	*out = NULL;
	if (s == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	atomic_init(&s->refs, 1);
	r = path == NULL ? make(&s->secret, err)
	                 : read_or_make(path, &s->secret, err);
	if (r == RK_ENOENT) { /* its folder is missing */
		r = RK_EIO;
		if (err != NULL)
			err->code = r;
	}
	if (r == RK_OK)
		*out = s;
	else
		seed_free(s);
	return r;
}

struct seed *
seed_ref(struct seed *s)
{
	(void)atomic_fetch_add(&s->refs, 1);
	return s;
}

void
seed_free(struct seed *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	rk_secret_free(s->secret);
	free(s);
}

void
seed_derive(const struct seed *s, const char *use, uint64_t epoch, uint8_t *out,
    size_t len)
{
	uint8_t info[USE_LEN_MAX + 1 + EPOCH_LEN];
	size_t n = strlen(use) + 1; /* with the NUL: no use begins another */
	enum rk_err r;

	assert(n <= USE_LEN_MAX + 1 && len <= DERIVED_LEN_MAX);
	memcpy(info, use, n);
	(void)be_put64(info + n, epoch);
	r = crypt_hkdf(out, len, rk_secret_peek(s->secret), SEED_LEN, NULL, 0,
	    info, n + EPOCH_LEN);
	assert(r == RK_OK); /* it only fails beyond a length */
	(void)r;
}

uint64_t
seed_epoch(int64_t now)
{
	return now < 0 ? 0 : (uint64_t)now / SEED_EPOCH_S;
}
