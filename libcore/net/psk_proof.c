/* Showing and judging certificates within the PSK handshake. */
#include "net/psk_proof.h"

#include "base/be.h"
#include "base/crypt.h"
#include "base/error.h"
#include "net/psk_hs.h"
#include "trust/chain.h"

#include <stdlib.h>

/* What is signed is like what TLS 1.3 signs (RFC 8446, 4.4.3), so that no other
 * use of the key makes such a signature. */
#define PAD_LEN 64
#define PAD 0x20
#define TEXT_SERVER "rpckit psk 1, server certificate"
#define TEXT_CLIENT "rpckit psk 1, client certificate"
#define TEXT_LEN sizeof(TEXT_SERVER)
#define SIGNED_LEN (PAD_LEN + TEXT_LEN + NOISE_HASH_LEN + CRYPT_HASH_LEN)
#define LEN_LEN 2

_Static_assert(sizeof(TEXT_SERVER) == sizeof(TEXT_CLIENT), "one length");

enum rk_err
psk_verdict_explain(uint8_t verdict, struct rk_error *err)
{
	switch (verdict) {
	case PSK_VERDICT_OK:
		return RK_OK;
	case PSK_VERDICT_NO_CERT:
		return err_set(err, RK_ECERT,
		    "the peer wants a certificate and was shown none");
	case PSK_VERDICT_REVOKED:
		return err_set(err, RK_EREVOKED,
		    "the peer refused our certificate: revoked");
	case PSK_VERDICT_BAD_CERT:
	default:
		return err_set(
		    err, RK_ECERT, "the peer refused our certificate");
	}
}

static void
make_signed(bool server, struct rk_bytes cert,
    const uint8_t hash[NOISE_HASH_LEN], uint8_t out[SIGNED_LEN])
{
	memset(out, PAD, PAD_LEN);
	out += PAD_LEN;
	memcpy(out, server ? TEXT_SERVER : TEXT_CLIENT, TEXT_LEN);
	out += TEXT_LEN;
	memcpy(out, hash, NOISE_HASH_LEN);
	crypt_sha256(out + NOISE_HASH_LEN, cert.ptr, cert.len);
}

size_t
psk_proof_len(const struct psk_proof *p)
{
	return LEN_LEN + (p->cert.len == 0 ? 0 : p->cert.len + RK_KEY_SIG_LEN);
}

enum rk_err
psk_proof_make(const struct psk_proof *p, const uint8_t hash[NOISE_HASH_LEN],
    uint8_t *out, struct rk_error *err)
{
	uint8_t text[SIGNED_LEN];

	(void)be_put(out, p->cert.len, LEN_LEN);
	if (p->cert.len == 0)
		return RK_OK;
	memcpy(out + LEN_LEN, p->cert.ptr, p->cert.len);
	make_signed(p->server, p->cert, hash, text);
	return rk_key_sign_for(p->key, RK_SIGN_PSK, text, sizeof(text),
	    out + LEN_LEN + p->cert.len, err);
}

/* The certificate and its signature in it; both may be absent. */
static enum rk_err
split(const uint8_t *proof, size_t len, struct rk_bytes *cert,
    const uint8_t **sig, struct rk_error *err)
{
	size_t n;

	*cert = (struct rk_bytes){ 0 };
	*sig = NULL;
	if (len < LEN_LEN)
		return err_set(err, RK_EPROTO, "half a proof in the handshake");
	n = be_get16(proof);
	if (n > PSK_HS_CERT_MAX ||
	    len != LEN_LEN + (n == 0 ? 0 : n + RK_KEY_SIG_LEN))
		return err_set(err, RK_EPROTO,
		    "a proof of a wrong length in the handshake");
	if (n > 0) {
		*cert = (struct rk_bytes){ proof + LEN_LEN, n };
		*sig = proof + LEN_LEN + n;
	}
	return RK_OK;
}

static enum rk_err
check(const struct psk_judge *j, struct rk_bytes cert, const uint8_t *sig,
    const uint8_t hash[NOISE_HASH_LEN], struct rk_error *err)
{
	uint8_t text[SIGNED_LEN];
	struct rk_cert_info info;
	enum rk_err r;

	if (j->same_as.len > 0 &&
	    (cert.len != j->same_as.len ||
	        memcmp(cert.ptr, j->same_as.ptr, cert.len) != 0))
		return err_set(err, RK_ECERT,
		    "the peer shows another certificate than in TLS");
	if ((r = chain_describe(cert, &info, err)) != RK_OK)
		return r;
	make_signed(j->server, cert, hash, text);
	if (!rk_key_verify(info.pub, text, sizeof(text), sig))
		return err_set(err, RK_ECERT,
		    "the peer does not hold its certificate's key");
	return j->verify(&cert, 1, err, j->arg);
}

enum rk_err
psk_proof_judge(const struct psk_judge *j, const uint8_t *proof, size_t len,
    const uint8_t hash[NOISE_HASH_LEN], uint8_t *verdict, uint8_t **out,
    size_t *out_len, struct rk_error *err)
{
	struct rk_bytes cert;
	const uint8_t *sig;
	enum rk_err r;

	*verdict = PSK_VERDICT_BAD_CERT;
	if ((r = split(proof, len, &cert, &sig, err)) != RK_OK)
		return r;
	if (j->asks && cert.len == 0) {
		*verdict = PSK_VERDICT_NO_CERT;
		return err_set(err, RK_ECERT, "the peer showed no certificate");
	}
	if (j->asks && (r = check(j, cert, sig, hash, err)) != RK_OK) {
		if (r == RK_EREVOKED)
			*verdict = PSK_VERDICT_REVOKED;
		return r;
	}
	*verdict = PSK_VERDICT_OK;
	if (!j->asks)
		return RK_OK;
	*out = malloc(cert.len);
	if (*out == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	memcpy(*out, cert.ptr, cert.len);
	*out_len = cert.len;
	return RK_OK;
}
