/* A client's way to a QUIC server: one endpoint, one address after another. */
#include "rpc/client_int.h"
#include "rpc/server_int.h"

#include "base/error.h"

#include <errno.h>

const char *
rk_version_quic(void)
{
	return quic_library();
}

enum rk_err
client_quic_init(struct rk_client *c, const struct tls_conf *conf,
    struct quic_tls_ctx **out, struct rk_error *err)
{
	struct rk_error why;
	enum rk_err r;

	if ((r = quic_supported(&why)) != RK_OK)
		return err_set(err, r, "%s: %s", c->url_text, why.text);
	if (c->conf.from != NULL && c->conf.from->loop != c->conf.loop)
		return err_set(err, RK_EINVAL,
		    "%s: not on the loop of the server whose port it uses",
		    c->url_text);
	return quic_ctx_new(conf, NULL, conf->early, out, err);
}

void
client_quic_close(struct rk_client *c)
{
	quic_end_free(c->quic.end);
	c->quic.end = NULL;
}

/* A socket of its own for each address: connected, it learns when nobody is
 * there. */
static enum rk_err
own_end(struct rk_client *c, const struct addr *a, struct quic_end **out,
    struct rk_error *err)
{
	struct quic_end_conf conf = { .loop = c->loop,
		.bbr = c->conf.congestion == RK_CONGESTION_BBR };
	enum rk_err r;

	*out = NULL;
	if ((r = quic_io_connect(a, &conf.fd, err)) != RK_OK)
		return r;
	r = quic_end_new(&conf, &c->quic.end, err);
	*out = c->quic.end;
	return r;
}

static enum rk_err
shared_end(struct rk_client *c, const struct addr *a, struct quic_end **out,
    struct rk_error *err)
{
	*out = server_quic_end(c->conf.from, a);
	if (*out == NULL)
		return err_set(err, RK_EINVAL,
		    "%s: the server has no QUIC port that reaches it",
		    c->url_text);
	return RK_OK;
}

static enum rk_err
begin(struct rk_client *c, const struct addr *a, struct rk_error *err)
{
	struct layer *top = NULL;
	struct quic_end *end;
	enum rk_err r;

	if (c->conf.from != NULL)
		r = shared_end(c, a, &end, err);
	else
		r = own_end(c, a, &end, err);
	if (r != RK_OK)
		return r;
	r = quic_end_dial(end, c->quic.tls, a, &top);
	if (r == RK_ECONNECT)
		return err_sys(err, r, errno, "%s", c->url_text);
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

	client_quic_close(c);
	while (r != RK_OK && c->quic.next < c->quic.n) {
		err_clear(err);
		/* What those before it took. */
		c->timing.connect = loop_clock_us(c->loop) - c->dialed_us;
		r = begin(c, &c->quic.addrs[c->quic.next++], err);
		if (r != RK_OK)
			client_quic_close(c);
	}
	return r;
}
