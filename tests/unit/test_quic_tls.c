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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_handshake_with_both_certificates, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
