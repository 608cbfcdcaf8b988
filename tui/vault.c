/* The line to a vault's agent: asked once a second, answered when told to. */
#include "vault.h"

#include "base/agent_dial.h"
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EVERY_MS 1000
#define PATIENCE_MS 20000 /* the vault may be busy */

struct vault_line {
	struct vault_conf conf;
	struct rk_timer *timer;
	struct rk_watch *watch;
	int fd; /* -1: nobody is there */
	uint8_t in[AGENT_REPLY_MAX + 4];
	size_t in_len;
	enum agent_type runs; /* AGENT_OK: nothing does */
	int64_t asked_ms;
	/* An answer of a person's. */
	uint8_t order[VAULT_REQUEST_MAX];
	size_t order_len; /* 0: none, or it is on its way */
	vault_done_fn *done;
	void *arg;
	void (*changed)(void *arg);
	void *changed_arg;
};

static int64_t
now_of(const struct vault_line *v)
{
	return (int64_t)rk_loop_now(v->conf.loop);
}

static void
note_change(struct vault_line *v)
{
	v->conf.model->changes++;
	if (v->changed != NULL)
		v->changed(v->changed_arg);
}

/* ---- the line ---- */

static void
tell(struct vault_line *v, enum rk_err code, const char *why)
{
	vault_done_fn *done = v->done;

	v->done = NULL;
	v->order_len = 0;
	if (done != NULL)
		done(code, why, v->arg);
}

static void
hang_up(struct vault_line *v)
{
	struct model_agent *a = &v->conf.model->agent;

	if (v->fd < 0)
		return;
	rk_watch_free(v->watch);
	(void)close(v->fd);
	v->watch = NULL;
	v->fd = -1;
	v->in_len = 0;
	v->runs = AGENT_OK;
	memset(a, 0, sizeof(*a));
	note_change(v);
	tell(v, RK_ECLOSED, "the agent is gone");
}

/* Requests are short, and there is one at a time: it takes all of it. */
static void
ask(struct vault_line *v, enum agent_type type, const uint8_t *data, size_t len)
{
	if (send(v->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)len) {
		hang_up(v);
		return;
	}
	v->runs = type;
	v->asked_ms = now_of(v);
}

static void
ask_for(struct vault_line *v, enum agent_type type)
{
	uint8_t data[VAULT_REQUEST_MAX];

	ask(v, type, data, vault_put(data, type, 0, false, 0));
}

/* ---- answers ---- */

static bool
take(struct vault_line *v, uint8_t type, struct bytes body)
{
	struct model *m = v->conf.model;
	enum agent_type ran = v->runs;
	struct rk_error err;
	bool changed = !m->agent.there;
	bool more = false;
	enum rk_err r = RK_OK;

	if (ran == AGENT_OK || (type != AGENT_OK && type != AGENT_FAIL))
		return false;
	v->runs = AGENT_OK;
	m->agent.there = true;
	if (type == AGENT_FAIL) {
		(void)agent_get_fail(&body, &err);
		if (ran == AGENT_ANSWER)
			tell(v, err.code, err.text);
	} else if (ran == AGENT_ANSWER)
		tell(v, RK_OK, NULL);
	else if (ran == AGENT_WAITING)
		r = vault_take_waiting(&m->agent, body, now_of(v), &more);
	else
		r = vault_take_keys(&m->agent, body, now_of(v), &more);
	if (changed || more)
		note_change(v);
	return r == RK_OK;
}

/* A person's answer first; then who waits, then what is open. */
static void
go_on(struct vault_line *v, enum agent_type ran)
{
	size_t len = v->order_len;

	if (v->fd < 0 || v->runs != AGENT_OK)
		return;
	v->order_len = 0;
	if (len > 0)
		ask(v, AGENT_ANSWER, v->order, len);
	else if (ran == AGENT_WAITING || ran == AGENT_ANSWER)
		ask_for(v, ran == AGENT_ANSWER ? AGENT_WAITING : AGENT_KEYS);
}

static void
on_ready(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct vault_line *v = arg;
	struct bytes body;
	enum agent_type ran = v->runs;
	uint8_t type;
	size_t used;
	ssize_t n;
	enum rk_err r;

	(void)w;
	(void)ready;
	n = recv(
	    fd, v->in + v->in_len, sizeof(v->in) - v->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(v);
		return;
	}
	v->in_len += (size_t)n;
	r = agent_frame(v->in, v->in_len, AGENT_REPLY_MAX, &type, &body, &used);
	if (r == RK_EAGAIN)
		return;
	/* There is one answer at a time. */
	if (r != RK_OK || used != v->in_len || !take(v, type, body)) {
		hang_up(v);
		return;
	}
	v->in_len = 0;
	go_on(v, ran);
}

/* ---- dialing ---- */

/* In vain where there is none, or too many others dial: then later. */
static void
dial(struct vault_line *v)
{
	struct sockaddr_un sun;
	pid_t pid;
	int fd;

	if (!agent_path_address(v->conf.path, &sun))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    !agent_sock_is_ours(fd, &pid) ||
	    rk_watch_new(v->conf.loop, fd, RK_READ, on_ready, v, &v->watch) !=
	        RK_OK) {
		(void)close(fd);
		return;
	}
	v->fd = fd;
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct vault_line *v = arg;

	if (v->fd < 0)
		dial(v);
	if (v->runs != AGENT_OK && now_of(v) - v->asked_ms > PATIENCE_MS)
		hang_up(v);
	if (v->fd >= 0 && v->runs == AGENT_OK)
		ask_for(v, AGENT_WAITING);
	if (rk_timer_set(t, rk_loop_now(v->conf.loop) + EVERY_MS) != RK_OK)
		hang_up(v);
}

/* ---- life ---- */

void
vault_watch(struct vault_line *v, void (*changed)(void *arg), void *arg)
{
	v->changed = changed;
	v->changed_arg = arg;
}

enum rk_err
vault_answer(struct vault_line *v, uint32_t id, bool yes, uint64_t ms,
    vault_done_fn *done, void *arg)
{
	if (v == NULL || v->fd < 0 || v->done != NULL)
		return RK_ESTATE;
	v->order_len = vault_put(v->order, AGENT_ANSWER, id, yes, ms);
	v->done = done;
	v->arg = arg;
	go_on(v, AGENT_OK);
	return RK_OK;
}

enum rk_err
vault_new(const struct vault_conf *conf, struct vault_line **out)
{
	struct vault_line *v = calloc(1, sizeof(*v));
	enum rk_err r;

	*out = NULL;
	if (v == NULL)
		return RK_ENOMEM;
	v->conf = *conf;
	v->fd = -1;
	v->runs = AGENT_OK;
	if ((r = rk_timer_new(conf->loop, on_timer, v, &v->timer)) == RK_OK)
		r = rk_timer_set(v->timer, rk_loop_now(conf->loop));
	if (r == RK_OK)
		*out = v;
	else
		vault_free(v);
	return r;
}

void
vault_free(struct vault_line *v)
{
	if (v == NULL)
		return;
	v->done = NULL; /* nobody is told any more */
	v->changed = NULL;
	hang_up(v);
	rk_timer_free(v->timer);
	free(v);
}
