/* Decisions about keys that a control passes on: by whom, what, taken back. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "base/str.h"
#include "net/sock.h"
#include "rpc/topic.h"
#include "trust/policy.h"

#include <pwd.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_MAX (UINT64_C(366) * 86400) /* that an approval lasts */

/* ---- refusals ---- */

void
control_refuse(struct rk_call *call, enum rk_err r, const char *text)
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

struct rk_trust *
control_find_trust(struct rk_call *call, const struct control_end *e)
{
	struct rk_trust *trust = control_trust(e->control);

	if (trust == NULL)
		control_refuse(
		    call, RK_ESTATE, "nobody decides about this server's keys");
	return trust;
}

/* ---- who ---- */

/* The system says who is at the other end; what the caller says of itself is a
 * word, and marked as such. */
void
control_who(
    const struct rk_call *call, const char *via, char who[CONTROL_WHO_LEN])
{
	char text[4096], name[64] = "somebody";
	struct passwd pw, *found = NULL;
	uid_t uid;
	int fd;

	if (conn_query(session_conn(call->conn->session), LAYER_Q_FD, &fd) &&
	    sock_peer_uid(fd, &uid)) {
		(void)snprintf(
		    name, sizeof(name), "uid %lu", (unsigned long)uid);
		if (getpwuid_r(uid, &pw, text, sizeof(text), &found) == 0 &&
		    found != NULL)
			(void)str_escape(name, sizeof(name), pw.pw_name);
	}
	(void)snprintf(who, CONTROL_WHO_LEN, "%s%s%s%s", name,
	    via[0] != '\0' ? " (" : "", via, via[0] != '\0' ? ")" : "");
}

/* ---- what was asked for ---- */

static const char *const verbs[] = {
	[RK_ASK_APPROVE] = "approve",
	[RK_ASK_APPROVE_ONCE] = "once",
	[RK_ASK_REJECT] = "reject",
	[RK_ASK_REVOKE] = "revoke",
	[RK_ASK_FORGET] = "forget",
	[RK_ASK_APPROVE_UNTIL] = "until",
	[RK_ASK_REPLACE] = "replace",
	[RK_ASK_NOTE] = "note",
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static enum rk_err
take_verb(struct gp_reader *g, struct control_order *o)
{
	struct rk_str word;

	if (gp_get_str(g, &word) != RK_OK)
		return RK_EPROTO;
	for (size_t i = 0; i < N_VERBS; i++) {
		if (!str_is(word, verbs[i]))
			continue;
		o->order.verb = (enum rk_ask_verb)i;
		o->has_verb = true;
		return RK_OK;
	}
	return RK_EPROTO;
}

enum rk_err
control_take_text(struct gp_reader *g, char *dst, size_t len)
{
	struct rk_str text;

	if (gp_get_str(g, &text) != RK_OK || text.len >= len ||
	    (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL))
		return RK_EPROTO;
	if (text.len > 0)
		memcpy(dst, text.ptr, text.len);
	dst[text.len] = '\0';
	return RK_OK;
}

enum rk_err
control_take_word(struct gp_reader *g, char *dst, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (control_take_text(g, dst, len) != RK_OK ||
	    dst[strspn(dst, allowed)] != '\0')
		return RK_EPROTO;
	return RK_OK;
}

/* A view of dst, which must not be empty. */
static enum rk_err
take_key(struct gp_reader *g, char dst[128], const char **view)
{
	*view = dst;
	if (control_take_text(g, dst, 128) != RK_OK || dst[0] == '\0')
		return RK_EPROTO;
	return RK_OK;
}

static enum rk_err
take_note(struct gp_reader *g, struct control_order *o)
{
	o->order.note = o->note;
	return control_take_text(g, o->note, sizeof(o->note));
}

/* A word that is not understood may be the one that matters. */
static enum rk_err
take_member(struct gp_reader *g, struct rk_str key, struct control_order *o)
{
	if (str_is(key, "key"))
		return take_key(g, o->key, &o->order.key);
	if (str_is(key, "by"))
		return take_key(g, o->by, &o->order.by);
	if (str_is(key, "verb"))
		return take_verb(g, o);
	if (str_is(key, "version"))
		return gp_get_uint(g, &o->order.version);
	if (str_is(key, "by_version"))
		return gp_get_uint(g, &o->order.by_version);
	if (str_is(key, "begun"))
		return gp_get_uint(g, &o->order.begun);
	if (str_is(key, "changed"))
		return gp_get_bool(g, &o->order.changed);
	if (str_is(key, "seconds"))
		return gp_get_uint(g, &o->seconds);
	if (str_is(key, "note"))
		return take_note(g, o);
	if (str_is(key, "via"))
		return control_take_word(g, o->via, sizeof(o->via));
	return RK_EPROTO;
}

/* Each member belongs to its verbs. */
static bool
is_whole(const struct control_order *o)
{
	enum rk_ask_verb verb = o->order.verb;

	return o->has_verb && o->order.key != NULL &&
	       (verb == RK_ASK_REPLACE) == (o->order.by != NULL) &&
	       (o->order.by != NULL || o->order.by_version == 0) &&
	       (verb == RK_ASK_APPROVE_UNTIL) == (o->seconds > 0) &&
	       (verb != RK_ASK_NOTE || o->order.note != NULL);
}

enum rk_err
control_read_order(struct rk_bytes p, struct control_order *o)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	enum rk_err r = RK_OK;
	struct rk_str key;
	uint32_t n;

	*o = (struct control_order){ .order = { .size = sizeof(o->order) } };
	if (p.len == 0 || control_get_map(&g, &n) != RK_OK)
		return RK_EPROTO;
	for (; n > 0 && r == RK_OK; n--) {
		if (gp_get_key(&g, &key) != RK_OK)
			return RK_EPROTO;
		r = take_member(&g, key, o);
	}
	if (r != RK_OK || !is_whole(o))
		return RK_EPROTO;
	if (o->seconds > 0)
		o->order.until = time(NULL) + (int64_t)o->seconds;
	return RK_OK;
}

/* ---- carried out ---- */

/* Who is connected with a key that is to be kept out; *met: NULL: nobody.
 * RK_EINVAL: several keys. */
static enum rk_err
find_met(struct rk_server *server, const struct rk_ask_order *o,
    const struct rk_peer **met, struct rk_error *err)
{
	struct admission *a;

	*met = NULL;
	if (o->verb != RK_ASK_REJECT && o->verb != RK_ASK_REVOKE)
		return RK_OK;
	TAILQ_FOREACH (a, &server->present, link) {
		if (!a->peer.proven ||
		    !rk_fp_match(a->peer.cert.fp, o->key, true))
			continue;
		if (*met != NULL && strcmp((*met)->cert.fp, a->peer.cert.fp))
			return err_set(err, RK_EINVAL,
			    "%s and %s both begin so", (*met)->cert.fp,
			    a->peer.cert.fp);
		*met = &a->peer;
	}
	return RK_OK;
}

/* As lists of keys have it: a key without e-mail is its certificate's name. */
static void
log_decision(const struct rk_ask_entry *e, const char *verb, const char *who)
{
	const bool mail = e->email[0] != '\0', cn = !mail && e->cn[0] != '\0';

	log_event(RK_LOG_INFO, "control", "key %s (%s%s): %s by %s", e->fp,
	    cn ? "CN=" : "",
	    mail ? e->email
	    : cn ? e->cn
	         : "no e-mail",
	    verb, who);
}

static bool
puts_out(enum rk_ask_verb verb)
{
	return verb == RK_ASK_REJECT || verb == RK_ASK_REVOKE;
}

/* A key that has its line, and whose certificate is on the CA's list. */
static enum rk_err
blame_list(const struct rk_control *c, const struct rk_ask_order *o,
    struct rk_error *err)
{
	struct rk_ask_entry e;

	for (size_t i = 0; i < c->n_listed && o->version == 0; i++) {
		control_crl_entry(c, i, &e);
		if (rk_fp_match(e.fp, o->key, true))
			return err_set(err, RK_ESTATE,
			    "key %s: its certificate was revoked by its CA",
			    e.fp);
	}
	return RK_ESTATE;
}

/* What was overturned: another decision, of which its decider may not know. */
static bool
overturns(const struct rk_ask_order *o, const struct rk_ask_entry *before)
{
	const bool lets_in = o->verb == RK_ASK_APPROVE ||
	                     o->verb == RK_ASK_APPROVE_ONCE ||
	                     o->verb == RK_ASK_APPROVE_UNTIL;

	switch (before->status) {
	case RK_ASK_REJECTED:
		return o->verb != RK_ASK_REJECT;
	case RK_ASK_REVOKED:
		return o->verb != RK_ASK_REVOKE;
	case RK_ASK_KNOWN:
	case RK_ASK_ONCE:
	case RK_ASK_UNTIL:
		return !lets_in;
	case RK_ASK_NEW:
	case RK_ASK_CHANGED:
	case RK_ASK_EXPIRED:
		break;
	}
	return false;
}

/* As it is now, also where no entry is left. */
static const char *
find_state(const struct rk_ask_order *o, const struct policy_done *done)
{
	if (o->verb == RK_ASK_APPROVE)
		return rk_ask_status_name(RK_ASK_KNOWN);
	if (o->verb == RK_ASK_FORGET)
		return done->known ? rk_ask_status_name(RK_ASK_KNOWN) : "none";
	return rk_ask_status_name(done->after.status);
}

static void
answer(const struct control_try *t, struct rk_trust *trust,
    const struct rk_ask_order *o, const char *verb,
    const struct policy_done *done)
{
	const bool undoes = o->verb == RK_ASK_UNDO;
	const bool told = overturns(o, &done->before) &&
	                  done->before.who[0] != '\0' &&
	                  o->verb != RK_ASK_NOTE && !undoes;
	struct buf b;
	struct kv k = { .b = &b };

	buf_init(&b, 16384);
	kv_map(&k, CONTROL_ENTRY_PAIRS + (undoes ? 1U : 2U) + (told ? 2U : 0U));
	kv_pair_text(&k, "verb", verb);
	control_put_entry_as(&k, trust, &done->after, find_state(o, done));
	if (!undoes)
		kv_pair_text(
		    &k, "was", rk_ask_status_name(done->before.status));
	if (told) {
		kv_pair_text(&k, "was_by", done->before.who);
		control_put_time(&k, "was_at", done->before.decided);
	}
	control_answer(t->call, &k);
}

static enum rk_err
carry_out(const struct control_try *t, struct rk_trust *trust,
    struct control_order *o, const char *verb, struct rk_error *err)
{
	const struct rk_peer *met;
	char who[CONTROL_WHO_LEN];
	struct policy_done done;
	enum rk_err r;

	control_who(t->call, o->via, who);
	o->order.who = who;
	r = find_met(t->end->control->server, &o->order, &met, err);
	if (r == RK_OK)
		r = policy_order(trust, &o->order, met, &done, err);
	if (r == RK_ESTATE && (o->order.verb == RK_ASK_APPROVE ||
	                          o->order.verb == RK_ASK_APPROVE_ONCE ||
	                          o->order.verb == RK_ASK_APPROVE_UNTIL))
		r = blame_list(t->end->control, &o->order, err);
	if (r != RK_OK)
		return control_not_done(t, r, err);
	if (puts_out(o->order.verb))
		control_overrule(t, done.after.fp);
	log_decision(&done.after, verb, who);
	answer(t, trust, &o->order, verb, &done);
	return RK_OK;
}

static enum rk_err
decide(const struct control_try *t, struct rk_error *err)
{
	struct rk_trust *trust = control_find_trust(t->call, t->end);
	struct control_order o;

	if (trust == NULL)
		return RK_OK;
	if (control_read_order(t->payload, &o) != RK_OK) {
		control_refuse(t->call, RK_EINVAL,
		    "it takes {key: SHA256:..., verb: approve, once, until, "
		    "reject, revoke, forget, replace or note, version, "
		    "changed, seconds (until), by and by_version (replace), "
		    "begun, note, via}");
		return RK_OK;
	}
	if (o.seconds > SECONDS_MAX) {
		control_refuse(
		    t->call, RK_EINVAL, "an approval lasts 366 days at most");
		return RK_OK;
	}
	return carry_out(t, trust, &o, verbs[o.order.verb], err);
}

void
control_on_decide(struct rk_call *call, void *arg)
{
	struct control_order o;
	bool urgent = control_read_order(rk_call_payload(call), &o) == RK_OK &&
	              puts_out(o.order.verb);

	control_in_turn(call, arg, decide, urgent);
}

static enum rk_err
read_undo(struct rk_bytes p, struct control_order *o)
{
	struct gp_reader g = { p.ptr, p.ptr + p.len };
	enum rk_err r = RK_OK;
	struct rk_str key;
	uint32_t n = 0;

	*o = (struct control_order){ .has_verb = true,
		.order = { .size = sizeof(o->order), .verb = RK_ASK_UNDO } };
	if (p.len == 0 || control_get_map(&g, &n) != RK_OK)
		n = 0;
	for (; n > 0 && r == RK_OK; n--) {
		if ((r = gp_get_key(&g, &key)) != RK_OK)
			break;
		if (str_is(key, "line"))
			r = gp_get_uint(&g, &o->order.line);
		else
			r = str_is(key, "key") || str_is(key, "via") ||
			            str_is(key, "begun") ||
			            str_is(key, "version")
			        ? take_member(&g, key, o)
			        : RK_EPROTO;
	}
	return r == RK_OK && o->order.key == NULL ? RK_EPROTO : r;
}

static enum rk_err
undo(const struct control_try *t, struct rk_error *err)
{
	struct rk_trust *trust = control_find_trust(t->call, t->end);
	struct control_order o;

	if (trust == NULL)
		return RK_OK;
	if (read_undo(t->payload, &o) != RK_OK) {
		control_refuse(t->call, RK_EINVAL,
		    "it takes {key: SHA256:..., version, line, begun, via}");
		return RK_OK;
	}
	return carry_out(t, trust, &o, "undo", err);
}

bool
control_is_about(struct rk_bytes payload, const char *fp)
{
	struct control_order o;

	if (control_read_order(payload, &o) != RK_OK &&
	    read_undo(payload, &o) != RK_OK)
		return false;
	return rk_fp_match(fp, o.order.key, true) ||
	       (o.order.by != NULL && rk_fp_match(fp, o.order.by, true));
}

void
control_on_undo(struct rk_call *call, void *arg)
{
	control_in_turn(call, arg, undo, false);
}
