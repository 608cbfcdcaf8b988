/* OpenSSH's key files: those of ssh-keygen read, ours as it writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/ssh.h"
#include "base/str.h"
#include "scratch.h"
#include "trust/bcrypt.h"
#include "vaultrig.h"

/* Gives one passphrase, once. */
static enum rk_err
give(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	assert_non_null(path);
	if (attempt > 0)
		return RK_ENOPASS;
	*out = vaultrig_secret(arg);
	return RK_OK;
}

/* Of OpenBSD's regression test of bcrypt_pbkdf. */
static void
test_bcrypt(void **state)
{
	static const struct {
		uint32_t rounds;
		size_t len;
		const char *pass;
		const char *salt;
		const char *want;
	} cases[] = {
		{ 4, 32, "password", "salt",
		    "5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe84"
		    "2aba34d9" },
	};
	uint8_t key[BCRYPT_KEY_MAX];
	char hex[2 * sizeof(key) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    bcrypt_pbkdf(cases[i].pass, strlen(cases[i].pass),
		        (const uint8_t *)cases[i].salt, strlen(cases[i].salt),
		        cases[i].rounds, key, cases[i].len),
		    RK_OK);
		str_hex(hex, key, cases[i].len);
		assert_string_equal(hex, cases[i].want);
	}
	assert_int_equal(bcrypt_pbkdf("", 0, key, 4, 1, key, 32), RK_EINVAL);
	assert_int_equal(bcrypt_pbkdf("p", 1, key, 0, 1, key, 32), RK_EINVAL);
	assert_int_equal(bcrypt_pbkdf("p", 1, key, 4, 0, key, 32), RK_EINVAL);
	assert_int_equal(
	    bcrypt_pbkdf("p", 1, key, 4, 1, key, BCRYPT_KEY_MAX + 1),
	    RK_EINVAL);
}

static struct rk_key *
fixed_key(void)
{
	struct rk_key *key = NULL;
	uint8_t seed[32];

	memset(seed, 7, sizeof(seed));
	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	return key;
}

static enum rk_err
parse(const struct rk_secret *text, char *pass, struct rk_key **out)
{
	struct rk_error err;
	enum rk_err r = rk_key_parse("f", (const char *)rk_secret_peek(text),
	    rk_secret_len(text), pass != NULL ? give : NULL, pass, out, &err);

	assert_int_equal(err.code, r);
	assert_int_equal(r == RK_OK, *out != NULL);
	return r;
}

static void
assert_same(const struct rk_key *a, const struct rk_key *b)
{
	assert_memory_equal(rk_key_seed(a), rk_key_seed(b), RK_KEY_SEED_LEN);
}

static void
test_round_trip(void **state)
{
	struct rk_key *key = fixed_key();
	struct rk_secret *pass = vaultrig_secret("right");
	struct rk_secret *text = NULL;
	struct rk_key *back = NULL;

	(void)state;
	assert_int_equal(rk_key_format_openssh(key, "me", NULL, &text), RK_OK);
	assert_false(rk_key_is_encrypted(
	    (const char *)rk_secret_peek(text), rk_secret_len(text)));
	assert_int_equal(parse(text, NULL, &back), RK_OK);
	assert_same(key, back);
	rk_key_free(back);
	rk_secret_free(text);
	assert_int_equal(rk_key_format_openssh(key, "me", pass, &text), RK_OK);
	assert_true(rk_key_is_encrypted(
	    (const char *)rk_secret_peek(text), rk_secret_len(text)));
	assert_int_equal(parse(text, NULL, &back), RK_ENOPASS);
	assert_int_equal(parse(text, (char[]){ "wrong" }, &back), RK_EPASS);
	assert_int_equal(parse(text, (char[]){ "right" }, &back), RK_OK);
	assert_same(key, back);
	rk_key_free(back);
	rk_secret_free(text);
	rk_secret_free(pass);
	rk_key_free(key);
}

static enum rk_err
cannot(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	(void)path;
	(void)attempt;
	(void)out;
	(void)arg;
	return RK_EUNSUPPORTED;
}

/* Why there was no passphrase is not said of the file. */
static void
test_no_passphrase(void **state)
{
	struct rk_key *key = fixed_key();
	struct rk_secret *pass = vaultrig_secret("right");
	struct rk_secret *text = NULL;
	struct rk_key *back = NULL;
	struct rk_error err;

	(void)state;
	assert_int_equal(rk_key_format_openssh(key, "me", pass, &text), RK_OK);
	assert_int_equal(rk_key_parse("f", (const char *)rk_secret_peek(text),
	                     rk_secret_len(text), cannot, NULL, &back, &err),
	    RK_EUNSUPPORTED);
	assert_string_equal(err.text, "f: not supported");
	rk_secret_free(text);
	rk_secret_free(pass);
	rk_key_free(key);
}

/* Cut at every byte, and a bit flipped at every byte of what is inside. */
static void
test_damaged(void **state)
{
	struct rk_key *key = fixed_key();
	struct rk_secret *text = NULL;
	struct rk_secret *data = NULL;
	struct rk_secret *bad = NULL;
	struct rk_key *back = NULL;
	struct rk_error err;
	const char *p;

	(void)state;
	assert_int_equal(rk_key_format_openssh(key, "me", NULL, &text), RK_OK);
	p = (const char *)rk_secret_peek(text);
	for (size_t i = 0; i + 2 < rk_secret_len(text); i++)
		assert_int_equal(
		    rk_key_parse("f", p, i, NULL, NULL, &back, &err),
		    RK_EFORMAT);
	assert_int_equal(
	    ssh_unarmor(p, rk_secret_len(text), "OPENSSH PRIVATE KEY", &data),
	    RK_OK);
	for (size_t i = 0; i < rk_secret_len(data); i++) {
		rk_secret_data(data)[i] ^= 0x40;
		assert_int_equal(
		    ssh_armor(rk_secret_peek(data), rk_secret_len(data),
		        "OPENSSH PRIVATE KEY", &bad),
		    RK_OK);
		/* The public blob outside and the comment are not looked at. */
		if (parse(bad, NULL, &back) == RK_OK)
			assert_same(key, back);
		rk_key_free(back);
		rk_secret_free(bad);
		rk_secret_data(data)[i] ^= 0x40;
	}
	rk_secret_free(data);
	rk_secret_free(text);
	rk_key_free(key);
}

/* ---- with the real one ---- */

static int
run(const char *const *argv)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout) != NULL &&
		    freopen("/dev/null", "r", stdin) != NULL)
			(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static enum rk_err
load(const char *path, char *pass, struct rk_key **out)
{
	struct rk_secret *text = NULL;
	struct rk_error err;
	enum rk_err r;

	assert_int_equal(
	    fs_read_secret(path, FS_ANY, SSH_TEXT_MAX, &text, &err), RK_OK);
	r = parse(text, pass, out);
	rk_secret_free(text);
	return r;
}

static void
test_ssh_keygen_reads(void **state)
{
	static const char *const ciphers[] = { "aes256-ctr", "aes128-cbc",
		"aes192-ctr", "aes256-cbc", "aes256-gcm@openssh.com",
		"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com" };
	struct rk_key *key = NULL;
	char path[16];

	(void)state;
	if (run((const char *const[]){ "ssh-keygen", "-q", "-t", "ed25519",
	        "-N", "", "-f", "plain", NULL }) == 127)
		skip();
	assert_int_equal(load("plain", NULL, &key), RK_OK);
	rk_key_free(key);
	for (size_t i = 0; i < 7; i++) {
		(void)snprintf(path, sizeof(path), "k%zu", i);
		assert_int_equal(
		    run((const char *const[]){ "ssh-keygen", "-q", "-t",
		        "ed25519", "-a", "2", "-Z", ciphers[i], "-N", "right",
		        "-f", path, NULL }),
		    0);
		assert_int_equal(
		    load(path, (char[]){ "wrong" }, &key), RK_EPASS);
		assert_int_equal(load(path, (char[]){ "right" }, &key), RK_OK);
		rk_key_free(key);
	}
	assert_int_equal(
	    run((const char *const[]){ "ssh-keygen", "-q", "-t", "ed25519",
	        "-a", "2", "-Z", "3des-cbc", "-N", "right", "-f", "k", NULL }),
	    0);
	assert_int_equal(load("k", (char[]){ "right" }, &key), RK_EUNSUPPORTED);
	assert_int_equal(run((const char *const[]){ "ssh-keygen", "-q", "-t",
	                     "ecdsa", "-N", "", "-f", "ec", NULL }),
	    0);
	assert_int_equal(load("ec", NULL, &key), RK_EUNSUPPORTED);
}

static void
test_ssh_keygen_is_given(void **state)
{
	struct rk_key *key = fixed_key();
	struct rk_secret *pass = vaultrig_secret("right");
	struct rk_secret *text = NULL;
	struct rk_error err;

	(void)state;
	assert_int_equal(rk_key_format_openssh(key, "me", pass, &text), RK_OK);
	assert_int_equal(fs_write_file("ours", rk_secret_peek(text),
	                     rk_secret_len(text), 0600, false, &err),
	    RK_OK);
	rk_secret_free(text);
	rk_secret_free(pass);
	rk_key_free(key);
	switch (run((const char *const[]){
	    "ssh-keygen", "-y", "-P", "right", "-f", "ours", NULL })) {
	case 127:
		skip();
		break;
	case 0:
		break;
	default:
		fail();
	}
	assert_int_not_equal(run((const char *const[]){ "ssh-keygen", "-y",
	                         "-P", "wrong", "-f", "ours", NULL }),
	    0);
}

/* What buffers are given is looked at on the way. */
enum rk_err __real_buf_put(struct buf *b, const void *src, size_t n);
enum rk_err __wrap_buf_put(struct buf *b, const void *src, size_t n);
static const uint8_t *seed; /* NULL: nobody looks */
static unsigned seen;

enum rk_err
__wrap_buf_put(struct buf *b, const void *src, size_t n)
{
	if (seed != NULL && n >= RK_KEY_SEED_LEN &&
	    memmem(src, n, seed, RK_KEY_SEED_LEN) != NULL) {
		seen++;
		assert_non_null(b->guard);
	}
	return __real_buf_put(b, src, n);
}

/* A key on its way to a file lies in guarded memory. */
static void
test_guarded(void **state)
{
	struct rk_key *key = fixed_key();
	struct rk_secret *pass = vaultrig_secret("right");
	struct rk_secret *text = NULL;
	char comment[2000];

	(void)state;
	memset(comment, 'x', sizeof(comment));
	comment[sizeof(comment) - 1] = '\0';
	seed = rk_key_seed(key);
	assert_int_equal(rk_key_format_openssh(key, "me", NULL, &text), RK_OK);
	rk_secret_free(text);
	assert_int_equal(seen, 2);
	assert_int_equal(
	    rk_key_format_openssh(key, comment, pass, &text), RK_OK);
	rk_secret_free(text);
	assert_int_equal(seen, 3);
	seed = NULL;
	rk_secret_free(pass);
	rk_key_free(key);
}

static void
test_lines(void **state)
{
	uint8_t pub[32];
	uint8_t back[32];
	struct buf b;
	const char *line;

	(void)state;
	memset(pub, 9, sizeof(pub));
	buf_init(&b, 1024);
	assert_int_equal(ssh_put_line(&b, pub, "me@x"), RK_OK);
	line = (const char *)buf_peek(&b);
	assert_int_equal(ssh_get_line(line, buf_len(&b), back), RK_OK);
	assert_memory_equal(pub, back, 32);
	/* The last five are the comment; without base64's end it is none. */
	for (size_t i = 0; i + 6 < buf_len(&b); i++)
		assert_int_equal(ssh_get_line(line, i, back), RK_EFORMAT);
	buf_fini(&b);
}

/* A key in a comment is somebody's word, and nobody's key. */
static void
test_public_in_comment(void **state)
{
	static const char *const before[] = { "# ", "#", "ssh-rsa AAAA ",
		"x " };
	uint8_t other[RK_KEY_PUBLIC_LEN], back[RK_KEY_PUBLIC_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct buf b;

	(void)state;
	memset(pub, 9, sizeof(pub));
	memset(other, 7, sizeof(other));
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		assert_int_equal(buf_put_str(&b, before[i]), RK_OK);
		assert_int_equal(ssh_put_line(&b, other, "me@x"), RK_OK);
		assert_int_equal(
		    ssh_get_line((const char *)buf_peek(&b), buf_len(&b), back),
		    RK_EFORMAT);
		assert_int_equal(buf_put_str(&b, "\n\n"), RK_OK);
	}
	assert_int_equal(buf_put_str(&b, " \t"), RK_OK);
	assert_int_equal(ssh_put_line(&b, pub, "ssh-ed25519 AAAA"), RK_OK);
	assert_int_equal(
	    ssh_get_line((const char *)buf_peek(&b), buf_len(&b), back), RK_OK);
	assert_memory_equal(pub, back, sizeof(pub));
	buf_fini(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bcrypt),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_passphrase),
		cmocka_unit_test(test_damaged),
		TEST(test_ssh_keygen_reads),
		TEST(test_ssh_keygen_is_given),
		cmocka_unit_test(test_guarded),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_public_in_comment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
