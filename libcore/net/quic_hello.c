/* Packets of nobody yet, or of nobody any more: answers that cost no memory. */
#include "net/quic_int.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <rpckit/secret.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HELLOS_MAX 256
/* Of a first flight's datagrams, which are made for paths nobody knows yet;
 * what is behind a first packet may be anything. */
#define DATAGRAM_MAX 4096
#define ANSWER_LEN 1500
#define RETRY_LIFE_NS (10 * NGTCP2_SECONDS)
#define TOKEN_LIFE_NS (24 * 3600 * NGTCP2_SECONDS)
/* Of each answer without a connection, a second. */
#define RESETS_MAX 100
#define RESET_LEN 43 /* as long as a short packet may be */

uint64_t
quic_wall_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NGTCP2_SECONDS + (uint64_t)ts.tv_nsec;
}

const struct addr *
quic_hello_remote(const struct quic_hello *h)
{
	return &h->remote;
}

bool
quic_hello_validated(const struct quic_hello *h)
{
	return h->token_type != NGTCP2_TOKEN_TYPE_UNKNOWN;
}

/* ---- answers ---- */

void
quic_hello_retry(struct quic_end *e, const struct addr *local,
    const struct addr *remote, const ngtcp2_pkt_hd *hd)
{
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
	uint8_t packet[ANSWER_LEN];
	ngtcp2_cid scid = { .datalen = QUIC_CID_LEN };
	ngtcp2_ssize n;

	quic_cid_make(&e->keys, e->index, scid.data);
	n = ngtcp2_crypto_generate_retry_token2(token, e->token_key,
	    sizeof(e->token_key), hd->version, &remote->u.sa, remote->len,
	    &scid, &hd->dcid, quic_wall_ns());
	if (n <= 0)
		return;
	n = ngtcp2_crypto_write_retry(packet, sizeof(packet), hd->version,
	    &hd->scid, &scid, &hd->dcid, token, (size_t)n);
	if (n <= 0)
		return;
	e->stats.retries++;
	quic_end_send(e, local, remote, packet, (size_t)n);
}

/* Refused before there is a connection: an Initial says why. */
static void
send_close(struct quic_end *e, const struct addr *local,
    const struct addr *remote, const ngtcp2_pkt_hd *hd, uint64_t code)
{
	uint8_t packet[ANSWER_LEN];
	ngtcp2_ssize n;

	n = ngtcp2_crypto_write_connection_close(packet, sizeof(packet),
	    hd->version, &hd->scid, &hd->dcid, code, NULL, 0);
	if (n > 0)
		quic_end_send(e, local, remote, packet, (size_t)n);
}

void
quic_hello_versions(struct quic_end *e, const struct quic_datagram *d,
    const ngtcp2_version_cid *vc)
{
	/* One that nobody may use, so that lists are read (RFC 9000, 15). */
	static const uint32_t versions[] = { 0x1a2a3a4a, NGTCP2_PROTO_VER_V1 };
	uint8_t packet[ANSWER_LEN];
	ngtcp2_ssize n;
	uint8_t bits;

	if (e->events == NULL || e->deaf ||
	    d->len < NGTCP2_MAX_UDP_PAYLOAD_SIZE) {
		e->stats.ignored++;
		return;
	}
	rk_random(&bits, sizeof(bits));
	n = ngtcp2_pkt_write_version_negotiation(packet, sizeof(packet), bits,
	    vc->scid, vc->scidlen, vc->dcid, vc->dcidlen, versions,
	    sizeof(versions) / sizeof(versions[0]));
	if (n <= 0)
		return;
	e->stats.versions++;
	quic_end_send(e, d->local, d->remote, packet, (size_t)n);
}

/* May one more go in this second? */
static bool
may_reset(struct quic_end *e)
{
	uint64_t second = rk_loop_now(e->loop) / 1000;

	if (second != e->reset_second) {
		e->reset_second = second;
		e->reset_count = 0;
	}
	return e->reset_count++ < RESETS_MAX;
}

/* Shorter than what it answers, or two of us could go on for ever. */
void
quic_hello_reset(
    struct quic_end *e, const struct quic_datagram *d, const uint8_t *id)
{
	uint8_t token[QUIC_RESET_TOKEN_LEN];
	uint8_t noise[RESET_LEN];
	uint8_t packet[RESET_LEN];
	size_t len = d->len - 1 < RESET_LEN ? d->len - 1 : RESET_LEN;
	ngtcp2_ssize n;

	if (d->len <
	        1 + NGTCP2_MIN_STATELESS_RESET_RANDLEN + QUIC_RESET_TOKEN_LEN ||
	    e->events == NULL || !may_reset(e)) {
		e->stats.ignored++;
		return;
	}
	quic_cid_reset_token(&e->keys, id, QUIC_CID_LEN, token);
	rk_random(noise, sizeof(noise));
	n = ngtcp2_pkt_write_stateless_reset(
	    packet, len, token, noise, len - QUIC_RESET_TOKEN_LEN);
	if (n <= 0)
		return;
	e->stats.resets++;
	quic_end_send(e, d->local, d->remote, packet, (size_t)n);
}

/* ---- a new peer ---- */

/* What the token in the first packet proves. */
struct proof {
	ngtcp2_token_type type;
	bool retried;
	ngtcp2_cid first_id;
	bool bad; /* claims to be ours and is not */
};

static void
check_token(struct quic_end *e, const struct addr *remote,
    const ngtcp2_pkt_hd *hd, struct proof *p)
{
	*p = (struct proof){ .type = NGTCP2_TOKEN_TYPE_UNKNOWN };
	if (hd->tokenlen == 0)
		return;
	if (hd->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2) {
		p->bad =
		    ngtcp2_crypto_verify_retry_token2(&p->first_id, hd->token,
		        hd->tokenlen, e->token_key, sizeof(e->token_key),
		        hd->version, &remote->u.sa, remote->len, &hd->dcid,
		        RETRY_LIFE_NS, quic_wall_ns()) != 0;
		p->retried = !p->bad;
		if (!p->bad)
			p->type = NGTCP2_TOKEN_TYPE_RETRY;
	} else if (hd->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR &&
	           ngtcp2_crypto_verify_regular_token(hd->token, hd->tokenlen,
	               e->token_key, sizeof(e->token_key), &remote->u.sa,
	               remote->len, TOKEN_LIFE_NS, quic_wall_ns()) == 0) {
		p->type = NGTCP2_TOKEN_TYPE_NEW_TOKEN;
	}
}

static void
keep_datagram(struct quic_hello *h, const struct quic_datagram *d)
{
	uint8_t *copy;

	if (h->n == QUIC_HELLO_DATAGRAMS || d->len > DATAGRAM_MAX)
		return;
	copy = malloc(d->len);
	if (copy == NULL)
		return; /* lost: it comes again */
	memcpy(copy, d->data, d->len);
	h->datagrams[h->n].data = copy;
	h->datagrams[h->n].len = d->len;
	h->datagrams[h->n].ecn = d->ecn;
	h->n++;
}

void
quic_hello_free(struct quic_end *e, struct quic_hello *h)
{
	quic_map_remove(&e->hello_ids, &h->id);
	TAILQ_REMOVE(&e->hellos, h, link);
	e->n_hellos--;
	for (size_t i = 0; i < h->n; i++)
		free(h->datagrams[i].data);
	free(h);
}

static struct quic_hello *
hello_new(
    struct quic_end *e, const struct quic_datagram *d, const struct proof *p)
{
	struct quic_hello *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	TAILQ_INSERT_TAIL(&e->hellos, h, link);
	e->n_hellos++;
	h->local = *d->local;
	h->remote = *d->remote;
	h->token_type = p->type;
	h->retried = p->retried;
	h->first_id = p->first_id;
	keep_datagram(h, d);
	/* Again, so that the token is in our copy. */
	if (h->n == 1 &&
	    ngtcp2_accept(&h->hd, h->datagrams[0].data, d->len) == 0 &&
	    quic_map_add(&e->hello_ids, &h->id, h->hd.dcid.data,
	        h->hd.dcid.datalen, h) == RK_OK)
		return h;
	quic_hello_free(e, h);
	return NULL;
}

/* The rest of a first flight, which may be two packets long (RFC 9001, 4.3). */
static bool
is_more(struct quic_end *e, const struct quic_datagram *d)
{
	ngtcp2_version_cid vc;
	struct quic_hello *h;

	if (e->n_hellos == 0 || ngtcp2_pkt_decode_version_cid(
	                            &vc, d->data, d->len, QUIC_CID_LEN) != 0)
		return false;
	h = quic_map_find(&e->hello_ids, vc.dcid, vc.dcidlen);
	if (h == NULL)
		return false;
	keep_datagram(h, d);
	return true;
}

void
quic_hello_input(struct quic_end *e, const struct quic_datagram *d)
{
	size_t half_open = e->stats.half_open + e->n_hellos;
	ngtcp2_pkt_hd hd;
	struct proof proof;
	struct quic_hello *h;

	if (is_more(e, d))
		return;
	if (e->events == NULL || e->n_hellos >= HELLOS_MAX ||
	    ngtcp2_accept(&hd, d->data, d->len) != 0) {
		e->stats.ignored++;
		return;
	}
	if (e->deaf) {
		send_close(
		    e, d->local, d->remote, &hd, NGTCP2_CONNECTION_REFUSED);
		return;
	}
	check_token(e, d->remote, &hd, &proof);
	if (proof.bad) {
		send_close(e, d->local, d->remote, &hd, NGTCP2_INVALID_TOKEN);
		return;
	}
	if (proof.type == NGTCP2_TOKEN_TYPE_UNKNOWN &&
	    half_open >= e->retry_from) {
		quic_hello_retry(e, d->local, d->remote, &hd);
		return;
	}
	h = hello_new(e, d, &proof);
	if (h == NULL)
		e->stats.ignored++;
	else
		e->events->hello(e, h, e->arg);
}

void
quic_end_drop(struct quic_end *e, struct quic_hello *h, bool busy)
{
	if (busy)
		send_close(e, &h->local, &h->remote, &h->hd,
		    NGTCP2_CONNECTION_REFUSED);
	quic_hello_free(e, h);
}
