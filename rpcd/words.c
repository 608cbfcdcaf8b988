/* Words for completion: keys, of files and of keyvault's agent. */
#include "words.h"

#include <rpckit/signer.h>

#include "cli/agent_words.h"
#include "cli/path.h"

const char *const *
words_for(const struct args *a, enum complete kind, const char *prefix)
{
	static struct word_list list;
	char certs[PATH_LEN];
	const char *why;
	struct buf b;
	enum rk_err r = RK_OK;

	(void)prefix;
	buf_init(&b, WORDS_LEN);
	if (kind == COMPLETE_KEY && a != NULL &&
	    path_certs(args_text(a, "certs", NULL), true, certs, &why) == RK_OK)
		r = words_put_stems(&b, certs, ".key");
	if (r == RK_OK && (kind == COMPLETE_KEY || kind == COMPLETE_HELD))
		r = agent_words_put(&b, RK_KEY_IN_AGENT);
	return word_list_take(&list, &b, r);
}
