/* Known servers: verdicts about addresses and keys, and what edits leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "serverlist.h"

#define LAB "tls://Lab.example:8443"
#define FILE_NAME SERVERLIST_FILE
#define ID_MAX SERVERLIST_LINE_MAX

static struct rk_server_view
judged(const char *text, const char *address, unsigned n, const char *email)
{
	struct rk_peer p = serverlist_peer(n, email);
	struct rk_server_view v = { .is = RK_SERVER_NEW };
	struct servers_query q;
	struct rk_error err;

	assert_int_equal(servers_ask(address, &p, &q, &err), RK_OK);
	servers_judge(text, strlen(text), &q, &v);
	return v;
}

struct row {
	const char *host;
	const char *email;
	const char *rest; /* of key 1 in the list */
	const char *address;
	unsigned key;
	const char *shows;
	enum rk_server_is is;
};

static const struct row rows[] = {
	/* A line with addresses belongs there and nowhere else. */
	{ "lab.example", "a@x", " at=lab.example:8443", LAB, 1, "a@x",
	    RK_SERVER_KNOWN },
	{ "lab.example", "a@x", " at=other:1,lab.example:8443", LAB, 1, "",
	    RK_SERVER_KNOWN },
	{ "lab.example", "a@x", " at=lab.example:8444", LAB, 1, "",
	    RK_SERVER_NEW },
	{ "lab.example", "a@x", " at=lab.example:8443", LAB, 2, "b@x",
	    RK_SERVER_CHANGED },
	{ "lab.example", "a@x", " at=lab.example:8444", LAB, 2, "b@x",
	    RK_SERVER_NEW },
	/* One without belongs anywhere, and speaks for all of its host. */
	{ "elsewhere", "a@x", "", LAB, 1, "", RK_SERVER_KNOWN },
	{ "elsewhere", "a@x", " at=*,o:1", LAB, 1, "", RK_SERVER_KNOWN },
	{ "lab.example", "a@x", "", LAB, 2, "b@x", RK_SERVER_CHANGED },
	{ "10.1.4.2", "a@x", "", LAB, 2, "b@x", RK_SERVER_CHANGED },
	{ "10.1.4.2", "a@x", " at=o:1", LAB, 2, "b@x", RK_SERVER_NEW },
	/* The name, one of several. */
	{ "elsewhere", "c@x,b@x", " at=o:1", LAB, 2, "a@x,b@x",
	    RK_SERVER_CHANGED },
	{ "elsewhere", "c@x,b@xy", " at=o:1", LAB, 2, "b@x", RK_SERVER_NEW },
	{ "elsewhere", "", " at=o:1", LAB, 2, "", RK_SERVER_NEW },
	/* Fields of others, and addresses that only look alike. */
	{ "h", "a@x", " x=1 at=lab.example:84433 y", LAB, 2, "",
	    RK_SERVER_NEW },
	{ "h", "a@x", "\tfoo at=[::1]:8443", "quic://[::1]:8443", 2, "",
	    RK_SERVER_CHANGED },
	{ "h", "a@x", " at=", LAB, 1, "", RK_SERVER_KNOWN },
};

static void
test_verdicts(void **state)
{
	char line[ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct rk_server_view v;

		serverlist_line(line, r->host, 1, r->email, r->rest);
		v = judged(line, r->address, r->key, r->shows);
		if (v.is != r->is)
			fail_msg("row %zu: %d, not %d", i, v.is, r->is);
		if (v.is == RK_SERVER_CHANGED)
			assert_string_equal(
			    v.line.fp, serverlist_peer(1, "").cert.fp);
	}
}

/* What is certain stands above what is likely; a key may be at two places. */
static void
test_several(void **state)
{
	char text[3 * ID_MAX];
	struct rk_server_view v;

	(void)state;
	serverlist_line(text, "h", 1, "m@x", " at=o:1");
	serverlist_line(text + strlen(text), "lab.example", 2, "n@x",
	    " at=lab.example:8443");
	v = judged(text, LAB, 3, "m@x");
	assert_int_equal(v.is, RK_SERVER_CHANGED);
	assert_string_equal(v.line.fp, serverlist_peer(2, "").cert.fp);
	/* Key 1 has its own line, so that its name tells nothing. */
	v = judged(text, "third:1", 1, "n@x");
	assert_int_equal(v.is, RK_SERVER_NEW);
	assert_string_equal(v.line.at, "o:1");
	/* A key for anywhere does not take an address from another. */
	serverlist_line(text + strlen(text), "z", 4, "z@x", "");
	assert_int_equal(judged(text, LAB, 4, "z@x").is, RK_SERVER_CHANGED);
	assert_int_equal(judged(text, "o:9", 4, "z@x").is, RK_SERVER_KNOWN);
}

static void
test_addresses(void **state)
{
	static const char *const bad[] = { "", "tls://", "a b:1", "a,b:1",
		"a:1/x", "\x1b[0m:1", "*", "\xc3\xa4:1", "tls:///x",
		"ssh+unix:///a b", "/a,b" };
	char out[RK_SERVER_LEN], big[RK_SERVER_LEN + 1];
	struct rk_error err;

	(void)state;
	assert_int_equal(rk_servers_address(LAB, out, &err), RK_OK);
	assert_string_equal(out, "lab.example:8443");
	assert_int_equal(
	    rk_servers_address("ssh+unix:///run/A:b%.sock", out, &err), RK_OK);
	assert_string_equal(out, "/run/A:b%.sock");
	assert_int_equal(
	    rk_servers_address("/run/A:b%.sock", out, &err), RK_OK);
	assert_string_equal(out, "/run/A:b%.sock");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    rk_servers_address(bad[i], out, &err), RK_EINVAL);
	memset(big, 'a', sizeof(big));
	big[RK_SERVER_LEN] = '\0';
	assert_int_equal(rk_servers_address(big, out, &err), RK_EINVAL);
	big[RK_SERVER_LEN - 1] = '\0';
	assert_int_equal(rk_servers_address(big, out, &err), RK_OK);
}

/* A socket in the file system: its path is host and address. */
static void
test_paths(void **state)
{
	char text[3 * ID_MAX];

	(void)state;
	serverlist_line(text, "/run/a:1", 1, "m@x", " at=/run/a:1");
	serverlist_line(text + strlen(text), "/run/b:1", 2, "n@x", "");
	assert_int_equal(
	    judged(text, "ssh+unix:///run/a:1", 1, "m@x").is, RK_SERVER_KNOWN);
	assert_int_equal(judged(text, "ssh+unix:///run/a:1", 3, "o@x").is,
	    RK_SERVER_CHANGED);
	assert_int_equal(
	    judged(text, "ssh+unix:///run/A:1", 3, "o@x").is, RK_SERVER_NEW);
	assert_int_equal(
	    judged(text, "ssh+unix:///run/a:2", 3, "o@x").is, RK_SERVER_NEW);
	assert_int_equal(judged(text, "ssh+unix:///run/b:1", 3, "o@x").is,
	    RK_SERVER_CHANGED);
	assert_int_equal(
	    judged(text, "ssh+unix:///run/b:2", 3, "o@x").is, RK_SERVER_NEW);
}

static void
test_edits(void **state)
{
	char text[2 * ID_MAX], want[2 * ID_MAX];
	struct rk_error err;
	size_t n;

	(void)state;
	assert_int_equal(serverlist_count(NULL), 0);
	serverlist_line(
	    text, "# mine\n\nh", 1, "a@x", " at=o:1 flag=7 since=S");
	text[strlen(text) - 1] = '\0'; /* without its newline */
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(serverlist_put("p:2", 1, RK_SERVERS_LEARN), RK_OK);
	serverlist_line(
	    want, "# mine\n\nh", 1, "a@x", " at=o:1,p:2 flag=7 since=S");
	scratch_holds(FILE_NAME, want);
	/* Known: nothing is written. */
	assert_int_equal(serverlist_put("p:2", 1, RK_SERVERS_LEARN), RK_OK);
	scratch_holds(FILE_NAME, want);
	assert_int_equal(
	    serverlist_put("p:2", 2, RK_SERVERS_LEARN), RK_EUNKNOWNKEY);
	scratch_holds(FILE_NAME, want);
	assert_int_equal(serverlist_put("p:2", 2, RK_SERVERS_ADD), RK_OK);
	assert_int_equal(serverlist_look("p:2", 1), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_look("p:2", 2), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_put("p:2", 3, RK_SERVERS_REPLACE), RK_OK);
	assert_int_equal(serverlist_look("p:2", 2), RK_SERVER_CHANGED);
	assert_int_equal(serverlist_look("o:1", 1), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_count(NULL), 2);
	assert_int_equal(serverlist_count("p:2"), 1);
	assert_int_equal(serverlist_count("a@x"), 2);
	assert_int_equal(serverlist_count(serverlist_peer(1, "").cert.fp), 1);
	assert_int_equal(
	    rk_servers_remove(FILE_NAME, "nobody", &n, &err), RK_ENOENT);
	assert_int_equal(rk_servers_remove(FILE_NAME, "p", &n, &err), RK_OK);
	assert_int_equal(n, 1);
	serverlist_line(
	    want, "# mine\n\nh", 1, "a@x", " at=o:1 flag=7 since=S");
	scratch_holds(FILE_NAME, want);
	scratch_counts(2); /* and servers.old */
}

/* A key for anywhere stays one; an old one of the host goes when replaced. */
static struct rk_server_view
looked(const char *address, unsigned n)
{
	struct rk_peer p = serverlist_peer(n, "a@x");
	struct rk_server_view v;
	struct rk_error err;

	assert_int_equal(
	    rk_servers_look(FILE_NAME, address, &p, &v, &err), RK_OK);
	return v;
}

/* For who goes by the list's state: a line without addresses, or one of the
 * same name, is no hindrance, and one with the address is. */
static void
test_beside(void **state)
{
	const enum rk_servers_how how = RK_SERVERS_LEARN_BESIDE;
	char text[2 * ID_MAX];
	struct rk_server_view v;

	(void)state;
	serverlist_line(text, "p", 1, "a@x", "");
	serverlist_line(text + strlen(text), "h", 4, "d@x", " at=p:4");
	scratch_make(FILE_NAME, text, 0600);
	v = looked("p:2", 1);
	assert_true(v.is == RK_SERVER_KNOWN && v.listed && !v.here);
	v = looked("p:2", 2);
	assert_true(v.is == RK_SERVER_CHANGED && !v.listed && !v.here);
	assert_int_equal(
	    serverlist_put("p:2", 2, RK_SERVERS_LEARN), RK_EUNKNOWNKEY);
	assert_int_equal(serverlist_put("p:2", 2, how), RK_OK);
	v = looked("p:2", 2);
	assert_true(v.is == RK_SERVER_KNOWN && v.listed && v.here);
	/* One for anywhere is no more so where another's line has the place. */
	v = looked("p:2", 1);
	assert_true(v.is == RK_SERVER_CHANGED && v.listed && v.here);
	assert_int_equal(serverlist_put("p:2", 1, how), RK_EUNKNOWNKEY);
	assert_int_equal(serverlist_put("p:2", 3, how), RK_EUNKNOWNKEY);
	/* A line that has the key gets the address, too. */
	v = looked("o:9", 4);
	assert_true(v.listed && !v.here);
	assert_int_equal(serverlist_put("o:9", 4, how), RK_OK);
	assert_true(looked("o:9", 4).here && looked("p:4", 4).here);
	assert_int_equal(serverlist_count(NULL), 3);
}

static void
test_untied(void **state)
{
	char text[ID_MAX], want[ID_MAX];

	(void)state;
	serverlist_line(text, "lab.example", 1, "a@x", "");
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(serverlist_put(LAB, 1, RK_SERVERS_ADD), RK_OK);
	serverlist_line(
	    want, "lab.example", 1, "a@x", " at=*,lab.example:8443");
	scratch_holds(FILE_NAME, want);
	assert_int_equal(serverlist_look("else:1", 1), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_put(LAB, 2, RK_SERVERS_REPLACE), RK_OK);
	assert_int_equal(
	    serverlist_look("else:1", 1), RK_SERVER_CHANGED); /* its name */
	assert_int_equal(serverlist_count(NULL), 1);
	scratch_holds(FILE_NAME ".old", want);
}

static size_t
removed(const char *what)
{
	struct rk_error err;
	size_t n;

	if (rk_servers_remove(FILE_NAME, what, &n, &err) != RK_OK)
		return 0;
	return n;
}

/* A host that goes takes nothing of others along. */
static void
test_other_hosts(void **state)
{
	char text[2 * ID_MAX], want[2 * ID_MAX];

	(void)state;
	serverlist_line(text, "lab.example", 1, "a@x",
	    " at=lab.example:1,o.example:1,lab.example:2");
	serverlist_line(text + strlen(text), "o.example", 2, "b@x", "");
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(serverlist_count("lab.example"), 1);
	assert_int_equal(removed("lab.example"), 1);
	serverlist_line(want, "lab.example", 1, "a@x", " at=o.example:1");
	serverlist_line(want + strlen(want), "o.example", 2, "b@x", "");
	scratch_holds(FILE_NAME, want);
	assert_int_equal(serverlist_count("lab.example"), 0);
	assert_int_equal(removed("lab.example"), 0);
	assert_int_equal(serverlist_count("o.example"), 2);
	assert_int_equal(removed("o.example"), 2);
	assert_int_equal(serverlist_count(NULL), 0);
	/* Nor does one whose key is replaced. */
	serverlist_line(text, "lab.example", 1, "a@x", " at=*,o.example:1");
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(serverlist_put(LAB, 2, RK_SERVERS_REPLACE), RK_OK);
	assert_int_equal(serverlist_look("o.example:1", 1), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_look("o.example:1", 3), RK_SERVER_CHANGED);
	assert_int_equal(serverlist_look(LAB, 1), RK_SERVER_CHANGED);
}

/* Who is named as people write it is found as the file has it. */
static void
test_names(void **state)
{
	char text[2 * ID_MAX];

	(void)state;
	serverlist_line(text, "h", 1, "Me@Example.org,a%20b@x", " at=o:1");
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(serverlist_count("me@example.org"), 1);
	assert_int_equal(serverlist_count("a b@x"), 1);
	assert_int_equal(serverlist_count("me@example"), 0);
	assert_int_equal(
	    judged(text, LAB, 2, "ME@example.org").is, RK_SERVER_CHANGED);
	assert_int_equal(
	    serverlist_put("[fe80::1%eth0]:5", 3, RK_SERVERS_LEARN), RK_OK);
	assert_int_equal(serverlist_count("[fe80::1%eth0]:5"), 1);
	assert_int_equal(serverlist_count("fe80::1%eth0"), 1);
	assert_int_equal(removed("[fe80::1%eth0]:5"), 1);
}

#define MANY 40

/* Each has an address of its own to say, all at once. */
static void
test_many(void **state)
{
	char address[32];
	pid_t pid[MANY];
	int status;

	(void)state;
	scratch_make(FILE_NAME, "", 0600);
	for (unsigned i = 0; i < MANY; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] != 0)
			continue;
		(void)snprintf(address, sizeof(address), "o:%u", i + 1);
		_exit((int)serverlist_put(address, 1, RK_SERVERS_LEARN));
	}
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(address, sizeof(address), "o:%u", i + 1);
		assert_int_equal(serverlist_look(address, 1), RK_SERVER_KNOWN);
	}
	scratch_counts(1);
}

static void
test_locked(void **state)
{
	char text[ID_MAX];
	struct rk_error err;
	struct stat st;
	size_t n;

	(void)state;
	assert_int_equal(rk_servers_lock(FILE_NAME, true, &err), RK_ENOENT);
	assert_int_equal(serverlist_put(LAB, 1, RK_SERVERS_LEARN), RK_OK);
	assert_int_equal(stat(FILE_NAME, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rk_servers_lock(FILE_NAME, true, &err), RK_OK);
	assert_int_equal(stat(FILE_NAME, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
	assert_int_equal(
	    serverlist_put("o:1", 2, RK_SERVERS_ADD), RK_EUNKNOWNKEY);
	assert_int_equal(
	    serverlist_put(LAB, 2, RK_SERVERS_REPLACE), RK_EUNKNOWNKEY);
	assert_int_equal(rk_servers_remove(FILE_NAME, "lab.example", &n, &err),
	    RK_EUNKNOWNKEY);
	assert_int_equal(serverlist_look(LAB, 1), RK_SERVER_KNOWN);
	assert_int_equal(serverlist_count(NULL), 1);
	assert_int_equal(rk_servers_lock(FILE_NAME, false, &err), RK_OK);
	assert_int_equal(
	    rk_servers_remove(FILE_NAME, "lab.example", &n, &err), RK_OK);
	assert_int_equal(rk_servers_lock(FILE_NAME, true, &err), RK_ESTATE);
	serverlist_line(text, "h", 1, "a@x", "");
	scratch_make("link-target", text, 0600);
	assert_int_equal(unlink(FILE_NAME), 0);
	assert_int_equal(symlink("link-target", FILE_NAME), 0);
	assert_int_equal(serverlist_put(LAB, 2, RK_SERVERS_ADD), RK_EMODE);
	scratch_holds("link-target", text);
}

/* What does not fit on the disk changes nothing. */
static void
test_no_room(void **state)
{
	struct rlimit old, small = { 0 };
	char text[ID_MAX];

	(void)state;
	serverlist_line(text, "h", 1, "a@x", " at=o:1");
	scratch_make(FILE_NAME, text, 0600);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_cur = 64;
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(serverlist_put("p:2", 2, RK_SERVERS_ADD), RK_EIO);
	assert_int_equal(serverlist_put("o:1", 2, RK_SERVERS_REPLACE), RK_EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	scratch_holds(FILE_NAME, text);
	scratch_counts(1);
}

/* Addresses of one key end somewhere, and a peer proves its key first. */
static void
test_refused(void **state)
{
	struct rk_peer p = serverlist_peer(1, "a@x");
	struct rk_error err;
	enum rk_err r = RK_OK;
	char address[128];

	(void)state;
	for (unsigned i = 0; r == RK_OK && i < 100; i++) {
		(void)snprintf(
		    address, sizeof(address), "host-%u.example:8443", i);
		r = serverlist_put(address, 1, RK_SERVERS_LEARN);
	}
	assert_int_equal(r, RK_ETOOBIG);
	assert_int_equal(
	    serverlist_look("host-0.example:8443", 1), RK_SERVER_KNOWN);
	p.proven = false;
	assert_int_equal(
	    rk_servers_put(FILE_NAME, LAB, &p, RK_SERVERS_ADD, &err), RK_ECERT);
	p.proven = true;
	memset(p.cert.pub, 0, sizeof(p.cert.pub));
	assert_int_equal(
	    rk_servers_put(FILE_NAME, LAB, &p, RK_SERVERS_ADD, &err), RK_ECERT);
}

#define ON_DISK(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_paths),
		ON_DISK(test_edits),
		ON_DISK(test_beside),
		ON_DISK(test_untied),
		ON_DISK(test_other_hosts),
		ON_DISK(test_names),
		ON_DISK(test_many),
		ON_DISK(test_locked),
		ON_DISK(test_no_room),
		ON_DISK(test_refused),
	};

	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
