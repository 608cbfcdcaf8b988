/* QUIC's TLS: who is refused, with which code, and what is told about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "quicrig.h"

#define CODE(alert) (NGTCP2_CRYPTO_ERROR + (alert))
#define BAD_CERTIFICATE 42u
#define CERTIFICATE_REVOKED 44u
#define CERTIFICATE_REQUIRED 116u

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

/* Both ends talk, one refuses the other with this alert, nothing arrives. */
static struct quicpair *
refuse(struct quic_tls_ctx *client, struct quic_tls_ctx *server, bool by_server,
    unsigned alert)
{
	struct quicpair *p = quicpair_new(client, server);
	struct quicpair_end *by = by_server ? &p->server : &p->client;
	struct quicpair_end *of = by_server ? &p->client : &p->server;

	quicpair_send(&p->client, "secret");
	quicpair_run(p);
	assert_true(by->dead && !by->by_peer);
	assert_int_equal(by->closed, CODE(alert));
	assert_true(of->dead && of->by_peer);
	assert_int_equal(of->closed, CODE(alert));
	assert_false(p->client.confirmed);
	assert_false(p->server.completed);
	assert_int_equal(p->server.got_len, 0);
	assert_int_equal(p->client.got_len, 0);
	return p;
}

static void
assert_told(const struct quicpair_end *e, enum rk_err code, const char *text)
{
	struct rk_error err = { 0 };

	assert_int_equal(
	    quic_tls_explain(e->tls, e->closed, e->by_peer, &err), code);
	assert_int_equal(err.code, code);
	assert_string_equal(err.step, "tls");
	if (strstr(err.text, text) == NULL)
		assert_string_equal(err.text, text);
	/* No place for the text is no trouble. */
	assert_int_equal(
	    quic_tls_explain(e->tls, e->closed, e->by_peer, NULL), code);
}

/* ---- strangers ---- */

struct stranger {
	struct certs_cert *ca;
	struct certs_cert *cert;
	struct rk_ident *ident;
	struct quicrig_judge judge;
	struct quic_tls_ctx *ctx;
};

/* Of another CA, trusting ours. */
static void
make_stranger(struct stranger *s, bool server)
{
	memset(s, 0, sizeof(*s));
	s->ca = certs_new_ca("rogue CA");
	s->cert = certs_new_leaf(s->ca, "rogue", "rogue@example.org");
	s->ident = quicrig_ident(s->ca, s->cert);
	s->judge.ident = rig.server_ident;
	s->judge.of_clients = server;
	s->ctx = quicrig_other(&rig, server, s->ident, &s->judge);
}

static void
free_stranger(struct stranger *s)
{
	quic_tls_ctx_free(s->ctx);
	rk_ident_free(s->ident);
	certs_free(s->cert);
	certs_free(s->ca);
}

static void
a_client_of_another_ca(void **state)
{
	struct stranger s;
	struct quicpair *p;

	(void)state;
	make_stranger(&s, false);
	p = refuse(s.ctx, rig.server, true, BAD_CERTIFICATE);
	/* TLS 1.3 lets a client believe in itself for a while. */
	assert_true(p->client.completed);
	assert_told(&p->server, RK_ECERT, "not signed by our CA");
	assert_told(&p->client, RK_ECERT,
	    "the peer refused our certificate (alert bad certificate)");
	quicpair_free(p);
	free_stranger(&s);
}

static void
a_rogue_server(void **state)
{
	struct stranger s;
	struct quicpair *p;

	(void)state;
	make_stranger(&s, true);
	p = refuse(rig.client, s.ctx, false, BAD_CERTIFICATE);
	assert_false(p->client.completed);
	assert_told(&p->client, RK_ECERT, "not signed by our CA");
	assert_told(&p->server, RK_ECERT, "the peer refused our certificate");
	quicpair_free(p);
	free_stranger(&s);
}

static void
a_client_that_shows_nothing(void **state)
{
	const struct quic_tls_conf conf = {
		.tls = { .mode = RK_TLS_SKIP_VERIFY },
	};
	struct quic_tls_ctx *client;
	struct quicpair *p;

	(void)state;
	assert_int_equal(quic_tls_ctx_new(&conf, &client, NULL), RK_OK);
	p = refuse(client, rig.server, true, CERTIFICATE_REQUIRED);
	assert_told(&p->server, RK_ETLS, "the peer showed no certificate");
	assert_told(&p->client, RK_ECERT,
	    "the peer wants a certificate and was shown none "
	    "(alert certificate required)");
	quicpair_free(p);
	quic_tls_ctx_free(client);
}

static void
a_client_revoked(void **state)
{
	struct quicpair *p;

	(void)state;
	rig.judge_client.say = RK_EREVOKED;
	p = refuse(rig.client, rig.server, true, CERTIFICATE_REVOKED);
	assert_told(&p->server, RK_EREVOKED, "told to");
	assert_told(&p->client, RK_EREVOKED, "the peer refused our");
	quicpair_free(p);
}

static void
a_server_revoked(void **state)
{
	struct quicpair *p;

	(void)state;
	rig.judge_server.say = RK_EREVOKED;
	p = refuse(rig.client, rig.server, false, CERTIFICATE_REVOKED);
	assert_told(&p->client, RK_EREVOKED, "told to");
	assert_told(&p->server, RK_EREVOKED, "the peer refused our");
	quicpair_free(p);
}

/* ---- when a session is resumed ---- */

static void
a_client_refused_when_it_comes_back(void **state)
{
	struct quic_tls_ctx *client = quicrig_client(&rig, false);
	struct quicpair *p;

	(void)state;
	quicrig_visit(client, rig.server);
	rig.judge_client.say = RK_EREVOKED;
	p = refuse(client, rig.server, true, CERTIFICATE_REVOKED);
	/* Some libraries let it show itself once more. */
	assert_true(rig.judge_client.asked == 2 || rig.judge_client.asked == 3);
	assert_told(&p->server, RK_EREVOKED, "told to");
	quicpair_free(p);
	quic_tls_ctx_free(client);
}

/* By a server whose table does not know the ticket: at the client's end. */
static void
a_client_refused_when_it_comes_to_a_restarted_server(void **state)
{
	struct quic_tls_ctx *later;
	struct quicpair *p;

	(void)state;
	for (int early = 0; early < 2; early++) {
		quicrig_visit(rig.client, rig.server);
		later = quicrig_server(&rig, rig.seed, early == 1);
		rig.judge_client.say = RK_ECERT;
		p = refuse(rig.client, later, true, BAD_CERTIFICATE);
		assert_told(&p->server, RK_ECERT, "told to");
		quicpair_free(p);
		quic_tls_ctx_free(later);
		rig.judge_client.say = RK_OK;
	}
}

static void
a_server_refused_when_it_is_met_again(void **state)
{
	struct quic_tls_ctx *client = quicrig_client(&rig, false);
	struct quicpair *p;

	(void)state;
	quicrig_visit(client, rig.server);
	rig.judge_server.say = RK_EREVOKED;
	p = refuse(client, rig.server, false, CERTIFICATE_REVOKED);
	/* Before, and when the server has shown itself again. */
	assert_int_equal(rig.judge_server.asked, 3);
	assert_false(quic_tls_resumed(p->client.tls));
	assert_told(&p->client, RK_EREVOKED, "told to");
	quicpair_free(p);
	quic_tls_ctx_free(client);
}

static void
early_data_of_a_client_that_is_refused(void **state)
{
	struct quicpair *p;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	rig.judge_client.say = RK_EREVOKED;
	p = refuse(rig.client, rig.server, true, CERTIFICATE_REVOKED);
	assert_told(&p->server, RK_EREVOKED, "told to");
	assert_told(&p->client, RK_EREVOKED, "the peer refused our");
	quicpair_free(p);
}

/* Early data would be gone before the server says anything. */
static void
early_data_for_a_server_that_is_refused(void **state)
{
	struct rk_bytes params;
	struct rk_bytes token;
	struct quicpair *p;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	rig.judge_server.say = RK_EREVOKED;
	p = quicpair_new(rig.client, rig.server);
	quic_tls_remembered(p->client.tls, &params, &token);
	assert_int_equal(params.len, 0);
	quicpair_free(p);
	rig.judge_server.say = RK_OK;
	quicrig_visit(rig.client, rig.server);
	rig.judge_server.say = RK_EREVOKED;
	p = refuse(rig.client, rig.server, false, CERTIFICATE_REVOKED);
	assert_told(&p->client, RK_EREVOKED, "told to");
	quicpair_free(p);
}

/* ---- words ---- */

static void
other_codes_are_told_too(void **state)
{
	struct quicpair *p = quicpair_new(rig.client, rig.server);
	struct rk_error err = { 0 };

	(void)state;
	quicpair_run(p);
	assert_int_equal(
	    quic_tls_explain(p->client.tls, 0x9, true, &err), RK_EPROTO);
	assert_string_equal(err.text, "QUIC error 0x9 from the peer");
	assert_int_equal(
	    quic_tls_explain(p->client.tls, 0x200, false, &err), RK_EPROTO);
	assert_string_equal(err.text, "QUIC error 0x200");
	assert_int_equal(
	    quic_tls_explain(p->client.tls, CODE(40u), true, &err), RK_ETLS);
	assert_string_equal(err.text,
	    "the peer found nothing in common with "
	    "TLS_CHACHA20_POLY1305_SHA256, X25519 and ed25519 "
	    "(alert handshake failure)");
	quicpair_free(p);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_client_of_another_ca),
		ROW(a_rogue_server),
		ROW(a_client_that_shows_nothing),
		ROW(a_client_revoked),
		ROW(a_server_revoked),
		ROW(a_client_refused_when_it_comes_back),
		ROW(a_client_refused_when_it_comes_to_a_restarted_server),
		ROW(a_server_refused_when_it_is_met_again),
		ROW(early_data_of_a_client_that_is_refused),
		ROW(early_data_for_a_server_that_is_refused),
		ROW(other_codes_are_told_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
