/* What a connection makes of the key of a session's peer, which has no
 * certificate. */
#include "rpc/session.h"

#include "base/error.h"
#include "base/str.h"
#include "trust/policy.h"
#include "trust/sshkey.h"

#include <rpckit/sshkeys.h>

/* What stands where a certificate has the name of its CA. */
#define VOUCHER "SSH keys"

/* Who is it, and does anybody vouch for it?  Errors: the keys that are believed
 * cannot be read. */
static enum rk_err
describe(const struct session_trust *t, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct rk_cert_info *info, struct rk_error *err)
{
	enum rk_err r;

	memset(info, 0, sizeof(*info));
	memcpy(info->pub, pub, sizeof(info->pub));
	rk_fp_of_key(pub, info->fp);
	if (t->peers == NULL)
		return RK_OK;
	r = rk_sshkeys_find(t->peers, pub, info->cn, err);
	if (r == RK_OK)
		(void)str_copy(
		    info->issuer_cn, sizeof(info->issuer_cn), VOUCHER);
	return r == RK_ENOENT ? RK_OK : r;
}

/* Without a list of known keys those that somebody vouches for are all. */
static enum rk_err
check_vouched(const struct session_trust *t, const struct rk_cert_info *info,
    struct rk_error *err)
{
	char fps[SSHKEY_FPS_LEN];

	if (t->trust != NULL || info->issuer_cn[0] != '\0')
		return RK_OK;
	sshkey_fps(info->pub, fps);
	return err_set(err, RK_EUNKNOWNKEY,
	    "key %s is not among those that are believed", fps);
}

enum rk_err
session_judge_key(const struct session_trust *t,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_cert_info *info,
    struct rk_error *err)
{
	enum rk_err r = describe(t, pub, info, err);

	return r == RK_OK ? check_vouched(t, info, err) : r;
}

enum rk_err
session_verify_key(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err, void *arg)
{
	const struct session_trust *t = arg;
	struct rk_cert_info info;
	enum rk_err r;

	err_clear(err);
	r = session_judge_key(t, pub, &info, err);
	if (r == RK_OK && t->trust != NULL)
		r = policy_foresee(t->trust, &info, err);
	if (r != RK_OK)
		err->step = "trust";
	return r;
}
