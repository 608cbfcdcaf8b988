/* Requests of SSH's programs (draft-ietf-sshm-ssh-agent). */
#include "agent_int.h"

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

static enum rk_err
identities(struct agent *a, struct buf *reply)
{
	uint32_t n = 0;
	size_t at;
	enum rk_err r;

	for (size_t i = 0; i < a->n_keys; i++)
		n += (a->keys[i].uses & USE_SSH) != 0;
	if (n > IDENTITIES_MAX)
		n = IDENTITIES_MAX;
	if ((r = agent_begin(reply, SSH_IDENTITIES_ANSWER, &at)) != RK_OK ||
	    (r = bytes_put_u32(reply, n)) != RK_OK)
		return r;
	for (size_t i = 0; n > 0 && r == RK_OK; i++) {
		if ((a->keys[i].uses & USE_SSH) == 0)
			continue;
		r = put_identity(reply, &a->keys[i]);
		n--;
	}
	agent_end(reply, at);
	return r;
}

/* The key that such a blob names, if it is open and for SSH. */
static struct open_key *
named(struct agent *a, struct bytes *body)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct bytes blob;

	if (!bytes_get_string(body, &blob) ||
	    ssh_get_public(blob.at, blob.left, pub) != RK_OK)
		return NULL;
	for (size_t i = 0; i < a->n_keys; i++)
		if ((a->keys[i].uses & USE_SSH) != 0 &&
		    memcmp(a->keys[i].pub, pub, sizeof(pub)) == 0)
			return &a->keys[i];
	return NULL;
}

/* Flags are for keys of other kinds. */
static enum rk_err
sign(struct agent *a, const struct agent_asker *asker, uint64_t now,
    struct bytes body, struct buf *reply, uint32_t *wait)
{
	struct order o = { .use = USE_SSH, .asker = *asker };
	struct open_key *k = named(a, &body);
	struct bytes data;
	uint32_t flags;

	if (k == NULL || !bytes_get_string(&body, &data) ||
	    !bytes_get_u32(&body, &flags) || body.left != 0 ||
	    data.left > sizeof(o.data) ||
	    purpose_of_ssh(data.at, data.left, k->pub, &o.view) != RK_OK)
		return agent_refuse(asker, RK_EDENIED, "", reply);
	(void)str_copy(o.name, sizeof(o.name), k->name);
	o.len = data.left;
	memcpy(o.data, data.at, data.left);
	return agent_order(a, &o, now, reply, wait);
}

static enum rk_err
close_one(struct agent *a, const struct agent_asker *asker, struct bytes body,
    struct buf *reply)
{
	struct open_key *k = named(a, &body);

	if (k == NULL || body.left != 0)
		return agent_refuse(asker, RK_ENOENT, "", reply);
	agent_key_close(a, k);
	return succeed(reply);
}

static enum rk_err
close_all(struct agent *a, struct buf *reply)
{
	for (size_t i = a->n_keys; i > 0; i--)
		if ((a->keys[i - 1].uses & USE_SSH) != 0)
			agent_key_close(a, &a->keys[i - 1]);
	return succeed(reply);
}

enum rk_err
agent_ssh(struct agent *a, const struct agent_asker *asker, uint64_t now,
    uint8_t type, struct bytes body, struct buf *reply, uint32_t *wait)
{
	switch (type) {
	case SSH_REQUEST_IDENTITIES:
		return identities(a, reply);
	case SSH_SIGN_REQUEST:
		return sign(a, asker, now, body, reply, wait);
	case SSH_REMOVE_IDENTITY:
		return close_one(a, asker, body, reply);
	case SSH_REMOVE_ALL_IDENTITIES:
		return close_all(a, reply);
	default:
		return agent_refuse(asker, RK_EUNSUPPORTED, "", reply);
	}
}
