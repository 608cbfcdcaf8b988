/* Rows of a tab: picked from the model, filtered, sorted. */
#include "view.h"

#include "paint.h"
#include "words.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	BY_RX,
	BY_TX,
	BY_WHO,
	BY_FROM,
	BY_AGE,
	BY_RUN,
	BY_STATE
};
enum {
	KEYS_BY_SEEN,
	KEYS_BY_WHO,
	KEYS_BY_TRIES,
	KEYS_BY_KEY
};
enum {
	CALLS_BY_AGE,
	CALLS_BY_METHOD,
	CALLS_BY_WHO
};

static const char *const conn_sorts[] = { "rx", "tx", "who", "from", "age",
	"run", "state" };
static const char *const key_sorts[] = { "seen", "who", "tries", "key" };
static const char *const call_sorts[] = { "age", "method", "who" };

const char *const *
view_sorts(enum tab tab, size_t *n)
{
	*n = 0;
	switch (tab) {
	case TAB_CONNS:
		*n = sizeof(conn_sorts) / sizeof(conn_sorts[0]);
		return conn_sorts;
	case TAB_TRUST:
		*n = sizeof(key_sorts) / sizeof(key_sorts[0]);
		return key_sorts;
	case TAB_CALLS:
		*n = sizeof(call_sorts) / sizeof(call_sorts[0]);
		return call_sorts;
	case TAB_KEYS:
	case TAB_LOG:
	case TAB_COUNT:
		break;
	}
	return NULL;
}

/* ---- what rows are of ---- */

static const struct rk_value *
method_list(const struct model *m)
{
	const struct rk_value *v;

	if (m->methods == NULL)
		return NULL;
	v = rk_value_root(m->methods);
	if (v->kind == RK_MAP)
		v = rk_value_get(v, "methods");
	return v != NULL && v->kind == RK_ARRAY ? v : NULL;
}

const struct rk_value *
view_method(const struct model *m, size_t at)
{
	const struct rk_value *list = method_list(m);

	return list == NULL ? NULL : &list->u.list.items[at];
}

const struct model_line *
view_line(const struct model *m, size_t at)
{
	return &m->log[(m->log_first + at) % MODEL_LOG];
}

const struct model_key *
view_key_of(const struct model *m, const struct model_conn *c)
{
	return c->fp[0] == '\0' ? NULL : model_key(m, c->fp);
}

const struct model_key *
view_known_of(const struct model *m, const struct model_key *k)
{
	const struct model_key *known =
	    k->other[0] != '\0' ? model_key(m, k->other) : NULL;

	return known != NULL && known->state == KEY_KNOWN ? known : NULL;
}

bool
view_is_cut(const struct model_key *k)
{
	const size_t len = strlen(k->email);

	return k->other[0] == '\0' && len > 0 && k->email[len - 1] == '~';
}

/* Numbers are a process's own.  It has none until its key is proven. */
static void
conn_id(const struct model *m, const struct model_conn *c, char id[VIEW_ID_LEN])
{
	if (c->id == 0)
		(void)snprintf(id, VIEW_ID_LEN, "w%s", c->address);
	else
		(void)snprintf(id, VIEW_ID_LEN, "c%" PRIu64 ":%" PRIu64,
		    m->process, c->id);
}

static void
call_id(const struct model *m, const struct model_call *c, char id[VIEW_ID_LEN])
{
	(void)snprintf(id, VIEW_ID_LEN, "r%" PRIu64 ":%" PRIu64 ":%" PRIu64,
	    m->process, c->conn, c->id);
}

static void
line_id(const struct model_line *l, char id[VIEW_ID_LEN])
{
	(void)snprintf(
	    id, VIEW_ID_LEN, "l%" PRIu64 ":%" PRIu64, l->process, l->seq);
}

void
view_id(const struct model *m, const struct row *r, char id[VIEW_ID_LEN])
{
	char name[256];

	id[0] = '\0';
	switch (r->kind) {
	case ROW_HEAD:
		(void)snprintf(id, VIEW_ID_LEN, "h%s", r->text);
		break;
	case ROW_CONN:
		conn_id(m, &m->conns[r->at], id);
		break;
	case ROW_KEY:
		(void)snprintf(id, VIEW_ID_LEN, "k%s", m->keys[r->at].fp);
		break;
	case ROW_CALL:
		call_id(m, &m->calls[r->at], id);
		break;
	case ROW_METHOD:
		(void)snprintf(id, VIEW_ID_LEN, "m%s",
		    ctl_text(
		        view_method(m, r->at), "name", name, sizeof(name)));
		break;
	case ROW_FACT:
		(void)snprintf(
		    id, VIEW_ID_LEN, "f%s", m->status.facts[r->at].key);
		break;
	case ROW_ASKED:
		(void)snprintf(
		    id, VIEW_ID_LEN, "a%" PRIu32, m->agent.asked[r->at].id);
		break;
	case ROW_HELD:
		(void)snprintf(
		    id, VIEW_ID_LEN, "o%s", m->agent.held[r->at].name);
		break;
	case ROW_LINE:
		line_id(view_line(m, r->at), id);
		break;
	}
}

/* ---- filter ---- */

static bool
any_holds(const char *const *texts, size_t n, const char *needle)
{
	for (size_t i = 0; i < n; i++) {
		if (paint_holds(texts[i], needle))
			return true;
	}
	return false;
}

static bool
method_holds(const struct rk_value *v, const char *needle)
{
	char name[256], about[512];

	return paint_holds(ctl_text(v, "name", name, sizeof(name)), needle) ||
	       paint_holds(ctl_text(v, "about", about, sizeof(about)), needle);
}

static bool
key_holds(const struct model_key *k, const char *needle)
{
	return any_holds((const char *[]){ k->name, k->address, k->fp, k->ca,
	                     k->note, words_key_state(k->state) },
	    6, needle);
}

static bool
conn_holds(const struct model_conn *c, const char *needle)
{
	return any_holds((const char *[]){ c->email, c->cn, c->address,
	                     c->transport, c->fp, words_conn_state(c) },
	    6, needle);
}

static bool
call_holds(const struct model_call *c, const char *needle)
{
	return any_holds(
	    (const char *[]){ c->method, c->name, c->address, c->file }, 4,
	    needle);
}

static bool
fact_holds(const struct model_fact *f, const char *needle)
{
	return paint_holds(f->key, needle) || paint_holds(f->text, needle);
}

static bool
line_holds(const struct model_line *l, const char *needle)
{
	return any_holds(
	    (const char *[]){ l->text, l->subsystem, words_level(l->level) }, 3,
	    needle);
}

static bool
asked_holds(const struct model_asked *q, const char *needle)
{
	const char *const texts[] = { q->name, q->what, q->who };

	return any_holds(texts, 3, needle);
}

static bool
held_holds(const struct model_held *h, const char *needle)
{
	const char *const texts[] = { h->name, h->last };

	return any_holds(texts, 2, needle);
}

bool
view_holds(const struct model *m, const struct row *r, const char *needle)
{
	switch (r->kind) {
	case ROW_HEAD:
		break;
	case ROW_CONN:
		return conn_holds(&m->conns[r->at], needle);
	case ROW_KEY:
		return key_holds(&m->keys[r->at], needle);
	case ROW_CALL:
		return call_holds(&m->calls[r->at], needle);
	case ROW_METHOD:
		return method_holds(view_method(m, r->at), needle);
	case ROW_FACT:
		return fact_holds(&m->status.facts[r->at], needle);
	case ROW_ASKED:
		return asked_holds(&m->agent.asked[r->at], needle);
	case ROW_HELD:
		return held_holds(&m->agent.held[r->at], needle);
	case ROW_LINE:
		return line_holds(view_line(m, r->at), needle);
	}
	return false;
}

/* ---- collecting ---- */

void
rows_fini(struct rows *r)
{
	free(r->v);
	*r = (struct rows){ 0 };
}

/* One more, unless the filter leaves it out.  Heads always stay. */
static enum rk_err
add(const struct model *m, const struct view *v, struct rows *out,
    struct row row)
{
	size_t cap = out->cap == 0 ? 64 : out->cap * 2;
	struct row *more;

	if (row.kind != ROW_HEAD && v->filter[0] != '\0' &&
	    !view_holds(m, &row, v->filter))
		return RK_OK;
	if (out->n == out->cap) {
		if ((more = realloc(out->v, cap * sizeof(*more))) == NULL)
			return RK_ENOMEM;
		out->v = more;
		out->cap = cap;
	}
	out->v[out->n++] = row;
	return RK_OK;
}

/* ---- order ---- */

struct order {
	const struct model *m;
	const struct view *v;
};

static int
cmp_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Ages: who began later is younger. */
static int
cmp_began(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int
cmp_conns(const struct model_conn *a, const struct model_conn *b, unsigned sort)
{
	switch (sort) {
	case BY_RX:
		return cmp_u64(a->rx, b->rx);
	case BY_TX:
		return cmp_u64(a->tx, b->tx);
	case BY_WHO:
		return strcmp(b->email, a->email);
	case BY_FROM:
		return strcmp(b->address, a->address);
	case BY_AGE:
		return cmp_began(a->began_ms, b->began_ms);
	case BY_RUN:
		return cmp_u64(a->running, b->running);
	case BY_STATE:
		return (b->state > a->state) - (b->state < a->state);
	default:
		return 0;
	}
}

static int
cmp_keys(const struct model_key *a, const struct model_key *b, unsigned sort)
{
	/* A changed key before all others. */
	if ((a->state == KEY_CHANGED) != (b->state == KEY_CHANGED))
		return a->state == KEY_CHANGED ? 1 : -1;
	switch (sort) {
	case KEYS_BY_SEEN:
		return strcmp(a->last_seen, b->last_seen);
	case KEYS_BY_WHO:
		return strcmp(b->email, a->email);
	case KEYS_BY_TRIES:
		return cmp_u64(a->tries, b->tries);
	case KEYS_BY_KEY:
		return strcmp(b->fp, a->fp);
	default:
		return 0;
	}
}

static int
cmp_calls(const struct model_call *a, const struct model_call *b, unsigned sort)
{
	switch (sort) {
	case CALLS_BY_AGE:
		return cmp_began(a->began_ms, b->began_ms);
	case CALLS_BY_METHOD:
		return strcmp(b->method, a->method);
	case CALLS_BY_WHO:
		return strcmp(b->name, a->name);
	default:
		return 0;
	}
}

/* Much, old and the start of the alphabet come first; `down` turns it. */
static int
compare(const void *pa, const void *pb, void *arg)
{
	const struct row *a = pa, *b = pb;
	const struct order *o = arg;
	int c = 0;

	if (a->kind == ROW_CONN)
		c = cmp_conns(
		    &o->m->conns[a->at], &o->m->conns[b->at], o->v->sort);
	else if (a->kind == ROW_KEY)
		c = cmp_keys(
		    &o->m->keys[a->at], &o->m->keys[b->at], o->v->sort);
	else if (a->kind == ROW_CALL)
		c = cmp_calls(
		    &o->m->calls[a->at], &o->m->calls[b->at], o->v->sort);
	if (c == 0)
		return cmp_u64(a->at, b->at);
	return o->v->down ? c : -c;
}

static void
sort(const struct model *m, const struct view *v, struct rows *r, size_t from)
{
	struct order o = { m, v };

	if (r->n - from > 1)
		qsort_r(r->v + from, r->n - from, sizeof(r->v[0]), compare, &o);
}

/* ---- tabs ---- */

/* Those that wait come last: they have no figures to sort by. */
static enum rk_err
conns(const struct model *m, const struct view *v, struct rows *out)
{
	enum rk_err r = RK_OK;
	size_t from;

	for (int waits = 0; waits < 2; waits++) {
		from = out->n;
		for (size_t i = 0; i < m->n_conns && r == RK_OK; i++) {
			if ((m->conns[i].state == MODEL_WAITING) == waits)
				r = add(m, v, out,
				    (struct row){ .kind = ROW_CONN, .at = i });
		}
		sort(m, v, out, from);
	}
	return r;
}

enum section {
	WAITING,
	KNOWN,
	REJECTED,
	SECTIONS
};

static enum section
section_of(enum model_key_state state)
{
	if (words_key_waits(state))
		return WAITING;
	return state == KEY_REJECTED || state == KEY_REVOKED ? REJECTED : KNOWN;
}

static enum rk_err
trust(const struct model *m, const struct view *v, struct rows *out)
{
	static const char *const names[] = { "WAITING", "KNOWN", "REJECTED" };
	enum rk_err r = RK_OK;

	for (enum section s = WAITING; s < SECTIONS && r == RK_OK; s++) {
		size_t head = out->n;

		if (v->show != 0 && v->show - 1 != s)
			continue;
		r = add(m, v, out,
		    (struct row){ .kind = ROW_HEAD, .text = names[s] });
		for (size_t i = 0; i < m->n_keys && r == RK_OK; i++) {
			if (section_of(m->keys[i].state) == s)
				r = add(m, v, out,
				    (struct row){ .kind = ROW_KEY, .at = i });
		}
		if (r != RK_OK)
			return r;
		out->v[head].at = out->n - head - 1;
		sort(m, v, out, head + 1);
	}
	return r;
}

static enum rk_err
calls(const struct model *m, const struct view *v, struct rows *out)
{
	const struct rk_value *list = method_list(m);
	size_t n = list == NULL ? 0 : list->u.list.count, head;
	enum rk_err r;

	r = add(m, v, out, (struct row){ .kind = ROW_HEAD, .text = "RUNNING" });
	for (size_t i = 0; i < m->n_calls && r == RK_OK; i++)
		r = add(m, v, out, (struct row){ .kind = ROW_CALL, .at = i });
	if (r != RK_OK)
		return r;
	out->v[0].at = out->n - 1;
	sort(m, v, out, 1);
	head = out->n;
	r = add(m, v, out, (struct row){ .kind = ROW_HEAD, .text = "METHODS" });
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = add(m, v, out, (struct row){ .kind = ROW_METHOD, .at = i });
	if (r == RK_OK)
		out->v[head].at = out->n - head - 1;
	return r;
}

static enum rk_err
facts(const struct model *m, const struct view *v, struct rows *out)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < m->status.n_facts && r == RK_OK; i++)
		r = add(m, v, out, (struct row){ .kind = ROW_FACT, .at = i });
	return r;
}

static enum rk_err
section(const struct model *m, const struct view *v, struct rows *out,
    const char *text, enum row_kind kind, size_t n)
{
	size_t head = out->n;
	enum rk_err r;

	r = add(m, v, out, (struct row){ .kind = ROW_HEAD, .text = text });
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = add(m, v, out, (struct row){ .kind = kind, .at = i });
	if (r == RK_OK)
		out->v[head].at = out->n - head - 1;
	return r;
}

/* Who waits for a yes comes first, and the daemon's own last. */
static enum rk_err
keys(const struct model *m, const struct view *v, struct rows *out)
{
	const struct model_agent *a = &m->agent;
	enum rk_err r;

	if (!a->there)
		return facts(m, v, out);
	if (a->n_asked > 0 && (r = section(m, v, out, "MAY IT BE USED?",
	                           ROW_ASKED, a->n_asked)) != RK_OK)
		return r;
	if ((r = section(
	         m, v, out, "OPEN IN THE AGENT", ROW_HELD, a->n_held)) != RK_OK)
		return r;
	return section(m, v, out, "OF THE DAEMON", ROW_FACT, m->status.n_facts);
}

static enum rk_err
lines(const struct model *m, const struct view *v, struct rows *out)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < m->n_log && r == RK_OK; i++) {
		if (view_line(m, i)->level <= v->level)
			r = add(m, v, out,
			    (struct row){ .kind = ROW_LINE, .at = i });
	}
	return r;
}

enum rk_err
view_rows(const struct model *m, const struct view *v, struct rows *out)
{
	static enum rk_err (*const all[])(const struct model *,
	    const struct view *,
	    struct rows *) = { conns, trust, calls, keys, lines };

	out->n = 0;
	return all[v->tab](m, v, out);
}
