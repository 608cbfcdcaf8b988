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

#include "quicnet.h"

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

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(all_go_on_when_the_socket_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
