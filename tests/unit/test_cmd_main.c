/* main() of a program: help, errors, hidden verbs, the process itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "tryprog.h"

#define WORDS 8

struct call {
	const struct prog *p;
	const char *argv[WORDS];
	int close_fd; /* 0: none, else all from 0 to it */
};

static int
call_main(void *arg)
{
	struct call *c = arg;
	char *argv[WORDS] = { NULL };
	int n = 0;

	for (; c->argv[n] != NULL; n++) {
		argv[n] = strdup(c->argv[n]);
		if (argv[n] == NULL)
			return 97;
	}
	for (int fd = 0; fd < c->close_fd; fd++)
		(void)close(fd);
	return cmd_main(c->p, n, argv, NULL);
}

static void
runs(struct call c, int status, struct capture *got)
{
	capture_run(got, call_main, &c);
	if (got->status != status)
		fail_msg(
		    "status %d, not %d: %s", got->status, status, got->err);
}

static unsigned
lines_of(const char *s, size_t *widest)
{
	unsigned n = 0;

	*widest = 0;
	for (; *s != '\0'; n++) {
		size_t len = strcspn(s, "\n");

		if (len > *widest)
			*widest = len;
		s += len + (s[len] == '\n');
	}
	return n;
}

static void
test_main_runs(void **state)
{
	static struct capture got;

	(void)state;
	runs((struct call){ &try_gnu, { "try", "ls", "x" }, 0 }, 1, &got);
	assert_string_equal(got.out, "ls x\n");
	assert_string_equal(got.err, "");
	runs((struct call){ &try_gnu, { "try", "Sum", "a" }, 0 }, 2, &got);
	assert_string_equal(got.out, "call Sum a\n");
	runs((struct call){ &try_gnu, { "try" }, 0 }, 0, &got);
	assert_string_equal(got.out, "none\n");
	runs((struct call){ &try_gnu, { "try", "process" }, 0 }, 0, &got);
	runs((struct call){ &try_gnu, { "try", "process" }, 3 }, 0, &got);
	runs((struct call){ &try_gnu, { "try", "--version" }, 0 }, 0, &got);
	assert_string_equal(
	    got.out, "try " RK_VERSION "\nfeature a, feature b\n");
	runs((struct call){ &try_gnu, { "try", "-V" }, 0 }, 0, &got);
}

static void
test_main_errors(void **state)
{
	static struct capture got;
	struct prog p = try_strict();

	(void)state;
	runs((struct call){ &try_gnu, { "try", "ls", "--foo" }, 0 }, 2, &got);
	assert_string_equal(got.out, "");
	assert_string_equal(
	    got.err, "try: unknown option --foo\ntry: try ls -h\n");
	runs((struct call){ &try_gnu, { "try", "--foo", "Sum" }, 0 }, 2, &got);
	assert_string_equal(
	    got.err, "try: unknown option --foo\ntry: try -h\n");
	runs((struct call){ &try_gnu, { "try", "--foo", "ls", "--json" }, 0 },
	    2, &got);
	assert_string_equal(got.out, "");
	assert_string_equal(got.err,
	    "{\"schema\":1,\"ok\":false,\"error\":{\"code\":\"inval\","
	    "\"exit\":2,\"text\":\"unknown option --foo\","
	    "\"try\":\"try ls -h\"}}\n");
	runs((struct call){ &try_gnu, { "try", "--foo", "--", "--json" }, 0 },
	    2, &got);
	assert_int_equal(got.err[0], 't');
	runs((struct call){ &p, { "try" }, 0 }, 2, &got);
	assert_string_equal(got.err, "try: no command given\ntry: try -h\n");
	runs((struct call){ &try_go, { "go", "-json", "-x" }, 0 }, 2, &got);
	assert_int_equal(got.err[0], '{');
	runs((struct call){ &try_gnu, { "try", "help", "x\a" }, 0 }, 2, &got);
	assert_string_equal(
	    got.err, "try: no help for \"x\\x07\"\ntry: try -h\n");
}

static void
test_main_help(void **state)
{
	static struct capture a;
	static struct capture b;
	size_t widest;

	(void)state;
	runs((struct call){ &try_gnu, { "try", "-h" }, 0 }, 0, &a);
	assert_true(lines_of(a.out, &widest) <= 24);
	assert_true(widest <= 80);
	assert_non_null(strstr(a.out, "try - try things\nusage: try "));
	assert_null(strstr(a.out, "skip-verify"));
	runs((struct call){ &try_gnu, { "try", "help" }, 0 }, 0, &b);
	assert_string_equal(a.out, b.out);
	runs((struct call){ &try_gnu, { "try", "bench", "-h" }, 0 }, 0, &a);
	runs((struct call){ &try_gnu, { "try", "help", "bench" }, 0 }, 0, &b);
	assert_string_equal(a.out, b.out);
	assert_non_null(strstr(a.out, "usage: try bench METHOD FILE\n"));
	assert_non_null(strstr(a.out, "  -n N "));
	assert_string_equal(a.err, "");
	runs((struct call){ &try_gnu, { "try", "--json", "help", "bench" }, 0 },
	    0, &b);
	assert_string_equal(a.out, b.out);
	runs((struct call){ &try_gnu, { "try", "--foo", "help" }, 0 }, 2, &b);
	assert_string_equal(b.err, "try: unknown option --foo\ntry: try -h\n");
	runs((struct call){ &try_gnu, { "try", "help", "all" }, 0 }, 0, &a);
	assert_non_null(strstr(a.out, "--refresh"));
	assert_non_null(strstr(a.out, "limit of a call"));
	assert_non_null(strstr(a.out, "RPCKIT_TEST_SERVER"));
	assert_true(lines_of(a.out, &widest) > 24);
	assert_true(widest <= 80);
	runs((struct call){ &try_go, { "go", "-h" }, 0 }, 0, &a);
	assert_non_null(strstr(a.out, "  -k NAME"));
	runs((struct call){ &try_go, { "go", "-json", "help" }, 0 }, 0, &b);
	assert_string_equal(a.out, b.out);
	runs((struct call){ &try_go, { "go", "--help" }, 0 }, 0, &b);
	assert_string_equal(a.out, b.out);
}

static void
test_main_man(void **state)
{
	static struct capture got;

	(void)state;
	runs((struct call){ &try_gnu, { "try", "__man" }, 0 }, 0, &got);
	assert_string_equal(got.err, "");
	assert_non_null(strstr(got.out,
	    ".\\\" BEGIN GENERATED (options)\n.Bl -tag -width Ds\n"
	    ".It Fl s , Fl \\-server Ar HOST:PORT\nwhere to connect\n"
	    ".Pq Ev RPCKIT_TEST_SERVER\n"));
	assert_non_null(strstr(got.out, ".It Fl \\-json Ns Op = Ns Ar \\&1\n"));
	assert_non_null(strstr(got.out, "(commands)\n"));
	assert_non_null(strstr(got.out, ".It Cm call Ar METHOD [ITEM...]\n"));
	assert_non_null(strstr(got.out, ".It Ev RPCKIT_TEST_SERVER\n"));
	assert_null(strstr(got.out, "skip"));
}

static void
test_main_complete(void **state)
{
	static struct capture got;

	(void)state;
	runs((struct call){ &try_gnu, { "try", "__complete", "bash" }, 0 }, 0,
	    &got);
	assert_non_null(strstr(got.out, "complete -F _try try\n"));
	assert_null(strstr(got.out, "compgen -W"));
	runs((struct call){ &try_gnu, { "try", "__complete", "zsh" }, 0 }, 0,
	    &got);
	assert_int_equal(strncmp(got.out, "#compdef try\n", 13), 0);
	runs((struct call){ &try_gnu, { "try", "__complete", "fish" }, 0 }, 0,
	    &got);
	assert_non_null(strstr(got.out, "complete -c try -l quic -s q"));
	runs((struct call){ &try_gnu, { "try", "__complete", "csh" }, 0 }, 2,
	    &got);
	runs((struct call){ &try_gnu, { "try", "__complete" }, 0 }, 2, &got);
	runs((struct call){ &try_gnu,
	         { "try", "__complete-words", "method", "math." }, 0 },
	    0, &got);
	assert_string_equal(got.out, "math.Sum\nmath.Sub\n");
	runs((struct call){ &try_gnu,
	         { "try", "__complete-words", "context", "" }, 0 },
	    0, &got);
	assert_string_equal(got.out, "");
	runs((struct call){ &try_go, { "go", "__complete-words", "method", "" },
	         0 },
	    0, &got);
	runs((struct call){ &try_gnu, { "try", "__complete-words", "x", "" },
	         0 },
	    2, &got);
}

/* What bash offers for the last of the words, with the script loaded. */
static void
completes(const char *line, const char *want)
{
	static const char driver[] =
	    "source /dev/fd/3; COMP_LINE=$1 COMP_POINT=${#1}; "
	    "w=${1//=/ = }; COMP_WORDS=(${w//:/ : }); " /* as readline */
	    "[ \"$2\" = y ] && COMP_WORDS+=(''); "
	    "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _try; "
	    "echo \"${COMPREPLY[*]}\"";
	struct capture *got = calloc(1, sizeof(*got));
	char script[] = "/tmp/script.XXXXXX";
	char text[1024];
	int fd = mkstemp(script);
	int out[2];
	int status;
	ssize_t n;
	size_t used = 0;
	pid_t pid;

	assert_true(fd >= 0 && got != NULL && pipe(out) == 0);
	assert_int_equal(unlink(script), 0);
	runs((struct call){ &try_gnu, { "try", "__complete", "bash" }, 0 }, 0,
	    got);
	n = write(fd, got->out, strlen(got->out));
	assert_int_equal(n, strlen(got->out));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(fd, 3) == 3 && dup2(out[1], 1) == 1)
			(void)execl("/bin/bash", "bash", "--norc", "-c", driver,
			    "bash", line,
			    line[strlen(line) - 1] == ' ' ? "y" : "n",
			    (char *)NULL);
		_exit(99);
	}
	(void)close(out[1]);
	while ((n = read(out[0], text + used, sizeof(text) - used - 1)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(text, want);
	(void)close(out[0]);
	(void)close(fd);
	free(got);
}

static void
test_bash(void **state)
{
	(void)state;
	if (access("/bin/bash", X_OK) != 0)
		skip();
	completes("try l", "ls\n");
	completes("try ", "call ls bench process help\n");
	completes("try --qu", "--quic --quiet\n");
	completes("try bench --wa", "--warm\n");
	completes("try call --wa", "\n");
	completes("try --trust ", "ask accept-new strict\n");
	completes("try --trust=a", "ask accept-new\n");
	completes("try ls --color n", "never\n");
	completes("try --trust strict l", "ls\n");
	completes("try -s x l", "ls\n");
	completes("try -s h:1 l", "ls\n");
	completes("try --json l", "ls\n");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_main_runs),
		cmocka_unit_test(test_main_errors),
		cmocka_unit_test(test_main_help),
		cmocka_unit_test(test_main_man),
		cmocka_unit_test(test_main_complete),
		cmocka_unit_test(test_bash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
