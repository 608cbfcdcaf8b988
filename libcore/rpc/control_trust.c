/* What a control answers about keys, and the mode of their list. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "base/str.h"
#include "rpc/greenpack.h"
#include "trust/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the mode ---- */

#define MEMBERS_MAX 32 /* more than any method has */

/* Is this name among the n first of the map? */
static bool
is_repeated(struct gp_reader g, uint32_t n, struct rk_str name)
{
	struct rk_str key;

	for (; n > 0; n--) {
		if (gp_get_key(&g, &key) != RK_OK || gp_skip(&g) != RK_OK ||
		    (key.len == name.len &&
		        memcmp(key.ptr, name.ptr, key.len) == 0))
			return true;
	}
	return false;
}

enum rk_err
control_get_map(struct gp_reader *g, uint32_t *n)
{
	struct gp_reader first, at;
	struct rk_str key;

	if (gp_get_map(g, n) != RK_OK || *n > MEMBERS_MAX)
		return RK_EPROTO;
	first = at = *g;
	for (uint32_t i = 0; i < *n; i++) {
		if (gp_get_key(&at, &key) != RK_OK ||
		    is_repeated(first, i, key) || gp_skip(&at) != RK_OK)
			return RK_EPROTO;
	}
	return RK_OK;
}

/* Three pairs.  out: how many of the keys that have a line are none the less
 * refused. */
static void
put_list(struct kv *k, struct rk_trust *trust, uint64_t out)
{
	static const char *const states[] = {
		[RK_TRUST_ABSENT] = "absent",
		[RK_TRUST_OPEN] = "open",
		[RK_TRUST_LOCKED] = "locked",
	};
	enum rk_trust_state state;
	size_t known = 0;
	bool good = rk_trust_inspect(trust, &state, &known, NULL) == RK_OK;

	kv_pair_text(k, "mode", policy_mode_name(rk_trust_mode(trust)));
	kv_pair_text(k, "list", good ? states[state] : "unusable");
	kv_pair_uint(k, "known", good && known > out ? known - out : 0);
}

static bool
is_waiting(enum rk_ask_status s)
{
	return s == RK_ASK_NEW || s == RK_ASK_CHANGED || s == RK_ASK_EXPIRED;
}

static bool
has_entry(const struct rk_ask_entry *e, size_t n, const char *fp)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(e[i].fp, fp) == 0)
			return true;
	}
	return false;
}

/* Keys that have no entry, but are on the CA's list; and those of them that
 * have a line. */
static uint64_t
count_listed(const struct rk_control *c, struct rk_trust *trust,
    const struct rk_ask_entry *e, size_t n, uint64_t *lines)
{
	struct rk_cert_info cert = { 0 };
	struct rk_ask_entry one;
	uint64_t count = 0;

	*lines = 0;
	for (size_t i = 0; i < c->n_listed; i++) {
		control_crl_entry(c, i, &one);
		if (has_entry(e, n, one.fp))
			continue;
		count++;
		memcpy(cert.pub, one.pub, sizeof(cert.pub));
		memcpy(cert.fp, one.fp, sizeof(cert.fp));
		*lines += policy_knows(trust, &cert);
	}
	return count;
}

void
control_put_trust(
    struct kv *k, const struct rk_control *c, struct rk_trust *trust)
{
	uint64_t waiting = 0, once = 0, rejected = 0, revoked = 0, lines;
	struct rk_ask_entry *e;
	size_t n;

	if (rk_trust_entries(trust, &e, &n) != RK_OK) {
		k->r = RK_ENOMEM;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		waiting += is_waiting(e[i].status);
		once +=
		    e[i].status == RK_ASK_ONCE || e[i].status == RK_ASK_UNTIL;
		rejected += e[i].status == RK_ASK_REJECTED;
		revoked += e[i].status == RK_ASK_REVOKED;
	}
	revoked += count_listed(c, trust, e, n, &lines);
	free(e);
	kv_text(k, "trust");
	kv_map(k, 8);
	put_list(k, trust, lines);
	kv_pair_uint(k, "waiting", waiting);
	kv_pair_uint(k, "turned_away", policy_turned(trust));
	kv_pair_uint(k, "once", once);
	kv_pair_uint(k, "rejected", rejected);
	kv_pair_uint(k, "revoked", revoked);
}

/* {mode: one of them, via: a word}. */
static enum rk_err
read_mode(struct rk_bytes p, enum rk_trust_mode *mode, char *via, size_t len)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	unsigned m = RK_TRUST_ACCEPT_NEW + 1;
	struct rk_str key, word;
	uint32_t n;

	via[0] = '\0';
	if (control_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	for (; n > 0; n--) {
		if (gp_get_key(&g, &key) != RK_OK)
			return RK_EPROTO;
		if (str_is(key, "via")) {
			if (control_take_word(&g, via, len) != RK_OK)
				return RK_EPROTO;
			continue;
		}
		if (!str_is(key, "mode") || gp_get_str(&g, &word) != RK_OK)
			return RK_EPROTO;
		for (m = 0; m <= RK_TRUST_ACCEPT_NEW; m++) {
			if (str_is(
			        word, policy_mode_name((enum rk_trust_mode)m)))
				break;
		}
	}
	*mode = (enum rk_trust_mode)m;
	return m <= RK_TRUST_ACCEPT_NEW ? RK_OK : RK_EPROTO;
}

static enum rk_err
set_mode(const struct control_try *t, struct rk_error *err)
{
	struct rk_trust *trust = control_find_trust(t->call, t->end);
	char who[CONTROL_WHO_LEN], via[17];
	enum rk_trust_mode mode;
	enum rk_err r;

	if (trust == NULL)
		return RK_OK;
	if (read_mode(t->payload, &mode, via, sizeof(via)) != RK_OK) {
		control_refuse(t->call, RK_EINVAL,
		    "it takes {mode: file, open, ask, lock or off}, and via");
		return RK_OK;
	}
	control_who(t->call, via, who);
	if ((r = policy_set_mode(trust, mode, who, err)) != RK_OK)
		return control_not_done(t, r, err);
	log_event(RK_LOG_INFO, "control", "trust is %s now, by %s",
	    policy_mode_name(mode), who);
	(void)rk_call_reply(t->call, NULL, 0);
	return RK_OK;
}

void
control_on_mode(struct rk_call *call, void *arg)
{
	control_in_turn(call, arg, set_mode, false);
}

/* {via: a word}, or nothing. */
static enum rk_err
read_via(struct rk_bytes p, char *via, size_t len)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	struct rk_str key;
	uint32_t n;

	via[0] = '\0';
	if (p.len == 0)
		return RK_OK;
	if (control_get_map(&g, &n) != RK_OK || n > 1)
		return RK_EPROTO;
	if (n == 0)
		return RK_OK;
	if (gp_get_key(&g, &key) != RK_OK || !str_is(key, "via"))
		return RK_EPROTO;
	return control_take_word(&g, via, len);
}

static control_order_fn unlock_it;

static enum rk_err
set_lock(const struct control_try *t, bool lock, struct rk_error *err)
{
	struct rk_trust *trust = control_find_trust(t->call, t->end);
	char who[CONTROL_WHO_LEN], via[17];
	enum rk_err r;

	if (trust == NULL)
		return RK_OK;
	if (read_via(t->payload, via, sizeof(via)) != RK_OK) {
		control_refuse(
		    t->call, RK_EINVAL, "it takes {via}, or nothing");
		return RK_OK;
	}
	control_who(t->call, via, who);
	if ((r = policy_lock(trust, lock, who, err)) != RK_OK)
		return control_not_done(t, r, err);
	log_event(RK_LOG_INFO, "control",
	    "the known-keys file is %s now, by %s",
	    lock ? "locked" : "unlocked", who);
	if (lock)
		control_refuse_those(t->end->control, unlock_it,
		    "the list was locked meanwhile");
	(void)rk_call_reply(t->call, NULL, 0);
	return RK_OK;
}

static enum rk_err
lock_it(const struct control_try *t, struct rk_error *err)
{
	return set_lock(t, true, err);
}

static enum rk_err
unlock_it(const struct control_try *t, struct rk_error *err)
{
	return set_lock(t, false, err);
}

/* Neither list nor store is waited for, nor who waits for them. */
void
control_on_lock(struct rk_call *call, void *arg)
{
	control_at_once(call, arg, lock_it);
}

void
control_on_unlock(struct rk_call *call, void *arg)
{
	control_in_turn(call, arg, unlock_it, false);
}

/* ---- lists ---- */

struct rows {
	struct rk_trust *trust; /* whose entries they are */
	uint64_t from;          /* the row that is the answer's first */
	uint64_t at;            /* the next one's number */
	uint64_t sum;           /* of whose rows there are, in this order */
	struct kv_rows all;
};

#define SUM_START UINT64_C(0xcbf29ce484222325) /* of FNV-1a */
#define SUM_FACTOR UINT64_C(0x100000001b3)

/* {from: rows that were answered before}, or nothing. */
static enum rk_err
read_from(struct rk_bytes p, uint64_t *from)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	struct rk_str key;
	uint32_t n = 0;

	*from = 0;
	if (p.len > 0 && control_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	for (; n > 0; n--) {
		if (gp_get_key(&g, &key) != RK_OK || !str_is(key, "from") ||
		    gp_get_uint(&g, from) != RK_OK)
			return RK_EPROTO;
	}
	return RK_OK;
}

/* False: it was answered, no. */
static bool
begin_rows(struct rk_call *call, struct rk_trust *trust, struct rows *s)
{
	*s = (struct rows){ .trust = trust, .sum = SUM_START };
	if (read_from(rk_call_payload(call), &s->from) != RK_OK) {
		control_refuse(call, RK_EINVAL,
		    "it takes {from: rows that were answered before}, or "
		    "nothing");
		return false;
	}
	kv_rows_begin(&s->all);
	return true;
}

/* The next row is this key's: is it one of an answer before? */
static bool
is_before(struct rows *s, const char *fp)
{
	for (; *fp != '\0'; fp++)
		s->sum = (s->sum ^ (uint8_t)*fp) * SUM_FACTOR;
	return s->at++ < s->from;
}

static void
answer_rows(struct rk_call *call, struct rk_trust *trust, struct rows *s)
{
	struct buf b;
	struct kv k = { .b = &b, .r = s->all.k.r };
	const bool part = s->from != 0 || s->all.left_out != 0;
	char sum[17];

	buf_init(&b, RK_PAYLOAD_MAX);
	kv_map(&k, 5 + (s->from != 0 ? 1U : 0U) + (part ? 1U : 0U));
	put_list(&k, trust, 0);
	(void)snprintf(sum, sizeof(sum), "%016" PRIx64, s->sum);
	if (part)
		kv_pair_text(&k, "sum", sum);
	if (s->from != 0)
		kv_pair_uint(&k, "from", s->from);
	kv_pair_uint(&k, "left_out", s->all.left_out);
	kv_text(&k, "keys");
	kv_array(&k, s->all.n);
	if (k.r == RK_OK)
		k.r = buf_put(&b, buf_peek(&s->all.b), buf_len(&s->all.b));
	buf_fini(&s->all.b);
	control_answer(call, &k);
}

/* What the CA's list says counts, whatever was decided here. */
static void
put_row(struct rows *s, const struct rk_ask_entry *given, bool listed)
{
	struct rk_ask_entry e = *given;
	size_t before = buf_len(&s->all.b);

	if (is_before(s, given->fp))
		return;
	if (listed)
		e.status = RK_ASK_REVOKED;
	kv_map(&s->all.k, CONTROL_ENTRY_PAIRS + (listed ? 1 : 0));
	control_put_entry(&s->all.k, s->trust, &e);
	if (listed)
		kv_pair_text(&s->all.k, "by", "list");
	kv_rows_end(&s->all, before);
}

/* Of keys that wait, or of all others. */
static void
put_entries(struct rows *s, const struct rk_control *c,
    const struct rk_ask_entry *e, size_t n, bool waiting)
{
	for (size_t i = 0; i < n && s->all.k.r == RK_OK; i++) {
		const bool listed = control_crl_has(c, e[i].fp);

		if ((is_waiting(e[i].status) && !listed) == waiting)
			put_row(s, &e[i], listed);
	}
}

/* Of keys that are on the CA's list and have no entry. */
static void
put_listed(struct rows *s, const struct rk_control *c,
    const struct rk_ask_entry *e, size_t n)
{
	struct rk_ask_entry one;

	for (size_t i = 0; i < c->n_listed && s->all.k.r == RK_OK; i++) {
		control_crl_entry(c, i, &one);
		if (!has_entry(e, n, one.fp))
			put_row(s, &one, true);
	}
}

static void
answer_entries(struct rk_call *call, void *arg, bool all)
{
	const struct rk_control *c = ((const struct control_end *)arg)->control;
	struct rk_trust *trust = control_find_trust(call, arg);
	struct rk_ask_entry *e;
	struct rows s;
	size_t n;

	if (trust == NULL || !begin_rows(call, trust, &s))
		return;
	if (rk_trust_entries(trust, &e, &n) != RK_OK) {
		buf_fini(&s.all.b);
		control_refuse(call, RK_ENOMEM, "out of memory");
		return;
	}
	/* Those who wait come first: others are what is left out of a list
	 * that is too long. */
	put_entries(&s, c, e, n, true);
	if (all) {
		put_entries(&s, c, e, n, false);
		put_listed(&s, c, e, n);
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

struct known_rows {
	const struct rk_control *control;
	struct rows rows;
	struct policy_memos *memos;
};

/* policy_known_fn */
static void
put_known(const char *fp, const char *emails, const char *host, void *arg)
{
	struct known_rows *g = arg;
	struct rows *s = &g->rows;
	size_t before = buf_len(&s->all.b);
	const struct rk_ask_entry *memo = policy_memo(g->memos, fp);

	const bool listed = control_crl_has(g->control, fp);
	const uint32_t more = memo != NULL ? 5 + CONTROL_MEMO_PAIRS : 0;

	if (s->all.k.r != RK_OK || is_before(s, fp))
		return;
	kv_map(&s->all.k, 4 + more + (listed ? 1 : 0));
	kv_pair_text(&s->all.k, "state", listed ? "revoked" : "known");
	kv_pair_text(&s->all.k, "email", emails);
	kv_pair_text(&s->all.k, "fingerprint", fp);
	kv_pair_text(&s->all.k, "address", host);
	if (memo != NULL) {
		kv_pair_uint(&s->all.k, "tries", memo->tries);
		control_put_time(&s->all.k, "last_seen", memo->last_seen);
		control_put_time(&s->all.k, "first_seen", memo->first_seen);
		kv_pair_text(&s->all.k, "cn", memo->cn);
		kv_pair_text(&s->all.k, "ca", memo->ca);
		control_put_memo(&s->all.k, memo);
	}
	if (listed)
		kv_pair_text(&s->all.k, "by", "list");
	kv_rows_end(&s->all, before);
}

void
control_on_known(struct rk_call *call, void *arg)
{
	struct rk_trust *trust = control_find_trust(call, arg);
	struct rk_error err = { 0 };
	struct known_rows g = {
		.control = ((const struct control_end *)arg)->control
	};
	enum rk_err r;

	if (trust == NULL || !begin_rows(call, trust, &g.rows))
		return;
	if ((r = policy_memos_new(trust, &g.memos, &err)) == RK_OK)
		r = policy_each_known(trust, put_known, &g, &err);
	policy_memos_free(g.memos);
	if (r == RK_OK) {
		answer_rows(call, trust, &g.rows);
		return;
	}
	buf_fini(&g.rows.all.b);
	control_refuse(call, r, err.text);
}
