/* QUIC's TLS: one context for all threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "quicrig.h"

#define THREADS 4
#define TIMES 8

static struct quicrig rig;
static atomic_uint early;
static atomic_uint good;

static void *
visit_often(void *arg)
{
	struct quicpair *p;

	(void)arg;
	for (int i = 0; i < TIMES; i++) {
		p = quicpair_new(rig.client, rig.server);
		quicpair_send(&p->client, "text");
		quicpair_run(p);
		if (p->client.confirmed && strcmp(p->server.got, "text") == 0)
			atomic_fetch_add(&good, 1);
		if (p->server.early_len > 0 && p->server.first_cert)
			atomic_fetch_add(&early, 1);
		quicpair_free(p);
		if (i == TIMES / 2)
			quic_tls_ctx_forget(rig.client);
	}
	return NULL;
}

static void
contexts_are_shared(void **state)
{
	pthread_t t[THREADS];

	(void)state;
	quicrig_init(&rig);
	quicrig_visit(rig.client, rig.server);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, visit_often, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(atomic_load(&good), THREADS * TIMES);
	/* At least the first had a session to come back with. */
	assert_true(atomic_load(&early) > 0);
	quicrig_fini(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contexts_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
