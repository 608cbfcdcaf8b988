/* Who may begin a handshake: limits on the connections not yet trusted. */
#include "rpc/gate.h"

#include <string.h>

void
gate_init(struct gate *g, unsigned max_unproven, unsigned max_per_source)
{
	memset(g, 0, sizeof(*g));
	g->max_unproven = max_unproven;
	g->max_per_source = max_per_source;
}

/* Sources probe a short run of slots; a crowded run forgets its mildest. */
#define RUN 8

static size_t
slot_of(uint64_t prefix, size_t i)
{
	uint64_t h = prefix * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)((h >> 40) + i) % GATE_SOURCES;
}

static struct gate_source *
find(struct gate *g, uint64_t prefix)
{
	for (size_t i = 0; i < RUN; i++) {
		struct gate_source *s = &g->sources[slot_of(prefix, i)];

		if (s->used && s->prefix == prefix)
			return s;
	}
	return NULL;
}

/* NULL only when the whole run has unproven connections. */
static struct gate_source *
find_or_make(struct gate *g, uint64_t prefix)
{
	struct gate_source *s = find(g, prefix);
	struct gate_source *mildest = NULL;

	if (s != NULL)
		return s;
	for (size_t i = 0; i < RUN; i++) {
		s = &g->sources[slot_of(prefix, i)];
		if (!s->used) {
			mildest = s;
			break;
		}
		if (s->unproven == 0 &&
		    (mildest == NULL || s->until < mildest->until))
			mildest = s;
	}
	if (mildest != NULL)
		*mildest =
		    (struct gate_source){ .prefix = prefix, .used = true };
	return mildest;
}

static bool
dropped_early(const struct gate *g, unsigned roll)
{
	unsigned span, over, percent;

	if (g->unproven < GATE_START || g->max_unproven <= GATE_START)
		return g->unproven >= g->max_unproven;
	span = g->max_unproven - GATE_START;
	over = g->unproven - GATE_START;
	if (over >= span)
		return true;
	percent = GATE_RATE + (100 - GATE_RATE) * over / span;
	return roll < percent;
}

enum gate_verdict
gate_enter(
    struct gate *g, uint64_t prefix, bool exempt, uint64_t now, unsigned roll)
{
	struct gate_source *s;

	if (exempt)
		return GATE_ADMIT;
	s = find(g, prefix);
	if (s != NULL && s->until > now + GATE_PENALTY_MIN_MS)
		return GATE_PENALTY;
	if (s != NULL && s->unproven >= g->max_per_source)
		return GATE_SOURCE;
	if (dropped_early(g, roll))
		return GATE_FULL;
	s = find_or_make(g, prefix);
	if (s == NULL)
		return GATE_FULL;
	s->unproven++;
	g->unproven++;
	return GATE_ADMIT;
}

void
gate_leave(
    struct gate *g, uint64_t prefix, bool exempt, bool failed, uint64_t now)
{
	struct gate_source *s;

	if (exempt)
		return;
	if (g->unproven > 0)
		g->unproven--;
	s = find(g, prefix);
	if (s == NULL)
		return;
	if (s->unproven > 0)
		s->unproven--;
	if (!failed)
		return;
	if (s->until < now)
		s->until = now;
	s->until += GATE_PENALTY_MS;
	if (s->until > now + GATE_PENALTY_MAX_MS)
		s->until = now + GATE_PENALTY_MAX_MS;
}

const char *
gate_text(enum gate_verdict v)
{
	switch (v) {
	case GATE_ADMIT:
		return "admitted";
	case GATE_FULL:
		return "too many connections that have not proven themselves";
	case GATE_SOURCE:
		return "too many unproven connections from this network";
	case GATE_PENALTY:
		return "this network has failed too often lately";
	}
	return "refused";
}
