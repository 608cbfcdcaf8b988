/* An agent without a file behind it, for tests and fuzzers: three keys. */
#ifndef TEST_AGENTRIG_H
#define TEST_AGENTRIG_H

#include "base/error.h"
#include "keyvault/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "a" is for files and TLS, "s" for SSH, "p" is no key. */
struct agentrig {
	struct agent *agent;
	struct rk_key *key[2];
	struct record rec[3];
	struct agent_asker own;
	struct agent_asker ssh;
	bool locked;
	unsigned uses;
	unsigned lines;         /* that were written */
	unsigned writes;        /* in so many steps */
	struct agent_line last; /* of them */
	uint64_t ms;            /* 0: a second; how long keys are opened */
	const char *only;       /* of the next keys that are opened */
	struct binds binds;
	bool full;        /* no more lines */
	bool broken;      /* the disk is not to be trusted */
	enum rk_err fail; /* of the next use */
	size_t many;      /* not 0: so many are listed, and none of the three */
	size_t many_from; /* the first one's number */
};

static const uint8_t agentrig_id[VAULT_ID_LEN] = { 7 };

static enum rk_err
agentrig_open(void *arg, const uint8_t id[VAULT_ID_LEN], struct rk_secret **key,
    struct rk_error *err)
{
	struct agentrig *rig = arg;
	bool fits = memcmp(id, agentrig_id, VAULT_ID_LEN) == 0 &&
	            rk_secret_peek(*key)[0] == 1;

	rk_secret_free(*key);
	*key = NULL;
	if (!fits)
		return err_set(err, RK_ETAMPERED, "another key");
	rig->locked = false;
	return RK_OK;
}

static void
agentrig_lock(void *arg)
{
	((struct agentrig *)arg)->locked = true;
}

static enum rk_err
agentrig_look(void *arg, struct rk_error *err)
{
	const struct agentrig *rig = arg;

	return rig->broken ? err_set(err, RK_EIO, "broken") : RK_OK;
}

static bool
agentrig_broken(void *arg)
{
	return ((struct agentrig *)arg)->broken;
}

static enum rk_err
agentrig_list(
    void *arg, vault_record_fn *fn, void *fn_arg, struct rk_error *err)
{
	struct agentrig *rig = arg;
	struct record rec = { .kind = RECORD_ED25519 };

	if (rig->locked)
		return err_set(err, RK_ESTATE, "locked");
	for (size_t i = 0; i < rig->many; i++) {
		(void)snprintf(
		    rec.name, sizeof(rec.name), "k%zu", rig->many_from + i);
		if (!fn(&rec, fn_arg))
			break;
	}
	for (size_t i = 0; rig->many == 0 && i < 3; i++)
		if (!fn(&rig->rec[i], fn_arg))
			break;
	return RK_OK;
}

static enum rk_err
agentrig_find(
    void *arg, const char *name, struct record *out, struct rk_error *err)
{
	struct agentrig *rig = arg;

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(rig->rec[i].name, name) == 0) {
			*out = rig->rec[i];
			return RK_OK;
		}
	}
	return err_set(err, RK_ENOENT, "no such key");
}

static void
agentrig_take(struct agentrig *rig, const struct agent_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (vault_act_name(lines[i].act) == NULL ||
		    lines[i].name[0] == '\0' || lines[i].text[0] == '\0')
			abort();
	rig->last = lines[n - 1];
	rig->lines += (unsigned)n;
	rig->writes++;
}

static enum rk_err
agentrig_use(void *arg, const char *name, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    unsigned use, const struct agent_line *lines, size_t n, struct rk_key **out,
    struct rk_error *err)
{
	struct agentrig *rig = arg;
	size_t i = name[0] == 's' ? 2 : 0;
	enum rk_err r = rig->fail;

	rig->fail = RK_OK;
	*out = NULL;
	if (r != RK_OK)
		return err_set(err, r, "told to fail");
	/* Who gets here was judged before. */
	if (rig->locked || memcmp(pub, rig->rec[i].pub, 32) != 0 ||
	    (purpose_uses(rig->rec[i].tags) & use) == 0)
		abort();
	if (n > 0)
		agentrig_take(rig, lines, n);
	rig->uses++;
	return rk_key_from_seed(rk_key_seed(rig->key[i / 2]), out);
}

static enum rk_err
agentrig_give(void *arg, const char *name, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    unsigned use, const struct agent_line *lines, size_t n,
    struct rk_secret **out, struct rk_error *err)
{
	struct agentrig *rig = arg;
	enum rk_err r = rig->fail;

	rig->fail = RK_OK;
	*out = NULL;
	if (r != RK_OK)
		return err_set(err, r, "told to fail");
	if (rig->locked || strcmp(name, "p") != 0 || use != USE_PSK || n == 0 ||
	    memcmp(pub, rig->rec[1].pub, 32) != 0)
		abort();
	agentrig_take(rig, lines, n);
	rig->uses++;
	return rk_secret_copy("12345678901234567890123456789012", 32, out);
}

static enum rk_err
agentrig_log(void *arg, const struct agent_line *lines, size_t n,
    int patience_ms, struct rk_error *err)
{
	struct agentrig *rig = arg;

	(void)patience_ms;
	if (rig->full)
		return err_set(err, RK_EIO, "no room");
	/* Without its key nothing can be written. */
	if (rig->locked)
		abort();
	agentrig_take(rig, lines, n);
	return RK_OK;
}

static inline void
agentrig_init(struct agentrig *rig)
{
	static const char *const names[] = { "a", "p", "s" };
	const struct agent_back back = { agentrig_open, agentrig_lock,
		agentrig_look, agentrig_broken, agentrig_list, agentrig_find,
		agentrig_use, agentrig_give, agentrig_log, rig };
	const struct agent_conf conf = { .back = &back,
		.path = "/v",
		.id = agentrig_id,
		.lifetime_ms = 1000 };
	uint8_t seed[RK_KEY_SEED_LEN] = { 1 };

	memset(rig, 0, sizeof(*rig));
	rig->locked = true;
	for (size_t i = 0; i < 3; i++) {
		memcpy(rig->rec[i].name, names[i], 2);
		rig->rec[i].kind = RECORD_ED25519;
		rig->rec[i].pub_len = RK_KEY_PUBLIC_LEN;
	}
	for (size_t i = 0; i < 2; i++) {
		seed[1] = (uint8_t)i;
		if (rk_key_from_seed(seed, &rig->key[i]) != RK_OK)
			abort();
	}
	rk_key_public(rig->key[0], rig->rec[0].pub);
	rk_key_public(rig->key[1], rig->rec[2].pub);
	rig->rec[1].kind = RECORD_PSK;
	rig->rec[1].pub_len = 4;
	memcpy(rig->rec[2].tags, "x,use:ssh", sizeof("x,use:ssh"));
	memcpy(rig->own.who, "a test", sizeof("a test"));
	rig->ssh = rig->own;
	rig->ssh.ssh = true;
	rig->ssh.binds = &rig->binds;
	if (agent_new(&conf, &rig->agent) != RK_OK)
		abort();
}

static inline void
agentrig_fini(struct agentrig *rig)
{
	agent_free(rig->agent);
	rk_key_free(rig->key[0]);
	rk_key_free(rig->key[1]);
}

/* A request to open `name`, or all keys for NULL. */
static inline enum rk_err
agentrig_unlock(struct agentrig *rig, const char *name, uint64_t now,
    uint64_t uses, bool confirm, struct buf *reply)
{
	const uint8_t key[VAULT_KEY_LEN] = { 1 };
	struct bytes body;
	struct buf b;
	uint32_t wait;
	enum rk_err r;

	buf_init(&b, 1024);
	if (bytes_put_string(&b, agentrig_id, VAULT_ID_LEN) != RK_OK ||
	    bytes_put_string(&b, key, sizeof(key)) != RK_OK ||
	    bytes_put_u64(&b, rig->ms) != RK_OK ||
	    bytes_put_u64(&b, uses) != RK_OK ||
	    bytes_put_u8(&b, confirm) != RK_OK ||
	    agent_put_text(&b, rig->only != NULL ? rig->only : "") != RK_OK ||
	    (name != NULL && agent_put_text(&b, name) != RK_OK))
		abort();
	body.at = buf_peek(&b);
	body.left = buf_len(&b);
	r = agent_handle(
	    rig->agent, &rig->own, now, AGENT_UNLOCK, body, reply, &wait);
	buf_fini(&b);
	return r;
}

#endif
