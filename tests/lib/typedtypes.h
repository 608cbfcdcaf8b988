/* Typed structs for tests: every kind of member, in every shape. */
#ifndef TESTS_LIB_TYPEDTYPES_H
#define TESTS_LIB_TYPEDTYPES_H

#include <rpckit/typed.h>

struct point {
	int64_t x;
	int64_t y;
	char *label;
};
static const struct rk_field point_fields[] = {
	RK_FIELD(struct point, x, INT, "X", 0),
	RK_FIELD(struct point, y, INT, "Y", 1, .min = -1000, .max = 1000),
	RK_FIELD(struct point, label, STR, "Label", 2),
};
static const struct rk_record point_record =
    RK_RECORD(struct point, "point", point_fields);

/* Has itself, so that depth is the sender's choice. */
struct node {
	int32_t value;
	struct node *next;
	RK_LIST(struct node) children;
};
static const struct rk_record node_record;
static const struct rk_field node_fields[] = {
	RK_FIELD(struct node, value, I32, "Value", 0),
	RK_FIELD_MAYBE_RECORD(
	    struct node, next, struct node, node_record, "Next", 1),
	RK_FIELD_RECORDS(
	    struct node, children, struct node, node_record, "Children", 2),
};
static const struct rk_record node_record =
    RK_RECORD(struct node, "node", node_fields);

struct every {
	bool flag;
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;
	int64_t i;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	uint64_t u;
	float f32;
	double f64;
	char *str;
	char chars[9];
	struct rk_blob bytes;
	struct rk_time time;
	int64_t duration;
	struct rk_map map;
	struct point point;
	RK_LIST(int16_t) i16s;
	RK_LIST(uint64_t) u64s;
	RK_LIST(bool) flags;
	RK_LIST(double) f64s;
	RK_LIST(char *) strs;
	RK_LIST(struct rk_blob) blobs;
	RK_LIST(struct rk_time) times;
	RK_LIST(int64_t) durations;
	RK_LIST(struct rk_map) maps;
	RK_LIST(struct point) points;
	int32_t *maybe_i32;
	char **maybe_str;
	float *maybe_f32;
	struct point *maybe_point;
	struct node *node;
};
static const struct rk_field every_fields[] = {
	RK_FIELD(struct every, flag, BOOL, "Flag", 0),
	RK_FIELD(struct every, i8, I8, "I8", 1),
	RK_FIELD(struct every, i16, I16, "I16", 2),
	RK_FIELD(struct every, i32, I32, "I32", 3),
	RK_FIELD(struct every, i64, I64, "I64", 4),
	RK_FIELD(struct every, i, INT, "I", 5),
	RK_FIELD(struct every, u8, U8, "U8", 6),
	RK_FIELD(struct every, u16, U16, "U16", 7),
	RK_FIELD(struct every, u32, U32, "U32", 8),
	RK_FIELD(struct every, u64, U64, "U64", 9),
	RK_FIELD(struct every, u, UINT, "U", 10),
	RK_FIELD(struct every, f32, F32, "F32", 11),
	RK_FIELD(struct every, f64, F64, "F64", 12),
	RK_FIELD(struct every, str, STR, "Str", 13),
	RK_FIELD_CHARS(struct every, chars, "Chars", 14),
	RK_FIELD(struct every, bytes, BYTES, "Bytes", 15),
	RK_FIELD(struct every, time, TIME, "Time", 16),
	RK_FIELD(struct every, duration, DURATION, "Duration", 17),
	RK_FIELD(struct every, map, MAP, "Map", 18),
	RK_FIELD_RECORD(
	    struct every, point, struct point, point_record, "Point", 19),
	RK_FIELD_LIST(struct every, i16s, I16, "I16s", 20),
	RK_FIELD_LIST(struct every, u64s, U64, "U64s", 21),
	RK_FIELD_LIST(struct every, flags, BOOL, "Flags", 22),
	RK_FIELD_LIST(struct every, f64s, F64, "F64s", 23),
	RK_FIELD_LIST(struct every, strs, STR, "Strs", 24),
	RK_FIELD_LIST(struct every, blobs, BYTES, "Blobs", 25),
	RK_FIELD_LIST(struct every, times, TIME, "Times", 26),
	RK_FIELD_LIST(struct every, durations, DURATION, "Durations", 27),
	RK_FIELD_LIST(struct every, maps, MAP, "Maps", 28),
	RK_FIELD_RECORDS(
	    struct every, points, struct point, point_record, "Points", 29),
	RK_FIELD_MAYBE(struct every, maybe_i32, I32, "MaybeI32", 30),
	RK_FIELD_MAYBE(struct every, maybe_str, STR, "MaybeStr", 31),
	RK_FIELD_MAYBE(struct every, maybe_f32, F32, "MaybeF32", 32),
	RK_FIELD_MAYBE_RECORD(struct every, maybe_point, struct point,
	    point_record, "MaybePoint", 33),
	RK_FIELD_RETIRED(34),
	RK_FIELD_MAYBE_RECORD(
	    struct every, node, struct node, node_record, "Node", 99),
};
static const struct rk_record every_record =
    RK_RECORD(struct every, "every", every_fields);

/* Limits, defaults, what must be there. */
struct strict {
	int64_t level;
	uint8_t port;
	double ratio;
	char *name;
	char tag[4];
	int64_t wait;
	bool on;
	RK_LIST(int32_t) few;
	char *must;
};
static const struct rk_field strict_fields[] = {
	RK_FIELD(struct strict, level, INT, "Level", 0, .initial = 3, .min = 1,
	    .max = 9, .about = "how much is said"),
	RK_FIELD(struct strict, port, U8, "Port", 1, .max = 200),
	RK_FIELD(struct strict, ratio, F64, "Ratio", 2, .initial_float = 0.5,
	    .max = 1),
	RK_FIELD(struct strict, name, STR, "Name", 3, .initial_text = "nobody",
	    .min = 1, .max = 8),
	RK_FIELD_CHARS(struct strict, tag, "Tag", 4, .initial_text = "abc"),
	RK_FIELD(
	    struct strict, wait, DURATION, "Wait", 5, .initial = 1500000000),
	RK_FIELD(struct strict, on, BOOL, "On", 6, .initial = 1),
	RK_FIELD_LIST(struct strict, few, I32, "Few", 7, .max = 3),
	RK_FIELD_RETIRED(8),
	RK_FIELD(struct strict, must, STR, "Must", 9, .required = true,
	    .clue = "rct"),
};
static const struct rk_record strict_record =
    RK_RECORD(struct strict, "strict", strict_fields);

#endif
