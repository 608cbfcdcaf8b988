/* The agent of a vault as lines, for rpctui --plain. */
#ifndef RPCTUI_PLAIN_AGENT_H
#define RPCTUI_PLAIN_AGENT_H

#include "model.h"

#include "cli/out.h"

/* What was told of it. */
struct plain_agent {
	bool there;
	uint32_t asked[MODEL_ASKED];
	size_t n_asked;
};

/* Lines for what has changed since; time: now, as text. */
void plain_agent_news(const struct out *out, struct plain_agent *told,
    const struct model_agent *a, const char *time);
/* All that it has, and what the daemon says of its own keys. */
void plain_agent_say(const struct out *out, const struct model *m, int64_t now);

#endif
