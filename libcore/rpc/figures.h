/* Figures of methods: how often they were called, how long it took. */
#ifndef RPCKIT_RPC_FIGURES_H
#define RPCKIT_RPC_FIGURES_H

#include <rpckit/err.h>

#include <stdatomic.h>
#include <sys/queue.h>

/* Microseconds in steps of a quarter between powers of two; the last takes all
 * that is longer than about half an hour. */
#define FIGURES_STEPS 120
/* Of one server.  Methods beyond, which takes thousands that come and go, are
 * not counted. */
#define FIGURES_MAX 4096

/* What one loop has seen of a method: written by its thread alone, so that no
 * lock and no locked instruction is needed; read by any. */
struct figures_share {
	_Alignas(64) atomic_ullong begun;
	atomic_ullong ended;
	atomic_ullong failed;
	atomic_ullong total; /* microseconds */
	atomic_ullong longest;
	atomic_ullong steps[FIGURES_STEPS];
};

/* A method by its name, for as long as the server lives: calls outlive the set
 * of methods that they were found in. */
struct figures {
	TAILQ_ENTRY(figures) link;
	char *name;
	unsigned n;
	struct figures_share shares[]; /* by the loop's number */
};
struct figures_list {
	TAILQ_HEAD(, figures) all;
	size_t n;
};

/* Of all loops together. */
struct figures_sum {
	uint64_t begun;
	uint64_t ended;
	uint64_t failed;
	uint64_t running;
	uint64_t total;
	uint64_t longest;
	uint64_t steps[FIGURES_STEPS];
};

void figures_init(struct figures_list *l);
void figures_fini(struct figures_list *l);
/* One thread.  The method's, made if there is none; NULL: too many, or there is
 * no memory. */
struct figures *figures_get(
    struct figures_list *l, const char *name, unsigned n_loops);

/* The thread of the loop. */
void figures_begin(struct figures *f, unsigned loop);
void figures_end(struct figures *f, unsigned loop, uint64_t us, bool failed);

/* Any thread. */
void figures_sum(const struct figures *f, struct figures_sum *out);
/* So many percent of those that ended took no longer, in microseconds: too much
 * by a quarter at most.  0: none has ended. */
uint64_t figures_percentile(const struct figures_sum *s, unsigned percent);

/* How long the calls of one connection took, in half a KiB; all zero: none was
 * yet.  One thread. */
struct figures_brief {
	uint64_t longest;
	uint32_t steps[FIGURES_STEPS]; /* all halved when one is full */
};
void figures_brief_add(struct figures_brief *b, uint64_t us);
/* As figures_percentile(). */
uint64_t figures_brief_percentile(
    const struct figures_brief *b, unsigned percent);

#endif
