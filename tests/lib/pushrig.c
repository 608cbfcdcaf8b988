/* Pushes in tests: making them, what the pusher is told, what clients get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "pushrig.h"

/* ---- the pusher ---- */

static void
on_done(const struct rk_push_report *report, void *arg)
{
	struct told *t = arg;

	(void)pthread_mutex_lock(&t->rig->lock);
	t->n++;
	t->sum.targets += report->targets;
	t->sum.sent += report->sent;
	t->sum.late += report->late;
	t->sum.closed += report->closed;
	t->sum.refused += report->refused;
	assert_int_equal(report->targets,
	    report->sent + report->late + report->closed + report->refused);
	(void)pthread_cond_broadcast(&t->rig->changed);
	(void)pthread_mutex_unlock(&t->rig->lock);
}

static void
on_each(uint64_t conn, enum rk_err code, void *arg)
{
	struct told *t = arg;

	(void)pthread_mutex_lock(&t->rig->lock);
	assert_true(t->n_each < PUSH_EACH_MAX);
	t->conn[t->n_each] = conn;
	t->code[t->n_each++] = code;
	(void)pthread_mutex_unlock(&t->rig->lock);
}

enum rk_err
push_to(struct rpcrig *r, const struct rk_push_target *to,
    const struct rk_push *push, struct told *t)
{
	struct rk_push p = *push;

	if (t->wants_each)
		p.each = on_each;
	return rk_server_push(r->server, to, &p, on_done, t);
}

void
push_start(struct rpcrig *r, const struct rk_push_target *to,
    const struct rk_push *push, struct told *t)
{
	if (t->rig != r) /* the loop's thread may read it */
		t->rig = r;
	assert_int_equal(push_to(r, to, push, t), RK_OK);
}

void
push_to_conn(
    struct rpcrig *r, uint64_t conn, const struct rk_push *push, struct told *t)
{
	struct rk_push_target to = { .to = RK_PUSH_CONN, .conn = conn };

	push_start(r, &to, push, t);
}

enum rk_err
push_try(struct rpcrig *r, const struct rk_push_target *to,
    const struct rk_push *push)
{
	return rk_server_push(r->server, to, push, NULL, NULL);
}

void
push_await(struct rpcrig *r, struct told *t, unsigned n)
{
	rpcrig_await(r, &t->n, n);
	assert_int_equal(rpcrig_get(r, &t->n), n);
}

void
push_await_with(struct rpcrig *r, struct told *t, unsigned n,
    struct rk_client *const *c, size_t n_clients)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (rpcrig_get(r, &t->n) < n) {
		if (rpcrig_now() > until)
			fail_msg("waited in vain for %u", n);
		for (size_t i = 0; i < n_clients; i++) {
			struct pollfd p = { rk_client_fd(c[i]), POLLIN, 0 };

			(void)poll(&p, 1, 1);
			assert_int_equal(rk_client_process(c[i]), RK_OK);
		}
	}
	push_await(r, t, n);
}

struct rk_push_report
push_sum(struct told *t)
{
	struct rk_push_report sum;

	(void)pthread_mutex_lock(&t->rig->lock);
	sum = t->sum;
	(void)pthread_mutex_unlock(&t->rig->lock);
	return sum;
}

/* Every worker is asked for somebody who is not there; behind the others. */
void
push_settle(struct rpcrig *r)
{
	struct rk_push_target to = { .to = RK_PUSH_SUBSCRIBERS };
	struct rk_push push = { .subject = "nobody's" };
	struct told t = { 0 };

	push_start(r, &to, &push, &t);
	push_await(r, &t, 1);
}

enum rk_err
push_fate(const struct told *t, uint64_t conn)
{
	for (unsigned i = 0; i < t->n_each; i++) {
		if (t->conn[i] == conn)
			return t->code[i];
	}
	fail_msg("not told about");
	return RK_EFAIL;
}

void
push_number(struct rk_push *push, uint32_t number, size_t len)
{
	assert_true(len >= sizeof(number) && len <= sizeof(rpcrig_bytes));
	memcpy(rpcrig_bytes, &number, sizeof(number));
	push->payload = rpcrig_bytes;
	push->payload_len = len;
}

/* ---- the client ---- */

static void
keep(char dst[64], const void *src, size_t len)
{
	size_t n = len < 64 ? len : 63;

	if (n > 0)
		memcpy(dst, src, n);
	dst[n] = '\0';
}

void
push_on_pushed(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct pushed *p = arg;
	uint32_t number = UINT32_MAX;

	(void)c;
	if (payload.len >= sizeof(number))
		memcpy(&number, payload.ptr, sizeof(number));
	p->in_order = number == p->n && (p->n == 0 || p->in_order);
	p->n++;
	p->bytes += payload.len;
	p->hdr = *hdr;
	keep(p->subject, hdr->subject.ptr, hdr->subject.len);
	keep(p->text, payload.ptr, payload.len);
}

struct rk_client *
push_client(struct rpcrig *r, struct pushed *p, const struct rk_ident *id)
{
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rk_error err;

	rpcrig_client_conf(r, &conf);
	conf.pushed = push_on_pushed;
	conf.arg = p;
	if (id != NULL && rpc_is_secure(r->kind))
		conf.ident = id;
	c = rpcrig_client_with(&conf);
	if (rk_client_connect(c, &err) != RK_OK)
		fail_msg("%s", err.text);
	return c;
}

uint64_t
push_conn_id(struct rk_client *c)
{
	struct rpcanswer a = { 0 };
	uint64_t id;

	rpcrig_call(c, "conn", NULL, 0, &a);
	id = strtoull(a.text, NULL, 10);
	assert_true(id != 0);
	return id;
}

void
push_sync(struct rk_client *c)
{
	struct rpcanswer a = { 0 };

	rpcrig_call(c, "echo", NULL, 0, &a);
}
