/* An agent of a test's own, on a thread: honest, or in some way not. */
#ifndef TESTS_LIB_FAKEAGENT_H
#define TESTS_LIB_FAKEAGENT_H

#include <rpckit/key.h>

#include <pthread.h>
#include <stdatomic.h>

/* How it answers to a request for a signature. */
enum fakeagent_mode {
	FAKEAGENT_SIGNS,
	FAKEAGENT_REFUSES, /* RK_EDENIED, with a control byte in the text */
	FAKEAGENT_ASKS,    /* somebody, who says yes */
	FAKEAGENT_HANGS,   /* not at all */
	FAKEAGENT_HALF,    /* a half frame, and it hangs up */
	FAKEAGENT_GARBAGE, /* what is no frame */
	FAKEAGENT_OTHER,   /* the signature of something else */
	FAKEAGENT_SHORT,   /* 63 bytes of one */
	FAKEAGENT_LONG,    /* one, and a byte */
	FAKEAGENT_STRANGE, /* a frame of another type */
	FAKEAGENT_HANGS_UP /* at once */
};

struct fakeagent {
	char path[108];
	struct rk_key *key;
	atomic_bool confirm; /* what AGENT_PUBLIC says */
	atomic_uint uses;    /* and that */
	atomic_bool old;     /* but knows nothing of */
	atomic_int mode;
	atomic_uint asked; /* for signatures */
	atomic_uint conns;
	atomic_bool over;
	int fd;
	pthread_t thread;
};

/* Listening at f->path for "node"; fails the test when it cannot. */
void fakeagent_start(struct fakeagent *f, const char *path);
/* All connections end; the path stays. */
void fakeagent_stop(struct fakeagent *f);
void fakeagent_free(struct fakeagent *f);

#endif
