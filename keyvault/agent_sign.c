/* A signature: may this one be asked for, must somebody be asked, its making.
 */
#include "agent_int.h"

#include <stdio.h>

#include "base/error.h"
#include "base/ssh.h"
#include "base/str.h"
#include "sshsig.h"

enum rk_err
agent_refuse(const struct agent_asker *asker, enum rk_err code,
    const char *text, struct buf *reply)
{
	size_t at;
	enum rk_err r;

	if (!asker->ssh)
		return agent_put_fail(reply, code, text);
	if ((r = agent_begin(reply, SSH_FAILURE, &at)) == RK_OK)
		agent_end(reply, at);
	return r;
}

/* ---- making it ---- */

static enum rk_err
put_ssh(struct buf *b, const uint8_t sig[RK_KEY_SIG_LEN])
{
	struct buf part;
	size_t at;
	enum rk_err r;

	buf_init(&part, 128);
	if ((r = agent_put_text(&part, "ssh-ed25519")) == RK_OK &&
	    (r = bytes_put_string(&part, sig, RK_KEY_SIG_LEN)) == RK_OK &&
	    (r = agent_begin(b, SSH_SIGN_RESPONSE, &at)) == RK_OK &&
	    (r = bytes_put_string(b, buf_peek(&part), buf_len(&part))) == RK_OK)
		agent_end(b, at);
	buf_fini(&part);
	return r;
}

static enum rk_err
put_own(struct buf *b, const void *sig, size_t len)
{
	size_t at;
	enum rk_err r;

	if ((r = agent_begin(b, AGENT_OK, &at)) == RK_OK &&
	    (r = bytes_put_string(b, sig, len)) == RK_OK)
		agent_end(b, at);
	return r;
}

/* It may lie there until somebody reads it. */
static enum rk_err
put_gift(struct buf *b, const struct rk_secret *gift)
{
	enum rk_err r = buf_guard(b, rk_secret_len(gift) + 16);

	return r != RK_OK
	           ? r
	           : put_own(b, rk_secret_peek(gift), rk_secret_len(gift));
}

static enum rk_err
make(const struct order *o, const struct rk_key *key, struct buf *reply)
{
	uint8_t sig[RK_KEY_SIG_LEN];
	struct rk_secret *text = NULL;
	enum rk_err r;

	if (!o->asker.ssh && o->view.is == PURPOSE_FILE) {
		r = sshsig_make(key, o->context, o->data, &text);
		if (r == RK_OK)
			r = put_own(
			    reply, rk_secret_peek(text), rk_secret_len(text));
		rk_secret_free(text);
		return r;
	}
	rk_key_sign(key, o->data, o->len, sig);
	return o->asker.ssh ? put_ssh(reply, sig)
	                    : put_own(reply, sig, sizeof(sig));
}

/* A use is in the log, on the disk, before the signature leaves; but for
 * handshakes that nobody limits or said yes to. */
static enum rk_err
take_key(struct agent *a, const struct order *o, const struct open_key *k,
    uint64_t now, struct rk_key **key, struct rk_error *err)
{
	bool first = k->left != AGENT_FOREVER || k->confirm || o->asked ||
	             !agent_log_waits(o);
	char text[VAULT_LOG_TEXT_MAX];
	enum rk_err r;

	*key = NULL;
	if ((r = agent_log_room(a, err)) != RK_OK)
		return r;
	if (first) {
		agent_log_describe(o, 1, text);
		agent_log_add(a, VAULT_ACT_SIGN, o->name, text);
	}
	r = a->back.use(a->back.arg, k->name, k->pub, o->use, a->lines,
	    first ? a->n_lines : 0, key, err);
	if (first && r == RK_OK)
		agent_log_written(a);
	else if (first)
		agent_log_take_back(a);
	else if (r == RK_OK)
		agent_log_use(a, o, now);
	return r;
}

static enum rk_err
sign(struct agent *a, const struct order *o, struct open_key *k, uint64_t now,
    struct buf *reply)
{
	struct rk_secret *secret = NULL;
	struct rk_key *key = NULL;
	struct rk_error err;
	enum rk_err r;

	(void)str_copy(k->last, sizeof(k->last), o->asker.who);
	r = o->view.is == PURPOSE_GIVE ? agent_give(a, o, k, &secret, &err)
	                               : take_key(a, o, k, now, &key, &err);
	if (r != RK_OK) {
		if (r == RK_ENOENT || r == RK_EDENIED)
			agent_key_close(a, k);
		else
			agent_failed(a, r);
		return agent_refuse(&o->asker, r, err.text, reply);
	}
	k->used++;
	r = secret != NULL ? put_gift(reply, secret) : make(o, key, reply);
	rk_secret_free(secret);
	rk_key_free(key);
	if (k->left != AGENT_FOREVER && --k->left == 0)
		agent_key_close(a, k);
	return r;
}

/* ---- may it be? ---- */

static enum rk_err
refuse_named(const struct order *o, enum rk_err code, const char *text,
    struct buf *reply)
{
	char shown[RECORD_NAME_MAX * 4 + 1];
	char line[RK_ERROR_TEXT_LEN];

	(void)snprintf(line, sizeof(line), "%s: %s",
	    str_escape(shown, sizeof(shown), o->name), text);
	return agent_refuse(&o->asker, code, line, reply);
}

static const char *
not_for(unsigned use)
{
	switch (use) {
	case USE_FILE:
		return "is not for this use, which takes the tag use:file";
	case USE_TLS:
		return "is not for this use, which takes the tag use:tls";
	case USE_SSH:
		return "is not for this use, which takes the tag use:ssh";
	case USE_CA:
		return "is not for this use, which takes the tag use:ca";
	default:
		return "is not for this use: it is of another kind";
	}
}

/* NULL: it may, as it is open now. */
static const char *
why_not(struct agent *a, const struct order *o, const struct open_key *k)
{
	const char *why;

	if ((k->uses & o->use) == 0)
		return not_for(o->use);
	why = only_refuses(
	    k->only, o->use, o->asker.program, o->afar ? "" : o->host);
	if (why == NULL && o->asker.ssh && !agent_ssh_allows(a, o))
		why = "is not open for this by another of its names";
	return why;
}

/* It is told at once that somebody is asked, where that can be understood. */
static enum rk_err
have_asked(struct agent *a, const struct order *o, uint64_t now,
    struct buf *reply, uint32_t *wait)
{
	char how[AGENT_ASKS_MAX];
	size_t at;
	enum rk_err r;

	r = agent_wait(a, o, now, wait);
	if (r == RK_ELIMIT)
		return refuse_named(
		    o, r, "too many requests wait for an answer", reply);
	if (r != RK_OK || o->asker.ssh)
		return r;
	agent_asks(a, how);
	if ((r = agent_begin(reply, AGENT_WAIT, &at)) != RK_OK ||
	    (r = bytes_put_u32(reply, *wait)) != RK_OK ||
	    (r = bytes_put_u64(reply, AGENT_WAIT_MS)) != RK_OK ||
	    (r = agent_put_text(reply, how)) != RK_OK)
		return r;
	agent_end(reply, at);
	return RK_OK;
}

enum rk_err
agent_order(struct agent *a, struct order *o, uint64_t now, struct buf *reply,
    uint32_t *wait)
{
	struct open_key *k = agent_key_find(a, o->name);
	struct rk_error err;
	const char *why;
	bool asks;

	if (k == NULL && a->back.broken(a->back.arg) &&
	    a->back.look(a->back.arg, &err) != RK_OK)
		return agent_refuse(&o->asker, err.code, err.text, reply);
	if (k == NULL)
		return refuse_named(
		    o, RK_ENOPASS, "is not open in the agent", reply);
	memcpy(o->pub, k->pub, sizeof(o->pub));
	/* Whoever has that machine asks. */
	o->afar = o->asker.binds != NULL && o->asker.binds->forwarded;
	if ((why = why_not(a, o, k)) != NULL)
		return refuse_named(o, RK_EDENIED, why, reply);
	/* A yes for a while was not meant for other machines. */
	asks = o->afar || (k->confirm && k->yes_until <= now);
	if (asks)
		return have_asked(a, o, now, reply, wait);
	if (k->confirm)
		(void)str_copy(o->by, sizeof(o->by), k->yes_by);
	return sign(a, o, k, now, reply);
}

/* A no is written down; that it cannot be does not make it a yes. */
static enum rk_err
say_no(struct agent *a, const struct order *o, enum waiting_state state,
    struct buf *reply)
{
	bool late = state == WAITING_LATE;
	char line[VAULT_LOG_TEXT_MAX];
	struct rk_error err;

	/* Nobody refused it; and there is no log without a key. */
	if (state == WAITING_LOCKED)
		return refuse_named(o, RK_ENOPASS,
		    "the agent was locked before anybody answered", reply);
	(void)snprintf(line, sizeof(line), "agent: %s%.160s: %s, for %s",
	    late ? "nobody answered" : "refused by ", late ? "" : o->by,
	    o->view.text, o->asker.who);
	if (agent_is_open(a) &&
	    agent_log_now(a, VAULT_ACT_REFUSE, o->name, line, &err) != RK_OK)
		log_event(RK_LOG_WARN, "agent", "log: %s", err.text);
	return late ? refuse_named(o, RK_ETIMEOUT,
	                  "nobody answered whether it may be used", reply)
	            : refuse_named(o, RK_EDENIED, "its use was refused", reply);
}

enum rk_err
agent_poll(struct agent *a, uint64_t now, struct buf *reply, uint32_t *wait)
{
	struct waiting *w;
	struct open_key *k;
	const char *why;
	enum rk_err r;

	agent_tick(a, now);
	w = agent_waiting_find(a, *wait);
	if (w != NULL && w->state == WAITING_ASKED)
		return RK_OK;
	*wait = 0;
	if (w == NULL)
		return RK_EPROTO;
	k = agent_key_find(a, w->order->name);
	if (w->state != WAITING_YES)
		r = say_no(a, w->order, w->state, reply);
	else if (k == NULL ||
	         memcmp(k->pub, w->order->pub, sizeof(k->pub)) != 0)
		r = refuse_named(w->order, RK_ENOPASS,
		    "is not open in the agent any more", reply);
	/* It may be open for less than when it was asked for. */
	else if ((why = why_not(a, w->order, k)) != NULL)
		r = refuse_named(w->order, RK_EDENIED, why, reply);
	else
		r = sign(a, w->order, k, now, reply);
	agent_waiting_free(w);
	return r;
}
