/* OpenSSH's public key lines and fingerprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "trust/sshkey.h"

/* Made by ssh-keygen. */
#define LINE                                       \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPDP" \
	"VIHRIQChgeRWGCyhL1VGZXDLKdqX9pmcmtyF7YC0"
#define FP "SHA256:vHlDFsmRfKG2R9x6KPCLiNE5V822ayBTreR//qhIUfU"

static void
test_line(void **state)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char line[256];
	char fp[RK_FP_LEN];

	(void)state;
	assert_int_equal(sshkey_parse(LINE, pub, NULL), RK_OK);
	sshkey_fp(pub, fp);
	assert_string_equal(fp, FP);
	(void)snprintf(line, sizeof(line), "  " LINE " some@where else\n");
	assert_int_equal(sshkey_parse(line, pub, NULL), RK_OK);
	sshkey_fp(pub, fp);
	assert_string_equal(fp, FP);
}

static void
test_damaged(void **state)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char line[] = LINE;
	const size_t len = strlen(line);
	struct rk_error err;

	(void)state;
	for (size_t n = 0; n < len; n++) {
		line[n] = '\0';
		assert_int_not_equal(sshkey_parse(line, pub, &err), RK_OK);
		memcpy(line, LINE, sizeof(line));
		/* Before the key itself no other byte is right. */
		line[n] ^= 1;
		if (n < 36)
			assert_int_not_equal(
			    sshkey_parse(line, pub, &err), RK_OK);
		memcpy(line, LINE, sizeof(line));
	}
	assert_int_equal(
	    sshkey_parse("ssh-rsa AAAAB3Nz", pub, &err), RK_EUNSUPPORTED);
	assert_int_equal(sshkey_parse("ecdsa-sha2-nistp256 AAAA", pub, &err),
	    RK_EUNSUPPORTED);
	assert_int_equal(sshkey_parse("", pub, &err), RK_EFORMAT);
	/* A point of small order: all bytes of the key zero. */
	assert_int_equal(sshkey_parse("ssh-ed25519 "
	                              "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	                     pub, &err),
	    RK_EDENIED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
