/* QUIC in a build that has none: it says why. */
#include "net/quic.h"

#include "base/error.h"

#include <unistd.h>

enum rk_err
quic_supported(struct rk_error *err)
{
	return err_set(err, RK_EUNSUPPORTED,
	    "this build has no QUIC: it was made without ngtcp2 1.11 or newer");
}

const char *
quic_library(void)
{
	return "";
}

enum rk_err
quic_ctx_new(const struct tls_conf *conf, struct seed *seed, bool early,
    struct quic_tls_ctx **out, struct rk_error *err)
{
	(void)conf;
	(void)seed;
	(void)early;
	*out = NULL;
	return quic_supported(err);
}

void
quic_ctx_free(struct quic_tls_ctx *ctx)
{
	(void)ctx;
}

void
quic_ctx_forget(struct quic_tls_ctx *ctx)
{
	(void)ctx;
}

const struct addr *
quic_hello_remote(const struct quic_hello *h)
{
	(void)h;
	return NULL;
}

bool
quic_hello_validated(const struct quic_hello *h)
{
	(void)h;
	return false;
}

enum rk_err
quic_end_new(const struct quic_end_conf *conf, struct quic_end **out,
    struct rk_error *err)
{
	*out = NULL;
	(void)close(conf->fd); /* nobody uses it */
	return quic_supported(err);
}

void
quic_end_free(struct quic_end *e)
{
	(void)e;
}

void
quic_end_deafen(struct quic_end *e)
{
	(void)e;
}

void
quic_end_close(struct quic_end *e)
{
	(void)e;
}

void
quic_end_hurry(struct quic_end *e)
{
	(void)e;
}

enum rk_err
quic_end_dial(struct quic_end *e, struct quic_tls_ctx *ctx,
    const struct addr *remote, struct layer **out)
{
	(void)e;
	(void)ctx;
	(void)remote;
	*out = NULL;
	return RK_EUNSUPPORTED;
}

enum rk_err
quic_end_accept(struct quic_end *e, struct quic_tls_ctx *ctx,
    struct quic_hello *h, struct layer **out)
{
	(void)e;
	(void)ctx;
	(void)h;
	*out = NULL;
	return RK_EUNSUPPORTED;
}

void
quic_end_drop(struct quic_end *e, struct quic_hello *h, bool busy)
{
	(void)e;
	(void)h;
	(void)busy;
}

void
quic_end_feed(struct quic_end *e, const struct quic_datagram *d)
{
	(void)e;
	(void)d;
}

void
quic_end_stats(const struct quic_end *e, struct quic_end_stats *out)
{
	(void)e;
	*out = (struct quic_end_stats){ 0 };
}
