/* What rpctui --plain says: the daemon, its lists, an event, as lines. */
#ifndef RPCTUI_PLAIN_SAY_H
#define RPCTUI_PLAIN_SAY_H

#include "model.h"

#include "cli/out.h"

/* The time of day, as text. */
const char *plain_now(char dst[32]);

typedef void plain_say_fn(const struct out *out, const struct model *m);
plain_say_fn plain_say_status, plain_say_waiting, plain_say_conns,
    plain_say_calls;
/* Nothing of one that another event tells as well. */
void plain_say_event(const struct out *out, const struct rk_value *event);

#endif
