/* Closing what a forked process has open: by one call of the system, and where
 * that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fds.h"

/* More than one readful of /proc/self/fd. */
#define FIRST 100
#define LAST 899
#define LIMIT 1024

enum {
	NOT_FILTERED = 100,
	NOT_OPENED
};

/* ---- in the process that closes ---- */

/* The second call is refused, too, if it is not 0. */
static bool
refuse(int error, unsigned call, unsigned second)
{
	struct sock_filter lines[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second != 0 ? second : call,
		    0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(lines) / sizeof(lines[0]), lines };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static bool
open_many(void)
{
	struct rlimit limit = { LIMIT, LIMIT };

	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	for (int fd = FIRST; fd <= LAST; fd++)
		if (dup2(STDIN_FILENO, fd) != fd)
			return false;
	return true;
}

/* How many are open other than they should be. */
static int
count_wrong(int first, int last)
{
	int wrong = 0;
	bool open, wanted;

	for (int fd = FIRST; fd < LIMIT; fd++) {
		open = fcntl(fd, F_GETFD) >= 0;
		wanted = fd <= LAST && (fd < first || fd > last);
		wrong += open != wanted;
	}
	return wrong;
}

struct refusal {
	int error;
	unsigned call;
	unsigned second;
};

static int
close_and_count(const struct refusal *how, int first, int last)
{
	int wrong;

	if (!open_many())
		return NOT_OPENED;
	if (how->error != 0 && !refuse(how->error, how->call, how->second))
		return NOT_FILTERED;
	fds_close(first, last);
	wrong = count_wrong(first, last);
	return wrong < NOT_FILTERED ? wrong : NOT_FILTERED - 1;
}

/* ---- in the test ---- */

static void
check(const struct refusal *how, int first, int last)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(close_and_count(how, first, last));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NOT_FILTERED)
		skip(); /* no seccomp(2) here */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
check_all(const struct refusal *how)
{
	check(how, FIRST, INT_MAX);
	check(how, FIRST + 300, INT_MAX);
	check(how, FIRST, LAST - 300);
	check(how, FIRST + 7, FIRST + 7);
	check(how, FIRST + 8, FIRST + 7); /* none */
	check(how, LAST + 1, INT_MAX);
}

static void
test_as_it_is(void **state)
{
	(void)state;
	check_all(&(struct refusal){ 0 });
}

#ifdef SYS_close_range
/* An old kernel, and a filter that does not know the call. */
static void
test_listed(void **state)
{
	(void)state;
	check_all(&(struct refusal){ ENOSYS, SYS_close_range, 0 });
	check_all(&(struct refusal){ EPERM, SYS_close_range, 0 });
}

static void
test_no_list(void **state)
{
	(void)state;
	check_all(&(struct refusal){ ENOSYS, SYS_close_range, SYS_getdents64 });
}

/* What opens a folder is refused: as without /proc. */
static void
test_no_proc(void **state)
{
	(void)state;
	check_all(&(struct refusal){ EPERM, SYS_close_range, SYS_openat });
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_it_is),
#ifdef SYS_close_range
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_no_list),
		cmocka_unit_test(test_no_proc),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
