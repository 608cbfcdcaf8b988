/* A TLS server set up like the daemon's, for outside TLS test suites. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/sock.h"
#include "net/tls.h"
#include "trust/chain.h"

#define ANSWER "HTTP/1.0 200 OK\r\n\r\nok"
#define MAX_QUEUE ((size_t)1 << 20)
#define MAX_UNUSED 65536
#define SHORTAGE_MS 100

/*
 * tlsecho PORT CERTDIR: the identity "node" of the folder, both ends show
 * certificates, 127.0.0.1:PORT (0: any).  Every chunk of bytes received is
 * answered with ANSWER.  Ends with status 0 on SIGTERM or SIGINT.
 */
struct echo {
	struct rk_loop *loop;
	struct rk_ident *ident;
	struct tls_ctx *ctx;
	struct rk_watch *watch;
	struct rk_timer *retry; /* no descriptor was left */
	int fd;
	TAILQ_HEAD(clients, client) clients;
};

struct client {
	TAILQ_ENTRY(client) link;
	struct echo *echo;
	struct conn *conn;
};

static enum rk_err
judge(const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	struct rk_cert_info info;

	return chain_check(arg, chain, n, CHAIN_CLIENT, time(NULL), &info, err);
}

/* ---- one connection ---- */

/* A resumed session skipped the judge; whoever comes is judged here. */
static void
on_proven(struct conn *c, void *arg)
{
	struct client *cl = arg;
	struct rk_error why = { .code = RK_ECERT };
	struct rk_bytes der;

	if (conn_query(c, LAYER_Q_PEER_CERT, &der) &&
	    judge(&der, 1, &why, cl->echo->ident) == RK_OK)
		conn_accept(c);
	else
		conn_abort(c, &why);
}

static size_t
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct rk_error why = { .code = RK_ENOMEM };

	(void)data;
	(void)arg;
	if (!conn_has_room(c))
		conn_pause(c, true);
	if (buf_put_str(conn_out(c), ANSWER) == RK_OK)
		conn_flush(c);
	else
		conn_abort(c, &why);
	return len;
}

static void
on_room(struct conn *c, void *arg)
{
	(void)arg;
	conn_pause(c, false);
}

static void
on_closed(struct conn *c, const struct rk_error *why, void *arg)
{
	struct client *cl = arg;

	(void)c;
	if (why->code != RK_ECLOSED && why->code != RK_ECANCELED)
		(void)fprintf(stderr, "tlsecho: %s\n", why->text);
	TAILQ_REMOVE(&cl->echo->clients, cl, link);
	free(cl);
}

static const struct conn_events events = {
	.proven = on_proven,
	.data = on_data,
	.room = on_room,
	.closed = on_closed,
};

static enum rk_err
serve(struct echo *e, int fd)
{
	struct client *cl = calloc(1, sizeof(*cl));
	struct conn_conf conf = {
		.loop = e->loop,
		.events = &events,
		.arg = cl,
		.max_queue = MAX_QUEUE,
		.max_unused = MAX_UNUSED,
	};
	struct layer *top = NULL;
	enum rk_err r;

	if (cl == NULL) {
		(void)close(fd); /* nothing was said on it */
		return RK_ENOMEM;
	}
	cl->echo = e;
	conn_default_timeouts(&conf.timeouts);
	if ((r = sock_layer_new(fd, ADDR_TLS, &top)) != RK_OK)
		goto out;
	if ((r = tls_layer_new(e->ctx, e->loop, top, &top)) != RK_OK)
		goto out;
	if ((r = conn_open(&conf, &top, &cl->conn)) != RK_OK)
		goto out;
	TAILQ_INSERT_TAIL(&e->clients, cl, link);
	cl = NULL;
out:
	free(cl);
	return r;
}

/* ---- the listener ---- */

static void
pause_accepting(struct echo *e)
{
	if (rk_watch_set(e->watch, 0) != RK_OK ||
	    rk_timer_set(e->retry, rk_loop_now(e->loop) + SHORTAGE_MS) != RK_OK)
		rk_loop_stop(e->loop);
}

static void
on_retry(struct rk_timer *t, void *arg)
{
	struct echo *e = arg;

	(void)t;
	if (rk_watch_set(e->watch, RK_READ) != RK_OK)
		rk_loop_stop(e->loop);
}

static void
on_acceptable(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct echo *e = arg;
	struct addr remote;
	enum rk_err r = RK_OK;
	int c;

	(void)w;
	(void)ready;
	while (r == RK_OK) {
		if ((r = sock_accept(fd, &c, &remote)) == RK_OK)
			r = serve(e, c);
	}
	if (r != RK_EAGAIN)
		pause_accepting(e);
}

static void
on_signal(int signo, void *arg)
{
	struct echo *e = arg;

	(void)signo;
	rk_loop_stop(e->loop);
}

/* ---- the program ---- */

static enum rk_err
start_listening(struct echo *e, uint64_t port, struct rk_error *err)
{
	struct addr_url url = {
		.scheme = ADDR_TLS,
		.host = "127.0.0.1",
		.port = (uint16_t)port,
	};
	struct addr a;
	struct addr bound;
	char text[ADDR_TEXT_LEN];
	size_t n;
	enum rk_err r;

	if ((r = addr_resolve(&url, true, &a, 1, &n, err)) != RK_OK ||
	    (r = sock_listen(&a, &e->fd, &bound, err)) != RK_OK)
		return r;
	addr_format(&bound, ADDR_TLS, text);
	(void)printf("listening tls %s\n", text + strlen("tls://"));
	return fflush(stdout) == 0 ? RK_OK : RK_EIO;
}

static enum rk_err
start(struct echo *e, uint64_t port, const char *dir, struct rk_error *err)
{
	struct tls_conf conf = {
		.server = true,
		.mode = RK_TLS_MUTUAL,
		.verify = judge,
	};
	enum rk_err r;

	if ((r = rk_loop_new(&e->loop)) != RK_OK ||
	    (r = rk_loop_signal(e->loop, SIGTERM, on_signal, e)) != RK_OK ||
	    (r = rk_loop_signal(e->loop, SIGINT, on_signal, e)) != RK_OK ||
	    (r = rk_timer_new(e->loop, on_retry, e, &e->retry)) != RK_OK)
		return err_set(err, r, "cannot make a loop");
	r = rk_ident_load_dir(dir, "node", NULL, NULL, &e->ident, err);
	if (r != RK_OK)
		return r;
	conf.ident = conf.arg = e->ident;
	if ((r = tls_ctx_new(&conf, &e->ctx, err)) != RK_OK ||
	    (r = start_listening(e, port, err)) != RK_OK)
		return r;
	return rk_watch_new(
	    e->loop, e->fd, RK_READ, on_acceptable, e, &e->watch);
}

static void
stop(struct echo *e)
{
	const struct rk_error why = { .code = RK_ECANCELED };
	struct client *cl;

	if (e->watch != NULL)
		rk_watch_free(e->watch);
	if (e->fd >= 0)
		(void)close(e->fd); /* the connections waiting there end */
	TAILQ_FOREACH (cl, &e->clients, link)
		conn_abort(cl->conn, &why);
	while (!TAILQ_EMPTY(&e->clients) && rk_loop_step(e->loop, 0) == RK_OK)
		continue;
	if (e->retry != NULL)
		rk_timer_free(e->retry);
	tls_ctx_free(e->ctx);
	rk_ident_free(e->ident);
	rk_loop_free(e->loop);
}

int
main(int argc, char **argv)
{
	struct echo e = { .fd = -1 };
	struct rk_error err = { 0 };
	uint64_t port;
	enum rk_err r;

	if (argc != 3 || str_parse_u64(argv[1], 0, 65535, &port) != RK_OK) {
		(void)fprintf(stderr, "usage: tlsecho PORT CERTDIR\n");
		return 2;
	}
	TAILQ_INIT(&e.clients);
	if ((r = start(&e, port, argv[2], &err)) == RK_OK)
		r = rk_loop_run(e.loop);
	if (r != RK_OK)
		(void)fprintf(stderr, "tlsecho: %s\n",
		    err.text[0] != '\0' ? err.text : rk_err_text(r));
	stop(&e);
	return rk_err_exit(r);
}
