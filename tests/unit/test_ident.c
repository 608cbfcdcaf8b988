/* Identities: what is loaded, and what is refused with which file's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rpckit/log.h>

#include "certs.h"
#include "scratch.h"
#include "trust/chain.h"
#include "trust/ident.h"

/* The last line logged. */
static char logged[512];

static void
keep_line(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	assert_string_equal(subsystem, "trust");
	(void)snprintf(logged, sizeof(logged), "%s", line);
}

static enum rk_err
load(const char *name, struct rk_error *err)
{
	struct rk_ident *id = NULL;
	enum rk_err r = rk_ident_load_dir(".", name, NULL, NULL, &id, err);

	if (r != RK_OK)
		assert_null(id);
	rk_ident_free(id);
	return r;
}

static void
assert_refused(
    const char *name, enum rk_err want, const char *file, const char *words)
{
	struct rk_error err;

	assert_int_equal(load(name, &err), want);
	assert_int_equal(err.code, want);
	if (strstr(err.text, file) == NULL || strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.text,
		    file, words);
}

static void
test_good(void **state)
{
	struct rk_ident *id = NULL;
	struct rk_cert_info info;
	struct rk_error err;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN];

	(void)state;
	certs_fill(".");
	if (rk_ident_load_dir(".", "node", NULL, NULL, &id, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_true(rk_ident_info(id, &info));
	assert_string_equal(info.cn, "node");
	assert_string_equal(info.email, "node@example.org");
	assert_string_equal(info.issuer_cn, "test CA");
	assert_true(info.not_before < (int64_t)time(NULL));
	assert_true(info.not_after > (int64_t)time(NULL));
	rk_key_public(ident_key(id), pub);
	assert_memory_equal(pub, info.pub, sizeof(pub));
	rk_fp_of_key(pub, fp);
	assert_string_equal(fp, info.fp);
	assert_true(ident_cert_der(id).len > 100);
	assert_true(ident_ca_der(id).len > 100);
	rk_ident_free(id);
	assert_int_equal(
	    rk_ident_load_dir(".", NULL, NULL, NULL, &id, &err), RK_OK);
	assert_false(rk_ident_info(id, &info));
	assert_null(ident_key(id));
	assert_int_equal(ident_cert_der(id).len, 0);
	rk_ident_free(id);
}

static void
test_arguments(void **state)
{
	struct rk_ident_files files = { .size = sizeof(files), .ca = "ca.crt" };
	struct rk_ident *id = NULL;
	struct rk_error err;

	(void)state;
	certs_fill(".");
	files.cert = "node.crt";
	assert_int_equal(rk_ident_load(&files, &id, &err), RK_EINVAL);
	files.cert = NULL;
	files.key = "node.key";
	assert_int_equal(rk_ident_load(&files, &id, &err), RK_EINVAL);
	files.key = NULL;
	files.size--;
	assert_int_equal(rk_ident_load(&files, &id, &err), RK_EINVAL);
	files.size++;
	files.ca = NULL;
	assert_int_equal(rk_ident_load(&files, &id, &err), RK_EINVAL);
	assert_null(id);
}

static void
write_ca(const struct certs_opts *opts)
{
	struct certs_cert *ca = certs_new(NULL, opts);

	certs_write(".", "ca.crt", ca->pem, 0600);
	certs_free(ca);
}

static void
test_bad_ca(void **state)
{
	struct certs_cert *ca = certs_new_ca("other");
	struct certs_cert *leaf = certs_new_leaf(ca, "leaf", NULL);
	char both[8192];

	(void)state;
	certs_fill(".");
	certs_write(".", "ca.crt", leaf->pem, 0600);
	assert_refused(NULL, RK_ECERT, "ca.crt", "not the certificate of a CA");
	write_ca(&(struct certs_opts){ .cn = "self" });
	assert_refused(NULL, RK_ECERT, "ca.crt", "not the certificate of a CA");
	write_ca(&(struct certs_opts){
	    .ca = true, .usage = "critical,digitalSignature" });
	assert_refused(NULL, RK_ECERT, "ca.crt", "not the certificate of a CA");
	write_ca(&(struct certs_opts){ .ca = true, .key = CERTS_P256 });
	assert_refused(NULL, RK_ECERT, "ca.crt", "not Ed25519");
	write_ca(&(struct certs_opts){
	    .ca = true, .not_after = 1000000000, .not_before = 900000000 });
	assert_refused(NULL, RK_ECERT, "ca.crt", "ended at 2001-09-09");
	write_ca(&(struct certs_opts){ .ca = true, .garbled = true });
	assert_refused(NULL, RK_ECERT, "ca.crt", "signature");
	write_ca(&(struct certs_opts){ .ca = true, .strange_critical = true });
	assert_refused(NULL, RK_ECERT, "ca.crt", "critical extension");
	(void)snprintf(both, sizeof(both), "%s%s", ca->pem, leaf->pem);
	certs_write(".", "ca.crt", both, 0600);
	assert_refused(NULL, RK_EFORMAT, "ca.crt", "2");
	certs_write(".", "ca.crt", leaf->key_pem, 0600);
	assert_refused(NULL, RK_EFORMAT, "ca.crt", "no certificate");
	certs_write(".", "ca.crt", "", 0600);
	assert_refused(NULL, RK_EFORMAT, "ca.crt", "no certificate");
	certs_write(".", "ca.crt", ca->pem, 0666);
	assert_refused(NULL, RK_EMODE, "ca.crt", "chmod");
	assert_int_equal(unlink("ca.crt"), 0);
	assert_refused(NULL, RK_ENOENT, "ca.crt", "No such file");
	certs_free(leaf);
	certs_free(ca);
}

/* The CA's file cut at every byte. */
static void
test_cut_ca(void **state)
{
	struct certs_cert *ca = certs_new_ca("x");
	size_t len = strlen(ca->pem);
	struct rk_error err;

	(void)state;
	while (len > 1) {
		/* Without its last newline it is whole. */
		len--;
		ca->pem[len] = '\0';
		certs_write(".", "ca.crt", ca->pem, 0600);
		if (ca->pem[len - 1] == '-' &&
		    strstr(ca->pem, "END CERTIFICATE-----") != NULL)
			continue;
		assert_int_equal(load(NULL, &err), RK_EFORMAT);
	}
	certs_free(ca);
}

static void
test_bad_cert(void **state)
{
	struct certs_cert *ca = certs_new_ca("test CA");
	struct certs_cert *twin = certs_new_ca("test CA");
	struct certs_cert *leaf = certs_new_leaf(twin, "leaf", NULL);
	struct certs_cert *old =
	    certs_new(ca, &(struct certs_opts){ .not_before = 900000000,
	                      .not_after = 1000000000 });

	(void)state;
	certs_fill_from(ca, ".");
	assert_refused("none", RK_ENOENT, "none.crt", "No such file");
	certs_write(".", "node.crt", leaf->pem, 0600);
	assert_refused("node", RK_ECERT, "node.crt", "not signed by our CA");
	certs_write(".", "node.crt", old->pem, 0600);
	assert_refused("node", RK_ECERT, "node.crt", "ended at 2001-09-09");
	certs_write(".", "node.crt", ca->pem, 0600);
	assert_refused("node", RK_ECERT, "node.crt", "CA");
	certs_fill_from(ca, ".");
	assert_int_equal(rename("client.key", "node.key"), 0);
	assert_refused("node", RK_ECERT, "node.key", "not the key of");
	certs_fill_from(ca, ".");
	assert_int_equal(chmod("node.key", 0644), 0);
	assert_refused("node", RK_EMODE, "node.key", "chmod");
	assert_int_equal(unlink("node.key"), 0);
	assert_refused("node", RK_ENOENT, "node.key", "No such file");
	certs_free(old);
	certs_free(leaf);
	certs_free(twin);
	certs_free(ca);
}

static void
write_crl(const struct certs_cert *ca, const struct certs_crl *opts)
{
	char *pem = certs_new_crl(ca, opts);

	certs_write(".", "ca.crl", pem, 0600);
	free(pem);
}

static void
test_crl(void **state)
{
	struct certs_cert *ca = certs_new_ca("test CA");
	struct certs_cert *twin = certs_new_ca("test CA");
	struct certs_cert *other = certs_new_ca("other CA");
	struct rk_error err;

	(void)state;
	certs_fill_from(ca, ".");
	write_crl(ca, &(struct certs_crl){ 0 });
	assert_int_equal(load("node", &err), RK_OK);
	write_crl(ca, &(struct certs_crl){ .signer = twin });
	assert_refused("node", RK_ECERT, "ca.crl", "not the revocation list");
	write_crl(other, &(struct certs_crl){ .signer = ca });
	assert_refused("node", RK_ECERT, "ca.crl", "not the revocation list");
	write_crl(ca, &(struct certs_crl){ .strange_critical = true });
	assert_refused("node", RK_ECERT, "ca.crl", "not supported");
	certs_write(".", "ca.crl", "", 0600);
	assert_refused("node", RK_EFORMAT, "ca.crl", "no revocation list");
	certs_write(".", "ca.crl", ca->pem, 0600);
	assert_refused("node", RK_EFORMAT, "ca.crl", "no revocation list");
	write_crl(ca, &(struct certs_crl){ 0 });
	assert_int_equal(chmod("ca.crl", 0622), 0);
	assert_refused("node", RK_EMODE, "ca.crl", "chmod");
	/* Named and there, but not to be read: no "nobody is revoked". */
	assert_int_equal(unlink("ca.crl"), 0);
	assert_int_equal(load("node", &err), RK_OK);
	assert_int_equal(symlink("nowhere", "ca.crl"), 0);
	assert_refused("node", RK_ENOENT, "ca.crl", "No such file");
	assert_int_equal(unlink("ca.crl"), 0);
	assert_int_equal(mkdir("ca.crl", 0700), 0);
	assert_refused("node", RK_EMODE, "ca.crl", "directory");
	certs_free(other);
	certs_free(twin);
	certs_free(ca);
}

/* A CA that may not sign lists. */
static void
test_crl_usage(void **state)
{
	struct certs_cert *ca =
	    certs_new(NULL, &(struct certs_opts){
	                        .ca = true, .usage = "critical,keyCertSign" });

	(void)state;
	certs_fill_from(ca, ".");
	write_crl(ca, &(struct certs_crl){ 0 });
	assert_refused("node", RK_ECERT, "ca.crl", "may not sign");
	certs_free(ca);
}

static void
test_warnings(void **state)
{
	struct certs_cert *ca = certs_new_ca("test CA");
	struct certs_cert *later = certs_new(
	    ca, &(struct certs_opts){
	            .not_before = (int64_t)time(NULL) + 7200, .serial = 77 });
	const uint64_t serial = 77;
	struct rk_error err;

	(void)state;
	rk_log_set(keep_line, RK_LOG_WARN, NULL);
	certs_fill_from(ca, ".");
	logged[0] = '\0';
	write_crl(ca, &(struct certs_crl){ 0 });
	assert_int_equal(load("node", &err), RK_OK);
	assert_string_equal(logged, "");
	write_crl(ca, &(struct certs_crl){ .last_update = 900000000,
	                  .next_update = 1000000000 });
	assert_int_equal(load("node", &err), RK_OK);
	assert_non_null(strstr(logged, "ca.crl"));
	assert_non_null(strstr(logged, "2001-09-09"));
	assert_int_equal(unlink("ca.crl"), 0);
	certs_write(".", "node.crt", later->pem, 0600);
	certs_write(".", "node.key", later->key_pem, 0600);
	assert_int_equal(load("node", &err), RK_OK);
	assert_non_null(strstr(logged, "node.crt: not valid yet"));
	write_crl(ca, &(struct certs_crl){ .serials = &serial, .n = 1 });
	assert_int_equal(load("node", &err), RK_OK);
	assert_non_null(strstr(logged, "revocation list"));
	rk_log_set(NULL, RK_LOG_WARN, NULL);
	certs_free(later);
	certs_free(ca);
}

static void
test_generate(void **state)
{
	static const char *const names[] = { "server", "a.b-c_1" };
	static const char *const bad[] = { "", "ca", ".x", "a/b", "a,b", "a b",
		"a\n", "n1234567890123456789012345678901234567890123456789" };
	struct rk_ident *id = NULL;
	struct rk_ident *other = NULL;
	struct rk_cert_info info;
	struct rk_error err;
	struct rk_bytes der;
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    rk_ident_generate(".", &bad[i], 1, &err), RK_EINVAL);
	assert_int_equal(stat("ca.crt", &st), -1);
	if (rk_ident_generate(".", names, 2, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(stat("ca.key", &st), -1);
	assert_int_equal(stat("server.key", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	for (size_t i = 0; i < 2; i++) {
		if (rk_ident_load_dir(".", names[i], NULL, NULL, &id, &err) !=
		    RK_OK)
			fail_msg("%s", err.text);
		assert_true(rk_ident_info(id, &info));
		assert_string_equal(info.cn, names[i]);
		assert_string_equal(info.issuer_cn, "rpckit trial CA");
		assert_true(info.not_after > time(NULL) + 29 * 86400);
		der = ident_cert_der(id);
		for (int usage = CHAIN_CLIENT; usage <= CHAIN_SERVER; usage++)
			assert_int_equal(
			    chain_check(id, &der, 1, (enum chain_usage)usage,
			        time(NULL), &info, &err),
			    RK_OK);
		rk_ident_free(other);
		other = id;
	}
	rk_ident_free(other);
	assert_int_equal(rk_ident_generate(".", names, 2, &err), RK_EEXIST);
	assert_int_equal(
	    rk_ident_generate("nowhere", names, 2, &err), RK_ENOENT);
}

/* Two of them believe nothing of one another. */
static void
test_generate_apart(void **state)
{
	static const char *const name[] = { "node" };
	struct rk_ident *id[2] = { NULL, NULL };
	struct rk_cert_info info;
	struct rk_error err;
	struct rk_bytes der;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *dir = i == 0 ? "one" : "two";

		assert_int_equal(mkdir(dir, 0700), 0);
		assert_int_equal(rk_ident_generate(dir, name, 1, &err), RK_OK);
		assert_int_equal(
		    rk_ident_load_dir(dir, "node", NULL, NULL, &id[i], &err),
		    RK_OK);
	}
	der = ident_cert_der(id[1]);
	assert_int_equal(
	    chain_check(id[0], &der, 1, CHAIN_SERVER, time(NULL), &info, &err),
	    RK_ECERT);
	rk_ident_free(id[0]);
	rk_ident_free(id[1]);
}

/* Keys to announce: mine exists, others are not mine, nor many, nor twice. */
static void
test_announce(void **state)
{
	const char *const names[] = { "one" };
	struct rk_ident *none = NULL, *id = NULL;
	struct rk_error err;
	struct rk_key *key;

	(void)state;
	assert_int_equal(rk_ident_generate(".", names, 1, &err), RK_OK);
	assert_int_equal(
	    rk_ident_load_dir(".", NULL, NULL, NULL, &none, &err), RK_OK);
	assert_int_equal(
	    rk_ident_load_dir(".", "one", NULL, NULL, &id, &err), RK_OK);
	assert_int_equal(rk_key_load("one.key", NULL, NULL, &key, &err), RK_OK);
	assert_int_equal(rk_ident_announce(id, key, &err), RK_EINVAL);
	rk_key_free(key);
	for (int i = 0; i <= RK_NEXT_KEYS_MAX; i++) {
		enum rk_err r = i < RK_NEXT_KEYS_MAX ? RK_OK : RK_ELIMIT;

		assert_int_equal(rk_key_generate(&key), RK_OK);
		assert_int_equal(rk_ident_announce(none, key, &err), RK_ESTATE);
		assert_int_equal(rk_ident_announce(id, key, &err), r);
		if (r == RK_OK)
			assert_int_equal(
			    rk_ident_announce(id, key, &err), RK_EEXIST);
		rk_key_free(key);
	}
	rk_ident_free(id);
	rk_ident_free(none);
}

#define IN_SCRATCH(t) \
	cmocka_unit_test_setup_teardown(t, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_good),
		IN_SCRATCH(test_announce),
		IN_SCRATCH(test_arguments),
		IN_SCRATCH(test_bad_ca),
		IN_SCRATCH(test_cut_ca),
		IN_SCRATCH(test_bad_cert),
		IN_SCRATCH(test_crl),
		IN_SCRATCH(test_crl_usage),
		IN_SCRATCH(test_warnings),
		IN_SCRATCH(test_generate),
		IN_SCRATCH(test_generate_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
