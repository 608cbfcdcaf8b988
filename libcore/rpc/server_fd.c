/* Peers that a server was given at descriptors, one each: sessions. */
#include "base/container.h"
#include "base/error.h"
#include "rpc/server_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void
name_of(const struct inherited *i, char out[ADDR_TEXT_LEN])
{
	if (i->fds[0] == i->fds[1])
		(void)snprintf(out, ADDR_TEXT_LEN, "fd:%d", i->fds[0]);
	else
		(void)snprintf(
		    out, ADDR_TEXT_LEN, "fd:%d,%d", i->fds[0], i->fds[1]);
}

/* Bound, for whoever sends something? */
static bool
is_open_udp(int fd)
{
	struct addr a = { .len = sizeof(a.u) };
	struct addr peer = { .len = sizeof(peer.u) };
	socklen_t len = sizeof(int);
	int protocol = 0;

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == IPPROTO_UDP &&
	       getsockname(fd, &a.u.sa, &a.len) == 0 &&
	       (a.u.sa.sa_family == AF_INET ? a.u.in.sin_port
	                                    : a.u.in6.sin6_port) != 0 &&
	       getpeername(fd, &peer.u.sa, &peer.len) != 0;
}

/* One that listens is no peer, but has some. */
static bool
is_listening(int fd, const char **scheme)
{
	socklen_t len = sizeof(int);
	int is = 0;
	int family = AF_UNIX;

	if (is_open_udp(fd)) {
		*scheme = addr_scheme_name(ADDR_SSH_UDP);
		return true;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is, &len) != 0 || !is)
		return false;
	(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	*scheme =
	    addr_scheme_name(family == AF_UNIX ? ADDR_SSH_UNIX : ADDR_SSH_TCP);
	return true;
}

enum rk_err
server_fd_listen(struct rk_server *s, const struct addr_url *u,
    char url_out[128], struct rk_error *err)
{
	struct inherited *i;
	const char *scheme;
	enum rk_err r;

	if (u->fds[0] == u->fds[1] && is_listening(u->fds[0], &scheme))
		return rk_server_listen_fd(s, scheme, u->fds[0], url_out, err);
	if ((r = sess_layer_check_fds(u->fds, err)) != RK_OK)
		return r;
	if ((i = calloc(1, sizeof(*i))) == NULL)
		return err_set(err, RK_ENOMEM, "server: out of memory");
	memcpy(i->fds, u->fds, sizeof(i->fds));
	TAILQ_INSERT_TAIL(&s->inherited, i, link);
	if (url_out != NULL)
		name_of(i, url_out);
	return RK_OK;
}

static void
close_fds(const struct inherited *i)
{
	(void)close(i->fds[0]); /* nothing was sent */
	if (i->fds[1] != i->fds[0])
		(void)close(i->fds[1]);
}

/* As if it had been accepted. */
static void
serve(struct rk_server *s, const struct inherited *i)
{
	const struct addr local = { .u.sa.sa_family = AF_UNIX };
	struct worker *w = &s->workers[0];
	struct rk_error err = { 0 };
	struct admission *a;
	const char *why;

	if (server_admit(s, ADDR_FD, &local, w, &a, &why) != RK_OK) {
		log_event(RK_LOG_WARN, "server", "%s", why);
		close_fds(i);
		return;
	}
	if (sess_layer_new_fds(
	        &a->creds->sess, w->loop, i->fds, &a->top, &err) != RK_OK) {
		gate_leave(&s->gate, a->prefix, a->exempt, false,
		    rk_loop_now(s->loop));
		log_event(RK_LOG_WARN, "server", "%s", err.text);
		free(a);
		return;
	}
	name_of(i, a->remote);
	server_hand_over(s, a);
}

static void
on_deserted(struct mail *m)
{
	struct rk_server *s = container_of(m, struct rk_server, deserted);

	if (s->state == SERVER_RUNNING && s->conf.deserted != NULL)
		s->conf.deserted(s->conf.deserted_arg);
}

void
server_fd_check(struct rk_server *s)
{
	if (!s->awaits_end || s->n_conns != 0)
		return;
	s->awaits_end = false;
	s->deserted.fn = on_deserted;
	mailbox_put(s->workers[0].box, &s->deserted);
}

void
server_fd_start(struct rk_server *s)
{
	struct inherited *i;

	s->awaits_end = !TAILQ_EMPTY(&s->inherited) &&
	                TAILQ_EMPTY(&s->listeners) && TAILQ_EMPTY(&s->ports);
	while ((i = TAILQ_FIRST(&s->inherited)) != NULL) {
		TAILQ_REMOVE(&s->inherited, i, link);
		serve(s, i);
		free(i);
	}
	server_fd_check(s); /* none may have got in */
}

void
server_fd_free(struct rk_server *s)
{
	struct inherited *i;

	while ((i = TAILQ_FIRST(&s->inherited)) != NULL) {
		TAILQ_REMOVE(&s->inherited, i, link);
		close_fds(i);
		free(i);
	}
}
