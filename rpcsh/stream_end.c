/* How a stream ends that was joined to local input and output. */
#include "stream_end.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "held.h"
#include "reach.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define FINISH_MS 500 /* for the server to hear that nobody waits any more */

void
stream_end_wrong(struct rk_error *local, enum rk_err r, const char *what)
{
	if (local->code != RK_OK || r == RK_OK || r == RK_EAGAIN)
		return;
	if (r == RK_EIO)
		(void)err_sys(local, r, errno, "%s", what);
	else
		(void)err_set(local, r, "%s: %s", what, rk_err_text(r));
}

bool
stream_end_is_shells(int signo)
{
	return signo == SIGINT && held_is_shells();
}

void
stream_end_cancel(struct target *t, struct rk_stream *const *s)
{
	uint64_t until = mono_us() + FINISH_MS * 1000;

	if (*s == NULL)
		return;
	rk_stream_cancel(*s);
	/* Others go on with this connection. */
	while (t->held != NULL && *s != NULL && mono_us() < until)
		reach_turn(t, FINISH_MS);
	if (*s == NULL)
		return;
	/* Whoever does not hear it sees the connection go. */
	if (rk_client_finish(t->client, FINISH_MS, NULL) != RK_OK)
		rk_client_shutdown(t->client);
}

int
stream_end_not_begun(const struct target *t, const struct out *o,
    const char *method, enum rk_err r, struct rk_error *local)
{
	if (r == RK_ESTATE && t->ended.code != RK_OK)
		*local = t->ended;
	else
		(void)err_set(local, r, "%s", rk_err_text(r));
	return target_failed(t, o, local, method);
}

/* Whether the server's word or our own clock came first is chance. */
static bool
is_late(const struct rk_error *end, uint64_t timeout, uint64_t took_us)
{
	if (end->code == RK_ETIMEOUT)
		return true;
	return end->code == RK_EREMOTE && timeout != 0 &&
	       target_is_late(timeout, took_us);
}

int
stream_end_report(struct target *t, const struct out *o, const char *method,
    const struct rk_error *end, uint64_t timeout, uint64_t took_us)
{
	char name[RK_NAME_MAX + 1], text[RK_NAME_MAX + 80];

	if (is_late(end, timeout, took_us)) {
		(void)snprintf(text, sizeof(text),
		    "%s: not over after %" PRIu64 ".%03" PRIu64 " s",
		    str_escape(name, sizeof(name), method), timeout / 1000,
		    timeout % 1000);
		return out_fail(o, RK_ETIMEOUT, text, NULL);
	}
	if (end->code == RK_ENOMETHOD)
		return target_no_method(t, o, method);
	return target_failed(t, o, end, method);
}
