/* A known-keys file that others write, who take no lock, between our look at it
 * and our write, and while that fails: an editor, and who appends as Go does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <rpckit/key.h>

#include "base/fs.h"
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

/* What happens around the next write: others' lines before and behind it, of
 * which so many bytes come about, and a lock. */
static struct {
	const char *before, *behind;
	size_t limit;
	bool fails, locks;
} around;
/* And each write that follows: a copy of the file takes its place, so many of
 * them without what was written, and the next one with it. */
static unsigned copies;
static bool copied;

static void
append(const char *text)
{
	FILE *f = fopen("f", "a");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
replace(void)
{
	struct rk_error err;
	struct buf text;

	copied = --copies == 0;
	buf_init(&text, TEXT_MAX);
	assert_int_equal(fs_read("f", 0, TEXT_MAX, &text, &err), RK_OK);
	assert_int_equal(buf_put(&text, "", 1), RK_OK);
	scratch_make("g", copied ? (const char *)buf_peek(&text) : "", 0600);
	assert_int_equal(rename("g", "f"), 0);
	buf_fini(&text);
}

/* The same of fs_write_all(), when something is appended. */
enum rk_err __real_fs_write_all(int fd, const void *data, size_t len);
enum rk_err __wrap_fs_write_all(int fd, const void *data, size_t len);

enum rk_err
__wrap_fs_write_all(int fd, const void *data, size_t len)
{
	const bool fails = around.fails;
	enum rk_err r;

	if ((fcntl(fd, F_GETFL) & O_APPEND) == 0)
		return __real_fs_write_all(fd, data, len); /* a test's own */
	if (around.before != NULL)
		append(around.before);
	if (fails && around.limit < len)
		len = around.limit;
	r = __real_fs_write_all(fd, data, len);
	if (around.behind != NULL)
		append(around.behind);
	if (around.locks)
		assert_int_equal(chmod("f", 0400), 0);
	memset(&around, 0, sizeof(around));
	if (copies > 0)
		replace();
	return fails ? RK_EIO : r;
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

/* What we made a comment is a line again; but where that comment is no more and
 * the list is locked, somebody has taken the key out and locked it. */
static void
test_put_back(void **state)
{
	char old[TEXT_MAX] = "", want[TEXT_MAX] = "";
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	struct buf lines;

	(void)state;
	put_line(want, 1, pub);
	put_line(old, 1, pub);
	old[0] = '#';
	buf_init(&lines, TEXT_MAX);
	assert_int_equal(buf_put_str(&lines, want), RK_OK);
	scratch_make("f", "# new\n", 0400);
	assert_int_equal(
	    known_put_back("f", NULL, KNOWN_WAIT_MS, &lines, &err), RK_ESTATE);
	assert_string_equal(err.text, "f: is locked");
	scratch_holds("f", "# new\n");
	scratch_make("g", old, 0600);
	assert_int_equal(
	    known_put_back("g", NULL, KNOWN_WAIT_MS, &lines, &err), RK_OK);
	scratch_holds("g", want);
	buf_fini(&lines);
}

/* ---- what was appended is taken back ---- */

#define MINE 3
#define OTHER 4
#define SHORT "# short\n"

/* A key that a list takes. */
static void
key_of(unsigned char n, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	uint8_t seed[RK_KEY_SEED_LEN];
	struct rk_key *key = NULL;

	memset(seed, n, sizeof(seed));
	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	rk_key_public(key, pub);
	rk_key_free(key);
}

static void
put_entry(char *text, unsigned char n)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char id[RK_KEY_ID_LEN];
	size_t len = strlen(text);

	key_of(n, pub);
	rk_key_id(pub, id);
	(void)snprintf(
	    text + len, TEXT_MAX - len, "192.0.2.%u %s:a%u@x\n", n, id, n);
}

static enum rk_err
add_mine(void)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	const struct known_entry e = { .pub = pub,
		.host = "192.0.2.3",
		.emails = "a3@x",
		.wait_ms = KNOWN_WAIT_MS };
	struct rk_error err;
	struct known k;
	bool added;
	enum rk_err r;

	key_of(MINE, pub);
	r = known_add("f", &e, &k, &added, &err);
	assert_false(added);
	known_fini(&k);
	return r;
}

static enum rk_err
append_mine(void)
{
	char line[TEXT_MAX] = "";
	struct rk_error err;
	struct buf lines;
	enum rk_err r;

	put_entry(line, MINE);
	buf_init(&lines, TEXT_MAX);
	assert_int_equal(buf_put_str(&lines, line), RK_OK);
	r = known_append("f", NULL, &lines, KNOWN_WAIT_MS, &err);
	buf_fini(&lines);
	return r;
}

typedef enum rk_err add_fn(void);
static add_fn *const adders[] = { add_mine, append_mine };

/* The file begins with old, ended or not; want is what stays behind it. */
static void
check_taken_back(const char *old, const char *before, const char *behind,
    size_t limit, bool locks, const char *want)
{
	for (size_t i = 0; i < 2; i++) {
		char text[2 * TEXT_MAX];

		(void)snprintf(text, sizeof(text), "%s%s", old, want);
		(void)remove("f");
		scratch_make("f", old, 0600);
		around.before = before;
		around.behind = behind;
		around.limit = limit;
		around.fails = !locks;
		around.locks = locks;
		assert_int_not_equal(adders[i](), RK_OK);
		scratch_holds("f", text);
	}
}

/* Nothing of ours was written, or a part, or all: the line of another program
 * stays whole, before ours and behind it, and ours is none. */
static void
test_take_back(void **state)
{
	char old[TEXT_MAX] = "", other[TEXT_MAX] = "", mine[TEXT_MAX] = "";
	char want[2 * TEXT_MAX];
	size_t len;

	(void)state;
	put_entry(old, 5);
	put_entry(other, OTHER);
	put_entry(mine, MINE);
	len = strlen(mine);
	check_taken_back(old, NULL, NULL, 0, false, "");
	check_taken_back(old, NULL, NULL, 20, false, "");
	check_taken_back(old, NULL, NULL, 0, true, "");
	check_taken_back(old, SHORT, NULL, 0, false, SHORT);
	check_taken_back(old, NULL, SHORT, 0, false, SHORT);
	check_taken_back(old, other, NULL, 20, false, other);
	check_taken_back(old, other, NULL, len, true, other);
	(void)snprintf(want, sizeof(want), "#%.18s\n%s", mine + 1, other);
	check_taken_back(old, NULL, other, 20, false, want);
	(void)snprintf(want, sizeof(want), "\n%s", other);
	check_taken_back(old, NULL, other, 1, false, want);
	(void)snprintf(want, sizeof(want), "%s#%s%s", other, mine + 1, SHORT);
	check_taken_back(old, other, SHORT, len, false, want);
	check_taken_back(old, other, SHORT, len, true, want);
	/* Whose line was not ended has it ended. */
	(void)snprintf(want, sizeof(want), "# x\n#%s%s", mine + 2, other);
	check_taken_back(old, "# x", other, len, true, want);
}

/* The same behind a last line that was not ended. */
static void
test_take_back_unended(void **state)
{
	char old[TEXT_MAX] = "", other[TEXT_MAX] = "", mine[TEXT_MAX] = "";
	char want[2 * TEXT_MAX];

	(void)state;
	put_entry(old, 5);
	old[strlen(old) - 1] = '\0';
	put_entry(other, OTHER);
	put_entry(mine, MINE);
	check_taken_back(old, NULL, NULL, 20, false, "");
	check_taken_back(old, NULL, NULL, 0, true, "");
	(void)snprintf(want, sizeof(want), "\n%s", SHORT);
	check_taken_back(old, NULL, SHORT, 1, false, want);
	(void)snprintf(want, sizeof(want), "\n#%s%s", mine + 1, other);
	check_taken_back(old, NULL, other, 0, true, want);
}

/* The file is replaced whenever a key is added, until that is given up; who did
 * so last has copied the line, which is refused. */
static void
test_replaced(void **state)
{
	char mine[TEXT_MAX] = "", want[2 * TEXT_MAX];

	(void)state;
	put_entry(mine, MINE);
	(void)snprintf(want, sizeof(want), "%s#%s", KNOWN_FIRST_LINE, mine + 1);
	for (size_t i = 0; i < 2; i++) {
		(void)remove("f");
		scratch_make("f", "", 0600);
		copies = 16; /* as often as it is tried */
		assert_int_equal(adders[i](), RK_EIO);
		assert_true(copied);
		scratch_holds(
		    "f", want + (i == 0 ? 0 : strlen(KNOWN_FIRST_LINE)));
	}
}

#define IN_SCRATCH(t) \
	cmocka_unit_test_setup_teardown(t, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_hide),
		IN_SCRATCH(test_restore),
		IN_SCRATCH(test_put_back),
		IN_SCRATCH(test_take_back),
		IN_SCRATCH(test_take_back_unended),
		IN_SCRATCH(test_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
