/* The PSK layer with somebody between its ends, and at its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/psk_int.h"
#include "net/psk_rec.h"

#include "memlayer.h"
#include "stacks.h"

#define WIRE_MAX 40000

static struct stack_world world;

/* Two ends, and the bytes of both in the hands of the test: from[i] is what end
 * i has sent. */
struct between {
	struct mem mem[2];
	struct layer *l[2];
	int fd[2];
	uint8_t wire[WIRE_MAX];
	size_t len;
};

static int
set_up(void **state)
{
	(void)state;
	stack_world_init(&world);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	stack_world_fini(&world);
	return 0;
}

static void
make(struct between *b)
{
	*b = (struct between){ .len = 0 };
	for (int i = 0; i < 2; i++) {
		mem_layer(&b->mem[i], &b->l[i], &b->fd[i]);
		assert_int_equal(
		    psk_layer_new(&world.psk[i], world.loop, b->l[i], &b->l[i]),
		    RK_OK);
	}
}

/* Take what end i has sent; 0: nothing, or it has closed. */
static size_t
hear(struct between *b, int i)
{
	ssize_t n = recv(b->fd[i], b->wire, sizeof(b->wire), 0);

	if (n < 0)
		assert_true(errno == EAGAIN || errno == ECONNRESET);
	b->len = n < 0 ? 0 : (size_t)n;
	return b->len;
}

static void
tell(struct between *b, int i, const uint8_t *p, size_t len)
{
	assert_int_equal(send(b->fd[i], p, len, MSG_NOSIGNAL), len);
}

static void
shake(struct between *b)
{
	enum rk_err r[2] = { RK_EAGAIN, RK_EAGAIN };

	for (int turns = 0; r[0] != RK_OK || r[1] != RK_OK; turns++) {
		assert_true(turns < 20);
		for (int i = 0; i < 2; i++) {
			r[i] = b->l[i]->ops->handshake(b->l[i], NULL);
			assert_true(r[i] == RK_OK || r[i] == RK_EAGAIN);
			if (hear(b, i) > 0)
				tell(b, 1 - i, b->wire, b->len);
		}
	}
}

static void
finish(struct between *b)
{
	for (int i = 0; i < 2; i++) {
		layer_free(b->l[i]);
		(void)close(b->fd[i]);
	}
}

/* One record of a byte from end i; it is in b->wire. */
static void
say(struct between *b, int i, uint8_t byte)
{
	size_t n;

	assert_int_equal(b->l[i]->ops->send(b->l[i], &byte, 1, &n), RK_OK);
	assert_int_equal(b->l[i]->ops->flush(b->l[i]), RK_OK);
	assert_int_equal(hear(b, i), 1 + PSK_REC_EXTRA);
}

static enum rk_err
get(struct between *b, int i, uint8_t *byte)
{
	size_t n;

	return b->l[i]->ops->recv(b->l[i], byte, 1, &n);
}

static void
broken(struct between *b, int i, const char *text)
{
	struct rk_error err;
	uint8_t byte;
	size_t n;

	for (int k = 0; k < 2; k++)
		assert_int_equal(get(b, i, &byte), RK_EPROTO);
	assert_true(layer_query(b->l[i], LAYER_Q_ERROR, &err));
	if (strstr(err.text, text) == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(b->l[i]->ops->send(b->l[i], &byte, 1, &n), RK_EPROTO);
}

/* ---- who is between ---- */

static void
test_repeated(void **state)
{
	struct between b;
	uint8_t byte;

	(void)state;
	make(&b);
	shake(&b);
	say(&b, 0, 'a');
	tell(&b, 1, b.wire, b.len);
	tell(&b, 1, b.wire, b.len);
	assert_int_equal(get(&b, 1, &byte), RK_OK);
	assert_int_equal(byte, 'a');
	broken(&b, 1, "repeated");
	finish(&b);
}

static void
test_left_out(void **state)
{
	struct between b;

	(void)state;
	make(&b);
	shake(&b);
	say(&b, 0, 'a');
	say(&b, 0, 'b');
	tell(&b, 1, b.wire, b.len);
	broken(&b, 1, "out of order");
	finish(&b);
}

static void
test_sent_back(void **state)
{
	struct between b;

	(void)state;
	make(&b);
	shake(&b);
	say(&b, 0, 'a');
	tell(&b, 0, b.wire, b.len);
	broken(&b, 0, "does not open");
	finish(&b);
}

static void
test_of_another_connection(void **state)
{
	struct between a;
	struct between b;

	(void)state;
	make(&a);
	shake(&a);
	make(&b);
	shake(&b);
	say(&a, 0, 'a');
	tell(&b, 1, a.wire, a.len);
	broken(&b, 1, "does not open");
	finish(&a);
	finish(&b);
}

static void
test_no_record(void **state)
{
	static const uint8_t frame[] = { 0xb3, 0x5d, 0x18, 0x39, 0xac, 0x8e,
		0x1d, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	struct between b;

	(void)state;
	make(&b);
	shake(&b);
	tell(&b, 1, frame, sizeof(frame));
	broken(&b, 1, "no record");
	finish(&b);
}

/* Cut off within a record and between two: neither is an orderly end. */
static void
test_cut_off(void **state)
{
	struct rk_error err;
	struct between b;
	uint8_t byte;
	bool orderly;

	(void)state;
	for (size_t n = 0; n < 1 + PSK_REC_EXTRA; n++) {
		make(&b);
		shake(&b);
		say(&b, 0, 'a');
		tell(&b, 1, b.wire, n);
		assert_int_equal(get(&b, 1, &byte), RK_EAGAIN);
		assert_int_equal(shutdown(b.fd[1], SHUT_WR), 0);
		assert_int_equal(get(&b, 1, &byte), RK_ECLOSED);
		assert_true(layer_query(b.l[1], LAYER_Q_ORDERLY, &orderly));
		assert_false(orderly);
		assert_true(layer_query(b.l[1], LAYER_Q_ERROR, &err));
		assert_string_equal(err.text, "ended without a goodbye");
		finish(&b);
	}
}

/* And what an orderly end is; what comes behind it is not looked at. */
static void
test_goodbye(void **state)
{
	struct between b;
	uint8_t byte = 0;
	bool orderly;
	size_t n;

	(void)state;
	make(&b);
	shake(&b);
	assert_int_equal(b.l[0]->ops->half_close(b.l[0]), RK_OK);
	assert_int_equal(b.l[0]->ops->half_close(b.l[0]), RK_OK);
	assert_int_equal(b.l[0]->ops->send(b.l[0], &byte, 1, &n), RK_ESTATE);
	assert_int_equal(hear(&b, 0), PSK_REC_EXTRA);
	tell(&b, 1, b.wire, b.len);
	tell(&b, 1, b.wire, b.len);
	for (int i = 0; i < 2; i++)
		assert_int_equal(get(&b, 1, &byte), RK_ECLOSED);
	assert_true(layer_query(b.l[1], LAYER_Q_ORDERLY, &orderly));
	assert_true(orderly);
	say(&b, 1, 'x'); /* the other direction goes on */
	tell(&b, 0, b.wire, b.len);
	assert_int_equal(get(&b, 0, &byte), RK_OK);
	assert_int_equal(byte, 'x');
	finish(&b);
}

/* ---- before it is proven ---- */

/* Whatever comes: not a byte is said, little is kept, and it ends at once. */
static void
test_strangers(void **state)
{
	static const char *const all[] = { "GET / HTTP/1.0\r\n\r\n", "rkpsX",
		"\x16\x03\x01\x02\x00\x01", "\n", "rkpsk" };
	struct rk_error err;
	struct between b;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool waits = strcmp(all[i], "rkpsk") == 0;

		make(&b);
		tell(&b, 1, (const uint8_t *)all[i], strlen(all[i]));
		assert_int_equal(b.l[1]->ops->handshake(b.l[1], &err),
		    waits ? RK_EAGAIN : RK_EPSK);
		if (waits) {
			assert_int_equal(shutdown(b.fd[1], SHUT_WR), 0);
			assert_int_equal(
			    b.l[1]->ops->handshake(b.l[1], &err), RK_EPSK);
		}
		assert_string_equal(err.step, "psk");
		b.l[1]->ops->close(b.l[1], &err);
		assert_int_equal(hear(&b, 1), 0);
		assert_int_equal(b.mem[1].bytes_out, 0);
		assert_true(b.mem[1].bytes_in <= PSK_HS_FIRST_LEN);
		finish(&b);
	}
}

/* Nor why, when it is our own fault. */
static void
test_tells_strangers_no_reason(void **state)
{
	static const uint8_t first[] = "rk";
	struct rk_error err;
	struct between b;

	(void)state;
	make(&b);
	tell(&b, 1, first, 2);
	((struct psk_layer *)b.l[1])->in.max =
	    1; /* as if there were no memory */
	assert_int_equal(b.l[1]->ops->handshake(b.l[1], &err), RK_ENOMEM);
	b.l[1]->ops->close(b.l[1], &err);
	assert_int_equal(b.mem[1].told, RK_ECLOSED);
	assert_int_equal(b.mem[1].bytes_out, 0);
	finish(&b);
	make(&b);
	shake(&b);
	err.code = RK_ELIMIT;
	b.l[1]->ops->close(b.l[1], &err);
	assert_int_equal(b.mem[1].told, RK_ELIMIT);
	finish(&b);
}

/* The handshake takes not one byte more than is its own, though it is there. */
static void
test_reads_no_further(void **state)
{
	uint8_t flood[5000] = { 0 };
	struct rk_error err;
	struct between b;

	(void)state;
	make(&b);
	assert_int_equal(b.l[0]->ops->handshake(b.l[0], NULL), RK_EAGAIN);
	assert_int_equal(hear(&b, 0), PSK_HS_FIRST_LEN);
	b.wire[PSK_HS_FIRST_LEN - 1] ^= 1;
	tell(&b, 1, b.wire, b.len);
	tell(&b, 1, flood, sizeof(flood));
	assert_int_equal(b.l[1]->ops->handshake(b.l[1], &err), RK_EPSK);
	assert_int_equal(b.mem[1].bytes_in, PSK_HS_FIRST_LEN);
	assert_int_equal(b.mem[1].bytes_out, 0);
	finish(&b);
}

/* ---- limits ---- */

static void
test_counters_used_up(void **state)
{
	struct between b;
	uint8_t byte = 'x';
	size_t n;

	(void)state;
	make(&b);
	shake(&b);
	for (int i = 0; i < 2; i++) {
		struct psk_layer *p = (struct psk_layer *)b.l[i];

		p->hs.send.next = p->hs.recv.next = NOISE_COUNTER_END - 1;
	}
	say(&b, 0, 'z');
	tell(&b, 1, b.wire, b.len);
	assert_int_equal(get(&b, 1, &byte), RK_OK);
	assert_int_equal(byte, 'z');
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    b.l[0]->ops->send(b.l[0], &byte, 1, &n), RK_ELIMIT);
	assert_int_equal(hear(&b, 0), 0);
	tell(&b, 1, b.wire, 1 + PSK_REC_EXTRA);
	assert_int_equal(get(&b, 1, &byte), RK_ELIMIT);
	b.l[0]->ops->close(b.l[0], NULL);
	assert_int_equal(hear(&b, 0), 0);
	finish(&b);
}

/* Far beyond a change of keys, one way, with the other way in between. */
static void
test_goes_on_behind_a_rekey(void **state)
{
	struct between b;
	uint8_t byte;

	(void)state;
	make(&b);
	shake(&b);
	((struct psk_layer *)b.l[0])->hs.send.next = PSK_REC_REKEY - 2;
	((struct psk_layer *)b.l[1])->hs.recv.next = PSK_REC_REKEY - 2;
	for (int i = 0; i < 10; i++) {
		int who = i % 3 == 2;

		say(&b, who, (uint8_t)i);
		tell(&b, 1 - who, b.wire, b.len);
		assert_int_equal(get(&b, 1 - who, &byte), RK_OK);
		assert_int_equal(byte, i);
	}
	finish(&b);
}

/* Secrets do not stay where the layer was broken off. */
static void
test_wiped(void **state)
{
	static const uint8_t zeros[32];
	struct between b;
	struct psk_layer *p;
	struct rk_error err;

	(void)state;
	make(&b);
	p = (struct psk_layer *)b.l[0];
	assert_int_equal(b.l[0]->ops->handshake(b.l[0], NULL), RK_EAGAIN);
	assert_memory_not_equal(p->hs.noise.secret, zeros, 32);
	assert_int_equal(shutdown(b.fd[0], SHUT_WR), 0);
	assert_int_equal(b.l[0]->ops->handshake(b.l[0], &err), RK_EPSK);
	assert_non_null(strstr(err.text, "it has none, or another"));
	assert_memory_equal(p->hs.noise.secret, zeros, 32);
	assert_memory_equal(p->hs.noise.chain, zeros, 32);
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_sent_back),
		cmocka_unit_test(test_of_another_connection),
		cmocka_unit_test(test_no_record),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_goodbye),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_tells_strangers_no_reason),
		cmocka_unit_test(test_reads_no_further),
		cmocka_unit_test(test_counters_used_up),
		cmocka_unit_test(test_goes_on_behind_a_rekey),
		cmocka_unit_test(test_wiped),
	};

	return cmocka_run_group_tests_name("psk", tests, set_up, tear_down);
}
