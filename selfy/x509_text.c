/* Names, numbers and keys of certificates as words that are safe to show. */
#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include <openssl/err.h>

#include "base/crypt.h"
#include "base/str.h"
#include "x509_priv.h"

#define FP_PREFIX "SHA256:"

int64_t
x509_time(const ASN1_TIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm);
}

void
x509_put_text(char *dst, size_t dst_len, const char *sep, const char *prefix,
    const char *text, size_t len)
{
	size_t used = strlen(dst);
	size_t head = (used > 0 ? strlen(sep) : 0) + strlen(prefix);

	/* When it does not fit any more, the last sign says so. */
	if (used + head + 2 > dst_len) {
		if (used + 1 < dst_len)
			(void)str_copy(dst + used, dst_len - used, "~");
		return;
	}
	if (used > 0)
		used += str_copy(dst + used, dst_len - used, sep);
	used += str_copy(dst + used, dst_len - used, prefix);
	(void)rk_escape(dst + used, dst_len - used, len == 0 ? "" : text, len);
}

void
x509_serial_text(const ASN1_INTEGER *n, char *dst, size_t dst_len)
{
	const uint8_t *p = ASN1_STRING_get0_data(n);
	int len = ASN1_STRING_length(n);
	size_t sign = ASN1_STRING_type(n) == V_ASN1_NEG_INTEGER ? 1 : 0;
	size_t max = (dst_len - sign - 2) / 2;
	size_t take = len > 0 ? (size_t)len : 0;
	bool cut = take > max;

	if (cut)
		take = max;
	if (sign != 0)
		dst[0] = '-';
	str_hex(dst + sign, p, take);
	if (cut)
		(void)str_copy(dst + sign + take * 2, 2, "~");
}

static void
put_string(char *dst, size_t dst_len, const char *sep, const char *prefix,
    const ASN1_STRING *s)
{
	uint8_t *text = NULL;
	int len = ASN1_STRING_to_UTF8(&text, s);

	if (len >= 0)
		x509_put_text(
		    dst, dst_len, sep, prefix, (const char *)text, (size_t)len);
	else
		x509_put_text(dst, dst_len, sep, prefix, "?", 1);
	OPENSSL_free(text);
}

/* A short name such as CN, or the numbers. */
static void
name_of(const ASN1_OBJECT *obj, char *dst, size_t dst_len)
{
	int nid = OBJ_obj2nid(obj);

	dst[0] = '\0';
	if (nid != NID_undef)
		(void)str_copy(dst, dst_len, OBJ_nid2sn(nid));
	else
		(void)OBJ_obj2txt(dst, (int)dst_len, obj, 1);
	dst[dst_len - 1] = '\0';
}

void
x509_name_text(const X509_NAME *name, char *dst, size_t dst_len)
{
	int n = X509_NAME_entry_count(name);

	dst[0] = '\0';
	for (int i = 0; i < n && strlen(dst) + 2 < dst_len; i++) {
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
		char kind[80];
		size_t used;

		name_of(X509_NAME_ENTRY_get_object(e), kind, sizeof(kind) - 1);
		used = strlen(kind);
		(void)str_copy(kind + used, sizeof(kind) - used, "=");
		put_string(
		    dst, dst_len, ", ", kind, X509_NAME_ENTRY_get_data(e));
	}
}

static const ASN1_STRING *
last_cn(const X509_NAME *name)
{
	int last = -1;
	int i;

	while (
	    (i = X509_NAME_get_index_by_NID(name, NID_commonName, last)) >= 0)
		last = i;
	return last < 0
	           ? NULL
	           : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last));
}

void
x509_cn_text(const X509_NAME *name, char *dst, size_t dst_len)
{
	const ASN1_STRING *cn = last_cn(name);

	dst[0] = '\0';
	if (cn != NULL)
		put_string(dst, dst_len, "", "", cn);
}

static void
put_ip(char *dst, size_t dst_len, const ASN1_OCTET_STRING *ip)
{
	char text[INET6_ADDRSTRLEN] = "?";
	const uint8_t *p = ASN1_STRING_get0_data(ip);

	switch (ASN1_STRING_length(ip)) {
	case 4:
		(void)inet_ntop(AF_INET, p, text, sizeof(text));
		break;
	case 16:
		(void)inet_ntop(AF_INET6, p, text, sizeof(text));
		break;
	default:
		break;
	}
	x509_put_text(dst, dst_len, ", ", "IP:", text, strlen(text));
}

static void
put_name(char *dst, size_t dst_len, const GENERAL_NAME *gn)
{
	int type = 0;
	const void *value = GENERAL_NAME_get0_value(gn, &type);
	const char *prefix = "URI:";

	switch (type) {
	case GEN_DNS:
	case GEN_EMAIL:
	case GEN_URI:
		if (type == GEN_DNS)
			prefix = "DNS:";
		else if (type == GEN_EMAIL)
			prefix = "email:";
		/* As the bytes are: nothing may hide behind a conversion. */
		x509_put_text(dst, dst_len, ", ", prefix,
		    (const char *)ASN1_STRING_get0_data(value),
		    (size_t)ASN1_STRING_length(value));
		break;
	case GEN_IPADD:
		put_ip(dst, dst_len, value);
		break;
	default:
		x509_put_text(dst, dst_len, ", ", "other:", "?", 1);
		break;
	}
}

void
x509_names_text(const GENERAL_NAMES *names, char *dst, size_t dst_len)
{
	int n = sk_GENERAL_NAME_num(names);

	dst[0] = '\0';
	for (int i = 0; i < n && strlen(dst) + 2 < dst_len; i++)
		put_name(dst, dst_len, sk_GENERAL_NAME_value(names, i));
}

bool
x509_key_text(EVP_PKEY *key, char kind[64], uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	size_t len = RK_KEY_PUBLIC_LEN;
	const char *name = NULL;

	memset(pub, 0, RK_KEY_PUBLIC_LEN);
	if (key == NULL) {
		(void)str_copy(kind, 64, "unknown");
		return false;
	}
	if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519) {
		(void)str_copy(kind, 64, "Ed25519");
		return EVP_PKEY_get_raw_public_key(key, pub, &len) == 1 &&
		       len == RK_KEY_PUBLIC_LEN;
	}
	name = EVP_PKEY_get0_type_name(key);
	if (snprintf(kind, 64, "%s, %d bits", name == NULL ? "unknown" : name,
	        EVP_PKEY_get_bits(key)) < 0)
		kind[0] = '\0';
	return false;
}

void
x509_key_fp(X509_PUBKEY *key, char fp[RK_FP_LEN])
{
	uint8_t hash[CRYPT_HASH_LEN];
	uint8_t *der = NULL;
	int len = i2d_X509_PUBKEY(key, &der);

	fp[0] = '\0';
	if (len > 0) {
		crypt_sha256(hash, der, (size_t)len);
		(void)str_copy(fp, RK_FP_LEN, FP_PREFIX);
		str_base64(fp + sizeof(FP_PREFIX) - 1, hash, sizeof(hash),
		    STR_BASE64_NOPAD);
	}
	OPENSSL_free(der);
}
