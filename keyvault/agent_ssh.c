/* Requests of SSH's programs (draft-ietf-sshm-ssh-agent). */
#include "agent_int.h"

#include <stdio.h>

#include "base/ssh.h"
#include "base/str.h"

#define IDENTITIES_MAX 256

static enum rk_err
succeed(struct buf *reply)
{
	size_t at;
	enum rk_err r;

	if ((r = agent_begin(reply, SSH_SUCCESS, &at)) == RK_OK)
		agent_end(reply, at);
	return r;
}

static enum rk_err
put_identity(struct buf *reply, const struct open_key *k)
{
	struct buf blob;
	enum rk_err r;

	buf_init(&blob, 128);
	if ((r = ssh_put_public(&blob, k->pub)) == RK_OK &&
	    (r = bytes_put_string(reply, buf_peek(&blob), buf_len(&blob))) ==
	        RK_OK)
		r = agent_put_text(reply, k->name);
	buf_fini(&blob);
	return r;
}

static bool
is_forwarded(const struct agent_asker *asker)
{
	return asker->binds != NULL && asker->binds->forwarded;
}

/* A key for a place is not for other machines. */
static bool
is_shown(const struct agent_asker *asker, const struct open_key *k)
{
	return (k->uses & USE_SSH) != 0 &&
	       !(is_forwarded(asker) && only_has_host(k->only));
}

/* One of several names of a key has been listed before. */
static bool
is_twin(const struct agent *a, const struct agent_asker *asker, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is_shown(asker, &a->keys[i]) &&
		    memcmp(a->keys[i].pub, a->keys[at].pub,
		        RK_KEY_PUBLIC_LEN) == 0)
			return true;
	return false;
}

static enum rk_err
identities(struct agent *a, const struct agent_asker *asker, struct buf *reply)
{
	const struct open_key *list[IDENTITIES_MAX];
	uint32_t n = 0;
	size_t at;
	enum rk_err r;

	for (size_t i = 0; i < a->n_keys && n < IDENTITIES_MAX; i++)
		if (is_shown(asker, &a->keys[i]) && !is_twin(a, asker, i))
			list[n++] = &a->keys[i];
	if ((r = agent_begin(reply, SSH_IDENTITIES_ANSWER, &at)) != RK_OK ||
	    (r = bytes_put_u32(reply, n)) != RK_OK)
		return r;
	for (uint32_t i = 0; i < n && r == RK_OK; i++)
		r = put_identity(reply, list[i]);
	agent_end(reply, at);
	return r;
}

/* The next of the names behind prev (NULL: the first) of an open key for SSH.
 */
static struct open_key *
next_of(struct agent *a, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    const struct open_key *prev)
{
	size_t i = prev == NULL ? 0 : (size_t)(prev - a->keys) + 1;

	for (; i < a->n_keys; i++)
		if ((a->keys[i].uses & USE_SSH) != 0 &&
		    memcmp(a->keys[i].pub, pub, RK_KEY_PUBLIC_LEN) == 0)
			return &a->keys[i];
	return NULL;
}

/* The public key that such a blob is. */
static bool
get_pub(struct bytes *body, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct bytes blob;

	return bytes_get_string(body, &blob) &&
	       ssh_get_public(blob.at, blob.left, pub) == RK_OK;
}

static bool
is_stricter(const struct open_key *k, const struct open_key *than, uint64_t now)
{
	bool asks = k->confirm && k->yes_until <= now;
	bool other = than->confirm && than->yes_until <= now;

	return asks != other ? asks : k->left < than->left;
}

/* Of the names of a key the one whose limits are the strictest: somebody is
 * asked if one of them wants that, and the fewest uses are used first. */
static struct open_key *
strictest(struct agent *a, const uint8_t pub[RK_KEY_PUBLIC_LEN], uint64_t now)
{
	struct open_key *best = next_of(a, pub, NULL);
	struct open_key *k = best;

	while (k != NULL && (k = next_of(a, pub, k)) != NULL)
		if (is_stricter(k, best, now))
			best = k;
	return best;
}

bool
agent_ssh_allows(struct agent *a, const struct order *o)
{
	const char *host = o->afar ? "" : o->host;

	for (const struct open_key *k = next_of(a, o->pub, NULL); k != NULL;
	     k = next_of(a, o->pub, k))
		if (only_refuses(k->only, o->use, o->asker.program, host) !=
		    NULL)
			return false;
	return true;
}

/* Where the login is, and from where it is asked for, for people. */
static enum rk_err
set_place(struct order *o)
{
	const struct binds *b = o->asker.binds;
	char text[PURPOSE_TEXT_MAX];
	char who[AGENT_WHO_MAX];
	enum rk_err r;

	if (b != NULL && b->failed)
		return RK_EDENIED;
	if (o->view.is == PURPOSE_SSH_USER) {
		if (b != NULL &&
		    (r = bind_target(b, o->data, o->len, o->host)) != RK_OK)
			return r;
		(void)str_copy(text, sizeof(text), o->view.text);
		(void)snprintf(o->view.text, sizeof(o->view.text),
		    "%.190s at %s", text,
		    o->host[0] != '\0' ? o->host : "a host that is not known");
	}
	if (is_forwarded(&o->asker)) {
		(void)str_copy(who, sizeof(who), o->asker.who);
		(void)snprintf(o->asker.who, sizeof(o->asker.who),
		    "another machine, %s, by %.170s",
		    b->n > 0 ? b->list[0].fp : "not known", who);
	}
	return RK_OK;
}

/* Flags are for keys of other kinds. */
static enum rk_err
sign(struct agent *a, const struct agent_asker *asker, uint64_t now,
    struct bytes body, struct buf *reply, uint32_t *wait)
{
	struct order o = { .use = USE_SSH, .asker = *asker };
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	const struct open_key *k;
	struct bytes data;
	uint32_t flags;

	if (!get_pub(&body, pub) || (k = strictest(a, pub, now)) == NULL ||
	    !bytes_get_string(&body, &data) || !bytes_get_u32(&body, &flags) ||
	    body.left != 0 ||
	    purpose_of_ssh(data.at, data.left, k->pub, &o.view) != RK_OK)
		return agent_refuse(asker, RK_EDENIED, "", reply);
	(void)str_copy(o.name, sizeof(o.name), k->name);
	o.len = data.left;
	o.data = data.at;
	if (set_place(&o) != RK_OK)
		return agent_refuse(asker, RK_EDENIED, "", reply);
	return agent_order(a, &o, now, reply, wait);
}

/* All that it is called. */
static enum rk_err
close_one(struct agent *a, const struct agent_asker *asker, struct bytes body,
    struct buf *reply)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct open_key *k;

	if (!get_pub(&body, pub) || body.left != 0 || is_forwarded(asker) ||
	    (k = next_of(a, pub, NULL)) == NULL)
		return agent_refuse(asker, RK_ENOENT, "", reply);
	for (; k != NULL; k = next_of(a, pub, NULL))
		agent_key_close(a, k);
	return succeed(reply);
}

static enum rk_err
close_all(struct agent *a, const struct agent_asker *asker, struct buf *reply)
{
	if (is_forwarded(asker))
		return agent_refuse(asker, RK_EDENIED, "", reply);
	for (size_t i = a->n_keys; i > 0; i--)
		if ((a->keys[i - 1].uses & USE_SSH) != 0)
			agent_key_close(a, &a->keys[i - 1]);
	return succeed(reply);
}

static enum rk_err
extend(const struct agent_asker *asker, struct bytes body, struct buf *reply)
{
	struct bytes name;

	if (!bytes_get_string(&body, &name) ||
	    !bytes_are(&name, BIND_EXTENSION) || asker->binds == NULL ||
	    bind_take(asker->binds, body) != RK_OK)
		return agent_refuse(asker, RK_EUNSUPPORTED, "", reply);
	return succeed(reply);
}

enum rk_err
agent_ssh(struct agent *a, const struct agent_asker *asker, uint64_t now,
    uint8_t type, struct bytes body, struct buf *reply, uint32_t *wait)
{
	switch (type) {
	case SSH_REQUEST_IDENTITIES:
		return identities(a, asker, reply);
	case SSH_SIGN_REQUEST:
		return sign(a, asker, now, body, reply, wait);
	case SSH_REMOVE_IDENTITY:
		return close_one(a, asker, body, reply);
	case SSH_REMOVE_ALL_IDENTITIES:
		return close_all(a, asker, reply);
	case SSH_EXTENSION:
		return extend(asker, body, reply);
	default:
		return agent_refuse(asker, RK_EUNSUPPORTED, "", reply);
	}
}
