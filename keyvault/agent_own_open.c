/* Requests of keyvault itself: keys opened and closed. */
#include "agent_turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/str.h"

/* What is to be opened, and how. */
struct opening {
	struct open_key like; /* all but name, key and uses */
	struct open_key *list;
	size_t n;
	size_t cap;
	int64_t today;
	enum rk_err r;
};

static enum rk_err
take_record(struct opening *o, const struct record *rec)
{
	struct open_key *k;
	struct open_key *grown;
	size_t cap = o->cap == 0 ? 16 : 2 * o->cap;

	if (o->n >= AGENT_KEYS_MAX)
		return RK_ELIMIT;
	if (o->n == o->cap) {
		grown = reallocarray(o->list, cap, sizeof(*grown));
		if (grown == NULL)
			return RK_ENOMEM;
		o->list = grown;
		o->cap = cap;
	}
	k = &o->list[o->n++];
	*k = o->like;
	(void)str_copy(k->name, sizeof(k->name), rec->name);
	memcpy(k->pub, rec->pub, sizeof(k->pub));
	k->uses = agent_uses(rec);
	return RK_OK;
}

static bool
take_any(const struct record *rec, void *arg)
{
	struct opening *o = arg;

	if (rec->kind == RECORD_ED25519 &&
	    (rec->expires == 0 || rec->expires > o->today))
		o->r = take_record(o, rec);
	return o->r == RK_OK;
}

/* Fills reply with what failed. */
static bool
collect_named(struct turn *t, struct opening *o)
{
	char name[RECORD_NAME_MAX + 1];
	struct record rec;
	struct rk_error err;

	while (t->body.left > 0) {
		if (!agent_get_text(&t->body, name, sizeof(name)))
			o->r = turn_malformed(t);
		else if (t->a->back.find(t->a->back.arg, name, &rec, &err) !=
		         RK_OK)
			o->r = turn_fail(t, err.code, err.text);
		else if (rec.expires != 0 && rec.expires <= o->today)
			o->r = turn_fail_named(
			    t, RK_EDENIED, name, "its time is over");
		else if ((o->r = take_record(o, &rec)) == RK_OK)
			continue;
		else
			o->r = turn_fail(t, o->r, rk_err_text(o->r));
		return false;
	}
	return true;
}

static bool
collect(struct turn *t, struct opening *o)
{
	struct rk_error err;
	enum rk_err r;

	o->today = (int64_t)time(NULL);
	if (t->body.left > 0)
		return collect_named(t, o);
	r = t->a->back.list(t->a->back.arg, take_any, o, &err);
	if (r == RK_OK && o->r == RK_OK && o->n > 0)
		return true;
	if (r != RK_OK)
		o->r = turn_fail(t, r, err.text);
	else if (o->r != RK_OK)
		o->r = turn_fail(
		    t, o->r, "more keys than the agent takes: name them");
	else
		o->r =
		    turn_fail(t, RK_ENOENT, "there is no Ed25519 key to open");
	return false;
}

static enum rk_err
open_all(struct turn *t, struct opening *o)
{
	char asks[AGENT_ASKS_MAX];
	struct rk_error err;
	size_t at;
	enum rk_err r;

	if (!collect(t, o))
		return o->r;
	if ((r = agent_keys_room(t->a, o->list, o->n)) != RK_OK)
		return turn_fail(t, r,
		    r == RK_ELIMIT ? "more keys than the agent takes: name them"
		                   : rk_err_text(r));
	if ((r = agent_log_opened(t->a, o->list[0].name, o->n - 1,
	         t->asker->who, &err)) != RK_OK)
		return turn_fail(t, r, err.text);
	agent_keys_add(t->a, o->list, o->n);
	agent_asks(t->a, asks);
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK &&
	    (r = bytes_put_u32(t->reply, (uint32_t)o->n)) == RK_OK &&
	    (r = bytes_put_u8(t->reply, asks[0] != '\0')) == RK_OK)
		agent_end(t->reply, at);
	return r;
}

enum rk_err
turn_open(struct turn *t)
{
	struct opening o = { 0 };
	struct rk_secret *key = NULL;
	struct rk_error err;
	struct bytes id;
	struct bytes bytes;
	uint64_t ms;
	uint8_t confirm;
	enum rk_err r;

	if (!bytes_get_string(&t->body, &id) || id.left != VAULT_ID_LEN ||
	    !bytes_get_string(&t->body, &bytes) ||
	    bytes.left != VAULT_KEY_LEN || !bytes_get_u64(&t->body, &ms) ||
	    !bytes_get_u64(&t->body, &o.like.left) || o.like.left == 0 ||
	    !bytes_get_u8(&t->body, &confirm) || confirm > 1 ||
	    !agent_get_text(&t->body, o.like.only, sizeof(o.like.only)) ||
	    only_fault(o.like.only) != NULL)
		return turn_malformed(t);
	if (ms == 0)
		ms = t->a->lifetime_ms;
	o.like.confirm = confirm == 1;
	o.like.until =
	    ms < AGENT_FOREVER - t->now ? t->now + ms : AGENT_FOREVER;
	if ((r = rk_secret_copy(bytes.at, bytes.left, &key)) != RK_OK)
		return r;
	r = t->a->back.open(t->a->back.arg, id.at, &key, &err);
	r = r != RK_OK ? turn_fail(t, r, err.text) : open_all(t, &o);
	free(o.list);
	if (!agent_is_open(t->a))
		agent_lock(t->a);
	return r;
}

/* Of those that are not open the first is named. */
static enum rk_err
tell_unknown(struct turn *t, const char *name, uint32_t n)
{
	char text[64] = "is not open in the agent";

	if (n > 1)
		(void)snprintf(text, sizeof(text),
		    "and %u more are not open in the agent", n - 1);
	return turn_fail_named(t, RK_ENOENT, name, text);
}

static enum rk_err
tell_lost(struct turn *t)
{
	char lost[AGENT_LOST_MAX];

	agent_log_lost(t->a, lost);
	return turn_fail(t, RK_EIO, lost);
}

/* Whatever is wrong with the rest: who locks wants keys closed. */
enum rk_err
turn_close(struct turn *t)
{
	char first[RECORD_NAME_MAX + 1] = "";
	char name[RECORD_NAME_MAX + 1];
	struct open_key *k;
	uint32_t n = (uint32_t)t->a->n_keys;
	uint32_t unknown = 0;
	uint64_t lost = t->a->lost;

	if (t->body.left == 0)
		agent_lock(t->a);
	else
		n = 0;
	while (t->body.left > 0) {
		if (!agent_get_text(&t->body, name, sizeof(name)))
			return turn_malformed(t);
		if ((k = agent_key_find(t->a, name)) != NULL) {
			agent_key_close(t->a, k);
			n++;
		} else if (unknown++ == 0)
			(void)str_copy(first, sizeof(first), name);
	}
	if (t->a->lost > lost)
		return tell_lost(t);
	return unknown > 0 ? tell_unknown(t, first, unknown)
	                   : turn_number(t, n);
}
