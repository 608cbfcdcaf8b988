/* Keys, peers and a trust store in the current folder, for tests of it. */
#include "storerig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

int64_t storerig_now;

int64_t
storerig_clock(void)
{
	return storerig_now;
}

void
storerig_says(const struct rk_error *err, const char *words)
{
	if (strstr(err->text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err->text, words);
}

void
storerig_key(unsigned number, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	uint8_t seed[RK_KEY_SEED_LEN] = { (uint8_t)number,
		(uint8_t)(number >> 8), 9 };
	struct rk_key *key = NULL;

	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	rk_key_public(key, pub);
	rk_key_free(key);
}

void
storerig_fp(unsigned number, char fp[RK_FP_LEN])
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];

	storerig_key(number, pub);
	rk_fp_of_key(pub, fp);
}

void
storerig_peer(
    struct rk_peer *peer, unsigned number, const char *email, const char *host)
{
	*peer = (struct rk_peer){ .transport = "tls", .proven = true };
	storerig_key(number, peer->cert.pub);
	rk_fp_of_key(peer->cert.pub, peer->cert.fp);
	(void)str_copy(peer->cert.email, sizeof(peer->cert.email), email);
	(void)str_copy(
	    peer->cert.issuer_cn, sizeof(peer->cert.issuer_cn), "test CA");
	if (host[0] == '\0')
		peer->transport = "unix";
	else if (strchr(host, ':') != NULL)
		(void)snprintf(peer->remote, sizeof(peer->remote),
		    "tls://[%s]:40000", host);
	else
		(void)snprintf(
		    peer->remote, sizeof(peer->remote), "tls://%s:40000", host);
}

struct rk_store *
storerig_open(void)
{
	struct rk_store *s = NULL;
	struct rk_error err;

	if (rk_store_open(STORERIG_FILE, true, &s, &err) != RK_OK)
		fail_msg("%s", err.text);
	return s;
}

struct rk_store_seen
storerig_see(
    struct rk_store *s, enum rk_store_mode mode, const struct rk_peer *peer)
{
	struct rk_store_seen seen;
	struct rk_error err;

	if (rk_store_see(s, mode, peer, &seen, &err) != RK_OK)
		fail_msg("%s", err.text);
	return seen;
}

enum rk_store_status
storerig_status(struct rk_store *s, unsigned number)
{
	struct rk_store_seen seen;
	struct rk_error err;
	struct rk_peer peer;

	storerig_peer(&peer, number, "", "");
	if (rk_store_look(s, RK_MODE_ASK, &peer.cert, &seen, &err) != RK_OK)
		fail_msg("%s", err.text);
	return seen.status;
}

static enum rk_err
decide(struct rk_store *s, enum rk_store_verb verb, unsigned number,
    int64_t *act, struct rk_error *err)
{
	char fp[RK_FP_LEN];
	const struct rk_store_decision d = {
		.size = sizeof(d),
		.verb = verb,
		.key = fp,
		.who = "ann",
		.version = RK_STORE_ANY_VERSION,
		.until = INT64_MAX,
	};

	storerig_fp(number, fp);
	return rk_store_decide(s, &d, act, err);
}

enum rk_err
storerig_try(struct rk_store *s, enum rk_store_verb verb, unsigned number)
{
	return decide(s, verb, number, NULL, NULL);
}

int64_t
storerig_decide(struct rk_store *s, enum rk_store_verb verb, unsigned number)
{
	struct rk_error err;
	int64_t act;

	if (decide(s, verb, number, &act, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_true(act > 0);
	return act;
}

void
storerig_admit(struct rk_store *s, unsigned number, const char *email)
{
	struct rk_peer peer;

	storerig_peer(&peer, number, email, "192.0.2.1");
	assert_int_equal(
	    storerig_see(s, RK_MODE_ASK, &peer).verdict, RK_VERDICT_WAIT);
	(void)storerig_decide(s, RK_STORE_APPROVE, number);
}

struct rk_store_entry
storerig_find(struct rk_store *s, unsigned number)
{
	struct rk_store_entry e;
	char fp[RK_FP_LEN];
	struct rk_error err;

	storerig_fp(number, fp);
	if (rk_store_find(s, fp, &e, &err) != RK_OK)
		fail_msg("%s", err.text);
	return e;
}

static bool
count(const struct rk_store_entry *entry, void *arg)
{
	size_t *n = arg;

	(void)entry;
	++*n;
	return true;
}

size_t
storerig_count(struct rk_store *s, unsigned states)
{
	struct rk_error err;
	size_t n = 0;

	if (rk_store_list(s, states, count, &n, &err) != RK_OK)
		fail_msg("%s", err.text);
	return n;
}

static bool
count_line(const struct rk_store_line *line, void *arg)
{
	size_t *n = arg;

	++*n;
	return line->id == (int64_t)*n; /* none is missing */
}

size_t
storerig_audit(struct rk_store *s)
{
	struct rk_error err;
	size_t n = 0;

	if (rk_store_audit(s, 0, count_line, &n, &err) != RK_OK)
		fail_msg("%s", err.text);
	return n;
}

void
storerig_append(unsigned number, const char *email)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char id[RK_KEY_ID_LEN];
	char line[1024];
	int fd = open(STORERIG_FILE, O_WRONLY | O_APPEND | O_CLOEXEC);
	int n;

	assert_true(fd >= 0);
	storerig_key(number, pub);
	rk_key_id(pub, id);
	n = snprintf(line, sizeof(line), "10.0.0.1 %s:%s\n", id, email);
	assert_in_range(n, 1, sizeof(line) - 1);
	assert_int_equal(write(fd, line, (size_t)n), n);
	assert_int_equal(close(fd), 0);
}
