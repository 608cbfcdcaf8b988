/* The trust store with several writers: processes, threads, ends by force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "storerig.h"
#include "trust/store.h"

#define WRITERS 2
#define EACH 8
#define KILLS 12
#define KILLS_FULL 200
#define THREADS 4

static bool
ask(struct rk_store *s, unsigned number)
{
	struct rk_store_seen seen;
	struct rk_peer peer;
	char host[32];

	(void)snprintf(
	    host, sizeof(host), "10.1.%u.%u", number / 256, number % 256);
	storerig_peer(&peer, number, "", host);
	return rk_store_see(s, RK_MODE_ASK, &peer, &seen, NULL) == RK_OK &&
	       seen.verdict == RK_VERDICT_WAIT;
}

/* A child of the test: no assertions in it, its status says it all. */
static int
write_many(unsigned first)
{
	struct rk_store *s = NULL;
	unsigned i;
	int bad = 0;

	if (rk_store_open(STORERIG_FILE, true, &s, NULL) != RK_OK)
		return 1;
	for (i = first; i < first + EACH; i++)
		bad += !ask(s, i) ||
		       storerig_try(s,
		           i % 2 == 0 ? RK_STORE_APPROVE : RK_STORE_REJECT,
		           i) != RK_OK;
	rk_store_close(s);
	return bad == 0 ? 0 : 2;
}

/* All make the store, all decide, and lines are appended meanwhile. */
static void
test_processes(void **state)
{
	pid_t child[WRITERS];
	struct rk_store *s;
	unsigned i;
	int status;

	(void)state;
	for (i = 0; i < WRITERS; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] == 0)
			_exit(write_many(100 * (i + 1)));
	}
	s = storerig_open();
	for (i = 0; i < EACH; i++)
		storerig_append(1000 + i, "go@x.example");
	for (i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	for (i = 0; i < WRITERS * EACH; i++) {
		unsigned number = 100 * (i / EACH + 1) + i % EACH;

		assert_int_equal(storerig_status(s, number),
		    number % 2 == 0 ? RK_STATUS_KNOWN : RK_STATUS_REJECTED);
	}
	for (i = 0; i < EACH; i++)
		assert_int_equal(storerig_status(s, 1000 + i), RK_STATUS_KNOWN);
	assert_int_equal(storerig_count(s, 0), (WRITERS + 1) * EACH);
	assert_int_equal(storerig_audit(s), (WRITERS + 1) * EACH);
	rk_store_close(s);
}

/* Decide without end, and say so when it is done. */
static int
decide_on(int out, unsigned first)
{
	struct rk_store *s = NULL;
	unsigned i;

	if (rk_store_open(STORERIG_FILE, true, &s, NULL) != RK_OK)
		return 1;
	for (i = first;; i++) {
		if (!ask(s, i) ||
		    storerig_try(s,
		        i % 2 == 0 ? RK_STORE_APPROVE : RK_STORE_REVOKE,
		        i) != RK_OK ||
		    write(out, &i, sizeof(i)) != sizeof(i))
			return 2;
	}
}

/* The child is killed anywhere after `acks` decisions; the last one that it
 * told of is returned. */
static unsigned
kill_after(unsigned first, unsigned acks, unsigned spin)
{
	volatile unsigned turn;
	unsigned last = first - 1;
	unsigned told;
	int pipe_fd[2];
	int status;
	pid_t child;

	assert_int_equal(pipe(pipe_fd), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(decide_on(pipe_fd[1], first));
	(void)close(pipe_fd[1]);
	while (
	    acks-- > 0 && read(pipe_fd[0], &told, sizeof(told)) == sizeof(told))
		last = told;
	for (turn = 0; turn < spin; turn++)
		continue;
	assert_int_equal(kill(child, SIGKILL), 0);
	while (read(pipe_fd[0], &told, sizeof(told)) == sizeof(told))
		last = told;
	(void)close(pipe_fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return last;
}

static void
test_killed(void **state)
{
	const unsigned kills =
	    getenv("RPCKIT_TRUST_STRESS") != NULL ? KILLS_FULL : KILLS;
	struct rk_store *s;
	unsigned dice = 99;
	unsigned next = 1;
	unsigned last;
	unsigned round;
	unsigned i;

	(void)state;
	for (round = 0; round < kills; round++) {
		dice = dice * 1664525 + 1013904223;
		last = kill_after(next, round == 0 ? 0 : 1 + round % 3,
		    (dice >> 8) % 3000000);
		s = storerig_open();
		for (i = next; i <= last; i++)
			assert_int_equal(storerig_status(s, i),
			    i % 2 == 0 ? RK_STATUS_KNOWN : RK_STATUS_REVOKED);
		/* Every line is there, and none but of decisions. */
		(void)storerig_audit(s);
		rk_store_close(s);
		next = last + 2; /* one may be under way */
	}
	assert_true(next > kills);
}

/* While another writes: who is known does not wait, a stranger is told. */
static void
test_busy(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_seen seen;
	struct rk_error err;
	struct rk_peer peer;
	sqlite3 *other = NULL;

	(void)state;
	storerig_admit(s, 1, "");
	assert_int_equal(sqlite3_open(STORERIG_DB, &other), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
	    SQLITE_OK);
	(void)sqlite3_busy_timeout(s->db, 10);
	storerig_peer(&peer, 1, "", "192.0.2.1");
	assert_int_equal(
	    storerig_see(s, RK_MODE_LOCK, &peer).verdict, RK_VERDICT_ACCEPT);
	s->flush_after = 1; /* long ago */
	assert_int_equal(
	    storerig_see(s, RK_MODE_LOCK, &peer).verdict, RK_VERDICT_ACCEPT);
	(void)sqlite3_busy_timeout(s->db, 10);
	storerig_peer(&peer, 2, "", "192.0.2.1");
	assert_int_equal(
	    rk_store_see(s, RK_MODE_ASK, &peer, &seen, &err), RK_EBUSY);
	assert_non_null(strstr(err.text, "known.db: locked by another"));
	assert_int_equal(seen.verdict, RK_VERDICT_REFUSE);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	assert_true(ask(s, 2));
	assert_int_equal(storerig_find(s, 1).tries, 3);
	rk_store_close(s);
}

struct thread {
	pthread_t id;
	struct rk_store *s;
	unsigned first;
	unsigned bad;
};

static void *
run(void *arg)
{
	struct thread *t = arg;
	struct rk_store_seen seen;
	struct rk_peer peer;
	unsigned i;
	unsigned k;

	for (i = t->first; i < t->first + 3; i++) {
		t->bad += !ask(t->s, i) ||
		          storerig_try(t->s, RK_STORE_APPROVE, i) != RK_OK;
		storerig_peer(&peer, i, "", "192.0.2.1");
		for (k = 0; k < 50; k++)
			t->bad += rk_store_see(t->s, RK_MODE_LOCK, &peer, &seen,
			              NULL) != RK_OK ||
			          seen.verdict != RK_VERDICT_ACCEPT ||
			          rk_store_look(t->s, RK_MODE_ASK, &peer.cert,
			              &seen, NULL) != RK_OK;
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct rk_store *s = storerig_open();
	struct thread threads[THREADS];
	unsigned i;

	(void)state;
	for (i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ .s = s, .first = 10 * i };
		assert_int_equal(
		    pthread_create(&threads[i].id, NULL, run, &threads[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
		assert_int_equal(threads[i].bad, 0);
	}
	assert_int_equal(storerig_count(s, 1U << RK_STORE_KNOWN), 3 * THREADS);
	assert_int_equal(storerig_find(s, 0).tries, 51);
	rk_store_close(s);
}

/* ---- two who take back the same ---- */

static pthread_barrier_t start;

struct undoer {
	const char *who;
	struct rk_store *store;
	const int64_t *acts; /* EACH */
	unsigned won[EACH];
	unsigned told[EACH]; /* that it was done already */
};

static void *
undo_all(void *arg)
{
	struct undoer *u = arg;
	struct rk_error err;
	enum rk_err r;

	for (unsigned i = 0; i < EACH; i++) {
		(void)pthread_barrier_wait(&start);
		r = rk_store_undo(u->store, u->acts[i], u->who, &err);
		u->won[i] = r == RK_OK;
		u->told[i] = r == RK_ESTATE && strlen(err.text) > 0;
	}
	return NULL;
}

/* One takes it back and the other one is told, by one handle or by two. */
static void
check_undo(struct rk_store *a, struct rk_store *b, unsigned first)
{
	int64_t acts[EACH];
	struct undoer two[] = { { .who = "ann", .store = a, .acts = acts },
		{ .who = "bob", .store = b, .acts = acts } };
	size_t lines;
	pthread_t ids[2];

	for (unsigned i = 0; i < EACH; i++) {
		assert_true(ask(a, first + i));
		acts[i] = storerig_decide(a, RK_STORE_REJECT, first + i);
	}
	lines = storerig_audit(a);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&ids[i], NULL, undo_all, &two[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(ids[i], NULL), 0);
	for (unsigned i = 0; i < EACH; i++) {
		assert_int_equal(two[0].won[i] + two[1].won[i], 1);
		assert_int_equal(two[0].told[i] + two[1].told[i], 1);
		assert_int_equal(
		    storerig_status(b, first + i), RK_STATUS_WAITING);
	}
	assert_int_equal(storerig_audit(b), lines + EACH);
}

static void
test_undo_twice(void **state)
{
	struct rk_store *a = storerig_open();
	struct rk_store *b = storerig_open();

	(void)state;
	assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
	check_undo(a, a, 1);
	check_undo(a, b, 1 + EACH);
	assert_int_equal(pthread_barrier_destroy(&start), 0);
	rk_store_close(a);
	rk_store_close(b);
}

int
main(void)
{
#define IN_SCRATCH(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_processes),
		IN_SCRATCH(test_killed),
		IN_SCRATCH(test_busy),
		IN_SCRATCH(test_threads),
		IN_SCRATCH(test_undo_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
