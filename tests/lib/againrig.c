/* A client that has one connection after another, and what it was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/client_int.h"

#include "againrig.h"

static void
on_connected(struct rk_client *c, void *arg)
{
	struct againrig *r = arg;

	r->connected++;
	assert_non_null(rk_client_peer(c));
	assert_int_equal(r->closed, 0);
}

static void
on_lost(struct rk_client *c, const struct rk_again_loss *loss, void *arg)
{
	struct againrig *r = arg;
	struct again_loss *l = &r->losses[r->lost++];

	assert_true(r->lost < AGAIN_LOSSES);
	assert_int_equal(r->closed, 0);
	assert_null(rk_client_peer(c));
	*l = (struct again_loss){
		.code = loss->why->code,
		.at = rk_loop_now(c->loop),
		.next_ms = loss->next_ms,
		.rounds = loss->rounds,
		.was_open = loss->was_open,
	};
	(void)snprintf(l->url, sizeof(l->url), "%s", loss->url);
	assert_true(loss->why->text[0] != '\0');
	if (r->submit_when_lost) {
		r->submit_when_lost = false;
		(void)again_submit(r, "echo", false, "x", 1, &r->submitted);
	}
	if (r->shut_when_lost)
		rk_client_shutdown(c);
	if (r->free_when_lost)
		rk_client_free(c);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct againrig *r = arg;

	(void)c;
	r->closed++;
	r->why = *why;
	for (size_t i = 0; i < r->n_calls; i++)
		assert_int_equal(r->calls[i].n, 1);
}

void
again_init(struct againrig *r, bool secure, const char *const *urls)
{
	memset(r, 0, sizeof(*r));
	for (size_t i = 1; urls[i] != NULL; i++)
		r->urls[r->again.n_urls++] = urls[i];
	r->again.size = sizeof(r->again);
	r->again.first_ms = 2;
	r->again.max_ms = 40;
	r->again.urls = r->urls;
	r->again.lost = on_lost;
	r->conf = (struct rk_client_conf){
		.size = sizeof(r->conf),
		.url = urls[0],
		.ident = secure ? rpcworld.client : NULL,
		.session_key = rpcworld.keys[1],
		.session_peers = rpcworld.peers[1],
		.again = &r->again,
		.connected = on_connected,
		.closed = on_closed,
		.arg = r,
	};
}

void
again_init_rigs(
    struct againrig *r, const struct rpcrig *a, const struct rpcrig *b)
{
	const char *urls[] = { a->url, b == NULL ? NULL : b->url, NULL };

	again_init(r, rpc_is_secure(a->kind), urls);
}

void
again_start(struct againrig *r)
{
	struct rk_error err;

	r->client = rpcrig_client_with(&r->conf);
	if (rk_client_start(r->client, &err) != RK_OK)
		fail_msg("%s", err.text);
}

void
again_end(struct againrig *r)
{
	rk_client_free(r->client);
	assert_int_equal(r->closed, 1);
}

uint64_t
again_submit(struct againrig *r, const char *method, bool idempotent,
    const void *payload, size_t len, struct rpcanswer *a)
{
	const struct rk_request req = {
		.method = method,
		.payload = payload,
		.payload_len = len,
		.idempotent = idempotent,
	};
	uint64_t id;

	memset(a, 0, sizeof(*a));
	assert_int_equal(
	    rk_client_submit(r->client, &req, rpcrig_on_reply, a, &id), RK_OK);
	return id;
}

void
again_send(struct againrig *r, const char *method, size_t len)
{
	const struct rk_request req = {
		.method = method,
		.payload = rpcrig_bytes,
		.payload_len = len,
	};

	assert_int_equal(rk_client_send(r->client, &req), RK_OK);
}

void
again_turn(struct againrig *r, const unsigned *n, unsigned want)
{
	rpcrig_turn(r->client, n, want);
}

void
again_turn_rig(
    struct againrig *r, struct rpcrig *rig, const unsigned *n, unsigned want)
{
	rpcrig_turn_for(r->client, rig, n, want);
}

int
again_dead(enum rpc_kind kind, char url[128])
{
	static unsigned number;
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int type =
	    kind == RPC_QUIC || kind == RPC_SSH_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd;

	if (kind == RPC_UNIX) {
		(void)snprintf(
		    url, 128, "unix://%.90s/dead%u", rpcworld.dir, number++);
		return -1;
	}
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(url, 128, "%s://127.0.0.1:%u", rpc_kind_name(kind),
	    (unsigned)ntohs(in.sin_port));
	/* Bound, and nobody listens; a UDP socket would swallow what comes if
	 * it were not for one peer alone. */
	in.sin_port = htons(1);
	if (type == SOCK_DGRAM)
		assert_int_equal(
		    connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}
