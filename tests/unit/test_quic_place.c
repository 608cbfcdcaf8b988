/* The secret of a server at its place: what it depends on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "net/quic_place.h"

/* A base of these bytes at this port; an address of IPv6 when v6 is set. */
static bool
secret(uint8_t first, uint16_t port, bool v6, uint8_t out[QUIC_PLACE_LEN])
{
	const uint8_t base[QUIC_PLACE_LEN] = { first };
	struct addr a = { .len = sizeof(a.u.in) };

	a.u.in.sin_family = AF_INET;
	a.u.in.sin_port = port;
	if (v6) {
		a = (struct addr){ .len = sizeof(a.u.in6) };
		a.u.in6.sin6_family = AF_INET6;
		a.u.in6.sin6_port = port;
	}
	memset(out, 0, QUIC_PLACE_LEN);
	return quic_place_secret(base, &a, out);
}

static bool
machine_has_a_name(void)
{
	struct stat st;

	return stat("/proc/sys/kernel/random/boot_id", &st) == 0 &&
	       stat("/proc/self/ns/net", &st) == 0;
}

static void
is_of_a_base_and_an_address(void **state)
{
	uint8_t is[QUIC_PLACE_LEN], other[QUIC_PLACE_LEN];

	(void)state;
	if (!machine_has_a_name()) {
		assert_false(secret(1, 4433, false, is));
		return;
	}
	assert_true(secret(1, 4433, false, is));
	assert_true(secret(1, 4433, false, other));
	assert_memory_equal(is, other, sizeof(is));
	assert_true(secret(2, 4433, false, other));
	assert_memory_not_equal(is, other, sizeof(is));
	assert_true(secret(1, 4434, false, other));
	assert_memory_not_equal(is, other, sizeof(is));
	assert_true(secret(1, 4433, true, other));
	assert_memory_not_equal(is, other, sizeof(is));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_of_a_base_and_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
