/* A known-keys file that an editor writes anew in its place, without its lock,
 * between our look at it and our write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "scratch.h"
#include "trust/known.h"

#define TEXT_MAX 1024

/* What the linker makes of fstat(), with --wrap. */
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);

/* The next time that the file is looked at when it is open for writing. */
static const char *rewrite;

int
__wrap_fstat(int fd, struct stat *st)
{
	const char *text = rewrite;
	FILE *f;

	if (text != NULL && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY) {
		rewrite = NULL;
		f = fopen("f", "w");
		assert_non_null(f);
		assert_true(fputs(text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	return __real_fstat(fd, st);
}

static void
put_line(char *text, unsigned char n, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	char id[RK_KEY_ID_LEN];
	size_t len = strlen(text);

	memset(pub, n, RK_KEY_PUBLIC_LEN);
	rk_key_id(pub, id);
	(void)snprintf(
	    text + len, TEXT_MAX - len, "192.0.2.%u %s:a%u@x\n", n, id, n);
}

/* The '#' falls into no other line, and the line is taken out where it is. */
static void
test_hide(void **state)
{
	char old[TEXT_MAX] = "", new[TEXT_MAX] = "", want[TEXT_MAX];
	uint8_t pub[1][RK_KEY_PUBLIC_LEN], other[RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	size_t n = 0;

	(void)state;
	put_line(old, 1, other);
	put_line(old, 2, pub[0]);
	put_line(new, 200, other);
	put_line(new, 1, other);
	(void)snprintf(want, sizeof(want), "%s", new);
	put_line(want, 2, pub[0]);
	want[strlen(new)] = '#';
	put_line(new, 2, pub[0]);
	scratch_make("f", old, 0600);
	rewrite = new;
	assert_int_equal(
	    known_hide("f", NULL, KNOWN_WAIT_MS,
	        (const uint8_t(*)[RK_KEY_PUBLIC_LEN])pub, 1, &n, &err),
	    RK_OK);
	assert_null(rewrite);
	assert_int_equal(n, 1);
	scratch_holds("f", want);
}

/* And comes back where it is. */
static void
test_restore(void **state)
{
	char old[TEXT_MAX] = "# old\n", new[TEXT_MAX] = "", want[TEXT_MAX] = "";
	char line[TEXT_MAX] = "";
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	struct buf lines;
	bool restored = false;
	size_t at;

	(void)state;
	put_line(line, 2, pub);
	at = strlen(old);
	put_line(old, 2, pub);
	old[at] = '#';
	put_line(new, 1, pub);
	put_line(want, 1, pub);
	at = strlen(new);
	put_line(new, 2, pub);
	put_line(want, 2, pub);
	new[at] = '#';
	scratch_make("f", old, 0600);
	buf_init(&lines, TEXT_MAX);
	assert_int_equal(buf_put_str(&lines, line), RK_OK);
	rewrite = new;
	assert_int_equal(
	    known_restore("f", NULL, KNOWN_WAIT_MS, &lines, &restored, &err),
	    RK_OK);
	assert_null(rewrite);
	assert_true(restored);
	scratch_holds("f", want);
	buf_fini(&lines);
}

#define IN_SCRATCH(t) \
	cmocka_unit_test_setup_teardown(t, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_hide),
		IN_SCRATCH(test_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
