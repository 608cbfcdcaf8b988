/* Listening sockets that the service manager opened for us. */
#include "inherit.h"

#include "base/error.h"
#include "base/str.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FD 3
#define NAME_LEN 256

static unsigned
port_of(int fd)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.sa, &len) != 0)
		return 0;
	if (a.sa.sa_family == AF_INET)
		return ntohs(a.in.sin_port);
	return a.sa.sa_family == AF_INET6 ? ntohs(a.in6.sin6_port) : 0;
}

/* Of a socket; -1: it is none. */
static int
option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static bool
is_inet(int family)
{
	return family == AF_INET || family == AF_INET6;
}

/* NULL: nothing that can be served. */
static const char *
scheme_of(int fd, const char *name)
{
	const bool session = strstr(name, "ssh") != NULL;
	int family = option(fd, SO_DOMAIN);

	if (option(fd, SO_TYPE) == SOCK_DGRAM && is_inet(family)) {
		if (port_of(fd) == 0)
			return NULL;
		return session ? "ssh+udp" : "quic";
	}
	if (option(fd, SO_TYPE) != SOCK_STREAM ||
	    option(fd, SO_ACCEPTCONN) != 1)
		return NULL;
	if (family == AF_UNIX)
		return session ? "ssh+unix" : "unix";
	if (!is_inet(family))
		return NULL;
	if (session)
		return "ssh+tcp";
	return strstr(name, "tls") == NULL && strstr(name, "tcp") != NULL
	           ? "tcp"
	           : "tls";
}

/* Nothing that we start may have it, and nothing may wait in it. */
static bool
make_ours(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* One of the control's? */
static const char *
admin_name(const char *scheme, const char *name)
{
	static const char *const names[] = { "admin", "admin-view" };

	for (size_t i = 0; i < 2 && strcmp(scheme, "unix") == 0; i++) {
		if (strcmp(name, names[i]) == 0)
			return names[i];
	}
	return NULL;
}

static enum rk_err
take_one(struct inherit *in, int fd, const char *name, struct rk_error *err)
{
	const char *scheme = scheme_of(fd, name);

	if (scheme == NULL)
		return err_set(err, RK_ESTATE,
		    "LISTEN_FDS: descriptor %d is neither a listening stream "
		    "socket nor a bound UDP socket",
		    fd);
	if (!make_ours(fd))
		return err_set(
		    err, RK_EIO, "LISTEN_FDS: descriptor %d: no access", fd);
	in->list[in->n++] = (struct inherited){
		.fd = fd, .scheme = scheme, .admin = admin_name(scheme, name)
	};
	return RK_OK;
}

/* The next of the names, which colons separate. */
static const char *
next_name(const char *names, char dst[NAME_LEN])
{
	size_t len = strcspn(names, ":");
	size_t n = len < NAME_LEN ? len : NAME_LEN - 1;

	memcpy(dst, names, n);
	dst[n] = '\0';
	return names + len + (names[len] == ':');
}

static enum rk_err
take_all(struct inherit *in, const char *count, const char *names,
    struct rk_error *err)
{
	char name[NAME_LEN];
	uint64_t n;
	enum rk_err r = RK_OK;

	if (str_parse_u64(count, 0, INHERIT_MAX, &n) != RK_OK)
		return err_set(err, RK_ESTATE,
		    "LISTEN_FDS: not a number from 0 to %d", INHERIT_MAX);
	for (int i = 0; i < (int)n && r == RK_OK; i++) {
		names = next_name(names, name);
		r = take_one(in, FIRST_FD + i, name, err);
	}
	return r;
}

enum rk_err
inherit_take(struct inherit *in, struct rk_error *err)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	uint64_t n;
	enum rk_err r = RK_OK;

	*in = (struct inherit){ .n = 0 };
	err_clear(err);
	/* For us, not for whoever started us with its environment. */
	if (pid != NULL && count != NULL &&
	    str_parse_u64(pid, 1, INT32_MAX, &n) == RK_OK &&
	    n == (uint64_t)getpid())
		r = take_all(in, count, names == NULL ? "" : names, err);
	(void)unsetenv("LISTEN_PID"); /* names without "=": cannot fail */
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return r;
}

size_t
inherit_count(const struct inherit *in)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n; i++)
		n += in->list[i].admin == NULL;
	return n;
}

struct inherited *
inherit_admin(struct inherit *in, const char *name)
{
	for (size_t i = 0; i < in->n; i++) {
		if (in->list[i].admin != NULL &&
		    strcmp(in->list[i].admin, name) == 0)
			return &in->list[i];
	}
	return NULL;
}

static bool
is_session(const struct inherited *i)
{
	return strncmp(i->scheme, "ssh+", 4) == 0;
}

bool
inherit_has_tls(const struct inherit *in, bool psk)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct inherited *s = &in->list[i];

		if (strcmp(s->scheme, "tls") == 0 ||
		    strcmp(s->scheme, "quic") == 0 ||
		    (psk && s->admin == NULL && !is_session(s)))
			return true;
	}
	return false;
}

bool
inherit_has_sessions(const struct inherit *in)
{
	for (size_t i = 0; i < in->n; i++) {
		if (is_session(&in->list[i]))
			return true;
	}
	return false;
}

bool
inherit_has_port(const struct inherit *in, const char *url)
{
	const char *colon = strrchr(url, ':');
	uint64_t port;

	if (strncmp(url, "unix:", 5) == 0 || colon == NULL ||
	    str_parse_u64(colon + 1, 1, 65535, &port) != RK_OK)
		return false;
	for (size_t i = 0; i < in->n; i++) {
		size_t len = strlen(in->list[i].scheme);

		if (strncmp(in->list[i].scheme, url, len) == 0 &&
		    url[len] == ':' && port_of(in->list[i].fd) == port)
			return true;
	}
	return false;
}

void
inherit_close(struct inherit *in)
{
	for (size_t i = 0; i < in->n; i++) {
		if (!in->list[i].given)
			(void)close(in->list[i].fd); /* never written to */
	}
	in->n = 0;
}
