/* Sets of pre-shared keys: read, checked, found by their ids. */
#include "trust/psks.h"

#include "base/agent_fetch.h"
#include "base/crypt.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#include <rpckit/secret.h>
#include <rpckit/signer.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_LABEL "rpckit psk id" /* with its NUL in front of the key */
#define KNOCK_LABEL "rpckit session 1, knock" /* and NUL */
#define FILE_CHECKS (FS_NO_FOLLOW | FS_PRIVATE | FS_NOT_SHARED)
#define FILE_SUFFIX ".psk"
#define SHOWN_LEN 220
#define CAP_MIN 4

static_assert(PSK_ID_BYTES == sizeof(uint32_t), "they are compared as one");

struct rk_psks {
	atomic_uint refs;
	size_t n;
	size_t cap;
	struct psk *list;
};

/* ---- ids ---- */

/* Too little of a hash to say anything about the key. */
static void
make_id(const uint8_t key[RK_PSK_LEN], uint8_t id[PSK_ID_BYTES])
{
	uint8_t hash[CRYPT_HASH_LEN];

	crypt_sha256_join(hash, ID_LABEL, sizeof(ID_LABEL), key, RK_PSK_LEN);
	memcpy(id, hash, PSK_ID_BYTES);
	rk_wipe(hash, sizeof(hash));
}

void
psk_id_format(const uint8_t id[PSK_ID_BYTES], char out[RK_PSK_ID_LEN])
{
	char hex[PSK_ID_BYTES * 2 + 1];

	str_hex(hex, id, PSK_ID_BYTES);
	(void)snprintf(out, RK_PSK_ID_LEN, "%.4s %.4s", hex, hex + 4);
}

void
rk_psk_id(const uint8_t key[RK_PSK_LEN], char out[RK_PSK_ID_LEN])
{
	uint8_t id[PSK_ID_BYTES];

	make_id(key, id);
	psk_id_format(id, out);
}

/* ---- a set ---- */

enum rk_err
rk_psks_new(struct rk_psks **out)
{
	struct rk_psks *p = calloc(1, sizeof(*p));

	*out = p;
	if (p == NULL)
		return RK_ENOMEM;
	atomic_init(&p->refs, 1);
	return RK_OK;
}

struct rk_psks *
psks_ref(struct rk_psks *p)
{
	if (p != NULL)
		(void)atomic_fetch_add(&p->refs, 1);
	return p;
}

void
rk_psks_free(struct rk_psks *p)
{
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	for (size_t i = 0; i < p->n; i++)
		rk_secret_free(p->list[i].key);
	free(p->list);
	free(p);
}

size_t
rk_psks_count(const struct rk_psks *p)
{
	return p->n;
}

const struct psk *
psks_at(const struct rk_psks *p, size_t i)
{
	return &p->list[i];
}

const char *
rk_psks_name(const struct rk_psks *p, size_t i)
{
	return p->list[i].name;
}

void
rk_psks_id(const struct rk_psks *p, size_t i, char id[RK_PSK_ID_LEN])
{
	psk_id_format(p->list[i].id, id);
}

/* No branch depends on where it is, or whether: no two have the same. */
const struct psk *
psks_find(const struct rk_psks *p, const uint8_t id[PSK_ID_BYTES])
{
	size_t place = 0; /* from 1 */
	uint32_t want, is;

	memcpy(&want, id, sizeof(want));
	for (size_t i = 0; i < p->n; i++) {
		memcpy(&is, p->list[i].id, sizeof(is));
		is ^= want;
		/* The highest bit is set unless all are the same. */
		place |= (i + 1) & ((size_t)((is | (0 - is)) >> 31) - 1);
	}
	return place == 0 ? NULL : &p->list[place - 1];
}

const uint8_t *
psk_knock_key(const struct psk *k)
{
	return rk_secret_peek(k->key) + RK_PSK_LEN;
}

/* ---- adding ---- */

static bool
name_ok(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "abcdefghijklmnopqrstuvwxyz"
	                              "0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len < RK_PSK_NAME_LEN && strspn(name, allowed) == len;
}

static enum rk_err
check_name(const struct rk_psks *p, const char *name, struct rk_error *err)
{
	char shown[SHOWN_LEN];

	str_escape(shown, sizeof(shown), name);
	if (!name_ok(name))
		return err_set(err, RK_EINVAL,
		    "pre-shared key \"%s\": a name is 1 to %d characters of "
		    "A-Z a-z 0-9 . _ -",
		    shown, RK_PSK_NAME_LEN - 1);
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->list[i].name, name) == 0)
			return err_set(err, RK_EEXIST,
			    "pre-shared key \"%s\": there are two of this name",
			    name);
	return RK_OK;
}

static bool
is_zero(const uint8_t key[RK_PSK_LEN])
{
	static const uint8_t zeros[RK_PSK_LEN];

	return rk_secret_eq(key, zeros, sizeof(zeros));
}

static enum rk_err
make_room(struct rk_psks *p)
{
	size_t cap = p->cap == 0 ? CAP_MIN : 2 * p->cap;
	struct psk *list;

	if (p->n < p->cap)
		return RK_OK;
	list = realloc(p->list, cap * sizeof(*list));
	if (list == NULL)
		return RK_ENOMEM;
	p->list = list;
	p->cap = cap;
	return RK_OK;
}

static enum rk_err
check_key(const struct rk_psks *p, const struct psk *k, struct rk_error *err)
{
	const struct psk *same = psks_find(p, k->id);

	if (p->n == RK_PSKS_MAX)
		return err_set(err, RK_ELIMIT,
		    "pre-shared key \"%s\": there are %d others", k->name,
		    RK_PSKS_MAX);
	if (same != NULL)
		return err_set(err, RK_EEXIST,
		    "pre-shared key \"%s\": is the same as \"%s\"", k->name,
		    same->name);
	return RK_OK;
}

/* The key, and what is derived from it. */
static enum rk_err
keep(const uint8_t key[RK_PSK_LEN], struct rk_secret **out)
{
	enum rk_err r = rk_secret_new(RK_PSK_LEN + PSK_KNOCK_LEN, out);
	uint8_t *p;

	if (r != RK_OK)
		return r;
	p = rk_secret_data(*out);
	memcpy(p, key, RK_PSK_LEN);
	r = crypt_hkdf(p + RK_PSK_LEN, PSK_KNOCK_LEN, key, RK_PSK_LEN, NULL, 0,
	    KNOCK_LABEL, sizeof(KNOCK_LABEL));
	assert(r == RK_OK); /* it only fails beyond a length */
	return r;
}

enum rk_err
rk_psks_add(struct rk_psks *p, const uint8_t key[RK_PSK_LEN], const char *name,
    struct rk_error *err)
{
	struct psk k = { 0 };
	enum rk_err r;

	err_clear(err);
	if ((r = check_name(p, name, err)) != RK_OK)
		return r;
	(void)str_copy(k.name, sizeof(k.name), name); /* it was measured */
	if (is_zero(key))
		return err_set(err, RK_EFORMAT,
		    "pre-shared key \"%s\": all of its bytes are zero", name);
	make_id(key, k.id);
	if ((r = check_key(p, &k, err)) != RK_OK)
		return r;
	if ((r = make_room(p)) != RK_OK || (r = keep(key, &k.key)) != RK_OK)
		return err_set(err, r, "out of memory");
	p->list[p->n++] = k;
	return RK_OK;
}

/* "lab" of "keys/lab.psk"; what is too long is no name anyway. */
static void
name_of(const char *path, char name[RK_PSK_NAME_LEN])
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	size_t len = strlen(base);
	const size_t tail = strlen(FILE_SUFFIX);

	if (len > tail && strcmp(base + len - tail, FILE_SUFFIX) == 0)
		len -= tail;
	if (len >= RK_PSK_NAME_LEN)
		len = 0;
	memcpy(name, base, len);
	name[len] = '\0';
}

/* ---- from an agent ---- */

struct asking {
	const struct rk_agent_conf *conf;
	const char *name;
};

static void
on_wait(uint32_t id, const char *how, void *arg)
{
	const struct asking *a = arg;

	(void)how;
	a->conf->asked(a->name, id, a->conf->arg);
}

static enum rk_err
fetch(const char *in_agent, const struct rk_agent_conf *conf,
    struct rk_secret **out, struct rk_error *err)
{
	struct asking a = { .conf = conf, .name = in_agent };
	struct agent_fetch how = { .arg = &a };

	if (conf != NULL && conf->size != sizeof(*conf))
		return err_set(err, RK_EINVAL, "of another version");
	if (conf != NULL) {
		how.path = conf->path;
		how.ms = conf->timeout_ms;
		how.asked = conf->asked != NULL ? on_wait : NULL;
	}
	return agent_fetch(&how, in_agent, AGENT_GIFT_PSK, out, err);
}

enum rk_err
rk_psks_of_agent(struct rk_psks *p, const char *in_agent, const char *name,
    const struct rk_agent_conf *conf, struct rk_error *err)
{
	char shown[SHOWN_LEN];
	char own[RK_PSK_NAME_LEN];
	struct rk_secret *key = NULL;
	enum rk_err r;

	err_clear(err);
	if ((r = fetch(in_agent, conf, &key, err)) != RK_OK)
		return r;
	if (rk_secret_len(key) != RK_PSK_LEN)
		r = err_set(err, RK_EFORMAT,
		    RK_KEY_IN_AGENT "%s: no pre-shared key, which is %d bytes",
		    str_escape(shown, sizeof(shown), in_agent), RK_PSK_LEN);
	if (name == NULL)
		name_of(in_agent, own);
	if (r == RK_OK)
		r = rk_psks_add(
		    p, rk_secret_peek(key), name == NULL ? own : name, err);
	rk_secret_free(key);
	return r;
}

enum rk_err
rk_psks_load(
    struct rk_psks *p, const char *path, const char *name, struct rk_error *err)
{
	char shown[SHOWN_LEN];
	char own[RK_PSK_NAME_LEN];
	struct rk_secret *key = NULL;
	enum rk_err r;

	if (strncmp(path, RK_KEY_IN_AGENT, strlen(RK_KEY_IN_AGENT)) == 0)
		return rk_psks_of_agent(
		    p, path + strlen(RK_KEY_IN_AGENT), name, NULL, err);
	err_clear(err);
	str_escape(shown, sizeof(shown), path);
	r = fs_read_secret(path, FILE_CHECKS, RK_PSK_LEN, &key, err);
	if (r == RK_ETOOBIG || (r == RK_OK && rk_secret_len(key) != RK_PSK_LEN))
		r = err_set(err, RK_EFORMAT,
		    "%s: no pre-shared key, which is %d bytes", shown,
		    RK_PSK_LEN);
	if (r == RK_OK && is_zero(rk_secret_peek(key)))
		r = err_set(err, RK_EFORMAT,
		    "%s: no pre-shared key: all of its bytes are zero", shown);
	if (r != RK_OK)
		goto out;
	if (name == NULL)
		name_of(path, own);
	r = rk_psks_add(p, rk_secret_peek(key), name == NULL ? own : name, err);
out:
	rk_secret_free(key);
	return r;
}
