/* Names of the vault for completion: what can be read without a question. */
#include "cli/agent_words.h"

#include <string.h>

#include "keyvault.h"

static bool
put(const struct record *rec, void *arg)
{
	return buf_printf(arg, "%s\n", rec->name) == RK_OK;
}

const char *const *
kv_words(const struct args *a, enum complete kind, const char *prefix)
{
	static struct word_list list;
	struct kv kv = { .args = a };
	struct buf b;
	enum rk_err r = RK_ENOENT;

	(void)prefix;
	buf_init(&b, WORDS_LEN);
	if (a == NULL || kind != COMPLETE_KEY)
		return word_list_take(&list, &b, r);
	if (args_cmd(a) != NULL && strcmp(args_cmd(a)->name, "lock") == 0)
		r = agent_words_put(&b, "");
	else if ((r = kv_set_path(&kv)) == RK_OK &&
	         (r = kv_look_at_once(&kv, WORDS_AGENT_MS)) == RK_OK)
		r = kv_list(&kv, put, &b);
	kv_let_go(&kv);
	return word_list_take(&list, &b, r);
}
