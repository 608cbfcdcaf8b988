/* File services: folders of the configuration, put to and got from. */
#ifndef RPCD_FILES_H
#define RPCD_FILES_H

#include "commands.h"

#include <rpckit/stream.h>

/* A folder, as handlers see it; read only. */
struct folder {
	const struct folder_conf *conf;
	struct slot *slot;
	struct command_set *set;
};

/* rk_stream_fn; arg is a struct folder. */
void files_put(struct rk_stream *s, void *arg); /* RK_STREAM_BOTH */
void files_get(struct rk_stream *s, void *arg); /* RK_STREAM_DOWN */

/* rpc25519's demo services.  arg is a struct folder, or NULL: there is none to
 * hand out. */
void files_demo_get(struct rk_stream *s, void *arg);  /* RK_STREAM_DOWN */
void files_demo_put(struct rk_stream *s, void *arg);  /* RK_STREAM_UP */
void files_demo_echo(struct rk_stream *s, void *arg); /* RK_STREAM_BOTH */

#endif
