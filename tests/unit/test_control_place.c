/* A control's socket that is given to a group: the socket, and no other file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/control_int.h"
#include "scratch.h"

static const char *
our_group(void)
{
	const struct group *g = getgrgid(getgid());

	return g != NULL ? g->gr_name : NULL;
}

static unsigned
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return (unsigned)st.st_mode & 07777;
}

static void
make_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(close(fd), 0);
}

static void
test_given(void **state)
{
	const char *group = our_group();

	(void)state;
	if (group == NULL)
		skip();
	make_socket("s");
	assert_int_equal(control_open_to("s", group, NULL), RK_OK);
	assert_int_equal(mode_of("s"), 0660);
	assert_int_equal(control_open_to("t", group, NULL), RK_EIO);
	assert_int_equal(
	    control_open_to("s", "nobody-has-it", NULL), RK_ENOENT);
}

/* Who may write to the folder can put a link in the socket's place. */
static void
test_link(void **state)
{
	const char *group = our_group();

	(void)state;
	if (group == NULL)
		skip();
	scratch_make("secret", "x", 0600);
	make_socket("other");
	assert_int_equal(symlink("secret", "s"), 0);
	assert_int_equal(symlink("other", "o"), 0);
	assert_int_equal(control_open_to("s", group, NULL), RK_EIO);
	assert_int_equal(control_open_to("o", group, NULL), RK_EIO);
	assert_int_equal(control_open_to("secret", group, NULL), RK_EIO);
	assert_int_equal(mode_of("secret"), 0600);
	assert_int_equal(mode_of("other"), 0600);
}

#define UNIT(name) \
	cmocka_unit_test_setup_teardown(name, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_given),
		UNIT(test_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
