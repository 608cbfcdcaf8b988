/* At most so many events in any minute. */
#ifndef RPCKIT_TRUST_PACE_H
#define RPCKIT_TRUST_PACE_H

#include <rpckit/err.h>

#define PACE_WINDOW 60000 /* ms */
#define PACE_MAX 10000

/* When the last `max` of them were; {0}: no limit. */
struct pace {
	uint64_t *at; /* a ring, in ms */
	unsigned max;
	unsigned n;    /* filled */
	unsigned next; /* where the next goes, and the oldest is when full */
};

/* max 0: no limit; more than PACE_MAX is PACE_MAX.  RK_ENOMEM. */
RK_MUST enum rk_err pace_init(struct pace *p, unsigned max);
void pace_fini(struct pace *p);
/* Would one more now be within the limit?  now never goes back. */
bool pace_may(const struct pace *p, uint64_t now);
void pace_note(struct pace *p, uint64_t now);
/* Go on from what `from` has seen. */
void pace_follow(struct pace *p, const struct pace *from);

#endif
