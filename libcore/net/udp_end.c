/* UDP for sessions: the socket, strangers, who a datagram is for. */
#include "net/udp_int.h"

#include "base/container.h"
#include "base/error.h"

#include <rpckit/secret.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Batches one turn takes from the socket: others wait meanwhile. */
#define ROUNDS 8
#define RUN_MAX QUIC_IO_BATCH_PACKETS

const struct addr *
udp_peer_remote(const struct udp_peer *p)
{
	return &p->remote;
}

/* ---- out ---- */

static void
end_run(struct udp_end *e)
{
	const struct udp_run run = e->run;

	if (run.peer == NULL)
		return;
	e->run = (struct udp_run){ 0 };
	quic_io_put(e->io, &run.peer->local, &run.peer->remote, 0, run.len,
	    run.segment);
}

void
udp_end_say(struct udp_end *e, const struct addr *local,
    const struct addr *remote, const uint8_t *data, size_t len)
{
	uint8_t *room;

	end_run(e);
	if ((room = quic_io_room(e->io)) == NULL)
		return;
	memcpy(room, data, len);
	quic_io_put(e->io, local, remote, 0, len, len);
	loop_hook_queue_last(e->loop, &e->hook);
}

static bool
continues_run(const struct udp_end *e, const struct udp_peer *p, size_t len)
{
	return e->run.peer == p && len <= e->run.segment &&
	       e->run.n < RUN_MAX && e->run.len + len <= QUIC_IO_BATCH_LEN;
}

static enum rk_err
begin_run(struct udp_end *e, struct udp_peer *p, size_t len)
{
	uint8_t *room;

	end_run(e);
	if ((room = quic_io_room(e->io)) == NULL) {
		e->blocked = true;
		if (!p->is_stuck)
			TAILQ_INSERT_TAIL(&e->stuck, p, stuck);
		p->is_stuck = true;
		return RK_EAGAIN;
	}
	e->run = (struct udp_run){ .peer = p, .at = room, .segment = len };
	return RK_OK;
}

enum rk_err
udp_end_put(struct udp_end *e, struct udp_peer *p, struct rk_bytes head,
    struct rk_bytes data)
{
	const size_t len = head.len + data.len;
	enum rk_err r;

	loop_hook_queue_last(e->loop, &e->hook);
	if (len > QUIC_IO_BATCH_LEN)
		return RK_OK; /* lost, as every network would */
	if (!continues_run(e, p, len) && (r = begin_run(e, p, len)) != RK_OK)
		return r;
	memcpy(e->run.at + e->run.len, head.ptr, head.len);
	memcpy(e->run.at + e->run.len + head.len, data.ptr, data.len);
	e->run.len += len;
	e->run.n++;
	if (len < e->run.segment)
		end_run(e); /* a shorter one is the last */
	return RK_OK;
}

/* Those that wait now: who has to again stands behind, who is gone nowhere. */
static void
resume_all(struct udp_end *e)
{
	struct udp_peer *p;
	size_t n = 0;

	TAILQ_FOREACH (p, &e->stuck, stuck)
		n++;
	for (; n > 0 && (p = TAILQ_FIRST(&e->stuck)) != NULL; n--) {
		TAILQ_REMOVE(&e->stuck, p, stuck);
		p->is_stuck = false;
		if (p->layer != NULL)
			sess_layer_resume(p->layer);
	}
}

static void
flush(struct udp_end *e)
{
	unsigned want = RK_READ;

	end_run(e);
	e->blocked = quic_io_flush(e->io) == RK_EAGAIN;
	if (e->blocked)
		want |= RK_WRITE;
	else
		resume_all(e);
	if (rk_watch_set(e->watch, want) != RK_OK)
		log_event(RK_LOG_ERROR, "session", "cannot watch the socket");
}

/* After everybody else of this turn. */
static void
on_hook(struct loop_hook *h)
{
	flush(container_of(h, struct udp_end, hook));
}

/* ---- strangers ---- */

static int64_t
wall(void)
{
	return (int64_t)time(NULL);
}

static void
say_busy(struct udp_end *e, const struct addr *local, const struct addr *remote,
    const uint8_t *nonce)
{
	uint8_t out[UDP_HEAD_LEN];

	e->stats.busy++;
	udp_end_say(e, local, remote, out, udp_put_busy(out, nonce));
}

void
udp_end_say_no(struct udp_end *e, const struct addr *local,
    const struct addr *remote, const uint8_t nonce[UDP_NONCE_LEN])
{
	uint8_t out[UDP_HEAD_LEN];

	udp_end_say(e, local, remote, out, udp_put_no(out, nonce));
}

static struct rk_psks *
required(struct udp_end *e)
{
	struct rk_psks *psks;

	(void)pthread_mutex_lock(&e->lock);
	psks = psks_ref(e->psks);
	(void)pthread_mutex_unlock(&e->lock);
	return psks;
}

/* May it have an answer?  Not who shows an old cookie where a pre-shared key is
 * required: it has to knock, with a proof. */
static bool
may_hear(struct udp_end *e, const struct quic_datagram *d,
    const struct udp_msg *m, bool *proven)
{
	struct rk_psks *psks = required(e);
	bool may;

	*proven = psks != NULL && m->kind == UDP_KNOCK &&
	          udp_knock_proves(d->data, psks, wall());
	may = psks == NULL || *proven;
	rk_psks_free(psks);
	if (!may)
		e->stats.silent++;
	return may;
}

/* A cookie, which is all that a stranger gets. */
static void
answer_knock(
    struct udp_end *e, const struct quic_datagram *d, const struct udp_msg *m)
{
	struct udp_asker asker = { .from = d->remote, .nonce = m->nonce };
	uint8_t cookie[UDP_COOKIE_LEN];
	uint8_t out[UDP_RETRY_LEN];

	if (!may_hear(e, d, m, &asker.proven))
		return;
	if (e->deaf) {
		say_busy(e, d->local, d->remote, m->nonce);
		return;
	}
	udp_cookie_make(&e->keys, &asker, e->index, wall(), cookie);
	e->stats.retries++;
	udp_end_say(
	    e, d->local, d->remote, out, udp_put_retry(out, m->nonce, cookie));
}

static bool
is_used(const struct udp_end *e, const uint8_t *id)
{
	for (size_t i = 0; i < UDP_USED_MAX; i++)
		if (memcmp(e->used[i], id, UDP_ID_LEN) == 0)
			return true;
	return false;
}

static void
new_peer(
    struct udp_end *e, const struct quic_datagram *d, const struct udp_msg *m)
{
	struct udp_peer *p;

	if (e->stats.waiting >= UDP_WAITING_MAX ||
	    (m->len != SESS_HELLO_LEN && m->len != SESS_HELLO_MAX) ||
	    (p = udp_peer_new(e)) == NULL) {
		e->stats.ignored++;
		return;
	}
	memcpy(p->id, m->id, UDP_ID_LEN);
	memcpy(p->nonce, m->nonce, UDP_NONCE_LEN);
	p->local = *d->local;
	p->remote = *d->remote;
	memcpy(p->hello + UDP_HELLO_LEN, m->data, m->len);
	p->hello_len = UDP_HELLO_LEN + m->len;
	if (quic_map_add(&e->ids, &p->entry, p->id, UDP_ID_LEN, p) != RK_OK) {
		udp_peer_free(p);
		e->stats.ignored++;
		return;
	}
	p->waits = true;
	e->stats.waiting++;
	e->events->hello(e, p, e->arg);
}

static bool
give_away(struct udp_end *e, const struct quic_datagram *d,
    const struct udp_msg *m, bool may_stray)
{
	const unsigned loop = udp_id_loop(&e->keys, m->id);

	if (!may_stray || e->n_loops < 2 || loop >= e->n_loops ||
	    loop == e->index)
		return false;
	e->stats.strays++;
	e->events->stray(e, loop, d, e->arg);
	return true;
}

static bool
counts(
    struct udp_end *e, const struct quic_datagram *d, const struct udp_msg *m)
{
	struct rk_psks *psks = required(e);
	const struct udp_asker asker = {
		.from = d->remote, .nonce = m->nonce, .proven = psks != NULL
	};

	rk_psks_free(psks);
	return udp_cookie_check(&e->keys, &asker, m->cookie, wall());
}

/* Nobody's id yet, perhaps: nothing is kept before the cookie is proven. */
static void
take_hello(struct udp_end *e, const struct quic_datagram *d,
    const struct udp_msg *m, bool may_stray)
{
	if (!counts(e, d, m)) {
		e->stats.stale++;
		answer_knock(e, d, m);
		return;
	}
	if (give_away(e, d, m, may_stray))
		return;
	if (is_used(e, m->id)) {
		e->stats.again++;
		udp_end_say_no(e, d->local, d->remote, m->nonce);
		return;
	}
	if (e->deaf)
		say_busy(e, d->local, d->remote, m->nonce);
	else
		new_peer(e, d, m);
}

/* ---- in ---- */

static void
route(struct udp_end *e, const struct quic_datagram *d, bool may_stray)
{
	struct udp_peer *p = TAILQ_FIRST(&e->peers);
	struct udp_msg m;

	if (udp_parse(d->data, d->len, &m) == UDP_NONE) {
		e->stats.ignored++;
		return;
	}
	if (e->events != NULL && m.kind == UDP_KNOCK) {
		answer_knock(e, d, &m);
		return;
	}
	if (e->events != NULL)
		p = m.id == NULL ? NULL
		                 : quic_map_find(&e->ids, m.id, UDP_ID_LEN);
	if (p != NULL)
		udp_peer_input(p, d, &m);
	else if (e->events != NULL && m.kind == UDP_HELLO)
		take_hello(e, d, &m, may_stray);
	else if (e->events == NULL || m.id == NULL || m.kind == UDP_RETRY ||
	         !give_away(e, d, &m, may_stray))
		e->stats.ignored++;
}

/* What a peer has sent is too long for its way from here. */
static void
on_refused(const uint8_t *data, size_t len, void *arg)
{
	struct udp_end *e = arg;
	struct udp_peer *p = TAILQ_FIRST(&e->peers);

	if (len <= UDP_DATA_LEN || data[0] != UDP_DATA)
		return;
	if (e->events != NULL)
		p = quic_map_find(&e->ids, data + 1, UDP_ID_LEN);
	if (p != NULL && p->layer != NULL)
		sess_layer_refused(p->layer, len - UDP_DATA_LEN);
}

static void
on_datagram(const struct quic_datagram *d, void *arg)
{
	route(arg, d, true);
}

void
udp_end_feed(struct udp_end *e, const struct quic_datagram *d)
{
	route(e, d, false);
}

static void
read_all(struct udp_end *e)
{
	struct udp_peer *p;
	enum rk_err r = RK_OK;
	int sys = 0;

	for (int i = 0; i < ROUNDS && r == RK_OK; i++)
		r = quic_io_recv(e->io, on_datagram, e, &sys);
	if (r == RK_ECONNECT && e->events == NULL &&
	    (p = TAILQ_FIRST(&e->peers)) != NULL)
		udp_peer_refused(p, sys);
}

static void
on_ready(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct udp_end *e = arg;

	(void)w;
	(void)fd;
	if ((ready & RK_READ) != 0)
		read_all(e);
	loop_hook_queue_last(e->loop, &e->hook);
}

/* ---- its life ---- */

void
udp_end_forget(struct udp_end *e, struct udp_peer *p)
{
	if (e->run.peer == p)
		end_run(e);
	if (p->is_stuck)
		TAILQ_REMOVE(&e->stuck, p, stuck);
	if (p->waits)
		e->stats.waiting--;
	else if (e->events != NULL)
		memcpy(
		    e->used[e->next_used++ % UDP_USED_MAX], p->id, UDP_ID_LEN);
	p->is_stuck = p->waits = false;
	quic_map_remove(&e->ids, &p->entry);
	TAILQ_REMOVE(&e->peers, p, link);
	e->stats.peers--;
	p->end = NULL;
}

/* events NULL: a client's. */
static enum rk_err
make(struct rk_loop *loop, int fd, struct udp_end **out, struct rk_error *err)
{
	struct udp_end *e = calloc(1, sizeof(*e));
	enum rk_err r = RK_ENOMEM;

	*out = NULL;
	if (e == NULL) {
		(void)close(fd); /* nobody uses it */
		return err_set(err, r, "out of memory");
	}
	e->loop = loop;
	e->n_loops = 1;
	e->hook.fn = on_hook;
	(void)pthread_mutex_init(&e->lock, NULL); /* plain: cannot fail */
	TAILQ_INIT(&e->peers);
	TAILQ_INIT(&e->stuck);
	quic_map_init(&e->ids);
	if ((r = quic_io_new(fd, NULL, &e->io)) == RK_OK) {
		quic_io_no_ecn(e->io);
		quic_io_on_refused(e->io, on_refused, e);
		r = rk_watch_new(loop, fd, RK_READ, on_ready, e, &e->watch);
	}
	if (r != RK_OK) {
		udp_end_free(e);
		return err_set(err, r, "udp: %s", rk_err_text(r));
	}
	*out = e;
	return RK_OK;
}

enum rk_err
udp_end_new(
    const struct udp_end_conf *conf, struct udp_end **out, struct rk_error *err)
{
	struct udp_end *e;
	enum rk_err r;

	*out = NULL;
	if ((r = make(conf->loop, conf->fd, &e, err)) != RK_OK)
		return r;
	e->events = conf->events;
	e->arg = conf->arg;
	e->index = conf->index;
	e->n_loops = conf->n_loops == 0 ? 1 : conf->n_loops;
	e->psks = psks_ref(conf->psks);
	udp_keys_init(&e->keys, conf->seed);
	*out = e;
	return RK_OK;
}

void
udp_end_free(struct udp_end *e)
{
	struct udp_peer *p;

	if (e == NULL)
		return;
	while ((p = TAILQ_FIRST(&e->peers)) != NULL) {
		if (p->waits)
			udp_peer_free(p);
		else
			udp_end_forget(e, p); /* its layer's */
	}
	udp_end_hurry(e);
	loop_hook_remove(e->loop, &e->hook);
	rk_watch_free(e->watch);
	quic_io_free(e->io);
	quic_map_fini(&e->ids);
	udp_keys_fini(&e->keys);
	rk_psks_free(e->psks);
	(void)pthread_mutex_destroy(&e->lock);
	free(e);
}

void
udp_end_require(struct udp_end *e, struct rk_psks *psks)
{
	struct rk_psks *old;

	(void)pthread_mutex_lock(&e->lock);
	old = e->psks;
	e->psks = psks_ref(psks);
	(void)pthread_mutex_unlock(&e->lock);
	rk_psks_free(old);
}

void
udp_end_deafen(struct udp_end *e)
{
	e->deaf = true;
}

void
udp_end_hurry(struct udp_end *e)
{
	if (e == NULL || e->io == NULL)
		return;
	end_run(e);
	if (quic_io_flush(e->io) != RK_OK)
		log_event(RK_LOG_DEBUG, "session", "last datagrams were lost");
}

void
udp_end_close(struct udp_end *e)
{
	rk_watch_free(e->watch);
	e->watch = NULL;
	quic_io_close(e->io);
}

enum rk_err
udp_end_accept(struct udp_end *e, const struct sess_layer_conf *conf,
    struct udp_peer *p, struct layer **out)
{
	p->waits = false;
	e->stats.waiting--;
	return sess_layer_new_way(
	    conf, e->loop, ADDR_SSH_UDP, &udp_way, p, out);
}

void
udp_end_drop(struct udp_end *e, struct udp_peer *p, bool busy)
{
	if (busy)
		say_busy(e, &p->local, &p->remote, p->nonce);
	udp_peer_free(p);
}

enum rk_err
udp_end_dial(struct rk_loop *loop, const struct sess_layer_conf *conf, int fd,
    const uint8_t nonce[UDP_NONCE_LEN], struct layer **out)
{
	struct addr remote = { .len = sizeof(remote.u) };
	struct udp_end *e;
	struct udp_peer *p;
	enum rk_err r;

	*out = NULL;
	if ((r = make(loop, fd, &e, NULL)) != RK_OK)
		return r;
	if (getpeername(fd, &remote.u.sa, &remote.len) != 0 ||
	    (p = udp_peer_new(e)) == NULL) {
		udp_end_free(e);
		return RK_ENOMEM;
	}
	p->remote = remote;
	(void)quic_io_local(e->io, &p->local);
	memcpy(p->nonce, nonce, UDP_NONCE_LEN);
	p->psk = conf->psks == NULL ? NULL : psks_at(conf->psks, 0);
	read_all(e); /* the answer that waits */
	return sess_layer_new_way(conf, loop, ADDR_SSH_UDP, &udp_way, p, out);
}

void
udp_end_stats(const struct udp_end *e, struct udp_end_stats *out)
{
	*out = e->stats;
	quic_io_stats(e->io, &out->io);
}
