/* Every allocation of ngtcp2 fails in turn: an error, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ngtcp2/ngtcp2.h>
#include <stdlib.h>

#include "scarce.h"

static void *
try_malloc(size_t size, void *arg)
{
	(void)arg;
	return scarce_fails() ? NULL : malloc(size);
}

static void
let_free(void *p, void *arg)
{
	(void)arg;
	free(p);
}

static void *
try_calloc(size_t n, size_t size, void *arg)
{
	(void)arg;
	return scarce_fails() ? NULL : calloc(n, size);
}

static void *
try_realloc(void *p, size_t size, void *arg)
{
	(void)arg;
	return scarce_fails() ? NULL : realloc(p, size);
}

static const ngtcp2_mem mem = { NULL, try_malloc, let_free, try_calloc,
	try_realloc };

/* What the linker makes of those that make connections, with --wrap: they get
 * that memory (Makefile). */
int __real_ngtcp2_conn_client_new_versioned(ngtcp2_conn **out,
    const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int v1, const ngtcp2_callbacks *cb, int v2,
    const ngtcp2_settings *settings, int v3,
    const ngtcp2_transport_params *params, const ngtcp2_mem *m, void *user);
int __real_ngtcp2_conn_server_new_versioned(ngtcp2_conn **out,
    const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int v1, const ngtcp2_callbacks *cb, int v2,
    const ngtcp2_settings *settings, int v3,
    const ngtcp2_transport_params *params, const ngtcp2_mem *m, void *user);
int __wrap_ngtcp2_conn_client_new_versioned(ngtcp2_conn **out,
    const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int v1, const ngtcp2_callbacks *cb, int v2,
    const ngtcp2_settings *settings, int v3,
    const ngtcp2_transport_params *params, const ngtcp2_mem *m, void *user);
int __wrap_ngtcp2_conn_server_new_versioned(ngtcp2_conn **out,
    const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int v1, const ngtcp2_callbacks *cb, int v2,
    const ngtcp2_settings *settings, int v3,
    const ngtcp2_transport_params *params, const ngtcp2_mem *m, void *user);

int
__wrap_ngtcp2_conn_client_new_versioned(ngtcp2_conn **out,
    const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int v1, const ngtcp2_callbacks *cb, int v2,
    const ngtcp2_settings *settings, int v3,
    const ngtcp2_transport_params *params, const ngtcp2_mem *m, void *user)
{
	assert_null(m);
	return __real_ngtcp2_conn_client_new_versioned(out, dcid, scid, path,
	    version, v1, cb, v2, settings, v3, params, &mem, user);
}

int
__wrap_ngtcp2_conn_server_new_versioned(ngtcp2_conn **out,
    const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int v1, const ngtcp2_callbacks *cb, int v2,
    const ngtcp2_settings *settings, int v3,
    const ngtcp2_transport_params *params, const ngtcp2_mem *m, void *user)
{
	assert_null(m);
	return __real_ngtcp2_conn_server_new_versioned(out, dcid, scid, path,
	    version, v1, cb, v2, settings, v3, params, &mem, user);
}

static void
test_packets(void **state)
{
	(void)state;
	scarce_check_clients(RPC_QUIC, SCARCE_CHAN);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
