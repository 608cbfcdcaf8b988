/* A client's way to a QUIC server: one endpoint, one address after another. */
#include "rpc/client_int.h"

#include "base/error.h"

enum rk_err
client_quic_init(
    struct rk_client *c, const struct tls_conf *conf, struct rk_error *err)
{
	enum rk_err r;

	if ((r = quic_supported(err)) != RK_OK)
		return r;
	return quic_ctx_new(conf, NULL, false, &c->quic.tls, err);
}

/* The layers on it are freed: a session's end comes before this. */
static void
close_end(struct rk_client *c)
{
	quic_end_free(c->quic.end);
	c->quic.end = NULL;
}

void
client_quic_fini(struct rk_client *c)
{
	close_end(c);
	quic_ctx_free(c->quic.tls);
	c->quic.tls = NULL;
}

/* A socket of its own for each address: connected, it learns when nobody is
 * there. */
static enum rk_err
begin(struct rk_client *c, const struct addr *a, struct rk_error *err)
{
	struct quic_end_conf conf = { .loop = c->loop };
	struct layer *top = NULL;
	enum rk_err r;

	if ((r = quic_io_connect(a, &conf.fd, err)) != RK_OK ||
	    (r = quic_end_new(&conf, &c->quic.end, err)) != RK_OK)
		return r;
	r = quic_end_dial(c->quic.end, c->quic.tls, a, &top);
	if (r == RK_OK)
		r = client_open_session(c, top);
	if (r != RK_OK)
		(void)err_set(err, r, "%s: %s", c->url_text, rk_err_text(r));
	return r;
}

enum rk_err
client_quic_try(struct rk_client *c, struct rk_error *err)
{
	enum rk_err r = RK_ENOENT;

	close_end(c);
	while (r != RK_OK && c->quic.next < c->quic.n) {
		err_clear(err);
		r = begin(c, &c->quic.addrs[c->quic.next++], err);
		if (r != RK_OK)
			close_end(c);
	}
	return r;
}
