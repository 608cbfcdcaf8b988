/* Both ends of a session's handshake, and their keys, without a pipe. */
#include "sesspair.h"

#include <rpckit/psk.h>

#include <stdlib.h>
#include <string.h>

static void
must(enum rk_err r)
{
	if (r != RK_OK)
		abort();
}

void
sesspair_open(struct sesspair *p, bool datagrams, bool psk)
{
	static const uint8_t secret[RK_PSK_LEN] = { 7, 1, 9 };

	memset(p, 0, sizeof(*p));
	if (psk) {
		must(rk_psks_new(&p->psks));
		must(rk_psks_add(p->psks, secret, "lab", NULL));
	}
	for (int i = 0; i < 2; i++) {
		must(rk_key_generate(&p->key[i]));
		sess_hs_init(
		    &p->hs[i], &(struct sess_hs_conf){ .initiator = i == 0,
		                   .datagrams = datagrams,
		                   .key = p->key[i],
		                   .psks = p->psks });
	}
	must(sess_hs_hello(&p->hs[0], p->hello, &p->hello_len, NULL));
}

void
sesspair_finish(struct sesspair *p)
{
	must(
	    sess_hs_answer(&p->hs[1], p->hello, p->hello_len, p->answer, NULL));
	must(sess_hs_take(&p->hs[0], p->answer, sizeof(p->answer), NULL));
	for (int i = 0; i < 2; i++)
		must(sess_keys_init(
		    &p->keys[i], &p->hs[i].noise, p->hs[i].conf.datagrams));
}

void
sesspair_close(struct sesspair *p)
{
	for (int i = 0; i < 2; i++) {
		sess_keys_fini(&p->keys[i]);
		sess_hs_fini(&p->hs[i]);
		rk_key_free(p->key[i]);
	}
	rk_psks_free(p->psks);
}
