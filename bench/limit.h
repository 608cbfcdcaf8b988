/* The works of the raw limit that are a client's. */
#ifndef RPCKIT_BENCH_LIMIT_H
#define RPCKIT_BENCH_LIMIT_H

#include "args.h"

work_fn limit_seq;
work_fn limit_pipe;
work_fn limit_dial;
work_fn limit_idle;
work_fn limit_up;

/* A frame that begins so is not answered. */
#define LIMIT_UNANSWERED 1

#endif
