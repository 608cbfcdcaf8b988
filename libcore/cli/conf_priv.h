/* What the files of the configuration reader share. */
#ifndef RPCKIT_CLI_CONF_PRIV_H
#define RPCKIT_CLI_CONF_PRIV_H

#include "cli/conf.h"

/* Bytes of value before a comment: a "#" behind a blank, outside quotes. */
size_t conf_comment(const char *value);

#endif
