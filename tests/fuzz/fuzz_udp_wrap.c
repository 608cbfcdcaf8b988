/* Datagrams of anybody at a UDP port of sessions: two bytes of length, and so
 * many, again and again, told apart and with cookies and proofs judged; what is
 * written is read back. */
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "net/udp_wrap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1700000030

static struct udp_keys keys;
static struct rk_psks *psks;

static void
set_up(void)
{
	static const uint8_t psk[RK_PSK_LEN] = { 1 };
	struct seed *seed;

	if (keys.seed != NULL)
		return;
	if (seed_new(NULL, &seed, NULL) != RK_OK)
		abort();
	udp_keys_init(&keys, seed);
	seed_free(seed);
	if (rk_psks_new(&psks) != RK_OK ||
	    rk_psks_add(psks, psk, "lab", NULL) != RK_OK)
		abort();
}

static bool
is_within(const uint8_t *p, size_t n, const uint8_t *from, size_t len)
{
	return p == NULL || (p >= from && (size_t)(p - from) + n <= len);
}

static void
check_views(const struct udp_msg *m, const uint8_t *p, size_t len)
{
	must(is_within(m->nonce, UDP_NONCE_LEN, p, len));
	must(is_within(m->cookie, UDP_COOKIE_LEN, p, len));
	must(is_within(m->id, UDP_ID_LEN, p, len));
	must(is_within(m->token, UDP_TOKEN_LEN, p, len));
	must(is_within(m->data, m->len, p, len));
	must((m->data == NULL) == (m->len == 0));
}

/* A knock's answer is shorter, and its cookie counts. */
static void
answer(const struct udp_msg *m, const struct addr *from, size_t len)
{
	uint8_t cookie[UDP_COOKIE_LEN];
	uint8_t out[UDP_RETRY_LEN];
	const struct udp_asker asker = { from, m->nonce, false };
	struct udp_msg back;
	size_t n;

	udp_cookie_make(&keys, &asker, 3, NOW, cookie);
	n = udp_put_retry(out, m->nonce, cookie);
	must(n < len && udp_parse(out, n, &back) == UDP_RETRY);
	must(udp_cookie_check(&keys, &asker, back.cookie, NOW));
	must(udp_id_loop(&keys, back.id) == 3);
}

/* A proof that counts is the one that we make, byte for byte:
 * the corpus has one. */
static void
prove(const uint8_t *knock)
{
	uint8_t want[UDP_KNOCK_LEN];
	const uint8_t *time_at = knock + UDP_HEAD_LEN + 1 + PSK_ID_BYTES;
	int64_t said = 0;

	if (!udp_knock_proves(knock, psks, NOW))
		return;
	for (int i = 0; i < 4; i++)
		said = said << 8 | time_at[i];
	must(said >= NOW - UDP_PROOF_LIFE_S && said <= NOW + UDP_PROOF_LIFE_S);
	(void)udp_put_knock(
	    want, knock + UDP_HEAD_LEN - UDP_NONCE_LEN, psks_at(psks, 0), said);
	must(memcmp(want, knock, sizeof(want)) == 0);
}

static void
look_at(const uint8_t *p, size_t len)
{
	struct addr from = { .len = sizeof(from.u.in) };
	struct udp_msg m;
	/* As the socket gives it: of this size, and no byte more. */
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		abort();
	memcpy(copy, p, len);
	from.u.in.sin_family = AF_INET;
	if (udp_parse(copy, len, &m) == UDP_NONE)
		must(m.nonce == NULL && m.id == NULL && m.data == NULL);
	check_views(&m, copy, len);
	if (m.kind == UDP_KNOCK) {
		answer(&m, &from, len);
		prove(copy);
	}
	if (m.kind == UDP_HELLO) { /* nobody but the seed can make one */
		const struct udp_asker asker = { &from, m.nonce, false };

		must(!udp_cookie_check(&keys, &asker, m.cookie, NOW));
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	while (size >= 2) {
		size_t n = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		n = n < size ? n : size;
		look_at(data, n);
		data += n;
		size -= n;
	}
	return 0;
}
