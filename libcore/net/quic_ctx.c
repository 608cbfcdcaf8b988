/* QUIC's credentials, for those who see no library of it. */
#include "net/quic_int.h"

enum rk_err
quic_supported(struct rk_error *err)
{
	(void)err;
	return RK_OK;
}

const char *
quic_library(void)
{
	return quic_tls_library();
}

enum rk_err
quic_ctx_new(const struct tls_conf *conf, struct seed *seed, bool early,
    struct quic_tls_ctx **out, struct rk_error *err)
{
	const struct quic_tls_conf qc = {
		.tls = *conf,
		.seed = seed,
		.early = early,
	};

	return quic_tls_ctx_new(&qc, out, err);
}

void
quic_ctx_free(struct quic_tls_ctx *ctx)
{
	quic_tls_ctx_free(ctx);
}

void
quic_ctx_forget(struct quic_tls_ctx *ctx)
{
	quic_tls_ctx_forget(ctx);
}
