/* Is an e-mail address another key's?  The one answer, for every way in. */
#include "trust/policy_int.h"

#include "trust/room.h"

/* known_counts_fn: without a store the lines of keys that are out stay. */
static bool
is_in(const uint8_t *pub, const void *arg)
{
	const struct rk_trust *t = arg;
	char fp[RK_FP_LEN];

	rk_fp_of_key(pub, fp);
	return !room_is_out(t->room, fp);
}

enum rk_err
policy_is_taken(const struct rk_trust *t, const struct mails_for *whom,
    struct mails mails, bool *taken, struct rk_error *err)
{
	/* Of keys that took one another's place only the last one counts. */
	known_counts_fn *counts = whom->old != NULL ? is_in : NULL;

	*taken = !mails_are_all(&mails) ||
	         known_find_mail(&t->known, whom, mails, counts, t) != NULL;
	if (*taken)
		return RK_OK;
	return room_is_taken(t->room, whom, mails, taken, err);
}

void
policy_other(
    struct rk_trust *t, const struct rk_ask_entry *e, char fp[RK_FP_LEN])
{
	const struct mails_for whom = { .pub = e->pub };
	const uint8_t *pub = NULL;

	fp[0] = '\0';
	if (e->status != RK_ASK_CHANGED)
		return;
	(void)pthread_mutex_lock(&t->mutex);
	if (t->mode != RK_TRUST_OFF)
		pub = known_find_mail(
		    &t->known, &whom, mails_of(e->email), NULL, NULL);
	if (pub != NULL)
		rk_fp_of_key(pub, fp);
	(void)pthread_mutex_unlock(&t->mutex);
}
