/* A key in an agent of keyvault(1), which signs with it and keeps it. */
#include <rpckit/signer.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/agent_client.h"
#include "base/agent_dial.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#define TIMEOUT_MS 2000
#define REST(ms) ((ms) / 2 * 5) /* after so long without an answer */
#define NAME_LEN 256            /* longer than any in a vault, with its NUL */
#define SHOWN 160

/* One talk with the agent, for all signatures of a key. */
struct talk {
	char name[NAME_LEN];
	char path[AGENT_PATH_MAX];
	uint32_t timeout_ms;
	uint32_t sign_ms;
	rk_agent_ask_fn *asked;
	void *arg;
	enum rk_sign_use use;    /* what it will be asked for */
	bool old;                /* the agent tells nobody what a key is for */
	pthread_mutex_t lock;    /* of what follows; held while it is asked */
	struct agent_conn *conn; /* NULL: none */
	uint64_t rest_until;
	struct rk_error failure;
};

static void
hang_up(struct talk *t)
{
	agent_hang_up(t->conn);
	t->conn = NULL;
}

static void
on_wait(uint32_t id, const char *how, void *arg)
{
	const struct talk *t = arg;

	(void)how;
	t->asked(t->name, id, t->arg);
}

/* ---- a request ---- */

static enum rk_err
ask_once(struct talk *t, enum agent_type type, struct rk_bytes data,
    uint64_t until, struct bytes *answer, struct rk_error *err)
{
	uint64_t now = mono_ms();
	uint32_t left = now < until ? (uint32_t)(until - now) : 1;
	struct buf args;
	enum rk_err r = RK_OK;

	if (t->conn == NULL)
		r = agent_dial(t->path, left, &t->conn, err);
	if (r != RK_OK)
		return r;
	buf_init(&args, AGENT_SIGN_MAX - 1);
	if ((r = agent_put_text(&args, t->name)) == RK_OK && data.len > 0)
		r = bytes_put_string(&args, data.ptr, data.len);
	if (r == RK_OK && type == AGENT_PUBLIC && !t->old)
		r = bytes_put_u8(&args, 1);
	if (r != RK_OK) {
		buf_fini(&args);
		return err_set(err, r,
		    "agent: is not given more than %u bytes to sign",
		    AGENT_SIGN_MAX - 2 * NAME_LEN);
	}
	now = mono_ms();
	left = now < until ? (uint32_t)(until - now) : 1;
	agent_hurry(t->conn, left, t->asked == NULL);
	return agent_call(t->conn, type, &args,
	    t->asked == NULL ? NULL : on_wait, t, answer, err);
}

/* A connection that was kept may be one to an agent that has ended. */
static enum rk_err
ask(struct talk *t, enum agent_type type, struct rk_bytes data, uint32_t ms,
    struct bytes *answer, struct rk_error *err)
{
	uint64_t until = mono_ms() + ms;
	bool kept = t->conn != NULL;
	enum rk_err r = ask_once(t, type, data, until, answer, err);

	if (kept && r == RK_ECLOSED) {
		hang_up(t);
		r = ask_once(t, type, data, until, answer, err);
	}
	return r;
}

/* What failed, with where. */
static enum rk_err
fail(const struct talk *t, struct rk_error *err)
{
	char shown[SHOWN];
	char text[RK_ERROR_TEXT_LEN];

	(void)str_copy(text, sizeof(text), err->text);
	str_escape(shown, sizeof(shown), t->path);
	if (strstr(text, shown) != NULL)
		return err->code;
	return err_set(err, err->code, "%s (at %s)", text, shown);
}

static enum rk_err
unreadable(struct rk_error *err)
{
	return err_set(err, RK_EPROTO, "agent: an answer that cannot be read");
}

/* ---- signing ---- */

static enum rk_err
sign_now(struct talk *t, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err)
{
	const struct rk_bytes data = { msg, len };
	struct bytes answer;
	enum rk_err r;

	r = ask(t, AGENT_SIGN, data, t->sign_ms, &answer, err);
	if (r == RK_OK && !agent_get_signature(&answer, sig))
		r = unreadable(err);
	if (r != RK_OK)
		r = fail(t, err);
	return r;
}

static enum rk_err
sign(enum rk_sign_use use, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err, void *arg)
{
	struct talk *t = arg;
	uint64_t began;
	enum rk_err r;

	(void)use;                          /* the agent sees for itself */
	(void)pthread_mutex_lock(&t->lock); /* a plain mutex: no failure */
	began = mono_ms();
	if (began < t->rest_until) {
		*err = t->failure;
		r = err->code;
	} else if ((r = sign_now(t, msg, len, sig, err)) != RK_OK) {
		hang_up(t);
		t->failure = *err;
		if (mono_ms() - began >= t->sign_ms && t->asked == NULL)
			t->rest_until =
			    mono_ms() + REST((uint64_t)t->timeout_ms);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

static void
release(void *arg)
{
	struct talk *t = arg;

	hang_up(t);
	(void)pthread_mutex_destroy(&t->lock); /* nobody holds it */
	free(t);
}

/* ---- the key ---- */

static enum rk_err
fetch_public(struct talk *t, uint8_t pub[RK_KEY_PUBLIC_LEN], bool *asks,
    uint8_t *uses, struct rk_error *err)
{
	const struct rk_bytes none = { NULL, 0 };
	struct bytes answer;
	enum rk_err r;

	r = ask(t, AGENT_PUBLIC, none, t->timeout_ms, &answer, err);
	if (r == RK_EPROTO && !t->old) {
		/* It does not know the question; an earlier one it does. */
		hang_up(t);
		t->old = true;
		return fetch_public(t, pub, asks, uses, err);
	}
	if (r == RK_OK && !agent_get_public(&answer, pub, asks, uses))
		r = unreadable(err);
	return r == RK_OK ? r : fail(t, err);
}

/* What it takes. */
static uint8_t
agent_use(enum rk_sign_use use)
{
	switch (use) {
	case RK_SIGN_TLS:
	case RK_SIGN_PSK:
	case RK_SIGN_NEXT_KEY:
	case RK_SIGN_REQUEST:
		return AGENT_USE_TLS;
	case RK_SIGN_SESSION: /* whose ends may have SSH's keys */
		return AGENT_USE_TLS | AGENT_USE_SSH;
	case RK_SIGN_CERT:
	case RK_SIGN_CRL:
		return AGENT_USE_CA;
	case RK_SIGN_OTHER:
		break;
	}
	return AGENT_USE_ANY;
}

/* Rather than with the first signature, when somebody waits for that. */
static enum rk_err
judge(const struct talk *t, bool asks, uint8_t uses, struct rk_error *err)
{
	uint8_t needed = agent_use(t->use);
	char shown[SHOWN];

	str_escape(shown, sizeof(shown), t->name);
	if (asks && t->asked == NULL)
		(void)err_set(err, RK_EDENIED,
		    "%s: somebody is asked before each use, and nobody waits "
		    "for that here: keyvault unlock without --confirm",
		    shown);
	else if (t->use != RK_SIGN_OTHER && (uses & needed) == 0)
		(void)err_set(err, RK_EDENIED,
		    "%s: is not for %s, which take the tag %s: give it "
		    "that, and unlock it again, with no --only-for against it",
		    shown,
		    needed == AGENT_USE_CA ? "certificates" : "handshakes",
		    needed == AGENT_USE_CA ? "use:ca" : "use:tls");
	else
		return RK_OK;
	return fail(t, err);
}

static enum rk_err
begin(struct talk *t, const char *name, const struct rk_agent_conf *conf,
    struct rk_error *err)
{
	const char *path = conf == NULL ? NULL : conf->path;
	bool named;

	t->timeout_ms = conf == NULL || conf->timeout_ms == 0
	                    ? TIMEOUT_MS
	                    : conf->timeout_ms;
	t->sign_ms =
	    conf == NULL || conf->sign_ms == 0 ? t->timeout_ms : conf->sign_ms;
	t->asked = conf == NULL ? NULL : conf->asked;
	t->arg = conf == NULL ? NULL : conf->arg;
	t->use = conf == NULL ? RK_SIGN_OTHER : conf->use;
	if (name[0] == '\0' ||
	    str_copy(t->name, sizeof(t->name), name) >= sizeof(t->name))
		return err_set(err, RK_EINVAL,
		    "the agent's keys have names, of less than %d bytes",
		    NAME_LEN);
	if (path == NULL)
		return agent_path(t->path, &named, err);
	return str_copy(t->path, sizeof(t->path), path) < sizeof(t->path)
	           ? RK_OK
	           : agent_path_too_long(path, err);
}

enum rk_err
rk_key_of_agent(const char *name, const struct rk_agent_conf *conf,
    struct rk_key **out, struct rk_error *err)
{
	struct rk_error why = { 0 };
	struct rk_signer signer = {
		.size = sizeof(signer),
		.sign = sign,
		.release = release,
	};
	char label[NAME_LEN + AGENT_PATH_MAX + 16];
	struct talk *t;
	bool asks = false;
	uint8_t uses = AGENT_USE_ANY;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if (conf != NULL && conf->size != sizeof(*conf))
		return err_set(err, RK_EINVAL, "of another version");
	t = calloc(1, sizeof(*t));
	if (t == NULL || pthread_mutex_init(&t->lock, NULL) != 0) {
		free(t);
		return err_set(err, RK_ENOMEM, "out of memory");
	}
	signer.arg = t;
	r = begin(t, name, conf, &why);
	if (r == RK_OK)
		r = fetch_public(t, signer.pub, &asks, &uses, &why);
	if (r == RK_OK)
		r = judge(t, asks, uses, &why);
	(void)snprintf(label, sizeof(label), "%s (at %s)", t->name, t->path);
	signer.name = label;
	if (r == RK_OK && (r = rk_key_of_signer(&signer, out)) != RK_OK)
		(void)err_set(&why, r, "%s", rk_err_text(r));
	if (r == RK_OK)
		return RK_OK;
	if (err != NULL)
		*err = why;
	release(t);
	return r;
}
