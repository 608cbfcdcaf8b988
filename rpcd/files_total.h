/* How many bytes of files a folder has, against what it may have. */
#ifndef RPCD_FILES_TOTAL_H
#define RPCD_FILES_TOTAL_H

#include "files.h"

/*
 * Any thread.  The folder is counted, with all that is below it on the same
 * file system, when the first file comes, and again when it seems to be full,
 * a second and fifty times as long as that took later: a loop has other things
 * to do.  In between what comes is added.  So others may remove and add files.
 * Without a limit nothing is counted.
 */

/* May so many bytes more be there? */
bool files_total_has(const struct folder *f, uint64_t more);
/* The same, and they will be. */
bool files_total_take(const struct folder *f, uint64_t more);
/* They are not, after all. */
void files_total_give(const struct folder *f, uint64_t less);

#endif
