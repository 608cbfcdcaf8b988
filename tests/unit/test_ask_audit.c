/* What was decided, found again: all of it in parts, or about one key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/store.h>

#include <stdio.h>
#include <string.h>

#include "asklist.h"
#include "scratch.h"

#define SHORT 10 /* of a fingerprint */

struct lines {
	char all[200];
	uint64_t last; /* the id of the one that came last */
};

static void
on_line(const struct rk_store_line *line, void *arg)
{
	struct lines *l = arg;
	size_t n = strlen(l->all);

	(void)snprintf(l->all + n, sizeof(l->all) - n, "%s ", line->what);
	l->last = (uint64_t)line->id;
}

/* So they are named, and the next part begins behind them. */
static uint64_t
says(struct rk_trust *t, uint64_t before, const char *key, size_t max,
    const char *wants)
{
	const struct policy_audit which = { max, before, key };
	struct lines l = { .last = 0 };
	struct rk_error err;

	if (policy_audit(t, &which, on_line, &l, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_string_equal(l.all, wants);
	return l.last;
}

static void
fails(struct rk_trust *t, const char *key, enum rk_err wants, const char *says)
{
	const struct policy_audit which = { 9, 0, key };
	struct lines l = { .last = 0 };
	struct rk_error err;

	assert_int_equal(policy_audit(t, &which, on_line, &l, &err), wants);
	if (strstr(err.text, says) == NULL)
		fail_msg("%s", err.text);
	assert_string_equal(l.all, "");
}

/* The newest first, as many as are asked for, and then those before. */
static void
test_parts(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct lines l = { .last = 0 };
	uint64_t at;

	(void)state;
	assert_int_equal(ask_audit(t, 9, on_line, &l), RK_ESTATE);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_OK);
	(void)says(t, 0, NULL, 9, "forget reject ");
	(void)says(t, UINT64_MAX, NULL, SIZE_MAX, "forget reject ");
	at = says(t, 0, NULL, 1, "forget ");
	/* What comes meanwhile moves nothing. */
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_OK);
	at = says(t, at, NULL, 1, "reject ");
	(void)says(t, at, NULL, 1, "");
	(void)says(t, 0, NULL, 9, "approve forget reject ");
	rk_trust_free(t);
}

static void
test_key(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	const struct rk_peer one = ask_peer(1), two = ask_peer(2);
	static const uint8_t zeros[RK_KEY_PUBLIC_LEN];
	char none[RK_FP_LEN];
	char start[SHORT + 1], blanks[8 + SHORT + 2];
	uint64_t at;

	(void)state;
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	fails(t, one.cert.fp, RK_ENOENT, "nothing about such a key");
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 2), RK_OK);
	/* No entry has it any more, and the audit does. */
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_OK);
	assert_int_equal(policy_set_mode(t, RK_TRUST_FILE, "ann", NULL), RK_OK);
	at = says(t, 0, one.cert.fp, 9, "forget reject ");
	(void)says(t, 0, two.cert.fp, 9, "revoke ");
	(void)says(t, at, one.cert.fp, 9, "");
	at = says(t, 0, one.cert.fp, 1, "forget ");
	(void)says(t, at, one.cert.fp, 9, "reject ");
	(void)snprintf(start, sizeof(start), "%.*s", SHORT, one.cert.fp + 7);
	(void)says(t, 0, start, 9, "forget reject ");
	(void)snprintf(
	    blanks, sizeof(blanks), "sha256:%.4s %s", start, start + 4);
	(void)says(t, 0, blanks, 9, "forget reject ");
	fails(t, "SHA256:", RK_EINVAL, "the first 8 characters");
	fails(t, "0123456", RK_EINVAL, "the first 8 characters");
	fails(t, "01234567", RK_ENOENT, "nothing about such a key");
	/* Lines about the list are about no key. */
	rk_fp_of_key(zeros, none);
	fails(t, none, RK_ENOENT, "nothing about such a key");
	(void)says(t, 0, NULL, 9, "mode forget revoke reject ");
	rk_trust_free(t);
}

#define UNIT(name) \
	cmocka_unit_test_setup_teardown(name, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_parts),
		UNIT(test_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
