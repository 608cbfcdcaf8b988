/* QUIC's TLS on GnuTLS: peers that are different, and what GnuTLS might do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/quic_tls_gnutls.h"

#include "quicrig.h"

#define OTHERS                                              \
	"NONE:+VERS-TLS1.3:+CTYPE-X509:+ECDHE-ECDSA:+AEAD:" \
	"%DISABLE_TLS13_COMPAT_MODE"
#define HOURS 3600

static struct quicrig rig;
static char keylog[512];

static int
set_up(void **state)
{
	(void)state;
	quicrig_init(&rig);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	quicrig_fini(&rig);
	return 0;
}

/* ---- peers that are different ---- */

static struct quicpair *
new_with_priority(const char *priority)
{
	struct quicpair *p = quicpair_new(rig.client, rig.server);

	quicpair_send(&p->client, "text");
	assert_int_equal(gnutls_priority_set_direct(
	                     quic_tls_native(p->client.tls), priority, NULL),
	    0);
	return p;
}

static void
assert_nothing_in_common(const char *priority, const char *text)
{
	struct quicpair *p = new_with_priority(priority);
	struct rk_error err;

	quicpair_run(p);
	assert_true(p->server.dead && !p->server.by_peer);
	assert_int_equal(p->server.closed, 0x128);
	assert_int_equal(p->client.closed, 0x128);
	assert_int_equal(
	    quic_tls_explain(p->server.tls, p->server.closed, false, &err),
	    RK_ETLS);
	assert_string_equal(err.text, text);
	assert_int_equal(p->server.got_len, 0);
	quicpair_free(p);
}

static void
a_client_without_our_cipher(void **state)
{
	(void)state;
	assert_nothing_in_common(OTHERS ":+AES-128-GCM:+AES-256-GCM:"
	                                "+GROUP-X25519:+SIGN-EDDSA-ED25519",
	    "no cipher suite in common: the peer lacks "
	    "TLS_CHACHA20_POLY1305_SHA256");
}

static void
a_client_without_our_group(void **state)
{
	(void)state;
	assert_nothing_in_common(OTHERS ":+CHACHA20-POLY1305:"
	                                "+GROUP-SECP256R1:+SIGN-EDDSA-ED25519",
	    "no key exchange in common: the peer lacks X25519");
}

/* As Go clients are: everything at once. */
static void
a_client_that_can_everything(void **state)
{
	struct quicpair *p;

	(void)state;
	p = new_with_priority(
	    "NORMAL:-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE");
	quicpair_run(p);
	assert_true(p->client.confirmed);
	assert_string_equal(p->server.got, "text");
	assert_string_equal(
	    quic_tls_cipher(p->server.tls), "TLS_CHACHA20_POLY1305_SHA256");
	assert_int_equal(gnutls_group_get(quic_tls_native(p->server.tls)),
	    GNUTLS_GROUP_X25519);
	quicpair_free(p);
}

/* ---- a client of other code ---- */

struct plain {
	gnutls_certificate_credentials_t cred;
	gnutls_session_t session;
};

/* Its packets are protected by the helper, and it offers these names. */
static void
start_plain(struct plain *c, struct quicpair *p, const gnutls_datum_t *names,
    unsigned n)
{
	gnutls_session_t s = NULL;
	ngtcp2_callbacks cb = { 0 };

	assert_int_equal(gnutls_init(&s, GNUTLS_CLIENT), 0);
	assert_int_equal(gnutls_priority_set_direct(s,
	                     OTHERS ":+CHACHA20-POLY1305:+GROUP-X25519:"
	                            "+SIGN-EDDSA-ED25519",
	                     NULL),
	    0);
	if (n > 0)
		assert_int_equal(gnutls_alpn_set_protocols(s, names, n, 0), 0);
	assert_int_equal(gnutls_certificate_allocate_credentials(&c->cred), 0);
	assert_int_equal(
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, c->cred), 0);
	gnutls_session_set_ptr(s, &p->client.ref);
	assert_int_equal(ngtcp2_crypto_gnutls_configure_client_session(s), 0);
	cb.client_initial = ngtcp2_crypto_client_initial_cb;
	cb.recv_retry = ngtcp2_crypto_recv_retry_cb;
	cb.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
	cb.encrypt = ngtcp2_crypto_encrypt_cb;
	cb.decrypt = ngtcp2_crypto_decrypt_cb;
	cb.hp_mask = ngtcp2_crypto_hp_mask_cb;
	cb.update_key = ngtcp2_crypto_update_key_cb;
	cb.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
	cb.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
	cb.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
	cb.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
	quicpair_start_client(p, s, &cb);
	c->session = s;
}

static void
free_plain(struct plain *c)
{
	gnutls_deinit(c->session);
	gnutls_certificate_free_credentials(c->cred);
}

static void
names_are_never_a_reason_to_refuse(void **state)
{
	const gnutls_datum_t names[] = {
		{ (unsigned char[]){ "h3" }, 2 },
		{ (unsigned char[]){ "rpckit/1" }, 8 },
	};
	struct quicrig r;
	struct quicpair *p;
	struct plain c;
	gnutls_datum_t selected;
	char name[16];

	(void)state;
	quicrig_init_mode(&r, RK_TLS_SERVER_ONLY);
	/* None, another, ours behind another. */
	for (unsigned n = 0; n < 3; n++) {
		p = quicpair_new(NULL, r.server);
		start_plain(&c, p, names, n);
		quicpair_run(p);
		assert_true(p->client.confirmed);
		quic_tls_alpn(p->server.tls, name);
		assert_string_equal(name, n == 2 ? "rpckit/1" : "");
		assert_int_equal(gnutls_alpn_get_selected_protocol(
		                     c.session, &selected) == 0,
		    n == 2);
		free_plain(&c);
		quicpair_free(p);
	}
	quicrig_fini(&r);
}

static void
update_keys(struct quicpair *p, struct quicpair_end *e)
{
	p->now += 10 * NGTCP2_SECONDS; /* not too often (RFC 9001, 6.5) */
	quicpair_run(p);
	assert_int_equal(ngtcp2_conn_initiate_key_update(e->conn, p->now), 0);
	quicpair_send(&p->client, "two");
	quicpair_send(&p->server, "2");
	quicpair_run(p);
}

static void
our_packets_are_those_of_others(void **state)
{
	const uint32_t versions[] = { NGTCP2_PROTO_VER_V1,
		NGTCP2_PROTO_VER_V2 };
	struct quicrig r;
	struct quicpair *p;
	struct plain c;

	(void)state;
	quicrig_init_mode(&r, RK_TLS_SERVER_ONLY);
	for (int i = 0; i < 2; i++) {
		p = quicpair_new(NULL, r.server);
		p->v2 = i == 1;
		start_plain(&c, p, NULL, 0);
		quicpair_send(&p->client, "one");
		quicpair_send(&p->server, "1");
		quicpair_run(p);
		assert_true(p->client.confirmed);
		update_keys(p, &p->client);
		update_keys(p, &p->server);
		assert_int_equal(
		    ngtcp2_conn_get_negotiated_version(p->server.conn),
		    versions[i]);
		assert_string_equal(p->server.got, "onetwotwo");
		assert_string_equal(p->client.got, "122");
		free_plain(&c);
		quicpair_free(p);
	}
	/* The library would, if it were let. */
	assert_int_equal(access(keylog, F_OK), 0);
	quicrig_fini(&r);
}

/* A certificate of this many names, shown to a server that asks for one. */
static struct quicpair *
show_large(size_t names)
{
	static const struct rk_str name = {
		"somebody.with.a.rather.long.name@mail.example.org", 50
	};
	struct rk_str *emails = calloc(names, sizeof(*emails));
	struct quicpair *p = quicpair_new(NULL, rig.server);
	struct certs_opts opts = { .emails = emails, .n_emails = names };
	struct certs_cert *cert;
	gnutls_datum_t pem;
	gnutls_datum_t key;
	struct plain c;

	assert_non_null(emails);
	for (size_t i = 0; i < names; i++)
		emails[i] = name;
	cert = certs_new(rig.ca, &opts);
	start_plain(&c, p, NULL, 0);
	pem = (gnutls_datum_t){ (unsigned char *)cert->pem,
		(unsigned)strlen(cert->pem) };
	key = (gnutls_datum_t){ (unsigned char *)cert->key_pem,
		(unsigned)strlen(cert->key_pem) };
	assert_int_equal(gnutls_certificate_set_x509_key_mem(
	                     c.cred, &pem, &key, GNUTLS_X509_FMT_PEM),
	    0);
	quicpair_run(p);
	assert_true(p->server.dead && !p->server.by_peer);
	assert_false(p->server.completed);
	free_plain(&c);
	certs_free(cert);
	free(emails);
	return p;
}

static void
certificates_too_large(void **state)
{
	struct rk_error err;
	struct quicpair *p;

	(void)state;
	p = show_large(320);
	assert_int_equal(p->server.closed, 0x12a);
	(void)quic_tls_explain(p->server.tls, p->server.closed, false, &err);
	assert_string_equal(err.text, "the peer sent an unusable certificate");
	quicpair_free(p);
	p = show_large(420);
	assert_int_equal(p->server.closed, 0x132);
	(void)quic_tls_explain(p->server.tls, p->server.closed, false, &err);
	assert_string_equal(err.text, "the peer sent too large a message");
	quicpair_free(p);
	assert_int_equal(rig.judge_client.asked, 0);
}

/* ---- the environment ---- */

static void
no_secret_is_written_to_a_file(void **state)
{
	(void)state;
	assert_non_null(getenv("SSLKEYLOGFILE"));
	quicrig_visit(rig.client, rig.server);
	quicrig_visit(rig.client, rig.server);
	assert_int_equal(access(keylog, F_OK), -1);
}

/* ---- the keys of tickets ---- */

#define EPOCH (INT64_C(80000) * SEED_EPOCH_S)

static int64_t clock_now;

static time_t
told_time(time_t *out)
{
	if (out != NULL)
		*out = (time_t)clock_now;
	return (time_t)clock_now;
}

/* Does a ticket made then resume now? */
static bool
resumes(int64_t made, int64_t used)
{
	struct quicpair *p;
	bool resumed;

	clock_now = made;
	quic_tls_ctx_forget(rig.client); /* time may have gone back */
	quicrig_visit(rig.client, rig.server);
	p = quicpair_new(rig.client, rig.server);
	quicpair_send(&p->client, "text");
	quicpair_write(&p->client);
	clock_now = used; /* for the server; the client has begun */
	quicpair_run(p);
	assert_string_equal(p->server.got, "text");
	resumed = quic_tls_resumed(p->server.tls);
	quicpair_free(p);
	return resumed;
}

static void
tickets_live_for_two_hours(void **state)
{
	(void)state;
	gnutls_global_set_time_function(told_time);
	assert_true(resumes(EPOCH + 9, EPOCH + 9));
	assert_true(resumes(EPOCH + 9, EPOCH + 7200));
	assert_false(resumes(EPOCH + 9, EPOCH + 7300));
	/* Made with the key before. */
	assert_true(resumes(EPOCH - 9, EPOCH + 9));
	gnutls_global_set_time_function(time);
}

/* A client that comes too late comes as if for the first time. */
static void
sessions_that_are_over_are_not_offered(void **state)
{
	struct rk_bytes params;
	struct rk_bytes token;
	struct quicpair *p;

	(void)state;
	p = quicpair_new(rig.client, rig.server);
	p->drop_to_client = true;
	quicpair_run(p);
	gnutls_db_set_cache_expiration(quic_tls_native(p->server.tls), 9);
	p->drop_to_client = false;
	quicpair_run(p);
	assert_true(p->client.confirmed);
	quicpair_free(p);
	p = quicpair_new(rig.client, rig.server);
	quic_tls_remembered(p->client.tls, &params, &token);
	assert_int_equal(params.len, 0);
	quicpair_run(p);
	assert_true(p->client.confirmed);
	assert_true(p->token_good);
	assert_false(quic_tls_resumed(p->client.tls));
	quicpair_free(p);
}

static uint8_t key_name[16];

static int
on_ticket(gnutls_session_t s, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *msg)
{
	(void)s;
	if (type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET && incoming == 0 &&
	    when == GNUTLS_HOOK_POST) {
		/* Lifetime, age_add, a nonce of four, the length. */
		assert_true(msg->size > 15 + sizeof(key_name));
		memcpy(key_name, msg->data + 15, sizeof(key_name));
	}
	return 0;
}

/* A ticket begins with the name of its key. */
static void
name_key(int64_t now, uint8_t out[16])
{
	struct quicpair *p;

	clock_now = now;
	quic_tls_ctx_forget(rig.client);
	p = quicpair_new(rig.client, rig.server);
	p->drop_to_client = true;
	quicpair_run(p);
	gnutls_handshake_set_hook_function(quic_tls_native(p->server.tls),
	    GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST, on_ticket);
	p->drop_to_client = false;
	memset(key_name, 0, sizeof(key_name));
	quicpair_run(p);
	assert_true(p->client.confirmed);
	memcpy(out, key_name, sizeof(key_name));
	quicpair_free(p);
}

static void
keys_of_tickets_change_with_the_epoch(void **state)
{
	static const uint8_t none[16];
	uint8_t names[3][16];

	(void)state;
	gnutls_global_set_time_function(told_time);
	name_key(EPOCH, names[0]);
	name_key(EPOCH + SEED_EPOCH_S - 1, names[1]);
	name_key(EPOCH + SEED_EPOCH_S, names[2]);
	gnutls_global_set_time_function(time);
	assert_memory_not_equal(names[0], none, sizeof(none));
	assert_memory_equal(names[0], names[1], sizeof(none));
	assert_memory_not_equal(names[0], names[2], sizeof(none));
}

/* ---- the table of tickets ---- */

static struct rk_bytes
ticket(unsigned *n)
{
	return (struct rk_bytes){ (const uint8_t *)n, sizeof(*n) };
}

static void
the_table_forgets_the_oldest(void **state)
{
	const unsigned many = 5000;
	struct quic_tickets *t = quic_tickets_new();
	struct buf leaf;
	unsigned known = 0;
	unsigned n;

	(void)state;
	assert_non_null(t);
	buf_init(&leaf, QUIC_LEAF_LEN_MAX);
	for (n = 0; n < many; n++)
		quic_tickets_add(t, ticket(&n), (const uint8_t *)&n, sizeof(n));
	for (n = 0; n < many; n++)
		if (quic_tickets_find(t, ticket(&n), false, &leaf) !=
		    QUIC_TICKET_UNKNOWN) {
			assert_memory_equal(buf_peek(&leaf), &n, sizeof(n));
			known++;
		}
	assert_int_equal(known, 4096);
	n = many - 4097;
	assert_int_equal(quic_tickets_find(t, ticket(&n), false, &leaf),
	    QUIC_TICKET_UNKNOWN);
	n = many - 1;
	assert_int_equal(
	    quic_tickets_find(t, ticket(&n), true, &leaf), QUIC_TICKET_FRESH);
	assert_int_equal(
	    quic_tickets_find(t, ticket(&n), false, &leaf), QUIC_TICKET_SPENT);
	buf_fini(&leaf);
	quic_tickets_free(t);
}

static void
the_table_holds_so_many_bytes(void **state)
{
	static const uint8_t large[QUIC_LEAF_LEN_MAX];
	struct quic_tickets *t = quic_tickets_new();
	struct buf leaf;
	unsigned known = 0;
	unsigned n;

	(void)state;
	assert_non_null(t);
	buf_init(&leaf, QUIC_LEAF_LEN_MAX);
	for (n = 0; n < 300; n++)
		quic_tickets_add(t, ticket(&n), large, sizeof(large));
	for (n = 0; n < 300; n++)
		known += quic_tickets_find(t, ticket(&n), false, &leaf) ==
		         QUIC_TICKET_FRESH;
	assert_int_equal(known, 4 * 1024 * 1024 / sizeof(large));
	buf_fini(&leaf);
	quic_tickets_free(t);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(no_secret_is_written_to_a_file), /* the first */
		ROW(a_client_without_our_cipher),
		ROW(a_client_without_our_group),
		ROW(a_client_that_can_everything),
		ROW(names_are_never_a_reason_to_refuse),
		ROW(our_packets_are_those_of_others),
		ROW(certificates_too_large),
		ROW(tickets_live_for_two_hours),
		ROW(sessions_that_are_over_are_not_offered),
		ROW(keys_of_tickets_change_with_the_epoch),
		cmocka_unit_test(the_table_forgets_the_oldest),
		cmocka_unit_test(the_table_holds_so_many_bytes),
	};
	char dir[256];
	int failed;

	/* Before the library looks. */
	certs_make_tmp(dir);
	(void)snprintf(keylog, sizeof(keylog), "%s/keys", dir);
	if (setenv("SSLKEYLOGFILE", keylog, 1) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	certs_remove_tmp(dir);
	return failed;
}
