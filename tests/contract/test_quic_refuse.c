/* Who is refused over QUIC: what the peer sees, and a line at both ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "quicpeer.h"

static struct quicnet net;

static int
set_up(void **state)
{
	(void)state;
	quicnet_open(&net);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	quicnet_close(&net);
	return 0;
}

/* Of another CA, or without a certificate. */
struct stranger {
	struct certs_cert *ca, *cert;
	struct rk_ident *ident;
	struct quicrig_judge judge;
	struct quic_tls_ctx *ctx;
};

static void
open_stranger(struct stranger *s, bool server)
{
	*s = (struct stranger){ .ca = certs_new_ca("another CA") };
	s->cert = certs_new_leaf(s->ca, "stranger", "s@example.org");
	s->ident = quicrig_ident(s->ca, s->cert);
	/* It believes whom it meets. */
	s->judge.ident = server ? net.rig.server_ident : net.rig.client_ident;
	s->judge.of_clients = server;
	s->ctx = quicrig_other(&net.rig, server, s->ident, &s->judge);
}

static void
close_stranger(struct stranger *s)
{
	quic_tls_ctx_free(s->ctx);
	rk_ident_free(s->ident);
	certs_free(s->cert);
	certs_free(s->ca);
}

static void
assert_line(const struct rk_error *why)
{
	assert_true(why->text[0] != '\0');
	assert_null(strpbrk(why->text, "\r\n"));
}

/* The server ends it with this code, nothing was delivered, it is one line. */
static void
assert_refused(struct quicpeer *p, uint64_t code, enum rk_err why)
{
	const struct quicnet_conn *c = &net.conns[0];

	quicnet_await(&net, &p->dead, 1);
	quicnet_await(&net, &c->closed, 1);
	assert_true(p->by_peer);
	assert_false(p->application);
	assert_int_equal(p->closed, code);
	assert_int_equal(c->opened, 0);
	assert_int_equal(c->got, 0);
	assert_int_equal(c->why.code, why);
	assert_line(&c->why);
}

static void
a_client_of_another_ca(void **state)
{
	struct stranger s;
	struct quicnet_conn c;
	struct quicpeer p;

	(void)state;
	open_stranger(&s, false);
	quicpeer_init(&p, &net, s.ctx);
	quicpeer_start(&p);
	assert_refused(&p, 0x12a, RK_ECERT);
	assert_string_equal(net.conns[0].why.step, "tls");
	quicpeer_free(&p);
	/* Our own client says so, too. */
	quicnet_dial(&net, s.ctx, &net.at, &c);
	quicnet_await(&net, &c.closed, 1);
	assert_int_equal(c.why.code, RK_ECERT);
	assert_line(&c.why);
	assert_int_equal(net.conns[1].got, 0);
	quicnet_drain(&c);
	close_stranger(&s);
}

static void
a_client_without_a_certificate(void **state)
{
	struct quicrig bare;
	struct quicpeer p;

	(void)state;
	/* It only proves the server. */
	quicrig_init_mode(&bare, RK_TLS_SERVER_ONLY);
	bare.judge_server.ident = net.rig.client_ident;
	quicpeer_init(&p, &net, bare.client);
	quicpeer_start(&p);
	assert_refused(&p, 0x174, RK_ETLS);
	assert_string_equal(
	    net.conns[0].why.text, "the peer showed no certificate");
	quicpeer_free(&p);
	quicrig_fini(&bare);
}

static void
a_server_of_another_ca(void **state)
{
	struct stranger s;
	struct quicnet_conn c;

	(void)state;
	open_stranger(&s, true);
	net.ctx = s.ctx;
	quicnet_dial(&net, NULL, &net.at, &c);
	quicnet_await(&net, &c.closed, 1);
	assert_int_equal(c.opened, 0);
	assert_int_equal(c.why.code, RK_ECERT);
	assert_string_equal(c.why.step, "tls");
	assert_line(&c.why);
	/* And the server learns that it was its certificate. */
	quicnet_await(&net, &net.conns[0].closed, 1);
	assert_int_equal(net.conns[0].why.code, RK_ECERT);
	assert_line(&net.conns[0].why);
	quicnet_drain(&c);
	close_stranger(&s);
}

/* Proven, but not welcome: after the handshake, with a code of ours. */
static void
a_client_that_is_not_on_the_list(void **state)
{
	struct quicnet_conn c;
	struct quicpeer p;

	(void)state;
	net.refuses = true;
	quicpeer_init(&p, &net, NULL);
	quicpeer_start(&p);
	quicnet_await(&net, &p.dead, 1);
	assert_true(p.by_peer && p.application);
	assert_int_equal(p.closed, 1);
	quicpeer_free(&p);
	quicnet_dial(&net, NULL, &net.at, &c);
	quicnet_await(&net, &c.closed, 1);
	assert_int_equal(c.why.code, RK_EDENIED);
	assert_string_equal(c.why.text, "the peer does not trust this key");
	assert_int_equal(net.conns[1].why.code, RK_EDENIED);
	quicnet_drain(&c);
}

/* "Too busy" is said before anything was spent on the peer. */
static void
a_client_too_many(void **state)
{
	struct quicnet_conn c;
	struct quicpeer p;

	(void)state;
	net.drops = true;
	quicpeer_init(&p, &net, NULL);
	quicpeer_start(&p);
	quicnet_await(&net, &p.dead, 1);
	assert_true(p.by_peer && !p.application);
	assert_int_equal(p.closed, 2); /* CONNECTION_REFUSED */
	quicpeer_free(&p);
	quicnet_dial(&net, NULL, &net.at, &c);
	quicnet_await(&net, &c.closed, 1);
	assert_int_equal(c.why.code, RK_ECONNECT);
	quicnet_drain(&c);
	assert_int_equal(quicnet_stats(&net).half_open, 0);
}

/* A server that takes nobody any more says so, and keeps who is there. */
static void
a_client_too_late(void **state)
{
	struct quicnet_conn old, c, *s;

	(void)state;
	net.echoes = true;
	(void)quicnet_connect(&net, NULL, &old);
	quic_end_deafen(net.server);
	quicnet_dial(&net, NULL, &net.at, &c);
	quicnet_await(&net, &c.closed, 1);
	assert_int_equal(c.why.code, RK_ECONNECT);
	quicnet_send(&old, 251);
	quicnet_await(&net, &old.got, 251);
	s = &net.conns[0];
	quicnet_drain(&c);
	quicnet_drain(&old);
	quicnet_await(&net, &s->closed, 1);
	assert_int_equal(net.hellos, 1);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(a_client_of_another_ca),
		ROW(a_client_without_a_certificate),
		ROW(a_server_of_another_ca),
		ROW(a_client_that_is_not_on_the_list),
		ROW(a_client_too_many),
		ROW(a_client_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
