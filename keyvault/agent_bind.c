/* Where a connection of SSH's leads: sessions told, proven, remembered. */
#include "agent_bind.h"

#include "base/crypt.h"
#include "base/ssh.h"
#include "base/str.h"

#define KIND "ssh-ed25519"

/* Does the host say so?  RK_EUNSUPPORTED: not in a way that we know. */
static enum rk_err
verify(const struct bytes *host, const struct bytes *session,
    const struct bytes *signature)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct bytes b = *host;
	struct bytes kind;
	struct bytes sig;

	if (!bytes_get_string(&b, &kind))
		return RK_EPROTO;
	if (!bytes_are(&kind, KIND))
		return RK_EUNSUPPORTED;
	if (ssh_get_public(host->at, host->left, pub) != RK_OK)
		return RK_EPROTO;
	b = *signature;
	if (!bytes_get_string(&b, &kind) || !bytes_are(&kind, KIND) ||
	    !bytes_get_string(&b, &sig) || sig.left != RK_KEY_SIG_LEN ||
	    b.left != 0)
		return RK_EPROTO;
	return rk_key_verify(pub, session->at, session->left, sig.at)
	           ? RK_OK
	           : RK_EDENIED;
}

/* A session once more is nothing new; otherwise than before, it is a lie. */
static enum rk_err
compare(const struct binds *b, const struct bind *now, bool *known)
{
	const struct bind *old;
	bool same;

	*known = false;
	for (size_t i = 0; i < b->n; i++) {
		old = &b->list[i];
		same =
		    old->session_len == now->session_len &&
		    memcmp(old->session, now->session, old->session_len) == 0;
		if (!old->forwards || (same && strcmp(old->fp, now->fp) != 0))
			return RK_EDENIED;
		*known = *known || same;
	}
	return RK_OK;
}

static enum rk_err
keep(struct binds *b, const struct bytes *host, const struct bytes *session,
    bool forwards)
{
	struct bind now = { .forwards = forwards,
		.session_len = session->left };
	bool known;
	enum rk_err r;

	memcpy(now.session, session->at, session->left);
	ssh_fp_of(host->at, host->left, now.fp);
	if ((r = compare(b, &now, &known)) != RK_OK || known)
		return r;
	if (b->n == BINDS_MAX)
		return RK_ELIMIT;
	b->list[b->n++] = now;
	return RK_OK;
}

enum rk_err
bind_take(struct binds *b, struct bytes body)
{
	struct bytes host;
	struct bytes session;
	struct bytes signature;
	uint8_t forwards;
	enum rk_err r;

	if (!bytes_get_string(&body, &host) ||
	    !bytes_get_string(&body, &session) || session.left == 0 ||
	    session.left > BIND_SESSION_MAX ||
	    !bytes_get_string(&body, &signature) ||
	    !bytes_get_u8(&body, &forwards) || body.left != 0) {
		b->failed = true;
		return RK_EPROTO;
	}
	/* Whoever says so is believed that others may ask from now on. */
	b->forwarded = b->forwarded || forwards != 0;
	r = verify(&host, &session, &signature);
	if (r == RK_OK)
		r = keep(b, &host, &session, forwards != 0);
	if (r == RK_EUNSUPPORTED || r == RK_ELIMIT)
		b->unknown = true;
	else if (r != RK_OK)
		b->failed = true;
	return r;
}

/* The session of a login and, in OpenSSH's own form of it, the host's key. */
static bool
read_login(struct bytes data, struct bytes *session, struct bytes *host)
{
	struct bytes skip;
	uint8_t byte;

	*host = (struct bytes){ 0 };
	if (!bytes_get_string(&data, session) || !bytes_get_u8(&data, &byte))
		return false;
	for (int i = 0; i < 3; i++) /* user, service, method */
		if (!bytes_get_string(&data, &skip))
			return false;
	if (!bytes_get_u8(&data, &byte) || !bytes_get_string(&data, &skip) ||
	    !bytes_get_string(&data, &skip))
		return false;
	return data.left == 0 || bytes_get_string(&data, host);
}

enum rk_err
bind_target(
    const struct binds *b, const uint8_t *data, size_t len, char fp[RK_FP_LEN])
{
	const struct bind *last;
	struct bytes session;
	struct bytes host;
	char named[RK_FP_LEN];

	fp[0] = '\0';
	if (b->n == 0 || b->unknown)
		return RK_OK;
	last = &b->list[b->n - 1];
	if (!read_login(
	        (struct bytes){ .at = data, .left = len }, &session, &host) ||
	    session.left != last->session_len ||
	    memcmp(session.at, last->session, session.left) != 0)
		return RK_EDENIED;
	/* Behind the first host only that form says who is meant. */
	if (host.left == 0 && b->n > 1)
		return RK_EDENIED;
	if (host.left > 0) {
		ssh_fp_of(host.at, host.left, named);
		if (strcmp(named, last->fp) != 0)
			return RK_EDENIED;
	}
	(void)str_copy(fp, RK_FP_LEN, last->fp);
	return RK_OK;
}
