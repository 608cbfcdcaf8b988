/* Words for completion: keys, of files and of keyvault's agent. */
#ifndef RPCD_WORDS_H
#define RPCD_WORDS_H

#include "cli/cmd.h"

/* words() of struct prog. */
const char *const *words_for(
    const struct args *a, enum complete kind, const char *prefix);

#endif
