/* A list of known servers in the scratch folder, for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "serverlist.h"

struct rk_peer
serverlist_peer(unsigned n, const char *email)
{
	uint8_t seed[RK_KEY_SEED_LEN] = { (uint8_t)n, (uint8_t)(n >> 8), 9 };
	struct rk_peer p = { .remote = "tls://10.1.4.2:8443", .proven = true };
	struct rk_key *key = NULL;

	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	rk_key_public(key, p.cert.pub);
	rk_fp_of_key(p.cert.pub, p.cert.fp);
	rk_key_free(key);
	(void)snprintf(p.cert.email, sizeof(p.cert.email), "%s", email);
	return p;
}

void
serverlist_line(char *dst, const char *host, unsigned n, const char *email,
    const char *rest)
{
	struct rk_peer p = serverlist_peer(n, email);
	char id[RK_KEY_ID_LEN];

	rk_key_id(p.cert.pub, id);
	(void)snprintf(dst, SERVERLIST_LINE_MAX, "%s %s:%s%s\n", host, id,
	    p.cert.email, rest);
}

enum rk_err
serverlist_put(const char *address, unsigned n, enum rk_servers_how how)
{
	struct rk_peer p = serverlist_peer(n, "a@x");
	struct rk_error err;

	return rk_servers_put(SERVERLIST_FILE, address, &p, how, &err);
}

enum rk_server_is
serverlist_look(const char *address, unsigned n)
{
	struct rk_peer p = serverlist_peer(n, n == 1 ? "a@x" : "b@x");
	struct rk_server_view v;
	struct rk_error err;

	assert_int_equal(
	    rk_servers_look(SERVERLIST_FILE, address, &p, &v, &err), RK_OK);
	return v.is;
}

static enum rk_err
add_one(const struct rk_known_server *line, void *arg)
{
	assert_int_not_equal(line->fp[0], '\0');
	++*(unsigned *)arg;
	return RK_OK;
}

unsigned
serverlist_count(const char *what)
{
	struct rk_error err;
	unsigned n = 0;

	assert_int_equal(
	    rk_servers_each(SERVERLIST_FILE, what, add_one, &n, &err), RK_OK);
	return n;
}
