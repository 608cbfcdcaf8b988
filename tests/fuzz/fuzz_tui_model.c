/* The dashboard's model: whatever a daemon says, in whatever order. */
#include "tui/model.h"

#include "must.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const methods[] = { "_.status", "_.conns", "_.calls",
	"_.trust", "_.known", "_.log", "_.serves", "_.methods" };
#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

/* What holds whatever was taken in. */
static void
check(const struct model *m)
{
	size_t waiting = 0, changed = 0;

	must(m->n_conns <= MODEL_CONNS && m->n_keys <= MODEL_KEYS);
	must(m->n_calls <= MODEL_CALLS && m->n_log <= MODEL_LOG);
	must(m->log_now <= m->n_log && m->n_rates <= MODEL_RATES);
	for (size_t i = 0; i < m->n_conns; i++) {
		const struct model_conn *c = &m->conns[i];

		must(memchr(c->address, '\0', sizeof(c->address)) != NULL);
		must(c->id == 0 || model_conn(m, c->id)->id == c->id);
	}
	for (size_t i = 0; i < m->n_keys; i++) {
		const struct model_key *k = &m->keys[i];

		must(model_key(m, k->fp) == k);
		waiting += k->state <= KEY_EXPIRED;
		changed += k->state == KEY_CHANGED;
	}
	must(waiting == model_waiting(m) && changed == model_changed(m));
}

/* A byte that says what it is, two for its length, then the value. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model all; /* large */
	struct model *m = &all;
	struct rk_value_doc *doc;
	int64_t now = 0;
	size_t len;
	enum rk_err r;

	model_init(m);
	while (size >= 3) {
		unsigned what = data[0];

		len = (size_t)data[1] << 8 | data[2];
		len = len < size - 3 ? len : size - 3;
		now += (int64_t)(what >> 4) * 400;
		if (rk_value_decode(data + 3, len, &doc) == RK_OK) {
			const struct rk_value *v = rk_value_root(doc);

			r = what % 16 < N_METHODS
			        ? model_answer(m, methods[what % 16], v, now)
			        : model_event(m, v, now);
			must(r == RK_OK || r == RK_EPROTO || r == RK_ENOMEM);
			rk_value_free(doc);
		}
		model_tick(m, now);
		check(m);
		data += 3 + len;
		size -= 3 + len;
	}
	model_fini(m);
	return 0;
}
