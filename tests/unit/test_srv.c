/* SRV records: answers whole, cut and absurd; the order; asking a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/srv.h"

#include "dnsbox.h"

static const uint8_t raw_a[] = { 10, 0, 0, 1 };

static void
begin(struct buf *b, unsigned n)
{
	buf_init(b, 65536);
	dns_put_head(b, 7, 0, 0, n);
}

/* In memory of exactly this length, so that nothing behind it is read. */
static enum rk_err
parse_len(const struct buf *b, size_t len, struct srv *out, size_t cap,
    size_t *n, struct rk_error *err)
{
	uint8_t *copy = malloc(len + 1);
	enum rk_err r;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, buf_peek(b), len);
	copy = realloc(copy, len == 0 ? 1 : len);
	assert_non_null(copy);
	r = srv_parse(copy, len, out, cap, n, err);
	free(copy);
	return r;
}

static enum rk_err
parse(struct buf *b, struct srv *out, size_t cap, size_t *n)
{
	struct rk_error err = { 0 };
	enum rk_err r = parse_len(b, buf_len(b), out, cap, n, &err);

	assert_int_equal(err.code, r);
	assert_true(r == RK_OK || (*n == 0 && err.text[0] != '\0'));
	buf_fini(b);
	return r;
}

static void
reads_what_stands_there(void **state)
{
	static const struct dns_srv one = { 10, 20, 4433, "a.example.org" };
	static const struct dns_srv two = { 65535, 0, 65535, "b" };
	struct srv out[4];
	struct buf b;
	size_t n;

	(void)state;
	begin(&b, 3);
	dns_put_srv(&b, &one);
	dns_put_record(&b, 1, DNS_CLASS_IN, raw_a, sizeof(raw_a));
	dns_put_srv(&b, &two);
	assert_int_equal(parse(&b, out, 4, &n), RK_OK);
	assert_int_equal(n, 2);
	assert_int_equal(out[0].priority, 10);
	assert_int_equal(out[0].weight, 20);
	assert_int_equal(out[0].port, 4433);
	assert_string_equal(out[0].host, "a.example.org");
	assert_int_equal(out[1].priority, 65535);
	assert_int_equal(out[1].weight, 0);
	assert_string_equal(out[1].host, "b");
}

static void
takes_no_more_than_fit(void **state)
{
	struct dns_srv one = { 1, 1, 1, "h" };
	struct srv out[3];
	struct buf b;
	size_t n;

	(void)state;
	begin(&b, 40);
	for (unsigned i = 0; i < 40; i++) {
		one.port = (uint16_t)(i + 1);
		dns_put_srv(&b, &one);
	}
	assert_int_equal(parse(&b, out, 3, &n), RK_OK);
	assert_int_equal(n, 3);
	assert_int_equal(out[2].port, 3);
}

/* One byte less is no message, and never a shorter list. */
static void
refuses_what_is_cut(void **state)
{
	static const struct dns_srv one = { 1, 2, 3, "some.host" };
	struct rk_error err;
	struct srv out[4];
	struct buf b;
	size_t n;

	(void)state;
	begin(&b, 2);
	dns_put_srv(&b, &one);
	dns_put_srv(&b, &one);
	for (size_t len = 0; len < buf_len(&b); len++) {
		assert_int_equal(
		    parse_len(&b, len, out, 4, &n, &err), RK_EPROTO);
		assert_int_equal(n, 0);
	}
	assert_int_equal(parse(&b, out, 4, &n), RK_OK);
}

static void
refuses_damaged_records(void **state)
{
	static const uint8_t fixed_only[] = { 0, 1, 0, 1, 0, 1 };
	static const uint8_t loop[] = { 0, 1, 0, 1, 0, 1, 0xc0, 31 };
	static const uint8_t ahead[] = { 0, 1, 0, 1, 0, 1, 0xff, 0xff };
	static const uint8_t more[] = { 0, 1, 0, 1, 0, 1, 1, 'h', 0, 9 };
	static const uint8_t unended[] = { 0, 1, 0, 1, 0, 1, 1, 'h' };
	static const struct dns_srv fine = { 1, 1, 1, "h" };
	static const struct rk_bytes bad[] = {
		{ fixed_only, 0 },
		{ fixed_only, 3 },
		{ fixed_only, sizeof(fixed_only) },
		{ loop, sizeof(loop) },
		{ ahead, sizeof(ahead) },
		{ more, sizeof(more) },
		{ unended, sizeof(unended) },
	};
	struct srv out[4];
	struct buf b;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(&b, 2); /* nor is what stands before them taken */
		dns_put_record(
		    &b, DNS_TYPE_SRV, DNS_CLASS_IN, bad[i].ptr, bad[i].len);
		dns_put_srv(&b, &fine);
		assert_int_equal(parse(&b, out, 4, &n), RK_EPROTO);
		if (bad[i].ptr == loop)
			continue; /* there it is none */
		begin(&b, 2);
		dns_put_srv(&b, &fine);
		dns_put_record(
		    &b, DNS_TYPE_SRV, DNS_CLASS_IN, bad[i].ptr, bad[i].len);
		assert_int_equal(parse(&b, out, 4, &n), RK_EPROTO);
	}
}

/* A host may be a pointer to a name in front of it. */
static void
follows_pointers(void **state)
{
	static const uint8_t data[] = { 0, 1, 0, 2, 0, 3, 1, 'y', 0xc0, 12 };
	struct srv out[4];
	struct buf b;
	size_t n;

	(void)state;
	begin(&b, 1);
	dns_put_record(&b, DNS_TYPE_SRV, DNS_CLASS_IN, data, sizeof(data));
	assert_int_equal(parse(&b, out, 4, &n), RK_OK);
	assert_string_equal(out[0].host, "y.x");
}

static void
leaves_out_what_none_could_have(void **state)
{
	static const struct dns_srv odd[] = {
		{ 1, 1, 0, "no.port" },
		{ 1, 1, 1, "a b" },
		{ 1, 1, 1, "a\nb" },
		{ 1, 1, 1, "a/b" },
		{ 1, 1, 1, "\xc3\xa4" },
	};
	static const struct dns_srv fine = { 1, 1, 1, "_ok-1.x" };
	char label[64];
	char host[256] = "";
	struct dns_srv longest = { 1, 1, 1, host };
	struct srv out[10];
	struct buf b;
	size_t n;

	(void)state;
	memset(label, 'a', 63);
	label[63] = '\0';
	(void)snprintf(
	    host, sizeof(host), "%.60s.%s.%s.%s", label, label, label, label);
	begin(&b, 7);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		dns_put_srv(&b, &odd[i]);
	dns_put_srv(&b, &fine);
	dns_put_srv(&b, &longest);
	assert_int_equal(parse(&b, out, 10, &n), RK_OK);
	assert_int_equal(n, 2);
	assert_string_equal(out[0].host, "_ok-1.x");
	assert_string_equal(out[1].host, host);
}

static void
knows_when_nobody_offers_it(void **state)
{
	static const struct dns_srv nobody = { 0, 0, 0, "" };
	struct rk_error err;
	struct srv out[4];
	struct buf b;
	size_t n;

	(void)state;
	begin(&b, 1);
	dns_put_srv(&b, &nobody);
	assert_int_equal(
	    parse_len(&b, buf_len(&b), out, 4, &n, &err), RK_ERESOLVE);
	assert_non_null(strstr(err.text, "nobody offers"));
	buf_fini(&b);
	begin(&b, 0);
	assert_int_equal(
	    parse_len(&b, buf_len(&b), out, 4, &n, &err), RK_ERESOLVE);
	assert_non_null(strstr(err.text, "no SRV record"));
	buf_fini(&b);
	/* Of another class is another thing. */
	begin(&b, 1);
	dns_put_record(&b, DNS_TYPE_SRV, 3, raw_a, sizeof(raw_a));
	assert_int_equal(parse(&b, out, 4, &n), RK_ERESOLVE);
}

/* ---- the order ---- */

/* Draws what the test says. */
struct drawn {
	uint32_t give[8];
	uint32_t below[8];
	unsigned n;
};

static uint32_t
draw(uint32_t below, void *arg)
{
	struct drawn *d = arg;

	assert_true(d->n < 8);
	d->below[d->n] = below;
	return d->give[d->n++];
}

static struct srv
record(uint16_t priority, uint16_t weight, uint16_t port)
{
	return (
	    struct srv){ .priority = priority, .weight = weight, .port = port };
}

static void
tries_priorities_in_order(void **state)
{
	struct srv list[] = { record(30, 5, 3), record(10, 1, 1),
		record(20, 9, 2), record(40, 0, 4) };
	struct drawn d = { 0 };

	(void)state;
	srv_order(list, 4, draw, &d);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(list[i].port, i + 1);
}

static void
draws_by_running_sums(void **state)
{
	struct srv list[] = { record(1, 10, 1), record(1, 0, 2),
		record(1, 30, 3) };
	/* Sums are 0 (2), 10 (1), 40 (3). */
	struct drawn d = { .give = { 11, 10 } };

	(void)state;
	srv_order(list, 3, draw, &d);
	assert_int_equal(d.below[0], 41);
	assert_int_equal(list[0].port, 3);
	assert_int_equal(d.below[1], 11);
	assert_int_equal(list[1].port, 1);
	assert_int_equal(list[2].port, 2);
	/* Without weight only by the smallest of chances. */
	d = (struct drawn){ 0 };
	srv_order(list, 3, draw, &d);
	assert_int_equal(list[0].port, 2);
	srv_order(list, 0, draw, &d);
	srv_order(list, 1, draw, &d);
	assert_int_equal(list[0].port, 2);
}

static uint32_t
draw_pseudo(uint32_t below, void *arg)
{
	uint64_t *s = arg;

	*s = *s * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*s >> 33) % below);
}

static void
shares_by_weight(void **state)
{
	enum {
		ROUNDS = 20000
	};
	uint64_t seed = 1;
	unsigned first = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct srv list[] = { record(1, 100, 1), record(1, 300, 2) };

		srv_order(list, 2, draw_pseudo, &seed);
		first += list[0].port == 2;
	}
	assert_in_range(first, ROUNDS * 73 / 100, ROUNDS * 77 / 100);
}

/* ---- asking ---- */

static void
asks_a_server(void **state)
{
	static const struct dns_srv list[] = { { 2, 0, 20, "second.example" },
		{ 1, 0, 10, "first.example" } };
	static const struct dns_srv nobody = { 0, 0, 0, "" };
	struct srv out[SRV_MAX];
	struct rk_error err = { 0 };
	struct dnsbox d;
	size_t n;

	(void)state;
	dns_start(&d);
	dns_set(&d, 0, list, 2);
	assert_int_equal(srv_ask("_rpckit._tcp.example.org", &d.addr, out,
	                     SRV_MAX, &n, &err),
	    RK_OK);
	assert_int_equal(n, 2);
	assert_string_equal(out[0].host, "first.example");
	assert_int_equal(out[0].port, 10);
	assert_string_equal(out[1].host, "second.example");
	dns_check_last(&d, "_rpckit._tcp.example.org");
	dns_set(&d, 0, &nobody, 1);
	assert_int_equal(
	    srv_ask("x.org", &d.addr, out, SRV_MAX, &n, &err), RK_ERESOLVE);
	assert_string_equal(
	    err.text, "cannot look up \"x.org\": nobody offers this service");
	dns_set(&d, DNS_NXDOMAIN, NULL, 0);
	assert_int_equal(
	    srv_ask("x.org", &d.addr, out, SRV_MAX, &n, &err), RK_ERESOLVE);
	assert_string_equal(err.text, "cannot look up \"x.org\": no such name");
	dns_set(&d, 0, NULL, 0);
	assert_int_equal(
	    srv_ask("x.org", &d.addr, out, SRV_MAX, &n, &err), RK_ERESOLVE);
	assert_string_equal(
	    err.text, "cannot look up \"x.org\": there is no SRV record");
	assert_int_equal(dns_asked(&d), 4);
	dns_stop(&d);
}

/* What no query can be made of is an error, not a question. */
static void
refuses_what_is_no_name(void **state)
{
	char name[400];
	struct srv out[4];
	struct rk_error err = { 0 };
	struct sockaddr_in nobody = { .sin_family = AF_INET };
	size_t n;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(srv_ask(name, &nobody, out, 4, &n, &err), RK_ERESOLVE);
	assert_int_equal(n, 0);
	assert_true(err.text[0] != '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_stands_there),
		cmocka_unit_test(takes_no_more_than_fit),
		cmocka_unit_test(refuses_what_is_cut),
		cmocka_unit_test(refuses_damaged_records),
		cmocka_unit_test(follows_pointers),
		cmocka_unit_test(leaves_out_what_none_could_have),
		cmocka_unit_test(knows_when_nobody_offers_it),
		cmocka_unit_test(tries_priorities_in_order),
		cmocka_unit_test(draws_by_running_sums),
		cmocka_unit_test(shares_by_weight),
		cmocka_unit_test(asks_a_server),
		cmocka_unit_test(refuses_what_is_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
