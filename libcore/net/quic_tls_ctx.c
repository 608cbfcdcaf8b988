/* Contexts of QUIC's TLS, as far as they are the same for every library. */
#include "net/quic_tls_base.h"

#include "base/error.h"
#include "net/tls_cert.h"
#include "net/tls_int.h"

#include <rpckit/secret.h>

#include <assert.h>

static enum rk_err
check(const struct quic_tls_conf *conf, struct rk_error *err)
{
	if (tls_asks_peer(&conf->tls) && conf->tls.verify == NULL)
		return err_set(
		    err, RK_EINVAL, "TLS without a judge of certificates");
	if (conf->tls.server && conf->seed == NULL)
		return err_set(err, RK_EINVAL,
		    "a QUIC server without a seed for its keys");
	return RK_OK;
}

enum rk_err
quic_tls_ctx_base_init(struct quic_tls_ctx_base *b,
    const struct quic_tls_conf *conf, struct rk_error *err)
{
	enum rk_err r;

	if ((r = check(conf, err)) != RK_OK)
		return r;
	if (quic_slot_init(&b->slot) != RK_OK)
		return err_set(err, RK_ENOMEM, "out of memory");
	atomic_init(&b->refs, 1);
	b->server = conf->tls.server;
	/* Early data of nobody, or to anybody, are for nobody. */
	b->early = conf->early && conf->tls.mode != RK_TLS_SKIP_VERIFY;
	b->verify = tls_asks_peer(&conf->tls) ? conf->tls.verify : NULL;
	b->resume = tls_resume_fn(&conf->tls);
	b->arg = conf->tls.arg;
	if (!b->server || !b->early)
		return RK_OK;
	b->tickets = quic_tickets_new();
	if (b->tickets != NULL)
		return RK_OK;
	quic_tls_ctx_base_fini(b);
	return err_set(err, RK_ENOMEM, "out of memory");
}

void
quic_tls_ctx_base_fini(struct quic_tls_ctx_base *b)
{
	quic_tickets_free(b->tickets);
	quic_slot_fini(&b->slot);
}

bool
quic_tls_ctx_base_unref(struct quic_tls_ctx_base *b)
{
	return atomic_fetch_sub(&b->refs, 1) == 1;
}

/* They begin with it. */
void
quic_tls_ctx_forget(struct quic_tls_ctx *ctx)
{
	quic_slot_forget(&((struct quic_tls_ctx_base *)ctx)->slot);
}

bool
quic_tls_ctx_recalls(const struct quic_tls_ctx_base *b, const struct buf *leaf)
{
	struct rk_bytes cert = { buf_peek(leaf), buf_len(leaf) };
	struct rk_error ignored = { 0 };

	return b->resume == NULL ||
	       tls_judge(b->resume, b->arg, &cert, 1, &ignored) == RK_OK;
}

/* ---- the keys of tickets ---- */

void
quic_tls_ticket_info(
    enum rk_tls_mode mode, const uint8_t *cert, size_t len, uint8_t *info)
{
	info[0] = (uint8_t)mode;
	crypt_sha256(info + 1, cert, len);
}

void
quic_tls_ticket_key(const struct seed *seed, uint64_t epoch,
    const uint8_t *info, uint8_t *out, size_t len)
{
	uint8_t master[64];
	enum rk_err r;

	seed_derive(seed, "quic-ticket", epoch, master, sizeof(master));
	r = crypt_hkdf(out, len, master, sizeof(master), NULL, 0, info,
	    QUIC_TICKET_INFO_LEN);
	assert(r == RK_OK); /* it only fails beyond a length */
	(void)r;
	rk_wipe(master, sizeof(master));
}
