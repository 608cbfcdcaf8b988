/* Parts of a snapshot. */
#ifndef RPCTUI_ONCE_H
#define RPCTUI_ONCE_H

#include "model.h"

#include "cli/out.h"

/* The agent's tables, nothing where there is none; and the member "agent" of
 * an object, null then, after a comma. */
RK_MUST enum rk_err once_agent(
    const struct out *out, const struct model_agent *a, int64_t now);
RK_MUST enum rk_err once_agent_json(
    struct buf *b, const struct model_agent *a, int64_t now);

#endif
