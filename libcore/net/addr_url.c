/* URLs of endpoints: a strict parser. */
#include "net/addr.h"

#include "base/error.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <net/if.h>

#define URL_TEXT 160 /* a URL in a message */
#define NAME_MAX_LEN 253
#define LABEL_MAX_LEN 63
#define PORT_MAX 65535
#define FD_MAX 1048576
#define FD_PREFIX "fd:"

static const char *const scheme_names[] = {
	[ADDR_TCP] = "tcp",
	[ADDR_TLS] = "tls",
	[ADDR_QUIC] = "quic",
	[ADDR_UNIX] = "unix",
	[ADDR_SSH_TCP] = "ssh+tcp",
	[ADDR_SSH_UDP] = "ssh+udp",
	[ADDR_SSH_UNIX] = "ssh+unix",
	[ADDR_FD] = "fd",
};

const char *
addr_scheme_name(enum addr_scheme scheme)
{
	return scheme_names[scheme];
}

bool
addr_is_proving(enum addr_scheme scheme)
{
	return scheme == ADDR_TLS || scheme == ADDR_QUIC;
}

bool
addr_is_session(enum addr_scheme scheme)
{
	return scheme >= ADDR_SSH_TCP;
}

bool
addr_is_unix(enum addr_scheme scheme)
{
	return scheme == ADDR_UNIX || scheme == ADDR_SSH_UNIX;
}

bool
addr_is_udp(enum addr_scheme scheme)
{
	return scheme == ADDR_QUIC || scheme == ADDR_SSH_UDP;
}

static enum rk_err
bad_url(const char *url, struct rk_error *err, const char *why)
{
	char text[URL_TEXT];

	str_escape(text, sizeof(text), url);
	return err_set(err, RK_EINVAL, "address \"%s\": %s", text, why);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* "0x7f" and "017" are numbers to some resolvers and names to others. */
static bool
is_number(const char *s, size_t len)
{
	size_t i = 0;
	bool hex = len >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');

	if (hex)
		i = 2;
	for (; i < len; i++)
		if (!(hex ? is_hex(s[i]) : is_digit(s[i])))
			return false;
	return len > 0;
}

/* One label of a name; underscores are in use, though not in host names. */
static bool
label_ok(const char *s, size_t len)
{
	if (len == 0 || len > LABEL_MAX_LEN || s[0] == '-' || s[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return true;
}

/* NULL, or why `host` is neither a name nor a dotted quad. */
static const char *
name_fault(const char *host)
{
	struct in_addr in;
	const char *label = host;
	const char *dot;

	if (strlen(host) > NAME_MAX_LEN)
		return "the host name is too long";
	while ((dot = strchr(label, '.')) != NULL && dot[1] != '\0') {
		if (!label_ok(label, (size_t)(dot - label)))
			return "the host name is malformed";
		label = dot + 1;
	}
	if (!label_ok(label, dot == NULL ? strlen(label) : strlen(label) - 1))
		return "the host name is malformed";
	if (is_number(label, strcspn(label, ".")) &&
	    inet_pton(AF_INET, host, &in) != 1)
		return "the host is a malformed IPv4 address";
	return NULL;
}

/* "fe80::1%eth0" apart; the zone in a URL may be written "%25eth0". */
static const char *
zone_fault(struct addr_url *out, char *percent)
{
	struct in6_addr in6;
	char *zone = percent + 1;
	size_t len;

	if (strncmp(zone, "25", 2) == 0 && zone[2] != '\0')
		memmove(zone, zone + 2, strlen(zone + 2) + 1);
	len = strlen(zone);
	if (len == 0 || len >= IF_NAMESIZE)
		return "the zone is malformed";
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(zone[i]) && strchr("-_.", zone[i]) == NULL)
			return "the zone is malformed";
	*percent = '\0';
	if (inet_pton(AF_INET6, out->host, &in6) != 1)
		return "malformed IPv6 address in the brackets";
	*percent = '%';
	if (!IN6_IS_ADDR_LINKLOCAL(&in6) && !IN6_IS_ADDR_MC_LINKLOCAL(&in6))
		return "only link-local addresses have a zone";
	return NULL;
}

static const char *
literal_fault(struct addr_url *out)
{
	struct in6_addr in6;
	char *percent = strchr(out->host, '%');

	if (percent != NULL)
		return zone_fault(out, percent);
	if (inet_pton(AF_INET6, out->host, &in6) != 1)
		return "malformed IPv6 address in the brackets";
	return NULL;
}

static const char *
port_fault(const char *s, uint16_t *port)
{
	uint64_t n;
	size_t len = strlen(s);

	if (len == 0)
		return "the port is missing";
	for (size_t i = 0; i < len; i++)
		if (!is_digit(s[i]))
			return "the port is not a number, or something follows "
			       "it";
	if (str_parse_u64(s, 0, PORT_MAX, &n) != RK_OK)
		return "the port is above 65535";
	if (len > 1 && s[0] == '0')
		return "the port begins with a zero";
	*port = (uint16_t)n;
	return NULL;
}

static const char *
copy_host(struct addr_url *out, const char *s, size_t len)
{
	if (len >= sizeof(out->host))
		return "the host name is too long";
	memcpy(out->host, s, len);
	out->host[len] = '\0';
	return NULL;
}

static const char *
bracketed_fault(const char *rest, struct addr_url *out)
{
	const char *end = strchr(rest, ']');
	const char *why;

	if (end == NULL)
		return "the closing bracket is missing";
	if (end[1] != ':')
		return "the port is missing";
	if ((why = copy_host(out, rest + 1, (size_t)(end - rest - 1))) !=
	        NULL ||
	    (why = literal_fault(out)) != NULL)
		return why;
	return port_fault(end + 2, &out->port);
}

static const char *
inet_fault(const char *rest, struct addr_url *out)
{
	const char *colon = strchr(rest, ':');
	const char *why;

	if (rest[0] == '[')
		return bracketed_fault(rest, out);
	if (colon == NULL)
		return "the port is missing";
	if (strchr(colon + 1, ':') != NULL)
		return "an IPv6 address needs brackets";
	if ((why = copy_host(out, rest, (size_t)(colon - rest))) != NULL)
		return why;
	if (out->host[0] != '\0' && strcmp(out->host, "*") != 0 &&
	    (why = name_fault(out->host)) != NULL)
		return why;
	return port_fault(colon + 1, &out->port);
}

static const char *
unix_fault(const char *rest, struct addr_url *out)
{
	if (rest[0] != '/')
		return "the path must begin with a slash (unix:///path)";
	if (rest[strlen(rest) - 1] == '/')
		return "the path names a directory";
	for (const char *p = rest; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return "the path holds a control character";
	if (str_copy(out->path, sizeof(out->path), rest) >= sizeof(out->path))
		return "the path is longer than 107 bytes";
	return NULL;
}

bool
addr_scheme_find(const char *name, size_t len, enum addr_scheme *out)
{
	for (size_t i = 0; i < sizeof(scheme_names) / sizeof(*scheme_names);
	     i++) {
		if (strlen(scheme_names[i]) == len &&
		    memcmp(scheme_names[i], name, len) == 0) {
			*out = (enum addr_scheme)i;
			return true;
		}
	}
	return false;
}

/* One number, from *p on, which moves behind it. */
static bool
take_fd(const char **p, int *fd)
{
	long n = 0;
	const char *from = *p;

	for (; is_digit(**p) && n <= FD_MAX; ++*p)
		n = n * 10 + (**p - '0');
	*fd = (int)n;
	return *p != from && n <= FD_MAX && (*from != '0' || *p == from + 1);
}

static const char *
fd_fault(const char *rest, struct addr_url *out)
{
	out->scheme = ADDR_FD;
	if (!take_fd(&rest, &out->fds[0]))
		return "not of the form fd:N or fd:N,M";
	out->fds[1] = out->fds[0];
	if (*rest == ',') {
		rest++;
		if (!take_fd(&rest, &out->fds[1]))
			return "not of the form fd:N or fd:N,M";
	}
	return *rest == '\0' ? NULL : "something follows the descriptor";
}

enum rk_err
addr_parse(const char *url, struct addr_url *out, struct rk_error *err)
{
	const char *mark = strstr(url, "://");
	const char *why;

	*out = (struct addr_url){ 0 };
	if (strncmp(url, FD_PREFIX, strlen(FD_PREFIX)) == 0) {
		why = fd_fault(url + strlen(FD_PREFIX), out);
		goto out;
	}
	if (mark == NULL)
		return bad_url(url, err,
		    "not of the form quic://host:port, tls://host:port, "
		    "tcp://host:port or unix:///path");
	if (!addr_scheme_find(url, (size_t)(mark - url), &out->scheme) ||
	    out->scheme == ADDR_FD)
		return bad_url(url, err,
		    "unknown scheme (known: quic, tls, tcp, unix, ssh+tcp, "
		    "ssh+udp, ssh+unix)");
	if (addr_is_unix(out->scheme))
		why = unix_fault(mark + 3, out);
	else
		why = inet_fault(mark + 3, out);
out:
	if (why == NULL)
		return RK_OK;
	*out = (struct addr_url){ 0 };
	return bad_url(url, err, why);
}
