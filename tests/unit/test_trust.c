/* The decision about a peer: every state of the file, and its changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rpckit/trust.h>

#include "scratch.h"
#include "trust/policy.h"

static struct rk_peer
peer_of(uint8_t number)
{
	uint8_t seed[RK_KEY_SEED_LEN] = { number };
	struct rk_peer peer = { .transport = "tls", .proven = true };
	struct rk_key *key = NULL;

	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	rk_key_public(key, peer.cert.pub);
	rk_key_free(key);
	rk_fp_of_key(peer.cert.pub, peer.cert.fp);
	peer.cert.not_after = INT64_MAX;
	(void)snprintf(
	    peer.remote, sizeof(peer.remote), "%s", "tls://127.0.0.1:8443");
	(void)snprintf(peer.cert.email, sizeof(peer.cert.email), "%s", "a@x");
	return peer;
}

/* RK_OK and whether a line was written, as one number. */
#define ADDED 1000

static int
decide(struct rk_trust *t, uint8_t number)
{
	struct rk_peer peer = peer_of(number);
	struct rk_error err;
	bool added = false;
	enum rk_err r = rk_trust_decide(t, &peer, &added, &err);

	assert_int_equal(err.code, r);
	if (r != RK_OK) {
		assert_false(added);
		assert_string_equal(err.step, "trust");
	}
	return added ? ADDED : (int)r;
}

static struct rk_trust *
new_trust(const char *path, enum rk_trust_mode mode)
{
	struct rk_trust *t = NULL;
	struct rk_error err;

	if (rk_trust_new(path, mode, &t, &err) != RK_OK)
		fail_msg("%s", err.text);
	return t;
}

static void
assert_new_fails(const char *path, enum rk_trust_mode mode, enum rk_err want)
{
	struct rk_trust *t = NULL;
	struct rk_error err;

	assert_int_equal(rk_trust_new(path, mode, &t, &err), want);
	assert_null(t);
	assert_int_equal(err.code, want);
}

static void
assert_state(struct rk_trust *t, enum rk_trust_state want, size_t keys)
{
	enum rk_trust_state state;
	struct rk_error err;
	size_t n;

	assert_int_equal(rk_trust_inspect(t, &state, &n, &err), RK_OK);
	assert_int_equal(state, want);
	assert_int_equal(n, keys);
}

static void
test_off(void **state)
{
	struct rk_trust *t = new_trust(NULL, RK_TRUST_LOCK);

	(void)state;
	assert_int_equal(decide(t, 1), RK_OK);
	assert_state(t, RK_TRUST_ABSENT, 0);
	rk_trust_free(t);
	/* The file is not even looked at. */
	scratch_make("k", "garbage\n", 0400);
	t = new_trust("k", RK_TRUST_OFF);
	assert_int_equal(decide(t, 1), RK_OK);
	rk_trust_free(t);
	rk_trust_free(NULL);
}

static void
test_absent(void **state)
{
	struct rk_trust *t = new_trust("k", RK_TRUST_FILE);

	(void)state;
	assert_int_equal(decide(t, 1), RK_OK);
	assert_state(t, RK_TRUST_ABSENT, 0);
	scratch_counts(0);
	/* It may come into being at any time. */
	scratch_make("k", "", 0600);
	assert_int_equal(decide(t, 1), ADDED);
	assert_int_equal(decide(t, 1), RK_OK);
	assert_state(t, RK_TRUST_OPEN, 1);
	rk_trust_free(t);
}

static void
test_lock(void **state)
{
	struct rk_trust *t = NULL;

	(void)state;
	scratch_make("k", "", 0600);
	t = new_trust("k", RK_TRUST_FILE);
	assert_int_equal(decide(t, 1), ADDED);
	assert_int_equal(chmod("k", 0400), 0);
	assert_int_equal(decide(t, 1), RK_OK);
	assert_int_equal(decide(t, 2), RK_EUNKNOWNKEY);
	assert_state(t, RK_TRUST_LOCKED, 1);
	assert_int_equal(chmod("k", 0600), 0);
	assert_int_equal(decide(t, 2), ADDED);
	rk_trust_free(t);
	/* The setting is the stricter one. */
	t = new_trust("k", RK_TRUST_LOCK);
	assert_int_equal(decide(t, 2), RK_OK);
	assert_int_equal(decide(t, 3), RK_EUNKNOWNKEY);
	assert_state(t, RK_TRUST_LOCKED, 2);
	rk_trust_free(t);
}

static void
test_new_refused(void **state)
{
	(void)state;
	assert_new_fails("", RK_TRUST_FILE, RK_EINVAL);
	assert_new_fails("k", RK_TRUST_LOCK, RK_ESTATE);
	scratch_make("k", "# nobody\n", 0400);
	assert_new_fails("k", RK_TRUST_FILE, RK_ESTATE);
	assert_int_equal(chmod("k", 0600), 0);
	assert_new_fails("k", RK_TRUST_LOCK, RK_ESTATE);
	assert_int_equal(chmod("k", 0666), 0);
	assert_new_fails("k", RK_TRUST_FILE, RK_EMODE);
	scratch_make("k", "garbage\n", 0600);
	assert_new_fails("k", RK_TRUST_FILE, RK_EFORMAT);
	assert_int_equal(symlink("k", "link"), 0);
	assert_new_fails("link", RK_TRUST_FILE, RK_EMODE);
}

/* What goes wrong with the file later refuses, and heals when it is mended. */
static void
test_goes_bad(void **state)
{
	struct rk_trust *t = NULL;

	(void)state;
	scratch_make("k", "", 0600);
	t = new_trust("k", RK_TRUST_FILE);
	assert_int_equal(decide(t, 1), ADDED);
	assert_int_equal(chmod("k", 0666), 0);
	assert_int_equal(decide(t, 1), RK_EMODE);
	assert_int_equal(chmod("k", 0600), 0);
	assert_int_equal(decide(t, 1), RK_OK);
	assert_int_equal(rename("k", "away"), 0);
	assert_int_equal(decide(t, 1), RK_EIO);
	assert_int_equal(decide(t, 2), RK_EIO);
	assert_int_equal(symlink("away", "k"), 0);
	assert_int_equal(decide(t, 1), RK_EMODE);
	assert_int_equal(rename("away", "k"), 0);
	assert_int_equal(decide(t, 1), RK_OK);
	scratch_make("k", "garbage\n", 0600);
	assert_int_equal(decide(t, 1), RK_EFORMAT);
	scratch_make("k", "", 0600);
	assert_int_equal(decide(t, 1), ADDED);
	rk_trust_free(t);
}

/* Without proof of the key nobody is anybody. */
static void
test_unproven(void **state)
{
	struct rk_peer peer = peer_of(1);
	struct rk_trust *t = NULL;
	struct rk_error err;
	bool added = true;

	(void)state;
	scratch_make("k", "", 0600);
	t = new_trust("k", RK_TRUST_FILE);
	peer.proven = false;
	assert_int_equal(rk_trust_decide(t, &peer, &added, &err), RK_ECERT);
	assert_false(added);
	scratch_holds("k", "");
	rk_trust_free(t);
}

static void
assert_host(const char *remote, const char *host)
{
	struct rk_peer peer = peer_of(1);
	struct rk_trust *t = NULL;
	struct rk_error err;
	char id[RK_KEY_ID_LEN];
	char text[512];

	(void)snprintf(peer.remote, sizeof(peer.remote), "%s", remote);
	scratch_make("k", "", 0600);
	t = new_trust("k", RK_TRUST_FILE);
	assert_int_equal(rk_trust_decide(t, &peer, NULL, &err), RK_OK);
	rk_key_id(peer.cert.pub, id);
	(void)snprintf(text, sizeof(text),
	    "# known_pub_keys file: address pubkey-identity-string\n"
	    "%s %s:a@x\n",
	    host, id);
	scratch_holds("k", text);
	rk_trust_free(t);
}

static void
test_hosts(void **state)
{
	(void)state;
	assert_host("tls://127.0.0.1:8443", "127.0.0.1");
	assert_host("tls://[::1]:8443", "::1");
	assert_host("tls://[fe80::1%eth0]:1", "fe80::1%25eth0");
	assert_host("unix:///run/x", "-");
	assert_host("tls://", "-");
	assert_host("", "-");
	assert_host("tls://[::1", "-");
	assert_host("tls://a b\n:1", "a%20b%0a");
}

static uint64_t clock_ms;

static uint64_t
test_clock(void)
{
	return clock_ms;
}

/* An open list that asks our clock. */
static struct rk_trust *
open_list(unsigned limit, struct rk_trust *before)
{
	struct rk_trust *t;

	if (access("k", F_OK) != 0)
		scratch_make("k", "", 0600);
	t = new_trust("k", RK_TRUST_FILE);
	policy_set_clock(t, test_clock);
	assert_int_equal(rk_trust_limit(t, limit, before), RK_OK);
	return t;
}

static enum rk_err
foresee(struct rk_trust *t, uint8_t number)
{
	struct rk_peer peer = peer_of(number);
	struct rk_error err;

	return policy_foresee(t, &peer.cert, &err);
}

/* No more than three in whatever minute; known keys do not count. */
static void
test_limit(void **state)
{
	struct rk_peer peer = peer_of(4);
	struct rk_error err;
	struct rk_trust *t = open_list(3, NULL);

	(void)state;
	clock_ms = 1000;
	assert_int_equal(decide(t, 1), ADDED);
	clock_ms = 41000;
	assert_int_equal(decide(t, 2), ADDED);
	assert_int_equal(decide(t, 2), RK_OK);
	clock_ms = 60999;
	assert_int_equal(foresee(t, 3), RK_OK);
	assert_int_equal(decide(t, 3), ADDED);
	assert_int_equal(foresee(t, 4), RK_EUNKNOWNKEY);
	assert_int_equal(decide(t, 4), RK_EUNKNOWNKEY);
	assert_state(t, RK_TRUST_OPEN, 3);
	assert_int_equal(rk_trust_decide(t, &peer, NULL, &err), RK_EUNKNOWNKEY);
	assert_non_null(strstr(err.text, peer.cert.fp));
	assert_non_null(strstr(
	    err.text, "k, which takes no more than 3 new keys a minute"));
	for (uint8_t i = 1; i <= 3; i++) {
		assert_int_equal(foresee(t, i), RK_OK);
		assert_int_equal(decide(t, i), RK_OK);
	}
	/* The first is a minute old: room for one. */
	clock_ms = 61000;
	assert_int_equal(foresee(t, 4), RK_OK);
	assert_int_equal(decide(t, 4), ADDED);
	assert_int_equal(decide(t, 5), RK_EUNKNOWNKEY);
	clock_ms = 100999;
	assert_int_equal(decide(t, 5), RK_EUNKNOWNKEY);
	clock_ms = 101000;
	assert_int_equal(decide(t, 5), ADDED);
	assert_int_equal(decide(t, 6), RK_EUNKNOWNKEY);
	rk_trust_free(t);
}

static void
test_limit_default(void **state)
{
	struct rk_trust *t;
	uint8_t i;

	(void)state;
	scratch_make("k", "", 0600);
	t = new_trust("k", RK_TRUST_FILE);
	policy_set_clock(t, test_clock);
	for (i = 1; i <= 20; i++)
		assert_int_equal(decide(t, i), ADDED);
	assert_int_equal(decide(t, i), RK_EUNKNOWNKEY);
	assert_int_equal(rk_trust_limit(t, 0, NULL), RK_OK);
	for (; i <= 60; i++)
		assert_int_equal(decide(t, i), ADDED);
	rk_trust_free(t);
	/* Nobody is recorded, so nobody is counted. */
	t = new_trust("absent", RK_TRUST_FILE);
	for (i = 1; i <= 40; i++)
		assert_int_equal(decide(t, i), RK_OK);
	rk_trust_free(t);
}

/* What replaces a decider goes on where it was, with its own limit. */
static void
test_limit_goes_on(void **state)
{
	struct rk_trust *t = open_list(2, NULL);
	struct rk_trust *next;

	(void)state;
	clock_ms = 5000;
	assert_int_equal(decide(t, 1), ADDED);
	clock_ms = 6000;
	assert_int_equal(decide(t, 2), ADDED);
	next = open_list(2, t);
	assert_int_equal(decide(next, 3), RK_EUNKNOWNKEY);
	rk_trust_free(t);
	clock_ms = 65000;
	assert_int_equal(decide(next, 3), ADDED);
	assert_int_equal(decide(next, 4), RK_EUNKNOWNKEY);
	t = open_list(1, next);
	clock_ms = 66000;
	assert_int_equal(decide(t, 4), RK_EUNKNOWNKEY);
	rk_trust_free(t);
	t = open_list(3, next);
	assert_int_equal(decide(t, 4), ADDED);
	assert_int_equal(decide(t, 5), ADDED);
	assert_int_equal(decide(t, 6), RK_EUNKNOWNKEY);
	rk_trust_free(t);
	rk_trust_free(next);
}

static int64_t
real_ms(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Whoever can read the file can hold its lock: strangers are refused, but a
 * loop is not held up for each of them; who has his line is served. */
static void
test_held(void **state)
{
	struct rk_peer peer = peer_of(2);
	struct rk_error err;
	struct rk_trust *t;
	bool added;
	int64_t begun;
	int fd;

	(void)state;
	scratch_make("k", "", 0600);
	t = new_trust("k", RK_TRUST_FILE);
	assert_int_equal(decide(t, 1), ADDED);
	fd = open("k", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(chmod("k", 0400), 0); /* so that it is read again */
	begun = real_ms();
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(
		    policy_decide(t, &peer, &added, &err), RK_EBUSY);
	assert_true(real_ms() - begun < 25000); /* of 50, if each waited */
	assert_int_equal(decide(t, 1), RK_OK);
	assert_int_equal(decide(t, 2), RK_EBUSY);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_int_equal(decide(t, 1), RK_OK);
	assert_int_equal(decide(t, 2), RK_EUNKNOWNKEY);
	assert_int_equal(close(fd), 0);
	rk_trust_free(t);
}

#define IN_SCRATCH(t) \
	cmocka_unit_test_setup_teardown(t, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_off),
		IN_SCRATCH(test_absent),
		IN_SCRATCH(test_lock),
		IN_SCRATCH(test_new_refused),
		IN_SCRATCH(test_goes_bad),
		IN_SCRATCH(test_unproven),
		IN_SCRATCH(test_hosts),
		IN_SCRATCH(test_limit),
		IN_SCRATCH(test_limit_default),
		IN_SCRATCH(test_limit_goes_on),
		IN_SCRATCH(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
