/* The revocation list while peers are judged: changed, lost, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certs.h"
#include "scratch.h"
#include "trust/chain.h"
#include "trust/ident.h"

struct world {
	struct certs_cert *ca;
	struct rk_ident *id;
};

static struct world w;

static int
set_up(void **state)
{
	struct rk_error err;

	if (scratch_enter(state) != 0)
		return -1;
	w.ca = certs_new_ca("test CA");
	certs_write(".", "ca.crt", w.ca->pem, 0600);
	return rk_ident_load_dir(".", NULL, NULL, NULL, &w.id, &err) == RK_OK
	           ? 0
	           : -1;
}

static int
tear_down(void **state)
{
	rk_ident_free(w.id);
	certs_free(w.ca);
	return scratch_leave(state);
}

/* What becomes of a client with this serial number. */
static void
assert_judged(uint64_t serial, enum rk_err want, const char *words)
{
	struct certs_cert *c =
	    certs_new(w.ca, &(struct certs_opts){ .serial = serial });
	struct rk_cert_info info;
	struct rk_error err;

	assert_int_equal(chain_check(w.id, &c->der, 1, CHAIN_CLIENT,
	                     (int64_t)time(NULL), &info, &err),
	    want);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	certs_free(c);
}

/* Write a list with one serial number. */
static void
write_list(uint64_t serial, const char *name)
{
	char *crl = certs_new_crl(
	    w.ca, &(struct certs_crl){ .serials = &serial, .n = 1 });

	certs_write(".", name, crl, 0600);
	free(crl);
}

static void
assert_revoked(uint64_t yes, uint64_t no)
{
	assert_judged(yes, RK_EREVOKED, "revoked");
	assert_judged(no, RK_OK, "");
}

/* The list counts from the moment it is written: no restart, no reload. */
static void
test_list_changes(void **state)
{
	(void)state;
	write_list(5, "ca.crl");
	assert_revoked(5, 6);
	write_list(6, "next");
	assert_int_equal(rename("next", "ca.crl"), 0);
	assert_revoked(6, 5);
	/* The same length, perhaps within one tick of the clock. */
	write_list(7, "ca.crl");
	assert_revoked(7, 6);
}

/* While the list cannot be relied on nobody is let in. */
static void
test_list_lost(void **state)
{
	(void)state;
	write_list(5, "ca.crl");
	assert_revoked(5, 6);
	assert_int_equal(unlink("ca.crl"), 0);
	assert_judged(6, RK_EIO, "ca.crl: was there and is gone");
	assert_judged(6, RK_EIO, "gone");
	certs_write(".", "ca.crl", "", 0600);
	assert_judged(6, RK_EFORMAT, "ca.crl: holds no revocation");
	certs_write(".", "ca.crl", w.ca->pem, 0600);
	assert_judged(6, RK_EFORMAT, "ca.crl: holds no revocation");
	write_list(5, "ca.crl");
	assert_int_equal(chmod("ca.crl", 0622), 0);
	assert_judged(6, RK_EMODE, "chmod");
	assert_int_equal(chmod("ca.crl", 0600), 0);
	assert_revoked(5, 6);
	assert_int_equal(unlink("ca.crl"), 0);
	assert_int_equal(symlink("nowhere", "ca.crl"), 0);
	assert_judged(6, RK_ENOENT, "ca.crl");
	assert_int_equal(unlink("ca.crl"), 0);
	write_list(6, "ca.crl");
	assert_revoked(6, 5);
}

struct race {
	pthread_t thread;
	struct certs_cert *leaf;
	int64_t now;
	bool ok;
};

static void *
judge_often(void *arg)
{
	struct race *race = arg;
	struct rk_cert_info info;
	struct rk_error err;
	int i;

	race->ok = true;
	for (i = 0; i < 50 && race->ok; i++)
		race->ok = chain_check(w.id, &race->leaf->der, 1, CHAIN_CLIENT,
		               race->now, &info, &err) == RK_EREVOKED;
	return NULL;
}

/* Threads judge while the list is replaced: always the one or the other. */
static void
test_list_threads(void **state)
{
	struct race race[2];
	int i;

	(void)state;
	write_list(5, "ca.crl");
	for (i = 0; i < 2; i++) {
		race[i].leaf =
		    certs_new(w.ca, &(struct certs_opts){ .serial = 5 });
		race[i].now = (int64_t)time(NULL);
		assert_int_equal(pthread_create(&race[i].thread, NULL,
		                     judge_often, &race[i]),
		    0);
	}
	for (i = 0; i < 20; i++) {
		write_list(5, "next");
		assert_int_equal(rename("next", "ca.crl"), 0);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(race[i].thread, NULL), 0);
		assert_true(race[i].ok);
		certs_free(race[i].leaf);
	}
}

#define IN_WORLD(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(test_list_changes),
		IN_WORLD(test_list_lost),
		IN_WORLD(test_list_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
