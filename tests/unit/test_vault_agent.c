/* keyvault's agent without its sockets: what it signs, for whom, its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agenttalk.h"
#include "base/ssh.h"

#define TLS_TEXT "TLS 1.3, server CertificateVerify"

/* ---- bytes that are to be signed ---- */

static size_t
make_tls(uint8_t out[256], size_t hash_len)
{
	memset(out, ' ', 64);
	memcpy(out + 64, TLS_TEXT, sizeof(TLS_TEXT));
	memset(out + 64 + sizeof(TLS_TEXT), 9, hash_len);
	return 64 + sizeof(TLS_TEXT) + hash_len;
}

static void
put_text(struct buf *b, const char *text)
{
	assert_int_equal(agent_put_text(b, text), RK_OK);
}

static void
put_blob(struct buf *b, const uint8_t *pub)
{
	struct buf blob;

	buf_init(&blob, 256);
	assert_int_equal(ssh_put_public(&blob, pub), RK_OK);
	assert_int_equal(
	    bytes_put_string(b, buf_peek(&blob), buf_len(&blob)), RK_OK);
	buf_fini(&blob);
}

static void
put_login(struct buf *b, const uint8_t *pub, const char *method)
{
	const uint8_t session[32] = { 1 };

	assert_int_equal(bytes_put_string(b, session, sizeof(session)), RK_OK);
	assert_int_equal(bytes_put_u8(b, 50), RK_OK);
	put_text(b, "ro\033ot");
	put_text(b, "ssh-connection");
	put_text(b, method);
	assert_int_equal(bytes_put_u8(b, 1), RK_OK);
	put_text(b, "ssh-ed25519");
	put_blob(b, pub);
}

static void
put_sshsig(struct buf *b, const char *context, const char *reserved)
{
	const uint8_t hash[64] = { 2 };

	assert_int_equal(buf_put(b, "SSHSIG", 6), RK_OK);
	put_text(b, context);
	put_text(b, reserved);
	put_text(b, "sha512");
	assert_int_equal(bytes_put_string(b, hash, sizeof(hash)), RK_OK);
}

static enum rk_err
judge(const struct buf *b, size_t len, const uint8_t *pub,
    struct purpose_view *out)
{
	return purpose_of_ssh(buf_peek(b), len, pub, out);
}

/* ---- purposes ---- */

static void
test_ssh_purposes(void **state)
{
	const uint8_t other[32] = { 5 };
	struct purpose_view view;
	struct agentrig rig;
	struct buf b;

	(void)state;
	agentrig_init(&rig);
	buf_init(&b, 4096);
	put_login(&b, rig.rec[2].pub, "publickey");
	assert_int_equal(judge(&b, buf_len(&b), rig.rec[2].pub, &view), RK_OK);
	assert_int_equal(view.is, PURPOSE_SSH_USER);
	assert_string_equal(view.text, "a login by ssh as \"ro\\x1bot\"");
	assert_int_equal(judge(&b, buf_len(&b), other, &view), RK_EDENIED);
	for (size_t i = 0; i < buf_len(&b); i++)
		assert_int_equal(
		    judge(&b, i, rig.rec[2].pub, &view), RK_EDENIED);
	put_text(&b, "behind it");
	assert_int_equal(
	    judge(&b, buf_len(&b), rig.rec[2].pub, &view), RK_EDENIED);
	buf_consume(&b, buf_len(&b));
	put_login(&b, rig.rec[2].pub, "publickey-hostbound-v00@openssh.com");
	assert_int_equal(
	    judge(&b, buf_len(&b), rig.rec[2].pub, &view), RK_EDENIED);
	put_blob(&b, other);
	assert_int_equal(judge(&b, buf_len(&b), rig.rec[2].pub, &view), RK_OK);
	buf_consume(&b, buf_len(&b));
	put_login(&b, rig.rec[2].pub, "hostbased");
	assert_int_equal(
	    judge(&b, buf_len(&b), rig.rec[2].pub, &view), RK_EDENIED);
	buf_fini(&b);
	agentrig_fini(&rig);
}

static void
test_other_purposes(void **state)
{
	static const uint8_t pub[32] = { 5 };
	struct purpose_view view;
	uint8_t tls[256];
	struct buf b;
	size_t n;

	(void)state;
	buf_init(&b, 4096);
	put_sshsig(&b, "git", "");
	n = buf_len(&b);
	assert_int_equal(judge(&b, n, pub, &view), RK_OK);
	assert_string_equal(
	    view.text, "a file, context git, sha512 0200000000000000");
	assert_int_equal(purpose_of_tls(buf_peek(&b), n, &view), RK_EDENIED);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(judge(&b, i, pub, &view), RK_EDENIED);
	buf_consume(&b, n);
	put_sshsig(&b, "", "");
	assert_int_equal(judge(&b, buf_len(&b), pub, &view), RK_EDENIED);
	buf_consume(&b, buf_len(&b));
	put_sshsig(&b, "git", "x");
	assert_int_equal(judge(&b, buf_len(&b), pub, &view), RK_EDENIED);
	buf_fini(&b);

	n = make_tls(tls, 32);
	assert_int_equal(purpose_of_tls(tls, n, &view), RK_OK);
	assert_int_equal(view.is, PURPOSE_TLS);
	assert_int_equal(purpose_of_ssh(tls, n, pub, &view), RK_EDENIED);
	assert_int_equal(purpose_of_tls(tls + 1, n - 1, &view), RK_EDENIED);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(purpose_of_tls(tls, i, &view), RK_EDENIED);
	assert_int_equal(purpose_of_tls(tls, make_tls(tls, 48), &view), RK_OK);
	assert_int_equal(
	    purpose_of_tls(tls, make_tls(tls, 33), &view), RK_EDENIED);
}

static void
test_tags(void **state)
{
	(void)state;
	assert_int_equal(purpose_uses(""), USE_FILE | USE_TLS);
	assert_int_equal(
	    purpose_uses("ca,use:sshx,ause:ssh"), USE_FILE | USE_TLS);
	assert_int_equal(purpose_uses("ca,use:ssh"), USE_SSH);
	assert_int_equal(
	    purpose_uses("use:tls,b,use:file"), USE_FILE | USE_TLS);
}

/* ---- requests ---- */

static void
open_all(struct talk *t, uint64_t uses, bool confirm)
{
	assert_int_equal(
	    agentrig_unlock(&t->rig, NULL, t->now, uses, confirm, &t->reply),
	    RK_OK);
	take(t);
	assert_int_equal(t->type, AGENT_OK);
}

static uint8_t
ask_tls(struct talk *t, const char *name)
{
	uint8_t tls[256];
	size_t n = make_tls(tls, 32);

	put_text(&t->args, name);
	assert_int_equal(bytes_put_string(&t->args, tls, n), RK_OK);
	return ask(t, false, AGENT_SIGN);
}

static uint8_t
ask_ssh(struct talk *t, const uint8_t *pub, const void *data, size_t len)
{
	put_blob(&t->args, pub);
	assert_int_equal(bytes_put_string(&t->args, data, len), RK_OK);
	assert_int_equal(bytes_put_u32(&t->args, 0), RK_OK);
	return ask(t, true, SSH_SIGN_REQUEST);
}

static void
test_signs(void **state)
{
	struct bytes sig;
	uint8_t tls[256];
	size_t n = make_tls(tls, 32);
	struct talk t;
	struct buf b;

	(void)state;
	talk_init(&t);
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	open_all(&t, AGENT_FOREVER, false);
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	assert_true(bytes_get_string(&t.body, &sig));
	assert_int_equal(sig.left, RK_KEY_SIG_LEN);
	assert_true(rk_key_verify(t.rig.rec[0].pub, tls, n, sig.at));
	/* A key for SSH is for nothing else, and one for others not for it. */
	assert_int_equal(ask_tls(&t, "s"), AGENT_FAIL);
	buf_init(&b, 4096);
	put_sshsig(&b, "git", "");
	assert_int_equal(
	    ask_ssh(&t, t.rig.rec[0].pub, buf_peek(&b), buf_len(&b)),
	    SSH_FAILURE);
	assert_int_equal(
	    ask_ssh(&t, t.rig.rec[2].pub, buf_peek(&b), buf_len(&b)),
	    SSH_SIGN_RESPONSE);
	assert_int_equal(ask_ssh(&t, t.rig.rec[2].pub, tls, n), SSH_FAILURE);
	assert_int_equal(
	    ask_ssh(&t, t.rig.rec[2].pub, "a hash", 6), SSH_FAILURE);
	buf_fini(&b);
	/* Neither socket has the other's requests. */
	assert_int_equal(ask(&t, true, AGENT_LOCK), SSH_FAILURE);
	assert_int_equal(ask(&t, false, SSH_REQUEST_IDENTITIES), AGENT_FAIL);
	assert_false(t.rig.locked);
	assert_int_equal(t.rig.uses, 2);
	talk_fini(&t);
}

static void
test_limits(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	open_all(&t, 2, false);
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	assert_true(agent_is_open(t.rig.agent));
	t.now += 999;
	agent_tick(t.rig.agent, t.now);
	assert_false(t.rig.locked);
	assert_int_equal(agent_next(t.rig.agent), t.now + 1);
	t.now++;
	agent_tick(t.rig.agent, t.now);
	assert_true(t.rig.locked);
	assert_int_equal(agent_next(t.rig.agent), AGENT_FOREVER);
	/* What the vault says now counts, not what it said. */
	open_all(&t, AGENT_FOREVER, false);
	t.rig.fail = RK_EBUSY;
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	t.rig.fail = RK_EDENIED;
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	assert_true(agent_is_open(t.rig.agent));
	open_all(&t, AGENT_FOREVER, false);
	t.rig.fail = RK_ETAMPERED;
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	assert_true(t.rig.locked);
	talk_fini(&t);
}

/* Handshakes are counted, and are in the log a moment later; what is limited is
 * there before. */
static void
test_log(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	open_all(&t, AGENT_FOREVER, false);
	assert_int_equal(t.rig.writes, 1);
	for (int i = 0; i < 500; i++)
		assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	assert_int_equal(t.rig.writes, 1);
	assert_int_equal(agent_next(t.rig.agent), t.now + 1000);
	t.now += 999;
	agent_tick(t.rig.agent, t.now);
	assert_int_equal(t.rig.writes, 1);
	/* The keys' time is over as well: there is a line of it first. */
	t.now++;
	agent_tick(t.rig.agent, t.now);
	assert_true(t.rig.locked);
	assert_int_equal(t.rig.writes, 2);
	assert_int_equal(t.rig.lines, 2);
	assert_non_null(strstr(t.rig.last.text, "500 times, the last sha256"));
	open_all(&t, AGENT_FOREVER, false);
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	assert_int_equal(ask(&t, false, AGENT_STATUS), AGENT_OK);
	assert_int_equal(t.rig.lines, 4);
	assert_null(strstr(t.rig.last.text, "times"));
	/* Limited: what waits is written with it. */
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	open_all(&t, 2, false);
	assert_int_equal(t.rig.lines, 6);
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	assert_int_equal(t.rig.lines, 7);
	t.rig.fail = RK_EBUSY;
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	assert_int_equal(ask(&t, false, AGENT_STATUS), AGENT_OK);
	assert_int_equal(t.rig.lines, 7);
	talk_fini(&t);
}

/* Where the disk takes no lines, uses end within the second. */
static void
test_log_full(void **state)
{
	struct talk t;
	unsigned writes;

	(void)state;
	talk_init(&t);
	open_all(&t, AGENT_FOREVER, false);
	t.rig.full = true;
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	t.now += 900;
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	t.now += 99;
	agent_tick(t.rig.agent, t.now);
	writes = t.rig.writes;
	assert_int_equal(t.rig.uses, 2);
	assert_int_equal(
	    agentrig_unlock(&t.rig, NULL, t.now, 5, false, &t.reply), RK_OK);
	take(&t);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	assert_int_equal(t.rig.uses, 2);
	t.rig.full = false;
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	assert_int_equal(t.rig.writes, writes + 1);
	assert_non_null(strstr(t.rig.last.text, "2 times"));
	talk_fini(&t);
}

/* Files are lines of their own, each on the disk before its signature. */
static void
test_log_files(void **state)
{
	const uint8_t hash[64] = { 1 };
	struct talk t;

	(void)state;
	talk_init(&t);
	open_all(&t, AGENT_FOREVER, false);
	for (unsigned i = 0; i < 129; i++) {
		put_text(&t.args, "a");
		put_text(&t.args, "mail");
		assert_int_equal(
		    bytes_put_string(&t.args, hash, sizeof(hash)), RK_OK);
		assert_int_equal(ask(&t, false, AGENT_SIGN_FILE), AGENT_OK);
		assert_int_equal(t.rig.lines, i + 2);
		assert_int_equal(t.rig.writes, i + 2);
		assert_string_equal(t.rig.last.text,
		    "agent: a file, context mail, sha512 0100000000000000, "
		    "for a test");
	}
	t.rig.full = true;
	agent_lock(t.rig.agent);
	talk_fini(&t);
}

static void
test_asks(void **state)
{
	uint32_t ids[AGENT_WAITING_MAX];
	struct agent_waiting w;
	struct rk_error err;
	struct talk t;

	(void)state;
	talk_init(&t);
	open_all(&t, AGENT_FOREVER, true);
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++) {
		assert_int_equal(ask_tls(&t, "a"), AGENT_WAIT);
		ids[i] = t.wait;
	}
	assert_int_equal(ask_tls(&t, "a"), AGENT_FAIL);
	assert_true(agent_waits(t.rig.agent, 7, t.now, &w));
	assert_false(agent_waits(t.rig.agent, 8, t.now, &w));
	poll_it(&t, &ids[0]);
	assert_int_not_equal(ids[0], 0);
	assert_int_equal(t.rig.uses, 0);
	assert_int_equal(
	    agent_answer(t.rig.agent, ids[0], true, t.now, 0, "a test"), RK_OK);
	assert_int_equal(
	    agent_answer(t.rig.agent, ids[0], true, t.now, 0, "a test"),
	    RK_ENOENT);
	poll_it(&t, &ids[0]);
	assert_int_equal(t.type, AGENT_OK);
	assert_non_null(
	    strstr(t.rig.last.text, ", for a test, allowed by a test"));
	assert_int_equal(
	    agent_answer(t.rig.agent, ids[1], false, t.now, 0, "a test"),
	    RK_OK);
	poll_it(&t, &ids[1]);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_int_equal(agent_get_fail(&t.body, &err), RK_EDENIED);
	assert_non_null(strstr(t.rig.last.text, "refused by a test: "));
	assert_int_equal(t.rig.uses, 1);
	agent_drop(t.rig.agent, ids[2]);
	assert_false(agent_waits(t.rig.agent, 5, t.now, &w));
	/* A yes for a while is one for all uses of this key. */
	assert_int_equal(
	    agent_answer(t.rig.agent, ids[3], true, t.now, 500, "a test"),
	    RK_OK);
	assert_int_equal(ask_tls(&t, "a"), AGENT_OK);
	assert_non_null(strstr(t.rig.last.text, ", allowed by a test"));
	t.now += 500;
	assert_int_equal(ask_tls(&t, "a"), AGENT_WAIT);
	/* The key's time is over before anybody answers; so nobody signs. */
	t.now += 500;
	assert_int_equal(
	    agent_answer(t.rig.agent, ids[4], true, t.now, 0, "a test"), RK_OK);
	poll_it(&t, &ids[4]);
	assert_int_equal(t.type, AGENT_FAIL);
	t.now += AGENT_WAIT_MS;
	poll_it(&t, &ids[5]);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_false(agent_waits(t.rig.agent, 0, t.now, &w));
	assert_int_equal(t.rig.uses, 2);
	talk_fini(&t);
}

/* A number is of one agent's: a dialog that was left open over the end of
 * another one answers nothing here. */
static void
test_numbers(void **state)
{
	struct talk first;
	struct talk second;
	uint32_t old;
	uint32_t now;

	(void)state;
	talk_init(&first);
	talk_init(&second);
	open_all(&first, AGENT_FOREVER, true);
	open_all(&second, AGENT_FOREVER, true);
	assert_int_equal(ask_tls(&first, "a"), AGENT_WAIT);
	old = first.wait;
	assert_int_equal(ask_tls(&second, "a"), AGENT_WAIT);
	/* Of so many digits, all of them. */
	assert_in_range(old, 100000000, 999999999);
	now = second.wait;
	assert_int_not_equal(now, old);
	assert_int_equal(bytes_put_u32(&second.args, old), RK_OK);
	assert_int_equal(bytes_put_u8(&second.args, 1), RK_OK);
	assert_int_equal(bytes_put_u64(&second.args, 0), RK_OK);
	assert_int_equal(ask(&second, false, AGENT_ANSWER), AGENT_FAIL);
	poll_it(&second, &now);
	assert_int_not_equal(now, 0);
	assert_int_equal(second.rig.uses, 0);
	talk_fini(&first);
	talk_fini(&second);
}

/* The vault turns out to be another one while one is served: who was looked at
 * before has his answer, too, and at once. */
static void
test_asks_locked(void **state)
{
	uint32_t ids[2];
	struct rk_error err;
	struct talk t;

	(void)state;
	talk_init(&t);
	open_all(&t, AGENT_FOREVER, true);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(ask_tls(&t, "a"), AGENT_WAIT);
		ids[i] = t.wait;
	}
	assert_int_equal(
	    agent_answer(t.rig.agent, ids[1], true, t.now, 0, "a test"), RK_OK);
	t.rig.fail = RK_ETAMPERED;
	poll_it(&t, &ids[0]);
	assert_int_not_equal(ids[0], 0);
	poll_it(&t, &ids[1]);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_true(t.rig.locked);
	assert_true(agent_next(t.rig.agent) <= t.now);
	poll_it(&t, &ids[0]);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_int_equal(agent_get_fail(&t.body, &err), RK_ENOPASS);
	assert_non_null(strstr(err.text, "the agent was locked"));
	assert_int_equal(ids[0], 0);
	assert_int_equal(agent_next(t.rig.agent), AGENT_FOREVER);
	talk_fini(&t);
}

/* A yes for a while is one for the key that was asked for, not for another that
 * has its name since. */
static void
test_asks_renamed(void **state)
{
	struct agent_waiting w;
	struct talk t;

	(void)state;
	talk_init(&t);
	open_all(&t, AGENT_FOREVER, true);
	assert_int_equal(ask_tls(&t, "a"), AGENT_WAIT);
	t.rig.rec[0].pub[0] ^= 1;
	open_all(&t, AGENT_FOREVER, true);
	assert_true(agent_waits(t.rig.agent, 0, t.now, &w));
	assert_int_equal(
	    agent_answer(t.rig.agent, w.id, true, t.now, 500, "a test"), RK_OK);
	poll_it(&t, &t.wait);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_int_equal(ask_tls(&t, "a"), AGENT_WAIT);
	assert_int_equal(t.rig.uses, 0);
	talk_fini(&t);
}

/* Every request cut at every byte, and with one too many. */
static void
test_cut(void **state)
{
	const uint8_t hash[64] = { 1 };
	uint8_t whole[512];
	struct talk t;
	size_t n;

	(void)state;
	talk_init(&t);
	open_all(&t, AGENT_FOREVER, false);
	put_text(&t.args, "a");
	put_text(&t.args, "file");
	assert_int_equal(bytes_put_string(&t.args, hash, sizeof(hash)), RK_OK);
	n = buf_len(&t.args);
	memcpy(whole, buf_peek(&t.args), n);
	whole[n] = 0;
	assert_int_equal(ask(&t, false, AGENT_SIGN_FILE), AGENT_OK);
	for (size_t i = 0; i <= n + 1; i++) {
		if (i == n)
			continue;
		assert_int_equal(buf_put(&t.args, whole, i), RK_OK);
		assert_int_equal(ask(&t, false, AGENT_SIGN_FILE), AGENT_FAIL);
	}
	for (unsigned type = 0; type < 256; type++) {
		assert_int_equal(buf_put(&t.args, "\0\0\0\xff!", 5), RK_OK);
		assert_int_equal(ask(&t, true, (uint8_t)type),
		    type == SSH_REQUEST_IDENTITIES      ? SSH_IDENTITIES_ANSWER
		    : type == SSH_REMOVE_ALL_IDENTITIES ? SSH_SUCCESS
		                                        : SSH_FAILURE);
	}
	assert_int_equal(t.rig.uses, 1);
	talk_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ssh_purposes),
		cmocka_unit_test(test_other_purposes),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_signs),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_full),
		cmocka_unit_test(test_log_files),
		cmocka_unit_test(test_asks),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_asks_locked),
		cmocka_unit_test(test_asks_renamed),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
