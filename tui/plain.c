/* rpctui --plain: a line for everything that happens, and for what is asked. */
#include "plain_agent.h"
#include "tui.h"
#include "vault.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 256

struct plain {
	const struct out *out;
	struct rk_loop *loop;
	struct feed *feed;
	struct model *model;
	struct rk_watch *in;     /* keys; NULL: none come */
	struct rk_watch *reader; /* of our output, whether it is there */
	char typed[LINE_MAX_LEN];
	size_t n_typed;
	bool skips; /* a line that is too long */
	bool begun; /* the first picture was shown */
	bool online;
	unsigned wanted;   /* of askers, a bit each: they wait for figures */
	int64_t wanted_ms; /* since when */
	int status;
	int signo; /* that ends us; 0: none */
	struct plain_agent agent;
};

static void
end(struct plain *p, int status)
{
	p->status = status;
	rk_loop_stop(p->loop);
}

static void
flush(struct plain *p)
{
	enum rk_err r = out_flush(p->out);

	if (r != RK_OK)
		end(p, rk_err_exit(r));
}

/* ---- lines ---- */

static const char *
wall_now(char dst[32])
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	str_time(dst, now.tv_sec);
	return dst;
}

/* As it came from the daemon, made harmless; "-" for nothing. */
static const char *
shown(char *dst, size_t len, const char *text)
{
	return str_escape_again(dst, len, text[0] == '\0' ? "-" : text);
}

static const char *
member(const struct rk_value *v, const char *key, char *dst, size_t len)
{
	const struct rk_value *text = rk_value_get(v, key);

	if (text == NULL || text->kind != RK_STR || text->u.bytes.len == 0)
		(void)str_copy(dst, len, "-");
	else
		(void)rk_escape(dst, len, (const char *)text->u.bytes.ptr,
		    text->u.bytes.len);
	return dst;
}

static uint64_t
count_of(const struct rk_value *v, const char *key)
{
	const struct rk_value *n = rk_value_get(v, key);

	return n != NULL && n->kind == RK_UINT ? n->u.u64 : 0;
}

static void
say_status(const struct plain *p)
{
	const struct model *m = p->model;
	const struct model_status *s = &m->status;
	char when[32], name[256], version[128], state[64], mode[32];

	out_text(p->out,
	    "%s status %s %s %s, %zu connections, %" PRIu64
	    " calls running, trust %s, %zu keys wait\n",
	    wall_now(when), shown(name, sizeof(name), s->name),
	    shown(version, sizeof(version), s->version),
	    shown(state, sizeof(state), s->state), m->n_conns, s->running,
	    shown(mode, sizeof(mode), s->mode), model_waiting(m));
}

static void
say_waiting(const struct plain *p)
{
	static const char *const words[] = { "new", "changed", "expired" };
	const struct model *m = p->model;
	char email[600], address[300], fp[120], seen[64];

	for (size_t i = 0; i < m->n_keys; i++) {
		const struct model_key *k = &m->keys[i];

		if (k->state > KEY_EXPIRED)
			continue;
		out_text(p->out,
		    "%s waits %s %s from %s %s, %" PRIu64 " tries\n",
		    shown(seen, sizeof(seen), k->last_seen), words[k->state],
		    shown(email, sizeof(email), k->name),
		    shown(address, sizeof(address), k->address),
		    shown(fp, sizeof(fp), k->fp), k->tries);
	}
	if (model_waiting(m) == 0)
		out_text(p->out, "no key waits\n");
}

static void
say_conns(const struct plain *p)
{
	static const char *const words[] = { "new", "active", "idle", "closing",
		"closed", "waiting" };
	const struct model *m = p->model;
	char since[64], email[600], address[300];

	for (size_t i = 0; i < m->n_conns; i++) {
		const struct model_conn *c = &m->conns[i];

		out_text(p->out,
		    "connection %" PRIu64 " %s %s from %s since %s, %" PRIu64
		    " running, %" PRIu64 " calls, %" PRIu64
		    " bytes in, %" PRIu64 " bytes out\n",
		    c->id, words[c->state],
		    shown(email, sizeof(email), c->email),
		    shown(address, sizeof(address), c->address),
		    shown(since, sizeof(since), c->since), c->running, c->calls,
		    c->in, c->out);
	}
	if (m->n_conns == 0)
		out_text(p->out, "no connections\n");
}

static void
say_calls(const struct plain *p)
{
	const struct model *m = p->model;
	char method[600], email[600];

	for (size_t i = 0; i < m->n_calls; i++) {
		const struct model_call *c = &m->calls[i];

		out_text(p->out,
		    "call %s of connection %" PRIu64 " %s, for %" PRId64
		    " ms%s%s\n",
		    shown(method, sizeof(method), c->method), c->conn,
		    shown(email, sizeof(email), c->email),
		    m->calls_ms - c->began_ms, c->stream ? ", stream" : "",
		    c->canceled ? ", canceled" : "");
	}
	if (m->n_calls == 0)
		out_text(p->out, "no calls\n");
}

/* ---- events ---- */

static void
say_conn(const struct plain *p, const struct rk_value *v, const char *head)
{
	char email[600], address[300], fp[120], why[600];

	out_text(p->out, "%s %" PRIu64 " %s from %s %s", head,
	    count_of(v, "id"), member(v, "email", email, sizeof(email)),
	    member(v, "address", address, sizeof(address)),
	    member(v, "fingerprint", fp, sizeof(fp)));
	if (rk_value_get(v, "why") != NULL)
		out_text(p->out, ": %s", member(v, "why", why, sizeof(why)));
	out_text(p->out, "\n");
}

static void
say_key(const struct plain *p, const struct rk_value *v, const char *head)
{
	char state[64], email[600], address[300], fp[120];

	out_text(p->out, "%s %s %s from %s %s, %" PRIu64 " tries\n", head,
	    member(v, "state", state, sizeof(state)),
	    member(v, "email", email, sizeof(email)),
	    member(v, "address", address, sizeof(address)),
	    member(v, "fingerprint", fp, sizeof(fp)), count_of(v, "tries"));
}

static void
say_other(const struct plain *p, const struct rk_value *v, const char *head)
{
	const struct rk_value *trust = rk_value_get(v, "trust");
	char a[64], b[64], address[300], text[2400];

	if (trust != NULL)
		out_text(p->out, "%s %s, list %s\n", head,
		    member(trust, "mode", a, sizeof(a)),
		    member(trust, "list", b, sizeof(b)));
	else if (rk_value_get(v, "level") != NULL)
		out_text(p->out, "%s %s %s %s\n", head,
		    member(v, "level", a, sizeof(a)),
		    member(v, "subsystem", b, sizeof(b)),
		    member(v, "text", text, sizeof(text)));
	else if (rk_value_get(v, "count") != NULL)
		out_text(p->out, "%s %" PRIu64 " events\n", head,
		    count_of(v, "count"));
	else if (rk_value_get(v, "why") != NULL)
		out_text(p->out, "%s %s: %s\n", head,
		    member(v, "address", address, sizeof(address)),
		    member(v, "why", text, sizeof(text)));
	else
		out_text(p->out, "%s %s\n", head,
		    member(v, "text", text, sizeof(text)));
}

/* What is usual and logged is told by other events as well. */
static bool
is_told_twice(const struct rk_value *v, const char *word)
{
	char level[64];

	return strcmp(word, "log") == 0 &&
	       strcmp(member(v, "level", level, sizeof(level)), "info") == 0;
}

/* feed_event_fn */
static void
on_event(const struct rk_value *v, void *arg)
{
	struct plain *p = arg;
	char when[64], word[300], head[400];

	(void)snprintf(head, sizeof(head), "%s %s",
	    member(v, "time", when, sizeof(when)),
	    member(v, "event", word, sizeof(word)));
	if (is_told_twice(v, word))
		return;
	if (rk_value_get(v, "tries") != NULL)
		say_key(p, v, head);
	else if (rk_value_get(v, "id") != NULL)
		say_conn(p, v, head);
	else
		say_other(p, v, head);
	flush(p);
}

static int64_t
now_of(const struct plain *p)
{
	return (int64_t)rk_loop_now(p->loop);
}

/* The agent has something else. */
static void
on_agent(void *arg)
{
	struct plain *p = arg;
	char when[32];

	plain_agent_news(p->out, &p->agent, &p->model->agent, wall_now(when));
	flush(p);
}

/* ---- what is asked ---- */

static void
help(const struct plain *p)
{
	out_text(p->out,
	    "keys, each with Enter: s status, 1 connections, 2 keys that "
	    "wait, 3 calls, 4 keys that are used here, q quit, ? this\n"
	    "to decide and to steer: rpcd ctl trust approve|reject|... FP, "
	    "rpcd ctl kick ID, rpcd ctl help\n");
}

/* Keys that wait for figures. */
static const struct {
	char key;
	void (*say)(const struct plain *p);
} askers[] = {
	{ 's', say_status },
	{ '1', say_conns },
	{ '3', say_calls },
};
#define N_ASKERS (sizeof(askers) / sizeof(askers[0]))

static void
answer(struct plain *p)
{
	const struct model *m = p->model;

	if (p->wanted == 0 || !m->online || m->status.asked_ms < p->wanted_ms ||
	    m->conns_ms < p->wanted_ms || m->calls_ms < p->wanted_ms)
		return;
	for (size_t i = 0; i < N_ASKERS; i++) {
		if ((p->wanted & 1U << i) != 0)
			askers[i].say(p);
	}
	p->wanted = 0;
	flush(p);
}

/* Figures are asked for first; before the daemon is there they come anyway. */
static void
want(struct plain *p, char key)
{
	size_t i = 0;

	while (i < N_ASKERS && askers[i].key != key)
		i++;
	p->wanted |= 1U << i;
	p->wanted_ms = now_of(p);
	feed_ask(p->feed);
}

static void
obey(struct plain *p, const char *line)
{
	char key = line[0];

	if (key == '\0')
		return;
	if (line[1] != '\0' || strchr("s1234q?", key) == NULL)
		out_text(p->out, "no such key; ? has a list\n");
	else if (key == 'q')
		end(p, 0);
	else if (key == '?')
		help(p);
	else if (key == '2')
		say_waiting(p);
	else if (key == '4')
		plain_agent_say(p->out, p->model, now_of(p));
	else
		want(p, key);
	flush(p);
}

static void
take_byte(struct plain *p, char c)
{
	if (c == '\n') {
		p->typed[p->n_typed] = '\0';
		if (!p->skips)
			obey(p, p->typed);
		p->n_typed = 0;
		p->skips = false;
	} else if (c == '\r') {
		return;
	} else if (p->n_typed < sizeof(p->typed) - 1) {
		p->typed[p->n_typed++] = c == '\0' ? '\1' : c;
	} else {
		p->skips = true;
	}
}

static void
on_typed(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct plain *p = arg;
	char bytes[512];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)ready;
	for (ssize_t i = 0; i < n; i++)
		take_byte(p, bytes[i]);
	if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
		return;
	/* The end of it, or a terminal that is another's now. */
	rk_watch_free(w);
	p->in = NULL;
	if (n == 0)
		end(p, 0);
}

/* ---- the daemon comes and goes ---- */

static void
on_changed(void *arg)
{
	struct plain *p = arg;
	const struct model *m = p->model;
	char when[32];

	if (m->online != p->online) {
		p->online = m->online;
		if (m->online)
			out_text(p->out, "%s online\n", wall_now(when));
		else
			out_text(p->out, "%s offline: %s\n", wall_now(when),
			    m->trouble);
		p->begun = p->begun && m->online;
		flush(p);
	}
	if (!p->begun && feed_whole(p->feed)) {
		p->begun = true;
		say_status(p);
		if (model_waiting(m) > 0)
			say_waiting(p);
		flush(p);
	}
	answer(p);
}

/* ---- life ---- */

static void
on_signal(int signo, void *arg)
{
	struct plain *p = arg;

	p->signo = signo;
	rk_loop_stop(p->loop);
}

/* Nobody reads any more. */
static void
on_unread(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	(void)w;
	(void)fd;
	(void)ready;
	on_signal(SIGPIPE, arg);
}

static enum rk_err
set_up(struct plain *p)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct stat st;
	enum rk_err r;

	for (size_t i = 0; i < 3; i++) {
		r = rk_loop_signal(p->loop, signals[i], on_signal, p);
		if (r != RK_OK)
			return r;
	}
	/* In the background a terminal's keys are another's. */
	(void)signal(SIGTTIN, SIG_IGN);
	/* What cannot be waited for, as /dev/null, has no keys. */
	r = rk_watch_new(p->loop, STDIN_FILENO, RK_READ, on_typed, p, &p->in);
	if (r == RK_ENOMEM)
		return r;
	/* Nothing is read there: it is ready when its other end is gone. */
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
		return rk_watch_new(
		    p->loop, STDOUT_FILENO, RK_READ, on_unread, p, &p->reader);
	return RK_OK;
}

int
tui_plain(const struct out *out, struct rk_loop *loop, struct feed *feed,
    struct vault_line *vault, struct model *model)
{
	struct plain p = {
		.out = out, .loop = loop, .feed = feed, .model = model
	};
	enum rk_err r = set_up(&p);

	feed_watch(feed, on_changed, &p);
	feed_on_event(feed, on_event, &p);
	if (vault != NULL)
		vault_watch(vault, on_agent, &p);
	if (r == RK_OK)
		r = rk_loop_run(loop);
	feed_watch(feed, NULL, NULL);
	feed_on_event(feed, NULL, NULL);
	if (vault != NULL)
		vault_watch(vault, NULL, NULL);
	rk_watch_free(p.in);
	rk_watch_free(p.reader);
	if (r != RK_OK)
		return out_fail(out, r, rk_err_text(r), NULL);
	return p.signo != 0 ? 128 + p.signo : p.status;
}
