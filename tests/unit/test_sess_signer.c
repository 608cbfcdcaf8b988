/* Sessions whose keys are elsewhere: proven, failing, lying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "elsewhere.h"
#include "sessrig.h"

static struct sessrig rig;
static struct elsewhere there[2];
static struct rk_key *keys[2];

static void
begin(enum sessrig_pipe kind)
{
	sessrig_open(&rig, kind);
	for (int i = 0; i < 2; i++) {
		keys[i] = elsewhere_key(&there[i], rig.end[i].key);
		rig.end[i].conf.key = keys[i];
	}
}

static void
end(void)
{
	sessrig_close(&rig);
	for (int i = 0; i < 2; i++)
		rk_key_free(keys[i]);
}

static enum sessrig_pipe
kind_of(void **state)
{
	return (enum sessrig_pipe)(uintptr_t)*state;
}

static void
test_proven(void **state)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];

	begin(kind_of(state));
	sessrig_start(&rig);
	sessrig_settle(&rig);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(rig.end[i].states, "IENO");
		assert_true(rk_session_peer(rig.end[i].s, pub));
		assert_memory_equal(pub, rig.end[1 - i].pub, sizeof(pub));
		assert_int_equal(there[i].asked, 1);
		assert_int_equal(there[i].use, RK_SIGN_SESSION);
	}
	end();
}

static void
fails(enum sessrig_pipe kind, int who, enum elsewhere_mode mode, enum rk_err r,
    const char *text)
{
	const struct sessend *e = &rig.end[who];

	begin(kind);
	atomic_store(&there[who].mode, mode);
	sessrig_start(&rig);
	sessrig_settle(&rig);
	assert_int_equal(e->states[strlen(e->states) - 1], 'X');
	assert_int_equal(e->why.code, r);
	assert_string_equal(e->why.text, text);
	assert_null(strchr(rig.end[1 - who].states, 'O'));
	end();
}

static void
test_fails(void **state)
{
	for (int who = 0; who < 2; who++) {
		fails(kind_of(state), who, ELSEWHERE_OUT, RK_ETIMEOUT,
		    "the card is out");
		fails(kind_of(state), who, ELSEWHERE_LIES, RK_EPROTO,
		    "card: a signature came that is not this key's");
	}
}

static void
lose_all(void)
{
	rig.lose = 100;
}

/* What is said again, because nobody has heard it, is not signed again. */
static void
test_said_again(void **state)
{
	(void)state;
	begin(SESSRIG_NET);
	there[0].then = lose_all;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	assert_string_equal(rig.end[0].states, "IEN");
	rig.lose = 0;
	sessrig_pass(&rig, 3000);
	assert_string_equal(rig.end[0].states, "IENO");
	assert_string_equal(rig.end[1].states, "IENO");
	assert_int_equal(there[0].asked, 1);
	end();
	there[0].then = NULL;
}

#define ON(fn, kind)                                                   \
	{                                                              \
#fn " " #kind, fn, NULL, NULL, (void *)(uintptr_t)kind \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_proven, SESSRIG_STREAM),
		ON(test_proven, SESSRIG_UDP),
		ON(test_fails, SESSRIG_STREAM),
		ON(test_fails, SESSRIG_UDP),
		cmocka_unit_test(test_said_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
