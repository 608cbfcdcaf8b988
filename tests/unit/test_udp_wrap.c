/* Around a session's datagrams on UDP: what is read, and whose cookies count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "net/sess_hs.h"
#include "net/udp_wrap.h"

#define NOW 1700000030 /* in the middle of a minute */
#define PAYLOAD 205

static const uint8_t nonce[UDP_NONCE_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static struct udp_keys keys;

static int
set_up(void **state)
{
	struct seed *seed;

	(void)state;
	if (seed_new(NULL, &seed, NULL) != RK_OK)
		return 1;
	udp_keys_init(&keys, seed);
	seed_free(seed);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	udp_keys_fini(&keys);
	return 0;
}

static struct addr
v4(const char *ip, uint16_t port)
{
	struct addr a = { .len = sizeof(a.u.in) };

	a.u.in.sin_family = AF_INET;
	a.u.in.sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, ip, &a.u.in.sin_addr), 1);
	return a;
}

static struct addr
v6(const char *ip, uint16_t port)
{
	struct addr a = { .len = sizeof(a.u.in6) };

	a.u.in6.sin6_family = AF_INET6;
	a.u.in6.sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, ip, &a.u.in6.sin6_addr), 1);
	return a;
}

/* ---- reading ---- */

static void
reads_each_kind(void **state)
{
	uint8_t cookie[UDP_COOKIE_LEN] = "abcdefghijklmnopqrstuvwxyz";
	uint8_t buf[256] = { 0 };
	struct udp_msg m;
	size_t n;

	(void)state;
	n = udp_put_knock(buf, nonce);
	assert_int_equal(udp_parse(buf, n, &m), UDP_KNOCK);
	assert_memory_equal(m.nonce, nonce, sizeof(nonce));
	assert_null(m.id);
	n = udp_put_retry(buf, nonce, cookie);
	assert_int_equal(udp_parse(buf, n, &m), UDP_RETRY);
	assert_memory_equal(m.cookie, cookie, sizeof(cookie));
	assert_memory_equal(m.id, cookie, UDP_ID_LEN);
	n = udp_put_hello(buf, nonce, cookie);
	assert_int_equal(udp_parse(buf, n, &m), UDP_NONE); /* without any */
	assert_int_equal(udp_parse(buf, n + PAYLOAD, &m), UDP_HELLO);
	assert_ptr_equal(m.data, buf + n);
	assert_int_equal(m.len, PAYLOAD);
	n = udp_put_busy(buf, nonce);
	assert_int_equal(udp_parse(buf, n, &m), UDP_BUSY);
	n = udp_put_no(buf, nonce);
	assert_int_equal(udp_parse(buf, n, &m), UDP_NO);
	assert_memory_equal(m.nonce, nonce, UDP_NONCE_LEN);
	assert_int_equal(udp_parse(buf, n + 1, &m), UDP_NONE);
	n = udp_put_data(buf, cookie);
	assert_int_equal(udp_parse(buf, n, &m), UDP_NONE);
	assert_int_equal(udp_parse(buf, n + 1, &m), UDP_DATA);
	assert_memory_equal(m.id, cookie, UDP_ID_LEN);
	assert_int_equal(m.len, 1);
	n = udp_put_path(buf, UDP_ASK, cookie, nonce);
	assert_int_equal(udp_parse(buf, n, &m), UDP_ASK);
	assert_memory_equal(m.token, nonce, UDP_TOKEN_LEN);
	n = udp_put_path(buf, UDP_PROOF, cookie, nonce);
	assert_int_equal(udp_parse(buf, n, &m), UDP_PROOF);
	assert_int_equal(udp_parse(buf, n + 1, &m), UDP_NONE);
}

/* Whatever is missing or wrong, it is not taken for the same. */
static void
reads_nothing_else(void **state)
{
	uint8_t cookie[UDP_COOKIE_LEN] = { 0 };
	uint8_t buf[256] = { 0 };
	struct udp_msg m;
	size_t n = udp_put_knock(buf, nonce);

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(udp_parse(buf, i, &m), UDP_NONE);
	assert_int_equal(udp_parse(buf, n + 1, &m), UDP_NONE);
	for (size_t bit = 0; bit < 64; bit++) { /* of the magic, the kind */
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(udp_parse(buf, n, &m), UDP_KNOCK);
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	n = udp_put_retry(buf, nonce, cookie);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(udp_parse(buf, i, &m), UDP_NONE);
	assert_int_equal(udp_parse(buf, n + 1, &m), UDP_NONE);
}

/* Nobody is made to send more than was sent to it. */
static void
answers_are_shorter(void **state)
{
	(void)state;
	assert_true(UDP_RETRY_LEN < UDP_KNOCK_LEN);
	assert_true(UDP_HEAD_LEN < UDP_KNOCK_LEN);
	assert_true(
	    UDP_DATA_LEN + SESS_ANSWER_LEN < UDP_HELLO_LEN + SESS_HELLO_LEN);
	/* What asks an address is an answer to something sealed. */
	assert_true(UDP_PATH_LEN < UDP_DATA_LEN + 10 + 4 + 16);
}

/* ---- cookies ---- */

static void
counts_for_one_address(void **state)
{
	const struct addr a = v4("192.0.2.1", 1000);
	const struct addr others[] = { v4("192.0.2.1", 1001),
		v4("192.0.2.2", 1000), v6("::ffff:192.0.2.1", 1000),
		v6("c000:201::", 1000) };
	uint8_t cookie[UDP_COOKIE_LEN];
	uint8_t other[UDP_NONCE_LEN] = { 0 };

	(void)state;
	udp_cookie_make(&keys, &a, nonce, 0, NOW, cookie);
	assert_true(udp_cookie_check(&keys, &a, nonce, cookie, NOW));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(
		    udp_cookie_check(&keys, &others[i], nonce, cookie, NOW));
	assert_false(udp_cookie_check(&keys, &a, other, cookie, NOW));
}

static void
counts_unchanged_only(void **state)
{
	const struct addr a = v6("2001:db8::1", 1000);
	uint8_t cookie[UDP_COOKIE_LEN];

	(void)state;
	udp_cookie_make(&keys, &a, nonce, 3, NOW, cookie);
	for (size_t bit = 0; bit < sizeof(cookie) * 8; bit++) {
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(udp_cookie_check(&keys, &a, nonce, cookie, NOW));
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(udp_cookie_check(&keys, &a, nonce, cookie, NOW));
}

static void
counts_for_a_while(void **state)
{
	const struct addr a = v4("192.0.2.1", 1000);
	uint8_t cookie[UDP_COOKIE_LEN], later[UDP_COOKIE_LEN];
	/* Also where the minute, and the key, change meanwhile. */
	const int64_t starts[] = { NOW, NOW - NOW % 60 - 1, 30, 0xfffffff8,
		UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		const int64_t t = starts[i];

		udp_cookie_make(&keys, &a, nonce, 0, t, cookie);
		assert_true(udp_cookie_check(&keys, &a, nonce, cookie, t - 5));
		assert_true(udp_cookie_check(
		    &keys, &a, nonce, cookie, t + UDP_COOKIE_LIFE_S));
		assert_false(udp_cookie_check(
		    &keys, &a, nonce, cookie, t + UDP_COOKIE_LIFE_S + 1));
		assert_false(udp_cookie_check(&keys, &a, nonce, cookie, t - 6));
		assert_false(
		    udp_cookie_check(&keys, &a, nonce, cookie, t + 86400));
		udp_cookie_make(&keys, &a, nonce, 0, t + 60, later);
		assert_memory_not_equal(cookie, later, UDP_ID_LEN);
	}
}

/* A cookie is one connection's, of one loop. */
static void
names_a_connection(void **state)
{
	const struct addr a = v4("192.0.2.1", 1000);
	uint8_t cookie[UDP_COOKIE_LEN], again[UDP_COOKIE_LEN];
	uint8_t other[UDP_NONCE_LEN] = { 9 };

	(void)state;
	for (unsigned loop = 0; loop < UDP_LOOPS_MAX; loop++) {
		udp_cookie_make(&keys, &a, nonce, loop, NOW, cookie);
		assert_int_equal(udp_id_loop(&keys, cookie), loop);
		assert_true(udp_cookie_check(&keys, &a, nonce, cookie, NOW));
	}
	udp_cookie_make(&keys, &a, nonce, UDP_LOOPS_MAX - 1, NOW, again);
	assert_memory_equal(cookie, again, sizeof(cookie));
	udp_cookie_make(&keys, &a, other, UDP_LOOPS_MAX - 1, NOW, again);
	assert_memory_not_equal(cookie, again, UDP_ID_LEN);
}

static void
counts_for_one_seed(void **state)
{
	const struct addr a = v4("192.0.2.1", 1000);
	uint8_t cookie[UDP_COOKIE_LEN];
	struct udp_keys others, same;
	struct seed *seed;

	(void)state;
	assert_int_equal(seed_new(NULL, &seed, NULL), RK_OK);
	udp_keys_init(&others, seed);
	udp_keys_init(&same, keys.seed);
	udp_cookie_make(&keys, &a, nonce, 0, NOW, cookie);
	assert_false(udp_cookie_check(&others, &a, nonce, cookie, NOW));
	assert_true(udp_cookie_check(&same, &a, nonce, cookie, NOW));
	udp_keys_fini(&same);
	udp_keys_fini(&others);
	seed_free(seed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_kind),
		cmocka_unit_test(reads_nothing_else),
		cmocka_unit_test(answers_are_shorter),
		cmocka_unit_test(counts_for_one_address),
		cmocka_unit_test(counts_unchanged_only),
		cmocka_unit_test(counts_for_a_while),
		cmocka_unit_test(names_a_connection),
		cmocka_unit_test(counts_for_one_seed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
