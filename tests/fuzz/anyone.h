/* What targets with sessions share: everybody is let in, and what must hold. */
#ifndef TESTS_FUZZ_ANYONE_H
#define TESTS_FUZZ_ANYONE_H

#include <stdlib.h>

#include <rpckit/session.h>

static inline void
must(bool holds)
{
	if (!holds)
		abort();
}

static inline enum rk_err
on_peer(struct rk_session *s, const uint8_t *pub, const char *fp, void *arg)
{
	(void)s;
	(void)pub;
	(void)fp;
	(void)arg;
	return RK_OK;
}

#endif
