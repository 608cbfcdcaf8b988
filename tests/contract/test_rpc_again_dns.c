/* A client of a name: SRV records from a server of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/client_int.h"

#include "againrig.h"
#include "dnsbox.h"

struct world {
	struct againrig r;
	struct dnsbox dns;
	char url[128];
	const char *urls[2];
};

static void
world_init(struct world *w, enum rpc_kind kind)
{
	memset(w, 0, sizeof(*w));
	dns_start(&w->dns);
	(void)snprintf(w->url, sizeof(w->url), "%s+srv://chat.example.org",
	    rpc_kind_name(kind));
	w->urls[0] = w->url;
	again_init(&w->r, rpc_is_secure(kind), w->urls);
}

static void
world_make(struct world *w)
{
	w->r.client = rpcrig_client_with(&w->r.conf);
	w->r.client->targets.dns = &w->dns.addr;
	assert_int_equal(dns_asked(&w->dns), 0);
}

static void
world_fini(struct world *w)
{
	again_end(&w->r);
	dns_stop(&w->dns);
}

static struct dns_srv
record(uint16_t priority, const char *url)
{
	return (struct dns_srv){ .priority = priority,
		.port = (uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10),
		.host = "localhost" };
}

/* At once: nobody runs the client meanwhile. */
static void
end_server(struct rpcrig *rig)
{
	rpcrig_stop(rig, 0);
	rpcrig_await_stopped(rig);
	rpcrig_fini(rig);
}

static void
check_echo(struct world *w, struct rpcrig *rig)
{
	struct rpcanswer a;
	unsigned n = rpcrig_get(rig, &rig->handled);

	rpcrig_call(w->r.client, "echo", "x", 1, &a);
	assert_int_equal(rpcrig_get(rig, &rig->handled), n + 1);
}

/* The first that is there, in the DNS's order; then what it says by then. */
static void
follows_the_dns(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig one, two;
	struct dns_srv list[2];
	struct world w;
	char dead[128];
	int fd;

	rpcrig_begin(&one, run);
	rpcrig_begin(&two, run);
	fd = again_dead(run->kind, dead);
	world_init(&w, run->kind);
	list[0] = record(20, one.url);
	list[1] = record(10, dead);
	dns_set(&w.dns, 0, list, 2);
	world_make(&w);
	assert_int_equal(rk_client_connect(w.r.client, NULL), RK_OK);
	check_echo(&w, &one);
	assert_int_equal(dns_asked(&w.dns), 1);
	dns_check_last(&w.dns,
	    run->kind == RPC_SSH       ? "_rpckit-ssh._tcp.chat.example.org"
	    : run->kind == RPC_SSH_UDP ? "_rpckit-ssh._udp.chat.example.org"
	    : run->kind == RPC_QUIC    ? "_rpckit._udp.chat.example.org"
	                               : "_rpckit._tcp.chat.example.org");
	list[0] = record(0, two.url);
	dns_set(&w.dns, 0, list, 1);
	end_server(&one);
	check_echo(&w, &two);
	assert_in_range(dns_asked(&w.dns), 2, 2 + w.r.lost);
	/* Without an answer the last one counts. */
	dns_set(&w.dns, DNS_NXDOMAIN, NULL, 0);
	end_server(&two);
	again_turn(&w.r, &w.r.lost, w.r.lost + 3);
	assert_int_equal(w.r.losses[w.r.lost - 1].code, RK_ECONNECT);
	world_fini(&w);
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
}

/* The same where other addresses would do without any answer. */
static void
remembers_beside_others(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig rig;
	struct dns_srv list[1];
	struct rk_error err;
	struct world w;
	char dead[128];
	int fd;

	rpcrig_begin(&rig, run);
	fd = again_dead(run->kind, dead);
	world_init(&w, run->kind);
	w.r.urls[w.r.again.n_urls++] = dead;
	w.r.again.attempts = 1;
	list[0] = record(0, rig.url);
	dns_set(&w.dns, 0, list, 1);
	world_make(&w);
	for (int i = 0; i < 3; i++) {
		w.r.closed = 0;
		if (rk_client_connect(w.r.client, &err) != RK_OK)
			fail_msg("%d: %s", i, err.text);
		check_echo(&w, &rig);
		rk_client_shutdown(w.r.client);
		again_turn(&w.r, &w.r.closed, 1);
		dns_set(&w.dns, DNS_NXDOMAIN, NULL, 0);
	}
	world_fini(&w);
	rpcrig_end(&rig);
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
}

static void
waits_for_the_name(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig rig;
	struct dns_srv list[1];
	struct world w;

	rpcrig_begin(&rig, run);
	world_init(&w, run->kind);
	dns_set(&w.dns, DNS_NXDOMAIN, NULL, 0);
	world_make(&w);
	assert_int_equal(rk_client_start(w.r.client, NULL), RK_OK);
	again_turn(&w.r, &w.r.lost, 2);
	assert_int_equal(w.r.losses[0].code, RK_ERESOLVE);
	assert_string_equal(w.r.losses[0].url, w.url);
	list[0] = record(0, rig.url);
	dns_set(&w.dns, 0, list, 1);
	check_echo(&w, &rig);
	world_fini(&w);
	rpcrig_end(&rig);
}

/* Each address keeps its sessions, though the list is made anew. */
static void
resumes_where_it_was(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig one, two;
	struct dns_srv list[2];
	struct rpcanswer a;
	struct world w;

	rpcrig_begin(&one, run);
	rpcrig_begin(&two, run);
	world_init(&w, run->kind);
	world_make(&w);
	for (int i = 0; i < 6; i++) {
		struct rpcrig *rig = i % 2 == 0 ? &one : &two;

		list[0] = record(10, rig->url);
		list[1] = record(20, i % 2 == 0 ? two.url : one.url);
		dns_set(&w.dns, 0, list, 2);
		assert_int_equal(rk_client_connect(w.r.client, NULL), RK_OK);
		rpcrig_call(w.r.client, "who", NULL, 0, &a);
		assert_non_null(strstr(a.text, i < 2 ? "fresh" : "resumed"));
		rk_client_shutdown(w.r.client);
		again_turn(&w.r, &w.r.closed, 1);
		w.r.closed = 0;
	}
	w.r.closed = 1;
	world_fini(&w);
	rpcrig_end(&one);
	rpcrig_end(&two);
}

/* Without coming back all addresses are tried, once. */
static void
tries_each_once(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig rig;
	struct dns_srv list[3];
	struct rk_error err;
	struct world w;
	char dead[2][128];
	int fd[2];

	rpcrig_begin(&rig, run);
	for (int i = 0; i < 2; i++) {
		fd[i] = again_dead(run->kind, dead[i]);
		list[i] = record((uint16_t)i, dead[i]);
	}
	list[2] = record(9, rig.url);
	world_init(&w, run->kind);
	w.r.conf.again = NULL;
	dns_set(&w.dns, 0, list, 3);
	world_make(&w);
	if (rk_client_connect(w.r.client, &err) != RK_OK)
		fail_msg("%s", err.text);
	check_echo(&w, &rig);
	end_server(&rig);
	again_turn(&w.r, &w.r.closed, 1); /* and that was it */
	w.r.closed = 0;
	dns_set(&w.dns, 0, list, 2);
	assert_int_equal(rk_client_connect(w.r.client, &err), RK_ECONNECT);
	assert_int_equal(w.r.closed, 1);
	assert_int_equal(w.r.lost, 0);
	world_fini(&w);
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			assert_int_equal(close(fd[i]), 0);
}

static void
refuses_what_is_no_name(void **state)
{
	static const char *const bad[] = { "tcp+srv://name:1", "tcp+srv://",
		"tcp+srv://127.0.0.1", "tcp+srv://[::1]", "unix+srv://name",
		"foo+srv://name", "+srv://name", "tcp+srv://a b", "tcp+srv://*",
		"tcp+srv://name/x", "tcp+srv://.", "tcp://name+srv://x" };
	const struct rpcrun *run = *state;
	struct rk_client *c;
	struct rk_error err;
	struct againrig r;

	if (run->threads != 0)
		return;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *urls[] = { bad[i], NULL };

		again_init(&r, false, urls);
		if (rk_client_new(&r.conf, &c, &err) != RK_EINVAL)
			fail_msg("%s", bad[i]);
		assert_null(c);
		assert_true(err.text[0] != '\0');
	}
}

static void
refuses_what_makes_no_sense(void **state)
{
	const char *urls[] = { "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", NULL };
	struct rk_client *c = NULL;
	struct rk_error err;
	struct againrig r;

	(void)state;
	for (int i = 0; i < 7; i++) {
		again_init(&r, false, urls);
		if (i == 0)
			r.again.size = 0;
		if (i == 1)
			r.again.n_urls = RK_AGAIN_URLS_MAX + 1;
		if (i == 2)
			r.again.urls = NULL;
		if (i == 3)
			r.urls[0] = NULL;
		if (i == 4)
			r.urls[0] = "tls://127.0.0.1:1"; /* as whom? */
		if (i == 5)
			r.again.max_ms = UINT64_MAX;
		if (i == 6)
			r.urls[0] = "tls+srv://name.example";
		assert_int_equal(rk_client_new(&r.conf, &c, &err), RK_EINVAL);
		assert_null(c);
		assert_true(err.text[0] != '\0');
	}
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "dns", follows_the_dns, RPC_ALL & ~RPC_ONLY(RPC_UNIX) },
		{ "beside", remembers_beside_others,
		    RPC_ALL & ~RPC_ONLY(RPC_UNIX) },
		{ "name", waits_for_the_name, RPC_ALL & ~RPC_ONLY(RPC_UNIX) },
		{ "resumed", resumes_where_it_was, RPC_SECURE },
		{ "once", tries_each_once, RPC_ALL & ~RPC_ONLY(RPC_UNIX) },
		{ "no names", refuses_what_is_no_name, RPC_ONLY(RPC_TCP) },
		{ "nonsense", refuses_what_makes_no_sense, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "again, by names", cases, sizeof(cases) / sizeof(cases[0]));
}
