/* Both ends of PSK handshakes, and the vectors of tests/vectors/psk. */
#ifndef TESTS_LIB_PSKRIG_H
#define TESTS_LIB_PSKRIG_H

#include "net/psk_hs.h"

#define PSKRIG_FIELD_MAX 1024

/* One handshake of the vectors; secrets and certificates of both ends, the
 * client first. */
struct pskvector {
	char name[32];
	uint8_t psk[RK_PSK_LEN];
	uint8_t outer[PSK_HS_OUTER_LEN];
	bool has_outer;
	struct rk_bytes cert[2]; /* in what follows */
	uint8_t seed[2][RK_KEY_SEED_LEN];
	uint8_t ephemeral[2][NOISE_SECRET_LEN];
	uint8_t der[2][PSKRIG_FIELD_MAX];
};

/* An end: what it has and what happened. */
struct pskend {
	struct psk_hs hs;
	struct psk_hs_conf conf;
	struct rk_key *key;
	struct buf in;
	struct buf out;
	struct rk_error err;
	enum rk_err verdict; /* of its verify function */
	unsigned asked;
};

struct pskrig {
	struct rk_psks *keys;
	struct pskend end[2]; /* the client is 0 */
};

/* Ends with what v says, who ask where the other one has something to show.
 * Ends the program when it cannot. */
void pskrig_open(struct pskrig *r, const struct pskvector *v);
void pskrig_close(struct pskrig *r);
/* After a change of an end's conf: begin anew. */
void pskrig_begin(struct pskend *e);
/* A step of an end; what it says goes to out. */
enum rk_err pskrig_step(struct pskend *e);
/* Hand over all that `from` has said; a step of `to`. */
enum rk_err pskrig_pass(struct pskend *from, struct pskend *to);

#endif
