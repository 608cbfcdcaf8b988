/* The PSK layer's handshake: Noise NNpsk0, then certificates and signatures. */
#include "net/psk_hs.h"

#include "base/be.h"
#include "base/crypt.h"
#include "base/error.h"
#include "net/psk_proof.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <stdlib.h>

#define PROLOGUE "rpckit psk 1"
#define OUTER_NONE "plain"
#define OUTER_TLS "tls-exporter"
#define PROLOGUE_MAX \
	(sizeof(PROLOGUE) + PSK_ID_BYTES + sizeof(OUTER_TLS) + PSK_HS_OUTER_LEN)
#define LEN_LEN 2
#define VERDICT_LEN 1

/* ---- texts ---- */

static void
id_of(const struct psk_hs *hs, char id[RK_PSK_ID_LEN])
{
	psk_id_format(hs->used->id, id);
}

static enum rk_err
fail(struct psk_hs *hs, enum rk_err r)
{
	hs->step = PSK_HS_FAILED;
	noise_fini(&hs->noise);
	noise_cipher_wipe(&hs->send);
	noise_cipher_wipe(&hs->recv);
	return r;
}

static enum rk_err
not_proven(struct psk_hs *hs, struct rk_error *err)
{
	char id[RK_PSK_ID_LEN];

	id_of(hs, id);
	return fail(hs, err_set(err, RK_EPSK,
	                    "pre-shared key %s (id %s): the peer has not "
	                    "proven that it has it",
	                    hs->used->name, id));
}

static enum rk_err
out_of_memory(struct psk_hs *hs, struct rk_error *err)
{
	return fail(hs, err_set(err, RK_ENOMEM, "out of memory"));
}

enum rk_err
psk_hs_explain_end(const struct psk_hs *hs, struct rk_error *err)
{
	char id[RK_PSK_ID_LEN];

	switch (hs->step) {
	case PSK_HS_WAIT_1:
		return err_set(err, RK_EPSK,
		    "the peer went without proving a pre-shared key");
	case PSK_HS_WAIT_2:
		id_of(hs, id);
		return err_set(err, RK_EPSK,
		    "pre-shared key %s (id %s): the peer closed the "
		    "connection: it has none, or another, or cannot go on",
		    hs->used->name, id);
	case PSK_HS_BEGIN:
	case PSK_HS_WAIT_3:
	case PSK_HS_WAIT_4:
	case PSK_HS_DONE:
	case PSK_HS_FAILED:
		break;
	}
	return err_set(err, RK_EPSK,
	    "the peer closed the connection during the pre-shared key "
	    "handshake");
}

/* ---- the pieces ---- */

void
psk_hs_init(struct psk_hs *hs, const struct psk_hs_conf *conf)
{
	*hs = (struct psk_hs){
		.conf = *conf,
		.step = conf->server ? PSK_HS_WAIT_1 : PSK_HS_BEGIN,
	};
	if (conf->outer != NULL) {
		memcpy(hs->outer, conf->outer, sizeof(hs->outer));
		hs->conf.outer = hs->outer;
	}
	if (conf->ephemeral != NULL) {
		memcpy(hs->ephemeral, conf->ephemeral, sizeof(hs->ephemeral));
		hs->conf.ephemeral = hs->ephemeral;
	}
	noise_fini(&hs->noise);
}

void
psk_hs_fini(struct psk_hs *hs)
{
	free(hs->peer);
	hs->peer = NULL;
	(void)fail(hs, RK_OK);
	rk_wipe(hs->outer, sizeof(hs->outer));
	rk_wipe(hs->ephemeral, sizeof(hs->ephemeral));
}

static void
start_noise(struct psk_hs *hs)
{
	uint8_t text[PROLOGUE_MAX];
	struct noise_conf conf = {
		.initiator = !hs->conf.server,
		.psk = rk_secret_peek(hs->used->key),
		.prologue = text,
		.ephemeral = hs->conf.ephemeral,
	};
	size_t n = sizeof(PROLOGUE);

	memcpy(text, PROLOGUE, sizeof(PROLOGUE));
	memcpy(text + n, hs->used->id, PSK_ID_BYTES);
	n += PSK_ID_BYTES;
	if (hs->conf.outer == NULL) {
		memcpy(text + n, OUTER_NONE, sizeof(OUTER_NONE));
		n += sizeof(OUTER_NONE);
	} else {
		memcpy(text + n, OUTER_TLS, sizeof(OUTER_TLS));
		n += sizeof(OUTER_TLS);
		memcpy(text + n, hs->conf.outer, PSK_HS_OUTER_LEN);
		n += PSK_HS_OUTER_LEN;
	}
	conf.prologue_len = n;
	noise_init(&hs->noise, &conf);
	rk_wipe(text, sizeof(text));
}

static struct psk_proof
our_proof(const struct psk_hs *hs)
{
	return (struct psk_proof){ .server = hs->conf.server,
		.cert = hs->conf.cert,
		.key = hs->conf.key };
}

/* The length of what follows, big-endian. */
static void
put_len(uint8_t out[LEN_LEN], size_t len)
{
	assert(len <= UINT16_MAX);
	(void)be_put(out, len, LEN_LEN);
}

/* The bytes of a buffer that has some. */
static const uint8_t *
bytes_of(const struct buf *in)
{
	assert(in->data != NULL);
	return in->data + in->head;
}

/* Judge what the peer has shown: *verdict is for it, the result for us. */
static enum rk_err
judge(struct psk_hs *hs, const uint8_t *proof, size_t len,
    const uint8_t hash[NOISE_HASH_LEN], uint8_t *verdict, struct rk_error *err)
{
	const struct psk_judge j = {
		.server = !hs->conf.server,
		.asks = hs->conf.asks,
		.same_as = hs->conf.outer_cert,
		.verify = hs->conf.verify,
		.arg = hs->conf.arg,
	};

	return psk_proof_judge(
	    &j, proof, len, hash, verdict, &hs->peer, &hs->peer_len, err);
}

/* ---- messages with a direction's own key: the third and the fourth ---- */

static enum rk_err
put_sealed(struct psk_hs *hs, const uint8_t *msg, size_t len, struct buf *out)
{
	size_t total = LEN_LEN + len + NOISE_TAG_LEN;
	enum rk_err r;
	uint8_t *p;

	if ((r = buf_reserve(out, total, &p)) != RK_OK)
		return RK_ENOMEM;
	put_len(p, len + NOISE_TAG_LEN);
	r = noise_seal(&hs->send, p, LEN_LEN, msg, len, p + LEN_LEN);
	if (r == RK_OK)
		buf_commit(out, total);
	return r;
}

/* A verdict alone, or before a proof. */
static enum rk_err
put_verdict(struct psk_hs *hs, uint8_t verdict, bool proof, struct buf *out,
    struct rk_error *err)
{
	const struct psk_proof ours = our_proof(hs);
	size_t len = VERDICT_LEN + (proof ? psk_proof_len(&ours) : 0);
	uint8_t *msg = malloc(len);
	enum rk_err r = RK_OK;

	if (msg == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	msg[0] = verdict;
	if (proof)
		r = psk_proof_make(&ours, hs->final, msg + VERDICT_LEN, err);
	if (r == RK_OK && (r = put_sealed(hs, msg, len, out)) != RK_OK)
		(void)err_set(err, r, "out of memory");
	free(msg);
	return r;
}

/* Open what is whole in `in` to memory of its own, with at least a verdict. */
static enum rk_err
open_sealed(struct psk_hs *hs, struct buf *in, uint8_t **out, size_t *len,
    struct rk_error *err)
{
	const uint8_t *p = bytes_of(in);
	size_t n = be_get16(p);
	uint8_t *msg = malloc(n);

	*out = NULL;
	if (msg == NULL)
		return out_of_memory(hs, err);
	if (n < VERDICT_LEN + NOISE_TAG_LEN ||
	    noise_open(&hs->recv, p, LEN_LEN, p + LEN_LEN, n, msg) != RK_OK) {
		free(msg);
		return not_proven(hs, err);
	}
	buf_consume(in, LEN_LEN + n);
	*len = n - NOISE_TAG_LEN;
	*out = msg;
	return RK_OK;
}

/* ---- the client's part ---- */

static enum rk_err
put_first(struct psk_hs *hs, struct buf *out, struct rk_error *err)
{
	uint8_t *p;

	hs->used = psks_at(hs->conf.keys, 0);
	start_noise(hs);
	if (buf_reserve(out, PSK_HS_FIRST_LEN, &p) != RK_OK)
		return out_of_memory(hs, err);
	memcpy(p, PSK_HS_MAGIC, PSK_HS_MAGIC_LEN);
	memcpy(p + PSK_HS_MAGIC_LEN, hs->used->id, PSK_ID_BYTES);
	p += PSK_HS_MAGIC_LEN + PSK_ID_BYTES;
	if (noise_write_keys(&hs->noise, p) != RK_OK ||
	    noise_write_payload(&hs->noise, NULL, 0, p + NOISE_PUBLIC_LEN) !=
	        RK_OK)
		return not_proven(hs, err);
	buf_commit(out, PSK_HS_FIRST_LEN);
	hs->step = PSK_HS_WAIT_2;
	return RK_OK;
}

/* What the server shows, opened to memory of its own; hash is what it signed.
 */
static enum rk_err
open_second(struct psk_hs *hs, struct buf *in, uint8_t **proof, size_t *len,
    uint8_t hash[NOISE_HASH_LEN], struct rk_error *err)
{
	const uint8_t *p = bytes_of(in);
	size_t n = be_get16(p);

	*proof = NULL;
	if (n < NOISE_PUBLIC_LEN + NOISE_TAG_LEN ||
	    noise_read_keys(&hs->noise, p + LEN_LEN) != RK_OK)
		return not_proven(hs, err);
	noise_hash(&hs->noise, hash);
	n -= NOISE_PUBLIC_LEN;
	*proof = malloc(n);
	if (*proof == NULL)
		return out_of_memory(hs, err);
	if (noise_read_payload(
	        &hs->noise, p + LEN_LEN + NOISE_PUBLIC_LEN, n, *proof) != RK_OK)
		return not_proven(hs, err);
	hs->proven = true;
	buf_consume(in, LEN_LEN + NOISE_PUBLIC_LEN + n);
	*len = n - NOISE_TAG_LEN;
	return RK_OK;
}

static enum rk_err
split(struct psk_hs *hs, struct rk_error *err)
{
	noise_hash(&hs->noise, hs->final);
	if (noise_split(&hs->noise, &hs->send, &hs->recv) != RK_OK)
		return not_proven(hs, err);
	return RK_OK;
}

static enum rk_err
take_second(
    struct psk_hs *hs, struct buf *in, struct buf *out, struct rk_error *err)
{
	uint8_t hash[NOISE_HASH_LEN];
	uint8_t verdict = PSK_VERDICT_OK;
	uint8_t *proof = NULL;
	size_t len = 0;
	enum rk_err sent;
	enum rk_err r;

	if ((r = open_second(hs, in, &proof, &len, hash, err)) != RK_OK ||
	    (r = split(hs, err)) != RK_OK)
		goto out;
	r = judge(hs, proof, len, hash, &verdict, err);
	sent =
	    put_verdict(hs, verdict, r == RK_OK, out, r == RK_OK ? err : NULL);
	if (r == RK_OK)
		r = sent;
	if (r != RK_OK)
		(void)fail(hs, r);
	else
		hs->step = PSK_HS_WAIT_4;
out:
	free(proof);
	return r;
}

static enum rk_err
take_fourth(struct psk_hs *hs, struct buf *in, struct rk_error *err)
{
	uint8_t *msg;
	size_t len;
	enum rk_err r;

	if ((r = open_sealed(hs, in, &msg, &len, err)) != RK_OK)
		return r;
	r = psk_verdict_explain(msg[0], err);
	if (r == RK_OK && len != VERDICT_LEN)
		r = err_set(err, RK_EPROTO, "a verdict with more behind it");
	free(msg);
	if (r != RK_OK)
		return fail(hs, r);
	hs->step = PSK_HS_DONE;
	return RK_OK;
}

/* ---- the server's part ---- */

static enum rk_err
put_second(struct psk_hs *hs, struct buf *out, struct rk_error *err)
{
	const struct psk_proof ours = our_proof(hs);
	size_t len = psk_proof_len(&ours);
	size_t total = LEN_LEN + NOISE_PUBLIC_LEN + len + NOISE_TAG_LEN;
	uint8_t hash[NOISE_HASH_LEN];
	uint8_t *proof = malloc(len);
	enum rk_err r = RK_OK;
	uint8_t *p;

	if (proof == NULL || buf_reserve(out, total, &p) != RK_OK) {
		r = out_of_memory(hs, err);
		goto out;
	}
	put_len(p, total - LEN_LEN);
	p += LEN_LEN;
	if (noise_write_keys(&hs->noise, p) != RK_OK) {
		r = not_proven(hs, err);
		goto out;
	}
	noise_hash(&hs->noise, hash);
	if ((r = psk_proof_make(&ours, hash, proof, err)) != RK_OK)
		(void)fail(hs, r);
	else if (noise_write_payload(
	             &hs->noise, proof, len, p + NOISE_PUBLIC_LEN) != RK_OK)
		r = not_proven(hs, err);
	else
		buf_commit(out, total);
out:
	free(proof);
	return r;
}

static enum rk_err
find_key(struct psk_hs *hs, const uint8_t *first, struct rk_error *err)
{
	char id[RK_PSK_ID_LEN];

	if (memcmp(first, PSK_HS_MAGIC, PSK_HS_MAGIC_LEN) != 0)
		return fail(hs, err_set(err, RK_EPSK,
		                    "the peer uses no pre-shared key, and one "
		                    "is required here"));
	hs->used = psks_find(hs->conf.keys, first + PSK_HS_MAGIC_LEN);
	if (hs->used != NULL)
		return RK_OK;
	psk_id_format(first + PSK_HS_MAGIC_LEN, id);
	return fail(hs, err_set(err, RK_EPSK,
	                    "the peer's pre-shared key (id %s) is not known "
	                    "here",
	                    id));
}

static enum rk_err
take_first(
    struct psk_hs *hs, struct buf *in, struct buf *out, struct rk_error *err)
{
	const uint8_t *p = bytes_of(in);
	uint8_t none;
	enum rk_err r;

	if ((r = find_key(hs, p, err)) != RK_OK)
		return r;
	p += PSK_HS_MAGIC_LEN + PSK_ID_BYTES;
	start_noise(hs);
	/* Its tag is the proof of the key: nothing costs anything before. */
	if (noise_read_keys(&hs->noise, p) != RK_OK ||
	    noise_read_payload(&hs->noise, p + NOISE_PUBLIC_LEN, NOISE_TAG_LEN,
	        &none) != RK_OK)
		return not_proven(hs, err);
	hs->proven = true;
	buf_consume(in, PSK_HS_FIRST_LEN);
	if ((r = put_second(hs, out, err)) != RK_OK ||
	    (r = split(hs, err)) != RK_OK)
		return r;
	hs->step = PSK_HS_WAIT_3;
	return RK_OK;
}

static enum rk_err
take_third(
    struct psk_hs *hs, struct buf *in, struct buf *out, struct rk_error *err)
{
	uint8_t verdict = PSK_VERDICT_OK;
	uint8_t *msg;
	size_t len;
	enum rk_err sent;
	enum rk_err r;

	if ((r = open_sealed(hs, in, &msg, &len, err)) != RK_OK)
		return r;
	r = psk_verdict_explain(msg[0], err);
	if (r != RK_OK) {
		(void)fail(hs, r);
		goto out;
	}
	r = judge(
	    hs, msg + VERDICT_LEN, len - VERDICT_LEN, hs->final, &verdict, err);
	sent = put_verdict(hs, verdict, false, out, r == RK_OK ? err : NULL);
	if (r == RK_OK)
		r = sent;
	if (r != RK_OK)
		(void)fail(hs, r);
	else
		hs->step = PSK_HS_DONE;
out:
	free(msg);
	return r;
}

/* ---- both ---- */

/* The most that this message may say its length is. */
static size_t
longest(const struct psk_hs *hs)
{
	return hs->step == PSK_HS_WAIT_4 ? LEN_LEN + VERDICT_LEN + NOISE_TAG_LEN
	                                 : PSK_HS_LONGEST;
}

size_t
psk_hs_need(const struct psk_hs *hs, const struct buf *in)
{
	switch (hs->step) {
	case PSK_HS_BEGIN:
	case PSK_HS_DONE:
	case PSK_HS_FAILED:
		return 0;
	case PSK_HS_WAIT_1:
		/* Who does not begin as it should sends no more, perhaps. */
		return buf_len(in) < PSK_HS_MAGIC_LEN ? PSK_HS_MAGIC_LEN
		                                      : PSK_HS_FIRST_LEN;
	case PSK_HS_WAIT_2:
	case PSK_HS_WAIT_3:
	case PSK_HS_WAIT_4:
		break;
	}
	if (buf_len(in) < LEN_LEN)
		return LEN_LEN;
	return LEN_LEN + be_get16(bytes_of(in));
}

/* Is it there, as far as that can be told?  RK_EAGAIN: more has to come. */
static enum rk_err
check_whole(struct psk_hs *hs, const struct buf *in, struct rk_error *err)
{
	size_t len = buf_len(in);

	if (hs->step == PSK_HS_WAIT_1) {
		size_t n = len < PSK_HS_MAGIC_LEN ? len : PSK_HS_MAGIC_LEN;

		if (n > 0 && memcmp(bytes_of(in), PSK_HS_MAGIC, n) != 0) {
			uint8_t none[PSK_HS_MAGIC_LEN] = { 0 };

			return find_key(hs, none, err);
		}
		return len < PSK_HS_FIRST_LEN ? RK_EAGAIN : RK_OK;
	}
	if (len < LEN_LEN)
		return RK_EAGAIN;
	if (psk_hs_need(hs, in) > longest(hs))
		return not_proven(hs, err);
	return len < psk_hs_need(hs, in) ? RK_EAGAIN : RK_OK;
}

enum rk_err
psk_hs_step(
    struct psk_hs *hs, struct buf *in, struct buf *out, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	if (hs->step == PSK_HS_BEGIN)
		r = put_first(hs, out, err);
	while (r == RK_OK && hs->step != PSK_HS_DONE) {
		if (hs->step == PSK_HS_FAILED)
			return err_set(err, RK_ESTATE, "it has failed");
		if ((r = check_whole(hs, in, err)) != RK_OK)
			break;
		if (hs->step == PSK_HS_WAIT_1)
			r = take_first(hs, in, out, err);
		else if (hs->step == PSK_HS_WAIT_2)
			r = take_second(hs, in, out, err);
		else if (hs->step == PSK_HS_WAIT_3)
			r = take_third(hs, in, out, err);
		else
			r = take_fourth(hs, in, err);
	}
	return r;
}
