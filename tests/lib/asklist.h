/* Lists of keys in which some wait, and who comes to them. */
#ifndef RPCKIT_TESTS_ASKLIST_H
#define RPCKIT_TESTS_ASKLIST_H

#include <rpckit/ask.h>

#include "trust/policy.h"

/* All fail the running test when they cannot do their job. */

/* A peer that has proven key number so; the second has an e-mail of its own. */
struct rk_peer ask_peer_at(
    unsigned number, const char *email, const char *remote);
struct rk_peer ask_peer(unsigned number);
/* What rk_trust_decide() says about it. */
enum rk_err ask_come(struct rk_trust *t, const struct rk_peer *peer);
enum rk_err ask_come_as(struct rk_trust *t, unsigned number);
/* Decide, not saying that it may be changed. */
enum rk_err ask_order_key(
    struct rk_trust *t, enum rk_ask_verb verb, const char *key);
enum rk_err ask_order(
    struct rk_trust *t, enum rk_ask_verb verb, unsigned number);

/* The list "k" in the current directory, with this text. */
struct rk_trust *ask_list(const char *text, enum rk_trust_mode mode);
/* The one that is there, with a store, as a process has it that begins now. */
struct rk_trust *ask_kept(enum rk_trust_mode mode);
/* Its store, which nobody else can write until this is closed. */
struct sqlite3 *ask_hold_store(void);
/* Its newest lines of audit. */
enum rk_err ask_audit(
    struct rk_trust *t, size_t max, policy_line_fn *fn, void *arg);
/* The one entry there is; how many there are; and keys in the file. */
struct rk_ask_entry ask_only_entry(struct rk_trust *t);
size_t ask_count(struct rk_trust *t);
size_t ask_known(struct rk_trust *t);

#endif
