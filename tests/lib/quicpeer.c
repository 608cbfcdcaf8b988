/* A QUIC client that does what ours never would: ngtcp2 over a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"

#include <rpckit/secret.h>

#include "quicpeer.h"

static uint64_t
now_ns(const struct quicpeer *p)
{
	loop_refresh(p->net->loop);
	return loop_now_ns(p->net->loop);
}

/* ---- what ngtcp2 tells ---- */

static ngtcp2_conn *
get_conn(ngtcp2_crypto_conn_ref *ref)
{
	return ((struct quicpeer *)ref->user_data)->conn;
}

static void
fill_random(uint8_t *dst, size_t len, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	rk_random(dst, len);
}

static int
on_new_id(
    ngtcp2_conn *q, ngtcp2_cid *cid, uint8_t *token, size_t len, void *user)
{
	(void)q;
	(void)user;
	rk_random(cid->data, len);
	cid->datalen = len;
	rk_random(token, NGTCP2_STATELESS_RESET_TOKENLEN);
	return 0;
}

static int
on_completed(ngtcp2_conn *q, void *user)
{
	(void)q;
	((struct quicpeer *)user)->completed++;
	return 0;
}

static int
on_confirmed(ngtcp2_conn *q, void *user)
{
	(void)q;
	((struct quicpeer *)user)->confirmed++;
	return 0;
}

static int
on_data(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t offset,
    const uint8_t *data, size_t len, void *user, void *stream_user)
{
	struct quicpeer *p = user;

	(void)flags;
	(void)offset;
	(void)data;
	(void)stream_user;
	p->got += (unsigned)len;
	(void)ngtcp2_conn_extend_max_stream_offset(q, id, len);
	ngtcp2_conn_extend_max_offset(q, len);
	return 0;
}

static int
on_reset(ngtcp2_conn *q, const ngtcp2_pkt_stateless_reset *sr, void *user)
{
	(void)q;
	(void)sr;
	((struct quicpeer *)user)->resets++;
	return 0;
}

static int
on_versions(ngtcp2_conn *q, const ngtcp2_pkt_hd *hd, const uint32_t *sv,
    size_t n, void *user)
{
	struct quicpeer *p = user;

	(void)q;
	(void)hd;
	for (size_t i = 0; i < n; i++)
		p->versions += sv[i] == NGTCP2_PROTO_VER_V1;
	return 0;
}

static int
on_token(ngtcp2_conn *q, const uint8_t *token, size_t len, void *user)
{
	struct quicpeer *p = user;

	(void)q;
	assert_true(len <= sizeof(p->kept_token));
	memcpy(p->kept_token, token, len);
	p->kept_token_len = len;
	p->tokens++;
	return 0;
}

/* The TLS side's own, counted. */
static _Thread_local ngtcp2_recv_retry recv_retry;

static int
on_retry(ngtcp2_conn *q, const ngtcp2_pkt_hd *hd, void *user)
{
	((struct quicpeer *)user)->retries++;
	return recv_retry(q, hd, user);
}

/* ---- packets ---- */

static void
put(struct quicpeer *p, const uint8_t *data, size_t len)
{
	if (!p->holds) {
		quicnet_put(p->fd, data, len);
		return;
	}
	assert_true(p->n_held < QUICPEER_HELD);
	memcpy(p->held[p->n_held].data, data, len);
	p->held[p->n_held++].len = len;
}

static void
fail_with(struct quicpeer *p, int rv)
{
	uint8_t packet[QUICPEER_PACKET];
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	ngtcp2_ccerr cc;
	ngtcp2_ssize n;

	p->dead = 1;
	if (rv == NGTCP2_ERR_DRAINING) {
		const ngtcp2_ccerr *theirs = ngtcp2_conn_get_ccerr(p->conn);

		p->by_peer = p->resets == 0;
		p->application = theirs->type == NGTCP2_CCERR_TYPE_APPLICATION;
		p->closed = theirs->error_code;
		return;
	}
	if (rv == NGTCP2_ERR_RECV_VERSION_NEGOTIATION)
		return;
	ngtcp2_ccerr_default(&cc);
	if (rv == NGTCP2_ERR_CRYPTO)
		ngtcp2_ccerr_set_tls_alert(
		    &cc, ngtcp2_conn_get_tls_alert(p->conn), NULL, 0);
	else
		ngtcp2_ccerr_set_liberr(&cc, rv, NULL, 0);
	p->closed = cc.error_code;
	ngtcp2_path_storage_zero(&ps);
	n = ngtcp2_conn_write_connection_close(
	    p->conn, &ps.path, &pi, packet, sizeof(packet), &cc, now_ns(p));
	if (n > 0)
		put(p, packet, (size_t)n);
}

static void
arm(struct quicpeer *p)
{
	if (p->dead)
		rk_timer_clear(p->timer);
	else
		loop_timer_set_ns(p->timer, ngtcp2_conn_get_expiry(p->conn));
}

/* One round of packets, with these bytes of a stream or none. */
static void
write_with(
    struct quicpeer *p, int64_t id, const uint8_t *data, size_t len, bool fin)
{
	uint8_t packet[QUICPEER_PACKET];
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	ngtcp2_ssize taken, n;

	ngtcp2_path_storage_zero(&ps);
	while (!p->dead) {
		ngtcp2_vec v = { (uint8_t *)(uintptr_t)data, len };

		taken = -1;
		n = ngtcp2_conn_writev_stream(p->conn, &ps.path, &pi, packet,
		    sizeof(packet), &taken,
		    fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0, id, &v,
		    id < 0 || len == 0 ? 0 : 1, now_ns(p));
		if (taken >= 0) {
			data += taken;
			len -= (size_t)taken;
			if (len == 0)
				id = -1;
		}
		if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED ||
		    n == NGTCP2_ERR_STREAM_SHUT_WR) {
			id = -1;
			continue;
		}
		if (n < 0)
			fail_with(p, (int)n);
		if (n <= 0)
			break;
		put(p, packet, (size_t)n);
	}
	arm(p);
}

void
quicpeer_write(struct quicpeer *p)
{
	write_with(p, -1, NULL, 0, false);
}

void
quicpeer_say(
    struct quicpeer *p, int64_t id, const uint8_t *data, size_t len, bool fin)
{
	write_with(p, id, data, len, fin);
}

void
quicpeer_let_go(struct quicpeer *p, size_t i)
{
	assert_true(i < p->n_held);
	quicnet_put(p->fd, p->held[i].data, p->held[i].len);
}

static ngtcp2_path
path_of(const struct quicpeer *p, struct addr *local)
{
	*local = (struct addr){ .len = sizeof(local->u) };
	assert_int_equal(getsockname(p->fd, &local->u.sa, &local->len), 0);
	return (ngtcp2_path){
		.local = { &local->u.sa, local->len },
		.remote = { &p->net->at.u.sa, p->net->at.len },
	};
}

static void
on_ready(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct quicpeer *p = arg;
	struct addr local;
	ngtcp2_path path = path_of(p, &local);
	ngtcp2_pkt_info pi = { 0 };
	uint8_t packet[65536];
	size_t n;
	int rv;

	(void)w;
	(void)ready;
	while ((n = quicnet_take(fd, packet, sizeof(packet))) > 0) {
		if (p->dead || p->deaf)
			continue;
		rv = ngtcp2_conn_read_pkt(
		    p->conn, &path, &pi, packet, n, now_ns(p));
		if (rv != 0)
			fail_with(p, rv);
	}
	if (!p->deaf)
		quicpeer_write(p);
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct quicpeer *p = arg;
	int rv;

	(void)t;
	if (p->dead)
		return;
	rv = ngtcp2_conn_handle_expiry(p->conn, now_ns(p));
	if (rv != 0)
		fail_with(p, rv);
	quicpeer_write(p);
}

/* ---- its life ---- */

void
quicpeer_init(struct quicpeer *p, struct quicnet *n, struct quic_tls_ctx *ctx)
{
	memset(p, 0, sizeof(*p));
	p->net = n;
	n->time.until = n->time.now + QUICNET_PATIENCE_MS;
	p->fd = quicnet_socket(n);
	p->cid_len = 8;
	p->dcid.datalen = 18;
	rk_random(p->dcid.data, p->dcid.datalen);
	p->version = NGTCP2_PROTO_VER_V1;
	p->idle_s = 30;
	p->ref.get_conn = get_conn;
	p->ref.user_data = p;
	assert_int_equal(
	    quic_tls_new(ctx == NULL ? n->rig.client : ctx, &p->ref, &p->tls),
	    RK_OK);
	assert_int_equal(
	    rk_watch_new(n->loop, p->fd, RK_READ, on_ready, p, &p->watch),
	    RK_OK);
	assert_int_equal(rk_timer_new(n->loop, on_timer, p, &p->timer), RK_OK);
}

static void
fill(const struct quicpeer *p, ngtcp2_callbacks *cb, ngtcp2_settings *settings,
    ngtcp2_transport_params *params)
{
	*cb = (ngtcp2_callbacks){
		.recv_stream_data = on_data,
		.get_new_connection_id = on_new_id,
		.handshake_completed = on_completed,
		.handshake_confirmed = on_confirmed,
		.recv_stateless_reset = on_reset,
		.recv_version_negotiation = on_versions,
		.recv_new_token = on_token,
		.rand = fill_random,
	};
	quic_tls_callbacks(false, cb);
	recv_retry = cb->recv_retry;
	cb->recv_retry = on_retry;
	ngtcp2_settings_default(settings);
	settings->initial_ts = now_ns(p);
	settings->token = p->token.ptr;
	settings->tokenlen = p->token.len;
	settings->no_pmtud = 1;
	ngtcp2_transport_params_default(params);
	params->initial_max_data = 786432;
	params->initial_max_stream_data_bidi_local = 524288;
	params->initial_max_stream_data_bidi_remote = 524288;
	params->initial_max_stream_data_uni = 524288;
	params->initial_max_streams_bidi = 100;
	params->initial_max_streams_uni = 100;
	params->max_idle_timeout = p->idle_s * NGTCP2_SECONDS;
	params->max_udp_payload_size = 1452;
	params->active_connection_id_limit = 4;
}

void
quicpeer_start(struct quicpeer *p)
{
	ngtcp2_callbacks cb;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid scid = { .datalen = p->cid_len };
	struct addr local;
	ngtcp2_path path = path_of(p, &local);

	fill(p, &cb, &settings, &params);
	rk_random(scid.data, scid.datalen);
	assert_int_equal(
	    ngtcp2_conn_client_new(&p->conn, &p->dcid, &scid, &path, p->version,
	        &cb, &settings, &params, NULL, p),
	    0);
	ngtcp2_conn_set_tls_native_handle(p->conn, quic_tls_native(p->tls));
	quicpeer_write(p);
}

void
quicpeer_connect(
    struct quicpeer *p, struct quicnet *n, struct quic_tls_ctx *ctx)
{
	quicpeer_init(p, n, ctx);
	quicpeer_start(p);
	quicnet_await(n, &p->confirmed, 1);
}

int
quicpeer_open(struct quicpeer *p, bool uni, int64_t *id)
{
	return uni ? ngtcp2_conn_open_uni_stream(p->conn, id, NULL)
	           : ngtcp2_conn_open_bidi_stream(p->conn, id, NULL);
}

void
quicpeer_free(struct quicpeer *p)
{
	rk_watch_free(p->watch);
	rk_timer_free(p->timer);
	quic_tls_free(p->tls);
	ngtcp2_conn_del(p->conn);
	assert_int_equal(close(p->fd), 0);
}
