/* Keys whose e-mail is another's: of a line, of an approval that ends, in a
 * store and without one; one rule on every way in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "asklist.h"
#include "scratch.h"
#include "trust/known.h"
#include "trust/policy.h"

#define OLD 1
#define NEW 2

/* The list "k" as a process finds it that begins now. */
static struct rk_trust *
begin(enum rk_trust_mode mode, bool kept)
{
	struct rk_trust *t = NULL;
	struct rk_error err;

	if (rk_trust_new("k", mode, &t, &err) != RK_OK ||
	    (kept && rk_trust_keep(t, true, &err) != RK_OK))
		fail_msg("%s", err.text);
	return t;
}

static enum rk_err
come(struct rk_trust *t, unsigned number, const char *email)
{
	const struct rk_peer peer =
	    ask_peer_at(number, email, "tls://127.0.0.1:1");

	return ask_come(t, &peer);
}

static enum rk_err
approve(struct rk_trust *t, unsigned number, enum rk_ask_verb how, bool changed)
{
	const struct rk_peer peer = ask_peer(number);
	const struct rk_ask_order o = { .size = sizeof(o),
		.verb = how,
		.key = peer.cert.fp,
		.changed = changed,
		.until = how == RK_ASK_APPROVE_UNTIL ? time(NULL) + 3600 : 0 };

	return rk_trust_order(t, &o, NULL, NULL);
}

static enum rk_ask_status
status_of(struct rk_trust *t, unsigned number)
{
	const struct rk_peer peer = ask_peer(number);
	enum rk_ask_status status = RK_ASK_KNOWN;
	struct rk_ask_entry *list;
	size_t n;

	assert_int_equal(rk_trust_entries(t, &list, &n), RK_OK);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].fp, peer.cert.fp) == 0)
			status = list[i].status;
	}
	free(list);
	return status;
}

/* The list of one line: the second key, with this e-mail. */
static size_t
import(struct rk_trust *t, const char *email)
{
	const struct rk_peer peer = ask_peer(NEW);
	struct policy_import in;
	char id[RK_KEY_ID_LEN], text[512];
	struct policy_text from = { .text = text, .who = "ann" };

	rk_key_id(peer.cert.pub, id);
	(void)snprintf(text, sizeof(text), "- %s:%s\n", id, email);
	from.len = strlen(text);
	assert_int_equal(policy_import(t, &from, &in, NULL), RK_OK);
	assert_int_equal(in.fresh + in.taken.n, 1);
	return in.taken.n;
}

/* Nobody gets in with this e-mail, by whatever way, unless somebody says that
 * the key may be another one. */
static void
check_shut(enum rk_trust_mode mode, bool kept, enum rk_ask_verb how)
{
	struct rk_trust *t;

	scratch_make("k", "", 0600);
	t = begin(RK_TRUST_ASK, kept);
	assert_int_equal(come(t, OLD, "al@x"), RK_EAGAIN);
	assert_int_equal(approve(t, OLD, how, false), RK_OK);
	assert_int_equal(rk_trust_set_mode(t, mode, NULL), RK_OK);
	assert_int_equal(come(t, NEW, "AL@x"), RK_EAGAIN);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(status_of(t, NEW), RK_ASK_CHANGED);
		assert_int_equal(
		    approve(t, NEW, RK_ASK_APPROVE, false), RK_EDENIED);
		assert_int_equal(
		    approve(t, NEW, RK_ASK_APPROVE_ONCE, false), RK_EDENIED);
		assert_int_equal(
		    approve(t, NEW, RK_ASK_APPROVE_UNTIL, false), RK_EDENIED);
		assert_int_equal(import(t, "Al@x"), 1);
		assert_int_equal(ask_known(t), how == RK_ASK_APPROVE);
		if (!kept)
			break;
		rk_trust_free(t);
		t = begin(mode, true);
	}
	assert_int_equal(approve(t, NEW, RK_ASK_APPROVE, true), RK_OK);
	assert_int_equal(come(t, NEW, "al@x"), RK_OK);
	rk_trust_free(t);
}

static void
test_shut(void **state)
{
	static const enum rk_ask_verb how[] = { RK_ASK_APPROVE,
		RK_ASK_APPROVE_ONCE, RK_ASK_APPROVE_UNTIL };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		check_shut(RK_TRUST_ASK, false, how[i]);
		check_shut(RK_TRUST_ACCEPT_NEW, false, how[i]);
	}
}

static void
test_shut_kept(void **state)
{
	static const enum rk_ask_verb how[] = { RK_ASK_APPROVE,
		RK_ASK_APPROVE_ONCE, RK_ASK_APPROVE_UNTIL };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		check_shut(i < 3 ? RK_TRUST_ASK : RK_TRUST_ACCEPT_NEW, true,
		    how[i % 3]);
		assert_int_equal(remove("k.db"), 0);
	}
}

/* What another process has approved counts here at once. */
static void
test_shut_shared(void **state)
{
	struct rk_trust *t = NULL, *other = NULL;

	(void)state;
	scratch_make("k", "", 0600);
	t = begin(RK_TRUST_ACCEPT_NEW, true);
	other = begin(RK_TRUST_ASK, true);
	assert_int_equal(come(other, OLD, "al@x"), RK_EAGAIN);
	assert_int_equal(
	    approve(other, OLD, RK_ASK_APPROVE_UNTIL, false), RK_OK);
	assert_int_equal(come(t, NEW, "al@x"), RK_EAGAIN);
	assert_int_equal(status_of(t, NEW), RK_ASK_CHANGED);
	assert_int_equal(ask_known(t), 0);
	rk_trust_free(other);
	rk_trust_free(t);
}

/* What is listed as a changed one is approved as such, or not. */
static void
test_as_listed(void **state)
{
	struct rk_trust *t;

	(void)state;
	scratch_make("k", "", 0600);
	t = begin(RK_TRUST_ASK, true);
	assert_int_equal(come(t, OLD, "al@x"), RK_EAGAIN);
	assert_int_equal(approve(t, OLD, RK_ASK_APPROVE, false), RK_OK);
	assert_int_equal(come(t, NEW, "al@x"), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, OLD), RK_OK);
	assert_int_equal(status_of(t, NEW), RK_ASK_CHANGED);
	assert_int_equal(approve(t, NEW, RK_ASK_APPROVE, false), RK_EDENIED);
	assert_int_equal(come(t, NEW, "al@x"), RK_EAGAIN);
	assert_int_equal(status_of(t, NEW), RK_ASK_NEW);
	assert_int_equal(approve(t, NEW, RK_ASK_APPROVE, false), RK_OK);
	rk_trust_free(t);
}

/* Each address of a line counts, however many there are, and however it was
 * written, now and after a restart. */
static void
check_line(bool kept)
{
	static const char *const emails[] = { "m1@x", "M9@x", "m10@x",
		"z@x,m8@x", "bl@x y", "bl@x", "y", "m1@x.", "m5@x" };
	const struct rk_peer old = ask_peer(OLD);
	char id[RK_KEY_ID_LEN], text[512];
	struct rk_trust *t;

	rk_key_id(old.cert.pub, id);
	(void)snprintf(text, sizeof(text),
	    "- %s:m1@x,m2@x,m3@x,m4@x,m5@x.,m6@x,m7@x,m8@x,m9@x,%%6d10@x,"
	    "bl@x%%20y\n",
	    id);
	scratch_make("k", text, 0600);
	t = begin(RK_TRUST_ACCEPT_NEW, kept);
	for (unsigned i = 0; i < sizeof(emails) / sizeof(emails[0]); i++) {
		assert_int_equal(come(t, NEW + i, emails[i]), RK_EAGAIN);
		assert_int_equal(status_of(t, NEW + i), RK_ASK_CHANGED);
		if (!kept)
			continue;
		rk_trust_free(t);
		t = begin(RK_TRUST_ACCEPT_NEW, true);
		assert_int_equal(status_of(t, NEW + i), RK_ASK_CHANGED);
	}
	assert_int_equal(come(t, 99, "m11@x"), RK_OK);
	assert_int_equal(come(t, 98, "m1@x.."), RK_OK);
	rk_trust_free(t);
}

/* A last line that may have been cut in its addresses: whose address begins as
 * the last of them is not let in for a new one. */
static void
test_cut(void **state)
{
	static const char *const emails[] = { "dan@x", "DAN@x.example",
		"z@x,dan@xy" };
	const struct rk_peer old = ask_peer(OLD);
	char id[RK_KEY_ID_LEN], text[512];
	struct rk_trust *t;

	(void)state;
	rk_key_id(old.cert.pub, id);
	(void)snprintf(text, sizeof(text), "# known\n- %s:d@x,dan@x", id);
	scratch_make("k", text, 0600);
	t = begin(RK_TRUST_ASK, false);
	for (unsigned i = 0; i < sizeof(emails) / sizeof(emails[0]); i++) {
		assert_int_equal(come(t, NEW + i, emails[i]), RK_EAGAIN);
		assert_int_equal(status_of(t, NEW + i), RK_ASK_CHANGED);
	}
	assert_int_equal(come(t, 98, "d@x.example"), RK_EAGAIN);
	assert_int_equal(status_of(t, 98), RK_ASK_NEW);
	assert_int_equal(come(t, OLD, "dan@x.example"), RK_OK);
	rk_trust_free(t);
	(void)snprintf(text, sizeof(text), "- %s", id);
	scratch_make("k", text, 0600);
	t = begin(RK_TRUST_ASK, false);
	assert_int_equal(come(t, NEW, "dan@x"), RK_EAGAIN);
	assert_int_equal(status_of(t, NEW), RK_ASK_NEW);
	rk_trust_free(t);
}

static void
test_line(void **state)
{
	(void)state;
	check_line(false);
	check_line(true);
}

static enum rk_err
replace(struct rk_trust *t, unsigned old, unsigned number, bool changed)
{
	const struct rk_peer a = ask_peer(old);
	const struct rk_peer b = ask_peer(number);
	const struct rk_ask_order o = { .size = sizeof(o),
		.verb = RK_ASK_REPLACE,
		.key = a.cert.fp,
		.by = b.cert.fp,
		.changed = changed };

	return rk_trust_order(t, &o, NULL, NULL);
}

/* Who takes a key's place takes no third one's e-mail. */
static void
check_third(bool kept, enum rk_ask_verb how)
{
	struct rk_trust *t;

	scratch_make("k", "", 0600);
	t = begin(RK_TRUST_ASK, kept);
	assert_int_equal(come(t, OLD, "al@x"), RK_EAGAIN);
	assert_int_equal(approve(t, OLD, RK_ASK_APPROVE, false), RK_OK);
	assert_int_equal(come(t, 3, "bo@x"), RK_EAGAIN);
	assert_int_equal(approve(t, 3, how, false), RK_OK);
	assert_int_equal(come(t, NEW, "al@x,bo@x"), RK_EAGAIN);
	assert_int_equal(status_of(t, NEW), RK_ASK_CHANGED);
	assert_int_equal(replace(t, OLD, NEW, false), RK_EDENIED);
	assert_int_equal(come(t, OLD, "al@x"), RK_OK);
	assert_int_equal(replace(t, OLD, NEW, true), RK_OK);
	assert_int_equal(come(t, NEW, "al@x,bo@x"), RK_OK);
	assert_int_equal(come(t, 4, "al@x"), RK_EAGAIN);
	assert_int_equal(replace(t, NEW, 4, false), RK_OK);
	assert_int_equal(come(t, 4, "al@x"), RK_OK);
	rk_trust_free(t);
}

static void
test_third(void **state)
{
	(void)state;
	check_third(false, RK_ASK_APPROVE);
	check_third(false, RK_ASK_APPROVE_UNTIL);
	check_third(true, RK_ASK_APPROVE);
	assert_int_equal(remove("k.db"), 0);
	check_third(true, RK_ASK_APPROVE_UNTIL);
}

#define UNIT(name) \
	cmocka_unit_test_setup_teardown(name, scratch_enter, scratch_leave)

/* A line cut in its second address, at every byte of it: whose address begins
 * so has that key's, also where it was cut within what stands for a byte. */
static void
test_torn_mail(void **state)
{
	static const char mail[] = "j\xc3\xbc@x.example";
	const struct rk_peer peer = ask_peer(OLD);
	const struct mails_for whom = { .pub = NULL };
	char id[RK_KEY_ID_LEN], text[512];
	struct rk_error err;
	struct known k;
	size_t len, from;

	(void)state;
	rk_key_id(peer.cert.pub, id);
	len = (size_t)snprintf(
	    text, sizeof(text), "h %s:ann@x,j%%c3%%bc@x.example", id);
	from = (size_t)(strstr(text, ",j") + 2 - text);
	for (size_t i = from - 1; i <= len; i++) {
		char *cut = malloc(i);

		assert_non_null(cut);
		memcpy(cut, text, i);
		assert_int_equal(known_parse("f", cut, i, &k, &err), RK_OK);
		assert_int_equal(known_find_mail(&k, &whom, mails_of(mail),
		                     NULL, NULL) != NULL,
		    i >= from);
		assert_non_null(
		    known_find_mail(&k, &whom, mails_of("ann@x"), NULL, NULL));
		known_fini(&k);
		free(cut);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_shut),
		UNIT(test_shut_kept),
		UNIT(test_shut_shared),
		UNIT(test_as_listed),
		UNIT(test_line),
		UNIT(test_cut),
		UNIT(test_torn_mail),
		UNIT(test_third),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
