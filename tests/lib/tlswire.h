/* Two TLS layers and a wire between, which a test carries bytes over. */
#ifndef TESTS_LIB_TLSWIRE_H
#define TESTS_LIB_TLSWIRE_H

#include "net/tls.h"

#include "memlayer.h"
#include "stacks.h"

/* Everything here fails the running test when it cannot do its job. */

#define CLIENT 0
#define SERVER 1

struct end {
	struct tls_ctx *ctx;
	struct seed *seed;
	struct replay *replay;
	enum rk_err verdict; /* of its judge */
	unsigned judged;
	int64_t now; /* 0: the system's */
	struct mem mem;
	struct layer *l;
	int peer;
	enum rk_err r; /* of its handshake */
	struct rk_error err;
};

struct wire {
	struct end end[2];
	uint8_t flight[65536]; /* what the client sent */
	size_t len;
	enum stack_way way;
};

/* Whose identities the ends have; cmocka's group set-up and tear-down. */
extern struct stack_world wire_world;
int wire_setup(void **state);
int wire_teardown(void **state);

/* Contexts: a client that may send early data, a server that takes them. */
void wire_init(struct wire *w);
void wire_fini(struct wire *w);
/* Parts of it: a new context for this end; a server's secrets and context. */
void wire_make_ctx(struct end *e, int who, bool early);
void wire_make_server(struct end *e, const char *seed_path, bool early);
void wire_free_end(struct end *e);

/* Layers of both contexts, nothing said yet; and their end. */
void wire_open(struct wire *w);
void wire_close(struct wire *w);
void wire_close_end(struct end *e);

/* Move what this end has sent. */
void wire_carry(struct wire *w, int from);
/* Steps of its handshake, and flushing. */
void wire_run_end(struct wire *w, int who);
/* The client's first flight goes over, and the server looks at it. */
void wire_fly(struct wire *w);
/* Both to the ends of their handshakes; the second: which are good. */
void wire_shake(struct wire *w);
void wire_must_shake(struct wire *w);
/* A whole connection that leaves a session behind; was it resumed? */
bool wire_meet(struct wire *w);
/* The server meets a recording of another client's bytes. */
void wire_replay(struct wire *w, const struct wire *recorded);

/* A bool of the layer's, false where not known. */
bool wire_ask(const struct end *e, enum layer_query what);
size_t wire_early_max(const struct end *e);
/* It knows the other's certificate. */
void wire_check_cert(struct wire *w, int who);

enum rk_err wire_early(struct wire *w, const char *text);
void wire_say(struct end *e, const char *text);
/* What comes to an end, with the wire running; this very text; nothing. */
size_t wire_take(struct wire *w, int who, void *dst, size_t cap);
void wire_expect(struct wire *w, int who, const char *text);
void wire_expect_nothing(struct wire *w, int who);

#endif
