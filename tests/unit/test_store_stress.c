/* The trust store under more than it should ever meet: writers of all kinds at
 * once, a process that is killed again and again, a flood of strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rpckit/ask.h>

#include "base/buf.h"
#include "base/fs.h"
#include "scratch.h"
#include "storerig.h"
#include "trust/known.h"

#define PATIENCE_S 120
#define KNOWN 60000 /* the number of one who is served throughout */

/* Small numbers in ./check, the full ones when asked for. */
static unsigned
amount(unsigned small, unsigned full)
{
	return getenv("RPCKIT_TRUST_STRESS") != NULL ? full : small;
}

static time_t
seconds(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return ts.tv_sec;
}

/* ---- who writes: children of the test, whose status says it all ---- */

struct role {
	int (*run)(const struct role *role);
	unsigned first; /* of its own keys */
	unsigned each;  /* how many */
	time_t until;   /* its patience */
	pid_t pid;
};

/* What another writer may bring about: somebody else was faster. */
static bool
may_try_again(enum rk_err r, const struct role *role)
{
	return (r == RK_EBUSY || r == RK_EIO) && seconds() < role->until;
}

/* 1: something else came of it than was due. */
static int
unlike(enum rk_err r, enum rk_err due, unsigned number)
{
	if (r == due)
		return 0;
	(void)fprintf(stderr, "# key %u: %s\n", number, rk_err_text(r));
	return 1;
}

static bool
rejects(unsigned number)
{
	return number % 3 == 0;
}

/* A start may be told that the store is locked, too. */
static bool
open_trust(enum rk_trust_mode mode, struct rk_trust **t, time_t until)
{
	const struct role role = { .until = until };
	struct rk_error err;
	enum rk_err r;

	do {
		rk_trust_free(*t);
		*t = NULL;
		if ((r = rk_trust_new(STORERIG_FILE, mode, t, &err)) == RK_OK &&
		    (r = rk_trust_limit(*t, 0, NULL)) == RK_OK)
			r = rk_trust_keep(*t, true, &err);
	} while (may_try_again(r, &role));
	if (r != RK_OK)
		(void)fprintf(stderr, "# no start: %s\n", err.text);
	return r == RK_OK;
}

static enum rk_err
come(struct rk_trust *t, unsigned number, const char *host)
{
	struct rk_peer peer;

	storerig_peer(&peer, number, "", host);
	return rk_trust_decide(t, &peer, NULL, NULL);
}

/* A daemon: its strangers wait, and somebody tells it about them. */
static int
be_daemon(const struct role *role)
{
	struct rk_trust *t = NULL;
	char fp[RK_FP_LEN];
	struct rk_ask_order order = { .size = sizeof(order), .key = fp };
	enum rk_err r = RK_OK;
	int bad = !open_trust(RK_TRUST_ASK, &t, role->until);

	for (unsigned i = role->first; i < role->first + role->each; i++) {
		storerig_fp(i, fp);
		do {
			r = come(t, i, "10.1.1.1");
		} while (may_try_again(r, role));
		bad += unlike(r, RK_EAGAIN, i);
		order.verb = rejects(i) ? RK_ASK_REJECT : RK_ASK_APPROVE;
		do {
			r = rk_trust_order(t, &order, NULL, NULL);
		} while (may_try_again(r, role));
		bad += unlike(r, RK_OK, i);
	}
	rk_trust_free(t);
	return bad != 0;
}

/* Another program that uses the store itself. */
static int
be_decider(const struct role *role)
{
	struct rk_store *s = NULL;
	struct rk_store_seen seen;
	struct rk_peer peer;
	struct rk_store_decision d = { .size = sizeof(d),
		.key = peer.cert.fp,
		.who = "ann",
		.version = RK_STORE_ANY_VERSION };
	enum rk_err r;
	int bad = 0;

	do {
		r = rk_store_open(STORERIG_FILE, true, &s, NULL);
	} while (may_try_again(r, role));
	if (r != RK_OK)
		return unlike(r, RK_OK, 0);
	for (unsigned i = role->first; i < role->first + role->each; i++) {
		storerig_peer(&peer, i, "", "10.2.1.1");
		do {
			r = rk_store_see(s, RK_MODE_ASK, &peer, &seen, NULL);
		} while (may_try_again(r, role));
		bad += unlike(r, RK_OK, i);
		d.verb = rejects(i) ? RK_STORE_REJECT : RK_STORE_APPROVE;
		do {
			r = rk_store_decide(s, &d, NULL, NULL);
		} while (may_try_again(r, role));
		bad += unlike(r, RK_OK, i);
	}
	rk_store_close(s);
	return bad != 0;
}

/* A daemon that records whoever comes. */
static int
be_open(const struct role *role)
{
	struct rk_trust *t = NULL;
	enum rk_err r;
	int bad = !open_trust(RK_TRUST_FILE, &t, role->until);

	for (unsigned i = role->first; i < role->first + role->each; i++) {
		do {
			r = come(t, i, "10.3.1.1");
		} while (may_try_again(r, role));
		bad += unlike(r, RK_OK, i);
	}
	rk_trust_free(t);
	return bad != 0;
}

/* It serves somebody who is known, and must never fail to. */
static int
be_server(const struct role *role)
{
	struct rk_trust *t = NULL;
	int bad = !open_trust(RK_TRUST_ASK, &t, role->until);

	for (unsigned i = 0; i < 100 * role->each && bad == 0; i++)
		bad += unlike(come(t, KNOWN, "10.4.1.1"), RK_OK, KNOWN);
	rk_trust_free(t);
	return bad != 0;
}

/* As a Go program appends: without a lock, in one write. */
static int
be_go(const struct role *role)
{
	for (unsigned i = role->first; i < role->first + role->each; i++)
		storerig_append(i, "go@x.example");
	return 0;
}

/* The same under the lock, for where somebody replaces the file. */
static int
be_appender(const struct role *role)
{
	struct stat st;
	int fd = -1;
	int bad = 0;

	for (unsigned i = role->first; i < role->first + role->each; i++) {
		bad += known_open(STORERIG_FILE, LOCK_EX, KNOWN_WAIT_MS, &fd,
		           &st, NULL) != RK_OK;
		storerig_append(i, "locked@x.example");
		known_close(fd);
	}
	return bad != 0;
}

/* An editor that writes a new file and puts it in the place of the old one. */
static bool
replace(const char *temp)
{
	struct buf text;
	struct stat st;
	int fd = -1;
	FILE *f = NULL;
	bool ok = false;

	buf_init(&text, KNOWN_FILE_MAX);
	if (known_open(STORERIG_FILE, LOCK_EX, KNOWN_WAIT_MS, &fd, &st, NULL) ==
	        RK_OK &&
	    fs_read_fd(fd, KNOWN_FILE_MAX, &text, NULL) == RK_OK &&
	    (f = fopen(temp, "w")) != NULL) {
		ok = fchmod(fileno(f), 0600) == 0 &&
		     fprintf(f, "# edited\n") > 0 &&
		     fwrite(buf_peek(&text), 1, buf_len(&text), f) ==
		         buf_len(&text);
		ok = fclose(f) == 0 && ok && rename(temp, STORERIG_FILE) == 0;
	}
	known_close(fd);
	buf_fini(&text);
	return ok;
}

static int
be_editor(const struct role *role)
{
	char temp[32];
	int bad = 0;

	(void)snprintf(temp, sizeof(temp), "new.%u", role->first);
	for (unsigned i = 0; i < role->each; i++)
		bad += !replace(temp);
	return bad != 0;
}

/* ---- all of them at once ---- */

static void
run_all(struct role *roles, size_t n)
{
	unsigned bad = 0;
	int status;

	for (size_t i = 0; i < n; i++) {
		roles[i].first = 1000 + 1000 * (unsigned)i;
		roles[i].each = amount(4, 50);
		roles[i].until = seconds() + PATIENCE_S;
		roles[i].pid = fork();
		assert_true(roles[i].pid >= 0);
		if (roles[i].pid == 0)
			_exit(roles[i].run(&roles[i]));
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(
		    waitpid(roles[i].pid, &status, 0), roles[i].pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			bad |= 1U << i;
	}
	assert_int_equal(bad, 0); /* a bit for each writer */
}

static void
expect(struct rk_store *s, const struct role *role)
{
	bool decides = role->run == be_daemon || role->run == be_decider;

	if (role->run == be_server || role->run == be_editor)
		return;
	for (unsigned i = role->first; i < role->first + role->each; i++)
		assert_int_equal(storerig_status(s, i), decides && rejects(i)
		                                            ? RK_STATUS_REJECTED
		                                            : RK_STATUS_KNOWN);
}

static void
admit_one(void)
{
	struct rk_store *s = storerig_open();

	storerig_admit(s, KNOWN, "");
	rk_store_close(s);
}

static void
work(struct role *roles, size_t n)
{
	struct rk_store *s;

	scratch_make(STORERIG_FILE, "", 0600);
	admit_one();
	run_all(roles, n);
	s = storerig_open();
	for (size_t i = 0; i < n; i++)
		expect(s, &roles[i]);
	(void)storerig_audit(s); /* no line is missing */
	rk_store_close(s);
}

static void
test_ten_writers(void **state)
{
	struct role roles[10] = { { .run = be_daemon }, { .run = be_daemon },
		{ .run = be_decider }, { .run = be_decider },
		{ .run = be_open }, { .run = be_open }, { .run = be_go },
		{ .run = be_go }, { .run = be_server }, { .run = be_server } };

	(void)state;
	work(roles, 10);
}

static void
test_replaced_file(void **state)
{
	struct role roles[10] = { { .run = be_daemon }, { .run = be_daemon },
		{ .run = be_decider }, { .run = be_decider },
		{ .run = be_open }, { .run = be_appender },
		{ .run = be_appender }, { .run = be_editor },
		{ .run = be_editor }, { .run = be_server } };

	(void)state;
	work(roles, 10);
}

/* ---- strangers ---- */

static uint64_t
resident_kib(void)
{
	char text[128] = "";
	FILE *f = fopen("/proc/self/statm", "r");
	char *at;

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	assert_int_equal(fclose(f), 0);
	(void)strtoul(text, &at, 10);
	return strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static uint64_t
size_kib(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size / 1024;
}

/* Each from an address of its own, until it is nobody's turn any more. */
static void
flood(struct rk_trust *t, unsigned from, unsigned to)
{
	char host[32];
	enum rk_err r;

	for (unsigned i = from; i < to; i++) {
		(void)snprintf(
		    host, sizeof(host), "10.%u.%u.7", i / 250 % 250, i % 250);
		r = come(t, i, host);
		if (r != RK_EAGAIN && r != RK_ELIMIT)
			fail_msg("stranger %u: %s", i, rk_err_text(r));
		if (i % 20 == 0)
			assert_int_equal(come(t, KNOWN, "10.4.1.1"), RK_OK);
	}
}

static void
test_strangers(void **state)
{
	const unsigned all = amount(1200, 10000);
	struct rk_trust *t = NULL;
	struct rk_ask_entry *e = NULL;
	time_t begun = seconds();
	struct rk_store *s;
	uint64_t before;
	size_t n;

	(void)state;
	scratch_make(STORERIG_FILE, "", 0600);
	admit_one();
	assert_true(open_trust(RK_TRUST_ASK, &t, begun + PATIENCE_S));
	flood(t, 1, 600);
	before = resident_kib();
	flood(t, 600, all);
	assert_true(resident_kib() < before + (32 << 10));
	assert_int_equal(rk_trust_entries(t, &e, &n), RK_OK);
	free(e);
	assert_in_range(n, 1, RK_ASK_ENTRIES);
	rk_trust_free(t);
	s = storerig_open();
	assert_in_range(
	    storerig_count(s, 1U << RK_STORE_WAIT), 1, RK_STORE_WAITING);
	assert_int_equal(storerig_count(s, 1U << RK_STORE_KNOWN), 1);
	rk_store_close(s);
	assert_true(size_kib(STORERIG_DB) < 2048);
	if (all == 10000)
		print_message("# %u strangers in %lld s\n", all,
		    (long long)(seconds() - begun));
}

int
main(void)
{
#define IN_SCRATCH(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_ten_writers),
		IN_SCRATCH(test_replaced_file),
		IN_SCRATCH(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
