/* How a program that calls, or is called, is reached: for --version. */
#include "cli/transports.h"

#include <rpckit/base.h>

#include <stdbool.h>
#include <stdio.h>

const char *
transports_text(char *dst, size_t len)
{
	const char *quic = rk_version_quic();
	bool has = quic[0] != '\0';

	(void)snprintf(dst, len, "transports: tls %stcp unix (%s)",
	    has ? "quic " : "", has ? quic : "this build has no QUIC");
	return dst;
}
