/* The door to libargon2: keys from passphrases, and how much work that is. */
#include "kdf.h"
#include "base/clock.h"

#include <argon2.h>

enum rk_err
kdf_check(const struct kdf_params *p)
{
	if (p->passes < 1 || p->passes > KDF_PASSES_MAX)
		return RK_ELIMIT;
	if (p->lanes < 1 || p->lanes > KDF_LANES_MAX)
		return RK_ELIMIT;
	if (p->kib < KDF_KIB_MIN * p->lanes || p->kib > KDF_KIB_MAX)
		return RK_ELIMIT;
	return RK_OK;
}

bool
kdf_is_weak(const struct kdf_params *p)
{
	return p->passes < KDF_PASSES_FLOOR || p->kib < KDF_KIB_FLOOR;
}

enum rk_err
kdf_derive(const struct kdf_params *p, const uint8_t salt[KDF_SALT_LEN],
    const struct rk_secret *pass, uint8_t *out, size_t len)
{
	enum rk_err r;

	if ((r = kdf_check(p)) != RK_OK)
		return r;
	switch (
	    argon2id_hash_raw(p->passes, p->kib, p->lanes, rk_secret_peek(pass),
	        rk_secret_len(pass), salt, KDF_SALT_LEN, out, len)) {
	case ARGON2_OK:
		return RK_OK;
	case ARGON2_MEMORY_ALLOCATION_ERROR:
	case ARGON2_THREAD_FAIL:
		return RK_ENOMEM;
	default:
		return RK_ELIMIT;
	}
}

/* ---- how much ---- */

static enum rk_err
measure(const struct kdf_params *p, uint64_t *ms)
{
	static const uint8_t salt[KDF_SALT_LEN];
	struct rk_secret *pass = NULL;
	uint8_t out[32];
	uint64_t start;
	enum rk_err r;

	*ms = 0;
	if ((r = rk_secret_new(16, &pass)) != RK_OK)
		return r;
	start = mono_ms();
	r = kdf_derive(p, salt, pass, out, sizeof(out));
	*ms = mono_ms() - start;
	if (*ms == 0)
		*ms = 1;
	rk_secret_free(pass);
	return r;
}

enum rk_err
kdf_calibrate(uint64_t target_ms, struct kdf_params *out, uint64_t *takes_ms)
{
	struct kdf_params p = {
		.passes = KDF_PASSES_FLOOR,
		.kib = KDF_KIB_FLOOR,
		.lanes = 1,
	};
	uint64_t ms;
	uint64_t more;
	enum rk_err r;

	*out = p;
	if ((r = measure(&p, &ms)) != RK_OK)
		return r;
	/* Memory first, which costs those most who try many passphrases. */
	while (p.kib < KDF_KIB_USUAL && ms * 2 <= target_ms) {
		p.kib *= 2;
		ms *= 2;
	}
	if (p.kib > KDF_KIB_FLOOR) {
		/* Large memory is slower than reckoned. */
		if ((r = measure(&p, &ms)) != RK_OK)
			return r;
	}
	more = target_ms * p.passes / ms;
	if (more > KDF_PASSES_MAX)
		more = KDF_PASSES_MAX;
	if (more > p.passes) {
		ms = ms * more / p.passes;
		p.passes = (uint32_t)more;
	}
	*out = p;
	*takes_ms = ms;
	return RK_OK;
}
