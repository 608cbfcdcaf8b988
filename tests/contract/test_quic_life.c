/* How QUIC connections go on and end: silence, goodbyes, what peers may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "quicpeer.h"
#include "relay.h"

#define BLOCK (251u * 4096)

static struct quicnet net;
static struct quicnet_conn client;
static uint8_t bytes[BLOCK]; /* what the rig expects */

static int
set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 251);
	quicnet_open(&net);
	net.echoes = true;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	quicnet_close(&net);
	return 0;
}

/* The newest of the server's ends. */
static struct quicnet_conn *
served(void)
{
	return &net.conns[net.n - 1];
}

/* ---- silence ---- */

static void
the_quiet_are_kept(void **state)
{
	struct quicnet_conn *s = quicnet_connect(&net, NULL, &client);
	uint64_t sent = quicnet_stats(&net).io.sent;

	(void)state;
	quicnet_pass(&net, 3600 * 1000);
	assert_int_equal(client.closed + s->closed, 0);
	/* One sign of life in ten seconds is enough for both. */
	assert_in_range(quicnet_stats(&net).io.sent - sent, 100, 1000);
	quicnet_send(&client, 251);
	quicnet_await(&net, &client.got, 251);
	quicnet_drain(&client);
}

/* A loop nobody ran while the peer gave up: what waits in the socket is from
 * before, and no reason to go on. */
static void
sleepers_wake_up_alone(void **state)
{
	struct quicnet_conn *s = quicnet_connect(&net, NULL, &client);

	(void)state;
	quicnet_pass(&net, 100);
	quicnet_send(s, 251);
	assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
	net.time.now += 61 * 1000;
	quicnet_await(&net, &client.closed, 1);
	assert_int_equal(client.why.code, RK_ETIMEOUT);
	assert_non_null(strstr(client.why.text, "no sign of the peer for 61"));
	assert_int_equal(client.got, 0);
	quicnet_drain(&client);
	quicnet_await(&net, &s->closed, 1);
}

/* 30 s after its last sign, whatever was sent to it since. */
static void
the_dead_are_missed(void **state)
{
	struct quicnet_conn *s = quicnet_connect(&net, NULL, &client);
	uint64_t begun = net.time.now;

	(void)state;
	quicnet_vanish(&client);
	quicnet_await(&net, &s->closed, 1);
	assert_int_equal(s->why.code, RK_ETIMEOUT);
	assert_non_null(strstr(s->why.text, "no sign of the peer for 30"));
	assert_in_range(net.time.now - begun, 29000, 31000);
	quicnet_pass(&net, 1);
	assert_int_equal(quicnet_stats(&net).conns, 0);
}

/* A peer may have less patience, and is kept all the same. */
static void
the_impatient_are_kept(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;

	(void)state;
	quicpeer_init(&p, &net, NULL);
	p.idle_s = 5;
	quicpeer_start(&p);
	quicnet_await(&net, &net.accepted, 1);
	s = served();
	quicnet_pass(&net, 60000);
	assert_int_equal(s->closed + p.dead, 0);
	quicpeer_free(&p);
	quicnet_await(&net, &s->closed, 1);
	assert_non_null(strstr(s->why.text, "no sign of the peer for 5 s"));
}

static void
nobody_is_told_of_at_once(void **state)
{
	uint64_t begun;

	(void)state;
	quicnet_stop(&net);
	begun = net.time.now;
	quicnet_dial(&net, NULL, &net.at, &client);
	quicnet_await(&net, &client.closed, 1);
	assert_int_equal(client.why.code, RK_ECONNECT);
	assert_int_equal(client.why.sys, ECONNREFUSED);
	assert_string_equal(client.why.step, "connect");
	assert_true(net.time.now - begun < 100);
	quicnet_drain(&client);
	quicnet_start(&net, net.rig.seed);
}

/* ---- goodbyes ---- */

static void
drain_all(const struct relay_faults *faults)
{
	struct relay *r = relay_start(net.loop, &net.at, 7);
	struct quicnet_conn *s;

	relay_set(r, RELAY_UP, faults);
	relay_set(r, RELAY_DOWN, faults);
	net.echoes = false;
	quicnet_dial(&net, NULL, relay_addr(r), &client);
	quicnet_await(&net, &client.opened, 1);
	while (net.n == 0 || !served()->opened)
		quicnet_turn(&net);
	s = served();
	quicnet_send(&client, BLOCK);
	quicnet_drain(&client);
	assert_int_equal(client.why.code, RK_ECANCELED);
	/* It may miss that this was the end, but not one byte before it. */
	assert_int_equal(s->got, BLOCK);
	quicnet_await(&net, &s->closed, 1);
	/* The other way round. */
	quicnet_dial(&net, NULL, relay_addr(r), &client);
	quicnet_await(&net, &client.opened, 1);
	while (served() == s || !served()->opened)
		quicnet_turn(&net);
	s = served();
	quicnet_send(s, BLOCK);
	conn_drain(s->conn);
	quicnet_await(&net, &s->closed, 1);
	assert_int_equal(client.got, BLOCK);
	quicnet_await(&net, &client.closed, 1);
	quicnet_drain(&client);
	relay_stop(r);
}

static void
what_was_sent_arrives_before_the_end(void **state)
{
	static const struct relay_faults faults[] = { { .drop = 0 },
		{ .drop = 5, .delay_ms = 5 },
		{ .drop = 20, .duplicate = 10, .reorder = 10 } };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		drain_all(&faults[i]);
		tear_down(NULL);
		set_up(NULL);
	}
}

/* A server that has sent all does not wait for who is away or asleep; what it
 * could not even send is worth a wait. */
static void
the_silent_are_not_waited_for(void **state)
{
	struct relay *r = relay_start(net.loop, &net.at, 3);
	struct quicnet_conn *s;
	uint64_t begun;

	(void)state;
	for (int all = 0; all < 2; all++) {
		quicnet_dial(&net, NULL, relay_addr(r), &client);
		quicnet_await(&net, &client.opened, 1);
		quicnet_await(&net, &net.accepted, 1 + (unsigned)all);
		s = served();
		quicnet_pass(&net, 1000);
		relay_blackhole(r, true);
		begun = net.time.now;
		quicnet_send(s, all == 0 ? 251 : BLOCK);
		conn_drain(s->conn);
		quicnet_await(&net, &s->closed, 1);
		if (all == 0) {
			assert_int_equal(s->why.code, RK_ECANCELED);
			assert_in_range(net.time.now - begun, 900, 3000);
		} else {
			assert_int_equal(s->why.code, RK_ETIMEOUT);
			assert_true(net.time.now - begun > 20000);
		}
		relay_blackhole(r, false);
		quicnet_drain(&client);
	}
	relay_stop(r);
}

/* A connection that began with early bytes and is ended at once: when the
 * handshake is over, nothing more has to be waited for. */
static void
early_ends_do_not_wait(void **state)
{
	static const struct relay_faults slow = { .delay_ms = 20 };
	struct relay *r = relay_start(net.loop, &net.at, 9);
	struct quicnet_conn *s;
	unsigned before;
	uint64_t begun;

	(void)state;
	net.echoes = false;
	(void)quicnet_connect(&net, NULL, &client);
	quicnet_pass(&net, 1000);
	quicnet_drain(&client);
	relay_set(r, RELAY_UP, &slow);
	relay_set(r, RELAY_DOWN, &slow);
	before = net.accepted;
	quicnet_dial(&net, NULL, relay_addr(r), &client);
	assert_int_equal(conn_early(client.conn, bytes, 251), RK_OK);
	while (net.accepted == before)
		quicnet_turn(&net);
	s = served();
	assert_true(conn_is_early(s->conn));
	begun = net.time.now;
	conn_drain(s->conn);
	quicnet_await(&net, &s->closed, 1);
	assert_int_equal(s->why.code, RK_ECANCELED);
	assert_true(net.time.now - begun < 1000);
	quicnet_await(&net, &client.closed, 1);
	quicnet_drain(&client);
	relay_stop(r);
}

/* What has arrived has not been read: whoever waits for that waits for more
 * than confirmations. */
static void
what_was_sent_is_read_before_the_end(void **state)
{
	struct quicnet_conn *s;

	(void)state;
	net.echoes = false;
	net.ponders = true;
	quicnet_dial(&net, NULL, &net.at, &client);
	quicnet_await(&net, &client.opened, 1);
	quicnet_send(&client, BLOCK);
	conn_finish(client.conn);
	quicnet_pass(&net, 5000);
	s = served();
	assert_int_equal(client.closed, 0);
	assert_int_equal(s->got, 0);
	quicnet_welcome(s);
	quicnet_await(&net, &client.closed, 1);
	assert_int_equal(s->got, BLOCK);
	assert_int_equal(s->why.code, RK_ECLOSED);
	assert_int_equal(client.why.code, RK_ECANCELED);
	quicnet_drain(&client);
	/* Somebody who is refused learns of that. */
	quicnet_dial(&net, NULL, &net.at, &client);
	net.refuses = true;
	quicnet_await(&net, &client.opened, 1);
	quicnet_send(&client, 251);
	conn_finish(client.conn);
	quicnet_await(&net, &client.closed, 1);
	assert_int_equal(client.why.code, RK_EDENIED);
	quicnet_drain(&client);
}

/* Sent where the peer is now, not where it was at first. */
static void
goodbyes_follow_the_peer(void **state)
{
	struct relay *r = relay_start(net.loop, &net.at, 8);
	struct quicnet_conn *s;
	uint64_t begun;

	(void)state;
	quicnet_dial(&net, NULL, relay_addr(r), &client);
	quicnet_await(&net, &client.opened, 1);
	quicnet_await(&net, &net.accepted, 1);
	s = served();
	quicnet_send(&client, 251);
	quicnet_await(&net, &client.got, 251);
	relay_rebind(r);
	quicnet_send(&client, 251);
	quicnet_await(&net, &client.got, 502);
	quicnet_pass(&net, 1000);
	begun = net.time.now;
	conn_drain(s->conn);
	quicnet_await(&net, &client.closed, 1);
	assert_int_equal(client.why.code, RK_ECLOSED);
	assert_true(net.time.now - begun < 1000);
	quicnet_drain(&client);
	relay_stop(r);
}

/* Who goes on talking is told again, but ever less often; then not at all. */
static void
goodbyes_are_repeated(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	uint64_t sent;
	int64_t id;

	(void)state;
	quicpeer_connect(&p, &net, NULL);
	s = served();
	p.holds = true;
	assert_int_equal(quicpeer_open(&p, false, &id), 0);
	quicpeer_say(&p, id, bytes, 10, false);
	assert_true(p.n_held > 0);
	p.dead = 1; /* it takes no notice */
	conn_drain(s->conn);
	quicnet_await(&net, &s->closed, 1);
	sent = quicnet_stats(&net).io.sent;
	for (int i = 0; i < 100; i++) {
		quicpeer_let_go(&p, 0);
		assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
	}
	assert_int_equal(quicnet_stats(&net).io.sent - sent, 7);
	assert_int_equal(quicnet_stats(&net).resets, 0);
	quicnet_pass(&net, 10000);
	assert_int_equal(quicnet_stats(&net).conns, 0);
	quicpeer_let_go(&p, 0);
	while (quicnet_stats(&net).resets == 0)
		quicnet_turn(&net);
	quicpeer_free(&p);
}

/* ---- what a peer may do with streams ---- */

/* It has the stream, and the server its first bytes. */
static struct quicnet_conn *
begin_stream(struct quicpeer *p, int64_t *id)
{
	quicpeer_connect(p, &net, NULL);
	assert_int_equal(quicpeer_open(p, false, id), 0);
	quicpeer_say(p, *id, bytes, 251, false);
	quicnet_await(&net, &p->got, 251);
	return served();
}

/* The server takes it for the end, says so, and has all that came before. */
static void
assert_ends(struct quicpeer *p, const struct quicnet_conn *s, unsigned got)
{
	quicnet_await(&net, &p->dead, 1);
	assert_true(p->by_peer && p->application);
	assert_int_equal(p->closed, 0);
	assert_int_equal(s->closed, 1);
	assert_int_equal(s->why.code, RK_ECLOSED);
	assert_int_equal(s->got, got);
	quicpeer_free(p);
}

static void
a_peer_finishes(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	int64_t id;

	(void)state;
	s = begin_stream(&p, &id);
	quicpeer_say(&p, id, bytes, 502, true);
	assert_ends(&p, s, 753);
}

static void
a_peer_resets(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	int64_t id;

	(void)state;
	s = begin_stream(&p, &id);
	assert_int_equal(
	    ngtcp2_conn_shutdown_stream_write(p.conn, 0, id, 77), 0);
	quicpeer_write(&p);
	assert_ends(&p, s, 251);
}

/* Found out with the next bytes for it. */
static void
a_peer_will_not_listen(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	int64_t id;

	(void)state;
	s = begin_stream(&p, &id);
	assert_int_equal(
	    ngtcp2_conn_shutdown_stream_read(p.conn, 0, id, 77), 0);
	quicpeer_write(&p);
	quicnet_pass(&net, 1000);
	quicpeer_say(&p, id, bytes, 251, false);
	assert_ends(&p, s, 502);
}

/* One stream both ways is granted, and a few for messages of their own. */
static void
a_peer_opens_what_it_can(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	int64_t id, more;
	unsigned n = 0;

	(void)state;
	s = begin_stream(&p, &id);
	assert_int_equal(
	    quicpeer_open(&p, false, &more), NGTCP2_ERR_STREAM_ID_BLOCKED);
	/* Begun, never ended: they hold up nobody. */
	while (quicpeer_open(&p, true, &more) == 0) {
		quicpeer_say(&p, more, bytes, 100, false);
		n++;
	}
	assert_in_range(n, 1, 16);
	quicpeer_say(&p, id, bytes, 251, false);
	quicnet_await(&net, &p.got, 502);
	/* Given up, they may be used again. */
	assert_int_equal(
	    ngtcp2_conn_shutdown_stream_write(p.conn, 0, more, 1), 0);
	quicpeer_write(&p);
	while (quicpeer_open(&p, true, &more) != 0)
		quicnet_turn(&net);
	assert_int_equal(s->closed, 0);
	quicpeer_free(&p);
}

/* A message on a stream of its own has its time, as on the stream of calls;
 * who goes on fast enough has more of it. */
static void
a_peer_leaves_messages_unfinished(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	uint64_t begun = net.time.now;
	int64_t id, more;

	(void)state;
	s = begin_stream(&p, &id);
	assert_int_equal(quicpeer_open(&p, true, &more), 0);
	for (int i = 0; i < 10; i++) {
		quicpeer_say(&p, more, bytes, 10000, false);
		quicnet_pass(&net, 10000);
		assert_int_equal(s->closed, 0);
	}
	quicpeer_say(&p, more, bytes, 1, false);
	quicnet_await(&net, &s->closed, 1);
	assert_int_equal(s->why.code, RK_ETIMEOUT);
	assert_in_range(net.time.now - begun, 129000, 132000);
	quicnet_await(&net, &p.dead, 1);
	quicpeer_free(&p);
	/* Bytes that only keep it alive do not. */
	s = begin_stream(&p, &id);
	begun = net.time.now;
	assert_int_equal(quicpeer_open(&p, true, &more), 0);
	while (s->closed == 0) {
		quicpeer_say(&p, more, bytes, 1, false);
		quicnet_pass(&net, 1000);
	}
	assert_in_range(net.time.now - begun, 29000, 33000);
	quicnet_await(&net, &p.dead, 1);
	quicpeer_free(&p);
}

/* ---- what a peer may do with keys, ids and packets ---- */

/* As Go does: new keys after 100 packets. */
static void
a_peer_updates_keys(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	int64_t id;

	(void)state;
	s = begin_stream(&p, &id);
	for (unsigned i = 1; i <= 300; i++) {
		if (i % 100 == 0) {
			quicnet_pass(&net, 10000);
			quicpeer_write(&p);
			assert_int_equal(ngtcp2_conn_initiate_key_update(
			                     p.conn, net.time.now * 1000000),
			    0);
		}
		quicpeer_say(&p, id, bytes, 251, false);
		quicnet_await(&net, &p.got, 251 * (i + 1));
	}
	assert_int_equal(s->closed, 0);
	assert_int_equal(p.dead, 0);
	quicpeer_free(&p);
}

/* Ids of any length, packets of 1200 bytes, no end of the stream. */
static void
a_peer_is_like_go(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	int64_t id;

	(void)state;
	for (size_t len = 0; len <= 20; len += 4) {
		quicpeer_init(&p, &net, NULL);
		p.cid_len = len;
		p.dcid.datalen = 8 + len * 3 / 5;
		quicpeer_start(&p);
		quicnet_await(&net, &p.confirmed, 1);
		assert_int_equal(quicpeer_open(&p, false, &id), 0);
		quicpeer_say(&p, id, bytes, 251 * 8, false);
		quicnet_await(&net, &p.got, 251 * 8);
		s = served();
		assert_int_equal(s->closed, 0);
		quicpeer_free(&p);
	}
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(the_quiet_are_kept),
		ROW(sleepers_wake_up_alone),
		ROW(the_dead_are_missed),
		ROW(the_impatient_are_kept),
		ROW(nobody_is_told_of_at_once),
		ROW(what_was_sent_arrives_before_the_end),
		ROW(the_silent_are_not_waited_for),
		ROW(early_ends_do_not_wait),
		ROW(what_was_sent_is_read_before_the_end),
		ROW(goodbyes_follow_the_peer),
		ROW(goodbyes_are_repeated),
		ROW(a_peer_finishes),
		ROW(a_peer_resets),
		ROW(a_peer_will_not_listen),
		ROW(a_peer_opens_what_it_can),
		ROW(a_peer_leaves_messages_unfinished),
		ROW(a_peer_updates_keys),
		ROW(a_peer_is_like_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
