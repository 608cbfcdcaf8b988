/* Raw QUIC peers with another TLS than ours: what they offer, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/gnutls.h>
#include <string.h>

#include "quicpeer.h"

#define PAD_ID 0xfafa /* of nobody (RFC 8701) */
/* Two packets with room, as newer ngtcp2 sends it in pieces, mixed. */
#define PAD_LEN 1100

static struct quicnet net;

static int
set_up(void **state)
{
	(void)state;
	quicnet_open(&net);
	net.echoes = true;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	quicnet_close(&net);
	return 0;
}

static gnutls_session_t
session_of(const struct quicpeer *p)
{
	return quic_tls_native(p->tls);
}

static void
assert_served(struct quicpeer *p)
{
	uint8_t bytes[251];
	int64_t id;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	quicnet_await(&net, &p->confirmed, 1);
	assert_int_equal(quicpeer_open(p, false, &id), 0);
	quicpeer_say(p, id, bytes, sizeof(bytes), false);
	quicnet_await(&net, &p->got, sizeof(bytes));
}

static void
a_peer_without_our_cipher(void **state)
{
	struct quicpeer p;
	const struct quicnet_conn *s = &net.conns[0];

	(void)state;
	quicpeer_init(&p, &net, NULL);
	assert_int_equal(gnutls_priority_set_direct(session_of(&p),
	                     "NONE:+VERS-TLS1.3:+CTYPE-X509:+ECDHE-ECDSA:+AEAD:"
	                     "+AES-128-GCM:+GROUP-X25519:+SIGN-EDDSA-ED25519:"
	                     "%DISABLE_TLS13_COMPAT_MODE",
	                     NULL),
	    0);
	quicpeer_start(&p);
	quicnet_await(&net, &p.dead, 1);
	quicnet_await(&net, &s->closed, 1);
	assert_true(p.by_peer && !p.application);
	assert_int_equal(p.closed, 0x128);
	assert_int_equal(s->why.code, RK_ETLS);
	assert_non_null(strstr(s->why.text, "no cipher suite in common"));
	assert_null(strpbrk(s->why.text, "\r\n"));
	quicpeer_free(&p);
}

/* ---- a hello of two packets, as one with a large key share is ---- */

static int
on_pad_received(gnutls_session_t s, const unsigned char *p, size_t len)
{
	(void)s;
	(void)p;
	(void)len;
	return 0;
}

static int
on_pad_sent(gnutls_session_t s, gnutls_buffer_t out)
{
	static const uint8_t pad[PAD_LEN];

	(void)s;
	return gnutls_buffer_append_data(out, pad, sizeof(pad)) < 0
	           ? GNUTLS_E_MEMORY_ERROR
	           : (int)sizeof(pad);
}

/* Its first flight is kept: two packets. */
static void
start_large(struct quicpeer *p)
{
	quicpeer_init(p, &net, NULL);
	assert_int_equal(
	    gnutls_session_ext_register(session_of(p), "pad", PAD_ID,
	        GNUTLS_EXT_TLS, on_pad_received, on_pad_sent, NULL, NULL, NULL,
	        GNUTLS_EXT_FLAG_CLIENT_HELLO),
	    0);
	p->holds = true;
	quicpeer_start(p);
	p->holds = false;
	assert_int_equal(p->n_held, 2);
}

static void
a_hello_of_two_packets(void **state)
{
	struct quicpeer p;

	(void)state;
	start_large(&p);
	quicpeer_let_go(&p, 0);
	quicpeer_let_go(&p, 1);
	assert_served(&p);
	assert_int_equal(p.retries, 0);
	quicpeer_free(&p);
}

/* The second first: the server cannot keep it, and asks to begin again. */
static void
a_hello_in_the_wrong_order(void **state)
{
	struct quicpeer p;

	(void)state;
	start_large(&p);
	quicpeer_let_go(&p, 1);
	quicpeer_let_go(&p, 0);
	assert_served(&p);
	assert_int_equal(p.retries, 1);
	assert_int_equal(net.validated, 1);
	quicnet_pass(&net, 1000);
	assert_int_equal(quicnet_stats(&net).half_open, 0);
	assert_int_equal(quicnet_stats(&net).conns, 1);
	quicpeer_free(&p);
}

/* While nobody has decided about it yet, in both orders. */
static void
a_hello_that_waits(void **state)
{
	struct quicpeer p;

	(void)state;
	for (size_t first = 0; first < 2; first++) {
		start_large(&p);
		net.ignores = true;
		quicpeer_let_go(&p, first);
		quicpeer_let_go(&p, 1 - first);
		net.hellos = 0;
		quicnet_await(&net, &net.hellos, 1);
		assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
		net.ignores = false;
		quicnet_take_last(&net);
		assert_served(&p);
		quicpeer_free(&p);
	}
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(a_peer_without_our_cipher),
		ROW(a_hello_of_two_packets),
		ROW(a_hello_in_the_wrong_order),
		ROW(a_hello_that_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
