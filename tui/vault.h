/* The agent of a vault: which keys it has open, who waits for a yes. */
#ifndef RPCTUI_VAULT_H
#define RPCTUI_VAULT_H

#include "model.h"

#include <rpckit/loop.h>

#include "base/agent_frame.h"

/*
 * It is no part of the daemon, and on this machine: asked by its own socket
 * once a second, while it is there, in the protocol of keyvault's verbs, of
 * which nothing is spoken here that has a secret in it.  One thread, that of
 * the loop.
 */
struct vault_line;

struct vault_conf {
	struct rk_loop *loop;
	struct model *model;
	const char *path;
};

RK_MUST enum rk_err vault_new(
    const struct vault_conf *conf, struct vault_line **out);
/* NULL is allowed. */
void vault_free(struct vault_line *v);
/*
 * Say yes to a question, and to all about that key for so long; or no.  done is
 * called once, with a line of the agent's, as it came, where it did not want
 * it. RK_ESTATE: no agent is there, or an answer to it is still under way.
 */
typedef void vault_done_fn(enum rk_err code, const char *why, void *arg);
RK_MUST enum rk_err vault_answer(struct vault_line *v, uint32_t id, bool yes,
    uint64_t ms, vault_done_fn *done, void *arg);

/* Who is told that the model has something else of it, or nothing more. */
void vault_watch(struct vault_line *v, void (*changed)(void *arg), void *arg);

/* vault_once.c: ask it now, without a loop, and wait for seconds at most.
 * RK_ENOENT: there is none; else what went wrong, and the model has none. */
RK_MUST enum rk_err vault_look(struct model *m, int64_t now);

/* ---- vault_wire.c: bytes ---- */

/* Requests, of so many bytes: at most VAULT_REQUEST_MAX. */
#define VAULT_REQUEST_MAX 32
size_t vault_put(uint8_t out[VAULT_REQUEST_MAX], enum agent_type type,
    uint32_t id, bool yes, uint64_t ms);
/* Bodies of answers into the agent; changed says whether anything is to be
 * drawn.  RK_EPROTO: as it was. */
RK_MUST enum rk_err vault_take_keys(
    struct model_agent *a, struct bytes body, int64_t now, bool *changed);
RK_MUST enum rk_err vault_take_waiting(
    struct model_agent *a, struct bytes body, int64_t now, bool *changed);
#endif
