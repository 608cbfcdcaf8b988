/* Knocking at a server's UDP port, and looking for its answer. */
#include "net/udp_knock.h"

#include "net/quic_io.h"

#include <errno.h>
#include <time.h>

#define LOOK_MAX 64 /* datagrams that are none of ours, at a time */

void
udp_knock_again(
    int fd, const uint8_t nonce[UDP_NONCE_LEN], const struct psk *psk)
{
	uint8_t out[UDP_KNOCK_LEN];
	const size_t len = udp_put_knock(out, nonce, psk, (int64_t)time(NULL));

	/* An answer to an earlier one fails it, and is told by looking. */
	for (int i = 0; i < 2; i++)
		if (send(fd, out, len, MSG_NOSIGNAL) > 0)
			return;
}

enum rk_err
udp_knock_connect(const struct addr *a, const uint8_t nonce[UDP_NONCE_LEN],
    const struct psk *psk, int *fd, struct rk_error *err)
{
	enum rk_err r = quic_io_connect(a, fd, err);

	if (r == RK_OK)
		udp_knock_again(*fd, nonce, psk);
	return r;
}

enum rk_err
udp_knock_look(int fd, const uint8_t nonce[UDP_NONCE_LEN], int *sys)
{
	uint8_t in[UDP_RETRY_LEN + 1];
	struct udp_msg m;
	ssize_t n;

	*sys = 0;
	for (int i = 0; i < LOOK_MAX; i++) {
		n = recv(fd, in, sizeof(in), MSG_PEEK);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return RK_EAGAIN;
		if (n < 0) {
			*sys = errno;
			return RK_ECONNECT;
		}
		(void)udp_parse(in, (size_t)n, &m);
		if (m.nonce != NULL &&
		    memcmp(m.nonce, nonce, UDP_NONCE_LEN) == 0) {
			if (m.kind == UDP_RETRY)
				return RK_OK;
			if (m.kind == UDP_BUSY)
				return RK_ELIMIT;
		}
		if (recv(fd, in, sizeof(in), 0) < 0 && errno != EAGAIN)
			break; /* the next look tells */
	}
	return RK_EAGAIN;
}
