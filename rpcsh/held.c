/* The connection a shell holds: calls that Ctrl-C cancels, dialing again. */
#include "held.h"

#include "base/clock.h"
#include "base/error.h"
#include "seen.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_LEAST_US 500000u
#define PAUSE_MOST_US 30000000u

/* ---- Ctrl-C ---- */

/* A handler has no other place to say it. */
static volatile sig_atomic_t interrupted, stopped;

static void
on_interrupt(int signo)
{
	(void)signo;
	interrupted = stopped = 1;
}

void
held_hear_interrupt(struct sigaction *before)
{
	struct sigaction sa = { .sa_handler = on_interrupt };

	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGINT, &sa, before);
}

bool
held_interrupted(void)
{
	return interrupted != 0;
}

void
held_forget_interrupt(void)
{
	interrupted = 0;
}

bool
held_stopped(void)
{
	return stopped != 0;
}

void
held_forget_all(void)
{
	interrupted = stopped = 0;
}

int
held_canceled(const struct held *h)
{
	/* The terminal has shown ^C. */
	if (h != NULL && h->hears && isatty(STDIN_FILENO) == 1)
		(void)putchar('\n');
	return 128 + SIGINT;
}

/* ---- waiting ---- */

static int
sooner(int a_ms, int b_ms)
{
	if (a_ms < 0 || b_ms < 0)
		return a_ms < 0 ? b_ms : a_ms;
	return a_ms < b_ms ? a_ms : b_ms;
}

void
held_wait_fd(int fd, const struct timespec *limit)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	sigset_t set, old;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	if (!held_interrupted())
		(void)ppoll(&p, 1, limit, &old);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void
held_turn(struct held *h, int limit_ms)
{
	struct rk_client *c = h->t.client;
	int ms = sooner(rk_client_wait_ms(c), limit_ms);
	struct timespec ts = { .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	held_wait_fd(rk_client_fd(c), ms < 0 ? NULL : &ts);
	/* It fails when its descriptors are gone: nothing of ours closes them.
	 */
	(void)rk_client_process(c);
}

void
held_hide(const struct target *t)
{
	const struct held *h = t->held;

	if (h != NULL && h->hide != NULL)
		h->hide(h->arg);
}

bool
held_is_typed(const struct target *t)
{
	return t->held != NULL && t->held->hide != NULL;
}

bool
held_is_up(const struct held *h)
{
	return h->is_open && rk_client_peer(h->t.client) != NULL;
}

/* ---- connecting ---- */

static void
tell(struct held *h, const char *what, const char *why)
{
	held_hide(&h->t);
	out_note(&h->t.log, "%s%s", what, why);
}

/* One that came by itself, and not by target_dial(). */
static void
count(const struct held *h)
{
	const struct rk_peer *p = rk_client_peer(h->t.client);

	if (p != NULL && p->proven)
		seen_count(p->cert.pub);
}

/* It is said when a connection that was lost is there again. */
static void
is_back(struct held *h)
{
	if (h->lost)
		tell(h, "connected again", "");
	h->lost = false;
}

static enum rk_err
dial(struct held *h, struct rk_error *err)
{
	enum rk_err r;

	h->redials = false;
	if (h->dials)
		return RK_OK;
	err_clear(&h->t.ended);
	r = rk_client_start(h->t.client, err);
	h->dials = r == RK_OK;
	return r;
}

/* Up to the end that the client owes. */
static enum rk_err
give_up(struct held *h, struct rk_error *err)
{
	rk_client_shutdown(h->t.client);
	held_forget_interrupt();
	while (h->t.ended.code == RK_OK && !held_interrupted())
		held_turn(h, -1);
	(void)held_canceled(h);
	return err_set(err, RK_ECANCELED, "%s: canceled", h->t.url);
}

/* What may be otherwise in a moment. */
static bool
may_change(enum rk_err code)
{
	int status = rk_err_exit(code);

	return status == 4 || status == 5;
}

static void
dial_later(struct held *h)
{
	h->redials = may_change(h->t.ended.code);
	h->redial_at = mono_us() + h->pause_us;
	h->pause_us *= 2;
	if (h->pause_us > PAUSE_MOST_US)
		h->pause_us = PAUSE_MOST_US;
}

enum rk_err
held_connect(struct held *h, struct rk_error *err)
{
	enum rk_err r = dial(h, err);

	if (r != RK_OK)
		return r;
	while (!held_is_up(h) && h->t.ended.code == RK_OK && r == RK_OK) {
		held_turn(h, -1);
		if (held_interrupted())
			r = give_up(h, err);
	}
	h->dials = false;
	h->was_up = held_is_up(h);
	if (h->was_up)
		is_back(h);
	if (r != RK_OK || h->was_up)
		return r;
	if (h->lost)
		dial_later(h);
	if (err != NULL)
		*err = h->t.ended;
	return h->t.ended.code;
}

/* Between two calls: what has become of the connection? */
static void
look(struct held *h)
{
	bool up = held_is_up(h);

	if (h->was_up && !up && h->t.ended.code != RK_ECANCELED) {
		tell(h, "connection lost: ", h->t.ended.text);
		h->lost = true;
		h->pause_us = PAUSE_LEAST_US;
		dial_later(h);
	} else if (h->dials && up) {
		count(h);
		is_back(h);
	} else if (h->dials && h->t.ended.code != RK_OK) {
		h->dials = false;
		dial_later(h);
		if (!h->redials)
			tell(h, "not connected: ", h->t.ended.text);
	}
	h->dials = h->dials && !up;
	h->was_up = up;
}

void
held_idle(struct held *h)
{
	if (!h->is_open)
		return;
	(void)rk_client_process(h->t.client); /* as in held_turn() */
	look(h);
	if (h->redials && mono_us() >= h->redial_at && dial(h, NULL) != RK_OK)
		h->redials = false;
}

int
held_fd(const struct held *h)
{
	return h->is_open ? rk_client_fd(h->t.client) : -1;
}

int
held_wait_ms(const struct held *h)
{
	uint64_t now = mono_us();
	int left = -1;

	if (!h->is_open)
		return -1;
	if (h->redials)
		left = h->redial_at <= now
		           ? 0
		           : (int)((h->redial_at - now + 999) / 1000);
	return sooner(rk_client_wait_ms(h->t.client), left);
}

/* ---- calls ---- */

#define VIEWS 12

/* Views are valid in the callback only: everything to memory of the reply's
 * own, which rk_reply_free() frees. */
static enum rk_err
keep(const struct rk_reply *from, struct rk_reply *to)
{
	struct rk_header *h = &to->hdr;
	struct rk_str *views[VIEWS + 1] = { &h->from, &h->to, &h->to_service,
		&h->to_version, &h->from_service, &h->from_version, &h->subject,
		&h->call_id, &h->to_peer_id, &h->to_peer_name, &h->from_peer_id,
		&h->from_peer_name, &to->remote_error };
	struct rk_bytes *bytes[] = { &to->payload, &h->args.raw };
	size_t len = 1;
	uint8_t *p;

	*to = *from;
	for (size_t i = 0; i <= VIEWS; i++)
		len += views[i]->len;
	len += bytes[0]->len + bytes[1]->len;
	if ((p = malloc(len)) == NULL) {
		*to = (struct rk_reply){ .code = RK_ENOMEM };
		return RK_ENOMEM;
	}
	to->owned = p;
	for (size_t i = 0; i <= VIEWS; i++) {
		if (views[i]->len != 0)
			memcpy(p, views[i]->ptr, views[i]->len);
		views[i]->ptr = (const char *)p;
		p += views[i]->len;
	}
	for (size_t i = 0; i < 2; i++) {
		if (bytes[i]->len != 0)
			memcpy(p, bytes[i]->ptr, bytes[i]->len);
		bytes[i]->ptr = p;
		p += bytes[i]->len;
	}
	return RK_OK;
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct held *h = arg;

	(void)c;
	/* Out of memory is the code of what was made of it. */
	(void)keep(reply, h->reply);
	h->calls = false;
}

/* As the library has it for its blocking calls. */
static void
describe(const struct held *h, const char *method, const struct rk_reply *reply,
    struct rk_error *err)
{
	const char *detail = rk_err_text(reply->code);
	char remote[RK_ERROR_TEXT_LEN / 2], name[RK_NAME_MAX + 1];

	if (reply->code == RK_EREMOTE)
		detail = rk_escape(remote, sizeof(remote),
		    reply->remote_error.ptr, reply->remote_error.len);
	else if (reply->code == h->t.ended.code)
		detail = h->t.ended.text;
	(void)err_set(err, reply->code, "%s: %s",
	    rk_escape(name, sizeof(name), method, strlen(method)), detail);
	if (err != NULL)
		err->step = "call";
}

enum rk_err
held_call(struct held *h, const struct rk_request *req, struct rk_reply *reply,
    struct rk_error *err)
{
	uint64_t id = 0;
	enum rk_err r;

	*reply = (struct rk_reply){ .code = RK_EFAIL };
	err_clear(err);
	h->reply = reply;
	r = rk_client_submit(h->t.client, req, on_reply, h, &id);
	h->calls = r == RK_OK;
	if (r != RK_OK)
		reply->code = r;
	while (h->calls) {
		held_turn(h, -1);
		if (!h->calls || !held_interrupted())
			continue;
		held_forget_interrupt();
		(void)held_canceled(h);
		/* Gone already is as good. */
		(void)rk_client_cancel(h->t.client, id);
	}
	h->reply = NULL;
	if (reply->code != RK_OK)
		describe(h, req->method, reply, err);
	return reply->code;
}

/* ---- which one ---- */

bool
caller_has_input(const struct caller *by)
{
	return by != NULL && by->held != NULL && by->held->no_stdin;
}

bool
held_fits(const struct held *h, const struct target *t)
{
	if (!h->is_open || strcmp(h->t.url, t->url) != 0 ||
	    target_tls_mode(&h->t) != target_tls_mode(t))
		return false;
	for (unsigned i = 0; i < SET_COUNT; i++) {
		/* What is of each line, and nothing to the connection. */
		if (i == SET_TIMEOUT || i == SET_CONFIRM)
			continue;
		if (strcmp(h->t.settings.v[i].value, t->settings.v[i].value) !=
		    0)
			return false;
	}
	return true;
}

void
held_close(struct held *h)
{
	if (h->is_open)
		target_close(&h->t);
	h->is_open = h->dials = h->was_up = h->redials = false;
}
