/* The agent's vault: its data key shielded, the file open, asleep between uses.
 */
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
	struct shield *key;     /* NULL: locked */
	uint64_t key_number;    /* of the key */
	struct vault_mark mark; /* what the vault was last, while unlocked */
	struct vault *vault; /* open, without a key between two uses; or NULL */
	char broken[RK_ERROR_TEXT_LEN]; /* why nothing is written any more */
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
	if (r == RK_OK) {
		vault_expect(*out, &av->mark);
		r = vault_unlock_with(*out, key, err);
	}
	if (r != RK_OK) {
		vault_close(*out);
		*out = NULL;
	}
	return r;
}

/* Whatever the disk would say to another try: what it took before is not known,
 * and a sync that succeeds then tells nothing of it. */
static enum rk_err
check_disk(const struct agent_vault *av, struct rk_error *err)
{
	if (av->broken[0] == '\0')
		return RK_OK;
	return err_set(err, RK_EIO,
	    "agent: writing failed, look at the disk, then start the agent "
	    "anew: %s",
	    av->broken);
}

/* What was written lies in the log beside the file, from where it is moved now
 * and then: that may fail as well. */
static void
note_failure(struct agent_vault *av)
{
	struct rk_error err;

	if (vault_settle(av->vault, &err) != RK_OK && vault_failed(av->vault) &&
	    av->broken[0] == '\0')
		(void)str_copy(av->broken, sizeof(av->broken), err.text);
}

static void
drop(struct agent_vault *av)
{
	if (av->vault != NULL) {
		vault_last(av->vault, &av->mark);
		note_failure(av);
	}
	vault_close(av->vault);
	av->vault = NULL;
}

/*
 * Awake.  What was verified when it was opened is not verified again unless the
 * file is another one, or somebody else has written: then it is looked at
 * whole.
 */
static enum rk_err
enter(struct agent_vault *av, struct vault **out, struct rk_error *err)
{
	const struct rk_secret *key;
	enum rk_err r;

	*out = NULL;
	if ((r = check_disk(av, err)) != RK_OK)
		return r;
	if (av->key == NULL)
		return err_set(err, RK_ESTATE, "agent: is locked");
	if ((r = shield_open(av->key, &key)) != RK_OK)
		return err_set(err, r, "agent: %s", rk_err_text(r));
	/* What is wrong with it is said by opening it. */
	if (av->vault != NULL && vault_same(av->vault, NULL) != RK_OK)
		drop(av);
	r = av->vault != NULL
	        ? vault_wake(av->vault, key, err)
	        : unlock(av, key, &av->vault, &av->key_number, err);
	shield_close(av->key);
	if (r == RK_OK)
		*out = av->vault;
	else
		drop(av);
	return r;
}

/* Asleep again; after what may be more than a mistake of ours it is opened
 * anew. */
static void
leave(struct agent_vault *av, enum rk_err r, const struct rk_error *err)
{
	if (r != RK_OK && vault_failed(av->vault))
		(void)str_copy(av->broken, sizeof(av->broken), err->text);
	else if (vault_failed(av->vault))
		note_failure(av);
	if (r == RK_OK || r == RK_ENOENT || r == RK_EDENIED || r == RK_EBUSY)
		vault_doze(av->vault);
	else
		drop(av);
}

static void
forget(void *arg)
{
	struct agent_vault *av = arg;

	drop(av);
	shield_free(av->key);
	av->key = NULL;
	memset(&av->mark, 0, sizeof(av->mark));
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
	else if ((r = check_disk(av, err)) == RK_OK)
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
look(void *arg, struct rk_error *err)
{
	struct agent_vault *av = arg;
	struct vault_info info;
	struct vault *v;
	enum rk_err r;

	if (av->key == NULL)
		return check_disk(av, err);
	if ((r = enter(av, &v, err)) != RK_OK)
		return r;
	r = vault_inspect(v, &info, err);
	leave(av, r, err);
	return r;
}

static bool
broken(void *arg)
{
	const struct agent_vault *av = arg;

	return av->broken[0] != '\0';
}

static enum rk_err
list(void *arg, vault_record_fn *fn, void *fn_arg, struct rk_error *err)
{
	struct vault *v;
	enum rk_err r;

	if ((r = enter(arg, &v, err)) != RK_OK)
		return r;
	r = vault_list(v, fn, fn_arg, err);
	leave(arg, r, err);
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
	leave(arg, r, err);
	return r;
}

static enum rk_err
write_lines(struct vault *v, const struct agent_line *lines, size_t n,
    int patience_ms, struct rk_error *err)
{
	enum rk_err r;

	vault_patience(v, patience_ms);
	r = vault_begin(v, err);
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = vault_log(
		    v, lines[i].act, lines[i].name, lines[i].text, err);
	if (r == RK_OK)
		r = vault_commit(v, err);
	vault_cancel(v);
	vault_patience(v, VAULT_WAIT_MS);
	return r;
}

static enum rk_err
add_lines(void *arg, const struct agent_line *lines, size_t n, int patience_ms,
    struct rk_error *err)
{
	struct vault *v;
	enum rk_err r;

	if ((r = enter(arg, &v, err)) != RK_OK)
		return r;
	r = write_lines(v, lines, n, patience_ms, err);
	leave(arg, r, err);
	return r;
}

static enum rk_err
still_may(const struct record *rec, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    unsigned use, struct rk_error *err)
{
	const char *why = NULL;

	if (memcmp(rec->pub, pub, RK_KEY_PUBLIC_LEN) != 0)
		why = "is another key than the one that was opened";
	else if ((agent_uses(rec) & use) == 0)
		why = "is not for this use any more (its tags, use:...)";
	else if (rec->expires != 0 && rec->expires <= (int64_t)time(NULL))
		why = "its time is over";
	return why == NULL ? RK_OK
	                   : err_set(err, RK_EDENIED, "%s: %s", rec->name, why);
}

static enum rk_err
read_secret(struct vault *v, const char *name,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], unsigned what, struct rk_secret **out,
    struct rk_error *err)
{
	struct record rec;
	enum rk_err r;

	if ((r = vault_secret(v, name, &rec, out, err)) == RK_OK &&
	    (r = still_may(&rec, pub, what, err)) != RK_OK) {
		rk_secret_free(*out);
		*out = NULL;
	}
	return r;
}

static enum rk_err
read_key(struct vault *v, const char *name,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], unsigned what, struct rk_key **out,
    struct rk_error *err)
{
	struct rk_secret *seed;
	enum rk_err r;

	*out = NULL;
	if ((r = read_secret(v, name, pub, what, &seed, err)) == RK_OK &&
	    (r = rk_key_from_seed(rk_secret_peek(seed), out)) != RK_OK)
		r = err_set(err, r, "%s: %s", name, rk_err_text(r));
	rk_secret_free(seed);
	return r;
}

static enum rk_err
give(void *arg, const char *name, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    unsigned what, const struct agent_line *lines, size_t n,
    struct rk_secret **out, struct rk_error *err)
{
	struct rk_secret *secret;
	struct vault *v;
	enum rk_err r;

	*out = NULL;
	if ((r = enter(arg, &v, err)) != RK_OK)
		return r;
	if ((r = read_secret(v, name, pub, what, &secret, err)) == RK_OK)
		r = write_lines(v, lines, n, VAULT_WAIT_MS, err);
	if (r == RK_OK)
		*out = secret;
	else
		rk_secret_free(secret);
	leave(arg, r, err);
	return r;
}

static enum rk_err
use(void *arg, const char *name, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    unsigned what, const struct agent_line *lines, size_t n,
    struct rk_key **out, struct rk_error *err)
{
	struct rk_key *key;
	struct vault *v;
	enum rk_err r;

	*out = NULL;
	if ((r = enter(arg, &v, err)) != RK_OK)
		return r;
	if ((r = read_key(v, name, pub, what, &key, err)) == RK_OK && n > 0)
		r = write_lines(v, lines, n, VAULT_WAIT_MS, err);
	if (r == RK_OK)
		*out = key;
	else
		rk_key_free(key);
	leave(arg, r, err);
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
	out->look = look;
	out->broken = broken;
	out->list = list;
	out->find = find;
	out->use = use;
	out->give = give;
	out->log = add_lines;
	out->arg = av;
}
