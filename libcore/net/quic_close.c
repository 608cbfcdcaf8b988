/* How a QUIC connection ends: goodbyes, and what is sent before them. */
#include "net/quic_int.h"

#include "base/error.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <stdlib.h>
#include <string.h>

#define GOODBYE_LEN 1500
#define EARLY_LEN 256
#define LONG_HEADER 0x80 /* of all packets but those behind a handshake */
/* What was sent may take so long to leave, once this end has closed. */
#define LEAVE_NS (3 * NGTCP2_SECONDS)

static void
leave_live(struct quic_conn *c, enum quic_state to)
{
	if (c->counted)
		c->end->stats.half_open--;
	c->counted = false;
	c->state = to;
	quic_conn_raise(c, RK_READ | RK_WRITE | LOOP_BROKEN);
	quic_conn_touch(c); /* which frees what nobody holds */
}

void
quic_conn_die(struct quic_conn *c, const struct rk_error *why)
{
	if (c->state != QUIC_LIVE)
		return;
	if (c->error.code == RK_OK)
		c->error = *why;
	rk_timer_clear(c->timer);
	leave_live(c, QUIC_DEAD);
}

/* Long enough for packets under way to have come (RFC 9000, 10.2). */
static void
linger(struct quic_conn *c, enum quic_state state)
{
	uint64_t pto = ngtcp2_conn_get_pto(c->q);

	loop_timer_set_ns(c->timer, loop_now_ns(c->end->loop) + 3 * pto);
	leave_live(c, state);
}

/* The peer may have moved since it came. */
static void
note_path(struct quic_conn *c, const ngtcp2_path *p)
{
	if (p->local.addrlen > sizeof(c->local.u) ||
	    p->remote.addrlen > sizeof(c->remote.u))
		return;
	memcpy(&c->local.u, p->local.addr, p->local.addrlen);
	c->local.len = p->local.addrlen;
	memcpy(&c->remote.u, p->remote.addr, p->remote.addrlen);
	c->remote.len = p->remote.addrlen;
}

/* Where TLS gives a server all of its keys at once ngtcp2 uses the last of them
 * for a goodbye, which a client may not have that has heard nothing yet: an
 * Initial before it says the same (RFC 9000, 10.2.3). */
static size_t
say_it_early(const struct quic_conn *c, const ngtcp2_ccerr *cc,
    uint8_t packet[GOODBYE_LEN], size_t len)
{
	uint8_t first[EARLY_LEN];
	ngtcp2_ssize n;

	if (!ngtcp2_conn_is_server(c->q) || (packet[0] & LONG_HEADER) != 0 ||
	    ngtcp2_conn_get_handshake_completed(c->q) ||
	    len > GOODBYE_LEN - sizeof(first))
		return len;
	n = ngtcp2_crypto_write_connection_close(first, sizeof(first),
	    ngtcp2_conn_get_client_chosen_version(c->q),
	    ngtcp2_conn_get_dcid(c->q),
	    ngtcp2_conn_get_client_initial_dcid(c->q),
	    cc->type == NGTCP2_CCERR_TYPE_APPLICATION ? NGTCP2_APPLICATION_ERROR
	                                              : cc->error_code,
	    NULL, 0);
	if (n <= 0)
		return len;
	memmove(packet + n, packet, len);
	memcpy(packet, first, (size_t)n);
	return (size_t)n + len;
}

void
quic_conn_close(struct quic_conn *c, const ngtcp2_ccerr *cc)
{
	uint8_t packet[GOODBYE_LEN];
	size_t len;
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	ngtcp2_ssize n;

	if (c->state != QUIC_LIVE)
		return;
	ngtcp2_path_storage_zero(&ps);
	n = ngtcp2_conn_write_connection_close(c->q, &ps.path, &pi, packet,
	    sizeof(packet), cc, loop_now_ns(c->end->loop));
	if (n <= 0) {
		rk_timer_clear(c->timer);
		leave_live(c, QUIC_DEAD);
		return;
	}
	note_path(c, &ps.path);
	len = say_it_early(c, cc, packet, (size_t)n);
	quic_end_send(c->end, &c->local, &c->remote, packet, len);
	c->goodbye = malloc(len);
	if (c->goodbye != NULL) {
		memcpy(c->goodbye, packet, len);
		c->goodbye_len = len;
	}
	linger(c, QUIC_CLOSING);
}

bool
quic_conn_has_unsent(const struct quic_conn *c)
{
	return (c->has_stream && quic_out_unsent(&c->out) > 0) ||
	       quic_apart_unsent(c);
}

void
quic_conn_leave(struct quic_conn *c, const struct rk_error *why)
{
	ngtcp2_ccerr cc;

	quic_goodbye(why, &cc);
	if (cc.error_code != QUIC_APP_DONE || !c->completed ||
	    !quic_conn_has_unsent(c)) {
		quic_conn_close(c, &cc);
		return;
	}
	c->leaving = true;
	c->leave_until = loop_now_ns(c->end->loop) + LEAVE_NS;
	quic_conn_arm(c);
}

void
quic_conn_go_on_leaving(struct quic_conn *c, bool now)
{
	ngtcp2_ccerr cc;

	if (c->state != QUIC_LIVE || !c->leaving ||
	    (!now && quic_conn_has_unsent(c)))
		return;
	quic_goodbye(NULL, &cc);
	quic_conn_close(c, &cc);
}

static void
close_for(struct quic_conn *c, int rv)
{
	ngtcp2_ccerr cc;

	ngtcp2_ccerr_default(&cc);
	if (rv == NGTCP2_ERR_CRYPTO)
		ngtcp2_ccerr_set_tls_alert(
		    &cc, ngtcp2_conn_get_tls_alert(c->q), NULL, 0);
	else
		ngtcp2_ccerr_set_liberr(&cc, rv, NULL, 0);
	quic_conn_close(c, &cc);
}

void
quic_conn_fail(struct quic_conn *c, int rv)
{
	if (c->state != QUIC_LIVE)
		return;
	if (c->error.code == RK_OK)
		(void)quic_explain_lib(c, rv, &c->error); /* returns code */
	switch (rv) {
	case NGTCP2_ERR_DRAINING:
		linger(c, QUIC_DRAINING);
		break;
	case NGTCP2_ERR_DROP_CONN:
	case NGTCP2_ERR_RETRY:
	case NGTCP2_ERR_IDLE_CLOSE:
	case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
		quic_conn_die(c, &c->error);
		break;
	default:
		close_for(c, rv);
	}
}

/* Once more for the 1st, 2nd, 4th, 8th ... packet since (RFC 9000, 10.2.1). */
void
quic_conn_repeat_goodbye(struct quic_conn *c)
{
	c->asked++;
	if (c->goodbye == NULL || (c->asked & (c->asked - 1)) != 0)
		return;
	quic_end_send(
	    c->end, &c->local, &c->remote, c->goodbye, c->goodbye_len);
}
