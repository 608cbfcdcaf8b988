/* What a call was like: how long each step took. */
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *
figures_handshake(const char *transport)
{
	if (transport == NULL)
		return "tls";
	if (strncmp(transport, "ssh+", 4) == 0 || strcmp(transport, "fd") == 0)
		return "session";
	return strcmp(transport, "quic") == 0 ? "quic" : "tls";
}

/* Streams, one-way messages, and calls that no answer came to, have no steps.
 */
static bool
is_answered(const struct figures *f)
{
	return f->reply.send_us + f->reply.wait_us + f->reply.recv_us != 0;
}

static void
time_text(const struct figures *f, const struct rk_timing *tm, uint64_t total)
{
	const struct rk_peer *p = &f->peer;

	(void)fprintf(stderr, "time  dns %.1f  connect %.1f  %s %.1f",
	    (double)tm->resolve / 1e3, (double)tm->connect / 1e3,
	    figures_handshake(p->transport), (double)tm->tls / 1e3);
	if (p->psk[0] != '\0')
		(void)fprintf(stderr, "  psk %.1f", (double)tm->psk / 1e3);
	(void)fprintf(stderr, "  trust %.1f", (double)tm->trust / 1e3);
	if (is_answered(f))
		(void)fprintf(stderr, "  send %.1f  wait %.1f  recv %.1f",
		    (double)f->reply.send_us / 1e3,
		    (double)f->reply.wait_us / 1e3,
		    (double)f->reply.recv_us / 1e3);
	else
		(void)fprintf(stderr, "  call %.1f", (double)f->call_us / 1e3);
	(void)fprintf(stderr, "  total %.1f ms\n", (double)total / 1e3);
	(void)fprintf(stderr, "size  sent %zu B  got %zu B", f->sent, f->got);
	if (p->transport != NULL)
		(void)fprintf(stderr, "   %s%s%s%s%s  peer %s", p->transport,
		    p->cipher[0] == '\0' ? "" : " ", p->cipher,
		    p->psk[0] == '\0' ? "" : "  psk ", p->psk,
		    p->proven ? p->cert.fp : "not authenticated");
	(void)fputc('\n', stderr);
}

static void
time_json(const struct figures *f, const struct rk_timing *tm, uint64_t total)
{
	const struct rk_peer *p = &f->peer;

	(void)fprintf(stderr,
	    "{\"schema\":1,\"time\":{\"dns_us\":%" PRIu64
	    ",\"connect_us\":%" PRIu64 ",\"tls_us\":%" PRIu64
	    ",\"psk_us\":%" PRIu64 ",\"trust_us\":%" PRIu64
	    ",\"call_us\":%" PRIu64,
	    tm->resolve, tm->connect, tm->tls, tm->psk, tm->trust, f->call_us);
	if (is_answered(f))
		(void)fprintf(stderr,
		    ",\"send_us\":%" PRIu64 ",\"wait_us\":%" PRIu64
		    ",\"recv_us\":%" PRIu64,
		    f->reply.send_us, f->reply.wait_us, f->reply.recv_us);
	(void)fprintf(stderr,
	    ",\"total_us\":%" PRIu64 "},\"sent\":%zu,\"got\":%zu", total,
	    f->sent, f->got);
	if (p->transport != NULL)
		(void)fprintf(stderr,
		    ",\"transport\":\"%s\",\"cipher\":\"%s\","
		    "\"psk\":\"%s\",\"fingerprint\":\"%s\"",
		    p->transport, p->cipher, p->psk,
		    p->proven ? p->cert.fp : "");
	(void)fputs("}\n", stderr);
}

void
figures_time(const struct out *o, const struct figures *f)
{
	struct rk_timing tm;
	uint64_t total;

	rk_client_timing(f->client, &tm);
	total =
	    tm.resolve + tm.connect + tm.tls + tm.psk + tm.trust + f->call_us;
	if (o->form == OUT_JSON)
		time_json(f, &tm, total);
	else
		time_text(f, &tm, total);
}
