/* The raw limit's clients: sequential, many at a time, dialling, idle. */
#include "limit.h"
#include "meter.h"
#include "raw.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct limit {
	const struct args *args;
	struct raw_end end;
	struct raw_conn *conn;
	uint8_t *payload;
	uint64_t *begun; /* pipe: of each call in flight, a ring */
	size_t next;     /* the oldest */
	unsigned running;
	bool over;
	int epoll_fd;
	struct meter meter;
};

static enum rk_err
open_limit(struct limit **out, const struct args *a, struct rk_error *err)
{
	struct limit *l = calloc(1, sizeof(*l));

	*out = l;
	if (l == NULL)
		return RK_ENOMEM;
	l->args = a;
	l->epoll_fd = -1;
	l->payload = calloc(1, a->size + 1);
	l->begun = calloc(a->outstanding, sizeof(*l->begun));
	if (l->payload == NULL || l->begun == NULL)
		return RK_ENOMEM;
	return raw_end_init(&l->end, a->url, a->certs, "client", err);
}

static void
close_limit(struct limit *l)
{
	if (l == NULL)
		return;
	raw_free(l->conn);
	if (l->epoll_fd >= 0)
		(void)close(l->epoll_fd); /* nothing is buffered in it */
	raw_end_fini(&l->end);
	free(l->begun);
	free(l->payload);
	free(l);
}

static enum rk_err
told(const struct limit *l, enum rk_err r, struct rk_error *err)
{
	if (r == RK_OK || l == NULL || err->text[0] != '\0')
		return r;
	if (r == RK_ETLS)
		return raw_tls_explain(l->end.url, err);
	return err_set(err, r, "%s: %s", l->end.url, rk_err_text(r));
}

/* Do the work with a meter that runs, and report. */
static enum rk_err
measure(const struct args *a, bool connected,
    enum rk_err (*work)(struct limit *l, struct rk_error *err),
    struct rk_error *err)
{
	struct limit *l;
	enum rk_err r = open_limit(&l, a, err);

	if (r == RK_OK && connected)
		r = raw_dial(&l->end, &l->conn, err);
	if (r == RK_OK && (r = meter_start(&l->meter, a, err)) == RK_OK &&
	    (r = work(l, err)) == RK_OK)
		meter_report(&l->meter);
	(void)told(l, r, err); /* returns r */
	close_limit(l);
	return r;
}

/* ---- one call after another, on a blocking socket ---- */

static enum rk_err
call(struct limit *l, struct raw_conn *c)
{
	const uint8_t *payload;
	size_t len;
	enum rk_err r;

	if ((r = raw_put_frame(c, l->payload, l->args->size)) != RK_OK ||
	    (r = raw_flush(c)) != RK_OK)
		return r;
	while (!raw_peek_frame(c, &payload, &len)) {
		if ((r = raw_recv(c, RAW_HEAD_LEN + l->args->size)) != RK_OK)
			return r;
	}
	raw_drop_frame(c);
	return len == l->args->size ? RK_OK : RK_EPROTO;
}

static enum rk_err
call_in_turn(struct limit *l, struct rk_error *err)
{
	uint64_t now = meter_now();
	uint64_t begun;
	bool more = true;
	enum rk_err r;

	(void)err; /* told() has the words */
	while (more) {
		begun = now;
		if ((r = call(l, l->conn)) != RK_OK)
			return r;
		now = meter_now();
		more = meter_call(&l->meter, begun, now);
	}
	return RK_OK;
}

enum rk_err
limit_seq(const struct args *a, struct rk_error *err)
{
	return measure(a, true, call_in_turn, err);
}

/* ---- many calls at a time ---- */

static enum rk_err
begin_call(struct limit *l, uint64_t now)
{
	size_t i = (l->next + l->running) % l->args->outstanding;

	l->begun[i] = now;
	l->running++;
	return raw_put_frame(l->conn, l->payload, l->args->size);
}

static enum rk_err
take_answers(struct limit *l)
{
	const uint8_t *payload;
	uint64_t now = meter_now();
	size_t len;
	enum rk_err r = RK_OK;

	while (r == RK_OK && raw_peek_frame(l->conn, &payload, &len)) {
		raw_drop_frame(l->conn);
		if (len != l->args->size || l->running == 0)
			return RK_EPROTO;
		l->over = !meter_call(&l->meter, l->begun[l->next], now);
		l->next = (l->next + 1) % l->args->outstanding;
		l->running--;
		if (!l->over)
			r = begin_call(l, now);
	}
	return r;
}

static enum rk_err
serve(struct limit *l, unsigned ready)
{
	struct raw_conn *c = l->conn;
	enum rk_err r = RK_OK;

	if ((ready & EPOLLOUT) != 0)
		r = raw_flush(c);
	if ((ready & ~(unsigned)EPOLLOUT) == 0)
		return r;
	do {
		if (r == RK_OK && (r = raw_recv(c, 0)) == RK_OK &&
		    (r = take_answers(l)) == RK_OK)
			r = raw_flush(c);
	} while (r == RK_OK && c->more);
	return r;
}

static enum rk_err
watch(struct limit *l, int op)
{
	struct raw_conn *c = l->conn;
	struct epoll_event ev = {
		.events = c->blocked ? EPOLLIN | EPOLLOUT : EPOLLIN,
	};

	if (op == EPOLL_CTL_MOD && ev.events == c->want)
		return RK_OK;
	c->want = ev.events;
	return epoll_ctl(l->epoll_fd, op, c->fd, &ev) == 0 ? RK_OK : RK_EIO;
}

static enum rk_err
keep_calling(struct limit *l, struct rk_error *err)
{
	struct epoll_event ev;
	enum rk_err r = RK_OK;
	uint64_t now;
	int n;

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0 || fcntl(l->conn->fd, F_SETFL, O_NONBLOCK) != 0)
		return err_sys(err, RK_EIO, errno, "cannot wait");
	now = meter_now();
	for (unsigned i = 0; i < l->args->outstanding && r == RK_OK; i++)
		r = begin_call(l, now);
	if (r == RK_OK && (r = raw_flush(l->conn)) == RK_OK)
		r = watch(l, EPOLL_CTL_ADD);
	while (r == RK_OK && l->running > 0) {
		n = epoll_wait(l->epoll_fd, &ev, 1, -1);
		if (n < 0 && errno != EINTR)
			return RK_EIO;
		if (n > 0 && (r = serve(l, ev.events)) == RK_OK)
			r = watch(l, EPOLL_CTL_MOD);
	}
	return r;
}

enum rk_err
limit_pipe(const struct args *a, struct rk_error *err)
{
	return measure(a, true, keep_calling, err);
}

/* ---- one way ---- */

/* So much is written at a time. */
#define UP_AT_A_TIME (256u * 1024)

static enum rk_err
keep_sending(struct limit *l, struct rk_error *err)
{
	uint64_t begun = meter_now();
	bool more = true;
	enum rk_err r = RK_OK;

	(void)err;
	l->payload[0] = LIMIT_UNANSWERED;
	while (r == RK_OK && more) {
		while (r == RK_OK && more &&
		       buf_len(&l->conn->out) < UP_AT_A_TIME) {
			r = raw_put_frame(l->conn, l->payload, l->args->size);
			more = meter_call(&l->meter, begun, meter_now());
		}
		if (r == RK_OK)
			r = raw_flush(l->conn); /* which waits */
		begun = meter_now();
	}
	return r;
}

enum rk_err
limit_up(const struct args *a, struct rk_error *err)
{
	return measure(a, true, keep_sending, err);
}

/* ---- connect, call once, close ---- */

/* A first connection has nothing to resume. */
static enum rk_err
check_kind(const struct limit *l, const struct raw_conn *c, bool first,
    struct rk_error *err)
{
	bool wanted = l->args->resume && !first;

	if (c->ssl == NULL || raw_tls_resumed(c) == wanted)
		return RK_OK;
	return err_set(
	    err, RK_EFAIL, "the handshake was%s resumed", wanted ? " not" : "");
}

static enum rk_err
dial_once(struct limit *l, bool first, struct rk_error *err)
{
	struct raw_conn *c;
	uint64_t begun = meter_now();
	uint64_t answered;
	enum rk_err r;

	if ((r = raw_dial(&l->end, &c, err)) != RK_OK)
		return r;
	if ((r = check_kind(l, c, first, err)) == RK_OK)
		r = call(l, c);
	answered = meter_now();
	raw_free(c);
	if (r == RK_OK && !first)
		l->over = !meter_call(&l->meter, begun, answered);
	return r;
}

static enum rk_err
keep_dialling(struct limit *l, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	if (l->args->resume && l->end.tls != NULL)
		raw_tls_resume(l->end.tls);
	for (bool first = true; r == RK_OK && !l->over; first = false)
		r = dial_once(l, first, err);
	return r;
}

enum rk_err
limit_dial(const struct args *a, struct rk_error *err)
{
	return measure(a, false, keep_dialling, err);
}

/* ---- connections that hold still ---- */

enum rk_err
limit_idle(const struct args *a, struct rk_error *err)
{
	struct raw_conn **conns = calloc(a->conns, sizeof(*conns));
	long server = meter_memory(a->server);
	long here = meter_memory(0);
	struct limit *l = NULL;
	enum rk_err r = RK_ENOMEM;

	if (conns == NULL || (r = open_limit(&l, a, err)) != RK_OK)
		goto out;
	for (unsigned i = 0; i < a->conns && r == RK_OK; i++) {
		r = raw_dial(&l->end, &conns[i], err);
		if (r == RK_OK)
			r = call(l, conns[i]);
	}
	if (r == RK_OK)
		meter_report_idle(a->conns,
		    a->server == 0 ? -1 : meter_memory(a->server) - server,
		    meter_memory(0) - here);
out:
	(void)told(l, r, err); /* returns r */
	for (unsigned i = 0; conns != NULL && i < a->conns; i++)
		raw_free(conns[i]);
	close_limit(l);
	free(conns);
	return r;
}
