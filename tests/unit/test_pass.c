/* Passphrases from everything but a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "capture.h"
#include "cli/pass.h"
#include "scratch.h"

static void
gives_from(struct pass_source *s, const char *want)
{
	struct rk_secret *got;
	enum rk_err r = pass_get(s, "k.key", 0, &got);

	if (r != RK_OK)
		fail_msg("%s: %s", s->spec, s->err.text);
	assert_int_equal(rk_secret_len(got), strlen(want));
	assert_memory_equal(rk_secret_peek(got), want, strlen(want));
	rk_secret_free(got);
}

static void
gives(const char *spec, const char *want)
{
	struct pass_source s = { .spec = spec, .flag = "-pass" };
	struct rk_error err;

	assert_int_equal(pass_check(spec, &err), RK_OK);
	gives_from(&s, want);
}

static void
fails(const char *spec, enum rk_err code, const char *text)
{
	struct pass_source s = { .spec = spec, .flag = "-pass" };
	struct rk_secret *got;

	assert_int_equal(pass_get(&s, "k.key", 0, &got), code);
	assert_null(got);
	assert_int_equal(s.err.code, code);
	assert_string_equal(s.err.text, text);
}

/* A pipe that holds this text and then ends; its descriptor in spec. */
static int
piped(const char *text, size_t len, char spec[16])
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fs_write_all(fds[1], text, len), RK_OK);
	assert_int_equal(close(fds[1]), 0);
	assert_true(snprintf(spec, 16, "fd:%d", fds[0]) > 0);
	return fds[0];
}

static void
test_spec(void **state)
{
	static const char *const wrong[] = { "", ":", "fd", "fd:", "fd:x",
		"fd:-1", "fd:99999999999", "file", "file:", "env:", "env",
		"env:A=B", "cred:", "cred:a/b", "cred:..", "cred:.x",
		"tty:", "askpass:x", "TTY", "secret", "agent:", "pass" };
	struct rk_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (pass_check(wrong[i], &err) != RK_EINVAL)
			fail_msg("%s", wrong[i]);
		assert_int_equal(err.code, RK_EINVAL);
	}
	/* What was typed as a secret is never said again. */
	assert_int_equal(pass_check("pass:hunter2", &err), RK_EINVAL);
	assert_string_equal(
	    err.text, "pass: is visible in ps and history, use file: or fd:");
	assert_int_equal(rk_err_exit(err.code), 2);
	assert_int_equal(pass_check("hunter2", &err), RK_EINVAL);
	assert_null(strstr(err.text, "hunter2"));
	assert_int_equal(pass_check(NULL, &err), RK_OK);
	assert_int_equal(pass_check("tty", &err), RK_OK);
	assert_int_equal(pass_check("askpass", NULL), RK_OK);
	assert_int_equal(pass_check("agent", NULL), RK_OK);
	assert_int_equal(pass_check("agent:x/y", NULL), RK_OK);
	assert_int_equal(pass_check("file:/none", NULL), RK_OK);
	fails("pass:x", RK_EINVAL,
	    "pass: is visible in ps and history, use file: or fd:");
}

static void
test_file(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ "secret", "secret" },
		{ "secret\n", "secret" },
		{ "secret\r\n", "secret" },
		{ "secret\n\n", "secret\n" },
		{ "secret\r", "secret\r" },
		{ " a b \n", " a b " },
		{ "a\nb\n", "a\nb" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scratch_make("f", cases[i].text, 0600);
		gives("file:f", cases[i].want);
		gives("file:f", cases[i].want); /* a file can be read again */
	}
	scratch_make("f", "", 0600);
	fails("file:f", RK_EINVAL, "empty passphrase");
	scratch_make("f", "\r\n", 0600);
	fails("file:f", RK_EINVAL, "empty passphrase");
	scratch_make("f", "secret", 0640);
	fails(
	    "file:f", RK_EMODE, "f: mode 0640 lets others in, chmod go-rwx f");
	scratch_make("f", "secret", 0604);
	fails(
	    "file:f", RK_EMODE, "f: mode 0604 lets others in, chmod go-rwx f");
	scratch_make("f", "secret", 0400);
	gives("file:f", "secret");
	/* Only root can give a file away. */
	if (geteuid() == 0) {
		assert_int_equal(chown("f", 65534, (gid_t)-1), 0);
		fails("file:f", RK_EMODE,
		    "f: belongs to user 65534, neither to us nor to root");
	}
	fails("file:none", RK_ENOENT, "none: No such file or directory");
	fails("file:.", RK_EMODE, ".: neither a file nor a pipe");
	fails(
	    "file:/dev/null", RK_EMODE, "/dev/null: neither a file nor a pipe");
}

static void
test_limits(void **state)
{
	static char text[PASS_MAX + 3];

	(void)state;
	memset(text, 'a', PASS_MAX);
	scratch_make("f", text, 0600);
	gives("file:f", text);
	memcpy(text + PASS_MAX, "\r\n", 3);
	scratch_make("f", text, 0600);
	text[PASS_MAX] = '\0';
	gives("file:f", text);
	text[PASS_MAX] = 'a';
	scratch_make("f", text, 0600);
	fails("file:f", RK_EINVAL, "passphrase longer than 1024 bytes");
	text[PASS_MAX + 1] = 'a';
	scratch_make("f", text, 0600);
	fails("file:f", RK_EINVAL, "passphrase longer than 1024 bytes");
	scratch_make("f", "", 0600);
	assert_int_equal(truncate("f", 3), 0);
	fails("file:f", RK_EINVAL, "passphrase has a NUL byte");
}

static void
test_fd(void **state)
{
	char spec[16];
	struct pass_source s = { .spec = spec };
	struct rk_secret *got;
	int fd;

	(void)state;
	fd = piped("one\nrest", 8, spec);
	gives(spec, "one");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	/* Two keys may name the same descriptor, long closed. */
	gives(spec, "one");
	/* The first try only: what was wrong stays wrong. */
	assert_int_equal(pass_get(&s, "k", 1, &got), RK_EPASS);
	fails("fd:987", RK_EINVAL, "fd:987: not open");
	assert_int_equal(pass_check("fd:987", NULL), RK_EINVAL);
	/* Others: each its own descriptor, so that none is remembered. */
	assert_int_equal(dup2(piped("", 0, spec), 700), 700);
	fails("fd:700", RK_EINVAL, "empty passphrase");
	assert_int_equal(dup2(piped("a\0b\n", 4, spec), 701), 701);
	fails("fd:701", RK_EINVAL, "passphrase has a NUL byte");
	assert_int_equal(dup2(piped("no end", 6, spec), 702), 702);
	gives("fd:702", "no end");
	assert_int_equal(dup2(piped("x\r\n", 3, spec), 703), 703);
	gives("fd:703", "x");
}

static int
read_stdin(void *arg)
{
	struct pass_source s = { .spec = "fd:0" };
	struct rk_secret *got;
	char spec[16];
	char rest[8];
	int fd = piped("pw\n", 3, spec);

	(void)arg;
	if (dup2(fd, 0) != 0 || pass_check(s.spec, NULL) != RK_OK ||
	    pass_get(&s, "k", 0, &got) != RK_OK || rk_secret_len(got) != 2)
		return 1;
	rk_secret_free(got);
	/* Descriptor 0 is not free for the next file that is opened. */
	return fcntl(0, F_GETFD) >= 0 && read(0, rest, 8) == 0 ? 0 : 2;
}

static void
test_stdin(void **state)
{
	static struct capture got;

	(void)state;
	capture_run(&got, read_stdin, NULL);
	assert_int_equal(got.status, 0);
}

static void
test_env(void **state)
{
	struct rk_error err;
	char *value;

	(void)state;
	assert_int_equal(setenv("TEST_PW", "from env", 1), 0);
	value = getenv("TEST_PW");
	assert_int_equal(pass_check("env:TEST_PW", &err), RK_OK);
	assert_null(getenv("TEST_PW"));
	assert_int_equal(value[0], '\0'); /* wiped where it was */
	gives("env:TEST_PW", "from env");
	gives("env:TEST_PW", "from env");
	fails("env:TEST_NONE", RK_ENOPASS, "env:TEST_NONE: no such variable");
	assert_int_equal(setenv("TEST_EMPTY", "", 1), 0);
	fails("env:TEST_EMPTY", RK_EINVAL, "empty passphrase");
	assert_null(getenv("TEST_EMPTY"));
}

static void
test_cred(void **state)
{
	char dir[256];
	char spec[300];

	(void)state;
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	fails(
	    "cred:pw", RK_ENOPASS, "cred:pw: CREDENTIALS_DIRECTORY is not set");
	assert_non_null(getcwd(dir, sizeof(dir)));
	scratch_make("pw", "from the manager\n", 0440);
	assert_true(snprintf(spec, sizeof(spec), "file:%s/pw", dir) > 0);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
	gives("cred:pw", "from the manager");
	gives(spec, "from the manager");
	assert_true(snprintf(spec, sizeof(spec), "file:%s/../%s/pw", dir,
	                strrchr(dir, '/') + 1) > 0);
	assert_int_equal(pass_get(&(struct pass_source){ .spec = spec }, "k", 0,
	                     &(struct rk_secret *){ NULL }),
	    RK_EMODE);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	gives_from(&(struct pass_source){ .spec = "file:pw2" },
	    (scratch_make("pw2", "x", 0600), "x"));
}

static void
make_askpass(const char *body)
{
	char text[512];

	assert_true(snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body) > 0);
	scratch_make("ask", text, 0700);
	assert_int_equal(setenv("RPCKIT_ASKPASS", "./ask", 1), 0);
}

static void
test_askpass(void **state)
{
	struct pass_source s = {
		.spec = "askpass", .flag = "-pass", .what = "CA key"
	};
	struct rk_secret *got;

	(void)state;
	make_askpass("echo \"$1\" >asked; echo pw");
	gives_from(&s, "pw");
	scratch_holds("asked", "Passphrase for CA key k.key:\n");
	assert_int_equal(pass_get(&s, "k", 1, &got), RK_EPASS);
	/* Required by the environment when nothing else was named. */
	s.spec = NULL;
	assert_int_equal(setenv("SSH_ASKPASS_REQUIRE", "force", 1), 0);
	gives_from(&s, "pw");
	s.no_input = true;
	assert_int_equal(pass_get(&s, "k", 0, &got), RK_ENOPASS);
	assert_string_equal(s.err.text,
	    "k: not allowed to ask for a passphrase, give -pass file:PATH");
	s.no_input = false;
	make_askpass("echo pw; exit 1");
	assert_int_equal(pass_get(&s, "k", 0, &got), RK_ENOPASS);
	assert_null(got);
	assert_string_equal(s.err.text, "askpass: no passphrase was given");
	make_askpass("exit 0");
	assert_int_equal(pass_get(&s, "k", 0, &got), RK_EINVAL);
	/* A new one is asked for twice, and both must be the same. */
	s.twice = true;
	make_askpass("echo \"$1\" >>prompts; echo same");
	gives_from(&s, "same");
	scratch_holds("prompts", "Passphrase for CA key k.key:\nAgain:\n");
	make_askpass("echo x >>n; wc -l <n");
	assert_int_equal(pass_get(&s, "k", 0, &got), RK_EINVAL);
	assert_string_equal(s.err.text, "the passphrases differ");
	scratch_holds("n", "x\nx\nx\nx\nx\nx\n");
	assert_int_equal(setenv("RPCKIT_ASKPASS", "/none", 1), 0);
	assert_int_equal(pass_get(&s, "k", 0, &got), RK_EIO);
	assert_int_equal(unsetenv("RPCKIT_ASKPASS"), 0);
	assert_int_equal(unsetenv("SSH_ASKPASS"), 0);
	assert_int_equal(pass_get(&s, "k", 0, &got), RK_ENOPASS);
	assert_int_equal(unsetenv("SSH_ASKPASS_REQUIRE"), 0);
}

static int
without_terminal(void *arg)
{
	struct pass_source s = { .flag = "-pass", .what = "key" };
	struct rk_error err;
	struct rk_secret *got;
	char answer[8];

	(void)arg;
	if (setsid() < 0)
		return 1;
	if (pass_callback("certs/\n.key", 0, &got, &s) != RK_ENOPASS)
		return 2;
	if (pass_ask("?", true, answer, sizeof(answer), &err) != RK_ENOPASS)
		return 3;
	printf("%s", s.err.text);
	return rk_err_exit(s.err.code);
}

static void
test_no_terminal(void **state)
{
	static struct capture got;

	(void)state;
	capture_run(&got, without_terminal, NULL);
	assert_int_equal(got.status, 7);
	assert_string_equal(got.out,
	    "certs/\\x0a.key: no terminal to ask for a passphrase, "
	    "give -pass file:PATH");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec),
		cmocka_unit_test_setup_teardown(
		    test_file, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_limits, scratch_enter, scratch_leave),
		cmocka_unit_test(test_fd),
		cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_env),
		cmocka_unit_test_setup_teardown(
		    test_cred, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_askpass, scratch_enter, scratch_leave),
		cmocka_unit_test(test_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
