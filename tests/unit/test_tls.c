/* TLS: what is pinned, who is refused and why, what each end is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <string.h>

#include "base/error.h"
#include "trust/ident.h"

#include "rawtls.h"
#include "stacks.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define CLIENT 0
#define SERVER 1

static struct stack_world world;
static struct certs_cert *leaf; /* of the world's CA */

static int
set_up(void **state)
{
	(void)state;
	stack_world_init(&world);
	leaf = certs_new_leaf(world.ca, "raw", "raw@example.org");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_free(leaf);
	stack_world_fini(&world);
	return 0;
}

static void
contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static struct tls_ctx *
make_ctx(const struct tls_conf *conf)
{
	struct tls_ctx *ctx;
	struct rk_error err = { 0 };

	if (tls_ctx_new(conf, &ctx, &err) != RK_OK)
		fail_msg("%s", err.text);
	return ctx;
}

/* ---- what goes over the wire ---- */

static void
server_is_pinned(void **state)
{
	const struct raw_conf conf = { .cert = leaf };
	struct meeting m;
	struct rk_bytes der;
	X509 *cert;
	char cipher[48];
	int nid;
	int hash;

	(void)state;
	meeting_init(&m, world.ctx[SERVER], world.loop, &conf);
	raw_connect(&m.p, m.l);
	assert_int_equal(SSL_version(m.p.ssl), TLS1_3_VERSION);
	assert_string_equal(
	    SSL_get_cipher_name(m.p.ssl), "TLS_CHACHA20_POLY1305_SHA256");
	assert_int_equal(SSL_get_negotiated_group(m.p.ssl), NID_X25519);
	assert_int_equal(SSL_get_peer_signature_type_nid(m.p.ssl, &nid), 1);
	assert_int_equal(nid, NID_ED25519);
	/* Its wishes for the client's signature: one. */
	assert_int_equal(
	    SSL_get_sigalgs(m.p.ssl, 0, &nid, &hash, NULL, NULL, NULL), 1);
	assert_int_equal(nid, NID_ED25519);
	assert_null(SSL_get0_peer_CA_list(m.p.ssl));
	assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(m.p.ssl)), 1);
	cert = SSL_get0_peer_certificate(m.p.ssl);
	assert_int_equal(X509_get_signature_nid(cert), NID_ED25519);
	assert_true(layer_query(m.l, LAYER_Q_PEER_CERT, &der));
	assert_int_equal(der.len, leaf->der.len);
	assert_memory_equal(der.ptr, leaf->der.ptr, der.len);
	assert_true(layer_query(m.l, LAYER_Q_CIPHER, cipher));
	assert_string_equal(cipher, "TLS_CHACHA20_POLY1305_SHA256");
	meeting_fini(&m);
}

static void
check_extension(SSL *ssl, unsigned type, const char *want, size_t len)
{
	const unsigned char *data;
	size_t n;

	assert_int_equal(SSL_client_hello_get0_ext(ssl, type, &data, &n), 1);
	assert_int_equal(n, len);
	assert_memory_equal(data, want, len);
}

static int
check_hello(SSL *ssl, int *alert, void *arg)
{
	const unsigned char *data;
	size_t n;

	(void)alert;
	*(bool *)arg = true;
	n = SSL_client_hello_get0_ciphers(ssl, &data);
	/* And, before OpenSSL 3.5, that renegotiation is safe (RFC 5746). */
	assert_true(n == 2 || n == 4);
	assert_memory_equal(data, "\x13\x03\x00\xff", n);
	check_extension(ssl, TLSEXT_TYPE_supported_versions, "\2\3\4", 3);
	check_extension(
	    ssl, TLSEXT_TYPE_supported_groups, "\x00\x02\x00\x1d", 4);
	check_extension(
	    ssl, TLSEXT_TYPE_signature_algorithms, "\x00\x02\x08\x07", 4);
	check_extension(ssl, TLSEXT_TYPE_psk_kex_modes, "\1\1", 2);
	check_extension(
	    ssl, TLSEXT_TYPE_server_name, "\x00\x0c\x00\x00\x09localhost", 14);
	check_extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
	    "\x00\x09\x08rpckit/1", 11);
	assert_int_equal(
	    SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_key_share, &data, &n),
	    1);
	assert_int_equal(n, 2 + 4 + 32);
	assert_memory_equal(data, "\x00\x24\x00\x1d\x00\x20", 6);
	assert_int_equal(
	    SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_early_data, &data, &n),
	    0);
	return SSL_CLIENT_HELLO_SUCCESS;
}

static void
client_is_pinned(void **state)
{
	bool seen = false;
	const struct raw_conf conf = {
		.server = true,
		.cert = leaf,
		.asks = true,
		.hello = check_hello,
		.hello_arg = &seen,
	};
	struct meeting m;
	struct rk_bytes der;

	(void)state;
	meeting_init(&m, world.ctx[CLIENT], world.loop, &conf);
	assert_false(layer_query(m.l, LAYER_Q_PEER_CERT, &der));
	raw_connect(&m.p, m.l);
	assert_true(seen);
	assert_non_null(SSL_get0_peer_certificate(m.p.ssl));
	assert_int_equal(sk_X509_num(SSL_get0_verified_chain(m.p.ssl)), -1);
	assert_true(layer_query(m.l, LAYER_Q_PEER_CERT, &der));
	assert_memory_equal(der.ptr, leaf->der.ptr, der.len);
	meeting_fini(&m);
}

/* ---- peers that lack something ---- */

struct lack {
	struct raw_conf conf;
	enum rk_err r;    /* ours */
	const char *text; /* ours says */
	int alert;        /* theirs is told, -1: they told us */
};

static void
meet_lack(const struct lack *k, struct tls_ctx *ctx)
{
	struct meeting m;
	struct rk_error err = { 0 };
	struct rk_error again;
	enum rk_err r;
	uint8_t byte;
	size_t n;

	meeting_init(&m, ctx, world.loop, &k->conf);
	r = raw_shake(&m.p, m.l, &err);
	if (r != k->r)
		fail_msg("%s, %s: %s", k->text, rk_err_name(r), err.text);
	contains(err.text, k->text);
	assert_int_equal(err.code, k->r);
	assert_string_equal(err.step, "tls");
	assert_true(m.p.failed);
	assert_int_equal(m.p.alert, k->alert);
	/* It stays so, and every way of asking tells. */
	assert_true(layer_query(m.l, LAYER_Q_ERROR, &again));
	assert_string_equal(again.text, err.text);
	assert_int_equal(m.l->ops->handshake(m.l, &again), r);
	assert_string_equal(again.text, err.text);
	assert_int_equal(m.l->ops->recv(m.l, &byte, 1, &n), r);
	assert_int_equal(m.l->ops->send(m.l, &byte, 1, &n), r);
	assert_false(m.l->ops->pending(m.l));
	assert_int_equal(ERR_peek_error(), 0);
	m.l->ops->close(m.l, NULL);
	meeting_fini(&m);
}

#define AES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"

static void
server_refuses(void **state)
{
	struct certs_cert *rsa =
	    certs_new(world.ca, &(struct certs_opts){ .key = CERTS_RSA });
	struct certs_cert *p256 =
	    certs_new(world.ca, &(struct certs_opts){ .key = CERTS_P256 });
	const struct lack lacks[] = {
		{ { .cert = leaf, .max_version = TLS1_2_VERSION }, RK_ETLS,
		    "TLS 1.2 or older", SSL_AD_PROTOCOL_VERSION },
		{ { .cert = leaf, .max_version = TLS1_VERSION }, RK_ETLS,
		    "TLS 1.2 or older", SSL_AD_PROTOCOL_VERSION },
		{ { .cert = leaf, .suites = AES }, RK_ETLS,
		    "lacks TLS_CHACHA20_POLY1305_SHA256",
		    SSL_AD_HANDSHAKE_FAILURE },
		{ { .cert = leaf, .groups = "P-256" }, RK_ETLS, "lacks X25519",
		    SSL_AD_HANDSHAKE_FAILURE },
		{ { .cert = leaf, .groups = "X448:P-521" }, RK_ETLS,
		    "lacks X25519", SSL_AD_HANDSHAKE_FAILURE },
		{ { .sigalgs = "RSA-PSS+SHA256:ECDSA+SHA256" }, RK_ETLS,
		    "lacks ed25519", SSL_AD_HANDSHAKE_FAILURE },
		{ { .cert = rsa }, RK_ETLS, "no certificate",
		    TLS13_AD_CERTIFICATE_REQUIRED },
		{ { .cert = p256 }, RK_ETLS, "no certificate",
		    TLS13_AD_CERTIFICATE_REQUIRED },
		{ { .cert = NULL }, RK_ETLS, "no certificate",
		    TLS13_AD_CERTIFICATE_REQUIRED },
	};

	(void)state;
	for (size_t i = 0; i < N(lacks); i++)
		meet_lack(&lacks[i], world.ctx[SERVER]);
	certs_free(rsa);
	certs_free(p256);
}

static void
client_refuses(void **state)
{
	struct certs_cert *rsa =
	    certs_new(world.ca, &(struct certs_opts){ .key = CERTS_RSA });
	const struct lack lacks[] = {
		{ { .server = true,
		      .cert = leaf,
		      .max_version = TLS1_2_VERSION },
		    RK_ETLS, "TLS 1.2 or older (alert protocol version)", -1 },
		{ { .server = true, .cert = leaf, .suites = AES }, RK_ETLS,
		    "TLS_CHACHA20_POLY1305_SHA256", -1 },
		{ { .server = true, .cert = leaf, .groups = "P-256" }, RK_ETLS,
		    "X25519", -1 },
		{ { .server = true, .cert = rsa }, RK_ETLS,
		    "alert handshake failure", -1 },
		/* The library does not speak 1.3 without a certificate. */
		{ { .server = true }, RK_ETLS, "alert protocol version", -1 },
	};

	(void)state;
	for (size_t i = 0; i < N(lacks); i++)
		meet_lack(&lacks[i], world.ctx[CLIENT]);
	certs_free(rsa);
}

/* ---- the verify function ---- */

struct judge {
	enum rk_err verdict;
	const char *text; /* NULL: a code alone */
	unsigned asked;
	size_t n;
	struct rk_bytes want; /* the leaf */
};

static enum rk_err
judge(const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	struct judge *j = arg;

	j->asked++;
	j->n = n;
	assert_int_equal(chain[0].len, j->want.len);
	assert_memory_equal(chain[0].ptr, j->want.ptr, j->want.len);
	ERR_raise(ERR_LIB_X509, ERR_R_INTERNAL_ERROR); /* left behind */
	if (j->text != NULL)
		return err_set(err, j->verdict, "%s", j->text);
	return j->verdict;
}

static struct tls_ctx *
make_judged(struct judge *j, int who)
{
	return make_ctx(&(struct tls_conf){
	    .server = who == SERVER,
	    .ident = world.ident[who],
	    .verify = judge,
	    .arg = j,
	});
}

static void
verify_refuses(void **state)
{
	static const struct {
		enum rk_err verdict;
		const char *text;
		const char *want;
		int alert;
	} cases[] = {
		{ RK_ECERT, "peer x: of another CA", "peer x: of another CA",
		    SSL_AD_BAD_CERTIFICATE },
		{ RK_EREVOKED, "peer x: revoked", "peer x: revoked",
		    SSL_AD_CERTIFICATE_REVOKED },
		{ RK_ECERT, NULL, "certificate not acceptable",
		    SSL_AD_BAD_CERTIFICATE },
	};

	(void)state;
	for (int i = 0; i < (int)N(cases) * 2; i++) {
		int who = i % 2;
		struct judge j = {
			.verdict = cases[i / 2].verdict,
			.text = cases[i / 2].text,
			.want = leaf->der,
		};
		const struct lack k = {
			{ .server = who == CLIENT, .cert = leaf },
			j.verdict,
			cases[i / 2].want,
			cases[i / 2].alert,
		};
		struct tls_ctx *ctx = make_judged(&j, who);

		meet_lack(&k, ctx);
		assert_int_equal(j.asked, 1);
		assert_int_equal(j.n, 1);
		tls_ctx_free(ctx);
	}
}

static void
verify_sees_chain(void **state)
{
	struct judge j = { .want = leaf->der };
	struct raw_conf conf = { .cert = leaf, .more = world.ca };
	struct tls_ctx *ctx = make_judged(&j, SERVER);
	struct meeting m;
	struct rk_error err;

	(void)state;
	for (unsigned more = 0; more < 6; more++) {
		conf.n_more = more;
		meeting_init(&m, ctx, world.loop, &conf);
		if (more < 4) {
			raw_connect(&m.p, m.l);
			assert_int_equal(j.n, 1 + more);
			assert_int_equal(j.asked, 1 + more);
		} else {
			assert_int_equal(raw_shake(&m.p, m.l, &err), RK_ECERT);
			contains(err.text, "at most 4");
			assert_int_equal(m.p.alert, SSL_AD_BAD_CERTIFICATE);
			assert_int_equal(j.asked, 4);
		}
		meeting_fini(&m);
	}
	/* More than 16 KiB is not even read. */
	conf.n_more = 200;
	meeting_init(&m, ctx, world.loop, &conf);
	assert_int_equal(raw_shake(&m.p, m.l, &err), RK_ETLS);
	contains(err.text, "too large");
	meeting_fini(&m);
	tls_ctx_free(ctx);
}

/*
 * The client has finished before the server judged it, and learns of the
 * refusal where it first receives, or flushes.
 */
static void
refusal_comes_late(void **state)
{
	static const enum rk_err verdicts[] = { RK_ECERT, RK_EREVOKED };
	struct judge j = { .text = "nobody" };
	struct tls_ctx *ctx = make_judged(&j, SERVER);
	struct rk_bytes own;
	struct layer *l[2];
	struct mem mem[2];
	struct rk_error err;
	enum rk_err r[2];
	uint8_t b[4];
	size_t n;

	(void)state;
	for (int i = 0; i < 4; i++) {
		memset(mem, 0, sizeof(mem));
		mem_pair(&mem[0], &l[0], &mem[1], &l[1]);
		for (int k = 0; k < 2; k++)
			assert_int_equal(
			    tls_layer_new(k == SERVER ? ctx : world.ctx[k],
			        world.loop, l[k], &l[k]),
			    RK_OK);
		j.verdict = verdicts[i / 2];
		j.want = own = ident_cert_der(world.ident[CLIENT]);
		stack_shake(l, r, NULL);
		assert_int_equal(r[0], RK_OK);
		assert_int_equal(r[1], j.verdict);
		assert_false(layer_query(l[0], LAYER_Q_ERROR, &err));
		if (i % 2 == 0) {
			assert_int_equal(
			    l[0]->ops->recv(l[0], b, 4, &n), j.verdict);
		} else {
			l[1]->ops->close(l[1], NULL);
			layer_free(l[1]);
			l[1] = NULL;
			raw_say(l[0], "call");
			assert_int_equal(l[0]->ops->flush(l[0]), j.verdict);
		}
		assert_true(layer_query(l[0], LAYER_Q_ERROR, &err));
		assert_int_equal(err.code, j.verdict);
		contains(err.text, "the peer refused our certificate");
		assert_int_equal(l[0]->ops->recv(l[0], b, 4, &n), j.verdict);
		stack_free(l);
	}
	tls_ctx_free(ctx);
}

/* ---- modes ---- */

static void
shake_modes(const struct tls_conf conf[2], bool proven[2])
{
	struct tls_ctx *ctx[2] = { make_ctx(&conf[0]), make_ctx(&conf[1]) };
	struct mem mem[2] = { { 0 }, { 0 } };
	struct layer *l[2];
	struct rk_bytes der;
	char text[4];

	mem_pair(&mem[0], &l[0], &mem[1], &l[1]);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(
		    tls_layer_new(ctx[k], world.loop, l[k], &l[k]), RK_OK);
		tls_ctx_free(ctx[k]); /* the layer keeps it */
	}
	stack_connect(l);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(
		    layer_query(l[k], LAYER_Q_PEER_CERT, &der), proven[k]);
		stack_pass(l[k], l[1 - k], (const uint8_t *)"ping", 4,
		    (uint8_t *)text);
		assert_memory_equal(text, "ping", 4);
	}
	stack_free(l);
}

static void
modes_prove(void **state)
{
	struct tls_conf conf[2] = { 0 };

	(void)state;
	for (int k = 0; k < 2; k++) {
		conf[k].server = k == SERVER;
		conf[k].ident = conf[k].arg = world.ident[k];
		conf[k].verify =
		    k == SERVER ? stack_judge_client : stack_judge_server;
	}
	shake_modes(conf, (bool[]){ true, true });
	conf[0].mode = conf[1].mode = RK_TLS_SERVER_ONLY;
	shake_modes(conf, (bool[]){ true, false });
	/* A certificate made on the spot, if need be; nobody judges it. */
	conf[0].mode = conf[1].mode = RK_TLS_SKIP_VERIFY;
	shake_modes(conf, (bool[]){ false, false });
	conf[0].ident = conf[1].ident = NULL;
	conf[0].verify = conf[1].verify = NULL;
	shake_modes(conf, (bool[]){ false, false });
}

static void
contexts_need(void **state)
{
	const struct tls_conf bad[] = {
		{ .server = true, .verify = judge },
		{ .server = false, .verify = judge },
		{ .server = true, .ident = world.ident[SERVER] },
		{ .server = true, .mode = RK_TLS_SERVER_ONLY },
		{ .server = false,
		    .mode = RK_TLS_SERVER_ONLY,
		    .ident = world.ident[CLIENT] },
	};
	struct tls_ctx *ctx;
	struct rk_error err;
	struct rk_ident *ca_only;
	struct tls_conf conf = { .verify = judge };

	(void)state;
	for (size_t i = 0; i < N(bad); i++) {
		assert_int_equal(tls_ctx_new(&bad[i], &ctx, &err), RK_EINVAL);
		assert_null(ctx);
		assert_true(err.text[0] != '\0');
		assert_int_equal(tls_ctx_new(&bad[i], &ctx, NULL), RK_EINVAL);
	}
	assert_int_equal(
	    rk_ident_load_dir(world.dir, NULL, NULL, NULL, &ca_only, NULL),
	    RK_OK);
	conf.ident = ca_only;
	assert_int_equal(tls_ctx_new(&conf, &ctx, &err), RK_EINVAL);
	conf.mode = RK_TLS_SERVER_ONLY;
	tls_ctx_free(make_ctx(&conf));
	rk_ident_free(ca_only);
	tls_ctx_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_is_pinned),
		cmocka_unit_test(client_is_pinned),
		cmocka_unit_test(server_refuses),
		cmocka_unit_test(client_refuses),
		cmocka_unit_test(verify_refuses),
		cmocka_unit_test(verify_sees_chain),
		cmocka_unit_test(refusal_comes_late),
		cmocka_unit_test(modes_prove),
		cmocka_unit_test(contexts_need),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
