/* Clients of the test server, the log, and small checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rpcrig.h"

void
rpcrig_client_conf(const struct rpcrig *r, struct rk_client_conf *conf)
{
	*conf = (struct rk_client_conf){
		.size = sizeof(*conf),
		.url = r->url,
		.ident = rpc_is_secure(r->kind) ? rpcworld.client : NULL,
	};
	if (!rpc_is_session(r->kind))
		return;
	conf->session_key = rpcworld.keys[1];
	conf->session_peers = rpcworld.peers[1];
}

struct rk_client *
rpcrig_client_with(const struct rk_client_conf *conf)
{
	struct rk_client *c;
	struct rk_error err;

	if (rk_client_new(conf, &c, &err) != RK_OK)
		fail_msg("%s", err.text);
	return c;
}

struct rk_client *
rpcrig_dial(
    const struct rk_client_conf *conf, enum rk_err want, const char *text)
{
	struct rk_client *c;
	struct rk_error err;
	enum rk_err got;

	assert_int_equal(rk_client_new(conf, &c, &err), RK_OK);
	got = rk_client_connect(c, &err);
	if (got != want || (text != NULL && strstr(err.text, text) == NULL))
		fail_msg("%s: %s", rk_err_name(got), err.text);
	return c;
}

struct rk_client *
rpcrig_client(struct rpcrig *r)
{
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rk_error err;

	rpcrig_client_conf(r, &conf);
	c = rpcrig_client_with(&conf);
	if (rk_client_connect(c, &err) != RK_OK)
		fail_msg("%s", err.text);
	return c;
}

static void
keep_text(struct rpcanswer *a, const char *p, size_t n)
{
	if (n >= sizeof(a->text))
		n = sizeof(a->text) - 1;
	if (n > 0)
		memcpy(a->text, p, n);
	a->text[n] = '\0';
}

static void
keep(struct rpcanswer *a, const struct rk_reply *reply)
{
	static unsigned order;

	a->n++;
	a->order = ++order;
	a->code = reply->code;
	a->maybe_executed = reply->maybe_executed;
	a->seqno = reply->hdr.seqno;
	a->len = reply->payload.len;
	a->same =
	    reply->payload.len <= sizeof(rpcrig_bytes) &&
	    (reply->payload.len == 0 || memcmp(reply->payload.ptr, rpcrig_bytes,
	                                    reply->payload.len) == 0);
	if (reply->code == RK_EREMOTE)
		keep_text(a, reply->remote_error.ptr, reply->remote_error.len);
	else if (reply->code == RK_ENOMETHOD)
		keep_text(a, reply->hdr.subject.ptr, reply->hdr.subject.len);
	else
		keep_text(
		    a, (const char *)reply->payload.ptr, reply->payload.len);
}

void
rpcrig_on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	(void)c;
	keep(arg, reply);
}

uint64_t
rpcrig_submit(struct rk_client *c, const char *method, const void *payload,
    size_t len, struct rpcanswer *a)
{
	struct rk_request req = {
		.method = method, .payload = payload, .payload_len = len
	};
	uint64_t id;

	assert_int_equal(
	    rk_client_submit(c, &req, rpcrig_on_reply, a, &id), RK_OK);
	assert_int_not_equal(id, 0);
	return id;
}

uint64_t
rpcrig_submit_for(struct rk_client *c, const char *method, uint64_t timeout,
    struct rpcanswer *a)
{
	struct rk_request req = { .method = method, .timeout = timeout };
	uint64_t id;

	assert_int_equal(
	    rk_client_submit(c, &req, rpcrig_on_reply, a, &id), RK_OK);
	return id;
}

void
rpcrig_turn(struct rk_client *c, const unsigned *n, unsigned want)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (*n < want) {
		struct pollfd p = { rk_client_fd(c), POLLIN, 0 };
		int ms = rk_client_wait_ms(c);

		if (rpcrig_now() > until)
			fail_msg("waited in vain: %u of %u", *n, want);
		if (ms < 0 || ms > 100)
			ms = 100;
		(void)poll(&p, 1, ms);
		assert_int_equal(rk_client_process(c), RK_OK);
	}
}

void
rpcrig_turn_for(
    struct rk_client *c, struct rpcrig *r, const unsigned *what, unsigned want)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	unsigned have;

	while ((have = rpcrig_get(r, what)) < want) {
		struct pollfd p = { rk_client_fd(c), POLLIN, 0 };

		if (rpcrig_now() > until)
			fail_msg("waited in vain: %u of %u", have, want);
		(void)poll(&p, 1, 1);
		assert_int_equal(rk_client_process(c), RK_OK);
	}
}

enum rk_err
rpcrig_try(struct rk_client *c, const char *method, const void *payload,
    size_t len, struct rpcanswer *a)
{
	struct rk_request req = {
		.method = method, .payload = payload, .payload_len = len
	};
	struct rk_reply reply;
	enum rk_err r = rk_client_call(c, &req, &reply, NULL);

	memset(a, 0, sizeof(*a));
	keep(a, &reply);
	rk_reply_free(&reply);
	return r;
}

void
rpcrig_call(struct rk_client *c, const char *method, const void *payload,
    size_t len, struct rpcanswer *a)
{
	enum rk_err r = rpcrig_try(c, method, payload, len, a);

	if (r != RK_OK)
		fail_msg("%s: %s", method, rk_err_text(r));
}

void
rpcrig_check_alive(struct rpcrig *r)
{
	struct rk_client *c = rpcrig_client(r);
	struct rpcanswer a;

	rpcrig_call(c, "echo", "alive", 5, &a);
	assert_string_equal(a.text, "alive");
	rk_client_free(c);
}

/* ---- the log ---- */

#define LINES 4096

struct line {
	enum rk_log_level level;
	char text[256];
};
static struct line lines[LINES];
static unsigned n_lines;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void
on_line(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	(void)arg;
	(void)pthread_mutex_lock(&log_lock);
	if (n_lines < LINES) {
		lines[n_lines].level = level;
		(void)snprintf(lines[n_lines].text, sizeof(lines[n_lines].text),
		    "%s: %.240s", subsystem, line);
		n_lines++;
	}
	(void)pthread_mutex_unlock(&log_lock);
}

void
rpclog_start(void)
{
	(void)pthread_mutex_lock(&log_lock);
	n_lines = 0;
	(void)pthread_mutex_unlock(&log_lock);
	rk_log_set(on_line, RK_LOG_DEBUG, NULL);
}

void
rpclog_stop(void)
{
	rk_log_set(NULL, RK_LOG_ERROR, NULL);
}

unsigned
rpclog_count(enum rk_log_level level, const char *text)
{
	unsigned n = 0;

	(void)pthread_mutex_lock(&log_lock);
	for (unsigned i = 0; i < n_lines; i++)
		n += lines[i].level <= level &&
		     strstr(lines[i].text, text) != NULL;
	(void)pthread_mutex_unlock(&log_lock);
	return n;
}

static void
show_log(void)
{
	(void)pthread_mutex_lock(&log_lock);
	for (unsigned i = 0; i < n_lines; i++)
		print_message("%d %s\n", lines[i].level, lines[i].text);
	(void)pthread_mutex_unlock(&log_lock);
}

void
rpclog_await(enum rk_log_level level, const char *text, unsigned n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (rpclog_count(level, text) < n) {
		if (rpcrig_now() > until) {
			show_log();
			fail_msg("no line with \"%s\"", text);
		}
		(void)nanosleep(&ms, NULL);
	}
}
