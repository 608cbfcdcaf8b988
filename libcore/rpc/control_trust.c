/* What a control answers about keys, and decisions that it passes on. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "base/str.h"
#include "rpc/greenpack.h"
#include "rpc/topic.h"
#include "trust/policy.h"

#include <stdlib.h>

#define ROWS_MAX (RK_PAYLOAD_MAX - 1024) /* beside the answer's head */
#define KEY_TEXT 128                     /* a fingerprint, blanks in it */

/* ---- refusals ---- */

/* With the code, for who does not want to read. */
static void
refuse(struct rk_call *call, enum rk_err r, const char *text)
{
	struct buf b;
	struct kv k = { .b = &b };

	buf_init(&b, 64);
	kv_map(&k, 1);
	kv_pair_text(&k, "error", rk_err_name(r));
	(void)rk_call_fail(call, text[0] != '\0' ? text : rk_err_text(r),
	    buf_peek(&b), k.r == RK_OK ? buf_len(&b) : 0);
	buf_fini(&b);
}

/* Told, when there is nobody. */
static struct rk_trust *
find_trust(struct rk_call *call, const struct control_end *e)
{
	struct rk_trust *trust = control_trust(e->control);

	if (trust == NULL)
		refuse(
		    call, RK_ESTATE, "nobody decides about this server's keys");
	return trust;
}

/* ---- the mode ---- */

static const char *const modes[] = {
	[RK_TRUST_FILE] = "file",
	[RK_TRUST_LOCK] = "lock",
	[RK_TRUST_OFF] = "off",
	[RK_TRUST_ASK] = "ask",
	[RK_TRUST_ACCEPT_NEW] = "open",
};
#define N_MODES (sizeof(modes) / sizeof(modes[0]))

static bool
is_word(struct rk_str s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.ptr, word, s.len) == 0;
}

/* Three pairs. */
static void
put_list(struct kv *k, struct rk_trust *trust)
{
	static const char *const states[] = {
		[RK_TRUST_ABSENT] = "absent",
		[RK_TRUST_OPEN] = "open",
		[RK_TRUST_LOCKED] = "locked",
	};
	enum rk_trust_state state;
	size_t known = 0;
	bool good = rk_trust_inspect(trust, &state, &known, NULL) == RK_OK;

	kv_pair_text(k, "mode", modes[rk_trust_mode(trust)]);
	kv_pair_text(k, "list", good ? states[state] : "unusable");
	kv_pair_uint(k, "known", good ? known : 0);
}

static bool
is_waiting(enum rk_ask_status s)
{
	return s == RK_ASK_NEW || s == RK_ASK_CHANGED || s == RK_ASK_EXPIRED;
}

void
control_put_trust(struct kv *k, struct rk_trust *trust)
{
	uint64_t waiting = 0, once = 0, rejected = 0, revoked = 0;
	struct rk_ask_entry *e;
	size_t n;

	if (rk_trust_entries(trust, &e, &n) != RK_OK) {
		k->r = RK_ENOMEM;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		waiting += is_waiting(e[i].status);
		once += e[i].status == RK_ASK_ONCE;
		rejected += e[i].status == RK_ASK_REJECTED;
		revoked += e[i].status == RK_ASK_REVOKED;
	}
	free(e);
	kv_text(k, "trust");
	kv_map(k, 7);
	put_list(k, trust);
	kv_pair_uint(k, "waiting", waiting);
	kv_pair_uint(k, "once", once);
	kv_pair_uint(k, "rejected", rejected);
	kv_pair_uint(k, "revoked", revoked);
}

void
control_on_mode(struct rk_call *call, void *arg)
{
	struct rk_trust *trust = find_trust(call, arg);
	struct rk_str word = topic_asked(rk_call_payload(call), "mode");
	struct rk_error err = { 0 };
	size_t i = 0;
	enum rk_err r;

	if (trust == NULL)
		return;
	while (i < N_MODES && !is_word(word, modes[i]))
		i++;
	if (i == N_MODES) {
		refuse(call, RK_EINVAL,
		    "it takes {mode: file, open, ask, lock or off}");
		return;
	}
	r = rk_trust_set_mode(trust, (enum rk_trust_mode)i, &err);
	if (r != RK_OK) {
		refuse(call, r, err.text);
		return;
	}
	log_event(RK_LOG_INFO, "control", "trust is %s now", modes[i]);
	(void)rk_call_reply(call, NULL, 0);
}

static void
set_lock(struct rk_call *call, void *arg, bool lock)
{
	struct rk_trust *trust = find_trust(call, arg);
	struct rk_error err = { 0 };
	enum rk_err r;

	if (trust == NULL)
		return;
	if ((r = policy_lock(trust, lock, &err)) != RK_OK) {
		refuse(call, r, err.text);
		return;
	}
	log_event(RK_LOG_INFO, "control", "the known-keys file is %s now",
	    lock ? "locked" : "unlocked");
	(void)rk_call_reply(call, NULL, 0);
}

void
control_on_lock(struct rk_call *call, void *arg)
{
	set_lock(call, arg, true);
}

void
control_on_unlock(struct rk_call *call, void *arg)
{
	set_lock(call, arg, false);
}

/* ---- lists ---- */

struct rows {
	struct buf b;
	struct kv k;
	uint32_t n;
	uint64_t left_out;
};

static void
begin_rows(struct rows *s)
{
	*s = (struct rows){ .n = 0 };
	buf_init(&s->b, ROWS_MAX);
	s->k.b = &s->b;
}

/* A row that was begun with so many bytes before it: it stays if it fits. */
static void
end_row(struct rows *s, size_t before)
{
	if (s->k.r == RK_OK) {
		s->n++;
		return;
	}
	buf_uncommit(&s->b, buf_len(&s->b) - before);
	if (s->k.r != RK_ETOOBIG)
		return;
	s->k.r = RK_OK;
	s->left_out++;
}

static void
answer_rows(struct rk_call *call, struct rk_trust *trust, struct rows *s)
{
	struct buf b;
	struct kv k = { .b = &b, .r = s->k.r };

	buf_init(&b, RK_PAYLOAD_MAX);
	kv_map(&k, 5);
	put_list(&k, trust);
	kv_pair_uint(&k, "left_out", s->left_out);
	kv_text(&k, "keys");
	kv_array(&k, s->n);
	if (k.r == RK_OK)
		k.r = buf_put(&b, buf_peek(&s->b), buf_len(&s->b));
	buf_fini(&s->b);
	control_answer(call, &k);
}

static void
answer_entries(struct rk_call *call, void *arg, bool all)
{
	struct rk_trust *trust = find_trust(call, arg);
	struct rk_ask_entry *e;
	struct rows s;
	size_t n;

	if (trust == NULL)
		return;
	if (rk_trust_entries(trust, &e, &n) != RK_OK) {
		refuse(call, RK_ENOMEM, "out of memory");
		return;
	}
	begin_rows(&s);
	for (size_t i = 0; i < n && s.k.r == RK_OK; i++) {
		size_t before = buf_len(&s.b);

		if (!all && !is_waiting(e[i].status))
			continue;
		kv_map(&s.k, CONTROL_ENTRY_PAIRS);
		control_put_entry(&s.k, &e[i]);
		end_row(&s, before);
	}
	free(e);
	answer_rows(call, trust, &s);
}

void
control_on_trust(struct rk_call *call, void *arg)
{
	answer_entries(call, arg, true);
}

void
control_on_pending(struct rk_call *call, void *arg)
{
	answer_entries(call, arg, false);
}

/* policy_known_fn */
static void
put_known(const char *fp, const char *emails, const char *host, void *arg)
{
	struct rows *s = arg;
	size_t before = buf_len(&s->b);

	if (s->k.r != RK_OK)
		return;
	kv_map(&s->k, 4);
	kv_pair_text(&s->k, "state", "known");
	kv_pair_text(&s->k, "email", emails);
	kv_pair_text(&s->k, "fingerprint", fp);
	kv_pair_text(&s->k, "address", host);
	end_row(s, before);
}

void
control_on_known(struct rk_call *call, void *arg)
{
	struct rk_trust *trust = find_trust(call, arg);
	struct rk_error err = { 0 };
	struct rows s;
	enum rk_err r;

	if (trust == NULL)
		return;
	begin_rows(&s);
	r = policy_each_known(trust, put_known, &s, &err);
	if (r == RK_OK) {
		answer_rows(call, trust, &s);
		return;
	}
	buf_fini(&s.b);
	refuse(call, r, err.text);
}

/* ---- decisions ---- */

static const char *const verbs[] = {
	[RK_ASK_APPROVE] = "approve",
	[RK_ASK_APPROVE_ONCE] = "once",
	[RK_ASK_REJECT] = "reject",
	[RK_ASK_REVOKE] = "revoke",
	[RK_ASK_FORGET] = "forget",
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct order {
	struct rk_ask_order order;
	char key[KEY_TEXT];
	bool has_verb;
};

static enum rk_err
take_verb(struct gp_reader *g, struct order *o)
{
	struct rk_str word;

	if (gp_get_str(g, &word) != RK_OK)
		return RK_EPROTO;
	for (size_t i = 0; i < N_VERBS; i++) {
		if (!is_word(word, verbs[i]))
			continue;
		o->order.verb = (enum rk_ask_verb)i;
		o->has_verb = true;
		return RK_OK;
	}
	return RK_EPROTO;
}

static enum rk_err
take_key(struct gp_reader *g, struct order *o)
{
	struct rk_str text;

	if (gp_get_str(g, &text) != RK_OK || text.len == 0 ||
	    text.len >= sizeof(o->key) ||
	    memchr(text.ptr, '\0', text.len) != NULL)
		return RK_EPROTO;
	memcpy(o->key, text.ptr, text.len);
	o->key[text.len] = '\0';
	o->order.key = o->key;
	return RK_OK;
}

/* A word that is not understood may be the one that matters. */
static enum rk_err
read_order(struct rk_bytes p, struct order *o)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	enum rk_err r = RK_OK;
	struct rk_str key;
	uint32_t n;

	if (p.len == 0 || gp_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	for (; n > 0 && r == RK_OK; n--) {
		if (gp_get_key(&g, &key) != RK_OK)
			return RK_EPROTO;
		if (is_word(key, "key"))
			r = take_key(&g, o);
		else if (is_word(key, "verb"))
			r = take_verb(&g, o);
		else if (is_word(key, "version"))
			r = gp_get_uint(&g, &o->order.version);
		else if (is_word(key, "changed"))
			r = gp_get_bool(&g, &o->order.changed);
		else
			r = RK_EPROTO;
	}
	return r == RK_OK && o->has_verb && o->order.key != NULL ? RK_OK
	                                                         : RK_EPROTO;
}

void
control_on_decide(struct rk_call *call, void *arg)
{
	struct order o = { .order = { .size = sizeof(o.order) } };
	struct rk_trust *trust = find_trust(call, arg);
	struct rk_ask_entry after;
	struct rk_error err = { 0 };
	struct buf b;
	struct kv k = { .b = &b };
	enum rk_err r;

	if (trust == NULL)
		return;
	if (read_order(rk_call_payload(call), &o) != RK_OK) {
		refuse(call, RK_EINVAL,
		    "it takes {key: SHA256:..., verb: approve, once, reject, "
		    "revoke or forget, version, changed}");
		return;
	}
	r = rk_trust_order(trust, &o.order, &after, &err);
	if (r != RK_OK) {
		refuse(call, r, err.text);
		return;
	}
	log_event(RK_LOG_INFO, "control", "key %s (%s): %s by an operator",
	    after.fp, after.email, verbs[o.order.verb]);
	buf_init(&b, 8192);
	kv_map(&k, CONTROL_ENTRY_PAIRS + 1);
	kv_pair_text(&k, "verb", verbs[o.order.verb]);
	control_put_entry(&k, &after);
	control_answer(call, &k);
}
