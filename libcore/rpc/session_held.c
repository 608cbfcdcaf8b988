/* A peer waits while another program holds the list of keys, and nobody else.
 */
#include "rpc/session_int.h"

#include "base/error.h"

#define HELD_MS 5000 /* then the peer is refused */
#define NAP_MS 10    /* the first; each is longer, up to */
#define NAP_MAX_MS 320

static void
on_again(struct rk_timer *t, void *arg)
{
	(void)t;
	session_judge_again(arg);
}

static enum rk_err
begin(struct session *s)
{
	enum rk_err r;

	r = rk_timer_new(s->alive.loop, on_again, s, &s->again);
	if (r != RK_OK)
		return r;
	s->nap = NAP_MS;
	s->held_until = rk_loop_now(s->alive.loop) + HELD_MS;
	return RK_OK;
}

/* Not a byte of the peer is read meanwhile, and the handshake's time goes on.
 */
void
session_wait_for_list(struct session *s, const struct rk_error *why)
{
	const uint64_t now = rk_loop_now(s->alive.loop);
	enum rk_err r = s->again == NULL ? begin(s) : RK_OK;

	if (r == RK_OK && now < s->held_until)
		r = rk_timer_set(s->again, now + s->nap);
	else if (r == RK_OK)
		r = RK_EBUSY;
	if (r != RK_OK) {
		struct rk_error err = *why;

		err.step = "trust";
		conn_abort(s->conn, &err);
		return;
	}
	if (s->nap < NAP_MAX_MS)
		s->nap *= 2;
}

bool
session_waits_for_list(const struct session *s)
{
	return s->again != NULL;
}

void
session_held_fini(struct session *s)
{
	rk_timer_free(s->again);
	s->again = NULL;
}
