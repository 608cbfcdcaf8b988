/* A server with a list of keys, a control, and clients that wait, in tests. */
#include "guestrig.h"

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

#include <sqlite3.h>

#include "certs.h"

#define SETTLED_MS 300 /* then it is not read again unless it changes */

struct guests guests;

void
guest_begin(const struct rpcrun *run, enum rk_trust_mode mode)
{
	struct rk_cert_info info;
	struct rk_error err;

	rpcworld_path(guests.list, "ctl_keys");
	(void)unlink(guests.list);
	certs_write(rpcworld.dir, "ctl_keys", "", 0600);
	rpcrig_init(&guests.rig, run->kind, run->threads);
	if (guests.patience != 0)
		guests.rig.conf.timeouts.handshake = guests.patience;
	if (rk_trust_new(guests.list, mode, &guests.rig.conf.trust, &err) !=
	    RK_OK)
		fail_msg("%s", err.text);
	rpcrig_start(&guests.rig);
	ctl_begin(&guests.ctl, &guests.rig);
	assert_true(rk_ident_info(rpcworld.client, &info));
	(void)snprintf(guests.fp, sizeof(guests.fp), "%s", info.fp);
}

void
guest_end(void)
{
	ctl_end(&guests.ctl);
	rpcrig_end(&guests.rig);
	rk_trust_free(guests.rig.conf.trust);
}

static int64_t
age_of_list(void)
{
	struct timespec now;
	struct stat st;

	assert_int_equal(stat(guests.list, &st), 0);
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	return (now.tv_sec - st.st_ctim.tv_sec) * 1000 +
	       (now.tv_nsec - st.st_ctim.tv_nsec) / 1000000;
}

void
guest_settle(struct rk_client *v)
{
	bool settled;

	do {
		settled = age_of_list() > SETTLED_MS;
		(void)ctl_get(v, "_.trust");
	} while (!settled);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct guest *g = arg;

	(void)c;
	(void)why;
	g->closed++;
}

static void
turn(struct guest *g)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	assert_int_equal(rk_client_process(g->client), RK_OK);
	(void)nanosleep(&ms, NULL);
}

void
guest_come(struct guest *g, struct rk_ident *ident)
{
	struct rk_client_conf conf;

	memset(g, 0, sizeof(*g));
	rpcrig_client_conf(&guests.rig, &conf);
	if (ident != NULL)
		conf.ident = ident;
	conf.closed = on_closed;
	conf.arg = g;
	g->client = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(g->client, NULL), RK_OK);
	rpcrig_submit(g->client, "echo", rpcrig_bytes, 5, &g->answer);
}

void
guest_arrive(struct guest *g, struct rk_ident *ident, struct rk_client *v)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	guest_come(g, ident);
	while (strstr(ctl_get(v, "_.pending"), "\"waiting\":1") == NULL) {
		assert_true(rpcrig_now() < until);
		turn(g);
	}
}

void
guest_await(struct guest *g, const unsigned *what)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (*what == 0) {
		assert_true(rpcrig_now() < until);
		turn(g);
	}
}

uint8_t *
guest_put(uint8_t *p, const char *s)
{
	size_t n = strlen(s);

	assert_true(n < 256);
	*p++ = 0xd9;
	*p++ = (uint8_t)n;
	memcpy(p, s, n);
	return p + n;
}

const char *
guest_decide(struct rk_client *v, const char *verb, const char *key,
    uint64_t version, bool changed, enum rk_err *code)
{
	uint8_t arg[600], *p = arg;

	*p++ = 0x84;
	p = guest_put(guest_put(p, "key"), key);
	p = guest_put(guest_put(p, "verb"), verb);
	p = guest_put(p, "version");
	*p++ = 0xcf;
	for (int i = 56; i >= 0; i -= 8)
		*p++ = (uint8_t)(version >> i);
	p = guest_put(p, "changed");
	*p++ = changed ? 0xc3 : 0xc2;
	return ctl_ask(v, "_.decide", arg, (size_t)(p - arg), code);
}

uint64_t
guest_version(const char *text)
{
	const char *at = strstr(text, "\"version\":");

	assert_non_null(at);
	return strtoull(at + strlen("\"version\":"), NULL, 10);
}

struct sqlite3 *
guest_hold_store(void)
{
	sqlite3 *db = NULL;
	char path[520];

	(void)snprintf(path, sizeof(path), "%s.db", guests.list);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

void
guest_unstore(void)
{
	static const char *const ends[] = { "db", "db-wal", "db-shm" };
	char path[528];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		(void)snprintf(
		    path, sizeof(path), "%s.%s", guests.list, ends[i]);
		(void)unlink(path);
	}
}
