/* What the errors and alerts of TLS mean, for a person. */
#include "net/tls_int.h"

#include "base/error.h"
#include "net/tls_signer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

struct meaning {
	int reason; /* or an alert */
	const char *text;
};

static const struct meaning reasons[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, TLS_OLD_PEER },
	{ SSL_R_WRONG_SSL_VERSION, TLS_OLD_PEER },
	{ SSL_R_UNKNOWN_PROTOCOL, TLS_OLD_PEER },
	{ SSL_R_VERSION_TOO_LOW, TLS_OLD_PEER },
	{ SSL_R_NO_SHARED_CIPHER, TLS_NO_CIPHER },
	{ SSL_R_WRONG_CIPHER_RETURNED, TLS_NO_CIPHER },
	{ SSL_R_UNKNOWN_CIPHER_RETURNED, TLS_NO_CIPHER },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, TLS_NO_GROUP },
	{ SSL_R_NO_SUITABLE_GROUPS, TLS_NO_GROUP },
	{ SSL_R_NO_SHARED_GROUPS, TLS_NO_GROUP },
	{ SSL_R_WRONG_CURVE, TLS_NO_GROUP },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_NO_SIGNATURE },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_NO_SIGNATURE },
	{ SSL_R_WRONG_SIGNATURE_TYPE, TLS_NO_SIGNATURE },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_NO_CERT },
	{ SSL_R_EXCESSIVE_MESSAGE_SIZE, TLS_TOO_LARGE },
	{ SSL_R_BAD_SIGNATURE, TLS_BAD_PROOF },
	{ SSL_R_WRONG_VERSION_NUMBER, "this is not TLS" },
};

static const struct meaning alerts[] = {
	{ SSL_AD_HANDSHAKE_FAILURE,
	    "the peer found nothing in common with " TLS_CIPHER ", " TLS_GROUP
	    " and " TLS_SIGNATURE },
	{ SSL_AD_INSUFFICIENT_SECURITY,
	    "the peer found " TLS_CIPHER ", " TLS_GROUP " and " TLS_SIGNATURE
	    " too weak" },
	{ SSL_AD_PROTOCOL_VERSION, TLS_OLD_PEER },
	{ SSL_AD_CERTIFICATE_REQUIRED,
	    "the peer wants a certificate and was shown none" },
	{ SSL_AD_BAD_CERTIFICATE, "the peer refused our certificate" },
	{ SSL_AD_UNSUPPORTED_CERTIFICATE, "the peer refused our certificate" },
	{ SSL_AD_CERTIFICATE_REVOKED, "the peer refused our certificate" },
	{ SSL_AD_CERTIFICATE_EXPIRED, "the peer refused our certificate" },
	{ SSL_AD_CERTIFICATE_UNKNOWN, "the peer refused our certificate" },
	{ SSL_AD_UNKNOWN_CA, "the peer refused our certificate" },
	{ SSL_AD_ACCESS_DENIED, "the peer refused us" },
};

static const char *
find_meaning(const struct meaning *table, size_t n, int reason)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].reason == reason)
			return table[i].text;
	return NULL;
}

/* OpenSSL has no name for this one. */
const char *
tls_alert_name(int alert)
{
	return alert == SSL_AD_CERTIFICATE_REQUIRED
	           ? "certificate required"
	           : SSL_alert_desc_string_long(alert);
}

enum rk_err
tls_explain_alert(enum rk_err code, int alert, struct rk_error *err)
{
	const char *text =
	    find_meaning(alerts, sizeof(alerts) / sizeof(alerts[0]), alert);

	switch (alert) {
	case SSL_AD_CERTIFICATE_REVOKED:
		code = RK_EREVOKED;
		break;
	case SSL_AD_CERTIFICATE_REQUIRED:
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
		code = RK_ECERT;
		break;
	default:
		break;
	}
	return err_set(err, code, "%s (alert %s)",
	    text == NULL ? "the peer broke off" : text, tls_alert_name(alert));
}

/* The first entry of the queue that a person can use; else the first. */
enum rk_err
tls_explain(enum rk_err code, struct rk_error *err)
{
	unsigned long first = ERR_peek_error();
	unsigned long e;
	const char *text = NULL;
	const char *data;
	int alert = -1;
	bool no_memory = false;
	enum rk_err no_signature;

	while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, NULL)) != 0) {
		int reason = ERR_GET_REASON(e);

		if ((no_signature = tls_signer_error(e)) != RK_OK) {
			(void)err_set(err, no_signature, "%s", data);
			ERR_clear_error();
			return no_signature;
		}

		if (reason == ERR_R_MALLOC_FAILURE)
			no_memory = true;
		if (ERR_GET_LIB(e) != ERR_LIB_SSL)
			continue;
		if (reason >= SSL_AD_REASON_OFFSET && alert < 0)
			alert = reason - SSL_AD_REASON_OFFSET;
		if (text == NULL)
			text = find_meaning(reasons,
			    sizeof(reasons) / sizeof(reasons[0]), reason);
	}
	if (no_memory)
		return err_set(err, RK_ENOMEM, "out of memory");
	if (alert >= 0)
		return tls_explain_alert(code, alert, err);
	if (text == NULL)
		text = ERR_reason_error_string(first);
	return err_set(
	    err, code, "%s", text == NULL ? "no reason known" : text);
}

static const char *const http_heads[] = { "GET ", "HEAD", "POST", "PUT ",
	"OPTI", "DELE", "CONN", "PRI ", "HTTP" };

const char *
tls_explain_head(const uint8_t head[TLS_HEAD_LEN], size_t len)
{
	static const uint8_t magic[] = { 0xb3, 0x5d, 0x18, 0x39 };

	if (len < TLS_HEAD_LEN)
		return NULL;
	if (memcmp(head, magic, sizeof(magic)) == 0)
		return "this is not TLS (plain rpc25519 bytes on a TLS port?)";
	for (size_t i = 0; i < sizeof(http_heads) / sizeof(*http_heads); i++)
		if (memcmp(head, http_heads[i], TLS_HEAD_LEN) == 0)
			return "this is not TLS (HTTP on a TLS port?)";
	/* A record of handshake or alert, version 3.x; or SSL 2's hello. */
	if ((head[0] >= 0x14 && head[0] <= 0x17 && head[1] == 3) ||
	    ((head[0] & 0x80) != 0 && head[2] == 1))
		return NULL;
	return "this is not TLS";
}
