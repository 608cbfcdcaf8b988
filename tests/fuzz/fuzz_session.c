/* What comes to a session: a handshake that was changed on the way, bytes
 * instead of packets, and items of a peer that has proven itself. */
#include <stdlib.h>
#include <string.h>

#include <rpckit/session.h>

#include "net/sess_int.h"

#include "anyone.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TURNS 8
#define SAID_MAX ((size_t)4 << 20)

/* The first byte. */
#define AS_INITIATOR 1
#define AS_DATAGRAMS 2
#define STAGE(b) ((b) >> 2 & 3)
#define ANSWERS 16 /* what is heard is sent back */
#define TWICE 32   /* ITEMS: in a packet each for a half of them */
enum stage {
	CHANGED, /* these bytes are XORed to what the peer says */
	BEFORE,  /* they come instead of it */
	AFTER,   /* they come when the session is established */
	ITEMS    /* the same, sealed by the peer */
};

static struct {
	struct rk_loop *loop;
	struct rk_session *s;
	struct rk_key *key[2]; /* ours, the peer's */
	struct buf said;
	struct sess_hs hs; /* the peer's */
	struct sess_keys keys;
	bool datagrams;
	const uint8_t *change;
	size_t change_len;
	bool changed;
	size_t heard; /* bytes of messages */
	bool answers; /* the listener sends them back, or ends it */
} w;

static enum rk_err
on_send(const void *data, size_t len, size_t *taken, void *arg)
{
	const uint8_t head[SESS_LEN_LEN] = { (uint8_t)(len >> 16),
		(uint8_t)(len >> 8), (uint8_t)len };

	(void)arg;
	if (w.datagrams)
		must(buf_put(&w.said, head, sizeof(head)) == RK_OK);
	must(buf_put(&w.said, data, len) == RK_OK);
	*taken = len;
	return RK_OK;
}

/* What is heard was said: no message is longer than all of it. */
static void
on_message(struct rk_session *s, uint32_t channel, const void *data, size_t len,
    void *arg)
{
	const uint8_t *p = data;
	uint64_t id;
	enum rk_err r;

	(void)arg;
	must(channel <= RK_SESSION_CHANNEL_MAX);
	must(len <= RK_SESSION_MESSAGE_MAX);
	must(rk_session_get_state(s) == RK_SESSION_ESTABLISHED);
	w.heard += len;
	if (!w.answers)
		return;
	r = rk_session_send(s, channel, data, len, NULL, NULL, &id);
	must(r == RK_OK || r == RK_EAGAIN || r == RK_ETOOBIG);
	if (len > 0 && p[0] == 'c' && r == RK_OK)
		must(rk_session_cancel(s, id) == RK_OK);
	if (len > 0 && p[0] == 'x')
		rk_session_close(s);
	if (len > 0 && p[0] == 'f') {
		rk_session_free(s);
		w.s = NULL;
	}
}

static void
turn(void)
{
	for (unsigned i = 0; i < TURNS; i++)
		must(rk_loop_step(w.loop, 0) == RK_OK);
}

static void
open_world(bool initiator, bool datagrams)
{
	const uint8_t seed[2][RK_KEY_SEED_LEN] = { { 1 }, { 2 } };
	struct rk_session_conf conf = {
		.size = sizeof(conf), .initiator = initiator, .judge = on_peer
	};
	const struct rk_session_pipe p = {
		.in = -1, .out = -1, .datagrams = datagrams, .send = on_send
	};

	memset(&w, 0, sizeof(w));
	w.datagrams = datagrams;
	buf_init(&w.said, SAID_MAX);
	for (int i = 0; i < 2; i++)
		must(rk_key_from_seed(seed[i], &w.key[i]) == RK_OK);
	conf.key = w.key[0];
	must(rk_loop_new(&w.loop) == RK_OK);
	must(rk_session_new(w.loop, &conf, &p, &w.s, NULL) == RK_OK);
	must(rk_session_on(w.s, RK_SESSION_CHANNEL_ANY, on_message, NULL) ==
	     RK_OK);
	sess_hs_init(&w.hs, &(struct sess_hs_conf){ .initiator = !initiator,
	                        .datagrams = datagrams,
	                        .key = w.key[1] });
	turn();
}

static void
close_world(void)
{
	rk_session_free(w.s);
	rk_loop_free(w.loop);
	sess_hs_fini(&w.hs);
	sess_keys_fini(&w.keys);
	for (int i = 0; i < 2; i++)
		rk_key_free(w.key[i]);
	buf_fini(&w.said);
}

/* A message, changed if it is to be. */
static void
deliver(uint8_t *p, size_t len)
{
	const uint8_t head[SESS_LEN_LEN] = { (uint8_t)(len >> 16),
		(uint8_t)(len >> 8), (uint8_t)len };

	for (size_t i = 0; i < len && w.change_len > 0; i++) {
		w.changed = w.changed || *w.change != 0;
		p[i] ^= *w.change++;
		w.change_len--;
	}
	if (w.s == NULL ||
	    (!w.datagrams && rk_session_feed(w.s, head, sizeof(head)) != RK_OK))
		return;
	if (rk_session_feed(w.s, p, len) == RK_OK)
		turn();
}

/* What the session said last, without its length; NULL: nothing. */
static uint8_t *
hear(size_t *len)
{
	uint8_t *p;

	if (buf_len(&w.said) < SESS_LEN_LEN)
		return NULL;
	p = w.said.data + w.said.head;
	*len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
	must(buf_len(&w.said) >= SESS_LEN_LEN + *len);
	buf_consume(&w.said, SESS_LEN_LEN + *len);
	return p + SESS_LEN_LEN;
}

/* Seals an item, or several, and sends them. */
static void
say(const uint8_t *text, size_t len)
{
	static uint8_t packet[SESS_PACKET_MAX];

	if (len > SESS_DATAGRAM_MAX - SESS_HEAD_DATAGRAM - NOISE_TAG_LEN)
		return;
	must(sess_keys_seal(&w.keys, packet, text, len) == RK_OK);
	deliver(packet, sess_keys_head(&w.keys) + len + NOISE_TAG_LEN);
}

/* The session answers: the peer is the initiator. */
static void
meet_responder(void)
{
	uint8_t proof[SESS_ITEM_LEN + SESS_PROOF_LEN] = { SESS_PROOF, 0, 0,
		SESS_PROOF_LEN };
	uint8_t hello[SESS_HELLO_MAX];
	uint8_t *p;
	size_t len;

	must(sess_hs_hello(&w.hs, hello, &len, NULL) == RK_OK);
	deliver(hello, len);
	if ((p = hear(&len)) == NULL ||
	    sess_hs_take(&w.hs, p, len, NULL) != RK_OK)
		return;
	must(sess_keys_init(&w.keys, &w.hs.noise, w.datagrams) == RK_OK);
	if (sess_hs_prove(&w.hs, w.keys.hash, proof + SESS_ITEM_LEN, NULL) !=
	    RK_OK)
		abort();
	say(proof, sizeof(proof));
}

static void
meet_initiator(void)
{
	const uint8_t accepted[SESS_ITEM_LEN] = { SESS_ACCEPTED };
	uint8_t answer[SESS_ANSWER_LEN];
	uint8_t *p;
	size_t len;

	must((p = hear(&len)) != NULL);
	must(sess_hs_answer(&w.hs, p, len, answer, NULL) == RK_OK);
	must(sess_keys_init(&w.keys, &w.hs.noise, w.datagrams) == RK_OK);
	deliver(answer, sizeof(answer));
	say(accepted, sizeof(accepted));
}

static void
meet(bool initiator)
{
	if (initiator)
		meet_initiator();
	else
		meet_responder();
}

static bool
is_up(void)
{
	return w.s != NULL &&
	       rk_session_get_state(w.s) == RK_SESSION_ESTABLISHED;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum stage stage;
	bool initiator;
	bool twice;

	if (size == 0)
		return 0;
	stage = (enum stage)STAGE(data[0]);
	initiator = (data[0] & AS_INITIATOR) != 0;
	open_world(initiator, (data[0] & AS_DATAGRAMS) != 0);
	w.answers = (data[0] & ANSWERS) != 0;
	twice = (data[0] & TWICE) != 0;
	data++;
	size--;
	if (stage == CHANGED) {
		w.change = data;
		w.change_len = size;
		meet(initiator);
		must(is_up() != w.changed);
	} else {
		if (stage != BEFORE) {
			meet(initiator);
			must(is_up());
		}
		if (stage == ITEMS && twice) {
			say(data, size / 2);
			say(data + size / 2, size - size / 2);
		} else if (stage == ITEMS)
			say(data, size);
		else if (rk_session_feed(w.s, data, size) == RK_OK)
			turn();
		/* Nobody gets in by bytes of his own. */
		must(stage != BEFORE || !is_up());
		must(stage == ITEMS || w.heard == 0);
		must(w.heard <= size);
	}
	close_world();
	return 0;
}
