/* A survey's rows: what is shown of one connection, and of one call. */
#include "rpc/survey_row.h"

#include "rpc/server_int.h"
#include "rpc/stream.h"
#include "trust/policy.h"

#include <time.h>

enum survey_look
survey_look_at(const struct server_conn *c)
{
	if (c->session == NULL)
		return SURVEY_LOOK_CLOSED;
	switch (conn_state(session_conn(c->session))) {
	case CONN_NEW:
	case CONN_HANDSHAKE:
	case CONN_VERIFY:
		return SURVEY_LOOK_NEW;
	case CONN_OPEN:
		return c->n_running != 0 ? SURVEY_LOOK_ACTIVE
		                         : SURVEY_LOOK_IDLE;
	case CONN_DRAINING:
		return SURVEY_LOOK_CLOSING;
	case CONN_CLOSED:
		return SURVEY_LOOK_CLOSED;
	}
	return SURVEY_LOOK_CLOSED;
}

static const char *
look_name(enum survey_look look)
{
	static const char *const names[] = {
		[SURVEY_LOOK_NEW] = "new",
		[SURVEY_LOOK_ACTIVE] = "active",
		[SURVEY_LOOK_IDLE] = "idle",
		[SURVEY_LOOK_CLOSING] = "closing",
		[SURVEY_LOOK_CLOSED] = "closed",
	};

	return names[look];
}

/* As loop 0 has seen it come. */
static const char *
came_from(const struct server_conn *c)
{
	return c->admission != NULL ? c->admission->remote : c->peer->remote;
}

const char *
survey_remote_of(const struct server_conn *c, char dst[ADDR_TEXT_LEN])
{
	struct addr now;

	if (c->session == NULL || c->admission == NULL ||
	    !addr_is_udp(c->admission->scheme) ||
	    !conn_query(session_conn(c->session), LAYER_Q_REMOTE, &now))
		return came_from(c);
	addr_format(&now, c->admission->scheme, dst);
	return dst;
}

static const char *
transport_of(const struct server_conn *c, char dst[8])
{
	const char *remote = came_from(c);
	size_t n = strcspn(remote, ":");

	if (n == 0 || n >= 8)
		n = 0;
	memcpy(dst, remote, n);
	dst[n] = '\0';
	return dst;
}

void
survey_count_bytes(const struct server_conn *c, uint64_t *in, uint64_t *out)
{
	*in = *out = 0;
	if (c->session != NULL)
		conn_moved(session_conn(c->session), in, out);
}

static void
put_since(struct kv *k, const struct worker *w, uint64_t begun)
{
	uint64_t now = rk_loop_now(w->loop);
	uint64_t age = now > begun ? now - begun : 0;
	struct timespec wall;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	kv_pair_time(k, "since", (int64_t)wall.tv_sec - (int64_t)(age / 1000));
	kv_pair_uint(k, "age_ms", age);
}

/* Four pairs.  What its key is to us, is asked of who was let in alone. */
static void
put_cert(struct kv *k, const struct server_conn *c, enum survey_look look)
{
	const struct rk_peer *p = c->peer;
	struct rk_trust *trust =
	    c->admission != NULL ? c->admission->creds->trust.trust : NULL;
	const bool asks = trust != NULL && look != SURVEY_LOOK_NEW;

	kv_pair_text(k, "key", asks ? policy_standing(trust, &p->cert) : "");
	kv_pair_text(k, "cn", p->cert.cn);
	kv_pair_text(k, "ca", p->cert.issuer_cn);
	kv_pair_time(k, "not_after", p->cert.not_after);
}

/* Three pairs. */
static void
put_error(struct kv *k, const struct server_conn *c)
{
	uint64_t now = rk_loop_now(c->worker->loop);

	kv_pair_text(k, "error", c->last_error);
	kv_pair_text(
	    k, "error_method", c->failed != NULL ? c->failed->name : "");
	kv_pair_uint(
	    k, "error_age_ms", now > c->failed_at ? now - c->failed_at : 0);
}

static struct layer_path
ask_path(const struct server_conn *c)
{
	struct layer_path path = { 0 };

	if (c->session != NULL &&
	    conn_query(session_conn(c->session), LAYER_Q_PATH, &path))
		return path;
	return (struct layer_path){ 0 };
}

static void
put_psk(struct kv *k, const struct rk_peer *p)
{
	if (p->psk[0] == '\0')
		return;
	kv_pair_text(k, "psk", p->psk);
	kv_pair_text(k, "psk_id", p->psk_id);
}

/* Four pairs. */
static void
put_counts(struct kv *k, const struct server_conn *c, enum survey_look look)
{
	uint64_t running = look == SURVEY_LOOK_CLOSED ? 0 : c->n_running;
	uint64_t rest = c->n_running + c->n_failed;

	kv_pair_uint(k, "running", running);
	kv_pair_uint(k, "calls", c->n_calls);
	kv_pair_uint(k, "done", c->n_calls > rest ? c->n_calls - rest : 0);
	kv_pair_uint(k, "failed", c->n_failed);
}

/* Four pairs. */
static void
put_lengths(struct kv *k, const struct figures_brief *took)
{
	kv_pair_uint(k, "p50_us", figures_brief_percentile(took, 50));
	kv_pair_uint(k, "p90_us", figures_brief_percentile(took, 90));
	kv_pair_uint(k, "p99_us", figures_brief_percentile(took, 99));
	kv_pair_uint(k, "max_us", took->longest);
}

void
survey_put_conn(
    struct kv *k, const struct server_conn *c, enum survey_look look)
{
	const struct rk_peer *p = c->peer;
	char transport[8], remote[ADDR_TEXT_LEN];
	const struct layer_path path = ask_path(c);
	uint64_t in, out;
	uint32_t pairs = 15;

	pairs += path.rtt_us != 0 ? 1 : 0;
	pairs += path.has_retrans ? 1 : 0;
	pairs += p->cipher[0] != '\0' ? 1 : 0;
	pairs += p->psk[0] != '\0' ? 2 : 0;
	pairs += p->proven ? 4 : 0;
	pairs += c->n_failed != 0 ? 3 : 0;
	pairs += c->took != NULL ? 4 : 0;
	survey_count_bytes(c, &in, &out);
	kv_map(k, pairs);
	kv_pair_uint(k, "id", c->id);
	kv_pair_text(k, "state", look_name(look));
	kv_pair_text(k, "transport", transport_of(c, transport));
	kv_pair_text(k, "address", survey_remote_of(c, remote));
	kv_pair_text(k, "email", p->proven ? p->cert.email : "");
	kv_pair_text(k, "fingerprint", p->proven ? p->cert.fp : "");
	kv_pair_bool(k, "resumed", p->resumed);
	put_counts(k, c, look);
	kv_pair_uint(k, "bytes_in", in);
	kv_pair_uint(k, "bytes_out", out);
	put_since(k, c->worker, c->begun);
	if (path.rtt_us != 0)
		kv_pair_uint(k, "rtt_us", path.rtt_us);
	if (path.has_retrans)
		kv_pair_uint(k, "retrans", path.retrans);
	if (p->cipher[0] != '\0')
		kv_pair_text(k, "cipher", p->cipher);
	put_psk(k, p);
	if (p->proven)
		put_cert(k, c, look);
	if (c->n_failed != 0)
		put_error(k, c);
	if (c->took != NULL)
		put_lengths(k, c->took);
}

void
survey_put_brief(
    struct kv *k, const struct server_conn *c, enum survey_look look)
{
	uint64_t in, out;

	survey_count_bytes(c, &in, &out);
	kv_array(k, 7);
	kv_uint(k, c->id);
	kv_text(k, look_name(look));
	kv_uint(k, look == SURVEY_LOOK_CLOSED ? 0 : c->n_running);
	kv_uint(k, c->n_calls);
	kv_uint(k, c->n_failed);
	kv_uint(k, in);
	kv_uint(k, out);
}

/* Who it is to people.  Two pairs, or one. */
static void
put_caller(struct kv *k, const struct rk_peer *p)
{
	kv_pair_text(k, "email", p->proven ? p->cert.email : "");
	if (p->proven)
		kv_pair_text(k, "cn", p->cert.cn);
}

/* Two pairs, two more where an end has told how much it will be, and one for
 * which file it is. */
static uint32_t
moved_pairs(const struct rk_stream *s)
{
	bool told;

	if (s == NULL)
		return 0;
	told =
	    s->moved_in.size != UINT64_MAX || s->moved_out.size != UINT64_MAX;
	return (told ? 4U : 2U) + (s->file != NULL ? 1U : 0U);
}

static void
put_moved(struct kv *k, const struct rk_stream *s)
{
	const struct stream_moved *told =
	    s->moved_in.size != UINT64_MAX ? &s->moved_in : &s->moved_out;

	kv_pair_uint(k, "bytes_in", s->moved_in.bytes);
	kv_pair_uint(k, "bytes_out", s->moved_out.bytes);
	if (told->size != UINT64_MAX) {
		kv_pair_uint(k, "size", told->size);
		kv_pair_uint(k, "moved", told->from + told->bytes);
	}
	if (s->file != NULL)
		kv_pair_text(k, "file", s->file);
}

void
survey_put_call(
    struct kv *k, const struct server_conn *c, const struct rk_call *call)
{
	bool has_end = call->deadline_ms != RK_NEVER;
	char remote[ADDR_TEXT_LEN];
	uint32_t pairs = 9;

	pairs += has_end ? 1 : 0;
	pairs += c->peer->proven ? 1 : 0;
	pairs += moved_pairs(call->stream);
	kv_map(k, pairs);
	kv_pair_uint(k, "id", call->number);
	kv_text(k, "method");
	kv_str(k, call->netrpc.is_set ? call->netrpc.method : call->service);
	kv_pair_uint(k, "conn", c->id);
	kv_pair_text(k, "address", survey_remote_of(c, remote));
	put_caller(k, c->peer);
	kv_pair_bool(k, "stream", call->is_stream);
	kv_pair_bool(k, "canceled", call->canceled);
	put_since(k, c->worker, call->begun);
	if (has_end)
		kv_pair_uint(k, "left_ms", rk_call_time_left(call));
	if (call->stream != NULL)
		put_moved(k, call->stream);
}
