/* Requests of keyvault itself: look, sign, give, answer. */
#include "agent_turn.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent_only.h"
#include "base/error.h"
#include "base/str.h"
#include "sshsig.h"

#define PAGE (AGENT_REPLY_MAX / 2)

enum rk_err
turn_fail(struct turn *t, enum rk_err code, const char *text)
{
	return agent_refuse(t->asker, code, text, t->reply);
}

enum rk_err
turn_fail_named(
    struct turn *t, enum rk_err code, const char *name, const char *text)
{
	char shown[RECORD_NAME_MAX * 4 + 1];
	char line[RK_ERROR_TEXT_LEN];

	(void)snprintf(line, sizeof(line), "%s: %s",
	    str_escape(shown, sizeof(shown), name), text);
	return turn_fail(t, code, line);
}

enum rk_err
turn_malformed(struct turn *t)
{
	return turn_fail(t, RK_EPROTO, "agent: a request that cannot be read");
}

enum rk_err
turn_number(struct turn *t, uint32_t n)
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
		return turn_malformed(t);
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
		return turn_malformed(t);
	if (agent_answer(t->a, id, yes == 1, t->now, ms, t->asker->who) !=
	    RK_OK)
		return turn_fail(t, RK_ENOENT,
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
		return turn_malformed(t);
	if (!agent_is_open(t->a))
		return turn_fail(t, RK_ENOPASS, "agent: is locked");
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) != RK_OK ||
	    (r = bytes_put_u8(t->reply, 0)) != RK_OK)
		return r;
	r = t->a->back.list(t->a->back.arg, put_listed, &p, &err);
	if (r != RK_OK) {
		buf_uncommit(t->reply, buf_len(t->reply) - at);
		return turn_fail(t, r, err.text);
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
		return turn_malformed(t);
	if (!agent_is_open(t->a))
		return turn_fail(t, RK_ENOPASS, "agent: is locked");
	r = t->a->back.find(t->a->back.arg, name, &rec, &err);
	if (r != RK_OK)
		return turn_fail(t, r, err.text);
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK &&
	    (r = agent_put_record(t->reply, &rec)) == RK_OK)
		agent_end(t->reply, at);
	return r;
}

/* ---- signatures ---- */

static enum rk_err
not_open(struct turn *t, const char *name)
{
	return turn_fail_named(t, RK_ENOPASS, name, "is not open in the agent");
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
		return turn_malformed(t);
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
		return turn_malformed(t);
	if ((k = agent_key_find(t->a, o.name)) == NULL)
		return not_open(t, o.name);
	if (purpose_of_proof(data.at, data.left, k->pub, &o.view) != RK_OK)
		return turn_fail_named(t, RK_EDENIED, o.name,
		    "what is to be signed is nothing that this key may sign");
	o.use = purpose_use(o.view.is);
	/* Its ends may have SSH's keys: what its agent may sign so may we. */
	if (o.view.is == PURPOSE_SESSION && (k->uses & o.use) == 0)
		o.use = k->uses & USE_SSH ? USE_SSH : o.use;
	o.len = data.left;
	o.data = data.at;
	return agent_order(t->a, &o, t->now, t->reply, t->wait);
}

/* What it may be used for by who asks: as it is open, without what was taken
 * from it in the vault since.  RK_ENOENT, RK_EDENIED: it would be in vain. */
static enum rk_err
uses_now(struct turn *t, const char *name, const struct open_key *k,
    uint8_t *uses, struct rk_error *err)
{
	struct record rec;
	unsigned now = k->uses;
	enum rk_err r = t->a->back.find(t->a->back.arg, name, &rec, err);

	*uses = 0;
	if (r == RK_ENOENT)
		return r;
	if (r == RK_OK && memcmp(rec.pub, k->pub, sizeof(k->pub)) != 0)
		return err_set(err, RK_EDENIED,
		    "%s: is another key than the one that was opened",
		    rec.name);
	if (r == RK_OK && rec.expires != 0 &&
	    rec.expires <= (int64_t)time(NULL))
		return err_set(
		    err, RK_EDENIED, "%s: its time is over", rec.name);
	/* Else it shows when it is used. */
	if (r == RK_OK)
		now &= agent_uses(&rec);
	for (unsigned use = USE_FILE; use <= USE_CA; use <<= 1) {
		if (only_refuses(k->only, use, t->asker->program, "") != NULL)
			now &= ~use;
	}
	*uses = (uint8_t)now;
	return RK_OK;
}

/* The public half, for who is to use the key. */
static enum rk_err
tell_public(struct turn *t)
{
	char name[RECORD_NAME_MAX + 1];
	const struct open_key *k;
	struct rk_error err;
	uint8_t more = 0, uses = 0;
	size_t at;
	enum rk_err r;

	if (!agent_get_text(&t->body, name, sizeof(name)) ||
	    (t->body.left > 0 &&
	        (!bytes_get_u8(&t->body, &more) || more != 1)) ||
	    t->body.left != 0)
		return turn_malformed(t);
	if ((k = agent_key_find(t->a, name)) == NULL)
		return not_open(t, name);
	if ((k->uses & USE_GIVEN) != 0)
		return turn_fail_named(
		    t, RK_EINVAL, name, "is no key for signatures");
	if (more != 0 && (r = uses_now(t, name, k, &uses, &err)) != RK_OK)
		return turn_fail(t, r, err.text);
	if ((r = agent_begin(t->reply, AGENT_OK, &at)) == RK_OK &&
	    (r = bytes_put_string(t->reply, k->pub, sizeof(k->pub))) == RK_OK &&
	    (r = bytes_put_u8(t->reply, k->confirm)) == RK_OK &&
	    (more == 0 || (r = bytes_put_u8(t->reply, uses)) == RK_OK))
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
		return turn_malformed(t);
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
		return turn_malformed(t);
	}
	return agent_order(t->a, &o, t->now, t->reply, t->wait);
}

enum rk_err
agent_own(struct agent *a, const struct agent_asker *asker, uint64_t now,
    uint8_t type, struct bytes body, struct buf *reply, uint32_t *wait)
{
	static enum rk_err (*const serve[])(struct turn *) = {
		[AGENT_STATUS] = status,
		[AGENT_UNLOCK] = turn_open,
		[AGENT_LOCK] = turn_close,
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
		return turn_malformed(&t);
	return serve[type](&t);
}
