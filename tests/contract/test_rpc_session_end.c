/* The ends of sessions: who was at descriptors has gone, and what a client is
 * told of one that is lost, or never was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rpckit/client.h>

#include "rpcrig.h"

/* ---- nobody left ---- */

static unsigned deserted; /* the rig's lock */

static void
on_deserted(void *arg)
{
	struct rpcrig *r = arg;

	(void)pthread_mutex_lock(&r->lock);
	deserted++;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

/* The last of two peers has gone; somewhere else more might come. */
static void
nobody_left(void **state)
{
	const bool listens = *state != NULL;
	struct rk_client_conf conf;
	struct rpcrig r;
	struct rk_client *c[2];
	struct rpcanswer a;
	struct rk_error err;
	char url[4][32];
	int fds[4];

	deserted = 0;
	rpcrig_init(&r, RPC_SSH, 0);
	r.conf.deserted = on_deserted;
	r.conf.deserted_arg = &r;
	for (int i = 0; i < 4; i += 2)
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM, 0, &fds[i]), 0);
	for (int i = 0; i < 4; i++)
		(void)snprintf(url[i], sizeof(url[i]), "fd:%d", fds[i]);
	r.more_urls[0] = url[2];
	if (!listens)
		(void)snprintf(r.want_url, sizeof(r.want_url), "%s", url[0]);
	else
		r.more_urls[1] = url[0];
	rpcrig_start(&r);
	rpcrig_client_conf(&r, &conf);
	for (int i = 0; i < 2; i++) {
		conf.url = url[i * 2 + 1];
		c[i] = rpcrig_dial(&conf, RK_OK, NULL);
	}
	assert_int_equal(rk_client_finish(c[0], 10000, &err), RK_OK);
	rk_client_free(c[0]);
	rpcrig_await_conns(&r, 1);
	rpcrig_call(c[1], "echo", rpcrig_bytes, 100, &a);
	assert_true(a.same);
	assert_int_equal(rpcrig_get(&r, &deserted), 0);
	rk_client_free(c[1]);
	rpcrig_await_conns(&r, 0);
	if (listens)
		rpcrig_check_alive(&r);
	else
		rpcrig_await(&r, &deserted, 1);
	rpcrig_end(&r);
	assert_int_equal(deserted, !listens);
}

/* ---- lost ---- */

static void
expect_step(const struct rk_error *err, const char *step, const char *text)
{
	assert_int_equal(err->code, RK_ECLOSED);
	assert_non_null(err->step);
	assert_string_equal(err->step, step);
	if (strstr(err->text, text) == NULL)
		fail_msg("%s", err->text);
}

static void
keep_why(struct rk_client *c, const struct rk_error *why, void *arg)
{
	(void)c;
	*(struct rk_error *)arg = *why;
}

static void
call(struct rk_client *c, struct rk_error *err)
{
	const struct rk_request req = { .method = "hold",
		.timeout = RPCRIG_PATIENCE_MS };
	struct rk_reply reply;

	assert_int_equal(rk_client_call(c, &req, &reply, err), RK_ECLOSED);
	rk_reply_free(&reply);
}

struct cut {
	struct rpcrig *rig;
	int fd;
};

/* When a call has begun. */
static void *
cut(void *arg)
{
	const struct cut *c = arg;

	rpcrig_await(c->rig, &c->rig->n_held, 1);
	(void)shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

/* One that was established is lost, and one that never was not answered. */
static void
lost_or_not_answered(void **state)
{
	struct rk_error why = { 0 };
	struct rk_error err = { 0 };
	struct rk_client_conf conf;
	struct rpcrig r;
	struct rk_client *c;
	struct cut end;
	pthread_t thread;
	char url[2][32];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		(void)snprintf(url[i], sizeof(url[i]), "fd:%d", fds[i]);
	rpcrig_init(&r, RPC_SSH, 0);
	(void)snprintf(r.want_url, sizeof(r.want_url), "%s", url[0]);
	rpcrig_start(&r);
	rpcrig_client_conf(&r, &conf);
	conf.url = url[1];
	conf.closed = keep_why;
	conf.arg = &why;
	c = rpcrig_dial(&conf, RK_OK, NULL);
	end = (struct cut){ &r, dup(fds[1]) };
	assert_int_equal(pthread_create(&thread, NULL, cut, &end), 0);
	call(c, &err);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(end.fd);
	expect_step(&err, "call", "lost: the pipe ended without a goodbye");
	assert_int_equal(rk_client_process(c), RK_OK);
	expect_step(&why, "open", "lost: the pipe ended");
	rk_client_free(c);
	rpcrig_end(&r);
	/* Nobody at the other end. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(close(fds[1]), 0);
	(void)snprintf(url[0], sizeof(url[0]), "fd:%d", fds[0]);
	conf.url = url[0];
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_OK);
	assert_int_equal(rk_client_start(c, &err), RK_OK);
	call(c, &err);
	expect_step(&err, "session", "ended during the handshake");
	assert_int_equal(rk_client_process(c), RK_OK);
	expect_step(&why, "session", "ended during the handshake");
	rk_client_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_left),
		cmocka_unit_test_prestate(nobody_left, &deserted),
		cmocka_unit_test(lost_or_not_answered),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
