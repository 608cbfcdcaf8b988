/* Addresses: the strict parser, resolving without and with names, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "net/addr.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* ---- a resolver of our own, in front of the system's ---- */

static unsigned asked;

struct answer {
	struct addrinfo ai; /* first: what freeaddrinfo() is given */
	struct addr addr;
};

static struct addrinfo *
make_answer(const char *ip, struct addrinfo *next)
{
	struct answer *an = calloc(1, sizeof(*an));
	struct addr *a = &an->addr;

	assert_non_null(an);
	an->ai.ai_next = next;
	an->ai.ai_addr = &a->u.sa;
	if (inet_pton(AF_INET, ip, &a->u.in.sin_addr) == 1) {
		an->ai.ai_family = a->u.in.sin_family = AF_INET;
		an->ai.ai_addrlen = sizeof(a->u.in);
	} else {
		assert_int_equal(
		    inet_pton(AF_INET6, ip, &a->u.in6.sin6_addr), 1);
		an->ai.ai_family = a->u.in6.sin6_family = AF_INET6;
		an->ai.ai_addrlen = sizeof(a->u.in6);
	}
	return &an->ai;
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **res)
{
	static const char *const many[] = { "2001:db8::1", "2001:db8::2",
		"2001:db8::3", "192.0.2.1", "192.0.2.2" };
	struct addrinfo *list = NULL;

	asked++;
	assert_null(service);
	assert_int_equal(hints->ai_socktype, SOCK_STREAM);
	assert_int_equal(hints->ai_flags, AI_ADDRCONFIG);
	*res = NULL;
	if (strcmp(node, "broken") == 0) {
		errno = EMFILE;
		return EAI_SYSTEM;
	}
	if (strcmp(node, "four") == 0)
		*res = make_answer("192.0.2.9", NULL);
	if (strcmp(node, "many") == 0) {
		for (size_t i = N(many); i > 0; i--)
			list = make_answer(many[i - 1], list);
		*res = list;
	}
	return *res == NULL ? EAI_NONAME : 0;
}

void
freeaddrinfo(struct addrinfo *res)
{
	while (res != NULL) {
		struct addrinfo *next = res->ai_next;

		free(res);
		res = next;
	}
}

/* ---- parsing ---- */

static void
parses_good(void **state)
{
	static const struct {
		const char *url;
		enum addr_scheme scheme;
		const char *host;
		unsigned port;
	} good[] = {
		{ "tls://localhost:8443", ADDR_TLS, "localhost", 8443 },
		{ "tcp://127.0.0.1:0", ADDR_TCP, "127.0.0.1", 0 },
		{ "tcp://127.0.0.1:65535", ADDR_TCP, "127.0.0.1", 65535 },
		{ "tls://[::1]:1", ADDR_TLS, "::1", 1 },
		{ "tls://[::]:1", ADDR_TLS, "::", 1 },
		{ "tls://[fe80::1%eth0]:9", ADDR_TLS, "fe80::1%eth0", 9 },
		{ "tls://[fe80::1%25eth0]:9", ADDR_TLS, "fe80::1%eth0", 9 },
		{ "tls://[fe80::1%25]:9", ADDR_TLS, "fe80::1%25", 9 },
		{ "tls://:7", ADDR_TLS, "", 7 },
		{ "tls://*:7", ADDR_TLS, "*", 7 },
		{ "tls://a-b_c.Example.ORG.:7", ADDR_TLS, "a-b_c.Example.ORG.",
		    7 },
		{ "tls://4u.example:7", ADDR_TLS, "4u.example", 7 },
		{ "tls://0xg:7", ADDR_TLS, "0xg", 7 },
	};

	(void)state;
	for (size_t i = 0; i < N(good); i++) {
		struct addr_url u;
		struct rk_error err = { 0 };

		if (addr_parse(good[i].url, &u, &err) != RK_OK)
			fail_msg("%s: %s", good[i].url, err.text);
		assert_int_equal(u.scheme, good[i].scheme);
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
		assert_string_equal(u.path, "");
	}
}

static void
parses_unix(void **state)
{
	char url[200] = "unix://";
	struct addr_url u;
	struct rk_error err;

	(void)state;
	assert_int_equal(addr_parse("unix:///run/x y:1", &u, NULL), RK_OK);
	assert_int_equal(u.scheme, ADDR_UNIX);
	assert_string_equal(u.path, "/run/x y:1");
	assert_string_equal(u.host, "");
	memset(url + 7, '/', 108);
	memset(url + 8, 'a', 106);
	url[7 + 107] = '\0';
	assert_int_equal(addr_parse(url, &u, NULL), RK_OK);
	assert_int_equal(strlen(u.path), 107);
	url[7 + 107] = 'a';
	url[7 + 108] = '\0';
	assert_int_equal(addr_parse(url, &u, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "107 bytes"));
	assert_string_equal(u.path, "");
}

static void
refuses_bad(void **state)
{
	static const struct {
		const char *url;
		const char *why;
	} bad[] = {
		{ "", "not of the form" },
		{ "localhost:8443", "not of the form" },
		{ "tls:/localhost:8443", "not of the form" },
		{ "://a:1", "unknown scheme" },
		{ "TLS://a:1", "unknown scheme" },
		{ "tlss://a:1", "unknown scheme" },
		{ "tl://a:1", "unknown scheme" },
		{ "http://a:1", "unknown scheme" },
		{ "tls://", "port is missing" },
		{ "tls://a", "port is missing" },
		{ "tls://a:", "port is missing" },
		{ "tls://[::1]", "port is missing" },
		{ "tls://[::1]1", "port is missing" },
		{ "tls://[::1", "closing bracket" },
		{ "tls://::1:8443", "needs brackets" },
		{ "tls://a:1:2", "needs brackets" },
		{ "tls://a:1/", "not a number" },
		{ "tls://a:1 ", "not a number" },
		{ "tls://a:+1", "not a number" },
		{ "tls://a:-1", "not a number" },
		{ "tls://a:0x1", "not a number" },
		{ "tls://a:01", "begins with a zero" },
		{ "tls://a:00", "begins with a zero" },
		{ "tls://a:65536", "above 65535" },
		{ "tls://a:99999999999999999999999", "above 65535" },
		{ "tls://user@a:1", "malformed" },
		{ "tls://a b:1", "malformed" },
		{ "tls://.a:1", "malformed" },
		{ "tls://a..b:1", "malformed" },
		{ "tls://.:1", "malformed" },
		{ "tls://-a:1", "malformed" },
		{ "tls://a-:1", "malformed" },
		{ "tls://a/b:1", "malformed" },
		{ "tls://**:1", "malformed" },
		{ "tls://h\xc3\xa9:1", "malformed" },
		{ "tls://127.1:1", "malformed IPv4" },
		{ "tls://256.0.0.1:1", "malformed IPv4" },
		{ "tls://1.2.3.4.5:1", "malformed IPv4" },
		{ "tls://127.0.0.1.:1", "malformed IPv4" },
		{ "tls://0x7f000001:1", "malformed IPv4" },
		{ "tls://a.0x7f:1", "malformed IPv4" },
		{ "tls://2130706433:1", "malformed IPv4" },
		{ "tls://[]:1", "malformed IPv6" },
		{ "tls://[127.0.0.1]:1", "malformed IPv6" },
		{ "tls://[::g]:1", "malformed IPv6" },
		{ "tls://[x%lo]:1", "malformed IPv6" },
		{ "tls://[fe80::1%]:1", "zone" },
		{ "tls://[fe80::1%a/b]:1", "zone" },
		{ "tls://[fe80::1%abcdefghijklmnop]:1", "zone" },
		{ "tls://[::1%lo]:1", "link-local" },
		{ "unix://", "begin with a slash" },
		{ "unix://run/x", "begin with a slash" },
		{ "unix:///", "directory" },
		{ "unix:///run/", "directory" },
		{ "unix:///run/\x1bx", "control" },
		{ "unix:///run/x\x7f", "control" },
	};

	(void)state;
	for (size_t i = 0; i < N(bad); i++) {
		struct addr_url u = { .port = 5 };
		struct rk_error err = { 0 };

		if (addr_parse(bad[i].url, &u, &err) != RK_EINVAL)
			fail_msg("%s was accepted", bad[i].url);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].url, err.text);
		assert_int_equal(u.port, 0);
		assert_string_equal(u.host, "");
		assert_null(strpbrk(err.text, "\x1b\x7f"));
		assert_int_equal(addr_parse(bad[i].url, &u, NULL), RK_EINVAL);
	}
}

/* Also in a build without: who opens it says so. */
static void
reads_quic(void **state)
{
	struct addr_url u;

	(void)state;
	assert_int_equal(addr_parse("quic://a:1", &u, NULL), RK_OK);
	assert_int_equal(u.scheme, ADDR_QUIC);
	assert_string_equal(u.host, "a");
	assert_int_equal(u.port, 1);
}

/* A name of len bytes in labels of at most 63, ":1" after it. */
static void
make_long(char *url, size_t len)
{
	char *p = url + str_copy(url, 700, "tls://");

	for (size_t i = 1; i <= len; i++)
		*p++ = i % 64 == 0 && i < len ? '.' : 'a';
	memcpy(p, ":1", 3);
}

static void
limits_names(void **state)
{
	char url[700];
	struct addr_url u;
	struct rk_error err;

	(void)state;
	make_long(url, 253);
	assert_int_equal(addr_parse(url, &u, &err), RK_OK);
	for (size_t len = 254; len < 600; len++) {
		make_long(url, len);
		assert_int_equal(addr_parse(url, &u, &err), RK_EINVAL);
		assert_non_null(strstr(err.text, "too long"));
	}
	(void)snprintf(url, sizeof(url), "tls://%064d:1", 0);
	url[6] = 'a';
	assert_int_equal(addr_parse(url, &u, &err), RK_EINVAL);
	(void)snprintf(url, sizeof(url), "tls://[%0600d]:1", 0);
	assert_int_equal(addr_parse(url, &u, &err), RK_EINVAL);
}

/* Cut anywhere, a URL is refused or means something shorter; never more. */
static void
survives_cuts(void **state)
{
	static const char whole[] = "tls://[fe80::1%25eth0]:8443";
	struct addr_url u;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		char *cut = strndup(whole, len);

		assert_non_null(cut);
		if (addr_parse(cut, &u, NULL) == RK_OK) {
			assert_true(len >= sizeof(whole) - 4);
			assert_string_equal(u.host, "fe80::1%eth0");
		}
		free(cut);
	}
}

/* ---- resolving ---- */

static size_t
resolve(const char *url, bool passive, struct addr *out, size_t cap)
{
	struct addr_url u;
	struct rk_error err = { 0 };
	size_t n;

	assert_int_equal(addr_parse(url, &u, &err), RK_OK);
	if (addr_resolve(&u, passive, out, cap, &n, &err) != RK_OK)
		fail_msg("%s: %s", url, err.text);
	return n;
}

static void
text_is(const struct addr *a, enum addr_scheme scheme, const char *want)
{
	char text[ADDR_TEXT_LEN];

	addr_format(a, scheme, text);
	assert_string_equal(text, want);
}

static void
resolves_numbers(void **state)
{
	static const char *const same[] = { "tls://127.0.0.1:8443",
		"tls://[::1]:1", "tls://[2001:db8::1]:65535",
		"tls://[fe80::1%1]:9", "tls://255.255.255.255:1" };
	struct addr a[2];

	(void)state;
	asked = 0;
	for (size_t i = 0; i < N(same); i++) {
		assert_int_equal(resolve(same[i], false, a, N(a)), 1);
		text_is(&a[0], ADDR_TLS, same[i]);
	}
	assert_int_equal(
	    resolve("tcp://[::ffff:127.0.0.1]:80", false, a, 2), 1);
	text_is(&a[0], ADDR_TCP, "tcp://127.0.0.1:80");
	assert_int_equal(resolve("tcp://[fe80::1%lo]:80", false, a, 2), 1);
	assert_int_equal(a[0].u.in6.sin6_scope_id, 1);
	assert_int_equal(asked, 0);
}

static void
resolves_localhost(void **state)
{
	struct addr a[4];

	(void)state;
	asked = 0;
	assert_int_equal(resolve("tls://localhost:8443", false, a, N(a)), 2);
	text_is(&a[0], ADDR_TLS, "tls://127.0.0.1:8443");
	text_is(&a[1], ADDR_TLS, "tls://[::1]:8443");
	assert_int_equal(resolve("tls://LocalHost.:8443", false, a, N(a)), 2);
	assert_int_equal(resolve("tls://localhost:0", true, a, 1), 1);
	text_is(&a[0], ADDR_TLS, "tls://127.0.0.1:0");
	assert_int_equal(asked, 0);
}

static void
resolves_any(void **state)
{
	struct addr a[4];
	struct addr_url u;
	struct rk_error err;
	size_t n;

	(void)state;
	assert_int_equal(resolve("tls://:5", true, a, N(a)), 1);
	if (a[0].u.sa.sa_family == AF_INET6)
		text_is(&a[0], ADDR_TLS, "tls://[::]:5");
	else
		text_is(&a[0], ADDR_TLS, "tls://0.0.0.0:5");
	assert_int_equal(resolve("tls://*:5", true, a, N(a)), 1);
	assert_int_equal(addr_parse("tls://:5", &u, NULL), RK_OK);
	assert_int_equal(
	    addr_resolve(&u, false, a, N(a), &n, &err), RK_ERESOLVE);
	assert_int_equal(n, 0);
	assert_string_equal(err.step, "resolve");
	assert_int_equal(addr_parse("tls://127.0.0.1:0", &u, NULL), RK_OK);
	assert_int_equal(
	    addr_resolve(&u, false, a, N(a), &n, &err), RK_ERESOLVE);
}

static void
resolves_names(void **state)
{
	static const char *const want[] = { "tcp://[2001:db8::1]:7",
		"tcp://192.0.2.1:7", "tcp://[2001:db8::2]:7",
		"tcp://192.0.2.2:7", "tcp://[2001:db8::3]:7" };
	struct addr a[8];

	(void)state;
	assert_int_equal(resolve("tcp://many:7", false, a, N(a)), N(want));
	for (size_t i = 0; i < N(want); i++)
		text_is(&a[i], ADDR_TCP, want[i]);
	assert_int_equal(resolve("tcp://many:7", false, a, 3), 3);
	text_is(&a[2], ADDR_TCP, want[2]);
	assert_int_equal(resolve("tcp://four:7", false, a, N(a)), 1);
	text_is(&a[0], ADDR_TCP, "tcp://192.0.2.9:7");
}

static void
tells_failed_names(void **state)
{
	struct addr_url u;
	struct addr a[2];
	struct rk_error err;
	size_t n = 9;

	(void)state;
	assert_int_equal(addr_parse("tcp://nobody:7", &u, NULL), RK_OK);
	assert_int_equal(addr_resolve(&u, false, a, 2, &n, &err), RK_ERESOLVE);
	assert_int_equal(n, 0);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.step, "resolve");
	assert_non_null(strstr(err.text, "\"nobody\""));
	assert_int_equal(addr_parse("tcp://broken:7", &u, NULL), RK_OK);
	assert_int_equal(addr_resolve(&u, false, a, 2, &n, &err), RK_ERESOLVE);
	assert_int_equal(err.sys, EMFILE);
	assert_int_equal(
	    addr_parse("tcp://[fe80::1%nosuchif]:7", &u, NULL), RK_OK);
	assert_int_equal(addr_resolve(&u, false, a, 2, &n, &err), RK_ERESOLVE);
	assert_non_null(strstr(err.text, "nosuchif"));
	assert_int_equal(addr_resolve(&u, false, a, 0, &n, &err), RK_ERESOLVE);
}

/* ---- text and kinds ---- */

static void
formats_unix(void **state)
{
	struct addr a[1];
	struct addr odd = { .len = sizeof(odd.u.un) };

	(void)state;
	assert_int_equal(resolve("unix:///run/x", false, a, 1), 1);
	assert_int_equal(a[0].u.sa.sa_family, AF_UNIX);
	text_is(&a[0], ADDR_UNIX, "unix:///run/x");
	odd.u.un.sun_family = AF_UNIX;
	memcpy(odd.u.un.sun_path, "/a\n", 4);
	text_is(&odd, ADDR_UNIX, "unix:///a\\x0a");
	odd.len = sizeof(odd.u.un.sun_family);
	text_is(&odd, ADDR_UNIX, "unix://");
	memcpy(odd.u.un.sun_path, "\0bus", 4);
	odd.len += 4;
	text_is(&odd, ADDR_UNIX, "unix://@bus");
	/* A path without its NUL, as long as it can be. */
	memset(odd.u.un.sun_path, '\x01', sizeof(odd.u.un.sun_path));
	odd.u.un.sun_path[0] = '/';
	odd.len = sizeof(odd.u.un);
	addr_format(&odd, ADDR_UNIX, (char[ADDR_TEXT_LEN]){ 0 });
}

static void
formats_strange(void **state)
{
	struct addr a = { 0 };

	(void)state;
	text_is(&a, ADDR_TCP, "tcp://?");
	assert_false(addr_is_loopback(&a));
	assert_int_equal(addr_prefix(&a), 0);
}

static void
knows_loopback(void **state)
{
	static const struct {
		const char *url;
		bool loopback;
	} cases[] = {
		{ "tcp://127.0.0.1:1", true },
		{ "tcp://127.255.0.9:1", true },
		{ "tcp://128.0.0.1:1", false },
		{ "tcp://10.0.0.1:1", false },
		{ "tcp://[::1]:1", true },
		{ "tcp://[::2]:1", false },
		{ "tcp://[::ffff:127.0.0.1]:1", true },
		{ "tcp://[::ffff:10.0.0.1]:1", false },
		{ "unix:///x", true },
	};
	struct addr a[1];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(resolve(cases[i].url, false, a, 1), 1);
		assert_int_equal(addr_is_loopback(&a[0]), cases[i].loopback);
	}
}

static uint64_t
prefix_of(const char *url)
{
	struct addr a[1];

	assert_int_equal(resolve(url, false, a, 1), 1);
	return addr_prefix(&a[0]);
}

static void
makes_prefixes(void **state)
{
	uint64_t four = prefix_of("tcp://192.0.2.1:1");
	uint64_t six = prefix_of("tcp://[2001:db8:1:100::1]:1");

	(void)state;
	assert_true(four == prefix_of("tcp://192.0.2.255:9"));
	assert_true(four == prefix_of("tcp://[::ffff:192.0.2.7]:9"));
	assert_true(four != prefix_of("tcp://192.0.3.1:1"));
	assert_true(six == prefix_of("tcp://[2001:db8:1:1ff:9::]:1"));
	assert_true(six != prefix_of("tcp://[2001:db8:1:200::1]:1"));
	assert_true(six != four && four != 0);
	/* The families do not meet. */
	assert_true(prefix_of("tcp://[::c000:2]:1") != four);
	assert_true(prefix_of("tcp://[::2]:1") != 0);
	assert_true(prefix_of("tcp://0.0.0.1:1") != 0);
	assert_true(prefix_of("unix:///x") == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_good),
		cmocka_unit_test(parses_unix),
		cmocka_unit_test(refuses_bad),
		cmocka_unit_test(reads_quic),
		cmocka_unit_test(limits_names),
		cmocka_unit_test(survives_cuts),
		cmocka_unit_test(resolves_numbers),
		cmocka_unit_test(resolves_localhost),
		cmocka_unit_test(resolves_any),
		cmocka_unit_test(resolves_names),
		cmocka_unit_test(tells_failed_names),
		cmocka_unit_test(formats_unix),
		cmocka_unit_test(formats_strange),
		cmocka_unit_test(knows_loopback),
		cmocka_unit_test(makes_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
