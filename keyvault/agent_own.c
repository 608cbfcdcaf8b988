/* Requests of keyvault itself: open and close keys, look, sign, answer. */
#include "agent_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "sshsig.h"

#define PAGE (AGENT_REPLY_MAX / 2)

/* One request on its way to an answer. */
struct turn {
	struct agent *a;
	const struct agent_asker *asker;
	uint64_t now;
	struct bytes body;
	struct buf *reply;
	uint32_t *wait;
};

static enum rk_err
fail(struct turn *t, enum rk_err code, const char *text)
{
	return agent_refuse(t->asker, code, text, t->reply);
}

static enum rk_err
fail_named(struct turn *t, enum rk_err code, const char *name, const char *text)
{
	char shown[RECORD_NAME_MAX * 4 + 1];
	char line[RK_ERROR_TEXT_LEN];

	(void)snprintf(line, sizeof(line), "%s: %s",
	    str_escape(shown, sizeof(shown), name), text);
	return fail(t, code, line);
}

/* What no keyvault sends. */
static enum rk_err
malformed(struct turn *t)
{
	return fail(t, RK_EPROTO, "agent: a request that cannot be read");
}

static enum rk_err
tell_number(struct turn *t, uint32_t n)
{
	size_t at;
	enum rk_err r;

	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK &&
	    (r = bytes_put_u32(t->reply, n)) == RK_OK)
		agent_end(t->reply, at);
	return r;
}

/* ---- looking ---- */

static enum rk_err
status(struct turn *t)
{
	struct agent_status s = {
		.version = AGENT_VERSION,
		.pid = (uint32_t)getpid(),
		.open = (uint32_t)t->a->n_keys,
		.swappable = rk_secret_is_swappable(),
	};
	struct rk_error err;
	size_t at;
	enum rk_err r;

	/* Who reads the log asks first. */
	if ((r = agent_log_write(t->a, AGENT_LOCK_WAIT, &err)) != RK_OK)
		log_event(RK_LOG_WARN, "agent", "log: %s", err.text);
	if (r == RK_OK)
		r = t->a->back.look(t->a->back.arg, &err);
	if (r != RK_OK) {
		(void)str_copy(s.fault, sizeof(s.fault), err.text);
		agent_failed(t->a, r);
		s.open = (uint32_t)t->a->n_keys;
	} else
		agent_log_lost(t->a, s.fault);
	memcpy(s.id, t->a->id, sizeof(s.id));
	(void)str_copy(s.path, sizeof(s.path), t->a->path);
	agent_asks(t->a, s.asks);
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK &&
	    (r = agent_put_status(t->reply, &s)) == RK_OK)
		agent_end(t->reply, at);
	return r;
}

static uint64_t
left_until(uint64_t until, uint64_t now)
{
	if (until == AGENT_FOREVER)
		return until;
	return until > now ? until - now : 0;
}

/* Its lines in one, as people read it. */
static void
join_only(const struct open_key *k, char out[AGENT_ONLY_MAX])
{
	char joined[AGENT_ONLY_MAX];
	size_t n = 0;

	for (const char *p = k->only; *p != '\0' && n + 3 < sizeof(joined);
	     p++) {
		joined[n++] = *p == '\n' ? ',' : *p;
		if (*p == '\n')
			joined[n++] = ' ';
	}
	joined[n] = '\0';
	(void)str_escape(out, AGENT_ONLY_MAX, joined);
}

static enum rk_err
put_open(struct turn *t, const struct open_key *k)
{
	struct agent_key out = {
		.left_ms = left_until(k->until, t->now),
		.used = k->used,
		.uses_left = k->left,
		.confirm = k->confirm,
		.yes_ms = left_until(k->yes_until, t->now),
	};

	(void)str_copy(out.name, sizeof(out.name), k->name);
	(void)str_copy(out.last, sizeof(out.last), k->last);
	join_only(k, out.only);
	return agent_put_key(t->reply, &out);
}

static enum rk_err
keys(struct turn *t)
{
	uint32_t from;
	size_t at;
	enum rk_err r;

	if (!bytes_get_u32(&t->body, &from) || t->body.left != 0)
		return malformed(t);
	r = agent_begin(t->reply, AGENT_OK, &at);
	for (size_t i = from;
	     r == RK_OK && i < t->a->n_keys && buf_len(t->reply) < PAGE; i++)
		r = put_open(t, &t->a->keys[i]);
	agent_end(t->reply, at);
	return r;
}

static enum rk_err
waiting(struct turn *t)
{
	struct agent_waiting w;
	size_t at;
	enum rk_err r;

	r = agent_begin(t->reply, AGENT_OK, &at);
	for (size_t i = 0; r == RK_OK && agent_waits(t->a, i, t->now, &w); i++)
		r = agent_put_waiting(t->reply, &w);
	agent_end(t->reply, at);
	return r;
}

static enum rk_err
answer(struct turn *t)
{
	uint32_t id;
	uint8_t yes;
	uint64_t ms;
	size_t at;
	enum rk_err r;

	if (!bytes_get_u32(&t->body, &id) || !bytes_get_u8(&t->body, &yes) ||
	    yes > 1 || !bytes_get_u64(&t->body, &ms) || t->body.left != 0)
		return malformed(t);
	if (agent_answer(t->a, id, yes == 1, t->now, ms, t->asker->who) !=
	    RK_OK)
		return fail(t, RK_ENOENT,
		    "no request of that number waits in this agent");
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK)
		agent_end(t->reply, at);
	return r;
}

/* ---- records, for vaults that hide them ---- */

struct page {
	struct buf *reply;
	char after[RECORD_NAME_MAX + 1];
	bool more;
	enum rk_err r;
};

static bool
put_listed(const struct record *rec, void *arg)
{
	struct page *p = arg;

	if (strcmp(rec->name, p->after) <= 0)
		return true;
	p->more = buf_len(p->reply) >= PAGE;
	if (!p->more)
		p->r = agent_put_record(p->reply, rec);
	return !p->more && p->r == RK_OK;
}

static enum rk_err
list(struct turn *t)
{
	struct page p = { .reply = t->reply };
	struct rk_error err;
	size_t at;
	enum rk_err r;

	if (!agent_get_text(&t->body, p.after, sizeof(p.after)) ||
	    t->body.left != 0)
		return malformed(t);
	if (!agent_is_open(t->a))
		return fail(t, RK_ENOPASS, "agent: is locked");
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) != RK_OK ||
	    (r = bytes_put_u8(t->reply, 0)) != RK_OK)
		return r;
	r = t->a->back.list(t->a->back.arg, put_listed, &p, &err);
	if (r != RK_OK) {
		buf_uncommit(t->reply, buf_len(t->reply) - at);
		return fail(t, r, err.text);
	}
	t->reply->data[t->reply->head + at + 5] = p.more ? 1 : 0;
	agent_end(t->reply, at);
	return p.r;
}

static enum rk_err
find(struct turn *t)
{
	char name[RECORD_NAME_MAX + 1];
	struct record rec;
	struct rk_error err;
	size_t at;
	enum rk_err r;

	if (!agent_get_text(&t->body, name, sizeof(name)) || t->body.left != 0)
		return malformed(t);
	if (!agent_is_open(t->a))
		return fail(t, RK_ENOPASS, "agent: is locked");
	r = t->a->back.find(t->a->back.arg, name, &rec, &err);
	if (r != RK_OK)
		return fail(t, r, err.text);
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK &&
	    (r = agent_put_record(t->reply, &rec)) == RK_OK)
		agent_end(t->reply, at);
	return r;
}

/* ---- opening and closing ---- */

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
			o->r = malformed(t);
		else if (t->a->back.find(t->a->back.arg, name, &rec, &err) !=
		         RK_OK)
			o->r = fail(t, err.code, err.text);
		else if (rec.expires != 0 && rec.expires <= o->today)
			o->r =
			    fail_named(t, RK_EDENIED, name, "its time is over");
		else if ((o->r = take_record(o, &rec)) == RK_OK)
			continue;
		else
			o->r = fail(t, o->r, rk_err_text(o->r));
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
		o->r = fail(t, r, err.text);
	else if (o->r != RK_OK)
		o->r =
		    fail(t, o->r, "more keys than the agent takes: name them");
	else
		o->r = fail(t, RK_ENOENT, "there is no Ed25519 key to open");
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
		return fail(t, r,
		    r == RK_ELIMIT ? "more keys than the agent takes: name them"
		                   : rk_err_text(r));
	if ((r = agent_log_opened(t->a, o->list[0].name, o->n - 1,
	         t->asker->who, &err)) != RK_OK)
		return fail(t, r, err.text);
	agent_keys_add(t->a, o->list, o->n);
	agent_asks(t->a, asks);
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK &&
	    (r = bytes_put_u32(t->reply, (uint32_t)o->n)) == RK_OK &&
	    (r = bytes_put_u8(t->reply, asks[0] != '\0')) == RK_OK)
		agent_end(t->reply, at);
	return r;
}

static enum rk_err
open_keys(struct turn *t)
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
		return malformed(t);
	if (ms == 0)
		ms = t->a->lifetime_ms;
	o.like.confirm = confirm == 1;
	o.like.until =
	    ms < AGENT_FOREVER - t->now ? t->now + ms : AGENT_FOREVER;
	if ((r = rk_secret_copy(bytes.at, bytes.left, &key)) != RK_OK)
		return r;
	r = t->a->back.open(t->a->back.arg, id.at, &key, &err);
	r = r != RK_OK ? fail(t, r, err.text) : open_all(t, &o);
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
	return fail_named(t, RK_ENOENT, name, text);
}

static enum rk_err
tell_lost(struct turn *t)
{
	char lost[AGENT_LOST_MAX];

	agent_log_lost(t->a, lost);
	return fail(t, RK_EIO, lost);
}

/* Whatever is wrong with the rest: who locks wants keys closed. */
static enum rk_err
close_keys(struct turn *t)
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
			return malformed(t);
		if ((k = agent_key_find(t->a, name)) != NULL) {
			agent_key_close(t->a, k);
			n++;
		} else if (unknown++ == 0)
			(void)str_copy(first, sizeof(first), name);
	}
	if (t->a->lost > lost)
		return tell_lost(t);
	return unknown > 0 ? tell_unknown(t, first, unknown)
	                   : tell_number(t, n);
}

/* ---- signatures ---- */

static enum rk_err
not_open(struct turn *t, const char *name)
{
	return fail_named(t, RK_ENOPASS, name, "is not open in the agent");
}

static enum rk_err
sign_file(struct turn *t)
{
	struct order o = { .use = USE_FILE, .asker = *t->asker };
	struct bytes hash;

	if (!agent_get_text(&t->body, o.name, sizeof(o.name)) ||
	    !agent_get_text(&t->body, o.context, sizeof(o.context)) ||
	    sshsig_context_fault(o.context) != NULL ||
	    !bytes_get_string(&t->body, &hash) ||
	    hash.left != CRYPT_HASH512_LEN || t->body.left != 0)
		return malformed(t);
	o.len = hash.left;
	o.data = hash.at;
	purpose_of_file(o.context, "sha512", o.data, &o.view);
	return agent_order(t->a, &o, t->now, t->reply, t->wait);
}

/* What it is for shows in what is to be signed. */
static enum rk_err
sign_proof(struct turn *t)
{
	struct order o = { .asker = *t->asker };
	const struct open_key *k;
	struct bytes data;

	if (!agent_get_text(&t->body, o.name, sizeof(o.name)) ||
	    !bytes_get_string(&t->body, &data) || t->body.left != 0)
		return malformed(t);
	if ((k = agent_key_find(t->a, o.name)) == NULL)
		return not_open(t, o.name);
	if (purpose_of_proof(data.at, data.left, k->pub, &o.view) != RK_OK)
		return fail_named(t, RK_EDENIED, o.name,
		    "what is to be signed is nothing that this key may sign");
	o.use = purpose_use(o.view.is);
	/* Its ends may have SSH's keys: what its agent may sign so may we. */
	if (o.view.is == PURPOSE_SESSION && (k->uses & o.use) == 0)
		o.use = k->uses & USE_SSH ? USE_SSH : o.use;
	o.len = data.left;
	o.data = data.at;
	return agent_order(t->a, &o, t->now, t->reply, t->wait);
}

/* The public half, for who is to use the key. */
static enum rk_err
tell_public(struct turn *t)
{
	char name[RECORD_NAME_MAX + 1];
	const struct open_key *k;
	size_t at;
	enum rk_err r;

	if (!agent_get_text(&t->body, name, sizeof(name)) || t->body.left != 0)
		return malformed(t);
	if ((k = agent_key_find(t->a, name)) == NULL)
		return not_open(t, name);
	if ((k->uses & USE_GIVEN) != 0)
		return fail_named(
		    t, RK_EINVAL, name, "is no key for signatures");
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK &&
	    (r = bytes_put_string(t->reply, k->pub, sizeof(k->pub))) == RK_OK &&
	    (r = bytes_put_u8(t->reply, k->confirm)) == RK_OK)
		agent_end(t->reply, at);
	return r;
}

/* ---- secrets ---- */

/* For who was opened by name, as what it is. */
static enum rk_err
give(struct turn *t)
{
	struct order o = { .asker = *t->asker, .view.is = PURPOSE_GIVE };
	uint8_t as;

	if (!agent_get_text(&t->body, o.name, sizeof(o.name)) ||
	    !bytes_get_u8(&t->body, &as) || t->body.left != 0)
		return malformed(t);
	switch (as) {
	case AGENT_GIFT_PSK:
		o.use = USE_PSK;
		(void)str_copy(o.view.text, sizeof(o.view.text),
		    "given out as a pre-shared key");
		break;
	case AGENT_GIFT_WORD:
		o.use = USE_WORD;
		(void)str_copy(
		    o.view.text, sizeof(o.view.text), "given out as it is");
		break;
	default:
		return malformed(t);
	}
	return agent_order(t->a, &o, t->now, t->reply, t->wait);
}

enum rk_err
agent_own(struct agent *a, const struct agent_asker *asker, uint64_t now,
    uint8_t type, struct bytes body, struct buf *reply, uint32_t *wait)
{
	static enum rk_err (*const serve[])(struct turn *) = {
		[AGENT_STATUS] = status,
		[AGENT_UNLOCK] = open_keys,
		[AGENT_LOCK] = close_keys,
		[AGENT_KEYS] = keys,
		[AGENT_WAITING] = waiting,
		[AGENT_ANSWER] = answer,
		[AGENT_LIST] = list,
		[AGENT_FIND] = find,
		[AGENT_SIGN_FILE] = sign_file,
		[AGENT_SIGN] = sign_proof,
		[AGENT_PUBLIC] = tell_public,
		[AGENT_GIVE] = give,
	};
	struct turn t = {
		.a = a,
		.asker = asker,
		.now = now,
		.body = body,
		.reply = reply,
		.wait = wait,
	};

	if (type >= sizeof(serve) / sizeof(serve[0]) || serve[type] == NULL)
		return malformed(&t);
	return serve[type](&t);
}
