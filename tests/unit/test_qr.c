/* Fingerprints as QR codes: their lines, and the colors of each sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/qr.h"

#define FP "SHA256:KmfVfu1gbiv2yriU4w3I2NWR5i6MWihb3Jrca8Qebxc"
#define LINES 40
#define LINE_LEN 4096

struct drawn {
	char lines[LINES][LINE_LEN];
	size_t n;
};

static void
on_line(const char *line, void *arg)
{
	struct drawn *d = arg;

	assert_true(d->n < LINES && strlen(line) < LINE_LEN);
	(void)str_copy(d->lines[d->n++], LINE_LEN, line);
}

static struct drawn *
draw(enum graph_signs signs, enum qr_colors colors)
{
	struct drawn *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	assert_int_equal(qr_draw(FP, signs, colors, on_line, d), RK_OK);
	return d;
}

static size_t
cells(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void
test_plain(void **state)
{
	struct drawn *blocks = draw(GRAPH_BLOCKS, QR_PLAIN);
	struct drawn *ascii = draw(GRAPH_ASCII, QR_PLAIN);

	(void)state;
	assert_int_equal(blocks->n, 17);
	assert_int_equal(ascii->n, 33);
	for (size_t i = 0; i < blocks->n; i++)
		assert_int_equal(cells(blocks->lines[i]), 33);
	for (size_t i = 0; i < ascii->n; i++) {
		assert_int_equal(strlen(ascii->lines[i]), 66);
		assert_int_equal(strspn(ascii->lines[i], "# "), 66);
	}
	/* The margin is light, and light is what is drawn. */
	assert_int_equal(strspn(ascii->lines[1], "#"), 66);
	assert_memory_equal(ascii->lines[2], "####              ##", 20);
	free(blocks);
	free(ascii);
}

/* A sign that is light all over has no ground that is not. */
static void
test_runs(void **state)
{
	const char *line = "\u2588\u2588\u2584 \u2580\u2588";
	bool light = false;

	(void)state;
	assert_int_equal(qr_run(line, &light), 6);
	assert_true(light);
	assert_int_equal(qr_run(line + 6, &light), 7);
	assert_false(light);
	assert_int_equal(qr_run(line + 13, &light), 3);
	assert_true(light);
	assert_int_equal(qr_run("##  ##", &light), 2);
	assert_true(light);
	assert_int_equal(qr_run("  ##", &light), 2);
	assert_false(light);
	assert_int_equal(qr_run("", &light), 0);
}

/* Without its colors a line is the plain one; with them each sign is white, on
 * white where it is light all over, and on black elsewhere. */
static void
check_line(const char *colored, const char *plain, const char *on_white,
    const char *on_black)
{
	const char *now = "";

	while (*plain != '\0') {
		bool light,
		    is_one = *plain == '#' || strncmp(plain, "\u2588", 3) == 0;
		size_t n;

		while (*colored == '\033') {
			now = colored;
			colored = strchr(colored, 'm') + 1;
		}
		n = *plain == '#' || *plain == ' ' ? 1 : 3;
		assert_memory_equal(colored, plain, n);
		assert_int_equal(strncmp(now, is_one ? on_white : on_black,
		                     strlen(on_white)),
		    0);
		(void)qr_run(plain, &light);
		assert_int_equal(light, is_one);
		colored += n;
		plain += n;
	}
	assert_string_equal(colored, "\033[0m");
}

static void
test_colors(void **state)
{
	static const struct {
		enum qr_colors colors;
		const char *on_white, *on_black;
	} all[] = {
		{ QR_16, "\033[37;47m", "\033[37;40m" },
		{ QR_256, "\033[38;5;231;48;5;231m",
		    "\033[38;5;231;48;5;232m" },
	};

	(void)state;
	for (int signs = GRAPH_ASCII; signs <= GRAPH_BLOCKS; signs++) {
		struct drawn *plain = draw((enum graph_signs)signs, QR_PLAIN);

		for (size_t i = 0; i < 2; i++) {
			struct drawn *d =
			    draw((enum graph_signs)signs, all[i].colors);

			assert_int_equal(d->n, plain->n);
			for (size_t row = 0; row < d->n; row++)
				check_line(d->lines[row], plain->lines[row],
				    all[i].on_white, all[i].on_black);
			free(d);
		}
		free(plain);
	}
}

static void
test_term(void **state)
{
	(void)state;
	assert_int_equal(setenv("TERM", "screen-256color", 1), 0);
	assert_int_equal(qr_colors(true), QR_256);
	assert_int_equal(qr_colors(false), QR_PLAIN);
	assert_int_equal(setenv("TERM", "linux", 1), 0);
	assert_int_equal(qr_colors(true), QR_16);
	assert_int_equal(qr_colors(false), QR_PLAIN);
	assert_int_equal(unsetenv("TERM"), 0);
	assert_int_equal(qr_colors(true), QR_16);
}

static void
test_long(void **state)
{
	char text[QR_TEXT_MAX + 2];
	struct drawn *d = calloc(1, sizeof(*d));

	(void)state;
	assert_non_null(d);
	(void)memset(text, 'a', sizeof(text));
	text[QR_TEXT_MAX + 1] = '\0';
	assert_int_equal(
	    qr_draw(text, GRAPH_ASCII, QR_256, on_line, d), RK_ETOOBIG);
	assert_int_equal(d->n, 0);
	text[QR_TEXT_MAX] = '\0';
	assert_int_equal(
	    qr_draw(text, GRAPH_BLOCKS, QR_256, on_line, d), RK_OK);
	for (size_t i = 0; i < d->n; i++)
		assert_string_equal(
		    d->lines[i] + strlen(d->lines[i]) - 4, "\033[0m");
	free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_colors),
		cmocka_unit_test(test_term),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
