/* What a server that requires a pre-shared key says to who does not prove it,
 * inside of what is below: not a byte.  (ssh+udp: test_udp_strangers.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/psk_hs.h"
#include "net/sess_hs.h"
#include "net/sess_int.h"

#include "rawpeer.h"
#include "rawtls.h"
#include "rpcrig.h"

#define OUTER_LEN 32
#define STALL_MS 200
#define MOST 1024

static struct rk_psks *
key(uint8_t first)
{
	const uint8_t bytes[RK_PSK_LEN] = { first };
	struct rk_psks *p;

	assert_int_equal(rk_psks_new(&p), RK_OK);
	assert_int_equal(rk_psks_add(p, bytes, "lab", NULL), RK_OK);
	return p;
}

/* ---- what is said first ---- */

enum opening {
	OPEN_NOTHING, /* and the server's patience ends */
	OPEN_BYTE,
	OPEN_CALL,    /* of the protocol above, as where no key is */
	OPEN_NO_KEY,  /* a first message without, where there is such */
	OPEN_OTHER,   /* of another key */
	OPEN_FORGED,  /* with the right id */
	OPEN_CUT,     /* the right one, but for its last byte */
	OPEN_CHANGED, /* and with another one */
	OPEN_RIGHT,
	OPENINGS
};

/* The server has to end it. */
static bool
waits(enum opening what)
{
	return what == OPEN_NOTHING || what == OPEN_BYTE || what == OPEN_CUT;
}

static enum rk_err
any_cert(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	(void)chain;
	(void)n;
	(void)err;
	(void)arg;
	return RK_OK;
}

static void
put_psk_first(struct buf *b, const struct rk_psks *keys, const uint8_t *outer)
{
	const struct psk_hs_conf conf = {
		.asks = true, .keys = keys, .outer = outer, .verify = any_cert
	};
	struct rk_error err;
	struct psk_hs hs;
	struct buf in;

	buf_init(&in, MOST);
	psk_hs_init(&hs, &conf);
	assert_int_equal(psk_hs_step(&hs, &in, b, &err), RK_EAGAIN);
	psk_hs_fini(&hs);
	buf_fini(&in);
}

static void
put_hello(struct buf *b, const struct rk_psks *keys)
{
	const struct sess_hs_conf conf = {
		.initiator = true, .key = rpcworld.keys[1], .psks = keys
	};
	uint8_t out[SESS_LEN_LEN + SESS_HELLO_MAX] = { 0 };
	struct sess_hs hs;
	size_t len;

	sess_hs_init(&hs, &conf);
	assert_int_equal(
	    sess_hs_hello(&hs, out + SESS_LEN_LEN, &len, NULL), RK_OK);
	sess_hs_fini(&hs);
	out[1] = (uint8_t)(len >> 8);
	out[2] = (uint8_t)len;
	assert_int_equal(buf_put(b, out, SESS_LEN_LEN + len), RK_OK);
}

static void
put_first(struct buf *b, enum rpc_kind kind, const struct rk_psks *keys,
    const uint8_t *outer)
{
	if (rpc_is_session(kind))
		put_hello(b, keys);
	else
		put_psk_first(b, keys, outer);
}

static void
set_id(uint8_t *msg, enum rpc_kind kind, const struct rk_psks *ours)
{
	const size_t at = rpc_is_session(kind)
	                      ? SESS_LEN_LEN + SESS_MAGIC_LEN + 2
	                      : PSK_HS_MAGIC_LEN;

	memcpy(msg + at, psks_at(ours, 0)->id, PSK_ID_BYTES);
}

static void
make_opening(struct buf *b, enum rpc_kind kind, enum opening what,
    const struct rk_psks *ours, const uint8_t *outer)
{
	struct rk_psks *theirs = key(2);

	switch (what) {
	case OPEN_NOTHING:
		break;
	case OPEN_BYTE:
		assert_int_equal(buf_put(b, "r", 1), RK_OK);
		break;
	case OPEN_NO_KEY:
	case OPEN_CALL:
		if (what == OPEN_NO_KEY && rpc_is_session(kind))
			put_hello(b, NULL);
		else
			raw_call(b, "echo", 1, "x", 1);
		break;
	case OPEN_OTHER:
	case OPEN_FORGED:
		put_first(b, kind, theirs, outer);
		if (what == OPEN_FORGED)
			set_id(b->data + b->head, kind, ours);
		break;
	case OPEN_CUT:
	case OPEN_CHANGED:
	case OPEN_RIGHT:
	case OPENINGS:
		put_first(b, kind, ours, outer);
		if (what == OPEN_CUT)
			b->tail--;
		if (what == OPEN_CHANGED)
			b->data[b->tail - 1] ^= 1;
		break;
	}
	rk_psks_free(theirs);
}

/* ---- what is answered ---- */

static size_t
plain_answer(
    int fd, enum rpc_kind kind, enum opening what, const struct rk_psks *ours)
{
	uint8_t in[MOST];
	struct buf b;
	size_t got = 0;
	ssize_t n;

	buf_init(&b, MOST);
	make_opening(&b, kind, what, ours, NULL);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	while (got == 0 && (n = recv(fd, in, sizeof(in), 0)) > 0)
		got += (size_t)n;
	return got;
}

static size_t
answer_inside_tls(int fd, enum opening what, const struct rk_psks *ours)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	struct certs_cert *mine =
	    certs_new_leaf(rpcworld.ca, "raw", "raw@example.org");
	const struct raw_conf conf = { .cert = mine, .alpn = "\x08rpckit/1" };
	uint8_t outer[OUTER_LEN], in[MOST];
	struct raw p;
	struct buf b;
	int n;

	raw_init(&p, &conf, fd);
	raw_step(&p);
	if (!p.done) {
		print_message("a slow machine: cut within TLS\n");
		assert_true(waits(what));
		raw_fini(&p);
		certs_free(mine);
		return 0;
	}
	assert_int_equal(SSL_export_keying_material(p.ssl, outer, sizeof(outer),
	                     label, sizeof(label) - 1, NULL, 0, 0),
	    1);
	buf_init(&b, MOST);
	make_opening(&b, RPC_TLS, what, ours, outer);
	if (buf_len(&b) > 0)
		raw_send(&p, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	n = raw_recv(&p, in, sizeof(in)); /* waits, or until the end */
	raw_fini(&p);
	certs_free(mine);
	return n < 0 ? 0 : (size_t)n;
}

static int
dial(const struct rpcrig *r, const char *url)
{
	static const char scheme[] = "unix://";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *at = strstr(url, scheme);
	int fd;

	if (at == NULL)
		return raw_dial(r);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(
	    a.sun_path, sizeof(a.sun_path), "%s", at + sizeof(scheme) - 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void
open_with(struct rpcrig *r, const char *url, enum opening what,
    const struct rk_psks *ours)
{
	const int fd = dial(r, url);
	const size_t n = r->kind == RPC_TLS
	                     ? answer_inside_tls(fd, what, ours)
	                     : plain_answer(fd, r->kind, what, ours);

	if ((n > 0) != (what == OPEN_RIGHT))
		fail_msg("%s, opening %d: %zu bytes", url, (int)what, n);
	if (r->kind != RPC_TLS)
		raw_close(fd);
}

/* Not a byte, of anything; and some for who has the key, or the test would
 * count at a wrong place. */
static void
not_a_byte(void **state)
{
	const struct rpcrun *run = *state;
	struct rk_psks *ours = key(1);
	struct rpcrig r;
	char path[300];

	(void)snprintf(
	    path, sizeof(path), "ssh+unix://%s/silent", rpcworld.dir);
	for (unsigned what = 0; what < OPENINGS; what++) {
		rpcrig_init(&r, run->kind, run->threads);
		r.conf.ident = rpcworld.node;
		r.conf.psks = ours;
		r.conf.timeouts.handshake =
		    waits(what) ? STALL_MS : RPCRIG_PATIENCE_MS;
		if (run->kind == RPC_SSH)
			r.more_urls[0] = path;
		rpcrig_start(&r);
		open_with(&r, r.url, what, ours);
		if (run->kind == RPC_SSH)
			open_with(&r, path, what, ours);
		rpcrig_end(&r);
	}
	rk_psks_free(ours);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "not_a_byte", not_a_byte, RPC_STREAMS },
	};

	return rpcrig_run_cases(
	    "psk_silence", cases, sizeof(cases) / sizeof(cases[0]));
}
