/* The agent's state: keys that are open, and requests that wait for a yes. */
#include "agent_int.h"

#include <stdlib.h>

#include <rpckit/secret.h>

#include "base/error.h"
#include "base/str.h"

/* Numbers of requests begin somewhere: one that was left of another agent, in a
 * dialog or on a screen, is not that of another question here.  All have as
 * many digits for long. */
#define FIRST_NUMBER 100000000u
#define FIRST_NUMBERS 800000000u

static uint32_t
some_number(void)
{
	uint32_t n;

	rk_random(&n, sizeof(n));
	return FIRST_NUMBER + n % FIRST_NUMBERS;
}

enum rk_err
agent_new(const struct agent_conf *conf, struct agent **out)
{
	struct agent *a;

	*out = NULL;
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return RK_ENOMEM;
	a->back = *conf->back;
	(void)str_copy(a->path, sizeof(a->path), conf->path);
	memcpy(a->id, conf->id, sizeof(a->id));
	a->lifetime_ms = conf->lifetime_ms;
	a->last_id = some_number();
	*out = a;
	return RK_OK;
}

void
agent_free(struct agent *a)
{
	if (a == NULL)
		return;
	agent_lock(a);
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		agent_waiting_free(&a->waiting[i]);
	free(a->keys);
	free(a);
}

void
agent_asks_by(struct agent *a, agent_asks_fn *fn, void *arg)
{
	a->asks = fn;
	a->asks_arg = arg;
}

void
agent_asks(const struct agent *a, char out[AGENT_ASKS_MAX])
{
	out[0] = '\0';
	if (a->asks != NULL)
		a->asks(a->asks_arg, out);
}

/* ---- keys ---- */

struct open_key *
agent_key_find(struct agent *a, const char *name)
{
	for (size_t i = 0; i < a->n_keys; i++)
		if (strcmp(a->keys[i].name, name) == 0)
			return &a->keys[i];
	return NULL;
}

enum rk_err
agent_keys_room(struct agent *a, const struct open_key *keys, size_t n)
{
	struct open_key *grown;
	size_t all = a->n_keys;

	for (size_t i = 0; i < n; i++)
		all += agent_key_find(a, keys[i].name) == NULL;
	if (all > AGENT_KEYS_MAX)
		return RK_ELIMIT;
	if (all <= a->keys_cap)
		return RK_OK;
	if ((grown = reallocarray(a->keys, all, sizeof(*grown))) == NULL)
		return RK_ENOMEM;
	a->keys = grown;
	a->keys_cap = all;
	return RK_OK;
}

void
agent_keys_add(struct agent *a, const struct open_key *keys, size_t n)
{
	struct open_key *k;

	for (size_t i = 0; i < n; i++) {
		if ((k = agent_key_find(a, keys[i].name)) == NULL)
			k = &a->keys[a->n_keys++];
		*k = keys[i];
	}
}

/* With its key the last lines of the log can be written, and never after. */
static void
lock_vault(struct agent *a)
{
	struct rk_error err;

	if (agent_log_write(a, AGENT_LOCK_WAIT, &err) != RK_OK)
		agent_log_lose(a, &err);
	a->back.lock(a->back.arg);
}

void
agent_key_close(struct agent *a, struct open_key *k)
{
	size_t at = (size_t)(k - a->keys);

	memmove(k, k + 1, (a->n_keys - at - 1) * sizeof(*k));
	a->n_keys--;
	if (a->n_keys == 0)
		lock_vault(a);
}

bool
agent_is_open(const struct agent *a)
{
	return a->n_keys > 0;
}

void
agent_lock(struct agent *a)
{
	a->n_keys = 0;
	lock_vault(a);
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		if (a->waiting[i].state == WAITING_ASKED ||
		    a->waiting[i].state == WAITING_YES)
			a->waiting[i].state = WAITING_LOCKED;
}

void
agent_failed(struct agent *a, enum rk_err r)
{
	if (r == RK_ESTATE || r == RK_ETAMPERED ||
	    (a->n_keys > 0 && a->back.broken(a->back.arg)))
		agent_lock(a);
}

/* ---- those who wait ---- */

enum rk_err
agent_wait(struct agent *a, const struct order *o, uint64_t now, uint32_t *id)
{
	struct waiting *w = NULL;

	for (size_t i = 0; i < AGENT_WAITING_MAX && w == NULL; i++)
		if (a->waiting[i].state == WAITING_FREE)
			w = &a->waiting[i];
	if (w == NULL)
		return RK_ELIMIT;
	if ((w->order = malloc(sizeof(*w->order) + o->len)) == NULL)
		return RK_ENOMEM;
	*w->order = *o;
	if (o->len > 0)
		memcpy(w->order + 1, o->data, o->len);
	w->order->data = (const uint8_t *)(w->order + 1);
	w->order->asker.binds = NULL; /* may be gone by then */
	w->state = WAITING_ASKED;
	w->until = now + AGENT_WAIT_MS;
	if (++a->last_id == 0)
		a->last_id = 1;
	w->id = a->last_id;
	*id = w->id;
	return RK_OK;
}

struct waiting *
agent_waiting_find(struct agent *a, uint32_t id)
{
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		if (a->waiting[i].state != WAITING_FREE &&
		    a->waiting[i].id == id)
			return &a->waiting[i];
	return NULL;
}

void
agent_waiting_free(struct waiting *w)
{
	free(w->order);
	memset(w, 0, sizeof(*w));
}

void
agent_drop(struct agent *a, uint32_t wait)
{
	struct waiting *w = agent_waiting_find(a, wait);

	if (w != NULL)
		agent_waiting_free(w);
}

bool
agent_waits(
    const struct agent *a, size_t i, uint64_t now, struct agent_waiting *out)
{
	const struct waiting *w = NULL;

	for (size_t at = 0; at < AGENT_WAITING_MAX; at++) {
		if (a->waiting[at].state != WAITING_ASKED)
			continue;
		if (i-- == 0) {
			w = &a->waiting[at];
			break;
		}
	}
	memset(out, 0, sizeof(*out));
	if (w == NULL)
		return false;
	out->id = w->id;
	(void)str_copy(out->name, sizeof(out->name), w->order->name);
	(void)str_copy(out->what, sizeof(out->what), w->order->view.text);
	(void)str_copy(out->who, sizeof(out->who), w->order->asker.who);
	out->left_ms = w->until > now ? w->until - now : 0;
	return true;
}

bool
agent_still_waits(const struct agent *a, uint32_t id)
{
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		if (a->waiting[i].state == WAITING_ASKED &&
		    a->waiting[i].id == id)
			return true;
	return false;
}

enum rk_err
agent_answer(struct agent *a, uint32_t id, bool yes, uint64_t now, uint64_t ms,
    const char *by)
{
	struct waiting *w = agent_waiting_find(a, id);
	struct open_key *k;

	if (w == NULL || w->state != WAITING_ASKED)
		return RK_ENOENT;
	w->state = yes ? WAITING_YES : WAITING_NO;
	w->order->asked = yes;
	(void)str_copy(w->order->by, sizeof(w->order->by), by);
	k = agent_key_find(a, w->order->name);
	/* The name may be another key's by now. */
	if (k != NULL && memcmp(k->pub, w->order->pub, sizeof(k->pub)) != 0)
		k = NULL;
	if (yes && k != NULL && ms > 0) {
		k->yes_until =
		    ms < AGENT_FOREVER - now ? now + ms : AGENT_FOREVER;
		(void)str_copy(k->yes_by, sizeof(k->yes_by), by);
	}
	return RK_OK;
}

/* ---- time ---- */

/* In vain while another process writes; then in a while, or before the next
 * use. */
static void
write_lines(struct agent *a, uint64_t now)
{
	struct rk_error err;
	enum rk_err r;

	if (a->n_lines == 0 || now < a->lines_at + AGENT_LINES_MS)
		return;
	if ((r = agent_log_write(a, 0, &err)) != RK_OK)
		agent_failed(a, r);
	a->lines_at = now;
}

void
agent_tick(struct agent *a, uint64_t now)
{
	for (size_t i = a->n_keys; i > 0; i--)
		if (a->keys[i - 1].until <= now)
			agent_key_close(a, &a->keys[i - 1]);
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		if (a->waiting[i].state == WAITING_ASKED &&
		    a->waiting[i].until <= now)
			a->waiting[i].state = WAITING_LATE;
	write_lines(a, now);
}

uint64_t
agent_next(const struct agent *a)
{
	uint64_t next =
	    a->n_lines > 0 ? a->lines_at + AGENT_LINES_MS : AGENT_FOREVER;

	for (size_t i = 0; i < a->n_keys; i++)
		if (a->keys[i].until < next)
			next = a->keys[i].until;
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++) {
		if (a->waiting[i].state == WAITING_FREE)
			continue;
		/* Decided, while others were answered: at once. */
		if (a->waiting[i].state != WAITING_ASKED)
			return 0;
		if (a->waiting[i].until < next)
			next = a->waiting[i].until;
	}
	return next;
}

enum rk_err
agent_handle(struct agent *a, const struct agent_asker *asker, uint64_t now,
    uint8_t type, struct bytes body, struct buf *reply, uint32_t *wait)
{
	enum rk_err r;

	*wait = 0;
	agent_tick(a, now);
	r = asker->ssh ? agent_ssh(a, asker, now, type, body, reply, wait)
	               : agent_own(a, asker, now, type, body, reply, wait);
	agent_failed(a, RK_OK);
	return r;
}
