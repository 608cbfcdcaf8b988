/* Names of the vault for completion: what can be read without a question. */
#include "cli/agent_words.h"

#include <string.h>

#include "keyvault.h"

struct put {
	struct buf *b;
	const char *before; /* of each, so long */
	int len;
};

static bool
put(const struct record *rec, void *arg)
{
	const struct put *p = arg;

	return buf_printf(p->b, "%.*s%s\n", p->len, p->before, rec->name) ==
	       RK_OK;
}

const char *const *
kv_words(const struct args *a, enum complete kind, const char *prefix)
{
	static struct word_list list;
	struct kv kv = { .args = a };
	struct buf b;
	struct put to = { .b = &b, .before = prefix };
	const char *sign = strchr(prefix, '=');
	enum rk_err r = RK_ENOENT;

	buf_init(&b, WORDS_LEN);
	if (kind == COMPLETE_PAIR && sign != NULL)
		to.len = (int)(sign - prefix) + 1;
	else if (kind != COMPLETE_KEY)
		a = NULL;
	if (a == NULL)
		return word_list_take(&list, &b, r);
	if (args_cmd(a) != NULL && strcmp(args_cmd(a)->name, "lock") == 0)
		r = agent_words_put(&b, "");
	else if ((r = kv_set_path(&kv)) == RK_OK &&
	         (r = kv_look_at_once(&kv, WORDS_AGENT_MS)) == RK_OK)
		r = kv_list(&kv, put, &to);
	kv_let_go(&kv);
	return word_list_take(&list, &b, r);
}
