/* Messages in: every form accepted, every wrong type and trick refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rpc/greenpack.h"
#include "rpc/msg.h"
#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A body written by hand. */
struct pen {
	uint8_t data[600000];
	size_t len;
};

static struct pen *
pen_new(void)
{
	struct pen *pen = malloc(sizeof(*pen));

	assert_non_null(pen);
	pen->len = 0;
	return pen;
}

static void
put(struct pen *pen, const void *p, size_t n)
{
	assert_true(n <= sizeof(pen->data) - pen->len);
	memcpy(pen->data + pen->len, p, n);
	pen->len += n;
}

static void
put_hex(struct pen *pen, const char *hex)
{
	pen->len += vectors_unhex(
	    pen->data + pen->len, sizeof(pen->data) - pen->len, hex);
}

static void
put_key(struct pen *pen, const char *key)
{
	pen->len = (size_t)(gp_put_str(pen->data + pen->len, key, strlen(key)) -
	                    pen->data);
}

/* A message whose header holds this field with this value, n times. */
static void
start_field(struct pen *pen, const char *key, const char *value, unsigned n)
{
	pen->len = 0;
	put_hex(pen, "81");
	put_key(pen, "HDR_zid00_rct");
	pen->len = (size_t)(gp_put_map(pen->data + pen->len, n) - pen->data);
	for (; n > 0; n--) {
		put_key(pen, key);
		put_hex(pen, value);
	}
}

static void
assert_no_str(const struct rk_str *s)
{
	assert_true(s->ptr == NULL && s->len == 0);
}

static void
assert_clear(const struct msg *m)
{
	const struct rk_header *h = &m->hdr;

	assert_no_str(&h->from);
	assert_no_str(&h->to);
	assert_no_str(&h->to_service);
	assert_no_str(&h->to_version);
	assert_no_str(&h->from_service);
	assert_no_str(&h->from_version);
	assert_no_str(&h->subject);
	assert_no_str(&h->call_id);
	assert_no_str(&h->to_peer_id);
	assert_no_str(&h->to_peer_name);
	assert_no_str(&h->from_peer_id);
	assert_no_str(&h->from_peer_name);
	assert_no_str(&m->error);
	assert_true(m->payload.ptr == NULL && m->payload.len == 0);
	assert_true(h->args.raw.ptr == NULL && h->args.raw.len == 0);
	assert_true(!h->created.is_set && !h->local_recv.is_set &&
	            !h->deadline.is_set && !h->no_compression);
	assert_true(h->args.count == 0 && h->seqno == 0 && h->type == 0 &&
	            h->serial == 0 && h->stream_part == 0 && h->frag_op == 0);
}

static enum rk_err
decode(const struct pen *pen, struct msg *m)
{
	/* A copy of the exact size, so that no read past it goes unseen. */
	uint8_t *copy = malloc(pen->len > 0 ? pen->len : 1);
	struct rk_error err = { .code = RK_OK };
	enum rk_err r;

	assert_non_null(copy);
	memcpy(copy, pen->data, pen->len);
	memset(m, 0xaa, sizeof(*m));
	r = msg_decode(copy, pen->len, m, &err);
	free(copy);
	if (r != RK_OK) {
		assert_int_equal(r, RK_EPROTO);
		assert_int_equal(err.code, RK_EPROTO);
		assert_true(strlen(err.text) > 10);
		assert_null(strchr(err.text, '\n'));
		assert_clear(m);
	}
	return r;
}

struct field {
	const char *key;
	char kind; /* s i u t b m */
};

static const struct field fields[] = {
	{ "Created_zid00_tim", 't' },
	{ "From_zid01_str", 's' },
	{ "To_zid02_str", 's' },
	{ "ToServiceName_zid03_str", 's' },
	{ "ToPeerServiceNameVersion_zid04_str", 's' },
	{ "FromServiceName_zid05_str", 's' },
	{ "FromPeerServiceNameVersion_zid06_str", 's' },
	{ "Args_zid07_map", 'm' },
	{ "Subject_zid08_str", 's' },
	{ "Seqno_zid09_u64", 'u' },
	{ "Typ_zid10_rct", 'i' },
	{ "CallID_zid11_str", 's' },
	{ "Serial_zid12_i64", 'i' },
	{ "LocalRecvTm_zid13_tim", 't' },
	{ "Deadline_zid14_tim", 't' },
	{ "StreamPart_zid15_i64", 'i' },
	{ "NoSystemCompression_zid16_boo", 'b' },
	{ "ToPeerID_zid17_str", 's' },
	{ "ToPeerName_zid18_str", 's' },
	{ "FromPeerID_zid19_str", 's' },
	{ "FromPeerName_zid20_str", 's' },
	{ "FragOp_zid21_int", 'i' },
};

/* One value of each type, and the kinds of field that take it. */
static const struct {
	const char *hex;
	const char *kinds;
} values[] = {
	{ "c0", "siutbm" },
	{ "05", "iu" },
	{ "ff", "i" },
	{ "c2", "b" },
	{ "c3", "b" },
	{ "cc80", "iu" },
	{ "cd0080", "iu" },
	{ "ce00000080", "iu" },
	{ "cf0000000000000080", "iu" },
	{ "cfffffffffffffffff", "u" },
	{ "d080", "i" },
	{ "d007", "iu" },
	{ "d1ff00", "i" },
	{ "d2ff000000", "i" },
	{ "d3ff00000000000000", "i" },
	{ "d37f00000000000000", "iu" },
	{ "ca3f800000", "" },
	{ "cb3ff0000000000000", "" },
	{ "a161", "s" },
	{ "d90161", "s" },
	{ "da000161", "s" },
	{ "db0000000161", "s" },
	{ "c40161", "" },
	{ "c5000161", "" },
	{ "c60000000161", "" },
	{ "c70c05000000006b00faa00fa980d0", "t" },
	{ "d6ff6b00faa0", "" },
	{ "c70c06000000006b00faa00fa980d0", "" },
	{ "80", "m" },
	{ "81a16ba176", "m" },
	{ "de0001a16ba176", "m" },
	{ "df00000001d9016bda000176", "m" },
	{ "81a16b05", "" },
	{ "8105a176", "" },
	{ "81a16bc0", "" },
	{ "81c0a176", "" },
	{ "81c4016ba176", "" },
	{ "81a16bc40176", "" },
	{ "90", "" },
	{ "93010203", "" },
	{ "c1", "" },
};

static void
test_types_of_every_field(void **state)
{
	struct pen *pen = pen_new();
	struct msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		for (size_t j = 0; j < COUNT(values); j++) {
			bool ok =
			    strchr(values[j].kinds, fields[i].kind) != NULL;

			start_field(pen, fields[i].key, values[j].hex, 1);
			assert_int_equal(decode(pen, &m) == RK_OK, ok);
			/* Twice is never right, not even as nil. */
			start_field(pen, fields[i].key, values[j].hex, 2);
			assert_int_equal(decode(pen, &m), RK_EPROTO);
		}
	}
	free(pen);
}

static void
test_top_level_types(void **state)
{
	static const struct {
		const char *key;
		const char *good[4];
		const char *bad[8];
	} rows[] = {
		{ "HDR_zid00_rct", { "80", "c0", "de0000", "df00000000" },
		    { "90", "a0", "05", "c2", "c400", "c1", "8105c0", "8f" } },
		{ "JobSerz_zid01_bin",
		    { "c400", "c0", "c5000161", "c6000000026161" },
		    { "a161", "90", "80", "05", "c3", "d90161", "c402",
		        "d40561" } },
		{ "JobErrs_zid02_str", { "a161", "c0", "d90161", "a0" },
		    { "c40161", "90", "80", "05", "c3", "c1", "a2",
		        "d40561" } },
		{ "EOF_zid03_boo", { "c2", "c3", "c0", "c2" },
		    { "00", "01", "90", "80", "a0", "c400", "c1", "d40561" } },
	};
	struct pen *pen = pen_new();
	struct msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t j = 0; j < COUNT(rows[i].good); j++) {
			pen->len = 0;
			put_hex(pen, "81");
			put_key(pen, rows[i].key);
			put_hex(pen, rows[i].good[j]);
			assert_int_equal(decode(pen, &m), RK_OK);
			pen->data[0] = 0x82;
			put_key(pen, rows[i].key);
			put_hex(pen, rows[i].good[j]);
			assert_int_equal(decode(pen, &m), RK_EPROTO);
		}
		for (size_t j = 0; j < COUNT(rows[i].bad); j++) {
			pen->len = 0;
			put_hex(pen, "81");
			put_key(pen, rows[i].key);
			put_hex(pen, rows[i].bad[j]);
			assert_int_equal(decode(pen, &m), RK_EPROTO);
		}
	}
	free(pen);
}

static void
test_bodies_that_are_no_message(void **state)
{
	static const char *const bad[] = { "c0", "90", "a0", "05", "c1", "81",
		"8105", "8105c0", "81a1", "81a161", "8190c0", "81c0c0",
		"ddffffffff", "dfffffffff", "df80000000", "deffff", "8f" };
	struct pen *pen = pen_new();
	struct msg m;
	struct rk_error err;
	uint8_t byte = 0x80;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		pen->len = 0;
		put_hex(pen, bad[i]);
		assert_int_equal(decode(pen, &m), RK_EPROTO);
	}
	pen->len = 0;
	assert_int_equal(decode(pen, &m), RK_EPROTO);
	assert_int_equal(msg_decode(NULL, 0, &m, &err), RK_EPROTO);
	assert_int_equal(msg_decode(NULL, 0, &m, NULL), RK_EPROTO);
	assert_int_equal(
	    msg_decode(&byte, RK_BODY_MAX + 1, &m, &err), RK_EPROTO);
	/* Nothing at all is a message, and bytes after the map do not count. */
	put_hex(pen, "80");
	assert_int_equal(decode(pen, &m), RK_OK);
	put_hex(pen, "c1c1c1c1");
	assert_int_equal(decode(pen, &m), RK_OK);
	free(pen);
}

static void
test_order_is_free_and_keys_may_be_binary(void **state)
{
	struct pen *pen = pen_new();
	struct msg m;

	(void)state;
	put_hex(pen, "df00000003"); /* a wide count */
	put_hex(pen, "c411");
	put(pen, "JobErrs_zid02_str", 17);
	put_hex(pen, "a16f");
	put_hex(pen, "da0011");
	put(pen, "JobSerz_zid01_bin", 17);
	put_hex(pen, "c4021234");
	put_hex(pen, "c5000d");
	put(pen, "HDR_zid00_rct", 13);
	put_hex(pen, "83");
	put_key(pen, "FragOp_zid21_int");
	put_hex(pen, "d1ffff");
	put_hex(pen, "c60000000d");
	put(pen, "Typ_zid10_rct", 13);
	put_hex(pen, "cc65");
	put_key(pen, "From_zid01_str");
	put_hex(pen, "d90178");
	assert_int_equal(decode(pen, &m), RK_OK);
	assert_int_equal(m.hdr.type, 101);
	assert_int_equal(m.hdr.frag_op, -1);
	assert_int_equal(m.hdr.from.len, 1);
	assert_int_equal(m.payload.len, 2);
	assert_int_equal(m.error.len, 1);
	free(pen);
}

/* Same number, other name; no number; a number nobody has: all skipped. */
static void
test_unknown_keys_are_skipped(void **state)
{
	static const char *const keys[] = { "", "@", "x", "_zid10_rct",
		"Typ_zid10_int", "typ_zid10_rct", "Type_zid10_rct",
		"Typ_zid22_rct", "Typ_zid99_rct", "Typ_zid1x_rct",
		"Typ_zid:0_rct", "Typ_zid/0_rct", "HDR_zid00_rct",
		"Typ_zid10_rcs", "Tyq_zid10_rct", "Yyp_zid10_rct",
		"JobSerz_zid01_bin" };
	static const char *const junk[] = { "c0", "c3", "05", "ff", "cd1234",
		"d3ffffffffffffffff", "ca00000000", "cb0000000000000000",
		"a3616263", "c403616263", "d40561", "c70305112233", "92c09105",
		"8201029104a0", "81c0ddffffffff" };
	struct pen *pen = pen_new();
	struct msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		for (size_t j = 0; j < COUNT(junk) - 1; j++) {
			start_field(pen, keys[i], junk[j], 2);
			put_hex(pen, "c1");
			assert_int_equal(decode(pen, &m), RK_OK);
			assert_int_equal(m.hdr.type, 0);
		}
		start_field(pen, keys[i], junk[COUNT(junk) - 1], 1);
		assert_int_equal(decode(pen, &m), RK_EPROTO);
	}
	free(pen);
}

static void
test_depth_of_unknown_values(void **state)
{
	static const size_t depths[] = { 1, 16, 17, 1000, 190000 };
	static const char *const levels[] = { "91", "81c0", "dc0001" };
	struct pen *pen = pen_new();
	struct msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(depths); i++) {
		bool ok = depths[i] <= RK_VALUE_DEPTH_MAX;

		for (size_t j = 0; j < COUNT(levels); j++) {
			start_field(pen, "x", "", 1);
			for (size_t d = 0; d < depths[i]; d++)
				put_hex(pen, levels[j]);
			put_hex(pen, "c0");
			assert_int_equal(decode(pen, &m) == RK_OK, ok);
		}
	}
	free(pen);
}

static void
test_counts_beyond_the_body(void **state)
{
	static const char *const bombs[] = { "ddffffffff", "dfffffffff",
		"dd01000000", "deffff", "dcffff", "c6ffffffff", "dbffffffff",
		"c9ffffffff05", "df80000001", "8f", "9f", "bf" };
	struct pen *pen = pen_new();
	struct msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(bombs); i++) {
		start_field(pen, "Args_zid07_map", bombs[i], 1);
		assert_int_equal(decode(pen, &m), RK_EPROTO);
		start_field(pen, "Subject_zid08_str", bombs[i], 1);
		assert_int_equal(decode(pen, &m), RK_EPROTO);
		start_field(pen, "x", bombs[i], 1);
		assert_int_equal(decode(pen, &m), RK_EPROTO);
		pen->len = 0;
		put_hex(pen, bombs[i]);
		assert_int_equal(decode(pen, &m), RK_EPROTO);
	}
	free(pen);
}

static void
test_number_of_arguments(void **state)
{
	static const uint32_t counts[] = { 0, 1, 15, 16, 1023, 1024, 1025,
		5000 };
	struct pen *pen = pen_new();
	struct msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		bool ok = counts[i] <= RK_ARGS_MAX;

		start_field(pen, "Args_zid07_map", "", 1);
		pen->len =
		    (size_t)(gp_put_map(pen->data + pen->len, counts[i]) -
		             pen->data);
		for (uint32_t n = 0; n < 2 * counts[i]; n++)
			put_hex(pen, "a161");
		assert_int_equal(decode(pen, &m) == RK_OK, ok);
		if (!ok)
			continue;
		assert_int_equal(m.hdr.args.count, counts[i]);
		assert_int_equal(m.hdr.args.raw.len, 4 * counts[i]);
		/* The last entry broken. */
		pen->data[pen->len - 2] = 0xc1;
		assert_int_equal(
		    decode(pen, &m), counts[i] == 0 ? RK_OK : RK_EPROTO);
	}
	free(pen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types_of_every_field),
		cmocka_unit_test(test_top_level_types),
		cmocka_unit_test(test_bodies_that_are_no_message),
		cmocka_unit_test(test_order_is_free_and_keys_may_be_binary),
		cmocka_unit_test(test_unknown_keys_are_skipped),
		cmocka_unit_test(test_depth_of_unknown_values),
		cmocka_unit_test(test_counts_beyond_the_body),
		cmocka_unit_test(test_number_of_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
