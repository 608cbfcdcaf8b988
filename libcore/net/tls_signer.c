/* Keys that are elsewhere, for OpenSSL: a provider that only signs. */
#include "net/tls_signer.h"

#include "trust/key.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PROVIDER "rpckit-signer"
#define OURS "provider=" PROVIDER
#define OTHERS_FIRST "?provider=default"
#define KIND "ED25519"
#define PARAM_KEY "rpckit-key" /* the bytes of a pointer */
#define BITS 256
#define SECURITY_BITS 128

/* The dispatch tables of the library have one type for all functions. */
#define ENTRY(id, fn)                  \
	{                              \
		id, (void (*)(void))fn \
	}

/* ---- keys ---- */

/* A key as the library has it; without `key` it is the public half only. */
struct held {
	struct rk_key *key;
	bool has_pub;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
};

static void *
held_new(void *provider)
{
	(void)provider;
	return calloc(1, sizeof(struct held));
}

static void
held_free(void *data)
{
	struct held *h = data;

	if (h == NULL)
		return;
	rk_key_free(h->key);
	free(h);
}

static int
held_has(const void *data, int selection)
{
	const struct held *h = data;

	if (h == NULL)
		return 0;
	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 &&
	    h->key == NULL)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 || h->has_pub;
}

static int
held_match(const void *one, const void *other, int selection)
{
	const struct held *a = one;
	const struct held *b = other;

	if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
		return 1;
	return a->has_pub && b->has_pub &&
	       memcmp(a->pub, b->pub, sizeof(a->pub)) == 0;
}

static bool
take_pub(struct held *h, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p =
	    OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);

	if (p == NULL || p->data_type != OSSL_PARAM_OCTET_STRING ||
	    p->data_size != sizeof(h->pub))
		return false;
	memcpy(h->pub, p->data, sizeof(h->pub));
	h->has_pub = true;
	return true;
}

/* From tls_signer_key(), or the public half of a certificate, which is to be
 * compared with one. */
static int
held_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct held *h = data;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_KEY);
	struct rk_key *key = NULL;

	if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
		return 0;
	if (p == NULL)
		return take_pub(h, params);
	if (p->data_type != OSSL_PARAM_OCTET_STRING ||
	    p->data_size != sizeof(key) || h->key != NULL)
		return 0;
	memcpy(&key, p->data, sizeof(key));
	h->key = key_ref(key);
	rk_key_public(key, h->pub);
	h->has_pub = true;
	return 1;
}

static const OSSL_PARAM *
held_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(PARAM_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : NULL;
}

static bool
set_int(OSSL_PARAM params[], const char *name, int value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_int(p, value) == 1;
}

static int
held_get(void *data, OSSL_PARAM params[])
{
	const struct held *h = data;
	OSSL_PARAM *digest =
	    OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MANDATORY_DIGEST);
	OSSL_PARAM *pub = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_PUB_KEY);

	return set_int(params, OSSL_PKEY_PARAM_BITS, BITS) &&
	       set_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, SECURITY_BITS) &&
	       set_int(params, OSSL_PKEY_PARAM_MAX_SIZE, RK_KEY_SIG_LEN) &&
	       (digest == NULL || OSSL_PARAM_set_utf8_string(digest, "")) &&
	       (pub == NULL || OSSL_PARAM_set_octet_string(
	                           pub, h->pub, sizeof(h->pub)) == 1);
}

static const OSSL_PARAM *
held_gettable(void *provider)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(
		    OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return types;
}

static const char *
held_operation(int operation)
{
	(void)operation;
	return KIND;
}

/* No export: no other provider can sign with it. */
static const OSSL_DISPATCH held_functions[] = {
	ENTRY(OSSL_FUNC_KEYMGMT_NEW, held_new),
	ENTRY(OSSL_FUNC_KEYMGMT_FREE, held_free),
	ENTRY(OSSL_FUNC_KEYMGMT_HAS, held_has),
	ENTRY(OSSL_FUNC_KEYMGMT_MATCH, held_match),
	ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, held_import),
	ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, held_types),
	ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, held_get),
	ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, held_gettable),
	ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, held_operation),
	{ 0, NULL },
};

/* ---- signatures ---- */

/* One signature; borrows the key, which the library keeps meanwhile. */
struct signing {
	const struct held *by;
};

static void *
signing_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return calloc(1, sizeof(struct signing));
}

static void
signing_free(void *data)
{
	free(data);
}

static int
signing_begin(
    void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signing *s = data;
	const struct held *by = key;

	(void)params;
	if (by == NULL)
		by = s->by; /* once more with the same */
	if (by == NULL || by->key == NULL ||
	    (digest != NULL && *digest != '\0'))
		return 0;
	s->by = by;
	return 1;
}

static atomic_int error_lib; /* 0 until there is a library */

static int
signing_make(void *data, unsigned char *sig, size_t *len, size_t room,
    const unsigned char *msg, size_t msg_len)
{
	const struct signing *s = data;
	struct rk_error err;
	enum rk_err r;

	*len = RK_KEY_SIG_LEN;
	if (sig == NULL)
		return 1;
	if (room < RK_KEY_SIG_LEN)
		return 0;
	r = rk_key_sign_for(s->by->key, RK_SIGN_TLS, msg, msg_len, sig, &err);
	if (r != RK_OK)
		ERR_raise_data(atomic_load(&error_lib), (int)r, "%s", err.text);
	return r == RK_OK;
}

static const OSSL_DISPATCH signing_functions[] = {
	ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
	ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_begin),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signing_make),
	{ 0, NULL },
};

enum rk_err
tls_signer_error(unsigned long entry)
{
	int reason = ERR_GET_REASON(entry);
	int ours = atomic_load(&error_lib);

	if (ours == 0 || ERR_GET_LIB(entry) != ours || reason <= 0 ||
	    reason >= RK_ERR_COUNT)
		return RK_OK;
	return (enum rk_err)reason;
}

/* ---- the provider ---- */

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
		{ KIND, OURS, held_functions, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	static const OSSL_ALGORITHM signatures[] = {
		{ KIND, OURS, signing_functions, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	(void)provider;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return keys;
	case OSSL_OP_SIGNATURE:
		return signatures;
	default:
		return NULL;
	}
}

static int
begin(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
		{ 0, NULL },
	};

	(void)in;
	*out = functions;
	*provider = (void *)(uintptr_t)core; /* only not NULL */
	return 1;
}

/* One for the process, from the first such key to its end: 265 KiB, and what
 * was looked up in it is found again. */
static OSSL_LIB_CTX *lib;

static void
open_lib(void)
{
	OSSL_LIB_CTX *new = OSSL_LIB_CTX_new();

	atomic_store(&error_lib, ERR_get_next_error_library());
	if (new != NULL &&
	    OSSL_PROVIDER_add_builtin(new, PROVIDER, begin) == 1 &&
	    OSSL_PROVIDER_load(new, "default") !=
	        NULL &&OSSL_PROVIDER_load(new, PROVIDER) != NULL)
		lib = new;
	else
		OSSL_LIB_CTX_free(new);
}

static OSSL_LIB_CTX *
find_lib(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, open_lib);
	return lib;
}

SSL_CTX *
tls_signer_ctx(void)
{
	OSSL_LIB_CTX *l = find_lib();

	return l == NULL ? NULL : SSL_CTX_new_ex(l, OTHERS_FIRST, TLS_method());
}

EVP_PKEY *
tls_signer_key(struct rk_key *key)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(PARAM_KEY, &key, sizeof(key)),
		OSSL_PARAM_construct_end(),
	};
	OSSL_LIB_CTX *l = find_lib();
	EVP_PKEY_CTX *c =
	    l == NULL ? NULL : EVP_PKEY_CTX_new_from_name(l, KIND, OURS);
	EVP_PKEY *out = NULL;

	/* The list is not written to: the interface is older than const. */
	if (c != NULL && EVP_PKEY_fromdata_init(c) == 1 &&
	    EVP_PKEY_fromdata(c, &out, EVP_PKEY_KEYPAIR,
	        (OSSL_PARAM *)(uintptr_t)params) != 1)
		out = NULL;
	EVP_PKEY_CTX_free(c);
	return out;
}
