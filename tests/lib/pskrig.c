/* Both ends of PSK handshakes. */
#include "pskrig.h"

#include "base/error.h"

#include <stdlib.h>

static enum rk_err
judge(const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	struct pskend *e = arg;

	if (n != 1 || chain->len == 0)
		abort();
	e->asked++;
	if (e->verdict == RK_OK)
		return RK_OK;
	return err_set(err, e->verdict, "%s", rk_err_text(e->verdict));
}

void
pskrig_begin(struct pskend *e)
{
	psk_hs_fini(&e->hs);
	psk_hs_init(&e->hs, &e->conf);
	buf_consume(&e->in, SIZE_MAX);
	buf_consume(&e->out, SIZE_MAX);
}

void
pskrig_open(struct pskrig *r, const struct pskvector *v)
{
	*r = (struct pskrig){ 0 };
	if (rk_psks_new(&r->keys) != RK_OK ||
	    rk_psks_add(r->keys, v->psk, "lab", NULL) != RK_OK)
		abort();
	for (int i = 0; i < 2; i++) {
		struct pskend *e = &r->end[i];

		if (rk_key_from_seed(v->seed[i], &e->key) != RK_OK)
			abort();
		e->conf = (struct psk_hs_conf){
			.server = i == 1,
			.asks = v->cert[1 - i].len > 0,
			.keys = r->keys,
			.cert = v->cert[i],
			.key = e->key,
			.outer = v->has_outer ? v->outer : NULL,
			.verify = judge,
			.arg = e,
			.ephemeral = v->ephemeral[i],
		};
		buf_init(&e->in, 65536);
		buf_init(&e->out, 65536);
		pskrig_begin(e);
	}
}

void
pskrig_close(struct pskrig *r)
{
	for (int i = 0; i < 2; i++) {
		struct pskend *e = &r->end[i];

		psk_hs_fini(&e->hs);
		rk_key_free(e->key);
		buf_fini(&e->in);
		buf_fini(&e->out);
	}
	rk_psks_free(r->keys);
}

enum rk_err
pskrig_step(struct pskend *e)
{
	return psk_hs_step(&e->hs, &e->in, &e->out, &e->err);
}

enum rk_err
pskrig_pass(struct pskend *from, struct pskend *to)
{
	if (buf_put(&to->in, buf_peek(&from->out), buf_len(&from->out)) !=
	    RK_OK)
		abort();
	buf_consume(&from->out, SIZE_MAX);
	return pskrig_step(to);
}
