/* What a key is and what is to be done about it: two tables, no state. */
#include <rpckit/store.h>

#include <string.h>

#define CLOCK_SLACK 60 /* s that a clock may be set back unpunished */

/* An approval for a time counts from when it was given to its end. */
static bool
is_current(const struct rk_store_facts *f)
{
	return f->now >= f->decided - CLOCK_SLACK && f->now < f->until;
}

enum rk_store_status
rk_store_status(const struct rk_store_facts *f)
{
	const bool in_time = f->state == RK_STORE_UNTIL && is_current(f);

	if (f->state == RK_STORE_REVOKED)
		return RK_STATUS_REVOKED;
	if (f->state == RK_STORE_REJECTED)
		return RK_STATUS_REJECTED;
	if (f->in_file)
		return RK_STATUS_KNOWN;
	if (!f->locked && (in_time || f->state == RK_STORE_ONCE))
		return RK_STATUS_KNOWN;
	if (f->email_taken)
		return RK_STATUS_CHANGED;
	if (f->state == RK_STORE_UNTIL && !in_time)
		return RK_STATUS_EXPIRED;
	return f->state == RK_STORE_WAIT ? RK_STATUS_WAITING : RK_STATUS_NEW;
}

#define A RK_VERDICT_ACCEPT
#define R RK_VERDICT_RECORD
#define W RK_VERDICT_WAIT
#define X RK_VERDICT_REFUSE
static const enum rk_store_verdict verdicts[][RK_MODE_LOCK + 1] = {
	/*                      off open ask lock */
	[RK_STATUS_NEW] = { A, R, W, X },
	[RK_STATUS_KNOWN] = { A, A, A, A },
	[RK_STATUS_CHANGED] = { A, W, W, X },
	[RK_STATUS_REJECTED] = { X, X, X, X },
	[RK_STATUS_REVOKED] = { X, X, X, X },
	[RK_STATUS_EXPIRED] = { A, W, W, X },
	[RK_STATUS_WAITING] = { A, R, W, X },
};
#undef A
#undef R
#undef W
#undef X

enum rk_store_verdict
rk_store_verdict(
    enum rk_store_status status, enum rk_store_mode mode, bool locked)
{
	if ((unsigned)status > RK_STATUS_WAITING ||
	    (unsigned)mode > RK_MODE_LOCK)
		return RK_VERDICT_REFUSE;
	if (locked && mode != RK_MODE_OFF)
		mode = RK_MODE_LOCK;
	return verdicts[status][mode];
}

static const char *const states[] = { "none", "waiting", "known", "once",
	"until", "rejected", "revoked" };
static const char *const statuses[] = { "new", "known", "changed", "rejected",
	"revoked", "expired", "waiting" };
static const char *const modes[] = { "off", "open", "ask", "lock" };

const char *
rk_store_state_name(enum rk_store_state state)
{
	return (unsigned)state <= RK_STORE_REVOKED ? states[state] : "unknown";
}

const char *
rk_store_status_name(enum rk_store_status status)
{
	return (unsigned)status <= RK_STATUS_WAITING ? statuses[status]
	                                             : "unknown";
}

const char *
rk_store_mode_name(enum rk_store_mode mode)
{
	return (unsigned)mode <= RK_MODE_LOCK ? modes[mode] : "unknown";
}

enum rk_err
rk_store_mode_parse(const char *name, enum rk_store_mode *mode)
{
	unsigned i;

	*mode = RK_MODE_LOCK;
	for (i = 0; i <= RK_MODE_LOCK; i++) {
		if (strcmp(name, modes[i]) == 0) {
			*mode = (enum rk_store_mode)i;
			return RK_OK;
		}
	}
	return RK_EINVAL;
}
