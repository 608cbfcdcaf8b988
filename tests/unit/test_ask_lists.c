/* Whole lists of keys: taken in, given out, checked against the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/store.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asklist.h"
#include "base/clock.h"
#include "scratch.h"
#include "trust/ask_disk.h"
#include "trust/policy_int.h"
#include "trust/store.h"

#define LINES_LEN 200

static char text[4096];

/* One more line, of a key with this number. */
static void
add_line(unsigned number)
{
	const struct rk_peer peer = ask_peer(number);
	char id[RK_KEY_ID_LEN];
	size_t n = strlen(text);

	rk_key_id(peer.cert.pub, id);
	(void)snprintf(
	    text + n, sizeof(text) - n, "127.0.0.1 %s:p%u@x\n", id, number);
}

static bool with_changed;

static struct policy_import
import(struct rk_trust *t, enum rk_err wants)
{
	const struct policy_text from = {
		.text = text,
		.len = strlen(text),
		.who = "ann",
		.changed = with_changed,
	};
	struct policy_import in;

	assert_int_equal(policy_import(t, &from, &in, NULL), wants);
	return in;
}

static void
check_import(bool kept)
{
	struct rk_trust *t;
	struct policy_import in;

	t = ask_list("", RK_TRUST_ASK);
	if (kept)
		assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 2), RK_OK);
	assert_int_equal(ask_come_as(t, 3), RK_EAGAIN);
	(void)snprintf(text, sizeof(text), "# a remark\n\n");
	for (unsigned i = 1; i <= 4; i++)
		add_line(i);
	add_line(4);
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
	    "127.0.0.1 nonsense\n");
	in = import(t, RK_OK);
	assert_int_equal(in.wrong.n, 1);
	assert_int_equal(in.wrong.first[0], 8);
	assert_int_equal(ask_known(t), 1);
	*strstr(text, "127.0.0.1 nonsense") = '\0';
	assert_int_equal(policy_lock(t, true, "ann", NULL), RK_OK);
	(void)import(t, RK_ESTATE);
	assert_int_equal(policy_lock(t, false, "ann", NULL), RK_OK);
	in = import(t, RK_OK);
	assert_int_equal(in.wrong.n, 0);
	assert_int_equal(in.fresh, 2);
	assert_int_equal(in.known, 2);
	assert_int_equal(in.out, 1);
	assert_int_equal(ask_known(t), 3);
	/* The revoked one is left; and who waited does so no more. */
	assert_int_equal(ask_only_entry(t).status, RK_ASK_REVOKED);
	assert_int_equal(ask_come_as(t, 2), RK_EREVOKED);
	assert_int_equal(ask_come_as(t, 4), RK_OK);
	assert_int_equal(import(t, RK_OK).fresh, 0);
	rk_trust_free(t);
}

static void
test_import(void **state)
{
	(void)state;
	check_import(false);
}

/* Nobody is judged while lines are sorted, so that they are counted, however
 * often one key is in them. */
static void
test_import_limit(void **state)
{
	struct policy_text from = { .who = "ann" };
	struct policy_import in;
	struct rk_trust *t;
	char *many;

	(void)state;
	t = ask_list("", RK_TRUST_ASK);
	text[0] = '\0';
	add_line(1);
	from.len = strlen(text);
	many = malloc((KNOWN_KEYS_MAX + 1) * from.len);
	assert_non_null(many);
	from.text = many;
	for (unsigned i = 0; i < KNOWN_KEYS_MAX; i++)
		memcpy(many + i * from.len, text, from.len);
	from.len *= KNOWN_KEYS_MAX;
	assert_int_equal(policy_import(t, &from, &in, NULL), RK_OK);
	assert_int_equal(in.fresh, 1);
	assert_int_equal(in.known, KNOWN_KEYS_MAX - 1);
	memcpy(many + from.len, text, strlen(text));
	from.len += strlen(text);
	assert_int_equal(policy_import(t, &from, &in, NULL), RK_ELIMIT);
	free(many);
	rk_trust_free(t);
}

static void
test_import_kept(void **state)
{
	(void)state;
	check_import(true);
}

/* A line of key `number` that names another's e-mail. */
static void
add_as(unsigned number, const char *mails)
{
	const struct rk_peer peer = ask_peer(number);
	char id[RK_KEY_ID_LEN];
	size_t n = strlen(text);

	rk_key_id(peer.cert.pub, id);
	(void)snprintf(
	    text + n, sizeof(text) - n, "127.0.0.1 %s:%s\n", id, mails);
}

/* Whose e-mail another key is known for is not let in by a list. */
static void
check_taken(bool kept)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct policy_import in;

	if (kept)
		assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	text[0] = '\0';
	add_as(1, "p1@x");
	add_as(5, "p5@x");
	add_as(6, "z@x,P1@X");
	add_as(7, "%701@x");
	add_as(8, "y@x,P5@x"); /* as a line above */
	in = import(t, RK_OK);
	assert_int_equal(in.wrong.n, 0);
	assert_int_equal(in.fresh, 1);
	assert_int_equal(in.known, 1);
	assert_int_equal(in.taken.n, 3);
	assert_int_equal(in.taken.first[0], 3);
	assert_int_equal(in.taken.first[1], 4);
	assert_int_equal(in.taken.first[2], 5);
	assert_int_equal(ask_known(t), 2);
	assert_int_equal(ask_come_as(t, 6), RK_EAGAIN);
	/* By the certificate, too, where it is one that waits. */
	assert_int_equal(ask_come_as(t, 9), RK_EAGAIN);
	text[0] = '\0';
	add_as(9, "nobody@x");
	add_as(2, "p9@x");
	in = import(t, RK_OK);
	assert_int_equal(in.fresh, 1);
	assert_int_equal(in.taken.n, 1);
	assert_int_equal(in.taken.first[0], 2);
	assert_int_equal(ask_known(t), 3);
	text[0] = '\0';
	add_as(6, "z@x,p1@x");
	with_changed = true;
	in = import(t, RK_OK);
	with_changed = false;
	assert_int_equal(in.taken.n, 0);
	assert_int_equal(in.fresh, 1);
	assert_int_equal(ask_come_as(t, 6), RK_OK);
	rk_trust_free(t);
}

static void
test_import_taken(void **state)
{
	(void)state;
	check_taken(false);
}

static void
test_import_taken_kept(void **state)
{
	(void)state;
	check_taken(true);
}

/* Without a store, too: not those that are out. */
static void
test_export(void **state)
{
	struct rk_trust *t;
	char *out;
	size_t len;

	(void)state;
	text[0] = '\0';
	add_line(1);
	t = ask_list(text, RK_TRUST_ASK);
	assert_int_equal(policy_export(t, &out, &len, NULL), RK_OK);
	assert_non_null(strstr(out, text));
	assert_int_equal(len, strlen(out));
	free(out);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(policy_export(t, &out, &len, NULL), RK_OK);
	assert_null(strstr(out, "pubkey@"));
	free(out);
	rk_trust_free(t);
	assert_int_equal(rk_trust_new(NULL, RK_TRUST_OFF, &t, NULL), RK_OK);
	assert_int_equal(policy_export(t, &out, &len, NULL), RK_ESTATE);
	(void)import(t, RK_ESTATE);
	rk_trust_free(t);
}

struct found {
	unsigned wrong;
	unsigned notes;
	char all[2048];
};

static void
on_finding(bool wrong, const char *finding, void *arg)
{
	struct found *f = arg;
	size_t n = strlen(f->all);

	f->wrong += wrong;
	f->notes += !wrong;
	(void)snprintf(f->all + n, sizeof(f->all) - n, "%s\n", finding);
}

static struct found
look(struct rk_trust *t)
{
	struct found f = { .wrong = 0 };

	assert_int_equal(policy_check(t, on_finding, &f), RK_OK);
	return f;
}

static void
test_check(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct found f = look(t);
	unsigned mode, locked;

	(void)state;
	assert_int_equal(f.wrong, 0);
	assert_true(policy_list_mode(t, &mode, &locked));
	assert_int_equal(mode, 0600);
	assert_int_equal(locked, 0400);
	assert_non_null(strstr(f.all, "k: has no key yet"));
	assert_non_null(strstr(f.all, "there is no store"));
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_non_null(strstr(look(t).all, "decision: 1"));
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	f = look(t);
	assert_int_equal(f.wrong + f.notes, 0);
	/* The line is taken out by hand, and the list opened to others. */
	assert_int_equal(chmod("k", 0640), 0);
	assert_non_null(strstr(look(t).all, "others may read it (mode 0640)"));
	assert_true(policy_list_mode(t, &mode, &locked));
	assert_int_equal(mode, 0640);
	assert_int_equal(locked, 0440);
	scratch_make("k", "# decisions: k.db\n", 0600);
	f = look(t);
	assert_int_equal(f.wrong, 1);
	assert_non_null(strstr(f.all, "its line is gone from the list"));
	/* And put back behind a lock, where rejecting cannot take it out. */
	text[0] = '\0';
	add_line(1);
	scratch_make("k", text, 0400);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_non_null(
	    strstr(look(t).all, "was rejected and still has its line"));
	rk_trust_free(t);
}

/* Of the list: who, or the file alone. */
static void
on_lock(const struct rk_store_line *line, void *arg)
{
	char *all = arg;
	size_t n = strlen(all);

	if (line->fp[0] == '\0' && line->email[0] == '\0')
		(void)snprintf(
		    all + n, LINES_LEN - n, "%s:%s ", line->what, line->who);
}

static void
on_note(const struct rk_store_line *line, void *arg)
{
	char *all = arg;
	size_t n = strlen(all);

	(void)snprintf(all + n, LINES_LEN - n, "%s, ", line->note);
}

static const char *
locks(struct rk_trust *t)
{
	static char all[LINES_LEN];

	all[0] = '\0';
	assert_int_equal(ask_audit(t, 99, on_lock, all), RK_OK);
	return all;
}

static bool
take_id(const struct rk_store_line *line, void *arg)
{
	*(int64_t *)arg = line->id;
	return true;
}

/* A lock is no decision about a key. */
static void
check_undo(void)
{
	struct rk_store *s;
	struct rk_error err;
	int64_t id = 0;

	assert_int_equal(rk_store_open("k", false, &s, NULL), RK_OK);
	assert_int_equal(rk_store_audit(s, 0, take_id, &id, NULL), RK_OK);
	assert_int_equal(rk_store_undo(s, id, "ann", &err), RK_ESTATE);
	assert_non_null(strstr(err.text, "is about the list"));
	rk_store_close(s);
}

static void
test_audit_lock(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);

	(void)state;
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_string_equal(locks(t), "");
	assert_int_equal(policy_lock(t, true, "ann (ctl)", NULL), RK_OK);
	assert_int_equal(policy_lock(t, true, "bob (ctl)", NULL), RK_OK);
	assert_string_equal(locks(t), "lock:ann (ctl) ");
	/* By hand, noticed by whoever asks for what others decide, too. */
	assert_int_equal(chmod("k", 0600), 0);
	assert_int_equal(policy_catch_up(t, NULL), RK_OK);
	check_undo();
	assert_int_equal(chmod("k", 0400), 0);
	assert_string_equal(locks(t), "lock:file unlock:file lock:ann (ctl) ");
	assert_int_equal(policy_lock(t, true, "eve", NULL), RK_OK);
	/* It is no news for the table, and the store is as good as ever. */
	assert_int_equal(policy_catch_up(t, NULL), RK_OK);
	assert_int_equal(policy_lock(t, false, "bob", NULL), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 1), RK_OK);
	rk_trust_free(t);
	assert_int_equal(rk_trust_new("k", RK_TRUST_ASK, &t, NULL), RK_OK);
	assert_int_equal(rk_trust_keep(t, false, NULL), RK_OK);
	assert_string_equal(locks(t),
	    "unlock:bob lock:eve lock:file unlock:file lock:ann (ctl) ");
	rk_trust_free(t);
}

/* Nobody can write it down: locking is done, unlocking is not. */
static void
test_audit_lock_full(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct stat st;

	(void)state;
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(chmod("k.db", 0400), 0);
	assert_int_equal(policy_lock(t, true, "ann", NULL), RK_OK);
	assert_true(stat("k", &st) == 0 && (st.st_mode & 07777) == 0400);
	assert_int_equal(policy_lock(t, false, "ann", NULL), RK_EMODE);
	assert_true(stat("k", &st) == 0 && (st.st_mode & 07777) == 0400);
	assert_int_equal(chmod("k.db", 0600), 0);
	assert_string_equal(locks(t), "lock:ann ");
	rk_trust_free(t);
}

static const char *
notes(struct rk_trust *t)
{
	static char all[LINES_LEN];

	all[0] = '\0';
	assert_int_equal(ask_audit(t, 99, on_note, all), RK_OK);
	return all;
}

/* One that begins in a mode. */
static struct rk_trust *
begin(enum rk_trust_mode mode)
{
	struct rk_trust *t = NULL;

	assert_int_equal(rk_trust_new("k", mode, &t, NULL), RK_OK);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	policy_begin(t);
	return t;
}

/* A start in another mode is in the audit, whoever changed it. */
static void
test_audit_begin(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_trust *next;

	(void)state;
	rk_trust_free(t);
	t = begin(RK_TRUST_ASK);
	assert_string_equal(notes(t), "ask, ");
	assert_string_equal(locks(t), "mode:start ");
	rk_trust_free(t);
	t = begin(RK_TRUST_ASK);
	assert_string_equal(notes(t), "ask, ");
	rk_trust_free(t);
	rk_trust_free(begin(RK_TRUST_OFF));
	t = begin(RK_TRUST_ACCEPT_NEW);
	assert_string_equal(notes(t), "off to open, ask to off, ask, ");
	/* What follows it is no start, and a check begins nothing. */
	assert_int_equal(rk_trust_new("k", RK_TRUST_ASK, &next, NULL), RK_OK);
	rk_trust_follow(next, t);
	assert_int_equal(rk_trust_keep(next, true, NULL), RK_OK);
	policy_begin(next);
	assert_string_equal(notes(t), "off to open, ask to off, ask, ");
	assert_true(policy_note_successor(t, next));
	assert_string_equal(
	    notes(t), "open to ask, off to open, ask to off, ask, ");
	rk_trust_free(next);
	rk_trust_free(t);
}

/* Who keeps list and store keeps nobody waiting. */
static void
test_bounded(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_trust *next;
	enum rk_trust_state file;
	sqlite3 *db = NULL;
	uint64_t begun;
	size_t n;
	int fd;

	(void)state;
	rk_trust_free(t);
	t = begin(RK_TRUST_ASK);
	assert_int_equal(rk_trust_new("k", RK_TRUST_OFF, &next, NULL), RK_OK);
	rk_trust_follow(next, t);
	assert_int_equal(rk_trust_keep(next, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(rk_trust_inspect(t, &file, &n, NULL), RK_OK);
	fd = open("k", O_RDWR | O_APPEND);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(write(fd, "# x\n", 4), 4);
	assert_int_equal(sqlite3_open("k.db", &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	begun = mono_ms();
	assert_int_equal(rk_trust_inspect(t, &file, &n, NULL), RK_OK);
	assert_int_equal(n, 1);
	assert_true(policy_note_successor(t, next));
	/* A second of either lock's would be one. */
	assert_in_range(mono_ms() - begun, 0, 900);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(close(fd), 0);
	ask_disk_store(next->room)->lock.again = 0;
	assert_int_equal(policy_catch_up(next, NULL), RK_OK);
	assert_non_null(strstr(notes(t), "ask to off, "));
	rk_trust_free(next);
	rk_trust_free(t);
}

/* A mode is set with its line, or not at all; but a lock in any case. */
static void
test_audit_mode(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	char all[LINES_LEN] = "";

	(void)state;
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(
	    policy_set_mode(t, RK_TRUST_FILE, "ann (ctl)", NULL), RK_OK);
	assert_int_equal(
	    policy_set_mode(t, RK_TRUST_FILE, "bob (ctl)", NULL), RK_OK);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_OFF, NULL), RK_OK);
	assert_string_equal(locks(t), "mode:order mode:ann (ctl) ");
	assert_int_equal(ask_audit(t, 2, on_note, all), RK_OK);
	assert_string_equal(all, "file to off, ask to file, ");
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_ASK, NULL), RK_OK);
	assert_int_equal(chmod("k.db", 0400), 0);
	assert_int_equal(
	    policy_set_mode(t, RK_TRUST_OFF, "ann", NULL), RK_EMODE);
	assert_int_equal(rk_trust_mode(t), RK_TRUST_ASK);
	assert_int_equal(policy_set_mode(t, RK_TRUST_LOCK, "ann", NULL), RK_OK);
	assert_int_equal(rk_trust_mode(t), RK_TRUST_LOCK);
	rk_trust_free(t);
}

#define UNIT(name) \
	cmocka_unit_test_setup_teardown(name, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_import),
		UNIT(test_import_limit),
		UNIT(test_import_kept),
		UNIT(test_import_taken),
		UNIT(test_import_taken_kept),
		UNIT(test_export),
		UNIT(test_check),
		UNIT(test_audit_lock),
		UNIT(test_audit_lock_full),
		UNIT(test_audit_begin),
		UNIT(test_bounded),
		UNIT(test_audit_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
