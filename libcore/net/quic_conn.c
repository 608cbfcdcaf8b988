/* A QUIC connection: how it begins, packets in, what it holds. */
#include "net/quic_int.h"

#include "base/error.h"

#include <rpckit/secret.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* What one connection may have on the way; the library raises the windows up to
 * the maxima as far as they are used (RFC 9000, 4). */
#define WINDOW_STREAM (1u << 20)
#define WINDOW_CONN (4u << 20)
#define WINDOW_STREAM_MAX (6u << 20)
#define WINDOW_CONN_MAX (24u << 20)

#define ACTIVE_IDS 4
#define FIRST_DCID_LEN 18

/* Sizes to try on the path (RFC 8899): Ethernet, jumbo frames, loopback. */
static const uint16_t probes[] = { 1452, 4096, 8192, 16384 };
#define PACKET_MAX 16384

static ngtcp2_path
path_of(const struct addr *local, const struct addr *remote)
{
	/* The library wants pointers to what it does not change. */
	return (ngtcp2_path){
		.local = { (ngtcp2_sockaddr *)(uintptr_t)&local->u.sa,
		    local->len },
		.remote = { (ngtcp2_sockaddr *)(uintptr_t)&remote->u.sa,
		    remote->len },
	};
}

/* ---- making one ---- */

static void
fill_settings(const struct quic_end *e, ngtcp2_settings *s)
{
	ngtcp2_settings_default(s);
	s->initial_ts = loop_now_ns(e->loop);
	s->cc_algo = e->bbr ? NGTCP2_CC_ALGO_BBR : NGTCP2_CC_ALGO_CUBIC;
	s->max_window = WINDOW_CONN_MAX;
	s->max_stream_window = WINDOW_STREAM_MAX;
	s->handshake_timeout = UINT64_MAX; /* the connection's own */
	s->max_tx_udp_payload_size = PACKET_MAX;
	/* Whatever is written confirms what came: with two, the answer to a
	 * packet went without, and a packet of its own came behind it. */
	s->ack_thresh = 1;
	s->pmtud_probes = probes;
	s->pmtud_probeslen = sizeof(probes) / sizeof(probes[0]);
}

static void
fill_params(bool server, ngtcp2_transport_params *p)
{
	ngtcp2_transport_params_default(p);
	p->initial_max_stream_data_bidi_local = WINDOW_STREAM;
	p->initial_max_stream_data_bidi_remote = WINDOW_STREAM;
	p->initial_max_data = WINDOW_CONN;
	p->initial_max_streams_bidi = server ? 1 : 0;
	p->initial_max_stream_data_uni = QUIC_APART_LEN;
	p->initial_max_streams_uni = QUIC_APARTS;
	p->max_idle_timeout = QUIC_IDLE_NS;
	p->active_connection_id_limit = ACTIVE_IDS;
}

static ngtcp2_conn *
get_conn(ngtcp2_crypto_conn_ref *ref)
{
	return ((struct quic_conn *)ref->user_data)->q;
}

static struct quic_conn *
make(struct quic_end *e, bool server, const struct addr *local,
    const struct addr *remote)
{
	struct quic_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (rk_timer_new(e->loop, quic_conn_on_timer, c, &c->timer) != RK_OK) {
		free(c);
		return NULL;
	}
	c->end = e;
	c->server = server;
	c->held = true;
	c->stream = -1;
	c->local = *local;
	c->remote = *remote;
	c->paced = e->pace_all || !addr_is_loopback(remote);
	c->heard_at = loop_now_ns(e->loop);
	c->ref.get_conn = get_conn;
	c->ref.user_data = c;
	quic_out_init(&c->out, &e->mem->blocks);
	quic_apart_init(c);
	/* The windows limit it; this is no second limit. */
	buf_init(&c->in, (size_t)2 * WINDOW_CONN_MAX);
	TAILQ_INSERT_TAIL(&e->conns, c, link);
	e->n_conns++;
	c->counted = server; /* whom this end calls itself is no stranger */
	e->stats.half_open += server;
	return c;
}

/* The library's side of it is there: TLS, then the first write or read. */
static enum rk_err
join(struct quic_conn *c, struct quic_tls_ctx *ctx)
{
	enum rk_err r;

	if (c->tls == NULL &&
	    (r = quic_tls_new(ctx, &c->ref, &c->tls)) != RK_OK)
		return r;
	ngtcp2_conn_set_tls_native_handle(c->q, quic_tls_native(c->tls));
	return RK_OK;
}

/*
 * The address packets will really leave from, which the kernel knows: a socket
 * bound to every address does not tell.  RK_ECONNECT with errno.
 */
static enum rk_err
find_local(
    const struct quic_end *e, const struct addr *remote, struct addr *local)
{
	struct addr bound;
	in_port_t port;
	int fd;
	int rv;
	int sys;

	if (quic_io_local(e->io, &bound)) {
		*local = bound;
		return RK_OK;
	}
	*local = (struct addr){ .len = sizeof(local->u) };
	fd = socket(remote->u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return RK_ECONNECT;
	rv = connect(fd, &remote->u.sa, remote->len);
	if (rv == 0)
		rv = getsockname(fd, &local->u.sa, &local->len);
	sys = errno;
	(void)close(fd); /* nothing was sent */
	errno = sys;
	if (rv != 0)
		return RK_ECONNECT;
	/* Both families keep the port at the same place, and say so here. */
	port = bound.u.sa.sa_family == AF_INET6 ? bound.u.in6.sin6_port
	                                        : bound.u.in.sin_port;
	if (local->u.sa.sa_family == AF_INET6)
		local->u.in6.sin6_port = port;
	else
		local->u.in.sin_port = port;
	return RK_OK;
}

/* What the last connection has left to begin this one with. */
static void
remember(struct quic_conn *c)
{
	struct rk_bytes params, token;

	quic_tls_remembered(c->tls, &params, &token);
	if (params.len == 0)
		return;
	if (ngtcp2_conn_decode_and_set_0rtt_transport_params(
	        c->q, params.ptr, params.len) != 0)
		return; /* a full handshake does, too */
	c->early = quic_conn_open_stream(c) == 0 && c->has_stream;
}

static enum rk_err
begin_client(struct quic_conn *c, struct quic_tls_ctx *ctx)
{
	ngtcp2_callbacks cb;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid scid = { .datalen = QUIC_CID_LEN };
	ngtcp2_cid dcid = { .datalen = FIRST_DCID_LEN };
	ngtcp2_path path = path_of(&c->local, &c->remote);
	struct rk_bytes p, token;
	ngtcp2_conn *q;
	enum rk_err r;

	quic_back_fill(false, &cb);
	fill_settings(c->end, &settings);
	fill_params(false, &params);
	if ((r = quic_tls_new(ctx, &c->ref, &c->tls)) != RK_OK)
		return r;
	quic_tls_remembered(c->tls, &p, &token);
	settings.token = token.ptr;
	settings.tokenlen = token.len;
	settings.token_type = NGTCP2_TOKEN_TYPE_NEW_TOKEN;
	if (token.len == 0)
		settings.token_type = NGTCP2_TOKEN_TYPE_UNKNOWN;
	quic_cid_make(&c->end->keys, c->end->index, scid.data);
	rk_random(dcid.data, dcid.datalen);
	if ((r = quic_conn_add_id(c, scid.data, scid.datalen)) != RK_OK)
		return r;
	/* Where it fails it leaves a pointer to what it has freed. */
	if (ngtcp2_conn_client_new(&q, &dcid, &scid, &path, NGTCP2_PROTO_VER_V1,
	        &cb, &settings, &params, NULL, c) != 0)
		return RK_ENOMEM;
	c->q = q;
	if ((r = join(c, ctx)) == RK_OK)
		remember(c);
	return r;
}

enum rk_err
quic_conn_dial(struct quic_end *e, struct quic_tls_ctx *ctx,
    const struct addr *remote, struct quic_conn **out)
{
	struct addr local;
	struct addr plain;
	struct quic_conn *c;
	enum rk_err r;

	*out = NULL;
	quic_io_plain(remote, &plain); /* as what comes from there will be */
	if ((r = find_local(e, &plain, &local)) != RK_OK)
		return r;
	c = make(e, false, &local, &plain);
	if (c == NULL)
		return RK_ENOMEM;
	if ((r = begin_client(c, ctx)) != RK_OK) {
		quic_conn_free(c);
		return r;
	}
	*out = c;
	return RK_OK;
}

static enum rk_err
begin_server(
    struct quic_conn *c, struct quic_tls_ctx *ctx, const struct quic_hello *h)
{
	ngtcp2_callbacks cb;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid scid = { .datalen = QUIC_CID_LEN };
	ngtcp2_path path = path_of(&c->local, &c->remote);
	ngtcp2_conn *q;
	enum rk_err r;

	quic_back_fill(true, &cb);
	fill_settings(c->end, &settings);
	fill_params(true, &params);
	quic_cid_make(&c->end->keys, c->end->index, scid.data);
	params.original_dcid = h->hd.dcid;
	if (h->retried) {
		params.original_dcid = h->first_id;
		params.retry_scid = h->hd.dcid;
		params.retry_scid_present = 1;
	}
	params.original_dcid_present = 1;
	quic_cid_reset_token(&c->end->keys, scid.data, scid.datalen,
	    params.stateless_reset_token);
	params.stateless_reset_token_present = 1;
	if (h->token_type != NGTCP2_TOKEN_TYPE_UNKNOWN) {
		settings.token = h->hd.token;
		settings.tokenlen = h->hd.tokenlen;
	}
	settings.token_type = h->token_type;
	if ((r = quic_conn_add_id(c, scid.data, scid.datalen)) != RK_OK ||
	    (r = quic_conn_add_id(c, h->hd.dcid.data, h->hd.dcid.datalen)) !=
	        RK_OK)
		return r;
	if (ngtcp2_conn_server_new(&q, &h->hd.scid, &scid, &path, h->hd.version,
	        &cb, &settings, &params, NULL, c) != 0)
		return RK_ENOMEM;
	c->q = q;
	return join(c, ctx);
}

enum rk_err
quic_conn_accept(struct quic_end *e, struct quic_tls_ctx *ctx,
    const struct quic_hello *h, struct quic_conn **out)
{
	struct quic_conn *c;
	enum rk_err r;

	*out = NULL;
	c = make(e, true, &h->local, &h->remote);
	if (c == NULL)
		return RK_ENOMEM;
	if ((r = begin_server(c, ctx, h)) != RK_OK) {
		quic_conn_free(c);
		return r;
	}
	*out = c;
	return RK_OK;
}

/* ---- the end ---- */

void
quic_conn_free(struct quic_conn *c)
{
	struct quic_end *e = c->end;

	if (c->counted)
		e->stats.half_open--;
	for (size_t i = 0; i < QUIC_IDS; i++)
		quic_map_remove(&e->ids, &c->ids[i]);
	for (size_t i = 0; i < QUIC_PEER_TOKENS; i++)
		quic_map_remove(&e->tokens, &c->tokens[i].entry);
	if (c->is_dirty)
		TAILQ_REMOVE(&e->dirty, c, dirty);
	TAILQ_REMOVE(&e->conns, c, link);
	e->n_conns--;
	rk_timer_free(c->timer);
	quic_tls_free(c->tls);
	ngtcp2_conn_del(c->q);
	quic_apart_fini(c);
	quic_out_fini(&c->out);
	loop_buf_give(e->loop, &c->in);
	free(c->goodbye);
	free(c);
}

/* ---- packets in ---- */

static void
begin_again(struct quic_conn *c, const struct addr *local,
    const struct addr *remote, const uint8_t *data, size_t len)
{
	ngtcp2_pkt_hd hd;

	if (c->server && ngtcp2_accept(&hd, data, len) == 0)
		quic_hello_retry(c->end, local, remote, &hd);
}

void
quic_conn_input(struct quic_conn *c, const struct addr *local,
    const struct addr *remote, uint8_t ecn, const uint8_t *data, size_t len)
{
	ngtcp2_path path = path_of(local, remote);
	ngtcp2_pkt_info pi = { .ecn = ecn };
	uint64_t before;
	int rv;

	if (c->state == QUIC_CLOSING)
		quic_conn_repeat_goodbye(c);
	quic_conn_wake(c);
	if (c->state != QUIC_LIVE)
		return;
	before = c->doubt_at != 0 ? quic_conn_in_flight(c) : 0;
	rv = ngtcp2_conn_read_pkt(
	    c->q, &path, &pi, data, len, loop_now_ns(c->end->loop));
	if (rv == NGTCP2_ERR_RETRY)
		begin_again(c, local, remote, data, len);
	if (rv != 0)
		quic_conn_fail(c, rv);
	else
		c->heard_at = loop_now_ns(c->end->loop);
	if (c->doubt_at != 0 && quic_conn_in_flight(c) < before)
		quic_conn_trust(c);
	if (c->server && c->completed)
		quic_tls_settle(c->tls);
	c->heard++;
	quic_conn_stir(c);
}

void
quic_conn_tell_room(struct quic_conn *c)
{
	if (!c->tell_room || quic_conn_held(c) >= QUIC_OUT_LOW ||
	    quic_out_unsent(&c->out) >= QUIC_OUT_AHEAD / 2)
		return;
	c->tell_room = false;
	quic_conn_raise(c, RK_WRITE);
}

uint64_t
quic_conn_held(const struct quic_conn *c)
{
	return quic_out_held(&c->out) + quic_apart_held(c);
}

bool
quic_conn_is_settled(const struct quic_conn *c)
{
	return c->state != QUIC_LIVE ||
	       (c->confirmed && quic_conn_held(c) == 0);
}

bool
quic_conn_may_wait(const struct quic_conn *c)
{
	return !c->due && c->confirmed && c->heard > 0 &&
	       c->heard < QUIC_ACK_LATE_PACKETS && !c->leaving &&
	       quic_out_unsent(&c->out) == 0;
}

void
quic_conn_raise(struct quic_conn *c, unsigned what)
{
	if (c->ready != NULL)
		loop_ready_raise(c->ready, what);
}
