/* What a call was like: how long each step took. */
#include "figures.h"

#include "base/str.h"
#include "cli/graph.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INDENT 6     /* "time" or "size", and two blanks */
#define PART_LEN 160 /* of what is not broken */

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

/* ---- for a person ---- */

/* "chacha20-poly1305" of "TLS_CHACHA20_POLY1305_SHA256"; others as they are. */
static const char *
cipher_name(const char *cipher, char *dst, size_t len)
{
	const char *end = strstr(cipher, "_SHA");
	size_t n = 0;

	if (strncmp(cipher, "TLS_", 4) != 0 || end == NULL) {
		(void)str_copy(dst, len, cipher);
		return dst;
	}
	for (cipher += 4; cipher < end && n + 1 < len; cipher++)
		dst[n++] =
		    (char)(*cipher == '_' ? '-'
		                          : tolower((unsigned char)*cipher));
	dst[n] = '\0';
	return dst;
}

/* TLS and QUIC's handshake are 1.3: nothing older is spoken. */
static const char *
transport_name(const char *transport)
{
	if (strcmp(transport, "tls") == 0)
		return "tls1.3";
	return strcmp(transport, "quic") == 0 ? "quic tls1.3" : transport;
}

/* A line of parts; on a terminal, where it is full, it goes on in the next. */
struct parts {
	size_t at;
	size_t columns;
};

static void
begin(struct parts *l, const char *name)
{
	l->columns = isatty(STDERR_FILENO) == 1 ? graph_columns(STDERR_FILENO)
	                                        : SIZE_MAX;
	l->at = INDENT - 2;
	(void)fprintf(stderr, "%-*s", INDENT - 2, name);
}

static void RK_PRINTF(2, 3) put(struct parts *l, const char *fmt, ...)
{
	char part[PART_LEN];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(part, sizeof(part), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (l->at + 2 + (size_t)n > l->columns && l->at > INDENT) {
		(void)fprintf(stderr, "\n%*s", INDENT - 2, "");
		l->at = INDENT - 2;
	}
	(void)fprintf(stderr, "  %s", part);
	l->at += 2 + (size_t)n;
}

static void
put_ms(struct parts *l, const char *name, uint64_t us)
{
	put(l, "%s %.1f", name, (double)us / 1e3);
}

static void
times_text(const struct figures *f, const struct rk_timing *tm, uint64_t total)
{
	const struct rk_peer *p = &f->peer;
	struct parts l;

	begin(&l, "time");
	put_ms(&l, "dns", tm->resolve);
	put_ms(&l, "connect", tm->connect);
	put_ms(&l, figures_handshake(p->transport), tm->tls);
	put_ms(&l, "trust", tm->trust);
	if (p->psk[0] != '\0')
		put_ms(&l, "psk", tm->psk);
	if (is_answered(f)) {
		put_ms(&l, "send", f->reply.send_us);
		put_ms(&l, "wait", f->reply.wait_us);
		put_ms(&l, "recv", f->reply.recv_us);
	} else {
		put_ms(&l, "call", f->call_us);
	}
	put(&l, "total %.1f ms", (double)total / 1e3);
	(void)fputc('\n', stderr);
}

static void
sizes_text(const struct figures *f)
{
	const struct rk_peer *p = &f->peer;
	char cipher[64], fp[RK_FP_GROUPED_LEN];
	struct parts l;

	begin(&l, "size");
	put(&l, "sent %zu B", f->sent);
	put(&l, "got %zu B", f->got);
	if (p->transport != NULL) {
		put(&l, "%s%s%s", transport_name(p->transport),
		    p->cipher[0] == '\0' ? "" : " ",
		    cipher_name(p->cipher, cipher, sizeof(cipher)));
		if (p->psk[0] != '\0')
			put(&l, "psk %s", p->psk);
		if (p->proven)
			rk_fp_group(p->cert.fp, fp);
		put(&l, "peer %s", p->proven ? fp : "not authenticated");
	}
	(void)fputc('\n', stderr);
}

void
figures_brief(const struct out *o, const struct figures *f)
{
	double ms = (double)f->call_us / 1e3;

	if (o->form == OUT_JSON || o->quiet || isatty(STDERR_FILENO) != 1)
		return;
	if (ms < 10000)
		(void)fprintf(stderr, "%.1f ms\n", ms);
	else
		(void)fprintf(stderr, "%.1f s\n", ms / 1e3);
}

/* ---- for programs ---- */

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
	else {
		times_text(f, &tm, total);
		sizes_text(f);
	}
}
