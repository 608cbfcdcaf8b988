/* A client's part in sessions: who it is, whom it believes, descriptors; and
 * who serves a local socket. */
#include "rpc/client_int.h"

#include "base/error.h"
#include "net/sock.h"
#include "trust/ident.h"

void
client_sess_init(struct rk_client *c)
{
	c->sess = (struct sess_layer_conf){ .server = false,
		.key = c->conf.session_key,
		.psks = c->psk.keys,
		.verify = session_verify_key,
		.arg = &c->trust };
	if (c->sess.key == NULL && c->conf.ident != NULL)
		c->sess.key = ident_key(c->conf.ident);
}

enum rk_err
client_sess_check(
    const struct rk_client *c, const char *text, struct rk_error *err)
{
	if (c->sess.key == NULL)
		return err_set(
		    err, RK_EINVAL, "%s: a session needs a key", text);
	if (c->conf.trust == NULL && c->conf.session_peers == NULL)
		return err_set(err, RK_EINVAL,
		    "%s: a session needs somebody to believe", text);
	return RK_OK;
}

/* They are the session's from now on. */
enum rk_err
client_fds_start(struct rk_client *c, struct rk_error *err)
{
	struct layer *top;
	enum rk_err r;

	if (c->fds_used)
		return err_set(err, RK_ECONNECT,
		    "%s: its descriptors were used before", c->url_text);
	if ((r = sess_layer_check_fds(c->url.fds, err)) != RK_OK)
		return r;
	c->fds_used = true;
	c->dialed_us = loop_clock_us(c->loop);
	r = sess_layer_new_fds(&c->sess, c->loop, c->url.fds, &top, err);
	if (r == RK_OK && (r = client_open_session(c, top)) != RK_OK)
		(void)err_set(err, r, "%s: %s", c->url_text, rk_err_text(r));
	return r;
}

/* ---- local sockets ---- */

void
client_note_server(struct rk_client *c, int fd)
{
	c->server_known =
	    addr_is_unix(c->url.scheme) && sock_peer_uid(fd, &c->server_uid);
}

bool
rk_client_server_uid(const struct rk_client *c, uint32_t *uid)
{
	if (c->state != CLIENT_OPEN || !c->server_known)
		return false;
	*uid = c->server_uid;
	return true;
}
