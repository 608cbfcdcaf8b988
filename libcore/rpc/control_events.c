/* What a control pushes: events of connections, of the program, of the log. */
#include "rpc/control_int.h"

#include "base/container.h"
#include "base/error.h"
#include "base/str.h"
#include "rpc/greenpack.h"

#include <stdlib.h>
#include <time.h>

#define EVENT_MAX 8192
#define WAKE_EVERY 64 /* lines */

static const char *const levels[] = {
	[RK_LOG_ERROR] = "error",
	[RK_LOG_WARN] = "warn",
	[RK_LOG_INFO] = "info",
	[RK_LOG_DEBUG] = "debug",
};
#define N_LEVELS (int)(sizeof(levels) / sizeof(levels[0]))

int
control_level(struct rk_str word)
{
	for (int i = 0; i < N_LEVELS; i++) {
		if (strlen(levels[i]) == word.len &&
		    memcmp(levels[i], word.ptr, word.len) == 0)
			return i;
	}
	return -1;
}

const char *
control_level_name(enum rk_log_level level)
{
	return levels[level];
}

static int64_t
wall_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

/* ---- readers ---- */

static void
drop_reader(struct rk_control *c, struct control_reader *r)
{
	r->gone = true;
	if (r->unread != 0)
		return;
	TAILQ_REMOVE(&c->readers, r, link);
	free(r);
}

/* As much of the log as the most curious wants, and calls if anybody does. */
static void
settle(struct rk_control *c)
{
	const struct control_reader *r;
	int most = RK_LOG_INFO;

	TAILQ_FOREACH (r, &c->readers, link) {
		if (!r->gone && r->log > most)
			most = r->log;
	}
	control_calls_settle(c);
	if (!c->stopping)
		log_tap_set(&c->log.tap, (enum rk_log_level)most);
}

static void push_event(
    struct control_reader *r, const uint8_t *event, size_t len);

static void
tell_lost(struct control_reader *r)
{
	struct buf b;
	struct kv k = { .b = &b };
	uint64_t lost = r->lost;

	buf_init(&b, EVENT_MAX);
	kv_map(&k, 3);
	kv_pair_text(&k, "event", "lost");
	kv_pair_time(&k, "time", wall_now());
	kv_pair_uint(&k, "count", lost);
	r->lost = 0;
	if (k.r == RK_OK)
		push_event(r, buf_peek(&b), buf_len(&b));
	if (k.r != RK_OK || r->lost != 0)
		r->lost = lost; /* another time */
	buf_fini(&b);
}

void
control_event_lost(struct control_reader *r, uint64_t n)
{
	r->lost += n;
	if (!r->gone && r->unread < CONTROL_UNREAD / 2)
		tell_lost(r);
}

/* rk_push_fn: it has left, or never will. */
static void
on_pushed(const struct rk_push_report *report, void *arg)
{
	struct control_reader *r = arg;

	r->unread--;
	if (report->closed != 0)
		r->gone = true;
	if (report->refused != 0)
		r->lost++;
	if (r->gone)
		drop_reader(r->end->control, r);
	else if (r->lost != 0 && r->unread < CONTROL_UNREAD / 2)
		tell_lost(r);
}

/* Nothing waits for a slow reader without bound: what is too much is counted.
 */
static void
push_event(struct control_reader *r, const uint8_t *event, size_t len)
{
	struct rk_push_target to = { .to = RK_PUSH_CONN, .conn = r->conn };
	struct rk_push push = { .subject = CONTROL_SUBJECT,
		.payload = event,
		.payload_len = len,
		.timeout = RK_NEVER };

	if (r->unread >= CONTROL_UNREAD ||
	    rk_server_push(r->end->server, &to, &push, on_pushed, r) != RK_OK)
		r->lost++;
	else
		r->unread++;
}

static bool
wants(const struct control_reader *r, int what)
{
	if (what == CONTROL_OF_CONNS)
		return r->conns;
	return what == CONTROL_OF_TRUST ? r->trust : what <= r->log;
}

void
control_event_push(struct rk_control *c, const struct kv *k, int what)
{
	struct control_reader *r;

	if (k->r != RK_OK)
		return;
	TAILQ_FOREACH (r, &c->readers, link) {
		if (!r->gone && wants(r, what))
			push_event(r, buf_peek(k->b), buf_len(k->b));
	}
}

void
control_event_to(struct control_reader *r, const struct kv *k)
{
	if (k->r == RK_OK)
		push_event(r, buf_peek(k->b), buf_len(k->b));
}

/* ---- connections ---- */

void
control_event_begin(
    struct kv *k, struct buf *b, uint32_t more, const char *event)
{
	buf_init(b, EVENT_MAX);
	*k = (struct kv){ .b = b };
	kv_map(k, 2 + more);
	kv_pair_text(k, "event", event);
	kv_pair_time(k, "time", wall_now());
}

static void
put_who(struct kv *k, const struct admission *a)
{
	const struct rk_peer *p = &a->peer;

	kv_pair_uint(k, "id", a->id);
	kv_pair_text(k, "address", a->remote);
	kv_pair_text(k, "email", p->proven ? p->cert.email : "");
	kv_pair_text(k, "fingerprint", p->proven ? p->cert.fp : "");
	kv_pair_text(k, "cn", p->proven ? p->cert.cn : "");
}

static void
on_opened(struct server_watch *w, const struct admission *a)
{
	struct rk_control *c = control_of(w);
	struct kv k;
	struct buf b;

	control_crl_opened(c, a);
	if (TAILQ_EMPTY(&c->readers))
		return;
	control_event_begin(&k, &b, 6, "opened");
	put_who(&k, a);
	kv_pair_text(&k, "transport", a->peer.transport);
	control_event_push(c, &k, CONTROL_OF_CONNS);
	buf_fini(&b);
}

static void
push_closed(struct rk_control *c, const struct admission *a, const char *why)
{
	struct kv k;
	struct buf b;

	if (TAILQ_EMPTY(&c->readers))
		return;
	control_event_begin(&k, &b, 6, "closed");
	put_who(&k, a);
	kv_pair_text(&k, "why", why);
	control_event_push(c, &k, CONTROL_OF_CONNS);
	buf_fini(&b);
}

static void
on_closed(struct server_watch *w, const struct admission *a, const char *why)
{
	struct rk_control *c = control_of(w);

	push_closed(c, a, why);
	control_crl_closed(c, a);
}

static void
on_refused(struct server_watch *w, const char *remote, const char *why)
{
	struct rk_control *c = control_of(w);
	struct kv k;
	struct buf b;

	if (TAILQ_EMPTY(&c->readers))
		return;
	control_event_begin(&k, &b, 2, "refused");
	kv_pair_text(&k, "address", remote);
	kv_pair_text(&k, "why", why);
	control_event_push(c, &k, CONTROL_OF_CONNS);
	buf_fini(&b);
}

void
control_watch(struct rk_control *c)
{
	c->watch.opened = on_opened;
	c->watch.closed = on_closed;
	c->watch.refused = on_refused;
	c->watch.replaced = control_on_replaced;
	c->watch.listed = control_on_listed;
	c->watch.called = control_called;
	c->watch.missed = control_calls_missed;
	TAILQ_INSERT_TAIL(&c->server->watches, &c->watch, link);
	control_calls_settle(c);
}

void
rk_control_event(struct rk_control *c, const char *event, const char *text)
{
	char word[65], line[1025];
	struct kv k;
	struct buf b;

	(void)str_copy(word, sizeof(word), event);
	(void)str_copy(line, sizeof(line), text);
	control_event_begin(&k, &b, 1, word);
	kv_pair_text(&k, "text", line);
	control_event_push(c, &k, CONTROL_OF_CONNS);
	buf_fini(&b);
}

/* ---- connections of the sockets themselves ---- */

static void
on_end_opened(struct server_watch *w, const struct admission *a)
{
	(void)w;
	(void)a;
}

static void
on_end_refused(struct server_watch *w, const char *remote, const char *why)
{
	(void)w;
	(void)remote;
	(void)why;
}

static void
on_end_closed(
    struct server_watch *w, const struct admission *a, const char *why)
{
	struct control_end *e = container_of(w, struct control_end, watch);
	struct rk_control *c = e->control;
	struct control_reader *r = TAILQ_FIRST(&c->readers), *next;

	(void)why;
	for (; r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (r->end == e && r->conn == a->id)
			drop_reader(c, r);
	}
	control_upload_drop(e, a->id);
	settle(c);
}

void
control_watch_end(struct control_end *e)
{
	e->watch.opened = on_end_opened;
	e->watch.closed = on_end_closed;
	e->watch.refused = on_end_refused;
	TAILQ_INSERT_TAIL(&e->server->watches, &e->watch, link);
}

/* ---- the log ---- */

static void
put_line(struct kv *k, const struct control_line *l)
{
	kv_pair_uint(k, "seq", l->seq);
	kv_pair_time(k, "time", l->sec);
	kv_pair_text(k, "level", levels[l->level]);
	kv_pair_text(k, "subsystem", l->subsystem);
	kv_pair_text(k, "text", l->text);
}

static void
show_line(struct rk_control *c, const struct control_line *l)
{
	struct buf b;
	struct kv k = { .b = &b };

	buf_init(&b, EVENT_MAX);
	kv_map(&k, 6);
	kv_pair_text(&k, "event", "log");
	put_line(&k, l);
	control_event_push(c, &k, (int)l->level);
	buf_fini(&b);
}

/* What is kept is what is usual; details are for who asked for them. */
static void
keep_line(struct control_log *g, struct control_line *l)
{
	struct control_line *old;

	if (l->level > RK_LOG_INFO) {
		free(l);
		return;
	}
	TAILQ_INSERT_TAIL(&g->recent, l, link);
	if (++g->n_recent <= CONTROL_RECENT)
		return;
	old = TAILQ_FIRST(&g->recent);
	TAILQ_REMOVE(&g->recent, old, link);
	g->n_recent--;
	free(old);
}

static void
on_lines(struct mail *m)
{
	struct rk_control *c = container_of(m, struct rk_control, log.mail);
	struct control_lines now = TAILQ_HEAD_INITIALIZER(now);
	struct control_line *l;
	struct control_reader *r;
	uint64_t dropped;

	(void)pthread_mutex_lock(&c->log.lock);
	TAILQ_CONCAT(&now, &c->log.queue, link);
	c->log.n_queue = 0;
	dropped = c->log.dropped;
	c->log.dropped = 0;
	(void)pthread_mutex_unlock(&c->log.lock);
	while ((l = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, l, link);
		show_line(c, l);
		keep_line(&c->log, l);
	}
	TAILQ_FOREACH (r, &c->readers, link) {
		if (r->log >= 0)
			r->lost += dropped;
	}
}

/* rk_log_fn: any thread.  Not every line wakes the loop: what is logged about
 * just that would never end.  Where the first could not, for want of memory,
 * later ones try again. */
static void
on_line(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	struct control_log *g = arg;
	size_t len = strlen(line);
	struct control_line *l = malloc(sizeof(*l) + len + 1);
	bool wakes = false;

	if (l == NULL)
		return;
	l->level = level;
	l->sec = wall_now();
	l->subsystem = subsystem;
	memcpy(l->text, line, len + 1);
	(void)pthread_mutex_lock(&g->lock);
	if (g->n_queue < CONTROL_QUEUE) {
		wakes = g->n_queue % WAKE_EVERY == 0;
		TAILQ_INSERT_TAIL(&g->queue, l, link);
		l->seq = ++g->seq;
		g->n_queue++;
		l = NULL;
	} else {
		g->dropped++;
	}
	(void)pthread_mutex_unlock(&g->lock);
	free(l);
	if (wakes)
		mailbox_put(g->box, &g->mail);
}

enum rk_err
control_log_open(struct rk_control *c)
{
	struct control_log *g = &c->log;
	enum rk_err r;

	if ((r = mailbox_new(c->server->loop, &g->box)) != RK_OK)
		return r;
	g->mail.fn = on_lines;
	g->tap.fn = on_line;
	g->tap.arg = g;
	g->tap.level = RK_LOG_INFO;
	log_tap_add(&g->tap);
	return RK_OK;
}

void
control_log_close(struct rk_control *c)
{
	if (c->log.box != NULL)
		log_tap_remove(&c->log.tap);
}

void
control_events_init(struct rk_control *c)
{
	TAILQ_INIT(&c->readers);
	TAILQ_INIT(&c->log.queue);
	TAILQ_INIT(&c->log.recent);
	(void)pthread_mutex_init(&c->log.lock, NULL); /* plain: cannot fail */
}

static void
free_lines(struct control_lines *lines)
{
	struct control_line *l;

	while ((l = TAILQ_FIRST(lines)) != NULL) {
		TAILQ_REMOVE(lines, l, link);
		free(l);
	}
}

void
control_events_fini(struct rk_control *c)
{
	struct control_reader *r;

	mailbox_free(c->log.box);
	while ((r = TAILQ_FIRST(&c->readers)) != NULL) {
		TAILQ_REMOVE(&c->readers, r, link);
		free(r);
	}
	free_lines(&c->log.queue);
	free_lines(&c->log.recent);
	(void)pthread_mutex_destroy(&c->log.lock);
}

/* ---- the methods ---- */

/* Its words are optional; an unknown one is a newer program's. */
enum rk_err
control_read_wishes(struct rk_bytes p, struct control_reader *r)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	struct rk_str key, word;
	uint32_t n = 0;
	enum rk_err e = RK_OK;

	if (p.len != 0 && control_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	while (e == RK_OK && n-- > 0) {
		if ((e = gp_get_key(&g, &key)) != RK_OK)
			break;
		if (key.len == 3 && memcmp(key.ptr, "log", 3) == 0) {
			e = gp_get_str(&g, &word);
			r->log = e == RK_OK ? control_level(word) : -1;
			if (r->log < 0)
				e = RK_EPROTO;
		} else if (key.len == 5 && memcmp(key.ptr, "conns", 5) == 0) {
			e = gp_get_bool(&g, &r->conns);
		} else if (key.len == 5 && memcmp(key.ptr, "trust", 5) == 0) {
			e = gp_get_bool(&g, &r->trust);
		} else if (key.len == 5 && memcmp(key.ptr, "calls", 5) == 0) {
			e = gp_get_bool(&g, &r->calls);
		} else if (str_is(key, "of")) {
			e = gp_get_uint(&g, &r->of);
		} else {
			e = gp_skip(&g);
		}
	}
	return e;
}

static struct control_reader *
find_reader(struct control_end *e, uint64_t conn)
{
	struct control_reader *r;

	TAILQ_FOREACH (r, &e->control->readers, link) {
		if (!r->gone && r->end == e && r->conn == conn)
			return r;
	}
	return NULL;
}

void
control_on_events(struct rk_call *call, void *arg)
{
	struct control_end *e = arg;
	struct control_reader wish = {
		.end = e, .log = -1, .conns = true, .trust = true
	};
	struct control_reader *r;

	wish.conn = rk_call_conn_id(call);
	if (control_read_wishes(rk_call_payload(call), &wish) != RK_OK) {
		(void)rk_call_fail(call,
		    "it takes {log: error|warn|info|debug, conns: yes or no, "
		    "trust: yes or no, calls: yes or no, of: a "
		    "connection's id}",
		    NULL, 0);
		return;
	}
	r = find_reader(e, wish.conn);
	if (r != NULL) {
		r->log = wish.log;
		r->conns = wish.conns;
		r->trust = wish.trust;
		r->calls = wish.calls;
		r->of = wish.of;
	} else if ((r = malloc(sizeof(*r))) != NULL) {
		*r = wish;
		TAILQ_INSERT_TAIL(&e->control->readers, r, link);
	} else {
		(void)rk_call_fail(call, "out of memory", NULL, 0);
		return;
	}
	settle(e->control);
	(void)rk_call_reply(call, NULL, 0);
}

void
control_on_log(struct rk_call *call, void *arg)
{
	const struct control_end *e = arg;
	const struct control_log *g = &e->control->log;
	const struct control_line *l;
	struct buf b;
	struct kv k = { .b = &b };

	buf_init(&b, RK_PAYLOAD_MAX);
	kv_array(&k, (uint32_t)g->n_recent);
	TAILQ_FOREACH (l, &g->recent, link) {
		kv_map(&k, 5);
		put_line(&k, l);
	}
	control_answer(call, &k);
}
