/* Files on their way: taken up again, whole or not at all, and their sources.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/partial.h"
#include "cli/source.h"
#include "scratch.h"

#define SIZE ((size_t)200000)

static int dir;
static uint8_t data[SIZE];
static uint8_t piece[PARTIAL_PIECE];

static int
setup(void **state)
{
	if (scratch_enter(state) != 0)
		return -1;
	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static int
teardown(void **state)
{
	assert_int_equal(close(dir), 0);
	return scratch_leave(state);
}

static bool
is_there(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
make_file(const char *name, const void *content, size_t len)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, len), len);
	assert_int_equal(close(fd), 0);
}

static void
check_file(const char *name, const void *content, size_t len, mode_t mode)
{
	uint8_t *got = malloc(len + 1);
	int fd = openat(dir, name, O_RDONLY);
	struct stat st;

	assert_non_null(got);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(st.st_mode & 0777, mode);
	assert_int_equal(read(fd, got, len + 1), len);
	assert_memory_equal(got, content, len);
	assert_int_equal(close(fd), 0);
	free(got);
}

static void
take_all(struct partial *p)
{
	while (p->at < p->found)
		assert_int_equal(partial_take(p, piece), 0);
}

/* ---- partial files ---- */

static void
goes_on(void **state)
{
	char first[PARTIAL_SUM_LEN], again[PARTIAL_SUM_LEN];
	struct partial p;

	(void)state;
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	assert_int_equal(p.found, 0);
	assert_int_equal(partial_write(&p, data, 150000), 0);
	partial_sum(&p, first);
	partial_keep(&p);
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	assert_int_equal(p.found, 150000);
	take_all(&p);
	partial_sum(&p, again);
	assert_string_equal(first, again);
	assert_int_equal(partial_write(&p, data + 150000, 50000), 0);
	assert_int_equal(partial_finish(&p, "whole", false, 0640), 0);
	check_file("whole", data, SIZE, 0640);
	assert_false(is_there(".t"));
}

static void
begins_again(void **state)
{
	struct partial p;

	(void)state;
	make_file(".t", "something else", 14);
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	take_all(&p);
	assert_int_equal(partial_restart(&p), 0);
	assert_int_equal(partial_write(&p, "ab", 2), 0);
	assert_int_equal(partial_finish(&p, "again", false, 0600), 0);
	check_file("again", "ab", 2, 0600);
}

static void
is_one_writers(void **state)
{
	struct partial p, q;

	(void)state;
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	assert_int_equal(partial_open(&q, dir, ".t"), EBUSY);
	partial_drop(&p);
	assert_false(is_there(".t"));
	assert_int_equal(partial_open(&q, dir, ".t"), 0);
	/* Nothing was written: nothing is kept. */
	partial_keep(&q);
	assert_false(is_there(".t"));
}

static void
replaces_when_told(void **state)
{
	struct partial p;

	(void)state;
	make_file("old", "old", 3);
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	assert_int_equal(partial_write(&p, "new", 3), 0);
	assert_int_equal(partial_finish(&p, "old", false, 0600), EEXIST);
	check_file("old", "old", 3, 0600);
	assert_int_equal(partial_finish(&p, "old", true, 0600), 0);
	check_file("old", "new", 3, 0600);
}

/* What could not get its name is as private as before, and can be opened again
 * whatever the mode was to be. */
static void
stays_private_without_a_name(void **state)
{
	struct partial p;
	struct stat st;

	(void)state;
	make_file("taken", "old", 3);
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	assert_int_equal(partial_write(&p, "new", 3), 0);
	assert_int_equal(partial_finish(&p, "taken", false, 0444), EEXIST);
	partial_keep(&p);
	assert_int_equal(fstatat(dir, ".t", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	take_all(&p);
	assert_int_equal(partial_finish(&p, "taken", true, 0444), 0);
	check_file("taken", "new", 3, 0444);
}

static void
wants_a_plain_file(void **state)
{
	struct partial p;

	(void)state;
	assert_int_equal(symlinkat("old", dir, ".link"), 0);
	assert_int_equal(partial_open(&p, dir, ".link"), ELOOP);
	assert_int_equal(mkfifoat(dir, ".fifo", 0600), 0);
	assert_int_equal(partial_open(&p, dir, ".fifo"), EMLINK);
	make_file(".a", "x", 1);
	assert_int_equal(linkat(dir, ".a", dir, ".b", 0), 0);
	assert_int_equal(partial_open(&p, dir, ".a"), EMLINK);
	assert_int_equal(p.fd, -1);
}

/* Zeros take no room, wherever they stand, and are zeros all the same. */
static void
keeps_holes(void **state)
{
	uint8_t *want = calloc(3, PARTIAL_PIECE);
	struct partial p;
	struct stat st;

	(void)state;
	assert_non_null(want);
	memcpy(want + PARTIAL_PIECE, data, PARTIAL_PIECE);
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    partial_write(&p, want + i * PARTIAL_PIECE, PARTIAL_PIECE),
		    0);
	partial_keep(&p);
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	assert_int_equal(p.found, 3 * PARTIAL_PIECE);
	take_all(&p);
	assert_int_equal(partial_finish(&p, "holes", false, 0600), 0);
	check_file("holes", want, 3 * PARTIAL_PIECE, 0600);
	assert_int_equal(fstatat(dir, "holes", &st, 0), 0);
	assert_true(st.st_blocks * 512 < 2 * PARTIAL_PIECE);
	free(want);
}

/* ---- sources ---- */

static void
reads_in_pieces(void **state)
{
	char whole[SOURCE_SUM_LEN], prefix[SOURCE_SUM_LEN];
	char have[PARTIAL_SUM_LEN];
	struct partial p;
	struct source s;
	size_t n = 1, sum = 0;

	(void)state;
	make_file("source", data, SIZE);
	assert_int_equal(source_init(&s, openat(dir, "source", O_RDONLY)), 0);
	assert_true(source_is_file(&s));
	assert_int_equal(source_size(&s), SIZE);
	/* Up to a byte: the checksum is that of a partial file so long. */
	while (n > 0)
		assert_int_equal(source_read(&s, piece, 70001, &n), 0);
	assert_int_equal(s.at, 70001);
	source_sum(&s, prefix);
	assert_int_equal(partial_open(&p, dir, ".t"), 0);
	assert_int_equal(partial_write(&p, data, 70001), 0);
	partial_sum(&p, have);
	partial_drop(&p);
	assert_string_equal(prefix, have);
	assert_int_equal(source_rewind(&s), 0);
	do {
		assert_int_equal(source_read(&s, piece, UINT64_MAX, &n), 0);
		assert_memory_equal(piece, data + sum, n);
		sum += n;
	} while (n > 0);
	assert_int_equal(sum, SIZE);
	source_sum(&s, whole);
	assert_string_not_equal(whole, prefix);
	assert_false(source_changed(&s));
	source_close(&s);
}

static void
sees_changes(void **state)
{
	struct source s;
	size_t n;

	(void)state;
	make_file("changing", data, 100);
	assert_int_equal(source_init(&s, openat(dir, "changing", O_RDONLY)), 0);
	assert_int_equal(source_read(&s, piece, UINT64_MAX, &n), 0);
	make_file("changing", data, 101);
	assert_true(source_changed(&s));
	/* What was added is not read. */
	assert_int_equal(source_read(&s, piece, UINT64_MAX, &n), 0);
	assert_int_equal(n, 0);
	source_close(&s);
	assert_int_equal(source_init(&s, openat(dir, "changing", O_RDONLY)), 0);
	make_file("changing", data, 50);
	while (source_read(&s, piece, UINT64_MAX, &n) == 0 && n > 0)
		continue;
	assert_true(source_changed(&s));
	source_close(&s);
}

static void
reads_pipes(void **state)
{
	struct source s;
	int ends[2];
	size_t n;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(source_init(&s, ends[0]), 0);
	assert_false(source_is_file(&s));
	assert_int_equal(write(ends[1], "abc", 3), 3);
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(source_read(&s, piece, UINT64_MAX, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(source_rewind(&s), ESPIPE);
	assert_int_equal(source_read(&s, piece, UINT64_MAX, &n), 0);
	assert_int_equal(n, 0);
	assert_false(source_changed(&s));
	source_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on),
		cmocka_unit_test(begins_again),
		cmocka_unit_test(is_one_writers),
		cmocka_unit_test(replaces_when_told),
		cmocka_unit_test(stays_private_without_a_name),
		cmocka_unit_test(wants_a_plain_file),
		cmocka_unit_test(keeps_holes),
		cmocka_unit_test(reads_in_pieces),
		cmocka_unit_test(sees_changes),
		cmocka_unit_test(reads_pipes),
	};

	return cmocka_run_group_tests_name("partial", tests, setup, teardown);
}
