/* Control sockets: orders about keys while another program holds the list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rpckit/value.h>

#include "certs.h"
#include "guestrig.h"
#include "storerig.h"

#define AT_ONCE_MS 4000 /* less than an order waits */

/* Another program would be no other to the system.  It has been read since it
 * changed last: reading waits for the lock, too. */
static int
hold(struct rk_client *w)
{
	int fd;

	guest_settle(w);
	fd = open(guests.list, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

static void
submit(struct rk_client *v, const char *verb, struct rpcanswer *a)
{
	uint8_t arg[600], *p = arg;

	*p++ = 0x82;
	p = guest_put(guest_put(p, "key"), guests.fp);
	p = guest_put(guest_put(p, "verb"), verb);
	rpcrig_submit(v, "_.decide", arg, (size_t)(p - arg), a);
}

/* The order is with the daemon, which answers others. */
static void
is_answered(struct rk_client *w, struct rk_client *v)
{
	uint64_t begun;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(rk_client_process(v), RK_OK);
		begun = rpcrig_now();
		(void)ctl_get(w, "_.status");
		assert_true(rpcrig_now() - begun < AT_ONCE_MS);
	}
}

/* It is done when the lock is free, and holds up nobody until then. */
static void
waits(void **state)
{
	struct rpcanswer a = { 0 }, b = { 0 };
	struct rk_client *v, *w;
	struct guest g;
	int fd;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, w);
	fd = hold(w);
	submit(v, "approve", &a);
	submit(v, "forget", &b); /* in order: it is known by then */
	is_answered(w, v);
	assert_int_equal(a.n + b.n, 0);
	(void)close(fd);
	rpcrig_turn(v, &b.n, 1);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(b.code, RK_EREMOTE);
	guest_await(&g, &g.answer.n);
	assert_int_equal(g.answer.code, RK_OK);
	rk_client_free(g.client);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
}

/* Who is put out is out at once, and what waited does not let him in again. */
static void
puts_out_at_once(void **state)
{
	struct rpcanswer a = { 0 };
	struct rk_client *v, *w;
	struct guest g;
	enum rk_err code;
	int fd;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, w);
	fd = hold(w);
	submit(v, "approve", &a);
	is_answered(w, v);
	(void)guest_decide(w, "reject", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	rpcrig_turn(v, &a.n, 1);
	assert_int_equal(a.code, RK_EREMOTE);
	assert_non_null(strstr(a.text, "put out meanwhile"));
	(void)close(fd);
	guest_await(&g, &g.closed);
	ctl_has(ctl_get(w, "_.trust"), "\"state\":\"rejected\"");
	rk_client_free(g.client);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
}

/* What waits about others goes on waiting. */
static void
leaves_others(void **state)
{
	struct rpcanswer a = { 0 };
	struct rk_client *v, *w;
	uint8_t pub[RK_KEY_PUBLIC_LEN] = { 1 };
	char other[RK_FP_LEN];
	struct guest g;
	enum rk_err code;
	int fd;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, w);
	fd = hold(w);
	submit(v, "approve", &a);
	is_answered(w, v);
	rk_fp_of_key(pub, other);
	(void)guest_decide(w, "reject", other, 0, false, &code);
	assert_int_equal(code, RK_OK);
	is_answered(w, v);
	/* Nor is anything thrown away for what is refused. */
	(void)guest_decide(w, "reject", "SHA256:abcdefgh", 0, false, &code);
	assert_int_equal(code, RK_EREMOTE);
	is_answered(w, v);
	assert_int_equal(a.n, 0);
	(void)close(fd);
	rpcrig_turn(v, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	rk_client_free(g.client);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
}

/* Who has gone has changed his mind; and the end waits for nobody. */
static void
forgets_who_has_gone(void **state)
{
	struct rpcanswer a = { 0 }, b = { 0 };
	struct rk_client *u, *v, *w;
	struct guest g;
	int fd;

	guest_begin(*state, RK_TRUST_ASK);
	u = ctl_visit(guests.ctl.path, NULL);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, w);
	fd = hold(w);
	submit(v, "approve", &a);
	is_answered(w, v);
	rk_client_free(v);
	(void)ctl_get(w, "_.status");
	submit(u, "note", &b); /* no order: it has no note */
	is_answered(w, u);
	(void)close(fd);
	rpcrig_turn(u, &b.n, 1);
	assert_int_equal(b.code, RK_EREMOTE);
	ctl_has(ctl_get(w, "_.pending"), "\"state\":\"new\"");
	fd = hold(w);
	b = (struct rpcanswer){ 0 };
	submit(u, "approve", &b);
	is_answered(w, u);
	rk_client_free(g.client);
	rk_client_free(w);
	guest_end();
	rk_client_free(u);
	(void)close(fd);
}

/* The same of the store, by every kind of order. */
static void
waits_for_the_store(void **state)
{
	static const char *const last[] = { "_.lock", "_.unlock", "_.undo" };
	struct rpcanswer a[2] = { { 0 } }, b[3] = { { 0 } };
	struct rk_client *v, *w;
	struct rk_error err;
	uint8_t arg[80], *p = arg;
	struct guest g;
	sqlite3 *db;

	guest_begin(*state, RK_TRUST_ASK);
	assert_int_equal(
	    rk_trust_keep(guests.rig.conf.trust, true, &err), RK_OK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, w);
	db = guest_hold_store();
	submit(v, "approve", &a[0]);
	submit(v, "reject", &a[1]);
	is_answered(w, v);
	assert_int_equal(a[1].n, 0);
	*p++ = 0x81;
	p = guest_put(guest_put(p, "key"), guests.fp);
	for (size_t i = 0; i < 3; i++)
		rpcrig_submit(v, last[i], i < 2 ? NULL : arg,
		    i < 2 ? 0 : (size_t)(p - arg), &b[i]);
	is_answered(w, v);
	assert_int_equal(b[0].n, 1); /* whoever locks waits for nobody */
	assert_int_equal(b[1].n + b[2].n, 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	rpcrig_turn(v, &b[2].n, 1);
	assert_int_equal(a[0].code, RK_EREMOTE); /* overruled */
	assert_int_equal(a[1].code, RK_OK);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(b[i].n == 1 ? b[i].code : RK_EIO,
		    i == 0 ? RK_EREMOTE : RK_OK); /* without a key */
	ctl_has(ctl_get(w, "_.pending"), "\"state\":\"new\"");
	rk_client_free(g.client);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
	guest_unstore();
}

/* {text, from, more} */
static size_t
put_part(uint8_t *arg, const char *text, uint8_t from, bool more)
{
	uint8_t *p = arg;

	*p++ = 0x83;
	p = guest_put(guest_put(p, "text"), text);
	p = guest_put(p, "from");
	*p++ = from; /* as it is */
	p = guest_put(p, "more");
	*p++ = more ? 0xc3 : 0xc2;
	return (size_t)(p - arg);
}

/* A text in parts is whole when it waits, whatever its connection sends. */
static void
waits_with_its_text(void **state)
{
	struct rpcanswer a = { 0 };
	struct rk_client *v, *w;
	uint8_t arg[100];
	enum rk_err code;
	size_t len;
	int fd;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	len = put_part(arg, "# x\n", 0, true);
	(void)ctl_ask(v, "_.import", arg, len, &code);
	assert_int_equal(code, RK_OK);
	fd = hold(w);
	len = put_part(arg, "# y\n", 4, false);
	rpcrig_submit(v, "_.import", arg, len, &a);
	is_answered(w, v);
	assert_int_equal(a.n, 0);
	len = put_part(arg, "# another\n", 0, true);
	(void)ctl_ask(v, "_.import", arg, len, &code);
	assert_int_equal(code, RK_OK);
	(void)close(fd);
	rpcrig_turn(v, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	len = put_part(arg, "wrong\n", 10, false);
	ctl_has(ctl_ask(v, "_.import", arg, len, &code), "\"lines\":[2]");
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
}

#define MANY 9900 /* nearly as many as a list may have */
#define LINE_LEN 120

/* {text: so many lines}; to be freed. */
static uint8_t *
put_many(size_t *len)
{
	uint8_t *arg = malloc(MANY * LINE_LEN + 16), *p = arg;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char id[RK_KEY_ID_LEN];

	assert_non_null(arg);
	*p++ = 0x81;
	p = guest_put(p, "text");
	*p++ = 0xdb;
	p += 4;
	for (unsigned i = 1; i <= MANY; i++) {
		storerig_key(i, pub);
		rk_key_id(pub, id);
		p += snprintf((char *)p, LINE_LEN, "h %s:\n", id);
	}
	*len = (size_t)(p - arg);
	for (size_t i = 0, n = *len - 12; i < 4; i++)
		arg[8 + i] = (uint8_t)(n >> (24 - 8 * i));
	return arg;
}

/* The part that begins there has all the rest, if there is room for it, of a
 * list of n, and what tells lists apart. */
static void
tells_from(struct rk_client *v, unsigned from, unsigned n, char sum[40])
{
	const uint8_t arg[] = { 0x81, 0xa4, 'f', 'r', 'o', 'm', 0xcd,
		(uint8_t)(from >> 8), (uint8_t)from };
	const struct rk_request req = {
		.method = "_.known", .payload = arg, .payload_len = sizeof(arg)
	};
	const struct rk_value *keys, *left, *begins, *of;
	struct rk_value_doc *doc;
	struct rk_reply reply;
	struct rk_error err;

	assert_int_equal(rk_client_call(v, &req, &reply, &err), RK_OK);
	assert_int_equal(
	    rk_value_decode(reply.payload.ptr, reply.payload.len, &doc), RK_OK);
	keys = rk_value_get(rk_value_root(doc), "keys");
	left = rk_value_get(rk_value_root(doc), "left_out");
	begins = rk_value_get(rk_value_root(doc), "from");
	of = rk_value_get(rk_value_root(doc), "sum");
	assert_int_equal(of != NULL, from != 0 || left->u.u64 != 0);
	sum[0] = '\0';
	if (of != NULL) {
		assert_in_range(of->u.bytes.len, 1, 39);
		memcpy(sum, of->u.bytes.ptr, of->u.bytes.len);
		sum[of->u.bytes.len] = '\0';
	}
	assert_int_equal(keys->u.list.count + left->u.u64, n - from);
	assert_int_equal(keys->u.list.count == 0, from == n);
	if (from == 0)
		assert_null(begins);
	else
		assert_int_equal(begins->u.u64, from);
	rk_value_free(doc);
	rk_reply_free(&reply);
}

/* An editor makes a comment of the list's first line with a key. */
static void
take_first_out(void)
{
	char text[256] = "", *at;
	int fd = open(guests.list, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_non_null(at = strstr(text, "\nh "));
	assert_int_equal(pwrite(fd, "#", 1, at + 1 - text), 1);
	assert_int_equal(close(fd), 0);
}

/* Who puts parts together sees when they are of two lists. */
static void
tells_parts(struct rk_client *v)
{
	char sum[40], same[40];

	tells_from(v, 0, MANY, sum);
	tells_from(v, MANY - 7, MANY, sum);
	tells_from(v, MANY, MANY, same);
	assert_string_equal(same, sum);
	take_first_out();
	tells_from(v, MANY - 7, MANY - 1, same);
	assert_string_not_equal(same, sum);
}

/* Of a long list it is not looked at all keys before anybody else is served. */
static void
serves_others(void **state)
{
	struct rpcanswer a = { 0 }, b = { 0 };
	struct rk_client *u, *v, *w;
	uint8_t *arg;
	size_t len;

	guest_begin(*state, RK_TRUST_ASK);
	u = ctl_visit(guests.ctl.path, NULL);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	arg = put_many(&len);
	/* Who goes meanwhile leaves nothing of it. */
	rpcrig_submit(u, "_.import", arg, len, &a);
	is_answered(w, u);
	assert_int_equal(a.n, 0);
	rk_client_free(u);
	rpcrig_submit(v, "_.import", arg, len, &b);
	is_answered(w, v);
	assert_int_equal(b.n, 0);
	ctl_has(ctl_get(w, "_.known"), "\"keys\":[]");
	rpcrig_turn(v, &b.n, 1);
	assert_int_equal(b.code, RK_OK);
	ctl_has(ctl_get(w, "_.status"), "\"known\":9900");
	tells_parts(w);
	free(arg);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
}

/* Not for ever; nothing is left of it then. */
static void
is_busy_in_the_end(void **state)
{
	struct rpcanswer a = { 0 };
	struct rk_client *v, *w;
	struct rk_error err;
	struct guest g;
	sqlite3 *db;

	if (((const struct rpcrun *)*state)->threads > 1)
		return; /* once is long enough */
	guest_begin(*state, RK_TRUST_ASK);
	assert_int_equal(
	    rk_trust_keep(guests.rig.conf.trust, true, &err), RK_OK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, w);
	db = guest_hold_store();
	submit(v, "approve", &a);
	rpcrig_turn(v, &a.n, 1);
	assert_int_equal(a.code, RK_EREMOTE);
	assert_non_null(strstr(
	    a.text, "locked by another process for 5 s: nothing was done"));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	ctl_has(ctl_get(w, "_.pending"), "\"state\":\"new\"");
	rk_client_free(g.client);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
	guest_unstore();
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "waits", waits, RPC_ONLY(RPC_TLS) },
		{ "waits for the store", waits_for_the_store,
		    RPC_ONLY(RPC_TLS) },
		{ "waits with its text", waits_with_its_text,
		    RPC_ONLY(RPC_TLS) },
		{ "serves others", serves_others, RPC_ONLY(RPC_TLS) },
		{ "is busy in the end", is_busy_in_the_end, RPC_ONLY(RPC_TLS) },
		{ "puts out at once", puts_out_at_once, RPC_ONLY(RPC_TLS) },
		{ "leaves others", leaves_others, RPC_ONLY(RPC_TLS) },
		{ "forgets who has gone", forgets_who_has_gone,
		    RPC_ONLY(RPC_TLS) },
	};

	return rpcrig_run_cases(
	    "rpc control turn", cases, sizeof(cases) / sizeof(cases[0]));
}
