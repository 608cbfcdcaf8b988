/* What the clients' settings say of this program. */
#ifndef RPCTUI_PREFS_H
#define RPCTUI_PREFS_H

#include <rpckit/err.h>

struct args;

/* May letters decide about keys at once?  quick_keys of the context that -c
 * names, else of the config files.  RK_EFORMAT: "FILE:LINE: ...", in err; what
 * context_setting() says. */
RK_MUST enum rk_err prefs_quick_keys(
    const struct args *a, bool *on, struct rk_error *err);

#endif
