/* What ngtcp2 tells of a connection: fields change, nothing is called. */
#include "net/quic_int.h"

#include "base/error.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <rpckit/secret.h>

#include <string.h>

#define PARAMS_MAX 256

int
quic_conn_broken(struct quic_conn *c, enum rk_err code, const char *what)
{
	if (c->error.code == RK_OK)
		(void)err_set(
		    &c->error, code, "%s: %s", what, rk_err_text(code));
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

/* The same for what the library itself would not do. */
static int
broken_by(struct quic_conn *c, int rv, const char *what)
{
	if (c->error.code == RK_OK)
		(void)err_set(&c->error,
		    rv == NGTCP2_ERR_NOMEM ? RK_ENOMEM : RK_EFAIL, "%s: %s",
		    what, ngtcp2_strerror(rv));
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

/* ---- connection ids ---- */

enum rk_err
quic_conn_add_id(struct quic_conn *c, const uint8_t *id, size_t len)
{
	for (size_t i = 0; i < QUIC_IDS; i++) {
		if (c->ids[i].len == 0)
			return quic_map_add(
			    &c->end->ids, &c->ids[i], id, len, c);
	}
	return RK_ELIMIT;
}

static int
on_new_id(
    ngtcp2_conn *q, ngtcp2_cid *cid, uint8_t *token, size_t len, void *user)
{
	struct quic_conn *c = user;
	enum rk_err r = RK_EINVAL;

	(void)q;
	if (len != QUIC_CID_LEN)
		return quic_conn_broken(c, r, "connection ids");
	quic_cid_make(&c->end->keys, c->end->index, cid->data);
	cid->datalen = len;
	quic_cid_reset_token(&c->end->keys, cid->data, len, token);
	if ((r = quic_conn_add_id(c, cid->data, len)) != RK_OK)
		return quic_conn_broken(c, r, "connection ids");
	return 0;
}

static int
on_remove_id(ngtcp2_conn *q, const ngtcp2_cid *cid, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	for (size_t i = 0; i < QUIC_IDS; i++) {
		if (c->ids[i].len == cid->datalen &&
		    memcmp(c->ids[i].key, cid->data, cid->datalen) == 0)
			quic_map_remove(&c->end->ids, &c->ids[i]);
	}
	return 0;
}

/* The peer's token says that it is the peer who has forgotten us.  One that
 * finds no room costs only that. */
static int
on_peer_id(ngtcp2_conn *q, ngtcp2_connection_id_status_type type, uint64_t seq,
    const ngtcp2_cid *cid, const uint8_t *token, void *user)
{
	struct quic_conn *c = user;
	bool wanted = type == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE;

	(void)q;
	(void)cid;
	if (wanted && token == NULL)
		return 0;
	for (size_t i = 0; i < QUIC_PEER_TOKENS; i++) {
		struct quic_peer_token *t = &c->tokens[i];

		if (!wanted && t->entry.len != 0 && t->seq == seq)
			quic_map_remove(&c->end->tokens, &t->entry);
		if (!wanted || t->entry.len != 0)
			continue;
		if (quic_map_add(&c->end->tokens, &t->entry, token,
		        QUIC_RESET_TOKEN_LEN, c) == RK_OK)
			t->seq = seq;
		break;
	}
	return 0;
}

/* ---- the stream ---- */

int
quic_conn_open_stream(struct quic_conn *c)
{
	int rv;

	if (c->server || c->has_stream)
		return 0;
	rv = ngtcp2_conn_open_bidi_stream(c->q, &c->stream, NULL);
	if (rv == NGTCP2_ERR_STREAM_ID_BLOCKED)
		return 0; /* told when it may be */
	if (rv != 0)
		return rv;
	c->has_stream = true;
	return 0;
}

static int
on_streams(ngtcp2_conn *q, uint64_t max, void *user)
{
	struct quic_conn *c = user;
	int rv = c->completed ? quic_conn_open_stream(c) : 0;

	(void)q;
	(void)max;
	return rv == 0 ? 0 : broken_by(c, rv, "opening the stream");
}

static int
on_stream_open(ngtcp2_conn *q, int64_t id, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	if (!ngtcp2_is_bidi_stream(id))
		return quic_apart_open(c, id);
	if (!c->has_stream) {
		c->stream = id;
		c->has_stream = true;
	}
	return 0;
}

static int
on_data(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t offset,
    const uint8_t *data, size_t len, void *user, void *stream_user)
{
	struct quic_conn *c = user;
	enum rk_err r;

	(void)q;
	(void)offset;
	if (stream_user != NULL)
		return quic_apart_data(c, stream_user, data, len,
		    (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
	if (id != c->stream)
		return 0;
	if (!c->held)
		return 0; /* nobody will read it */
	if ((flags & NGTCP2_STREAM_DATA_FLAG_0RTT) != 0)
		c->early_came = true;
	if (len > 0 && c->in.data == NULL)
		loop_buf_take(c->end->loop, len, &c->in);
	if (len > 0 && (r = buf_put(&c->in, data, len)) != RK_OK)
		return quic_conn_broken(c, r, "received bytes");
	if ((flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0)
		c->fin = true;
	quic_conn_raise(c, RK_READ);
	return 0;
}

static void
tell_if_settled(struct quic_conn *c)
{
	if (!c->tell_settled || !quic_conn_is_settled(c))
		return;
	c->tell_settled = false;
	quic_conn_raise(c, RK_WRITE);
}

static int
on_acked(ngtcp2_conn *q, int64_t id, uint64_t offset, uint64_t len, void *user,
    void *stream_user)
{
	struct quic_conn *c = user;

	struct quic_apart *a = stream_user;

	(void)q;
	if (a == NULL && id != c->stream)
		return 0;
	quic_out_confirm(a != NULL ? &a->out : &c->out, offset + len);
	tell_if_settled(c);
	if (c->tell_held) {
		c->tell_held = false;
		quic_conn_raise(c, LAYER_GONE);
	}
	quic_conn_tell_room(c);
	return 0;
}

void
quic_conn_stream_over(struct quic_conn *c)
{
	c->fin = true;
	quic_conn_raise(c, RK_READ);
}

static int
on_stream_close(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t code,
    void *user, void *stream_user)
{
	bool given_up =
	    (flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) != 0;
	struct quic_conn *c = user;

	(void)code;
	/* A message of ours that nobody wants to hear is lost: so is the
	 * connection. */
	if (id == c->stream || (stream_user != NULL && given_up &&
	                           ngtcp2_conn_is_local_stream(q, id)))
		quic_conn_stream_over(c);
	if (stream_user != NULL)
		quic_apart_close(c, stream_user);
	tell_if_settled(c);
	return 0;
}

static int
on_stream_reset(ngtcp2_conn *q, int64_t id, uint64_t size, uint64_t code,
    void *user, void *stream_user)
{
	struct quic_conn *c = user;

	(void)q;
	(void)size;
	(void)code;
	(void)stream_user;
	if (id == c->stream)
		quic_conn_stream_over(c);
	return 0;
}

static int
on_window(
    ngtcp2_conn *q, int64_t id, uint64_t max, void *user, void *stream_user)
{
	struct quic_apart *a = stream_user;

	(void)q;
	(void)id;
	(void)max;
	if (a != NULL)
		a->blocked = false;
	quic_conn_touch(user);
	return 0;
}

/* ---- the handshake ---- */

/* So that its next connection needs no proof of its address. */
static void
give_token(const struct quic_conn *c)
{
	uint8_t token[NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN];
	const ngtcp2_path *path = ngtcp2_conn_get_path(c->q);
	ngtcp2_ssize n;

	n = ngtcp2_crypto_generate_regular_token(token, c->end->token_key,
	    sizeof(c->end->token_key), path->remote.addr, path->remote.addrlen,
	    quic_wall_ns());
	if (n > 0)
		(void)ngtcp2_conn_submit_new_token(c->q, token, (size_t)n);
}

static void
keep_params(struct quic_conn *c)
{
	uint8_t params[PARAMS_MAX];
	ngtcp2_ssize n;

	n = ngtcp2_conn_encode_0rtt_transport_params(
	    c->q, params, sizeof(params));
	if (n > 0)
		quic_tls_keep_params(c->tls, params, (size_t)n);
}

static int
completed_server(struct quic_conn *c)
{
	c->confirmed = true;
	(void)quic_tls_send_ticket(c->tls); /* a convenience */
	give_token(c);
	return 0;
}

static int
completed_client(struct quic_conn *c)
{
	int rv;

	if (c->early && !quic_tls_early_accepted(c->tls) &&
	    (rv = ngtcp2_conn_tls_early_data_rejected(c->q)) != 0)
		return rv;
	keep_params(c);
	return quic_conn_open_stream(c);
}

static int
on_completed(ngtcp2_conn *q, void *user)
{
	struct quic_conn *c = user;
	int rv;

	(void)q;
	rv = c->server ? completed_server(c) : completed_client(c);
	if (rv != 0)
		return broken_by(c, rv, "ending the handshake");
	c->completed = true;
	quic_conn_keep_alive(c);
	if (c->counted)
		c->end->stats.half_open--;
	c->counted = false;
	tell_if_settled(c);
	quic_conn_raise(c, RK_READ);
	return 0;
}

static int
on_confirmed(ngtcp2_conn *q, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	c->confirmed = true;
	tell_if_settled(c);
	quic_conn_raise(c, RK_READ);
	return 0;
}

/* Every stream is forgotten: what they carried goes again, the usual way. */
static int
on_early_rejected(ngtcp2_conn *q, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	c->early = false;
	c->has_stream = false;
	c->announced = false;
	c->stream = -1;
	quic_out_rewind(&c->out);
	return 0;
}

static int
on_token(ngtcp2_conn *q, const uint8_t *token, size_t len, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	quic_tls_keep_token(c->tls, token, len);
	return 0;
}

/* ---- rare things ---- */

static int
on_reset(ngtcp2_conn *q, const ngtcp2_pkt_stateless_reset *sr, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	(void)sr;
	if (c->error.code == RK_OK)
		(void)err_set(&c->error, RK_ECLOSED,
		    "the peer does not know this connection any more");
	return 0;
}

static int
on_versions(ngtcp2_conn *q, const ngtcp2_pkt_hd *hd, const uint32_t *sv,
    size_t n, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	(void)hd;
	(void)sv;
	(void)err_set(&c->error, RK_EPROTO,
	    "the peer does not speak QUIC version 1 (it offers %zu others)", n);
	return 0;
}

static void
fill_random(uint8_t *dst, size_t len, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	rk_random(dst, len);
}

void
quic_back_fill(bool server, ngtcp2_callbacks *cb)
{
	*cb = (ngtcp2_callbacks){
		.recv_stream_data = on_data,
		.acked_stream_data_offset = on_acked,
		.stream_open = on_stream_open,
		.stream_close = on_stream_close,
		.stream_reset = on_stream_reset,
		.extend_max_stream_data = on_window,
		.extend_max_local_streams_bidi = on_streams,
		.get_new_connection_id = on_new_id,
		.remove_connection_id = on_remove_id,
		.dcid_status = on_peer_id,
		.handshake_completed = on_completed,
		.recv_stateless_reset = on_reset,
		.rand = fill_random,
	};
	if (!server) {
		cb->handshake_confirmed = on_confirmed;
		cb->tls_early_data_rejected = on_early_rejected;
		cb->recv_new_token = on_token;
		cb->recv_version_negotiation = on_versions;
	}
	quic_tls_callbacks(server, cb);
}
