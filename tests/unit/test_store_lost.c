/* Other writers of the known-keys file, who take no lock: what they lose of it
 * is found, and what they take out is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rpckit/ask.h>

#include "base/fs.h"
#include "scratch.h"
#include "storerig.h"

#define LIST_MAX ((size_t)1 << 16)
#define NAP_NS 50000000L /* more than the times of files are apart */
#define EDITORS 4
#define KEYS 40

static void
nap(void)
{
	const struct timespec ts = { .tv_nsec = NAP_NS };

	assert_int_equal(nanosleep(&ts, NULL), 0);
}

/* ---- editors ---- */

/* A copy, which leaves out the lines with this word; NULL: none. */
static bool
copy(const char *to, const char *without)
{
	char line[512];
	FILE *in = fopen(STORERIG_FILE, "r");
	FILE *out = fopen(to, "w");
	bool ok = in != NULL && out != NULL && fchmod(fileno(out), 0600) == 0;

	while (ok && fgets(line, sizeof(line), in) != NULL)
		ok = (without != NULL && strstr(line, without) != NULL) ||
		     fputs(line, out) >= 0;
	if (in != NULL)
		ok = fclose(in) == 0 && ok;
	if (out != NULL)
		ok = fclose(out) == 0 && ok;
	return ok;
}

static void
take_out(const char *word)
{
	assert_true(copy("new", word));
	assert_int_equal(rename("new", STORERIG_FILE), 0);
}

static unsigned
count(const char *word)
{
	char line[512];
	FILE *f = fopen(STORERIG_FILE, "r");
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, word) != NULL;
	assert_int_equal(fclose(f), 0);
	return n;
}

struct search {
	const char *what;
	size_t hits;
};

static bool
compare(const struct rk_store_line *line, void *arg)
{
	struct search *find = arg;

	find->hits += strcmp(line->what, find->what) == 0;
	return true;
}

static size_t
count_audit(struct rk_store *s, const char *what)
{
	struct search find = { .what = what };

	assert_int_equal(rk_store_audit(s, 0, compare, &find, NULL), RK_OK);
	return find.hits;
}

/* ---- one ---- */

/* The editor has not seen the line, which came while he worked. */
static void
test_copied_before(void **state)
{
	struct rk_store *s = storerig_open();
	int64_t act;

	(void)state;
	storerig_admit(s, 1, "ann@x.example");
	assert_true(copy("new", NULL));
	nap();
	storerig_admit(s, 2, "bob@x.example");
	assert_int_equal(rename("new", STORERIG_FILE), 0);
	assert_int_equal(count("bob@"), 0);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(count("bob@"), 1);
	assert_int_equal(count_audit(s, "again"), 1);
	/* It can be taken back as what was decided. */
	act = storerig_decide(s, RK_STORE_REJECT, 2);
	assert_int_equal(rk_store_undo(s, act, "ann", NULL), RK_OK);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	rk_store_close(s);
}

/* That its line was put in again is no decision about the key, nor is a note:
 * what was decided before can be taken back. */
static void
test_undo(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_decision d = { .size = sizeof(d),
		.verb = RK_STORE_NOTE,
		.who = "ann",
		.note = "build box",
		.version = RK_STORE_ANY_VERSION };
	struct rk_peer peer;
	char fp[RK_FP_LEN];
	int64_t act;

	(void)state;
	assert_true(copy("new", NULL));
	nap();
	storerig_peer(&peer, 1, "ann@x.example", "192.0.2.1");
	assert_int_equal(
	    storerig_see(s, RK_MODE_ASK, &peer).verdict, RK_VERDICT_WAIT);
	act = storerig_decide(s, RK_STORE_APPROVE, 1);
	assert_int_equal(rename("new", STORERIG_FILE), 0);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(count_audit(s, "again"), 1);
	storerig_fp(1, fp);
	d.key = fp;
	assert_int_equal(rk_store_decide(s, &d, NULL, NULL), RK_OK);
	assert_int_equal(rk_store_undo(s, act, "ann", NULL), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_WAITING);
	assert_string_equal(storerig_find(s, 1).note, "build box");
	rk_store_close(s);
}

/* What came behind it stays, whoever wrote that. */
static void
test_order(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	assert_true(copy("new", NULL));
	nap();
	storerig_admit(s, 1, "ann@x.example");
	storerig_admit(s, 2, "bob@x.example");
	assert_int_equal(rename("new", STORERIG_FILE), 0);
	storerig_append(3, "go@x.example");
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(storerig_status(s, i), RK_STATUS_KNOWN);
	assert_int_equal(count_audit(s, "again"), 2);
	rk_store_close(s);
}

/* Who left the younger line in has seen the older one: it was on purpose. */
static void
test_on_purpose(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "ann@x.example");
	nap();
	storerig_admit(s, 2, "bob@x.example");
	nap();
	take_out("ann@");
	assert_int_equal(storerig_status(s, 1), RK_STATUS_WAITING);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	assert_int_equal(count("ann@"), 0);
	assert_int_equal(count_audit(s, "gone"), 1);
	assert_int_equal(count_audit(s, "again"), 0);
	/* Put back by hand it counts again. */
	storerig_append(1, "ann@x.example");
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	rk_store_close(s);
}

/* Seen or not is not known of the youngest: who insists has his way. */
static void
test_insists(void **state)
{
	struct rk_store *s = storerig_open();
	unsigned times;

	(void)state;
	storerig_admit(s, 1, "ann@x.example");
	for (times = 0; times < 5; times++) {
		nap();
		take_out("ann@");
		if (storerig_status(s, 1) != RK_STATUS_KNOWN)
			break;
		assert_int_equal(count("ann@"), 1);
	}
	assert_int_equal(times, 2);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_WAITING);
	assert_int_equal(count("ann@"), 0);
	rk_store_close(s);
}

/* In place nobody writes what he has not read: it is out at once. */
static void
test_in_place(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "ann@x.example");
	scratch_make(STORERIG_FILE, "# decisions: known.db\n", 0600);
	assert_int_not_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(count_audit(s, "again"), 0);
	rk_store_close(s);
}

/* What is decided otherwise meanwhile stays so. */
static void
test_decided_since(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	assert_true(copy("new", NULL));
	nap();
	storerig_admit(s, 1, "ann@x.example");
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	assert_int_equal(rename("new", STORERIG_FILE), 0);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REVOKED);
	assert_int_equal(count("ann@"), 0);
	rk_store_close(s);
}

/* A locked list gets nothing more: the key waits, and can be seen. */
static void
test_locked(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	assert_true(copy("new", NULL));
	nap();
	storerig_admit(s, 1, "ann@x.example");
	assert_int_equal(chmod("new", 0400), 0);
	assert_int_equal(rename("new", STORERIG_FILE), 0);
	assert_int_not_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(count("ann@"), 0);
	assert_int_equal(storerig_find(s, 1).state, RK_STORE_WAIT);
	rk_store_close(s);
}

/* The decider of a daemon finds it, too, before anybody is refused. */
static void
test_decider(void **state)
{
	char fp[RK_FP_LEN];
	const struct rk_ask_order approve = {
		.size = sizeof(approve), .key = fp, .verb = RK_ASK_APPROVE
	};
	struct rk_trust *t = NULL;
	struct rk_peer peer;

	(void)state;
	scratch_make(STORERIG_FILE, "", 0600);
	assert_int_equal(
	    rk_trust_new(STORERIG_FILE, RK_TRUST_ASK, &t, NULL), RK_OK);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	storerig_peer(&peer, 1, "ann@x.example", "192.0.2.7");
	storerig_fp(1, fp);
	assert_int_equal(rk_trust_decide(t, &peer, NULL, NULL), RK_EAGAIN);
	assert_true(copy("new", NULL));
	nap();
	assert_int_equal(rk_trust_order(t, &approve, NULL, NULL), RK_OK);
	assert_int_equal(rename("new", STORERIG_FILE), 0);
	assert_int_equal(rk_trust_decide(t, &peer, NULL, NULL), RK_OK);
	assert_int_equal(count("ann@"), 1);
	rk_trust_free(t);
}

/* ---- many ---- */

static int
edit(unsigned number, pid_t parent)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	char name[32];
	bool ok = true;

	(void)snprintf(name, sizeof(name), "new.%u", number);
	/* Who replaces it without a pause lets nobody write to it. */
	while (ok && access("stop", F_OK) != 0 && getppid() == parent) {
		ok = copy(name, NULL) && rename(name, STORERIG_FILE) == 0;
		(void)nanosleep(&pause, NULL);
	}
	return !ok;
}

/* Its line: then it waits, unless it had come back by another editor's copy. */
static bool
is_gone(struct rk_store *s, unsigned number)
{
	const bool gone = storerig_status(s, number) != RK_STATUS_KNOWN;
	const struct rk_store_entry e = storerig_find(s, number);

	if (gone && e.state != RK_STORE_WAIT)
		assert_string_equal(e.who, "file");
	return gone;
}

/* No line and no decision is lost without a word: who is not known waits, and
 * the audit says why. */
static void
test_editors(void **state)
{
	struct rk_store *s = storerig_open();
	const pid_t parent = getpid();
	pid_t pids[EDITORS];
	size_t again, gone = 0;
	int status;

	(void)state;
	for (unsigned i = 0; i < EDITORS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(edit(i, parent));
	}
	for (unsigned i = 0; i < KEYS; i++)
		storerig_admit(s, i, "");
	scratch_make("stop", "", 0600);
	for (unsigned i = 0; i < EDITORS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (unsigned i = 0; i < KEYS; i++)
		gone += is_gone(s, i);
	again = count_audit(s, "again");
	print_message("# %zu lines added again, %zu gone\n", again, gone);
	/* Some come back by another editor's copy. */
	assert_true(gone <= count_audit(s, "gone"));
	rk_store_close(s);
}

int
main(void)
{
#define IN_SCRATCH(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_copied_before),
		IN_SCRATCH(test_undo),
		IN_SCRATCH(test_order),
		IN_SCRATCH(test_on_purpose),
		IN_SCRATCH(test_insists),
		IN_SCRATCH(test_in_place),
		IN_SCRATCH(test_decided_since),
		IN_SCRATCH(test_locked),
		IN_SCRATCH(test_decider),
		IN_SCRATCH(test_editors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
