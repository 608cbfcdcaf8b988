/* QUIC's TLS: handshakes that work, what they tell, and sessions resumed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "quicrig.h"

static struct quicrig rig;

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

static void
a_handshake_with_both_certificates(void **state)
{
	struct quicpair *p;
	struct rk_bytes cert;
	char alpn[16];

	(void)state;
	p = quicpair_new(rig.client, rig.server);
	quicpair_send(&p->client, "question");
	quicpair_send(&p->server, "answer");
	quicpair_run(p);
	assert_true(p->client.completed && p->client.confirmed);
	assert_true(p->server.completed);
	assert_string_equal(p->server.got, "question");
	assert_string_equal(p->client.got, "answer");
	assert_int_equal(p->server.early_len, 0);
	assert_false(quic_tls_resumed(p->client.tls));
	assert_false(quic_tls_resumed(p->server.tls));
	assert_true(quic_tls_peer_cert(p->server.tls, &cert));
	assert_int_equal(cert.len, rig.client_cert->der.len);
	assert_memory_equal(cert.ptr, rig.client_cert->der.ptr, cert.len);
	assert_true(quic_tls_peer_cert(p->client.tls, &cert));
	assert_int_equal(cert.len, rig.server_cert->der.len);
	assert_memory_equal(cert.ptr, rig.server_cert->der.ptr, cert.len);
	quic_tls_alpn(p->client.tls, alpn);
	assert_string_equal(alpn, "rpckit/1");
	quic_tls_alpn(p->server.tls, alpn);
	assert_string_equal(alpn, "rpckit/1");
	assert_string_equal(
	    quic_tls_cipher(p->client.tls), "TLS_CHACHA20_POLY1305_SHA256");
	assert_int_equal(rig.judge_client.asked, 1);
	assert_int_equal(rig.judge_server.asked, 1);
	quicpair_free(p);
}

/* ---- modes ---- */

static void
only_the_server_shows_a_certificate(void **state)
{
	struct quicrig r;
	struct quicpair *p;
	struct rk_bytes cert;

	(void)state;
	quicrig_init_mode(&r, RK_TLS_SERVER_ONLY);
	for (int i = 0; i < 2; i++) {
		p = quicpair_new(r.client, r.server);
		quicpair_send(&p->client, "question");
		quicpair_run(p);
		assert_true(p->client.confirmed);
		assert_string_equal(p->server.got, "question");
		assert_int_equal(quic_tls_resumed(p->server.tls), i == 1);
		assert_true(quic_tls_peer_cert(p->client.tls, &cert));
		assert_memory_equal(cert.ptr, r.server_cert->der.ptr, cert.len);
		assert_false(quic_tls_peer_cert(p->server.tls, &cert));
		quicpair_free(p);
	}
	assert_int_equal(r.judge_client.asked, 0);
	quicrig_fini(&r);
}

static void
nobody_is_asked(void **state)
{
	struct quicrig r;
	struct quicpair *p;
	struct rk_bytes cert;
	struct rk_bytes params;
	struct rk_bytes token;

	(void)state;
	quicrig_init_mode(&r, RK_TLS_SKIP_VERIFY);
	for (int i = 0; i < 2; i++) {
		p = quicpair_new(r.client, r.server);
		quic_tls_remembered(p->client.tls, &params, &token);
		assert_int_equal(params.len, 0);
		quicpair_send(&p->client, "question");
		quicpair_run(p);
		assert_true(p->client.confirmed);
		assert_string_equal(p->server.got, "question");
		assert_int_equal(p->server.early_len, 0);
		assert_int_equal(quic_tls_resumed(p->server.tls), i == 1);
		assert_false(quic_tls_peer_cert(p->client.tls, &cert));
		assert_false(quic_tls_peer_cert(p->server.tls, &cert));
		quicpair_free(p);
	}
	assert_int_equal(r.judge_client.asked + r.judge_server.asked, 0);
	quicrig_fini(&r);
}

static void
a_server_without_a_certificate_makes_one(void **state)
{
	const struct quic_tls_conf conf = {
		.tls = { .server = true, .mode = RK_TLS_SKIP_VERIFY },
		.seed = rig.seed,
	};
	struct quicrig r;
	struct quicpair *p;
	struct quic_tls_ctx *server;

	(void)state;
	quicrig_init_mode(&r, RK_TLS_SKIP_VERIFY);
	assert_int_equal(quic_tls_ctx_new(&conf, &server, NULL), RK_OK);
	p = quicpair_new(r.client, server);
	quicpair_run(p);
	assert_true(p->client.confirmed);
	quicpair_free(p);
	quic_tls_ctx_free(server);
	quicrig_fini(&r);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct rk_ident *nobody = quicrig_ident(rig.ca, NULL);
	struct quic_tls_conf conf = { .tls = { .server = true } };
	struct quic_tls_ctx *ctx;
	struct rk_error err = { 0 };

	(void)state;
	conf.seed = rig.seed;
	conf.tls.ident = rig.server_ident;
	assert_int_equal(quic_tls_ctx_new(&conf, &ctx, &err), RK_EINVAL);
	assert_string_equal(err.text, "TLS without a judge of certificates");
	assert_null(ctx);
	conf.tls.mode = RK_TLS_SERVER_ONLY;
	conf.tls.ident = nobody;
	assert_int_equal(quic_tls_ctx_new(&conf, &ctx, &err), RK_EINVAL);
	assert_string_equal(
	    err.text, "TLS needs a certificate and its key here");
	conf.tls.ident = rig.server_ident;
	conf.seed = NULL;
	assert_int_equal(quic_tls_ctx_new(&conf, &ctx, &err), RK_EINVAL);
	assert_string_equal(
	    err.text, "a QUIC server without a seed for its keys");
	rk_ident_free(nobody);
}

/* ---- keys ---- */

static void
update_keys(struct quicpair *p, struct quicpair_end *e, const char *there,
    const char *back)
{
	p->now += 10 * NGTCP2_SECONDS; /* not too often (RFC 9001, 6.5) */
	quicpair_run(p);
	assert_int_equal(ngtcp2_conn_initiate_key_update(e->conn, p->now), 0);
	quicpair_send(&p->client, there);
	quicpair_send(&p->server, back);
	quicpair_run(p);
	assert_false(p->client.dead || p->server.dead);
}

static void
keys_are_updated_from_either_side(void **state)
{
	struct quicpair *p = quicpair_new(rig.client, rig.server);

	(void)state;
	quicpair_send(&p->client, "1");
	quicpair_run(p);
	assert_true(p->client.confirmed);
	update_keys(p, &p->client, "2", "a");
	update_keys(p, &p->server, "3", "b");
	update_keys(p, &p->server, "4", "c");
	update_keys(p, &p->client, "5", "d");
	assert_string_equal(p->server.got, "12345");
	assert_string_equal(p->client.got, "abcd");
	quicpair_free(p);
}

/* What a server says of a handshake, and how it goes on, is the same when what
 * only the handshake needed is gone. */
static void
settled_servers_go_on(void **state)
{
	static const uint8_t hello[] = { 1, 0, 0, 1, 0 };
	struct quicpair *p;
	struct rk_bytes cert;
	char alpn[16];

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p = quicpair_new(rig.client, rig.server);
	quicpair_send(&p->client, "1");
	quicpair_run(p);
	assert_true(p->client.confirmed && p->server.completed);
	for (int i = 0; i < 2; i++) {
		quic_tls_settle(p->client.tls);
		quic_tls_settle(p->server.tls);
	}
	assert_true(quic_tls_resumed(p->server.tls));
	assert_int_equal(quic_tls_early_accepted(p->server.tls),
	    quic_tls_early_accepted(p->client.tls));
	assert_string_equal(
	    quic_tls_cipher(p->server.tls), "TLS_CHACHA20_POLY1305_SHA256");
	quic_tls_alpn(p->server.tls, alpn);
	assert_string_equal(alpn, "rpckit/1");
	assert_true(quic_tls_peer_cert(p->server.tls, &cert));
	assert_memory_equal(cert.ptr, rig.client_cert->der.ptr, cert.len);
	update_keys(p, &p->client, "2", "a");
	update_keys(p, &p->server, "3", "b");
	assert_string_equal(p->server.got, "123");
	assert_string_equal(p->client.got, "ab");
	/* A client that begins once more. */
	assert_int_equal(
	    ngtcp2_conn_submit_crypto_data(p->client.conn,
	        NGTCP2_ENCRYPTION_LEVEL_1RTT, hello, sizeof(hello)),
	    0);
	quicpair_run(p);
	assert_true(p->server.dead && !p->server.by_peer);
	assert_int_equal(p->server.closed, 0x10a);
	quicpair_free(p);
}

/* A KeyUpdate of TLS, which QUIC forbids, is an error and not our end. */
static void
a_key_update_of_tls(void **state)
{
	static const uint8_t update[] = { 24, 0, 0, 1, 0 };
	struct quicpair *p;

	(void)state;
	for (int by_client = 0; by_client < 2; by_client++) {
		p = quicpair_new(rig.client, rig.server);
		struct quicpair_end *from =
		    by_client == 1 ? &p->client : &p->server;
		struct quicpair_end *to =
		    by_client == 1 ? &p->server : &p->client;

		quicpair_run(p);
		assert_true(p->client.confirmed);
		assert_int_equal(
		    ngtcp2_conn_submit_crypto_data(from->conn,
		        NGTCP2_ENCRYPTION_LEVEL_1RTT, update, sizeof(update)),
		    0);
		quicpair_run(p);
		assert_true(to->dead && !to->by_peer);
		assert_int_equal(to->closed, 0x10a);
		quicpair_free(p);
	}
}

/* ---- sessions ---- */

static void
a_session_is_resumed_and_judged_again(void **state)
{
	struct quic_tls_ctx *client = quicrig_client(&rig, false);
	struct quicpair *p;
	struct rk_bytes cert;

	(void)state;
	quicrig_visit(client, rig.server);
	assert_int_equal(rig.judge_client.asked, 1);
	assert_int_equal(rig.judge_server.asked, 1);
	p = quicpair_new(client, rig.server);
	/* Known from the beginning, but not yet proved. */
	assert_true(quic_tls_peer_cert(p->client.tls, &cert));
	assert_memory_equal(cert.ptr, rig.server_cert->der.ptr, cert.len);
	quicpair_send(&p->client, "again");
	quicpair_run(p);
	assert_true(p->client.confirmed);
	assert_true(quic_tls_resumed(p->client.tls));
	assert_true(quic_tls_resumed(p->server.tls));
	assert_int_equal(p->server.early_len, 0);
	assert_false(quic_tls_early_accepted(p->client.tls));
	assert_string_equal(p->server.got, "again");
	assert_int_equal(rig.judge_client.asked, 2);
	assert_int_equal(rig.judge_server.asked, 2);
	assert_int_equal(rig.judge_client.leaf_len, rig.client_cert->der.len);
	assert_int_equal(rig.judge_server.leaf_len, rig.server_cert->der.len);
	assert_true(quic_tls_peer_cert(p->server.tls, &cert));
	assert_int_equal(cert.len, rig.client_cert->der.len);
	assert_memory_equal(cert.ptr, rig.client_cert->der.ptr, cert.len);
	quicpair_free(p);
	quic_tls_ctx_free(client);
}

/* Also by a server that has no table of tickets. */
static void
a_restarted_server_with_the_seed_resumes(void **state)
{
	struct quic_tls_ctx *later;
	struct quicpair *p;
	struct rk_bytes cert;

	(void)state;
	for (int early = 0; early < 2; early++) {
		quicrig_visit(rig.client, rig.server);
		rig.judge_client.asked = 0;
		later = quicrig_server(&rig, rig.seed, early == 1);
		p = quicpair_new(rig.client, later);
		quicpair_send(&p->client, "again");
		quicpair_run(p);
		assert_true(p->client.confirmed);
		assert_true(quic_tls_resumed(p->server.tls));
		assert_string_equal(p->server.got, "again");
		assert_int_equal(p->server.early_len, 0);
		assert_int_equal(rig.judge_client.asked, 1);
		assert_true(quic_tls_peer_cert(p->server.tls, &cert));
		assert_memory_equal(
		    cert.ptr, rig.client_cert->der.ptr, cert.len);
		quicpair_free(p);
		quic_tls_ctx_free(later);
		quic_tls_ctx_forget(rig.client);
	}
}

static void
not_resumed_by(struct quic_tls_ctx *server)
{
	struct quicpair *p;

	quicrig_visit(rig.client, rig.server);
	p = quicpair_new(rig.client, server);
	quicpair_send(&p->client, "again");
	quicpair_run(p);
	assert_true(p->client.confirmed);
	assert_false(quic_tls_resumed(p->client.tls));
	assert_false(quic_tls_resumed(p->server.tls));
	assert_true(p->client.rejected);
	assert_false(quic_tls_early_accepted(p->client.tls));
	assert_string_equal(p->server.got, "again");
	assert_int_equal(p->server.early_len, 0);
	quicpair_free(p);
}

static void
another_seed_knows_no_session(void **state)
{
	struct quic_tls_ctx *other;
	struct seed *seed;

	(void)state;
	assert_int_equal(seed_new(NULL, &seed, NULL), RK_OK);
	other = quicrig_server(&rig, seed, true);
	not_resumed_by(other);
	quic_tls_ctx_free(other);
	seed_free(seed);
}

static void
another_certificate_knows_no_session(void **state)
{
	struct certs_cert *cert = certs_new_leaf(rig.ca, "node", NULL);
	struct rk_ident *ident = quicrig_ident(rig.ca, cert);
	struct quic_tls_ctx *other =
	    quicrig_other(&rig, true, ident, &rig.judge_client);

	(void)state;
	not_resumed_by(other);
	quic_tls_ctx_free(other);
	rk_ident_free(ident);
	certs_free(cert);
}

static void
a_session_is_used_once(void **state)
{
	struct quicpair *p[2];

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p[0] = quicpair_new(rig.client, rig.server);
	p[1] = quicpair_new(rig.client, rig.server);
	for (int i = 0; i < 2; i++) {
		quicpair_run(p[i]);
		assert_int_equal(quic_tls_resumed(p[i]->client.tls), i == 0);
		quicpair_free(p[i]);
	}
}

static void
what_is_forgotten_is_not_resumed(void **state)
{
	struct rk_bytes params;
	struct rk_bytes token;
	struct quicpair *p;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	quic_tls_ctx_forget(rig.client);
	p = quicpair_new(rig.client, rig.server);
	quic_tls_remembered(p->client.tls, &params, &token);
	assert_int_equal(params.len, 0);
	assert_int_equal(token.len, 0);
	quicpair_run(p);
	assert_true(p->client.confirmed);
	assert_false(quic_tls_resumed(p->client.tls));
	quicpair_free(p);
}

static void
an_address_token_is_kept(void **state)
{
	struct quicpair *p = quicpair_new(rig.client, rig.server);

	(void)state;
	quicpair_run(p);
	assert_int_equal(p->client.tokens, 1);
	assert_int_equal(p->token_len, 0);
	quicpair_free(p);
	p = quicpair_new(rig.client, rig.server);
	quicpair_run(p);
	assert_true(p->token_len > 0);
	assert_true(p->token_good);
	quicpair_free(p);
}

/* Each may come without the other. */
static void
tokens_and_sessions_are_kept_apart(void **state)
{
	struct quicpair *p;

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool tickets = (i & 1) != 0;
		bool tokens = (i & 2) != 0;

		p = quicpair_new(rig.client, rig.server);
		p->send_tickets = tickets;
		p->send_tokens = tokens;
		quicpair_run(p);
		assert_true(p->client.confirmed);
		quicpair_free(p);
		p = quicpair_new(rig.client, rig.server);
		p->send_tickets = false;
		p->send_tokens = false;
		quicpair_run(p);
		assert_true(p->client.confirmed);
		assert_int_equal(quic_tls_resumed(p->client.tls), tickets);
		assert_int_equal(p->token_good, tokens);
		quicpair_free(p);
	}
}

static void
a_handshake_outlives_its_context(void **state)
{
	struct quicpair *p;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p = quicpair_new(rig.client, rig.server);
	quicpair_send(&p->client, "late");
	quicpair_write(&p->client);
	quic_tls_ctx_free(rig.client);
	rig.client = NULL;
	quicpair_run(p);
	assert_string_equal(p->server.got, "late");
	quicpair_free(p);
}

static void
the_library_has_a_name(void **state)
{
	(void)state;
	assert_non_null(strstr(quic_tls_library(), "openssl 3."));
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_handshake_with_both_certificates),
		ROW(only_the_server_shows_a_certificate),
		ROW(nobody_is_asked),
		ROW(a_server_without_a_certificate_makes_one),
		ROW(what_cannot_be_is_refused),
		ROW(keys_are_updated_from_either_side),
		ROW(settled_servers_go_on),
		ROW(a_key_update_of_tls),
		ROW(a_session_is_resumed_and_judged_again),
		ROW(a_restarted_server_with_the_seed_resumes),
		ROW(another_seed_knows_no_session),
		ROW(another_certificate_knows_no_session),
		ROW(a_session_is_used_once),
		ROW(what_is_forgotten_is_not_resumed),
		ROW(an_address_token_is_kept),
		ROW(tokens_and_sessions_are_kept_apart),
		ROW(a_handshake_outlives_its_context),
		ROW(the_library_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
