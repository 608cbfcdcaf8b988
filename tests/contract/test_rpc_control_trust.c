/* Control sockets: keys that wait are shown, told of and decided about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rpckit/ask.h>

#include "base/clock.h"
#include "certs.h"
#include "guestrig.h"
#include "rawpeer.h"

/* ---- the cases ---- */

/* By the start of its key, blanks in it; on the connection that waited. */
static void
approves(void **state)
{
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_server_stats stats;
	struct rk_client *v, *w;
	struct guest g;
	enum rk_err code;
	char start[32];
	const char *text;

	assert_non_null(news);
	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.view, news);
	assert_int_equal(ctl_order(w, "_.events", "x", "y"), RK_OK);
	ctl_has(ctl_get(v, "_.trust"), "{\"mode\":\"ask\",\"list\":\"open\","
	                               "\"known\":0,\"left_out\":0,"
	                               "\"keys\":[]}");
	guest_arrive(&g, NULL, v);
	ctl_await_news(w, news, "\"event\":\"arrived\"");
	ctl_has(news->all, guests.fp);
	text = ctl_get(w, "_.pending"); /* the other socket shows it, too */
	ctl_has(text, "\"state\":\"new\",\"email\":\"client@example.org\"");
	ctl_has(text, guests.fp);
	ctl_has(text, "\"tries\":1,\"last_seen\":\"20");
	ctl_has(text, "\"first_seen\":\"20");
	ctl_has(ctl_get(v, "_.status"), "\"trust\":{\"mode\":\"ask\"");
	(void)snprintf(
	    start, sizeof(start), "%.11s %.8s", guests.fp, guests.fp + 11);
	text = guest_decide(
	    v, "approve", start, guest_version(text), false, &code);
	assert_int_equal(code, RK_OK);
	ctl_has(text, "\"verb\":\"approve\"");
	guest_await(&g, &g.answer.n);
	assert_int_equal(g.answer.code, RK_OK);
	assert_int_equal(g.closed, 0);
	rk_server_stats(guests.rig.server, &stats);
	assert_int_equal(stats.accepted, 1);
	ctl_await_news(w, news, "\"event\":\"decided\"");
	ctl_has(ctl_get(v, "_.pending"), "\"known\":1,\"left_out\":0,"
	                                 "\"keys\":[]");
	text = ctl_get(v, "_.known");
	ctl_has(text, guests.fp);
	ctl_has(text, "\"state\":\"known\"");
	rk_client_free(g.client);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
	free(news);
}

/* Of two who saw the same, one wins. */
static void
tells_the_second(void **state)
{
	struct rk_client *v, *w;
	struct guest g;
	uint64_t seen;
	enum rk_err code;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, v);
	seen = guest_version(ctl_get(v, "_.pending"));
	(void)guest_decide(v, "reject", guests.fp, seen, false, &code);
	assert_int_equal(code, RK_OK);
	ctl_has(guest_decide(w, "approve", guests.fp, seen, false, &code),
	    "something else was decided meanwhile");
	assert_int_equal(code, RK_EREMOTE);
	guest_await(&g, &g.closed);
	assert_int_equal(g.answer.code, RK_EDENIED);
	assert_null(strstr(ctl_get(w, "_.pending"), guests.fp));
	ctl_has(ctl_get(w, "_.trust"), "\"state\":\"rejected\"");
	/* Who has looked again may. */
	(void)guest_decide(w, "forget", guests.fp,
	    guest_version(ctl_get(w, "_.trust")), false, &code);
	assert_int_equal(code, RK_OK);
	assert_null(strstr(ctl_get(w, "_.trust"), guests.fp));
	ctl_has(guest_decide(w, "approve", guests.fp, 0, false, &code),
	    "no such key");
	assert_int_equal(code, RK_EREMOTE);
	rk_client_free(g.client);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
}

/* Of a list that is too long those are left out who do not wait. */
static void
shows_the_waiting_first(void **state)
{
	struct rk_client *v;
	struct guest g[2];
	const char *text, *waits;
	enum rk_err code;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g[0], NULL, v);
	(void)guest_decide(v, "reject", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g[0], &g[0].closed);
	guest_arrive(&g[1], rpcworld.other, v);
	text = ctl_get(v, "_.trust");
	waits = strstr(text, "\"state\":\"new\",\"email\":\"other@");
	assert_non_null(waits);
	assert_non_null(strstr(waits, "\"state\":\"rejected\""));
	for (int i = 0; i < 2; i++)
		rk_client_free(g[i].client);
	rk_client_free(v);
	guest_end();
}

/* So it is with connections. */
static void
shows_who_waits_first(void **state)
{
	struct rk_client *v;
	struct guest g[2];
	const char *text, *waits;
	enum rk_err code;
	int fd;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g[0], NULL, v);
	(void)guest_decide(v, "approve", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g[0], &g[0].answer.n);
	/* Who says nothing has no key that could wait. */
	fd = raw_dial(&guests.rig);
	guest_arrive(&g[1], rpcworld.other, v);
	text = ctl_get(v, "_.conns");
	assert_non_null(strstr(text, "\"email\":\"\""));
	waits = strstr(text, "other@example.org");
	assert_non_null(waits);
	assert_ptr_equal(strchr(text, '}'), strchr(waits, '}'));
	raw_close(fd);
	for (int i = 0; i < 2; i++)
		rk_client_free(g[i].client);
	rk_client_free(v);
	guest_end();
}

/* Of the connection whose row comes first. */
static uint64_t
first_id(struct rk_client *v)
{
	const char *at = strstr(ctl_get(v, "_.conns"), "\"id\":");

	assert_non_null(at);
	return strtoull(at + 5, NULL, 10);
}

/* Who waits has a number, which he keeps when he is let in, and by which he
 * alone can be sent away. */
static void
kicks_who_waits(void **state)
{
	uint8_t arg[15] = { 0x81, 0xa4, 'c', 'o', 'n', 'n', 0xcf };
	struct rk_client *v;
	struct guest g[2];
	uint64_t id;
	enum rk_err code;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g[0], NULL, v);
	id = first_id(v);
	assert_int_not_equal(id, 0);
	(void)guest_decide(v, "approve", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g[0], &g[0].answer.n);
	assert_int_equal(first_id(v), id);
	guest_arrive(&g[1], rpcworld.other, v);
	assert_int_not_equal(first_id(v), id);
	id = first_id(v);
	for (size_t i = 0; i < 8; i++)
		arg[7 + i] = (uint8_t)(id >> (56 - 8 * i));
	(void)ctl_ask(v, "_.kick", arg, sizeof(arg), &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g[1], &g[1].closed);
	assert_int_equal(g[0].closed, 0);
	rk_client_free(g[0].client);
	rk_client_free(g[1].client);
	rk_client_free(v);
	guest_end();
}

/* Revoking ends what is open; and neither mode nor lock undo that. */
static void
revokes(void **state)
{
	struct rk_client *v;
	struct guest g;
	struct stat st;
	enum rk_err code;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, v);
	(void)guest_decide(v, "once", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g, &g.answer.n);
	assert_int_equal(g.answer.code, RK_OK);
	(void)guest_decide(v, "revoke", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g, &g.closed);
	(void)guest_decide(v, "approve", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_EREMOTE);
	assert_int_equal(ctl_order(v, "_.mode", "mode", "off"), RK_OK);
	ctl_has(ctl_get(v, "_.trust"), "{\"mode\":\"off\"");
	ctl_has(ctl_get(v, "_.trust"), "\"state\":\"revoked\"");
	assert_int_equal(ctl_order(v, "_.lock", NULL, NULL), RK_EREMOTE);
	assert_int_equal(ctl_order(v, "_.mode", "mode", "ajar"), RK_EREMOTE);
	assert_int_equal(ctl_order(v, "_.mode", "mode", "lock"), RK_EREMOTE);
	assert_int_equal(ctl_order(v, "_.mode", "mode", "file"), RK_OK);
	rk_client_free(g.client);
	/* A list without a key is not locked: nobody could come any more. */
	assert_int_equal(ctl_order(v, "_.lock", NULL, NULL), RK_EREMOTE);
	guest_come(&g, rpcworld.other);
	guest_await(&g, &g.answer.n);
	assert_int_equal(g.answer.code, RK_OK);
	rk_client_free(g.client);
	assert_int_equal(ctl_order(v, "_.lock", NULL, NULL), RK_OK);
	assert_int_equal(stat(guests.list, &st), 0);
	assert_int_equal(st.st_mode & 0222, 0);
	ctl_has(ctl_get(v, "_.trust"), "\"list\":\"locked\"");
	assert_int_equal(ctl_order(v, "_.unlock", NULL, NULL), RK_OK);
	assert_int_equal(stat(guests.list, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	rk_client_free(v);
	guest_end();
}

/* One that only shows refuses; and what is no order changes nothing. */
static void
refuses(void **state)
{
	static const char *const steering[] = { "_.decide", "_.mode", "_.lock",
		"_.unlock" };
	static const uint8_t odd[] = { 0x82, 0xa3, 'k', 'e', 'y', 0xa1, 'x',
		0xa4, 'v', 'e', 'r', 'b', 0xa6, 'r', 'e', 'j', 'e', 'c' };
	uint8_t twice[400], *p = twice;
	struct rk_client *v, *w;
	struct guest g;
	enum rk_err code;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	w = ctl_visit(guests.ctl.view, NULL);
	guest_arrive(&g, NULL, v);
	for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++)
		assert_string_equal(ctl_ask(w, steering[i], NULL, 0, &code),
		    "not allowed for this caller");
	(void)guest_decide(w, "reject", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_EREMOTE);
	for (size_t n = 0; n <= sizeof(odd); n++) {
		(void)ctl_ask(v, "_.decide", odd, n, &code);
		assert_int_equal(code, RK_EREMOTE);
	}
	(void)guest_decide(v, "accept", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_EREMOTE);
	/* Of two verbs nobody knows which was meant. */
	*p++ = 0x83;
	p = guest_put(guest_put(p, "key"), guests.fp);
	p = guest_put(guest_put(p, "verb"), "reject");
	p = guest_put(guest_put(p, "verb"), "approve");
	ctl_has(ctl_ask(v, "_.decide", twice, (size_t)(p - twice), &code),
	    "it takes {key");
	assert_int_equal(code, RK_EREMOTE);
	twice[0] = 0x82;
	p = guest_put(
	    guest_put(guest_put(guest_put(twice + 1, "key"), guests.fp), "key"),
	    guests.fp);
	ctl_has(ctl_ask(v, "_.undo", twice, (size_t)(p - twice), &code),
	    "it takes {key");
	(void)guest_decide(v, "approve", "SHA256:abc", 0, false, &code);
	assert_int_equal(code, RK_EREMOTE);
	ctl_has(ctl_get(v, "_.pending"), "\"state\":\"new\"");
	assert_int_equal(g.answer.n, 0);
	rk_client_free(g.client);
	rk_client_free(v);
	rk_client_free(w);
	guest_end();
}

/* Another key for a known e-mail is not approved by the way. */
static void
asks_twice_about_changed(void **state)
{
	struct certs_cert *c =
	    certs_new_leaf(rpcworld.ca, "client3", "client@example.org");
	struct rk_ident *client3;
	struct rk_cert_info info;
	struct rk_client *v;
	struct guest g[2];
	enum rk_err code;

	certs_write(rpcworld.dir, "client3.crt", c->pem, 0600);
	certs_write(rpcworld.dir, "client3.key", c->key_pem, 0600);
	certs_free(c);
	client3 = rpcworld_load("client3");
	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g[0], NULL, v);
	(void)guest_decide(v, "approve", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g[0], &g[0].answer.n);
	guest_arrive(&g[1], client3, v);
	ctl_has(ctl_get(v, "_.pending"), "\"state\":\"changed\"");
	assert_true(rk_ident_info(client3, &info));
	ctl_has(guest_decide(v, "approve", info.fp, 0, false, &code),
	    "another key is known for client@example.org");
	assert_int_equal(code, RK_EREMOTE);
	(void)guest_decide(v, "approve", info.fp, 0, true, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g[1], &g[1].answer.n);
	assert_int_equal(g[1].answer.code, RK_OK);
	rk_client_free(g[0].client);
	rk_client_free(g[1].client);
	rk_client_free(v);
	guest_end();
	rk_ident_free(client3);
}

/* ---- another list ---- */

static struct rk_trust *next;

static void
replace(struct rpcrig *r, void *arg)
{
	(void)arg;
	assert_int_equal(rk_server_identity(
	                     r->server, r->conf.ident, next, NULL, NULL, NULL),
	    RK_OK);
}

static struct rk_trust *after_next;

/* arg: its list */
static void
replace_again(struct rpcrig *r, void *arg)
{
	assert_int_equal(
	    rk_trust_new(arg, RK_TRUST_ASK, &after_next, NULL), RK_OK);
	rk_trust_follow(after_next, next);
	assert_int_equal(rk_server_identity(r->server, r->conf.ident,
	                     after_next, NULL, NULL, NULL),
	    RK_OK);
}

/* Its keys are heard of, and decided about. */
static void
follows_the_server(void **state)
{
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_client *v;
	struct guest g;
	enum rk_err code;

	assert_non_null(news);
	guest_begin(*state, RK_TRUST_FILE);
	v = ctl_visit(guests.ctl.path, news);
	assert_int_equal(ctl_order(v, "_.events", "x", "y"), RK_OK);
	assert_int_equal(
	    rk_trust_new(guests.list, RK_TRUST_ASK, &next, NULL), RK_OK);
	rpcrig_do(&guests.rig, replace, NULL);
	ctl_has(ctl_get(v, "_.trust"), "{\"mode\":\"ask\"");
	guest_arrive(&g, NULL, v);
	ctl_await_news(v, news, "\"event\":\"arrived\"");
	(void)guest_decide(v, "approve", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g, &g.answer.n);
	assert_int_equal(g.answer.code, RK_OK);
	rk_client_free(g.client);
	rk_client_free(v);
	guest_end();
	rk_trust_free(next);
	free(news);
}

/* Who waits is under what is in force now, and not under what was; and goes
 * where that has another list. */
static void
waits_under_the_new(void **state)
{
	struct rk_client *v;
	struct guest g;
	char other[512];

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, v);
	rpcworld_path(other, "ctl_others");
	certs_write(rpcworld.dir, "ctl_others", "", 0600);
	assert_int_equal(
	    rk_trust_new(guests.list, RK_TRUST_ASK, &next, NULL), RK_OK);
	rk_trust_follow(next, guests.rig.conf.trust);
	rpcrig_do(&guests.rig, replace, NULL);
	/* The next mode is one for it, too. */
	ctl_has(ctl_get(v, "_.pending"), "\"waiting\":1");
	assert_int_equal(ctl_order(v, "_.mode", "mode", "file"), RK_OK);
	guest_await(&g, &g.answer.n);
	assert_int_equal(g.answer.code, RK_OK);
	rk_client_free(g.client);
	assert_int_equal(ctl_order(v, "_.mode", "mode", "ask"), RK_OK);
	guest_arrive(&g, rpcworld.other, v);
	rpcrig_do(&guests.rig, replace_again, other);
	guest_await(&g, &g.closed);
	assert_int_not_equal(g.answer.code, RK_OK);
	rk_client_free(g.client);
	rk_client_free(v);
	guest_end();
	rk_trust_free(next);
	rk_trust_free(after_next);
}

/* Without a list there is nothing, and that is said. */
static void
has_nobody(void **state)
{
	struct rk_client *v;
	enum rk_err code;

	rpcrig_begin(&guests.rig, *state);
	ctl_begin(&guests.ctl, &guests.rig);
	v = ctl_visit(guests.ctl.path, NULL);
	if (guests.rig.conf.trust == NULL) {
		assert_string_equal(ctl_ask(v, "_.trust", NULL, 0, &code),
		    "nobody decides about this server's keys");
		assert_null(strstr(ctl_get(v, "_.status"), "\"trust\":"));
	}
	(void)guest_decide(v, "approve", "SHA256:abcdefgh", 0, false, &code);
	assert_int_equal(code, RK_EREMOTE);
	rk_client_free(v);
	ctl_end(&guests.ctl);
	rpcrig_end(&guests.rig);
}

/* {from: 5, sum: ...} */
static const char *
export_rest(struct rk_client *v, const char *sum, enum rk_err *code)
{
	uint8_t arg[200], *p = arg;

	*p++ = 0x82;
	p = guest_put(p, "from");
	*p++ = 5;
	p = guest_put(guest_put(p, "sum"), sum);
	return ctl_ask(v, "_.export", arg, (size_t)(p - arg), code);
}

static const char *
decide_begun(
    struct rk_client *v, const char *verb, uint64_t begun, enum rk_err *code)
{
	uint8_t arg[600], *p = arg;

	*p++ = 0x83;
	p = guest_put(guest_put(p, "key"), guests.fp);
	p = guest_put(guest_put(p, "verb"), verb);
	p = guest_put(p, "begun");
	*p++ = 0xcf;
	for (int i = 56; i >= 0; i -= 8)
		*p++ = (uint8_t)(begun >> i);
	return ctl_ask(v, "_.decide", arg, (size_t)(p - arg), code);
}

/* Who began before something else was decided cannot have seen it; who begins
 * after that is told what that was. */
static void
tells_who_came_late(void **state)
{
	const uint64_t begun = mono_us();
	struct rk_client *v;
	struct guest g;
	enum rk_err code;
	const char *text;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, v);
	text = decide_begun(v, "reject", begun, &code);
	assert_int_equal(code, RK_OK);
	ctl_has(text, "\"was\":\"new\"");
	assert_null(strstr(text, "\"was_by\""));
	guest_await(&g, &g.closed);
	text = decide_begun(v, "approve", begun, &code);
	assert_int_equal(code, RK_EREMOTE);
	ctl_has(text, "something else was decided meanwhile: rejected by ");
	ctl_has(ctl_get(v, "_.trust"), "\"state\":\"rejected\"");
	text = decide_begun(v, "reject", begun, &code);
	assert_int_equal(code, RK_OK);
	assert_null(strstr(text, "\"was_by\""));
	text = decide_begun(v, "approve", mono_us(), &code);
	assert_int_equal(code, RK_OK);
	ctl_has(text, "\"was\":\"rejected\",\"was_by\":\"");
	ctl_has(text, "\"state\":\"known\"");
	ctl_has(decide_begun(v, "revoke", begun, &code),
	    "something else was decided meanwhile: approved by ");
	assert_int_equal(code, RK_EREMOTE);
	text = decide_begun(v, "revoke", mono_us(), &code);
	assert_int_equal(code, RK_OK);
	ctl_has(text, "\"was\":\"known\",\"was_by\":\"");
	text = decide_begun(v, "forget", mono_us(), &code);
	assert_int_equal(code, RK_OK);
	ctl_has(text, "\"was\":\"revoked\",\"was_by\":\"");
	ctl_has(text, "\"verb\":\"forget\",\"state\":\"known\"");
	rk_client_free(g.client);
	rk_client_free(v);
	guest_end();
}

/* Parts are of one list, and where that changes there is no second one. */
static void
exports_one(void **state)
{
	char sum[100] = "";
	const char *text, *at;
	struct rk_client *v;
	struct guest g;
	enum rk_err code;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	text = ctl_get(v, "_.export");
	ctl_has(text, "\"next\":0");
	at = strstr(text, "\"sum\":\"");
	assert_non_null(at);
	(void)snprintf(
	    sum, sizeof(sum), "%.*s", (int)strcspn(at + 7, "\""), at + 7);
	ctl_has(export_rest(v, sum, &code), "\"text\":");
	assert_int_equal(code, RK_OK);
	(void)export_rest(v, "", &code);
	assert_int_equal(code, RK_EREMOTE);
	guest_arrive(&g, NULL, v);
	(void)guest_decide(v, "approve", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	guest_await(&g, &g.answer.n);
	ctl_has(export_rest(v, sum, &code), "changed meanwhile");
	assert_int_equal(code, RK_EREMOTE);
	rk_client_free(g.client);
	rk_client_free(v);
	guest_end();
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "approves", approves, RPC_SECURE },
		{ "two deciders", tells_the_second, RPC_ONLY(RPC_TLS) },
		{ "who came late", tells_who_came_late, RPC_ONLY(RPC_TLS) },
		{ "who waits first", shows_the_waiting_first,
		    RPC_ONLY(RPC_TLS) },
		{ "connection that waits first", shows_who_waits_first,
		    RPC_ONLY(RPC_TLS) },
		{ "kicks who waits", kicks_who_waits, RPC_SECURE },
		{ "revokes", revokes, RPC_ONLY(RPC_TLS) },
		{ "refuses", refuses, RPC_ONLY(RPC_TLS) },
		{ "exports one list", exports_one, RPC_ONLY(RPC_TLS) },
		{ "changed", asks_twice_about_changed, RPC_ONLY(RPC_TLS) },
		{ "another list", follows_the_server, RPC_ONLY(RPC_TLS) },
		{ "another list for who waits", waits_under_the_new,
		    RPC_SECURE },
		{ "nobody", has_nobody, RPC_ONLY(RPC_UNIX) },
	};

	return rpcrig_run_cases(
	    "rpc control trust", cases, sizeof(cases) / sizeof(cases[0]));
}
