/* One msgpack value in hex a line in, its shortest encoding or "error" out. */
#include <rpckit/value.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/str.h"

/* The bytes of a line of hex, malloc'ed; NULL when it is none. */
static uint8_t *
read_hex(const char *line, size_t line_len, size_t *len)
{
	uint8_t *data = malloc(line_len / 2 + 1);

	if (data == NULL)
		return NULL;
	if (str_unhex(line, line_len, data, line_len / 2, len) != RK_OK) {
		free(data);
		return NULL;
	}
	return data;
}

/* The answer to a line as text, malloc'ed; NULL for "error". */
static char *
recode(const char *line, size_t line_len)
{
	struct rk_value_doc *doc = NULL;
	uint8_t *out = NULL;
	char *text = NULL;
	uint8_t *data;
	size_t len;

	data = read_hex(line, line_len, &len);
	if (data == NULL || rk_value_decode(data, len, &doc) != RK_OK ||
	    rk_value_encode(rk_value_root(doc), &out, &len) != RK_OK)
		goto out;
	text = malloc(2 * len + 1);
	if (text != NULL)
		str_hex(text, out, len);
out:
	free(out);
	rk_value_free(doc);
	free(data);
	return text;
}

int
main(void)
{
	char *line = NULL;
	size_t cap = 0;
	char *text;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			n--;
		text = recode(line, (size_t)n);
		if (puts(text != NULL ? text : "error") == EOF ||
		    fflush(stdout) == EOF)
			return 1;
		free(text);
	}
	free(line);
	return ferror(stdin) ? 1 : 0;
}
