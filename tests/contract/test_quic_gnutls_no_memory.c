/* Every allocation of GnuTLS fails in turn: an error, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "scarce.h"

static void *
try_malloc(size_t size)
{
	return scarce_fails() ? NULL : malloc(size);
}

static void *
try_calloc(size_t n, size_t size)
{
	return scarce_fails() ? NULL : calloc(n, size);
}

static void *
try_realloc(void *p, size_t size)
{
	return scarce_fails() ? NULL : realloc(p, size);
}

#define SEEN __attribute__((visibility("default")))

/* What it loses itself, as in gnutls_certificate_set_x509_key(), of which the
 * leak checker is to say nothing. */
SEEN const char *__lsan_default_suppressions(void);
SEEN const char *__lsan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libgnutls.so\nleak:libtasn1.so\n";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}

static void
test_handshake(void **state)
{
	(void)state;
	gnutls_malloc = try_malloc;
	gnutls_calloc = try_calloc;
	gnutls_realloc = try_realloc;
	scarce_check_clients(RPC_QUIC, SCARCE_CALL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
