/* Who may wait for a decision where many do: the one rule, for table and store.
 */
#ifndef RPCKIT_TRUST_CROWD_H
#define RPCKIT_TRUST_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CROWD_SOURCE_LEN 16

/* What shares bounds: one IPv4 address, the /64 of an IPv6 address, or all of
 * another kind of host, or of a transport that has none. */
void crowd_source(const char *host, uint8_t source[CROWD_SOURCE_LEN]);

/* One that waits, or comes. */
struct crowd_one {
	const uint8_t *source;
	uint64_t seen; /* ms, which may wrap; when it comes: now */
	bool bare;     /* nobody vouches for the key */
	bool again;    /* it came more than once */
	bool stays;    /* it is never displaced */
	void *who;
};

enum crowd_word {
	CROWD_ROOM,   /* or there is, once the victim is gone */
	CROWD_SOURCE, /* too many of its source wait */
	CROWD_FULL
};
/*
 * Room for one more, RK_ASK_ENTRIES of them at most?  A source displaces its
 * own only when they were not seen for 10 minutes, and another's at once where
 * that has more than itself would then: so a flood costs no writes, and pushes
 * out nobody who came alone.  Networks count, too, /56 and /48 of IPv6, /24 of
 * IPv4, but there may be people in one who do not know of each other: where it
 * has more, one goes that was not seen for 10 minutes; at once where one of
 * IPv6 has more than RK_ASK_ENTRIES_SOURCE.  From a place with as many one goes
 * that was not seen for an hour: a flood from everywhere shuts nobody out for
 * longer.  In either case a day, not 10 minutes or an hour, for one that came
 * again.  Bare ones share a part of the room by the same rules, and never
 * displace others.  *victim: NULL: nobody has to go.
 */
enum crowd_word crowd_admit(const struct crowd_one *all, size_t n,
    const struct crowd_one *comes, const struct crowd_one **victim);

#endif
