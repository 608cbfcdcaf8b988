/* Any bytes as a line of the shell; its words, quoted, are the same words. */
#include "cli/words.h"

#include "must.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
back_and_forth(const struct words *w)
{
	struct rk_error err;
	struct words again;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	for (size_t i = 0; i < w->n; i++) {
		must(words_quote(&b, w->list[i]) == RK_OK);
		must(buf_put_str(&b, " ") == RK_OK);
	}
	if (buf_len(&b) <= WORDS_TEXT_MAX) {
		const char *text =
		    buf_len(&b) == 0 ? "" : (const char *)buf_peek(&b);

		must(words_split(text, buf_len(&b), &again, &err) == RK_OK);
		must(again.n == w->n);
		for (size_t i = 0; i < w->n; i++)
			must(strcmp(again.list[i], w->list[i]) == 0);
		words_free(&again);
	}
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_error err;
	struct words w;

	if (words_split((const char *)data, size, &w, &err) == RK_OK) {
		must(w.n <= WORDS_MAX && w.list[w.n] == NULL);
		back_and_forth(&w);
	}
	words_free(&w);
	return 0;
}
