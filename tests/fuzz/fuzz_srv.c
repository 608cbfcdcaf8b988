/* Answers of the DNS: what is read from them is within bounds, and a host. */
#include "base/error.h"
#include "net/srv.h"

#include "must.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t
draw(uint32_t below, void *arg)
{
	size_t *n = arg;

	must(below > 0);
	return (uint32_t)((*n)++ * 7919 % below);
}

static void
check_hosts(const struct srv *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		must(list[i].port != 0);
		must(memchr(list[i].host, '\0', SRV_HOST_LEN) != NULL);
		must(list[i].host[0] != '\0');
		must(strpbrk(list[i].host, " \n\\/:[]@") == NULL);
		must(i == 0 || list[i - 1].priority <= list[i].priority);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_error err = { 0 };
	struct srv list[SRV_MAX];
	uint64_t sum = 0;
	size_t draws = 0;
	size_t n;
	enum rk_err r = srv_parse(data, size, list, SRV_MAX, &n, &err);

	must(r == RK_OK || r == RK_EPROTO || r == RK_ERESOLVE);
	must((r == RK_OK) == (n > 0) && n <= SRV_MAX);
	if (r != RK_OK) {
		must(err.code == r && err.text[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		sum += list[i].port;
	srv_order(list, n, draw, &draws);
	check_hosts(list, n);
	for (size_t i = 0; i < n; i++)
		sum -= list[i].port;
	must(sum == 0); /* none is lost, none is there twice */
	return 0;
}
