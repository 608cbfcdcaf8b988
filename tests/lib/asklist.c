/* Lists of keys in which some wait, and who comes to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asklist.h"
#include "scratch.h"

struct rk_peer
ask_peer_at(unsigned number, const char *email, const char *remote)
{
	struct rk_peer peer = { .transport = "tls", .proven = true };
	uint8_t seed[RK_KEY_SEED_LEN] = { 0 };
	struct rk_key *key = NULL;

	memcpy(seed, &number, sizeof(number));
	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	rk_key_public(key, peer.cert.pub);
	rk_key_free(key);
	rk_fp_of_key(peer.cert.pub, peer.cert.fp);
	(void)snprintf(peer.remote, sizeof(peer.remote), "%s", remote);
	(void)snprintf(peer.cert.email, sizeof(peer.cert.email), "%s", email);
	(void)snprintf(peer.cert.issuer_cn, sizeof(peer.cert.issuer_cn), "CA");
	return peer;
}

/* Each has an address of its own. */
struct rk_peer
ask_peer(unsigned number)
{
	char email[32];

	(void)snprintf(email, sizeof(email), "p%u@x", number);
	return ask_peer_at(number, email, "tls://127.0.0.1:8443");
}

enum rk_err
ask_come(struct rk_trust *t, const struct rk_peer *peer)
{
	struct rk_error err;
	enum rk_err r = rk_trust_decide(t, peer, NULL, &err);

	assert_int_equal(err.code, r);
	return r;
}

enum rk_err
ask_come_as(struct rk_trust *t, unsigned number)
{
	struct rk_peer peer = ask_peer(number);

	return ask_come(t, &peer);
}

enum rk_err
ask_order_key(struct rk_trust *t, enum rk_ask_verb verb, const char *key)
{
	struct rk_ask_order o = { .size = sizeof(o), .verb = verb, .key = key };

	return rk_trust_order(t, &o, NULL, NULL);
}

enum rk_err
ask_order(struct rk_trust *t, enum rk_ask_verb verb, unsigned number)
{
	struct rk_peer peer = ask_peer(number);

	return ask_order_key(t, verb, peer.cert.fp);
}

struct rk_trust *
ask_list(const char *text, enum rk_trust_mode mode)
{
	struct rk_trust *t = NULL;
	struct rk_error err;

	scratch_make("k", text, 0600);
	if (rk_trust_new("k", mode, &t, &err) != RK_OK)
		fail_msg("%s", err.text);
	return t;
}

struct rk_ask_entry
ask_only_entry(struct rk_trust *t)
{
	struct rk_ask_entry *list, e;
	size_t n;

	assert_int_equal(rk_trust_entries(t, &list, &n), RK_OK);
	assert_int_equal(n, 1);
	e = list[0];
	free(list);
	return e;
}

size_t
ask_count(struct rk_trust *t)
{
	struct rk_ask_entry *list;
	size_t n;

	assert_int_equal(rk_trust_entries(t, &list, &n), RK_OK);
	free(list);
	return n;
}

size_t
ask_known(struct rk_trust *t)
{
	enum rk_trust_state state;
	size_t n;

	assert_int_equal(rk_trust_inspect(t, &state, &n, NULL), RK_OK);
	return n;
}

struct rk_trust *
ask_kept(enum rk_trust_mode mode)
{
	struct rk_trust *t = NULL;
	struct rk_error err;

	if (rk_trust_new("k", mode, &t, &err) != RK_OK ||
	    rk_trust_keep(t, true, &err) != RK_OK)
		fail_msg("%s", err.text);
	return t;
}

struct sqlite3 *
ask_hold_store(void)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open("k.db", &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

enum rk_err
ask_audit(struct rk_trust *t, size_t max, policy_line_fn *fn, void *arg)
{
	const struct policy_audit which = { .max = max };

	return policy_audit(t, &which, fn, arg, NULL);
}
