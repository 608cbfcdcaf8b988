/* Guarded memory, wiping, constant-time comparison, randomness. */
#include <rpckit/secret.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sys/mman.h>

#include "base/crypt.h"

struct rk_secret {
	uint8_t *data;
	size_t len;
};

static atomic_bool swappable;

enum rk_err
rk_secret_new(size_t len, struct rk_secret **out)
{
	struct rk_secret *s;

	*out = NULL;
	crypt_setup();
	s = malloc(sizeof(*s));
	if (s == NULL)
		return RK_ENOMEM;
	s->data = sodium_malloc(len > 0 ? len : 1);
	if (s->data == NULL) {
		free(s);
		return RK_ENOMEM;
	}
	/* sodium tells nobody that it could not; what is locked costs nothing
	 * once more. */
	if (mlock(s->data, len > 0 ? len : 1) != 0)
		atomic_store(&swappable, true);
	memset(s->data, 0, len > 0 ? len : 1);
	s->len = len;
	*out = s;
	return RK_OK;
}

enum rk_err
rk_secret_copy(const void *src, size_t len, struct rk_secret **out)
{
	enum rk_err r;

	if ((r = rk_secret_new(len, out)) != RK_OK)
		return r;
	if (len > 0)
		memcpy((*out)->data, src, len);
	return RK_OK;
}

uint8_t *
rk_secret_data(struct rk_secret *s)
{
	return s->data;
}

const uint8_t *
rk_secret_peek(const struct rk_secret *s)
{
	return s->data;
}

size_t
rk_secret_len(const struct rk_secret *s)
{
	return s->len;
}

void
rk_secret_trim(struct rk_secret *s, size_t len)
{
	if (len >= s->len)
		return;
	sodium_memzero(s->data + len, s->len - len);
	s->len = len;
}

void
rk_secret_free(struct rk_secret *s)
{
	if (s == NULL)
		return;
	sodium_free(s->data); /* wipes */
	free(s);
}

bool
rk_secret_is_swappable(void)
{
	return atomic_load(&swappable);
}

bool
rk_secret_eq(const void *a, const void *b, size_t len)
{
	return len == 0 || sodium_memcmp(a, b, len) == 0;
}

void
rk_wipe(void *p, size_t len)
{
	if (len > 0)
		sodium_memzero(p, len);
}

void
rk_random(void *dst, size_t len)
{
	crypt_setup();
	if (len > 0)
		randombytes_buf(dst, len);
}
