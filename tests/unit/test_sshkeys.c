/* SSH keys that are believed: named ones, and files that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rpckit/sshkeys.h>

#include "base/buf.h"
#include "base/ssh.h"
#include "certs.h"
#include "trust/sshkey.h"

static char dir[256];
static uint8_t pubs[4][RK_KEY_PUBLIC_LEN];
static char lines[4][256];

static int
setup(void **state)
{
	(void)state;
	certs_make_tmp(dir);
	for (int i = 0; i < 4; i++) {
		const uint8_t seed[RK_KEY_SEED_LEN] = { (uint8_t)(i + 1) };
		struct rk_key *key;
		struct buf b;

		assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
		rk_key_public(key, pubs[i]);
		rk_key_free(key);
		buf_init(&b, 256);
		assert_int_equal(
		    ssh_put_line(&b, pubs[i], "me \033 here"), RK_OK);
		assert_int_equal(buf_put(&b, "", 1), RK_OK);
		(void)snprintf(lines[i], sizeof(lines[i]), "%s",
		    (const char *)buf_peek(&b));
		buf_fini(&b);
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	certs_remove_tmp(dir);
	return 0;
}

static enum rk_err
find(struct rk_sshkeys *k, int i)
{
	return rk_sshkeys_find(k, pubs[i], NULL, NULL);
}

static void
named_keys(void **state)
{
	struct rk_sshkeys *k;
	struct rk_error err;
	char comment[128];
	char fp[RK_FP_LEN];

	(void)state;
	assert_int_equal(rk_sshkeys_new(&k), RK_OK);
	assert_int_equal(find(k, 0), RK_ENOENT);
	assert_int_equal(rk_sshkeys_add(k, lines[0], &err), RK_OK);
	sshkey_fp(pubs[1], fp);
	assert_int_equal(rk_sshkeys_add(k, fp, &err), RK_OK);
	rk_fp_of_key(pubs[2], fp);
	assert_int_equal(rk_sshkeys_add(k, fp, &err), RK_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(find(k, i), RK_OK);
	assert_int_equal(find(k, 3), RK_ENOENT);
	assert_int_equal(rk_sshkeys_find(k, pubs[0], comment, &err), RK_OK);
	assert_string_equal(comment, "me \\x1b here");
	fp[RK_FP_LEN - 2] = '\0';
	assert_int_equal(rk_sshkeys_add(k, fp, &err), RK_EFORMAT);
	assert_int_equal(rk_sshkeys_add(k, "nonsense", &err), RK_EFORMAT);
	assert_int_equal(
	    rk_sshkeys_add(k, "ssh-rsa AAAA x", &err), RK_EUNSUPPORTED);
	rk_sshkeys_free(k);
}

/* What is limited by an option would not be here, so it is left out. */
static void
files(void **state)
{
	struct rk_sshkeys *k;
	struct rk_error err;
	char text[2048];
	char path[300];
	char comment[128];
	char fp[RK_FP_LEN];
	char ours[RK_FP_LEN];

	(void)state;
	(void)snprintf(text, sizeof(text),
	    "# a comment\n\nssh-rsa AAAA other\n%s\n"
	    "restrict,command=\"x y\" %s\n  %s\ncert-authority %s",
	    lines[0], lines[1], lines[2], lines[3]);
	certs_write(dir, "keys", text, 0600);
	(void)snprintf(path, sizeof(path), "%s/keys", dir);
	assert_int_equal(rk_sshkeys_new(&k), RK_OK);
	assert_int_equal(rk_sshkeys_file(k, path, &err), RK_OK);
	assert_int_equal(rk_sshkeys_file(k, path, &err), RK_EEXIST);
	assert_int_equal(find(k, 0), RK_OK);
	assert_int_equal(find(k, 1), RK_ENOENT);
	assert_int_equal(find(k, 2), RK_OK);
	assert_int_equal(find(k, 3), RK_ENOENT);
	/* A fingerprint may stand for the key, of either kind. */
	sshkey_fp(pubs[1], fp);
	rk_fp_of_key(pubs[3], ours);
	(void)snprintf(text, sizeof(text), "%s\tme  too \r\n %s\n", fp, ours);
	certs_write(dir, "keys", text, 0600);
	assert_int_equal(rk_sshkeys_find(k, pubs[1], comment, &err), RK_OK);
	assert_string_equal(comment, "me  too");
	assert_int_equal(find(k, 3), RK_OK);
	assert_int_equal(find(k, 0), RK_ENOENT);
	fp[RK_FP_LEN - 2] = '\0';
	certs_write(dir, "keys", fp, 0600);
	assert_int_equal(rk_sshkeys_find(k, pubs[1], NULL, &err), RK_EFORMAT);
	assert_non_null(strstr(err.text, "keys:1: no whole fingerprint"));
	/* Changed, damaged, for others to write, gone: never believed. */
	certs_write(dir, "keys", lines[1], 0600);
	assert_int_equal(find(k, 0), RK_ENOENT);
	assert_int_equal(find(k, 1), RK_OK);
	certs_write(dir, "keys", "ssh-ed25519 AAAA\n", 0600);
	assert_int_equal(find(k, 1), RK_EFORMAT);
	certs_write(dir, "keys", lines[1], 0600);
	assert_int_equal(find(k, 1), RK_OK);
	assert_int_equal(chmod(path, 0622), 0);
	assert_int_equal(find(k, 1), RK_EMODE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rk_sshkeys_find(k, pubs[1], NULL, &err), RK_EIO);
	rk_sshkeys_free(k);
}

static void
no_file(void **state)
{
	struct rk_sshkeys *k;
	struct rk_error err;
	char path[300];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(rk_sshkeys_new(&k), RK_OK);
	assert_int_equal(rk_sshkeys_file(k, path, &err), RK_ENOENT);
	certs_write(dir, "none", "# nobody\n", 0600);
	assert_int_equal(rk_sshkeys_file(k, path, &err), RK_EFORMAT);
	rk_sshkeys_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_keys),
		cmocka_unit_test(files),
		cmocka_unit_test(no_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
