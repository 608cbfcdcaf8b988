/* The PSK handshake: vectors of another implementation, damage, other people's
 * messages, wrong keys and certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/psk_aead.h"
#include "net/psk_proof.h"
#include "net/psk_rec.h"

#include "pskrig.h"
#include "vectors.h"

#define LINE_MAX_LEN 4096
#define VECTORS 4
#define MESSAGES 4

static char *lines; /* the file */

/* ---- reading the vectors ---- */

/* The next line's value, which must have this name; *at goes behind it. */
static size_t
field(const char **at, const char *name, uint8_t *dst, size_t cap)
{
	char hex[LINE_MAX_LEN];
	size_t len = strcspn(*at, "\n");
	size_t n = strlen(name);

	if (strncmp(*at, name, n) != 0 || (*at)[n] != ' ' || len >= sizeof(hex))
		fail_msg("no %s in \"%.40s\"", name, *at);
	memcpy(hex, *at + n + 1, len - n - 1);
	hex[len - n - 1] = '\0';
	*at += len + 1;
	return vectors_unhex(dst, cap, hex);
}

static void
read_end(const char **at, struct pskvector *v, int i)
{
	const char *who = i == 0 ? "client" : "server";
	char name[32];

	(void)snprintf(name, sizeof(name), "%s-seed", who);
	(void)field(at, name, v->seed[i], sizeof(v->seed[i]));
	(void)snprintf(name, sizeof(name), "%s-cert", who);
	v->cert[i].len = field(at, name, v->der[i], sizeof(v->der[i]));
	v->cert[i].ptr = v->der[i];
	(void)snprintf(name, sizeof(name), "%s-ephemeral", who);
	(void)field(at, name, v->ephemeral[i], sizeof(v->ephemeral[i]));
}

/* Returns what follows: messages, keys, records. */
static const char *
read_vector(const char *at, struct pskvector *v)
{
	size_t len;

	*v = (struct pskvector){ 0 };
	assert_memory_equal(at, "handshake ", 10);
	len = strcspn(at + 10, "\n");
	assert_true(len < sizeof(v->name));
	memcpy(v->name, at + 10, len);
	at += 10 + len + 1;
	(void)field(&at, "psk", v->psk, sizeof(v->psk));
	v->has_outer = field(&at, "outer", v->outer, sizeof(v->outer)) > 0;
	read_end(&at, v, 0);
	read_end(&at, v, 1);
	return at;
}

static int
set_up(void **state)
{
	(void)state;
	lines = vectors_text("psk/handshakes.txt");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(lines);
	return 0;
}

/* The n-th, and what follows it. */
static const char *
vector_at(unsigned n, struct pskvector *v)
{
	const char *at = lines;

	for (unsigned i = 0; i < n; i++)
		at = strstr(at, "\n\n") + 2;
	return read_vector(at, v);
}

/* ---- the vectors ---- */

static void
check_records(const char **at, const char *way, struct noise_cipher *seal,
    struct noise_cipher *open)
{
	uint8_t plain[PSKRIG_FIELD_MAX];
	uint8_t want[PSKRIG_FIELD_MAX];
	uint8_t got[PSKRIG_FIELD_MAX];
	char name[32];
	size_t total;

	(void)snprintf(name, sizeof(name), "%s-plain", way);
	while (strncmp(*at, name, strlen(name)) == 0) {
		char record[40];
		size_t len = field(at, name, plain, sizeof(plain));
		size_t n;

		(void)snprintf(record, sizeof(record), "%s-record", way);
		n = field(at, record, want, sizeof(want));
		assert_int_equal(n, len + PSK_REC_EXTRA);
		assert_int_equal(psk_rec_seal(seal, plain, len, got), RK_OK);
		assert_memory_equal(got, want, n);
		assert_int_equal(psk_rec_total(want, n, &total), RK_OK);
		assert_int_equal(total, n);
		assert_int_equal(psk_rec_open(open, want, n, got), RK_OK);
		assert_memory_equal(got, plain, len);
	}
}

static void
check_keys(const char **at, struct pskrig *r)
{
	uint8_t want[NOISE_HASH_LEN];

	(void)field(at, "hash", want, sizeof(want));
	for (int i = 0; i < 2; i++)
		assert_memory_equal(r->end[i].hs.final, want, sizeof(want));
	(void)field(at, "up-key", want, sizeof(want));
	assert_memory_equal(r->end[0].hs.send.key, want, sizeof(want));
	assert_memory_equal(r->end[1].hs.recv.key, want, sizeof(want));
	(void)field(at, "down-key", want, sizeof(want));
	assert_memory_equal(r->end[1].hs.send.key, want, sizeof(want));
	assert_memory_equal(r->end[0].hs.recv.key, want, sizeof(want));
}

static struct psk_aead aead;

static void
use_openssl(struct pskrig *r)
{
	assert_int_equal(psk_aead_init(&aead), RK_OK);
	aead.least = 0;
	for (int i = 0; i < 2; i++) {
		psk_aead_give(&aead, &r->end[i].hs.send);
		psk_aead_give(&aead, &r->end[i].hs.recv);
	}
}

static void
check_vector(const char *at, const struct pskvector *v, bool by_openssl)
{
	uint8_t want[PSKRIG_FIELD_MAX];
	struct pskrig r;
	char name[32];
	size_t n;

	pskrig_open(&r, v);
	assert_int_equal(pskrig_step(&r.end[0]), RK_EAGAIN);
	assert_int_equal(pskrig_step(&r.end[1]), RK_EAGAIN);
	for (int i = 0; i < MESSAGES; i++) {
		struct pskend *from = &r.end[i % 2];

		(void)snprintf(name, sizeof(name), "message-%d", i + 1);
		n = field(&at, name, want, sizeof(want));
		assert_int_equal(buf_len(&from->out), n);
		assert_memory_equal(buf_peek(&from->out), want, n);
		assert_int_equal(pskrig_pass(from, &r.end[1 - i % 2]),
		    i < 2 ? RK_EAGAIN : RK_OK);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(r.end[i].asked, v->cert[1 - i].len > 0);
		assert_int_equal(r.end[i].hs.peer_len, v->cert[1 - i].len);
		assert_string_equal(r.end[i].hs.used->name, "lab");
	}
	check_keys(&at, &r);
	if (by_openssl)
		use_openssl(&r);
	check_records(&at, "up", &r.end[0].hs.send, &r.end[1].hs.recv);
	check_records(&at, "down", &r.end[1].hs.send, &r.end[0].hs.recv);
	r.end[0].hs.send.next = r.end[1].hs.recv.next = PSK_REC_REKEY - 1;
	check_records(&at, "late", &r.end[0].hs.send, &r.end[1].hs.recv);
	pskrig_close(&r);
	psk_aead_fini(&aead);
}

static void
test_vectors(void **state)
{
	struct pskvector v;

	(void)state;
	for (unsigned i = 0; i < 2 * VECTORS; i++)
		check_vector(vector_at(i / 2, &v), &v, i % 2 == 1);
}

/* ---- damage ---- */

/* Up to the n-th message, which is in r->end[n % 2].out. */
static void
up_to(struct pskrig *r, int n)
{
	assert_int_equal(pskrig_step(&r->end[0]), RK_EAGAIN);
	for (int i = 0; i < n; i++)
		assert_int_equal(
		    pskrig_pass(&r->end[i % 2], &r->end[1 - i % 2]),
		    i < 2 ? RK_EAGAIN : RK_OK);
}

/* An end that gets these bytes instead; it is as before in the end. */
static enum rk_err
try_bytes(struct pskend *e, const uint8_t *p, size_t len, size_t *said)
{
	struct psk_hs hs = e->hs;
	enum rk_err r;

	assert_int_equal(buf_put(&e->in, p, len), RK_OK);
	r = psk_hs_step(&e->hs, &e->in, &e->out, &e->err);
	*said = buf_len(&e->out);
	if (r != RK_OK && r != RK_EAGAIN) {
		assert_int_equal(e->hs.step, PSK_HS_FAILED);
		assert_true(e->err.text[0] != '\0');
		assert_int_equal(
		    psk_hs_step(&e->hs, &e->in, &e->out, &e->err), RK_ESTATE);
	}
	assert_ptr_equal(e->hs.peer, hs.peer);
	e->hs = hs;
	buf_consume(&e->in, SIZE_MAX);
	buf_consume(&e->out, SIZE_MAX);
	return r;
}

static void
test_every_bit(void **state)
{
	uint8_t msg[PSKRIG_FIELD_MAX];
	struct pskvector v;
	struct pskrig r;
	enum rk_err got;
	size_t said;
	size_t len;

	(void)state;
	(void)vector_at(1, &v);
	for (int n = 0; n < MESSAGES; n++) {
		struct pskend *from = &r.end[n % 2];

		pskrig_open(&r, &v);
		up_to(&r, n);
		len = buf_len(&from->out);
		memcpy(msg, buf_peek(&from->out), len);
		for (size_t bit = 0; bit < len * 8; bit++) {
			/* One of each byte, and all of the first. */
			if (bit >= 128 && bit % 8 != bit / 8 % 8)
				continue;
			msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
			got = try_bytes(&r.end[1 - n % 2], msg, len, &said);
			msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
			/* A longer one is waited for, and never comes. */
			if (n > 0 && bit < 16 && got == RK_EAGAIN)
				continue;
			assert_int_equal(got, RK_EPSK);
			assert_int_equal(said, 0);
		}
		pskrig_close(&r);
	}
}

/* Nothing happens before a message is whole, and no more is asked for than what
 * belongs to it. */
static void
test_every_length(void **state)
{
	struct pskvector v;
	struct pskrig r;

	(void)state;
	(void)vector_at(0, &v);
	pskrig_open(&r, &v);
	assert_int_equal(pskrig_step(&r.end[0]), RK_EAGAIN);
	for (int n = 0; n < MESSAGES; n++) {
		struct pskend *from = &r.end[n % 2];
		struct pskend *to = &r.end[1 - n % 2];
		size_t len = buf_len(&from->out);

		for (size_t i = 0; i < len; i++) {
			struct rk_error err;

			assert_int_equal(pskrig_step(to), RK_EAGAIN);
			assert_true(psk_hs_need(&to->hs, &to->in) > i);
			assert_true(psk_hs_need(&to->hs, &to->in) <= len);
			assert_int_equal(buf_len(&to->out), 0);
			assert_int_equal(
			    psk_hs_explain_end(&to->hs, &err), RK_EPSK);
			assert_int_equal(
			    buf_put(&to->in, buf_peek(&from->out), 1), RK_OK);
			buf_consume(&from->out, 1);
		}
		assert_int_equal(pskrig_step(to), n < 2 ? RK_EAGAIN : RK_OK);
		assert_int_equal(buf_len(&to->in), 0);
	}
	pskrig_close(&r);
}

/* A length that no message has is refused before anything is waited for. */
static void
test_lying_lengths(void **state)
{
	static const uint8_t longest[] = { 0xff, 0xff };
	static const uint8_t shortest[] = { 0, 0 };
	struct pskvector v;
	struct pskrig r;
	size_t said;

	(void)state;
	(void)vector_at(0, &v);
	for (int n = 1; n < MESSAGES; n++) {
		pskrig_open(&r, &v);
		up_to(&r, n);
		assert_int_equal(
		    try_bytes(&r.end[1 - n % 2], longest, 2, &said), RK_EPSK);
		assert_int_equal(
		    try_bytes(&r.end[1 - n % 2], shortest, 2, &said), RK_EPSK);
		pskrig_close(&r);
	}
}

/* ---- messages of others ---- */

static void
copy_out(const struct pskend *e, uint8_t *dst, size_t *len)
{
	*len = buf_len(&e->out);
	assert_true(*len <= PSKRIG_FIELD_MAX);
	memcpy(dst, buf_peek(&e->out), *len);
}

/* Every message of one session, to each end of another. */
static void
test_other_session(void **state)
{
	uint8_t msg[MESSAGES][PSKRIG_FIELD_MAX];
	size_t len[MESSAGES];
	struct pskvector v;
	struct pskrig r;
	size_t said;

	(void)state;
	(void)vector_at(0, &v);
	for (int n = 0; n < MESSAGES; n++) {
		pskrig_open(&r, &v);
		up_to(&r, n);
		copy_out(&r.end[n % 2], msg[n], &len[n]);
		pskrig_close(&r);
	}
	v.ephemeral[0][5] ^= 1; /* the same but for the X25519 keys */
	v.ephemeral[1][5] ^= 1;
	for (int at = 0; at < MESSAGES; at++) {
		pskrig_open(&r, &v);
		up_to(&r, at);
		for (int n = 0; n < MESSAGES; n++) {
			enum rk_err got = try_bytes(
			    &r.end[1 - at % 2], msg[n], len[n], &said);

			/* Again, a first message gets an answer, that only who
			 * sent it at first could open. */
			if (at == 0 && n == 0)
				assert_int_equal(got, RK_EAGAIN);
			else if (got != RK_EPSK)
				assert_int_equal(got, RK_EAGAIN);
			assert_int_equal(said > 0, at == 0 && n == 0);
		}
		pskrig_close(&r);
	}
}

/* Each end's own messages come back to it. */
static void
test_reflection(void **state)
{
	uint8_t msg[PSKRIG_FIELD_MAX];
	struct pskvector v;
	struct pskrig r;
	size_t said;
	size_t len;

	(void)state;
	(void)vector_at(3, &v); /* nothing but the key tells the ends apart */
	for (int n = 0; n < MESSAGES - 1; n++) {
		pskrig_open(&r, &v);
		up_to(&r, n);
		copy_out(&r.end[n % 2], msg, &len);
		buf_consume(&r.end[n % 2].out, SIZE_MAX);
		assert_int_not_equal(
		    try_bytes(&r.end[n % 2], msg, len, &said), RK_OK);
		assert_int_equal(said, 0);
		pskrig_close(&r);
	}
}

/* ---- wrong keys ---- */

static void
test_unknown_key(void **state)
{
	uint8_t key[RK_PSK_LEN] = { 1 };
	struct rk_psks *other;
	struct pskvector v;
	struct pskrig r;

	(void)state;
	assert_int_equal(rk_psks_new(&other), RK_OK);
	assert_int_equal(rk_psks_add(other, key, "other", NULL), RK_OK);
	(void)vector_at(0, &v);
	pskrig_open(&r, &v);
	r.end[0].conf.keys = other;
	pskrig_begin(&r.end[0]);
	assert_int_equal(pskrig_step(&r.end[0]), RK_EAGAIN);
	assert_int_equal(pskrig_pass(&r.end[0], &r.end[1]), RK_EPSK);
	assert_non_null(strstr(r.end[1].err.text, "is not known here"));
	assert_int_equal(buf_len(&r.end[1].out), 0);
	pskrig_close(&r);
	rk_psks_free(other);
}

/* Two TLS sessions with somebody between them, who passes on what he gets. */
static void
test_between_two_sessions(void **state)
{
	uint8_t outer[PSK_HS_OUTER_LEN] = { 1 };
	struct pskvector v;
	struct pskrig r;

	(void)state;
	(void)vector_at(1, &v);
	for (int i = 0; i < 2; i++) {
		pskrig_open(&r, &v);
		r.end[0].conf.outer = i == 0 ? outer : NULL;
		pskrig_begin(&r.end[0]);
		assert_int_equal(pskrig_step(&r.end[0]), RK_EAGAIN);
		assert_int_equal(pskrig_pass(&r.end[0], &r.end[1]), RK_EPSK);
		assert_non_null(strstr(r.end[1].err.text, "has not proven"));
		assert_int_equal(buf_len(&r.end[1].out), 0);
		pskrig_close(&r);
	}
}

/* ---- wrong certificates under the right key ---- */

struct wrong {
	int who; /* shows it */
	enum rk_err verdict;
	bool stolen;  /* without its key */
	bool hidden;  /* shows none */
	bool another; /* TLS has seen another one */
	enum rk_err here;
	enum rk_err there; /* what its owner is told */
};

static void
check_wrong(const struct wrong *w)
{
	static const uint8_t other[] = { 0x30, 0 };
	struct pskvector v;
	struct pskrig r;
	struct pskend *shows;
	struct pskend *judges;

	(void)vector_at(0, &v);
	pskrig_open(&r, &v);
	shows = &r.end[w->who];
	judges = &r.end[1 - w->who];
	judges->verdict = w->verdict;
	if (w->stolen)
		shows->conf.key = judges->key;
	if (w->hidden)
		shows->conf.cert = (struct rk_bytes){ 0 };
	if (w->another)
		judges->conf.outer_cert = (struct rk_bytes){ other, 2 };
	pskrig_begin(&r.end[0]);
	pskrig_begin(&r.end[1]);
	up_to(&r, w->who == 0 ? 2 : 1);
	assert_int_equal(pskrig_pass(shows, judges), w->here);
	assert_null(judges->hs.peer);
	assert_true(judges->err.text[0] != '\0');
	assert_int_equal(pskrig_pass(judges, shows), w->there);
	assert_non_null(strstr(shows->err.text, "the peer "));
	assert_int_equal(judges->asked, w->verdict != RK_OK);
	pskrig_close(&r);
}

static void
test_wrong_certificates(void **state)
{
	static const struct wrong all[] = {
		{ .verdict = RK_ECERT, .here = RK_ECERT, .there = RK_ECERT },
		{ .verdict = RK_EREVOKED,
		    .here = RK_EREVOKED,
		    .there = RK_EREVOKED },
		{ .verdict = RK_EUNKNOWNKEY,
		    .here = RK_EUNKNOWNKEY,
		    .there = RK_ECERT },
		{ .stolen = true, .here = RK_ECERT, .there = RK_ECERT },
		{ .hidden = true, .here = RK_ECERT, .there = RK_ECERT },
		{ .another = true, .here = RK_ECERT, .there = RK_ECERT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (int who = 0; who < 2; who++) {
			struct wrong w = all[i];

			w.who = who;
			check_wrong(&w);
		}
	}
}

/* Proofs of the wrong form. */
static void
test_bad_proofs(void **state)
{
	static const uint8_t hash[NOISE_HASH_LEN];
	uint8_t bytes[RK_KEY_SIG_LEN + 8] = { 0 };
	const struct psk_judge j = { .asks = true };
	uint8_t verdict;
	uint8_t *cert = NULL;
	size_t len = 0;

	(void)state;
	for (size_t n = 0; n < 2; n++)
		assert_int_equal(psk_proof_judge(&j, bytes, n, hash, &verdict,
		                     &cert, &len, NULL),
		    RK_EPROTO);
	assert_int_equal(
	    psk_proof_judge(&j, bytes, 3, hash, &verdict, &cert, &len, NULL),
	    RK_EPROTO);
	bytes[1] = 6; /* of a certificate, and its signature */
	for (size_t n = 2; n < sizeof(bytes); n++)
		assert_int_equal(psk_proof_judge(&j, bytes, n, hash, &verdict,
		                     &cert, &len, NULL),
		    RK_EPROTO);
	assert_int_not_equal(psk_proof_judge(&j, bytes, sizeof(bytes), hash,
	                         &verdict, &cert, &len, NULL),
	    RK_OK);
	assert_int_equal(verdict, PSK_VERDICT_BAD_CERT);
	bytes[0] = 0xff;
	assert_int_equal(psk_proof_judge(&j, bytes, sizeof(bytes), hash,
	                     &verdict, &cert, &len, NULL),
	    RK_EPROTO);
	assert_null(cert);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_lying_lengths),
		cmocka_unit_test(test_other_session),
		cmocka_unit_test(test_reflection),
		cmocka_unit_test(test_unknown_key),
		cmocka_unit_test(test_between_two_sessions),
		cmocka_unit_test(test_wrong_certificates),
		cmocka_unit_test(test_bad_proofs),
	};

	return cmocka_run_group_tests_name("psk_hs", tests, set_up, tear_down);
}
