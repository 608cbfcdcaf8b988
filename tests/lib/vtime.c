/* A loop whose time passes only when it has nothing else to do, for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "net/loop.h"

#include "vtime.h"

static uint64_t
tell(void *arg)
{
	return ((const struct vtime *)arg)->now;
}

void
vtime_start(struct vtime *v, struct rk_loop *loop, uint64_t patience)
{
	*v = (struct vtime){ .loop = loop, .now = 1000 };
	v->until = v->now + patience;
	loop_set_clock(loop, tell, v);
}

static bool
is_ready(const struct vtime *v)
{
	struct pollfd p = { .fd = rk_loop_fd(v->loop), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* Nothing to do before `at`: let the time come.  What was queued between turns
 * costs a moment, too, or who queues something every time would stop it. */
static void
wait_for(struct vtime *v, uint64_t at)
{
	int ms;

	if (is_ready(v))
		return;
	ms = rk_loop_wait_ms(v->loop);
	if (ms == 0)
		ms = 1;
	v->now =
	    ms < 0 || v->now + (unsigned)ms > at ? at : v->now + (unsigned)ms;
}

void
vtime_turn(struct vtime *v)
{
	wait_for(v, v->until + 1);
	if (v->now > v->until)
		fail_msg("nothing happens any more");
	assert_int_equal(rk_loop_step(v->loop, 0), RK_OK);
}

void
vtime_pass(struct vtime *v, uint64_t ms)
{
	uint64_t at = v->now + ms;

	v->until += ms;
	while (v->now < at) {
		wait_for(v, at);
		assert_int_equal(rk_loop_step(v->loop, 0), RK_OK);
	}
}
