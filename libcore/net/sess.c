/* The life of a session, and what its user calls. */
#include "net/sess_int.h"

#include "base/container.h"
#include "base/error.h"
#include "trust/sshkey.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <stdlib.h>

#define BLANKS " \t\r\n"
#define HANDSHAKE_MS 10000
#define REKEY_MS 60000
#define REKEY_BYTES ((uint64_t)1 << 30)
/* As what is queued is bounded by SESS_OUT_FULL and what comes in one call,
 * these are met by nobody. */
#define QUEUE_MAX (SESS_OUT_FULL + 2u * RK_SESSION_MESSAGE_MAX)
#define OUT_MAX (4u * QUEUE_MAX)
#define GOT_MAX (SESS_GOT_FULL + 2u * SESS_PACKET_MAX)

/* ---- states ---- */

bool
sess_is_over(const struct rk_session *s)
{
	return s->state == RK_SESSION_CLOSED;
}

bool
sess_may_take(const struct rk_session *s)
{
	const bool paused = s->paused && s->state == RK_SESSION_ESTABLISHED;

	return !paused && buf_len(&s->got) < SESS_GOT_FULL;
}

void
sess_work_later(struct rk_session *s)
{
	loop_hook_queue(s->loop, &s->work);
}

/* No key outlives its use. */
static void
forget(struct rk_session *s)
{
	sess_hs_fini(&s->hs);
	sess_keys_fini(&s->keys);
	s->keyed = false;
	buf_wipe(&s->in); /* packets are opened where they lie */
	buf_wipe(&s->queue);
	buf_fini(&s->out);
	buf_wipe(&s->parts);
	if (s->timer != NULL)
		rk_timer_clear(s->timer);
	if (s->merge_timer != NULL)
		rk_timer_clear(s->merge_timer);
}

void
sess_go(struct rk_session *s, enum rk_session_state state)
{
	assert(state > s->state);
	s->state = state;
	s->passed |= 1u << state;
	sess_work_later(s);
}

static enum sess_reason
reason_of(const struct rk_session *s, enum rk_err r)
{
	if (r == RK_EPROTO || r == RK_EDAMAGED)
		return SESS_BROKEN;
	if (s->state == RK_SESSION_NEGOTIATING && r != RK_ECANCELED &&
	    r != RK_ETIMEOUT)
		return SESS_REFUSED;
	return SESS_OTHER;
}

static void
tell_peer(struct rk_session *s, enum rk_err r)
{
	const uint8_t reason = (uint8_t)reason_of(s, r);

	if (!s->keyed || s->goodbye || s->ended || s->broken)
		return;
	/* Nobody says it again. */
	for (int i = 0; i < (s->datagrams ? 3 : 1); i++)
		if (sess_put(s, SESS_CLOSE, &reason, sizeof(reason)) != RK_OK ||
		    sess_seal(s) != RK_OK) {
			s->broken = true; /* it goes without one */
			return;
		}
}

void
sess_end(struct rk_session *s, enum rk_err r)
{
	struct rk_error why;

	if (s->ending || sess_is_over(s))
		return;
	s->ending = true;
	if (s->error.code != r)
		(void)err_set(&s->error, r, "%s",
		    r == RK_EPROTO
		        ? "what the peer sent is damaged, or another's"
		        : rk_err_text(r));
	why = s->error;
	tell_peer(s, r);
	s->error = why;
	sess_go(s, RK_SESSION_CLOSED);
}

/* The pipe has ended, and all that came by it is used. */
static void
end_of_pipe(struct rk_session *s)
{
	char id[RK_PSK_ID_LEN];
	enum rk_err r;

	if (!s->keyed && s->conf.initiator && s->hs.psk != NULL) {
		psk_id_format(s->hs.psk->id, id);
		r = err_set(&s->error, RK_EPSK,
		    "pre-shared key %s (id %s): the peer closed the pipe: it "
		    "has none, or another, or cannot go on",
		    s->hs.psk->name, id);
	} else {
		r = err_set(&s->error, RK_ECLOSED, "%s",
		    s->state < RK_SESSION_ESTABLISHED
		        ? "the pipe ended during the handshake"
		        : "lost: the pipe ended without a goodbye");
	}
	sess_end(s, r);
}

/* ---- what is to be done at the end of a turn ---- */

static enum rk_err
begin(struct rk_session *s)
{
	enum rk_err r;

	s->begun = true;
	s->handshake_at = rk_loop_now(s->loop) + s->conf.handshake_ms;
	sess_go(s, RK_SESSION_EXCHANGING);
	if (!s->conf.initiator)
		return RK_OK;
	r = sess_hs_hello(&s->hs, s->first, &s->first_len, &s->error);
	if (r != RK_OK)
		return r;
	if (s->datagrams)
		s->again_at = rk_loop_now(s->loop) + SESS_AGAIN_MS;
	return sess_put_raw(s, s->first, s->first_len);
}

/* Is it time for other keys? */
static enum rk_err
change_keys(struct rk_session *s)
{
	uint8_t ask[SESS_REKEY_LEN];

	if (s->rekey_at == 0 || s->state != RK_SESSION_ESTABLISHED)
		return RK_OK;
	if (rk_loop_now(s->loop) < s->rekey_at &&
	    s->keys.sealed + s->keys.opened < s->conf.rekey_bytes)
		return RK_OK;
	s->rekey_at = 0;
	if (s->datagrams)
		s->again_at = rk_loop_now(s->loop) + SESS_AGAIN_MS;
	sess_keys_ask(&s->keys, ask);
	return sess_put(s, SESS_REKEY, ask, sizeof(ask));
}

static void
move(struct rk_session *s)
{
	enum rk_err r = RK_OK;

	if (!s->begun)
		r = begin(s);
	if (r == RK_OK)
		sess_take(s);
	if (r == RK_OK && !sess_is_over(s))
		r = change_keys(s);
	if (r == RK_OK && !sess_is_over(s) && s->datagrams)
		r = sess_datagram_time(s);
	if (r == RK_OK && !sess_is_over(s))
		r = sess_push(s);
	if (r != RK_OK)
		sess_end(s, r);
	if (sess_is_over(s))
		return;
	if (s->goodbye && s->holds && s->state == RK_SESSION_ESTABLISHED &&
	    !s->ended)
		return; /* its owner has the word */
	if (s->goodbye && (s->broken || s->ended || sess_waiting(s) == 0))
		sess_go(s, RK_SESSION_CLOSED);
	else if (s->ended && sess_may_take(s))
		end_of_pipe(s);
	else if (s->broken && s->close_at == 0)
		s->close_at = rk_loop_now(s->loop) + SESS_CLOSE_MS;
}

static void
keep_time(struct rk_session *s)
{
	const uint64_t times[] = { s->handshake_at, s->rekey_at, s->close_at,
		s->again_at, s->probe_at, s->check_at };
	uint64_t next = 0;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] != 0 && (next == 0 || times[i] < next))
			next = times[i];
	if (next == 0)
		rk_timer_clear(s->timer);
	else if (rk_timer_set(s->timer, next) != RK_OK)
		sess_end(s, RK_ENOMEM);
	if (s->merge_at == 0 || s->blocked)
		rk_timer_clear(s->merge_timer);
	else if (!rk_timer_armed(s->merge_timer))
		loop_timer_set_ns(s->merge_timer, s->merge_at);
}

static void
on_merge(struct rk_timer *t, void *arg)
{
	(void)t;
	sess_work_later(arg);
}

static void
on_time(struct rk_timer *t, void *arg)
{
	struct rk_session *s = arg;
	const uint64_t now = rk_loop_now(s->loop);

	(void)t;
	if (s->handshake_at != 0 && now >= s->handshake_at)
		sess_end(s, err_set(&s->error, RK_ETIMEOUT,
		                "no session within the time for it"));
	else if (s->close_at != 0 && now >= s->close_at)
		sess_end(s, s->broken ? RK_ECLOSED : RK_ETIMEOUT);
	sess_work_later(s);
}

/* ---- telling ---- */

static void
tell_states(struct rk_session *s, enum rk_session_state last)
{
	for (unsigned i = 0; i <= last && !s->dead; i++) {
		const unsigned bit = 1u << i;

		if ((s->passed & bit) == 0 || (s->told & bit) != 0)
			continue;
		s->told |= bit;
		if (s->conf.state != NULL)
			s->conf.state(s, (enum rk_session_state)i,
			    i == RK_SESSION_CLOSED ? &s->error : NULL,
			    s->conf.arg);
	}
}

void
sess_tell_states(struct rk_session *s)
{
	tell_states(s, RK_SESSION_ESTABLISHED);
}

static void
tell_ready(struct rk_session *s)
{
	const bool may_write = s->state == RK_SESSION_ESTABLISHED &&
	                       sess_waiting(s) < SESS_OUT_FULL / 2;
	unsigned ready = s->news ? RK_READ : 0;

	if ((s->refused || s->shorter) && may_write) {
		s->refused = s->shorter = false;
		ready |= RK_WRITE;
	}
	s->news = false;
	if (ready != 0 && s->conf.ready != NULL)
		s->conf.ready(s, ready, s->conf.arg);
}

static void
destroy(struct rk_session *s)
{
	sess_sends_drop(s, RK_ECANCELED);
	loop_hook_remove(s->loop, &s->work);
	forget(s);
	buf_wipe(&s->got);
	sess_sends_fini(s);
	sess_listen_fini(s);
	sess_pipe_close(s);
	rk_timer_free(s->timer);
	rk_timer_free(s->merge_timer);
	free(s);
}

/* What the pipe takes at once of why it is over. */
static void
last_words(struct rk_session *s)
{
	const struct rk_error why = s->error;

	sess_pipe_flush(s);
	sess_pipe_close(s);
	s->error = why;
	forget(s);
}

static void
work(struct loop_hook *h)
{
	struct rk_session *s = container_of(h, struct rk_session, work);

	sess_enter(s);
	if (!sess_is_over(s))
		move(s);
	if (!s->dead && !sess_is_over(s))
		keep_time(s);
	if (!s->dead)
		sess_pipe_watch(s);
	if (!s->dead && sess_is_over(s))
		last_words(s);
	sess_tell_states(s);
	sess_sends_tell(s);
	if (!s->dead && (s->told & 1u << RK_SESSION_CLOSED) == 0)
		tell_ready(s);
	if (!s->dead && sess_is_over(s))
		sess_sends_drop(
		    s, s->error.code == RK_OK ? RK_ECLOSED : s->error.code);
	tell_states(s, RK_SESSION_CLOSED);
	sess_leave(s);
}

void
sess_enter(struct rk_session *s)
{
	s->busy++;
}

void
sess_leave(struct rk_session *s)
{
	if (--s->busy == 0 && s->dead)
		destroy(s);
}

/* ---- begin and end ---- */

static enum rk_err
check_conf(const struct rk_session_conf *c, struct rk_error *err)
{
	if (c->size != sizeof(*c))
		return err_set(err, RK_EINVAL, "a session of another version");
	if (c->key == NULL)
		return err_set(err, RK_EINVAL, "a session without a key");
	if (c->peer == NULL && c->judge == NULL)
		return err_set(
		    err, RK_EINVAL, "a session with nobody to judge the peer");
	if (c->packet != 0 &&
	    (c->packet < SESS_PACKET_LEAST || c->packet > SESS_DATAGRAM_MAX))
		return err_set(
		    err, RK_EINVAL, "a packet of 512 to 65000 bytes");
	if (c->psks != NULL && rk_psks_count(c->psks) == 0)
		return err_set(err, RK_EINVAL, "a set of no pre-shared keys");
	return RK_OK;
}

static enum rk_err
take_wish(struct rk_session *s, const char *peer, struct rk_error *err)
{
	size_t n;

	if (peer == NULL)
		return RK_OK;
	n = strcspn(peer, BLANKS);
	if (strncmp(peer, "SHA256:", 7) != 0) {
		s->wants_key = true;
		return sshkey_parse(peer, s->wanted, err);
	}
	if (n != RK_FP_LEN - 1 || peer[n] != '\0')
		return err_set(err, RK_EFORMAT, "no whole fingerprint");
	memcpy(s->wanted_fp, peer, n + 1);
	return RK_OK;
}

static void
set_defaults(struct rk_session_conf *c)
{
	if (c->handshake_ms == 0)
		c->handshake_ms = HANDSHAKE_MS;
	if (c->rekey_ms == 0)
		c->rekey_ms = REKEY_MS;
	if (c->rekey_bytes == 0)
		c->rekey_bytes = REKEY_BYTES;
	if (c->merge_us == 0)
		c->merge_us = SESS_MERGE_US;
}

enum rk_err
rk_session_new(struct rk_loop *loop, const struct rk_session_conf *conf,
    const struct rk_session_pipe *pipe, struct rk_session **out,
    struct rk_error *err)
{
	struct rk_session *s;
	enum rk_err r;

	*out = NULL;
	if ((r = check_conf(conf, err)) != RK_OK)
		return r;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	s->loop = loop;
	s->conf = *conf;
	s->conf.peer = NULL;
	s->pipe = *pipe;
	s->passed = 1u << RK_SESSION_INITIALIZING;
	s->work.fn = work;
	set_defaults(&s->conf);
	buf_init(&s->in, SESS_IN_MAX);
	buf_init(&s->queue, QUEUE_MAX);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->parts, RK_SESSION_MESSAGE_MAX);
	s->sends.first = s->sends.next = s->sends.unsealed = 1;
	buf_init(&s->got, GOT_MAX);
	if ((r = take_wish(s, conf->peer, err)) != RK_OK)
		goto out;
	if ((r = rk_timer_new(loop, on_time, s, &s->timer)) != RK_OK ||
	    (r = rk_timer_new(loop, on_merge, s, &s->merge_timer)) != RK_OK) {
		(void)err_set(err, r, "out of memory");
		goto out;
	}
	if ((r = sess_pipe_open(s, err)) != RK_OK)
		goto out;
	s->packet = conf->packet != 0 ? conf->packet : SESS_PACKET_FIRST;
	sess_hs_init(
	    &s->hs, &(struct sess_hs_conf){ .initiator = conf->initiator,
	                .datagrams = s->datagrams,
	                .key = conf->key,
	                .psks = conf->psks });
out:
	if (r != RK_OK) {
		destroy(s);
		return r;
	}
	sess_work_later(s);
	*out = s;
	return RK_OK;
}

void
rk_session_free(struct rk_session *s)
{
	if (s == NULL || s->dead)
		return;
	s->dead = true;
	s->state = RK_SESSION_CLOSED;
	sess_pipe_close(s);
	if (s->busy == 0)
		destroy(s);
}
