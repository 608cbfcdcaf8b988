/* Is an e-mail address another key's?  The one answer, for every way in. */
#include "trust/policy_int.h"

#include <string.h>

#include "trust/room.h"

enum rk_err
policy_is_taken(const struct rk_trust *t, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct mails mails, bool *taken, struct rk_error *err)
{
	*taken =
	    !mails_are_all(&mails) || known_find_mail(&t->known, mails) != NULL;
	if (*taken)
		return RK_OK;
	return room_is_taken(t->room, pub, mails, taken, err);
}

void
policy_other(
    struct rk_trust *t, const struct rk_ask_entry *e, char fp[RK_FP_LEN])
{
	const uint8_t *pub = NULL;

	fp[0] = '\0';
	if (e->status != RK_ASK_CHANGED)
		return;
	(void)pthread_mutex_lock(&t->mutex);
	if (t->mode != RK_TRUST_OFF)
		pub = known_find_mail(&t->known, mails_of(e->email));
	if (pub != NULL && memcmp(pub, e->pub, sizeof(e->pub)) != 0)
		rk_fp_of_key(pub, fp);
	(void)pthread_mutex_unlock(&t->mutex);
}
