/* Connecting to the first of several addresses that answers (RFC 8305). */
#include "net/dial.h"

#include "base/error.h"
#include "net/sock.h"
#include "net/udp_knock.h"

#include <rpckit/server.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct attempt {
	struct dial *dial;
	struct rk_watch *watch;
	int fd; /* -1: not running */
	struct addr addr;
};

struct dial {
	struct rk_loop *loop;
	struct rk_timer *timer;
	enum addr_scheme scheme;
	bool knocks; /* over UDP */
	uint8_t nonce[UDP_NONCE_LEN];
	const struct psk *psk;
	uint64_t deadline; /* RK_NEVER: none */
	dial_fn *fn;
	void *arg;
	size_t n;
	size_t next; /* the attempt to start next */
	size_t running;
	struct rk_error last; /* why the latest attempt failed */
	struct attempt attempts[DIAL_ADDRS_MAX];
};

static void
attempt_end(struct attempt *a)
{
	if (a->fd < 0)
		return;
	rk_watch_free(a->watch);
	a->watch = NULL;
	(void)close(a->fd);
	a->fd = -1;
	a->dial->running--;
}

static void
finish(struct dial *d, int fd, const struct rk_error *why)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;
	struct rk_error copy = { 0 };

	if (why != NULL)
		copy = *why;
	dial_free(d);
	fn(fd, why == NULL ? NULL : &copy, arg);
}

static void
note_failure(struct dial *d, const struct addr *a, int errnum)
{
	char where[ADDR_TEXT_LEN];

	addr_format(a, d->scheme, where);
	(void)err_sys(
	    &d->last, RK_ECONNECT, errnum, "%s: cannot connect", where);
	d->last.step = "connect";
}

/* The timer serves both: the next address's turn, and the end of patience. */
static void
arm(struct dial *d)
{
	uint64_t at = d->deadline;
	uint64_t turn = rk_loop_now(d->loop) + DIAL_STAGGER_MS;

	if ((d->next < d->n || d->knocks) && turn < at)
		at = turn;
	if (at == RK_NEVER)
		rk_timer_clear(d->timer);
	else if (rk_timer_set(d->timer, at) != RK_OK)
		log_event(RK_LOG_WARN, "net", "no memory for a dial timer");
}

static void on_writable(struct rk_watch *w, int fd, unsigned ready, void *arg);
static void on_answer(struct rk_watch *w, int fd, unsigned ready, void *arg);

static enum rk_err
begin(struct dial *d, struct attempt *a, struct rk_error *err)
{
	if (d->knocks)
		return udp_knock_connect(
		    &a->addr, d->nonce, d->psk, &a->fd, err);
	return sock_connect(&a->addr, &a->fd, err);
}

static enum rk_err
watch(struct dial *d, struct attempt *a)
{
	if (d->knocks)
		return rk_watch_new(
		    d->loop, a->fd, RK_READ, on_answer, a, &a->watch);
	return rk_watch_new(
	    d->loop, a->fd, RK_WRITE, on_writable, a, &a->watch);
}

/* Start the next attempt that can be started; false: there is none left. */
static bool
start_next(struct dial *d)
{
	while (d->next < d->n) {
		struct attempt *a = &d->attempts[d->next++];
		struct rk_error err;

		if (begin(d, a, &err) != RK_OK) {
			note_failure(d, &a->addr, err.sys);
			a->fd = -1;
			continue;
		}
		if (watch(d, a) != RK_OK) {
			note_failure(d, &a->addr, ENOMEM);
			(void)close(a->fd);
			a->fd = -1;
			continue;
		}
		d->running++;
		arm(d);
		return true;
	}
	return false;
}

static void
succeed(struct attempt *a)
{
	struct dial *d = a->dial;
	const int fd = a->fd;

	rk_watch_free(a->watch);
	a->watch = NULL;
	a->fd = -1;
	d->running--;
	finish(d, fd, NULL);
}

static void
fail(struct attempt *a)
{
	struct dial *d = a->dial;

	attempt_end(a);
	if (!start_next(d) && d->running == 0)
		finish(d, -1, &d->last);
}

static void
on_writable(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct attempt *a = arg;
	struct dial *d = a->dial;
	int errnum = 0;
	socklen_t len = sizeof(errnum);

	(void)w;
	(void)ready;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0)
		errnum = errno;
	if (errnum == 0) {
		succeed(a);
		return;
	}
	note_failure(d, &a->addr, errnum);
	fail(a);
}

static void
on_answer(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct attempt *a = arg;
	struct dial *d = a->dial;
	char where[ADDR_TEXT_LEN];
	int sys;
	enum rk_err r = udp_knock_look(fd, d->nonce, &sys);

	(void)w;
	(void)ready;
	if (r == RK_EAGAIN)
		return;
	if (r == RK_OK) {
		succeed(a);
		return;
	}
	addr_format(&a->addr, d->scheme, where);
	if (r == RK_ELIMIT) {
		(void)err_set(&d->last, RK_ECONNECT,
		    "%s: the server takes nobody now", where);
		d->last.step = "connect";
	} else {
		note_failure(d, &a->addr, sys);
	}
	fail(a);
}

static void
knock_again(const struct dial *d)
{
	for (size_t i = 0; d->knocks && i < d->next; i++)
		if (d->attempts[i].fd >= 0)
			udp_knock_again(d->attempts[i].fd, d->nonce, d->psk);
}

/* Also where somebody is: who wants a pre-shared key says nothing to who does
 * not prove it. */
static void
no_answer(const struct dial *d, struct rk_error *err)
{
	char where[ADDR_TEXT_LEN];
	char id[RK_PSK_ID_LEN];

	addr_format(&d->attempts[0].addr, d->scheme, where);
	if (d->psk != NULL) {
		psk_id_format(d->psk->id, id);
		(void)err_set(err, RK_ETIMEOUT,
		    "%s: no answer while connecting: nobody is there, or who "
		    "is has not pre-shared key %s (id %s), or a clock is days "
		    "off",
		    where, d->psk->name, id);
	} else if (d->knocks) {
		(void)err_set(err, RK_ETIMEOUT,
		    "%s: no answer while connecting: nobody is there, or who "
		    "is may want a pre-shared key",
		    where);
	} else {
		(void)err_set(
		    err, RK_ETIMEOUT, "%s: no answer while connecting", where);
	}
	err->step = "connect";
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct dial *d = arg;
	struct rk_error err;

	(void)t;
	if (rk_loop_now(d->loop) >= d->deadline) {
		no_answer(d, &err);
		finish(d, -1, &err);
		return;
	}
	knock_again(d);
	if (!start_next(d) && d->running == 0) {
		finish(d, -1, &d->last);
		return;
	}
	arm(d);
}

enum rk_err
dial_start(const struct dial_conf *conf, struct dial **out)
{
	struct dial *d;
	enum rk_err r;

	*out = NULL;
	if (conf->n_addrs == 0 || conf->n_addrs > DIAL_ADDRS_MAX)
		return RK_EINVAL;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return RK_ENOMEM;
	d->loop = conf->loop;
	d->scheme = conf->scheme;
	d->knocks = conf->scheme == ADDR_SSH_UDP;
	if (d->knocks)
		memcpy(d->nonce, conf->nonce, sizeof(d->nonce));
	d->psk = conf->psk;
	d->fn = conf->fn;
	d->arg = conf->arg;
	d->n = conf->n_addrs;
	d->deadline = conf->timeout == RK_NEVER
	                  ? RK_NEVER
	                  : rk_loop_now(d->loop) + conf->timeout;
	for (size_t i = 0; i < d->n; i++) {
		d->attempts[i].dial = d;
		d->attempts[i].fd = -1;
		d->attempts[i].addr = conf->addrs[i];
	}
	if ((r = rk_timer_new(d->loop, on_timer, d, &d->timer)) != RK_OK)
		goto out;
	/* The first attempt is the timer's too: fn never runs in here. */
	if ((r = rk_timer_set(d->timer, rk_loop_now(d->loop))) != RK_OK)
		goto out;
	*out = d;
	d = NULL;
out:
	dial_free(d);
	return r;
}

void
dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->n; i++)
		attempt_end(&d->attempts[i]);
	rk_timer_free(d->timer);
	free(d);
}
