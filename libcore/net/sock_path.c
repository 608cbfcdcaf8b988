/* What the system has measured of a TCP connection's way: Linux's TCP_INFO. */
#include "net/sock_path.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

bool
sock_path(int fd, struct layer_path *out)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	*out = (struct layer_path){ 0 };
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return false;
	out->rtt_us = info.tcpi_rtt;
	out->has_retrans = true;
	out->retrans = info.tcpi_total_retrans;
	return true;
}
