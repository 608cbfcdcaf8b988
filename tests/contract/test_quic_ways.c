/* Ways of QUIC packets: full sockets, bound addresses, other forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include <string.h>
#include <sys/socket.h>

#include "net/quic_int.h"
#include "net/quic_io_int.h"

#include <rpckit/secret.h>

#include "quicnet.h"
#include "udpend.h"

static struct quicnet net;
static struct quicnet_conn client;

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

/* ---- a socket that takes nothing for a while ---- */

static int
takes_nothing(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	(void)fd;
	(void)msgs;
	(void)n;
	(void)flags;
	errno = EAGAIN;
	return -1;
}

static void
turns(int n)
{
	while (n-- > 0)
		assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
}

/* Nobody is forgotten, whoever filled it. */
static void
all_go_on_when_the_socket_does(void **state)
{
	struct quicnet_conn *s[3];
	static struct quicnet_conn c[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		s[i] = quicnet_connect(&net, NULL, &c[i]);
	quicnet_pass(&net, 5000);
	net.server->io->send = takes_nothing;
	for (int i = 0; i < 3; i++) {
		quicnet_send(s[i], 251);
		turns(3);
	}
	net.server->io->send = sendmmsg;
	quicnet_pass(&net, 1000);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(c[i].got, 251);
		quicnet_drain(&c[i]);
	}
}

/* ---- addresses ---- */

/* The address that a socket is bound to is the one it sends from, whichever
 * the kernel would have picked. */
static void
a_bound_port_dials(void **state)
{
	struct quic_end_conf conf = { .loop = net.loop };
	struct quic_end *e;
	struct layer *top;
	struct rk_error err = { 0 };
	struct addr a;

	(void)state;
	udpend_resolve("tcp://127.0.0.2:0", &a);
	assert_int_equal(quic_io_bind(&a, false, &conf.fd, NULL, NULL), RK_OK);
	assert_int_equal(quic_end_new(&conf, &e, NULL), RK_OK);
	assert_int_equal(
	    quic_end_dial(e, net.rig.client, &net.at, &top), RK_OK);
	(void)top->ops->handshake(top, &err);
	quicnet_pass(&net, 1000);
	assert_int_equal(top->ops->handshake(top, &err), RK_OK);
	layer_free(top);
	quic_end_free(e);
}

/* An IPv4 address may come in IPv6's clothes. */
static void
mapped_addresses_are_dialed(void **state)
{
	struct addr a = { .len = sizeof(a.u.in6) };

	(void)state;
	if (!udpend_has_ipv6())
		skip();
	a.u.in6.sin6_family = AF_INET6;
	a.u.in6.sin6_port = net.at.u.in.sin_port;
	memset(&a.u.in6.sin6_addr.s6_addr[10], 0xff, 2);
	memcpy(&a.u.in6.sin6_addr.s6_addr[12], &net.at.u.in.sin_addr.s_addr, 4);
	quicnet_dial(&net, NULL, &a, &client);
	quicnet_pass(&net, 1000);
	assert_int_equal(client.opened, 1);
	quicnet_drain(&client);
}

/* ---- what breaks here is not always memory ---- */

/* The server's end of the only connection, on the inside. */
static struct quic_conn *
inside(void)
{
	struct quic_conn *c = TAILQ_FIRST(&net.server->conns);

	assert_non_null(c);
	return c;
}

static void
assert_broken(enum rk_err code, const char *text)
{
	const struct rk_error *why = &net.conns[0].why;

	quicnet_await(&net, &net.conns[0].closed, 1);
	assert_int_equal(why->code, code);
	if (strstr(why->text, text) == NULL)
		fail_msg("%s", why->text);
	quicnet_await(&net, &client.closed, 1);
	assert_non_null(strstr(client.why.text, "closed by the peer"));
	quicnet_drain(&client);
}

static void
ids_without_a_place(void **state)
{
	uint8_t id[QUIC_CID_LEN];

	(void)state;
	net.ignores = true;
	quicnet_dial(&net, NULL, &net.at, &client);
	quicnet_await(&net, &net.hellos, 1);
	quicnet_take_last(&net);
	do
		rk_random(id, sizeof(id));
	while (quic_conn_add_id(inside(), id, sizeof(id)) == RK_OK);
	assert_broken(RK_ELIMIT, "connection ids: limit reached");
}

static void
bytes_without_a_place(void **state)
{
	(void)state;
	(void)quicnet_connect(&net, NULL, &client);
	inside()->in.max = 100;
	quicnet_send(&client, 2510);
	assert_broken(RK_ETOOBIG, "received bytes: too large");
}

/* The rest of the callbacks are those that protect packets. */
static void
packets_without_protection(void **state)
{
	struct rk_error err = { 0 };

	(void)state;
	(void)quicnet_connect(&net, NULL, &client);
	assert_int_equal(
	    quic_explain_lib(inside(), NGTCP2_ERR_CALLBACK_FAILURE, &err),
	    RK_EFAIL);
	assert_string_equal(err.text, "QUIC: packets cannot be protected");
	assert_int_equal(
	    quic_explain_lib(inside(), NGTCP2_ERR_NOMEM, &err), RK_ENOMEM);
	quicnet_drain(&client);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(all_go_on_when_the_socket_does),
		ROW(a_bound_port_dials),
		ROW(mapped_addresses_are_dialed),
		ROW(ids_without_a_place),
		ROW(bytes_without_a_place),
		ROW(packets_without_protection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
