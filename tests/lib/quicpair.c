/* Two QUIC connections in memory, joined by queues of datagrams, for tests. */
#include "quicpair.h"

#include <rpckit/secret.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS NGTCP2_MILLISECONDS
#define ROUNDS 400
#define SILENCE (3 * NGTCP2_SECONDS)

static const uint8_t token_key[32] = "the key of address tokens";

static void
must(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "tests/lib/quicpair: %s failed\n", what);
		abort();
	}
}

static struct sockaddr_in
address(bool server)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(server ? 2 : 1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return a;
}

/* ---- callbacks ---- */

static ngtcp2_conn *
get_conn(ngtcp2_crypto_conn_ref *ref)
{
	struct quicpair_end *e = ref->user_data;

	return e->conn;
}

static void
on_rand(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	rk_random(dest, len);
}

static int
on_new_cid(
    ngtcp2_conn *conn, ngtcp2_cid *cid, uint8_t *token, size_t len, void *arg)
{
	(void)conn;
	(void)arg;
	cid->datalen = len;
	rk_random(cid->data, len);
	rk_random(token, NGTCP2_STATELESS_RESET_TOKENLEN);
	return 0;
}

static void
complete_client(struct quicpair_end *e)
{
	uint8_t params[256];
	struct rk_bytes had;
	struct rk_bytes token;
	ngtcp2_ssize n;

	quic_tls_remembered(e->tls, &had, &token);
	if (had.len > 0 && !quic_tls_early_accepted(e->tls))
		must(ngtcp2_conn_tls_early_data_rejected(e->conn) == 0,
		    "reject");
	n = ngtcp2_conn_encode_0rtt_transport_params(
	    e->conn, params, sizeof(params));
	must(n > 0, "encode_0rtt_transport_params");
	quic_tls_keep_params(e->tls, params, (size_t)n);
}

static void
complete_server(struct quicpair_end *e)
{
	struct sockaddr_in a = address(false);
	uint8_t token[NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN];
	ngtcp2_ssize n;

	if (e->pair->send_tickets)
		must(quic_tls_send_ticket(e->tls) == RK_OK, "send_ticket");
	if (!e->pair->send_tokens)
		return;
	n = ngtcp2_crypto_generate_regular_token(token, token_key,
	    sizeof(token_key), (const ngtcp2_sockaddr *)&a, sizeof(a),
	    e->pair->now);
	must(n > 0 &&
	         ngtcp2_conn_submit_new_token(e->conn, token, (size_t)n) == 0,
	    "submit_new_token");
}

static int
on_completed(ngtcp2_conn *conn, void *arg)
{
	struct quicpair_end *e = arg;

	(void)conn;
	e->completed = true;
	if (e->server)
		complete_server(e);
	else if (e->tls != NULL)
		complete_client(e);
	return 0;
}

static int
on_confirmed(ngtcp2_conn *conn, void *arg)
{
	struct quicpair_end *e = arg;

	(void)conn;
	e->confirmed = true;
	return 0;
}

static int
on_rejected(ngtcp2_conn *conn, void *arg)
{
	struct quicpair_end *e = arg;

	(void)conn;
	e->rejected = true;
	e->stream = -1;
	e->data_at = 0;
	return 0;
}

static int
on_token(ngtcp2_conn *conn, const uint8_t *token, size_t len, void *arg)
{
	struct quicpair_end *e = arg;

	(void)conn;
	e->tokens++;
	if (e->tls != NULL)
		quic_tls_keep_token(e->tls, token, len);
	return 0;
}

static int
on_data(ngtcp2_conn *conn, uint32_t flags, int64_t stream, uint64_t offset,
    const uint8_t *data, size_t len, void *arg, void *stream_arg)
{
	struct quicpair_end *e = arg;
	struct rk_bytes cert;

	(void)offset;
	(void)stream_arg;
	if (e->got_len == 0) {
		e->first_completed = e->completed;
		e->first_cert =
		    e->tls != NULL && quic_tls_peer_cert(e->tls, &cert);
	}
	must(len <= QUICPAIR_DATA - e->got_len, "so much data");
	memcpy(e->got + e->got_len, data, len);
	e->got_len += len;
	if ((flags & NGTCP2_STREAM_DATA_FLAG_0RTT) != 0)
		e->early_len += len;
	e->stream = stream;
	(void)ngtcp2_conn_extend_max_stream_offset(conn, stream, len);
	ngtcp2_conn_extend_max_offset(conn, len);
	return 0;
}

static ngtcp2_callbacks
callbacks(bool server, const ngtcp2_callbacks *tls)
{
	ngtcp2_callbacks cb = { 0 };

	if (tls != NULL)
		cb = *tls;
	else
		quic_tls_callbacks(server, &cb);
	cb.rand = on_rand;
	cb.get_new_connection_id = on_new_cid;
	cb.handshake_completed = on_completed;
	cb.handshake_confirmed = on_confirmed;
	cb.recv_stream_data = on_data;
	if (!server) {
		cb.recv_new_token = on_token;
		cb.tls_early_data_rejected = on_rejected;
	}
	return cb;
}

/* ---- the ends ---- */

static ngtcp2_path
path_of(bool server, struct sockaddr_in a[2])
{
	ngtcp2_path path = { 0 };

	a[0] = address(server);
	a[1] = address(!server);
	path.local = (ngtcp2_addr){ (ngtcp2_sockaddr *)&a[0], sizeof(a[0]) };
	path.remote = (ngtcp2_addr){ (ngtcp2_sockaddr *)&a[1], sizeof(a[1]) };
	return path;
}

static void
init_end(struct quicpair *p, struct quicpair_end *e, struct quic_tls_ctx *ctx)
{
	e->pair = p;
	e->server = e == &p->server;
	e->ctx = ctx;
	e->stream = -1;
	e->ref.get_conn = get_conn;
	e->ref.user_data = e;
}

static void
defaults(const struct quicpair *p, ngtcp2_settings *s,
    ngtcp2_transport_params *params)
{
	ngtcp2_settings_default(s);
	s->initial_ts = p->now;
	ngtcp2_transport_params_default(params);
	params->initial_max_data = QUICPAIR_DATA;
	params->initial_max_stream_data_bidi_local = QUICPAIR_DATA;
	params->initial_max_stream_data_bidi_remote = QUICPAIR_DATA;
	params->initial_max_streams_bidi = 4;
}

static void
random_cid(ngtcp2_cid *cid, size_t len)
{
	cid->datalen = len;
	rk_random(cid->data, len);
}

void
quicpair_start_client(
    struct quicpair *p, void *native, const ngtcp2_callbacks *tls)
{
	struct quicpair_end *e = &p->client;
	ngtcp2_callbacks cb = callbacks(false, tls);
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	struct rk_bytes early = { 0 };
	struct rk_bytes token = { 0 };
	struct sockaddr_in a[2];
	ngtcp2_path path = path_of(false, a);
	ngtcp2_cid scid;
	ngtcp2_cid dcid;

	if (e->tls != NULL)
		quic_tls_remembered(e->tls, &early, &token);
	random_cid(&scid, QUICPAIR_CID_LEN);
	random_cid(&dcid, QUICPAIR_CID_LEN + 8);
	defaults(p, &settings, &params);
	settings.token = token.ptr;
	settings.tokenlen = token.len;
	must(ngtcp2_conn_client_new(&e->conn, &dcid, &scid, &path,
	         p->v2 ? NGTCP2_PROTO_VER_V2 : NGTCP2_PROTO_VER_V1, &cb,
	         &settings, &params, NULL, e) == 0,
	    "client_new");
	ngtcp2_conn_set_tls_native_handle(e->conn, native);
	if (early.len > 0)
		must(ngtcp2_conn_decode_and_set_0rtt_transport_params(
		         e->conn, early.ptr, early.len) == 0,
		    "decode_0rtt_transport_params");
}

static void
look_at_token(struct quicpair *p, const ngtcp2_pkt_hd *hd)
{
	struct sockaddr_in a = address(false);

	p->token_len = hd->tokenlen;
	p->token_good =
	    hd->tokenlen > 0 &&
	    ngtcp2_crypto_verify_regular_token(hd->token, hd->tokenlen,
	        token_key, sizeof(token_key), (const ngtcp2_sockaddr *)&a,
	        sizeof(a), NGTCP2_SECONDS * 3600, p->now) == 0;
}

static bool
start_server(struct quicpair *p, const struct quicpair_datagram *d)
{
	struct quicpair_end *e = &p->server;
	ngtcp2_callbacks cb = callbacks(true, NULL);
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	ngtcp2_pkt_hd hd;
	struct sockaddr_in a[2];
	ngtcp2_path path = path_of(true, a);
	ngtcp2_cid scid;

	if (ngtcp2_accept(&hd, d->data, d->len) != 0)
		return false;
	look_at_token(p, &hd);
	must(quic_tls_new(e->ctx, &e->ref, &e->tls) == RK_OK, "quic_tls_new");
	random_cid(&scid, QUICPAIR_CID_LEN);
	defaults(p, &settings, &params);
	settings.token = hd.token;
	settings.tokenlen = hd.tokenlen;
	params.original_dcid = hd.dcid;
	params.original_dcid_present = 1;
	must(ngtcp2_conn_server_new(&e->conn, &hd.scid, &scid, &path,
	         hd.version, &cb, &settings, &params, NULL, e) == 0,
	    "server_new");
	ngtcp2_conn_set_tls_native_handle(e->conn, quic_tls_native(e->tls));
	return true;
}

struct quicpair *
quicpair_new(struct quic_tls_ctx *client, struct quic_tls_ctx *server)
{
	struct quicpair *p = calloc(1, sizeof(*p));

	must(p != NULL, "calloc");
	p->send_tickets = true;
	p->send_tokens = true;
	/* Tokens compare two connections' times: the clock goes on. */
	p->now = (uint64_t)time(NULL) * NGTCP2_SECONDS;
	init_end(p, &p->client, client);
	init_end(p, &p->server, server);
	if (client == NULL)
		return p;
	must(quic_tls_new(client, &p->client.ref, &p->client.tls) == RK_OK,
	    "quic_tls_new");
	quicpair_start_client(p, quic_tls_native(p->client.tls), NULL);
	return p;
}

static void
free_end(struct quicpair_end *e)
{
	quic_tls_free(e->tls);
	ngtcp2_conn_del(e->conn);
}

void
quicpair_free(struct quicpair *p)
{
	if (p == NULL)
		return;
	free_end(&p->client);
	free_end(&p->server);
	free(p);
}

/* ---- datagrams ---- */

void
quicpair_send(struct quicpair_end *e, const char *text)
{
	e->data = text;
	e->data_len = strlen(text);
	e->data_at = 0;
}

static void
put(struct quicpair_end *e, const uint8_t *data, size_t len)
{
	struct quicpair_datagram *d = &e->out.d[e->out.n];

	must(e->out.n < QUICPAIR_DATAGRAMS, "a queue so long");
	memcpy(d->data, data, len);
	d->len = len;
	e->out.n++;
	if (!e->server && e->pair->first.n < QUICPAIR_DATAGRAMS)
		e->pair->first.d[e->pair->first.n++] = *d;
}

/* It broke here: tell the peer. */
static void
close_with(struct quicpair_end *e, int rv)
{
	uint8_t packet[QUICPAIR_DATAGRAM_LEN];
	struct sockaddr_in a[2];
	ngtcp2_path path = path_of(e->server, a);
	ngtcp2_pkt_info info;
	ngtcp2_ccerr why;
	ngtcp2_ssize n;

	ngtcp2_ccerr_default(&why);
	if (rv == NGTCP2_ERR_CRYPTO)
		ngtcp2_ccerr_set_tls_alert(
		    &why, ngtcp2_conn_get_tls_alert(e->conn), NULL, 0);
	else
		ngtcp2_ccerr_set_liberr(&why, rv, NULL, 0);
	e->dead = true;
	e->closed = why.error_code;
	n = ngtcp2_conn_write_connection_close(
	    e->conn, &path, &info, packet, sizeof(packet), &why, e->pair->now);
	if (n > 0)
		put(e, packet, (size_t)n);
}

static void
failed(struct quicpair_end *e, int rv)
{
	if (rv == NGTCP2_ERR_DRAINING) {
		e->dead = true;
		e->by_peer = true;
		e->closed = ngtcp2_conn_get_ccerr(e->conn)->error_code;
	} else if (rv == NGTCP2_ERR_DROP_CONN || rv == NGTCP2_ERR_RETRY) {
		e->dead = true;
	} else {
		close_with(e, rv);
	}
}

static bool
may_write(struct quicpair_end *e)
{
	if (e->data_at == e->data_len)
		return false;
	if (e->stream < 0 && !e->server)
		(void)ngtcp2_conn_open_bidi_stream(e->conn, &e->stream, NULL);
	return e->stream >= 0;
}

void
quicpair_write(struct quicpair_end *e)
{
	uint8_t packet[QUICPAIR_DATAGRAM_LEN];
	struct sockaddr_in a[2];
	ngtcp2_path path = path_of(e->server, a);
	ngtcp2_pkt_info info;
	ngtcp2_ssize took;
	ngtcp2_ssize n;

	while (!e->dead && e->conn != NULL) {
		bool data = may_write(e);
		const ngtcp2_vec v = {
			(uint8_t *)(uintptr_t)e->data + e->data_at,
			e->data_len - e->data_at,
		};

		took = -1;
		n = ngtcp2_conn_writev_stream(e->conn, &path, &info, packet,
		    sizeof(packet), &took, 0, data ? e->stream : -1,
		    data ? &v : NULL, data ? 1 : 0, e->pair->now);
		if (took > 0)
			e->data_at += (size_t)took;
		if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED)
			continue;
		if (n == 0)
			return;
		if (n < 0)
			failed(e, (int)n);
		else
			put(e, packet, (size_t)n);
	}
}

static void
deliver(struct quicpair_end *to, const struct quicpair_datagram *d)
{
	struct sockaddr_in a[2];
	ngtcp2_path path = path_of(to->server, a);
	ngtcp2_pkt_info info = { 0 };
	int rv;

	if (to->dead ||
	    (to->conn == NULL && (!to->server || !start_server(to->pair, d))))
		return;
	rv = ngtcp2_conn_read_pkt(
	    to->conn, &path, &info, d->data, d->len, to->pair->now);
	if (rv != 0)
		failed(to, rv);
}

/* False: nothing was on its way. */
static bool
exchange(struct quicpair_end *from, struct quicpair_end *to)
{
	static _Thread_local struct quicpair_queue q;

	q = from->out;
	from->out.n = 0;
	for (size_t i = 0; i < q.n; i++)
		deliver(to, &q.d[i]);
	return q.n > 0;
}

static uint64_t
expiry(const struct quicpair_end *e)
{
	return e->conn == NULL || e->dead ? UINT64_MAX
	                                  : ngtcp2_conn_get_expiry(e->conn);
}

static void
expire(struct quicpair_end *e)
{
	int rv;

	if (expiry(e) > e->pair->now)
		return;
	rv = ngtcp2_conn_handle_expiry(e->conn, e->pair->now);
	if (rv != 0)
		failed(e, rv);
}

void
quicpair_run(struct quicpair *p)
{
	uint64_t silent = p->now;

	for (int i = 0; i < ROUNDS && p->now - silent < SILENCE; i++) {
		uint64_t next;

		quicpair_write(&p->client);
		if (exchange(&p->client, &p->server))
			silent = p->now;
		p->now += MS;
		quicpair_write(&p->server);
		if (p->drop_to_client)
			p->server.out.n = 0;
		if (exchange(&p->server, &p->client))
			silent = p->now;
		p->now += MS;
		if (silent + 2 * MS >= p->now)
			continue;
		next = expiry(&p->client) < expiry(&p->server)
		           ? expiry(&p->client)
		           : expiry(&p->server);
		if (next == UINT64_MAX)
			return;
		if (next > p->now)
			p->now = next;
		expire(&p->client);
		expire(&p->server);
	}
}

void
quicpair_replay(struct quicpair *p, const struct quicpair_queue *first)
{
	for (size_t i = 0; i < first->n; i++)
		deliver(&p->server, &first->d[i]);
}
