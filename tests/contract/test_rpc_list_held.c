/* Another process holds the list of keys, or its store: who needs it waits, and
 * nobody else; nobody is let in before he stands there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guestrig.h"

#define CALLS 1000
#define BATCH 100

/* ---- who holds it ---- */

struct holder {
	pid_t pid;
	int end; /* closed: it lets go */
};

/* The other process; only what may be called behind a fork of one thread. */
static void
keep_list(const char *add, int said, int end)
{
	int fd = open(guests.list, O_RDWR | O_APPEND | O_CLOEXEC);
	char c = fd >= 0 && flock(fd, LOCK_EX) == 0 ? 'y' : 'n';
	ssize_t n = (ssize_t)strlen(add);

	if (n > 0 && write(fd, add, (size_t)n) != n)
		c = 'n';
	if (write(said, &c, 1) == 1)
		(void)!read(end, &c, 1);
	_exit(0);
}

/* add: what it has added to the list by then. */
static void
hold(struct holder *h, const char *add)
{
	int said[2], end[2];
	char c = 'n';

	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	h->pid = fork();
	assert_true(h->pid >= 0);
	if (h->pid == 0) {
		(void)close(end[1]);
		keep_list(add, said[1], end[0]);
	}
	h->end = end[1];
	(void)close(end[0]);
	(void)close(said[1]);
	assert_int_equal(read(said[0], &c, 1), 1);
	(void)close(said[0]);
	assert_int_equal(c, 'y');
}

static void
let_go(struct holder *h)
{
	int status;

	(void)close(h->end);
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_int_equal(status, 0);
}

/* ---- who comes ---- */

static bool
is_judged(struct rk_client *v)
{
	const char *text = ctl_get(v, "_.conns");

	return strstr(text, "\"state\":\"new\"") != NULL &&
	       strstr(text, guests.fp) != NULL;
}

/* It has proven its key, and needs a verdict. */
static void
arrive(struct guest *g, struct rk_client *v)
{
	const uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	guest_come(g, NULL);
	while (!is_judged(v)) {
		assert_true(rpcrig_now() < until && g->closed == 0);
		assert_int_equal(rk_client_process(g->client), RK_OK);
	}
}

/* A thousand calls of somebody who is there, while the guest waits. */
static void
others_go_on(struct rk_client *c, struct guest *g)
{
	static struct rpcanswer answers[BATCH];

	for (unsigned i = 0; i < CALLS / BATCH; i++) {
		memset(answers, 0, sizeof(answers));
		for (unsigned j = 0; j < BATCH; j++)
			(void)rpcrig_submit(
			    c, "echo", rpcrig_bytes, 5, &answers[j]);
		for (unsigned j = 0; j < BATCH; j++) {
			rpcrig_turn(c, &answers[j].n, 1);
			assert_int_equal(answers[j].code, RK_OK);
		}
		assert_int_equal(rk_client_process(g->client), RK_OK);
	}
	assert_int_equal(g->answer.n, 0);
	assert_int_equal(g->closed, 0);
}

static struct rk_client *
come_first(void)
{
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rpcanswer a;

	rpcrig_client_conf(&guests.rig, &conf);
	conf.ident = rpcworld.other;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	rpcrig_call(c, "echo", rpcrig_bytes, 5, &a);
	return c;
}

static void
gets_in(struct guest *g)
{
	guest_await(g, &g->answer.n);
	assert_int_equal(g->answer.code, RK_OK);
	rk_client_free(g->client);
}

/* ---- the file ---- */

/* New, and the list is open: it waits until it is recorded. */
static void
new_ones_wait(void **state)
{
	struct rk_client *v, *c;
	struct holder h;
	struct guest g;

	guest_begin(*state, RK_TRUST_FILE);
	v = ctl_visit(guests.ctl.path, NULL);
	c = come_first();
	hold(&h, "");
	arrive(&g, v);
	others_go_on(c, &g);
	ctl_has(ctl_get(v, "_.trust"), "\"known\":1,");
	let_go(&h);
	gets_in(&g);
	ctl_has(ctl_get(v, "_.trust"), "\"known\":2,");
	rk_client_free(c);
	rk_client_free(v);
	guest_end();
}

/* Known, and the list has changed: it had its line, and has it still. */
static void
known_ones_stay_so(void **state)
{
	struct rk_client *v, *c;
	struct holder h;
	struct guest g;

	guest_begin(*state, RK_TRUST_FILE);
	v = ctl_visit(guests.ctl.path, NULL);
	c = come_first();
	guest_come(&g, NULL);
	gets_in(&g);
	hold(&h, "# being edited\n");
	guest_come(&g, NULL);
	gets_in(&g);
	let_go(&h);
	rk_client_free(c);
	rk_client_free(v);
	guest_end();
}

/* Known, and nothing has changed: no lock is needed. */
static void
known_ones_come(void **state)
{
	struct rk_client *v, *c;
	struct holder h;
	struct guest g;

	guest_begin(*state, RK_TRUST_FILE);
	v = ctl_visit(guests.ctl.path, NULL);
	c = come_first();
	guest_come(&g, NULL);
	gets_in(&g);
	guest_settle(v);
	hold(&h, "");
	for (int i = 0; i < 20; i++) {
		guest_come(&g, NULL);
		gets_in(&g);
	}
	let_go(&h);
	rk_client_free(c);
	rk_client_free(v);
	guest_end();
}

/* Nobody gets in without a verdict. */
static void
is_refused_in_the_end(void **state)
{
	struct rk_client *v, *c;
	struct holder h;
	struct guest g;

	guests.patience = 500;
	guest_begin(*state, RK_TRUST_FILE);
	guests.patience = 0;
	v = ctl_visit(guests.ctl.path, NULL);
	c = come_first();
	hold(&h, "");
	guest_come(&g, NULL);
	guest_await(&g, &g.closed);
	rk_client_free(g.client);
	let_go(&h);
	ctl_has(ctl_get(v, "_.trust"), "\"known\":1,");
	rk_client_free(c);
	rk_client_free(v);
	guest_end();
}

/* Whoever holds the list does not hold off that it is locked, nor does who
 * wanted the contrary before and waits still. */
static void
lock_goes_first(void **state)
{
	struct rpcanswer unlock = { .n = 0 };
	struct rk_client *v, *c;
	struct holder h;
	struct stat st;
	struct guest g;

	guest_begin(*state, RK_TRUST_FILE);
	v = ctl_visit(guests.ctl.path, NULL);
	c = come_first();
	hold(&h, "");
	(void)rpcrig_submit(v, "_.unlock", NULL, 0, &unlock);
	assert_int_equal(ctl_order(v, "_.lock", NULL, NULL), RK_OK);
	assert_int_equal(stat(guests.list, &st), 0);
	assert_int_equal(st.st_mode & 0222, 0);
	rpcrig_turn(v, &unlock.n, 1);
	assert_int_equal(unlock.code, RK_EREMOTE);
	let_go(&h);
	guest_come(&g, NULL);
	guest_await(&g, &g.closed);
	rk_client_free(g.client);
	ctl_has(ctl_get(v, "_.trust"), "\"known\":1,");
	assert_int_equal(stat(guests.list, &st), 0);
	assert_int_equal(st.st_mode & 0222, 0);
	rk_client_free(c);
	rk_client_free(v);
	guest_end();
}

/* ---- the store ---- */

/* A stranger has to be written down before it may wait; an approval for one
 * connection is used up before it counts. */
static void
strangers_wait(void **state)
{
	struct rk_client *v, *c;
	struct rk_error err;
	enum rk_err code;
	struct guest g;
	uint64_t until;
	sqlite3 *db;

	guest_begin(*state, RK_TRUST_FILE);
	v = ctl_visit(guests.ctl.path, NULL);
	c = come_first();
	assert_int_equal(
	    rk_trust_keep(guests.rig.conf.trust, true, &err), RK_OK);
	assert_int_equal(
	    rk_trust_set_mode(guests.rig.conf.trust, RK_TRUST_ASK, &err),
	    RK_OK);
	db = guest_hold_store();
	arrive(&g, v);
	others_go_on(c, &g);
	ctl_has(ctl_get(v, "_.pending"), "\"keys\":[]");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	while (strstr(ctl_get(v, "_.pending"), "\"waiting\":1") == NULL) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_client_process(g.client), RK_OK);
	}
	ctl_has(ctl_get(v, "_.pending"), "\"tries\":1,");
	rk_client_free(g.client);
	(void)guest_decide(v, "once", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	db = guest_hold_store();
	arrive(&g, v);
	others_go_on(c, &g);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	gets_in(&g);
	ctl_has(ctl_get(v, "_.trust"), "\"state\":\"expired\"");
	rk_client_free(c);
	rk_client_free(v);
	guest_end();
	guest_unstore();
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "new ones wait", new_ones_wait, RPC_SECURE },
		{ "known ones stay so", known_ones_stay_so, RPC_SECURE },
		{ "known ones come", known_ones_come, RPC_SECURE },
		{ "is refused in the end", is_refused_in_the_end,
		    RPC_ONLY(RPC_TLS) },
		{ "lock goes first", lock_goes_first, RPC_ONLY(RPC_TLS) },
		{ "strangers wait", strangers_wait, RPC_ONLY(RPC_TLS) },
	};

	return rpcrig_run_cases(
	    "rpc list held", cases, sizeof(cases) / sizeof(cases[0]));
}
