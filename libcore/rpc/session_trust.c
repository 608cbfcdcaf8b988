/* What a session makes of certificates: in the handshake, after it, and of its
 * own. */
#include "rpc/session.h"

#include "base/error.h"
#include "trust/chain.h"
#include "trust/ident.h"
#include "trust/policy.h"

#include <time.h>

static enum chain_usage
usage_of_peer(const struct session_trust *t)
{
	return t->server ? CHAIN_CLIENT : CHAIN_SERVER;
}

/* The certificate, then what the list of keys says of it: `ask`. */
static enum rk_err
judge(const struct rk_bytes *chain, size_t n, struct rk_error *err,
    const struct session_trust *t,
    enum rk_err (*ask)(struct rk_trust *trust, const struct rk_cert_info *info,
        struct rk_error *err))
{
	struct rk_cert_info info;
	enum rk_err r;

	r = chain_check(
	    t->ident, chain, n, usage_of_peer(t), time(NULL), &info, err);
	if (r == RK_EREVOKED && t->listed != NULL)
		t->listed(&info, t->arg);
	if (r == RK_OK && t->trust != NULL)
		r = ask(t->trust, &info, err);
	return r;
}

/* What is refused in any case is refused in the handshake: the peer gets an
 * alert instead of a connection that closes. */
enum rk_err
session_verify(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	return judge(chain, n, err, arg, policy_foresee);
}

enum rk_err
session_resume(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	return judge(chain, n, err, arg, policy_recall);
}

enum rk_err
session_check_own(const struct session_trust *t, struct rk_error *err)
{
	const int rule = t->server ? RK_CERT_SERVER : RK_CERT_CLIENT;
	struct rk_cert_report report;
	struct rk_bytes cert;

	if (t->ident == NULL || t->mode == RK_TLS_SKIP_VERIFY ||
	    (t->mode == RK_TLS_SERVER_ONLY && !t->server))
		return RK_OK;
	cert = ident_cert_der(t->ident);
	if (cert.len == 0)
		return RK_OK;
	chain_anchor_report(ident_anchor(t->ident), cert, time(NULL), &report);
	if (report.rules[rule].code == RK_OK)
		return RK_OK;
	return err_set(err, RK_ECERT, "our certificate of \"%s\": %s",
	    report.info.cn, report.rules[rule].text);
}

bool
session_needs_proof(const struct session_trust *t)
{
	return t->mode == RK_TLS_MUTUAL ||
	       (t->mode == RK_TLS_SERVER_ONLY && !t->server);
}

/*
 * A full handshake has judged the chain already (session_verify()), so it is
 * only read here, from memory if it can be; a resumed session is judged once
 * more after the peer has proven its key.
 */
enum rk_err
session_judge(const struct session_trust *t, struct rk_bytes leaf, bool resumed,
    struct rk_cert_info *info, struct rk_error *err)
{
	const enum chain_usage usage = usage_of_peer(t);

	if (resumed)
		return chain_check(
		    t->ident, &leaf, 1, usage, time(NULL), info, err);
	if (chain_recall(t->ident, leaf, usage, info))
		return RK_OK;
	return chain_describe(leaf, info, err);
}

enum rk_err
session_judge_list(const struct session_trust *t, struct rk_bytes leaf,
    const struct rk_cert_info *info, struct rk_error *err)
{
	if (t->ident == NULL || !ident_has_list(t->ident) ||
	    !chain_is_listed(t->ident, leaf, usage_of_peer(t)))
		return RK_OK;
	(void)err_set(err, RK_EREVOKED,
	    "certificate of \"%s\": revoked (serial %s)", info->cn,
	    info->serial);
	if (err != NULL)
		err->step = "revocation";
	return RK_EREVOKED;
}
