/* Calls in flight, by the hundred, of which every answer is looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

#include "base/str.h"

#define SIZE_MAX_BYTES 2048
#define CALLS_MAX 100000
#define ROUNDS_MAX 100

/*
 * manycalls URL CERTDIR|- NAME METHOD CALLS ROUNDS: the method must answer with
 * what it was sent.  A round is a connection on which all calls are submitted
 * at once.  Prints how many answers were right, how many messages came that
 * answered nothing, and how many connections resumed a TLS session.
 */
struct many {
	struct rk_client *client;
	struct rk_loop *loop;
	const char *method;
	uint64_t calls;
	uint64_t rounds; /* still to come */
	uint64_t waiting;
	uint64_t good;
	uint64_t pushes;
	uint64_t resumed;
	enum rk_err result;
	struct rk_error err;
	struct one *all;
};

struct one {
	struct many *many;
	size_t number;
};

/* The argument of a call: so long and so made that no two are alike. */
static size_t
argument(size_t number, unsigned char out[SIZE_MAX_BYTES])
{
	size_t len = 8 + number % (SIZE_MAX_BYTES - 8);

	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)(number >> (8 * (i % 4)) ^ i / 4);
	return len;
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct one *one = arg;
	struct many *m = one->many;
	unsigned char want[SIZE_MAX_BYTES];
	size_t len = argument(one->number, want);

	m->waiting--;
	if (reply->code == RK_OK && reply->payload.len == len &&
	    memcmp(reply->payload.ptr, want, len) == 0)
		m->good++;
	else if (m->result == RK_OK)
		m->result = reply->code != RK_OK ? reply->code : RK_EFORMAT;
	if (m->waiting == 0)
		rk_client_shutdown(c);
}

static void
on_connected(struct rk_client *c, void *arg)
{
	struct many *m = arg;
	unsigned char bytes[SIZE_MAX_BYTES];
	struct rk_request req = { .method = m->method, .payload = bytes };

	m->resumed += rk_client_peer(c)->resumed;
	for (size_t i = 0; i < m->calls && m->result == RK_OK; i++) {
		m->all[i] = (struct one){ .many = m, .number = i };
		req.payload_len = argument(i, bytes);
		m->result =
		    rk_client_submit(c, &req, on_reply, &m->all[i], NULL);
		if (m->result == RK_OK)
			m->waiting++;
	}
	if (m->waiting == 0)
		rk_client_shutdown(c);
}

static void
on_pushed(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct many *m = arg;

	(void)c;
	(void)hdr;
	(void)payload;
	m->pushes++;
}

static void
next_round(void *arg)
{
	struct many *m = arg;

	m->rounds--;
	m->result = rk_client_start(m->client, &m->err);
	if (m->result != RK_OK)
		rk_loop_stop(m->loop);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct many *m = arg;

	(void)c;
	if (why->code != RK_ECANCELED) { /* not our own shutdown */
		m->result = why->code;
		m->err = *why;
	}
	if (m->result != RK_OK || m->rounds == 0 ||
	    rk_loop_post(m->loop, next_round, m) != RK_OK)
		rk_loop_stop(m->loop);
}

static enum rk_err
run(struct many *m, const char *url, const char *dir, const char *name)
{
	struct rk_client_conf conf = {
		.size = sizeof(conf),
		.url = url,
		.connected = on_connected,
		.closed = on_closed,
		.pushed = on_pushed,
		.max_queue = (size_t)CALLS_MAX * SIZE_MAX_BYTES,
		.arg = m,
	};
	struct rk_ident *ident = NULL;
	enum rk_err r = RK_OK;

	if (strcmp(dir, "-") != 0)
		r = rk_ident_load_dir(dir, name, NULL, NULL, &ident, &m->err);
	if (r != RK_OK || (r = rk_loop_new(&m->loop)) != RK_OK)
		goto out;
	conf.loop = m->loop;
	conf.ident = ident;
	if ((r = rk_client_new(&conf, &m->client, &m->err)) != RK_OK)
		goto out;
	next_round(m);
	if (m->result != RK_OK || (r = rk_loop_run(m->loop)) == RK_OK)
		r = m->result;
out:
	rk_client_free(m->client);
	rk_ident_free(ident);
	rk_loop_free(m->loop);
	return r;
}

int
main(int argc, char **argv)
{
	struct many m = { .result = RK_OK };
	enum rk_err r = RK_EINVAL;

	if (argc != 7 ||
	    str_parse_u64(argv[5], 1, CALLS_MAX, &m.calls) != RK_OK ||
	    str_parse_u64(argv[6], 1, ROUNDS_MAX, &m.rounds) != RK_OK) {
		(void)fprintf(stderr, "usage: manycalls URL CERTDIR|- NAME "
		                      "METHOD CALLS ROUNDS\n");
		return rk_err_exit(r);
	}
	m.method = argv[4];
	m.all = calloc((size_t)m.calls, sizeof(*m.all));
	if (m.all == NULL)
		return rk_err_exit(RK_ENOMEM);
	r = run(&m, argv[1], argv[2], argv[3]);
	free(m.all);
	(void)printf("good %llu pushes %llu resumed %llu\n",
	    (unsigned long long)m.good, (unsigned long long)m.pushes,
	    (unsigned long long)m.resumed);
	if (r != RK_OK)
		(void)fprintf(stderr, "manycalls: %s\n",
		    m.err.code == r ? m.err.text : rk_err_text(r));
	return rk_err_exit(r);
}
