/* Asking before calls that may change something. */
#ifndef RPCSH_CONFIRM_H
#define RPCSH_CONFIRM_H

#include "target.h"

/*
 * May the method be called?  Where the setting `confirm` wants it, a person is
 * asked about one that the server does not say may be repeated.  The target is
 * connected.  False: no, and that was said; *status.
 */
bool confirm_call(
    struct target *t, const struct out *o, const char *method, int *status);

#endif
