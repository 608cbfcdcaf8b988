/* Many at once: threads and processes enrol while the file is locked and
 * unlocked under them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rpckit/trust.h>

#include "scratch.h"
#include "trust/known.h"

#define PROCESSES 4
#define THREADS 8
#define EACH 50
#define COMMON 10 /* of these EACH, the same for everybody */
#define OWN (EACH - COMMON)
#define KEYS (PROCESSES * THREADS * OWN + COMMON)
#define TRIES 20
/* Somebody is known from the start: an empty locked file is refused. */
#define FIRST                               \
	"h pubkey@edwardsRPC-ed25519-b58c-" \
	"9aUwL21rDmMPNEcRqmGbtmGrhHAVhU6PXY6Cz1iy3dDrNrJW7Bi:\n"

/* What became of a key; shared between the processes. */
struct result {
	unsigned accepted; /* atomically */
	unsigned added;
	unsigned errors;
};

static unsigned each; /* keys of a thread, at most EACH */
static struct result *results;
static uint8_t (*keys)[RK_KEY_PUBLIC_LEN];

static void *
share(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void
make_keys(unsigned keys_each)
{
	struct rk_key *key = NULL;
	unsigned i;

	each = keys_each;
	results = share(KEYS * sizeof(*results));
	keys = share(KEYS * sizeof(*keys));
	for (i = 0; i < KEYS; i++) {
		uint8_t seed[RK_KEY_SEED_LEN] = { (uint8_t)i, (uint8_t)(i >> 8),
			9 };

		assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
		rk_key_public(key, keys[i]);
		rk_key_free(key);
	}
}

static void
drop_keys(void)
{
	assert_int_equal(munmap(results, KEYS * sizeof(*results)), 0);
	assert_int_equal(munmap(keys, KEYS * sizeof(*keys)), 0);
}

struct worker {
	struct rk_trust *trust;
	unsigned number;
	pthread_t thread;
};

static void
count(unsigned *n)
{
	(void)__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

/* Try one key until it is accepted, or given up as the list stays locked; so
 * long as another holds the file itself, it is only asked again. */
static void
enrol(struct rk_trust *trust, unsigned number)
{
	struct rk_peer peer = { .proven = true, .cert.not_after = INT64_MAX };
	struct rk_error err;
	enum rk_err r = RK_EUNKNOWNKEY;
	bool added;
	unsigned i;

	(void)snprintf(
	    peer.remote, sizeof(peer.remote), "%s", "tls://127.0.0.1:1");
	memcpy(peer.cert.pub, keys[number], sizeof(peer.cert.pub));
	for (i = 0; i < TRIES && r == RK_EUNKNOWNKEY; i++) {
		do {
			r = rk_trust_decide(trust, &peer, &added, &err);
		} while (r == RK_EBUSY);
		if (r == RK_OK)
			count(&results[number].accepted);
		if (added)
			count(&results[number].added);
		if (r != RK_OK && r != RK_EUNKNOWNKEY)
			count(&results[number].errors);
		(void)sched_yield();
	}
}

static void *
work(void *arg)
{
	const struct worker *w = arg;
	unsigned i;

	for (i = 0; i < COMMON; i++)
		enrol(w->trust, KEYS - COMMON + i);
	for (i = 0; i < each - COMMON; i++)
		enrol(w->trust, w->number * OWN + i);
	return NULL;
}

/* The exit status of one process: 0 when it could do its work. */
static int
run_process(unsigned number)
{
	struct worker workers[THREADS];
	struct rk_trust *trust = NULL;
	struct rk_error err;
	unsigned i;

	if (rk_trust_new("k", RK_TRUST_FILE, &trust, &err) != RK_OK ||
	    rk_trust_limit(trust, 0, NULL) != RK_OK)
		return 1;
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .trust = trust,
			.number = number * THREADS + i };
		if (pthread_create(
		        &workers[i].thread, NULL, work, &workers[i]) != 0)
			return 2;
	}
	for (i = 0; i < THREADS; i++) {
		if (pthread_join(workers[i].thread, NULL) != 0)
			return 3;
	}
	rk_trust_free(trust);
	return 0;
}

static void
start(pid_t pids[PROCESSES])
{
	unsigned i;

	for (i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(run_process(i));
	}
}

/* How many of these still run; a failed one fails the test. */
static unsigned
reap(pid_t pids[PROCESSES])
{
	unsigned running = 0;
	int status = 0;
	unsigned i;

	for (i = 0; i < PROCESSES; i++) {
		if (pids[i] == 0)
			continue;
		if (waitpid(pids[i], &status, WNOHANG) == 0) {
			running++;
			continue;
		}
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		pids[i] = 0;
	}
	return running;
}

/* The bytes of the file while nobody is in the middle of adding. */
static off_t
size_between(void)
{
	int fd = open("k", O_RDONLY);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(close(fd), 0);
	return st.st_size;
}

/* Return while somebody has the file locked, or when all have ended. */
static void
await_holder(pid_t pids[PROCESSES])
{
	int fd = open("k", O_RDONLY);

	assert_true(fd >= 0);
	while (reap(pids) > 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		assert_int_equal(flock(fd, LOCK_UN), 0);
		(void)sched_yield();
	}
	assert_int_equal(close(fd), 0);
}

/* Lock the file: from chmod's return on nothing is added for good. */
static void
flip(void)
{
	struct stat st;
	off_t size;
	unsigned i;

	assert_int_equal(chmod("k", 0400), 0);
	assert_int_equal(stat("k", &st), 0);
	size = size_between();
	/* What somebody was just writing has been taken back, or was there. */
	assert_true(size <= st.st_size);
	for (i = 0; i < 5; i++) {
		(void)sched_yield();
		assert_int_equal(size_between(), size);
	}
	assert_int_equal(chmod("k", 0600), 0);
}

/* Every accepted key is in the file, once; nothing else is. */
static void
check_file(void)
{
	struct known k;
	struct rk_error err;
	size_t added = 0;
	unsigned i;

	if (known_read("k", KNOWN_WAIT_MS, &k, &err) != RK_OK)
		fail_msg("%s", err.text);
	for (i = 0; i < KEYS; i++) {
		assert_int_equal(results[i].errors, 0);
		assert_int_equal(results[i].added, results[i].accepted > 0);
		assert_int_equal(
		    known_has(&k, keys[i]), results[i].accepted > 0);
		added += results[i].added;
	}
	assert_int_equal(k.n, added + 1);
	known_fini(&k);
}

static void
test_flips(void **state)
{
	pid_t pids[PROCESSES];
	unsigned flips = 0;
	off_t size;

	(void)state;
	make_keys(EACH);
	scratch_make("k", FIRST, 0600);
	start(pids);
	while (reap(pids) > 0) {
		flip();
		flips++;
		/* Go on when somebody got in, or all have ended. */
		size = size_between();
		while (reap(pids) > 0 && size_between() == size)
			(void)sched_yield();
		/* In the middle of somebody's work. */
		await_holder(pids);
	}
	assert_true(flips > 0);
	check_file();
	drop_keys();
}

static void
test_undisturbed(void **state)
{
	pid_t pids[PROCESSES];
	unsigned i;

	(void)state;
	make_keys(15);
	scratch_make("k", FIRST, 0600);
	start(pids);
	while (reap(pids) > 0)
		(void)size_between();
	check_file();
	for (i = 0; i < KEYS; i++)
		assert_int_equal(results[i].accepted > 0,
		    i >= KEYS - COMMON || i % OWN < each - COMMON);
	drop_keys();
}

/* Locked all the time: nobody gets in, however many ask. */
static void
test_locked(void **state)
{
	pid_t pids[PROCESSES];
	unsigned i;

	(void)state;
	make_keys(15);
	scratch_make("k", FIRST, 0400);
	start(pids);
	while (reap(pids) > 0)
		(void)size_between();
	for (i = 0; i < KEYS; i++) {
		assert_int_equal(results[i].accepted, 0);
		assert_int_equal(results[i].errors, 0);
	}
	scratch_holds("k", FIRST);
	drop_keys();
}

#define IN_SCRATCH(t) \
	cmocka_unit_test_setup_teardown(t, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_undisturbed),
		IN_SCRATCH(test_flips),
		IN_SCRATCH(test_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
