/* What a server has behind its UDP sockets: QUIC, and sessions. */
#include "net/quic_cid.h"
#include "rpc/server_int.h"

/* ---- QUIC ---- */

static void
on_hello(struct quic_end *e, struct quic_hello *h, void *arg)
{
	(void)e;
	server_knock(arg, h, quic_hello_remote(h));
}

static void
on_stray(
    struct quic_end *e, unsigned loop, const struct quic_datagram *d, void *arg)
{
	(void)e;
	server_stray(arg, loop, d);
}

static enum rk_err
open_quic(struct udp_port *p, int fd, struct rk_error *err)
{
	static const struct quic_end_events events = {
		.hello = on_hello,
		.stray = on_stray,
	};
	const struct rk_server *s = p->worker->server;
	const struct quic_end_conf conf = {
		.loop = p->worker->loop,
		.fd = fd,
		.events = &events,
		.arg = p,
		.index = p->worker->index,
		.n_loops = (unsigned)p->all->n,
		.seed = s->seed,
		/* Those under way besides the one that asks. */
		.retry_from = s->conf.retry_from - 1,
		.bbr = s->conf.congestion == RK_CONGESTION_BBR,
	};
	struct quic_end *e;
	enum rk_err r = quic_end_new(&conf, &e, err);

	p->end = e;
	return r;
}

static enum rk_err
accept_quic(
    void *end, const struct creds *creds, void *hello, struct layer **out)
{
	return quic_end_accept(end, creds->quic, hello, out);
}

static void
drop_quic(void *end, void *hello, bool busy)
{
	quic_end_drop(end, hello, busy);
}

static void
feed_quic(void *end, const struct quic_datagram *d)
{
	quic_end_feed(end, d);
}

static void
deafen_quic(void *end)
{
	quic_end_deafen(end);
}

static void
hurry_quic(void *end)
{
	quic_end_hurry(end);
}

static void
close_quic(void *end)
{
	quic_end_close(end);
}

static void
free_quic(void *end)
{
	quic_end_free(end);
}

/* ---- sessions ---- */

static void
on_peer(struct udp_end *e, struct udp_peer *p, void *arg)
{
	(void)e;
	server_knock(arg, p, udp_peer_remote(p));
}

static void
on_stray_datagram(
    struct udp_end *e, unsigned loop, const struct quic_datagram *d, void *arg)
{
	(void)e;
	server_stray(arg, loop, d);
}

static enum rk_err
open_sessions(struct udp_port *p, int fd, struct rk_error *err)
{
	static const struct udp_end_events events = {
		.hello = on_peer,
		.stray = on_stray_datagram,
	};
	const struct rk_server *s = p->worker->server;
	const struct udp_end_conf conf = {
		.loop = p->worker->loop,
		.fd = fd,
		.events = &events,
		.arg = p,
		.index = p->worker->index,
		.n_loops = (unsigned)p->all->n,
		.seed = s->seed,
		.psks = TAILQ_FIRST(&s->creds)->psk.keys,
	};
	struct udp_end *e;
	enum rk_err r = udp_end_new(&conf, &e, err);

	p->end = e;
	return r;
}

static enum rk_err
accept_session(
    void *end, const struct creds *creds, void *hello, struct layer **out)
{
	return udp_end_accept(end, &creds->sess, hello, out);
}

static void
drop_session(void *end, void *hello, bool busy)
{
	udp_end_drop(end, hello, busy);
}

static void
feed_sessions(void *end, const struct quic_datagram *d)
{
	udp_end_feed(end, d);
}

static void
require_of_sessions(void *end, struct rk_psks *psks)
{
	udp_end_require(end, psks);
}

static void
deafen_sessions(void *end)
{
	udp_end_deafen(end);
}

static void
hurry_sessions(void *end)
{
	udp_end_hurry(end);
}

static void
close_sessions(void *end)
{
	udp_end_close(end);
}

static void
free_sessions(void *end)
{
	udp_end_free(end);
}

/* ---- which ---- */

const struct port_kind *
server_udp_kind(enum addr_scheme scheme)
{
	static const struct port_kind quic = {
		.scheme = ADDR_QUIC,
		.loops_max = QUIC_CID_LOOPS_MAX,
		.open = open_quic,
		.accept = accept_quic,
		.drop = drop_quic,
		.feed = feed_quic,
		.deafen = deafen_quic,
		.hurry = hurry_quic,
		.close = close_quic,
		.free = free_quic,
	};
	static const struct port_kind sessions = {
		.scheme = ADDR_SSH_UDP,
		.loops_max = UDP_LOOPS_MAX,
		.open = open_sessions,
		.accept = accept_session,
		.drop = drop_session,
		.feed = feed_sessions,
		.require = require_of_sessions,
		.deafen = deafen_sessions,
		.hurry = hurry_sessions,
		.close = close_sessions,
		.free = free_sessions,
	};

	if (!addr_is_udp(scheme))
		return NULL;
	return scheme == ADDR_QUIC ? &quic : &sessions;
}
