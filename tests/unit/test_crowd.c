/* Who may wait where many do: displaced by whom, and by nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/ask.h>

#include <stdio.h>
#include <string.h>

#include "trust/crowd.h"

#define LATER 600001 /* ms; its source may bring another */

static struct crowd_one all[RK_ASK_ENTRIES];
static uint8_t sources[RK_ASK_ENTRIES + 1][CROWD_SOURCE_LEN];

/* n of them, so many from each address, one after the other. */
static void
fill(size_t n, unsigned each, bool bare)
{
	char host[32];

	for (unsigned i = 0; i <= RK_ASK_ENTRIES; i++) {
		(void)snprintf(
		    host, sizeof(host), "10.0.%u.%u", i / 200, i % 200);
		crowd_source(host, sources[i]);
	}
	for (unsigned i = 0; i < n; i++)
		all[i] = (struct crowd_one){ .source = sources[i / each],
			.seen = 1000 + i,
			.bare = bare };
}

static enum crowd_word
comes(size_t n, unsigned source, bool bare, const struct crowd_one **victim)
{
	const struct crowd_one one = {
		.source = sources[source], .seen = 2000, .bare = bare
	};

	return crowd_admit(all, n, &one, victim);
}

static void
test_sources(void **state)
{
	uint8_t a[CROWD_SOURCE_LEN], b[CROWD_SOURCE_LEN];

	(void)state;
	crowd_source("2001:db8::1", a);
	crowd_source("2001:db8::2:1", b);
	assert_memory_equal(a, b, sizeof(a));
	crowd_source("2001:db8:0:1::1", b);
	assert_memory_not_equal(a, b, sizeof(a));
	crowd_source("192.0.2.1", a);
	crowd_source("::ffff:192.0.2.1", b);
	assert_memory_equal(a, b, sizeof(a));
	crowd_source("192.0.2.2", b);
	assert_memory_not_equal(a, b, sizeof(a));
	crowd_source("fe80::1%eth0", a);
	crowd_source("fe80::2", b);
	assert_memory_equal(a, b, sizeof(a));
	crowd_source("unix", b);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* One address: its share, and its own oldest one when that is old. */
static void
test_one_source(void **state)
{
	const struct crowd_one *victim;
	struct crowd_one late = { .seen = 1000 + LATER };

	(void)state;
	fill(RK_ASK_ENTRIES_SOURCE, RK_ASK_ENTRIES_SOURCE, false);
	late.source = sources[0];
	assert_int_equal(
	    comes(RK_ASK_ENTRIES_SOURCE - 1, 0, false, &victim), CROWD_ROOM);
	assert_null(victim);
	assert_int_equal(
	    comes(RK_ASK_ENTRIES_SOURCE, 0, false, &victim), CROWD_SOURCE);
	assert_int_equal(
	    crowd_admit(all, RK_ASK_ENTRIES_SOURCE, &late, &victim),
	    CROWD_ROOM);
	assert_ptr_equal(victim, &all[0]);
	all[0].stays = true;
	assert_int_equal(
	    crowd_admit(all, RK_ASK_ENTRIES_SOURCE, &late, &victim),
	    CROWD_SOURCE); /* the second is not that old */
}

/* All of it taken by eight: one who comes alone gets in. */
static void
test_full(void **state)
{
	const unsigned n = RK_ASK_ENTRIES;
	const struct crowd_one *victim;

	(void)state;
	fill(n, RK_ASK_ENTRIES_SOURCE, false);
	assert_int_equal(comes(n, 8, false, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[0]);
	all[0].stays = true;
	assert_int_equal(comes(n, 8, false, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[1]);
	for (size_t i = 0; i < n; i++)
		all[i].stays = true;
	assert_int_equal(comes(n, 8, false, &victim), CROWD_FULL);
	/* Nobody has more than he would have then. */
	fill(n, 1, false);
	assert_int_equal(comes(n, n, false, &victim), CROWD_FULL);
	fill(n, 2, false);
	assert_int_equal(comes(n, n, false, &victim), CROWD_ROOM);
	assert_int_equal(comes(n, 0, false, &victim), CROWD_FULL);
}

#define HOUR UINT64_C(3600000)

/* A text for each, as many as there are entries. */
static void
fill_from(size_t n, const char *before, const char *behind, bool hex)
{
	char host[64];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(host, sizeof(host), hex ? "%s%02x%s" : "%s%u%s",
		    before, i, behind);
		crowd_source(host, sources[i]);
		all[i] = (struct crowd_one){ .source = sources[i],
			.seen = 1000 + i };
	}
}

static enum crowd_word
comes_from(
    size_t n, const char *host, uint64_t now, const struct crowd_one **victim)
{
	uint8_t source[CROWD_SOURCE_LEN];
	const struct crowd_one one = { .source = source, .seen = now };

	crowd_source(host, source);
	return crowd_admit(all, n, &one, victim);
}

/* All of it taken by the networks that one customer has: of /48, of /56. */
static void
test_one_customer(void **state)
{
	static const char *const nets[] = { "2001:db8:0:", "2001:db8:0:ab" };
	static const char *const own[] = { "2001:db8:0:7f::9",
		"2001:db8:0:abff::9" };
	const unsigned n = RK_ASK_ENTRIES;
	const struct crowd_one *victim;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fill_from(n, nets[i], "::1", true);
		assert_int_equal(
		    comes_from(n, "2001:db8:1::1", 2000, &victim), CROWD_ROOM);
		assert_ptr_equal(victim, &all[0]);
		assert_int_equal(
		    comes_from(n, "192.0.2.1", 2000, &victim), CROWD_ROOM);
		/* Not for another of the same. */
		assert_int_equal(
		    comes_from(n, own[i], 2000, &victim), CROWD_FULL);
	}
	/* A /56 of it has all; who has the next one is a neighbour. */
	assert_int_equal(
	    comes_from(n, "2001:db8:0:cd00::1", 2000, &victim), CROWD_ROOM);
}

/* Those of an IPv4 /24 may be people: only who does not come any more goes. */
static void
test_network(void **state)
{
	const unsigned n = RK_ASK_ENTRIES;
	const struct crowd_one *victim;

	(void)state;
	fill_from(n, "192.0.2.", "", false);
	assert_int_equal(comes_from(n, "10.0.0.1", 2000, &victim), CROWD_FULL);
	all[0].again = all[1].stays = true;
	assert_int_equal(
	    comes_from(n, "10.0.0.1", 1002 + LATER, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[2]);
	assert_int_equal(
	    comes_from(n, "192.0.2.9", 1002 + LATER, &victim), CROWD_FULL);
}

/* As many of an IPv6 network as may be of one address are people, too. */
static void
test_offices(void **state)
{
	const unsigned n = RK_ASK_ENTRIES;
	const size_t few = RK_ASK_ENTRIES_SOURCE;
	uint8_t office[RK_ASK_ENTRIES][CROWD_SOURCE_LEN];
	const struct crowd_one *victim;

	(void)state;
	fill_from(few + 1, "2001:db8:0:", "::1", true);
	memcpy(office, sources, sizeof(office));
	fill_from(n, "10.1.", ".1", false);
	for (size_t i = 0; i < few; i++)
		all[i].source = office[i];
	assert_int_equal(comes_from(n, "192.0.2.1", 2000, &victim), CROWD_FULL);
	assert_int_equal(
	    comes_from(n, "192.0.2.1", 1000 + LATER, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[0]);
	all[few].source = office[few];
	assert_int_equal(comes_from(n, "192.0.2.1", 2000, &victim), CROWD_ROOM);
}

/* From everywhere, one each: who comes later has to come again within the hour,
 * and who came again, or is noted, stays. */
static void
test_everywhere(void **state)
{
	const unsigned n = RK_ASK_ENTRIES;
	const struct crowd_one *victim;

	(void)state;
	fill_from(n, "10.1.", ".1", false);
	assert_int_equal(
	    comes_from(n, "192.0.2.1", 1000 + HOUR, &victim), CROWD_FULL);
	assert_int_equal(
	    comes_from(n, "192.0.2.1", 1001 + HOUR, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[0]);
	/* Who has one already comes behind them. */
	assert_int_equal(
	    comes_from(n, "10.1.7.2", 2000 + HOUR, &victim), CROWD_FULL);
	all[0].again = all[1].stays = true;
	assert_int_equal(
	    comes_from(n, "192.0.2.1", 2000 + HOUR, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[2]);
	for (unsigned i = 0; i < n; i++)
		all[i].again = true;
	assert_int_equal(
	    comes_from(n, "192.0.2.1", 1000 + 24 * HOUR, &victim), CROWD_FULL);
	assert_int_equal(
	    comes_from(n, "192.0.2.1", 1001 + 24 * HOUR, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[0]);
}

/* Keys that everybody can make displace one another alone. */
static void
test_bare(void **state)
{
	const size_t part = RK_ASK_ENTRIES / RK_ASK_BARE_PART;
	const struct crowd_one *victim;

	(void)state;
	fill(RK_ASK_ENTRIES, RK_ASK_ENTRIES_SOURCE, false);
	for (size_t i = 0; i < part; i++)
		all[part + i].bare = true;
	assert_int_equal(comes(2 * part, 8, false, &victim), CROWD_ROOM);
	assert_null(victim);
	assert_int_equal(comes(2 * part, 8, true, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[part]);
	assert_int_equal(comes(2 * part - 1, 8, true, &victim), CROWD_ROOM);
	assert_null(victim);
}

/* Not even in a full table of which they have less than their part, nor where
 * they share an address. */
static void
test_vouched_stay(void **state)
{
	const unsigned n = RK_ASK_ENTRIES;
	const size_t each = RK_ASK_ENTRIES_SOURCE;
	const struct crowd_one *victim;
	struct crowd_one late = { .seen = 1000 + LATER + each, .bare = true };

	(void)state;
	fill(n, 4, false);
	assert_int_equal(comes(n, n, true, &victim), CROWD_FULL);
	assert_null(victim);
	for (size_t i = 8; i < 11; i++)
		all[i].bare = true;
	assert_int_equal(comes(n, n, true, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[8]);
	assert_int_equal(comes(n, n, false, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[0]);

	fill(each, RK_ASK_ENTRIES_SOURCE, false);
	late.source = sources[0];
	assert_int_equal(crowd_admit(all, each, &late, &victim), CROWD_SOURCE);
	all[1].bare = true;
	assert_int_equal(crowd_admit(all, each, &late, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[1]);
}

/* Seen last before the clock began, or, where it was set back, to come. */
static void
test_odd_times(void **state)
{
	const size_t each = RK_ASK_ENTRIES_SOURCE;
	const struct crowd_one *victim;
	struct crowd_one late = { .seen = 1000 + each };

	(void)state;
	fill(RK_ASK_ENTRIES, RK_ASK_ENTRIES_SOURCE, false);
	late.source = sources[0];
	all[5].seen = UINT64_MAX - LATER;
	assert_int_equal(crowd_admit(all, each, &late, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[5]);
	assert_int_equal(comes(RK_ASK_ENTRIES, 8, false, &victim), CROWD_ROOM);
	assert_ptr_equal(victim, &all[5]);

	fill(each, RK_ASK_ENTRIES_SOURCE, false);
	for (size_t i = 0; i < each; i++)
		all[i].seen = late.seen + 1 + i;
	assert_int_equal(crowd_admit(all, each, &late, &victim), CROWD_SOURCE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_one_source),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_one_customer),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_offices),
		cmocka_unit_test(test_everywhere),
		cmocka_unit_test(test_bare),
		cmocka_unit_test(test_vouched_stay),
		cmocka_unit_test(test_odd_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
