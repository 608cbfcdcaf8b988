/* What a TLS layer can tell about its connection. */
#include "net/tls_int.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#define ALPN_LEN 16
#define CIPHER_LEN 48
#define EXPORT_LEN 32

static bool
query_cert(struct tls *t, struct rk_bytes *out)
{
	X509 *cert = SSL_get0_peer_certificate(t->ssl);
	int len;

	*out = (struct rk_bytes){ 0 };
	/* One that nobody judged is none. */
	if (cert == NULL || !tls_ctx_asks_peer(t->ctx))
		return false;
	if (t->cert == NULL) {
		len = i2d_X509(cert, &t->cert);
		if (len <= 0) {
			ERR_clear_error();
			return false;
		}
		t->cert_len = (size_t)len;
	}
	*out = (struct rk_bytes){ .ptr = t->cert, .len = t->cert_len };
	return true;
}

static bool
query_alpn(const struct tls *t, char out[ALPN_LEN])
{
	const unsigned char *name;
	unsigned len;

	memset(out, 0, ALPN_LEN);
	SSL_get0_alpn_selected(t->ssl, &name, &len);
	/* The only name we offer and take is shorter. */
	if (len > 0 && len < ALPN_LEN)
		memcpy(out, name, len);
	return true;
}

/* A finished handshake knows; and one in which early data were taken, and a
 * client before its own what it remembers. */
static bool
is_known(const struct tls *t, enum layer_query what)
{
	if (what == LAYER_Q_PEER_CERT && !t->server && !t->begun)
		return true;
	return t->state == TLS_EARLY || SSL_is_init_finished(t->ssl);
}

static bool
query_session(struct tls *t, enum layer_query what, void *out)
{
	char *name;

	if (!is_known(t, what))
		return false;
	if (what == LAYER_Q_PEER_CERT)
		return query_cert(t, out);
	if (what == LAYER_Q_ALPN)
		return query_alpn(t, out);
	if (what == LAYER_Q_RESUMED) {
		*(bool *)out = SSL_session_reused(t->ssl) == 1;
		return true;
	}
	name = out;
	(void)snprintf(name, CIPHER_LEN, "%s", SSL_get_cipher_name(t->ssl));
	return true;
}

static bool
query_export(const struct tls *t, uint8_t *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	return t->state != TLS_EARLY && SSL_is_init_finished(t->ssl) &&
	       SSL_export_keying_material(t->ssl, out, EXPORT_LEN, label,
	           sizeof(label) - 1, NULL, 0, 0) == 1;
}

static bool
query_early_max(const struct tls *t, size_t *out)
{
	*out = tls_early_max(t);
	return *out != 0;
}

bool
tls_query(struct layer *l, enum layer_query what, void *out)
{
	struct tls *t = (struct tls *)l;

	switch (what) {
	case LAYER_Q_NAME:
		*(const char **)out = l->ops->name;
		return true;
	case LAYER_Q_PEER_CERT:
	case LAYER_Q_RESUMED:
	case LAYER_Q_ALPN:
	case LAYER_Q_CIPHER:
		return query_session(t, what, out);
	case LAYER_Q_EXPORT:
		return query_export(t, out);
	case LAYER_Q_EARLY_MAX:
		return query_early_max(t, out);
	case LAYER_Q_EARLY:
		*(bool *)out = t->state == TLS_EARLY;
		return true;
	case LAYER_Q_EARLY_USED:
		*(bool *)out = t->early_used;
		return true;
	case LAYER_Q_HELD:
		*(uint64_t *)out = buf_len(&t->io.out);
		return true;
	case LAYER_Q_ORDERLY:
		*(bool *)out =
		    (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
		return true;
	case LAYER_Q_ERROR:
		*(struct rk_error *)out = t->error;
		return t->error.code != RK_OK;
	case LAYER_Q_PSK:
	case LAYER_Q_PSK_US:
	case LAYER_Q_PEER_KEY:
	case LAYER_Q_UNTAKEN:
	case LAYER_Q_PATH:
	case LAYER_Q_FD:
	case LAYER_Q_LOCAL:
	case LAYER_Q_REMOTE:
	case LAYER_Q_SETTLED:
	case LAYER_Q_LEFT:
	case LAYER_Q_SILENT:
	case LAYER_Q_CONFIRMED:
	case LAYER_Q_APART_LATE:
		break;
	}
	return false;
}
