/* Around a session's datagrams on UDP: what is read, and whose cookies count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/secret.h>

#include "net/sess_hs.h"
#include "net/udp_wrap.h"
#include "vectors.h"

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
	n = udp_put_knock(buf, nonce, NULL, NOW);
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
	size_t n = udp_put_knock(buf, nonce, NULL, NOW);

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

/* ---- knocks ---- */

static struct rk_psks *
set_of(uint8_t first, uint8_t n)
{
	struct rk_psks *p;
	char name[] = "a";

	assert_int_equal(rk_psks_new(&p), RK_OK);
	for (uint8_t i = 0; i < n; i++, name[0]++) {
		const uint8_t key[RK_PSK_LEN] = { (uint8_t)(first + i) };

		assert_int_equal(rk_psks_add(p, key, name, NULL), RK_OK);
	}
	return p;
}

/* Any key of the set, no other, and none without one. */
static void
proves_one_of_the_keys(void **state)
{
	struct rk_psks *ours = set_of(1, 3), *theirs = set_of(4, 1);
	uint8_t buf[UDP_KNOCK_LEN];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		(void)udp_put_knock(buf, nonce, psks_at(ours, i), NOW);
		assert_true(udp_knock_proves(buf, ours, NOW));
		assert_false(udp_knock_proves(buf, theirs, NOW));
	}
	(void)udp_put_knock(buf, nonce, NULL, NOW);
	assert_false(udp_knock_proves(buf, ours, NOW));
	rk_psks_free(ours);
	rk_psks_free(theirs);
}

/* The id of a key of theirs on a proof of ours, and what who has none can make:
 * it is judged by a key of zeros where there is no such id. */
static void
proves_no_other_key(void **state)
{
	struct psk made = { .name = "zeros", .id = { 1, 2, 3, 4 } };
	struct rk_psks *ours = set_of(1, 2);
	uint8_t buf[UDP_KNOCK_LEN];

	(void)state;
	(void)udp_put_knock(buf, nonce, psks_at(ours, 0), NOW);
	memcpy(buf + UDP_HEAD_LEN + 1, psks_at(ours, 1)->id, PSK_ID_BYTES);
	assert_false(udp_knock_proves(buf, ours, NOW));
	assert_int_equal(
	    rk_secret_new(RK_PSK_LEN + PSK_KNOCK_LEN, &made.key), RK_OK);
	(void)udp_put_knock(buf, nonce, &made, NOW);
	assert_false(udp_knock_proves(buf, ours, NOW));
	rk_secret_free(made.key);
	rk_psks_free(ours);
}

static void
proves_unchanged_only(void **state)
{
	struct rk_psks *ours = set_of(1, 1);
	uint8_t buf[UDP_KNOCK_LEN];

	(void)state;
	(void)udp_put_knock(buf, nonce, psks_at(ours, 0), NOW);
	for (size_t bit = 0; bit < sizeof(buf) * 8; bit++) {
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(udp_knock_proves(buf, ours, NOW));
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(udp_knock_proves(buf, ours, NOW));
	rk_psks_free(ours);
}

/* What was recorded is worth nothing soon; clocks may be off. */
static void
proves_for_a_while(void **state)
{
	const int64_t starts[] = { NOW, 0xfffffff8, UINT32_MAX };
	struct rk_psks *ours = set_of(1, 1);
	uint8_t buf[UDP_KNOCK_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		const int64_t t = starts[i];
		const int64_t off = UDP_PROOF_LIFE_S;

		(void)udp_put_knock(buf, nonce, psks_at(ours, 0), t);
		assert_true(udp_knock_proves(buf, ours, t + off));
		assert_true(udp_knock_proves(buf, ours, t - off));
		assert_false(udp_knock_proves(buf, ours, t + off + 1));
		assert_false(udp_knock_proves(buf, ours, t - off - 1));
	}
	rk_psks_free(ours);
}

/* The next line, which has this name; its bytes. */
static size_t
field(const char **at, const char *name, uint8_t out[UDP_KNOCK_LEN])
{
	const size_t n = strlen(name);
	const size_t len = strcspn(*at, "\n");
	char hex[2 * UDP_KNOCK_LEN + 1];

	if (strncmp(*at, name, n) != 0 || (*at)[n] != ' ')
		fail_msg("%.*s where %s should be", (int)len, *at, name);
	assert_true(len - n - 1 < sizeof(hex));
	memcpy(hex, *at + n + 1, len - n - 1);
	hex[len - n - 1] = '\0';
	*at += len + 1;
	return vectors_unhex(out, UDP_KNOCK_LEN, hex);
}

/* One as tests/tools/sessvectors.py, which is written from the manual alone,
 * makes it. */
static void
knock_of_vector(const char **at)
{
	uint8_t key[UDP_KNOCK_LEN], t[UDP_KNOCK_LEN], from[UDP_KNOCK_LEN];
	uint8_t want[UDP_KNOCK_LEN], is[UDP_KNOCK_LEN];
	struct rk_psks *p = NULL;
	int64_t now = 0;

	*at += strcspn(*at, "\n") + 1; /* its name */
	if (field(at, "psk", key) > 0) {
		assert_int_equal(rk_psks_new(&p), RK_OK);
		assert_int_equal(rk_psks_add(p, key, "lab", NULL), RK_OK);
	}
	assert_int_equal(field(at, "time", t), 8);
	for (int i = 0; i < 8; i++)
		now = now << 8 | t[i];
	assert_int_equal(field(at, "nonce", from), UDP_NONCE_LEN);
	assert_int_equal(field(at, "datagram", want), UDP_KNOCK_LEN);
	(void)udp_put_knock(is, from, p == NULL ? NULL : psks_at(p, 0), now);
	assert_memory_equal(is, want, sizeof(is));
	if (p != NULL)
		assert_true(udp_knock_proves(want, p, now));
	rk_psks_free(p);
	assert_int_equal(*(*at)++, '\n');
}

static void
knocks_as_the_manual_says(void **state)
{
	char *text = vectors_text("session/knocks.txt");
	const char *at = text;

	(void)state;
	for (int i = 0; i < 4; i++)
		knock_of_vector(&at);
	assert_int_equal(*at, '\0');
	free(text);
}

/* ---- cookies ---- */

static void
counts_for_one_address(void **state)
{
	const struct addr a = v4("192.0.2.1", 1000);
	const struct udp_asker asker = { &a, nonce, false };
	const struct addr others[] = { v4("192.0.2.1", 1001),
		v4("192.0.2.2", 1000), v6("::ffff:192.0.2.1", 1000),
		v6("c000:201::", 1000) };
	uint8_t cookie[UDP_COOKIE_LEN];
	uint8_t other[UDP_NONCE_LEN] = { 0 };
	const struct udp_asker with_other = { &a, other, false };
	const struct udp_asker proven = { &a, nonce, true };

	(void)state;
	udp_cookie_make(&keys, &asker, 0, NOW, cookie);
	assert_true(udp_cookie_check(&keys, &asker, cookie, NOW));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct udp_asker elsewhere = { &others[i], nonce, false };

		assert_false(udp_cookie_check(&keys, &elsewhere, cookie, NOW));
	}
	assert_false(udp_cookie_check(&keys, &with_other, cookie, NOW));
	/* Who had to prove nothing is not taken where it has to. */
	assert_false(udp_cookie_check(&keys, &proven, cookie, NOW));
	udp_cookie_make(&keys, &proven, 0, NOW, cookie);
	assert_true(udp_cookie_check(&keys, &proven, cookie, NOW));
	assert_false(udp_cookie_check(&keys, &asker, cookie, NOW));
}

static void
counts_unchanged_only(void **state)
{
	const struct addr a = v6("2001:db8::1", 1000);
	const struct udp_asker asker = { &a, nonce, false };
	uint8_t cookie[UDP_COOKIE_LEN];

	(void)state;
	udp_cookie_make(&keys, &asker, 3, NOW, cookie);
	for (size_t bit = 0; bit < sizeof(cookie) * 8; bit++) {
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(udp_cookie_check(&keys, &asker, cookie, NOW));
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(udp_cookie_check(&keys, &asker, cookie, NOW));
}

static void
counts_for_a_while(void **state)
{
	const struct addr a = v4("192.0.2.1", 1000);
	const struct udp_asker asker = { &a, nonce, false };
	uint8_t cookie[UDP_COOKIE_LEN], later[UDP_COOKIE_LEN];
	/* Also where the minute, and the key, change meanwhile. */
	const int64_t starts[] = { NOW, NOW - NOW % 60 - 1, 30, 0xfffffff8,
		UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		const int64_t t = starts[i];

		udp_cookie_make(&keys, &asker, 0, t, cookie);
		assert_true(udp_cookie_check(&keys, &asker, cookie, t - 5));
		assert_true(udp_cookie_check(
		    &keys, &asker, cookie, t + UDP_COOKIE_LIFE_S));
		assert_false(udp_cookie_check(
		    &keys, &asker, cookie, t + UDP_COOKIE_LIFE_S + 1));
		assert_false(udp_cookie_check(&keys, &asker, cookie, t - 6));
		assert_false(
		    udp_cookie_check(&keys, &asker, cookie, t + 86400));
		udp_cookie_make(&keys, &asker, 0, t + 60, later);
		assert_memory_not_equal(cookie, later, UDP_ID_LEN);
	}
}

/* A cookie is one connection's, of one loop. */
static void
names_a_connection(void **state)
{
	const struct addr a = v4("192.0.2.1", 1000);
	const struct udp_asker asker = { &a, nonce, false };
	uint8_t cookie[UDP_COOKIE_LEN], again[UDP_COOKIE_LEN];
	uint8_t other[UDP_NONCE_LEN] = { 9 };
	const struct udp_asker with_other = { &a, other, false };

	(void)state;
	for (unsigned loop = 0; loop < UDP_LOOPS_MAX; loop++) {
		udp_cookie_make(&keys, &asker, loop, NOW, cookie);
		assert_int_equal(udp_id_loop(&keys, cookie), loop);
		assert_true(udp_cookie_check(&keys, &asker, cookie, NOW));
	}
	udp_cookie_make(&keys, &asker, UDP_LOOPS_MAX - 1, NOW, again);
	assert_memory_equal(cookie, again, sizeof(cookie));
	udp_cookie_make(&keys, &with_other, UDP_LOOPS_MAX - 1, NOW, again);
	assert_memory_not_equal(cookie, again, UDP_ID_LEN);
}

static void
counts_for_one_seed(void **state)
{
	const struct addr a = v4("192.0.2.1", 1000);
	const struct udp_asker asker = { &a, nonce, false };
	uint8_t cookie[UDP_COOKIE_LEN];
	struct udp_keys others, same;
	struct seed *seed;

	(void)state;
	assert_int_equal(seed_new(NULL, &seed, NULL), RK_OK);
	udp_keys_init(&others, seed);
	udp_keys_init(&same, keys.seed);
	udp_cookie_make(&keys, &asker, 0, NOW, cookie);
	assert_false(udp_cookie_check(&others, &asker, cookie, NOW));
	assert_true(udp_cookie_check(&same, &asker, cookie, NOW));
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
		cmocka_unit_test(proves_one_of_the_keys),
		cmocka_unit_test(proves_no_other_key),
		cmocka_unit_test(proves_unchanged_only),
		cmocka_unit_test(proves_for_a_while),
		cmocka_unit_test(knocks_as_the_manual_says),
		cmocka_unit_test(counts_for_one_address),
		cmocka_unit_test(counts_unchanged_only),
		cmocka_unit_test(counts_for_a_while),
		cmocka_unit_test(names_a_connection),
		cmocka_unit_test(counts_for_one_seed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
