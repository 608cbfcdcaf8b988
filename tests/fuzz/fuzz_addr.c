/* URLs: what is accepted resolves without asking, and its text means itself. */
#include "base/error.h"
#include "net/addr.h"

#include "must.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_refused(
    const struct addr_url *url, const struct rk_error *err, enum rk_err r)
{
	must(r == RK_EINVAL || r == RK_EUNSUPPORTED);
	must(err->code == r && err->text[0] != '\0');
	must(strpbrk(err->text, "\n\r\x1b\x7f") == NULL);
	must(url->host[0] == '\0' && url->path[0] == '\0');
}

/* Names are not asked for here; numbers must survive a round trip. */
static void
check_numeric(const struct addr_url *url)
{
	struct addr_url again;
	struct addr a[2];
	char text[ADDR_TEXT_LEN];
	size_t n;

	if (strspn(url->host, "0123456789.") != strlen(url->host) &&
	    strchr(url->host, ':') == NULL)
		return;
	if (addr_resolve(url, true, a, 2, &n, NULL) != RK_OK) {
		must(strchr(url->host, '%') != NULL);
		return;
	}
	must(n == 1);
	addr_format(&a[0], url->scheme, text);
	must(addr_parse(text, &again, NULL) == RK_OK);
	must(again.scheme == url->scheme && again.port == url->port);
	must(addr_resolve(&again, true, &a[1], 1, &n, NULL) == RK_OK);
	/* A mapped IPv4 address is written, and then is, an IPv4 one. */
	must(addr_prefix(&a[0]) == addr_prefix(&a[1]));
	must(addr_is_loopback(&a[0]) == addr_is_loopback(&a[1]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_error err = { 0 };
	struct addr_url url;
	char *text = malloc(size + 1);
	enum rk_err r;

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	r = addr_parse(text, &url, &err);
	if (r != RK_OK) {
		check_refused(&url, &err, r);
	} else if (url.scheme == ADDR_UNIX) {
		must(url.path[0] == '/' && url.host[0] == '\0');
	} else {
		must(strlen(url.host) < sizeof(url.host));
		must(strpbrk(url.host, "[]/ @\n") == NULL);
		check_numeric(&url);
	}
	free(text);
	return 0;
}
