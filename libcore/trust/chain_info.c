/* What an X.509 certificate says, as text that is safe to show. */
#include "trust/chain_info.h"

#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "base/str.h"
#include "trust/der.h"

static bool
has_control(const uint8_t *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] < 0x20 || s[i] == 0x7f)
			return true;
	}
	return false;
}

enum rk_err
chain_info_time(const ASN1_TIME *t, int64_t *sec)
{
	struct tm tm = { 0 };

	*sec = 0;
	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return RK_EFORMAT;
	*sec = (int64_t)timegm(&tm);
	return RK_OK;
}

/* The last common name of a subject or issuer; "" when it has none. */
static enum rk_err
read_cn(const X509_NAME *name, char *dst, size_t dst_len, bool *hostile)
{
	const ASN1_STRING *s = NULL;
	uint8_t *utf8 = NULL;
	int last = -1;
	int i = -1;
	int n;

	while ((i = X509_NAME_get_index_by_NID(name, NID_commonName, i)) >= 0)
		last = i;
	if (last < 0)
		return RK_OK;
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last));
	n = ASN1_STRING_to_UTF8(&utf8, s);
	if (n < 0)
		return RK_EFORMAT;
	if (has_control(utf8, (size_t)n))
		*hostile = true;
	rk_escape(dst, dst_len, (const char *)utf8, (size_t)n);
	OPENSSL_free(utf8);
	return RK_OK;
}

/* Emails are joined by commas and are ASCII without blanks: anything else could
 * pass for another address. */
static bool
is_hostile_email(const uint8_t *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] <= 0x20 || s[i] >= 0x7f || s[i] == ',')
			return true;
	}
	return false;
}

/* What is cut ends with a tilde, as rk_escape() does it. */
static void
append_email(char *dst, size_t dst_len, const uint8_t *s, size_t len)
{
	size_t at = strlen(dst);

	if (at + 2 >= dst_len) {
		dst[at - 1] = '~';
		return;
	}
	if (at > 0)
		dst[at++] = ',';
	rk_escape(dst + at, dst_len - at, (const char *)s, len);
}

static void
read_emails(const X509 *x, char *dst, size_t dst_len, bool *hostile)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *gn = sk_GENERAL_NAME_value(names, i);
		const uint8_t *s = NULL;
		size_t len;

		if (gn->type != GEN_EMAIL)
			continue;
		s = ASN1_STRING_get0_data(gn->d.rfc822Name);
		len = (size_t)ASN1_STRING_length(gn->d.rfc822Name);
		if (is_hostile_email(s, len))
			*hostile = true;
		if (len > 0)
			append_email(dst, dst_len, s, len);
	}
	GENERAL_NAMES_free(names);
}

static bool
read_key(const X509 *x, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	ASN1_OBJECT *oid = NULL;
	X509_ALGOR *algo = NULL;
	const uint8_t *raw = NULL;
	int param = 0;
	int len = 0;

	if (X509_PUBKEY_get0_param(
	        &oid, &raw, &len, &algo, X509_get_X509_PUBKEY(x)) != 1)
		return false;
	X509_ALGOR_get0(NULL, &param, NULL, algo);
	if (OBJ_obj2nid(oid) != NID_ED25519 || param != V_ASN1_UNDEF ||
	    len != RK_KEY_PUBLIC_LEN)
		return false;
	memcpy(pub, raw, RK_KEY_PUBLIC_LEN);
	return true;
}

static void
read_serial(const X509 *x, char *dst, size_t dst_len)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	size_t len = (size_t)ASN1_STRING_length(serial);
	size_t max = (dst_len - 2) / 2;
	bool negative = ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER;

	if (negative)
		*dst++ = '-';
	str_hex(dst, ASN1_STRING_get0_data(serial), len < max ? len : max);
	if (len > max)
		dst[2 * max - 1] = '~';
}

enum rk_err
chain_info_read(const X509 *x, struct chain_reading *out)
{
	struct rk_cert_info *info = &out->info;
	enum rk_err r;

	*out = (struct chain_reading){ 0 };
	out->ed25519 = read_key(x, info->pub);
	if (out->ed25519)
		rk_fp_of_key(info->pub, info->fp);
	read_serial(x, info->serial, sizeof(info->serial));
	read_emails(x, info->email, sizeof(info->email), &out->hostile);
	r = read_cn(X509_get_subject_name(x), info->cn, sizeof(info->cn),
	    &out->hostile);
	if (r != RK_OK)
		return r;
	r = read_cn(X509_get_issuer_name(x), info->issuer_cn,
	    sizeof(info->issuer_cn), &out->hostile);
	if (r != RK_OK)
		return r;
	r = chain_info_time(X509_get0_notBefore(x), &info->not_before);
	if (r != RK_OK)
		return r;
	return chain_info_time(X509_get0_notAfter(x), &info->not_after);
}

/* The signature algorithm named inside what is signed: in a certificate behind
 * version and serial number, in a CRL behind the version. */
static enum rk_err
inner_algorithm(struct rk_bytes tbs, struct rk_bytes *algo)
{
	struct rk_bytes in;
	struct rk_bytes skipped;

	*algo = (struct rk_bytes){ 0 };
	if (der_take(&tbs, DER_SEQUENCE, &in) != RK_OK)
		return RK_EFORMAT;
	if (der_is(&in, 0xa0) && der_take(&in, 0xa0, &skipped) != RK_OK)
		return RK_EFORMAT;
	if (der_is(&in, DER_INTEGER) &&
	    der_take(&in, DER_INTEGER, &skipped) != RK_OK)
		return RK_EFORMAT;
	return der_take(&in, DER_SEQUENCE, algo);
}

static bool
is_ed25519(struct rk_bytes algo)
{
	static const uint8_t oid[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };

	return algo.len == sizeof(oid) && !memcmp(algo.ptr, oid, sizeof(oid));
}

/* Taken apart here rather than by OpenSSL, because its verifier accepts
 * signatures that rk_key_verify() does not, and there must be one answer. */
bool
chain_info_signed(struct rk_bytes der, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct rk_bytes in;
	struct rk_bytes tbs;
	struct rk_bytes outer;
	struct rk_bytes inner;
	struct rk_bytes sig;

	if (der_take(&der, DER_SEQUENCE, &in) != RK_OK || der.len != 0 ||
	    der_take_whole(&in, DER_SEQUENCE, &tbs) != RK_OK ||
	    der_take(&in, DER_SEQUENCE, &outer) != RK_OK ||
	    der_take(&in, DER_BIT_STRING, &sig) != RK_OK || in.len != 0 ||
	    inner_algorithm(tbs, &inner) != RK_OK)
		return false;
	if (!is_ed25519(outer) || !is_ed25519(inner) ||
	    sig.len != 1 + RK_KEY_SIG_LEN || sig.ptr[0] != 0)
		return false;
	return rk_key_verify(pub, tbs.ptr, tbs.len, sig.ptr + 1);
}
