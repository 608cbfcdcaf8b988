/* The agent's vault: its data key shielded, the file open only for a use. */
#include "agent_vault.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/str.h"
#include "shield.h"

struct agent_vault {
	char path[PATH_MAX];
	uint8_t id[VAULT_ID_LEN];
	struct shield *key;  /* NULL: locked */
	uint64_t key_number; /* of the key */
};

/* Open and unlocked with this key; what was sealed is verified whole. */
static enum rk_err
unlock(struct agent_vault *av, const struct rk_secret *key, struct vault **out,
    uint64_t *key_number, struct rk_error *err)
{
	struct vault_info info;
	enum rk_err r;

	if ((r = vault_open(av->path, out, err)) != RK_OK)
		return r;
	if ((r = vault_inspect(*out, &info, err)) == RK_OK &&
	    memcmp(info.id, av->id, VAULT_ID_LEN) != 0)
		r = err_set(err, RK_ESTATE,
		    "agent: another vault is in the place of its own");
	if (r == RK_OK && *key_number == 0)
		*key_number = info.key_number;
	if (r == RK_OK && *key_number != info.key_number)
		r = err_set(err, RK_ESTATE,
		    "agent: the vault has a new key since it was unlocked");
	if (r == RK_OK)
		r = vault_unlock_with(*out, key, err);
	if (r != RK_OK) {
		vault_close(*out);
		*out = NULL;
	}
	return r;
}

static enum rk_err
enter(struct agent_vault *av, struct vault **out, struct rk_error *err)
{
	struct rk_secret *key = NULL;
	enum rk_err r;

	*out = NULL;
	if (av->key == NULL)
		return err_set(err, RK_ESTATE, "agent: is locked");
	if ((r = shield_open(av->key, &key)) != RK_OK)
		return err_set(err, r, "agent: %s", rk_err_text(r));
	r = unlock(av, key, out, &av->key_number, err);
	rk_secret_free(key);
	return r;
}

static void
forget(void *arg)
{
	struct agent_vault *av = arg;

	shield_free(av->key);
	av->key = NULL;
}

static enum rk_err
take_key(void *arg, const uint8_t id[VAULT_ID_LEN], struct rk_secret **key,
    struct rk_error *err)
{
	struct agent_vault *av = arg;
	struct shield *held = NULL;
	struct vault *v = NULL;
	uint64_t number = 0;
	enum rk_err r;

	if (memcmp(id, av->id, VAULT_ID_LEN) != 0)
		r = err_set(err, RK_EINVAL, "agent: is of another vault");
	else
		r = unlock(av, *key, &v, &number, err);
	vault_close(v);
	if (r != RK_OK) {
		rk_secret_free(*key);
		*key = NULL;
		return r;
	}
	if ((r = shield_new(key, &held)) != RK_OK)
		return err_set(err, r, "agent: %s", rk_err_text(r));
	forget(av);
	av->key = held;
	av->key_number = number;
	return RK_OK;
}

static enum rk_err
list(void *arg, vault_record_fn *fn, void *fn_arg, struct rk_error *err)
{
	struct vault *v;
	enum rk_err r;

	if ((r = enter(arg, &v, err)) != RK_OK)
		return r;
	r = vault_list(v, fn, fn_arg, err);
	vault_close(v);
	return r;
}

static enum rk_err
find(void *arg, const char *name, struct record *out, struct rk_error *err)
{
	struct vault *v;
	enum rk_err r;

	if ((r = enter(arg, &v, err)) != RK_OK)
		return r;
	r = vault_find(v, name, out, err);
	vault_close(v);
	return r;
}

static enum rk_err
write_line(struct vault *v, enum vault_act act, const char *name,
    const char *line, struct rk_error *err)
{
	enum rk_err r;

	if ((r = vault_begin(v, err)) == RK_OK &&
	    (r = vault_log(v, act, name, line, err)) == RK_OK)
		r = vault_commit(v, err);
	vault_cancel(v);
	return r;
}

static enum rk_err
add_line(void *arg, enum vault_act act, const char *name, const char *line,
    struct rk_error *err)
{
	struct vault *v;
	enum rk_err r;

	if ((r = enter(arg, &v, err)) != RK_OK)
		return r;
	r = write_line(v, act, name, line, err);
	vault_close(v);
	return r;
}

static enum rk_err
still_may(const struct record *rec, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    unsigned use, struct rk_error *err)
{
	const char *why = NULL;

	if (rec->kind != RECORD_ED25519 ||
	    memcmp(rec->pub, pub, RK_KEY_PUBLIC_LEN) != 0)
		why = "is another key than the one that was opened";
	else if ((purpose_uses(rec->tags) & use) == 0)
		why = "is not for this use any more (its tags, use:...)";
	else if (rec->expires != 0 && rec->expires <= (int64_t)time(NULL))
		why = "its time is over";
	return why == NULL ? RK_OK
	                   : err_set(err, RK_EDENIED, "%s: %s", rec->name, why);
}

static enum rk_err
use(void *arg, const char *name, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    unsigned what, const char *line, struct rk_key **out, struct rk_error *err)
{
	struct rk_secret *seed = NULL;
	struct rk_key *key = NULL;
	struct vault *v = NULL;
	struct record rec;
	enum rk_err r;

	*out = NULL;
	if ((r = enter(arg, &v, err)) != RK_OK)
		return r;
	if ((r = vault_secret(v, name, &rec, &seed, err)) != RK_OK ||
	    (r = still_may(&rec, pub, what, err)) != RK_OK)
		goto out;
	if ((r = rk_key_from_seed(rk_secret_peek(seed), &key)) != RK_OK) {
		r = err_set(err, r, "%s: %s", rec.name, rk_err_text(r));
		goto out;
	}
	r = write_line(v, VAULT_ACT_SIGN, rec.name, line, err);
	if (r == RK_OK) {
		*out = key;
		key = NULL;
	}
out:
	rk_key_free(key);
	rk_secret_free(seed);
	vault_close(v);
	return r;
}

enum rk_err
agent_vault_new(
    const char *path, struct agent_vault **out, struct rk_error *err)
{
	struct agent_vault *av;
	struct vault *v = NULL;
	struct vault_info info;
	enum rk_err r;

	*out = NULL;
	if ((av = calloc(1, sizeof(*av))) == NULL)
		return err_set(err, RK_ENOMEM, "agent: out of memory");
	if ((r = vault_open(path, &v, err)) == RK_OK &&
	    (r = vault_inspect(v, &info, err)) == RK_OK) {
		(void)str_copy(av->path, sizeof(av->path), path);
		memcpy(av->id, info.id, VAULT_ID_LEN);
		*out = av;
	} else
		free(av);
	vault_close(v);
	return r;
}

void
agent_vault_free(struct agent_vault *av)
{
	if (av == NULL)
		return;
	forget(av);
	free(av);
}

const uint8_t *
agent_vault_id(const struct agent_vault *av)
{
	return av->id;
}

void
agent_vault_back(struct agent_vault *av, struct agent_back *out)
{
	out->open = take_key;
	out->lock = forget;
	out->list = list;
	out->find = find;
	out->use = use;
	out->log = add_line;
	out->arg = av;
}
