/* Why a call or a connection failed, for a person, and what can be done. */
#include "advice.h"
#include "agent_failed.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/path.h"

#include <stdio.h>

/* A server that does not know a key closes as soon as it has seen it; this
 * much later (and four handshakes) it has other reasons. */
#define LOCKOUT_US 1000000u

/* What a server of TLS says that knows no better. */
#define INTERNAL_ERROR "alert internal error"

/* What the server is to be told about us; false: we have shown no key. */
static bool
own_key(const struct target *t, struct rk_cert_info *info)
{
	return target_is_proving(t) && target_tls_mode(t) == RK_TLS_MUTUAL &&
	       t->ident != NULL && rk_ident_info(t->ident, info);
}

/* The same of any kind of key. */
bool
target_own_fp(const struct target *t, char fp[RK_FP_LEN])
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_cert_info info;

	if (target_is_session(t) && t->ssh_key != NULL) {
		rk_key_public(t->ssh_key, pub);
		rk_fp_of_key(pub, fp);
		return true;
	}
	if (!own_key(t, &info))
		return false;
	(void)str_copy(fp, RK_FP_LEN, info.fp);
	return true;
}

/* Is it right after the handshake? */
static bool
is_at_once(const struct target *t)
{
	struct rk_timing tm;

	rk_client_timing(t->client, &tm);
	return mono_us() - t->connected_us < LOCKOUT_US + 4 * tm.tls;
}

/*
 * Was our key refused?  By an alert, which does not tell why, or by an orderly
 * end right after the handshake, before any answer.  That our certificate is of
 * the server's CA has been checked, so the server may not know the key.
 */
static const char *
lockout(const struct target *t, const struct rk_error *err)
{
	struct rk_cert_info info;

	if (!own_key(t, &info))
		return NULL;
	if (err->code == RK_ECERT &&
	    strstr(err->text, "alert bad certificate") != NULL)
		return "the server refused our certificate";
	if (err->code != RK_ECLOSED || t->answered || t->connected_us == 0 ||
	    strstr(err->text, "close_notify") != NULL)
		return NULL;
	if (!is_at_once(t))
		return NULL;
	return "the server closed the connection right after the handshake";
}

static int
locked_out(const struct target *t, const struct out *o, const char *url,
    const char *what, bool closed)
{
	struct rk_cert_info info;
	struct rk_error named;
	bool psk = closed && !target_has_psk(t);
	char advice[400];

	if (!own_key(t, &info))
		info.fp[0] = '\0';
	(void)err_set(&named, RK_EUNKNOWNKEY,
	    "%s: %s: it may not know this key%s", url, what,
	    psk ? ", or want a pre-shared key" : "");
	(void)snprintf(advice, sizeof(advice),
	    "%sask its operator about this key: rpcd ctl trust approve %s, or "
	    "a "
	    "line in known_client_keys",
	    psk ? "--psk FILE, if it wants one; else " : "", info.fp);
	return out_error(o, &named, advice);
}

/* A server of sessions that requires a pre-shared key answers nothing to who
 * has none; there may be other reasons, but none that it would tell. */
static bool
wants_psk(const struct target *t, const struct rk_error *err)
{
	return err->code == RK_ECLOSED && target_is_session(t) &&
	       !target_has_psk(t) && t->connected_us == 0 &&
	       strstr(err->text, "ended during the handshake") != NULL;
}

static int
locked_out_psk(const struct out *o, const char *url)
{
	struct rk_error named;

	(void)err_set(&named, RK_EPSK,
	    "%s: the server closed the connection during the handshake: it may "
	    "want a pre-shared key",
	    url);
	return out_error(o, &named,
	    "--psk FILE, if it wants one; else its log says why; or is the "
	    "server not running, or -s wrong?");
}

/* A connection that was good until then: an end in order and at once is what
 * somebody gets who is not wanted, by this key or without a pre-shared one; in
 * a session there is neither. */
static bool
is_lost(const struct target *t, const struct rk_error *err)
{
	return err->code == RK_ECLOSED && t->connected_us != 0 &&
	       (t->answered || target_is_session(t) || !is_at_once(t) ||
	           strstr(err->text, "close_notify") != NULL);
}

/*
 * Has it ended in order, and has said nothing here before?  So ends the wait of
 * a key that nobody decided about, and the time of a connection that did
 * nothing; which of the two it was, the client cannot see.
 */
static bool
is_unheard(const struct target *t, const struct rk_error *err)
{
	if (err->code != RK_ECLOSED || t->answered)
		return false;
	if (target_is_session(t))
		return str_ends(err->text, "for reasons of its own");
	return str_ends(err->text, "closed by the peer") ||
	       str_ends(err->text, "it waited too long");
}

/* ---- advice ---- */

static const char *
when_lost(const struct target *t, const struct rk_error *err, char *dst,
    size_t dst_len)
{
	char fp[RK_FP_LEN];

	if (!is_unheard(t, err) || !target_own_fp(t, fp))
		return "is the server running still?";
	(void)snprintf(dst, dst_len,
	    "is the server running still? It has answered nothing, so it may "
	    "not know this key, and nobody decided about it: rpcd ctl trust "
	    "approve %s",
	    fp);
	return dst;
}

/* A port of TCP is not one of UDP, though both have the same number. */
static const char *
when_away(const struct target *t)
{
	if (target_is_quic(t) && t->connected_us == 0)
		return "is the server running, is -s right, and does it speak "
		       "QUIC there? tls:// is the way over TCP";
	if (target_is_ssh_udp(t) && t->connected_us == 0)
		return "is the server running, is -s right, and does it listen "
		       "at ssh+udp: there? ssh+tcp:// is the way over TCP";
	return "is the server running, and is -s right?";
}

/* Whoever is at a UDP port may only be silent to us. */
static const char *
when_unheard(const struct target *t)
{
	if (!target_is_ssh_udp(t))
		return when_away(t);
	return target_has_psk(t)
	           ? "selfy -psk-id FILE tells at each end which key it is; "
	             "else: is the server running, and is -s right?"
	           : "--psk FILE, if it wants one; else: is the server "
	             "running, is -s right, and does it listen at ssh+udp: "
	             "there?";
}

static const char *
when_silent(const struct target *t, const struct rk_error *err, char *dst,
    size_t dst_len)
{
	struct rk_cert_info info;

	if (err->step != NULL && strcmp(err->step, "connect") == 0)
		return when_unheard(t);
	/* No end has seen a key of the other one yet. */
	if (t->connected_us == 0)
		return "is it hung, or a server of another kind, and is -s "
		       "right? --connect-timeout gives a busy server longer";
	if (!own_key(t, &info))
		return "rpcsh ping --connect-only; --timeout and "
		       "--connect-timeout give a busy server longer";
	(void)snprintf(dst, dst_len,
	    "rpcsh ping --connect-only; if the port is open, the server may be "
	    "locked, or its operator may have to decide about this key: rpcd "
	    "ctl "
	    "trust approve %s",
	    info.fp);
	return dst;
}

static const char *
when_unknown(const struct target *t, char *dst, size_t dst_len)
{
	char known[128];

	if (target_is_session(t) && t->trust == NULL) {
		(void)str_escape(
		    known, sizeof(known), t->settings.v[SET_SSH_PEERS].value);
		(void)snprintf(dst, dst_len,
		    "ask the server's operator for its key; only if that is "
		    "it: add its line to %s",
		    known);
		return dst;
	}
	(void)str_escape(known, sizeof(known), t->settings.v[SET_KNOWN].value);
	(void)snprintf(dst, dst_len,
	    "ask the server's operator for its key; only if that is it: "
	    "chmod u+w %s, connect, chmod a-w again",
	    known);
	return dst;
}

/* By --trust, or by `rpcsh trust`. */
static const char *
when_untrusted(const struct target *t, char *dst, size_t dst_len)
{
	const struct trusting *w = &t->trusting;
	char unlock[ADVICE_LEN], command[ADVICE_LEN];
	bool locked = w->view.list == RK_TRUST_LOCKED;

	if (w->want != NULL)
		return "rpcsh trust unlock, if it is locked; else ask the "
		       "server's operator for the fingerprint";
	(void)snprintf(dst, dst_len,
	    "%s%sask the server's operator for its key; only if that is it: "
	    "%s",
	    locked ? advice_trust(t, "unlock", NULL, unlock) : "",
	    locked ? ", and " : "",
	    advice_trust(t, "add", w->met.cert.fp, command));
	return dst;
}

/* Somebody has taken it back: there is nothing wrong with files. */
static const char *
when_revoked(const struct target *t, const struct rk_error *err, char *dst,
    size_t dst_len)
{
	struct rk_cert_info info;

	if (strstr(err->text, "the peer ") == NULL || !own_key(t, &info))
		return "the CA has taken its certificate back: ask the "
		       "server's operator";
	(void)snprintf(dst, dst_len,
	    "its operator, or the CA, has revoked this key, %s: ask the "
	    "server's operator",
	    info.fp);
	return dst;
}

/* Whose certificate was it? */
static const char *
when_refused(const struct target *t, const struct rk_error *err, char *dst,
    size_t dst_len)
{
	char dir[128], name[64];

	(void)str_escape(dir, sizeof(dir), t->settings.v[SET_CERTS].value);
	(void)str_escape(
	    name, sizeof(name), path_key_name(t->settings.v[SET_KEY].value));
	if (strstr(err->text, "the peer ") != NULL &&
	    target_tls_mode(t) != RK_TLS_MUTUAL)
		return "the server wants to see a certificate: tls-mode "
		       "mutual, "
		       "without --server-only and --skip-verify";
	if (strstr(err->text, "the peer ") != NULL)
		(void)snprintf(dst, dst_len,
		    "selfy -verify %s/%s.crt; is it of the CA that the server "
		    "believes?",
		    dir, name);
	else
		(void)snprintf(dst, dst_len,
		    "is %s/ca.crt the CA of this server? --certs DIR names "
		    "another",
		    dir);
	return dst;
}

/* A stream that was called, or the other way round. */
static const char *
when_other(const char *text)
{
	if (strstr(text, ": this method is a stream: ") != NULL)
		return "rpcsh exec METHOD, or rpcsh call -o ndjson METHOD";
	if (strstr(text, ": this method is no stream: ") != NULL)
		return "rpcsh call METHOD";
	return NULL;
}

static const char *
advice(const struct target *t, const struct rk_error *err, char *dst,
    size_t dst_len)
{
	char command[ADVICE_LEN];

	if (err->code == RK_EPROTO)
		return "is it an rpckit or rpc25519 server, and is -s right?";
	if (err->code == RK_EREMOTE)
		return when_other(err->text);
	switch (rk_err_exit(err->code)) {
	case 2:
		return "rpcsh -h";
	case 4:
		if (is_lost(t, err))
			return when_lost(t, err, dst, dst_len);
		if (err->code == RK_ECLOSED && !target_is_session(t) &&
		    !target_has_psk(t))
			return target_is_tcp(t)
			           ? "is it a TLS server? then without --tcp; "
			             "does it want a pre-shared key? --psk FILE"
			           : "does it want a pre-shared key? --psk "
			             "FILE; is the server running, and is -s "
			             "right?";
		return when_away(t);
	case 5:
		return when_silent(t, err, dst, dst_len);
	case 6:
		break;
	case 7:
		(void)snprintf(dst, dst_len, "--trust accept-new, or %s",
		    advice_trust(t, "add", t->trusting.met.cert.fp, command));
		return dst;
	default:
		return NULL;
	}
	if (err->code == RK_EPSK)
		return "selfy -psk-id FILE tells at each end which key it is; "
		       "the log of the server says why it closed";
	if (err->code == RK_EUNKNOWNKEY && t->trusting.how != TRUST_FILE)
		return when_untrusted(t, dst, dst_len);
	if (err->code == RK_EUNKNOWNKEY)
		return when_unknown(t, dst, dst_len);
	if (err->code == RK_ETLS && strstr(err->text, INTERNAL_ERROR) != NULL)
		return "the server itself failed, and its log says why; a key "
		       "that is keyvault:NAME there wants keyvault unlock";
	if (err->code == RK_ETLS)
		return "is it a TLS server? --tcp is for plain ones";
	if (err->code == RK_EDENIED)
		return NULL;
	if (err->code == RK_EREVOKED)
		return when_revoked(t, err, dst, dst_len);
	return when_refused(t, err, dst, dst_len);
}

/* ---- what happened ---- */

static void
format_ms(char *dst, size_t dst_len, uint64_t ms)
{
	if (ms % 1000 == 0)
		(void)snprintf(
		    dst, dst_len, "%llu s", (unsigned long long)(ms / 1000));
	else
		(void)snprintf(dst, dst_len, "%llu ms", (unsigned long long)ms);
}

static bool
begins_with_url(const char *text)
{
	const char *sign = strstr(text, "://");

	return sign != NULL && strcspn(text, " ") > (size_t)(sign - text);
}

/* The reason, behind whom and what it is about. */
static const char *
last_words(const char *text)
{
	for (const char *p = text; (p = strstr(p, ": ")) != NULL;)
		text = p += 2;
	return text;
}

/* The line names the server, the method if one was called, and the reason. */
static void
name_it(const struct target *t, const struct rk_error *err, const char *method,
    const char *url, struct rk_error *out)
{
	char name[RK_NAME_MAX + 1], limit[32];

	*out = *err;
	if (method == NULL) {
		/* Most texts of the network begin with an address. */
		if (!begins_with_url(err->text))
			(void)err_set(out, err->code, "%s: %s", url, err->text);
		return;
	}
	if (err->code == RK_EREMOTE)
		return; /* the method's own words, behind its name */
	if (err->code != RK_ETIMEOUT) {
		if (strstr(err->text, "://") == NULL)
			(void)err_set(out, err->code, "%s: %s", url, err->text);
		return;
	}
	(void)str_escape(name, sizeof(name), method);
	if (t->ended.code == RK_ETIMEOUT) { /* it was taken for dead before */
		(void)err_set(out, err->code, "%s: %s: %s", url, name,
		    last_words(t->ended.text));
		return;
	}
	format_ms(limit, sizeof(limit), t->timeout);
	(void)err_set(
	    out, err->code, "%s: %s: no answer for %s", url, name, limit);
}

/* The same, of a connection that was good: what it says last is why. */
static void
tell_lost(const char *method, const char *url, struct rk_error *named)
{
	char name[RK_NAME_MAX + 1], why[sizeof(named->text)];

	(void)str_copy(why, sizeof(why), last_words(named->text));
	(void)str_escape(name, sizeof(name), method == NULL ? "" : method);
	(void)err_set(named, named->code, "%s: %s%sthe connection was lost: %s",
	    url, name, name[0] == '\0' ? "" : ": ", why);
}

int
target_failed(const struct target *t, const struct out *o,
    const struct rk_error *err, const char *method)
{
	struct rk_error named;
	char url[160], text[3 * ADVICE_LEN];
	const char *what;
	int status;

	(void)str_escape(url, sizeof(url), t->url);
	if (agent_failed(t, o, url, err, &status))
		return status;
	if (err->code == RK_EUNKNOWNKEY && t->trusting.changed)
		return trust_tell_changed(&t->trusting, o,
		    advice_trust(t, "replace", t->trusting.met.cert.fp, text));
	if ((what = lockout(t, err)) != NULL)
		return locked_out(t, o, url, what, err->code == RK_ECLOSED);
	if (wants_psk(t, err))
		return locked_out_psk(o, url);
	name_it(t, err, method, url, &named);
	if (is_lost(t, err))
		tell_lost(method, url, &named);
	named.step = err->step;
	return out_error(o, &named, advice(t, &named, text, sizeof(text)));
}
