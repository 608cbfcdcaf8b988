/* Names for completion: the contexts, and the methods a server had. */
#ifndef RPCSH_CACHE_H
#define RPCSH_CACHE_H

#include "cli/cmd.h"

#include <rpckit/value.h>

/* Remember the names in a server's list of methods.  What cannot be written
 * is not remembered. */
void cache_methods(const char *url, const struct rk_value *list);
/* The words of a kind; as words() of struct prog. */
const char *const *cache_words(enum complete kind, const char *prefix);

#endif
