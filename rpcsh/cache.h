/* Names for completion: contexts, methods a server had, and their fields. */
#ifndef RPCSH_CACHE_H
#define RPCSH_CACHE_H

#include "cli/cmd.h"

#include <rpckit/value.h>

/* Remember the names in a server's list of methods.  What cannot be written
 * is not remembered. */
void cache_methods(const char *url, const struct rk_value *list);
/* The words of a kind; as words() of struct prog. */
const char *const *cache_words(enum complete kind, const char *prefix);
/* The same for a server's URL (NULL: that of the settings); COMPLETE_NONE: the
 * beginnings of items, "a:=", of the fields of a method. */
const char *const *cache_for(
    const char *url, enum complete kind, const char *method);

#endif
