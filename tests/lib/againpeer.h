/* A client that comes back to a listening socket in the test's own hands. */
#ifndef TESTS_LIB_AGAINPEER_H
#define TESTS_LIB_AGAINPEER_H

#include "againrig.h"
#include "rawpeer.h"

/* Everything here fails the running test when it cannot do its job. */

/* A client of listening sockets in the test's own hands; one peer at a time. */
struct againpeer {
	struct againrig r;
	int listener;
	int peer;
	char url[128];
	const char *urls[2];
	struct buf in;  /* from the peer, as far as it was read */
	size_t shown;   /* bytes of the message that was shown last */
	char id[2][64]; /* call ids that were seen */
	uint64_t seqno[2];
};

void againpeer_init(struct againpeer *w);
void againpeer_fini(struct againpeer *w);
/* The client is started if it was not, connected once more, and accepted. */
void againpeer_open(struct againpeer *w);
/* Accept what is connected already. */
void againpeer_accept(struct againpeer *w);
/* The server is gone, with what it has not read. */
void againpeer_cut(struct againpeer *w);
/* The next message from the client, valid until the next; it must be so. */
void againpeer_get(struct againpeer *w, struct msg *m);
void againpeer_expect(
    struct againpeer *w, int64_t type, const char *method, struct msg *m);
/* Read so many bytes of what comes, which are not shown yet. */
void againpeer_read(struct againpeer *w, size_t n);
/* Read what the kernel has of the client's, which does not run meanwhile, and
 * say of how many messages this is, the last of which may be cut. */
unsigned againpeer_drain(struct againpeer *w);
/* Remember its number and id in seqno[i] and id[i]. */
void againpeer_note(struct againpeer *w, const struct msg *m, unsigned i);
void againpeer_answer(struct againpeer *w, const struct msg *m, int64_t type);
/* Nothing comes to the peer but a call that this makes. */
void againpeer_check_quiet(struct againpeer *w);

#endif
