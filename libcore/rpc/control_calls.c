/* What a control pushes of calls: they have begun, they have ended. */
#include "rpc/control_int.h"

static bool
wants_of(const struct control_reader *r, uint64_t conn)
{
	return !r->gone && r->calls && (r->of == 0 || r->of == conn);
}

/* Is there anybody who can take one?  Those who cannot have lost it. */
static bool
has_taker(struct rk_control *c, uint64_t conn)
{
	struct control_reader *r;

	TAILQ_FOREACH (r, &c->readers, link) {
		if (wants_of(r, conn) && r->unread < CONTROL_UNREAD)
			return true;
	}
	TAILQ_FOREACH (r, &c->readers, link) {
		if (wants_of(r, conn))
			control_event_lost(r, 1);
	}
	return false;
}

void
control_calls_missed(struct server_watch *w, uint64_t n)
{
	struct control_reader *r;

	TAILQ_FOREACH (r, &control_of(w)->readers, link) {
		if (r->calls)
			control_event_lost(r, n);
	}
}

void
control_called(struct server_watch *w, const struct call_note *n)
{
	struct rk_control *c = control_of(w);
	struct control_reader *r;
	struct buf b;
	struct kv k;

	if (!has_taker(c, n->conn))
		return;
	control_event_begin(
	    &k, &b, n->ended ? 7 : 5, n->ended ? "ended" : "begun");
	kv_pair_uint(&k, "id", n->number);
	kv_pair_text(&k, "method", n->method);
	kv_pair_uint(&k, "conn", n->conn);
	kv_pair_text(&k, "email", n->email);
	kv_pair_text(&k, "cn", n->cn);
	if (n->ended) {
		kv_pair_uint(&k, "us", n->us);
		kv_pair_text(&k, "error", n->error);
	}
	TAILQ_FOREACH (r, &c->readers, link) {
		if (wants_of(r, n->conn))
			control_event_to(r, &k);
	}
	buf_fini(&b);
}

void
control_calls_settle(struct rk_control *c)
{
	const struct control_reader *r;
	bool wanted = false;

	TAILQ_FOREACH (r, &c->readers, link)
		wanted = wanted || (!r->gone && r->calls);
	c->watch.wants_calls = wanted && !c->stopping;
	call_notes_settle(c->server);
}
