/* Questions on a terminal: echo, tries, signals, and what is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cli/pass.h"

#define PATIENCE_MS 60000

/* A child on a terminal of its own, and this end of it. */
struct session {
	pid_t pid;
	int fd;
	int result; /* a pipe: what the child got, unseen by the terminal */
	char seen[4096];
	size_t used;
};

static int result_fd;

static void
start(struct session *s, int (*fn)(void))
{
	int fds[2];

	*s = (struct session){ .used = 0 };
	assert_int_equal(pipe(fds), 0);
	s->pid = forkpty(&s->fd, NULL, NULL, NULL);
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		result_fd = fds[1];
		(void)unsetenv("SSH_ASKPASS_REQUIRE");
		_exit(fn());
	}
	assert_int_equal(close(fds[1]), 0);
	s->result = fds[0];
}

/* Read until the text was seen; everything before it is forgotten. */
static void
expect(struct session *s, const char *text)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	char *at;
	ssize_t n;

	while ((at = strstr(s->seen, text)) == NULL) {
		if (poll(&p, 1, PATIENCE_MS) != 1)
			fail_msg("\"%s\" never came: %s", text, s->seen);
		n = read(
		    s->fd, s->seen + s->used, sizeof(s->seen) - s->used - 1);
		if (n <= 0)
			fail_msg("\"%s\" never came: %s", text, s->seen);
		s->used += (size_t)n;
		s->seen[s->used] = '\0';
	}
	at += strlen(text);
	s->used -= (size_t)(at - s->seen);
	memmove(s->seen, at, s->used + 1);
}

static void
type(const struct session *s, const char *text)
{
	assert_int_equal(write(s->fd, text, strlen(text)), strlen(text));
}

static bool
echoes(const struct session *s)
{
	struct termios t;

	assert_int_equal(tcgetattr(s->fd, &t), 0);
	return (t.c_lflag & ECHO) != 0;
}

/* The end: its status, 128 + signal, and what it put in the pipe. */
static void
ends(struct session *s, int status, const char *result)
{
	char got[2048];
	size_t used = 0;
	ssize_t n;
	int w;

	while ((n = read(s->result, got + used, sizeof(got) - used - 1)) > 0)
		used += (size_t)n;
	got[used] = '\0';
	assert_int_equal(waitpid(s->pid, &w, 0), s->pid);
	w = WIFSIGNALED(w) ? 128 + WTERMSIG(w) : WEXITSTATUS(w);
	assert_int_equal(w, status);
	assert_string_equal(got, result);
	assert_int_equal(close(s->result), 0);
	assert_int_equal(close(s->fd), 0);
}

static int
tell(const void *data, size_t len, int status)
{
	return write(result_fd, data, len) == (ssize_t)len ? status : 99;
}

/* Ask until the passphrase is "right", as a key loader does. */
static int
ask_existing(void)
{
	struct pass_source src = { .what = "CA key", .flag = "-pass" };
	struct rk_secret *got;
	unsigned i = 0;

	for (;; i++) {
		if (pass_get(&src, "d/ca\x1b.key", i, &got) != RK_OK)
			return tell(src.err.text, strlen(src.err.text),
			    rk_err_exit(src.err.code));
		if (rk_secret_len(got) == 5 &&
		    rk_secret_eq(rk_secret_peek(got), "right", 5))
			break;
		rk_secret_free(got);
	}
	rk_secret_free(got);
	return tell("ok", 2, 0);
}

static int
ask_new(void)
{
	struct pass_source src = { .what = "new key", .twice = true };
	struct rk_secret *got;
	int status;

	if (pass_get(&src, "n.key", 0, &got) != RK_OK)
		return tell(src.err.text, strlen(src.err.text),
		    rk_err_exit(src.err.code));
	status = tell(rk_secret_peek(got), rk_secret_len(got), 0);
	rk_secret_free(got);
	return status;
}

static int
ask_question(void)
{
	struct rk_error err;
	char answer[8];

	if (pass_ask("sure? ", true, answer, sizeof(answer), &err) != RK_OK)
		return tell(err.text, strlen(err.text), rk_err_exit(err.code));
	return tell(answer, strlen(answer), 0);
}

static const char prompt[] = "Passphrase for CA key d/ca\\x1b.key: ";

static void
test_right(void **state)
{
	struct session s;

	(void)state;
	start(&s, ask_existing);
	expect(&s, prompt);
	assert_false(echoes(&s));
	type(&s, "right\n");
	expect(&s, "\r\n");
	ends(&s, 0, "ok");
	assert_null(strstr(s.seen, "right"));
}

static void
test_three_tries(void **state)
{
	struct session s;

	(void)state;
	start(&s, ask_existing);
	expect(&s, prompt);
	type(&s, "wrong1\n");
	expect(&s, "wrong passphrase, try again\r\n");
	expect(&s, prompt);
	type(&s, "wrong2\n");
	expect(&s, prompt);
	type(&s, "right\n");
	ends(&s, 0, "ok");
	start(&s, ask_existing);
	for (int i = 0; i < 3; i++) {
		expect(&s, prompt);
		type(&s, "wrong\n");
	}
	ends(&s, 7, "wrong passphrase");
}

static void
test_odd_answers(void **state)
{
	char text[PASS_MAX + 3];
	struct session s;

	(void)state;
	start(&s, ask_existing);
	expect(&s, prompt);
	type(&s, "\n");
	ends(&s, 2, "empty passphrase");
	start(&s, ask_existing);
	expect(&s, prompt);
	type(&s, "\x04"); /* end of input */
	ends(&s, 7, "no answer: end of input");
	start(&s, ask_new);
	expect(&s, "Passphrase for new key n.key: ");
	memset(text, 'a', PASS_MAX + 1);
	text[PASS_MAX + 1] = '\n';
	text[PASS_MAX + 2] = '\0';
	type(&s, text);
	expect(&s, "passphrase longer than 1024 bytes, try again\r\n");
	/* The rest of the line is not taken for the next answer. */
	expect(&s, "Passphrase for new key n.key: ");
	text[PASS_MAX] = '\n';
	text[PASS_MAX + 1] = '\0';
	type(&s, text);
	expect(&s, "Again: ");
	type(&s, text);
	text[PASS_MAX] = '\0';
	ends(&s, 0, text);
}

static void
test_twice(void **state)
{
	struct session s;

	(void)state;
	start(&s, ask_new);
	expect(&s, "Passphrase for new key n.key: ");
	type(&s, "one\n");
	expect(&s, "Again: ");
	type(&s, "two\n");
	expect(&s, "the passphrases differ, try again\r\n");
	expect(&s, "Passphrase for new key n.key: ");
	type(&s, "a b\n");
	expect(&s, "Again: ");
	type(&s, "a b\n");
	ends(&s, 0, "a b");
	start(&s, ask_new);
	for (int i = 0; i < 3; i++) {
		expect(&s, "n.key: ");
		type(&s, "a\n");
		expect(&s, "Again: ");
		type(&s, "b\n");
	}
	ends(&s, 2, "the passphrases differ");
}

static void
killed_by(int sig, const char *key)
{
	struct session s;

	start(&s, ask_existing);
	expect(&s, prompt);
	assert_false(echoes(&s));
	if (key != NULL)
		type(&s, key);
	else
		assert_int_equal(kill(s.pid, sig), 0);
	assert_int_equal(
	    waitid(P_PID, (id_t)s.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT),
	    0);
	assert_true(echoes(&s));
	ends(&s, 128 + sig, "");
}

static void
test_killed(void **state)
{
	(void)state;
	killed_by(SIGINT, "\x03");
	killed_by(SIGQUIT, "\x1c");
	killed_by(SIGTERM, NULL);
	killed_by(SIGHUP, NULL);
	killed_by(SIGALRM, NULL);
}

static int
ask_ignoring(void)
{
	if (signal(SIGTERM, SIG_IGN) == SIG_ERR)
		return 98;
	return ask_existing();
}

static int
ask_blocking(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return 98;
	return ask_existing();
}

static void
test_survived(void **state)
{
	struct session s;

	(void)state;
	/* A process that lives on gets to know that nobody answered. */
	start(&s, ask_ignoring);
	expect(&s, prompt);
	assert_int_equal(kill(s.pid, SIGTERM), 0);
	ends(&s, 1, "canceled by a signal");
	start(&s, ask_blocking);
	expect(&s, prompt);
	type(&s, "\x03");
	ends(&s, 1, "canceled by a signal");
}

/* A shell in small: a child that may be stopped, in a group of its own. */
static int
shell(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)setpgid(0, 0);
		(void)sigaction(SIGTTOU, &ignore, NULL);
		(void)tcsetpgrp(0, getpid());
		_exit(ask_existing());
	}
	(void)sigaction(SIGTTOU, &ignore, NULL);
	while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
		struct termios t;

		if (tcgetattr(0, &t) != 0 || (t.c_lflag & ECHO) == 0)
			return 97;
		(void)tcsetpgrp(0, getpid());
		printf("stopped\n");
		(void)fflush(stdout);
		(void)getchar();
		(void)tcsetpgrp(0, pid);
		(void)kill(-pid, SIGCONT);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
	                           : WEXITSTATUS(status);
}

static void
test_stopped(void **state)
{
	struct session s;

	(void)state;
	start(&s, shell);
	expect(&s, prompt);
	type(&s, "half\x1a");
	expect(&s, "stopped\r\n");
	assert_true(echoes(&s));
	type(&s, "\n");
	expect(&s, prompt);
	assert_false(echoes(&s));
	type(&s, "right\n");
	ends(&s, 0, "ok");
}

static void
test_question(void **state)
{
	struct session s;

	(void)state;
	start(&s, ask_question);
	expect(&s, "sure? ");
	assert_true(echoes(&s));
	type(&s, "yes\n");
	expect(&s, "yes\r\n");
	ends(&s, 0, "yes");
	start(&s, ask_question);
	expect(&s, "sure? ");
	type(&s, "\n");
	ends(&s, 0, "");
	start(&s, ask_question);
	expect(&s, "sure? ");
	type(&s, "1234567\n");
	ends(&s, 0, "1234567");
	start(&s, ask_question);
	expect(&s, "sure? ");
	type(&s, "12345678\n");
	ends(&s, 1, "answer too long");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_three_tries),
		cmocka_unit_test(test_odd_answers),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_survived),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
