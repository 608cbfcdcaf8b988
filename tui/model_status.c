/* The daemon itself, and how much moves through it a second. */
#include "model_int.h"

#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ---- rates ---- */

/* The present second gets the newest figure, those that were missed as well. */
static void
push_rate(struct model *m, int64_t now)
{
	struct model_status *s = &m->status;
	int64_t sec = now / 1000;
	int64_t n = m->n_rates == 0 ? 1 : sec - m->rate_sec;

	if (n < 0 || n > MODEL_RATES)
		n = n < 0 ? 0 : MODEL_RATES;
	m->rate_sec = sec;
	for (; n > 0; n--) {
		m->rate_last = (m->rate_last + 1) % MODEL_RATES;
		m->rx_rates[m->rate_last] = s->rx;
		m->tx_rates[m->rate_last] = s->tx;
		if (m->n_rates < MODEL_RATES)
			m->n_rates++;
	}
	m->rx_rates[m->rate_last] = s->rx;
	m->tx_rates[m->rate_last] = s->tx;
}

static void
take_bytes(struct model *m, const struct rk_value *bytes, int64_t now)
{
	struct model_status *s = &m->status;
	uint64_t in = ctl_number(bytes, "in");
	uint64_t out = ctl_number(bytes, "out");
	int64_t ms = now - m->bytes_ms;

	/* Twice at the same time tells nothing new. */
	if (m->bytes_ms != 0 && ms == 0)
		return;
	s->rx = m->bytes_ms != 0 ? rate_of(s->in, in, ms) : 0;
	s->tx = m->bytes_ms != 0 ? rate_of(s->out, out, ms) : 0;
	s->in = in;
	s->out = out;
	push_rate(m, now);
	m->bytes_ms = now;
}

/* ---- the answer ---- */

/* A figure by its name. */
struct figure {
	const char *name;
	uint64_t *to;
};

static void
take_numbers(const struct rk_value *map, const struct figure *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*f[i].to = ctl_number(map, f[i].name);
}

void
status_trust(struct model *m, const struct rk_value *trust)
{
	struct model_status *s = &m->status;
	const struct figure keys[] = {
		{ "known", &s->known },
		{ "waiting", &s->waiting },
		{ "turned_away", &s->turned },
		{ "once", &s->once },
		{ "rejected", &s->rejected },
		{ "revoked", &s->revoked },
	};

	s->has_trust = trust != NULL && trust->kind == RK_MAP;
	take_text(trust, "mode", s->mode, sizeof(s->mode));
	take_text(trust, "list", s->list, sizeof(s->list));
	take_numbers(trust, keys, LEN(keys));
}

static void
take_listeners(struct model_status *s, const struct rk_value *list)
{
	s->n_listeners = 0;
	if (list == NULL || list->kind != RK_ARRAY)
		return;
	for (uint32_t i = 0;
	     i < list->u.list.count && s->n_listeners < LEN(s->listeners); i++)
		take_str(&list->u.list.items[i], s->listeners[s->n_listeners++],
		    sizeof(s->listeners[0]));
}

static void
take_facts(struct model_status *s, const struct rk_value *map)
{
	s->n_facts = 0;
	if (map == NULL || map->kind != RK_MAP)
		return;
	for (uint32_t i = 0;
	     i < map->u.list.count && s->n_facts < LEN(s->facts); i++) {
		struct model_fact *f = &s->facts[s->n_facts++];

		take_str(&map->u.list.items[2 * i], f->key, sizeof(f->key));
		take_str(
		    &map->u.list.items[2 * i + 1], f->text, sizeof(f->text));
	}
}

static void
take_figures(struct model_status *s, const struct rk_value *answer)
{
	const struct figure conns[] = {
		{ "new", &s->fresh },
		{ "active", &s->active },
		{ "idle", &s->idle },
		{ "closing", &s->closing },
		{ "accepted", &s->accepted },
		{ "refused", &s->refused },
	};
	const struct figure calls[] = {
		{ "running", &s->running },
		{ "begun", &s->begun },
	};

	take_numbers(rk_value_get(answer, "connections"), conns, LEN(conns));
	take_numbers(rk_value_get(answer, "calls"), calls, LEN(calls));
	s->max_conns =
	    ctl_number(rk_value_get(answer, "limits"), "connections");
}

/* Another process: what was known is of the one before. */
static void
begin_anew(struct model *m)
{
	conns_clear(m);
	keys_clear(m);
	m->n_calls = 0;
	m->calls_left_out = 0;
	m->log_now = 0;
	m->bytes_ms = 0;
	m->status.asked_ms = 0;
}

enum rk_err
status_answer(struct model *m, const struct rk_value *answer, int64_t now)
{
	struct model_status *s = &m->status;
	char since[sizeof(s->since)];
	uint64_t pid = ctl_number(answer, "pid");

	if (answer == NULL || answer->kind != RK_MAP)
		return RK_EPROTO;
	take_text(answer, "since", since, sizeof(since));
	if (s->asked_ms != 0 && (s->pid != pid || strcmp(s->since, since) != 0))
		begin_anew(m);
	m->process += s->asked_ms == 0;
	s->pid = pid;
	take_text(answer, "since", s->since, sizeof(s->since));
	take_text(answer, "name", s->name, sizeof(s->name));
	take_text(answer, "version", s->version, sizeof(s->version));
	take_text(answer, "state", s->state, sizeof(s->state));
	s->up_ms = now - take_ago(answer, "up_ms", now);
	s->asked_ms = now;
	s->threads = ctl_number(answer, "threads");
	take_listeners(s, rk_value_get(answer, "listeners"));
	take_facts(s, rk_value_get(answer, "facts"));
	take_figures(s, answer);
	take_bytes(m, rk_value_get(answer, "bytes"), now);
	status_trust(m, rk_value_get(answer, "trust"));
	return RK_OK;
}
