/* A key that is elsewhere: a function of the test's signs, fails or lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "elsewhere.h"

static enum rk_err
sign(enum rk_sign_use use, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err, void *arg)
{
	struct elsewhere *e = arg;

	(void)atomic_fetch_add(&e->asked, 1);
	atomic_store(&e->use, (int)use);
	switch ((enum elsewhere_mode)atomic_load(&e->mode)) {
	case ELSEWHERE_GOOD:
		rk_key_sign(e->key, msg, len, sig);
		if (e->then != NULL)
			e->then();
		return RK_OK;
	case ELSEWHERE_LIES:
		rk_key_sign(e->key, "else", 4, sig);
		return RK_OK;
	case ELSEWHERE_OUT:
		break;
	}
	return err_set(err, RK_ETIMEOUT, "the card is out");
}

struct rk_key *
elsewhere_key(struct elsewhere *e, struct rk_key *key)
{
	struct rk_signer s = {
		.size = sizeof(s), .name = "card", .sign = sign, .arg = e
	};
	struct rk_key *out = NULL;

	e->key = key;
	atomic_init(&e->mode, ELSEWHERE_GOOD);
	atomic_init(&e->asked, 0);
	atomic_init(&e->use, -1);
	rk_key_public(key, s.pub);
	assert_int_equal(rk_key_of_signer(&s, &out), RK_OK);
	return out;
}
