/* Keys in an agent: one that signs, asks, refuses, lies, hangs, or is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <time.h>

#include <rpckit/signer.h>

#include "base/agent_frame.h"
#include "fakeagent.h"
#include "scratch.h"

#define SOCK "agent.sock"

struct told {
	unsigned n;
	uint32_t id;
	char name[32];
};

static void
on_asked(const char *name, uint32_t id, void *arg)
{
	struct told *t = arg;

	t->n++;
	t->id = id;
	assert_true(strlen(name) < sizeof(t->name));
	memcpy(t->name, name, strlen(name) + 1);
}

static struct rk_key *
key_at(const char *path, uint32_t ms, struct told *told)
{
	const struct rk_agent_conf conf = {
		.size = sizeof(conf),
		.path = path,
		.timeout_ms = ms,
		.asked = told == NULL ? NULL : on_asked,
		.arg = told,
	};
	struct rk_error err = { 0 };
	struct rk_key *key = NULL;

	if (rk_key_of_agent("node", &conf, &key, &err) != RK_OK)
		fail_msg("%s", err.text);
	return key;
}

static enum rk_err
sign(const struct rk_key *key, struct rk_error *err)
{
	uint8_t sig[RK_KEY_SIG_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	enum rk_err r = rk_key_sign_for(key, RK_SIGN_TLS, "text", 4, sig, err);

	rk_key_public(key, pub);
	assert_int_equal(rk_key_verify(pub, "text", 4, sig), r == RK_OK);
	return r;
}

static void
says(const struct rk_error *err, const char *text)
{
	if (strstr(err->text, text) == NULL || strstr(err->text, SOCK) == NULL)
		fail_msg("\"%s\", not \"%s\"", err->text, text);
}

static void
test_signs(void **state)
{
	struct fakeagent f = { 0 };
	struct rk_error err;
	struct rk_key *key;

	(void)state;
	fakeagent_start(&f, SOCK);
	key = key_at(SOCK, 0, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sign(key, &err), RK_OK);
	assert_int_equal(f.conns, 1);
	/* The agent ends and comes back: nobody notices. */
	fakeagent_stop(&f);
	fakeagent_start(&f, SOCK);
	assert_int_equal(sign(key, &err), RK_OK);
	assert_int_equal(f.conns, 2);
	fakeagent_stop(&f);
	assert_int_equal(sign(key, &err), RK_ECONNECT);
	says(&err, "no agent at");
	fakeagent_start(&f, SOCK);
	assert_int_equal(sign(key, &err), RK_OK);
	rk_key_free(key);
	fakeagent_stop(&f);
	fakeagent_free(&f);
}

#define SIGNERS 4

/* Loops that share a key: each has its own signatures, and its own reasons. */
static void *
sign_often(void *arg)
{
	const struct rk_key *key = arg;
	uint8_t sig[RK_KEY_SIG_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	enum rk_err r;
	uintptr_t wrong = 0;

	rk_key_public(key, pub);
	for (uint32_t i = 0; i < 40; i++) {
		r = rk_key_sign_for(key, RK_SIGN_TLS, &i, sizeof(i), sig, &err);
		if (r == RK_OK)
			wrong += !rk_key_verify(pub, &i, sizeof(i), sig);
		else
			wrong +=
			    r != err.code || strstr(err.text, SOCK) == NULL;
	}
	return (void *)wrong; /* a number for who joins */
}

static void
test_threads(void **state)
{
	struct fakeagent f = { 0 };
	pthread_t threads[SIGNERS];
	struct rk_key *key;
	void *wrong;

	(void)state;
	fakeagent_start(&f, SOCK);
	key = key_at(SOCK, 0, NULL);
	for (size_t i = 0; i < SIGNERS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_often, key), 0);
	/* It goes, and comes back, under their feet. */
	fakeagent_stop(&f);
	fakeagent_start(&f, SOCK);
	for (size_t i = 0; i < SIGNERS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	rk_key_free(key);
	fakeagent_stop(&f);
	fakeagent_free(&f);
}

static void
test_lies(void **state)
{
	static const struct {
		enum fakeagent_mode mode;
		enum rk_err code;
		const char *text;
	} ways[] = {
		{ FAKEAGENT_REFUSES, RK_EDENIED, "node: not\\x1btoday" },
		{ FAKEAGENT_HALF, RK_ECLOSED, "agent: has ended" },
		{ FAKEAGENT_GARBAGE, RK_EPROTO, "an answer that is none" },
		{ FAKEAGENT_SHORT, RK_EPROTO, "cannot be read" },
		{ FAKEAGENT_LONG, RK_EPROTO, "cannot be read" },
		{ FAKEAGENT_STRANGE, RK_EPROTO, "to something else" },
		{ FAKEAGENT_HANGS_UP, RK_ECLOSED, "agent: has ended" },
	};
	struct fakeagent f = { 0 };
	struct rk_error err;
	struct rk_key *key;

	(void)state;
	fakeagent_start(&f, SOCK);
	key = key_at(SOCK, 0, NULL);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		atomic_store(&f.mode, (int)ways[i].mode);
		assert_int_equal(sign(key, &err), ways[i].code);
		says(&err, ways[i].text);
		atomic_store(&f.mode, FAKEAGENT_SIGNS);
		assert_int_equal(sign(key, &err), RK_OK);
	}
	atomic_store(&f.mode, FAKEAGENT_OTHER);
	assert_int_equal(sign(key, &err), RK_EPROTO);
	assert_string_equal(err.text,
	    "node (at " SOCK "): a signature came that is not this key's");
	rk_key_free(key);
	fakeagent_stop(&f);
	fakeagent_free(&f);
}

/* Once only the time is used up; then it is not even asked for a while, and
 * then it is. */
static void
test_hangs(void **state)
{
	struct fakeagent f = { 0 };
	struct rk_error err;
	struct rk_key *key;

	(void)state;
	fakeagent_start(&f, SOCK);
	key = key_at(SOCK, 600, NULL);
	atomic_store(&f.mode, FAKEAGENT_HANGS);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sign(key, &err), RK_ETIMEOUT);
		says(&err, "agent: gives no answer");
		/* Also once it would answer again. */
		atomic_store(&f.mode, FAKEAGENT_SIGNS);
	}
	while (sign(key, &err) != RK_OK)
		says(&err, "agent: gives no answer");
	rk_key_free(key);
	fakeagent_stop(&f);
	assert_int_equal(f.asked, 2);
	fakeagent_free(&f);
}

/* What is signed may be long: a revocation list.  Longer is no request. */
static void
test_long(void **state)
{
	static uint8_t text[AGENT_SIGN_MAX];
	struct fakeagent f = { 0 };
	uint8_t sig[RK_KEY_SIG_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	struct rk_key *key;

	(void)state;
	fakeagent_start(&f, SOCK);
	key = key_at(SOCK, 0, NULL);
	rk_key_public(key, pub);
	assert_int_equal(rk_key_sign_for(key, RK_SIGN_CRL, text,
	                     sizeof(text) - 1024, sig, &err),
	    RK_OK);
	assert_true(rk_key_verify(pub, text, sizeof(text) - 1024, sig));
	assert_int_equal(
	    rk_key_sign_for(key, RK_SIGN_CRL, text, sizeof(text), sig, &err),
	    RK_ETOOBIG);
	says(&err, "is not given more than 1048064 bytes to sign");
	assert_int_equal(sign(key, &err), RK_OK);
	rk_key_free(key);
	fakeagent_stop(&f);
	fakeagent_free(&f);
}

/* A loop waits for a signature: that has a time of its own. */
static void
test_hangs_shortly(void **state)
{
	const struct rk_agent_conf conf = {
		.size = sizeof(conf),
		.path = SOCK,
		.timeout_ms = 600000,
		.sign_ms = 50,
	};
	struct fakeagent f = { 0 };
	struct rk_error err;
	struct rk_key *key;
	time_t began = time(NULL);

	(void)state;
	fakeagent_start(&f, SOCK);
	assert_int_equal(rk_key_of_agent("node", &conf, &key, &err), RK_OK);
	atomic_store(&f.mode, FAKEAGENT_HANGS);
	assert_int_equal(sign(key, &err), RK_ETIMEOUT);
	says(&err, "agent: gives no answer");
	assert_true(time(NULL) - began < 300);
	/* And is left alone for long. */
	atomic_store(&f.mode, FAKEAGENT_SIGNS);
	assert_int_equal(sign(key, &err), RK_ETIMEOUT);
	assert_int_equal(f.asked, 1);
	rk_key_free(key);
	fakeagent_stop(&f);
	fakeagent_free(&f);
}

static void
test_asks(void **state)
{
	struct fakeagent f = { .confirm = true };
	const struct rk_agent_conf now = { .size = sizeof(now), .path = SOCK };
	struct told told = { 0 };
	struct rk_error err;
	struct rk_key *key;
	struct rk_key *none;

	(void)state;
	fakeagent_start(&f, SOCK);
	atomic_store(&f.mode, FAKEAGENT_ASKS);
	key = key_at(SOCK, 0, &told);
	assert_int_equal(sign(key, &err), RK_OK);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.id, 7);
	assert_string_equal(told.name, "node");
	rk_key_free(key);
	assert_int_equal(
	    rk_key_of_agent("node", &now, &none, &err), RK_EDENIED);
	says(&err, "without --confirm");
	assert_null(none);
	/* It was not so when it was opened. */
	f.confirm = false;
	key = key_at(SOCK, 0, NULL);
	assert_int_equal(sign(key, &err), RK_EDENIED);
	says(&err, "wants to ask somebody first");
	rk_key_free(key);
	fakeagent_stop(&f);
	fakeagent_free(&f);
}

/* What it is not for is said when it is looked up, where the agent tells. */
static void
test_uses(void **state)
{
	static const struct {
		enum rk_sign_use use;
		unsigned of;
		const char *tag; /* NULL: it may */
	} cases[] = {
		{ RK_SIGN_OTHER, AGENT_USE_SSH, NULL },
		{ RK_SIGN_TLS, AGENT_USE_TLS, NULL },
		{ RK_SIGN_TLS, AGENT_USE_FILE | AGENT_USE_SSH, "use:tls" },
		{ RK_SIGN_PSK, AGENT_USE_CA, "use:tls" },
		{ RK_SIGN_SESSION, AGENT_USE_CA, "use:tls" },
		{ RK_SIGN_SESSION, AGENT_USE_SSH, NULL },
		{ RK_SIGN_NEXT_KEY, 0, "use:tls" },
		{ RK_SIGN_REQUEST, AGENT_USE_CA, "use:tls" },
		{ RK_SIGN_CERT, AGENT_USE_CA | AGENT_USE_FILE, NULL },
		{ RK_SIGN_CERT, AGENT_USE_TLS, "use:ca" },
		{ RK_SIGN_CRL, AGENT_USE_TLS, "use:ca" },
	};
	struct rk_agent_conf conf = { .size = sizeof(conf), .path = SOCK };
	struct fakeagent f = { 0 };
	struct rk_error err;
	struct rk_key *key;

	(void)state;
	fakeagent_start(&f, SOCK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		conf.use = cases[i].use;
		atomic_store(&f.uses, cases[i].of);
		assert_int_equal(rk_key_of_agent("node", &conf, &key, &err),
		    cases[i].tag == NULL ? RK_OK : RK_EDENIED);
		if (cases[i].tag != NULL)
			says(&err, cases[i].tag);
		rk_key_free(key);
	}
	/* One that knows of no uses says it with the first signature. */
	atomic_store(&f.old, true);
	assert_int_equal(rk_key_of_agent("node", &conf, &key, &err), RK_OK);
	assert_int_equal(sign(key, &err), RK_OK);
	rk_key_free(key);
	fakeagent_stop(&f);
	fakeagent_free(&f);
}

static void
test_names(void **state)
{
	struct rk_agent_conf conf = { .size = sizeof(conf), .path = SOCK };
	char name[300] = { 0 };
	struct rk_error err;
	struct rk_key *key;

	(void)state;
	assert_int_equal(
	    rk_key_of_agent("node", &conf, &key, &err), RK_ECONNECT);
	says(&err, "no agent at");
	assert_int_equal(rk_key_of_agent("", &conf, &key, &err), RK_EINVAL);
	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(rk_key_of_agent(name, &conf, &key, &err), RK_EINVAL);
	conf.path = name;
	assert_int_equal(
	    rk_key_of_agent("node", &conf, &key, &err), RK_ETOOBIG);
	conf.size--;
	assert_int_equal(rk_key_of_agent("node", &conf, &key, &err), RK_EINVAL);
	assert_null(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_signs, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_threads, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_lies, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_long, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_hangs, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_hangs_shortly, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_asks, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_uses, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_names, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
