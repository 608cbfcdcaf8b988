/* QUIC's TLS: early data, whose they are, and that they come once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "quicrig.h"

#define TEXT "early words"

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

/* Does a server take early data of a ticket it does not know, to be held until
 * it does?  GnuTLS can do no better; with OpenSSL it takes none. */
static bool
takes_unknown(void)
{
	return strstr(quic_tls_library(), "gnutls") != NULL;
}

/* A connection whose client has early data to send. */
static struct quicpair *
come_back(struct quic_tls_ctx *client, struct quic_tls_ctx *server)
{
	struct quicpair *p = quicpair_new(client, server);
	struct rk_bytes params;
	struct rk_bytes token;

	quic_tls_remembered(p->client.tls, &params, &token);
	assert_true(params.len > 0);
	quicpair_send(&p->client, TEXT);
	return p;
}

static void
assert_cert(struct quicpair_end *e, const struct certs_cert *cert)
{
	struct rk_bytes got;

	assert_true(quic_tls_peer_cert(e->tls, &got));
	assert_int_equal(got.len, cert->der.len);
	assert_memory_equal(got.ptr, cert->der.ptr, got.len);
}

static void
early_data_of_somebody_known(void **state)
{
	struct quicpair *p;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p = come_back(rig.client, rig.server);
	p->drop_to_client = true;
	quicpair_run(p);
	/* Nothing but the first flight has come. */
	assert_string_equal(p->server.got, TEXT);
	assert_int_equal(p->server.early_len, strlen(TEXT));
	assert_true(p->server.first_cert);
	assert_false(p->server.first_completed);
	assert_cert(&p->server, rig.client_cert);
	/* Once when it was proven; now for early data, and to be resumed. */
	assert_int_equal(rig.judge_client.asked, 3);
	assert_true(quic_tls_early_accepted(p->server.tls));
	p->drop_to_client = false;
	quicpair_run(p);
	assert_true(p->client.confirmed);
	assert_true(quic_tls_early_accepted(p->client.tls));
	assert_false(p->client.rejected);
	assert_true(quic_tls_resumed(p->client.tls));
	assert_true(quic_tls_resumed(p->server.tls));
	assert_string_equal(p->server.got, TEXT);
	quicpair_free(p);
}

/* Every connection brings the ticket of the next. */
static void
early_data_again_and_again(void **state)
{
	struct quicpair *p;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	for (int i = 0; i < 3; i++) {
		p = come_back(rig.client, rig.server);
		quicpair_run(p);
		assert_true(p->client.confirmed);
		assert_int_equal(p->server.early_len, strlen(TEXT));
		assert_true(p->server.first_cert);
		assert_cert(&p->server, rig.client_cert);
		assert_cert(&p->client, rig.server_cert);
		quicpair_free(p);
	}
}

/* Two servers with one seed: the second cannot know whose ticket it is until
 * the client has completed the handshake, and says so. */
static void
early_data_of_somebody_unknown(void **state)
{
	struct quic_tls_ctx *sibling = quicrig_server(&rig, rig.seed, true);
	struct quicpair *p;
	struct rk_bytes cert;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p = come_back(rig.client, sibling);
	p->drop_to_client = true;
	quicpair_run(p);
	assert_int_equal(p->server.early_len > 0, takes_unknown());
	if (p->server.got_len > 0) {
		assert_false(p->server.first_cert);
		assert_false(quic_tls_peer_cert(p->server.tls, &cert));
		assert_int_equal(rig.judge_client.asked, 1);
	}
	assert_false(p->server.completed);
	p->drop_to_client = false;
	quicpair_run(p);
	assert_true(p->server.completed && p->client.confirmed);
	assert_int_equal(p->client.rejected, !takes_unknown());
	assert_string_equal(p->server.got, TEXT);
	assert_int_equal(rig.judge_client.asked, 2);
	assert_cert(&p->server, rig.client_cert);
	quicpair_free(p);
	quic_tls_ctx_free(sibling);
}

static void
refused_only_when_known(void **state)
{
	struct quic_tls_ctx *sibling = quicrig_server(&rig, rig.seed, true);
	struct quicpair *p;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p = come_back(rig.client, sibling);
	rig.judge_client.say = RK_EREVOKED;
	quicpair_run(p);
	assert_int_equal(p->server.early_len > 0, takes_unknown());
	assert_false(p->server.first_cert);
	assert_false(p->server.completed);
	assert_true(p->server.dead && !p->server.by_peer);
	assert_int_equal(p->server.closed, NGTCP2_CRYPTO_ERROR + 44);
	quicpair_free(p);
	quic_tls_ctx_free(sibling);
}

static void
a_replay_delivers_nothing(void **state)
{
	struct quicpair *p;
	struct quicpair *again;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p = come_back(rig.client, rig.server);
	quicpair_run(p);
	assert_int_equal(p->server.early_len, strlen(TEXT));
	for (int i = 0; i < 3; i++) {
		again = quicpair_new(NULL, rig.server);
		quicpair_replay(again, &p->first);
		quicpair_run(again);
		assert_non_null(again->server.conn);
		assert_false(quic_tls_early_accepted(again->server.tls));
		assert_int_equal(again->server.got_len, 0);
		assert_false(again->server.completed);
		quicpair_free(again);
	}
	quicpair_free(p);
}

/* The original comes after its copy: slower, but it is served. */
static void
a_replay_that_is_faster(void **state)
{
	struct quicpair *p;
	struct quicpair *copy;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p = come_back(rig.client, rig.server);
	quicpair_write(&p->client);
	copy = quicpair_new(NULL, rig.server);
	quicpair_replay(copy, &p->first);
	assert_int_equal(copy->server.early_len, strlen(TEXT));
	quicpair_run(p);
	assert_true(p->client.confirmed && p->client.rejected);
	assert_string_equal(p->server.got, TEXT);
	assert_int_equal(p->server.early_len, 0);
	quicpair_free(copy);
	quicpair_free(p);
}

/* A sibling may be shown a copy; it belongs to nobody there. */
static void
a_replay_at_a_sibling_is_of_nobody(void **state)
{
	struct quic_tls_ctx *sibling = quicrig_server(&rig, rig.seed, true);
	struct quicpair *p;
	struct quicpair *copy;

	(void)state;
	quicrig_visit(rig.client, rig.server);
	p = come_back(rig.client, rig.server);
	quicpair_run(p);
	copy = quicpair_new(NULL, sibling);
	quicpair_replay(copy, &p->first);
	quicpair_run(copy);
	assert_non_null(copy->server.conn);
	assert_int_equal(copy->server.early_len > 0, takes_unknown());
	assert_false(copy->server.first_cert);
	assert_false(copy->server.completed);
	quicpair_free(copy);
	quicpair_free(p);
	quic_tls_ctx_free(sibling);
}

/* Where nobody is asked who it is, nothing tells a copy by a sibling's ticket
 * from the original: it is not taken. */
static void
anonymous_early_data(void **state)
{
	struct quicrig r;
	struct quic_tls_ctx *sibling;
	struct quicpair *p;
	struct quicpair *copy;

	(void)state;
	quicrig_init_mode(&r, RK_TLS_SERVER_ONLY);
	sibling = quicrig_server(&r, r.seed, true);
	quicrig_visit(r.client, r.server);
	p = come_back(r.client, r.server);
	quicpair_run(p);
	assert_int_equal(p->server.early_len, strlen(TEXT));
	copy = quicpair_new(NULL, r.server);
	quicpair_replay(copy, &p->first);
	assert_int_equal(copy->server.got_len, 0);
	quicpair_free(copy);
	quicpair_free(p);
	p = come_back(r.client, sibling);
	quicpair_run(p);
	assert_true(p->client.confirmed && p->client.rejected);
	assert_true(quic_tls_resumed(p->server.tls));
	assert_string_equal(p->server.got, TEXT);
	assert_int_equal(p->server.early_len, 0);
	quicpair_free(p);
	quic_tls_ctx_free(sibling);
	quicrig_fini(&r);
}

static void
neither_end_is_made_to(void **state)
{
	struct quic_tls_ctx *client = quicrig_client(&rig, false);
	struct quic_tls_ctx *server = quicrig_server(&rig, rig.seed, false);
	struct quicpair *p;
	struct rk_bytes params;
	struct rk_bytes token;

	(void)state;
	/* A client that does not offer. */
	quicrig_visit(client, rig.server);
	p = quicpair_new(client, rig.server);
	quic_tls_remembered(p->client.tls, &params, &token);
	assert_int_equal(params.len, 0);
	quicpair_free(p);
	/* A server whose tickets do not allow it. */
	quicrig_visit(rig.client, server);
	p = quicpair_new(rig.client, server);
	quic_tls_remembered(p->client.tls, &params, &token);
	assert_int_equal(params.len, 0);
	quicpair_send(&p->client, TEXT);
	quicpair_run(p);
	assert_true(quic_tls_resumed(p->client.tls));
	assert_string_equal(p->server.got, TEXT);
	assert_int_equal(p->server.early_len, 0);
	quicpair_free(p);
	/* A server that no longer takes what it allowed once. */
	quicrig_visit(rig.client, rig.server);
	p = come_back(rig.client, server);
	quicpair_run(p);
	assert_true(p->client.confirmed && p->client.rejected);
	assert_true(quic_tls_resumed(p->client.tls));
	assert_string_equal(p->server.got, TEXT);
	assert_int_equal(p->server.early_len, 0);
	quicpair_free(p);
	quic_tls_ctx_free(server);
	quic_tls_ctx_free(client);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(early_data_of_somebody_known),
		ROW(early_data_again_and_again),
		ROW(early_data_of_somebody_unknown),
		ROW(refused_only_when_known),
		ROW(a_replay_delivers_nothing),
		ROW(a_replay_that_is_faster),
		ROW(a_replay_at_a_sibling_is_of_nobody),
		ROW(anonymous_early_data),
		ROW(neither_end_is_made_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
