/* What a control answers: figures and lists; the table of its methods. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "base/str.h"
#include "rpc/greenpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

void
control_answer(struct rk_call *call, struct kv *k)
{
	if (k->r == RK_OK)
		(void)rk_call_reply(call, buf_peek(k->b), buf_len(k->b));
	else
		(void)rk_call_fail(call,
		    k->r == RK_ETOOBIG ? "too long for one answer"
		                       : rk_err_text(k->r),
		    NULL, 0);
	buf_fini(k->b);
}

/* ---- asking the watched server ---- */

static void
on_survey(enum rk_err r, const struct survey_sum *sum, const struct buf *rows,
    void *arg)
{
	struct control_question *q = arg;
	struct rk_control *c = q->control;

	if (r == RK_OK)
		q->show(q, sum, rows);
	else
		(void)rk_call_fail(q->call, rk_err_text(r), NULL, 0);
	free(q);
	c->surveys--;
	control_settle(c);
}

/* Of a server that does not run there is nothing to be seen. */
void
control_survey(const struct control_end *e, struct rk_call *call,
    enum survey_what what, const struct control_question *wish)
{
	static const struct survey_sum nothing;
	struct control_question *q = malloc(sizeof(*q));
	struct buf none;
	enum rk_err r;

	if (q == NULL) {
		(void)rk_call_fail(call, "out of memory", NULL, 0);
		return;
	}
	*q = *wish;
	q->control = e->control;
	q->call = call;
	if (rk_call_defer(call) == 0) {
		free(q); /* the caller was told */
		return;
	}
	q->control->surveys++;
	r = survey_start(q->control->server, what, &q->target, on_survey, q);
	if (r == RK_OK)
		return;
	buf_init(&none, 1);
	on_survey(r == RK_ESTATE ? RK_OK : r, &nothing, &none, q);
}

/* ---- _.status ---- */

static void
put_address(struct kv *k, const struct addr *a, enum addr_scheme scheme)
{
	char url[ADDR_TEXT_LEN];

	addr_format(a, scheme, url);
	kv_text(k, url);
}

/* All of them, or those that were passed in. */
static void
put_listeners(
    struct kv *k, const char *key, const struct rk_server *s, bool all)
{
	const bool runs = s->state <= SERVER_RUNNING;
	const struct listener *l;
	const struct udp_ports *p;
	uint32_t n = 0;

	TAILQ_FOREACH (l, &s->listeners, link)
		n += all || l->passed;
	TAILQ_FOREACH (p, &s->ports, link)
		n += runs && (all || p->passed);
	kv_text(k, key);
	kv_array(k, n);
	TAILQ_FOREACH (l, &s->listeners, link) {
		if (all || l->passed)
			put_address(k, &l->bound, l->scheme);
	}
	TAILQ_FOREACH (p, &s->ports, link) {
		if (runs && (all || p->passed))
			put_address(k, &p->bound, p->scheme);
	}
}

static void
put_limits(struct kv *k, const struct rk_server_conf *conf)
{
	const uint64_t idle = conf->timeouts.idle;

	kv_text(k, "limits");
	kv_map(k, 7);
	kv_pair_uint(k, "connections", conf->max_conns);
	kv_pair_uint(k, "unproven", conf->max_unproven);
	kv_pair_uint(k, "per_source", conf->max_per_source);
	kv_pair_uint(k, "calls", conf->max_calls);
	kv_pair_uint(k, "queue", conf->max_queue);
	kv_pair_uint(k, "message", RK_PAYLOAD_MAX);
	kv_pair_uint(k, "idle_ms", idle == RK_NEVER ? 0 : idle);
}

static void
put_figures(
    struct kv *k, const struct rk_server *s, const struct survey_sum *sum)
{
	struct rk_server_stats stats;

	rk_server_stats(s, &stats);
	kv_text(k, "connections");
	kv_map(k, 6);
	kv_pair_uint(k, "new", sum->fresh);
	kv_pair_uint(k, "active", sum->active);
	kv_pair_uint(k, "idle", sum->idle);
	kv_pair_uint(k, "closing", sum->closing);
	kv_pair_uint(k, "accepted", stats.accepted);
	kv_pair_uint(k, "refused", stats.refused);
	kv_text(k, "calls");
	kv_map(k, 2);
	kv_pair_uint(k, "running", stats.running);
	kv_pair_uint(k, "begun", stats.calls);
	kv_text(k, "bytes");
	kv_map(k, 2);
	kv_pair_uint(k, "in", sum->bytes_in);
	kv_pair_uint(k, "out", sum->bytes_out);
}

static const char *
state_name(enum server_state state)
{
	static const char *const names[] = {
		[SERVER_NEW] = "new",
		[SERVER_RUNNING] = "running",
		[SERVER_STOPPING] = "stopping",
		[SERVER_STOPPED] = "stopped",
	};

	return names[state];
}

uint64_t
control_up_ms(const struct rk_control *c)
{
	uint64_t now = rk_loop_now(c->server->loop);

	return now > c->begun ? now - c->begun : 0;
}

static void
show_status(struct control_question *q, const struct survey_sum *sum,
    const struct buf *rows)
{
	const struct rk_control *c = q->control;
	struct rk_trust *trust = control_trust(c);
	struct buf b;
	struct kv k = { .b = &b };
	struct utsname host;

	(void)rows;
	if (uname(&host) != 0)
		host.nodename[0] = '\0';
	buf_init(&b, RK_PAYLOAD_MAX);
	kv_map(&k, trust != NULL ? 17 : 16);
	kv_pair_text(&k, "name", c->name);
	kv_pair_text(&k, "version", c->version);
	kv_pair_text(&k, "node", host.nodename);
	kv_pair_text(&k, "library", rk_version());
	kv_pair_uint(&k, "pid", (uint64_t)getpid());
	kv_pair_text(&k, "state", state_name(c->server->state));
	kv_pair_time(&k, "since", c->since);
	kv_pair_uint(&k, "up_ms", control_up_ms(c));
	kv_pair_uint(&k, "threads", c->server->n_workers);
	put_listeners(&k, "listeners", c->server, true);
	put_listeners(&k, "passed_in", c->server, false);
	put_figures(&k, c->server, sum);
	put_limits(&k, &c->server->conf);
	if (trust != NULL)
		control_put_trust(&k, c, trust);
	kv_text(&k, "facts");
	kv_map(&k, (uint32_t)c->n_facts);
	for (size_t i = 0; i < c->n_facts; i++)
		kv_pair_text(&k, c->facts[i]->key, c->facts[i]->text);
	control_answer(q->call, &k);
}

static void
on_status(struct rk_call *call, void *arg)
{
	struct control_question q = { .show = show_status };

	control_survey(arg, call, SURVEY_TOTALS, &q);
}

/* ---- _.conns, _.calls ---- */

static void
show_rows(struct control_question *q, const char *what,
    const struct survey_sum *sum, const struct buf *rows)
{
	struct buf b;
	struct kv k = { .b = &b };

	buf_init(&b, RK_PAYLOAD_MAX);
	kv_map(&k, 2);
	kv_pair_uint(&k, "left_out", sum->left_out);
	kv_text(&k, what);
	kv_array(&k, (uint32_t)sum->rows);
	if (k.r == RK_OK)
		k.r = buf_put(&b, buf_peek(rows), buf_len(rows));
	control_answer(q->call, &k);
}

static void
show_conns(struct control_question *q, const struct survey_sum *sum,
    const struct buf *rows)
{
	show_rows(q, "conns", sum, rows);
}

static void
show_calls(struct control_question *q, const struct survey_sum *sum,
    const struct buf *rows)
{
	show_rows(q, "calls", sum, rows);
}

/* Nothing, or {brief: MS}: of those older than this what moves is enough. */
static enum rk_err
read_brief(struct rk_bytes p, struct survey_target *t)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	struct rk_str key;
	uint32_t n;

	if (p.len == 0)
		return RK_OK;
	if (gp_get_map(&g, &n) != RK_OK || n > 1)
		return RK_EPROTO;
	if (n == 0)
		return RK_OK;
	if (gp_get_key(&g, &key) != RK_OK || !str_is(key, "brief"))
		return RK_EPROTO;
	t->brief = true;
	return gp_get_uint(&g, &t->older_ms);
}

static void
on_conns(struct rk_call *call, void *arg)
{
	struct control_question q = { .show = show_conns };

	if (read_brief(rk_call_payload(call), &q.target) != RK_OK) {
		(void)rk_call_fail(call,
		    "it takes {brief: milliseconds}, or nothing", NULL, 0);
		return;
	}
	control_survey(arg, call, SURVEY_CONNS, &q);
}

static void
on_calls(struct rk_call *call, void *arg)
{
	struct control_question q = { .show = show_calls };

	control_survey(arg, call, SURVEY_CALLS, &q);
}

/* ---- _.metrics ---- */

static void
show_metrics(struct control_question *q, const struct survey_sum *sum,
    const struct buf *rows)
{
	struct buf b;
	struct kv k = { .b = &b };

	(void)rows;
	buf_init(&b, RK_PAYLOAD_MAX);
	k.r = control_put_metrics(&b, q->control, sum);
	control_answer(q->call, &k);
}

static void
on_metrics(struct rk_call *call, void *arg)
{
	struct control_question q = { .show = show_metrics };

	control_survey(arg, call, SURVEY_TOTALS, &q);
}

/* ---- _.serves ---- */

static void
put_method(struct kv *k, const struct rk_method *m, const struct figures *f)
{
	kv_map(k, 5 + (f != NULL ? CONTROL_FIGURES_PAIRS : 0));
	kv_pair_text(k, "name", m->name);
	kv_pair_text(k, "about", m->about != NULL ? m->about : "");
	kv_pair_text(k, "args", m->args != NULL ? m->args : "");
	kv_pair_text(k, "reply", m->reply != NULL ? m->reply : "");
	kv_pair_bool(k, "idempotent", m->idempotent);
	if (f != NULL)
		control_put_figures(k, f);
}

static void
on_serves(struct rk_call *call, void *arg)
{
	const struct control_end *e = arg;
	const struct methods *all = e->control->server->workers[0].methods;
	struct buf b;
	struct kv k = { .b = &b };

	buf_init(&b, RK_PAYLOAD_MAX);
	kv_array(&k, (uint32_t)all->n);
	for (size_t i = 0; i < all->n; i++)
		put_method(
		    &k, &all->list[i], methods_figures(all, &all->list[i]));
	control_answer(call, &k);
}

/* ---- the table ---- */

static bool
may_steer(const struct rk_peer *peer, void *arg)
{
	(void)peer;
	return !((const struct control_end *)arg)->read_only;
}

static const struct rk_method table[] = {
	{ .name = "_.status",
	    .about = "the server: how long, where, how much",
	    .args = "none",
	    .reply = "{name, version, state, up_ms, listeners, connections, "
	             "calls, bytes, limits, facts, ...}",
	    .fn = on_status },
	{ .name = "_.conns",
	    .about = "every connection",
	    .args = "{brief: MS}, or nothing",
	    .reply = "{left_out, conns: [{id, state, address, ...}]}; of "
	             "older ones [id, state, running, calls, failed, bytes_in, "
	             "bytes_out]",
	    .fn = on_conns },
	{ .name = "_.calls",
	    .about = "every call that runs",
	    .args = "none",
	    .reply = "{left_out, calls: [{method, conn, since, ...}]}",
	    .fn = on_calls },
	{ .name = "_.serves",
	    .about = "the methods of the server that is watched",
	    .args = "none",
	    .reply = "[{name, about, args, reply, idempotent}]",
	    .fn = on_serves },
	{ .name = "_.figures",
	    .about = "how often its methods were called, how long it took",
	    .args = "none",
	    .reply = "{left_out, methods: [{name, calls, errors, ...}]}",
	    .fn = control_on_figures },
	{ .name = "_.metrics",
	    .about = "figures for Prometheus",
	    .args = "none",
	    .reply = "text",
	    .fn = on_metrics },
	{ .name = "_.log",
	    .about = "the latest lines of the log",
	    .args = "none",
	    .reply = "[{time, level, subsystem, text}]",
	    .fn = control_on_log },
	{ .name = "_.events",
	    .about = "push what happens from now on",
	    .args = "{log, conns, trust, calls}",
	    .reply = "none",
	    .fn = control_on_events },
	{ .name = "_.trust",
	    .about = "keys that wait, or that were decided about",
	    .args = "{from}, or none",
	    .reply = "{mode, list, known, from, left_out, keys: [{state, "
	             "email, fingerprint, ...}]}",
	    .fn = control_on_trust },
	{ .name = "_.pending",
	    .about = "those of them that wait for a decision",
	    .args = "{from}, or none",
	    .reply = "as _.trust",
	    .fn = control_on_pending },
	{ .name = "_.known",
	    .about = "the keys of the known-keys file",
	    .args = "{from}, or none",
	    .reply = "as _.trust",
	    .fn = control_on_known },
	{ .name = "_.decide",
	    .about = "approve, reject, revoke, replace or forget a key",
	    .args = "{key, verb: approve|once|until|reject|revoke|forget|"
	            "replace|note, version, changed, seconds, by, note, via}",
	    .reply = "what there is about it now",
	    .fn = control_on_decide,
	    .allow = may_steer },
	{ .name = "_.undo",
	    .about = "take back what was decided last about a key",
	    .args = "{key, version, line, via}",
	    .reply = "as _.decide",
	    .fn = control_on_undo,
	    .allow = may_steer },
	{ .name = "_.audit",
	    .about = "the newest decisions, the newest first",
	    .args = "{max, before: id, key}, at most 1000",
	    .reply = "{left_out, lines: [{time, who, what, fingerprint, ...}]}",
	    .fn = control_on_audit },
	{ .name = "_.export",
	    .about = "the keys that are known, as text",
	    .args = "{from, sum}",
	    .reply = "{text, sum, next}",
	    .fn = control_on_export },
	{ .name = "_.import",
	    .about = "make the keys of such a text known",
	    .args = "{text, changed, via}",
	    .reply = "{done, new, known, out, taken, taken_lines, wrong, "
	             "lines}",
	    .fn = control_on_import,
	    .allow = may_steer },
	{ .name = "_.check",
	    .about = "what is wrong about list, store and certificate",
	    .args = "none",
	    .reply = "{ok, left_out, findings: [{wrong, text}]}",
	    .fn = control_on_check },
	{ .name = "_.mode",
	    .about = "what happens to unknown keys from now on",
	    .args = "{mode: file|open|ask|lock|off}",
	    .reply = "none",
	    .fn = control_on_mode,
	    .allow = may_steer },
	{ .name = "_.lock",
	    .about = "take write permission from the known-keys file",
	    .args = "{via} or none",
	    .reply = "none",
	    .fn = control_on_lock,
	    .allow = may_steer },
	{ .name = "_.unlock",
	    .about = "give the file's owner write permission",
	    .args = "{via} or none",
	    .reply = "none",
	    .fn = control_on_unlock,
	    .allow = may_steer },
	{ .name = "_.kick",
	    .about = "end connections",
	    .args = "{conn} or {fp} or {address}",
	    .reply = "{kicked}",
	    .fn = control_on_kick,
	    .allow = may_steer },
	{ .name = "_.cancel",
	    .about = "cancel a call that runs",
	    .args = "{conn, id, via}",
	    .reply = "{canceled, method}",
	    .fn = control_on_cancel,
	    .allow = may_steer },
	{ .name = "_.level",
	    .about = "how much the log says",
	    .args = "{level}",
	    .reply = "none",
	    .fn = control_on_level,
	    .allow = may_steer },
	{ .name = "_.reload",
	    .about = "take new settings",
	    .args = "none",
	    .reply = "the program's",
	    .fn = control_on_reload,
	    .allow = may_steer },
	{ .name = "_.drain",
	    .about = "end when what runs is done",
	    .args = "none",
	    .reply = "the program's",
	    .fn = control_on_drain,
	    .allow = may_steer },
	{ .name = "_.stop",
	    .about = "end now",
	    .args = "none",
	    .reply = "the program's",
	    .fn = control_on_stop,
	    .allow = may_steer },
};
#define N_TABLE (sizeof(table) / sizeof(table[0]))

enum rk_err
control_methods(struct control_end *e, struct rk_error *err)
{
	struct rk_method list[N_TABLE];

	memcpy(list, table, sizeof(list));
	for (size_t i = 0; i < N_TABLE; i++)
		list[i].arg = e;
	return rk_server_methods(e->server, list, N_TABLE, NULL, NULL, err);
}
