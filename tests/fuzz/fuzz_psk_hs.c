/* What a peer says in the PSK handshake: taken in pieces, at every step. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/psk_hs.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first of tests/vectors/psk, so that its messages get far. */
#define PSK                                                            \
	"a255349821da9f1503cad5d1d7163021b727872e3221292915eb36ea7a32" \
	"1e56"
#define CLIENT_SEED                                                    \
	"76c37e421c3fabcd6cae511117c80ce03a07f10d9bb325fecc2218ac6621" \
	"3af0"
#define SERVER_SEED                                                    \
	"2f315fae8e6a720b981641ce578fd413d31c282e99769c43a80344b63297" \
	"4b43"
#define CLIENT_E                                                       \
	"4103b493158d3b6b56e44427baac53a424ef73280baf3cba6087dd9c6a2e" \
	"f495"
#define SERVER_E                                                       \
	"c5f53a00d53bf51c8712c9bb069340c1e911583994d6fdacff2df7a457f6" \
	"86c3"
#define CLIENT_CERT                                                    \
	"3081d0308183a003020102020101300506032b65703011310f300d060355" \
	"04030c06636c69656e743020170d3230303130313030303030305a180f39" \
	"393939313233313233353935395a3011310f300d06035504030c06636c69" \
	"656e74302a300506032b6570032100570a8a90cf0adbbbe9029428489cc4" \
	"f0ad51bd247b8c37b0d49a781dd54561c7300506032b65700341005016fe" \
	"bf024bfec9cc7a220a4925c35f10efe7ae1870adebedd754987315ed39b1" \
	"daa7ae0f9d74b43ab8aa801fd3316b5cf2708e6a28bb4f140d3a8ab34fb9" \
	"04"
#define SERVER_CERT                                                    \
	"3081d0308183a003020102020101300506032b65703011310f300d060355" \
	"04030c067365727665723020170d3230303130313030303030305a180f39" \
	"393939313233313233353935395a3011310f300d06035504030c06736572" \
	"766572302a300506032b6570032100da8fac9c0942aadde714c049123011" \
	"32ecd43dff6d4359bb3f3ecf87a6745b95300506032b6570034100ffc234" \
	"068ba193f9635ad254ff62e043605c59f2a7ba47584ec7152cd5f291b76d" \
	"26c79aa0afe0c57efe3576d2cb136b5ea2ccfc39038074c905480b58dae0" \
	"09"

#define HEAD 2
#define MESSAGES 4

#define DER_MAX 512

struct end {
	struct psk_hs hs;
	struct rk_key *key;
	uint8_t der[DER_MAX];
	struct buf in;
	struct buf out;
	struct rk_error err;
};

static struct end ends[2]; /* the client is 0 */
static struct rk_psks *keys;

static size_t
unhex(const char *hex, uint8_t *dst, size_t cap)
{
	size_t n;

	must(str_unhex(hex, strlen(hex), dst, cap, &n) == RK_OK);
	return n;
}

static enum rk_err
judge(const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	(void)err;
	(void)arg;
	must(n == 1 && chain->len > 0);
	return RK_OK;
}

static void
open_end(int i, const char *seed, const char *ephemeral, const char *cert)
{
	struct end *e = &ends[i];
	struct psk_hs_conf conf = {
		.server = i == 1, .asks = true, .keys = keys, .verify = judge
	};
	uint8_t bytes[RK_KEY_SEED_LEN];

	(void)unhex(seed, bytes, sizeof(bytes));
	must(rk_key_from_seed(bytes, &e->key) == RK_OK);
	(void)unhex(ephemeral, bytes, sizeof(bytes));
	conf.ephemeral = bytes;
	conf.key = e->key;
	conf.cert =
	    (struct rk_bytes){ e->der, unhex(cert, e->der, sizeof(e->der)) };
	buf_init(&e->in, 65536);
	buf_init(&e->out, 65536);
	psk_hs_init(&e->hs, &conf);
}

static void
open_ends(void)
{
	uint8_t psk[RK_PSK_LEN];

	(void)unhex(PSK, psk, sizeof(psk));
	must(rk_psks_new(&keys) == RK_OK);
	must(rk_psks_add(keys, psk, "lab", NULL) == RK_OK);
	open_end(0, CLIENT_SEED, CLIENT_E, CLIENT_CERT);
	open_end(1, SERVER_SEED, SERVER_E, SERVER_CERT);
}

static void
close_ends(void)
{
	for (int i = 0; i < 2; i++) {
		psk_hs_fini(&ends[i].hs);
		rk_key_free(ends[i].key);
		buf_fini(&ends[i].in);
		buf_fini(&ends[i].out);
	}
	rk_psks_free(keys);
}

static enum rk_err
step(struct end *e)
{
	return psk_hs_step(&e->hs, &e->in, &e->out, &e->err);
}

static void
pass(struct end *from, struct end *to, enum rk_err want)
{
	must(buf_put(&to->in, buf_peek(&from->out), buf_len(&from->out)) ==
	     RK_OK);
	buf_consume(&from->out, SIZE_MAX);
	must(step(to) == want);
}

/* As the layer does: no more than what is needed, in pieces of this length. */
static enum rk_err
feed(struct end *e, const uint8_t *data, size_t size, size_t piece)
{
	enum rk_err r = RK_EAGAIN;

	while (r == RK_EAGAIN && size > 0) {
		size_t have = buf_len(&e->in);
		size_t need = psk_hs_need(&e->hs, &e->in);
		size_t n;

		must(need > have && need <= PSK_HS_LONGEST);
		n = need - have < piece ? need - have : piece;
		n = n < size ? n : size;
		must(buf_put(&e->in, data, n) == RK_OK);
		data += n;
		size -= n;
		r = step(e);
	}
	return r;
}

/* The first byte: how many messages come as they should before these bytes;
 * the second: in pieces of which length. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t magic[] = PSK_HS_MAGIC;
	struct end *e;
	enum rk_err got;
	unsigned n;

	if (size < HEAD)
		return 0;
	n = data[0] % MESSAGES;
	open_ends();
	must(step(&ends[0]) == RK_EAGAIN);
	for (unsigned i = 0; i < n; i++)
		pass(&ends[i % 2], &ends[1 - i % 2], i < 2 ? RK_EAGAIN : RK_OK);
	e = &ends[1 - n % 2];
	buf_consume(&e->out, SIZE_MAX);
	got = feed(e, data + HEAD, size - HEAD, (size_t)data[1] + 1);
	must(got == RK_OK || got == RK_EAGAIN || e->err.text[0] != '\0');
	/* Nothing is said to who has not even the beginning right. */
	if (n == 0 && (size < HEAD + PSK_HS_FIRST_LEN ||
	                  memcmp(data + HEAD, magic, PSK_HS_MAGIC_LEN) != 0))
		must(buf_len(&e->out) == 0);
	close_ends();
	return 0;
}
