/* Is an e-mail address another key's?  The one answer, for every way in. */
#include "trust/policy_int.h"

#include "trust/room.h"

enum rk_err
policy_is_taken(const struct rk_trust *t, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct mails mails, bool *taken, struct rk_error *err)
{
	*taken = !mails_are_all(&mails) || known_has_mail(&t->known, mails);
	if (*taken)
		return RK_OK;
	return room_is_taken(t->room, pub, mails, taken, err);
}
