/* Hostile known-keys files: what is read is in order and what it says. */
#include <stdlib.h>
#include <string.h>

#include "trust/b58.h"
#include "trust/known.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each key stands in the text, in the one form it has. */
static void
check_key(const struct known *k, size_t i, const uint8_t *data, size_t size)
{
	char text[B58_KEY_LEN];

	if (i > 0 && memcmp(k->keys[i - 1], k->keys[i], sizeof(*k->keys)) > 0)
		abort();
	b58_key_encode(k->keys[i], text);
	if (memmem(data, size, text, strlen(text)) == NULL ||
	    !known_has(k, k->keys[i]))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_error err;
	struct known k;
	size_t i;

	if (known_parse("f", (const char *)data, size, &k, &err) == RK_OK) {
		for (i = 0; i < k.n; i++)
			check_key(&k, i, data, size);
	} else if (k.n != 0 || k.keys != NULL) {
		abort();
	}
	known_fini(&k);
	return 0;
}
