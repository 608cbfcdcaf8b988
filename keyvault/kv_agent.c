/* What verbs do by way of the agent: names of a hidden vault, signatures. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent.h"
#include "agent_proto.h"
#include "agent_sock.h"
#include "base/agent_client.h"
#include "base/agent_dial.h"
#include "base/error.h"
#include "base/str.h"
#include "keyvault.h"

#define LOOK_MS 2000 /* for its first answer */

enum rk_err
kv_agent_status(struct kv *kv, struct agent_status *out)
{
	struct bytes answer;
	enum rk_err r;

	r = agent_call(
	    kv->agent, AGENT_STATUS, NULL, NULL, NULL, &answer, &kv->err);
	if (r != RK_OK)
		return r;
	if (!agent_get_status(&answer, out) || answer.left != 0 ||
	    out->version != AGENT_VERSION)
		return err_set(
		    &kv->err, RK_EPROTO, "agent: is of another version");
	return RK_OK;
}

/* Is it the agent of the vault that is open here?  And is all well there? */
static enum rk_err
check_vault(struct kv *kv, bool warns)
{
	char shown[SHOWN_LEN];
	struct agent_status s;
	struct vault_info info;
	enum rk_err r;

	if ((r = kv_agent_status(kv, &s)) != RK_OK ||
	    (r = vault_inspect(kv->vault, &info, &kv->err)) != RK_OK)
		return r;
	if (memcmp(s.id, info.id, VAULT_ID_LEN) == 0) {
		if (s.fault[0] != '\0' && warns)
			out_warn(&kv->out, "%s", s.fault);
		return RK_OK;
	}
	return err_set(&kv->err, RK_EINVAL, "agent: is of another vault, %s",
	    str_escape(shown, sizeof(shown), s.path));
}

static void
let_go(struct kv *kv)
{
	agent_hang_up(kv->agent);
	kv->agent = NULL;
}

/* Nobody waits long for an agent that was stopped: those who look go on without
 * it. */
static enum rk_err
call_agent(struct kv *kv, const char *path)
{
	enum rk_err r;

	r = agent_dial(path, LOOK_MS, &kv->agent, &kv->err);
	if (r == RK_OK)
		agent_hurry(kv->agent, LOOK_MS, false);
	return r;
}

enum rk_err
kv_call_agent(struct kv *kv)
{
	char path[AGENT_PATH_MAX];
	bool named;
	enum rk_err r = agent_path(path, &named, &kv->err);

	return r == RK_OK ? call_agent(kv, path) : r;
}

/* It has answered once: what it does next may take its time. */
static void
be_patient(struct kv *kv)
{
	if (kv->agent != NULL)
		agent_hurry(kv->agent, AGENT_CALL_MS, false);
}

/* Does it answer?  With what it has at hand, and nothing of the vault's. */
static enum rk_err
look(struct kv *kv)
{
	struct bytes answer;

	return agent_call(
	    kv->agent, AGENT_WAITING, NULL, NULL, NULL, &answer, &kv->err);
}

enum rk_err
kv_need_agent(struct kv *kv, bool ours)
{
	enum rk_err r = kv_call_agent(kv);

	if (r == RK_ECONNECT)
		kv_retry(kv, "eval \"$(keyvault agent)\"");
	if (r == RK_OK &&
	    (r = ours ? check_vault(kv, true) : look(kv)) != RK_OK)
		let_go(kv);
	be_patient(kv);
	return r;
}

void
kv_try_agent(struct kv *kv)
{
	char path[AGENT_PATH_MAX];
	bool named;
	enum rk_err r;

	if (kv->agent != NULL || args_given(kv->args, "pass") ||
	    agent_path(path, &named, &kv->err) != RK_OK)
		return;
	r = call_agent(kv, path);
	if (r == RK_OK && (r = check_vault(kv, true)) != RK_OK)
		let_go(kv);
	be_patient(kv);
	kv->mute = r == RK_ETIMEOUT;
	if (r != RK_OK && (named || r != RK_ECONNECT) && r != RK_EINVAL)
		out_warn(&kv->out, "%s", kv->err.text);
	err_clear(&kv->err);
}

void
kv_seek_agent(struct kv *kv)
{
	if (kv->agent == NULL && kv_call_agent(kv) == RK_OK &&
	    check_vault(kv, false) != RK_OK)
		let_go(kv);
	err_clear(&kv->err);
}

void
kv_settle_log(struct kv *kv)
{
	struct agent_status s;

	/* It does so before it says how it is. */
	if (kv->agent == NULL && kv_call_agent(kv) == RK_OK &&
	    kv_agent_status(kv, &s) != RK_OK)
		let_go(kv);
	err_clear(&kv->err);
}

enum rk_err
kv_agent_keys(struct kv *kv, kv_key_fn *fn, void *arg)
{
	struct agent_key key;
	struct bytes answer;
	struct buf args;
	uint32_t n = 0;
	uint32_t before;
	enum rk_err r;

	buf_init(&args, 16);
	do {
		before = n;
		if ((r = bytes_put_u32(&args, n)) != RK_OK)
			return kv_fail(kv, r, "agent", rk_err_text(r));
		r = agent_call(kv->agent, AGENT_KEYS, &args, NULL, NULL,
		    &answer, &kv->err);
		for (; r == RK_OK && answer.left > 0; n++) {
			if (!agent_get_key(&answer, &key))
				return kv_fail(kv, RK_EPROTO, "agent",
				    "a key that cannot be read");
			fn(&key, arg);
		}
	} while (r == RK_OK && n != before && n < AGENT_KEYS_MAX);
	buf_fini(&args);
	return r;
}

/* ---- keys for SSH ---- */

struct ssh_keys {
	struct kv *kv;
	char other[RECORD_NAME_MAX + 1]; /* one that is not for it */
	bool any;
};

static void
look_for_ssh(const struct agent_key *key, void *arg)
{
	struct ssh_keys *s = arg;
	struct record rec;
	struct rk_error err;

	if (vault_find(s->kv->vault, key->name, &rec, &err) != RK_OK ||
	    rec.kind != RECORD_ED25519)
		return;
	if ((agent_uses(&rec) & USE_SSH) != 0)
		s->any = true;
	else
		(void)str_copy(s->other, sizeof(s->other), rec.name);
}

void
kv_advise_ssh(struct kv *kv)
{
	struct ssh_keys s = { .kv = kv };
	char path[AGENT_PATH_MAX];
	char ssh[AGENT_PATH_MAX];
	char shown[SHOWN_LEN];
	struct rk_error err;
	struct stat st;
	bool named;

	if (agent_path(path, &named, &err) != RK_OK ||
	    agent_sock_ssh(path, ssh, &err) != RK_OK || lstat(ssh, &st) != 0 ||
	    !S_ISSOCK(st.st_mode) ||
	    kv_agent_keys(kv, look_for_ssh, &s) != RK_OK || s.any ||
	    s.other[0] == '\0')
		return;
	out_note(&kv->out,
	    "none is for SSH, which takes a tag: keyvault tag %s use:ssh, "
	    "then keyvault unlock",
	    str_escape(shown, sizeof(shown), s.other));
}

/* ---- names ---- */

static enum rk_err
call_named(
    struct kv *kv, enum agent_type type, const char *name, struct bytes *answer)
{
	struct buf args;
	enum rk_err r;

	buf_init(&args, AGENT_REQUEST_MAX);
	if ((r = agent_put_text(&args, name)) == RK_OK)
		return agent_call(
		    kv->agent, type, &args, NULL, NULL, answer, &kv->err);
	buf_fini(&args);
	return kv_fail(kv, r, "agent", rk_err_text(r));
}

enum rk_err
kv_look(struct kv *kv)
{
	struct agent_status s;
	struct vault_info info;
	enum rk_err r;

	if ((r = kv_open(kv)) != RK_OK ||
	    (r = vault_inspect(kv->vault, &info, &kv->err)) != RK_OK)
		return r;
	if (!info.hidden)
		return RK_OK;
	kv_try_agent(kv);
	kv->by_agent =
	    kv->agent != NULL && kv_agent_status(kv, &s) == RK_OK && s.open > 0;
	return kv->by_agent ? RK_OK : kv_unlock(kv);
}

enum rk_err
kv_look_at_once(struct kv *kv, uint32_t ms)
{
	char path[AGENT_PATH_MAX];
	struct agent_status s;
	struct vault_info info;
	bool named;
	enum rk_err r;

	if ((r = kv_open(kv)) != RK_OK)
		return r;
	vault_patience(kv->vault, 0);
	if ((r = vault_inspect(kv->vault, &info, &kv->err)) != RK_OK ||
	    !info.hidden)
		return r;
	if ((r = agent_path(path, &named, &kv->err)) != RK_OK ||
	    (r = agent_dial(path, ms, &kv->agent, &kv->err)) != RK_OK)
		return r;
	agent_hurry(kv->agent, ms, true);
	if ((r = check_vault(kv, false)) != RK_OK ||
	    (r = kv_agent_status(kv, &s)) != RK_OK)
		return r;
	kv->by_agent = s.open > 0;
	return kv->by_agent ? RK_OK : RK_ENOPASS;
}

static enum rk_err
unreadable(struct kv *kv)
{
	return kv_fail(kv, RK_EPROTO, "agent", "a record that cannot be read");
}

static enum rk_err
list_by_agent(struct kv *kv, vault_record_fn *fn, void *arg)
{
	char after[RECORD_NAME_MAX + 1] = "";
	struct record rec;
	struct bytes answer;
	uint8_t more = 1;
	enum rk_err r;

	while (more == 1) {
		r = call_named(kv, AGENT_LIST, after, &answer);
		if (r != RK_OK)
			return r;
		if (!bytes_get_u8(&answer, &more) ||
		    (more == 1 && answer.left == 0))
			return unreadable(kv);
		while (answer.left > 0) {
			/* In order, so that there is an end. */
			if (!agent_get_record(&answer, &rec) ||
			    strcmp(rec.name, after) <= 0)
				return unreadable(kv);
			(void)str_copy(after, sizeof(after), rec.name);
			if (!fn(&rec, arg))
				return RK_OK;
		}
	}
	return RK_OK;
}

enum rk_err
kv_list(struct kv *kv, vault_record_fn *fn, void *arg)
{
	return kv->by_agent ? list_by_agent(kv, fn, arg)
	                    : vault_list(kv->vault, fn, arg, &kv->err);
}

enum rk_err
kv_find(struct kv *kv, const char *name, struct record *out)
{
	struct bytes answer;
	enum rk_err r;

	if (!kv->by_agent)
		return vault_find(kv->vault, name, out, &kv->err);
	if ((r = call_named(kv, AGENT_FIND, name, &answer)) != RK_OK)
		return r;
	return agent_get_record(&answer, out) && answer.left == 0
	           ? RK_OK
	           : unreadable(kv);
}

/* ---- signing ---- */

struct asking {
	const struct kv *kv;
	const char *name;
	const uint8_t *hash;
};

static void
tell_waiting(uint32_t id, const char *how, void *arg)
{
	const struct asking *a = arg;
	char shown[SHOWN_LEN];
	char hex[17];

	str_hex(hex, a->hash, 8);
	out_note(&a->kv->out,
	    "%s: sha512 %s: waiting for your yes (%s%sor: keyvault allow %u)",
	    str_escape(shown, sizeof(shown), a->name), hex, how,
	    how[0] != '\0' ? "; " : "", id);
}

enum rk_err
kv_agent_sign(struct kv *kv, const char *name, const char *context,
    const uint8_t hash[CRYPT_HASH512_LEN], struct rk_secret **text)
{
	struct asking a = { .kv = kv, .name = name, .hash = hash };
	struct bytes answer;
	struct bytes sig;
	struct buf args;
	enum rk_err r;

	*text = NULL;
	buf_init(&args, AGENT_REQUEST_MAX);
	if ((r = agent_put_text(&args, name)) == RK_OK &&
	    (r = agent_put_text(&args, context)) == RK_OK)
		r = bytes_put_string(&args, hash, CRYPT_HASH512_LEN);
	if (r != RK_OK) {
		buf_fini(&args);
		return kv_fail(kv, r, "agent", rk_err_text(r));
	}
	r = agent_call(kv->agent, AGENT_SIGN_FILE, &args, tell_waiting, &a,
	    &answer, &kv->err);
	if (r != RK_OK)
		return r;
	if (!bytes_get_string(&answer, &sig) || answer.left != 0)
		return kv_fail(
		    kv, RK_EPROTO, "agent", "a signature that cannot be read");
	if ((r = rk_secret_copy(sig.at, sig.left, text)) != RK_OK)
		return kv_fail(kv, r, "agent", rk_err_text(r));
	return RK_OK;
}
