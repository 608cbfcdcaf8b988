/* Who the daemon is and whom it believes: identity and known-keys file. */
#include "creds.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/path.h"

#include <rpckit/ask.h>
#include <rpckit/psk.h>
#include <rpckit/signer.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* rk_pass_fn: what is kept first, then what the source gives. */
static enum rk_err
get_pass(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	struct keyring *ring = arg;
	enum rk_err r;

	*out = NULL;
	if (ring->kept != NULL && attempt == 0)
		return rk_secret_copy(
		    rk_secret_peek(ring->kept), rk_secret_len(ring->kept), out);
	if (ring->kept != NULL)
		attempt--;
	r = pass_get(&ring->source, path, attempt, out);
	if (r != RK_OK || ring->kept != NULL)
		return r;
	/* Without memory for it the next reload asks again. */
	if (rk_secret_copy(rk_secret_peek(*out), rk_secret_len(*out),
	        &ring->kept) != RK_OK)
		ring->kept = NULL;
	return RK_OK;
}

/* Put where the setting was made in front of the text. */
static enum rk_err
blame(const struct origin *from, const char *text, struct rk_error *err)
{
	struct rk_error copy = *err;
	char where[WHERE_LEN];

	settings_where(from, where);
	(void)err_set(err, copy.code, "%s%s", where, text);
	err->sys = copy.sys;
	return copy.code;
}

enum rk_err
creds_key(const struct settings *s, const char *path, enum rk_sign_use use,
    rk_pass_fn *pass, void *arg, struct rk_key **out, struct rk_error *err)
{
	const struct rk_agent_conf conf = {
		.size = sizeof(conf),
		.sign_ms = (uint32_t)s->agent_wait,
		.use = use,
	};
	const char *name = path_key_name(path);

	return name != path ? rk_key_of_agent(name, &conf, out, err)
	                    : rk_key_load(path, pass, arg, out, err);
}

static enum rk_err
load_ident(const struct settings *s, struct keyring *ring, struct creds *c,
    struct rk_error *err)
{
	const char *name = path_key_name(s->key);
	struct rk_key *key = NULL;
	enum rk_err r;

	if (name == s->key)
		return rk_ident_load_dir(
		    s->certs, s->key, get_pass, ring, &c->ident, err);
	if ((r = creds_key(
	         s, s->key, RK_SIGN_TLS, get_pass, ring, &key, err)) == RK_OK)
		r = rk_ident_load_dir_use(s->certs, name, key, &c->ident, err);
	rk_key_free(key);
	return r;
}

/* Announce a key that will follow; it is needed for its signature only. */
static enum rk_err
announce(const struct settings *s, const struct entry *next,
    struct keyring *ring, struct creds *c, struct rk_error *err)
{
	char text[RK_ERROR_TEXT_LEN], shown[160];
	struct rk_error why;
	struct rk_key *key = NULL;
	char *path = NULL;
	enum rk_err r;

	if (path_key_name(next->text) != next->text)
		path = strdup(next->text);
	else if (asprintf(&path, "%s/%s.key", s->certs, next->text) < 0)
		path = NULL;
	if (path == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	ring->source.err.code = RK_OK;
	r = creds_key(s, path, RK_SIGN_TLS, get_pass, ring, &key, err);
	(void)str_copy(text, sizeof(text),
	    keyring_failed(ring, r) ? ring->source.err.text : err->text);
	if (r == RK_OK &&
	    (r = rk_ident_announce(c->ident, key, &why)) != RK_OK) {
		(void)err_set(err, r, "%s: %s",
		    str_escape(shown, sizeof(shown), path), why.text);
		(void)str_copy(text, sizeof(text), err->text);
	}
	rk_key_free(key);
	free(path);
	if (r == RK_OK)
		return RK_OK;
	err->code = r;
	return blame(&next->from, text, err);
}

static enum rk_err
announce_all(const struct settings *s, struct keyring *ring, struct creds *c,
    struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; r == RK_OK && i < s->next_key.n; i++)
		r = announce(s, &s->next_key.items[i], ring, c, err);
	return r;
}

enum rk_err
creds_load_ident(const struct settings *s, struct keyring *ring,
    struct creds *c, struct rk_error *err)
{
	char text[RK_ERROR_TEXT_LEN];
	enum rk_err r;

	ring->source = (struct pass_source){ .spec = s->pass,
		.flag = "--pass",
		.what = "key",
		.no_input = ring->no_input };
	r = load_ident(s, ring, c, err);
	if (r == RK_OK)
		return announce_all(s, ring, c, err);
	/* Why there was no passphrase says more than that there was none. */
	(void)str_copy(text, sizeof(text),
	    keyring_failed(ring, r) ? ring->source.err.text : err->text);
	err->code = r;
	if (path_key_name(s->key) != s->key && r != RK_ECERT)
		return blame(settings_from(s, "key"), text, err);
	if (r == RK_EPASS || r == RK_ENOPASS || keyring_failed(ring, r))
		return blame(settings_from(s, "pass"), text, err);
	return blame(settings_from(s, "certs"), text, err);
}

/* A method may want one that there is; its name is the file's. */
static enum rk_err
check_names(const struct rk_psks *psks, const struct list *names,
    const char *section, const char *of, struct rk_error *err)
{
	char shown[160], name[RK_PSK_NAME_LEN], text[RK_ERROR_TEXT_LEN];

	for (size_t i = 0; i < names->n; i++) {
		size_t n = psks == NULL ? 0 : rk_psks_count(psks);
		size_t k = 0;

		while (k < n &&
		       strcmp(rk_psks_name(psks, k), names->items[i].text) != 0)
			k++;
		if (k < n)
			continue;
		(void)snprintf(text, sizeof(text),
		    "[%s %s]: there is no pre-shared key %s", section,
		    str_escape(shown, sizeof(shown), of),
		    str_escape(name, sizeof(name), names->items[i].text));
		(void)err_set(err, RK_EFORMAT, "%s", text);
		return blame(&names->items[i].from, text, err);
	}
	return RK_OK;
}

enum rk_err
creds_load_psks(const struct settings *s, struct creds *c, struct rk_error *err)
{
	char text[RK_ERROR_TEXT_LEN];
	enum rk_err r = RK_OK;

	if (s->psk.n > 0 && (r = rk_psks_new(&c->psks)) != RK_OK)
		return err_set(err, r, "out of memory");
	for (size_t i = 0; i < s->psk.n; i++) {
		const struct entry *e = &s->psk.items[i];

		r = rk_psks_load(c->psks, e->text, NULL, err);
		if (r == RK_OK)
			continue;
		(void)str_copy(text, sizeof(text), err->text);
		return blame(&e->from, text, err);
	}
	for (size_t i = 0; r == RK_OK && i < s->n_methods; i++)
		r = check_names(c->psks, &s->methods[i].psk, "method",
		    s->methods[i].name, err);
	for (size_t i = 0; r == RK_OK && i < s->n_folders; i++)
		r = check_names(c->psks, &s->folders[i].psk, "files",
		    s->folders[i].name, err);
	return r;
}

/* Whose count of new keys goes on. */
static struct rk_trust *
same_list(const struct creds *before, const struct creds *now)
{
	if (before == NULL || before->known == NULL ||
	    strcmp(before->known, now->known) != 0)
		return NULL;
	return before->trust;
}

/* Was there a list, which an editor or an attacker has taken away since? */
static bool
is_gone(const struct creds *before, const struct creds *now)
{
	enum rk_trust_state state;
	struct rk_error err;
	size_t n;

	if (same_list(before, now) == NULL || now->state != RK_TRUST_ABSENT)
		return false;
	return before->state != RK_TRUST_ABSENT ||
	       rk_trust_inspect(before->trust, &state, &n, &err) != RK_OK;
}

static enum rk_err
blame_list(const struct settings *s, struct rk_error *err)
{
	char text[RK_ERROR_TEXT_LEN];

	(void)str_copy(text, sizeof(text), err->text);
	return blame(settings_from(s, "known-clients"), text, err);
}

/* Who waits, and who was rejected or revoked, outlives a reload. */
static void
follow(const struct creds *before, struct creds *now)
{
	if (before != NULL && now->trust != NULL)
		rk_trust_follow(now->trust, before->trust);
}

enum rk_err
creds_load_trust(const struct settings *s, const struct creds *before,
    struct creds *c, struct rk_error *err)
{
	enum rk_trust_mode mode = (enum rk_trust_mode)s->trust;
	char shown[160];
	size_t n;
	enum rk_err r;

	if (mode == RK_TRUST_OFF) {
		/* Its store's audit is to say so, where there is one. */
		r = rk_trust_new(s->known, mode, &c->trust, err);
		follow(before, c);
		return r;
	}
	c->known = strdup(s->known);
	if (c->known == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	r = rk_trust_new(s->known, mode, &c->trust, err);
	follow(before, c);
	if (r == RK_OK && rk_trust_limit(c->trust, (unsigned)s->max_new_keys,
	                      same_list(before, c)) != RK_OK)
		r = err_set(err, RK_ENOMEM, "out of memory");
	if (r == RK_OK)
		r = rk_trust_inspect(c->trust, &c->state, &n, err);
	if (r == RK_OK && is_gone(before, c))
		r = err_set(err, RK_ENOENT,
		    "%s: was there and is gone; restart to go on without it",
		    str_escape(shown, sizeof(shown), s->known));
	return r == RK_OK ? RK_OK : blame_list(s, err);
}

enum rk_err
creds_keep_trust(
    const struct settings *s, bool make, struct creds *c, struct rk_error *err)
{
	if (c->trust == NULL || rk_trust_keep(c->trust, make, err) == RK_OK)
		return RK_OK;
	return blame_list(s, err);
}

const char *
creds_advice(const struct settings *s, enum rk_err r)
{
	struct stat st;

	if (r == RK_EDAMAGED)
		return "put a copy of it back; or move it away and take the "
		       "line \"# decisions:\" out of the list, and all that "
		       "was decided is forgotten";
	if (r != RK_ESTATE)
		return NULL;
	if (s->trust == RK_TRUST_LOCK)
		return "put keys into the list first; or trust = open, which "
		       "records clients on first use";
	if (s->trust != RK_TRUST_ASK)
		return "chmod u+w the list to record clients on first use, or "
		       "put keys into it first";
	return stat(s->known, &st) != 0
	           ? "install -m 600 /dev/null LIST makes an empty list, "
	             "which takes the keys that are approved"
	           : "chmod u+w the list, so that it takes the keys that are "
	             "approved, or put keys into it first";
}

enum rk_err
creds_load(const struct settings *s, bool tls, struct keyring *ring,
    const struct creds *before, struct creds **out, struct rk_error *err)
{
	struct creds *c;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if ((r = creds_load_psks(s, c, err)) != RK_OK)
		goto out;
	if ((r = creds_load_trust(s, before, c, err)) != RK_OK)
		goto out;
	if (tls && (r = creds_load_ident(s, ring, c, err)) != RK_OK)
		goto out;
	if ((r = creds_keep_trust(s, true, c, err)) != RK_OK)
		goto out;
	*out = creds_hold(c);
	c = NULL;
out:
	creds_free(c);
	return r;
}

void
creds_fini(struct creds *c)
{
	rk_ident_free(c->ident);
	rk_trust_free(c->trust);
	rk_psks_free(c->psks);
	free(c->known);
	*c = (struct creds){ .ident = NULL };
}

struct creds *
creds_hold(struct creds *c)
{
	c->users++;
	return c;
}

void
creds_free(struct creds *c)
{
	if (c == NULL || (c->users > 0 && --c->users > 0))
		return;
	creds_fini(c);
	free(c);
}

bool
keyring_failed(const struct keyring *ring, enum rk_err r)
{
	return r != RK_OK && ring->source.err.code == r;
}

void
keyring_fini(struct keyring *ring)
{
	rk_secret_free(ring->kept);
	ring->kept = NULL;
}
