/* Known servers: keys that they announce, and what comes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "scratch.h"
#include "serverlist.h"

#define LAB "tls://Lab.example:8443"
#define FILE_NAME SERVERLIST_FILE
#define ID_MAX SERVERLIST_LINE_MAX

static struct rk_next_key
next_of(unsigned present, unsigned n)
{
	uint8_t seed[RK_KEY_SEED_LEN] = { (uint8_t)n, (uint8_t)(n >> 8), 9 };
	struct rk_peer p = serverlist_peer(present, "");
	struct rk_next_key next;
	struct rk_key *key = NULL;

	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	rk_next_key_make(p.cert.pub, key, &next);
	rk_key_free(key);
	return next;
}

static enum rk_err
announce(const char *address, unsigned present, unsigned next, bool *changed)
{
	struct rk_peer p = serverlist_peer(present, "a@x");
	struct rk_next_key key = next_of(present, next);
	struct rk_error err;

	return rk_servers_next(
	    FILE_NAME, address, &p, &key, next != 0, changed, &err);
}

static void
test_next(void **state)
{
	char text[2 * ID_MAX], rest[ID_MAX], want[2 * ID_MAX];
	bool changed;

	(void)state;
	serverlist_line(text, "h", 1, "a@x", " at=o:1,p:2 flag=7");
	serverlist_line(text + strlen(text), "h", 9, "c@x", " at=p:2");
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(announce("o:1", 1, 2, &changed), RK_OK);
	assert_true(changed);
	(void)snprintf(rest, sizeof(rest), " at=o:1,p:2 flag=7 next=%s",
	    serverlist_peer(2, "").cert.fp);
	serverlist_line(want, "h", 1, "a@x", rest);
	serverlist_line(want + strlen(want), "h", 9, "c@x", " at=p:2");
	scratch_holds(FILE_NAME, want);
	assert_int_equal(announce("o:1", 1, 2, &changed), RK_OK);
	assert_false(changed);
	assert_int_equal(serverlist_look("o:1", 2), RK_SERVER_NEXT);
	assert_int_equal(serverlist_look("p:2", 2), RK_SERVER_NEXT);
	assert_int_equal(serverlist_look("o:1", 3), RK_SERVER_CHANGED);
	assert_int_equal(serverlist_look("q:3", 2), RK_SERVER_NEW);
	assert_int_equal(serverlist_count(serverlist_peer(2, "").cert.fp), 1);
	/* It takes the address, from the one that announced it. */
	assert_int_equal(serverlist_put("p:2", 2, RK_SERVERS_LEARN), RK_OK);
	assert_int_equal(serverlist_look("p:2", 2), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_look("p:2", 9), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_look("p:2", 1), RK_SERVER_CHANGED);
	assert_int_equal(serverlist_look("o:1", 1), RK_SERVER_KNOWN);
	scratch_holds(FILE_NAME ".old", want);
	/* Another takes its place, or none. */
	assert_int_equal(announce("o:1", 1, 3, &changed), RK_OK);
	assert_true(changed);
	assert_int_equal(serverlist_look("o:1", 2), RK_SERVER_CHANGED);
	assert_int_equal(serverlist_look("o:1", 3), RK_SERVER_NEXT);
	assert_int_equal(announce("o:1", 1, 0, &changed), RK_OK);
	assert_true(changed);
	assert_int_equal(serverlist_look("o:1", 3), RK_SERVER_CHANGED);
	assert_int_equal(announce("o:1", 1, 0, &changed), RK_OK);
	assert_false(changed);
}

/* A line without addresses speaks for its host, below one that has them. */
static void
test_next_untied(void **state)
{
	char text[2 * ID_MAX];
	bool changed;

	(void)state;
	serverlist_line(text, "lab.example", 1, "a@x", "");
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(announce(LAB, 1, 2, &changed), RK_OK);
	assert_int_equal(serverlist_look(LAB, 2), RK_SERVER_NEXT);
	assert_int_equal(serverlist_look("else:1", 2), RK_SERVER_NEW);
	assert_int_equal(serverlist_put(LAB, 2, RK_SERVERS_LEARN), RK_OK);
	assert_int_equal(serverlist_look(LAB, 2), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_look(LAB, 1), RK_SERVER_CHANGED);
	assert_int_equal(serverlist_look("lab.example:1", 1), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_put(LAB, 3, RK_SERVERS_REPLACE), RK_OK);
	assert_int_equal(serverlist_look(LAB, 2), RK_SERVER_CHANGED);
}

/* Nobody announces for others, nor what is not theirs, nor into a lock. */
static void
test_next_refused(void **state)
{
	char text[ID_MAX];
	struct rk_peer p = serverlist_peer(1, "a@x");
	struct rk_next_key keys[RK_NEXT_KEYS_MAX + 1];
	struct rk_error err;
	bool changed;

	(void)state;
	assert_int_equal(announce("o:1", 1, 2, &changed), RK_EUNKNOWNKEY);
	scratch_counts(0);
	serverlist_line(text, "h", 1, "a@x", " at=o:1");
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(announce("p:2", 1, 2, &changed), RK_EUNKNOWNKEY);
	assert_int_equal(announce("o:1", 3, 2, &changed), RK_EUNKNOWNKEY);
	assert_int_equal(announce("o:1", 1, 1, &changed), RK_ECERT);
	/* Proven for another key; half of several. */
	keys[0] = next_of(1, 2);
	keys[1] = next_of(3, 4);
	assert_int_equal(
	    rk_servers_next(FILE_NAME, "o:1", &p, keys, 2, &changed, &err),
	    RK_ECERT);
	for (unsigned i = 0; i <= RK_NEXT_KEYS_MAX; i++)
		keys[i] = next_of(1, i + 2);
	assert_int_equal(rk_servers_next(FILE_NAME, "o:1", &p, keys,
	                     RK_NEXT_KEYS_MAX + 1, &changed, &err),
	    RK_ELIMIT);
	p.proven = false;
	assert_int_equal(
	    rk_servers_next(FILE_NAME, "o:1", &p, keys, 1, &changed, &err),
	    RK_ECERT);
	assert_false(changed);
	scratch_holds(FILE_NAME, text);
	assert_int_equal(rk_servers_lock(FILE_NAME, true, &err), RK_OK);
	assert_int_equal(announce("o:1", 1, 2, &changed), RK_EUNKNOWNKEY);
	assert_int_equal(announce("o:1", 1, 0, &changed), RK_OK);
	assert_false(changed);
	scratch_holds(FILE_NAME, text);
	/* What a locked list has is good, and stays. */
	assert_int_equal(rk_servers_lock(FILE_NAME, false, &err), RK_OK);
	p.proven = true;
	assert_int_equal(rk_servers_next(FILE_NAME, "o:1", &p, keys,
	                     RK_NEXT_KEYS_MAX, &changed, &err),
	    RK_OK);
	assert_int_equal(rk_servers_lock(FILE_NAME, true, &err), RK_OK);
	assert_int_equal(
	    serverlist_look("o:1", 2 + RK_NEXT_KEYS_MAX - 1), RK_SERVER_NEXT);
	assert_int_equal(
	    serverlist_put("o:1", 2, RK_SERVERS_LEARN), RK_EUNKNOWNKEY);
}

#define ON_DISK(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(test_next),
		ON_DISK(test_next_untied),
		ON_DISK(test_next_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
