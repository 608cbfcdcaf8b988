/* Socket addresses: from URLs, to text, and their kinds. */
#include "net/addr.h"

#include "base/be.h"
#include "base/error.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

#define HOST_TEXT 160 /* a host in a message */
#define FOUND_MAX 64  /* addresses of one family looked at */

static void
set_in(struct addr *a, struct in_addr in, uint16_t port)
{
	*a = (struct addr){ .len = sizeof(a->u.in) };
	a->u.in.sin_family = AF_INET;
	a->u.in.sin_addr = in;
	a->u.in.sin_port = htons(port);
}

static void
set_in6(struct addr *a, const struct in6_addr *in6, uint16_t port)
{
	*a = (struct addr){ .len = sizeof(a->u.in6) };
	a->u.in6.sin6_family = AF_INET6;
	a->u.in6.sin6_addr = *in6;
	a->u.in6.sin6_port = htons(port);
}

/* The number of a zone, 0 when there is no such interface. */
static uint32_t
zone_number(const char *zone)
{
	uint64_t n;

	if (str_parse_u64(zone, 1, UINT32_MAX, &n) == RK_OK)
		return (uint32_t)n;
	return if_nametoindex(zone);
}

/* Fill *a when the host is a number; a zone that is none is the fault. */
static bool
set_numeric(const struct addr_url *url, struct addr *a, bool *bad_zone)
{
	char host[sizeof(url->host)];
	struct in_addr in;
	struct in6_addr in6;
	char *percent;

	*bad_zone = false;
	if (inet_pton(AF_INET, url->host, &in) == 1) {
		set_in(a, in, url->port);
		return true;
	}
	(void)str_copy(host, sizeof(host), url->host); /* same size */
	percent = strchr(host, '%');
	if (percent != NULL)
		*percent = '\0';
	if (inet_pton(AF_INET6, host, &in6) != 1)
		return false;
	set_in6(a, &in6, url->port);
	if (percent == NULL)
		return true;
	a->u.in6.sin6_scope_id = zone_number(percent + 1);
	*bad_zone = a->u.in6.sin6_scope_id == 0;
	return true;
}

/* Every interface: one dual-stack address, or IPv4 where there is no IPv6. */
static void
set_any(struct addr *a, uint16_t port)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		set_in(a, (struct in_addr){ .s_addr = INADDR_ANY }, port);
		return;
	}
	(void)close(fd); /* only asked whether there is such a thing */
	set_in6(a, &in6addr_any, port);
}

static void
set_unix(struct addr *a, const char *path)
{
	*a = (struct addr){ 0 };
	a->u.un.sun_family = AF_UNIX;
	/* addr_parse() measured it against the same 108 bytes. */
	(void)str_copy(a->u.un.sun_path, sizeof(a->u.un.sun_path), path);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	                     strlen(a->u.un.sun_path) + 1);
}

/* The resolver's order, the families in turn (RFC 8305, section 4). */
static size_t
interleave(
    const struct addrinfo *list, uint16_t port, struct addr *out, size_t cap)
{
	const struct addrinfo *found[2][FOUND_MAX];
	size_t n[2] = { 0, 0 };
	size_t used[2] = { 0, 0 };
	size_t total = 0;
	size_t turn = list->ai_family == AF_INET6;

	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		size_t f = ai->ai_family == AF_INET6;

		if ((f == 1 || ai->ai_family == AF_INET) && n[f] < FOUND_MAX)
			found[f][n[f]++] = ai;
	}
	while (total < cap && (used[0] < n[0] || used[1] < n[1])) {
		const struct addrinfo *ai;

		if (used[turn] == n[turn])
			turn = 1 - turn;
		ai = found[turn][used[turn]++];
		out[total] = (struct addr){ .len = ai->ai_addrlen };
		memcpy(&out[total].u, ai->ai_addr, ai->ai_addrlen);
		if (ai->ai_family == AF_INET6)
			out[total].u.in6.sin6_port = htons(port);
		else
			out[total].u.in.sin_port = htons(port);
		total++;
		turn = 1 - turn;
	}
	return total;
}

static enum rk_err
ask_resolver(const struct addr_url *url, struct addr *out, size_t cap,
    size_t *n, struct rk_error *err)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG,
	};
	struct addrinfo *list = NULL;
	char host[HOST_TEXT];
	int g;

	str_escape(host, sizeof(host), url->host);
	g = getaddrinfo(url->host, NULL, &hints, &list);
	if (g == EAI_SYSTEM)
		return err_sys(
		    err, RK_ERESOLVE, errno, "cannot look up \"%s\"", host);
	if (g != 0)
		return err_set(err, RK_ERESOLVE, "cannot look up \"%s\": %s",
		    host, gai_strerror(g));
	*n = interleave(list, url->port, out, cap);
	freeaddrinfo(list);
	if (*n == 0)
		return err_set(err, RK_ERESOLVE,
		    "cannot look up \"%s\": no address", host);
	return RK_OK;
}

static size_t
set_localhost(struct addr *out, size_t cap, uint16_t port)
{
	set_in(&out[0], (struct in_addr){ .s_addr = htonl(INADDR_LOOPBACK) },
	    port);
	if (cap < 2)
		return 1;
	set_in6(&out[1], &in6addr_loopback, port);
	return 2;
}

static enum rk_err
resolve_inet(const struct addr_url *url, bool passive, struct addr *out,
    size_t cap, size_t *n, struct rk_error *err)
{
	bool any = url->host[0] == '\0' || strcmp(url->host, "*") == 0;
	bool bad_zone;

	if (any && !passive)
		return err_set(err, RK_ERESOLVE, "no host to connect to");
	if (url->port == 0 && !passive)
		return err_set(err, RK_ERESOLVE, "no port to connect to");
	if (any) {
		set_any(out, url->port);
		*n = 1;
		return RK_OK;
	}
	if (set_numeric(url, out, &bad_zone)) {
		if (bad_zone)
			return err_set(err, RK_ERESOLVE,
			    "no interface of the name after the '%%' in %s",
			    url->host);
		*n = 1;
		return RK_OK;
	}
	if (strcasecmp(url->host, "localhost") == 0 ||
	    strcasecmp(url->host, "localhost.") == 0) {
		*n = set_localhost(out, cap, url->port);
		return RK_OK;
	}
	return ask_resolver(url, out, cap, n, err);
}

enum rk_err
addr_resolve(const struct addr_url *url, bool passive, struct addr *out,
    size_t cap, size_t *n, struct rk_error *err)
{
	enum rk_err r;

	*n = 0;
	if (cap == 0)
		return err_set(err, RK_ERESOLVE, "no room for an address");
	if (addr_is_unix(url->scheme)) {
		set_unix(out, url->path);
		*n = 1;
		return RK_OK;
	}
	r = resolve_inet(url, passive, out, cap, n, err);
	if (r != RK_OK && err != NULL)
		err->step = "resolve";
	return r;
}

/* ---- text and kinds ---- */

/* The IPv4 address of a, also of one mapped into IPv6; host byte order. */
static bool
ipv4_of(const struct addr *a, uint32_t *ip)
{
	const uint8_t *b = a->u.in6.sin6_addr.s6_addr;

	*ip = 0;
	if (a->u.sa.sa_family == AF_INET) {
		*ip = ntohl(a->u.in.sin_addr.s_addr);
		return true;
	}
	if (a->u.sa.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr))
		return false;
	*ip = be_get32(b + 12);
	return true;
}

static void
format_inet6(const struct addr *a, const char *scheme, char *out)
{
	char ip[INET6_ADDRSTRLEN] = "";
	char zone[16] = "";
	unsigned port = ntohs(a->u.in6.sin6_port);

	(void)inet_ntop(AF_INET6, &a->u.in6.sin6_addr, ip, sizeof(ip));
	if (a->u.in6.sin6_scope_id != 0)
		(void)snprintf(
		    zone, sizeof(zone), "%%%u", a->u.in6.sin6_scope_id);
	(void)snprintf(
	    out, ADDR_TEXT_LEN, "%s://[%s%s]:%u", scheme, ip, zone, port);
}

/* Unnamed (the connecting end), abstract ("@name"), or a path. */
static void
format_unix(const struct addr *a, enum addr_scheme scheme, char *out)
{
	size_t base = offsetof(struct sockaddr_un, sun_path);
	size_t len = a->len > base ? a->len - base : 0;
	const char *path = a->u.un.sun_path;
	char text[ADDR_TEXT_LEN - 12];

	if (len > 0 && path[0] == '\0') {
		text[0] = '@';
		rk_escape(text + 1, sizeof(text) - 1, path + 1, len - 1);
	} else {
		rk_escape(text, sizeof(text), path, strnlen(path, len));
	}
	(void)snprintf(out, ADDR_TEXT_LEN, "%s://%s",
	    scheme == ADDR_SSH_UNIX ? "ssh+unix" : "unix", text);
}

void
addr_format(
    const struct addr *a, enum addr_scheme scheme, char out[ADDR_TEXT_LEN])
{
	const char *name = addr_scheme_name(scheme);
	uint32_t ip;

	if (a->u.sa.sa_family == AF_UNIX)
		format_unix(a, scheme, out);
	else if (ipv4_of(a, &ip))
		(void)snprintf(out, ADDR_TEXT_LEN, "%s://%u.%u.%u.%u:%u", name,
		    ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
		    (unsigned)ntohs(a->u.in.sin_port));
	else if (a->u.sa.sa_family == AF_INET6)
		format_inet6(a, name, out);
	else
		(void)snprintf(out, ADDR_TEXT_LEN, "%s://?", name);
}

bool
addr_is_loopback(const struct addr *a)
{
	uint32_t ip;

	if (a->u.sa.sa_family == AF_UNIX)
		return true;
	if (ipv4_of(a, &ip))
		return ip >> 24 == 127;
	return a->u.sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr);
}

uint64_t
addr_prefix(const struct addr *a)
{
	uint32_t ip;

	if (ipv4_of(a, &ip))
		return (uint64_t)4 << 56 | ip >> 8;
	if (a->u.sa.sa_family != AF_INET6)
		return 0;
	return (uint64_t)6 << 56 | be_get(a->u.in6.sin6_addr.s6_addr, 7);
}
