/* Messages of a session: sent one by one, or as they fit; received. */
#include "session.h"

#include <rpckit/session.h>

#define CHANNEL 1
#define ROOM 64
#define WAIT_MS 10000

struct end {
	struct run *run;
	struct rk_loop *loop;
	struct rk_session *s;
	uint64_t until;
	bool initiator;
	bool open;
	bool over;
	uint64_t done; /* senders: were told */
};

static const uint8_t data[SIZE_MOST];

static enum rk_err
on_peer(struct rk_session *s, const uint8_t *pub, const char *fp, void *arg)
{
	(void)s;
	(void)pub;
	(void)fp;
	(void)arg;
	return RK_OK;
}

static void
on_state(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	struct end *e = arg;

	(void)s;
	if (state == RK_SESSION_ESTABLISHED) {
		e->open = true;
		e->run->began[!e->initiator] = cpu_ns();
		if (e->initiator) {
			e->run->begun = now_ns();
			e->until = e->run->begun + e->run->ns;
		}
	} else if (state == RK_SESSION_CLOSED) {
		e->over = true;
		if (err->code != RK_OK)
			die(err->text);
	}
}

static void
on_sent(struct rk_session *s, uint64_t id, enum rk_err r, void *arg)
{
	struct end *e = arg;

	(void)s;
	(void)id;
	e->done += r == RK_OK;
}

static void
on_ready(struct rk_session *s, unsigned ready, void *arg)
{
	struct end *e = arg;
	enum rk_err r = RK_OK;

	if (e->run->way != WAY_ASYNC || (ready & RK_WRITE) == 0)
		return;
	while (has_room(e->run) &&
	       (e->run->sent % ROOM != 0 || now_ns() < e->until)) {
		r = rk_session_send(
		    s, CHANNEL, data, e->run->size, on_sent, e, NULL);
		if (r == RK_EAGAIN)
			return;
		if (r != RK_OK)
			die(rk_err_text(r));
		e->run->sent++;
	}
	if (has_room(e->run))
		rk_session_close(s);
}

static void
on_message(struct rk_session *s, uint32_t channel, const void *p, size_t len,
    void *arg)
{
	struct end *e = arg;

	(void)s;
	(void)channel;
	(void)p;
	if (len != e->run->size)
		die("a message of another length");
	e->run->got++;
	note_taken(e->run);
}

static void
open_end(struct end *e, struct run *r, struct rk_key **key, bool initiator)
{
	struct rk_session_conf conf = { .size = sizeof(conf),
		.initiator = initiator,
		.judge = on_peer,
		.state = on_state,
		.arg = e };
	const struct rk_session_pipe pipe = { .in = r->fd[!initiator],
		.out = r->fd[!initiator] };

	*e = (struct end){ .run = r, .initiator = initiator };
	if (initiator)
		conf.ready = on_ready;
	if (r->kind != PIPE_BYTES)
		conf.packet = DATAGRAM_LEN;
	if (rk_key_generate(key) != RK_OK || rk_loop_new(&e->loop) != RK_OK)
		die("no memory");
	conf.key = *key;
	if (rk_session_new(e->loop, &conf, &pipe, &e->s, NULL) != RK_OK ||
	    rk_session_on(e->s, CHANNEL, on_message, e) != RK_OK)
		die("no session");
}

static void
step(struct end *e, int ms)
{
	if (rk_loop_step(e->loop, ms) != RK_OK)
		die("the loop");
}

static void
close_end(struct end *e, struct rk_key *key)
{
	while (!e->over)
		step(e, -1);
	rk_session_free(e->s);
	rk_loop_free(e->loop);
	rk_key_free(key);
}

static void
send_each(struct end *e)
{
	struct run *r = e->run;

	for (; r->sent % ROOM != 0 || now_ns() < e->until; r->sent++) {
		enum rk_err err;

		while (!has_room(r))
			step(e, NAP_MS);
		err =
		    rk_session_send_wait(e->s, CHANNEL, data, r->size, WAIT_MS);
		if (err != RK_OK)
			die(rk_err_text(err));
		if (r->sent % ROOM == 0)
			step(e, 0);
	}
	rk_session_close(e->s);
}

void
session_send(struct run *r)
{
	struct rk_key *key;
	struct end e;

	open_end(&e, r, &key, true);
	while (!e.open)
		step(&e, -1);
	if (r->way == WAY_SYNC)
		send_each(&e);
	/* It tells of room in the session, not in the window. */
	while (r->kind == PIPE_UDP && !e.over &&
	       rk_session_get_state(e.s) == RK_SESSION_ESTABLISHED) {
		on_ready(e.s, RK_WRITE, &e);
		step(&e, NAP_MS);
	}
	close_end(&e, key);
	if (r->way == WAY_ASYNC && e.done != r->sent)
		die("not all was sent");
}

void
session_receive(struct run *r)
{
	struct rk_key *key;
	struct end e;

	open_end(&e, r, &key, false);
	close_end(&e, key);
	r->ended = now_ns();
}
