/* RPC over sessions: what carries them, and whom both ends believe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rpckit/ask.h>
#include <rpckit/client.h>
#include <rpckit/session.h>

#include "certs.h"
#include "rpcrig.h"

static void
check_calls(struct rk_client *c, const char *transport)
{
	static const size_t sizes[] = { 0, 1, 65536, 1000000 };
	struct rpcanswer a;

	for (size_t i = 0; i < 4; i++) {
		rpcrig_call(c, "echo", rpcrig_bytes, sizes[i], &a);
		assert_int_equal(a.len, sizes[i]);
		assert_true(a.same);
	}
	assert_string_equal(rk_client_peer(c)->transport, transport);
	assert_true(rk_client_peer(c)->proven);
	rpcrig_call(c, "who", NULL, 0, &a);
	assert_int_equal(strncmp(a.text, transport, strlen(transport)), 0);
	assert_non_null(strstr(a.text, " proven fresh - SHA256:"));
}

/* Served at these descriptors; called by those. */
static void
try_fds(const char *served, const char *called)
{
	struct rk_client_conf conf;
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;

	rpcrig_init(&r, RPC_SSH, 0);
	(void)snprintf(r.want_url, sizeof(r.want_url), "%s", served);
	rpcrig_start(&r);
	assert_string_equal(r.url, served);
	rpcrig_client_conf(&r, &conf);
	conf.url = called;
	c = rpcrig_dial(&conf, RK_OK, NULL);
	check_calls(c, "fd");
	assert_int_equal(rk_client_finish(c, 10000, &err), RK_OK);
	/* They were there once. */
	assert_int_equal(rk_client_connect(c, &err), RK_ECONNECT);
	rk_client_free(c);
	rpcrig_await_conns(&r, 0);
	rpcrig_end(&r);
}

static void
over_a_socket_pair(void **state)
{
	char url[2][32];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		(void)snprintf(url[i], sizeof(url[i]), "fd:%d", fds[i]);
	try_fds(url[0], url[1]);
}

/* A stream over them, whether they keep their order or not. */
static void
over_datagrams(void **state)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_DGRAM };
	char url[2][32];
	int fds[2];

	(void)state;
	for (int t = 0; t < 2; t++) {
		assert_int_equal(socketpair(AF_UNIX, types[t], 0, fds), 0);
		for (int i = 0; i < 2; i++)
			(void)snprintf(url[i], sizeof(url[i]), "fd:%d", fds[i]);
		try_fds(url[0], url[1]);
	}
}

/* Bound to a port of the kernel's choice. */
static int
bound_udp(struct sockaddr_in *in)
{
	socklen_t len = sizeof(*in);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*in = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)in, &len), 0);
	return fd;
}

/* Each connected to the other, so that there is one peer. */
static void
over_connected_udp(void **state)
{
	struct sockaddr_in at[2];
	char url[2][32];
	int fds[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		fds[i] = bound_udp(&at[i]);
		(void)snprintf(url[i], sizeof(url[i]), "fd:%d", fds[i]);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(connect(fds[i], (struct sockaddr *)&at[1 - i],
		                     sizeof(at[0])),
		    0);
	try_fds(url[0], url[1]);
}

/* One that is bound and not connected is a port for all, as if it had been
 * opened by its address. */
static void
at_a_bound_port(void **state)
{
	struct sockaddr_in at;
	struct rk_client *c[3];
	struct rpcrig r;
	char url[64];
	int fd;

	(void)state;
	for (unsigned threads = 0; threads <= 2; threads += 2) {
		rpcrig_init(&r, RPC_SSH_UDP, threads);
		fd = bound_udp(&at);
		(void)snprintf(r.want_url, sizeof(r.want_url), "fd:%d", fd);
		rpcrig_start(&r);
		(void)snprintf(url, sizeof(url), "ssh+udp://127.0.0.1:%u",
		    (unsigned)ntohs(at.sin_port));
		assert_string_equal(r.url, url);
		for (size_t i = 0; i < 3; i++) {
			c[i] = rpcrig_client(&r);
			check_calls(c[i], "ssh+udp");
		}
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		for (size_t i = 0; i < 3; i++)
			rk_client_free(c[i]);
		rpcrig_await_conns(&r, 0); /* and it stays */
		rpcrig_check_alive(&r);
		rpcrig_end(&r);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
}

/* What cannot be served there is left to who gave it. */
static void
no_ports(void **state)
{
	struct sockaddr_in at;
	struct rk_error err;
	struct rpcrig r;
	char url[128], name[32];
	int fd[4];

	(void)state;
	rpcrig_init(&r, RPC_SSH_UDP, 0);
	assert_int_equal(rk_server_new(&r.conf, &r.server, &err), RK_OK);
	fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
	fd[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
	fd[2] = bound_udp(&at);
	fd[3] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[2], (struct sockaddr *)&at, sizeof(at)), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(
		    rk_server_listen_fd(r.server, "ssh+udp", fd[i], url, &err),
		    RK_EINVAL);
		(void)snprintf(name, sizeof(name), "fd:%d", fd[i]);
		if (i < 2)
			assert_int_equal(
			    rk_server_listen(r.server, name, url, &err),
			    RK_EUNSUPPORTED);
		assert_int_equal(close(fd[i]), 0);
	}
	rpcrig_fini(&r);
}

static void
over_pipes(void **state)
{
	char url[2][32];
	int up[2];
	int down[2];

	(void)state;
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	(void)snprintf(url[0], sizeof(url[0]), "fd:%d,%d", up[0], down[1]);
	(void)snprintf(url[1], sizeof(url[1]), "fd:%d,%d", down[0], up[1]);
	try_fds(url[0], url[1]);
}

static void
over_a_local_socket(void **state)
{
	struct rpcrig r;
	struct rk_client *c;

	(void)state;
	rpcrig_init(&r, RPC_SSH, 0);
	(void)snprintf(
	    r.want_url, sizeof(r.want_url), "ssh+unix://%s/sess", rpcworld.dir);
	rpcrig_start(&r);
	assert_string_equal(r.url, r.want_url);
	c = rpcrig_client(&r);
	check_calls(c, "ssh+unix");
	assert_string_equal(rk_client_peer(c)->remote, r.url);
	rk_client_free(c);
	rpcrig_end(&r);
}

/* Descriptors that are none, or nobody's to serve at. */
static void
other_descriptors(void **state)
{
	struct rk_client_conf conf;
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;
	char url[32];
	int fd;

	(void)state;
	rpcrig_init(&r, RPC_SSH, 0);
	rpcrig_start(&r);
	rpcrig_client_conf(&r, &conf);
	conf.url = "fd:1000";
	c = rpcrig_dial(&conf, RK_EUNSUPPORTED, "descriptor 1000 is not open");
	rk_client_free(c);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	(void)snprintf(url, sizeof(url), "fd:%d", fd);
	conf.url = url;
	c = rpcrig_dial(&conf, RK_EUNSUPPORTED, "no connected socket");
	rk_client_free(c);
	(void)close(fd);
	/* One that listens is nobody's connection. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(listen(fd, 1), 0);
	(void)snprintf(url, sizeof(url), "fd:%d", fd);
	c = rpcrig_dial(&conf, RK_EUNSUPPORTED, "no connected socket");
	rk_client_free(c);
	(void)close(fd);
	/* Nobody to be, nobody to believe. */
	rpcrig_client_conf(&r, &conf);
	conf.session_key = NULL;
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "a session needs a key"));
	rpcrig_client_conf(&r, &conf);
	conf.session_peers = NULL;
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "somebody to believe"));
	rpcrig_end(&r);
}

/* ---- whom to believe ---- */

static void
strangers(void **state)
{
	struct rk_client_conf conf;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN];
	char text[160];
	struct rk_key *stranger;
	struct rpcrig r;
	struct rk_client *c;

	(void)state;
	assert_int_equal(rk_key_generate(&stranger), RK_OK);
	rpclog_start();
	rpcrig_init(&r, RPC_SSH, 0);
	rpcrig_start(&r);
	rpcrig_client_conf(&r, &conf);
	conf.session_key = stranger;
	c = rpcrig_dial(&conf, RK_EDENIED, "the peer refuses our key");
	rk_client_free(c);
	rk_key_public(stranger, pub);
	rk_session_fp(pub, fp);
	(void)snprintf(text, sizeof(text),
	    " (ssh-keygen -l: %s) is not among those that are believed", fp);
	rpclog_await(RK_LOG_WARN, text, 1);
	/* And the server, to a client that wants another. */
	rpcrig_client_conf(&r, &conf);
	conf.session_peers = rpcworld.peers[0];
	c = rpcrig_dial(&conf, RK_EUNKNOWNKEY, "not among those that are");
	rk_client_free(c);
	assert_int_equal(rpcrig_get(&r, &r.handled), 0);
	rpcrig_check_alive(&r);
	rpcrig_end(&r);
	rpclog_stop();
	rk_key_free(stranger);
}

/* Who has certificates is, over a session, the key of them. */
static void
keys_of_certificates(void **state)
{
	struct rk_ident *const idents[2] = { rpcworld.node, rpcworld.client };
	struct rk_sshkeys *peers[2];
	struct rk_client_conf conf;
	struct rk_cert_info info[2];
	struct rpcanswer a;
	struct rpcrig r;
	struct rk_client *c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_true(rk_ident_info(idents[i], &info[i]));
		assert_int_equal(rk_sshkeys_new(&peers[1 - i]), RK_OK);
		assert_int_equal(
		    rk_sshkeys_add(peers[1 - i], info[i].fp, NULL), RK_OK);
	}
	rpcrig_init(&r, RPC_SSH, 0);
	r.conf.session_key = NULL;
	r.conf.ident = idents[0];
	r.conf.session_peers = peers[0];
	rpcrig_start(&r);
	rpcrig_client_conf(&r, &conf);
	conf.session_key = NULL;
	conf.ident = idents[1];
	conf.session_peers = peers[1];
	c = rpcrig_dial(&conf, RK_OK, NULL);
	assert_string_equal(rk_client_peer(c)->cert.fp, info[0].fp);
	rpcrig_call(c, "who", NULL, 0, &a);
	assert_non_null(strstr(a.text, info[1].fp));
	rk_client_free(c);
	rpcrig_end(&r);
	for (int i = 0; i < 2; i++)
		rk_sshkeys_free(peers[i]);
}

/* A server that knows whom its list has; the list is a file of this mode. */
static void
start_listed(struct rpcrig *r, const char *file, const char *text, mode_t mode,
    enum rk_trust_mode how)
{
	struct rk_error err;
	char path[512];

	certs_write(rpcworld.dir, file, text, 0600);
	rpcworld_path(path, file);
	assert_int_equal(chmod(path, mode), 0);
	rpcrig_init(r, RPC_SSH, 0);
	if (rk_trust_new(path, how, &r->conf.trust, &err) != RK_OK)
		fail_msg("%s", err.text);
}

static void
end_listed(struct rpcrig *r)
{
	rpcrig_end(r);
	rk_trust_free(r->conf.trust);
}

static void
client_line(char out[256])
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char id[RK_KEY_ID_LEN];

	rk_key_public(rpcworld.keys[1], pub);
	rk_key_id(pub, id);
	(void)snprintf(out, 256, "127.0.0.1 %s -\n", id);
}

/* Nobody vouches for it: an open list takes it not; one that has it does. */
static void
lists_count(void **state)
{
	struct rk_client_conf conf;
	enum rk_trust_state is;
	struct rpcrig r;
	struct rk_client *c;
	char line[256];
	size_t n;

	(void)state;
	start_listed(&r, "sess_open", "", 0600, RK_TRUST_FILE);
	r.conf.session_peers = NULL;
	rpcrig_start(&r);
	rpcrig_client_conf(&r, &conf);
	c = rpcrig_dial(&conf, RK_EDENIED, "refuses our key");
	rk_client_free(c);
	end_listed(&r);
	/* Vouched for: recorded, as one with a certificate. */
	start_listed(&r, "sess_open", "", 0600, RK_TRUST_FILE);
	rpcrig_start(&r);
	rpcrig_check_alive(&r);
	assert_int_equal(rk_trust_inspect(r.conf.trust, &is, &n, NULL), RK_OK);
	assert_int_equal(n, 1);
	end_listed(&r);
	/* A line of it is enough, without anybody who vouches. */
	client_line(line);
	start_listed(&r, "sess_lock", line, 0400, RK_TRUST_FILE);
	r.conf.session_peers = NULL;
	rpcrig_start(&r);
	rpcrig_check_alive(&r);
	end_listed(&r);
}

struct connecting {
	unsigned done;
	enum rk_err code;
};

static void
on_connected(struct rk_client *c, void *arg)
{
	struct connecting *now = arg;

	(void)c;
	now->done++;
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct connecting *now = arg;

	(void)c;
	now->code = why->code;
	now->done++;
}

/* Decide about the one that waits, as soon as it does. */
static void
decide(struct rpcrig *r, struct rk_client *c, enum rk_ask_verb verb)
{
	const uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	struct rk_ask_order order = { .size = sizeof(order), .verb = verb };
	struct rk_error err = { 0 };
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN];

	rk_key_public(rpcworld.keys[1], pub);
	rk_fp_of_key(pub, fp);
	order.key = fp;
	while (rk_trust_order(r->conf.trust, &order, NULL, &err) == RK_ENOENT) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_client_process(c), RK_OK);
	}
	if (err.code != RK_OK)
		fail_msg("%s", err.text);
}

/* A person decides, while the client waits. */
static void
waits_for_a_person(void **state)
{
	static const enum rk_ask_verb verbs[] = { RK_ASK_APPROVE_ONCE,
		RK_ASK_APPROVE };
	struct rk_client_conf conf;
	struct rpcrig r;
	struct rk_client *c;

	(void)state;
	start_listed(&r, "sess_ask", "", 0600, RK_TRUST_ASK);
	r.conf.session_peers = NULL;
	rpcrig_start(&r);
	rpcrig_client_conf(&r, &conf);
	conf.connected = on_connected;
	conf.closed = on_closed;
	for (int i = 0; i < 2; i++) {
		struct connecting now = { 0 };
		struct rpcanswer a = { 0 };

		conf.arg = &now;
		c = rpcrig_client_with(&conf);
		assert_int_equal(rk_client_start(c, NULL), RK_OK);
		(void)rpcrig_submit(c, "echo", "x", 1, &a);
		decide(&r, c, verbs[i]);
		rpcrig_turn(c, &a.n, 1);
		assert_int_equal(a.code, RK_OK);
		assert_int_equal(now.done, 1);
		rk_client_free(c);
	}
	rpcrig_check_alive(&r); /* it has a line now */
	end_listed(&r);
}

/* ---- a pre-shared key besides ---- */

static struct rk_psks *
psk(uint8_t first)
{
	uint8_t key[RK_PSK_LEN] = { first };
	struct rk_psks *p;

	assert_int_equal(rk_psks_new(&p), RK_OK);
	assert_int_equal(rk_psks_add(p, key, "lab", NULL), RK_OK);
	return p;
}

#define SOON 300 /* ms, where nothing will ever come */

/* At a UDP port there is nobody for who has none, or another. */
static void
pre_shared_keys(void **state)
{
	const enum rpc_kind kind = *(const enum rpc_kind *)*state;
	struct rk_client_conf conf;
	struct rpcrig r;
	struct rk_client *c;

	rpcrig_init(&r, kind, 0);
	r.conf.psks = psk(1);
	rpcrig_start(&r);
	rpcrig_client_conf(&r, &conf);
	conf.psks = psk(1);
	c = rpcrig_dial(&conf, RK_OK, NULL);
	check_calls(c, rpc_kind_name(kind));
	assert_string_equal(rk_client_peer(c)->psk, "lab");
	rk_client_free(c);
	rk_psks_free(conf.psks);
	conf.psks = psk(2);
	if (kind == RPC_SSH_UDP)
		conf.timeouts.connect = SOON;
	c = kind == RPC_SSH_UDP
	        ? rpcrig_dial(&conf, RK_ETIMEOUT, "has not pre-shared key lab")
	        : rpcrig_dial(&conf, RK_EPSK, "it has none, or another");
	rk_client_free(c);
	rk_psks_free(conf.psks);
	conf.psks = NULL;
	c = kind == RPC_SSH_UDP
	        ? rpcrig_dial(&conf, RK_ETIMEOUT, "may want a pre-shared key")
	        : rpcrig_dial(&conf, RK_ECLOSED, NULL);
	rk_client_free(c);
	rk_psks_free(r.conf.psks);
	rpcrig_end(&r);
}

int
main(void)
{
	static enum rpc_kind bytes = RPC_SSH;
	static enum rpc_kind datagrams = RPC_SSH_UDP;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_a_socket_pair),
		cmocka_unit_test(over_connected_udp),
		cmocka_unit_test(at_a_bound_port),
		cmocka_unit_test(no_ports),
		cmocka_unit_test(over_pipes),
		cmocka_unit_test(over_datagrams),
		cmocka_unit_test(over_a_local_socket),
		cmocka_unit_test(other_descriptors),
		cmocka_unit_test(strangers),
		cmocka_unit_test(keys_of_certificates),
		cmocka_unit_test(lists_count),
		cmocka_unit_test(waits_for_a_person),
		cmocka_unit_test_prestate(pre_shared_keys, &bytes),
		cmocka_unit_test_prestate(pre_shared_keys, &datagrams),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
