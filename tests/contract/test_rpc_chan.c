/* Channels over every transport and several threads: ends that travel, bytes,
 * what ends with whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpcrig.h"
#include <rpckit/channel.h>

/* ---- the server's side ---- */

/*
 *	work    for each message with the text N and an end "replies": sends N
 *	        messages to it, then closes it; with an end "echo" of bytes:
 *	        the bytes back, until they end; with text "mine": makes an
 *	        end, which answers "mine" to all, and sends it
 */
struct world {
	atomic_uint accepted, ended;
	atomic_int code; /* of the last first channel that ended here */
};
static struct world world;

static void
count_end(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	(void)c;
	(void)arg;
	atomic_store(&world.code, (int)why->code);
	atomic_fetch_add(&world.ended, 1);
}

/* Replies that did not fit yet: how many is in the end's data. */
static void
send_replies(struct rk_chan *c, void *arg)
{
	uintptr_t left = (uintptr_t)rk_chan_data(c);
	struct rk_chan_msg msg = { .payload = { rpcrig_bytes, 3000 } };

	(void)arg;
	while (left > 0 && rk_chan_send(c, &msg) == RK_OK)
		left--;
	rk_chan_set_data(c, (void *)left);
	if (left == 0)
		rk_chan_finish(c);
}

static void
forget(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	(void)c;
	(void)why;
	(void)arg;
}

static const struct rk_chan_events replies_events = {
	.writable = send_replies,
	.ended = forget,
};

/* Reads only what can be written. */
static void
echo_bytes(struct rk_chan *c, void *arg)
{
	struct echo {
		size_t at, len;
		uint8_t bytes[5000];
	} *e = rk_chan_data(c);
	size_t n;
	enum rk_err r = RK_OK;

	(void)arg;
	if (e == NULL) {
		e = calloc(1, sizeof(*e));
		rk_chan_set_data(c, e);
	}
	while (e != NULL && r == RK_OK) {
		if (e->at == e->len) {
			e->at = 0;
			r = rk_chan_read(
			    c, e->bytes, sizeof(e->bytes), &e->len);
		}
		if (r == RK_OK) {
			r = rk_chan_write(
			    c, e->bytes + e->at, e->len - e->at, &n);
			e->at += n;
		}
	}
	if (r == RK_ENOENT)
		rk_chan_finish(c);
}

static void
end_echo(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	(void)why;
	(void)arg;
	free(rk_chan_data(c));
}

static const struct rk_chan_events echo_events = {
	.readable = echo_bytes,
	.writable = echo_bytes,
	.eof = echo_bytes,
	.ended = end_echo,
};

static void
answer_mine(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	const struct rk_chan_msg mine = { .payload = {
		                              (const uint8_t *)"mine", 4 } };

	(void)msg;
	(void)arg;
	if (rk_chan_send(c, &mine) != RK_OK)
		rk_chan_close(&c);
}

static const struct rk_chan_events mine_events = {
	.message = answer_mine,
	.ended = forget,
};

static void
make_mine(struct rk_chan *c)
{
	struct rk_chan *mine;
	struct rk_chan *theirs;
	struct rk_chan_msg msg = { .ends = &theirs, .n_ends = 1 };

	if (rk_chan_pair(c, RK_CHAN_MESSAGES, "made by the server", &mine,
	        &theirs) != RK_OK)
		return;
	if (rk_chan_listen(mine, &mine_events, NULL) != RK_OK ||
	    rk_chan_send(c, &msg) != RK_OK) {
		rk_chan_close(&mine);
		rk_chan_close(&theirs);
	}
}

static void
work(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct rk_chan *end;
	char text[32] = "";

	(void)arg;
	if (msg->payload.len > 0 && msg->payload.len < sizeof(text))
		memcpy(text, msg->payload.ptr, msg->payload.len);
	if (strcmp(text, "mine") == 0)
		make_mine(c);
	if (msg->n_ends == 0)
		return;
	if (rk_chan_kind(msg->ends[0]) == RK_CHAN_BYTES) {
		if (rk_chan_take(&msg->ends[0], RK_CHAN_BYTES, "echo",
		        &echo_events, NULL, &end, NULL) != RK_OK)
			rk_chan_close(&c);
		return;
	}
	if (rk_chan_take(&msg->ends[0], RK_CHAN_MESSAGES, "replies",
	        &replies_events, NULL, &end, NULL) != RK_OK)
		return;
	rk_chan_set_data(end, (void *)(uintptr_t)strtoul(text, NULL, 10));
	send_replies(end, NULL);
}

static const struct rk_chan_events work_events = {
	.message = work,
	.ended = count_end,
};

static void
accept_work(struct rk_chan *c, const struct rk_peer *peer, void *arg)
{
	(void)arg;
	atomic_fetch_add(&world.accepted, 1);
	if (peer->transport[0] != '\0' &&
	    rk_chan_listen(c, &work_events, NULL) != RK_OK)
		rk_chan_close(&c);
}

static const struct rk_chan_conf work_conf = {
	.size = sizeof(work_conf),
	.type = "jobs",
	.accept = accept_work,
};
static void
echo_call(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len);
}

static void
install(struct rpcrig *r, void *arg)
{
	struct rk_method list[2] = { { .name = "echo", .fn = echo_call } };

	(void)arg;
	assert_int_equal(rk_chan_method("work", &work_conf, &list[1]), RK_OK);
	assert_int_equal(
	    rk_server_methods(r->server, list, 2, NULL, NULL, NULL), RK_OK);
}

/* ---- the client's side: a loop of the test's ---- */

struct end {
	struct rk_chan *c;
	unsigned messages;
	uint64_t bytes;
	bool wrong; /* they were not those of rpcrig_bytes */
	unsigned eofs, ended;
	enum rk_err code;
	char text[RK_ERROR_TEXT_LEN]; /* of the last message, or of the end */
	uint64_t to_write;            /* of BYTES */
	struct rk_chan *got;
	struct end *for_got;
};

static const struct rk_chan_events end_events;

static void
on_message(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct end *e = arg;
	size_t n = msg->payload.len < 64 ? msg->payload.len : 64;

	assert_ptr_equal(c, e->c);
	e->messages++;
	e->bytes += msg->payload.len;
	if (n > 0)
		memcpy(e->text, msg->payload.ptr, n);
	e->text[n] = '\0';
	if (e->for_got != NULL && msg->n_ends == 1)
		assert_int_equal(rk_chan_take(&msg->ends[0], RK_CHAN_MESSAGES,
		                     "made by the server", &end_events,
		                     e->for_got, &e->for_got->c, NULL),
		    RK_OK);
}

static void
write_more(struct rk_chan *c, void *arg)
{
	struct end *e = arg;
	size_t n = 0;

	while (e->to_write > 0) {
		size_t len = e->to_write % 100000;

		if (rk_chan_write(c, rpcrig_bytes + (100000 - len) % 100000,
		        len == 0 ? 100000 : len, &n) != RK_OK)
			return;
		e->to_write -= n;
	}
	rk_chan_finish(c);
}

static void
read_more(struct rk_chan *c, void *arg)
{
	struct end *e = arg;
	uint8_t got[30000];
	size_t n;

	while (rk_chan_read(c, got, sizeof(got), &n) == RK_OK) {
		for (size_t i = 0; i < n; i++)
			e->wrong |=
			    got[i] != rpcrig_bytes[(e->bytes + i) % 100000];
		e->bytes += n;
	}
}

static void
on_eof(struct rk_chan *c, void *arg)
{
	struct end *e = arg;

	(void)c;
	e->eofs++;
}

static void
on_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->c);
	e->c = NULL;
	e->ended++;
	e->code = why->code;
	memcpy(e->text, why->text, sizeof(e->text));
}

static const struct rk_chan_events end_events = {
	.message = on_message,
	.readable = read_more,
	.writable = write_more,
	.eof = on_eof,
	.ended = on_ended,
};

struct desk {
	struct rpcrig rig;
	struct rk_loop *loop;
	struct rk_client *client;
	struct end first;
};

static enum rk_err
open_first(struct desk *d, const char *method, const char *type, struct end *e)
{
	const struct rk_chan_conf conf = { .size = sizeof(conf), .type = type };

	return rk_chan_open(d->client, method, &conf, &end_events, e, &e->c);
}

static void
begin(struct desk *d, const struct rpcrun *run, const char *method)
{
	struct rk_client_conf conf;

	memset(d, 0, sizeof(*d));
	memset(&world, 0, sizeof(world));
	rpcrig_begin(&d->rig, run);
	rpcrig_do(&d->rig, install, NULL);
	assert_int_equal(rk_loop_new(&d->loop), RK_OK);
	rpcrig_client_conf(&d->rig, &conf);
	conf.loop = d->loop;
	assert_int_equal(rk_client_new(&conf, &d->client, NULL), RK_OK);
	assert_int_equal(rk_client_start(d->client, NULL), RK_OK);
	if (method != NULL)
		assert_int_equal(
		    open_first(d, method, "jobs", &d->first), RK_OK);
}

static void
finish(struct desk *d)
{
	rk_client_free(d->client);
	rk_loop_free(d->loop);
	rpcrig_end(&d->rig);
}

static void
turn(struct desk *d, const unsigned *what, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (*what < n) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_loop_step(d->loop, 10), RK_OK);
	}
}

/* The server's doing; this end's loop goes on meanwhile. */
static void
await_running(struct desk *d, const atomic_uint *what, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (atomic_load(what) < n) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_loop_step(d->loop, 1), RK_OK);
	}
}

static void
send_text(struct end *e, const char *text, struct rk_chan **end)
{
	const struct rk_chan_msg msg = {
		.payload = { (const uint8_t *)text, strlen(text) },
		.ends = end,
		.n_ends = end != NULL,
	};

	assert_int_equal(rk_chan_send(e->c, &msg), RK_OK);
	assert_true(end == NULL || *end == NULL);
}

/* An end of ours, whose other one the server gets. */
static void
send_end(struct end *first, const char *text, enum rk_chan_kind kind,
    const char *type, struct end *mine)
{
	struct rk_chan *theirs;

	assert_int_equal(
	    rk_chan_pair(first->c, kind, type, &mine->c, &theirs), RK_OK);
	assert_int_equal(rk_chan_listen(mine->c, &end_events, mine), RK_OK);
	send_text(first, text, &theirs);
}

/* ---- cases ---- */

static void
replies_through_an_end(void **state)
{
	struct end mine[3] = { { 0 } };
	struct desk d;

	begin(&d, *state, "work");
	for (unsigned i = 0; i < 3; i++)
		send_end(&d.first, i == 0 ? "500" : "7", RK_CHAN_MESSAGES,
		    "replies", &mine[i]);
	for (unsigned i = 0; i < 3; i++) {
		turn(&d, &mine[i].eofs, 1);
		assert_int_equal(mine[i].messages, i == 0 ? 500 : 7);
		assert_int_equal(mine[i].bytes, mine[i].messages * 3000);
		assert_int_equal(mine[i].ended, 0);
		rk_chan_finish(mine[i].c);
		turn(&d, &mine[i].ended, 1);
		assert_int_equal(mine[i].code, RK_OK);
	}
	rk_chan_finish(d.first.c);
	finish(&d);
	assert_int_equal(d.first.ended, 1);
	assert_int_equal(atomic_load(&world.accepted), 1);
	assert_int_equal(atomic_load(&world.ended), 1);
}

static void
sends_bytes_both_ways(void **state)
{
	struct end mine[2] = { { .to_write = 3000000 },
		{ .to_write = 1000000 } };
	struct desk d;

	begin(&d, *state, "work");
	for (unsigned i = 0; i < 2; i++) {
		send_end(&d.first, "", RK_CHAN_BYTES, "echo", &mine[i]);
		write_more(mine[i].c, &mine[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		turn(&d, &mine[i].ended, 1);
		assert_int_equal(mine[i].code, RK_OK);
		assert_int_equal(mine[i].bytes, i == 0 ? 3000000 : 1000000);
		assert_false(mine[i].wrong);
	}
	finish(&d);
}

static void
gets_an_end(void **state)
{
	struct end theirs = { 0 };
	struct desk d;

	begin(&d, *state, "work");
	d.first.for_got = &theirs;
	send_text(&d.first, "mine", NULL);
	turn(&d, &d.first.messages, 1);
	assert_non_null(theirs.c);
	send_text(&theirs, "whose?", NULL);
	turn(&d, &theirs.messages, 1);
	assert_string_equal(theirs.text, "mine");
	rk_chan_close(&theirs.c);
	rk_chan_close(&d.first.c);
	await_running(&d, &world.ended, 1);
	assert_int_equal(atomic_load(&world.code), RK_ECLOSED);
	finish(&d);
}

/* Whoever waits for a slow reader delays nobody else. */
static void
lets_calls_pass(void **state)
{
	struct end mine = { 0 };
	struct rpcanswer a = { 0 };
	struct rk_request req = {
		.method = "echo", .payload = "x", .payload_len = 1
	};
	struct end other = { 0 };
	struct desk d;

	begin(&d, *state, "work");
	send_end(&d.first, "100000", RK_CHAN_MESSAGES, "replies", &mine);
	turn(&d, &mine.messages, 1);
	rk_chan_pause(mine.c, true);
	assert_int_equal(
	    rk_client_submit(d.client, &req, rpcrig_on_reply, &a, NULL), RK_OK);
	turn(&d, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	send_end(&d.first, "5", RK_CHAN_MESSAGES, "replies", &other);
	turn(&d, &other.messages, 5);
	assert_true(mine.messages < 100000);
	rk_chan_close(&mine.c);
	rk_chan_close(&other.c);
	finish(&d);
}

/* The stream ends with its last channel, and the connection goes on. */
static void
ends_with_its_channels(void **state)
{
	struct end again = { 0 };
	struct desk d;

	begin(&d, *state, "work");
	rk_chan_close(&d.first.c);
	await_running(&d, &world.ended, 1);
	assert_int_equal(atomic_load(&world.code), RK_ECLOSED);
	assert_int_equal(open_first(&d, "work", "jobs", &again), RK_OK);
	send_text(&again, "mine", NULL);
	turn(&d, &again.messages, 1);
	rpcrig_await_running(&d.rig, 1);
	rk_chan_close(&again.c);
	await_running(&d, &world.ended, 2);
	rpcrig_await_running(&d.rig, 0);
	rpcrig_await_conns(&d.rig, 1);
	finish(&d);
	assert_int_equal(d.first.ended, 0);
	assert_int_equal(again.ended, 0);
}

static void
dies_with_the_client(void **state)
{
	struct end mine = { 0 };
	struct desk d;

	begin(&d, *state, "work");
	send_end(&d.first, "100000", RK_CHAN_MESSAGES, "replies", &mine);
	turn(&d, &mine.messages, 1);
	rk_chan_pause(mine.c, true);
	rk_client_shutdown(d.client);
	turn(&d, &mine.ended, 1);
	turn(&d, &d.first.ended, 1);
	assert_int_equal(mine.code, RK_ECANCELED);
	assert_int_equal(d.first.code, RK_ECANCELED);
	await_running(&d, &world.ended, 1);
	assert_int_equal(atomic_load(&world.code), RK_ECLOSED);
	finish(&d);
	assert_int_equal(mine.ended, 1);
	assert_int_equal(d.first.ended, 1);
	assert_int_equal(atomic_load(&world.ended), 1);
}

static void
dies_with_the_server(void **state)
{
	struct end mine = { 0 };
	struct desk d;

	begin(&d, *state, "work");
	send_end(&d.first, "100000", RK_CHAN_MESSAGES, "replies", &mine);
	turn(&d, &mine.messages, 1);
	rpcrig_stop(&d.rig, 0);
	turn(&d, &d.first.ended, 1);
	turn(&d, &mine.ended, 1);
	assert_int_equal(mine.code, RK_ECLOSED);
	rpcrig_await_stopped(&d.rig);
	assert_int_equal(atomic_load(&world.ended), 1);
	rk_client_free(d.client);
	rk_loop_free(d.loop);
	rpcrig_fini(&d.rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "replies through an end", replies_through_an_end, RPC_ALL },
		{ "bytes both ways", sends_bytes_both_ways, RPC_ALL },
		{ "an end of the server's", gets_an_end, RPC_ALL },
		{ "calls pass", lets_calls_pass, RPC_ALL },
		{ "ends with its channels", ends_with_its_channels, RPC_ALL },
		{ "dies with the client", dies_with_the_client, RPC_ALL },
		{ "dies with the server", dies_with_the_server, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "channels", cases, sizeof(cases) / sizeof(cases[0]));
}
