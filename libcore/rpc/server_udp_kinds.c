/* What a server has behind its UDP sockets: QUIC, or sessions.  An endpoint is
 * a struct quic_end or udp_end, a hello a struct quic_hello or udp_peer, as the
 * address says. */
#include "net/quic_cid.h"
#include "net/quic_place.h"
#include "rpc/server_int.h"
#include "trust/ident.h"

#include <rpckit/secret.h>

#include <string.h>

static bool
is_quic(const struct udp_port *p)
{
	return p->all->scheme == ADDR_QUIC;
}

unsigned
server_port_loops(enum addr_scheme scheme)
{
	return scheme == ADDR_QUIC ? QUIC_CID_LOOPS_MAX : UDP_LOOPS_MAX;
}

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

/* From the seed's file; or from the key: a seed that is not kept would forget,
 * with the process, whom to tell that it is gone.  Where nothing tells which
 * place this is, no other may have the same. */
static void
reset_secret(const struct udp_port *p, uint8_t secret[QUIC_PLACE_LEN])
{
	const struct rk_server *s = p->worker->server;
	const struct rk_ident *ident = TAILQ_FIRST(&s->creds)->psk.ident;
	const uint8_t *of_key =
	    s->conf.seed != NULL || ident == NULL || ident_key(ident) == NULL
	        ? NULL
	        : rk_key_seed(ident_key(ident));
	uint8_t base[QUIC_PLACE_LEN];

	_Static_assert(sizeof(base) == RK_KEY_SEED_LEN, "a key's seed fits");
	if (of_key != NULL)
		memcpy(base, of_key, sizeof(base));
	else
		seed_derive(s->seed, "quic-reset", 0, base, sizeof(base));
	if (!quic_place_secret(base, &p->all->bound, secret))
		rk_random(secret, QUIC_PLACE_LEN);
	rk_wipe(base, sizeof(base));
}

static enum rk_err
open_quic(struct udp_port *p, int fd, struct rk_error *err)
{
	static const struct quic_end_events events = {
		.hello = on_hello,
		.stray = on_stray,
	};
	const struct rk_server *s = p->worker->server;
	uint8_t secret[QUIC_PLACE_LEN];
	const struct quic_end_conf conf = {
		.loop = p->worker->loop,
		.fd = fd,
		.events = &events,
		.arg = p,
		.index = p->worker->index,
		.n_loops = (unsigned)p->all->n,
		.seed = s->seed,
		.reset = secret,
		/* Those under way besides the one that asks. */
		.retry_from = s->conf.retry_from - 1,
		.bbr = s->conf.congestion == RK_CONGESTION_BBR,
	};
	struct quic_end *e;
	enum rk_err r;

	reset_secret(p, secret);
	r = quic_end_new(&conf, &e, err);

	rk_wipe(secret, sizeof(secret));
	p->end = e;
	return r;
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

/* ---- either ---- */

enum rk_err
server_port_open(struct udp_port *p, int fd, struct rk_error *err)
{
	return is_quic(p) ? open_quic(p, fd, err) : open_sessions(p, fd, err);
}

enum rk_err
server_port_accept(struct udp_port *p, const struct creds *creds, void *hello,
    struct layer **out)
{
	return is_quic(p) ? quic_end_accept(p->end, creds->quic, hello, out)
	                  : udp_end_accept(p->end, &creds->sess, hello, out);
}

void
server_port_drop(struct udp_port *p, void *hello, bool busy)
{
	if (is_quic(p))
		quic_end_drop(p->end, hello, busy);
	else
		udp_end_drop(p->end, hello, busy);
}

void
server_port_feed(struct udp_port *p, const struct quic_datagram *d)
{
	if (is_quic(p))
		quic_end_feed(p->end, d);
	else
		udp_end_feed(p->end, d);
}

/* QUIC answers strangers; what is required is asked inside of it. */
void
server_port_require(struct udp_port *p, struct rk_psks *psks)
{
	if (!is_quic(p))
		udp_end_require(p->end, psks);
}

void
server_port_deafen(struct udp_port *p)
{
	if (is_quic(p))
		quic_end_deafen(p->end);
	else
		udp_end_deafen(p->end);
}

void
server_port_hurry(struct udp_port *p)
{
	if (is_quic(p))
		quic_end_hurry(p->end);
	else
		udp_end_hurry(p->end);
}

void
server_port_close(struct udp_port *p)
{
	if (is_quic(p))
		quic_end_close(p->end);
	else
		udp_end_close(p->end);
}

void
server_port_free(struct udp_port *p)
{
	if (is_quic(p))
		quic_end_free(p->end);
	else
		udp_end_free(p->end);
}
