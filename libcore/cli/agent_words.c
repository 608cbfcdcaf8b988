/* Words to complete, as a list; and names that keyvault's agent knows. */
#include "cli/agent_words.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/signer.h>

#include "base/agent_client.h"
#include "base/agent_dial.h"
#include "base/error.h"

#define PAGES_MAX 20

const char *const *
word_list_take(struct word_list *w, struct buf *b, enum rk_err r)
{
	uint8_t *data = NULL;
	char *text;
	size_t len;

	free(w->text);
	memset(w, 0, sizeof(*w));
	if (r == RK_OK)
		r = buf_put(b, "", 1);
	if (r == RK_OK)
		r = buf_take(b, &data, &len);
	buf_fini(b);
	if (r != RK_OK)
		return w->list;
	w->text = text = (char *)data;
	while (*text != '\0' && w->n < WORDS_MAX) {
		char *end = text + strcspn(text, "\n");
		bool last = *end == '\0';

		*end = '\0';
		w->list[w->n++] = text;
		if (last)
			break;
		text = end + 1;
	}
	return w->list;
}

enum rk_err
words_put_stems(struct buf *b, const char *dir, const char *end)
{
	size_t tail = strlen(end);
	enum rk_err r = RK_OK;
	struct dirent *e;
	DIR *d = opendir(dir);

	while (r == RK_OK && d != NULL && (e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len > tail && e->d_name[0] != '.' &&
		    strchr(e->d_name, '\n') == NULL &&
		    strcmp(e->d_name + len - tail, end) == 0)
			r = buf_printf(
			    b, "%.*s\n", (int)(len - tail), e->d_name);
	}
	if (d != NULL)
		(void)closedir(d);
	return r;
}

/* ---- the agent ---- */

/* The next of what AGENT_KEYS tells; all but the name is skipped. */
static bool
get_name(struct bytes *b, char out[AGENT_WHO_MAX])
{
	struct bytes text;
	uint64_t n;
	uint8_t confirm;

	return agent_get_text(b, out, AGENT_WHO_MAX) && bytes_get_u64(b, &n) &&
	       bytes_get_u64(b, &n) && bytes_get_u64(b, &n) &&
	       bytes_get_u8(b, &confirm) && bytes_get_u64(b, &n) &&
	       bytes_get_string(b, &text) && bytes_get_string(b, &text);
}

/* From the n-th on; false: there are no more. */
static bool
put_page(struct agent_conn *c, struct buf *b, const char *before, uint32_t *n,
    enum rk_err *r)
{
	char name[AGENT_WHO_MAX];
	struct rk_error err;
	struct bytes answer;
	struct buf args;
	uint32_t from = *n;

	buf_init(&args, 16);
	if ((*r = bytes_put_u32(&args, from)) != RK_OK ||
	    agent_call(c, AGENT_KEYS, &args, NULL, NULL, &answer, &err) !=
	        RK_OK)
		return false;
	for (; *r == RK_OK && answer.left > 0; (*n)++) {
		if (!get_name(&answer, name))
			return false;
		if (strchr(name, '\n') == NULL)
			*r = buf_printf(b, "%s%s\n", before, name);
	}
	return *r == RK_OK && *n > from;
}

enum rk_err
agent_words_put(struct buf *b, const char *before)
{
	struct agent_conn *c;
	struct rk_error err;
	char path[AGENT_PATH_MAX];
	bool named;
	uint32_t n = 0;
	enum rk_err r = RK_OK;

	if (agent_path(path, &named, &err) != RK_OK ||
	    agent_dial(path, WORDS_AGENT_MS, &c, &err) != RK_OK)
		return RK_OK;
	agent_hurry(c, WORDS_AGENT_MS, true);
	for (int i = 0; i < PAGES_MAX; i++)
		if (!put_page(c, b, before, &n, &r))
			break;
	agent_hang_up(c);
	return r;
}

const char *const *
agent_words(const struct args *a, enum complete kind, const char *prefix)
{
	static struct word_list list;
	struct buf b;

	(void)a;
	(void)prefix;
	buf_init(&b, WORDS_LEN);
	return word_list_take(&list, &b,
	    kind == COMPLETE_KEY || kind == COMPLETE_HELD
	        ? agent_words_put(&b, RK_KEY_IN_AGENT)
	        : RK_OK);
}
