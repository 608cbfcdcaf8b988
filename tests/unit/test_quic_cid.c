/* Connection ids, their tokens, and the table from them to their owners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/crypt.h"
#include "net/quic_cid.h"

#define MANY 20000
#define CHAIN_MAX 12

static const struct quic_cid_keys keys = {
	.reset = { 1, 2, 3 },
	.loop = { 4, 5, 6 },
};

/* ---- ids ---- */

static void
names_its_loop(void **state)
{
	uint8_t cid[QUIC_CID_LEN];

	(void)state;
	for (unsigned loop = 0; loop < QUIC_CID_LOOPS_MAX; loop++) {
		for (int i = 0; i < 20; i++) {
			quic_cid_make(&keys, loop, cid);
			assert_int_equal(quic_cid_loop(&keys, cid), loop);
		}
	}
}

/* Ids of one loop show nothing that tells them from those of another. */
static void
hides_its_loop(void **state)
{
	const struct quic_cid_keys other = { .loop = { 9 } };
	unsigned seen[256] = { 0 };
	unsigned right = 0;
	unsigned different = 0;
	uint8_t cid[QUIC_CID_LEN];

	(void)state;
	for (int i = 0; i < 2560; i++) {
		quic_cid_make(&keys, 3, cid);
		seen[cid[QUIC_CID_LEN - 1]]++;
		right += quic_cid_loop(&other, cid) == 3;
	}
	for (size_t i = 0; i < 256; i++) {
		different += seen[i] > 0;
		assert_true(seen[i] < 50);
	}
	assert_true(different > 240);
	assert_true(right < 50);
}

static void
are_all_different(void **state)
{
	struct quic_map_entry *e = calloc(MANY, sizeof(*e));
	struct quic_map m;
	uint8_t cid[QUIC_CID_LEN];

	(void)state;
	assert_non_null(e);
	quic_map_init(&m);
	for (size_t i = 0; i < MANY; i++) {
		quic_cid_make(&keys, 0, cid);
		assert_int_equal(
		    quic_map_add(&m, &e[i], cid, sizeof(cid), &e[i]), RK_OK);
	}
	quic_map_fini(&m);
	free(e);
}

static void
has_reset_tokens(void **state)
{
	struct quic_cid_keys other = keys;
	uint8_t cid[QUIC_CID_MAX] = { 7 };
	uint8_t mac[CRYPT_HASH_LEN];
	uint8_t a[QUIC_RESET_TOKEN_LEN];
	uint8_t b[QUIC_RESET_TOKEN_LEN];

	(void)state;
	quic_cid_reset_token(&keys, cid, QUIC_CID_LEN, a);
	crypt_hmac(mac, keys.reset, sizeof(keys.reset), cid, QUIC_CID_LEN);
	assert_memory_equal(a, mac, sizeof(a));
	quic_cid_reset_token(&keys, cid, QUIC_CID_LEN, b);
	assert_memory_equal(a, b, sizeof(a));
	quic_cid_reset_token(&keys, cid, QUIC_CID_MAX, b);
	assert_memory_not_equal(a, b, sizeof(a));
	other.reset[31] = 1;
	quic_cid_reset_token(&other, cid, QUIC_CID_LEN, b);
	assert_memory_not_equal(a, b, sizeof(a));
	cid[0]++;
	quic_cid_reset_token(&keys, cid, QUIC_CID_LEN, b);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* ---- the table ---- */

static void
is_empty_at_first(void **state)
{
	struct quic_map_entry e = { 0 };
	struct quic_map m;

	(void)state;
	quic_map_init(&m);
	assert_null(quic_map_find(&m, (const uint8_t *)"a", 1));
	quic_map_remove(&m, &e);
	quic_map_fini(&m);
	quic_map_fini(&m);
	assert_null(quic_map_find(&m, (const uint8_t *)"a", 1));
}

static void
checks_lengths(void **state)
{
	struct quic_map_entry e = { 0 };
	struct quic_map_entry f = { 0 };
	uint8_t key[QUIC_CID_MAX + 1] = { 1 };
	struct quic_map m;
	int owner;

	(void)state;
	quic_map_init(&m);
	assert_int_equal(quic_map_add(&m, &e, key, 0, &owner), RK_EINVAL);
	assert_int_equal(
	    quic_map_add(&m, &e, key, QUIC_CID_MAX + 1, &owner), RK_EINVAL);
	assert_int_equal(m.n, 0);
	assert_int_equal(
	    quic_map_add(&m, &e, key, QUIC_CID_MAX, &owner), RK_OK);
	assert_ptr_equal(quic_map_find(&m, key, QUIC_CID_MAX), &owner);
	assert_null(quic_map_find(&m, key, QUIC_CID_MAX + 1));
	assert_null(quic_map_find(&m, key, 0));
	/* The same bytes, but fewer, are another key. */
	assert_null(quic_map_find(&m, key, QUIC_CID_MAX - 1));
	assert_int_equal(
	    quic_map_add(&m, &f, key, QUIC_CID_MAX - 1, &f), RK_OK);
	assert_ptr_equal(quic_map_find(&m, key, QUIC_CID_MAX - 1), &f);
	assert_ptr_equal(quic_map_find(&m, key, QUIC_CID_MAX), &owner);
	quic_map_fini(&m);
}

static void
takes_a_key_once(void **state)
{
	struct quic_map_entry e = { 0 };
	struct quic_map_entry f = { 0 };
	const uint8_t key[3] = { 0, 0, 0 };
	struct quic_map m;

	(void)state;
	quic_map_init(&m);
	assert_int_equal(quic_map_add(&m, &e, key, 3, &e), RK_OK);
	assert_int_equal(quic_map_add(&m, &f, key, 3, &f), RK_EEXIST);
	assert_int_equal(f.len, 0);
	assert_ptr_equal(quic_map_find(&m, key, 3), &e);
	quic_map_remove(&m, &f);
	assert_ptr_equal(quic_map_find(&m, key, 3), &e);
	quic_map_remove(&m, &e);
	assert_int_equal(e.len, 0);
	assert_int_equal(m.n, 0);
	assert_int_equal(quic_map_add(&m, &f, key, 3, &f), RK_OK);
	assert_ptr_equal(quic_map_find(&m, key, 3), &f);
	/* An entry may outlive its table. */
	quic_map_fini(&m);
	quic_map_remove(&m, &f);
	assert_int_equal(f.len, 0);
}

static size_t
longest_chain(const struct quic_map *m)
{
	size_t longest = 0;

	for (size_t i = 0; i < m->n_buckets; i++) {
		size_t n = 0;

		for (const struct quic_map_entry *e = m->buckets[i]; e != NULL;
		     e = e->next)
			n++;
		if (n > longest)
			longest = n;
	}
	return longest;
}

static void
set_key(uint8_t key[4], size_t i)
{
	for (size_t k = 0; k < 4; k++)
		key[k] = (uint8_t)(i >> 8 * k);
}

static void
grows_and_empties(void **state)
{
	struct quic_map_entry *e = calloc(MANY, sizeof(*e));
	struct quic_map m;
	uint8_t key[4];

	(void)state;
	assert_non_null(e);
	quic_map_init(&m);
	for (size_t i = 0; i < MANY; i++) {
		set_key(key, i);
		assert_null(quic_map_find(&m, key, 4));
		assert_int_equal(quic_map_add(&m, &e[i], key, 4, &e[i]), RK_OK);
	}
	assert_int_equal(m.n, MANY);
	assert_true(m.n_buckets >= MANY && m.n_buckets < 4 * MANY);
	/* Neighbours are spread: a dozen in one place is beyond chance. */
	assert_true(longest_chain(&m) < CHAIN_MAX);
	for (size_t i = 0; i < MANY; i += 2)
		quic_map_remove(&m, &e[i]);
	for (size_t i = 0; i < MANY; i++) {
		set_key(key, i);
		assert_ptr_equal(
		    quic_map_find(&m, key, 4), i % 2 == 0 ? NULL : &e[i]);
	}
	for (size_t i = 0; i < MANY; i++)
		quic_map_remove(&m, &e[i]);
	assert_int_equal(m.n, 0);
	assert_int_equal(longest_chain(&m), 0);
	quic_map_fini(&m);
	free(e);
}

/* Two tables order the same keys differently: nobody can prepare for one. */
static void
is_keyed_at_random(void **state)
{
	struct quic_map m[2];

	(void)state;
	quic_map_init(&m[0]);
	quic_map_init(&m[1]);
	assert_memory_not_equal(
	    m[0].hash_key, m[1].hash_key, sizeof(m[0].hash_key));
	quic_map_fini(&m[0]);
	quic_map_fini(&m[1]);
}

/* Keys that meet in one place of one table, found by who knows its secret, are
 * spread in any other. */
static void
cannot_be_made_to_collide(void **state)
{
	struct quic_map_entry *e = calloc(MANY, sizeof(*e));
	struct quic_map known, other;
	uint8_t key[4];
	size_t n = 0;

	(void)state;
	assert_non_null(e);
	quic_map_init(&known);
	quic_map_init(&other);
	for (size_t i = 0; n < 400; i++) {
		set_key(key, i);
		/* As many low bits as a table of 400 has buckets. */
		if ((crypt_short_hash(known.hash_key, key, 4) & 511) != 0)
			continue;
		assert_int_equal(
		    quic_map_add(&known, &e[n], key, 4, &e[n]), RK_OK);
		assert_int_equal(
		    quic_map_add(&other, &e[n + 400], key, 4, e), RK_OK);
		n++;
	}
	assert_int_equal(longest_chain(&known), 400);
	assert_true(longest_chain(&other) < CHAIN_MAX);
	quic_map_fini(&known);
	quic_map_fini(&other);
	free(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_its_loop),
		cmocka_unit_test(hides_its_loop),
		cmocka_unit_test(are_all_different),
		cmocka_unit_test(has_reset_tokens),
		cmocka_unit_test(is_empty_at_first),
		cmocka_unit_test(checks_lengths),
		cmocka_unit_test(takes_a_key_once),
		cmocka_unit_test(grows_and_empties),
		cmocka_unit_test(is_keyed_at_random),
		cmocka_unit_test(cannot_be_made_to_collide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
