/* Names of files: what is let through leads nowhere but below. */
#include "base/fs.h"
#include "base/str.h"

#include "must.h"

#include <limits.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_part(const char *part, size_t len)
{
	must(len > 0 && len <= NAME_MAX && part[0] != '.');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1);
	const char *p;

	must(name != NULL);
	if (size > 0)
		memcpy(name, data, size);
	name[size] = '\0';
	if (fs_name_fault(name, size) == NULL) {
		must(strlen(name) == size && str_is_utf8(name, size));
		for (p = name; strchr(p, '/') != NULL; p = strchr(p, '/') + 1)
			check_part(p, (size_t)(strchr(p, '/') - p));
		check_part(p, strlen(p));
	}
	free(name);
	return 0;
}
