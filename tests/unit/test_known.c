/* Known-keys files: their lines, their safety on the disk, adding to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "scratch.h"
#include "trust/known.h"

#define FIRST "# known_pub_keys file: address pubkey-identity-string\n"
#define PUB "ec649e383707c58915be0c513d35ff4d1c8461c9350c2fdbadc67295f2bab3ce"
#define ID                                \
	"pubkey@edwardsRPC-ed25519-b58c-" \
	"9aUwL21rDmMPNEcRqmGbtmGrhHAVhU6PXY6Cz1iy3dDrNrJW7Bi"
#define LINE "127.0.0.1 " ID ":client@example.com\n"

/* A key that is as good as any; the same for the same number. */
static void
key_of(unsigned number, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	uint8_t seed[RK_KEY_SEED_LEN] = { (uint8_t)number,
		(uint8_t)(number >> 8), 7 };
	struct rk_key *key = NULL;

	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	rk_key_public(key, pub);
	rk_key_free(key);
}

static enum rk_err
parse(const char *text, size_t *n, struct rk_error *err)
{
	struct known k;
	enum rk_err r = known_parse("file", text, strlen(text), &k, err);

	*n = k.n;
	known_fini(&k);
	return r;
}

static void
assert_keys(const char *text, size_t want)
{
	struct rk_error err;
	size_t n;

	if (parse(text, &n, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(n, want);
}

static void
assert_malformed(const char *text, const char *words)
{
	struct rk_error err;
	size_t n;

	assert_int_equal(parse(text, &n, &err), RK_EFORMAT);
	assert_int_equal(n, 0);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void
test_example(void **state)
{
	static const char text[] = FIRST LINE;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	struct known k;
	size_t n;

	(void)state;
	assert_int_equal(str_unhex(PUB, 64, pub, sizeof(pub), &n), RK_OK);
	assert_int_equal(
	    known_parse("f", text, sizeof(text) - 1, &k, &err), RK_OK);
	assert_int_equal(k.n, 1);
	assert_true(known_has(&k, pub));
	pub[0] ^= 1;
	assert_false(known_has(&k, pub));
	known_fini(&k);
}

static void
test_lines(void **state)
{
	(void)state;
	assert_keys("", 0);
	assert_keys("\n\n", 0);
	assert_keys("# only this", 0);
	assert_keys("  # indented\n\t\n" LINE, 1);
	assert_keys(LINE LINE, 1); /* it is one key */
	assert_keys("h\t " ID "\n", 1);
	assert_keys("h " ID ": extra fields # of others\r\n", 1);
	assert_keys("h " ID ":a@x,b@y:c", 1);
	assert_keys("h " ID, 1);
	assert_malformed("h\n", "file:1: not a known key");
	assert_malformed("\xef\xbb\xbf# known\n" LINE,
	    "file:1: not a known key: it begins with a byte order mark");
	assert_malformed(LINE "\xef\xbb\xbf# no\n", "file:2: not a known key");
	assert_malformed("\n# c\n" ID "\n", "file:3:");
	assert_malformed("h " ID "x:\n", "file:1:");
	assert_malformed("h pubkey@edwardsRPC-ed25519-b58c-:\n", "file:1:");
	assert_malformed("h xpubkey@edwardsRPC-ed25519-b58c-9aU:\n", ":1:");
	assert_malformed("h pubkey@other-p256-b58c-9aUwL21rDmMPN:\n", ":1:");
	assert_malformed("h " ID ":a\x01\n", "file:1:");
	assert_malformed("h " ID ":a\x7f\n", "file:1:");
	assert_malformed(LINE "127.0.0.1 pubkey@edw", "cut off");
	assert_malformed(LINE "1", "file:2: not a known key: the line is cut");
}

/* A file cut at every byte: what remains is refused, or holds one key and its
 * emails shorter; never another key. */
static void
test_torn(void **state)
{
	static const char text[] = LINE;
	const size_t whole = strlen("127.0.0.1 " ID);
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	struct known k;
	size_t n;
	size_t i;

	(void)state;
	assert_int_equal(str_unhex(PUB, 64, pub, sizeof(pub), &n), RK_OK);
	for (i = 1; i < sizeof(text); i++) {
		char *cut = malloc(i);

		assert_non_null(cut);
		memcpy(cut, text, i);
		if (i < whole) {
			assert_int_equal(
			    known_parse("f", cut, i, &k, &err), RK_EFORMAT);
			assert_int_equal(k.n, 0);
		} else {
			assert_int_equal(
			    known_parse("f", cut, i, &k, &err), RK_OK);
			assert_int_equal(k.n, 1);
			assert_true(known_has(&k, pub));
		}
		known_fini(&k);
		free(cut);
	}
}

static void
test_many(void **state)
{
	const size_t len = sizeof(LINE) - 1;
	char *text = malloc((KNOWN_KEYS_MAX + 1) * len);
	struct rk_error err;
	struct known k;
	size_t i;

	(void)state;
	assert_non_null(text);
	for (i = 0; i <= KNOWN_KEYS_MAX; i++)
		memcpy(text + i * len, LINE, len);
	assert_int_equal(
	    known_parse("f", text, KNOWN_KEYS_MAX * len, &k, &err), RK_OK);
	assert_int_equal(k.lines, KNOWN_KEYS_MAX);
	assert_int_equal(k.n, 1);
	known_fini(&k);
	/* What another program has put there all the same is believed. */
	assert_int_equal(
	    known_parse("f", text, (KNOWN_KEYS_MAX + 1) * len, &k, &err),
	    RK_OK);
	assert_int_equal(k.lines, KNOWN_KEYS_MAX + 1);
	known_fini(&k);
	free(text);
}

/* ---- on the disk ---- */

static enum rk_err
state_of(const char *path, enum rk_trust_state *state, struct rk_error *err)
{
	struct known k;
	enum rk_err r = known_read(path, KNOWN_WAIT_MS, &k, err);

	*state = k.state;
	known_fini(&k);
	return r;
}

static void
test_states(void **state)
{
	static const struct {
		mode_t mode;
		enum rk_trust_state state;
	} cases[] = { { 0600, RK_TRUST_OPEN }, { 0644, RK_TRUST_OPEN },
		{ 0200, RK_TRUST_OPEN }, { 0400, RK_TRUST_LOCKED },
		{ 0444, RK_TRUST_LOCKED }, { 0500, RK_TRUST_LOCKED } };
	enum rk_trust_state got;
	struct rk_error err;
	size_t i;

	(void)state;
	assert_int_equal(state_of("f", &got, &err), RK_OK);
	assert_int_equal(got, RK_TRUST_ABSENT);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* Without the right to read it is an error, not a state. */
		if (geteuid() != 0 && (cases[i].mode & 0400) == 0)
			continue;
		scratch_make("f", LINE, cases[i].mode);
		assert_int_equal(state_of("f", &got, &err), RK_OK);
		assert_int_equal(got, cases[i].state);
		assert_int_equal(unlink("f"), 0);
	}
}

static void
test_unsafe(void **state)
{
	enum rk_trust_state got;
	struct rk_error err;

	(void)state;
	scratch_make("f", LINE, 0600);
	assert_int_equal(symlink("f", "link"), 0);
	assert_int_equal(state_of("link", &got, &err), RK_EMODE);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(state_of("dangling", &got, &err), RK_EMODE);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(state_of("fifo", &got, &err), RK_EMODE);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(state_of("dir", &got, &err), RK_EMODE);
	assert_int_equal(state_of("/dev/null", &got, &err), RK_EMODE);
	assert_int_equal(chmod("f", 0620), 0);
	assert_int_equal(state_of("f", &got, &err), RK_EMODE);
	assert_int_equal(chmod("f", 0602), 0);
	assert_int_equal(state_of("f", &got, &err), RK_EMODE);
	assert_non_null(strstr(err.text, "chmod go-w f"));
	/* Locked for its owner, but others could write: no lock at all. */
	assert_int_equal(chmod("f", 0422), 0);
	assert_int_equal(state_of("f", &got, &err), RK_EMODE);
	assert_int_equal(chmod("f", 0600), 0);
	assert_int_equal(link("f", "f2"), 0);
	assert_int_equal(state_of("f", &got, &err), RK_EMODE);
	assert_int_equal(unlink("f2"), 0);
	assert_int_equal(state_of("f", &got, &err), RK_OK);
	if (geteuid() == 0) {
		assert_int_equal(chown("f", 12345, (gid_t)-1), 0);
		assert_int_equal(state_of("f", &got, &err), RK_EMODE);
		assert_non_null(strstr(err.text, "12345"));
	}
}

/* In a directory where others may replace files, a mode says nothing. */
static void
test_unsafe_directory(void **state)
{
	enum rk_trust_state got;
	struct rk_error err;

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	scratch_make("d/f", LINE, 0400);
	assert_int_equal(state_of("d/f", &got, &err), RK_OK);
	assert_int_equal(chmod("d", 0777), 0);
	assert_int_equal(state_of("d/f", &got, &err), RK_EMODE);
	assert_non_null(strstr(err.text, "chmod go-w d"));
	assert_int_equal(chmod("d", 0770), 0);
	assert_int_equal(state_of("d/f", &got, &err), RK_EMODE);
	assert_int_equal(chmod("d", 01777), 0);
	assert_int_equal(state_of("d/f", &got, &err), RK_OK);
}

static enum rk_err
add(unsigned number, const char *host, const char *emails, bool *added,
    struct rk_error *err)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct known_entry e = { .pub = pub,
		.host = host,
		.emails = emails,
		.wait_ms = KNOWN_WAIT_MS };
	struct known k;
	enum rk_err r;

	key_of(number, pub);
	r = known_add("f", &e, &k, added, err);
	if (r == RK_OK)
		assert_true(known_has(&k, pub));
	known_fini(&k);
	return r;
}

static void
line_of(unsigned number, const char *host, const char *emails, char out[512])
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char id[RK_KEY_ID_LEN];
	int n;

	key_of(number, pub);
	rk_key_id(pub, id);
	n = snprintf(out, 512, "%s %s:%s\n", host, id, emails);
	assert_true(n > 0 && n < 512);
}

static void
test_add(void **state)
{
	char one[512];
	char two[512];
	char text[2048];
	struct rk_error err;
	bool added;

	(void)state;
	assert_int_equal(add(1, "h", "", &added, &err), RK_EIO);
	assert_int_equal(access("f", F_OK), -1);
	scratch_make("f", "", 0600);
	assert_int_equal(add(1, "10.0.0.1", "a@x,b@y", &added, &err), RK_OK);
	assert_true(added);
	assert_int_equal(add(1, "10.0.0.2", "other", &added, &err), RK_OK);
	assert_false(added);
	assert_int_equal(add(2, "::1", "", &added, &err), RK_OK);
	assert_true(added);
	line_of(1, "10.0.0.1", "a@x,b@y", one);
	line_of(2, "::1", "", two);
	(void)snprintf(text, sizeof(text), FIRST "%s%s", one, two);
	scratch_holds("f", text);
	assert_int_equal(chmod("f", 0400), 0);
	assert_int_equal(add(3, "h", "", &added, &err), RK_EUNKNOWNKEY);
	assert_false(added);
	assert_int_equal(add(2, "h", "", &added, &err), RK_OK);
	scratch_holds("f", text);
	scratch_counts(1);
}

/* Comments, other people's fields and a missing newline stay as they are. */
static void
test_add_keeps(void **state)
{
	char one[512];
	char text[2048];
	struct rk_error err;
	bool added;

	(void)state;
	scratch_make("f", "# mine\n\nh " ID ":x more fields", 0600);
	assert_int_equal(add(1, "h", "e", &added, &err), RK_OK);
	line_of(1, "h", "e", one);
	(void)snprintf(
	    text, sizeof(text), "# mine\n\nh " ID ":x more fields\n%s", one);
	scratch_holds("f", text);
}

static void
test_add_to_torn(void **state)
{
	struct rk_error err;
	bool added;

	(void)state;
	scratch_make("f", LINE "127.0.0.1 pubkey@edw", 0600);
	assert_int_equal(add(1, "h", "", &added, &err), RK_EFORMAT);
	assert_non_null(strstr(err.text, "f:2:"));
	scratch_holds("f", LINE "127.0.0.1 pubkey@edw");
}

/* Whatever a peer is called, it is one line and one key. */
static void
test_add_hostile(void **state)
{
	static const char *const texts[] = { "a\nh " ID ":", "a b", "#", "\r\n",
		"a\tb", "%0a", "\xc2\xa0", "\xe3\x80\x80", "\x01\x7f", "",
		":::", " " };
	uint8_t victim[RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	struct known k;
	bool added;
	unsigned i;
	size_t n;

	(void)state;
	assert_int_equal(str_unhex(PUB, 64, victim, sizeof(victim), &n), RK_OK);
	scratch_make("f", "", 0600);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(
		    add(2 * i, texts[i], "e", &added, &err), RK_OK);
		assert_int_equal(
		    add(2 * i + 1, "h", texts[i], &added, &err), RK_OK);
		assert_int_equal(
		    known_read("f", KNOWN_WAIT_MS, &k, &err), RK_OK);
		assert_int_equal(k.n, 2 * i + 2);
		assert_false(known_has(&k, victim));
		known_fini(&k);
	}
}

/* known_counts_fn */
static bool
is_nobody(const uint8_t *pub, const void *arg)
{
	(void)pub;
	(void)arg;
	return false;
}

static enum rk_err
add_for(const struct mails_for *whom, known_counts_fn *counts)
{
	const struct known_entry e = { .pub = whom->pub,
		.host = "h",
		.emails = "c@x,B@X",
		.whom = whom,
		.counts = counts };
	struct rk_error err;
	struct known k;
	bool added;
	enum rk_err r = known_add("f", &e, &k, &added, &err);

	assert_int_equal(added, r == RK_OK);
	known_fini(&k);
	return r;
}

/* The name is looked for in what the file says under the lock. */
static void
test_add_taken(void **state)
{
	uint8_t one[RK_KEY_PUBLIC_LEN], two[RK_KEY_PUBLIC_LEN];
	uint8_t three[RK_KEY_PUBLIC_LEN];
	struct mails_for whom = { .pub = two };
	struct rk_error err;
	bool added;

	(void)state;
	key_of(1, one);
	key_of(2, two);
	key_of(3, three);
	scratch_make("f", "", 0600);
	assert_int_equal(add(1, "h", "a@x,%62@x", &added, &err), RK_OK);
	assert_int_equal(add_for(&whom, NULL), RK_OK); /* "%" is coded */
	assert_int_equal(unlink("f"), 0);
	scratch_make("f", "", 0600);
	assert_int_equal(add(1, "h", "a@x,b@x", &added, &err), RK_OK);
	assert_int_equal(add_for(&whom, NULL), RK_EDENIED);
	assert_int_equal(add_for(&whom, is_nobody), RK_OK);
	whom = (struct mails_for){ .pub = three, .old = one };
	assert_int_equal(add_for(&whom, NULL), RK_EDENIED); /* a third one */
	assert_int_equal(add(3, "h", "b@x", &added, &err), RK_OK);
	assert_true(added);
}

static void
test_add_weak(void **state)
{
	const uint8_t weak[RK_KEY_PUBLIC_LEN] = { 1 };
	struct known_entry e = {
		.pub = weak, .host = "h", .emails = "", .wait_ms = KNOWN_WAIT_MS
	};
	struct rk_error err;
	struct known k;
	bool added;

	(void)state;
	scratch_make("f", "", 0600);
	assert_int_equal(known_add("f", &e, &k, &added, &err), RK_EUNKNOWNKEY);
	scratch_holds("f", "");
}

/* The disk is full after half a line: refused, and the half is taken back. */
static void
test_add_disk_full(void **state)
{
	struct rlimit old;
	struct rlimit small = { .rlim_cur = 100 };
	struct rk_error err;
	bool added;
	char one[512];
	char text[2048];

	(void)state;
	scratch_make("f", "", 0600);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(add(1, "h", "", &added, &err), RK_EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(added);
	assert_int_equal(err.sys, EFBIG);
	scratch_holds("f", "");
	assert_int_equal(add(1, "h", "", &added, &err), RK_OK);
	line_of(1, "h", "", one);
	(void)snprintf(text, sizeof(text), FIRST "%s", one);
	scratch_holds("f", text);
}

static void
test_full(void **state)
{
	FILE *f = fopen("f", "w");
	struct rk_error err;
	bool added;
	size_t i;

	(void)state;
	assert_non_null(f);
	for (i = 0; i <= KNOWN_KEYS_MAX; i++)
		assert_true(fputs(LINE, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod("f", 0600), 0);
	assert_int_equal(add(1, "h", "", &added, &err), RK_EUNKNOWNKEY);
	assert_non_null(strstr(err.text, "full"));
}

#define IN_SCRATCH(t) \
	cmocka_unit_test_setup_teardown(t, scratch_enter, scratch_leave)

/* Some file systems copy a file when its mode is changed: what is there then
 * has a birth of its own, and is the same all the same. */
static void
test_lock_copies(void **state)
{
	struct known_stamp locked;
	struct known k, now;

	(void)state;
	scratch_make("k", "", 0600);
	assert_int_equal(known_read("k", 0, &k, NULL), RK_OK);
	k.stamp.settled = true;
	k.stamp.born = (struct timespec){ .tv_sec = 1 };
	assert_int_equal(known_lock("k", NULL), RK_OK);
	known_locked(&k, "k", true);
	assert_int_equal(k.state, RK_TRUST_LOCKED);
	locked = k.stamp;
	assert_int_equal(chmod("k", 0600), 0);
	assert_int_equal(known_read("k", 0, &now, NULL), RK_OK);
	assert_false(known_is_replaced(&locked, &now));
	known_fini(&k);
	known_fini(&now);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_many),
		IN_SCRATCH(test_states),
		IN_SCRATCH(test_unsafe),
		IN_SCRATCH(test_unsafe_directory),
		IN_SCRATCH(test_add),
		IN_SCRATCH(test_add_keeps),
		IN_SCRATCH(test_add_to_torn),
		IN_SCRATCH(test_add_hostile),
		IN_SCRATCH(test_add_taken),
		IN_SCRATCH(test_add_weak),
		IN_SCRATCH(test_add_disk_full),
		IN_SCRATCH(test_full),
		IN_SCRATCH(test_lock_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
