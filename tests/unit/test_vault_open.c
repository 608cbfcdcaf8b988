/* Keys that are opened in keyvault's agent: all that were meant or none, and
 * one key under two names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "agenttalk.h"
#include "base/ssh.h"
#include "base/str.h"

static uint8_t
open_them(struct talk *t, const char *name, uint64_t uses, bool confirm)
{
	assert_int_equal(
	    agentrig_unlock(&t->rig, name, t->now, uses, confirm, &t->reply),
	    RK_OK);
	take(t);
	return t->type;
}

static uint32_t
count_open(struct talk *t)
{
	struct agent_status s;

	assert_int_equal(ask(t, false, AGENT_STATUS), AGENT_OK);
	assert_true(agent_get_status(&t->body, &s));
	return s.open;
}

static void
test_all_or_none(void **state)
{
	struct rk_error err;
	struct talk t;

	(void)state;
	talk_init(&t);
	t.rig.ms = AGENT_FOREVER;
	t.rig.many = AGENT_KEYS_MAX - 2;
	assert_int_equal(open_them(&t, NULL, AGENT_FOREVER, false), AGENT_OK);
	assert_int_equal(count_open(&t), AGENT_KEYS_MAX - 2);
	t.rig.many_from = AGENT_KEYS_MAX;
	t.rig.many = 3;
	t.rig.lines = 0;
	assert_int_equal(open_them(&t, NULL, AGENT_FOREVER, false), AGENT_FAIL);
	assert_int_equal(agent_get_fail(&t.body, &err), RK_ELIMIT);
	assert_non_null(strstr(err.text, "more keys than the agent takes"));
	assert_int_equal(count_open(&t), AGENT_KEYS_MAX - 2);
	assert_int_equal(t.rig.lines, 0);
	/* There is room for two, and for as many as are open anyway. */
	t.rig.many = 2;
	assert_int_equal(open_them(&t, NULL, AGENT_FOREVER, false), AGENT_OK);
	assert_int_equal(count_open(&t), AGENT_KEYS_MAX);
	assert_int_equal(open_them(&t, NULL, 1, false), AGENT_OK);
	assert_int_equal(count_open(&t), AGENT_KEYS_MAX);
	talk_fini(&t);
}

/* ---- closed, whoever else is named ---- */

static uint8_t
lock_named(struct talk *t, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(agent_put_text(&t->args, names[i]), RK_OK);
	return ask(t, false, AGENT_LOCK);
}

static void
test_close_others(void **state)
{
	static const char *const names[] = { "a", "x\033", "y", "s" };
	struct rk_error err;
	struct talk t;

	(void)state;
	talk_init(&t);
	assert_int_equal(open_them(&t, NULL, AGENT_FOREVER, false), AGENT_OK);
	assert_int_equal(count_open(&t), 2);
	assert_int_equal(lock_named(&t, names, 4), AGENT_FAIL);
	assert_int_equal(agent_get_fail(&t.body, &err), RK_ENOENT);
	assert_string_equal(
	    err.text, "x\\x1b: and 1 more are not open in the agent");
	assert_int_equal(count_open(&t), 0);
	assert_true(t.rig.locked);
	assert_int_equal(open_them(&t, NULL, AGENT_FOREVER, false), AGENT_OK);
	assert_int_equal(agent_put_text(&t.args, "a"), RK_OK);
	assert_int_equal(bytes_put_u8(&t.args, 1), RK_OK);
	assert_int_equal(ask(&t, false, AGENT_LOCK), AGENT_FAIL);
	assert_int_equal(count_open(&t), 1);
	assert_int_equal(lock_named(&t, names + 2, 1), AGENT_FAIL);
	assert_int_equal(agent_get_fail(&t.body, &err), RK_ENOENT);
	assert_string_equal(err.text, "y: is not open in the agent");
	talk_fini(&t);
}

/* ---- uses that its tags allow ---- */

/* A form of 64 spaces, what it is, a hash, and who signs. */
static uint8_t
ask_proof(struct talk *t, const char *name, const char *what)
{
	uint8_t form[64 + 64 + 64];
	size_t n = strlen(what) + 1;

	memset(form, ' ', sizeof(form));
	memcpy(form + 64, what, n);
	memcpy(form + 64 + n + 32, t->rig.rec[2].pub, 32);
	assert_int_equal(agent_put_text(&t->args, name), RK_OK);
	assert_int_equal(bytes_put_string(&t->args, form, 64 + n + 64), RK_OK);
	return ask(t, false, AGENT_SIGN);
}

/* A session's ends may have SSH's keys, which prove it by either socket. */
static void
test_session_of_ssh(void **state)
{
	struct rk_error err;
	struct talk t;

	(void)state;
	talk_init(&t);
	assert_int_equal(open_them(&t, NULL, AGENT_FOREVER, false), AGENT_OK);
	assert_int_equal(
	    ask_proof(&t, "s", "rpckit session 1, initiator"), AGENT_OK);
	assert_int_equal(
	    ask_proof(&t, "s", "rpckit psk 1, client certificate"), AGENT_FAIL);
	assert_int_equal(agent_get_fail(&t.body, &err), RK_EDENIED);
	assert_string_equal(
	    err.text, "s: is not for this use, which takes the tag use:tls");
	talk_fini(&t);
}

/* ---- opened for less while somebody is asked ---- */

static uint8_t
ask_file(struct talk *t, const char *name)
{
	const uint8_t hash[64] = { 1 };

	assert_int_equal(agent_put_text(&t->args, name), RK_OK);
	assert_int_equal(agent_put_text(&t->args, "file"), RK_OK);
	assert_int_equal(bytes_put_string(&t->args, hash, sizeof(hash)), RK_OK);
	return ask(t, false, AGENT_SIGN_FILE);
}

static void
test_judged_again(void **state)
{
	struct rk_error err;
	struct talk t;

	(void)state;
	talk_init(&t);
	assert_int_equal(open_them(&t, "a", AGENT_FOREVER, true), AGENT_OK);
	assert_int_equal(ask_file(&t, "a"), AGENT_WAIT);
	t.rig.only = "tls";
	assert_int_equal(open_them(&t, "a", AGENT_FOREVER, true), AGENT_OK);
	assert_int_equal(
	    agent_answer(t.rig.agent, t.wait, true, t.now, 0, "x"), RK_OK);
	poll_it(&t, &t.wait);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_int_equal(agent_get_fail(&t.body, &err), RK_EDENIED);
	assert_int_equal(t.rig.uses, 0);
	/* And of a use that its tags do not have any more. */
	t.rig.only = NULL;
	assert_int_equal(open_them(&t, "a", AGENT_FOREVER, true), AGENT_OK);
	assert_int_equal(ask_file(&t, "a"), AGENT_WAIT);
	memcpy(t.rig.rec[0].tags, "use:tls", sizeof("use:tls"));
	assert_int_equal(open_them(&t, "a", AGENT_FOREVER, true), AGENT_OK);
	assert_int_equal(
	    agent_answer(t.rig.agent, t.wait, true, t.now, 0, "x"), RK_OK);
	poll_it(&t, &t.wait);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_int_equal(t.rig.uses, 0);
	talk_fini(&t);
}

/* What a key is for is told to who asks so, and nothing else to who does not.
 */
static void
test_uses_are_told(void **state)
{
	uint8_t pub[AGENT_PUBLIC_LEN];
	uint8_t uses;
	struct talk t;
	bool asks;

	(void)state;
	talk_init(&t);
	memcpy(t.rig.rec[0].tags, "use:tls,use:ca", sizeof("use:tls,use:ca"));
	assert_int_equal(open_them(&t, "a", AGENT_FOREVER, true), AGENT_OK);
	for (uint8_t more = 0; more < 3; more++) {
		assert_int_equal(agent_put_text(&t.args, "a"), RK_OK);
		if (more > 0)
			assert_int_equal(bytes_put_u8(&t.args, more), RK_OK);
		assert_int_equal(ask(&t, false, AGENT_PUBLIC),
		    more < 2 ? AGENT_OK : AGENT_FAIL);
		if (more == 2)
			continue;
		assert_int_equal(t.body.left, 4 + AGENT_PUBLIC_LEN + 1 + more);
		assert_true(agent_get_public(&t.body, pub, &asks, &uses));
		assert_true(asks);
		assert_int_equal(
		    uses, more == 0 ? AGENT_USE_ANY : USE_TLS | USE_CA);
	}
	/* Without what it has lost since, nor what it got. */
	memcpy(t.rig.rec[0].tags, "use:ca,use:ssh", sizeof("use:ca,use:ssh"));
	assert_int_equal(agent_put_text(&t.args, "a"), RK_OK);
	assert_int_equal(bytes_put_u8(&t.args, 1), RK_OK);
	assert_int_equal(ask(&t, false, AGENT_PUBLIC), AGENT_OK);
	assert_true(agent_get_public(&t.body, pub, &asks, &uses));
	assert_int_equal(uses, USE_CA);
	talk_fini(&t);
}

/* ---- uses that cannot be written when keys are closed ---- */

/* "...: N uses are not in the log, from TIME to TIME: why", the times of this
 * test. */
static void
assert_times(const char *text, int64_t began)
{
	static const char words[] = "2 uses are not in the log, from ";
	const char *from = strstr(text, words);
	char first[32], last[32];

	if (from == NULL)
		fail_msg("\"%s\"", text);
	from += sizeof(words) - 1;
	str_time(first, began);
	str_time(last, (int64_t)time(NULL));
	assert_true(strlen(from) > 2 * 20 + 6);
	assert_true(strncmp(from, first, 20) >= 0);
	assert_memory_equal(from + 20, " to ", 4);
	assert_true(strncmp(from + 24, from, 20) >= 0);
	assert_true(strncmp(from + 24, last, 20) <= 0);
	assert_memory_equal(from + 44, ": no room", 9);
}

static void
assert_lost(struct talk *t, int64_t began)
{
	struct agent_status s;

	assert_int_equal(ask(t, false, AGENT_STATUS), AGENT_OK);
	assert_true(agent_get_status(&t->body, &s));
	assert_times(s.fault, began);
}

static void
test_lost(void **state)
{
	static const char form[] = "rpckit psk 1, client certificate";
	const int64_t began = (int64_t)time(NULL);
	struct agent_status s;
	struct rk_error err;
	struct talk t;

	(void)state;
	talk_init(&t);
	assert_int_equal(open_them(&t, NULL, AGENT_FOREVER, false), AGENT_OK);
	assert_int_equal(ask_proof(&t, "a", form), AGENT_OK);
	assert_int_equal(ask_proof(&t, "a", form), AGENT_OK);
	t.rig.full = true;
	assert_int_equal(lock_named(&t, NULL, 0), AGENT_FAIL);
	assert_int_equal(agent_get_fail(&t.body, &err), RK_EIO);
	assert_non_null(strstr(err.text, "agent: its keys were closed, and "));
	assert_times(err.text, began);
	assert_true(t.rig.locked);
	assert_lost(&t, began);
	/* The next line of the log has it. */
	t.rig.full = false;
	assert_int_equal(open_them(&t, NULL, AGENT_FOREVER, false), AGENT_OK);
	assert_times(t.rig.last.text, began);
	assert_int_equal(ask(&t, false, AGENT_STATUS), AGENT_OK);
	assert_true(agent_get_status(&t.body, &s));
	assert_string_equal(s.fault, "");
	/* Closed by the time, which nobody is told of. */
	assert_int_equal(ask_proof(&t, "a", form), AGENT_OK);
	assert_int_equal(ask_proof(&t, "a", form), AGENT_OK);
	t.rig.full = true;
	t.now += 100000;
	agent_tick(t.rig.agent, t.now);
	assert_true(t.rig.locked);
	t.rig.full = false;
	assert_lost(&t, began);
	talk_fini(&t);
}

/* ---- one key, two names ---- */

/* "a" has the key of "s" now, and both are for SSH. */
static void
make_twins(struct talk *t)
{
	talk_init(t);
	t->rig.ms = AGENT_FOREVER;
	t->rig.rec[0] = t->rig.rec[2];
	memcpy(t->rig.rec[0].name, "a", 2);
}

static uint32_t
count_listed(struct talk *t)
{
	uint32_t n;

	assert_int_equal(
	    ask(t, true, SSH_REQUEST_IDENTITIES), SSH_IDENTITIES_ANSWER);
	assert_true(bytes_get_u32(&t->body, &n));
	return n;
}

static void
put_blob(struct talk *t)
{
	struct buf blob;

	buf_init(&blob, 128);
	assert_int_equal(ssh_put_public(&blob, t->rig.rec[2].pub), RK_OK);
	assert_int_equal(
	    bytes_put_string(&t->args, buf_peek(&blob), buf_len(&blob)), RK_OK);
	buf_fini(&blob);
}

/* A signature of SSH's for a file; 0: somebody is asked. */
static uint8_t
sign_by_ssh(struct talk *t)
{
	struct buf b;

	buf_init(&b, 512);
	assert_int_equal(buf_put(&b, "SSHSIG", 6), RK_OK);
	assert_int_equal(agent_put_text(&b, "git"), RK_OK);
	assert_int_equal(agent_put_text(&b, ""), RK_OK);
	assert_int_equal(agent_put_text(&b, "sha512"), RK_OK);
	assert_int_equal(
	    bytes_put_string(&b, (const uint8_t[64]){ 1 }, 64), RK_OK);
	put_blob(t);
	assert_int_equal(
	    bytes_put_string(&t->args, buf_peek(&b), buf_len(&b)), RK_OK);
	assert_int_equal(bytes_put_u32(&t->args, 0), RK_OK);
	buf_fini(&b);
	return ask(t, true, SSH_SIGN_REQUEST);
}

/* Listed once; somebody is asked if one of the two wants that, whichever was
 * opened first. */
static void
test_twins_ask(void **state)
{
	struct talk t;

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_twins(&t);
		assert_int_equal(
		    open_them(&t, "a", AGENT_FOREVER, i == 0), AGENT_OK);
		assert_int_equal(
		    open_them(&t, "s", AGENT_FOREVER, i == 1), AGENT_OK);
		assert_int_equal(count_open(&t), 2);
		assert_int_equal(count_listed(&t), 1);
		assert_int_equal(sign_by_ssh(&t), 0);
		assert_int_not_equal(t.wait, 0);
		assert_int_equal(t.rig.uses, 0);
		/* Forgetting the key is forgetting both. */
		put_blob(&t);
		assert_int_equal(
		    ask(&t, true, SSH_REMOVE_IDENTITY), SSH_SUCCESS);
		assert_int_equal(count_listed(&t), 0);
		talk_fini(&t);
	}
}

static void
test_twins_judged_again(void **state)
{
	struct talk t;

	(void)state;
	make_twins(&t);
	assert_int_equal(open_them(&t, "a", AGENT_FOREVER, true), AGENT_OK);
	assert_int_equal(sign_by_ssh(&t), 0);
	t.rig.only = "/usr/bin/git";
	assert_int_equal(open_them(&t, "s", AGENT_FOREVER, false), AGENT_OK);
	assert_int_equal(
	    agent_answer(t.rig.agent, t.wait, true, t.now, 0, "x"), RK_OK);
	poll_it(&t, &t.wait);
	assert_int_equal(t.type, SSH_FAILURE);
	assert_int_equal(t.rig.uses, 0);
	talk_fini(&t);
}

/* The fewer uses are used first, and no more than those of both. */
static void
test_twins_uses(void **state)
{
	struct talk t;

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_twins(&t);
		assert_int_equal(
		    open_them(&t, "a", i == 0 ? 1 : 2, false), AGENT_OK);
		assert_int_equal(
		    open_them(&t, "s", i == 0 ? 2 : 1, false), AGENT_OK);
		assert_int_equal(sign_by_ssh(&t), SSH_SIGN_RESPONSE);
		assert_string_equal(t.rig.last.name, i == 0 ? "a" : "s");
		assert_int_equal(count_open(&t), 1);
		assert_int_equal(sign_by_ssh(&t), SSH_SIGN_RESPONSE);
		assert_int_equal(sign_by_ssh(&t), SSH_SIGN_RESPONSE);
		assert_int_equal(sign_by_ssh(&t), SSH_FAILURE);
		talk_fini(&t);
	}
}

/* What one is only for, both are. */
static void
test_twins_only(void **state)
{
	struct talk t;

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_twins(&t);
		t.rig.only = i == 0 ? "/usr/bin/git" : NULL;
		assert_int_equal(
		    open_them(&t, "a", AGENT_FOREVER, false), AGENT_OK);
		t.rig.only = i == 1 ? "/usr/bin/git" : NULL;
		assert_int_equal(
		    open_them(&t, "s", AGENT_FOREVER, false), AGENT_OK);
		assert_int_equal(sign_by_ssh(&t), SSH_FAILURE);
		memcpy(t.rig.ssh.program, "/usr/bin/git", 13);
		assert_int_equal(sign_by_ssh(&t), SSH_SIGN_RESPONSE);
		talk_fini(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_or_none),
		cmocka_unit_test(test_close_others),
		cmocka_unit_test(test_uses_are_told),
		cmocka_unit_test(test_session_of_ssh),
		cmocka_unit_test(test_judged_again),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_twins_ask),
		cmocka_unit_test(test_twins_judged_again),
		cmocka_unit_test(test_twins_uses),
		cmocka_unit_test(test_twins_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
