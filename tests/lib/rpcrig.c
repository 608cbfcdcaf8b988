/* A server with methods for tests, on a thread of its own, and its clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/quic.h"

#include "certs.h"
#include "rpcrig.h"

struct rpcworld rpcworld;
uint8_t rpcrig_bytes[RK_PAYLOAD_MAX + 1];

uint64_t
rpcrig_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t
rpcrig_wall_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

const char *
rpc_kind_name(enum rpc_kind kind)
{
	static const char *const names[] = {
		[RPC_TCP] = "tcp",
		[RPC_TLS] = "tls",
		[RPC_UNIX] = "unix",
		[RPC_QUIC] = "quic",
		[RPC_SSH] = "ssh+tcp",
		[RPC_SSH_UDP] = "ssh+udp",
	};

	return names[kind];
}

bool
rpc_is_secure(enum rpc_kind kind)
{
	return kind == RPC_TLS || kind == RPC_QUIC;
}

bool
rpc_is_session(enum rpc_kind kind)
{
	return kind == RPC_SSH || kind == RPC_SSH_UDP;
}

bool
rpc_has_keys(enum rpc_kind kind)
{
	return rpc_is_secure(kind) || rpc_is_session(kind);
}

/* ---- what all rigs share ---- */

void
rpcworld_path(char out[512], const char *name)
{
	int n = snprintf(out, 512, "%s/%s", rpcworld.dir, name);

	assert_true(n > 0 && n < 512);
}

struct rk_ident *
rpcworld_load(const char *name)
{
	struct rk_ident *id;
	struct rk_error err;

	if (rk_ident_load_dir(rpcworld.dir, name, NULL, NULL, &id, &err) !=
	    RK_OK)
		fail_msg("%s", err.text);
	return id;
}

static void
add_leaf(const struct certs_cert *ca, const char *name, const char *email)
{
	struct certs_cert *c = certs_new_leaf(ca, name, email);
	char file[64];

	(void)snprintf(file, sizeof(file), "%s.crt", name);
	certs_write(rpcworld.dir, file, c->pem, 0600);
	(void)snprintf(file, sizeof(file), "%s.key", name);
	certs_write(rpcworld.dir, file, c->key_pem, 0600);
	certs_free(c);
}

/* As if each had the other's line. */
static void
load_sessions(void)
{
	static const char *const files[] = { "node.key", "client.key" };
	char path[512];
	struct rk_error err;

	for (int i = 0; i < 2; i++) {
		rpcworld_path(path, files[i]);
		if (rk_key_load(path, NULL, NULL, &rpcworld.keys[i], &err) !=
		    RK_OK)
			fail_msg("%s", err.text);
	}
	for (int i = 0; i < 2; i++) {
		uint8_t pub[RK_KEY_PUBLIC_LEN];
		char fp[RK_FP_LEN];

		rk_key_public(rpcworld.keys[1 - i], pub);
		rk_fp_of_key(pub, fp);
		assert_int_equal(rk_sshkeys_new(&rpcworld.peers[i]), RK_OK);
		assert_int_equal(
		    rk_sshkeys_add(rpcworld.peers[i], fp, &err), RK_OK);
	}
}

int
rpcworld_setup(void **state)
{
	struct certs_cert *ca = certs_new_ca("test CA");

	(void)state;
	for (size_t i = 0; i < sizeof(rpcrig_bytes); i++)
		rpcrig_bytes[i] = (uint8_t)(i * 31 + i / 251);
	certs_make_tmp(rpcworld.dir);
	certs_fill_from(ca, rpcworld.dir);
	add_leaf(ca, "other", "other@example.org");
	add_leaf(ca, "node2", "node2@example.org");
	rpcworld.ca = ca;
	rpcworld.node = rpcworld_load("node");
	rpcworld.client = rpcworld_load("client");
	rpcworld.other = rpcworld_load("other");
	rpcworld.node2 = rpcworld_load("node2");
	load_sessions();
	return 0;
}

int
rpcworld_teardown(void **state)
{
	(void)state;
	rk_ident_free(rpcworld.node);
	rk_ident_free(rpcworld.client);
	rk_ident_free(rpcworld.other);
	rk_ident_free(rpcworld.node2);
	for (int i = 0; i < 2; i++) {
		rk_key_free(rpcworld.keys[i]);
		rk_sshkeys_free(rpcworld.peers[i]);
	}
	certs_free(rpcworld.ca);
	certs_remove_tmp(rpcworld.dir);
	return 0;
}

/* ---- the server ---- */

void
rpcrig_init(struct rpcrig *r, enum rpc_kind kind, unsigned threads)
{
	static unsigned number;
	pthread_condattr_t attr;

	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->allowed = true;
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	assert_int_equal(rk_loop_new(&r->loop), RK_OK);
	r->conf = (struct rk_server_conf){
		.size = sizeof(r->conf),
		.loop = r->loop,
		.threads = threads,
		.ident = rpc_is_secure(kind) ? rpcworld.node : NULL,
	};
	if (rpc_is_session(kind)) {
		r->conf.session_key = rpcworld.keys[0];
		r->conf.session_peers = rpcworld.peers[0];
	}
	if (kind == RPC_UNIX)
		(void)snprintf(r->want_url, sizeof(r->want_url),
		    "unix://%s/s%u", rpcworld.dir, number++);
	else
		(void)snprintf(r->want_url, sizeof(r->want_url),
		    "%s://127.0.0.1:0", rpc_kind_name(kind));
}

static void *
run_loop(void *arg)
{
	struct rpcrig *r = arg;

	(void)rk_loop_run(r->loop);
	rpcrig_forget_parked();
	return NULL;
}

void
rpcrig_start(struct rpcrig *r)
{
	const struct rk_method *list;
	size_t n = rpcrig_methods(r, &list);
	struct rk_error err = { 0 };

	if (rk_server_new(&r->conf, &r->server, &err) != RK_OK ||
	    rk_server_methods(r->server, list, n, NULL, NULL, &err) != RK_OK ||
	    rk_server_listen(r->server, r->want_url, r->url, &err) != RK_OK)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < 2 && r->more_urls[i] != NULL; i++)
		if (rk_server_listen(r->server, r->more_urls[i], NULL, &err) !=
		    RK_OK)
			fail_msg("%s", err.text);
	if (rk_server_start(r->server, &err) != RK_OK)
		fail_msg("%s", err.text);
	if (r->stepped)
		return;
	assert_int_equal(pthread_create(&r->thread, NULL, run_loop, r), 0);
	r->has_thread = true;
}

void
rpcrig_begin(struct rpcrig *r, const struct rpcrun *run)
{
	rpcrig_init(r, run->kind, run->threads);
	rpcrig_start(r);
}

struct errand {
	struct rpcrig *rig;
	void (*fn)(struct rpcrig *r, void *arg);
	void *arg;
	unsigned done;
};

static void
run_errand(void *arg)
{
	struct errand *e = arg;
	struct rpcrig *r = e->rig;

	e->fn(r, e->arg);
	(void)pthread_mutex_lock(&r->lock);
	e->done = 1;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

void
rpcrig_do(struct rpcrig *r, void (*fn)(struct rpcrig *r, void *arg), void *arg)
{
	struct errand e = { .rig = r, .fn = fn, .arg = arg };

	if (!r->has_thread) {
		fn(r, arg);
		return;
	}
	assert_int_equal(rk_loop_post(r->loop, run_errand, &e), RK_OK);
	rpcrig_await(r, &e.done, 1);
}

static void
await_stepped(struct rpcrig *r, const unsigned *what, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (rpcrig_get(r, what) < n) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_loop_step(r->loop, 10), RK_OK);
	}
}

void
rpcrig_await(struct rpcrig *r, const unsigned *what, unsigned n)
{
	struct timespec until;
	int e = 0;
	unsigned have;

	if (!r->has_thread) {
		await_stepped(r, what, n);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RPCRIG_PATIENCE_MS / 1000;
	(void)pthread_mutex_lock(&r->lock);
	while (*what < n && e == 0)
		e = pthread_cond_timedwait(&r->changed, &r->lock, &until);
	have = *what;
	(void)pthread_mutex_unlock(&r->lock);
	if (have < n)
		fail_msg("waited in vain: %u of %u", have, n);
}

/* Statistics have no event to wait for: ask again while there is time. */
static void
nap(struct rpcrig *r)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	if (r->has_thread)
		(void)nanosleep(&ms, NULL);
	else
		assert_int_equal(rk_loop_step(r->loop, 1), RK_OK);
}

void
rpcrig_await_conns(struct rpcrig *r, uint64_t n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	struct rk_server_stats s;

	for (rk_server_stats(r->server, &s); s.conns != n;
	     rk_server_stats(r->server, &s)) {
		assert_true(rpcrig_now() < until);
		nap(r);
	}
}

void
rpcrig_await_running(struct rpcrig *r, uint64_t n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	struct rk_server_stats s;

	for (rk_server_stats(r->server, &s); s.running != n;
	     rk_server_stats(r->server, &s)) {
		assert_true(rpcrig_now() < until);
		nap(r);
	}
}

unsigned
rpcrig_get(struct rpcrig *r, const unsigned *what)
{
	unsigned n;

	(void)pthread_mutex_lock(&r->lock);
	n = *what;
	(void)pthread_mutex_unlock(&r->lock);
	return n;
}

struct rpchold
rpcrig_held(struct rpcrig *r, unsigned i)
{
	struct rpchold h;

	(void)pthread_mutex_lock(&r->lock);
	assert_true(i < r->n_held);
	h = r->held[i];
	(void)pthread_mutex_unlock(&r->lock);
	return h;
}

void
rpcrig_answer(struct rpcrig *r, unsigned i, const char *error,
    const void *payload, size_t len)
{
	struct rpchold h = rpcrig_held(r, i);

	assert_int_equal(
	    rk_server_reply(r->server, h.id, error, payload, len), RK_OK);
}

void
rpcrig_retired(void *arg)
{
	struct rpcrig *r = arg;

	(void)pthread_mutex_lock(&r->lock);
	r->retired++;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

static void
on_done(void *arg)
{
	struct rpcrig *r = arg;

	(void)pthread_mutex_lock(&r->lock);
	r->done++;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

static void
end_server(struct rpcrig *r, void *arg)
{
	const uint64_t *grace = arg;

	rk_server_stop(r->server, *grace, on_done, r);
}

void
rpcrig_stop(struct rpcrig *r, uint64_t grace_ms)
{
	rpcrig_do(r, end_server, &grace_ms);
}

void
rpcrig_await_stopped(struct rpcrig *r)
{
	rpcrig_await(r, &r->done, 1);
}

void
rpcrig_fini(struct rpcrig *r)
{
	if (r->has_thread) {
		rk_loop_stop(r->loop);
		(void)pthread_join(r->thread, NULL);
		r->has_thread = false;
	}
	rpcrig_forget_parked();
	rk_server_free(r->server);
	rk_loop_free(r->loop);
	(void)pthread_mutex_destroy(&r->lock);
	(void)pthread_cond_destroy(&r->changed);
}

void
rpcrig_end(struct rpcrig *r)
{
	rpcrig_stop(r, 10000);
	rpcrig_await_stopped(r);
	rpcrig_fini(r);
}

/* ---- all combinations ---- */

#define THREADS 2

static void
add_case(struct CMUnitTest *t, struct rpcrun *run, const struct rpccase *c,
    enum rpc_kind kind, unsigned threads)
{
	*run = (struct rpcrun){ .kind = kind, .threads = threads };
	(void)snprintf(run->name, sizeof(run->name), "%s over %s, %u threads",
	    c->name, rpc_kind_name(kind), threads);
	*t = (struct CMUnitTest){
		.name = run->name,
		.test_func = c->fn,
		.initial_state = run,
	};
}

/* Sessions have threads always.  Without them what a transport does is one
 * thread's, and others only answer calls, as on any: ThreadSanitizer sees that
 * on the first. */
static bool
is_run(const struct rpccase *c, unsigned kind, unsigned threads)
{
	if ((c->kinds & RPC_ONLY(kind)) == 0)
		return false;
	if (threads != 0)
		return true;
#ifdef __SANITIZE_THREAD__
	if ((c->kinds & (RPC_ONLY(kind) - 1)) != 0)
		return false;
#endif
	return !rpc_is_session(kind);
}

int
rpcrig_run_cases(const char *group, const struct rpccase *cases, size_t n)
{
	const size_t max = n * RPC_KINDS * 2;
	struct CMUnitTest *tests = calloc(max, sizeof(*tests));
	struct rpcrun *runs = calloc(max, sizeof(*runs));
	size_t m = 0;
	int failed;

	if (tests == NULL || runs == NULL)
		return 1;
	for (unsigned k = 0; k < RPC_KINDS; k++) {
		if (k == RPC_QUIC && quic_supported(NULL) != RK_OK)
			continue;
		for (size_t i = 0; i < 2 * n; i++) {
			const struct rpccase *c = &cases[i % n];
			unsigned threads = i < n ? 0 : THREADS;

			if (!is_run(c, k, threads))
				continue;
			add_case(
			    &tests[m], &runs[m], c, (enum rpc_kind)k, threads);
			m++;
		}
	}
	failed = _cmocka_run_group_tests(
	    group, tests, m, rpcworld_setup, rpcworld_teardown);
	free(tests);
	free(runs);
	return failed;
}
