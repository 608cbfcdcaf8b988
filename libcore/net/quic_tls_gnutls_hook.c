/* Between the messages of a handshake: judging, tickets, what is forbidden. */
#include "net/quic_tls_gnutls.h"

#include "base/be.h"
#include "base/error.h"
#include "net/tls_cert.h"
#include "trust/chain.h"

#define EXT_PRE_SHARED_KEY 41
#define EXT_EARLY_DATA 42

/* ---- judging ---- */

static int
judge(struct quic_tls *t, const struct rk_bytes *certs, size_t n)
{
	enum rk_err r;

	r = tls_judge(
	    t->ctx->base.verify, t->ctx->base.arg, certs, n, &t->base.refused);
	if (r == RK_OK) {
		t->judged = true;
		return 0;
	}
	t->alert = r == RK_EREVOKED ? GNUTLS_A_CERTIFICATE_REVOKED
	                            : GNUTLS_A_BAD_CERTIFICATE;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* Peers and the library agree on what was shown, and who this is. */
static int
judge_shown(struct quic_tls *t)
{
	struct rk_bytes certs[CHAIN_CERTS_MAX + 1] = { 0 };
	unsigned n = 0;
	const gnutls_datum_t *chain =
	    gnutls_certificate_get_peers(t->session, &n);
	int rv;

	if (chain == NULL || n == 0)
		return GNUTLS_E_CERTIFICATE_REQUIRED;
	for (unsigned i = 0; i < n && i <= CHAIN_CERTS_MAX; i++)
		certs[i] = (struct rk_bytes){ chain[i].data, chain[i].size };
	if ((rv = judge(t, certs, n)) != 0)
		return rv;
	if (quic_kept_set(&t->base.peer, chain[0].data, chain[0].size) != RK_OK)
		return GNUTLS_E_MEMORY_ERROR;
	return 0;
}

int
quic_tls_on_verify(gnutls_session_t session)
{
	return judge_shown(gnutls_db_get_ptr(session));
}

/* ---- a server's ---- */

/* What of a ClientHello matters here. */
struct hello {
	struct rk_bytes ticket;
	bool early;
};

/* The first identity of PreSharedKeyExtension is a ticket if there is one. */
static int
on_extension(void *arg, unsigned id, const unsigned char *p, unsigned len)
{
	struct hello *h = arg;
	size_t n;

	if (id == EXT_EARLY_DATA)
		h->early = true;
	if (id != EXT_PRE_SHARED_KEY || len < 4)
		return 0;
	n = be_get16(p + 2);
	if (n <= len - 4)
		h->ticket = (struct rk_bytes){ p + 4, n };
	return 0;
}

/*
 * Before the library looks at a ClientHello.  Early data are taken from a
 * ticket that has not brought any, so that nobody can send them again.  A
 * ticket from elsewhere brings them only where the peer must be known, for
 * they wait then until the handshake is complete, which nobody else completes.
 */
static int
before_client_hello(struct quic_tls *t, const gnutls_datum_t *msg)
{
	struct quic_tls_ctx *ctx = t->ctx;
	struct hello h = { .early = false };
	enum quic_ticket ticket;

	t->ticket_known = false;
	if (ctx->base.tickets == NULL ||
	    gnutls_ext_raw_parse(&h, on_extension, msg,
	        GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO) < 0 ||
	    h.ticket.len == 0)
		return 0; /* the library has its own opinion of nonsense */
	ticket = quic_tickets_find(
	    ctx->base.tickets, h.ticket, h.early, &t->ticket_leaf);
	t->ticket_known = ticket != QUIC_TICKET_UNKNOWN;
	if ((ticket == QUIC_TICKET_FRESH && h.early &&
	        quic_tls_ctx_recalls(&ctx->base, &t->ticket_leaf)) ||
	    (ticket == QUIC_TICKET_UNKNOWN && ctx->base.verify != NULL))
		gnutls_anti_replay_enable(t->session, ctx->anti_replay);
	return 0;
}

/* The library has accepted the ticket and shown nothing early yet. */
static int
after_own_hello(struct quic_tls *t)
{
	struct buf leaf = t->ticket_leaf;
	struct rk_bytes cert = { buf_peek(&leaf), buf_len(&leaf) };
	int rv;

	if (!t->ticket_known || t->ctx->base.verify == NULL ||
	    gnutls_session_is_resumed(t->session) == 0)
		return 0;
	if ((rv = judge(t, &cert, cert.len > 0 ? 1 : 0)) != 0)
		return rv;
	t->ticket_leaf = t->base.peer;
	t->base.peer = leaf;
	return 0;
}

/* A session that began elsewhere shows only now whose it is. */
static int
after_client_finished(struct quic_tls *t)
{
	if (t->ctx->base.verify == NULL || t->judged)
		return 0;
	return judge_shown(t);
}

/* ---- a ticket on its way ---- */

struct new_ticket {
	struct rk_bytes ticket;
	uint32_t seconds; /* it lives */
	bool early;
};

/* NewSessionTicket (RFC 8446, 4.6.1): lifetime and age_add, 4 bytes each, a
 * nonce, the ticket, extensions. */
static bool
parse_ticket(const gnutls_datum_t *msg, struct new_ticket *out)
{
	const uint8_t *p = msg->data;
	size_t len = msg->size;
	size_t at = 8;
	size_t n;

	*out = (struct new_ticket){ .early = false };
	if (at >= len)
		return false;
	out->seconds = be_get32(p);
	at += 1 + (size_t)p[at];
	if (at + 2 > len)
		return false;
	n = be_get16(p + at);
	at += 2;
	if (n == 0 || n > len - at)
		return false;
	out->ticket = (struct rk_bytes){ p + at, n };
	at += n + 2;
	while (at + 4 <= len) {
		n = be_get16(p + at + 2);
		if (n > len - at - 4)
			return false;
		/* QUIC knows one size only (RFC 9001, 4.6.1). */
		if (be_get16(p + at) == EXT_EARLY_DATA)
			out->early = n == 4 &&
			             be_get16(p + at + 4) == UINT16_MAX &&
			             be_get16(p + at + 6) == UINT16_MAX;
		at += 4 + n;
	}
	return true;
}

static int
after_ticket_sent(struct quic_tls *t, const gnutls_datum_t *msg)
{
	struct new_ticket made;

	if (t->ctx->base.tickets != NULL && parse_ticket(msg, &made))
		quic_tickets_add(t->ctx->base.tickets, made.ticket,
		    buf_peek(&t->base.peer), buf_len(&t->base.peer));
	return 0;
}

/* The library eats the message before it shows it again. */
static int
before_ticket_received(struct quic_tls *t, const gnutls_datum_t *msg)
{
	struct new_ticket got;

	if (!parse_ticket(msg, &got))
		return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
	t->ticket_early = got.early;
	t->ticket_seconds = got.seconds;
	return 0;
}

static int
after_ticket_received(struct quic_tls *t)
{
	gnutls_datum_t session = { NULL, 0 };

	if (gnutls_session_get_data2(t->session, &session) < 0)
		return 0;
	quic_tls_base_remember(&t->base, session.data, session.size,
	    t->ticket_seconds, t->ticket_early);
	gnutls_memset(session.data, 0, session.size);
	gnutls_free(session.data);
	return 0;
}

/* ---- a client's ---- */

static int
after_server_hello(struct quic_tls *t)
{
	if (gnutls_session_is_resumed(t->session) == 0)
		buf_fini(&t->base.peer); /* it will show who it is */
	return 0;
}

/* ---- all ---- */

static int
before_received(struct quic_tls *t, unsigned type, const gnutls_datum_t *msg)
{
	/* QUIC changes keys its own way (RFC 9001, 6). */
	if (type == GNUTLS_HANDSHAKE_KEY_UPDATE)
		return GNUTLS_E_UNEXPECTED_PACKET;
	if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO && t->ctx->base.server)
		return before_client_hello(t, msg);
	if (type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET && !t->ctx->base.server)
		return before_ticket_received(t, msg);
	return 0;
}

static int
after_received(struct quic_tls *t, unsigned type)
{
	if (type == GNUTLS_HANDSHAKE_FINISHED && t->ctx->base.server)
		return after_client_finished(t);
	if (type == GNUTLS_HANDSHAKE_SERVER_HELLO && !t->ctx->base.server)
		return after_server_hello(t);
	if (type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET && !t->ctx->base.server)
		return after_ticket_received(t);
	return 0;
}

static int
after_sent(struct quic_tls *t, unsigned type, const gnutls_datum_t *msg)
{
	if (type == GNUTLS_HANDSHAKE_SERVER_HELLO)
		return after_own_hello(t);
	if (type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET)
		return after_ticket_sent(t, msg);
	return 0;
}

int
quic_tls_hook(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *msg)
{
	struct quic_tls *t = gnutls_db_get_ptr(session);

	if (when == GNUTLS_HOOK_PRE)
		return incoming != 0 ? before_received(t, type, msg) : 0;
	return incoming != 0 ? after_received(t, type)
	                     : after_sent(t, type, msg);
}
