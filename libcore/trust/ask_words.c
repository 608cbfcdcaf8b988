/* What the trust store's words are for the keys that wait, and the other way.
 */
#include "trust/ask_disk.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool
ask_is_over(int64_t decided, int64_t until, int64_t now)
{
	const struct rk_store_facts facts = { .state = RK_STORE_UNTIL,
		.now = now,
		.decided = decided,
		.until = until };

	return rk_store_status(&facts) != RK_STATUS_KNOWN;
}

/* What does it make of the key?  False: nothing. */
static bool
find_status(
    const struct rk_store_entry *e, int64_t now, enum rk_ask_status *status)
{
	switch (e->state) {
	case RK_STORE_WAIT:
		*status = e->status == RK_STATUS_CHANGED ? RK_ASK_CHANGED
		                                         : RK_ASK_NEW;
		return now - e->touched <= INT64_C(86400) * RK_ASK_DAYS;
	case RK_STORE_UNTIL:
		*status = ask_is_over(e->decided, e->until, now)
		              ? RK_ASK_EXPIRED
		              : RK_ASK_UNTIL;
		return true;
	case RK_STORE_ONCE:
		*status = RK_ASK_ONCE;
		return true;
	case RK_STORE_REJECTED:
		*status = RK_ASK_REJECTED;
		return true;
	case RK_STORE_REVOKED:
		*status = RK_ASK_REVOKED;
		return true;
	case RK_STORE_NONE:
	case RK_STORE_KNOWN: /* if the file has it, too */
		break;
	}
	return false;
}

void
ask_disk_text(const struct rk_store_entry *e, struct rk_ask_entry *out)
{
	*out = (struct rk_ask_entry){ .has_cert = true };
	memcpy(out->fp, e->fp, sizeof(out->fp));
	memcpy(out->pub, e->pub, sizeof(out->pub));
	(void)str_escape_again(out->email, sizeof(out->email), e->email);
	(void)str_escape_again(out->cn, sizeof(out->cn), e->cn);
	(void)str_escape_again(out->ca, sizeof(out->ca), e->ca);
	(void)str_escape_again(
	    out->remote, sizeof(out->remote), e->addresses[0]);
	(void)str_escape(out->who, sizeof(out->who), e->who);
	(void)str_escape(out->note, sizeof(out->note), e->note);
	for (size_t i = 0; i < RK_ASK_ADDRESSES; i++)
		(void)str_escape(out->addresses[i], sizeof(out->addresses[i]),
		    e->addresses[i]);
	out->first_seen = e->first_seen;
	out->last_seen = e->last_seen;
	out->tries = e->tries;
	out->until = e->until;
	out->decided = e->decided;
	out->cert_from = e->cert_from;
	out->cert_until = e->cert_until;
}

bool
ask_disk_entry(
    const struct rk_store_entry *e, int64_t now, struct rk_ask_entry *out)
{
	ask_disk_text(e, out);
	return find_status(e, now, &out->status);
}

/* The peer of an entry.  Its address is what a peer gave, or what the store
 * made of that: a host alone. */
struct rk_peer
ask_disk_peer(const struct rk_ask_entry *e)
{
	struct rk_peer peer = { .transport = "", .proven = true };

	memcpy(peer.cert.pub, e->pub, sizeof(peer.cert.pub));
	(void)str_copy(peer.cert.fp, sizeof(peer.cert.fp), e->fp);
	(void)str_copy(peer.cert.email, sizeof(peer.cert.email), e->email);
	(void)str_copy(peer.cert.cn, sizeof(peer.cert.cn), e->cn);
	(void)str_copy(peer.cert.issuer_cn, sizeof(peer.cert.issuer_cn), e->ca);
	peer.cert.not_before = e->cert_from;
	peer.cert.not_after = e->cert_until;
	if (strstr(e->remote, "://") != NULL || e->remote[0] == '\0')
		(void)str_copy(peer.remote, sizeof(peer.remote), e->remote);
	else
		(void)snprintf(
		    peer.remote, sizeof(peer.remote), "[%.120s]", e->remote);
	return peer;
}
