/* A QUIC client's and a server's TLS contexts with certificates, for tests. */
#include "quicrig.h"

#include "trust/chain.h"
#include "trust/ident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

static void
must(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "tests/lib/quicrig: %s failed\n", what);
		abort();
	}
}

static enum rk_err
judge(const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	struct quicrig_judge *j = arg;
	struct rk_cert_info info;

	__atomic_fetch_add(&j->asked, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&j->leaf_len, chain[0].len, __ATOMIC_RELAXED);
	if (j->say != RK_OK)
		return err_set(err, j->say, "told to");
	return chain_check(j->ident, chain, n,
	    j->of_clients ? CHAIN_CLIENT : CHAIN_SERVER, (int64_t)time(NULL),
	    &info, err);
}

struct rk_ident *
quicrig_ident(const struct certs_cert *ca, const struct certs_cert *cert)
{
	struct rk_ident *ident = NULL;
	char dir[256];

	certs_make_tmp(dir);
	certs_write(dir, "ca.crt", ca->pem, 0600);
	if (cert != NULL) {
		certs_write(dir, "x.crt", cert->pem, 0600);
		certs_write(dir, "x.key", cert->key_pem, 0600);
	}
	must(rk_ident_load_dir(dir, cert != NULL ? "x" : NULL, NULL, NULL,
	         &ident, NULL) == RK_OK,
	    "rk_ident_load_dir");
	certs_remove_tmp(dir);
	return ident;
}

static struct quic_tls_ctx *
make(const struct quic_tls_conf *conf)
{
	struct quic_tls_ctx *ctx = NULL;
	struct rk_error err = { 0 };

	if (quic_tls_ctx_new(conf, &ctx, &err) != RK_OK) {
		(void)fprintf(stderr, "quic_tls_ctx_new: %s\n", err.text);
		abort();
	}
	return ctx;
}

struct quic_tls_ctx *
quicrig_server(struct quicrig *r, struct seed *seed, bool early)
{
	const struct quic_tls_conf conf = {
		.tls = { .server = true,
		    .mode = r->mode,
		    .ident = r->server_ident,
		    .verify = judge,
		    .arg = &r->judge_client },
		.seed = seed,
		.early = early,
	};

	return make(&conf);
}

struct quic_tls_ctx *
quicrig_client(struct quicrig *r, bool early)
{
	const struct quic_tls_conf conf = {
		.tls = { .mode = r->mode,
		    .ident = r->mode == RK_TLS_MUTUAL ? r->client_ident : NULL,
		    .verify = judge,
		    .arg = &r->judge_server },
		.early = early,
	};

	return make(&conf);
}

struct quic_tls_ctx *
quicrig_other(struct quicrig *r, bool server, const struct rk_ident *ident,
    struct quicrig_judge *j)
{
	const struct quic_tls_conf conf = {
		.tls = { .server = server,
		    .mode = r->mode,
		    .ident = ident,
		    .verify = judge,
		    .arg = j },
		.seed = server ? r->seed : NULL,
		.early = true,
	};

	return make(&conf);
}

void
quicrig_init_mode(struct quicrig *r, enum rk_tls_mode mode)
{
	memset(r, 0, sizeof(*r));
	r->mode = mode;
	r->ca = certs_new_ca("test CA");
	r->server_cert = certs_new_leaf(r->ca, "node", "node@example.org");
	r->client_cert = certs_new_leaf(r->ca, "client", "c@example.org");
	r->server_ident = quicrig_ident(r->ca, r->server_cert);
	r->client_ident = quicrig_ident(r->ca, r->client_cert);
	r->judge_server.ident = r->client_ident;
	r->judge_client.ident = r->server_ident;
	r->judge_client.of_clients = true;
	must(seed_new(NULL, &r->seed, NULL) == RK_OK, "seed_new");
	r->server = quicrig_server(r, r->seed, true);
	r->client = quicrig_client(r, true);
}

void
quicrig_init(struct quicrig *r)
{
	quicrig_init_mode(r, RK_TLS_MUTUAL);
}

void
quicrig_fini(struct quicrig *r)
{
	quic_tls_ctx_free(r->client);
	quic_tls_ctx_free(r->server);
	seed_free(r->seed);
	rk_ident_free(r->server_ident);
	rk_ident_free(r->client_ident);
	certs_free(r->client_cert);
	certs_free(r->server_cert);
	certs_free(r->ca);
}

void
quicrig_visit(struct quic_tls_ctx *client, struct quic_tls_ctx *server)
{
	struct quicpair *p = quicpair_new(client, server);

	quicpair_send(&p->client, "visit");
	quicpair_run(p);
	must(p->client.confirmed && !p->client.dead, "a visit");
	quicpair_free(p);
}
