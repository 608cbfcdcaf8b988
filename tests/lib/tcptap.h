/* A TCP connection between a client and a server, in the test's own hands. */
#ifndef TESTS_LIB_TCPTAP_H
#define TESTS_LIB_TCPTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything here fails the running test when it cannot do its job. */

/* One connection at a time; bytes move in tap_pump() only.  {0} is none: then
 * nothing does anything. */
struct tap {
	bool there;
	char url[64]; /* where clients connect to */
	int listener;
	int client; /* -1: none */
	int server;
	char port[8];   /* of the server */
	bool hold;      /* of the client's nothing after its first flight */
	bool mute;      /* of the server's nothing */
	bool blackhole; /* what either says is taken, and gone */
	size_t answers; /* bytes of the server passed on */
	uint8_t flight[65536];
	size_t len; /* what the client has sent, of this connection */
};

/* Towards "SCHEME://127.0.0.1:PORT", which may be another one later. */
void tap_init(struct tap *t, const char *server_url);
void tap_aim(struct tap *t, const char *server_url);
void tap_fini(struct tap *t);
void tap_pump(struct tap *t);
/* Cut what is there. */
void tap_cut(struct tap *t);
/* Is something of the client's held? */
bool tap_holds(const struct tap *t);
/* Send these bytes to the server on a connection of their own and read what it
 * answers until it is silent; close. */
void tap_replay(struct tap *t, const uint8_t *src, size_t len);

#endif
