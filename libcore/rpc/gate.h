/* Who may begin a handshake: limits on the connections not yet trusted. */
#ifndef RPCKIT_RPC_GATE_H
#define RPCKIT_RPC_GATE_H

#include <rpckit/base.h>

/*
 * Pure: time comes in as an argument.  Three rules, for everybody but
 * loopback and unix sockets, which only the number of connections limits:
 *
 * - of one source (/24, /56) at most max_per_source are unproven at a time;
 * - from GATE_START unproven connections on, newcomers are refused with a
 *   probability that grows from GATE_RATE percent to all at max_unproven;
 * - a source whose handshakes fail is refused for a while: each failure adds
 *   GATE_PENALTY_MS, it counts from GATE_PENALTY_MIN_MS and ends at
 *   GATE_PENALTY_MAX_MS.
 */
#define GATE_START 32
#define GATE_RATE 30
#define GATE_PENALTY_MS 5000
#define GATE_PENALTY_MIN_MS 15000
#define GATE_PENALTY_MAX_MS 600000
#define GATE_SOURCES 1024 /* remembered; the least interesting one goes */

struct gate_source {
	uint64_t prefix;
	uint64_t until; /* penalised to this time, ms */
	unsigned unproven;
	bool used;
};

struct gate {
	unsigned max_unproven;
	unsigned max_per_source;
	unsigned unproven;
	struct gate_source sources[GATE_SOURCES];
};

enum gate_verdict {
	GATE_ADMIT,
	GATE_FULL,   /* too many unproven in all */
	GATE_SOURCE, /* too many of this source */
	GATE_PENALTY /* this source has failed too often */
};

void gate_init(struct gate *g, unsigned max_unproven, unsigned max_per_source);
/* A newcomer; roll is a random number in [0, 99].  After GATE_ADMIT exactly
 * one gate_leave() follows.  exempt: loopback or unix. */
enum gate_verdict gate_enter(
    struct gate *g, uint64_t prefix, bool exempt, uint64_t now, unsigned roll);
/* It is trusted now, or gone; failed: gone without having been trusted. */
void gate_leave(
    struct gate *g, uint64_t prefix, bool exempt, bool failed, uint64_t now);
const char *gate_text(enum gate_verdict v);

#endif
