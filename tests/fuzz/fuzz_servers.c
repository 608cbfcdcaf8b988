/* Hostile lists of known servers: a verdict is one of three, and consistent. */
#include <stdlib.h>
#include <string.h>

#include "trust/servers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first 32 bytes are the peer's key, the rest is the list. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_peer peer = { .remote = "tls://127.0.0.1:8443",
		.proven = true,
		.cert = { .email = "node@example.org,x@y" } };
	struct rk_server_view view = { .list = RK_TRUST_OPEN };
	struct servers_query q;
	struct rk_error err;
	struct known known;
	const char *text;

	if (size < sizeof(peer.cert.pub))
		return 0;
	memcpy(peer.cert.pub, data, sizeof(peer.cert.pub));
	text = (const char *)data + sizeof(peer.cert.pub);
	size -= sizeof(peer.cert.pub);
	if (servers_ask("lab.example:8443", &peer, &q, &err) != RK_OK)
		abort();
	servers_judge(text, size, &q, &view);
	if (view.is == RK_SERVER_CHANGED && view.line.fp[0] == '\0')
		abort();
	if (known_parse("f", text, size, &known, &err) == RK_OK &&
	    view.is == RK_SERVER_KNOWN && !known_has(&known, peer.cert.pub))
		abort();
	known_fini(&known);
	return 0;
}
