/* Looking before leaping: can these settings work here? */
#ifndef RPCD_CHECK_H
#define RPCD_CHECK_H

#include "creds.h"
#include "inherit.h"

/* Warn about commands that cannot be run or that others could change, and about
 * folders that are not there. */
void check_commands(const struct settings *s);
/*
 * All of -t: keys, certificate, known-keys file, commands, ports.  Each
 * problem is an error in the log.  False: there are some.
 */
bool check_all(
    const struct settings *s, const struct inherit *in, struct keyring *ring);

#endif
