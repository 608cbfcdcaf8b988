/* Keys that servers announce: asked for, noted, told. */
#include "next.h"

#include "advice.h"
#include "base/error.h"
#include "base/str.h"
#include "held.h"

#define LIST_TEXT 200

static bool
is_locked(const struct target *t)
{
	return t->trusting.view.list == RK_TRUST_LOCKED;
}

static void
tell_used(const struct target *t)
{
	const struct trusting *w = &t->trusting;
	char list[LIST_TEXT];

	str_escape(list, sizeof(list), w->path);
	if (is_locked(t))
		out_note(&t->log,
		    "%s: key %s, announced by %s, is in use; %s is locked "
		    "and stays as it is",
		    w->address, w->met.cert.fp, w->view.line.fp, list);
	else
		out_note(&t->log,
		    "%s: key %s, announced by %s, has taken its place in %s",
		    w->address, w->met.cert.fp, w->view.line.fp, list);
}

static void
tell_noted(const struct target *t, const struct rk_next_key *keys, size_t n)
{
	char fp[RK_FP_LEN], list[LIST_TEXT];

	str_escape(list, sizeof(list), t->trusting.path);
	for (size_t i = 0; i < n; i++) {
		rk_fp_of_key(keys[i].pub, fp);
		out_note(&t->log, "%s: next key %s noted in %s",
		    t->trusting.address, fp, list);
	}
	if (n == 0)
		out_note(&t->log, "%s: announces no next key any more",
		    t->trusting.address);
}

static void
tell_failed(const struct target *t, const struct rk_next_key *keys, size_t n,
    const struct rk_error *err)
{
	char fp[RK_FP_LEN] = "none", command[ADVICE_LEN], typed[ADVICE_LEN];
	bool locked = err->code == RK_EUNKNOWNKEY && is_locked(t);

	if (n > 0)
		rk_fp_of_key(keys[0].pub, fp);
	out_warn(&t->log, "%s: next key %s is not noted: %s",
	    t->trusting.address, fp, err->text);
	if (locked)
		out_note(&t->log, "%s, call the server once, and lock it again",
		    advice_typed(&t->log,
		        advice_trust(t, "unlock", NULL, command), typed,
		        sizeof(typed)));
}

static void
on_keys(struct rk_client *c, enum rk_err r, const struct rk_peer *peer,
    const struct rk_next_key *keys, size_t n, void *arg)
{
	struct target *t = arg;
	struct rk_error err;
	bool changed;

	(void)c;
	t->answered |= r == RK_OK || r == RK_ENOMETHOD || r == RK_ETAMPERED;
	held_hide(t);
	if (r == RK_ETAMPERED || r == RK_EFORMAT)
		out_warn(&t->log, "%s: announces a next key without proof",
		    t->trusting.address);
	if (r != RK_OK)
		return; /* it knows nothing of that, or has ended */
	r = rk_servers_next(t->trusting.path, t->trusting.server, peer, keys, n,
	    &changed, &err);
	if (r != RK_OK)
		tell_failed(t, keys, n, &err);
	else if (changed)
		tell_noted(t, keys, n);
}

void
next_ask(struct target *t)
{
	const struct trusting *w = &t->trusting;
	enum rk_err r;

	/* A line without addresses is left as another program wrote it. */
	if (w->want != NULL || (w->how == TRUST_FILE && !w->tied))
		return;
	if (w->next)
		tell_used(t);
	/* Of a key that a locked list has no line of nothing can be noted. */
	if (w->next && is_locked(t))
		return;
	r = rk_client_next_keys(t->client, on_keys, t);
	/* Servers of other makes are not asked. */
	if (r != RK_OK && r != RK_EUNSUPPORTED)
		out_warn(&t->log, "%s: cannot ask for next keys: %s",
		    w->address, rk_err_text(r));
}
