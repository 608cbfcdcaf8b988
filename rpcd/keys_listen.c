/* Where to listen: what a setting may say, made into a URL. */
#include "keys.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

static const char *
listen_port_fault(const char *rest)
{
	const char *colon = strrchr(rest, ':');
	uint64_t port;

	if (colon == NULL || str_parse_u64(colon + 1, 0, 65535, &port) != RK_OK)
		return "not of the form tls:ADDRESS:PORT";
	if (rest[0] != '[' && memchr(rest, ':', (size_t)(colon - rest)) != NULL)
		return "an IPv6 address needs brackets";
	return NULL;
}

/* A socket, or two pipes. */
static const char *
listen_fd_fault(const char *rest)
{
	return rest[0] != '\0' && strspn(rest, "0123456789,") == strlen(rest)
	           ? NULL
	           : "not of the form fd:N or fd:N,M";
}

const char *
keys_listen(char **text)
{
	static const char *const words[] = { "tls", "quic", "tcp", "ssh+tcp",
		"ssh+udp", "unix", "ssh+unix", "fd" };
	enum {
		N_WORDS = 8,
		FIRST_PATH = 5,
		FD = 7
	};
	const char *colon = strchr(*text, ':');
	const char *rest;
	const char *why;
	char *url = NULL;
	size_t i;

	for (i = 0; colon != NULL && i < N_WORDS; i++) {
		if (strlen(words[i]) == (size_t)(colon - *text) &&
		    strncmp(*text, words[i], strlen(words[i])) == 0)
			break;
	}
	if (colon == NULL || i == N_WORDS)
		return "not tls:ADDRESS:PORT, quic:ADDRESS:PORT, "
		       "tcp:ADDRESS:PORT, ssh+tcp:ADDRESS:PORT, "
		       "ssh+udp:ADDRESS:PORT, unix:PATH, ssh+unix:PATH or "
		       "fd:N";
	rest = colon + 1;
	if (i == FD)
		return listen_fd_fault(rest);
	if (strncmp(rest, "//", 2) == 0)
		rest += 2;
	if (i >= FIRST_PATH)
		why = rest[0] == '/' ? NULL : "not of the form unix:/PATH";
	else
		why = listen_port_fault(rest);
	if (why != NULL)
		return why;
	if (asprintf(&url, "%s://%s", words[i], rest) < 0)
		url = NULL;
	if (url == NULL)
		return "out of memory";
	free(*text);
	*text = url;
	return NULL;
}
