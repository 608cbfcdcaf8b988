/* Both ends of a session's handshake, and their keys, without a pipe. */
#ifndef TESTS_LIB_SESSPAIR_H
#define TESTS_LIB_SESSPAIR_H

#include "net/sess_hs.h"
#include "net/sess_keys.h"

/* The initiator is 0. */
struct sesspair {
	struct rk_key *key[2];
	struct rk_psks *psks; /* NULL: none */
	struct sess_hs hs[2];
	struct sess_keys keys[2];
	uint8_t hello[SESS_HELLO_MAX];
	size_t hello_len;
	uint8_t answer[SESS_ANSWER_LEN];
};

/* Fresh identities and a hello.  Ends the program when it cannot. */
void sesspair_open(struct sesspair *p, bool datagrams, bool psk);
/* The rest of the handshake, but for the initiator's proof; keys. */
void sesspair_finish(struct sesspair *p);
void sesspair_close(struct sesspair *p);

#endif
