/* Words to complete: a list of them, and keys that keyvault's agent has. */
#ifndef RPCKIT_CLI_AGENT_WORDS_H
#define RPCKIT_CLI_AGENT_WORDS_H

#include "base/buf.h"
#include "cli/cmd.h"

#define WORDS_LEN (4u << 20) /* of all of them */
#define WORDS_MAX 10000
#define WORDS_AGENT_MS 300 /* whoever pressed a key waits */

/* What was answered last. */
struct word_list {
	char *text;
	const char *list[WORDS_MAX + 1];
	size_t n;
};

/* A word a line of b, which is emptied, in place of what w had; none if r is an
 * error.  Returns the list, NULL-terminated, until the next call. */
const char *const *word_list_take(
    struct word_list *w, struct buf *b, enum rk_err r);

/* Lines: the names in a directory that end so, without that; none where it
 * cannot be read.  RK_ENOMEM. */
RK_MUST enum rk_err words_put_stems(
    struct buf *b, const char *dir, const char *end);
/* Lines: each name that is open in keyvault's agent, behind `before`.  None
 * where there is no agent, or one that does not answer at once.  RK_ENOMEM. */
RK_MUST enum rk_err agent_words_put(struct buf *b, const char *before);

/* As words() of struct prog, for who has no other: keyvault:NAME. */
const char *const *agent_words(
    const struct args *a, enum complete kind, const char *prefix);

#endif
