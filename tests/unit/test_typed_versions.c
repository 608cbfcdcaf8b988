/* Typed structs of two times: fields come and go, both sides go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rpckit/typed.h>

/* ---- then ---- */

struct old_part {
	int32_t weight;
};
static const struct rk_field old_part_fields[] = {
	RK_FIELD(struct old_part, weight, I32, "Weight", 0),
};
static const struct rk_record old_part =
    RK_RECORD(struct old_part, "part", old_part_fields);

struct old {
	char *name;
	int64_t color;
	int64_t size;
	RK_LIST(struct old_part) parts;
};
static const struct rk_field old_fields[] = {
	RK_FIELD(struct old, name, STR, "Name", 0),
	RK_FIELD(struct old, color, INT, "Color", 1),
	RK_FIELD(struct old, size, INT, "Size", 2, .initial = 10),
	RK_FIELD_RECORDS(
	    struct old, parts, struct old_part, old_part, "Parts", 3),
};
static const struct rk_record old = RK_RECORD(struct old, "thing", old_fields);

/* ---- now: no color, a scale, tags, and parts with a price ---- */

struct new_part {
	int32_t weight;
	double price;
	struct rk_map labels;
};
static const struct rk_field new_part_fields[] = {
	RK_FIELD(struct new_part, weight, I32, "Weight", 0),
	RK_FIELD(
	    struct new_part, price, F64, "Price", 1, .initial_float = 1.25),
	RK_FIELD(struct new_part, labels, MAP, "Labels", 2),
};
static const struct rk_record new_part =
    RK_RECORD(struct new_part, "part", new_part_fields);

struct new
{
	char *name;
	int64_t size;
	RK_LIST(struct new_part) parts;
	int64_t scale;
	RK_LIST(char *) tags;
	struct new_part *spare;
};
static const struct rk_field new_fields[] = {
	RK_FIELD(struct new, name, STR, "Name", 0),
	RK_FIELD_RETIRED(1),
	RK_FIELD(struct new, size, INT, "Size", 2, .initial = 10),
	RK_FIELD_RECORDS(
	    struct new, parts, struct new_part, new_part, "Parts", 3),
	RK_FIELD(struct new, scale, INT, "Scale", 4, .initial = 7, .min = 1,
	    .max = 100),
	RK_FIELD_LIST(struct new, tags, STR, "Tags", 5),
	RK_FIELD_MAYBE_RECORD(
	    struct new, spare, struct new_part, new_part, "Spare", 6),
};
static const struct rk_record new = RK_RECORD(struct new, "thing", new_fields);

/* From one table's struct to another's. */
static void
send(const struct rk_record *from, const void *in, const struct rk_record *to,
    void *out)
{
	struct rk_error err;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(rk_type_check(from, &err), RK_OK);
	assert_int_equal(rk_typed_encode(from, in, &bytes, &len, &err), RK_OK);
	if (rk_typed_decode(to, bytes, len, out, &err) != RK_OK)
		fail_msg("%s", err.text);
	free(bytes);
}

static char thing[] = "thing", tag[] = "tag";

static void
test_old_to_new(void **state)
{
	struct old_part parts[] = { { 3 }, { 0 } };
	struct old in = {
		.name = thing, .color = 5, .size = 0, .parts = { parts, 2 }
	};
	struct new out;

	(void)state;
	send(&old, &in, &new, &out);
	assert_string_equal(out.name, "thing");
	assert_true(out.size == 0); /* though absence would be 10 */
	assert_true(out.scale == 7);
	assert_int_equal(out.parts.count, 2);
	assert_int_equal(out.parts.items[0].weight, 3);
	assert_true(out.parts.items[1].price > 1.2);
	assert_null(out.spare);
	assert_int_equal(out.tags.count, 0);
	rk_typed_free(&new, &out);
}

static void
test_new_to_old(void **state)
{
	char *tags[] = { tag, tag };
	struct rk_pair label = { tag, tag };
	struct new_part parts[] = {
		{ .weight = 3, .price = 2, .labels = { &label, 1 } },
		{ .weight = 4 },
	};
	struct new in = { .name = thing,
		.size = 12,
		.parts = { parts, 2 },
		.scale = 50,
		.tags = { tags, 2 },
		.spare = parts };
	struct old out;

	(void)state;
	send(&new, &in, &old, &out);
	assert_string_equal(out.name, "thing");
	assert_true(out.color == 0 && out.size == 12);
	assert_int_equal(out.parts.count, 2);
	assert_int_equal(out.parts.items[1].weight, 4);
	rk_typed_free(&old, &out);
}

/* Who has never heard of any of it. */
static void
test_to_a_stranger(void **state)
{
	struct stranger {
		int64_t other;
	};
	static const struct rk_field fields[] = {
		RK_FIELD(
		    struct stranger, other, INT, "Other", 50, .initial = -1),
	};
	static const struct rk_record stranger =
	    RK_RECORD(struct stranger, "thing", fields);
	struct old in = { .name = thing };
	struct stranger out;

	(void)state;
	send(&old, &in, &stranger, &out);
	assert_true(out.other == -1);
	out.other = 3;
	rk_typed_free(&old, memset(&in, 0, sizeof(in)));
	send(&stranger, &out, &old, &in);
	assert_null(in.name);
	assert_true(in.size == 10);
}

/* A number that is retired is not for anything else. */
static void
test_retired_is_retired(void **state)
{
	static const struct rk_field fields[] = {
		RK_FIELD(struct new, name, STR, "Name", 0),
		RK_FIELD_RETIRED(1),
		RK_FIELD(struct new, size, INT, "Size", 1),
	};
	static const struct rk_record again =
	    RK_RECORD(struct new, "thing", fields);
	struct rk_error err;

	(void)state;
	assert_int_equal(rk_type_check(&again, &err), RK_EINVAL);
	assert_string_equal(
	    err.text, "record thing: field Size (1): the number is retired");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_to_new),
		cmocka_unit_test(test_new_to_old),
		cmocka_unit_test(test_to_a_stranger),
		cmocka_unit_test(test_retired_is_retired),
	};

	return cmocka_run_group_tests_name("typed versions", tests, NULL, NULL);
}
