/* Secrets that keyvault's agent gives out: which, to whom, after what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agenttalk.h"
#include "base/str.h"

static void
put_text(struct buf *b, const char *text)
{
	assert_int_equal(agent_put_text(b, text), RK_OK);
}

static uint8_t
ask_tls(struct talk *t, const char *name)
{
	static const char text[] = "TLS 1.3, server CertificateVerify";
	uint8_t tls[64 + sizeof(text) + 32] = { 0 };

	memset(tls, ' ', 64);
	memcpy(tls + 64, text, sizeof(text));
	put_text(&t->args, name);
	assert_int_equal(bytes_put_string(&t->args, tls, sizeof(tls)), RK_OK);
	return ask(t, false, AGENT_SIGN);
}

static uint8_t
ask_gift(struct talk *t, bool ssh, const char *name, uint8_t as)
{
	put_text(&t->args, name);
	assert_int_equal(bytes_put_u8(&t->args, as), RK_OK);
	return ask(t, ssh, AGENT_GIVE);
}

static void
open_one(struct talk *t, const char *name, uint64_t uses, bool confirm)
{
	assert_int_equal(
	    agentrig_unlock(&t->rig, name, t->now, uses, confirm, &t->reply),
	    RK_OK);
	take(t);
	assert_int_equal(t->type, AGENT_OK);
}

/* Only what was opened by its name, and as what it is; keys that sign never. */
static void
test_gives(void **state)
{
	struct bytes secret;
	struct talk t;
	uint32_t id;

	(void)state;
	talk_init(&t);
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_FAIL);
	open_one(&t, NULL, AGENT_FOREVER, false);
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_FAIL);
	open_one(&t, "p", 2, false);
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_WORD), AGENT_FAIL);
	assert_int_equal(ask_gift(&t, false, "p", 0), AGENT_FAIL);
	assert_int_equal(ask_gift(&t, false, "p", 3), AGENT_FAIL);
	assert_int_equal(ask_gift(&t, true, "p", AGENT_GIFT_PSK), SSH_FAILURE);
	for (uint8_t as = 1; as <= 2; as++) {
		assert_int_equal(ask_gift(&t, false, "a", as), AGENT_FAIL);
		assert_int_equal(ask_gift(&t, false, "s", as), AGENT_FAIL);
	}
	/* Nor does it sign, or have a public half. */
	assert_int_equal(ask_tls(&t, "p"), AGENT_FAIL);
	put_text(&t.args, "p");
	assert_int_equal(ask(&t, false, AGENT_PUBLIC), AGENT_FAIL);
	assert_int_equal(t.rig.uses, 0);
	t.rig.fail = RK_EIO;
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_FAIL);
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_OK);
	assert_true(bytes_get_string(&t.body, &secret));
	assert_int_equal(secret.left, 32);
	assert_int_equal(t.body.left, 0);
	assert_int_equal(t.rig.last.act, VAULT_ACT_EXPORT);
	assert_string_equal(t.rig.last.text,
	    "agent: given out as a pre-shared key, for a test");
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_OK);
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_FAIL);
	/* Not before somebody has said yes. */
	open_one(&t, "p", AGENT_FOREVER, true);
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_WAIT);
	assert_int_equal(t.rig.uses, 2);
	id = t.wait;
	assert_int_equal(
	    agent_answer(t.rig.agent, id, false, t.now, 0, "a test"), RK_OK);
	poll_it(&t, &id);
	assert_int_equal(t.type, AGENT_FAIL);
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_WAIT);
	id = t.wait;
	assert_int_equal(
	    agent_answer(t.rig.agent, id, true, t.now, 0, "a test"), RK_OK);
	poll_it(&t, &id);
	assert_int_equal(t.type, AGENT_OK);
	assert_int_equal(t.rig.uses, 3);
	talk_fini(&t);
}

/* A word of --only-for holds for what is given out, too. */
static void
test_only_for(void **state)
{
	static const char *const others[] = { "file", "tls", "/bin/other",
		"/bin/one\nssh" };
	struct talk t;

	(void)state;
	talk_init(&t);
	(void)str_copy(
	    t.rig.own.program, sizeof(t.rig.own.program), "/bin/one");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		t.rig.only = others[i];
		open_one(&t, "p", AGENT_FOREVER, false);
		assert_int_equal(
		    ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_FAIL);
	}
	assert_int_equal(t.rig.uses, 0);
	t.rig.only = "/bin/one";
	open_one(&t, "p", AGENT_FOREVER, false);
	assert_int_equal(ask_gift(&t, false, "p", AGENT_GIFT_PSK), AGENT_OK);
	talk_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gives),
		cmocka_unit_test(test_only_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
