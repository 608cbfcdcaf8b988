/* Tickets of TLS sessions: their keys, who they are for, early data once. */
#include "net/tls_int.h"

#include "base/crypt.h"
#include "net/tls_cert.h"
#include "trust/chain.h"

#include <rpckit/secret.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <time.h>

#define NAME_LEN 16 /* fixed by the library, as is the IV's */
#define IV_LEN 16
#define KEY_LEN 32

/* The keys of one epoch. */
struct keys {
	uint8_t name[NAME_LEN];
	uint8_t secret[2 * KEY_LEN]; /* AES-256-CBC, HMAC-SHA256 */
};

static int64_t
system_now(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

static void
derive(const struct seed *seed, uint64_t epoch, struct keys *k)
{
	seed_derive(seed, "tls-ticket-name", epoch, k->name, sizeof(k->name));
	seed_derive(seed, "tls-ticket", epoch, k->secret, sizeof(k->secret));
}

static bool
use_mac(EVP_MAC_CTX *mac, uint8_t *key)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, key, KEY_LEN),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static bool
use(struct keys *k, uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
    bool seal)
{
	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->secret, iv,
	           seal ? 1 : 0) == 1 &&
	       use_mac(mac, k->secret + KEY_LEN);
}

/* The keys with this name, of the present epoch or the last; false: neither. */
static bool
find(const struct seed *seed, uint64_t epoch, const uint8_t *name,
    struct keys *k)
{
	for (int i = 0; i < 2 && epoch >= (uint64_t)i; i++) {
		derive(seed, epoch - (uint64_t)i, k);
		if (memcmp(k->name, name, NAME_LEN) == 0)
			return true;
	}
	return false;
}

/* 1: so be it; 2: and a new ticket, as a client uses each once; 0: unknown; -1:
 * failed. */
static int
on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int enc)
{
	const struct tls_tickets *t =
	    tls_ctx_tickets(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
	uint64_t epoch = seed_epoch(t->now(t->now_arg));
	struct keys k;
	int r = 0;

	if (enc) {
		derive(t->seed, epoch, &k);
		memcpy(name, k.name, NAME_LEN);
		rk_random(iv, IV_LEN);
		r = use(&k, iv, cipher, mac, true) ? 1 : -1;
	} else if (find(t->seed, epoch, name, &k)) {
		r = use(&k, iv, cipher, mac, false) ? 2 : -1;
	}
	rk_wipe(&k, sizeof(k));
	return r;
}

bool
tls_tickets_judge(const struct tls_tickets *t, const SSL_SESSION *session)
{
	/* The library's getter takes no const, and changes nothing. */
	X509 *cert = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);
	struct rk_error why = { 0 };
	struct rk_bytes der = { 0 };
	uint8_t *p = NULL;
	int len;
	bool good;

	if (t->resume == NULL)
		return true;
	if (cert == NULL || (len = i2d_X509(cert, &p)) <= 0)
		return false;
	der = (struct rk_bytes){ .ptr = p, .len = (size_t)len };
	good = tls_judge(t->resume, t->arg, &der, 1, &why) == RK_OK;
	OPENSSL_free(p);
	ERR_clear_error();
	return good;
}

/* A ticket is about to be made. */
static int
on_make(SSL *ssl, void *arg)
{
	const struct tls_tickets *t = arg;

	if (t->replay == NULL)
		return 1;
	return SSL_SESSION_set1_ticket_appdata(
	    SSL_get_session(ssl), replay_home(t->replay), REPLAY_HOME_LEN);
}

/* One was opened: without an answer that pleases, the handshake is a full one,
 * in which the peer is told why. */
static SSL_TICKET_RETURN
on_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
    size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
	const struct tls_tickets *t = arg;

	(void)ssl;
	(void)name;
	(void)name_len;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (!tls_tickets_judge(t, session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return SSL_TICKET_RETURN_USE_RENEW;
}

/* The binder of this hello has been checked: only the ticket's owner, or who
 * recorded it, can send it.  1: its early data may come. */
static int
on_early(SSL *ssl, void *arg)
{
	const struct tls_tickets *t = arg;
	SSL_SESSION *session = SSL_get_session(ssl);
	unsigned char random[SSL3_RANDOM_SIZE];
	void *home = NULL;
	size_t len = 0;

	if (session == NULL ||
	    SSL_SESSION_get0_ticket_appdata(session, &home, &len) != 1 ||
	    len != REPLAY_HOME_LEN ||
	    memcmp(home, replay_home(t->replay), REPLAY_HOME_LEN) != 0 ||
	    SSL_get_client_random(ssl, random, sizeof(random)) !=
	        sizeof(random))
		return 0;
	return replay_is_first(
	           t->replay, random, sizeof(random), (int64_t)time(NULL))
	           ? 1
	           : 0;
}

void
tls_tickets_init(struct tls_tickets *t, const struct tls_conf *conf)
{
	*t = (struct tls_tickets){
		.resume = tls_resume_fn(conf),
		.arg = conf->arg,
		.now = system_now,
	};
	if (conf->server && conf->seed != NULL)
		t->seed = seed_ref(conf->seed);
	if (conf->server && conf->replay != NULL &&
	    conf->mode != RK_TLS_SKIP_VERIFY)
		t->replay = replay_ref(conf->replay);
}

void
tls_tickets_fini(struct tls_tickets *t)
{
	seed_free(t->seed);
	replay_free(t->replay);
}

/*
 * A ticket counts for the same certificate and mode only: else a session would
 * speak for somebody that the other end has not seen.
 */
static bool
name_context(SSL_CTX *c, enum rk_tls_mode mode)
{
	uint8_t id[CRYPT_HASH_LEN];
	uint8_t key[] = { 'r', 'p', 'c', 'k', 'i', 't', '1', (uint8_t)mode };
	uint8_t *own = NULL;
	int len = i2d_X509(SSL_CTX_get0_certificate(c), &own);

	_Static_assert(sizeof(id) <= SSL_MAX_SID_CTX_LENGTH, "too long");
	if (len <= 0)
		return false;
	crypt_hmac(id, key, sizeof(key), own, (size_t)len);
	OPENSSL_free(own);
	return SSL_CTX_set_session_id_context(c, id, sizeof(id)) == 1;
}

bool
tls_tickets_serve(struct tls_tickets *t, SSL_CTX *c, enum rk_tls_mode mode)
{
	/* Ours is the one that needs no memory of every ticket. */
	(void)SSL_CTX_set_options(c, SSL_OP_NO_ANTI_REPLAY);
	/* Early data that are not wanted are skipped, no fault. */
	if (SSL_CTX_set_recv_max_early_data(c, TLS_EARLY_MAX) != 1 ||
	    SSL_CTX_set_session_ticket_cb(c, on_make, on_opened, t) != 1 ||
	    !name_context(c, mode))
		return false;
	if (t->seed != NULL &&
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_key) != 1)
		return false;
	if (t->replay == NULL)
		return true;
	SSL_CTX_set_allow_early_data_cb(c, on_early, t);
	return SSL_CTX_set_max_early_data(c, TLS_EARLY_MAX) == 1;
}
