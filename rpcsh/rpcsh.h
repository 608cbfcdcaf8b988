/* The verbs of rpcsh, and the tables they share. */
#ifndef RPCSH_RPCSH_H
#define RPCSH_RPCSH_H

#include "cli/cmd.h"

extern const struct opt call_opts[];
extern const struct opt exec_opts[];
extern const struct opt ls_opts[]; /* and of desc */
extern const struct opt ping_opts[];
extern const struct opt bench_opts[];
extern const struct opt watch_opts[];
extern const struct opt ctx_opts[];
extern const struct opt put_opts[];
extern const struct opt get_opts[];
extern const struct opt trust_opts[];

/* Is it a word that would not be taken for a method? */
bool rpcsh_has_verb(const char *word);

int cmd_call(struct args *a, void *ctx);
int cmd_exec(struct args *a, void *ctx);
int cmd_ls(struct args *a, void *ctx);
int cmd_desc(struct args *a, void *ctx);
int cmd_ping(struct args *a, void *ctx);
int cmd_bench(struct args *a, void *ctx);
int cmd_watch(struct args *a, void *ctx);
int cmd_ctx(struct args *a, void *ctx);
int cmd_trust(struct args *a, void *ctx);
int cmd_put(struct args *a, void *ctx);
int cmd_get(struct args *a, void *ctx);

#endif
