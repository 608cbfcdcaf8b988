/* Surveys: asking every worker of a server about its connections and calls. */
#include "rpc/survey.h"

#include "base/container.h"
#include "base/error.h"
#include "base/str.h"
#include "rpc/kv.h"
#include "rpc/server_int.h"
#include "rpc/stream.h"
#include "trust/policy.h"

#include <stdlib.h>
#include <time.h>

/* Of all rows together: what fits into one answer, with some room. */
#define ROWS_MAX (RK_PAYLOAD_MAX - 4096)

struct survey_leg {
	struct mail mail; /* to the worker, and back to loop 0 */
	struct survey *survey;
	struct worker *worker;
	struct buf rows;
	size_t first; /* bytes of rows that come before the others' */
	struct survey_sum sum;
	enum rk_err r;
};

struct survey {
	struct rk_server *server;
	enum survey_what what;
	struct survey_target target;
	survey_fn *done;
	void *arg;
	size_t cost;
	unsigned due; /* legs not back: loop 0's */
	unsigned n_legs;
	struct survey_leg legs[];
};

/* ---- one connection: the worker's thread ---- */

enum look {
	LOOK_NEW,
	LOOK_ACTIVE,
	LOOK_IDLE,
	LOOK_CLOSING,
	LOOK_CLOSED
};

static enum look
look_at(const struct server_conn *c)
{
	if (c->session == NULL)
		return LOOK_CLOSED; /* but for calls that are not answered */
	switch (conn_state(session_conn(c->session))) {
	case CONN_NEW:
	case CONN_HANDSHAKE:
	case CONN_VERIFY:
		return LOOK_NEW;
	case CONN_OPEN:
		return c->n_running != 0 ? LOOK_ACTIVE : LOOK_IDLE;
	case CONN_DRAINING:
		return LOOK_CLOSING;
	case CONN_CLOSED:
		return LOOK_CLOSED;
	}
	return LOOK_CLOSED;
}

static const char *
look_name(enum look look)
{
	static const char *const names[] = {
		[LOOK_NEW] = "new",
		[LOOK_ACTIVE] = "active",
		[LOOK_IDLE] = "idle",
		[LOOK_CLOSING] = "closing",
		[LOOK_CLOSED] = "closed",
	};

	return names[look];
}

/* As loop 0 has seen it come. */
static const char *
came_from(const struct server_conn *c)
{
	return c->admission != NULL ? c->admission->remote : c->peer->remote;
}

/* Where it is: over UDP that may have changed, and was proven. */
static const char *
remote_of(const struct server_conn *c, char dst[ADDR_TEXT_LEN])
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

static void
count_bytes(const struct server_conn *c, uint64_t *in, uint64_t *out)
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
put_cert(struct kv *k, const struct server_conn *c, enum look look)
{
	const struct rk_peer *p = c->peer;
	struct rk_trust *trust =
	    c->admission != NULL ? c->admission->creds->trust.trust : NULL;
	const bool asks = trust != NULL && look != LOOK_NEW;

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
put_counts(struct kv *k, const struct server_conn *c, enum look look)
{
	uint64_t running = look == LOOK_CLOSED ? 0 : c->n_running;
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

/* What is not known is not there, for rows that are many. */
static void
put_conn(struct kv *k, const struct server_conn *c, enum look look)
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
	count_bytes(c, &in, &out);
	kv_map(k, pairs);
	kv_pair_uint(k, "id", c->id);
	kv_pair_text(k, "state", look_name(look));
	kv_pair_text(k, "transport", transport_of(c, transport));
	kv_pair_text(k, "address", remote_of(c, remote));
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

static void
put_call(struct kv *k, const struct server_conn *c, const struct rk_call *call)
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
	kv_pair_text(k, "address", remote_of(c, remote));
	put_caller(k, c->peer);
	kv_pair_bool(k, "stream", call->is_stream);
	kv_pair_bool(k, "canceled", call->canceled);
	put_since(k, c->worker, call->begun);
	if (has_end)
		kv_pair_uint(k, "left_ms", rk_call_time_left(call));
	if (call->stream != NULL)
		put_moved(k, call->stream);
}

/* ---- a worker's share: its thread ---- */

/* Cuts what a row that did not fit has left, and counts it. */
static void
end_row(struct survey_leg *leg, struct kv *k, size_t before)
{
	if (kv_row_stays(k, before))
		leg->sum.rows++;
	else if (k->r == RK_ETOOBIG)
		leg->sum.left_out++;
	else
		leg->r = k->r;
}

static void
add_rows(struct survey_leg *leg, const struct server_conn *c, enum look look)
{
	const struct rk_call *call;
	struct kv k = { .b = &leg->rows };
	size_t before = buf_len(&leg->rows);

	if (leg->survey->what == SURVEY_CONNS) {
		put_conn(&k, c, look);
		end_row(leg, &k, before);
	}
	if (leg->survey->what != SURVEY_CALLS)
		return;
	TAILQ_FOREACH (call, &c->running, link) {
		k.r = RK_OK;
		before = buf_len(&leg->rows);
		put_call(&k, c, call);
		end_row(leg, &k, before);
	}
}

bool
survey_is_at(const char *remote, const char *who)
{
	return str_url_is_at(remote, who);
}

static bool
is_meant(const struct server_conn *c, const struct survey_target *t)
{
	char remote[ADDR_TEXT_LEN];

	switch (t->by) {
	case SURVEY_BY_CONN:
		return c->id != 0 && c->id == t->conn;
	case SURVEY_BY_FP:
		return c->peer->proven && strcmp(c->peer->cert.fp, t->who) == 0;
	case SURVEY_BY_ADDRESS:
		return survey_is_at(remote_of(c, remote), t->who);
	}
	return false;
}

static void
kick(struct survey_leg *leg, struct server_conn *c, enum look look)
{
	static const struct rk_error over = {
		.code = RK_ECANCELED,
		.text = "closed by an operator",
	};

	if (leg->survey->what != SURVEY_KICK || look == LOOK_CLOSED ||
	    !is_meant(c, &leg->survey->target))
		return;
	session_abort(c->session, &over);
	leg->sum.kicked++;
}

static struct rk_call *
find_call(
    struct worker *w, const struct survey_target *t, struct server_conn **conn)
{
	struct server_conn *c;
	struct rk_call *call;

	TAILQ_FOREACH (c, &w->conns, link) {
		if (c->id == 0 || c->id != t->conn || c->session == NULL)
			continue;
		TAILQ_FOREACH (call, &c->running, link) {
			*conn = c;
			if (call->number == t->call)
				return call;
		}
	}
	return NULL;
}

/* Its handler may answer when it is told, and so end more than the call. */
static void
cancel(struct survey_leg *leg)
{
	struct kv k = { .b = &leg->rows };
	struct server_conn *c = NULL;
	struct rk_call *call = find_call(leg->worker, &leg->survey->target, &c);

	if (call == NULL)
		return;
	kv_str(&k, call->netrpc.is_set ? call->netrpc.method : call->service);
	end_row(leg, &k, 0);
	if (call->canceled) {
		leg->sum.ending++;
		return;
	}
	leg->sum.canceled++;
	c->n_running++;
	call_cancel(call, RK_CANCEL_OPERATOR);
	c->n_running--;
	server_conn_settle(c);
}

static void
count_look(struct survey_sum *sum, enum look look)
{
	switch (look) {
	case LOOK_NEW:
		sum->fresh++;
		break;
	case LOOK_ACTIVE:
		sum->active++;
		break;
	case LOOK_IDLE:
		sum->idle++;
		break;
	case LOOK_CLOSING:
	case LOOK_CLOSED:
		sum->closing++;
		break;
	}
}

/* First of all those that are not let in yet: who decides about them must see
 * them, however many others there are. */
static void
add_conns(struct survey_leg *leg)
{
	const struct server_conn *c;
	enum look look;

	for (int rest = 0; rest < 2; rest++) {
		TAILQ_FOREACH (c, &leg->worker->conns, link) {
			look = look_at(c);
			if ((look != LOOK_NEW) == rest)
				add_rows(leg, c, look);
		}
		if (rest == 0)
			leg->first = buf_len(&leg->rows);
	}
}

static void leg_back(struct mail *m);

static void
leg_take(struct mail *m)
{
	struct survey_leg *leg = container_of(m, struct survey_leg, mail);
	struct worker *w = leg->worker;
	struct server_conn *c;
	uint64_t in, out;

	leg->sum.bytes_in = w->bytes_in;
	leg->sum.bytes_out = w->bytes_out;
	leg->sum.calls = atomic_load_explicit(&w->calls, memory_order_relaxed);
	leg->sum.running =
	    atomic_load_explicit(&w->running, memory_order_relaxed);
	if (leg->survey->what == SURVEY_CONNS ||
	    leg->survey->what == SURVEY_CALLS)
		add_conns(leg);
	TAILQ_FOREACH (c, &w->conns, link) {
		enum look look = look_at(c);

		count_look(&leg->sum, look);
		count_bytes(c, &in, &out);
		leg->sum.bytes_in += in;
		leg->sum.bytes_out += out;
		kick(leg, c, look); /* its end comes at the end of the turn */
	}
	if (leg->survey->what == SURVEY_CANCEL)
		cancel(leg);
	leg->mail.fn = leg_back;
	mailbox_put(w->server->workers[0].box, &leg->mail);
}

/* ---- putting together: loop 0 ---- */

static void
add_sum(struct survey_sum *to, const struct survey_sum *s)
{
	to->fresh += s->fresh;
	to->active += s->active;
	to->idle += s->idle;
	to->closing += s->closing;
	to->calls += s->calls;
	to->running += s->running;
	to->bytes_in += s->bytes_in;
	to->bytes_out += s->bytes_out;
	to->kicked += s->kicked;
	to->canceled += s->canceled;
	to->ending += s->ending;
	to->rows += s->rows;
	to->left_out += s->left_out;
}

static void
free_survey(struct survey *s)
{
	for (unsigned i = 0; i < s->n_legs; i++)
		buf_fini(&s->legs[i].rows);
	free(s);
}

static enum rk_err
put_rows(struct buf *to, const struct survey_leg *leg, bool first)
{
	size_t from = first ? 0 : leg->first;
	size_t end = first ? leg->first : buf_len(&leg->rows);

	return end == from
	           ? RK_OK
	           : buf_put(to, buf_peek(&leg->rows) + from, end - from);
}

static void
finish(struct survey *s)
{
	struct rk_server *server = s->server;
	struct survey_sum sum = { 0 };
	struct buf rows;
	enum rk_err r = RK_OK;

	buf_init(&rows, ROWS_MAX);
	for (unsigned i = 0; i < s->n_legs; i++) {
		const struct survey_leg *leg = &s->legs[i];

		add_sum(&sum, &leg->sum);
		if (r == RK_OK)
			r = leg->r;
	}
	for (unsigned i = 0; r == RK_OK && i < 2 * s->n_legs; i++)
		r = put_rows(&rows, &s->legs[i % s->n_legs], i < s->n_legs);
	s->done(r, &sum, &rows, s->arg);
	buf_fini(&rows);
	push_hub_leave(&server->push, s->cost);
	free_survey(s);
	server_check_stopped(server);
}

static void
leg_back(struct mail *m)
{
	struct survey *s = container_of(m, struct survey_leg, mail)->survey;

	s->due--;
	if (s->due == 0)
		finish(s);
}

enum rk_err
survey_start(struct rk_server *server, enum survey_what what,
    const struct survey_target *target, survey_fn *done, void *arg)
{
	unsigned n = server->n_workers;
	size_t cost = sizeof(struct survey) + n * sizeof(struct survey_leg);
	struct survey *s;
	enum rk_err r;

	if ((r = push_hub_enter(&server->push, cost)) != RK_OK)
		return r;
	s = calloc(1, cost);
	if (s == NULL) {
		push_hub_leave(&server->push, cost);
		return RK_ENOMEM;
	}
	s->server = server;
	s->what = what;
	if (target != NULL)
		s->target = *target;
	s->done = done;
	s->arg = arg;
	s->cost = cost;
	s->due = s->n_legs = n;
	for (unsigned i = 0; i < n; i++) {
		struct survey_leg *leg = &s->legs[i];

		leg->survey = s;
		leg->worker = &server->workers[i];
		leg->mail.fn = leg_take;
		buf_init(&leg->rows, ROWS_MAX / n);
		mailbox_put(leg->worker->box, &leg->mail);
	}
	return RK_OK;
}
