/* A QUIC client's and a server's TLS contexts with certificates, for tests. */
#ifndef TESTS_LIB_QUICRIG_H
#define TESTS_LIB_QUICRIG_H

#include "certs.h"
#include "quicpair.h"

/* A judge that counts, remembers and obeys: by the CA, or as it is told. */
struct quicrig_judge {
	const struct rk_ident *ident;
	bool of_clients;
	enum rk_err say; /* RK_OK: what the CA says; else this, "told to" */
	unsigned asked;
	size_t leaf_len;
};

struct quicrig {
	char dir[256];
	struct certs_cert *ca, *server_cert, *client_cert;
	struct rk_ident *server_ident, *client_ident;
	struct seed *seed;
	struct quicrig_judge judge_server; /* the client's, of the server */
	struct quicrig_judge judge_client;
	struct quic_tls_ctx *server, *client;
	enum rk_tls_mode mode;
};

/* Mutual, with early data at both ends. */
void quicrig_init(struct quicrig *r);
void quicrig_init_mode(struct quicrig *r, enum rk_tls_mode mode);
void quicrig_fini(struct quicrig *r);

/* Another server of the same identity (a restarted one) or with another seed;
 * another client. */
struct quic_tls_ctx *quicrig_server(
    struct quicrig *r, struct seed *seed, bool early);
struct quic_tls_ctx *quicrig_client(struct quicrig *r, bool early);
/* A context of a certificate of this CA (or a folder's files). */
struct quic_tls_ctx *quicrig_other(struct quicrig *r, bool server,
    const struct rk_ident *ident, struct quicrig_judge *judge);
/* An identity: this certificate, or none, and this CA. */
struct rk_ident *quicrig_ident(
    const struct certs_cert *ca, const struct certs_cert *cert);

/* A whole connection with tickets and tokens, over and done. */
void quicrig_visit(struct quic_tls_ctx *client, struct quic_tls_ctx *server);

#endif
