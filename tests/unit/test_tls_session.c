/* TLS: sessions resumed and not, the name of the protocol, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "trust/ident.h"

#include "rawtls.h"
#include "stacks.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define CLIENT 0
#define SERVER 1

static struct stack_world world;
static struct certs_cert *leaf;

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

static atomic_uint judged;

static enum rk_err
judge(const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	(void)chain;
	(void)n;
	(void)err;
	(void)arg;
	atomic_fetch_add(&judged, 1);
	return RK_OK;
}

static struct tls_ctx *
make_ctx(int who, enum rk_tls_mode mode)
{
	const struct tls_conf conf = {
		.server = who == SERVER,
		.mode = mode,
		.ident = world.ident[who],
		.verify = judge,
	};
	struct tls_ctx *ctx;

	assert_int_equal(tls_ctx_new(&conf, &ctx, NULL), RK_OK);
	return ctx;
}

struct both {
	struct tls_ctx *ctx[2];
	struct mem mem[2];
	struct layer *l[2];
};

static void
both_init(struct both *b, enum rk_tls_mode mode)
{
	memset(b, 0, sizeof(*b));
	b->ctx[CLIENT] = make_ctx(CLIENT, mode);
	b->ctx[SERVER] = make_ctx(SERVER, mode);
}

static void
both_fini(struct both *b)
{
	tls_ctx_free(b->ctx[CLIENT]);
	tls_ctx_free(b->ctx[SERVER]);
}

static void
make_layers(struct both *b, struct rk_loop *loop)
{
	mem_pair(&b->mem[0], &b->l[0], &b->mem[1], &b->l[1]);
	for (int k = 0; k < 2; k++)
		assert_int_equal(
		    tls_layer_new(b->ctx[k], loop, b->l[k], &b->l[k]), RK_OK);
}

static bool
is_resumed(struct layer *l)
{
	bool b = false;

	assert_true(layer_query(l, LAYER_Q_RESUMED, &b));
	return b;
}

/* Say something both ways, so that tickets arrive. */
static void
talk(struct both *b)
{
	for (int k = 0; k < 2; k++) {
		raw_say(b->l[k], "hello");
		assert_int_equal(b->l[k]->ops->flush(b->l[k]), RK_OK);
		raw_deliver(b->l[1 - k], "hello");
	}
}

static void
check_peers(struct both *b)
{
	for (int k = 0; k < 2; k++) {
		struct rk_bytes want = ident_cert_der(world.ident[1 - k]);
		struct rk_bytes got;
		char alpn[16];
		char cipher[48];

		assert_true(layer_query(b->l[k], LAYER_Q_PEER_CERT, &got));
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.ptr, want.ptr, want.len);
		assert_true(layer_query(b->l[k], LAYER_Q_ALPN, alpn));
		assert_string_equal(alpn, "rpckit/1");
		assert_true(layer_query(b->l[k], LAYER_Q_CIPHER, cipher));
		assert_string_equal(cipher, "TLS_CHACHA20_POLY1305_SHA256");
	}
}

/* One connection to its end; was it resumed? */
static bool
connect_once(struct both *b, bool polite)
{
	bool resumed;

	make_layers(b, world.loop);
	stack_connect(b->l);
	talk(b);
	resumed = is_resumed(b->l[0]);
	assert_int_equal(is_resumed(b->l[1]), resumed);
	if (polite) {
		b->l[0]->ops->close(b->l[0], NULL);
		b->l[1]->ops->close(b->l[1], NULL);
	}
	stack_free(b->l);
	return resumed;
}

/* ---- sessions ---- */

static void
resumes(void **state)
{
	struct both b;

	(void)state;
	both_init(&b, RK_TLS_MUTUAL);
	atomic_store(&judged, 0);
	assert_false(connect_once(&b, true));
	assert_int_equal(atomic_load(&judged), 2);
	/* Again and again: each connection brings the next session. */
	for (int i = 0; i < 5; i++) {
		make_layers(&b, world.loop);
		stack_connect(b.l);
		assert_true(is_resumed(b.l[0]) && is_resumed(b.l[1]));
		check_peers(&b);
		talk(&b);
		stack_free(b.l);
	}
	/* Each time both were judged again, from what the session holds. */
	assert_int_equal(atomic_load(&judged), 2 + 5 * 2);
	both_fini(&b);
}

static void
resumes_after_any_end(void **state)
{
	struct both b;

	(void)state;
	both_init(&b, RK_TLS_MUTUAL);
	assert_false(connect_once(&b, false));
	assert_true(connect_once(&b, false));
	assert_true(connect_once(&b, true));
	assert_true(connect_once(&b, true));
	both_fini(&b);
}

static void
uses_a_session_once(void **state)
{
	struct both b;
	struct both other;

	(void)state;
	both_init(&b, RK_TLS_MUTUAL);
	assert_false(connect_once(&b, true));
	other = b;
	make_layers(&b, world.loop);
	make_layers(&other, world.loop);
	stack_connect(b.l);
	stack_connect(other.l);
	assert_true(is_resumed(b.l[0]));
	assert_false(is_resumed(other.l[0]));
	check_peers(&other);
	stack_free(b.l);
	stack_free(other.l);
	both_fini(&b);
}

static void
forgets(void **state)
{
	struct both b;

	(void)state;
	both_init(&b, RK_TLS_MUTUAL);
	tls_ctx_forget(b.ctx[CLIENT]);
	assert_false(connect_once(&b, true));
	tls_ctx_forget(b.ctx[CLIENT]);
	assert_false(connect_once(&b, true));
	assert_true(connect_once(&b, true));
	both_fini(&b);
}

/* Another identity, or another mode, is another context: its tickets are
 * nothing to this one, and the handshake is a full one. */
static void
does_not_resume_elsewhere(void **state)
{
	struct both b;
	struct tls_ctx *first;

	(void)state;
	both_init(&b, RK_TLS_MUTUAL);
	assert_false(connect_once(&b, true));
	first = b.ctx[SERVER];
	b.ctx[SERVER] = make_ctx(SERVER, RK_TLS_MUTUAL);
	assert_false(connect_once(&b, true));
	tls_ctx_free(b.ctx[SERVER]);
	b.ctx[SERVER] = first;
	assert_false(connect_once(&b, true));
	assert_true(connect_once(&b, true));
	both_fini(&b);
}

/* A client that once was let in as nobody brings that session along. */
static void
needs_a_certificate_anyway(void **state)
{
	static const enum rk_tls_mode modes[] = { RK_TLS_SERVER_ONLY,
		RK_TLS_SKIP_VERIFY, RK_TLS_MUTUAL };
	struct raw_conf conf = { 0 };

	(void)state;
	for (size_t i = 0; i < N(modes); i++) {
		struct tls_ctx *ctx = make_ctx(SERVER, modes[i]);
		struct meeting m;
		struct meeting again;
		struct rk_error err;

		conf.session = NULL;
		conf.cert = modes[i] == RK_TLS_MUTUAL ? leaf : NULL;
		meeting_init(&m, ctx, world.loop, &conf);
		raw_connect(&m.p, m.l);
		assert_non_null(m.p.session);
		conf.session = m.p.session;
		conf.cert = NULL;
		meeting_init(&again, world.ctx[SERVER], world.loop, &conf);
		assert_int_equal(raw_shake(&again.p, again.l, &err), RK_ETLS);
		assert_non_null(strstr(err.text, "no certificate"));
		assert_int_equal(again.p.alert, TLS13_AD_CERTIFICATE_REQUIRED);
		meeting_fini(&again);
		meeting_fini(&m);
		tls_ctx_free(ctx);
	}
}

/* One ticket for two hours, without early data; it holds the certificate, so
 * that a client that resumes is known. */
static void
gives_one_ticket(void **state)
{
	struct raw_conf conf = { .cert = leaf };
	struct meeting m;
	struct meeting again;
	struct rk_bytes der;

	(void)state;
	meeting_init(&m, world.ctx[SERVER], world.loop, &conf);
	raw_connect(&m.p, m.l);
	assert_non_null(m.p.session);
	assert_int_equal(
	    SSL_SESSION_get_ticket_lifetime_hint(m.p.session), 7200);
	assert_int_equal(SSL_SESSION_get_max_early_data(m.p.session), 0);
	conf.session = m.p.session;
	conf.cert = NULL; /* it is asked for nothing */
	meeting_init(&again, world.ctx[SERVER], world.loop, &conf);
	raw_connect(&again.p, again.l);
	assert_int_equal(SSL_session_reused(again.p.ssl), 1);
	assert_true(layer_query(again.l, LAYER_Q_PEER_CERT, &der));
	assert_int_equal(der.len, leaf->der.len);
	assert_memory_equal(der.ptr, leaf->der.ptr, der.len);
	meeting_fini(&again);
	meeting_fini(&m);
}

/* ---- the name of the protocol ---- */

static void
meet_alpn(int who, const char *theirs, const char *want)
{
	const struct raw_conf conf = {
		.server = who == CLIENT,
		.cert = leaf,
		.alpn = theirs,
	};
	struct meeting m;
	char alpn[16];

	meeting_init(&m, world.ctx[who], world.loop, &conf);
	assert_false(layer_query(m.l, LAYER_Q_ALPN, alpn));
	raw_connect(&m.p, m.l);
	assert_true(layer_query(m.l, LAYER_Q_ALPN, alpn));
	assert_string_equal(alpn, want);
	raw_say(m.l, "hello");
	raw_expect(&m.p, m.l, "hello");
	meeting_fini(&m);
	tls_ctx_forget(world.ctx[CLIENT]);
}

static void
agrees_on_alpn(void **state)
{
	(void)state;
	meet_alpn(SERVER, "\x08rpckit/1", "rpckit/1");
	meet_alpn(SERVER, "\x02h2\x08rpckit/1", "rpckit/1");
	meet_alpn(SERVER, "\x02h2\x08http/1.1", "");
	meet_alpn(SERVER, "\x08rpckit/2", "");
	meet_alpn(SERVER, "\x09rpckit/1x", "");
	meet_alpn(SERVER, NULL, "");
	meet_alpn(CLIENT, "\x08rpckit/1", "rpckit/1");
	meet_alpn(CLIENT, "\x02h2", "");
	meet_alpn(CLIENT, NULL, "");
}

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 10

/* cmocka's checks may not fail on other threads: count instead. */
static void *
run_thread(void *arg)
{
	struct both b = *(const struct both *)arg;
	struct rk_loop *loop;
	unsigned good = 0;

	if (rk_loop_new(&loop) != RK_OK)
		return NULL;
	for (int i = 0; i < ROUNDS; i++) {
		enum rk_err r[2] = { RK_EAGAIN, RK_EAGAIN };
		uint8_t byte;
		size_t n;

		memset(b.mem, 0, sizeof(b.mem));
		make_layers(&b, loop);
		for (int k = 0; k < 20; k++)
			if (r[k % 2] == RK_EAGAIN)
				r[k % 2] = b.l[k % 2]->ops->handshake(
				    b.l[k % 2], NULL);
		(void)b.l[0]->ops->recv(b.l[0], &byte, 1, &n);
		good += r[0] == RK_OK && r[1] == RK_OK;
		stack_free(b.l);
	}
	rk_loop_free(loop);
	return good == ROUNDS ? arg : NULL;
}

static void
shares_contexts(void **state)
{
	pthread_t threads[THREADS];
	struct both b;
	void *result;

	(void)state;
	both_init(&b, RK_TLS_MUTUAL);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, run_thread, &b), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, &b);
	}
	both_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resumes),
		cmocka_unit_test(resumes_after_any_end),
		cmocka_unit_test(uses_a_session_once),
		cmocka_unit_test(forgets),
		cmocka_unit_test(does_not_resume_elsewhere),
		cmocka_unit_test(needs_a_certificate_anyway),
		cmocka_unit_test(gives_one_ticket),
		cmocka_unit_test(agrees_on_alpn),
		cmocka_unit_test(shares_contexts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
