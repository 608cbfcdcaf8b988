/* Contexts for QUIC's TLS on GnuTLS: everything pinned, keys of tickets. */
#include "net/quic_tls_gnutls.h"

#include "base/error.h"
#include "base/sign.h"
#include "net/tls_cert.h"
#include "net/tls_int.h"
#include "trust/key.h"

#include <rpckit/secret.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

/* Nothing of the system's is added to what begins with NONE; and QUIC forbids
 * what makes TLS 1.3 look like older ones. */
#define PRIORITY                                                       \
	"NONE:+VERS-TLS1.3:+CTYPE-X509:+ECDHE-ECDSA:+ECDHE-PSK:+AEAD:" \
	"+CHACHA20-POLY1305:+GROUP-X25519:+SIGN-EDDSA-ED25519:"        \
	"%DISABLE_TLS13_COMPAT_MODE"
/* A message of the peer's: its certificates, or a ticket that holds ours. */
#define MESSAGE_LEN_MAX (20 * 1024)

static enum rk_err
fail(int code, struct rk_error *err)
{
	if (code == GNUTLS_E_MEMORY_ERROR)
		return err_set(err, RK_ENOMEM, "out of memory");
	return err_set(err, RK_ETLS, "%s", gnutls_strerror(code));
}

/* ---- the certificate ---- */

static int
load_cert(gnutls_certificate_credentials_t cred, const struct tls_cert *own)
{
	gnutls_datum_t der = { own->der, (unsigned)own->len };
	uint8_t secret[SIGN_SECRET_LEN]; /* the seed first */
	uint8_t pub[SIGN_PUBLIC_LEN];
	gnutls_datum_t k = { secret, SIGN_SEED_LEN };
	gnutls_datum_t x = { pub, sizeof(pub) };
	gnutls_x509_crt_t cert = NULL;
	gnutls_x509_privkey_t key = NULL;
	int rv;

	sign_keypair(pub, secret, own->seed);
	if ((rv = gnutls_x509_crt_init(&cert)) >= 0 &&
	    (rv = gnutls_x509_privkey_init(&key)) >= 0 &&
	    (rv = gnutls_x509_crt_import(cert, &der, GNUTLS_X509_FMT_DER)) >=
	        0 &&
	    (rv = gnutls_x509_privkey_import_ecc_raw(
	         key, GNUTLS_ECC_CURVE_ED25519, &x, NULL, &k)) >= 0)
		rv = gnutls_certificate_set_x509_key(cred, &cert, 1, key);
	rk_wipe(secret, sizeof(secret));
	if (cert != NULL)
		gnutls_x509_crt_deinit(cert);
	if (key != NULL)
		gnutls_x509_privkey_deinit(key);
	return rv;
}

/* ---- a key that is elsewhere ---- */

static int
on_sign(gnutls_privkey_t key, gnutls_sign_algorithm_t algo, void *arg,
    unsigned flags, const gnutls_datum_t *msg, gnutls_datum_t *sig)
{
	const struct quic_tls_ctx *ctx = arg;

	(void)key;
	(void)flags;
	if (algo != GNUTLS_SIGN_EDDSA_ED25519)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	sig->data = gnutls_malloc(RK_KEY_SIG_LEN);
	if (sig->data == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	sig->size = RK_KEY_SIG_LEN;
	if (rk_key_sign_for(ctx->remote, RK_SIGN_TLS, msg->data, msg->size,
	        sig->data, NULL) == RK_OK)
		return 0;
	gnutls_free(sig->data);
	sig->data = NULL;
	return GNUTLS_E_PK_SIGN_FAILED; /* the key remembers why */
}

static int
on_info(gnutls_privkey_t key, unsigned flags, void *arg)
{
	(void)key;
	(void)arg;
	if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0)
		return GNUTLS_PK_EDDSA_ED25519;
	if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0)
		return GNUTLS_FLAGS_TO_SIGN_ALGO(flags) ==
		       GNUTLS_SIGN_EDDSA_ED25519;
	if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0)
		return 8 * RK_KEY_PUBLIC_LEN;
	return GNUTLS_E_INVALID_REQUEST;
}

/* That it fits the certificate is known, and not tried: it would have to sign
 * what is no handshake. */
static int
load_remote(struct quic_tls_ctx *ctx, const struct tls_cert *own)
{
	gnutls_datum_t der = { own->der, (unsigned)own->len };
	gnutls_pcert_st cert = { 0 };
	gnutls_privkey_t key = NULL;
	int rv;

	ctx->remote = key_ref(own->remote);
	gnutls_certificate_set_flags(
	    ctx->cred, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	if ((rv = gnutls_privkey_init(&key)) >= 0 &&
	    (rv = gnutls_privkey_import_ext4(
	         key, ctx, on_sign, NULL, NULL, NULL, on_info, 0)) >= 0 &&
	    (rv = gnutls_pcert_import_x509_raw(
	         &cert, &der, GNUTLS_X509_FMT_DER, 0)) >= 0)
		rv = gnutls_certificate_set_key(
		    ctx->cred, NULL, 0, &cert, 1, key);
	if (rv >= 0)
		return rv; /* the library's own now, both */
	gnutls_pcert_deinit(&cert);
	if (key != NULL)
		gnutls_privkey_deinit(key);
	return rv;
}

/* ---- the server's tickets ---- */

/* GnuTLS makes the keys proper from this one, anew every three times the time a
 * session lives (SEED_EPOCH_S), and takes those of one time before. */
static void
derive_ticket_key(struct quic_tls_ctx *ctx, const struct quic_tls_conf *conf,
    const struct tls_cert *own)
{
	uint8_t info[QUIC_TICKET_INFO_LEN];

	_Static_assert(SEED_EPOCH_S == 3 * TLS_SESSION_SECONDS,
	    "keys of tickets live as long as the library lets them");
	quic_tls_ticket_info(conf->tls.mode, own->der, own->len, info);
	quic_tls_ticket_key(
	    conf->seed, 0, info, ctx->ticket_key, sizeof(ctx->ticket_key));
}

/* The table of tickets decides; what the library would do by the time alone
 * refuses old tickets whenever a new one comes. */
static int
on_replay(void *arg, time_t until, const gnutls_datum_t *key,
    const gnutls_datum_t *data)
{
	(void)arg;
	(void)until;
	(void)key;
	(void)data;
	return 0;
}

static int
set_early(struct quic_tls_ctx *ctx)
{
	int rv;

	if ((rv = gnutls_anti_replay_init(&ctx->anti_replay)) < 0)
		return rv;
	gnutls_anti_replay_set_window(ctx->anti_replay, UINT_MAX);
	gnutls_anti_replay_set_add_function(ctx->anti_replay, on_replay);
	return 0;
}

/* ---- the context ---- */

/* The same for all, and never changed: 8 KiB. */
static gnutls_priority_t priority;
static int priority_rv;

static void
make_priority(void)
{
	priority_rv = gnutls_priority_init(&priority, PRIORITY, NULL);
}

static int
set_up(struct quic_tls_ctx *ctx, const struct quic_tls_conf *conf,
    const struct tls_cert *own)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rv;

	(void)pthread_once(&once, make_priority);
	if (priority_rv < 0)
		return priority_rv;
	rv = gnutls_certificate_allocate_credentials(&ctx->cred);
	if (rv < 0)
		return rv;
	if (ctx->base.verify != NULL)
		gnutls_certificate_set_verify_function(
		    ctx->cred, quic_tls_on_verify);
	if (ctx->shows_cert &&
	    (rv = own->remote != NULL ? load_remote(ctx, own)
	                              : load_cert(ctx->cred, own)) < 0)
		return rv;
	if (!ctx->base.server)
		return 0;
	derive_ticket_key(ctx, conf, own);
	return ctx->base.early ? set_early(ctx) : 0;
}

enum rk_err
quic_tls_ctx_new(const struct quic_tls_conf *conf, struct quic_tls_ctx **out,
    struct rk_error *err)
{
	struct quic_tls_ctx *ctx;
	struct tls_cert own = { 0 };
	enum rk_err r;
	int rv;

	*out = NULL;
	ctx = calloc(1, sizeof(*ctx));
	if (ctx == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if ((r = quic_tls_ctx_base_init(&ctx->base, conf, err)) != RK_OK) {
		free(ctx);
		return r;
	}
	ctx->shows_cert = tls_shows_cert(&conf->tls);
	if ((r = tls_cert_init(&own, &conf->tls, err)) != RK_OK)
		goto out;
	if ((rv = set_up(ctx, conf, &own)) < 0) {
		r = fail(rv, err);
		goto out;
	}
	*out = ctx;
	ctx = NULL;
out:
	tls_cert_fini(&own);
	quic_tls_ctx_free(ctx);
	return r;
}

void
quic_tls_ctx_free(struct quic_tls_ctx *ctx)
{
	if (ctx == NULL || !quic_tls_ctx_base_unref(&ctx->base))
		return;
	if (ctx->cred != NULL)
		gnutls_certificate_free_credentials(ctx->cred);
	rk_key_free(ctx->remote);
	if (ctx->anti_replay != NULL)
		gnutls_anti_replay_deinit(ctx->anti_replay);
	quic_tls_ctx_base_fini(&ctx->base);
	rk_wipe(ctx, sizeof(*ctx));
	free(ctx);
}

/* ---- sessions ---- */

static int
set_server(struct quic_tls_ctx *ctx, gnutls_session_t s)
{
	gnutls_datum_t key = { ctx->ticket_key, sizeof(ctx->ticket_key) };
	int rv;

	gnutls_certificate_server_set_request(s, ctx->base.verify != NULL
	                                             ? GNUTLS_CERT_REQUIRE
	                                             : GNUTLS_CERT_IGNORE);
	if ((rv = gnutls_session_ticket_enable_server(s, &key)) < 0)
		return rv;
	/* No other value is allowed (RFC 9001, 4.6.1). */
	return gnutls_record_set_max_early_data_size(s, UINT32_MAX);
}

static int
set_session(struct quic_tls_ctx *ctx, gnutls_session_t s)
{
	const gnutls_datum_t alpn = { (unsigned char[]){ TLS_ALPN },
		sizeof(TLS_ALPN) - 1 };
	int rv;

	/* Whatever SSLKEYLOGFILE says, secrets are written nowhere. */
	gnutls_session_set_keylog_function(s, NULL);
	gnutls_db_set_cache_expiration(s, TLS_SESSION_SECONDS);
	gnutls_handshake_set_max_packet_length(s, MESSAGE_LEN_MAX);
	gnutls_handshake_set_hook_function(
	    s, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, quic_tls_hook);
	if ((rv = gnutls_priority_set(s, priority)) < 0 ||
	    (rv = gnutls_credentials_set(
	         s, GNUTLS_CRD_CERTIFICATE, ctx->cred)) < 0 ||
	    (rv = gnutls_alpn_set_protocols(s, &alpn, 1, 0)) < 0)
		return rv;
	if (ctx->base.server)
		return set_server(ctx, s);
	return gnutls_server_name_set(
	    s, GNUTLS_NAME_DNS, TLS_SERVER_NAME, sizeof(TLS_SERVER_NAME) - 1);
}

enum rk_err
quic_tls_session_new(
    struct quic_tls_ctx *ctx, bool early, gnutls_session_t *out)
{
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_END_OF_EARLY_DATA;
	gnutls_session_t s = NULL;

	*out = NULL;
	flags |= ctx->base.server ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET
	                          : GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT;
	if (early)
		flags |= GNUTLS_ENABLE_EARLY_DATA;
	if (gnutls_init(&s, flags) < 0)
		return RK_ENOMEM;
	if (set_session(ctx, s) < 0) {
		gnutls_deinit(s);
		return RK_ENOMEM;
	}
	*out = s;
	return RK_OK;
}
