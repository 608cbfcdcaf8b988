/* A verb of rpcd ctl, run by a process of our own. */
#ifndef RPCTUI_CHILD_H
#define RPCTUI_CHILD_H

#include "ctlwords.h"

#include <sys/types.h>

/*
 * Without a shell, a terminal, or anything that is open here but a pipe for
 * what it says, whose end for reading (it does not block) is *fd.  -1: it could
 * not be, and errno says why.
 */
pid_t child_start(struct ctlwords *w, int *fd);

#endif
