/* Private keys: opened and made, with their passphrases. */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/pass.h"
#include "selfy.h"

#include <rpckit/signer.h>

#define AGENT_MS 15000 /* longer than its vault may be busy */

static struct pass_source
source(const struct selfy *s, const struct key_source *from, bool twice)
{
	return (struct pass_source){
		.spec = from->spec,
		.flag = from->flag,
		.what = from->what,
		.no_input = args_flag(s->args, "no-input"),
		.twice = twice,
	};
}

/* The library knows that there is none; the source knows why, but not always
 * for what. */
static enum rk_err
explain(struct selfy *s, const struct key_source *from,
    const struct pass_source *src, enum rk_err r)
{
	bool person = src->spec == NULL || strcmp(src->spec, "tty") == 0;
	char why[RK_ERROR_TEXT_LEN];
	char *advice = NULL;

	if (r == RK_EPASS || src->err.code != r)
		return r;
	(void)str_copy(why, sizeof(why), src->err.text);
	/* Where there is no terminal, it names the thing and says what to do;
	 * the latter is on a line of its own here. */
	advice = strstr(why, ", give ");
	if (advice != NULL)
		*advice = '\0';
	if (r == RK_ENOPASS && person)
		selfy_retry(s, "%s file:PATH", from->flag);
	if (advice == NULL && (person || r == RK_EINVAL))
		return selfy_fail(s, r, from->path, why);
	return err_set(&s->err, r, "%s", why);
}

/* The derivation takes seconds by design; a person is told. */
static void
tell_wait(const struct selfy *s, const char *path)
{
	char shown[SHOWN_LEN];

	if (isatty(STDERR_FILENO) == 1)
		out_note(&s->out, "working on the passphrase of %s",
		    str_escape(shown, sizeof(shown), path));
}

struct asking {
	const struct selfy *s;
	struct pass_source src;
};

static enum rk_err
ask(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	struct asking *a = arg;
	enum rk_err r = pass_callback(path, attempt, out, &a->src);

	if (r == RK_OK)
		tell_wait(a->s, path);
	return r;
}

enum rk_err
key_open(struct selfy *s, const struct key_source *from, struct rk_key **out)
{
	struct asking a = { .s = s, .src = source(s, from, false) };
	enum rk_err r;

	r = rk_key_load(from->path, ask, &a, out, &s->err);
	return r == RK_OK ? r : explain(s, from, &a.src, r);
}

enum rk_err
key_parse(struct selfy *s, const struct key_source *from,
    const struct buf *text, struct rk_key **out)
{
	struct asking a = { .s = s, .src = source(s, from, false) };
	enum rk_err r;

	r = rk_key_parse(from->path, (const char *)buf_peek(text),
	    buf_len(text), ask, &a, out, &s->err);
	return r == RK_OK ? r : explain(s, from, &a.src, r);
}

enum rk_err
key_new_pass(
    struct selfy *s, const struct key_source *from, struct rk_secret **out)
{
	struct pass_source src = source(s, from, true);
	char shown[SHOWN_LEN];
	enum rk_err r;

	*out = NULL;
	/* A source that was named for just this key is stronger. */
	if (args_flag(s->args, "nopass") && from->spec == NULL) {
		if (isatty(STDERR_FILENO) == 1)
			out_note(&s->out, "%s: not encrypted (-nopass)",
			    str_escape(shown, sizeof(shown), from->path));
		return RK_OK;
	}
	if ((r = pass_get(&src, from->path, 0, out)) == RK_OK)
		return r;
	s->err = src.err;
	(void)explain(s, from, &src, r);
	if (r == RK_ENOPASS)
		selfy_retry(s, "%s file:PATH, or -nopass", from->flag);
	return r;
}

static enum rk_key_form
form(const struct selfy *s, const struct rk_secret *pass)
{
	if (pass == NULL)
		return RK_KEY_PKCS8;
	if (strcmp(args_text(
	               s->args, "format", s->keep_pkcs8 ? "pkcs8" : "rpc25519"),
	        "pkcs8") == 0)
		return RK_KEY_PKCS8_PBES2;
	return RK_KEY_RPC25519;
}

enum rk_err
key_add(struct selfy *s, struct batch *b, const char *path,
    const struct rk_key *key, const struct rk_secret *pass, bool replace)
{
	struct rk_secret *pem = NULL;
	struct batch_item item = {
		.path = path,
		.mode = KEY_MODE,
		.replace = replace,
		.note = pass != NULL ? "encrypted" : "not encrypted",
	};
	enum rk_err r;

	if (pass != NULL)
		tell_wait(s, path != NULL ? path : "the new key");
	if ((r = rk_key_format(key, form(s, pass), pass, &pem)) != RK_OK)
		return err_set(&s->err, r, "new key: %s", rk_err_text(r));
	item.data = rk_secret_peek(pem);
	item.len = rk_secret_len(pem);
	r = batch_add(b, &item, &s->err);
	rk_secret_free(pem);
	return r;
}

enum rk_err
key_make(struct selfy *s, const struct key_source *from, struct batch *b,
    bool replace, struct rk_key **out)
{
	const char *path = from->to_stdout ? NULL : from->path;
	struct rk_secret *pass = NULL;
	struct rk_key *key = NULL;
	enum rk_err r;

	*out = NULL;
	if ((r = key_new_pass(s, from, &pass)) != RK_OK)
		goto out;
	if ((r = rk_key_generate(&key)) != RK_OK) {
		err_set(&s->err, r, "new key: %s", rk_err_text(r));
		goto out;
	}
	if ((r = key_add(s, b, path, key, pass, replace)) != RK_OK)
		goto out;
	*out = key;
	key = NULL;
out:
	rk_key_free(key);
	rk_secret_free(pass);
	return r;
}

/* ---- keys in keyvault's agent ---- */

static void
on_asked(const char *name, uint32_t id, void *arg)
{
	const struct selfy *s = arg;
	char shown[SHOWN_LEN];

	out_note(&s->out, "%s: waiting for your yes (or: keyvault allow %u)",
	    str_escape(shown, sizeof(shown), name), id);
}

enum rk_err
key_in_agent(struct selfy *s, const char *spec, struct rk_key **out)
{
	const struct rk_agent_conf conf = {
		.size = sizeof(conf),
		.timeout_ms = AGENT_MS,
		.asked = on_asked,
		.arg = s,
	};
	enum rk_err r;

	r = rk_key_of_agent(
	    spec + sizeof(RK_KEY_IN_AGENT) - 1, &conf, out, &s->err);
	if (r == RK_ECONNECT)
		selfy_retry(s, "eval \"$(keyvault agent)\"; keyvault unlock");
	else if (r == RK_ENOPASS)
		selfy_retry(s, "keyvault unlock");
	return r;
}
