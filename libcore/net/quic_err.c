/* Why a QUIC connection ended, in words and in codes. */
#include "net/quic_int.h"

#include "base/error.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

struct app_row {
	enum quic_app app;
	enum rk_err code; /* what the peer's code means here */
	const char *text;
};

static const struct app_row apps[] = {
	{ QUIC_APP_DONE, RK_ECLOSED, "closed by the peer" },
	{ QUIC_APP_REFUSED, RK_EDENIED, "the peer does not trust this key" },
	{ QUIC_APP_PROTOCOL, RK_ECLOSED,
	    "closed by the peer: it saw a protocol error" },
	{ QUIC_APP_TIMEOUT, RK_ECLOSED,
	    "closed by the peer: it waited too long" },
	{ QUIC_APP_LIMIT, RK_ECLOSED,
	    "closed by the peer: a limit was reached" },
	{ QUIC_APP_FAILED, RK_ECLOSED, "closed by the peer: it failed" },
};

/* Our own ends, as the peer may know them. */
static enum quic_app
app_for(enum rk_err code)
{
	switch (rk_err_exit(code)) {
	case 6:
		return QUIC_APP_REFUSED;
	case 5:
		return QUIC_APP_TIMEOUT;
	default:
		break;
	}
	if (code == RK_ECLOSED || code == RK_ECANCELED || code == RK_OK)
		return QUIC_APP_DONE;
	if (code == RK_EPROTO || code == RK_EFORMAT)
		return QUIC_APP_PROTOCOL;
	if (code == RK_ETOOBIG || code == RK_ELIMIT)
		return QUIC_APP_LIMIT;
	return QUIC_APP_FAILED;
}

void
quic_goodbye(const struct rk_error *why, ngtcp2_ccerr *cc)
{
	ngtcp2_ccerr_default(cc);
	ngtcp2_ccerr_set_application_error(
	    cc, why == NULL ? QUIC_APP_DONE : app_for(why->code), NULL, 0);
}

static enum rk_err
explain_app(const ngtcp2_ccerr *cc, struct rk_error *err)
{
	char phrase[128];
	char shown[256];

	for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
		if (cc->error_code == (uint64_t)apps[i].app)
			return err_set(err, apps[i].code, "%s", apps[i].text);
	}
	(void)snprintf(phrase, sizeof(phrase), "%.*s",
	    (int)(cc->reasonlen < 100 ? cc->reasonlen : 100),
	    cc->reasonlen == 0 ? "" : (const char *)cc->reason);
	return err_set(err, RK_ECLOSED,
	    "closed by the peer with code %" PRIu64 "%s%s", cc->error_code,
	    phrase[0] == '\0' ? "" : ": ",
	    str_escape(shown, sizeof(shown), phrase));
}

static bool
is_crypto(uint64_t code)
{
	return code >= NGTCP2_CRYPTO_ERROR && code < NGTCP2_CRYPTO_ERROR + 256;
}

static enum rk_err
explain_peer(
    const struct quic_conn *c, const ngtcp2_ccerr *cc, struct rk_error *err)
{
	switch (cc->type) {
	case NGTCP2_CCERR_TYPE_APPLICATION:
		return explain_app(cc, err);
	case NGTCP2_CCERR_TYPE_IDLE_CLOSE:
	case NGTCP2_CCERR_TYPE_DROP_CONN:
	case NGTCP2_CCERR_TYPE_RETRY:
	case NGTCP2_CCERR_TYPE_VERSION_NEGOTIATION:
	case NGTCP2_CCERR_TYPE_TRANSPORT:
		break;
	}
	if (is_crypto(cc->error_code))
		return quic_tls_explain(c->tls, cc->error_code, true, err);
	if (cc->error_code == NGTCP2_CONNECTION_REFUSED)
		return err_set(err, RK_ECONNECT,
		    "the server is too busy, stopping, or takes nobody from "
		    "here for now");
	if (cc->error_code == NGTCP2_NO_ERROR)
		return err_set(err, RK_ECLOSED, "closed by the peer");
	if (cc->error_code == NGTCP2_APPLICATION_ERROR && !c->completed)
		return err_set(
		    err, RK_ECLOSED, "the peer gave up during the handshake");
	return err_set(err, RK_EPROTO,
	    "closed by the peer with QUIC error 0x%" PRIx64, cc->error_code);
}

static enum rk_err
explain_silence(const struct quic_conn *c, struct rk_error *err)
{
	uint64_t silence = loop_now_ns(c->end->loop) - c->heard_at;
	char where[ADDR_TEXT_LEN];

	addr_format(&c->remote, ADDR_QUIC, where);
	return err_set(err, RK_ETIMEOUT, "%s: no sign of the peer for %.3g s",
	    where, (double)silence / NGTCP2_SECONDS);
}

enum rk_err
quic_explain_lib(const struct quic_conn *c, int rv, struct rk_error *err)
{
	switch (rv) {
	case NGTCP2_ERR_DRAINING:
		return explain_peer(c, ngtcp2_conn_get_ccerr(c->q), err);
	case NGTCP2_ERR_CRYPTO:
		return quic_tls_explain(c->tls,
		    NGTCP2_CRYPTO_ERROR | ngtcp2_conn_get_tls_alert(c->q),
		    false, err);
	case NGTCP2_ERR_IDLE_CLOSE:
		return explain_silence(c, err);
	case NGTCP2_ERR_NOMEM:
		return err_set(err, RK_ENOMEM, "out of memory");
	/* Those that are not the TLS side's say more by themselves. */
	case NGTCP2_ERR_CALLBACK_FAILURE:
		return err_set(
		    err, RK_EFAIL, "QUIC: packets cannot be protected");
	case NGTCP2_ERR_DROP_CONN:
	case NGTCP2_ERR_RETRY:
		return err_set(err, RK_ECANCELED, "no handshake came of it");
	default:
		return err_set(err, RK_EPROTO, "QUIC: %s", ngtcp2_strerror(rv));
	}
}
